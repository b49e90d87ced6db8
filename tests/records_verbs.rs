//! `windrow records` and `windrow pids` on a real store: what they print, and how they end.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Ended, Folder, end};

/// Runs a verb of `windrow` with this on stdin.
fn windrow(folder: &Folder, arguments: &[&str], stdin: &str) -> Ended {
    let mut command = folder.windrow(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Ended {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn lines(ended: &Ended) -> Vec<Value> {
    ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The one line that a verb prints when all is well.
fn done(folder: &Folder, arguments: &[&str], stdin: &str) -> Value {
    let ended = windrow(folder, arguments, stdin);
    assert_eq!(ended.status, Some(0), "{arguments:?}: {}", ended.stderr);
    let lines = lines(&ended);
    assert_eq!(lines.len(), 1, "{}", ended.stdout);
    lines[0].clone()
}

/// The code that a verb fails with.
fn fails(folder: &Folder, arguments: &[&str], stdin: &str) -> String {
    let ended = windrow(folder, arguments, stdin);
    assert_eq!(ended.status, Some(2), "{arguments:?}: {}", ended.stdout);
    assert!(ended.stdout.is_empty(), "{}", ended.stdout);
    let code = ended.stderr.trim_end().rsplit_once('[').unwrap().1;
    code.trim_end_matches(']').to_owned()
}

#[test]
fn a_record_lives_and_dies_by_verbs() {
    let folder = Folder::new();
    let made = done(&folder, &["records", "create"], r#"{"title": "One", "collections": ["A"]}"#);
    assert_eq!((&made["pid"], &made["revision"]), (&json!("recid:1"), &json!(0)));
    assert_eq!(made["created"], "2023-11-14T22:13:20Z");
    let uuid = made["uuid"].as_str().unwrap().to_owned();
    let got = done(&folder, &["records", "get", "1"], "");
    assert_eq!(got["record"], json!({"title": "One", "collections": ["A"], "id": "1"}));
    assert_eq!(done(&folder, &["records", "get", &uuid], ""), got);
    assert_eq!(done(&folder, &["records", "get", "recid:1", "--content"], ""), got["record"]);

    let updated = done(&folder, &["records", "update", "1"], r#"{"id": "1", "title": "Two"}"#);
    assert_eq!(updated["revision"], 1);
    let patch = r#"[{"op": "add", "path": "/year", "value": 1999}]"#;
    let stale = ["records", "patch", "1", "--expect-revision", "0"];
    assert_eq!(fails(&folder, &stale, patch), "stale");
    let patched = done(&folder, &["records", "patch", "1", "--expect-revision", "1"], patch);
    assert_eq!(patched["revision"], 2);
    let content = done(&folder, &["records", "get", "1", "--content"], "");
    assert_eq!(content, json!({"id": "1", "title": "Two", "year": 1999}));

    let reverted = done(&folder, &["records", "revert", "1", "0"], "");
    assert_eq!(reverted["revision"], 3);
    let first = done(&folder, &["records", "get", "1", "--revision", "-2", "--content"], "");
    assert_eq!(first, content);

    let deleted = done(&folder, &["records", "delete", "1"], "");
    assert_eq!((&deleted["deleted"], &deleted["revision"]), (&json!(true), &json!(4)));
    assert_eq!(fails(&folder, &["records", "get", "1"], ""), "pid_deleted");
    assert_eq!(fails(&folder, &["records", "get", &uuid], ""), "deleted");
    assert_eq!(fails(&folder, &["records", "delete", "1"], ""), "deleted");
    assert_eq!(fails(&folder, &["records", "update", &uuid], r#"{"id": "1"}"#), "deleted");
    let tombstone = done(&folder, &["records", "get", "1", "--with-deleted"], "");
    assert_eq!((&tombstone["deleted"], &tombstone["record"]), (&json!(true), &json!(null)));

    let back = done(&folder, &["records", "undelete", "1"], "");
    assert_eq!(back["revision"], 5);
    assert_eq!(fails(&folder, &["records", "undelete", "1"], ""), "not_deleted");
    let content = done(&folder, &["records", "get", "1", "--content"], "");
    assert_eq!(content, got["record"], "the last content, not nothing");

    let revisions = lines(&windrow(&folder, &["records", "revisions", "1"], ""));
    assert_eq!(revisions.len(), 6);
    assert_eq!(revisions[1]["record"], json!({"id": "1", "title": "Two"}));
    let history = lines(&windrow(&folder, &["records", "history", "1"], ""));
    let events: Vec<_> = history.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["insert", "update", "update", "update", "delete", "undelete"]);
    assert_eq!(history[2]["changed"], json!(["year"]));

    let gone = done(&folder, &["records", "delete", "1", "--force"], "");
    assert_eq!(gone, json!({"uuid": uuid, "erased": true}));
    assert_eq!(fails(&folder, &["records", "get", "1", "--with-deleted"], ""), "not_found");
    assert_eq!(lines(&windrow(&folder, &["records", "history", "1"], "")).len(), 7);
    let again = ["records", "create", "--uuid", &uuid];
    assert_eq!(fails_softly(&folder, &again, r#"{"title": "Again"}"#), "id_taken");
}

/// The code of the one outcome that failed.
fn fails_softly(folder: &Folder, arguments: &[&str], stdin: &str) -> String {
    let ended = windrow(folder, arguments, stdin);
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
    let failed: Vec<Value> =
        lines(&ended).into_iter().filter(|line| line.get("error").is_some()).collect();
    assert_eq!(failed.len(), 1, "{}", ended.stdout);
    failed[0]["error"]["code"].as_str().unwrap().to_owned()
}

#[test]
fn a_batch_has_an_outcome_for_each_line() {
    let folder = Folder::new();
    let records = "{\"id\": \"a\"}\n\n{\"id\": \"b\", \"title\": \"B\"}\n{\"id\": \"a\"}\n\
                   {\"id\": \n{\"id\": \"c\", \"id\": \"d\"}\n[1]\n{\"title\": \"none\"}\n";
    let ended = windrow(&folder, &["records", "create"], records);
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
    assert_eq!(ended.stderr.trim_end(), "3 done, 4 failed");
    let told: Vec<String> = lines(&ended)
        .iter()
        .map(|line| match line.get("error") {
            Some(error) => format!("{} {}", line["line"], error["code"].as_str().unwrap()),
            None => line["pid"].as_str().unwrap().to_owned(),
        })
        .collect();
    let expected = [
        "recid:a",
        "recid:b",
        "4 pid_taken",
        "5 json.truncated",
        "6 json.duplicate_key",
        "7 not_an_object",
        "recid:1",
    ];
    assert_eq!(told, expected);

    // What is read can be written back, and a line that is behind says so.
    let got = windrow(&folder, &["records", "get", "a", "b"], "");
    let edited = got.stdout.replace("\"title\":\"B\"", "\"title\":\"C\"");
    folder.write("edited.jsonl", &edited);
    let update = ["records", "update", "--lines", "edited.jsonl"];
    assert_eq!(windrow(&folder, &update, "").status, Some(0));
    let behind = windrow(&folder, &update, "");
    assert_eq!(behind.status, Some(1));
    assert!(lines(&behind).iter().all(|line| line["error"]["code"] == "stale"));

    let patches = "{\"pid\": \"b\", \"patch\": [{\"op\": \"remove\", \"path\": \"/title\"}]}\n\
                   {\"pid\": \"b\", \"patch\": [{\"op\": \"test\", \"path\": \"/title\", \"value\": 1}]}\n\
                   {\"pid\": \"b\", \"pach\": []}\n";
    let ended = windrow(&folder, &["records", "patch", "--lines", "-"], patches);
    let codes: Vec<_> = lines(&ended).iter().map(|l| l["error"]["code"].clone()).collect();
    assert_eq!(codes, [json!(null), json!("patch.test"), json!("task")]);

    let ended = windrow(&folder, &["records", "delete", "a", "nobody", "b"], "");
    assert_eq!(ended.status, Some(1));
    assert_eq!(lines(&ended)[1]["pid"], "recid:nobody");
    let ended = windrow(&folder, &["records", "undelete", "--lines", "-"], "{\"pid\": \"a\"}\n");
    assert_eq!(ended.status, Some(0), "{}", ended.stdout);
    let to =
        "{\"pid\": \"a\", \"to\": 0}\n{\"pid\": \"a\", \"to\": 77}\n{\"pid\": \"a\", \"to\": 2}\n";
    let ended = windrow(&folder, &["records", "revert", "--lines", "-"], to);
    let codes: Vec<_> = lines(&ended).iter().map(|l| l["error"]["code"].clone()).collect();
    assert_eq!(codes, [json!(null), json!("no_revision"), json!("no_content")]);
}

#[test]
fn create_takes_lines_arrays_and_one_record_over_many_lines() {
    let folder = Folder::new();
    let count = |stdin: &str| {
        let ended = windrow(&folder, &["records", "create", "-"], stdin);
        assert_eq!(ended.status, Some(0), "{}", ended.stdout);
        lines(&ended).len()
    };
    assert_eq!(count("{\n  \"title\": \"One\"\n}\n"), 1);
    assert_eq!(count("[\n{\"title\": \"Two\"},\n{\"title\": \"Three\"}]"), 2);
    assert_eq!(count("\n{\"title\": \"Four\"}\n{\"title\": \"Five\"}"), 2);
    assert_eq!(count("\n \n"), 0);
    assert_eq!(done(&folder, &["records", "get", "5", "--content"], "")["title"], "Five");
    let many = windrow(&folder, &["records", "create", "--uuid", &"1".repeat(32)], "{}\n{}\n");
    assert_eq!(many.status, Some(64), "{}", many.stderr);
}

#[test]
fn a_record_is_judged_by_the_schema_it_names() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("schemas/parts")).unwrap();
    folder.write(
        "schemas/book.json",
        r#"{"required": ["title"], "properties": {"date": {"$ref": "local://parts/date.json"}}}"#,
    );
    folder.write("schemas/parts/date.json", r#"{"type": "string", "format": "date"}"#);
    let create = ["records", "create", "--schemas", "schemas"];
    let book = |rest: &str| format!("{{\"$schema\": \"local://book.json\"{rest}}}");
    assert_eq!(fails_softly(&folder, &create, &book("")), "schema");
    let bad_date = book(r#", "title": "T", "date": "May""#);
    assert_eq!(fails_softly(&folder, &create, &bad_date), "schema");
    let made = done(&folder, &create, &book(r#", "title": "T", "date": "2020-05-01""#));
    let pid = made["pid"].as_str().unwrap();
    let patch = r#"[{"op": "remove", "path": "/title"}]"#;
    let judged = ["records", "patch", pid, "--schemas", "schemas"];
    assert_eq!(fails(&folder, &judged, patch), "schema");
    // Nothing is fetched, and what is not there is not taken for granted.
    assert_eq!(fails(&folder, &["records", "patch", pid], "[]"), "schema.unknown");
    let default = ["records", "create", "--schema", "local://records/record-v1.0.0.json"];
    assert_eq!(fails_softly(&folder, &default, r#"{"title": "T"}"#), "schema");
    done(&folder, &default, r#"{"metadata": {"title": "T"}}"#);
    let unknown = windrow(&folder, &["records", "create", "--schema", "x"], "{}");
    assert_eq!(unknown.status, Some(64), "{}", unknown.stderr);
}

#[test]
fn a_record_keeps_its_identifier_and_gets_its_pids() {
    let folder = Folder::new();
    folder.write(
        "pids.yaml",
        "- recid_v2\n- { minter: oai, namespace: example.org }\n\
         - { minter: path, type: doi, path: $.doi }\n",
    );
    let create = ["records", "create", "--pids", "pids.yaml"];
    let made = done(&folder, &create, r#"{"doi": "https://doi.org/10.1234/A"}"#);
    let pid = made["pid"].as_str().unwrap().to_owned();
    let recid = pid.strip_prefix("recid:").unwrap();
    assert!(windrow::identifiers::recid::decode(recid).is_ok(), "{recid}");
    let expected = json!(["doi:10.1234/a", format!("oai:oai:example.org:{recid}"), pid]);
    assert_eq!(made["pids"], expected);
    assert_eq!(done(&folder, &["records", "get", "doi:10.1234/a"], "")["pid"], json!(pid));
    assert_eq!(fails_softly(&folder, &create, r#"{"doi": "10.1234/a"}"#), "pid_taken");
    assert_eq!(fails_softly(&folder, &create, r#"{"doi": "no DOI"}"#), "pid_shape");
    for other in [r#"{"id": "other"}"#, r#"{"title": "without"}"#] {
        assert_eq!(fails(&folder, &["records", "update", &pid], other), "identifier");
    }
    folder.write("wrong.yaml", "- { minter: oai, namespac: example.org }\n");
    let wrong = windrow(&folder, &["records", "create", "--pids", "wrong.yaml"], "{}");
    assert_eq!(wrong.status, Some(78));
    assert!(wrong.stderr.contains("did you mean `namespace`?"), "{}", wrong.stderr);
}

#[test]
fn pids_are_made_led_elsewhere_and_deleted_by_verbs() {
    let folder = Folder::new();
    let records = "{\"id\": \"7\"}\n{\"id\": \"8\"}\n";
    assert_eq!(windrow(&folder, &["records", "create"], records).status, Some(0));
    let uuid = |pid: &str| done(&folder, &["records", "get", pid], "")["uuid"].clone();
    let (seven, eight) = (uuid("7"), uuid("8"));
    let made = done(&folder, &["pids", "create", "doi:10.1/a", "--status", "N"], "");
    assert_eq!(made, json!({"pid": "doi:10.1/a", "status": "N"}));
    assert_eq!(fails(&folder, &["pids", "create", "doi:10.1/a"], ""), "pid_exists");
    assert_eq!(fails(&folder, &["pids", "resolve", "doi:10.1/a"], ""), "pid_unregistered");
    done(&folder, &["pids", "reserve", "doi:10.1/a"], "");
    done(&folder, &["pids", "register", "doi:10.1/a"], "");
    assert_eq!(fails(&folder, &["pids", "resolve", "doi:10.1/a"], ""), "pid_targetless");
    done(&folder, &["pids", "assign", "doi:10.1/a", "7"], "");
    assert_eq!(fails(&folder, &["pids", "assign", "doi:10.1/a", "8"], ""), "pid_assigned");
    let of = lines(&windrow(&folder, &["pids", "of", "7"], ""));
    assert_eq!(of.len(), 2);
    assert_eq!(of[0], json!({"pid": "doi:10.1/a", "status": "R", "uuid": seven}));
    done(&folder, &["pids", "assign", "doi:10.1/a", "8", "--overwrite"], "");
    assert_eq!(uuid("doi:10.1/a"), eight);

    let redirected = done(&folder, &["pids", "redirect", "7", "doi:10.1/a"], "");
    assert_eq!(redirected, json!({"pid": "recid:7", "status": "M", "to": "doi:10.1/a"}));
    assert_eq!(fails(&folder, &["pids", "redirect", "doi:10.1/a", "7"], ""), "pid_circle");
    let resolved = done(&folder, &["pids", "resolve", "7"], "");
    assert_eq!(resolved["path"], json!(["recid:7", "doi:10.1/a"]));
    assert_eq!((&resolved["uuid"], &uuid("7")), (&eight, &eight));
    done(&folder, &["pids", "unassign", "7"], "");
    assert_eq!(fails(&folder, &["pids", "resolve", "7"], ""), "pid_targetless");

    assert_eq!(done(&folder, &["pids", "delete", "doi:10.1/a"], "")["status"], "D");
    assert_eq!(fails(&folder, &["pids", "resolve", "doi:10.1/a"], ""), "pid_deleted");
    assert_eq!(done(&folder, &["pids", "create"], "")["pid"], "recid:9", "the next recid");
    let new = "{\"pid\": \"doi:10.1/b\", \"status\": \"N\"}\n{\"pid\": \"doi:10.1/b\"}\n\
               {\"pid\": \"doi:10.1/c\", \"status\": \"M\"}\n{\"pid\": \"x\", \"record\": \"8\"}\n\
               {\"pid\": \":x\"}\n";
    let ended = windrow(&folder, &["pids", "create", "--lines", "-"], new);
    assert_eq!(ended.status, Some(1));
    let codes: Vec<_> = lines(&ended).iter().map(|l| l["error"]["code"].clone()).collect();
    let task = json!("task");
    assert_eq!(codes, [json!(null), json!("pid_exists"), task.clone(), json!(null), task]);
    let removed = done(&folder, &["pids", "delete", "doi:10.1/b"], "");
    assert_eq!(removed, json!({"pid": "doi:10.1/b", "removed": true}));
    let to = "{\"pid\": \"9\", \"to\": \"8\"}\n{\"pid\": \"7\", \"to\": \"8\"}\n";
    let ended = windrow(&folder, &["pids", "redirect", "--lines", "-"], to);
    let codes: Vec<_> = lines(&ended).iter().map(|l| l["error"]["code"].clone()).collect();
    assert_eq!(codes, [json!("pid_status"), json!(null)], "what is reserved leads nowhere");
}

#[test]
fn verbs_say_what_they_lack() {
    let folder = Folder::new();
    for arguments in [
        &["records", "get"][..],
        &["records", "update"],
        &["records", "revert", "7"],
        &["pids", "assign", "7"],
        &["pids", "get", "toolong:7"],
        &["pids", "create", "7", "--status", "X"],
    ] {
        assert_eq!(end(&mut folder.windrow(arguments)).status, Some(64), "{arguments:?}");
    }
    let nowhere = end(&mut folder.windrow(&["pids", "get", "7"]));
    assert_eq!(nowhere.status, Some(78), "there is no store");
}
