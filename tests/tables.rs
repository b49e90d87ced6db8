//! The tables of crosswalks: sorted, without a key twice, and true to each other.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::Value;
use windrow::crosswalk::Crosswalk;

type Rows = Vec<Vec<String>>;

fn table(name: &str, columns: &[&str]) -> Rows {
    let path = format!("{}/crosswalks/tables/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut reader = csv::Reader::from_path(path).unwrap();
    assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), columns, "{name}");
    let rows: Rows =
        reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
    assert!(rows.windows(2).all(|pair| pair[0][0] < pair[1][0]), "{name} is sorted");
    let folded: HashSet<_> = rows.iter().map(|row| row[0].to_lowercase()).collect();
    assert_eq!(folded.len(), rows.len(), "{name} has no key twice");
    assert!(rows.iter().flatten().all(|cell| cell.trim() == cell), "{name} has no stray spaces");
    rows
}

#[test]
fn every_relator_has_a_role_and_every_term_a_relator() {
    let relators = table("relators.csv", &["code", "term", "role", "datacite"]);
    let codes: HashSet<_> = relators.iter().map(|row| &row[0]).collect();
    assert!(relators.iter().all(|row| row[0].len() == 3 && !row[1].is_empty()));
    let roles: BTreeSet<_> = relators.iter().map(|row| &*row[2]).collect();
    let known = [
        "author",
        "contactperson",
        "datacollector",
        "datacurator",
        "datamanager",
        "distributor",
        "editor",
        "hostinginstitution",
        "other",
        "producer",
        "projectleader",
        "projectmanager",
        "researcher",
        "rightsholder",
        "sponsor",
        "supervisor",
    ];
    assert!(roles.iter().all(|role| known.contains(role)), "{roles:?}");
    let terms = table("relator_terms.csv", &["term", "code"]);
    assert!(terms.iter().all(|row| codes.contains(&row[1])));
    let said: HashSet<_> = terms.iter().map(|row| &row[0]).collect();
    let unsaid: Vec<_> = relators.iter().filter(|row| !said.contains(&row[1])).collect();
    assert!(unsaid.is_empty(), "{unsaid:?}");
}

#[test]
fn every_language_has_a_code_of_three_letters() {
    let languages = table("languages.csv", &["marc", "iso639_3", "iso639_1", "name"]);
    let letters = |code: &str| code.bytes().all(|byte| byte.is_ascii_lowercase());
    for row in &languages {
        assert!(row[0].len() == 3 && letters(&row[0]), "{row:?}");
        assert!(row[1].len() == 3 && letters(&row[1]), "{row:?}");
        assert!(matches!(row[2].len(), 0 | 2) && letters(&row[2]), "{row:?}");
        // The program reads this table by its commas alone.
        assert!(!row[3].is_empty() && !row[3].contains([',', '"']), "{row:?}");
    }
    assert!(languages.len() > 480);
}

#[test]
fn every_country_has_a_name_and_at_most_one_code_of_iso() {
    let countries = table("countries.csv", &["marc", "iso3166_1", "name"]);
    for row in &countries {
        assert!(matches!(row[0].len(), 2 | 3) && row[0].bytes().all(|b| b.is_ascii_lowercase()));
        assert!(matches!(row[1].len(), 0 | 2) && row[1].bytes().all(|b| b.is_ascii_uppercase()));
        assert!(!row[2].is_empty(), "{row:?}");
    }
    assert!(countries.len() > 370);
}

/// A list of the package `iso-codes`, which many systems have; `None` where it is missing.
fn iso_codes(list: &str) -> Option<Vec<Value>> {
    let path = format!("/usr/share/iso-codes/json/iso_{list}.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("ignored: no {path}");
        return None;
    };
    let mut whole: Value = serde_json::from_str(&text).unwrap();
    serde_json::from_value(whole[list].take()).ok()
}

