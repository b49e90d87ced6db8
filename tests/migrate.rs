//! Dumps of Invenio v1 through the real command, on both keepers.

use serde_json::{Value, json};

#[cfg(unix)]
use crate::private_postgres::database;
use crate::support::{Ended, Folder, count, project};

/// A revision as the dumper writes it.
pub fn revision(date: &str, recid: u64, title: &str, more: &str) -> Value {
    json!({
        "modification_datetime": date,
        "json": null,
        "marcxml": format!(
            "<record>\n  <controlfield tag=\"001\">{recid}</controlfield>\n  \
             <datafield tag=\"245\" ind1=\" \" ind2=\" \">\n    \
             <subfield code=\"a\">{title}</subfield>\n  </datafield>{more}\n</record>"
        ),
    })
}

/// A field 980 with one subfield.
pub fn collection(code: char, value: &str) -> String {
    format!(
        "<datafield tag=\"980\" ind1=\" \" ind2=\" \"><subfield code=\"{code}\">{value}</subfield></datafield>"
    )
}

/// A version of a file.
pub fn file(recid: u64, bibdocid: u64, version: u64, name: &str) -> Value {
    let path = format!("/opt/legacy/var/data/files/g0/{bibdocid}/content.txt;{version}");
    json!({
        "bibdocid": bibdocid, "recid": recid, "version": version, "full_name": name,
        "name": name, "format": ".txt", "superformat": ".txt", "subformat": "", "type": "Main",
        "recids_doctype": [[recid, "Main", name]], "size": 4, "mime": "text/plain",
        "checksum": "098f6bcd4621d373cade4e832627b4f6", "path": path, "full_path": path,
        "status": "", "hidden": false, "flags": [], "encoding": null, "comment": null,
        "description": null, "copyright": null, "license": null, "etag": "\"\"",
        "url": format!("https://legacy.example.org/record/{recid}/files/{name}"),
        "creation_date": "2011-02-03 04:05:06", "modification_date": "2011-02-03 04:05:06",
    })
}

/// A record of a dump.
pub fn record(recid: u64, revisions: &[Value], files: &[Value]) -> Value {
    json!({"recid": recid, "record": revisions, "files": files, "collections": null})
}

/// A file of records, laid out as the dumper does it.
pub fn dump(records: &[Value]) -> String {
    let records: Vec<String> = records.iter().map(Value::to_string).collect();
    format!("[\n{}\n]", records.join(","))
}

/// A pipeline over the dumps of the folder.
pub fn pipeline(folder: &Folder, source: &str) {
    folder.write(
        "pipeline.yaml",
        format!(
            "pipeline: moved\nsource: {{ type: invenio-v1, paths: \"*.json\"{source} }}\n\
             crosswalk: {}\n",
            project("fixtures/pipelines/brief.yaml").display()
        ),
    );
}

/// Runs `law` in a folder with each keeper.
pub fn on_every_keeper(law: impl Fn(Folder)) {
    law(Folder::new());
    #[cfg(unix)]
    if let Some(database) = database() {
        law(Folder::on(database));
    }
}

/// read, loaded, unchanged, skipped and quarantined parts of a kind.
pub fn parts(report: &Value, kind: &str) -> [u64; 5] {
    ["read", "loaded", "unchanged", "skipped", "quarantined"]
        .map(|fate| report["kinds"][kind][fate].as_u64().unwrap_or(0))
}

/// How often a warning was given.
pub fn warnings(report: &Value, code: &str) -> u64 {
    report["account"]["warnings"][code].as_u64().unwrap_or(0)
}

pub fn run(folder: &Folder, status: i32) -> Value {
    let ended: Ended = folder.run(&[]);
    ended.report(status)
}

const NIGHT: &str = "2014-10-13T08:27:47+00:00";

