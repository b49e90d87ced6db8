//! Runs in several lanes that are killed, or whose server is, end as undisturbed ones.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::kill::{random, seed, without_attempt, write_dumps};
use crate::private_postgres::{Database, Server, database};
use crate::support::{Ended, Folder, Process, assert_same_rows, count, end, kill_when, windrow};

/// So many rounds, unless `WINDROW_TEST_ROUNDS` says otherwise.
const ROUNDS: u64 = 5;

/// What a store holds, without numbers that depend on which lane was first.
const STATE: &[(&str, &str)] = &[
    ("records", "select m::text from records_metadata m order by id"),
    (
        "revisions",
        "select format('%s %s %s %s %s %s', id, version_id, json, created, updated, operation_type) \
         from records_metadata_version order by id, version_id",
    ),
    (
        "revisions that do not follow each other",
        "select format('%s %s', id, version_id) from ( \
             select *, lead(transaction_id) over (partition by id order by version_id) as next \
             from records_metadata_version) v \
         where next is distinct from end_transaction_id",
    ),
    (
        "pids",
        // A redirect has a random UUID; where it leads is told.
        "select format('%s:%s %s %s %s %s %s', p.pid_type, p.pid_value, p.status, p.object_type, \
         case p.status when 'M' then t.pid_value else p.object_uuid::text end, p.created, \
         p.updated) from pidstore_pid p \
         left join pidstore_redirect r on p.status = 'M' and r.id = p.object_uuid \
         left join pidstore_pid t on t.id = r.pid_id order by p.pid_type, p.pid_value",
    ),
    ("recids", "select recid::text from pidstore_recid order by recid"),
    ("ledger", "select l::text from windrow_ledger l order by source_name, source_id"),
    (
        "items",
        "select format('%s %s %s %s %s %s %s %s %s', o.id, o.pid_value, o.datestamp, o.deleted, \
         o.sets, s.format, s.locator, s.hash, s.zstd) \
         from windrow_oai o left join windrow_source s on s.id = o.source order by o.id",
    ),
    (
        "source bytes of nobody",
        "select locator from windrow_source s \
         where not exists (select from windrow_oai o where o.source = s.id) order by locator",
    ),
    (
        "members",
        "select format('%s %s %s', spec, datestamp, o.id) from windrow_oai_set o \
         join windrow_set s on s.id = o.set_id order by spec, datestamp, o.id",
    ),
    ("sets", "select format('%s %s', spec, name) from oaiserver_set order by spec"),
    (
        "quarantine",
        "select format('%s %s %s %s %s %s %s', file, number, part, stage, code, message, zstd) \
         from windrow_quarantine order by file, number, part",
    ),
    (
        "things",
        "select format('%s %s %s %s', kind, key, hash, locator) from windrow_thing \
         order by kind, key",
    ),
    (
        "redirects",
        "select format('%s %s %s', pid_value, target, done) from windrow_redirect \
         order by pid_value",
    ),
    (
        "splits",
        "select format('%s %s %s %s %s %s %s', split, lane, records, done, read, account, kinds) \
         from windrow_split order by split, lane",
    ),
];

pub fn state(database: &Database) -> BTreeMap<String, Vec<String>> {
    STATE.iter().map(|(name, sql)| ((*name).to_owned(), database.texts(sql))).collect()
}

/// The dumps, read in three lanes.
fn dumps() -> Folder {
    let folder = Folder::new();
    write_dumps(&folder);
    let text = std::fs::read_to_string(folder.path("pipeline.yaml")).unwrap();
    folder.write("pipeline.yaml", text + "load: { lanes: 3 }\n");
    folder
}

/// Runs the dumps into a database; killed a moment after so many records are behind its
/// checkpoints, when that is given: then `None`.
fn attempt(dumps: &Folder, database: &Database, kill: Option<(i64, Duration)>) -> Option<Ended> {
    let mut command = windrow();
    command.arg("run").arg(dumps.path("pipeline.yaml")).arg("--json");
    command.env("WINDROW_STORE", &database.url);
    match kill {
        Some((goal, moment)) => kill_when(&mut command, || progress(database) >= goal, moment),
        None => Some(end(&mut command)),
    }
}

