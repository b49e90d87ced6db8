//! Who may see what: rules of Invenio v1 through the real command, closed wherever there is doubt.

use serde_json::{Value, json};

use crate::migrate::{dump, file, on_every_keeper, pipeline, record, revision, run};
use crate::migrate_files;
use crate::support::{Folder, end};

const NIGHT: &str = "2014-10-13T08:27:47+00:00";

fn with_status(mut file: Value, status: &str) -> Value {
    file["status"] = status.into();
    file
}

fn folder_of(folder: &Folder) {
    let plain = |recid: u64, files: &[Value]| {
        let past = revision("2012-01-01T00:00:00+00:00", recid, "Before", "");
        record(recid, &[past, revision(NIGHT, recid, "Now", "")], files)
    };
    let board = "firerole: allow group \"board\"\r\nallow email \"Ada@example.org\"";
    let mut minutes = plain(4, &[]);
    minutes["collections"] = json!({
        "all": ["Minutes"],
        "restricted": { "Minutes": { "fireroles": ["allow group 'board'"], "users": [] } },
    });
    let records = [
        plain(1, &[file(1, 11, 1, "open.txt")]),
        plain(2, &[with_status(file(2, 12, 1, "a.txt"), board), file(2, 13, 1, "b.txt")]),
        plain(3, &[with_status(file(3, 14, 1, "c.txt"), "firerole: let them in")]),
        minutes,
    ];
    folder.write("records_dump_0.json", dump(&records));
    pipeline(folder, ", timezone: UTC");
}

#[test]
fn what_is_restricted_or_not_understood_is_closed_in_all_revisions_and_listed() {
    on_every_keeper(|folder| {
        folder_of(&folder);
        let report = run(&folder, 0);
        let expected = json!({ "not_understood": 1, "restricted": 2 });
        assert_eq!(report["access"], expected, "{report}");
        let of = |recid: u64, member: &str| {
            let shown =
                end(&mut folder.windrow(&["records", "get", &recid.to_string(), "--content"]))
                    .stdout;
            let record: Value = serde_json::from_str(&shown).unwrap();
            record[member].clone()
        };
        assert_eq!((of(1, "access"), of(1, "_access")), (Value::Null, Value::Null));
        assert_eq!(of(2, "access"), json!({ "record": "public", "files": "restricted" }));
        assert_eq!(of(2, "_access"), json!({ "files": { "a.txt": ["ada@example.org", "board"] } }));
        assert_eq!(of(3, "_access"), json!({ "files": { "c.txt": [] } }));
        assert_eq!(of(4, "access"), json!({ "record": "restricted", "files": "restricted" }));
        assert_eq!(of(4, "_access"), json!({ "read": ["board"] }));
        // Whoever goes back to the first revision opens nothing.
        let reverted = end(&mut folder.windrow(&["records", "revert", "4", "0"]));
        assert_eq!(reverted.status, Some(0), "{}", reverted.stderr);
        assert_eq!(of(4, "access"), json!({ "record": "restricted", "files": "restricted" }));

        let listed = end(&mut folder.windrow(&["access", "--outcome", "not_understood", "--json"]));
        let line: Value = serde_json::from_str(&listed.stdout).unwrap();
        assert_eq!((&line["record"], &line["part"]), (&json!("3"), &json!("file c.txt version 1")));
        assert_eq!(line["said"], "firerole: let them in");
        let mistake = line["rights"]["mistake"].as_str().unwrap();
        assert!(mistake.contains("expected `allow` or `deny`"), "{mistake}");
        let all = end(&mut folder.windrow(&["access"])).stdout;
        assert_eq!(all.lines().count(), 3, "{all}");
    });
}

#[test]
fn a_restricted_record_is_given_to_no_harvester() {
    let folder = Folder::new();
    folder_of(&folder);
    run(&folder, 0);
    let listed = folder.text(
        "select group_concat(pid_value, ' ') from windrow_oai where deleted = 0 order by pid_value",
    );
    assert_eq!(listed, "1 2 3");
}