#[test]
fn every_revision_is_loaded_with_its_own_date() {
    on_every_keeper(|folder| {
        let mut meadow = record(
            7,
            &[
                revision("2012-01-01T00:00:00+00:00", 7, "Medow", ""),
                revision("2013-01-01T00:00:00+00:00", 7, "Meadow", ""),
                revision(NIGHT, 7, "Meadow", &collection('a', "FIELDS")),
            ],
            &[],
        );
        meadow["creation_date"] = "2010-06-01 12:00:00".into();
        let hedge = record(8, &[revision("2015-07-01 10:00:00", 8, "Hedge", "")], &[]);
        folder.write("records_dump_0.json", dump(&[meadow, hedge]));
        pipeline(&folder, ", timezone: Europe/Zurich");
        let report = run(&folder, 0);
        assert_eq!((count(&report, "created"), parts(&report, "revisions")), (2, [4, 4, 0, 0, 0]));
        assert_eq!(warnings(&report, "invenio_v1.no_zone"), 0);
        let of = |recid: u64| {
            format!(
                "select substr(cast(v.updated as text), 1, 19) from records_metadata_version v \
                 join pidstore_pid p on p.object_uuid = v.id and p.pid_value = '{recid}' \
                 where v.version_id = "
            )
        };
        let dates = ["2012-01-01 00:00:00", "2013-01-01 00:00:00", "2014-10-13 08:27:47"];
        for (version, date) in (1..).zip(dates) {
            assert_eq!(folder.text(&format!("{}{version}", of(7))), date);
        }
        assert_eq!(folder.text(&format!("{}1", of(8))), "2015-07-01 08:00:00");
        let created = "select substr(cast(created as text), 1, 19) from records_metadata \
                       where updated < '2015-01-01'";
        assert_eq!(folder.text(created), "2010-06-01 10:00:00");
        // The same dump again, and a later one with a part of the past.
        let report = run(&folder, 0);
        assert_eq!(
            (count(&report, "unchanged"), parts(&report, "revisions")),
            (2, [4, 0, 4, 0, 0])
        );
        let newer = record(
            7,
            &[
                revision(NIGHT, 7, "Meadow", &collection('a', "FIELDS")),
                revision("2016-01-01T00:00:00+00:00", 7, "Meadows", ""),
            ],
            &[],
        );
        folder.write("records_dump_0.json", dump(&[newer]));
        let report = run(&folder, 0);
        assert_eq!((count(&report, "updated"), parts(&report, "revisions")), (1, [2, 1, 1, 0, 0]));
        assert_eq!(folder.text("select cast(count(*) as text) from records_metadata_version"), "5");
    });
}

#[test]
fn an_old_revision_that_is_held_leaves_its_record_alone_and_the_last_one_takes_it_along() {
    on_every_keeper(|folder| {
        let torn =
            json!({"modification_datetime": NIGHT, "marcxml": "<record><datafield", "json": null});
        let bad_date = revision("once upon a time", 7, "Meadow", "");
        let last = revision("2015-01-01T00:00:00+00:00", 7, "Meadow", "");
        folder.write(
            "records_dump_0.json",
            dump(&[
                record(7, &[torn.clone(), bad_date, last], &[]),
                record(8, &[revision("2012-01-01T00:00:00+00:00", 8, "Hedge", ""), torn], &[]),
                record(9, &[revision(NIGHT, 9, "Ditch", "")], &[]),
            ]),
        );
        pipeline(&folder, "");
        let report = run(&folder, 1);
        assert_eq!((count(&report, "created"), count(&report, "quarantined")), (2, 1));
        assert_eq!(parts(&report, "revisions"), [6, 2, 0, 0, 4]);
        let listed = folder.windrow(&["quarantine", "list"]).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        let places: Vec<&str> =
            listed.lines().map(|line| line.split('\t').nth(2).unwrap()).collect();
        assert_eq!(places.len(), 3, "{listed}");
        for place in [
            "records_dump_0.json #1 (byte 2) 7, revision 1: ",
            "records_dump_0.json #1 (byte 2) 7, revision 2: ",
            " 8: ",
        ] {
            assert!(places.iter().any(|found| found.contains(place)), "{place} in {listed}");
        }
        // The bytes of a part are a dump of it alone.
        let number = "select cast(id as text) from windrow_quarantine where part = 'revision 2'";
        let number = folder.text(number);
        let shown = folder.windrow(&["quarantine", "show", &number]).output().unwrap();
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
        assert_eq!(
            (shown["recid"].as_u64(), shown["record"].as_array().unwrap().len()),
            (Some(7), 1)
        );
        // What is mended gets through, and nothing is left of it.
        let mended = [NIGHT, "2015-01-01T00:00:00+00:00"];
        let [first, second] = mended.map(|date| revision(date, 8, "Hedge", ""));
        folder.write("records_dump_0.json", dump(&[record(8, &[first, second], &[])]));
        assert_eq!(parts(&run(&folder, 0), "revisions"), [2, 2, 0, 0, 0]);
    });
}

