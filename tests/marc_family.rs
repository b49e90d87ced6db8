//! MARC's serializations beside ISO 2709: oddities by fixture, real files, and the way through all.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use windrow::formats::marc21::line;
use windrow::formats::marc21::{Leader, Marc, Tag};
use windrow::formats::{self, Format, Policy, ReadOptions, SourceRecord, WriteOptions};
use windrow::source::{BatchLimit, DumpReader, expand};

use crate::formats::{any_marc, cut};
use crate::support::{project, shared};

/// Folders of `fixtures/` and the format that their files have.
const FOLDERS: &[(&str, &str)] = &[
    ("aleph", "aleph"),
    ("line", "line_marc"),
    ("marc_json", "marc_json"),
    ("marcxml", "marcxml"),
];

fn read(format: &Format, bytes: &[u8], policy: Policy, out: &mut String) -> Option<Marc> {
    let (mut record, mut warnings) = (SourceRecord::default(), Vec::new());
    let options = ReadOptions { policy, ..ReadOptions::default() };
    let result = format.read(bytes, &options, &mut record, &mut warnings);
    for warning in warnings {
        writeln!(out, "warning: {} [{}]", warning.message, warning.code).unwrap();
    }
    match (result, record) {
        (Ok(()), SourceRecord::Marc(marc)) => Some(marc),
        (Ok(()), _) => panic!("no MARC"),
        (Err(error), _) => {
            let number = error.control_number.as_deref().unwrap_or("-");
            writeln!(out, "rejected {number}: {} [{}]", error.message, error.code).unwrap();
            None
        }
    }
}

fn describe(format: &Format, stream: &[u8], policy: Policy) -> String {
    let mut out = String::new();
    for (index, piece) in cut(format, stream, &[]).iter().enumerate() {
        writeln!(out, "#{} (byte {}, {} bytes)", index + 1, piece.byte, piece.bytes.len()).unwrap();
        match piece.damage {
            Some(code) => writeln!(out, "damaged: {code}").unwrap(),
            None => {
                let marc = read(format, &piece.bytes, policy, &mut out);
                out.push_str(&marc.map(|marc| line::write(&marc)).unwrap_or_default());
            }
        }
        out.push('\n');
    }
    out
}

