//! `windrow audit`: a dump is compared with the store, and whatever is not as it came is told.

use serde_json::{Value, json};

use crate::migrate::{dump, on_every_keeper, record, revision};
use crate::migrate_files::{pipeline, stored};
use crate::support::{Folder, end};

const EARLY: &str = "2012-01-01T00:00:00+00:00";
const NIGHT: &str = "2014-10-13T08:27:47+00:00";

fn audit(folder: &Folder, status: i32) -> Value {
    end(&mut folder.windrow(&["audit", "pipeline.yaml", "--json"])).report(status)
}

/// What differs: record, part and how, in a line each.
fn told(audit: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for differing in audit["differing"].as_array().unwrap() {
        for difference in differing["differences"].as_array().unwrap() {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let parts = [&differing["record"], &difference["part"], &difference["what"]];
            lines.push(parts.map(text).join("; "));
        }
    }
    lines
}

fn counts(audit: &Value) -> [u64; 5] {
    ["read", "equal", "held", "different", "repeated"].map(|key| audit[key].as_u64().unwrap())
}

fn merged(recid: u64, into: &str) -> Value {
    let more = format!(
        "<datafield tag=\"970\" ind1=\" \" ind2=\" \"><subfield code=\"d\">{into}</subfield>\
         </datafield><datafield tag=\"980\" ind1=\" \" ind2=\" \"><subfield code=\"c\">DELETED\
         </subfield></datafield>"
    );
    record(recid, &[revision(NIGHT, recid, "Merged", &more)], &[])
}

fn records(folder: &Folder) -> Vec<Value> {
    let mut restricted = stored(folder, 2, 21, 1, "closed");
    restricted["status"] = "restricted".into();
    let mut deleted = stored(folder, 2, 22, 1, "gone");
    deleted["status"] = "DELETED".into();
    let past = |recid: u64| revision(EARLY, recid, "Before", "");
    vec![
        record(1, &[past(1), revision(NIGHT, 1, "One", "")], &[]),
        record(
            2,
            &[past(2), revision(NIGHT, 2, "Two", "")],
            &[
                stored(folder, 2, 20, 1, "first"),
                stored(folder, 2, 20, 2, "second"),
                restricted,
                deleted,
            ],
        ),
        record(3, &[revision(NIGHT, 3, "Three", "")], &[]),
        merged(4, "1"),
        record(5, &[], &[]),
        json!({ "id": "harbors", "id_user": 1, "title": "Harbors", "description": "", "page": "",
                "curation_policy": "", "last_record_accepted": NIGHT, "logo_ext": "0",
                "ranking": 0, "fixed_points": 0, "created": NIGHT, "last_modified": NIGHT,
                "id_collection": 4, "id_collection_provisional": 5, "id_oairepository": 6 }),
    ]
}