#[test]
fn the_last_revision_alone_is_loaded_when_that_is_wanted() {
    on_every_keeper(|folder| {
        let revisions = [NIGHT, "2015-01-01 00:00:00"].map(|date| revision(date, 7, "Meadow", ""));
        folder.write("records_dump_0.json", dump(&[record(7, &revisions, &[])]));
        pipeline(&folder, ", revisions: latest");
        let report = run(&folder, 0);
        assert_eq!(parts(&report, "revisions"), [2, 1, 0, 1, 0]);
        // The time without a zone was taken as UTC, and that is told.
        assert_eq!(warnings(&report, "invenio_v1.no_zone"), 1);
        let dates = "select substr(cast(updated as text), 1, 19) from records_metadata";
        assert_eq!(folder.text(dates), "2015-01-01 00:00:00");
        let versions = "select cast(count(*) as text) from records_metadata_version";
        assert_eq!(folder.text(versions), "1");
        assert_eq!(parts(&run(&folder, 0), "revisions"), [2, 0, 1, 1, 0]);
        assert_eq!(folder.text(versions), "1");
    });
}

#[test]
fn a_record_that_says_deleted_is_a_tombstone_with_a_past() {
    on_every_keeper(|folder| {
        let gone = [
            revision("2012-01-01T00:00:00+00:00", 7, "Meadow", ""),
            revision(NIGHT, 7, "Meadow", &collection('c', "Deleted")),
        ];
        // Nothing is left of it that a crosswalk could map.
        let bare = json!({"modification_datetime": NIGHT, "json": null, "marcxml": format!(
            "<record><controlfield tag=\"001\">8</controlfield>{}</record>", collection('a', "DELETED"))});
        folder
            .write("records_dump_0.json", dump(&[record(7, &gone, &[]), record(8, &[bare], &[])]));
        pipeline(&folder, "");
        let report = run(&folder, 0);
        assert_eq!((count(&report, "deleted"), parts(&report, "revisions")), (2, [3, 3, 0, 0, 0]));
        let states = "select cast(count(*) as text) from pidstore_pid where status = 'D'";
        assert_eq!(folder.text(states), "2");
        let past = "select cast(count(*) as text) from records_metadata_version \
                    where json is not null and cast(json as text) <> 'null'";
        assert_eq!(folder.text(past), "1");
        assert_eq!(count(&run(&folder, 0), "unchanged"), 2);
    });
}

#[test]
fn a_file_that_makes_no_sense_is_held_by_itself() {
    on_every_keeper(|folder| {
        let mut odd = file(7, 12, 1, "odd.txt");
        for key in ["creation_date", "modification_date"] {
            odd[key] = Value::Null;
        }
        let plain = file(7, 11, 1, "plain.txt");
        let files = [plain.clone(), odd, plain];
        folder.write(
            "records_dump_0.json",
            dump(&[record(7, &[revision(NIGHT, 7, "Meadow", "")], &files)]),
        );
        pipeline(&folder, "");
        let report = run(&folder, 1);
        assert_eq!((count(&report, "created"), count(&report, "quarantined")), (1, 0));
        let [read, .., quarantined] = parts(&report, "files");
        assert_eq!((read, quarantined), (3, 1));
        assert_eq!(warnings(&report, "invenio_v1.file_twice"), 1);
        let held = folder.text("select part from windrow_quarantine");
        assert_eq!(held, "file odd.txt version 1");
    });
}

