//! The XML standards: oddities by fixture, laws by property.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use windrow::formats::{
    self, Cut, Format, Policy, ReadOptions, SourceRecord, WriteOptions, datacite, envelope,
};
use windrow::xml::tree::{Element, Name, Node, Tree};
use windrow::xml::writer::is_xml_char;

use crate::support::project;

/// Fixture folders and the format that each is read as.
const FOLDERS: [(&str, &str); 5] = [
    ("xml", "oai_dc"),
    ("oai_dc", "oai_dc"),
    ("dcterms", "dcterms"),
    ("datacite_xml", "datacite_xml"),
    ("mods", "mods"),
];

pub fn row(name: &str) -> &'static Format {
    formats::by_name(name).unwrap()
}

fn reading(policy: Policy) -> ReadOptions {
    ReadOptions { policy, ..ReadOptions::default() }
}

pub fn writing(version: Option<String>) -> WriteOptions {
    WriteOptions { version, ..WriteOptions::default() }
}

/// The records of a stream given in chunks of so many bytes: bytes or the code of the damage.
pub fn cut(format: &Format, stream: &[u8], chunk: usize) -> Vec<Result<Vec<u8>, &'static str>> {
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

pub fn tree_of(record: &SourceRecord) -> &Tree {
    record.xml().unwrap()
}

pub fn text_of(tree: &Tree) -> String {
    let mut text = String::new();
    tree.write(&mut text);
    text
}

fn fate(format: &Format, bytes: &[u8], policy: Policy) -> String {
    let (mut record, mut warnings) = (SourceRecord::default(), Vec::new());
    let result = format.read(bytes, &reading(policy), &mut record, &mut warnings);
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
pub fn read_all(format: &Format, stream: &[u8]) -> Vec<SourceRecord> {
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
pub fn check_identity(
    format: &Format,
    records: &[SourceRecord],
    what: &Path,
) -> BTreeMap<String, usize> {
    let newest = (format.name == "datacite_xml").then(|| "4.7".to_owned());
    let options = writing(newest);
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

pub fn speakers(bytes: &[u8]) -> Vec<&'static str> {
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
    let set_specs: Vec<_> = header.set_specs().map(Element::text).collect();
    assert_eq!(set_specs, ["hay", "hay:straw"]);
    assert!(!header.is_deleted());
    assert!(envelope::header(tree_of(&records[1])).unwrap().is_deleted());
    let root = formats::dublin_core::oai_dc(tree_of(&records[0])).unwrap();
    let languages: Vec<_> = root.elements().map(Element::language).collect();
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
        let options = writing(version.map(str::to_owned));
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