/// Records behind the checkpoints of a database that may not have its tables yet.
fn progress(database: &Database) -> i64 {
    let there = database.text("select (to_regclass('windrow_split') is not null)::text");
    if there == "false" {
        return 0;
    }
    let sum = "select coalesce(sum(read), 0)::text from windrow_split";
    database.text(sum).parse().unwrap()
}

#[test]
fn a_run_in_lanes_that_is_killed_and_gone_on_with_ends_as_an_undisturbed_one() {
    let Some(undisturbed) = database() else { return };
    let dumps = dumps();
    let begun = Instant::now();
    let expected_report = without_attempt(&attempt(&dumps, &undisturbed, None).unwrap().report(1));
    // Kills fall where the run gets to, at any moment of the work that follows.
    let batch = begun.elapsed() / 10;
    assert_eq!(expected_report["counts"]["read"], 5200);
    let expected = state(&undisturbed);
    for nothing in ["revisions that do not follow each other", "source bytes of nobody"] {
        assert_eq!(expected[nothing], [""; 0], "{nothing}");
    }
    let rounds = std::env::var("WINDROW_TEST_ROUNDS");
    let rounds = rounds.map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let (seed, mut kills, mut resumed) = (seed(), 0, 0);
    for round in 0..rounds {
        let database = database().unwrap();
        let what = format!("round {round} of seed {seed}");
        let random = |number: u64| random(seed, round * 10 + number);
        let mut goal = (round as f64 + random(0)) / rounds as f64 * 5000.0;
        let mut found = None;
        for again in 1..=3 {
            let kill = (goal as i64, batch.mul_f64(random(3 + again)));
            match attempt(&dumps, &database, Some(kill)) {
                Some(ended) => found = Some(ended.report(1)),
                // Killed behind its end the run is done, and there is nothing to go on with.
                None => found = report_of_done(&database),
            }
            if found.is_some() {
                break;
            }
            kills += 1;
            goal += random(again) * (5000.0 - goal);
        }
        let found = found.unwrap_or_else(|| attempt(&dumps, &database, None).unwrap().report(1));
        resumed += u64::from(found["attempt"] != 1);
        assert_eq!(without_attempt(&found), expected_report, "{what}");
        assert_same_rows(&state(&database), &expected, &what);
    }
    eprintln!("{kills} kills in {rounds} rounds, {resumed} gone on with");
    assert!(kills >= rounds && resumed > 0);
}

/// The report of the run, once that is done.
fn report_of_done(database: &Database) -> Option<Value> {
    if database.text("select (to_regclass('windrow_run') is not null)::text") == "false" {
        return None;
    }
    let reports = database.texts("select report from windrow_run where state = 'done'");
    reports.first().map(|report| serde_json::from_str(report).unwrap())
}

#[test]
fn a_run_whose_server_is_killed_and_started_again_goes_on_by_itself() {
    let Some(undisturbed) = database() else { return };
    let Some(server) = Server::start_or_say() else { return };
    let dumps = dumps();
    let expected_report = without_attempt(&attempt(&dumps, &undisturbed, None).unwrap().report(1));
    let database = server.database();
    let mut command = windrow();
    command.arg("run").arg(dumps.path("pipeline.yaml")).arg("--json");
    command.env("WINDROW_STORE", &database.url);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut process = Process(child);
    let mut kills = 0;
    for goal in [1, 1500, 3000] {
        while progress(&database) < goal && process.0.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        if process.0.try_wait().unwrap().is_none() {
            server.kill();
            kills += 1;
            server.start();
        }
    }
    let mut stdout = String::new();
    let mut stderr = String::new();
    std::io::Read::read_to_string(&mut process.0.stdout.take().unwrap(), &mut stdout).unwrap();
    std::io::Read::read_to_string(&mut process.0.stderr.take().unwrap(), &mut stderr).unwrap();
    let ended = Ended { status: process.0.wait().unwrap().code(), stdout, stderr };
    assert_eq!(kills, 3, "the run was too fast to be disturbed");
    let found = ended.report(1);
    assert_eq!(count(&found, "read"), 5200);
    assert_eq!(without_attempt(&found), expected_report);
    assert_same_rows(&state(&database), &state(&undisturbed), "killed server");
}
