//! The JSON crosswalks: all of them tested rule by rule, what they write valid, little lost.

use std::path::{Path, PathBuf};

use serde_json::json;
use windrow::crosswalk::account::AccountReport;
use windrow::crosswalk::{Crosswalk, Runner};
use windrow::formats::{self, ReadOptions, SourceRecord};
use windrow::source::{BatchLimit, DumpReader};
use windrow::validate::SchemaValidator;

use crate::real_formats::files;
use crate::support::{project, shared};

/// From a format to records: the crosswalk, the formats it reads, own and shared folders.
const TO_RECORD: &[(&str, &[&str], &str, &str)] = &[
    ("crossref-to-record", &["crossref_json"], "fixtures/crossref", "data/crossref-json"),
    ("csl-to-record", &["csl_json"], "fixtures/csl_json", "data/csl-json"),
    (
        "datacite-json-to-record",
        &["datacite_json", "datacite_json_43", "datacite_rest"],
        "fixtures/datacite_json",
        "data/datacite-json",
    ),
    ("invenio-rdm-to-record", &["invenio_rdm"], "fixtures/datacite_json", "data/inveniordm-json"),
];

/// From records to a format.
const FROM_RECORD: &[&str] =
    &["record-to-csl", "record-to-datacite-json", "record-to-invenio-rdm", "record-to-schema-org"];

fn load(name: &str) -> Crosswalk {
    let path = project(&format!("crosswalks/{name}.yaml"));
    Crosswalk::load(&path).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_rule_item_and_case_is_used_in_a_test() {
    let names = TO_RECORD.iter().map(|(name, ..)| *name).chain(FROM_RECORD.iter().copied());
    for name in names {
        let crosswalk = load(name);
        let report = crosswalk.test().unwrap();
        let labels = crosswalk.plan().labels.iter().zip(&report.uses);
        let unused: Vec<_> = labels.filter(|(_, uses)| **uses == 0).map(|(l, _)| l).collect();
        assert!(unused.is_empty(), "{name}: {unused:?}");
    }
}

/// The records of a file that its format takes; another dialect is passed over.
fn read(path: &Path, format: &str, found: &mut Vec<SourceRecord>) {
    let format = formats::by_name(format).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    let mut reader = DumpReader::open(path, name, Some(format)).unwrap();
    let limit = BatchLimit { records: 100, bytes: 1 << 20 };
    while let Some(batch) = reader.read_batch(limit).unwrap() {
        for raw in batch.records.iter().filter(|raw| raw.damage.is_none()) {
            let (mut record, mut warnings) = (SourceRecord::default(), Vec::new());
            let options = ReadOptions::default();
            if format.read(batch.bytes(raw), &options, &mut record, &mut warnings).is_ok() {
                found.push(record);
            }
        }
    }
}

/// What came of records.
#[derive(Default)]
struct Run {
    written: Vec<SourceRecord>,
    held: Vec<String>,
    invalid: Vec<String>,
    account: AccountReport,
}

fn run(name: &str, records: &[SourceRecord]) -> Run {
    let crosswalk = load(name);
    let schema = SchemaValidator::load(crosswalk.schema().unwrap()).unwrap();
    let mut runner = Runner::new(crosswalk.plan());
    let mut run = Run::default();
    let mut out = Vec::new();
    for record in records {
        match runner.run(record, &mut out) {
            Err(held) => run.held.push(format!("{name}: {}: {}", held.rule, held.code)),
            Ok(()) => {
                let text = String::from_utf8_lossy(&out);
                if let Err(violations) = schema.check(&out) {
                    run.invalid.push(format!("{name}: {violations:?}: {text}"));
                }
                run.written.push(SourceRecord::Json(serde_json::from_str(&text).unwrap()));
            }
        }
    }
    runner.account.drain_into(&mut run.account);
    run
}

/// Whoever keeps no account writes the same, and refuses the same.
fn check_without_account(name: &str, records: &[SourceRecord]) {
    let crosswalk = load(name);
    let mut with = Runner::new(crosswalk.plan());
    let mut without = Runner::without_account(crosswalk.plan());
    let (mut expected, mut found) = (Vec::new(), Vec::new());
    for record in records {
        let is_written = with.run(record, &mut expected).is_ok();
        assert_eq!(without.run(record, &mut found).is_ok(), is_written, "{name}");
        if is_written {
            assert_eq!(String::from_utf8_lossy(&found), String::from_utf8_lossy(&expected));
        }
    }
    let mut account = AccountReport::default();
    without.account.drain_into(&mut account);
    assert_eq!(account.coverage(), AccountReport::default().coverage(), "{name}");
}

/// There and back again: records are valid, and so is what is written from them. What is held
/// lacks what its target cannot do without. Gives the part of values that is accounted for.
fn check(name: &str, formats: &[&str], paths: &[PathBuf]) -> f64 {
    let mut sources = Vec::new();
    for path in paths {
        formats.iter().for_each(|format| read(path, format, &mut sources));
    }
    assert!(!sources.is_empty(), "{name}: no records");
    let there = run(name, &sources);
    assert!(there.invalid.is_empty(), "{}", there.invalid.join("\n"));
    for held in &there.held {
        let known = [format!("{name}: recid: missing"), format!("{name}: title: missing")];
        assert!(known.contains(held), "{held}");
    }
    check_without_account(name, &sources);
    for back in ["record-to-oai_dc", "record-to-marc21", "record-to-mods", "record-to-datacite"] {
        check_without_account(back, &there.written);
    }
    for back in FROM_RECORD {
        let back = run(back, &there.written);
        assert!(back.invalid.is_empty(), "{}", back.invalid.join("\n"));
        for held in &back.held {
            assert!(
                held.ends_with("publication-date: missing") || held.ends_with("-year: missing")
            );
        }
    }
    there.account.coverage().0
}

#[test]
fn our_own_fixtures_become_valid_records_and_valid_formats_again() {
    for (name, formats, folder, _) in TO_RECORD {
        check(name, formats, &files(&project(folder), &[".json", ".jsonl"]));
    }
}

#[test]
fn real_files_become_valid_records_and_almost_nothing_is_lost() {
    let Some(shared) = shared() else { return };
    for (name, formats, _, folder) in TO_RECORD {
        let mut paths = files(&shared.join(folder), &[".json"]);
        paths.retain(|path| !path.components().any(|part| part.as_os_str() == "schemas"));
        let coverage = check(name, formats, &paths);
        assert!(coverage >= 99.0, "{name}: {coverage:.2} % of values");
        eprintln!("{name}: {coverage:.2} % of values");
    }
}

#[test]
fn numbers_of_a_record_are_texts_where_the_record_has_texts() {
    let titles = json!([{ "title": "Hay" }]);
    let json = json!({ "doi": "10.5072/1", "titles": titles, "publicationYear": 2018 });
    let written = run("datacite-json-to-record", &[SourceRecord::Json(json)]).written;
    let record = written[0].json().unwrap();
    assert_eq!(record["metadata"]["publication_date"], "2018");
}
