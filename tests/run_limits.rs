//! `limits` of a pipeline: a run that loses more than they allow has failed.

use windrow::formats::marc21::Tag;

use crate::quickstart::generator::write;
use crate::support::{Folder, brief_record, count, dump, end, value};

/// Fifty records, of which one has a field that no rule reads.
fn folder(share: &str) -> Folder {
    let folder = Folder::new();
    let mut odd = brief_record(1, 49);
    odd.push_data(Tag(*b"887"), [' ', ' ']);
    odd.push_subfield('a', "a field of nobody's");
    folder.write("dump.mrc", [dump(1, 0..49), write::iso2709(&odd).unwrap()].concat());
    folder.brief_pipeline("dump.mrc");
    let pipeline = std::fs::read_to_string(folder.path("pipeline.yaml")).unwrap();
    folder.write("pipeline.yaml", format!("{pipeline}limits: {{ unmapped_values: {share} }}\n"));
    folder
}

fn state(folder: &Folder) -> String {
    value(&folder.store(), "select group_concat(state, ', ') from windrow_run order by id")
}

#[test]
fn a_run_that_loses_too_much_fails_at_its_end_and_keeps_its_report() {
    let folder = folder("0.1%");
    let ended = folder.run(&[]);
    assert_eq!(ended.status, Some(2), "{}", ended.stderr);
    let message = "limits.unmapped_values allows 0.1 %; most are of ";
    assert!(ended.stderr.contains(message), "{}", ended.stderr);
    assert!(ended.stderr.contains("what was loaded stays; `runs show` has"), "{}", ended.stderr);
    assert_eq!(state(&folder), "failed");
    let loaded: i64 = value(&folder.store(), "select count(*) from records_metadata");
    assert_eq!(loaded, 50, "what was committed stays");
    let report: String = value(&folder.store(), "select report from windrow_run");
    assert!(report.contains("887 __ $a"), "{report}");
    // The same again is a run of its own: there is nothing to go on with.
    assert_eq!(folder.run(&[]).status, Some(2));
    assert_eq!(state(&folder), "failed, failed");
}

#[test]
fn a_dry_run_tells_before_anything_is_loaded() {
    let folder = folder("0.1%");
    let ended = folder.run(&["--dry-run"]);
    assert_eq!(ended.status, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("nothing was loaded"), "{}", ended.stderr);
    assert!(!folder.store().exists());
}

#[test]
fn a_policy_that_says_fail_stops_the_run_and_the_checkpoint_stands() {
    let folder = folder("100%");
    let record = |title: &str| format!("=001  {title}\n=245  00$a{title}\n\n");
    let dump = format!("{}{}=001  3\n\n{}", record("1"), record("2"), record("4"));
    folder.write("dump.mrk", dump);
    let failing = "\
crosswalk: failing
from: { format: marc21 }
to: { format: json }
rules:
  - { id: recid, to: id, from: \"001\" }
  - { id: title, to: metadata.title, from: 245$a, on_missing: fail }
";
    folder.write("failing.yaml", failing);
    let pipeline = "\
pipeline: proof
source: { type: dump, name: proof, paths: dump.mrk }
crosswalk: failing.yaml
batch: { records: 2 }
";
    folder.write("pipeline.yaml", pipeline);
    let ended = folder.run(&[]);
    assert_eq!(ended.status, Some(2), "{}", ended.stderr);
    let message = "dump.mrk #3 (byte 42) 3: no value at 245$a [missing, rule title]";
    assert!(ended.stderr.contains(message), "{}", ended.stderr);
    let loaded = || value::<i64>(&folder.store(), "select count(*) from records_metadata");
    assert_eq!(loaded(), 2, "the batch before it stays, nothing of its own is loaded");
    folder.write("failing.yaml", failing.replace("fail }", "quarantine }"));
    let report = folder.run(&[]).report(1);
    assert_eq!((count(&report, "created"), count(&report, "quarantined"), loaded()), (1, 1, 3));
}

#[test]
fn a_run_within_its_limits_is_done() {
    let folder = folder("100%");
    let report = folder.run(&[]).report(0);
    assert_eq!(count(&report, "created"), 50);
    assert_eq!(state(&folder), "done");
}

#[test]
fn a_report_is_shown_as_text_markdown_html_or_json() {
    let folder = folder("100%");
    folder.run(&[]).report(0);
    let shown = |form: &[&str]| end(&mut folder.windrow(&[&["runs", "show", "1"], form].concat()));
    let text = shown(&[]).stdout;
    assert!(text.contains("\nbalance: 50 read = 50 created"), "{text}");
    let markdown = shown(&["--md"]).stdout;
    assert!(markdown.starts_with("# proof (run 1), "), "{markdown}");
    assert!(markdown.contains("| dump.mrc | 50 | 50 | 0 |"), "{markdown}");
    let html = shown(&["--html"]).stdout;
    assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"), "{html}");
    assert!(html.contains("<td>dump.mrc</td><td class=\"number\">50</td>"), "{html}");
    assert!(shown(&["--json"]).stdout.contains("\"created\":50"));
    assert_eq!(shown(&["--json", "--md"]).status, Some(64));
}
