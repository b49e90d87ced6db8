//! Files of dumps of Invenio v1 through the real command, on both keepers: copied, verified, looked
//! at, swept, killed and gone on with.

use md5::{Digest, Md5};
use serde_json::{Value, json};

use crate::files::tree;
use crate::migrate::{dump, file, on_every_keeper, parts, record, revision, warnings};
use crate::s3_double::S3Double;
use crate::support::{Folder, count, end, project};

const NIGHT: &str = "2014-10-13T08:27:47+00:00";
const OPT: &str = "/opt/legacy/var/data/files";

/// A version of a file, and its bytes in the folder `legacy`.
pub fn stored(folder: &Folder, recid: u64, bibdocid: u64, version: u64, text: &str) -> Value {
    let mut file = file(recid, bibdocid, version, &format!("{bibdocid}.txt"));
    let relative = format!("g0/{bibdocid}/content.txt;{version}");
    file["full_path"] = format!("{OPT}/{relative}").into();
    file["size"] = text.len().into();
    let md5: [u8; 16] = Md5::digest(text).into();
    file["checksum"] = windrow::record::hex(&md5).into();
    let path = folder.path("legacy").join(relative);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    file
}

pub fn one(recid: u64, files: &[Value]) -> Value {
    record(recid, &[revision(NIGHT, recid, &format!("Meadow {recid}"), "")], files)
}

/// A pipeline that maps `legacy` and keeps files in `kept`.
pub fn pipeline(folder: &Folder, more: &str) {
    std::fs::create_dir_all(folder.path("kept")).unwrap();
    std::fs::create_dir_all(folder.path("legacy")).unwrap();
    folder.write(
        "pipeline.yaml",
        format!(
            "pipeline: moved\nsource: {{ type: invenio-v1, paths: \"*.json\", timezone: UTC }}\n\
             crosswalk: {}\n\
             files:\n  location: {{ name: kept, uri: kept }}\n  path_map: {{ {OPT}: legacy }}\n\
             {more}",
            project("fixtures/pipelines/brief.yaml").display()
        ),
    );
}

pub fn load(folder: &Folder, records: &[Value], status: i32) -> Value {
    folder.write("records_dump_0.json", dump(records));
    folder.run(&[]).report(status)
}

pub fn verb(folder: &Folder, arguments: &[&str], status: i32) -> String {
    let ended = end(&mut folder.windrow(arguments));
    assert_eq!(ended.status, Some(status), "{arguments:?}: {}", ended.stderr);
    ended.stdout
}

pub fn heads(folder: &Folder, recid: u64) -> Vec<Value> {
    let text = verb(folder, &["records", "get", "--content", &recid.to_string()], 0);
    let record: Value = serde_json::from_str(&text).unwrap();
    record["_files"].as_array().cloned().unwrap_or_default()
}

