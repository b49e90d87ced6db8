//! ISO 2709, MARCXML and line MARC: oddities by fixture, laws by property.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use windrow::formats::marc21::{Leader, Marc, Tag, iso2709, line, marcxml};
use windrow::formats::{self, Cut, Format, Policy, ReadOptions, SourceRecord};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/marc")
}

/// What a cutter cut.
pub struct Piece {
    pub byte: usize,
    pub bytes: Vec<u8>,
    pub damage: Option<&'static str>,
}

/// Cuts `stream` given in chunks that end at `ends`; checks that what is passed over is blank.
pub fn cut(format: &Format, stream: &[u8], ends: &[usize]) -> Vec<Piece> {
    let mut framing = (format.reading.as_ref().unwrap().framing)();
    let mut ends: Vec<usize> = ends.iter().map(|end| end % (stream.len() + 1)).collect();
    ends.sort_unstable();
    let mut ends = ends.into_iter();
    let (mut from, mut to) = (0, 0);
    let mut pieces = Vec::new();
    loop {
        match framing.cut(&stream[from..to], to == stream.len()) {
            Cut::Record { start, end, next, insert, damage } => {
                assert!(start <= end && end <= next && next <= to - from);
                assert!(next > 0 || damage.is_some(), "nothing was taken");
                let mut bytes = Vec::new();
                let record = &stream[from + start..from + end];
                match insert {
                    Some(insert) => insert.copy(record, &mut bytes),
                    None => bytes.extend_from_slice(record),
                }
                let damage = damage.map(|damage| damage.code);
                pieces.push(Piece { byte: from + start, bytes, damage });
                from += next;
            }
            Cut::More { skip } => {
                assert!(to < stream.len(), "more was asked for at the end");
                from += skip;
                assert!(from <= to);
                to = ends.find(|&end| end > to).unwrap_or(stream.len());
            }
            Cut::End => return pieces,
        }
    }
}

fn describe(format: &Format, policy: Policy, stream: &[u8]) -> String {
    let options = ReadOptions { policy, ..ReadOptions::default() };
    let mut out = String::new();
    for (index, piece) in cut(format, stream, &[]).iter().enumerate() {
        writeln!(out, "#{} (byte {}, {} bytes)", index + 1, piece.byte, piece.bytes.len()).unwrap();
        if let Some(code) = piece.damage {
            writeln!(out, "damaged: {code}\n").unwrap();
            continue;
        }
        let (mut record, mut warnings) = (SourceRecord::default(), Vec::new());
        let result = format.read(&piece.bytes, &options, &mut record, &mut warnings);
        for warning in warnings {
            writeln!(out, "warning: {} [{}]", warning.message, warning.code).unwrap();
        }
        match (result, record) {
            (Ok(()), SourceRecord::Marc(marc)) => writeln!(out, "{}", line::write(&marc)).unwrap(),
            (Ok(()), _) => panic!("no MARC"),
            (Err(error), _) => {
                let number = error.control_number.as_deref().unwrap_or("-");
                writeln!(out, "rejected {number}: {} [{}]\n", error.message, error.code).unwrap();
            }
        }
    }
    out
}

/// Where each piece begins, its bytes, and the code of its damage.
fn view(pieces: &[Piece]) -> Vec<(usize, Vec<u8>, Option<&'static str>)> {
    pieces.iter().map(|piece| (piece.byte, piece.bytes.clone(), piece.damage)).collect()
}

fn check(expectation: &Path, found: &str, wrong: &mut Vec<String>) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(expectation, found).unwrap();
    } else if std::fs::read_to_string(expectation).unwrap_or_default() != found {
        wrong.push(format!("{}:\n{found}", expectation.display()));
    }
}

