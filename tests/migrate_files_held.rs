//! Files of dumps of Invenio v1 that are not what they should be: each held by itself, on both
//! keepers.

use serde_json::{Value, json};

use crate::files::tree;
use crate::migrate::{dump, file, on_every_keeper, parts, record};
use crate::migrate_files::{heads, load, one, pipeline, stored, verb};
use crate::support::{count, end};

const OPT: &str = "/opt/legacy/var/data/files";

#[test]
fn a_file_that_is_not_what_it_should_be_is_held_by_itself_and_loaded_once_it_is() {
    on_every_keeper(|folder| {
        pipeline(&folder, "");
        let missing = stored(&folder, 7, 11, 1, "missing");
        std::fs::remove_file(folder.path("legacy/g0/11/content.txt;1")).unwrap();
        let short = stored(&folder, 7, 12, 1, "too short");
        folder.write("legacy/g0/12/content.txt;1", "too");
        let other = stored(&folder, 7, 13, 1, "other");
        folder.write("legacy/g0/13/content.txt;1", "outer");
        let mut climbing = stored(&folder, 7, 14, 1, "climbing");
        climbing["full_path"] = format!("{OPT}/../../secret").into();
        let mut unmapped = stored(&folder, 7, 15, 1, "unmapped");
        unmapped["full_path"] = "/elsewhere/15".into();
        let good = stored(&folder, 7, 16, 1, "good");
        let records = [one(7, &[missing, short, other, climbing, unmapped, good])];
        let report = load(&folder, &records, 1);
        assert_eq!((count(&report, "created"), count(&report, "quarantined")), (1, 0));
        assert_eq!(parts(&report, "files"), [6, 1, 0, 0, 5]);
        let bytes = parts(&report, "bytes");
        assert_eq!(bytes[0], bytes[1] + bytes[4]);
        for code in ["missing", "size", "checksum", "escape", "unmapped"] {
            assert_eq!(report["reasons"][format!("files files.{code}")], 1, "{code}: {report}");
        }
        let listed = verb(&folder, &["quarantine", "list"], 0);
        assert_eq!(listed.lines().count(), 5, "{listed}");
        assert!(
            listed.contains("file 12.txt version 1: ")
                && listed.contains("has 3 bytes, expected 9")
        );
        assert_eq!(tree(&folder.path("kept")).len(), 1);
        // Two are there now.
        stored(&folder, 7, 11, 1, "missing");
        stored(&folder, 7, 12, 1, "too short");
        let report = load(&folder, &records, 1);
        assert_eq!((count(&report, "updated"), count(&report, "unchanged")), (1, 0));
        assert_eq!(parts(&report, "files"), [6, 2, 1, 0, 3]);
        assert_eq!(heads(&folder, 7).len(), 3);
        assert_eq!(verb(&folder, &["quarantine", "list"], 0).lines().count(), 3);
    });
}

#[test]
fn a_locked_bucket_takes_no_file_and_those_it_has_are_closed_all_the_same() {
    on_every_keeper(|folder| {
        pipeline(&folder, "");
        let mut there = stored(&folder, 7, 11, 1, "there");
        load(&folder, &[one(7, std::slice::from_ref(&there))], 0);
        folder.text("update files_bucket set locked = true returning 'done'");
        there["status"] = "restricted".into();
        // Alone: the record itself says nothing of them.
        let files = [there, stored(&folder, 7, 12, 1, "new")];
        let report = load(&folder, &[record(7, &[], &files)], 1);
        assert_eq!(parts(&report, "files"), [2, 0, 1, 0, 1]);
        assert_eq!(count(&report, "updated"), 1);
        let shown = verb(&folder, &["records", "get", "--content", "7"], 0);
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(shown["access"]["files"], "restricted", "{shown}");
        assert_eq!(shown["_access"]["files"], json!({ "11.txt": [] }));
        let listed = verb(&folder, &["files", "list", "7"], 0);
        assert!(listed.contains("\"restricted\":\"true\""), "{listed}");
        let held = verb(&folder, &["quarantine", "list"], 0);
        assert!(held.contains("file 12.txt version 1: bucket"), "{held}");
    });
}

#[test]
fn a_reference_is_compared_with_what_its_source_says_each_time() {
    on_every_keeper(|folder| {
        pipeline(&folder, "  mode: reference\n");
        let file = stored(&folder, 7, 11, 1, "one meadow");
        load(&folder, &[one(7, std::slice::from_ref(&file))], 0);
        let mut other = file.clone();
        other["checksum"] = "098f6bcd4621d373cade4e832627b4f6".into();
        let report = load(&folder, &[one(7, &[other])], 1);
        assert_eq!(report["reasons"]["files files.checksum"], 1, "{report}");
        let mut longer = file;
        longer["size"] = 11.into();
        let report = load(&folder, &[one(7, &[longer])], 1);
        assert_eq!(report["reasons"]["files files.size"], 1, "{report}");
    });
}