#[test]
fn a_migration_is_equal_to_its_dump_and_what_is_changed_behind_it_is_told() {
    on_every_keeper(|folder| {
        pipeline(&folder, "load:\n  pids: [ { minter: path, type: doi, path: \"$.doi\" } ]\n");
        let mut items = records(&folder);
        folder.write("records_dump_0.json", dump(&items));
        folder.run(&[]).report(0);
        let equal = audit(&folder, 0);
        assert_eq!(counts(&equal), [6, 6, 0, 0, 0], "{equal}");
        assert_eq!(told(&equal), [""; 0]);
        let all = |kind: &str| equal["kinds"][kind]["equal"].as_u64();
        let kinds = ["revisions", "files", "pids", "redirects", "reserved", "communities"];
        assert_eq!(kinds.map(all), [6, 4, 3, 1, 1, 1].map(Some), "{equal}");

        // The dump has more and other things than what was loaded.
        items[0]["record"][1]["marcxml"] = revision(NIGHT, 1, "Another", "")["marcxml"].clone();
        items[0]["record"]
            .as_array_mut()
            .unwrap()
            .insert(1, revision("2013-01-01T00:00:00+00:00", 1, "Between", ""));
        items[1]["files"][0]["checksum"] = "098f6bcd4621d373cade4e832627b4f6".into();
        items[1]["files"][1]["size"] = 7.into();
        items[1]["files"][2]["version"] = 9.into();
        items[3] = merged(4, "3");
        items.push(record(6, &[revision(NIGHT, 6, "Six", "")], &[]));
        items.push(record(7, &[], &[]));
        items.remove(2);
        folder.write("records_dump_0.json", dump(&items));
        let different = audit(&folder, 1);
        assert_eq!(counts(&different), [7, 2, 0, 5, 0], "{different}");
        assert_eq!(
            told(&different),
            [
                "1; revision 2; the store has no revision of its date",
                "1; revision 3; title (something else in the store)",
                "2; file 20.txt version 1; its checksum is md5:098f6bcd4621d373cade4e832627b4f6 in \
                 the source, md5:8b04d5e3775d298e78455efc5ca404d5 in the store",
                "2; file 20.txt version 2; it has 7 bytes in the source, 6 in the store",
                "2; file 21.txt version 9; it is not in the store",
                "4; PID recid:4; it does not lead to recid:3",
                "6; record; it is not in the store",
                "7; PID recid:7; it is not reserved",
            ]
        );
        assert_eq!(different["only_in_store_first"], json!(["3"]));
        // What the pipeline may leave out is counted.
        pipeline(&folder, "  missing: skip\n");
        let skipped = audit(&folder, 1);
        assert_eq!(skipped["kinds"]["files"]["skipped"], 1, "{skipped}");
        assert!(!told(&skipped).iter().any(|line| line.contains("21.txt")), "{skipped}");
    });
}

#[test]
fn what_is_held_is_told_as_held_and_what_was_dismissed_as_lost() {
    on_every_keeper(|folder| {
        pipeline(&folder, "");
        let mut missing = stored(&folder, 2, 20, 1, "first");
        missing["full_path"] = "/opt/nowhere".into();
        let broken = revision(EARLY, 3, "<", "");
        let items = [
            record(1, &[revision("someday", 1, "Undated", "")], &[]),
            record(2, &[revision(NIGHT, 2, "Two", "")], &[missing]),
            record(3, &[broken, revision(NIGHT, 3, "Three", "")], &[]),
            record(4, &[revision(NIGHT, 4, "Four", "")], &[]),
            // Other words of the same moment: the store refuses them.
            record(4, &[revision(NIGHT, 4, "Five", "")], &[]),
        ];
        folder.write("records_dump_0.json", dump(&items));
        folder.run(&[]).report(1);
        let held = audit(&folder, 0);
        assert_eq!(counts(&held), [5, 1, 4, 0, 0], "{held}");
        let of = |kind: &str| held["kinds"][kind]["held"].as_u64();
        // The broken one, and the one that contradicts another.
        assert_eq!((of("files"), of("revisions")), (Some(1), Some(2)), "{held}");

        let ids = ["1", "2", "3", "4"];
        end(folder.windrow(&["quarantine", "dismiss"]).args(ids));
        let lost = told(&audit(&folder, 1));
        let starts = [
            "1; record; the pipeline rejects it (",
            "2; file 20.txt version 1; it is not in the store",
            "3; revision 1; the pipeline rejects it, and it is not",
            "4; revision 1; title (something else in the store)",
        ];
        assert_eq!(lost.len(), starts.len(), "{lost:#?}");
        for (line, start) in lost.iter().zip(starts) {
            assert!(line.starts_with(start), "{line}");
        }
    });
}

fn one_broken(recid: u64) -> Value {
    record(recid, &[revision("someday", recid, "Undated", "")], &[])
}

fn record_7() -> Value {
    record(7, &[revision(NIGHT, 7, "Seven", "")], &[])
}

