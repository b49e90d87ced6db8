//! The JSON formats: oddities by fixture, laws by property, real files.

use std::fmt::Write;
use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use windrow::formats::invenio_v1::{Collections, Dump};
use windrow::formats::{self, Format, Policy, ReadOptions, SourceRecord, WriteOptions};
use windrow::record::Warning;

use crate::formats::{Piece, cut};
use crate::real_formats::files;
use crate::support::project;

/// Reads one record with a policy: its value, or code and message.
pub fn read(
    format: &Format,
    piece: &Piece,
    policy: Policy,
    warnings: &mut Vec<Warning>,
) -> Result<Value, String> {
    let mut record = SourceRecord::default();
    match format.read(
        &piece.bytes,
        &ReadOptions { policy, ..ReadOptions::default() },
        &mut record,
        warnings,
    ) {
        Ok(()) => Ok(record.json().unwrap().clone()),
        Err(error) => {
            let name = error.control_number.as_deref().unwrap_or("-");
            Err(format!("rejected {name}: {} [{}]", error.message, error.code))
        }
    }
}

fn outcome(format: &Format, piece: &Piece, policy: Policy) -> String {
    let mut warnings = Vec::new();
    let value = read(format, piece, policy, &mut warnings);
    let mut out = String::new();
    for Warning { code, message } in warnings {
        writeln!(out, "warning: {message} [{code}]").unwrap();
    }
    match value {
        Ok(value) => writeln!(out, "{}\n", serde_json::to_string_pretty(&value).unwrap()).unwrap(),
        Err(error) => writeln!(out, "{error}\n").unwrap(),
    }
    out
}

fn describe(format: &Format, stream: &[u8]) -> String {
    let mut out = String::new();
    for (index, piece) in cut(format, stream, &[]).iter().enumerate() {
        writeln!(out, "#{} (byte {}, {} bytes)", index + 1, piece.byte, piece.bytes.len()).unwrap();
        if let Some(code) = piece.damage {
            writeln!(out, "damaged: {code}\n").unwrap();
            continue;
        }
        let tolerant = outcome(format, piece, Policy::Tolerant);
        let repaired = outcome(format, piece, Policy::Repair);
        out.push_str(&tolerant);
        if repaired != tolerant {
            writeln!(out, "repair: {repaired}").unwrap();
        }
    }
    out
}

/// Fixtures are called `FORMAT.ODDITY.EXTENSION`; what is read of them stands beside.
pub fn check_fixtures(folders: &[&str]) {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for folder in folders {
        let folder = project("fixtures").join(folder);
        let entries = std::fs::read_dir(&folder).unwrap();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.retain(|path| path.extension().is_none_or(|extension| extension != "txt"));
        for path in paths {
            seen += 1;
            let name = path.file_name().unwrap().to_str().unwrap();
            let (format, _) = name.split_once('.').unwrap();
            let bytes = std::fs::read(&path).unwrap();
            let found = describe(formats::by_name(format).unwrap(), &bytes);
            let beside = PathBuf::from(format!("{}.txt", path.display()));
            if std::env::var_os("UPDATE").is_some() {
                std::fs::write(&beside, &found).unwrap();
            } else if std::fs::read_to_string(&beside).unwrap_or_default() != found {
                wrong.push(format!("{}:\n{found}", path.display()));
            }
        }
    }
    assert!(seen > 0);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Records written in a format, as one file.
pub fn write(format: &Format, options: &WriteOptions, values: &[Value]) -> Vec<u8> {
    let writing = format.writing.as_ref().unwrap();
    let mut out = (writing.open)(options).into_bytes();
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(writing.between.as_bytes());
        }
        let mut warnings = Vec::new();
        let record = SourceRecord::Json(value.clone());
        (writing.encode)(&record, options, &mut out, &mut warnings).unwrap();
        assert_eq!(warnings, []);
    }
    out.extend_from_slice(writing.close.as_bytes());
    out
}

/// All records of a file, none of them odd.
pub fn read_clean(format: &Format, stream: &[u8]) -> Vec<Value> {
    let pieces = cut(format, stream, &[]);
    let read = |piece: &Piece| {
        let mut warnings = Vec::new();
        assert_eq!(piece.damage, None);
        let value = read(format, piece, Policy::Tolerant, &mut warnings);
        assert_eq!(warnings, []);
        value.unwrap()
    };
    pieces.iter().map(read).collect()
}

#[test]
fn every_oddity_of_json_has_the_fate_that_is_written_beside_it() {
    check_fixtures(&["json", "csl_json", "crossref", "datacite_json", "invenio_v1"]);
}

