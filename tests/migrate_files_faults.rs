//! What goes wrong while files are copied: the run is killed, its location is away, a source is cut.

#![cfg(unix)]

use std::time::Instant;

use serde_json::{Value, json};

use crate::files::tree;
use crate::kill::{random, seed, without_attempt};
use crate::kill_postgres::state;
use crate::migrate::{dump, file, parts};
use crate::migrate_files::{load, one, pipeline, stored, verb};
use crate::private_postgres::{Database, database};
use crate::s3_double::S3Double;
use crate::support::{Ended, Folder, assert_same_rows, count, end, kill_when, rows};

#[test]
fn a_location_that_is_gone_ends_the_run_and_the_next_one_goes_on() {
    let folder = Folder::new();
    pipeline(&folder, "");
    let records = [one(7, &[stored(&folder, 7, 11, 1, "one meadow")])];
    std::fs::remove_dir(folder.path("kept")).unwrap();
    folder.write("records_dump_0.json", dump(&records));
    let ended = folder.run(&[]);
    assert_eq!(ended.status, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("location"), "{}", ended.stderr);
    assert_eq!(folder.text("select cast(count(*) as text) from files_location"), "0");
    std::fs::create_dir(folder.path("kept")).unwrap();
    let report = folder.run(&[]).report(0);
    assert_eq!((parts(&report, "files")[1], report["attempt"].as_u64()), (1, Some(2)));
}

/// Records with two versions of a file each, and some with one that is missing.
fn many(folder: &Folder) -> Vec<Value> {
    (1..=150)
        .map(|n| {
            let text = |version: u64| format!("file {n} {version} ").repeat(4000 + n as usize);
            let mut files: Vec<Value> = (1..=2)
                .map(|version| stored(folder, n, 1000 + n, version, &text(version)))
                .collect();
            if n % 5 == 0 {
                files.push(file(n, 5000 + n, 1, "missing.txt"));
            }
            one(n, &files)
        })
        .collect()
}

const OF_THE_ATTEMPT: &[&str] = &["windrow_run.attempt", "windrow_run.report", "windrow_setting"];

/// So many files are in a folder where files come and go.
fn files_in(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let count = |entry: std::fs::DirEntry| match entry.path().is_dir() {
        true => files_in(&entry.path()),
        false => 1,
    };
    entries.map(count).sum()
}

/// Names and content of all that is kept.
fn content(folder: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let read = |name: String| (name.clone(), std::fs::read(folder.join(name)).unwrap());
    tree(folder).into_iter().map(read).collect()
}

#[test]
fn a_run_that_is_killed_while_files_are_copied_ends_as_an_undisturbed_one() {
    let seed = seed();
    let folder = Folder::new();
    pipeline(&folder, "  parallel: 4\nbatch: { records: 10 }\n");
    let records = many(&folder);
    folder.write("records_dump_0.json", dump(&records));
    let command = |store: &str| {
        let url = format!("sqlite:{}", folder.path(store).display());
        folder.windrow(&["run", "pipeline.yaml", "--json", "--store", &url])
    };
    let begun = Instant::now();
    let undisturbed = end(&mut command("undisturbed.db")).report(1);
    // Kills fall where the run gets to, at any moment of the work that follows.
    let batch = begun.elapsed() / 10;
    let (tables, kept) =
        (rows(&folder.path("undisturbed.db"), OF_THE_ATTEMPT), content(&folder.path("kept")));
    assert_eq!(parts(&undisturbed, "files"), [330, 300, 0, 0, 30]);
    let mut killed = 0;
    for round in 0..6 {
        std::fs::remove_dir_all(folder.path("kept")).unwrap();
        std::fs::create_dir(folder.path("kept")).unwrap();
        let store = format!("round-{round}.db");
        for again in 0..3 {
            let random = |number: u64| random(seed, round * 10 + 2 * again + number);
            let goal = (round * 3 + again) as f64 + random(0);
            let reached = || files_in(&folder.path("kept")) >= (goal / 18.0 * 300.0) as usize;
            let ended = kill_when(&mut command(&store), reached, batch.mul_f64(random(1)));
            killed += u32::from(ended.is_none());
        }
        let ended = end(&mut command(&store));
        let what = format!("round {round} of seed {seed}");
        let report = ended.report(1);
        // A run that was through before it was killed is run once more.
        if report["run_id"] == undisturbed["run_id"] {
            assert_eq!(without_attempt(&report), without_attempt(&undisturbed), "{what}");
            let found = rows(&folder.path(&store), OF_THE_ATTEMPT);
            assert_same_rows(&found, &tables, &what);
        }
        let url = format!("sqlite:{}", folder.path(&store).display());
        let sweep = ["files", "sweep", "--older-than", "0s", "--remove", "--store", &url];
        verb(&folder, &sweep, 0);
        assert!(content(&folder.path("kept")) == kept, "{what}: {:?}", tree(&folder.path("kept")));
        verb(&folder, &["files", "verify", "--store", &url], 0);
    }
    eprintln!("{killed} kills in 6 rounds");
    assert!(killed > 5);
}