#[test]
fn files_are_copied_verified_and_known_to_their_record() {
    on_every_keeper(|folder| {
        pipeline(&folder, "");
        let shared = stored(&folder, 7, 11, 1, "one meadow");
        let mut other = shared.clone();
        other["recid"] = 8.into();
        let mut hidden = stored(&folder, 7, 13, 1, "hidden");
        hidden["hidden"] = true.into();
        let records = [
            one(
                7,
                &[
                    shared,
                    stored(&folder, 7, 12, 1, "old"),
                    stored(&folder, 7, 12, 2, "new!"),
                    hidden,
                ],
            ),
            one(8, &[other]),
        ];
        let report = load(&folder, &records, 0);
        assert_eq!(parts(&report, "files"), [5, 5, 0, 0, 0]);
        assert_eq!(parts(&report, "bytes"), [33, 33, 0, 0, 0]);
        let files = heads(&folder, 7);
        let keys: Vec<_> = files.iter().map(|file| file["key"].as_str().unwrap()).collect();
        assert_eq!(keys, ["11.txt", "12.txt", "13.txt"]);
        assert_eq!(files[1]["size"], 4);
        assert_eq!(tree(&folder.path("kept")).len(), 4, "the shared one is stored once");
        assert_eq!(folder.text("select cast(count(*) as text) from files_files"), "4");
        assert_eq!(verb(&folder, &["files", "get", "7", "12.txt"], 0), "new!");
        // What is there is not copied again, nor even looked for.
        std::fs::remove_dir_all(folder.path("legacy/g0")).unwrap();
        let again = load(&folder, &records, 0);
        assert_eq!(parts(&again, "files"), [5, 0, 5, 0, 0]);
        assert_eq!(count(&again, "unchanged"), 2);
        let listed = verb(&folder, &["files", "list", "7"], 0);
        assert_eq!(listed.lines().count(), 3, "{listed}");
        let listed = verb(&folder, &["files", "list", "7", "--versions"], 0);
        assert_eq!(listed.lines().count(), 4, "{listed}");
        let old = listed.lines().find(|line| line.contains("\"is_head\":false")).unwrap();
        let old: Value = serde_json::from_str(old).unwrap();
        let version = old["version_id"].as_str().unwrap();
        let got = verb(&folder, &["files", "get", "7", "12.txt", "--version", version], 0);
        assert_eq!(got, "old");
        verb(&folder, &["files", "get", "7", "none.txt"], 2);
    });
}

#[test]
fn what_the_pipeline_does_not_want_is_left_out_and_counted() {
    let folder = Folder::new();
    pipeline(&folder, "  hidden: skip\n  subformats: skip\n  missing: skip\n");
    let mut hidden = stored(&folder, 7, 11, 1, "hidden");
    hidden["hidden"] = true.into();
    let mut ocr = stored(&folder, 7, 12, 1, "ocr");
    ocr["subformat"] = "ocr".into();
    let missing = stored(&folder, 7, 13, 1, "missing");
    std::fs::remove_file(folder.path("legacy/g0/13/content.txt;1")).unwrap();
    let records = [one(7, &[hidden, ocr, missing, stored(&folder, 7, 14, 1, "good")])];
    let report = load(&folder, &records, 0);
    assert_eq!(parts(&report, "files"), [4, 1, 0, 3, 0]);
    assert_eq!(parts(&report, "bytes"), [20, 4, 0, 16, 0]);
    for code in ["hidden", "subformat", "missing"] {
        assert_eq!(warnings(&report, &format!("files.skipped_{code}")), 1, "{code}");
    }
}

#[test]
fn a_dry_run_looks_at_files_and_writes_nothing() {
    let folder = Folder::new();
    pipeline(&folder, "");
    let short = stored(&folder, 7, 11, 1, "too short");
    folder.write("legacy/g0/11/content.txt;1", "too");
    let records = [one(7, &[short, stored(&folder, 7, 12, 1, "good")])];
    folder.write("records_dump_0.json", dump(&records));
    let report = folder.run(&["--dry-run"]).report(1);
    assert_eq!(parts(&report, "files"), [2, 1, 0, 0, 1]);
    assert_eq!(parts(&report, "bytes"), [13, 4, 0, 0, 9]);
    assert_eq!(tree(&folder.path("kept")), [""; 0]);
    assert!(!folder.store().exists());
}

#[test]
fn links_and_references_copy_nothing() {
    let folder = Folder::new();
    pipeline(&folder, "  mode: link\n");
    let records = [one(7, &[stored(&folder, 7, 11, 1, "one meadow")])];
    assert_eq!(parts(&load(&folder, &records, 0), "files")[1], 1);
    let kept = folder.path("kept").join(&tree(&folder.path("kept"))[0]);
    assert_eq!(std::fs::read(&kept).unwrap(), b"one meadow");
    folder.write("legacy/g0/11/content.txt;1", "two meadow");
    assert_eq!(std::fs::read(&kept).unwrap(), b"two meadow", "it is the same file");
    let folder = Folder::new();
    pipeline(&folder, "  mode: reference\n");
    let records = [one(7, &[stored(&folder, 7, 11, 1, "one meadow")])];
    assert_eq!(parts(&load(&folder, &records, 0), "files")[1], 1);
    assert_eq!(tree(&folder.path("kept")), [""; 0]);
    let uri = folder.text("select uri from files_files");
    assert!(uri.ends_with("legacy/g0/11/content.txt;1"), "{uri}");
    assert_eq!(verb(&folder, &["files", "get", "7", "11.txt"], 0), "one meadow");
    assert_eq!(parts(&load(&folder, &records, 0), "files"), [1, 0, 1, 0, 0]);
}

