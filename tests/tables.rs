//! The tables of crosswalks: sorted, without a key twice, and true to each other.

use std::collections::{BTreeSet, HashSet};

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
