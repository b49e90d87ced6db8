//! Records there and back over real data: what a pair of crosswalks may change is listed here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use windrow::crosswalk::{Crosswalk, roundtrip};
use windrow::source::expand;

use crate::support::{Folder, end, project, shared, windrow};

/// A pair of crosswalks, real files, and the paths at which a record may come back changed.
struct Pair {
    there: &'static str,
    back: &'static str,
    /// Patterns below the shared data.
    files: &'static [&'static str],
    /// Files larger than this many bytes are left to the measurements.
    largest: u64,
    may_differ: &'static [&'static str],
}

fn found(data: &Path, pair: &Pair) -> Vec<PathBuf> {
    let patterns: Vec<String> = pair.files.iter().map(|&pattern| pattern.to_owned()).collect();
    let files = expand(&patterns, data).unwrap_or_default();
    let is_small = |path: &PathBuf| path.metadata().is_ok_and(|m| m.len() <= pair.largest);
    files.into_iter().filter(is_small).collect()
}

fn check(pair: &Pair) {
    let Some(shared) = shared() else { return };
    check_files(pair, found(&shared.join("data"), pair));
}

fn check_files(pair: &Pair, files: Vec<PathBuf>) {
    let load = |name: &str| Crosswalk::load(&project("crosswalks").join(name)).unwrap();
    let (there, back) = (load(pair.there), load(pair.back));
    let (mut records, mut held) = (0, 0);
    let mut differences: BTreeMap<String, (u64, String)> = BTreeMap::new();
    for file in files {
        let name = file.display().to_string();
        // Of another format, or damaged: other tests tell of these.
        let Ok(report) = roundtrip(&there, &back, &[file]) else { continue };
        records += report.records;
        held += report.held;
        for (path, (count, first)) in report.differences {
            let line = differences.entry(path).or_insert((0, format!("{name}: {first}")));
            line.0 += count;
        }
    }
    eprintln!("{}: {records} records there and back, {held} held", pair.there);
    let mut surprises = Vec::new();
    for (path, (count, first)) in &differences {
        let first: String = first.chars().take(400).collect();
        eprintln!("  {path}: {count}");
        if !pair.may_differ.contains(&path.as_str()) {
            surprises.push(format!("{path} differs {count} times: {first}"));
        }
    }
    for path in pair.may_differ.iter().filter(|path| !differences.contains_key(**path)) {
        surprises.push(format!("{path} is listed and never differs"));
    }
    assert!(records > 0, "{}: no record went there and back", pair.there);
    assert!(surprises.is_empty(), "{}:\n{}", pair.there, surprises.join("\n"));
}

#[test]
fn real_records_come_back_from_datacite_xml() {
    check(&Pair {
        there: "record-to-datacite.yaml",
        back: "datacite-xml-to-record.yaml",
        files: &["datacite-xml/**/*"],
        largest: 100_000,
        may_differ: &[
            // An address that is none.
            "metadata.funding[].award.identifiers",
            // A word for Crossref's registry that DataCite does not have.
            "metadata.funding[].funder.identifiers[].scheme",
            // An alternate identifier has a type.
            "metadata.identifiers[].scheme",
            // DataCite has one language.
            "metadata.languages[]",
            // Kernel 4.6 does not know relation types and types of resources of later ones, and
            // identifiers of unknown schemes are related items, which need a type.
            "metadata.related_identifiers[].relation_type.id",
            "metadata.related_identifiers[].resource_type",
            "metadata.related_identifiers[].resource_type.id",
            // DataCite requires a type, and has one for both kinds of dissertation.
            "metadata.resource_type",
            "metadata.resource_type.id",
        ],
    });
}

#[test]
fn real_records_come_back_from_datacite_json() {
    check(&Pair {
        there: "record-to-datacite-json.yaml",
        back: "datacite-json-to-record.yaml",
        files: &["datacite-json/**/*"],
        largest: 300_000,
        may_differ: &[
            // Numbers that are no ORCID get the address of one, an address twice loses one.
            "metadata.creators[].person_or_org.identifiers[].identifier",
            "metadata.funding[].funder.identifiers[].identifier",
            // Polygons come back as words of the place.
            "metadata.locations.features[].description",
            "metadata.locations.features[].place",
            // DataCite has one type for both kinds of dissertation.
            "metadata.resource_type.id",
        ],
    });
}

#[test]
fn real_records_come_back_from_oai_dc() {
    check(&Pair {
        there: "record-to-oai_dc.yaml",
        back: "oai_dc-to-record.yaml",
        files: &["oai/**/*"],
        largest: 100_000,
        may_differ: &[
            // Both stand in the header of OAI-PMH.
            "collections",
            "id",
            // A control character that XML cannot hold.
            "metadata.additional_descriptions[].description",
            // Their order changes: DOIs come first.
            "metadata.related_identifiers[]",
        ],
    });
}

#[test]
fn real_records_come_back_from_mods() {
    check(&Pair {
        there: "record-to-mods.yaml",
        back: "mods-to-record.yaml",
        files: &["mods/**/*"],
        largest: 300_000,
        may_differ: &[
            // Kinds of notes that MODS does not tell apart.
            "metadata.additional_descriptions[].type.id",
            "metadata.related_identifiers[]",
            // The type of the record is a genre and comes back as a subject, too.
            "metadata.resource_type.id",
            "metadata.subjects",
            "metadata.subjects[]",
        ],
    });
}

#[test]
fn real_records_come_back_from_marc() {
    check(&Pair {
        there: "record-to-marc21.yaml",
        back: "marc21-to-record.yaml",
        files: &["marc/gpo-cataloging-records/**/*_utf8.mrc"],
        largest: 200_000,
        may_differ: &[
            // Notes of many tags come back from 500: their order changes.
            "metadata.additional_descriptions[]",
            // Words behind the name (100$c) come back as part of it.
            "metadata.creators[].person_or_org.given_name",
            // Other dates of issue are notes.
            "metadata.dates",
        ],
    });
}

#[test]
fn records_of_the_library_of_congress_come_back_from_marc() {
    let Some(shared) = shared() else { return };
    let dump = expand(&["marc/loc-booksall2016/*.gz".to_owned()], &shared.join("data")).unwrap();
    let folder = Folder::new();
    let few = folder.path("few.mrc");
    let mut command = windrow();
    command.arg("convert").args(&dump).args(["--to", "iso2709", "--limit", "400", "-o"]).arg(&few);
    assert_eq!(end(&mut command).status, Some(0));
    let pair = Pair {
        there: "record-to-marc21.yaml",
        back: "marc21-to-record.yaml",
        files: &[],
        largest: 0,
        may_differ: &[
            "custom_fields.meeting:meeting.place",
            // Notes of many tags come back from 500: their order changes.
            "metadata.additional_descriptions[]",
            // Words behind the name (100$c) come back as part of it; a name with a comma is one of
            // a family.
            "metadata.contributors[].person_or_org.family_name",
            "metadata.contributors[].person_or_org.given_name",
            "metadata.creators[].person_or_org.family_name",
            "metadata.creators[].person_or_org.given_name",
            // A meeting is an agent, too.
            "metadata.creators[]",
            // The number of a reference comes back as that of a related work.
            "metadata.references[].identifier",
            "metadata.references[].reference",
            "metadata.references[].scheme",
            "metadata.related_identifiers[]",
        ],
    };
    check_files(&pair, vec![few]);
}