#[test]
fn verify_finds_what_has_changed_and_says_whose_it_is() {
    on_every_keeper(|folder| {
        pipeline(&folder, "");
        let files: Vec<Value> =
            (11..16).map(|n| stored(&folder, 7, n, 1, &format!("file {n}"))).collect();
        load(&folder, &[one(7, &files)], 0);
        let report = verb(&folder, &["files", "verify", "--json"], 0);
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!((&report["checked"], &report["failed"]), (&json!(5), &json!(0)));
        let kept = |n: usize| folder.path("kept").join(&tree(&folder.path("kept"))[n]);
        std::fs::write(kept(0), "file 99").unwrap();
        std::fs::remove_file(kept(1)).unwrap();
        let ended = end(&mut folder.windrow(&["files", "verify"]));
        assert_eq!(ended.status, Some(1), "{}", ended.stderr);
        assert_eq!(
            ended.stdout.lines().filter(|line| line.contains("recid:7")).count(),
            2,
            "{}",
            ended.stdout
        );
        let checks = "select cast(count(*) as text) from files_files where ";
        assert_eq!(folder.text(&format!("{checks} last_check")), "3");
        assert_eq!(folder.text(&format!("{checks} not last_check")), "1");
        assert_eq!(
            folder.text(&format!("{checks} last_check is null and last_check_at is not null")),
            "1"
        );
        let sample =
            verb(&folder, &["files", "verify", "--sample", "40%", "--rate", "1MB/s", "--json"], 1);
        let sample: Value = serde_json::from_str(&sample).unwrap();
        assert_eq!(sample["checked"], 2);
    });
}

#[test]
fn sweep_removes_what_no_instance_names_and_only_when_it_is_old() {
    on_every_keeper(|folder| {
        pipeline(&folder, "");
        load(&folder, &[one(7, &[stored(&folder, 7, 11, 1, "one meadow")])], 0);
        let kept = tree(&folder.path("kept"));
        let beside = folder.path("kept").join(&kept[0]);
        let part = beside.with_file_name("data.abc.part");
        let orphan = folder.path("kept/01/23/4567-89ab-cdef-0123-456789abcdef/data");
        std::fs::create_dir_all(orphan.parent().unwrap()).unwrap();
        std::fs::write(&orphan, "nobody's").unwrap();
        std::fs::write(&part, "half").unwrap();
        assert_eq!(verb(&folder, &["files", "sweep"], 0), "", "they are young");
        let listed = verb(&folder, &["files", "sweep", "--older-than", "0s"], 0);
        assert_eq!(listed.lines().count(), 2, "{listed}");
        assert_eq!(tree(&folder.path("kept")).len(), 3, "it only lists");
        verb(&folder, &["files", "sweep", "--older-than", "0s", "--remove"], 0);
        assert_eq!(tree(&folder.path("kept")), kept);
    });
}

#[test]
fn sweep_knows_files_by_the_names_that_invenio_gives_them() {
    on_every_keeper(|folder| {
        pipeline(&folder, "");
        load(&folder, &[one(7, &[stored(&folder, 7, 11, 1, "one meadow")])], 0);
        folder.text("update files_files set uri = 'file://' || uri returning uri");
        let kept = tree(&folder.path("kept"));
        verb(&folder, &["files", "sweep", "--older-than", "0s", "--remove"], 0);
        assert_eq!(tree(&folder.path("kept")), kept);
    });
}

