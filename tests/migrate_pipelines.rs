//! The shipped pipelines for Invenio v1, on their own dumps and on those of others.

use serde_json::Value;
use windrow::source::expand;

use crate::migrate::parts;
use crate::support::{Folder, count, end, project, shared, windrow};

fn load(pipeline: &str, store: &Folder, files: &[&str]) -> (Option<i32>, Value) {
    let mut command = windrow();
    command.arg("run").arg(project(pipeline)).args(files).args(["--json", "--store", &store.url()]);
    let ended = end(&mut command);
    let report = serde_json::from_str(&ended.stdout);
    (ended.status, report.unwrap_or_else(|_| panic!("{files:?}: {}", ended.stderr)))
}

#[test]
fn the_shipped_pipelines_load_what_they_name() {
    let store = Folder::new();
    let mut command = windrow();
    let ended =
        end(command.arg("run").arg(project("pipelines/cds-v1.yaml")).args(["--dry-run", "--json"]));
    let dry = ended.report(0);
    let (status, report) = load("pipelines/cds-v1.yaml", &store, &[]);
    assert_eq!(dry["counts"], report["counts"], "a dry run tells what a first run does");
    for kind in ["revisions", "redirects", "reserved", "users", "communities"] {
        assert_eq!(dry["kinds"][kind], report["kinds"][kind], "{kind}");
    }
    assert_eq!(report["rejections"], serde_json::json!([]));
    assert_eq!(status, Some(0), "{report}");
    let fates = ["created", "deleted", "skipped"].map(|fate| count(&report, fate));
    assert_eq!(fates, [1, 1, 3]);
    for (kind, number) in
        [("revisions", 5), ("redirects", 1), ("reserved", 1), ("users", 1), ("communities", 1)]
    {
        assert_eq!(parts(&report, kind), [number, number, 0, 0, 0], "{kind}");
    }
    let (status, report) = load("pipelines/inspire-v1.yaml", &store, &[]);
    assert_eq!(report["rejections"], serde_json::json!([]));
    assert_eq!(status, Some(0), "{report}");
    assert_eq!((count(&report, "created"), parts(&report, "revisions")), (1, [4, 4, 0, 0, 0]));
    let dois = "select cast(count(*) as text) from pidstore_pid where pid_type = 'doi'";
    assert_eq!(store.text(dois), "2");
}

/// A shipped pipeline with its `files:` in place of the comment, by the folders of a test.
fn with_files(folder: &Folder, pipeline: &str, legacy_path: &str) {
    let text = std::fs::read_to_string(project(pipeline)).unwrap();
    let (before, files) = text.split_once("# files:").unwrap();
    let files = format!("# files:{files}").replace("\n# ", "\n").replacen("# ", "", 1);
    let here = |name: &str| folder.path(name).display().to_string();
    let files = files.replace("/srv/files", &here("kept"));
    let files = files.replace("/srv/legacy/files", &here("legacy"));
    let own = files.split("path_map: { ").nth(1).unwrap().split(':').next().unwrap().to_owned();
    let before = before.replace("../", &format!("{}/", project("").display()));
    folder.write("pipeline.yaml", before + &files.replace(&own, legacy_path));
    std::fs::create_dir_all(folder.path("kept")).unwrap();
    std::fs::create_dir_all(folder.path("legacy")).unwrap();
}

#[test]
fn the_shipped_pipelines_bring_files_once_they_are_told_where_these_are() {
    let folder = Folder::new();
    with_files(&folder, "pipelines/cds-v1.yaml", "/opt/harbor/var/data/files");
    for (path, text) in [
        ("11/content.txt;1", "The quays, as planned\n"),
        ("11/content.txt;2", "The quays, as they are\n"),
        ("12/content.txt;1", "Minutes of the board.\n"),
    ] {
        let path = folder.path("legacy/g0").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let report = folder.run(&[]).report(0);
    assert_eq!(parts(&report, "files"), [3, 3, 0, 0, 0]);
    let line = ["files", "get", "101", "quays.txt"];
    assert_eq!(end(&mut folder.windrow(&line)).stdout, "The quays, as they are\n");
    let folder = Folder::new();
    with_files(&folder, "pipelines/inspire-v1.yaml", "/opt/harbor/var/data/files");
    assert_eq!(parts(&folder.run(&[]).report(0), "files"), [0; 5]);
}

#[test]
fn files_on_the_command_line_stand_for_those_of_the_pipeline() {
    let store = Folder::new();
    let other = project("fixtures/migration/inspire/records_dump_0.json");
    let (status, report) = load("pipelines/inspire-v1.yaml", &store, &[other.to_str().unwrap()]);
    assert_eq!((status, count(&report, "read")), (Some(0), 2));
    assert_eq!(report["splits"][0]["name"], other.display().to_string());
    let mut command = windrow();
    command.arg("run").arg(project("pipelines/inspire-v1.yaml")).arg("nowhere/*.json");
    command.args(["--store", &store.url()]);
    let ended = end(&mut command);
    assert_eq!(ended.status, Some(78), "{}", ended.stderr);
    assert!(ended.stderr.contains("no file matches nowhere/*.json"), "{}", ended.stderr);
}

#[test]
fn the_dumps_of_others_load_and_every_part_of_them_has_a_fate() {
    let Some(shared) = shared() else { return };
    let folder = shared.join("data/invenio-dump");
    if !folder.is_dir() {
        eprintln!("ignored: no invenio-dump");
        return;
    }
    let files = expand(&["**/*.json".to_owned()], &folder).unwrap();
    assert!(!files.is_empty());
    for file in &files {
        let store = Folder::new();
        let (status, report) = load("pipelines/cds-v1.yaml", &store, &[file.to_str().unwrap()]);
        assert!(matches!(status, Some(0 | 1)), "{}: {report}", file.display());
        assert_eq!(report["balanced"], true);
        let of = |fate: &str| count(&report, fate);
        let loaded = of("created") + of("updated") + of("unchanged") + of("deleted");
        let name = file.strip_prefix(&folder).unwrap().display();
        eprintln!(
            "{name}: {} read, {loaded} loaded, {} skipped, {} quarantined; {} {}",
            of("read"),
            of("skipped"),
            of("quarantined"),
            report["kinds"],
            report["reasons"]
        );
        // The same again: nothing is new.
        let (_, again) = load("pipelines/cds-v1.yaml", &store, &[file.to_str().unwrap()]);
        assert_eq!(count(&again, "created") + count(&again, "updated"), 0, "{name}: {again}");
        let revisions = "select cast(count(*) as text) from records_metadata_version";
        let written: u64 = store.text(revisions).parse().unwrap();
        assert_eq!(written, parts(&report, "revisions")[1], "{name}");
    }
}
