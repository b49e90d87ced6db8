//! Mistakes of configuration end a run before its first record, with file, line and a way out.
//!
//! A case is a folder of fixtures/configuration: `pipeline.yaml`, what it names, perhaps
//! `environment.txt` (NAME=VALUE a line) and `expect.txt`, the exact stderr. `UPDATE=1` rewrites.

use crate::support::{Folder, end, project, windrow};

/// Every case, in order of name; a folder that is missing here fails the test.
const CASES: &[&str] = &[
    "batch_of_nothing",
    "crosswalk_missing",
    "crosswalk_two_mistakes",
    "crosswalk_unknown_key",
    "crosswalk_writes_xml",
    "dump_missing",
    "epoch_junk",
    "fallible_without_policy",
    "glob_without_match",
    "harvest_keys_misspelled",
    "harvest_password_wrong",
    "harvest_values_wrong",
    "limit_without_percent",
    "pipeline_several_mistakes",
    "pipeline_unknown_key",
    "pipeline_without_source",
    "pipeline_wrong_type",
    "schedule_wrong",
    "schema_does_not_compile",
    "schema_does_not_parse",
    "schema_missing",
    "source_type_unknown",
    "table_file_missing",
    "table_without_column",
    "target_mistakes",
    "target_not_in_schema",
    "transform_unknown",
    "yaml_unreadable",
];

fn check(case: &str) -> Result<(), String> {
    let folder = project("fixtures/configuration").join(case);
    let scratch = Folder::new();
    let command = |verb: &str| {
        let mut command = windrow();
        command.current_dir(&folder).args([verb, "pipeline.yaml"]);
        for line in
            std::fs::read_to_string(folder.join("environment.txt")).iter().flat_map(|t| t.lines())
        {
            let (name, value) = line.split_once('=').unwrap();
            command.env(name, value);
        }
        command.env("WINDROW_STORE", format!("sqlite:{}", scratch.store().display()));
        command
    };
    let ended = end(&mut command("run"));
    if ended.status != Some(78) {
        return Err(format!("{case}: status {:?}\n{}", ended.status, ended.stderr));
    }
    if scratch.store().exists() || !ended.stdout.is_empty() {
        return Err(format!("{case}: more was done than to complain"));
    }
    // `validate` finds the same; a setting of the run is not its concern.
    let validated = end(&mut command("validate"));
    if case != "epoch_junk" && (validated.status, &validated.stderr) != (Some(78), &ended.stderr) {
        return Err(format!("{case}: validate tells\n{}", validated.stderr));
    }
    let expect = folder.join("expect.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&expect, &ended.stderr).unwrap();
    }
    let expected = std::fs::read_to_string(&expect).unwrap_or_default();
    if ended.stderr != expected {
        return Err(format!("{case}: expected\n{expected}\nfound\n{}", ended.stderr));
    }
    if case != "epoch_junk" && !has_place(&ended.stderr) {
        return Err(format!("{case}: no file and line in\n{}", ended.stderr));
    }
    Ok(())
}

fn has_place(stderr: &str) -> bool {
    let behind = ["pipeline.yaml:", "crosswalk.yaml:"].map(|file| stderr.split_once(file));
    behind.into_iter().flatten().any(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[test]
fn every_mistake_is_told_before_the_first_record_with_its_place() {
    let folders = std::fs::read_dir(project("fixtures/configuration")).unwrap();
    let mut folders: Vec<_> =
        folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    folders.sort();
    assert_eq!(folders, CASES);
    let wrong: Vec<String> = CASES.iter().filter_map(|case| check(case).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_wrong_call_is_64_and_help_is_0() {
    for arguments in [
        &["run"][..],
        &["rnu", "pipeline.yaml"],
        &["run", "pipeline.yaml", "--drry-run"],
        &["run", "pipeline.yaml", "--limit", "many"],
        &["serve", "--listen", "nowhere"],
        &["runs", "show", "first"],
        &[],
    ] {
        let ended = end(windrow().args(arguments));
        assert_eq!(ended.status, Some(64), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stdout.is_empty() && !ended.stderr.is_empty(), "{arguments:?}");
    }
    for arguments in [&["--help"][..], &["run", "--help"], &["help", "serve"], &["--version"]] {
        let ended = end(windrow().args(arguments));
        assert_eq!(ended.status, Some(0), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.is_empty() && !ended.stdout.is_empty(), "{arguments:?}");
    }
    let wrong = end(windrow().args(["run", "p.yaml", "--drry-run"]));
    assert!(wrong.stderr.contains("--dry-run"), "no suggestion: {}", wrong.stderr);
}

#[test]
fn what_needs_a_store_does_not_make_one() {
    let folder = Folder::new();
    for arguments in [&["serve"][..], &["runs", "list"], &["quarantine", "list"]] {
        let ended = end(&mut folder.windrow(arguments));
        assert_eq!(ended.status, Some(78), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains("there is no store"), "{}", ended.stderr);
    }
    assert!(!folder.store().exists());
    let mut elsewhere = windrow();
    let pipeline = project("pipelines/quickstart.yaml");
    elsewhere.arg("run").arg(pipeline).args(["--store", "postgresql://me:secret@host/db"]);
    let ended = end(&mut elsewhere);
    assert_eq!(ended.status, Some(78), "{}", ended.stderr);
    assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
}