#[test]
fn sweep_removes_nothing_while_a_pipeline_runs() {
    on_every_keeper(|folder| {
        pipeline(&folder, "");
        load(&folder, &[one(7, &[stored(&folder, 7, 11, 1, "one meadow")])], 0);
        let orphan = folder.path("kept/01/23/4567-89ab-cdef-0123-456789abcdef/data");
        std::fs::create_dir_all(orphan.parent().unwrap()).unwrap();
        std::fs::write(&orphan, "of a load").unwrap();
        let sweep = ["files", "sweep", "--older-than", "0s", "--remove"];
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let store = runtime.block_on(windrow::store::open(&folder.url())).unwrap();
        runtime.block_on(store.claim("moved")).unwrap();
        let ended = end(&mut folder.windrow(&sweep));
        assert_eq!(ended.status, Some(75), "{}", ended.stderr);
        assert!(ended.stderr.contains("moved is being run"), "{}", ended.stderr);
        assert_eq!(verb(&folder, &sweep[..4], 0).lines().count(), 1, "it lists all the same");
        assert!(orphan.exists());
        runtime.block_on(store.release("moved"));
        verb(&folder, &sweep, 0);
        assert!(!orphan.exists());
    });
}

#[test]
fn a_file_has_its_name_when_it_is_whole_and_right() {
    let folder = Folder::new();
    pipeline(&folder, "");
    load(&folder, &[one(7, &[stored(&folder, 7, 11, 1, "one meadow")])], 0);
    folder.write("out.txt", "before");
    verb(&folder, &["files", "get", "7", "11.txt", "-o", "out.txt"], 0);
    assert_eq!(std::fs::read(folder.path("out.txt")).unwrap(), b"one meadow");
    let kept = folder.path("kept").join(&tree(&folder.path("kept"))[0]);
    std::fs::write(kept, "two meadow").unwrap();
    folder.write("out.txt", "before");
    verb(&folder, &["files", "get", "7", "11.txt", "-o", "out.txt"], 2);
    assert_eq!(std::fs::read(folder.path("out.txt")).unwrap(), b"before");
    assert!(!folder.path("out.txt.partial").exists());
}