#[test]
fn dates_of_a_history_are_kept() {
    let folder = Folder::new();
    folder.write("records_dump_0.json", dump(&[]));
    pipeline(&folder, "");
    let mut text = std::fs::read_to_string(folder.path("pipeline.yaml")).unwrap();
    text += "load: { datestamps: now }\n";
    folder.write("pipeline.yaml", text);
    let refused = folder.run(&[]);
    assert_eq!(refused.status, Some(78));
    assert!(refused.stderr.contains("`revisions: latest`"), "{}", refused.stderr);
}

#[test]
fn merged_records_lead_on_whatever_file_the_survivor_is_in() {
    on_every_keeper(|folder| {
        let merged = collection('c', "DELETED")
            + "<datafield tag=\"970\" ind1=\" \" ind2=\" \"><subfield code=\"d\">9</subfield></datafield>";
        let lost = merged.replace(">9<", ">77<");
        let early = [
            record(7, &[revision(NIGHT, 7, "Meadow", &merged)], &[]),
            record(8, &[revision(NIGHT, 8, "Hedge", &lost)], &[]),
            record(10, &[], &[]),
            record(9, &[], &[file(9, 3, 1, "late.txt")]),
        ];
        folder.write("records_dump_0.json", dump(&early));
        let survivor = record(9, &[revision(NIGHT, 9, "Ditch", "")], &[]);
        folder.write("records_dump_1.json", dump(&[survivor]));
        folder.write("map.txt", r#"{"900": 9, "901": "902"}"#);
        pipeline(&folder, ", redirects: map.txt");
        let report = run(&folder, 1);
        // The files of a record that is not there yet wait in quarantine.
        assert_eq!((count(&report, "skipped"), count(&report, "quarantined")), (1, 1));
        assert_eq!(parts(&report, "redirects"), [4, 4, 0, 0, 0]);
        assert_eq!(parts(&report, "reserved"), [1, 1, 0, 0, 0]);
        assert_eq!(report["open_redirects_count"], 2);
        let open = report["open_redirects"].to_string();
        assert!(open.contains("records_dump_0.json #2") && open.contains("map.txt"), "{open}");
        let leads = "select cast(count(*) as text) from pidstore_pid p \
                     join pidstore_redirect r on r.id = p.object_uuid \
                     join pidstore_pid t on t.id = r.pid_id \
                     where p.status = 'M' and p.pid_value in ('7', '900') and t.pid_value = '9'";
        assert_eq!(folder.text(leads), "2");
        let again = run(&folder, 1);
        assert_eq!(parts(&again, "redirects"), [4, 0, 4, 0, 0]);
        assert_eq!((count(&again, "unchanged"), count(&again, "quarantined")), (4, 0));
        assert_eq!(folder.text(leads), "2");
    });
}

#[test]
fn the_same_record_twice_is_one_when_its_revisions_follow_each_other() {
    on_every_keeper(|folder| {
        let [first, second, third] =
            ["2012-01-01", "2013-01-01", "2014-01-01"].map(|day| format!("{day}T00:00:00+00:00"));
        let meadow = |date: &str, title: &str| revision(date, 7, title, "");
        let records = [
            record(7, &[meadow(&first, "One"), meadow(&second, "Two")], &[]),
            record(7, &[meadow(&first, "One"), meadow(&second, "Two")], &[]),
            record(7, &[meadow(&second, "Two"), meadow(&third, "Three")], &[]),
            record(7, &[meadow(&first, "One"), meadow(&third, "Another three")], &[]),
        ];
        folder.write("records_dump_0.json", dump(&records));
        pipeline(&folder, "");
        for fates in [(1, 1, 1, 1), (0, 0, 3, 1)] {
            let report = run(&folder, 1);
            let count = |fate: &str| count(&report, fate);
            let found =
                (count("created"), count("updated"), count("unchanged"), count("quarantined"));
            assert_eq!(found, fates);
            let versions = "select cast(count(*) as text) from records_metadata_version";
            assert_eq!(folder.text(versions), "3");
            let code = "select code from windrow_quarantine";
            assert_eq!(folder.text(code), "revision_conflict");
        }
    });
}

fn users() -> Value {
    json!([
        {"id": 1, "email": "ada@example.org", "password": "\u{9f}hash", "password_salt": "grain",
         "note": "1", "full_name": "Lindqvist, Ada", "settings": {}, "nickname": "ada"},
        {"id": 2, "email": "bo@example.org", "password": "", "password_salt": "bo@example.org",
         "note": "0", "full_name": "Okafor, Bo", "settings": {}, "nickname": "id_2"},
    ])
}

#[test]
fn the_other_things_of_a_dump_are_kept_and_their_secrets_are_not_shown() {
    on_every_keeper(|folder| {
        let harbors = json!([{"id": "harbors", "id_user": 1, "title": "Harbors and quays",
                              "description": "<p>All.</p>", "logo_ext": "0"}]);
        let token = json!([{"id": 4, "client_id": "c", "user_id": 1, "access_token": "hush",
                            "refresh_token": null, "token_type": "bearer"}]);
        let comments = json!({"7": [{"comment_id": 1, "content": "Fine."}], "8": []});
        folder.write("users_dump_0.json", users().to_string());
        folder.write("communities_dump_0.json", harbors.to_string());
        folder.write("tokens_dump_0.json", token.to_string());
        folder.write("comments.json", comments.to_string());
        folder.write("odd.json", r#"[{"metadata": {"title": "of no shape"}}]"#);
        folder.write(
            "records_dump_0.json",
            dump(&[record(7, &[revision(NIGHT, 7, "Meadow", "")], &[])]),
        );
        folder.write("files_dump_0.json", dump(&[file(7, 11, 1, "alone.txt")]));
        pipeline(&folder, "");
        let report = run(&folder, 1);
        let fates =
            ["created", "unchanged", "skipped", "quarantined"].map(|fate| count(&report, fate));
        // The file alone comes before its record.
        assert_eq!(fates, [1, 0, 5, 2]);
        for (kind, number) in [("users", 2), ("communities", 1), ("tokens", 1), ("comments", 2)] {
            assert_eq!(parts(&report, kind), [number, number, 0, 0, 0], "{kind}");
        }
        let codes = "select max(code) from windrow_quarantine";
        assert_eq!(folder.text(codes), "no_record");
        assert_eq!(
            folder.text("select name from oaiserver_set where spec = 'user-harbors'"),
            "Harbors and quays"
        );
        let exported = |options: &[&str]| {
            let output = folder.windrow(&["things", "export"]).args(options).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let all = exported(&[]);
        assert_eq!(all.lines().count(), 6);
        for secret in ["hush", "hash", "grain"] {
            assert!(!all.contains(secret), "{all}");
        }
        let tokens = exported(&["--kind", "tokens", "--secrets"]);
        let tokens: Value = serde_json::from_str(&tokens).unwrap();
        assert_eq!(tokens["json"], token[0]);
        let listed = folder.windrow(&["things", "list", "--kind", "users"]).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(
            listed.starts_with("users\t1:ada@example.org\tmoved\tusers_dump_0.json #1"),
            "{listed}"
        );
        // Again, with one of them changed.
        let mut users = users();
        users[1]["full_name"] = "Okafor-Holm, Bo".into();
        folder.write("users_dump_0.json", users.to_string());
        let report = run(&folder, 1);
        assert_eq!(parts(&report, "users"), [2, 1, 1, 0, 0]);
        assert_eq!(parts(&report, "comments"), [2, 0, 2, 0, 0]);
        assert_eq!((count(&report, "unchanged"), count(&report, "quarantined")), (2, 1));
    });
}