/// What a store on PostgreSQL holds of files.
const FILES: &[(&str, &str)] = &[
    ("locations", "select l::text from files_location l order by id"),
    ("buckets", "select b::text from files_bucket b order by id"),
    ("tags of buckets", "select t::text from files_buckettags t order by bucket_id, key"),
    ("buckets of records", "select r::text from records_buckets r order by record_id"),
    ("instances", "select f::text from files_files f order by id"),
    ("SHA-256", "select f::text from windrow_file f order by id"),
    ("versions", "select o::text from files_object o order by version_id"),
    ("tags", "select t::text from files_objecttags t order by version_id, key"),
];

fn with_files(database: &Database) -> std::collections::BTreeMap<String, Vec<String>> {
    let mut tables = state(database);
    let files = FILES.iter().map(|(name, sql)| ((*name).to_owned(), database.texts(sql)));
    tables.extend(files);
    tables
}

#[test]
fn a_run_in_lanes_that_is_killed_while_files_are_copied_ends_as_an_undisturbed_one() {
    let Some(undisturbed) = database() else { return };
    let seed = seed();
    let folder = Folder::new();
    pipeline(&folder, "  parallel: 4\nbatch: { records: 10 }\n");
    let records = many(&folder);
    folder.write("records_dump_0.json", dump(&records));
    let command = |database: &Database| {
        let url = &database.url;
        folder.windrow(&["run", "pipeline.yaml", "--json", "--store", url])
    };
    let begun = Instant::now();
    let expected = end(&mut command(&undisturbed)).report(1);
    // Kills fall where the run gets to, at any moment of the work that follows.
    let batch = begun.elapsed() / 10;
    assert_eq!(parts(&expected, "files"), [330, 300, 0, 0, 30]);
    let (tables, kept) = (with_files(&undisturbed), content(&folder.path("kept")));
    let (mut killed, mut resumed) = (0, 0);
    for round in 0..4 {
        std::fs::remove_dir_all(folder.path("kept")).unwrap();
        std::fs::create_dir(folder.path("kept")).unwrap();
        let database = database().unwrap();
        for again in 0..2 {
            let random = |number: u64| random(seed, round * 10 + 2 * again + number);
            let goal = (round * 2 + again) as f64 + random(0);
            let reached = || files_in(&folder.path("kept")) >= (goal / 8.0 * 300.0) as usize;
            let ended = kill_when(&mut command(&database), reached, batch.mul_f64(random(1)));
            killed += u32::from(ended.is_none());
        }
        let what = format!("round {round} of seed {seed}");
        let report = end(&mut command(&database)).report(1);
        // A run that was through before it was killed is run once more.
        if report["run_id"] == 1 {
            resumed += 1;
            assert_eq!(report["kinds"], expected["kinds"], "{what}");
            assert_eq!(report["counts"], expected["counts"], "{what}");
            assert_same_rows(&with_files(&database), &tables, &what);
        }
        let url = &database.url;
        let sweep = ["files", "sweep", "--older-than", "0s", "--remove", "--store", url];
        verb(&folder, &sweep, 0);
        assert!(content(&folder.path("kept")) == kept, "{what}: {:?}", tree(&folder.path("kept")));
        verb(&folder, &["files", "verify", "--store", url], 0);
    }
    eprintln!("{killed} kills in 4 rounds, {resumed} gone on with");
    assert!(killed > 2 && resumed > 0);
}