#[test]
fn two_paths_to_one_place_are_one_reference_and_a_url_is_none() {
    on_every_keeper(|folder| {
        pipeline(&folder, "  mode: reference\n");
        let text = std::fs::read_to_string(folder.path("pipeline.yaml")).unwrap();
        let mapped = format!("{OPT}: legacy, /old: legacy ");
        folder.write("pipeline.yaml", text.replace(&format!("{OPT}: legacy "), &mapped));
        let one_path = stored(&folder, 7, 11, 1, "one meadow");
        let mut other_path = one_path.clone();
        other_path["bibdocid"] = 12.into();
        other_path["full_name"] = "12.txt".into();
        other_path["full_path"] = "/old/g0/11/content.txt;1".into();
        let mut url = file(7, 13, 1, "13.txt");
        url["full_path"] = "".into();
        let records = [one(7, &[one_path, other_path, url])];
        folder.write("records_dump_0.json", dump(&records));
        let dry = folder.run(&["--dry-run"]).report(1);
        let report = load(&folder, &records, 1);
        assert_eq!(parts(&report, "files"), [3, 2, 0, 0, 1]);
        assert_eq!(parts(&dry, "files"), parts(&report, "files"));
        assert_eq!(report["reasons"]["files files.reference_url"], 1, "{report}");
        assert_eq!(folder.text("select cast(count(*) as text) from files_files"), "1");
        assert_eq!(verb(&folder, &["files", "get", "7", "12.txt"], 0), "one meadow");
    });
}

#[test]
fn an_entry_that_is_no_file_is_held_by_itself_and_closed_where_its_access_is_unknown() {
    on_every_keeper(|folder| {
        pipeline(&folder, "");
        let mut no_size = stored(&folder, 7, 12, 1, "no size");
        no_size["size"] = "seven".into();
        let mut no_status = stored(&folder, 8, 13, 1, "no status");
        no_status["status"] = json!(["restricted"]);
        let records = [
            one(7, &[stored(&folder, 7, 11, 1, "good"), no_size]),
            one(8, &[no_status, json!(5)]),
            one(9, &[]),
        ];
        let report = load(&folder, &records, 1);
        assert_eq!((count(&report, "created"), count(&report, "quarantined")), (3, 0));
        assert_eq!(parts(&report, "files"), [4, 1, 0, 0, 3]);
        assert_eq!(report["reasons"]["decode invenio_v1.type"], 3, "{report}");
        let held = verb(&folder, &["quarantine", "list"], 0);
        assert!(held.contains("file entry 2: files[1].size is \"seven\""), "{held}");
        assert_eq!(heads(&folder, 7).len(), 1);
        let access = |recid: &str| {
            let shown = verb(&folder, &["records", "get", "--content", recid], 0);
            serde_json::from_str::<Value>(&shown).unwrap()["access"]["files"].clone()
        };
        assert_eq!((access("7"), access("8")), (Value::Null, json!("restricted")));
        // Taken through again, each stays what it is.
        let line = ["quarantine", "redrive", "pipeline.yaml", "--json"];
        let again = end(&mut folder.windrow(&line)).report(1);
        assert_eq!(parts(&again, "files"), [3, 0, 0, 0, 3]);
        assert_eq!(verb(&folder, &["quarantine", "list"], 0).lines().count(), 3);
    });
}

#[test]
fn each_version_that_is_held_is_held_by_a_name_of_its_own_and_alone() {
    on_every_keeper(|folder| {
        pipeline(&folder, "");
        let mut files: Vec<Value> =
            [(11, 1), (11, 2), (12, 1), (13, 1)].map(|(n, v)| file(7, n, v, "a.txt")).to_vec();
        files[3]["full_name"] = "b.txt".into();
        let report = load(&folder, &[one(7, &files)], 1);
        assert_eq!(parts(&report, "files"), [4, 0, 0, 0, 4]);
        let names = [
            "file a.txt version 1: ",
            "file a.txt version 2: ",
            "file a_12.txt version 1: ",
            "file b.txt version 1: ",
        ];
        let held = verb(&folder, &["quarantine", "list"], 0);
        assert_eq!(held.lines().count(), 4, "{held}");
        for name in names {
            assert!(held.contains(name), "{name}: {held}");
        }
        let shown = verb(&folder, &["quarantine", "show", "2"], 0);
        assert!(shown.contains("record"), "{shown}");
        // One is back; it alone is read, and the others stay.
        stored(&folder, 7, 11, 2, "test");
        let line = ["quarantine", "redrive", "pipeline.yaml", "--json"];
        let report = end(&mut folder.windrow(&line)).report(1);
        assert_eq!(parts(&report, "files"), [4, 1, 0, 0, 3], "{report}");
        assert_eq!(parts(&report, "revisions"), [0; 5]);
        let held = verb(&folder, &["quarantine", "list"], 0);
        assert_eq!(held.lines().count(), 3, "{held}");
        assert!(!held.contains(names[1]) && held.contains(names[2]), "{held}");
        assert_eq!(verb(&folder, &["files", "get", "7", "a.txt"], 0), "test");
    });
}

#[test]
fn a_file_that_comes_back_alone_still_tells_what_is_known_of_its_record() {
    on_every_keeper(|folder| {
        pipeline(&folder, "");
        let text = std::fs::read_to_string(folder.path("pipeline.yaml")).unwrap();
        let closed = "timezone: UTC, unknown_collections: closed";
        folder.write("pipeline.yaml", text.replace("timezone: UTC", closed));
        let mut open = one(7, &[file(7, 11, 1, "a.txt")]);
        open["collections"] = json!({ "all": ["Fields"], "restricted": {} });
        load(&folder, &[open], 1);
        stored(&folder, 7, 11, 1, "test");
        let line = ["quarantine", "redrive", "pipeline.yaml", "--json"];
        let report = end(&mut folder.windrow(&line)).report(0);
        assert_eq!(parts(&report, "files"), [1, 1, 0, 0, 0], "{report}");
        let shown = verb(&folder, &["records", "get", "--content", "7"], 0);
        assert!(!shown.contains("restricted"), "{shown}");
    });
}
