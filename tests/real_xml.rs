//! Real files of the XML standards: all are read, and what is written of them is the same, and
//! valid.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use windrow::formats::{ReadOptions, SourceRecord};

use crate::support::{Folder, project, shared};
use crate::xml_formats::{check_identity, cut, read_all, row, speakers, text_of, tree_of, writing};

fn xml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            xml_files(&path, found);
        } else {
            found.push(path);
        }
    }
    found.sort();
}

/// What became of all records of the real files under some folders.
#[derive(Default)]
struct Survey {
    files: BTreeMap<String, usize>,
    records: BTreeMap<String, usize>,
    rejected: BTreeMap<String, Vec<String>>,
    warned: BTreeMap<String, usize>,
    refused: BTreeMap<String, usize>,
}

impl Survey {
    fn read(&mut self, path: &Path, bytes: &[u8]) {
        let told = speakers(bytes);
        assert!(told.len() < 2, "{}: {told:?}", path.display());
        let name = told.first().copied().unwrap_or("none");
        *self.files.entry(name.to_owned()).or_default() += 1;
        if !["oai_dc", "dcterms", "datacite_xml", "mods"].contains(&name) {
            return;
        }
        let mut kept = Vec::new();
        for record in cut(row(name), bytes, bytes.len()) {
            let (mut source, mut warnings) = (SourceRecord::default(), Vec::new());
            let result = record.map_err(|damage| (damage, String::new())).and_then(|bytes| {
                let read =
                    row(name).read(&bytes, &ReadOptions::default(), &mut source, &mut warnings);
                read.map_err(|error| (error.code, error.message))
            });
            for warning in warnings {
                *self.warned.entry(format!("{name} {}", warning.code)).or_default() += 1;
            }
            match result {
                Ok(()) => {
                    *self.records.entry(name.to_owned()).or_default() += 1;
                    kept.push(source);
                }
                Err((code, message)) => {
                    let place = format!("{}: {message}", path.file_name().unwrap().display());
                    self.rejected.entry(format!("{name} {code}")).or_default().push(place);
                }
            }
        }
        for (code, count) in check_identity(row(name), &kept, path) {
            *self.refused.entry(code).or_default() += count;
        }
    }
}

#[test]
fn real_files_are_read_and_read_again_from_what_is_written() {
    let Some(shared) = shared() else { return };
    let mut survey = Survey::default();
    for folder in ["datacite-xml", "mods", "oai", "crossref-xml", "mets"] {
        let mut paths = Vec::new();
        xml_files(&shared.join("data").join(folder), &mut paths);
        for path in paths {
            survey.read(&path, &std::fs::read(&path).unwrap());
        }
    }
    eprintln!("files {:?}\nrecords {:?}", survey.files, survey.records);
    eprintln!("rejected {:#?}\nwarned {:#?}", survey.rejected, survey.warned);
    eprintln!("not written {:#?}", survey.refused);
    let rejected: usize = survey.rejected.values().map(Vec::len).sum();
    let records: usize = survey.records.values().sum();
    assert!(records > 1000 && rejected * 50 < records, "{rejected} of {records}");
}

#[test]
fn what_is_written_is_valid_where_the_schemas_are() {
    let Some(shared) = shared() else { return };
    if std::process::Command::new("xmllint").arg("--version").output().is_err() {
        eprintln!("ignored: no xmllint");
        return;
    }
    let folder = Folder::new();
    let valid = |schema: &Path, document: &Path| {
        let mut xmllint = std::process::Command::new("xmllint");
        xmllint.args(["--nonet", "--noout", "--schema"]).arg(schema).arg(document);
        let output = xmllint.output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let mut counts = BTreeMap::<String, (usize, usize)>::new();
    for minor in 3..=7 {
        let examples = shared.join(format!("xsd/datacite/kernel-4.{minor}"));
        let schema = examples.join("metadata.xsd");
        let mut paths = Vec::new();
        xml_files(&examples.join("example"), &mut paths);
        for path in paths {
            let bytes = std::fs::read(&path).unwrap();
            for record in read_all(row("datacite_xml"), &bytes) {
                let options = writing(Some(format!("4.{minor}")));
                let mut out = Vec::new();
                let encode = row("datacite_xml").writing.as_ref().unwrap().encode;
                let written = encode(&record, &options, &mut out, &mut Vec::new());
                let before = valid(&schema, &path).0;
                let count = counts.entry(format!("4.{minor}")).or_default();
                count.0 += 1;
                if before {
                    written.unwrap();
                    folder.write("written.xml", &out);
                    let (after, errors) = valid(&schema, &folder.path("written.xml"));
                    assert!(after, "{}: {errors}", path.display());
                    count.1 += 1;
                }
            }
        }
    }
    for (fixture, name, schema) in [
        ("mods/collection.xml", "mods", "mods/mods-3-8.xsd"),
        ("oai_dc/namespaces_on_collection.xml", "oai_dc", "oai_dc.xsd"),
    ] {
        let records =
            read_all(row(name), &std::fs::read(project("fixtures").join(fixture)).unwrap());
        for record in &records {
            folder.write("written.xml", text_of(tree_of(record)));
            let (after, errors) =
                valid(&shared.join("xsd").join(schema), &folder.path("written.xml"));
            assert!(after, "{fixture}: {errors}");
        }
        counts.insert(name.to_owned(), (records.len(), records.len()));
    }
    eprintln!("valid before and after, of all: {counts:?}");
}