#[test]
fn single_files_are_put_and_locations_named() {
    on_every_keeper(|folder| {
        pipeline(&folder, "");
        load(&folder, &[one(7, &[])], 0);
        folder.write("plan.txt", "the plan");
        verb(&folder, &["files", "put", "7", "plan.txt"], 0);
        assert_eq!(verb(&folder, &["files", "get", "7", "plan.txt"], 0), "the plan");
        folder.write("plan.txt", "another plan");
        verb(&folder, &["files", "put", "7", "plan.txt"], 0);
        assert_eq!(heads(&folder, 7)[0]["size"], 12);
        verb(&folder, &["files", "delete", "7", "plan.txt"], 0);
        assert_eq!(heads(&folder, 7), [Value::Null; 0]);
        verb(&folder, &["files", "get", "7", "plan.txt"], 2);
        std::fs::create_dir_all(folder.path("more")).unwrap();
        let more = folder.path("more").display().to_string();
        verb(&folder, &["files", "location", "create", "more", &more, "--default"], 0);
        let listed = verb(&folder, &["files", "location", "list"], 0);
        assert_eq!(listed.lines().count(), 2, "{listed}");
        verb(&folder, &["files", "put", "7", "plan.txt"], 0);
        assert_eq!(tree(&folder.path("more")).len(), 1);
        verb(&folder, &["files", "location", "set-default", "none"], 2);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_into_an_s3() {
    let double = S3Double::start().await;
    double.fail_next(&[503]);
    let folder = Folder::new();
    pipeline(&folder, "");
    let text = std::fs::read_to_string(folder.path("pipeline.yaml")).unwrap();
    folder.write("pipeline.yaml", text.replace("uri: kept", "uri: \"s3://meadow/files\""));
    let records = [one(7, &[stored(&folder, 7, 11, 1, "one meadow")])];
    folder.write("records_dump_0.json", dump(&records));
    let run = |arguments: &[&str]| {
        let mut command = folder.windrow(arguments);
        command.envs(double.variables());
        command
    };
    let commands = [
        run(&["run", "pipeline.yaml", "--json"]),
        run(&["files", "get", "7", "11.txt"]),
        run(&["files", "verify"]),
    ];
    let ended = tokio::task::spawn_blocking(move || commands.map(|mut command| end(&mut command)));
    let [loaded, got, verified] = ended.await.unwrap();
    assert_eq!(parts(&loaded.report(0), "files"), [1, 1, 0, 0, 0]);
    assert_eq!(got.stdout, "one meadow");
    assert_eq!(verified.status, Some(0), "{}", verified.stderr);
    assert!(folder.text("select uri from files_files").starts_with("s3://meadow/files/"));
    assert_eq!(double.objects().lock().unwrap().len(), 1);
}

#[test]
fn mistakes_of_the_files_block_are_found_before_the_first_record() {
    let folder = Folder::new();
    pipeline(&folder, "  mode: cpoy\n  verify: false\n  parallel: 0\n  urls: { allow: true }\n");
    folder.write("records_dump_0.json", dump(&[one(7, &[])]));
    let ended = folder.run(&[]);
    assert_eq!(ended.status, Some(78), "{}", ended.stderr);
    for word in ["cpoy", "verify is false", "parallel is 0", "allow"] {
        assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
    }
    pipeline(&folder, "");
    std::fs::remove_dir(folder.path("legacy")).unwrap();
    let ended = folder.run(&[]);
    assert_eq!(ended.status, Some(78), "{}", ended.stderr);
    assert!(ended.stderr.contains("legacy"), "{}", ended.stderr);
}

#[test]
fn of_two_documents_of_one_name_the_second_gets_its_number() {
    on_every_keeper(|folder| {
        pipeline(&folder, "");
        let named = |bibdocid: u64, version: u64, text: &str| {
            let mut file = stored(&folder, 7, bibdocid, version, text);
            file["full_name"] = "a.txt".into();
            file
        };
        let listed = || verb(&folder, &["files", "list", "7", "--versions"], 0).lines().count();
        let get = |key: &str| verb(&folder, &["files", "get", "7", key], 0);
        let mut closed = named(12, 2, "second");
        closed["status"] = "group: board".into();
        let report = load(&folder, &[one(7, &[closed, named(11, 1, "first")])], 0);
        assert_eq!(warnings(&report, "invenio_v1.same_name"), 1, "{report}");
        assert_eq!(parts(&report, "files"), [2, 2, 0, 0, 0]);
        assert_eq!((get("a.txt"), get("a_12.txt"), listed()), ("first".into(), "second".into(), 2));
        let text = verb(&folder, &["records", "get", "--content", "7"], 0);
        let shown: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(shown["_access"]["files"], json!({ "a_12.txt": ["board"] }));

        // Later and alone, when nothing in the dump tells that there is another of the name.
        for (bibdocid, text) in [(12, "anew"), (13, "third")] {
            load(&folder, &[record(7, &[], &[named(bibdocid, 3, text)])], 0);
        }
        assert_eq!((get("a_12.txt"), get("a_13.txt")), ("anew".into(), "third".into()));
        assert_eq!((get("a.txt"), listed()), ("first".into(), 4));
        let again = load(&folder, &[record(7, &[], &[named(12, 3, "anew")])], 0);
        assert_eq!(parts(&again, "files"), [1, 0, 1, 0, 0]);
        let audited = verb(&folder, &["audit", "pipeline.yaml"], 0);
        assert!(audited.contains("files: equal 1, held 0, different 0"), "{audited}");
    });
}