#[test]
fn every_oddity_has_the_fate_that_is_written_beside_it() {
    let mut wrong = Vec::new();
    for (folder, name) in FOLDERS {
        let format = formats::by_name(name).unwrap();
        let entries = std::fs::read_dir(project("fixtures").join(folder)).unwrap();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_none_or(|extension| extension != "txt"));
        paths.sort();
        for path in paths {
            let stream = std::fs::read(&path).unwrap();
            let mut found = describe(format, &stream, Policy::Tolerant);
            let repaired = describe(format, &stream, Policy::Repair);
            if repaired != found {
                found.push_str(&format!("With policy repair:\n\n{repaired}"));
            }
            let extension = path.extension().unwrap().to_str().unwrap();
            let beside = path.with_extension(format!("{extension}.txt"));
            if std::env::var_os("UPDATE").is_some() {
                std::fs::write(&beside, &found).unwrap();
            } else if std::fs::read_to_string(&beside).unwrap_or_default() != found {
                wrong.push(format!("{}:\n{found}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn long_texts_are_read_and_depth_is_refused() {
    let head = "<record><leader>00000nam a2200000 a 4500</leader><datafield tag=\"500\" ind1=\" \" \
                ind2=\" \"><subfield code=\"a\">";
    let tail = "</subfield></datafield></record>";
    let long = format!("{head}{}{tail}", "x".repeat(10_000_000));
    let deep = format!("{head}{}{}{tail}", "<a>".repeat(10_000), "</a>".repeat(10_000));
    let json = format!("{{\"leader\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let check = |name: &str, stream: &str, expected: &str| {
        let format = formats::by_name(name).unwrap();
        let pieces = cut(format, stream.as_bytes(), &[4_000, 5_000_000]);
        assert_eq!(pieces.len(), 1);
        let mut found = String::new();
        let marc = match pieces[0].damage {
            Some(code) => {
                found.push_str(code);
                None
            }
            None => read(format, &pieces[0].bytes, Policy::Tolerant, &mut found),
        };
        assert!(found.contains(expected), "{found}");
        assert_eq!(marc.is_some(), expected.is_empty());
    };
    check("marcxml", &long, "");
    check("marcxml", &deep, "marcxml.element");
    check("marcxml", &deep.replace("<a>", "<subfield>").replace("</a>", "</subfield>"), "marcxml");
    check("marc_json", &json, "json.depth");
}

/// Reads a file whole: the records, how many were rejected by code, and warnings by code.
fn read_file(path: &Path, name: &str, counts: &mut BTreeMap<String, u64>) -> u64 {
    let mut dump = match DumpReader::open(path, name, None) {
        Ok(dump) => dump,
        Err(error) => {
            eprintln!("  {error}");
            return 0;
        }
    };
    let mut records = 0;
    let mut record = SourceRecord::default();
    while let Some(batch) = dump.read_batch(BatchLimit { records: 1000, bytes: 1 << 22 }).unwrap() {
        for raw in &batch.records {
            records += 1;
            if let Some(damage) = &raw.damage {
                eprintln!("  {name} #{}: {} [{}]", raw.number, damage.message, damage.code);
                *counts.entry(format!("damaged {}", damage.code)).or_default() += 1;
                continue;
            }
            let mut warnings = Vec::new();
            let format = dump.format();
            let options = ReadOptions::default();
            if let Err(error) = format.read(batch.bytes(raw), &options, &mut record, &mut warnings)
            {
                eprintln!("  {name} #{}: {} [{}]", raw.number, error.message, error.code);
                *counts.entry(format!("rejected {}", error.code)).or_default() += 1;
            }
            for warning in warnings {
                *counts.entry(format!("warning {}", warning.code)).or_default() += 1;
            }
        }
    }
    *counts.entry(format!("records of {}", dump.format().name)).or_default() += records;
    records
}

#[test]
fn real_files_are_read() {
    let Some(shared) = shared() else { return };
    let data = shared.join("data");
    for (room, least) in [("alephseq", 200), ("marcjson", 1500), ("mrk", 100)] {
        let mut counts = BTreeMap::new();
        let mut records = 0;
        for path in expand(&["**".to_owned()], &data.join(room)).unwrap() {
            let name = path.strip_prefix(&data).unwrap().display().to_string();
            records += read_file(&path, &name, &mut counts);
        }
        eprintln!("{room}: {records} records, {counts:?}");
        assert!(records >= least);
    }
}

fn through(name: &str, marc: Marc) -> Marc {
    let format = formats::by_name(name).unwrap();
    let writing = format.writing.as_ref().unwrap();
    let mut bytes = (writing.open)(&WriteOptions::default()).into_bytes();
    let (mut record, mut warnings) = (SourceRecord::Marc(marc), Vec::new());
    (writing.encode)(&record, &WriteOptions::default(), &mut bytes, &mut warnings).unwrap();
    bytes.extend_from_slice(writing.close.as_bytes());
    let pieces = cut(format, &bytes, &[]);
    assert_eq!(pieces.len(), 1, "{name}: {}", String::from_utf8_lossy(&bytes));
    let options = ReadOptions::default();
    format.read(&pieces[0].bytes, &options, &mut record, &mut warnings).unwrap();
    let odd = warnings.iter().find(|warning| !warning.code.contains(".no_"));
    assert_eq!(odd, None, "{name}");
    record.marc().unwrap().clone()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_way_through_every_serialization_is_the_identity(marc in any_marc()) {
        let mut found = marc.clone();
        for name in ["marcxml", "marc_json", "line_marc"] {
            found = through(name, found);
            prop_assert_eq!(&found, &marc, "{}", name);
        }
        let iso2709 = through("iso2709", found);
        let mut leader = iso2709.leader().0;
        leader[..5].copy_from_slice(&marc.leader().0[..5]);
        leader[9..17].copy_from_slice(&marc.leader().0[9..17]);
        found = iso2709;
        found.set_leader(Leader(leader));
        prop_assert_eq!(found, marc);
    }

    #[test]
    fn aleph_sequential_reads_what_it_writes(marc in any_marc(), number in 1..1_000_000_000_u32) {
        let mut expected = Marc::default();
        expected.set_leader(*marc.leader());
        expected.push_control(Tag(*b"001"), &number.to_string());
        for field in marc.fields().filter(|field| !field.tag().is_control()) {
            expected.push_data(field.tag(), field.indicators());
            for subfield in field.subfields() {
                let code = if subfield.code == '$' { 'a' } else { subfield.code };
                expected.push_subfield(code, &subfield.value.replace(['$', '\n', '\r'], " "));
            }
        }
        prop_assert_eq!(through("aleph", expected.clone()), expected);
    }
}
