//! What is held: written out as dumps, taken through its pipeline again, dismissed.

use serde_json::{Value, json};

use crate::migrate::{dump, file, on_every_keeper, pipeline, record, revision, run};
use crate::support::{Folder, count, end};

const NIGHT: &str = "2014-10-13T08:27:47+00:00";
const EARLY: &str = "2012-01-01T00:00:00+00:00";

fn broken(date: &str) -> Value {
    json!({ "modification_datetime": date, "json": null, "marcxml": "<record><controlfi" })
}

const HELD: [&str; 4] = ["2", "3, revision 1", "4, revision 1", "4, file late.txt version 1"];

/// One whole record, one that is broken, one with a broken past, one whose file has no date, too.
fn folder_of(folder: &Folder) {
    let mut undated = file(4, 14, 1, "late.txt");
    undated["creation_date"] = Value::Null;
    undated["modification_date"] = Value::Null;
    let records = [
        record(1, &[revision(NIGHT, 1, "Whole", "")], &[]),
        record(2, &[broken(NIGHT)], &[]),
        record(3, &[broken(EARLY), revision(NIGHT, 3, "Of a broken past", "")], &[]),
        record(4, &[broken(EARLY), revision(NIGHT, 4, "With a file", "")], &[undated]),
    ];
    folder.write("records_dump_0.json", dump(&records));
    pipeline(folder, ", timezone: UTC");
}

fn held(folder: &Folder) -> Vec<String> {
    let listed = end(&mut folder.windrow(&["quarantine", "list"])).stdout;
    let place = |line: &str| {
        let place = line.split('\t').nth(2).unwrap_or_default();
        place.split(": ").next().unwrap_or_default().split(") ").nth(1).unwrap_or("?").to_owned()
    };
    listed.lines().map(place).collect()
}

#[test]
fn what_is_held_is_taken_through_again_and_nothing_else() {
    on_every_keeper(|folder| {
        folder_of(&folder);
        run(&folder, 1);
        assert_eq!(held(&folder), HELD);
        // Nothing has been mended: all of it stays, and the dump itself is not needed.
        std::fs::remove_file(folder.path("records_dump_0.json")).unwrap();
        let redrive = |more: &[&str]| {
            let line = [&["quarantine", "redrive", "pipeline.yaml", "--json"], more].concat();
            end(folder.windrow(&line).current_dir(folder.path("")))
        };
        let ended = redrive(&[]);
        assert!(ended.stderr.contains("2 stay as they are"), "{}", ended.stderr);
        let report = ended.report(1);
        assert_eq!((count(&report, "read"), count(&report, "quarantined")), (2, 1), "{report}");
        assert_eq!(held(&folder), HELD);
        let report = redrive(&["--stage", "validate"]).report(0);
        assert_eq!(count(&report, "read"), 0);
    });
}

#[test]
fn a_record_that_gets_through_leaves_the_quarantine() {
    on_every_keeper(|folder| {
        folder.write(
            "records_dump_0.json",
            dump(&[
                record(1, &[revision(NIGHT, 1, "One", "")], &[]),
                record(2, &[revision(NIGHT, 2, "Two", "")], &[]),
            ]),
        );
        // The crosswalk lets nothing through at first.
        let brief =
            std::fs::read_to_string(crate::support::project("fixtures/pipelines/brief.yaml"));
        let brief = brief.unwrap();
        let strict = brief.replace("245", "999");
        assert_ne!(strict, brief);
        folder.write("crosswalk.yaml", strict);
        folder.write(
            "pipeline.yaml",
            "pipeline: moved\nsource: { type: invenio-v1, paths: \"*.json\", timezone: UTC }\n\
             crosswalk: crosswalk.yaml\n",
        );
        let report = run(&folder, 1);
        assert_eq!(count(&report, "quarantined"), 2, "{report}");
        folder.write("crosswalk.yaml", brief);
        let line = ["quarantine", "redrive", "pipeline.yaml", "--json"];
        let report = end(folder.windrow(&line).current_dir(folder.path(""))).report(0);
        assert_eq!((count(&report, "read"), count(&report, "created")), (2, 2), "{report}");
        assert!(held(&folder).is_empty());
        let shown = end(&mut folder.windrow(&["records", "get", "2", "--content"])).stdout;
        assert!(shown.contains("Two"), "{shown}");
        let again = end(folder.windrow(&line).current_dir(folder.path(""))).report(0);
        assert_eq!(count(&again, "read"), 0);
    });
}

#[test]
fn what_is_held_is_a_dump_again() {
    let folder = Folder::new();
    folder_of(&folder);
    run(&folder, 1);
    let out = folder.path("held").display().to_string();
    let exported = end(&mut folder.windrow(&["quarantine", "export", &out]));
    let told = &exported.stderr;
    assert!(told.starts_with("2 records in ") && told.contains("\n2 in "), "{told}");
    assert_eq!(std::fs::read_dir(folder.path("held/parts")).unwrap().count(), 2);
    let text = std::fs::read_to_string(folder.path("held/invenio_v1.json")).unwrap();
    let items: Value = serde_json::from_str(&text).unwrap();
    let recids: Vec<&Value> = items.as_array().unwrap().iter().map(|item| &item["recid"]).collect();
    assert_eq!(recids, [2, 4]);
    let dismissed = end(&mut folder.windrow(&["quarantine", "dismiss", "1", "2", "3", "77"]));
    assert_eq!(dismissed.status, Some(1));
    assert!(dismissed.stderr.contains("3 of 4 taken out"), "{}", dismissed.stderr);
    assert_eq!(held(&folder), ["4, file late.txt version 1"]);
}