#[test]
fn languages_are_those_of_iso_639() {
    let (Some(second), Some(third)) = (iso_codes("639-2"), iso_codes("639-3")) else { return };
    let rows = table("languages.csv", &["marc", "iso639_3", "iso639_1", "name"]);
    let ours: HashMap<&str, &Vec<String>> = rows.iter().map(|row| (&*row[0], row)).collect();
    // MARC has the bibliographic codes; `qaa-qtz` is a range.
    for language in second.iter().filter(|language| language["alpha_3"] != "qaa-qtz") {
        let code = language.get("bibliographic").unwrap_or(&language["alpha_3"]).as_str().unwrap();
        let row = ours.get(code).unwrap_or_else(|| panic!("{language} is missing"));
        assert_eq!(row[1], language["alpha_3"], "{language}");
    }
    let two: HashMap<&str, &str> = third
        .iter()
        .map(|language| {
            let short = language.get("alpha_2").map_or("", |code| code.as_str().unwrap());
            (language["alpha_3"].as_str().unwrap(), short)
        })
        .collect();
    for row in &rows {
        // A group of languages is none of ISO 639-3.
        assert_eq!(row[2], two.get(&*row[1]).copied().unwrap_or(""), "{row:?}");
    }
}

#[test]
fn countries_are_those_of_iso_3166() {
    let Some(countries) = iso_codes("3166-1") else { return };
    let rows = table("countries.csv", &["marc", "iso3166_1", "name"]);
    let known: BTreeSet<&str> =
        countries.iter().map(|country| country["alpha_2"].as_str().unwrap()).collect();
    let named: BTreeSet<&str> = rows.iter().map(|row| &*row[1]).filter(|c| !c.is_empty()).collect();
    assert_eq!(named.difference(&known).collect::<Vec<_>>(), Vec::<&&str>::new());
    // MARC counts the Åland Islands as Finland.
    assert_eq!(known.difference(&named).collect::<Vec<_>>(), [&"AX"]);
}

#[test]
fn every_scheme_of_identifiers_has_a_name_and_none_shares_what_leads_back_to_it() {
    let columns = ["scheme", "title", "marc", "agency", "datacite", "uri"];
    let schemes = table("identifier_schemes.csv", &columns);
    assert!(schemes.iter().all(|row| !row[1].is_empty()));
    for column in [2, 4] {
        let mut seen = HashSet::new();
        let words = schemes.iter().map(|row| row[column].to_lowercase());
        assert!(words.filter(|word| !word.is_empty()).all(|word| seen.insert(word)));
    }
    let addresses = schemes.iter().map(|row| &row[5]).filter(|uri| !uri.is_empty());
    assert!(addresses.clone().all(|uri| uri.starts_with("https://") && !uri.ends_with('/')));
}

#[test]
fn resource_types_are_those_of_invenio_rdm() {
    for row in table("resource_types.csv", &["term", "resource_type"]) {
        let top = row[1].split('-').next().unwrap();
        let known = [
            "audio",
            "dataset",
            "event",
            "image",
            "lesson",
            "model",
            "other",
            "physicalobject",
            "poster",
            "presentation",
            "publication",
            "software",
            "video",
            "workflow",
        ];
        assert!(known.contains(&top), "{row:?}");
    }
}

/// Every InvenioRDM resource type.
fn invenio_rdm_types() -> BTreeSet<String> {
    let columns = ["resource_type", "title", "datacite", "csl", "schema_org"];
    let rows = table("invenio_rdm_resource_types.csv", &columns);
    assert!(rows.iter().flatten().all(|cell| !cell.is_empty()));
    rows.into_iter().map(|row| row.into_iter().next().unwrap()).collect()
}

#[test]
fn every_table_of_resource_types_leads_to_one_of_invenio_rdm() {
    let known = invenio_rdm_types();
    for (name, key) in [
        ("resource_types.csv", "term"),
        ("datacite_resource_types.csv", "datacite"),
        ("csl_types.csv", "csl"),
        ("crossref_types.csv", "crossref"),
        ("dcmi_types.csv", "dcmi"),
        ("eprint_types.csv", "eprint"),
        ("eu_repo_types.csv", "eu_repo"),
        ("marc_genres.csv", "marcgt"),
        ("mods_types.csv", "mods"),
    ] {
        for row in table(name, &[key, "resource_type"]) {
            assert!(known.contains(&row[1]), "{name}: {row:?}");
        }
    }
}

#[test]
fn the_types_that_records_become_are_those_of_datacite_and_csl() {
    let keys = |name, key| -> HashSet<String> {
        table(name, &[key, "resource_type"]).into_iter().map(|mut row| row.remove(0)).collect()
    };
    let datacite = keys("datacite_resource_types.csv", "datacite");
    let csl = keys("csl_types.csv", "csl");
    let columns = ["resource_type", "title", "datacite", "csl", "schema_org"];
    for row in table("invenio_rdm_resource_types.csv", &columns) {
        assert!(datacite.contains(&row[2]) && csl.contains(&row[3]), "{row:?}");
    }
}

