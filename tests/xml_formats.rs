//! The XML standards: oddities by fixture, laws by property, and real files.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use windrow::formats::{
    self, Cut, Format, Policy, ReadOptions, SourceRecord, WriteOptions, datacite, envelope,
};
use windrow::xml::tree::{Element, Name, Node, Tree};
use windrow::xml::writer::is_xml_char;

use crate::support::{Folder, project, shared};

/// Fixture folders and the format that each is read as.
const FOLDERS: [(&str, &str); 5] = [
    ("xml", "oai_dc"),
    ("oai_dc", "oai_dc"),
    ("dcterms", "dcterms"),
    ("datacite_xml", "datacite_xml"),
    ("mods", "mods"),
];

fn row(name: &str) -> &'static Format {
    formats::by_name(name).unwrap()
}

/// The records of a stream given in chunks of so many bytes: bytes or the code of the damage.
fn cut(format: &Format, stream: &[u8], chunk: usize) -> Vec<Result<Vec<u8>, &'static str>> {
    let mut framing = (format.reading.as_ref().unwrap().framing)();
    let (mut from, mut to) = (0, 0);
    let mut records = Vec::new();
    loop {
        match framing.cut(&stream[from..to], to == stream.len()) {
            Cut::Record { start, end, next, insert, damage } => {
                let bytes = &stream[from + start..from + end];
                let mut record = Vec::new();
                match insert {
                    Some(insert) => insert.copy(bytes, &mut record),
                    None => record.extend_from_slice(bytes),
                }
                records.push(damage.map_or(Ok(record), |damage| Err(damage.code)));
                from += next;
            }
            Cut::More { skip } => {
                from += skip;
                to = stream.len().min(to + chunk);
            }
            Cut::End => return records,
        }
    }
}

fn tree_of(record: &SourceRecord) -> &Tree {
    record.xml().unwrap()
}

fn text_of(tree: &Tree) -> String {
    let mut text = String::new();
    tree.write(&mut text);
    text
}

fn fate(format: &Format, bytes: &[u8], policy: Policy) -> String {
    let (mut record, mut warnings) = (SourceRecord::default(), Vec::new());
    let result = format.read(
        bytes,
        &ReadOptions { policy, ..ReadOptions::default() },
        &mut record,
        &mut warnings,
    );
    let mut out = String::new();
    for warning in warnings {
        writeln!(out, "warning: {} [{}]", warning.message, warning.code).unwrap();
    }
    match result {
        Ok(()) => {
            writeln!(out, "id: {}", record.control_number().unwrap_or("-")).unwrap();
            writeln!(out, "{}", text_of(tree_of(&record))).unwrap();
        }
        Err(error) => {
            let number = error.control_number.as_deref().unwrap_or("-");
            writeln!(out, "rejected {number}: {} [{}]", error.message, error.code).unwrap();
        }
    }
    out
}

fn describe(format: &Format, stream: &[u8]) -> String {
    let mut out = String::new();
    for (index, record) in cut(format, stream, usize::MAX / 2).iter().enumerate() {
        writeln!(out, "#{}", index + 1).unwrap();
        match record {
            Ok(bytes) => {
                let tolerant = fate(format, bytes, Policy::Tolerant);
                let repaired = fate(format, bytes, Policy::Repair);
                out.push_str(&tolerant);
                if repaired != tolerant {
                    write!(out, "with repair:\n{repaired}").unwrap();
                }
            }
            Err(damage) => writeln!(out, "damaged: {damage}").unwrap(),
        }
        out.push('\n');
    }
    out
}

fn fixtures(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(project("fixtures").join(folder)).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "xml"));
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

