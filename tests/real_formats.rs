//! Real files of JSON, BibTeX and RIS: what is read of them, what refused, what they are told for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use windrow::formats::{self, Format, Model, Policy, ReadOptions, SourceRecord, WriteOptions};
use windrow::source::{BatchLimit, DumpReader};

use crate::formats::cut;
use crate::json_formats::{read, write};
use crate::support::shared;

/// Reads a file from disk; counts records by what became of them.
fn tally(path: &Path, format: &'static Format, counts: &mut BTreeMap<String, usize>) {
    let name = path.file_name().unwrap().to_str().unwrap();
    let mut reader = DumpReader::open(path, name, Some(format)).unwrap();
    let limit = BatchLimit { records: 100, bytes: 1 << 20 };
    while let Some(batch) = reader.read_batch(limit).unwrap() {
        for raw in &batch.records {
            let mut count = |word: &str| *counts.entry(word.to_owned()).or_default() += 1;
            if let Some(damage) = &raw.damage {
                count(damage.code);
                continue;
            }
            let (mut record, mut warnings) = (SourceRecord::default(), Vec::new());
            let read =
                format.read(batch.bytes(raw), &ReadOptions::default(), &mut record, &mut warnings);
            match read {
                Ok(()) => count("read"),
                Err(error) => {
                    count(error.code);
                    if std::env::var_os("EXPLAIN").is_some() {
                        eprintln!("{name} #{}: {} [{}]", raw.number, error.message, error.code);
                    }
                }
            }
            let mut codes: Vec<_> = warnings.iter().map(|warning| warning.code).collect();
            codes.dedup();
            for code in codes {
                count(&format!("({code})"));
            }
        }
    }
}

/// All files under a folder whose names end so.
pub fn files(folder: &Path, ends: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ends));
        } else if ends.iter().any(|end| path.to_str().unwrap().ends_with(end)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Whether what became of all records of these files is as expected.
pub fn check_tally(title: &str, folder: &str, format: &str, ends: &[&str], expected: &str) -> bool {
    let Some(shared) = shared() else { return true };
    let mut counts = BTreeMap::new();
    for path in files(&shared.join("data").join(folder), ends) {
        tally(&path, formats::by_name(format).unwrap(), &mut counts);
    }
    let found: Vec<_> = counts.iter().map(|(word, count)| format!("{word} {count}")).collect();
    let found = found.join(", ");
    if found != expected {
        eprintln!("{title}: {folder} as {format}\n  found    {found}\n  expected {expected}");
    }
    found == expected
}

#[test]
fn real_json_is_read_or_refused_for_a_known_reason() {
    let right = [
        ("datacite-json", "json_lines", "(json.duplicate_key) 1, json.comma 2, json.duplicate_key 3, read 130"),
        ("datacite-json", "datacite_json", "datacite_json.dialect 121, json.comma 2, json.duplicate_key 3, read 9"),
        ("datacite-json", "datacite_json_43", "datacite_json_43.dialect 55, json.comma 2, json.duplicate_key 3, read 75"),
        ("datacite-json", "datacite_rest", "(datacite_rest.included) 34, (json.duplicate_key) 7, datacite_rest.dialect 104, json.comma 2, json.duplicate_key 3, read 83"),
        ("inveniordm-json", "json_lines", "read 22"),
        ("inveniordm-json", "invenio_rdm", "invenio_rdm.dialect 33, read 2"),
        ("crossref-json", "crossref_json", "crossref_json.dialect 138, read 492"),
        ("csl-json", "csl_json", "csl_json.dialect 3, read 68"),
        ("schemaorg-json", "json_lines", "read 222"),
        ("invenio-dump", "invenio_v1", "invenio_v1.recid 111, read 39"),
    ]
    .map(|(folder, format, expected)| {
        check_tally("real", folder, format, &[".json", ".json.gz"], expected)
    });
    assert!(right.iter().all(|right| *right));
}

/// What the files of each folder of the shared data are taken for, where it is a format of ours.
#[test]
fn no_file_of_another_format_is_taken_for_a_table_or_json() {
    let Some(shared) = shared() else { return };
    let mut counts: BTreeMap<(String, &str), usize> = BTreeMap::new();
    for path in files(&shared.join("data"), &[""]) {
        let place = path.strip_prefix(shared.join("data")).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let speaks = |format: &&Format| {
            format.reading.as_ref().is_some_and(|reading| (reading.sniff)(&bytes))
        };
        let names: Vec<_> =
            formats::FORMATS.iter().filter(speaks).map(|format| format.name).collect();
        assert!(names.len() <= 1, "{}: {names:?}", path.display());
        let room = place.iter().next().unwrap().to_string_lossy().into_owned();
        if let Ok(reader) = DumpReader::open(&path, "", None)
            && reader.format().model == Model::Json
        {
            *counts.entry((room, reader.format().name)).or_default() += 1;
        }
    }
    let found: Vec<_> =
        counts.iter().map(|((room, name), count)| format!("{room} {name} {count}")).collect();
    let expected = [
        "SOURCES.tsv tsv 1",
        "bib-ris bibtex 55",
        "bib-ris json_array 1",
        "bib-ris json_lines 3",
        "bib-ris ris 3",
        "crossref-json json_lines 61",
        "csl-json json_array 3",
        "csl-json json_lines 10",
        "datacite-json datacite_rest 36",
        "datacite-json json_lines 99",
        "invenio-dump invenio_v1 13",
        "invenio-dump json_array 6",
        "invenio-dump json_lines 14",
        "inveniordm-json json_lines 22",
        "pica json_lines 1",
        "pica pica_binary 10",
        "pica pica_plain 4",
        "schemaorg-json json_array 1",
        "schemaorg-json json_lines 8",
        "truth json_lines 3",
        "truth tsv 2",
    ];
    assert_eq!(found, expected);
}

#[test]
fn real_bibtex_and_ris_are_read_or_refused_for_a_known_reason() {
    let right = [
        (
            "bibtex",
            ".bib",
            "(bibtex.command) 10, (bibtex.duplicate_field) 1, (bibtex.undefined_string) 1, \
             bibtex.truncated 1, read 177",
        ),
        ("ris", ".ris", "(ris.spaces) 1, read 3"),
    ]
    .map(|(format, end, expected)| check_tally("real", "bib-ris", format, &[end], expected));
    assert!(right.iter().all(|right| *right));
}

#[test]
fn real_bibtex_is_written_so_that_it_reads_the_same() {
    let Some(shared) = shared() else { return };
    for (name, end) in [("bibtex", ".bib"), ("ris", ".ris")] {
        let format = formats::by_name(name).unwrap();
        for path in files(&shared.join("data/bib-ris"), &[end]) {
            for piece in cut(format, &std::fs::read(&path).unwrap(), &[]) {
                let Ok(value) = read(format, &piece, Policy::Tolerant, &mut Vec::new()) else {
                    continue;
                };
                let bytes = write(format, &WriteOptions::default(), std::slice::from_ref(&value));
                let piece = cut(format, &bytes, &[]).remove(0);
                let back = read(format, &piece, Policy::Tolerant, &mut Vec::new()).unwrap();
                assert_eq!(back, value, "{}", path.display());
            }
        }
    }
}