/// The lists of DataCite that go both ways: table, its second column, the file of the schema.
const DATACITE: &[(&str, &str, &str)] = &[
    ("contributor", "role", "contributorType"),
    ("date", "date_type", "dateType"),
    ("description", "description_type", "descriptionType"),
    ("funder_identifier", "scheme", "funderIdentifierType"),
    ("identifier", "scheme", "relatedIdentifierType"),
    ("relation", "relation_type", "relationType"),
    ("title", "title_type", "titleType"),
];

#[test]
fn the_lists_of_datacite_are_one_to_one() {
    for (list, column, _) in DATACITE {
        let name = format!("datacite_{list}_types.csv");
        let rows = table(&name, &["datacite", column]);
        let ours: HashSet<_> = rows.iter().map(|row| &row[1]).collect();
        assert_eq!(ours.len(), rows.len(), "{name}");
    }
}

#[test]
fn the_lists_of_datacite_are_those_of_its_newest_schema() {
    let Some(shared) = crate::support::shared() else { return };
    let folder = shared.join("xsd/datacite/kernel-4.7/include");
    let listed = |name: &str| -> BTreeSet<String> {
        let text = std::fs::read_to_string(folder.join(format!("datacite-{name}-v4.xsd"))).unwrap();
        let values = text.split("enumeration value=\"").skip(1);
        values.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    };
    for (list, column, file) in DATACITE {
        let rows = table(&format!("datacite_{list}_types.csv"), &["datacite", column]);
        let ours: BTreeSet<_> = rows.into_iter().map(|mut row| row.remove(0)).collect();
        assert_eq!(ours, listed(file), "{list}");
    }
    let rows = table("datacite_resource_types.csv", &["datacite", "resource_type"]);
    let mut ours: BTreeSet<_> = rows.into_iter().map(|mut row| row.remove(0)).collect();
    assert!(ours.remove("Film"), "kernel 2 has films");
    assert_eq!(ours, listed("resourceType"));
}

#[test]
fn the_types_of_coar_have_a_label_each_and_lead_to_one_of_invenio_rdm() {
    let known = invenio_rdm_types();
    let rows = table("coar_resource_types.csv", &["coar", "label", "resource_type"]);
    let labels: HashSet<_> = rows.iter().map(|row| &row[1]).collect();
    assert_eq!(labels.len(), rows.len());
    assert!(rows.iter().all(|row| known.contains(&row[2])), "{rows:?}");
}

#[test]
fn the_types_of_mods_are_those_of_the_last_schema_that_lists_them() {
    let Some(shared) = crate::support::shared() else { return };
    let schema = std::fs::read_to_string(shared.join("xsd/mods/mods-3-6.xsd")).unwrap();
    let list = schema.split("name=\"resourceTypeDefinition\"").nth(1).unwrap();
    let list = list.split("</xs:simpleType>").next().unwrap();
    let values = list.split("enumeration value=\"").skip(1);
    let listed = values.map(|rest| rest.split('"').next().unwrap());
    let listed: BTreeSet<_> = listed.filter(|value| !value.is_empty()).collect();
    let rows = table("mods_types.csv", &["mods", "resource_type"]);
    let ours: BTreeSet<_> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(ours, listed);
}

#[test]
fn a_language_leads_back_to_its_marc_code_in_use() {
    let rows = table("languages.csv", &["marc", "iso639_3", "iso639_1", "name"]);
    let text = "crosswalk: x\nfrom: { format: json }\nto: { format: json }\ntables:\n  \
                language: { file: tables/languages.csv, key: marc, value: iso639_3 }\n  \
                back: { inverse_of: language, pick: { ron: rum } }\nrules: []\n";
    let folder = crate::support::project("crosswalks");
    let crosswalk = Crosswalk::parse("x.yaml".to_owned(), text.to_owned(), &folder);
    crosswalk.unwrap_or_else(|mistakes| panic!("{mistakes}"));
    // Of two letters, each language has one code, and no two the same.
    let two: Vec<_> = rows.iter().filter(|row| !row[2].is_empty()).collect();
    let pairs: HashSet<_> = two.iter().map(|row| (&row[1], &row[2])).collect();
    let codes: HashSet<_> = pairs.iter().map(|(_, two)| two).collect();
    assert_eq!(codes.len(), pairs.len());
}