#[test]
fn every_oddity_has_the_fate_that_is_written_beside_it() {
    let mut paths: Vec<_> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut wrong = Vec::new();
    for path in
        paths.iter().filter(|path| path.extension().is_none_or(|ext| ext != "txt" && ext != "tsv"))
    {
        let extension = path.extension().unwrap().to_str().unwrap();
        let name = match extension {
            "mrc" => "iso2709",
            "xml" => "marcxml",
            name => name,
        };
        let format = formats::by_name(name).unwrap();
        let stream = std::fs::read(path).unwrap();
        let found = describe(format, Policy::Tolerant, &stream);
        for chunk in [1, 60] {
            let ends: Vec<usize> = (0..stream.len()).step_by(chunk).collect();
            let alike = view(&cut(format, &stream, &ends)) == view(&cut(format, &stream, &[]));
            assert!(alike, "{} is cut otherwise in chunks of {chunk}", path.display());
        }
        check(&path.with_extension(format!("{extension}.txt")), &found, &mut wrong);
        // Beside it what repair makes of it, where that is something else.
        let repaired = describe(format, Policy::Repair, &stream);
        let beside = path.with_extension(format!("{extension}.repair.txt"));
        if repaired != found {
            check(&beside, &repaired, &mut wrong);
        } else if beside.exists() {
            wrong.push(format!("{}: nothing is repaired", beside.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_record_that_is_too_long_is_an_error_of_the_writer() {
    let mut marc = Marc::default();
    marc.push_data(Tag(*b"500"), [' ', ' ']);
    marc.push_subfield('a', &"x".repeat(9_994));
    assert!(iso2709::write(&marc).is_ok());
    marc.push_subfield('b', "");
    assert_eq!(iso2709::write(&marc).unwrap_err().code(), "iso2709.field_too_long");
    let mut marc = Marc::default();
    for _ in 0..11 {
        marc.push_data(Tag(*b"500"), [' ', ' ']);
        marc.push_subfield('a', &"x".repeat(9_994));
    }
    assert_eq!(iso2709::write(&marc).unwrap_err().code(), "iso2709.record_too_long");
}

/// Of a record that is longer than its leader can say, what systems write in its place.
fn oversize(length: &str, wraps: bool) -> Vec<u8> {
    let value = [b"  \x1Fa".as_slice(), &[b'x'; 30_000], b"\x1E"].concat();
    let (mut directory, mut data) = (b"001000300000".to_vec(), b"w1\x1E".to_vec());
    for _ in 0..4 {
        let (stated, start) = match wraps {
            true => (value.len() % 10_000, data.len() % 100_000),
            false => (9_999, data.len().min(99_999)),
        };
        directory.extend_from_slice(format!("500{stated:04}{start:05}").as_bytes());
        data.extend_from_slice(&value);
    }
    let base = 24 + directory.len() + 1;
    let leader = format!("{length}nam a22{base:05} a 4500");
    [leader.as_bytes(), &directory, b"\x1E", &data, b"\x1D"].concat()
}

#[test]
fn a_record_of_more_than_99999_bytes_is_read_by_its_terminators() {
    let mut next = Marc::default();
    next.push_control(Tag(*b"001"), "w2");
    for (length, wraps) in [("00000", false), ("99999", false), ("99999", true), ("20092", true)] {
        let stream = [oversize(length, wraps), iso2709::write(&next).unwrap()].concat();
        let format = formats::by_name("iso2709").unwrap();
        let pieces = cut(format, &stream, &[40_000, 90_000]);
        assert_eq!(pieces.len(), 2, "{length}");
        let (mut marc, mut warnings) = (Marc::default(), Vec::new());
        iso2709::read(&pieces[0].bytes, &mut marc, &mut warnings).unwrap();
        assert_eq!(marc.len(), 5);
        assert!(marc.fields().skip(1).all(|field| field.value().len() == 30_000));
        let codes: Vec<_> = warnings.iter().map(|warning| warning.code).collect();
        assert_eq!(codes, ["iso2709.length", "iso2709.directory"], "{length}");
        let code = iso2709::write(&marc).unwrap_err().code();
        assert!(code == "iso2709.field_too_long", "{code}");
    }
}

#[test]
fn of_a_record_that_is_too_large_only_the_beginning_is_kept_and_the_next_is_read() {
    let filling = "x".repeat(formats::MAX_RECORD_BYTES + 70_000);
    let mut small = Marc::default();
    small.push_control(Tag(*b"001"), "w1");
    let small_xml = "<record><leader/></record>";
    let iso2709 = [filling.as_bytes(), b"\x1D", &iso2709::write(&small).unwrap()].concat();
    let marcxml =
        format!("<collection><record><leader>{filling}</leader></record>{small_xml}</collection>");
    for (name, stream) in [("iso2709", iso2709), ("marcxml", marcxml.into_bytes())] {
        let pieces = cut(formats::by_name(name).unwrap(), &stream, &[300_000, 17_000_000]);
        let damages: Vec<_> = pieces.iter().map(|piece| piece.damage).collect();
        assert_eq!(damages, [Some("too_large"), None], "{name}");
        assert!(pieces[0].bytes.len() < 100_000, "{name}");
    }
}

#[test]
fn what_xml_cannot_carry_is_replaced_and_counted() {
    let mut marc = Marc::default();
    marc.push_control(Tag(*b"001"), "a\u{1}b\u{1B}c");
    let mut out = String::new();
    assert_eq!(marcxml::write(&marc, &mut out), 2);
    assert!(out.contains("a\u{FFFD}b\u{FFFD}c"));
}

#[test]
fn line_marc_names_the_line_of_an_error() {
    for (text, expected) in [
        ("=LDR  short\n", "line 1: "),
        ("=001  a\n245 10$aX", "line 2: "),
        ("=245  10$a{nbsp}", "line 1: "),
        ("=245  1$aX", "line 1: "),
        ("=245  10$aX$", "line 1: "),
        ("", "0 records"),
        ("=001  a\n\n=001  b", "2 records"),
    ] {
        let error = line::read(text).unwrap_err();
        assert!(error.message.starts_with(expected), "{text:?}: {}", error.message);
    }
    let marc =
        line::read("=LDR  00000nam\\a2200000\\a\\4500\n=008  a\\b\n=245  1\\$aC:\\{dollar}\n");
    let marc = marc.unwrap();
    assert_eq!(marc.field(0).unwrap().value(), "a b");
    assert_eq!(marc.field(1).unwrap().indicators(), ['1', ' ']);
    assert_eq!(marc.field(1).unwrap().subfield('a'), Some("C:\\$"));
}

prop_compose! {
    fn data_field()(
        tag in "[1-9A-Z][0-9A-Z]{2}",
        indicators in "[0-9 ]{2}",
        subfields in prop::collection::vec(("[!-~]", "[^\u{1D}-\u{1F}\u{0}-\u{8}\u{B}\u{C}\u{E}-\u{1C}\u{FFFE}\u{FFFF}]{0,12}"), 0..4),
    ) -> (String, String, Vec<(String, String)>) {
        (tag, indicators, subfields)
    }
}

prop_compose! {
    pub fn any_marc()(
        controls in prop::collection::vec(("00[0-9]", "[ -~äß中\u{301}]{0,20}"), 0..3),
        fields in prop::collection::vec(data_field(), 0..6),
        status in "[a-z]{4}",
    ) -> Marc {
        let mut marc = Marc::default();
        let mut leader = Leader::DEFAULT.0;
        leader[5..9].copy_from_slice(status.as_bytes());
        marc.set_leader(Leader(leader));
        for (tag, value) in &controls {
            marc.push_control(Tag::new(tag.as_bytes()).unwrap(), value);
        }
        for (tag, indicators, subfields) in &fields {
            let indicators: Vec<char> = indicators.chars().collect();
            marc.push_data(Tag::new(tag.as_bytes()).unwrap(), [indicators[0], indicators[1]]);
            for (code, value) in subfields {
                marc.push_subfield(code.chars().next().unwrap(), value);
            }
        }
        marc
    }
}

fn mark() -> impl Strategy<Value = Vec<u8>> {
    let mut whole = Marc::default();
    whole.push_control(Tag(*b"001"), "w1");
    let record = iso2709::write(&whole).unwrap();
    let words: [&[u8]; 20] = [
        b"<record>",
        b"</record>",
        b"<collection>",
        b"</collection>",
        b"<m:record x='>'>",
        b"<!--",
        b"-->",
        b"<![CDATA[",
        b"]]>",
        b"<datafield tag=\"245\" ind1=\"1\" ind2=\" \">",
        b"</datafield>",
        b"<subfield code=\"a\">",
        b"</subfield>",
        b"<?xml version=\"1.0\" encoding=\"latin1\"?>",
        b"text",
        b" \n",
        b"&amp;",
        b"\x1D",
        b"\x1E001",
        b"<a b=\"<",
    ];
    prop_oneof![
        4 => prop::sample::select(words.to_vec()).prop_map(<[u8]>::to_vec),
        2 => Just(record.clone()),
        1 => (0..record.len()).prop_map(move |end| record[..end].to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn iso2709_reads_what_it_writes(marc in any_marc()) {
        let bytes = iso2709::write(&marc).unwrap();
        let (mut back, mut warnings) = (Marc::default(), Vec::new());
        iso2709::read(&bytes, &mut back, &mut warnings).unwrap();
        prop_assert!(warnings.iter().all(|warning| warning.code.starts_with("iso2709.no_")));
        let mut expected = marc.clone();
        let mut leader = back.leader().0;
        leader[5..9].copy_from_slice(&marc.leader().0[5..9]);
        leader[9] = b'a';
        expected.set_leader(Leader(leader));
        prop_assert_eq!(back, expected);
    }

    #[test]
    fn marcxml_reads_what_it_writes(marc in any_marc()) {
        let mut text = String::new();
        let replaced = marcxml::write(&marc, &mut text);
        let (mut back, mut warnings) = (Marc::default(), Vec::new());
        marcxml::read(&text, &mut back, &mut warnings).unwrap();
        prop_assert_eq!(replaced, 0);
        prop_assert!(warnings.iter().all(|warning| warning.code == "marcxml.no_fields"));
        prop_assert_eq!(back, marc);
    }

    #[test]
    fn line_marc_reads_what_it_writes(marc in any_marc()) {
        let text = line::write(&marc);
        prop_assert_eq!(line::read(&text).unwrap(), marc);
    }

    #[test]
    fn no_bytes_make_it_panic_and_chunks_make_no_difference(
        marks in prop::collection::vec(mark(), 0..12),
        ends in prop::collection::vec(0..1000usize, 0..8),
    ) {
        let stream = marks.concat();
        for format in formats::FORMATS.iter().filter(|format| format.reading.is_some()) {
            let whole = cut(format, &stream, &[]);
            let parts = cut(format, &stream, &ends);
            prop_assert_eq!(view(&whole), view(&parts));
            let (mut record, mut warnings) = (SourceRecord::default(), Vec::new());
            for piece in &whole {
                let _ = format.read(&piece.bytes, &ReadOptions::default(), &mut record, &mut warnings);
            }
            let _ = format.read(&stream, &ReadOptions::default(), &mut record, &mut warnings);
            if format.name == "iso2709" {
                let mut at = 0;
                for piece in whole.iter().map(|piece| (piece.byte, piece.bytes.len())).chain([(stream.len(), 0)]) {
                    let between = stream[at..piece.0].strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&stream[at..piece.0]);
                    prop_assert!(between.iter().all(|byte| b" \t\r\n\0\x1A\x1D".contains(byte)));
                    at = piece.0 + piece.1;
                }
            }
        }
    }

    #[test]
    fn any_text_is_line_marc_or_an_error(text in "[=0-9A-Z $a{}\\\\\n]{0,60}") {
        let _ = line::read_all(&text);
    }
}
