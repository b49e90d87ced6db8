//! One store harvests another through its changes and deletions: in the end they are equal.

use std::collections::BTreeMap;
use std::process::Command;

use proptest::prelude::*;

use crate::endpoint_on_stores::Server;
use crate::support::{Ended, Folder, Process, end, project, read};

/// What happens to one record in one round.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Write(u8),
    Delete,
}

const CROSSWALK: &str = "\
crosswalk: hay
version: 1
from: { format: json }
to: { format: json }
rules:
  - { id: id, to: id, from: $.id }
  - { id: title, to: metadata.title, from: $.title }
  - { id: deleted, to: deleted, let: { gone: { from: $.gone } }, when: \"gone == 'yes'\", const: true }
";

/// By number: its title, or that it is deleted.
type Meadow = BTreeMap<u8, Option<u8>>;

fn dump(meadow: &Meadow) -> String {
    let line = |(number, title): (&u8, &Option<u8>)| match title {
        Some(title) => format!("{{\"id\":\"m{number}\",\"title\":\"Hay {title}\"}}\n"),
        None => format!("{{\"id\":\"m{number}\",\"title\":\"Gone\",\"gone\":\"yes\"}}\n"),
    };
    meadow.iter().map(line).collect()
}

// By the real clock: datestamps are what a harvester goes by.
fn run(folder: &Folder) -> Command {
    let mut command = folder.windrow(&["run", "pipeline.yaml", "--json"]);
    command.env_remove("SOURCE_DATE_EPOCH").env("NO_PROXY", "*");
    command
}

fn held(folder: &Folder) -> BTreeMap<String, String> {
    let connection = read(&folder.store()).unwrap();
    let sql = "select l.source_id, m.json from windrow_ledger l \
               join records_metadata m on m.id = l.record_id where m.json is not null";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).unwrap();
    rows.map(|row| {
        let (source, json): (String, String) = row.unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let number = source.rsplit(':').next().unwrap().to_owned();
        (number, json["metadata"]["title"].as_str().unwrap().to_owned())
    })
    .collect()
}

fn check(history: &[Vec<(u8, Deed)>], page_size: u32) {
    let (first, second) = (Folder::new(), Folder::new());
    first.write("hay.yaml", CROSSWALK);
    first.write(
        "pipeline.yaml",
        "pipeline: hay\nsource: { format: json_lines, paths: hay.jsonl }\n\
         crosswalk: hay.yaml\nbatch: { records: 3 }\n",
    );
    first.write("hay.jsonl", dump(&Meadow::from([(0, Some(0))])));
    let well = |ended: Ended| assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    well(end(&mut run(&first)));
    let server = Server::start_now(&first, page_size);
    second.write(
        "pipeline.yaml",
        format!(
            "pipeline: twin\nsource: {{ type: oai-pmh, url: 'http://{}/oai' }}\ncrosswalk: {}\n",
            server.address,
            project("crosswalks/oai_dc-to-record.yaml").display()
        ),
    );
    let mut meadow = Meadow::from([(0, Some(0))]);
    for round in history {
        for (number, deed) in round {
            match deed {
                Deed::Write(title) => drop(meadow.insert(*number, Some(*title))),
                // What was never there cannot be deleted.
                Deed::Delete if meadow.contains_key(number) => drop(meadow.insert(*number, None)),
                Deed::Delete => {}
            }
        }
        first.write("hay.jsonl", dump(&meadow));
        let mut loading = Process(run(&first).stdout(std::process::Stdio::null()).spawn().unwrap());
        // While the one loads, the other harvests.
        well(end(&mut run(&second)));
        assert!(loading.0.wait().unwrap().success());
    }
    well(end(&mut run(&second)));
    let live = meadow
        .iter()
        .filter_map(|(number, title)| Some((format!("m{number}"), format!("Hay {}", (*title)?))));
    assert_eq!(held(&second), live.collect());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn two_stores_become_equal(
        history in prop::collection::vec(
            prop::collection::vec(
                (0_u8..12, prop_oneof![3 => (0_u8..200).prop_map(Deed::Write), 1 => Just(Deed::Delete)]),
                1..8,
            ),
            1..5,
        ),
        page_size in 1_u32..5,
    ) {
        check(&history, page_size);
    }
}