#[test]
fn generic_json_is_told_by_its_first_bytes_and_dialects_never_are() {
    let name = |text: &str| formats::sniff(text.as_bytes()).map(|format| format.name);
    assert_eq!(name("\u{FEFF} [ {\"a\": 1}]"), Some("json_array"));
    assert_eq!(name("[]"), Some("json_array"));
    assert_eq!(name("{\n  \"data\": [{\"attributes\": {}}]}"), Some("json_lines"));
    assert_eq!(name("{\"leader\": \"\", \"fields\": []}\n"), Some("marc_json"));
    assert_eq!(name("[1]"), None);
    assert_eq!(name("{x}"), None);
    let dump =
        "[\n{\"recid\": 1, \"record\": [{\"modification_datetime\": \"\", \"marcxml\": \"\"}]}\n]";
    assert_eq!(name(dump), Some("invenio_v1"));
    for row in formats::FORMATS.iter().filter(|row| row.name != "invenio_v1") {
        let speaks = |text: &str| {
            row.reading.as_ref().is_some_and(|reading| (reading.sniff)(text.as_bytes()))
        };
        assert!(!speaks(dump), "{}", row.name);
        let generic = ["json_array", "json_lines"].contains(&row.name);
        assert!(generic || !(speaks("[{\"a\": 1}]") || speaks("{\"a\": 1}")), "{}", row.name);
    }
}

#[test]
fn a_text_of_ten_megabytes_is_read_whole() {
    let text = "äx\\n".repeat(2_500_000);
    let line = format!("{{\"a\": \"{text}\"}}\n");
    let read = read_clean(formats::by_name("json_lines").unwrap(), line.as_bytes());
    assert_eq!(read[0]["a"].as_str().unwrap().len(), 10_000_000);
}

#[test]
fn a_dump_of_invenio_has_types() {
    let value = json!({
        "recid": 7,
        "record": [{"modification_datetime": "2014-10-13T08:27:47+00:00", "marcxml": "<record/>", "json": null}],
        "files": [],
        "collections": {"all": ["A", "B"], "restricted": {"B": {"fireroles": [], "users": []}}},
        "owner": 1,
    });
    let mut warnings = Vec::new();
    let dump = Dump::read(&value, &mut warnings).unwrap();
    assert_eq!(dump.recid, 7);
    assert_eq!(dump.revisions[0].marcxml, Some("<record/>"));
    assert!(
        matches!(dump.collections, Collections::WithRestrictions { names, .. } if names == ["A", "B"])
    );
    assert_eq!(warnings.len(), 1);
    let shapes = [json!(null), json!([]), json!(["A"])]
        .map(|collections| json!({"recid": 7, "collections": collections}));
    let shapes =
        shapes.each_ref().map(|value| Dump::read(value, &mut Vec::new()).unwrap().collections);
    assert_eq!(
        shapes,
        [Collections::Unknown, Collections::Names(vec![]), Collections::Names(vec!["A"])]
    );
    let wrong = json!({"recid": 7, "files": [{"bibdocid": "x"}]});
    // One file that is none does not cost the record.
    let mut dump = Dump::read(&wrong, &mut Vec::new()).unwrap();
    let error = dump.broken.remove(0).error;
    assert_eq!(error.message, "files[0].bibdocid is \"x\", expected a number");
    assert_eq!(error.control_number.as_deref(), Some("7"));
    assert!(dump.files.is_empty() && dump.broken.is_empty());
    let wrong = json!({"recid": "7", "record": [{"marcxml": 5}]});
    let error = Dump::read(&wrong, &mut Vec::new()).unwrap_err();
    assert_eq!((error.code, error.control_number.as_deref()), ("invenio_v1.type", Some("7")));
}

#[test]
fn a_dialect_is_written_only_for_records_of_its_shape() {
    let encode = |name: &str, value: Value| {
        let (mut out, mut warnings) = (Vec::new(), Vec::new());
        let writing = formats::by_name(name).unwrap().writing.as_ref().unwrap();
        let options = WriteOptions::default();
        let record = SourceRecord::Json(value);
        let done = (writing.encode)(&record, &options, &mut out, &mut warnings);
        done.map(|()| String::from_utf8(out).unwrap()).map_err(|error| error.code)
    };
    let old = json!({"titles": [], "publisher": "P"});
    assert_eq!(encode("datacite_json", old.clone()), Err("datacite_json.dialect"));
    assert_eq!(
        encode("datacite_json_43", old.clone()),
        Ok("{\"publisher\":\"P\",\"titles\":[]}".to_owned())
    );
    assert_eq!(encode("datacite_rest", old), Err("datacite_rest.dialect"));
    assert_eq!(encode("invenio_rdm", json!({})), Err("invenio_rdm.dialect"));
    assert_eq!(encode("csl_json", json!({"title": ["T"]})), Err("csl_json.dialect"));
    assert_eq!(encode("json_ld", json!({"name": "N"})), Err("json_ld.type"));
    let node = Ok("{\"@context\":\"https://schema.org\",\"@type\":\"Dataset\"}".to_owned());
    assert_eq!(encode("json_ld", json!({"@type": "Dataset"})), node);
    let marc = SourceRecord::default();
    let writing = formats::by_name("json_lines").unwrap().writing.as_ref().unwrap();
    let error = (writing.encode)(&marc, &WriteOptions::default(), &mut Vec::new(), &mut Vec::new());
    assert_eq!(error.unwrap_err().code, "format.model");
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}|[\u{0}-\u{1F}\"\\\\]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("\\PC{0,4}", inner, 0..4)
                .prop_map(|members| Value::Object(Map::from_iter(members))),
        ]
    })
}