#[test]
fn a_dump_that_does_not_tell_of_collections_opens_no_record() {
    on_every_keeper(|folder| {
        let told = |date: &str, title: &str, restricted: Value| {
            let mut minutes = record(4, &[revision(date, 4, title, "")], &[]);
            minutes["collections"] = json!({ "all": ["Minutes"], "restricted": restricted });
            minutes
        };
        let untold = |date: &str, title: &str| record(4, &[revision(date, 4, title, "")], &[]);
        let load = |record: Value| {
            folder.write("records_dump_0.json", dump(&[record]));
            run(&folder, 0)
        };
        let record_4 = || -> Value {
            let shown = end(&mut folder.windrow(&["records", "get", "4", "--content"])).stdout;
            serde_json::from_str(&shown).unwrap()
        };
        let notes = || end(&mut folder.windrow(&["access"])).stdout.lines().count();
        pipeline(&folder, ", timezone: UTC");
        let board = json!({ "Minutes": { "fireroles": ["allow group 'board'"], "users": [] } });
        load(told(NIGHT, "One", board.clone()));
        let closed = json!({ "record": "restricted", "files": "restricted" });
        let readers = json!({ "read": ["board"] });
        assert_eq!((&record_4()["access"], &record_4()["_access"]), (&closed, &readers));

        let again = load(untold(NIGHT, "One"));
        assert_eq!(again["counts"]["unchanged"], 1, "{again}");
        assert_eq!(again["account"]["warnings"]["invenio_v1.no_collections"], 1, "{again}");
        load(untold("2015-01-01T00:00:00+00:00", "Two"));
        assert_eq!(record_4()["title"], "Two");
        assert_eq!((&record_4()["access"], &record_4()["_access"]), (&closed, &readers));
        assert_eq!(notes(), 1);
        let again = load(told("2015-01-01T00:00:00+00:00", "Two", board.clone()));
        assert_eq!(again["counts"]["unchanged"], 1, "{again}");

        // What is told opens it again, and that is remembered.
        load(told("2016-01-01T00:00:00+00:00", "Three", json!({})));
        assert_eq!((record_4().get("access"), notes()), (None, 0));
        load(untold("2017-01-01T00:00:00+00:00", "Four"));
        assert_eq!(record_4().get("access"), None);

        pipeline(&folder, ", timezone: UTC, unknown_collections: closed");
        load(untold("2018-01-01T00:00:00+00:00", "Five"));
        assert_eq!((&record_4()["access"], &record_4()["_access"]["read"]), (&closed, &json!([])));
        // What is known of it is more than that nothing is known.
        load(told("2019-01-01T00:00:00+00:00", "Six", board.clone()));
        load(untold("2020-01-01T00:00:00+00:00", "Seven"));
        assert_eq!((&record_4()["access"], &record_4()["_access"]), (&closed, &readers));
    });
}

#[test]
fn files_that_come_without_their_record_do_not_hide_that_it_is_restricted() {
    on_every_keeper(|folder| {
        migrate_files::pipeline(&folder, "");
        let file = migrate_files::stored(&folder, 7, 11, 1, "open");
        let with_files = |revisions: &[Value]| {
            let mut record = record(7, revisions, std::slice::from_ref(&file));
            record["collections"] = json!({
                "all": ["Board"],
                "restricted": { "Board": { "fireroles": ["allow group 'board'"], "users": [] } },
            });
            record
        };
        migrate_files::load(&folder, &[migrate_files::one(7, &[])], 0);
        let held = migrate_files::load(&folder, &[with_files(&[])], 1);
        assert_eq!(held["reasons"]["load access"], 1, "{held}");
        // Once it is known that it is, they may come alone.
        let whole = with_files(&[revision("2015-01-01T00:00:00+00:00", 7, "Newer", "")]);
        migrate_files::load(&folder, &[whole], 0);
        migrate_files::load(&folder, &[with_files(&[])], 0);
    });
}

