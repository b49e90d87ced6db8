//! What is written the straight way is what the general way writes; a traced record goes that one.

use std::path::{Path, PathBuf};

use windrow::crosswalk::account::AccountReport;
use windrow::crosswalk::{Crosswalk, Runner};
use windrow::formats::ReadOptions;
use windrow::pipeline::{Inputs, Records};
use windrow::source::expand;

use crate::support::{project, shared};

/// Maps the records of files in both ways; how many there were.
fn compare(crosswalk: &str, folder: &Path, ends: &[&str]) -> u64 {
    let crosswalk = Crosswalk::load(&project("crosswalks").join(crosswalk)).unwrap();
    let (mut straight, mut general) =
        (Runner::new(crosswalk.plan()), Runner::new(crosswalk.plan()));
    let (mut json, mut traced, mut count) = (Vec::new(), Vec::new(), 0);
    let files = expand(&["**".to_owned()], folder).unwrap_or_default();
    let ends_so = |path: &PathBuf| ends.iter().any(|end| path.to_string_lossy().ends_with(end));
    for file in files.into_iter().filter(ends_so) {
        let name = file.display().to_string();
        let inputs = Inputs::new(vec![(Some(file), name.clone())], None);
        let mut records = Records::new(inputs, ReadOptions::default(), Some(300));
        while let Ok(Some((source, _))) = records.read() {
            let Ok(source) = source else { continue };
            count += 1;
            let result = straight.run(source, &mut json);
            let (expected, _) = general.explain(source, &mut traced);
            assert_eq!(result, expected, "{name}, record {count}");
            if result.is_ok() {
                let texts = [&json, &traced].map(|bytes| String::from_utf8_lossy(bytes));
                assert_eq!(texts[0], texts[1], "{name}, record {count}");
                assert_eq!(straight.is_surely_valid(), general.is_surely_valid(), "{name}");
            }
        }
    }
    assert_eq!(straight.uses(), general.uses());
    let [account, expected] = [&mut straight, &mut general].map(|runner| {
        let mut report = AccountReport::default();
        runner.account.drain_into(&mut report);
        report
    });
    assert_eq!(account, expected);
    count
}

#[test]
fn our_own_fixtures_are_mapped_alike_in_both_ways() {
    let fixtures = project("fixtures");
    for (crosswalk, folder) in [
        ("marc21-to-record.yaml", "quickstart"),
        ("marc21-to-record.yaml", "marc"),
        ("cds-marc21-to-record.yaml", "marc"),
        ("inspire-marc21-to-record.yaml", "marc"),
        ("oai_dc-to-record.yaml", "oai_dc"),
        ("datacite-xml-to-record.yaml", "datacite_xml"),
        ("datacite-json-to-record.yaml", "datacite_json"),
    ] {
        let count = compare(crosswalk, &fixtures.join(folder), &[""]);
        assert!(count > 0, "{crosswalk} on {folder}");
    }
}

#[test]
fn real_records_are_mapped_alike_in_both_ways() {
    let Some(shared) = shared() else { return };
    let data = shared.join("data");
    for (crosswalk, folder, ends) in [
        ("marc21-to-record.yaml", "marc", &[".mrc", ".mrc.gz"][..]),
        ("inspire-marc21-to-record.yaml", "invenio-dump", &[".xml", ".xml.gz"]),
        ("cds-marc21-to-record.yaml", "marcxml", &[".xml", ".xml.gz"]),
        ("datacite-xml-to-record.yaml", "datacite-xml", &[".xml"]),
    ] {
        let count = compare(crosswalk, &data.join(folder), ends);
        eprintln!("{crosswalk} on {folder}: {count} records");
    }
}