/// The recids of 1 to 9, by the lane that has them where there are two.
fn lanes() -> [Vec<u64>; 2] {
    let folder = Folder::new();
    pipeline(&folder, "");
    let records: Vec<Value> = (1..10).map(|n| one(n, &[])).collect();
    load(&folder, &records, 0);
    let ids = "select group_concat(pid_value || ' ' || hex(object_uuid)) from pidstore_pid \
               where pid_type = 'recid'";
    let mut lanes = [Vec::new(), Vec::new()];
    for line in folder.text(ids).split(',') {
        let (recid, id) = line.split_once(' ').unwrap();
        let lane = u128::from_str_radix(id, 16).unwrap() % 2;
        lanes[lane as usize].push(recid.parse().unwrap());
    }
    lanes
}

#[test]
fn what_becomes_of_a_file_is_counted_once_though_it_is_another_thing_when_the_run_goes_on() {
    let Some(database) = database() else { return };
    let [ahead, behind] = lanes();
    let folder = Folder::on(database);
    pipeline(&folder, "load: { lanes: 2 }\nbatch: { records: 1 }\n");
    let with_file = |recid: u64| {
        let file = stored(&folder, recid, 100 + recid, 1, &format!("file of {recid}"));
        one(recid, &[file])
    };
    let records = [behind[0], ahead[0], ahead[1]].map(with_file);
    folder.write("records_dump_0.json", dump(&records));
    // It makes the tables.
    verb(&folder, &["files", "location", "create", "other", "."], 0);
    folder.execute(&format!(
        "create function refuse() returns trigger language plpgsql as \
         $$ begin raise exception 'not yet'; end $$; \
         create trigger refuse before insert on files_object for each row \
         when (new.key = '{}.txt') execute function refuse();",
        100 + behind[0]
    ));
    let ended = folder.run(&[]);
    assert_eq!(ended.status, Some(2), "{}", ended.stderr);
    assert_eq!(folder.text("select count(*)::text from files_object"), "2");
    // One that was loaded already is gone when the run goes on.
    folder.execute("drop trigger refuse on files_object");
    std::fs::remove_file(folder.path(&format!("legacy/g0/{}/content.txt;1", 100 + ahead[0])))
        .unwrap();
    let uri = format!(
        "select f.uri from files_files f join files_object o on o.file_id = f.id \
         where o.key = '{}.txt'",
        100 + ahead[0]
    );
    std::fs::remove_file(folder.text(&uri)).unwrap();
    let report = folder.run(&[]).report(0);
    assert_eq!((count(&report, "created"), report["attempt"].as_u64()), (3, Some(2)));
    assert_eq!(parts(&report, "files"), [3, 3, 0, 0, 0]);
    assert_eq!(parts(&report, "bytes"), [27, 27, 0, 0, 0]);
    assert_eq!(report["reasons"], json!({}));
}

/// A pipeline whose files go into the double.
fn into_s3(folder: &Folder, more: &str) {
    pipeline(folder, more);
    let text = std::fs::read_to_string(folder.path("pipeline.yaml")).unwrap();
    folder.write("pipeline.yaml", text.replace("uri: kept", "uri: \"s3://meadow/files\""));
}