#[test]
fn a_file_that_comes_later_and_alone_closes_those_of_its_record() {
    on_every_keeper(|folder| {
        migrate_files::pipeline(&folder, "");
        let first = migrate_files::stored(&folder, 7, 11, 1, "open");
        migrate_files::load(&folder, &[migrate_files::one(7, std::slice::from_ref(&first))], 0);
        let record_7 = || -> Value {
            let shown = end(&mut folder.windrow(&["records", "get", "7", "--content"])).stdout;
            serde_json::from_str(&shown).unwrap()
        };
        assert_eq!(record_7().get("access"), None);
        let closed = json!({ "record": "public", "files": "restricted" });
        let late = with_status(migrate_files::stored(&folder, 7, 12, 1, "late"), "restricted");
        let report =
            migrate_files::load(&folder, &[record(7, &[], std::slice::from_ref(&late))], 0);
        assert_eq!(report["counts"]["updated"], 1, "{report}");
        assert_eq!(record_7()["access"], closed);
        assert_eq!(record_7()["_access"], json!({ "files": { "12.txt": [] } }));
        let listed = end(&mut folder.windrow(&["access"])).stdout;
        assert!(listed.contains("file 12.txt version 1"), "{listed}");
        let again = migrate_files::load(&folder, &[record(7, &[], &[late])], 0);
        assert_eq!(again["counts"]["unchanged"], 1, "{again}");
        // A dump of changes since a date has the record, and of its files none or one that is open.
        for (date, files) in [
            ("2015-01-01T00:00:00+00:00", vec![]),
            ("2016-01-01T00:00:00+00:00", vec![first.clone()]),
        ] {
            let newer = record(7, &[revision(date, 7, "Newer", "")], &files);
            migrate_files::load(&folder, &[newer], 0);
            assert_eq!(record_7()["title"], "Newer");
            assert_eq!(record_7()["access"], closed, "{date}");
            assert_eq!(record_7()["_access"], json!({ "files": { "12.txt": [] } }), "{date}");
        }
        // A file that is there already and is restricted from now on.
        let first = with_status(first, "role: staff");
        migrate_files::load(&folder, &[record(7, &[], &[first])], 0);
        let files = json!({ "files": { "11.txt": [], "12.txt": [] } });
        assert_eq!(record_7()["_access"], files);
        let listed = end(&mut folder.windrow(&["access"])).stdout;
        assert_eq!(listed.lines().count(), 2, "{listed}");
    });
}

#[test]
fn who_may_read_a_file_may_do_so_when_a_later_dump_has_the_record_without_it() {
    on_every_keeper(|folder| {
        migrate_files::pipeline(&folder, "");
        let file =
            |status: &str| with_status(migrate_files::stored(&folder, 7, 11, 1, "it"), status);
        let dumped = |date: &str, files: &[Value]| {
            let records = [record(7, &[revision(date, 7, date, "")], files)];
            migrate_files::load(&folder, &records, 0);
            let shown = end(&mut folder.windrow(&["records", "get", "7", "--content"])).stdout;
            let record: Value = serde_json::from_str(&shown).unwrap();
            (record["access"].clone(), record["_access"].clone())
        };
        let restricted = json!({ "record": "public", "files": "restricted" });
        let readers = json!({ "files": { "11.txt": ["board"] } });
        let until = "firerole: deny until '2999-01-01'\nallow any";
        assert_eq!(dumped(NIGHT, &[file("group: board")]), (restricted.clone(), readers.clone()));
        assert_eq!(dumped("2015-01-01T00:00:00+00:00", &[]), (restricted.clone(), readers));
        let (embargo, _) = dumped("2016-01-01T00:00:00+00:00", &[file(until)]);
        assert_eq!(embargo["embargo"], json!({ "active": true, "until": "2999-01-01" }));
        // Nothing is said of the day any more: nothing opens by itself.
        let nobody = json!({ "files": { "11.txt": [] } });
        assert_eq!(dumped("2017-01-01T00:00:00+00:00", &[]), (restricted, nobody));
        // What the source has opened is open.
        let open = dumped("2018-01-01T00:00:00+00:00", &[file("")]);
        assert_eq!(open, (Value::Null, Value::Null));
    });
}
