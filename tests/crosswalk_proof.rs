//! What is called valid by the way it was made is valid for the whole validator too.

use std::path::PathBuf;

use windrow::crosswalk::{Crosswalk, Runner};
use windrow::formats::ReadOptions;
use windrow::pipeline::{Inputs, Records};
use windrow::source::expand;
use windrow::validate::SchemaValidator;

use crate::support::{project, shared};

/// Maps the records of files; how many came through, and how many of those were proven.
fn proven(crosswalk: &str, files: Vec<PathBuf>) -> (u64, u64) {
    let crosswalk = Crosswalk::load(&project("crosswalks").join(crosswalk)).unwrap();
    let schema = SchemaValidator::load(crosswalk.schema().unwrap()).unwrap();
    let mut runner = Runner::new(crosswalk.plan());
    let (mut mapped, mut proven) = (0, 0);
    let mut json = Vec::new();
    for file in files {
        let name = file.display().to_string();
        let inputs = Inputs::new(vec![(Some(file), name.clone())], None);
        let mut records = Records::new(inputs, ReadOptions::default(), Some(2000));
        while let Ok(Some((source, _))) = records.read() {
            let Ok(source) = source else { continue };
            if runner.run(source, &mut json).is_err() {
                continue;
            }
            mapped += 1;
            if runner.is_surely_valid() {
                proven += 1;
                let text = String::from_utf8_lossy(&json);
                assert!(schema.check(&json).is_ok(), "{name}: {:?}: {text}", schema.check(&json));
            }
        }
    }
    (mapped, proven)
}

/// The files below a folder whose names end so.
fn below(folder: &std::path::Path, ends: &[&str]) -> Vec<PathBuf> {
    let files = expand(&["**".to_owned()], folder).unwrap_or_default();
    let ends_so = |path: &PathBuf| ends.iter().any(|end| path.to_string_lossy().ends_with(end));
    files.into_iter().filter(ends_so).collect()
}

#[test]
fn records_of_our_own_fixtures_are_proven_and_valid() {
    let fixtures = project("fixtures");
    for (crosswalk, folder) in [
        ("marc21-to-record.yaml", "quickstart"),
        ("marc21-to-record.yaml", "marc"),
        ("oai_dc-to-record.yaml", "oai_dc"),
        ("datacite-xml-to-record.yaml", "datacite_xml"),
        ("datacite-json-to-record.yaml", "datacite_json"),
        ("csl-to-record.yaml", "csl_json"),
    ] {
        let (mapped, proven) = proven(crosswalk, below(&fixtures.join(folder), &[""]));
        assert!(proven > 0, "{crosswalk} on {folder}: {proven} of {mapped}");
        assert!(folder != "quickstart" || proven * 10 > mapped * 9, "{proven} of {mapped}");
    }
}

#[test]
fn real_records_that_are_proven_are_valid() {
    let Some(shared) = shared() else { return };
    let data = shared.join("data");
    let mut all = (0, 0);
    for (crosswalk, folder, ends) in [
        ("marc21-to-record.yaml", "marc", &[".mrc", ".mrc.gz"][..]),
        ("inspire-marc21-to-record.yaml", "invenio-dump", &[".xml", ".xml.gz"]),
        ("oai_dc-to-record.yaml", "oai", &[".xml"]),
        ("datacite-xml-to-record.yaml", "datacite-xml", &[".xml"]),
    ] {
        let (mapped, proven) = proven(crosswalk, below(&data.join(folder), ends));
        eprintln!("{crosswalk}: {proven} of {mapped} proven");
        all = (all.0 + mapped, all.1 + proven);
    }
    assert!(all.1 * 2 > all.0, "{} of {} proven", all.1, all.0);
}
