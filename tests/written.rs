//! What the crosswalks of the library write is valid, and is read again in the format it is for.

use std::path::Path;
use std::process::Command;

use windrow::crosswalk::{Crosswalk, Output};
use windrow::formats::{Format, Model, SourceRecord, WriteOptions};

use crate::support::{Folder, project, shared};
use crate::xml_formats::read_all;

/// The XML schema of what a format writes, below `../shared/xsd`.
const SCHEMAS: [(&str, &str); 4] = [
    ("datacite_xml", "datacite/kernel-4.6/metadata.xsd"),
    ("iso2709", "MARC21slim.xsd"),
    ("mods", "mods/mods-3-8.xsd"),
    ("oai_dc", "oai_dc.xsd"),
];

/// Every record that the tests of a crosswalk write, with what it is for.
fn written() -> Vec<(String, Crosswalk, Vec<u8>)> {
    let mut records = Vec::new();
    for folder in ["crosswalks", "fixtures/crosswalks"] {
        for entry in std::fs::read_dir(project(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.to_string_lossy();
            if !name.ends_with(".yaml") || name.ends_with(".test.yaml") {
                continue;
            }
            let outcomes = Crosswalk::load(&path).unwrap().test().unwrap().outcomes;
            for outcome in outcomes.into_iter().filter(|outcome| !outcome.output.is_empty()) {
                let name = format!("{}: {}", path.display(), outcome.name);
                records.push((name, Crosswalk::load(&path).unwrap(), outcome.output));
            }
        }
    }
    records
}

fn read_back(output: &Output, bytes: &[u8], what: &str) -> SourceRecord {
    let (mut record, mut warnings) = (SourceRecord::default(), Vec::new());
    output.read_back(bytes, &mut record, &mut warnings).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert_eq!(warnings, [], "{what}");
    record
}

/// A file of one record.
fn file(format: &Format, output: &Output, record: &SourceRecord, what: &str) -> Vec<u8> {
    let writing = format.writing.as_ref().unwrap();
    let options = WriteOptions { columns: output.columns.clone(), ..WriteOptions::default() };
    let mut out = (writing.open)(&options).into_bytes();
    let mut warnings = Vec::new();
    (writing.encode)(record, &options, &mut out, &mut warnings)
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(warnings, [], "{what}");
    out.extend_from_slice(writing.close.as_bytes());
    out
}

#[test]
fn what_a_crosswalk_writes_for_a_format_is_read_again_in_it() {
    let mut formats = std::collections::BTreeSet::new();
    for (what, crosswalk, bytes) in written() {
        let output = &crosswalk.plan().output;
        let Some(format) = output.format.filter(|format| format.reading.is_some()) else {
            continue;
        };
        let record = read_back(output, &bytes, &what);
        let again = read_all(format, &file(format, output, &record, &what));
        assert_eq!(again.len(), 1, "{what}");
        match (&record, &again[0]) {
            // Leader and directory are of the serialization.
            (SourceRecord::Marc(record), SourceRecord::Marc(again)) => {
                let fields = |marc: &windrow::formats::marc21::Marc| {
                    let line = windrow::formats::marc21::line::write(marc);
                    line.split_once('\n').unwrap().1.to_owned()
                };
                assert_eq!(fields(record), fields(again), "{what}");
            }
            (SourceRecord::Xml(record), SourceRecord::Xml(again)) => {
                assert_eq!(record, again, "{what}");
            }
            // A table has a cell for each column, be it empty, and all are texts.
            (SourceRecord::Json(_), SourceRecord::Json(_)) if format.name == "csv" => {}
            (SourceRecord::Json(record), SourceRecord::Json(again)) => {
                assert_eq!(shape(record), shape(again), "{what}");
            }
            _ => panic!("{what}: another model"),
        }
        formats.insert(format.name);
    }
    for name in ["bibtex", "csv", "datacite_xml", "iso2709", "mods", "oai_dc", "ris"] {
        assert!(formats.contains(name), "nothing is written in {name}");
    }
}

// RIS and BibTeX have lists where a record may have one value, and TeX beside some fields.
fn shape(record: &serde_json::Value) -> serde_json::Value {
    let mut record = record.clone();
    let members = record.as_object_mut().unwrap();
    members.remove("tex");
    if let Some(fields) = members.get_mut("fields").and_then(serde_json::Value::as_object_mut) {
        for value in fields.values_mut() {
            if let [serde_json::Value::String(_)] = value.as_array().map_or(&[][..], Vec::as_slice)
            {
                *value = value[0].clone();
            }
        }
    }
    record
}

#[test]
fn what_a_crosswalk_writes_is_valid_where_the_schemas_are() {
    let Some(shared) = shared() else { return };
    if Command::new("xmllint").arg("--version").output().is_err() {
        eprintln!("ignored: no xmllint");
        return;
    }
    let folder = Folder::new();
    for (name, schema) in SCHEMAS {
        let of_format = |crosswalk: &Crosswalk| {
            crosswalk.plan().output.format.is_some_and(|format| format.name == name)
        };
        let mut files = Vec::new();
        for (what, crosswalk, bytes) in written() {
            if of_format(&crosswalk) {
                let file = format!("{name}-{}.xml", files.len());
                folder.write(&file, &bytes);
                files.push((folder.path(&file), what));
            }
        }
        assert!(!files.is_empty(), "nothing is written in {name}");
        let schema = shared.join("xsd").join(schema);
        for (file, what) in files {
            let (valid, errors) = validate(&schema, &file);
            assert!(valid, "{what}: {errors}");
        }
    }
}

fn validate(schema: &Path, file: &Path) -> (bool, String) {
    let mut xmllint = Command::new("xmllint");
    xmllint.args(["--nonet", "--noout", "--schema"]).arg(schema).arg(file);
    let output = xmllint.output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_model_is_written_in_every_format_of_it() {
    let marc = Crosswalk::load(&project("fixtures/crosswalks/to_marc.yaml")).unwrap();
    let output = &marc.plan().output;
    for name in ["iso2709", "marcxml", "line_marc", "marc_json"] {
        assert!(output.leads_to(windrow::formats::by_name(name).unwrap()), "{name}");
    }
    assert!(!output.leads_to(windrow::formats::by_name("json_lines").unwrap()));
    assert_eq!(output.model, Model::Marc);
}
