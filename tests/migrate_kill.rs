//! Migrations that are killed at any moment and gone on with end as undisturbed ones.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::kill::{OF_THE_ATTEMPT, random, seed, without_attempt};
use crate::kill_postgres::state;
use crate::private_postgres::database;
use crate::quickstart::generator::invenio_v1::{Shape, write_dump};
use crate::support::{Ended, Folder, assert_same_rows, end, kill_when, project, rows, windrow};

const ROUNDS: u64 = 10;
const ROUNDS_ON_POSTGRES: u64 = 4;

/// A dump with every oddity many times over, and the pipeline that reads it.
fn dumps() -> Folder {
    let folder = Folder::new();
    let shape = Shape { seed: 5, records: 1300, revisions: 4, files: 2, file_bytes: 16, odd: true };
    write_dump(&folder.path("dump"), &shape).unwrap();
    folder.write(
        "pipeline.yaml",
        format!(
            "pipeline: moved\nsource: {{ type: invenio-v1, paths: dump/*.json }}\n\
             crosswalk: {}\nbatch: {{ records: 40 }}\n",
            project("fixtures/pipelines/brief.yaml").display()
        ),
    );
    folder
}

/// Runs the dump into a store; killed after a while, when one is given: then `None`.
fn attempt(dumps: &Folder, store: &str, kill_after: Option<Duration>) -> Option<Ended> {
    let mut command = windrow();
    command.arg("run").arg(dumps.path("pipeline.yaml")).args(["--json", "--store", store]);
    match kill_after {
        Some(moment) => kill_when(&mut command, || true, moment),
        None => Some(end(&mut command)),
    }
}

/// Kills a run up to three times and lets it end; its report, and how often it was killed.
fn disturbed(
    dumps: &Folder,
    store: &str,
    pace: Duration,
    random: impl Fn(u64) -> f64,
) -> (Value, u64) {
    let mut kills = 0;
    for again in 0..1 + (random(0) * 3.0) as u64 {
        match attempt(dumps, store, Some(pace.mul_f64(random(1 + again)))) {
            Some(ended) => return (ended.report(1), kills),
            None => kills += 1,
        }
    }
    (attempt(dumps, store, None).unwrap().report(1), kills)
}

// All rows, but for the UUIDs of redirects, which are random; where they lead is told instead.
fn kept(store: &Folder) -> BTreeMap<String, Vec<String>> {
    let omit = [OF_THE_ATTEMPT, &["pidstore_pid.object_uuid", "pidstore_redirect.id"]].concat();
    let mut tables = rows(&store.store(), &omit);
    let told = |sql: &str| store.text(sql).lines().map(str::to_owned).collect();
    let named = "select group_concat(line, char(10)) from (select pid_value || ' ' || hex(object_uuid) \
                 as line from pidstore_pid where status <> 'M' order by 1)";
    tables.insert("PIDs of records".to_owned(), told(named));
    let leading = "select group_concat(line, char(10)) from ( \
                   select p.pid_value || ' ' || t.pid_value as line from pidstore_pid p \
                   join pidstore_redirect r on r.id = p.object_uuid \
                   join pidstore_pid t on t.id = r.pid_id order by 1)";
    tables.insert("redirects".to_owned(), told(leading));
    tables
}

// Killed behind its end, a run is followed by another one, which finds nothing new.
fn is_resumed(report: &Value) -> bool {
    report["run_id"] == 1
}

#[test]
fn a_killed_migration_ends_as_an_undisturbed_one() {
    let dumps = dumps();
    let undisturbed = Folder::new();
    let begun = Instant::now();
    let report = attempt(&dumps, &undisturbed.url(), None).unwrap().report(1);
    let pace = begun.elapsed();
    for kind in ["revisions", "files", "redirects", "reserved", "users", "communities"] {
        assert!(report["kinds"][kind]["read"].as_u64() > Some(0), "{kind}: {}", report["kinds"]);
    }
    let expected = kept(&undisturbed);
    let (seed, mut kills, mut resumed) = (seed(), 0, 0);
    for round in 0..ROUNDS {
        let store = Folder::new();
        let random = |number: u64| random(seed, round * 100 + number);
        let (found, killed) = disturbed(&dumps, &store.url(), pace, random);
        kills += killed;
        if !is_resumed(&found) {
            continue;
        }
        resumed += 1;
        let what = format!("round {round} of seed {seed}");
        assert_eq!(without_attempt(&found), without_attempt(&report), "{what}");
        assert_same_rows(&kept(&store), &expected, &what);
    }
    eprintln!("{kills} kills in {ROUNDS} rounds, {resumed} gone on with");
    assert!(kills > 0 && resumed > 0);
}

#[test]
fn a_killed_migration_in_lanes_ends_as_an_undisturbed_one() {
    let Some(undisturbed) = database() else { return };
    let dumps = dumps();
    let begun = Instant::now();
    let report = attempt(&dumps, &undisturbed.url, None).unwrap().report(1);
    let pace = begun.elapsed();
    let expected = state(&undisturbed);
    let (seed, mut kills) = (seed(), 0);
    for round in 0..ROUNDS_ON_POSTGRES {
        let database = database().unwrap();
        let random = |number: u64| random(seed, round * 100 + number);
        let (found, killed) = disturbed(&dumps, &database.url, pace, random);
        kills += killed;
        if !is_resumed(&found) {
            continue;
        }
        let what = format!("round {round} of seed {seed}");
        assert_eq!(found["kinds"], report["kinds"], "{what}");
        assert_eq!(found["counts"], report["counts"], "{what}");
        assert_same_rows(&state(&database), &expected, &what);
    }
    eprintln!("{kills} kills in {ROUNDS_ON_POSTGRES} rounds");
}
