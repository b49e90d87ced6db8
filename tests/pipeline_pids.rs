//! `load.pids`: the PIDs that a pipeline gives records beside their recid.

use windrow::pipeline::Definition;

use crate::support::{Folder, count, dump, end, project, value};

fn pipeline(folder: &Folder, pids: &str) {
    let crosswalk = project("fixtures/pipelines/brief.yaml");
    let text = format!(
        "pipeline: proof\nsource: {{ type: dump, name: proof, paths: dump.mrc }}\n\
         crosswalk: {}\nload:\n  pids:\n{pids}",
        crosswalk.display()
    );
    folder.write("pipeline.yaml", text);
}

const RULES: &str = "    - { minter: oai, namespace: example.org }\n\
                     \x20   - { minter: doi, prefix: '10.1234' }\n";

fn pids_of(folder: &Folder, pid_type: &str) -> i64 {
    let sql =
        format!("select count(*) from pidstore_pid where pid_type = '{pid_type}' and status = 'R'");
    value(&folder.store(), &sql)
}

#[test]
fn a_pipeline_gives_each_record_its_pids_once() {
    let folder = Folder::new();
    folder.write("dump.mrc", dump(1, 0..50));
    pipeline(&folder, RULES);
    assert_eq!(count(&folder.run(&[]).report(0), "created"), 50);
    for pid_type in ["recid", "oai", "doi"] {
        assert_eq!(pids_of(&folder, pid_type), 50, "{pid_type}");
    }
    assert_eq!(count(&folder.run(&[]).report(0), "unchanged"), 50);
    let fitting: i64 = value(
        &folder.store(),
        "select count(*) from pidstore_pid p join pidstore_pid r using (object_uuid) \
         where p.pid_type = 'oai' and r.pid_type = 'recid' \
         and p.pid_value = 'oai:example.org:' || r.pid_value",
    );
    assert_eq!(fitting, 50);
}

#[test]
fn rules_that_come_later_reach_records_that_are_there() {
    let folder = Folder::new();
    folder.write("dump.mrc", dump(1, 0..20));
    pipeline(&folder, "    []\n");
    assert_eq!(count(&folder.run(&[]).report(0), "created"), 20);
    assert_eq!(pids_of(&folder, "doi"), 0);
    pipeline(&folder, RULES);
    assert_eq!(count(&folder.run(&[]).report(0), "updated"), 20);
    assert_eq!(pids_of(&folder, "doi"), 20);
}

#[test]
fn a_pid_of_another_record_is_a_conflict_in_quarantine() {
    let folder = Folder::new();
    folder.write("dump.mrc", dump(1, 0..3));
    let rule = "    - { minter: path, type: other, path: $.title }\n";
    pipeline(&folder, rule);
    assert_eq!(count(&folder.run(&[]).report(0), "created"), 3);
    // Another source has the same titles under other numbers.
    let brief = project("fixtures/pipelines/brief.yaml");
    let crosswalk = std::fs::read_to_string(&brief).unwrap();
    let numbers = "pipe: \"trim | prefix('x')\", on_missing";
    folder.write("other.yaml", crosswalk.replace("pipe: trim, on_missing", numbers));
    let text = std::fs::read_to_string(folder.path("pipeline.yaml")).unwrap();
    let text = text.replace("name: proof", "name: other");
    folder.write("pipeline.yaml", text.replace(&brief.display().to_string(), "other.yaml"));
    let report = folder.run(&[]).report(1);
    assert_eq!(count(&report, "quarantined"), 3, "{report}");
    let list = end(&mut folder.windrow(&["quarantine", "list"]));
    for line in list.stdout.lines() {
        assert!(line.contains("[pid_taken]") && line.contains("PID other:"), "{line}");
        assert_eq!(line.matches("(recid:").count(), 2, "both sides are named: {line}");
    }
}

#[test]
fn a_pipeline_cannot_draw_numbers() {
    let folder = Folder::new();
    folder.write("dump.mrc", dump(1, 0..1));
    pipeline(
        &folder,
        "    - recid\n    - { minter: dio, prefix: '10.1234' }\n    - { minter: doi }\n",
    );
    let error = Definition::load(&folder.path("pipeline.yaml")).err().unwrap().to_string();
    for part in ["another PID each time", "did you mean `doi`?", "has no `prefix`"] {
        assert!(error.contains(part), "{part} in {error}");
    }
}
