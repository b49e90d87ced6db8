//! MARC-8: its tables against their source, its text against what others make of it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;
use windrow::formats::marc21::marc8::{Decoder, Set, eacc, is_mark};
use windrow::formats::marc21::{Field, Marc, iso2709};
use windrow::formats::{Encoding, Policy, ReadOptions, SourceRecord, by_name};
use windrow::source::{BatchLimit, DumpReader};

use crate::support::{project, shared};
use crate::truth::known_differences;

#[expect(dead_code, reason = "main is the example's")]
#[path = "../dev/marc8_tables.rs"]
mod marc8_tables;

fn decode(bytes: &[u8]) -> (String, Vec<String>) {
    let (mut text, mut faults) = (String::new(), Vec::new());
    Decoder::default().decode(bytes, &mut text, &mut faults);
    let faults = faults.iter().map(|fault| format!("{:?} {fault} at {}", fault.kind, fault.offset));
    (text, faults.collect())
}

fn nfc(text: &str) -> String {
    text.nfc().collect()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

#[test]
fn the_tables_are_what_their_generator_makes() {
    let Some(shared) = shared() else { return };
    let folder = shared.join("data/marc8-tables/codetables/marc-charset/etc");
    let xml = marc8_tables::read(&folder.join("codetables.xml.gz")).unwrap();
    let tables = marc8_tables::tables(&xml).unwrap();
    let stored = |name| std::fs::read(project("src/formats/marc21/marc8").join(name)).unwrap();
    assert_eq!(tables.sets, stored("sets.bin"));
    assert_eq!(tables.eacc, stored("eacc.bin"));
    assert!(tables.combining.iter().all(|&c| is_mark(c)), "{:?}", tables.combining);
    let sets = [Set::Ansel, Set::Hebrew, Set::Cyrillic, Set::Arabic, Set::ExtendedArabic];
    let more = [Set::ExtendedCyrillic, Set::Greek, Set::GreekSymbols, Set::Subscript];
    for set in sets.into_iter().chain(more) {
        let marks = (0x21..0x7F).filter_map(|byte| set.character(byte)).filter(|&c| is_mark(c));
        assert!(marks.clone().all(|c| tables.combining.contains(&c)), "{set:?}");
    }
}

#[test]
fn every_set_is_found_by_its_escape_sequences() {
    for (escape, set) in [
        ("B", Set::Ascii),
        ("E", Set::Ansel),
        ("2", Set::Hebrew),
        ("3", Set::Arabic),
        ("4", Set::ExtendedArabic),
        ("N", Set::Cyrillic),
        ("Q", Set::ExtendedCyrillic),
        ("S", Set::Greek),
        ("P", Set::Iso5426),
    ] {
        let expected = (0x21..0x7F).filter_map(|byte| set.character(byte)).find(|&c| !is_mark(c));
        let byte = (0x21..0x7F).find(|&byte| set.character(byte) == expected).unwrap();
        for (intermediate, high) in [('(', 0), (',', 0), (')', 0x80), ('-', 0x80)] {
            let bytes =
                [format!("\u{1B}{intermediate}{escape}").as_bytes(), &[byte | high]].concat();
            assert_eq!(decode(&bytes), (expected.unwrap().to_string(), vec![]), "{bytes:?}");
        }
    }
    for escape in ["$1", "$(1", "$,1"] {
        assert_eq!(decode(format!("\u{1B}{escape}!0!").as_bytes()).0, "一");
    }
    for escape in ["$)1", "$-1"] {
        let bytes = [format!("\u{1B}{escape}").as_bytes(), b"\xA1\xB0\xA1a"].concat();
        assert_eq!(decode(&bytes).0, "一a");
    }
    assert_eq!(decode(b"\x1Bga\x1Bb1\x1Bp1\x1Bs1\x1B(!E%").0, "α₁¹1Æ");
    assert_eq!(eacc(*b"!0!"), Some('一'));
    assert_eq!(eacc(*b"!!!"), None);
}

#[test]
fn values_read_as_most_others_read_them() {
    let Some(shared) = shared() else { return };
    let file = std::fs::File::open(shared.join("data/truth/marc8_votes.jsonl.gz")).unwrap();
    let known = known_differences();
    let (mut same, mut is_utf8, mut listed, mut unlisted) = (0, 0, 0, Vec::new());
    for line in BufReader::new(flate2::read::MultiGzDecoder::new(file)).lines() {
        let vote: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let raw = bytes_of(vote["raw_hex"].as_str().unwrap());
        let (text, faults) = decode(&raw);
        let Some(majority) = vote["majority"].as_str() else { continue };
        let name = vote["file"].as_str().unwrap().trim_start_matches("_shared/");
        let hash = Sha256::digest(&raw);
        let place = format!("value {:02x}{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2], hash[3]);
        if nfc(&text) == nfc(majority) {
            same += 1;
        } else if std::str::from_utf8(&raw).is_ok() && !raw.contains(&0x1B) {
            // In its record it is read as UTF-8.
            is_utf8 += 1;
        } else if known.contains_key(&(name.to_owned(), place.clone())) {
            listed += 1;
        } else {
            unlisted.push(format!("{name}\t{place}\t{text:?} {faults:?}, not {majority:?}"));
        }
    }
    eprintln!("values: {same} as the majority, {is_utf8} are UTF-8, {listed} otherwise and listed");
    assert!(unlisted.is_empty(), "not in known_differences.tsv:\n{}", unlisted.join("\n"));
}

#[test]
fn lines_read_as_their_twins_in_unicode() {
    let Some(shared) = shared() else { return };
    let folder = shared.join("data/marc/pymarc");
    let marc8 = std::fs::read(folder.join("test_marc8.txt")).unwrap();
    let unicode = std::fs::read_to_string(folder.join("test_utf8.txt")).unwrap();
    let pairs = marc8.split(|&byte| byte == b'\n').zip(unicode.split('\n'));
    let mut count = 0;
    for (index, (bytes, expected)) in pairs.enumerate() {
        assert_eq!(nfc(&decode(bytes).0), nfc(expected), "line {}", index + 1);
        count += 1;
    }
    eprintln!("{count} lines");
    assert!(count > 1500);
}

fn records(path: &Path) -> Vec<Marc> {
    let mut reader = DumpReader::open(path, "twin", by_name("iso2709")).unwrap();
    let mut records = Vec::new();
    let limit = BatchLimit { records: 1000, bytes: usize::MAX };
    while let Some(batch) = reader.read_batch(limit).unwrap() {
        for raw in &batch.records {
            let (mut marc, mut warnings) = (Marc::default(), Vec::new());
            iso2709::read(batch.bytes(raw), &mut marc, &mut warnings).unwrap();
            records.push(marc);
        }
    }
    records
}

fn values(marc: &Marc) -> Vec<(String, char, String)> {
    let of_field = |field: Field<'_>| {
        let tag = field.tag().to_string();
        let subfields: Vec<_> = field.subfields().map(|sub| (sub.code, nfc(sub.value))).collect();
        subfields.into_iter().map(move |(code, value)| (tag.clone(), code, value))
    };
    marc.fields().flat_map(of_field).collect()
}

#[test]
fn records_read_as_their_twins_in_utf8() {
    let Some(shared) = shared() else { return };
    let folder = shared.join("data/marc/gpo-cataloging-records/NIST_Collection");
    let known = known_differences();
    let (mut same, mut listed, mut unlisted) = (0, 0, Vec::new());
    let paths = windrow::source::expand(&["MARC8/*".to_owned()], &folder).unwrap();
    for path in paths {
        let name = path.file_name().unwrap().to_str().unwrap();
        let twin = folder.join("UTF8").join(name.replace("marc8", "utf8"));
        if !twin.exists() || (cfg!(debug_assertions) && name.ends_with(".gz")) {
            continue;
        }
        let (marc8, utf8) = (records(&path), records(&twin));
        assert_eq!(marc8.len(), utf8.len(), "{name}");
        for (index, (marc8, utf8)) in marc8.iter().zip(&utf8).enumerate() {
            let (found, expected) = (values(marc8), values(utf8));
            let place = (name.to_owned(), format!("twin #{}", index + 1));
            if found == expected {
                same += 1;
            } else if known.contains_key(&place) {
                listed += 1;
            } else {
                let at = found.iter().zip(&expected).find(|(a, b)| a != b);
                unlisted.push(format!("{name}\ttwin #{}\t{at:?}", index + 1));
            }
        }
    }
    eprintln!("twins: {same} the same, {listed} otherwise and listed");
    assert!(unlisted.is_empty(), "not in known_differences.tsv:\n{}", unlisted.join("\n"));
}

#[test]
fn the_encoding_that_a_source_names_overrides_what_its_records_say() {
    let read = |encoding, value: &[u8]| {
        let data = [b"10\x1Fa", value, b"\x1E"].concat();
        let length = 24 + 12 + 1 + data.len() + 1;
        let head = format!("{length:05}nam a2200037 a 4500245{:04}00000\x1E", data.len());
        let bytes = [head.as_bytes(), &data, b"\x1D"].concat();
        let options = ReadOptions { encoding: Some(encoding), policy: Policy::Strict };
        let (mut record, mut warnings) = (SourceRecord::default(), Vec::new());
        let format = by_name("iso2709").unwrap();
        let read = format.read(&bytes, &options, &mut record, &mut warnings);
        read.map(|()| record.marc().unwrap().field(0).unwrap().value().to_owned())
    };
    assert_eq!(read(Encoding::Marc8, b"caf\xE2e").unwrap(), "cafe\u{301}");
    assert_eq!(read(Encoding::Iso5426, b"caf\xC2e").unwrap(), "cafe\u{301}");
    assert_eq!(read(Encoding::Latin1, b"caf\xE9").unwrap(), "café");
    assert_eq!(read(Encoding::Windows1252, b"caf\xE9 \x80").unwrap(), "café €");
    assert_eq!(read(Encoding::Windows1251, b"\xCC\xE8\xF0").unwrap(), "Мир");
    assert_eq!(read(Encoding::Cp866, b"\x8C\xA8\xE0").unwrap(), "Мир");
    assert_eq!(read(Encoding::Utf8, "café".as_bytes()).unwrap(), "café");
    assert_eq!(read(Encoding::Utf8, b"caf\xE9").unwrap_err().code, "iso2709.utf8");
    assert_eq!(read(Encoding::Marc8, b"caf\x80").unwrap_err().code, "marc8.undefined");
}

/// The fixtures of ISO 2709 and UNIMARC.
static FIXTURES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let paths = std::fs::read_dir(project("fixtures/marc")).unwrap();
    let paths = paths.map(|entry| entry.unwrap().path());
    let of_marc =
        |path: &PathBuf| path.extension().is_some_and(|ext| ext == "mrc" || ext == "unimarc");
    paths.filter(of_marc).map(|path| std::fs::read(path).unwrap()).collect()
});

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[ -%'-~]{0,8}".prop_map(String::into_bytes),
        2 => prop::sample::select(b"()-,$!BENQS1234Psgbp".to_vec()).prop_map(|byte| vec![0x1B, byte]),
        2 => prop::sample::select(vec!["\u{1B}$1", "\u{1B}$)1", "\u{1B}(N", "\u{1B}(B", "&#x4E", ";"])
            .prop_map(|text| text.as_bytes().to_vec()),
        2 => prop::collection::vec(any::<u8>(), 0..6),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn ascii_is_itself(text in "[ -%'-~]{0,60}") {
        prop_assert_eq!(decode(text.as_bytes()), (text, vec![]));
    }

    #[test]
    fn no_damage_to_a_record_makes_it_panic(
        fixture in any::<prop::sample::Index>(),
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        encoding in prop::option::of(prop::sample::select(Encoding::ALL)),
    ) {
        let mut bytes = fixture.get(&FIXTURES).clone();
        for (place, byte) in damages {
            *place.get_mut(&mut bytes) = byte;
        }
        for name in ["iso2709", "unimarc"] {
            for policy in [Policy::Strict, Policy::Tolerant, Policy::Repair] {
                let options = ReadOptions { policy, encoding };
                let (mut record, mut warnings) = (SourceRecord::default(), Vec::new());
                let read = by_name(name).unwrap().read(&bytes, &options, &mut record, &mut warnings);
                // Repair only takes more, never less.
                let tolerates = policy == Policy::Repair;
                prop_assert!(read.is_ok() || !tolerates || read.unwrap_err().code != "iso2709.utf8");
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic_and_what_is_replaced_is_told(pieces in prop::collection::vec(piece(), 0..10)) {
        let bytes = pieces.concat();
        for decoder in [Decoder::default(), Decoder::new(Set::Cyrillic, Set::Iso5426).repairing()] {
            let (mut text, mut faults) = (String::new(), Vec::new());
            let mut decoder = decoder;
            decoder.decode(&bytes, &mut text, &mut faults);
            let replaced = text.chars().filter(|&c| c == char::REPLACEMENT_CHARACTER).count();
            prop_assert!(replaced <= faults.len());
            for fault in &faults {
                prop_assert!(bytes[fault.offset..].starts_with(fault.bytes()));
                prop_assert!(!fault.bytes().is_empty());
            }
            // What one value designates is over with it.
            let mut again = String::new();
            decoder.decode(&bytes, &mut again, &mut faults);
            prop_assert_eq!(again, text);
        }
    }
}