#[test]
fn who_was_let_in_behind_the_dump_is_told() {
    on_every_keeper(|folder| {
        pipeline(&folder, "");
        let mut closed = stored(&folder, 2, 21, 1, "closed");
        closed["status"] = "restricted".into();
        let items = [record(2, &[revision(NIGHT, 2, "Two", "")], &[closed])];
        folder.write("records_dump_0.json", dump(&items));
        folder.run(&[]).report(0);
        audit(&folder, 0);
        let opened = "[{\"op\": \"replace\", \"path\": \"/access/files\", \"value\": \"public\"}]";
        folder.write("patch.txt", opened);
        let patched = end(&mut folder.windrow(&["records", "patch", "2", "patch.txt"]));
        assert_eq!(patched.status, Some(0), "{}", patched.stderr);
        // The revision of the dump is as it was; a later one has opened it, and may be right.
        let later = audit(&folder, 0);
        assert_eq!((&later["opened_later"], &later["changed_later"]), (&json!(1), &json!(1)));
        assert_eq!(
            later["opened_later_first"],
            json!(["2: access.files is restricted in the source and not in the store"])
        );
        // What holds the place of another record says nothing of this one.
        let other = [record(5, &[revision(NIGHT, 5, "Five", "")], &[]), one_broken(6)];
        folder.write("records_dump_0.json", dump(&other));
        folder.run(&[]).report(1);
        let others = [record(5, &[revision(NIGHT, 5, "Five", "")], &[]), record_7()];
        folder.write("records_dump_0.json", dump(&others));
        assert_eq!(told(&audit(&folder, 1)), ["7; record; it is not in the store"]);
        // A record that differs is not made good by another item of it.
        let half =
            record(5, &[revision(EARLY, 5, "Lost", ""), revision(NIGHT, 5, "Five", "")], &[]);
        let whole = record(5, &[revision(NIGHT, 5, "Five", "")], &[]);
        folder.write("records_dump_0.json", dump(&[half, whole]));
        let differing = audit(&folder, 1);
        assert_eq!(counts(&differing), [2, 1, 0, 1, 0], "{differing}");
    });
}

#[test]
fn a_dump_of_marc_is_compared_by_its_last_words_and_a_harvest_not_at_all() {
    let folder = Folder::new();
    let record = |number: u32, title: &str| {
        format!(
            "<record xmlns=\"http://www.loc.gov/MARC21/slim\"><leader>00000nam a2200000 a 4500\
             </leader><controlfield tag=\"001\">{number}</controlfield>\
             <datafield tag=\"245\" ind1=\"0\" ind2=\"0\"><subfield code=\"a\">{title}</subfield>\
             </datafield></record>"
        )
    };
    let write = |records: &[String]| {
        let xml = format!(
            "<collection xmlns=\"http://www.loc.gov/MARC21/slim\">{}</collection>",
            records.join("")
        );
        folder.write("dump.xml", xml);
    };
    folder.write(
        "pipeline.yaml",
        format!(
            "pipeline: p\nsource: {{ paths: dump.xml }}\ncrosswalk: {}\n",
            crate::support::project("fixtures/pipelines/brief.yaml").display()
        ),
    );
    write(&[record(1, "One"), record(2, "Two"), record(1, "Anew")]);
    folder.run(&[]).report(0);
    let equal = audit(&folder, 0);
    assert_eq!(counts(&equal), [3, 2, 0, 0, 1], "{equal}");
    write(&[record(1, "Anew"), record(2, "Other"), record(3, "Three")]);
    let text = end(&mut folder.windrow(&["audit", "pipeline.yaml", "--limit", "1"]));
    assert_eq!(text.status, Some(1));
    let lines: Vec<&str> = text.stdout.lines().collect();
    assert!(lines[0].ends_with("2\trecord\ttitle (something else in the store)"), "{lines:#?}");
    assert_eq!(lines[1], "and 1 more records; --limit N lists more");
    assert_eq!(lines[2], "read 3 = equal 1 + held 0 + different 2 + repeated 0");
}