#[test]
fn every_oddity_of_xml_has_the_fate_that_is_written_beside_it() {
    let mut wrong = Vec::new();
    for (folder, name) in FOLDERS {
        for path in fixtures(folder) {
            let stream = std::fs::read(&path).unwrap();
            let found = describe(row(name), &stream);
            let beside = path.with_extension("xml.txt");
            if std::env::var_os("UPDATE").is_some() {
                std::fs::write(&beside, &found).unwrap();
            } else if std::fs::read_to_string(&beside).unwrap_or_default() != found {
                wrong.push(format!("{}:\n{found}", path.display()));
            }
            for chunk in [1, 7, 100] {
                let (whole, parts) =
                    (cut(row(name), &stream, stream.len()), cut(row(name), &stream, chunk));
                assert_eq!(whole, parts, "{} in chunks of {chunk}", path.display());
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// All records that a format reads in a stream, without those it rejects.
fn read_all(format: &Format, stream: &[u8]) -> Vec<SourceRecord> {
    let read = |bytes: Vec<u8>| {
        let mut record = SourceRecord::default();
        let read = format.read(&bytes, &ReadOptions::default(), &mut record, &mut Vec::new());
        read.ok().map(|()| record)
    };
    cut(format, stream, stream.len()).into_iter().flatten().filter_map(read).collect()
}

/// One file of records; answers how many could not be written, by code.
fn write_all(
    format: &Format,
    records: &[SourceRecord],
    options: &WriteOptions,
) -> (Vec<u8>, Vec<usize>, BTreeMap<String, usize>) {
    let writing = format.writing.as_ref().unwrap();
    let mut out = (writing.open)(options).into_bytes();
    let (mut written, mut refused) = (Vec::new(), BTreeMap::new());
    for (number, record) in records.iter().enumerate() {
        let before = out.len();
        if !written.is_empty() {
            out.extend_from_slice(writing.between.as_bytes());
        }
        match (writing.encode)(record, options, &mut out, &mut Vec::new()) {
            Ok(()) => written.push(number),
            Err(error) => {
                out.truncate(before);
                *refused.entry(format!("{}: {}", error.code, error.message)).or_default() += 1;
            }
        }
    }
    out.extend_from_slice(writing.close.as_bytes());
    (out, written, refused)
}

/// All that a tree says, line by line; but for DataCite not its version, and no declarations.
fn view(tree: &Tree) -> Vec<String> {
    let carried = |text: &str| -> String {
        text.chars().map(|c| if is_xml_char(c) { c } else { '\u{FFFD}' }).collect()
    };
    let kernel = datacite::xml::resource(tree).map(|resource| resource.name().namespace);
    let name = |name: Name<'_>| format!("{{{}}}{}:{}", name.namespace, name.prefix, name.local);
    let element_name = |element: Element<'_>| match element.name() {
        found if kernel == Some(found.namespace) => format!("{}:{}", found.prefix, found.local),
        found => name(found),
    };
    // A list of rights is put around those of kernel 2.
    let elements = tree.root().unwrap().descendants();
    let mut lines = Vec::new();
    for element in elements.filter(|element| element.name().local != "rightsList") {
        let mut outer = std::iter::successors(element.parent(), |element| element.parent());
        let parent = outer.find(|element| element.name().local != "rightsList");
        let place = format!("{:?} {}", parent.map(element_name), element_name(element));
        lines.push(place.clone());
        for attribute in element.attributes() {
            lines.push(match attribute.name().local {
                "schemaLocation" | "noNamespaceSchemaLocation" if kernel.is_some() => place.clone(),
                _ => format!("{place} {}={}", name(attribute.name()), carried(attribute.value())),
            });
        }
        for child in element.children() {
            match child {
                Node::Text(text) if element.name().local != "schemaVersion" => {
                    lines.push(format!("{place} {:?}", carried(text.value())));
                }
                _ => {}
            }
        }
    }
    lines
}

/// Writes records to one file and reads them back; answers the refused ones by code.
fn check_identity(
    format: &Format,
    records: &[SourceRecord],
    what: &Path,
) -> BTreeMap<String, usize> {
    let newest = (format.name == "datacite_xml").then(|| "4.7".to_owned());
    let options = WriteOptions { version: newest, ..WriteOptions::default() };
    let (file, written, refused) = write_all(format, records, &options);
    let again = read_all(format, &file);
    assert_eq!(again.len(), written.len(), "{}", what.display());
    for (number, again) in written.into_iter().zip(&again) {
        let (first, again) = (tree_of(&records[number]), tree_of(again));
        if first == again {
            continue;
        }
        let (first, again) = (view(first), view(again));
        let differs = first.iter().zip(&again).find(|(first, again)| first != again);
        assert_eq!(differs, None, "{}", what.display());
        assert_eq!(first.len(), again.len(), "{}", what.display());
    }
    refused
}

#[test]
fn what_was_read_is_read_again_from_what_is_written() {
    for (folder, name) in FOLDERS {
        for path in fixtures(folder) {
            let records = read_all(row(name), &std::fs::read(&path).unwrap());
            check_identity(row(name), &records, &path);
        }
    }
}

#[test]
fn a_file_is_told_by_its_first_root_whatever_it_is_wrapped_in() {
    let cannot_be_told = [
        "encoding_utf16",
        "answer_without_records",
        "record_without_metadata",
        "no_terms",
        "prefix_rebound",
        "another",
    ];
    for (folder, name) in FOLDERS {
        for path in fixtures(folder) {
            let file = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let told = speakers(&std::fs::read(&path).unwrap());
            if cannot_be_told.iter().any(|start| file.contains(start)) {
                assert!(!told.contains(&name) || folder == "xml", "{file}: {told:?}");
            } else {
                assert_eq!(told, [name], "{file}");
            }
        }
    }
}

fn speakers(bytes: &[u8]) -> Vec<&'static str> {
    let speaks =
        |format: &&Format| format.reading.as_ref().is_some_and(|reading| (reading.sniff)(bytes));
    formats::FORMATS.iter().filter(speaks).map(|format| format.name).collect()
}

#[test]
fn the_header_of_an_oai_record_is_at_hand() {
    let stream = std::fs::read(project("fixtures/oai_dc/oai_answer.xml")).unwrap();
    let records = read_all(row("oai_dc"), &stream);
    let header = envelope::header(tree_of(&records[0])).unwrap();
    assert_eq!(header.identifier().unwrap().text(), "oai:example.org:1");
    assert_eq!(header.datestamp().unwrap().text(), "2026-01-01T00:00:00Z");
    let set_specs: Vec<_> = header.set_specs().map(|set_spec| set_spec.text()).collect();
    assert_eq!(set_specs, ["hay", "hay:straw"]);
    assert!(!header.is_deleted());
    assert!(envelope::header(tree_of(&records[1])).unwrap().is_deleted());
    let root = formats::dublin_core::oai_dc(tree_of(&records[0])).unwrap();
    let languages: Vec<_> = root.elements().map(|element| element.language()).collect();
    assert_eq!(languages, [Some("en"), None, Some("de")]);
    assert!(formats::dublin_core::oai_dc(tree_of(&records[1])).is_none());
}

#[test]
fn the_version_of_datacite_is_told_and_written() {
    let read = |name: &str| {
        let path = project("fixtures/datacite_xml").join(name);
        read_all(row("datacite_xml"), &std::fs::read(path).unwrap()).remove(0)
    };
    let write = |name: &str, version: Option<&str>| {
        let record = read(name);
        let options =
            WriteOptions { version: version.map(str::to_owned), ..WriteOptions::default() };
        let (mut out, mut warnings) = (Vec::new(), Vec::new());
        let encode = row("datacite_xml").writing.as_ref().unwrap().encode;
        match encode(&record, &options, &mut out, &mut warnings) {
            Ok(()) => {
                let mut found = String::from_utf8(out).unwrap();
                for warning in warnings {
                    found = format!("{}: {}\n{found}", warning.code, warning.message);
                }
                found
            }
            Err(error) => {
                assert!(out.is_empty());
                format!("{}: {}", error.code, error.message)
            }
        }
    };
    for (name, version) in [
        ("kernel_2_1.xml", "2.1"),
        ("kernel_2_2_rights.xml", "2.2"),
        ("kernel_2_0.xml", "2.0"),
        ("kernel_3.xml", "3"),
        ("kernel_4_without_location.xml", "4"),
        ("kernel_4_6.xml", "4.6"),
        ("oai_datacite.xml", "4.3"),
    ] {
        let record = read(name);
        let resource = datacite::xml::resource(tree_of(&record)).unwrap();
        assert_eq!(datacite::xml::version(resource).unwrap().to_string(), version, "{name}");
    }
    for (name, version, expected) in [
        ("kernel_2_1.xml", None, "datacite_xml.version: dateType \"StartDate\" of an older kernel"),
        (
            "kernel_4_7_poster.xml",
            None,
            "datacite_xml.version: resourceTypeGeneral \"Poster\" came with version 4.7, not known to 4.6",
        ),
        (
            "kernel_4_6.xml",
            Some("4.5"),
            "datacite_xml.version: relatedIdentifierType \"RRID\" came with version 4.6",
        ),
        (
            "kernel_4_6.xml",
            Some("4.2"),
            "datacite_xml.version: version \"4.2\", expected one of 4.3 to 4.7",
        ),
        ("kernel_4_6.xml", Some("hay"), "datacite_xml.version: version \"hay\""),
        (
            "value_of_no_version.xml",
            None,
            "datacite_xml.value: dateType \"mown\" is not known to 4.6\ndatacite_xml.element: element hay in resource is not known",
        ),
        (
            "kernel_3.xml",
            Some("4.4"),
            "<resource xmlns=\"http://datacite.org/schema/kernel-4\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"http://datacite.org/schema/kernel-4 https://schema.datacite.org/meta/kernel-4.4/metadata.xsd\">",
        ),
        (
            "oai_datacite.xml",
            None,
            "<oai_datacite xmlns=\"http://schema.datacite.org/oai/oai-1.1/\"><schemaVersion>4.6</schemaVersion>",
        ),
    ] {
        let found = write(name, version);
        assert!(found.starts_with(expected), "{name} {version:?}:\n{found}");
    }
}

#[test]
fn a_record_of_another_kind_is_not_written() {
    let records = read_all(row("mods"), b"<mods xmlns='http://www.loc.gov/mods/v3'/>");
    for (name, code) in [
        ("oai_dc", "oai_dc.root"),
        ("dcterms", "dcterms.root"),
        ("datacite_xml", "datacite_xml.root"),
    ] {
        let (_, _, refused) = write_all(row(name), &records, &WriteOptions::default());
        assert!(refused.keys().all(|refused| refused.starts_with(code)) && !refused.is_empty());
    }
    let (_, _, refused) =
        write_all(row("mods"), &[SourceRecord::default()], &WriteOptions::default());
    assert_eq!(
        refused.into_keys().collect::<Vec<_>>(),
        ["format.model: the record is no XML, expected XML"]
    );
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let marks: [&[u8]; 24] = [
        b"<record>",
        b"</record>",
        b"<metadata>",
        b"</metadata>",
        b"<dc>",
        b"</dc>",
        b"<dc:dc x='>'/>",
        b"<mods xmlns='http://www.loc.gov/mods/v3'>",
        b"</mods>",
        b"<resource><identifier/>",
        b"</resource>",
        b"<?xml version='1.0' encoding='latin1'?>",
        b"<?xml version='1.0' encoding='utf-8'?>",
        b"<!--",
        b"-->",
        b"<![CDATA[",
        b"]]>",
        b"\xFC",
        b"text",
        b" ",
        b"&nbsp;",
        b"<",
        b"<header status='deleted'/>",
        b"\xEF\xBB\xBF",
    ];
    prop_oneof![
        8 => prop::sample::select(marks.to_vec()).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_bytes_make_an_xml_format_panic(pieces in prop::collection::vec(piece(), 0..16), chunk in 1..40usize) {
        let stream = pieces.concat();
        for name in ["oai_dc", "dcterms", "datacite_xml", "mods"] {
            let whole = cut(row(name), &stream, stream.len());
            prop_assert_eq!(&whole, &cut(row(name), &stream, chunk));
            for bytes in whole.iter().flatten() {
                for policy in [Policy::Strict, Policy::Tolerant, Policy::Repair] {
                    fate(row(name), bytes, policy);
                }
            }
            check_identity(row(name), &read_all(row(name), &stream), Path::new("pieces"));
        }
    }
}

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
                let options =
                    WriteOptions { version: Some(format!("4.{minor}")), ..WriteOptions::default() };
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