/// Runs beside the double, on a thread that may block.
async fn run(folder: &Folder, double: &S3Double) -> Ended {
    let mut command = folder.windrow(&["run", "pipeline.yaml", "--json"]);
    command.envs(double.variables());
    tokio::task::spawn_blocking(move || end(&mut command)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_s3_that_is_away_ends_the_run_at_once_and_the_next_one_goes_on() {
    for fault in [Some(500), Some(503), None] {
        let double = S3Double::start().await;
        let folder = Folder::new();
        into_s3(&folder, "  parallel: 1\n");
        let files: Vec<Value> =
            (11..16).map(|n| stored(&folder, 7, n, 1, &format!("file {n}"))).collect();
        folder.write("records_dump_0.json", dump(&[one(7, &files)]));
        match fault {
            Some(status) => double.fail_always(status),
            None => double.answer_never(),
        }
        let ended = run(&folder, &double).await;
        assert_eq!(ended.status, Some(2), "{}", ended.stderr);
        assert!(ended.stderr.contains("s3://meadow/files"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
        assert_eq!(double.asked(), 1, "{fault:?}: no other file is tried");
        double.recover();
        double.fail_next(&[500, 503]);
        let report = run(&folder, &double).await.report(0);
        assert_eq!(parts(&report, "files"), [5, 5, 0, 0, 0]);
        assert_eq!(report["attempt"], 2);
        assert_eq!(double.objects().lock().unwrap().len(), 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_cut_off_while_it_is_copied_is_held_and_leaves_nothing() {
    const SIZE: u64 = 96 * 1024 * 1024;
    let double = S3Double::start().await;
    let folder = Folder::new();
    into_s3(&folder, "");
    let mut large = stored(&folder, 7, 11, 1, "");
    large["size"] = SIZE.into();
    let path = folder.path("legacy/g0/11/content.txt;1");
    let open = move || std::fs::File::options().write(true).open(&path).unwrap();
    open().set_len(SIZE).unwrap();
    double.before_first_part(move || open().set_len(0).unwrap());
    let records = [one(7, &[large, stored(&folder, 7, 12, 1, "good")])];
    folder.write("records_dump_0.json", dump(&records));
    let report = run(&folder, &double).await.report(1);
    assert_eq!(parts(&report, "files"), [2, 1, 0, 0, 1]);
    assert_eq!(report["reasons"], json!({ "files files.size": 1 }));
    assert_eq!((double.objects().lock().unwrap().len(), double.open_uploads()), (1, 0));
}

#[test]
fn a_member_of_an_archive_that_is_cut_off_is_held() {
    let folder = Folder::new();
    pipeline(&folder, "");
    let text = std::fs::read_to_string(folder.path("pipeline.yaml")).unwrap();
    folder.write("pipeline.yaml", text.replace("files: legacy }", "files: legacy.tar }"));
    let whole = "whole ".repeat(500);
    let cut = "cut off ".repeat(500);
    let records = [one(7, &[stored(&folder, 7, 11, 1, &whole), stored(&folder, 7, 12, 1, &cut)])];
    let path = folder.path("legacy.tar");
    let mut tar = tar::Builder::new(std::fs::File::create(&path).unwrap());
    for name in ["g0/11/content.txt;1", "g0/12/content.txt;1"] {
        tar.append_path_with_name(folder.path("legacy").join(name), name).unwrap();
    }
    tar.finish().unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_len(3 * 512 + 4000).unwrap();
    let report = load(&folder, &records, 1);
    assert_eq!(parts(&report, "files"), [2, 1, 0, 0, 1]);
    assert_eq!(report["reasons"], json!({ "files files.size": 1 }));
    assert_eq!(tree(&folder.path("kept")).len(), 1);
}

#[test]
fn bytes_stay_when_nobody_knows_whether_their_file_was_written() {
    let Some(database) = database() else { return };
    let folder = Folder::on(database);
    pipeline(&folder, "");
    load(&folder, &[one(7, &[])], 0);
    folder.write("plan.txt", "the plan");
    let put = ["files", "put", "7", "plan.txt"];
    verb(&folder, &put, 0);
    assert_eq!(tree(&folder.path("kept")).len(), 1);
    // The bucket takes nothing: that is known.
    folder.execute("update files_bucket set locked = true");
    verb(&folder, &put, 2);
    assert_eq!(tree(&folder.path("kept")).len(), 1);
    // The connection is lost while the transaction commits.
    folder.execute(
        "update files_bucket set locked = false; \
         create function cut() returns trigger language plpgsql as \
         $$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$; \
         create constraint trigger cut after insert on files_object \
         deferrable initially deferred for each row execute function cut();",
    );
    let ended = end(&mut folder.windrow(&put));
    assert!(matches!(ended.status, Some(2 | 75)), "{ended:?}");
    assert_eq!(tree(&folder.path("kept")).len(), 2, "{}", ended.stderr);
    verb(&folder, &["files", "sweep", "--older-than", "0s", "--remove"], 0);
    assert_eq!(tree(&folder.path("kept")).len(), 1);
}