fn any_object() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("\\PC{1,4}", any_value(), 0..4)
        .prop_map(|members| Value::Object(Map::from_iter(members)))
}

/// Pieces of a stream, as all JSON readers may meet them.
fn mark() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "{",
        "}",
        "[",
        "]",
        "\"",
        "\\",
        "\\ud800",
        ":",
        ",",
        "\n",
        " ",
        "1e999",
        "-",
        "\"data\":",
        "\"hits\":",
        "{\"recid\": 1, \"files\": [",
        "{\"id\": 1}",
        "\"message\": {\"items\": [",
        "NaN",
        "\u{FEFF}",
        "{\"attributes\": {}}",
    ];
    prop_oneof![
        6 => prop::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ]
}

/// Any bytes are read without a panic, and alike however they come in.
pub fn check_chunks(name: &str, stream: &[u8], ends: &[usize]) -> Result<(), TestCaseError> {
    let format = formats::by_name(name).unwrap();
    let view = |pieces: &[Piece]| -> Vec<_> {
        pieces.iter().map(|piece| (piece.byte, piece.bytes.clone(), piece.damage)).collect()
    };
    let whole = cut(format, stream, &[]);
    prop_assert_eq!(view(&whole), view(&cut(format, stream, ends)), "{}", name);
    for piece in &whole {
        for policy in [Policy::Strict, Policy::Tolerant, Policy::Repair] {
            let _ = read(format, piece, policy, &mut Vec::new());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn json_reads_what_it_writes(values in prop::collection::vec(any_object(), 0..4)) {
        for name in ["json_lines", "json_array"] {
            let format = formats::by_name(name).unwrap();
            let bytes = write(format, &WriteOptions::default(), &values);
            prop_assert_eq!(&read_clean(format, &bytes), &values);
        }
    }

    #[test]
    fn dialects_read_what_they_write(rest in prop::collection::vec(any_value(), 0..3)) {
        for (name, shape) in [
            ("csl_json", json!({"id": "a", "type": "book"})),
            ("datacite_json", json!({"titles": [], "publisher": {"name": "P"}})),
            ("datacite_json_43", json!({"titles": [], "identifiers": []})),
            ("datacite_rest", json!({"id": "a", "type": "dois", "attributes": {}})),
            ("invenio_rdm", json!({"id": "a", "metadata": {}})),
        ] {
            let of = |value: &Value| {
                let mut record = shape.clone();
                record["x"] = value.clone();
                record
            };
            let values: Vec<Value> = rest.iter().map(of).collect();
            let format = formats::by_name(name).unwrap();
            let bytes = write(format, &WriteOptions::default(), &values);
            prop_assert_eq!(&read_clean(format, &bytes), &values);
        }
    }

    #[test]
    fn no_bytes_make_a_reader_of_json_panic(
        marks in prop::collection::vec(mark(), 0..16),
        ends in prop::collection::vec(0..1000usize, 0..6),
    ) {
        for name in ["json_lines", "datacite_rest", "invenio_rdm", "crossref_json", "invenio_v1", "csl_json"] {
            check_chunks(name, &marks.concat(), &ends)?;
        }
    }
}

/// The bytes of a fixture, with some of them changed, put in or taken out.
pub fn mutated(folders: &'static [&'static str]) -> impl Strategy<Value = (String, Vec<u8>)> {
    let paths: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| files(&project("fixtures").join(folder), &[""]))
        .filter(|path| path.extension().is_none_or(|extension| extension != "txt"))
        .collect();
    let change = (any::<prop::sample::Index>(), 0..4_u8, any::<u8>());
    (prop::sample::select(paths), prop::collection::vec(change, 0..8)).prop_map(
        |(path, changes)| {
            let name = path.file_name().unwrap().to_str().unwrap();
            let format = name.split_once('.').unwrap().0.to_owned();
            let mut bytes = std::fs::read(&path).unwrap();
            for (index, kind, byte) in changes {
                if bytes.is_empty() {
                    break;
                }
                let at = index.index(bytes.len());
                match kind {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    2 => bytes.truncate(at),
                    _ => drop(bytes.remove(at)),
                }
            }
            (format, bytes)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn damaged_json_makes_no_reader_panic(
        (format, bytes) in mutated(&["json", "csl_json", "crossref", "datacite_json", "invenio_v1"]),
        ends in prop::collection::vec(0..1000usize, 0..6),
    ) {
        check_chunks(&format, &bytes, &ends)?;
    }
}
