//! The rules of the house that no compiler knows: floors, file heads, sizes, sorted tables.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use regex::Regex;

use windrow::crosswalk::Crosswalk;
use windrow::crosswalk::transforms::TRANSFORMS;
use windrow::formats::FORMATS;
use windrow::pipeline::Definition;
use windrow::serializers::serializers;

/// The rooms by floor, lowest first; `ARCHITECTURE.md` says why they stand so.
const FLOORS: &[&[&str]] = &[
    &["record", "json", "xml", "yaml"],
    &["identifiers", "formats", "oai"],
    &["crosswalk", "validate", "store", "files"],
    &["source", "serializers", "records"],
    &["pipeline", "server"],
    &["cli"],
];

/// Uses that the floors forbid between two rooms of the lowest one: (room, what it uses, why).
const SAME_FLOOR: &[(&str, &str, &str)] = &[
    ("json", "record", "a cut record says why it is damaged in the words that all rooms use"),
    ("xml", "record", "a cut record says why it is damaged in the words that all rooms use"),
];

/// Words that only some rooms may say: (word, rooms, why).
const KEPT_IN: &[(&str, &[&str], &str)] = &[
    ("anyhow::", &["cli"], "other rooms have one error enum each"),
    ("clap::", &["cli"], "only one room talks to a terminal"),
    ("indicatif::", &["cli"], "only one room talks to a terminal"),
    ("axum::", &["server"], "only one room speaks HTTP"),
    ("sqlx::", &["store"], "only the keepers know a database"),
    ("rayon::", &["pipeline"], "what is done to one record does not know the others"),
    ("object_store::", &["files"], "only one room keeps bytes"),
    ("reqwest::", &["source"], "only one room asks others by HTTP"),
    (
        "tokio::",
        &["cli", "files", "pipeline", "server", "source", "store"],
        "the middle is pure: no async",
    ),
    ("std::net", &["cli", "server", "source"], "sockets are at the edges"),
    (
        "std::fs",
        &["cli", "crosswalk", "validate", "files", "source", "store", "pipeline"],
        "standards are values: no disk below",
    ),
];

/// Files over the wall: (file, most lines, why). Shrink them, raise nothing.
const LONG_FILES: &[(&str, usize, &str)] = &[];

const LONGEST_FILE: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file of the project: path relative to its root, with `/`, and content.
fn texts() -> BTreeMap<String, String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let known_dots = [".ci", ".rustfmt.toml", ".gitignore"];
            let made = ["target", "corpus", "artifacts"].contains(&&*name);
            if made || (name.starts_with('.') && !known_dots.contains(&&*name)) {
                continue;
            }
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut files = Vec::new();
    walk(root(), &mut files);
    let relative = |path: &Path| path.strip_prefix(root()).unwrap().display().to_string();
    files
        .into_iter()
        .filter_map(|path| {
            let text = String::from_utf8(std::fs::read(&path).unwrap()).ok()?;
            Some((relative(&path).replace('\\', "/"), text))
        })
        .collect()
}

fn rust_files() -> BTreeMap<String, String> {
    let files: BTreeMap<_, _> =
        texts().into_iter().filter(|(path, _)| path.ends_with(".rs")).collect();
    assert!(files.contains_key("src/lib.rs"), "the walk finds the sources");
    files
}

/// The files of rooms, with the room each is in; `lib.rs` and `main.rs` are in none.
fn room_files() -> Vec<(String, String, String)> {
    rust_files()
        .into_iter()
        .filter_map(|(path, text)| {
            let (room, _) = path.strip_prefix("src/")?.split_once('/')?;
            Some((room.to_owned(), path.clone(), text))
        })
        .collect()
}

fn complain(rule: &str, violations: &[String]) {
    assert!(violations.is_empty(), "{rule}\n  {}", violations.join("\n  "));
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// What is wrong with the rooms that `text`, a file of `room`, uses.
fn floor_violations(room: &str, text: &str) -> Vec<String> {
    let use_of = Regex::new(r"\b(?:crate|windrow)::(\w+|\{)").unwrap();
    let Some(here) = floor(room) else {
        return vec![format!("room `{room}` is on no floor: add it to FLOORS")];
    };
    let mut violations = Vec::new();
    for found in use_of.captures_iter(text) {
        let used = &found[1];
        let allowed = match floor(used) {
            _ if used == room => true,
            Some(there) if there < here => true,
            _ => SAME_FLOOR.iter().any(|(from, to, _)| (*from, *to) == (room, used)),
        };
        if used == "{" {
            violations.push("`crate::{…}` hides rooms: write one `use` for each".to_owned());
        } else if !allowed {
            violations.push(format!("`{room}` uses `{used}`, which is not on a lower floor"));
        }
    }
    violations
}

#[test]
fn a_room_uses_only_rooms_on_lower_floors() {
    let violations: Vec<_> = room_files()
        .iter()
        .flat_map(|(room, path, text)| {
            floor_violations(room, text).into_iter().map(move |found| format!("{path}: {found}"))
        })
        .collect();
    complain("move what is used down, or what uses it up (ARCHITECTURE.md, floors)", &violations);
}

#[test]
fn the_check_of_floors_sees_a_violation() {
    let seen = |room, text| floor_violations(room, text).len();
    assert_eq!(seen("formats", "use crate::record::Warning;\nuse crate::formats::Cut;"), 0);
    assert_eq!(seen("formats", "use crate::crosswalk::Plan;"), 1);
    assert_eq!(seen("store", "let valid = crate::validate::check(record);"), 1);
    assert_eq!(seen("server", "use windrow::pipeline::run;"), 1);
    assert_eq!(seen("cli", "use crate::{record, store};"), 1);
    assert_eq!(seen("cellar", ""), 1);
    assert_eq!(seen("xml", "use crate::record::Damage;"), 0);
    assert_eq!(seen("record", "use crate::xml::cut;"), 1);
}

#[test]
fn lib_rs_declares_the_rooms_bottom_to_top() {
    let text = &rust_files()["src/lib.rs"];
    let declared: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let floors: Vec<_> = declared.iter().map(|room| floor(room)).collect();
    assert!(floors.iter().all(Option::is_some), "a room is on no floor: {declared:?}");
    assert!(floors.is_sorted(), "order the rooms of src/lib.rs by floor: {declared:?}");
    assert_eq!(declared.len(), FLOORS.concat().len(), "FLOORS names a room that is not there");
}

fn crate_violations(room: &str, text: &str) -> Vec<String> {
    KEPT_IN
        .iter()
        .filter(|(word, rooms, _)| !rooms.contains(&room) && text.contains(word))
        .map(|(word, _, why)| format!("`{word}` in `{room}`: {why}"))
        .collect()
}

#[test]
fn a_crate_stays_in_the_rooms_that_need_it() {
    let mut violations = Vec::new();
    for (room, path, text) in room_files() {
        // Tests may set up what they want.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        if !path.ends_with("/tests.rs") {
            violations.extend(crate_violations(&room, code).iter().map(|v| format!("{path}: {v}")));
        }
    }
    complain("move the code to a room that may, or change KEPT_IN with a reason", &violations);
    assert_eq!(crate_violations("formats", "std::fs::read(path)").len(), 1);
    assert_eq!(crate_violations("cli", "anyhow::anyhow!(1)").len(), 0);
}

/// The first paragraph of a file's `//!` comment.
fn head(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("//! ")).collect();
    (!lines.is_empty()).then(|| lines.join(" "))
}

#[test]
fn every_source_file_opens_with_a_sentence() {
    let two_lines = head("//! A sentence,\n//! of two lines.\n//!\n//! More.\nuse a;");
    assert_eq!(two_lines.as_deref(), Some("A sentence, of two lines."));
    assert_eq!(head("use a;\n//! Too late."), None);
    let violations: Vec<_> = rust_files()
        .into_iter()
        .filter(|(_, text)| !head(text).is_some_and(|head| head.ends_with(['.', '>'])))
        .map(|(path, _)| path)
        .collect();
    complain("begin the file with `//!` and one sentence that says what it holds", &violations);
}

/// Lines before the unit tests.
fn length(text: &str) -> usize {
    text.lines().take_while(|line| *line != "#[cfg(test)]").count()
}

#[test]
fn no_file_is_longer_than_the_wall() {
    assert_eq!(length("a\nb\n#[cfg(test)]\nmod tests {\n}\n"), 2);
    let files = rust_files();
    let mut violations = Vec::new();
    for (path, text) in &files {
        let length = length(text);
        let limit = LONG_FILES.iter().find(|(long, ..)| long == path);
        let most = limit.map_or(LONGEST_FILE, |(_, most, _)| *most);
        if length > most {
            violations.push(format!("{path} has {length} lines without its tests, at most {most}"));
        }
        if limit.is_some() && length <= LONGEST_FILE {
            violations.push(format!("{path} is short enough: take it off LONG_FILES"));
        }
    }
    for (long, ..) in LONG_FILES.iter().filter(|(long, ..)| !files.contains_key(*long)) {
        violations.push(format!("{long} is not there: take it off LONG_FILES"));
    }
    complain("make two files of it", &violations);
}

#[test]
fn every_test_file_is_in_the_one_binary() {
    let files = rust_files();
    let main = &files["tests/main.rs"];
    let listed = |name: &str| main.lines().any(|line| line == format!("mod {name};"));
    let forgotten: Vec<_> = files
        .keys()
        .filter_map(|path| path.strip_prefix("tests/")?.strip_suffix(".rs"))
        .filter(|name| !name.contains('/') && *name != "main" && !listed(name))
        .map(str::to_owned)
        .collect();
    assert!(listed("tidy"));
    complain("list the file in tests/main.rs, or its tests never run", &forgotten);
}

#[test]
fn nothing_is_left_to_do_in_code() {
    let words = [concat!("to", "do!("), concat!("unimple", "mented!("), concat!("dbg", "!(")];
    let violations: Vec<_> = rust_files()
        .into_iter()
        .filter(|(_, text)| words.iter().any(|word| text.contains(word)))
        .map(|(path, _)| path)
        .collect();
    complain("finish it, or return an error that says what is missing", &violations);
}

#[test]
fn no_file_names_a_folder_of_one_machine() {
    let folders = ["work", "root", "tmp", "home/[a-z]+"].join("|");
    let absolute = Regex::new(&format!(r#"(?m)(^|[\s"'`(=:])/({folders})(/|\b)"#)).unwrap();
    assert!(absolute.is_match(concat!("see /", "work/x")));
    assert!(absolute.is_match(concat!("\"/", "home/ann\"")));
    assert!(!absolute.is_match("https://example.org/work/1 and src/root.rs"));
    let mut violations = Vec::new();
    for (path, text) in texts() {
        for (number, line) in text.lines().enumerate().filter(|(_, line)| absolute.is_match(line)) {
            violations.push(format!("{path}:{}: {line}", number + 1));
        }
    }
    complain("write paths relative to the project, and std::env::temp_dir()", &violations);
}

#[test]
fn no_line_ends_in_white_space_and_every_file_in_a_line_end() {
    // Fixtures are kept as they are, odd ends included.
    let kept = |path: &str| path.starts_with("fixtures/") || path.ends_with(".db");
    let mut violations = Vec::new();
    for (path, text) in texts().into_iter().filter(|(path, _)| !kept(path)) {
        for (number, line) in text.lines().enumerate() {
            if line.ends_with([' ', '\t', '\r']) {
                violations.push(format!("{path}:{}", number + 1));
            }
        }
        if !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n")) {
            violations.push(format!("{path}: its end"));
        }
    }
    complain("strip white space at line ends; end the file with one line end", &violations);
}

#[test]
fn sql_files_are_written_in_lower_case_and_say_why() {
    let keyword = Regex::new(
        r"\b(CREATE|TABLE|INDEX|SELECT|INSERT|INTO|UPDATE|DELETE|FROM|WHERE|PRIMARY|KEY|NOT|NULL)\b",
    )
    .unwrap();
    let quoted = Regex::new(r"'[^']*'").unwrap();
    assert!(keyword.is_match("select 1 FROM t"));
    let mut violations = Vec::new();
    let mut seen = 0;
    for (path, text) in texts() {
        if !path.starts_with("src/") || !path.ends_with(".sql") {
            continue;
        }
        seen += 1;
        if keyword.is_match(&quoted.replace_all(&text, "")) {
            violations.push(format!("{path}: keywords in lower case"));
        }
        if !text.starts_with("-- ") {
            violations.push(format!("{path}: open with a `--` sentence"));
        }
    }
    assert!(seen > 0);
    complain("SQL reads like the rest", &violations);
}

#[test]
fn registries_are_sorted_and_name_nothing_twice() {
    let sorted = |what: &str, names: Vec<&str>| {
        assert!(names.is_sorted_by(|a, b| a < b), "sort {what} by name: {names:?}");
        assert!(!names.is_empty(), "{what} is empty");
    };
    sorted("FORMATS", FORMATS.iter().map(|row| row.name).collect());
    sorted("TRANSFORMS", TRANSFORMS.iter().map(|row| row.name).collect());
    let serializers = serializers(None).unwrap();
    sorted("serializers", serializers.iter().map(|row| row.prefix.as_str()).collect());
    // tests/tables.rs knows the columns of each table.
    for (path, text) in texts() {
        if path.starts_with("crosswalks/tables/") && path.ends_with(".csv") {
            let mut rows = csv::Reader::from_reader(text.as_bytes());
            let keys: Vec<String> = rows.records().map(|row| row.unwrap()[0].to_owned()).collect();
            sorted(&path, keys.iter().map(String::as_str).collect());
        }
    }
}

fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    // Tests beside a crosswalk are none themselves.
    files.retain(|path| {
        let name = path.to_string_lossy();
        name.ends_with(".yaml") && !name.ends_with(".test.yaml")
    });
    assert!(!files.is_empty(), "{folder} has no file");
    files
}

#[test]
fn every_pipeline_is_ready_to_run() {
    let load = |path: &PathBuf| Definition::load(path).err().map(|error| error.to_string());
    let violations: Vec<_> = yaml_files("pipelines").iter().filter_map(load).collect();
    complain("`windrow validate FILE` shows it; every file of pipelines/ runs", &violations);
}

#[test]
fn every_crosswalk_carries_tests_and_stands_in_the_readme() {
    let readme = &texts()["crosswalks/README.md"];
    let mut violations = Vec::new();
    for path in yaml_files("crosswalks") {
        let name = path.file_name().unwrap().to_string_lossy();
        match Crosswalk::load(&path) {
            Ok(crosswalk) if crosswalk.test().unwrap().outcomes.is_empty() => {
                violations.push(format!("{name} has no `tests:`"));
            }
            Ok(_) => {}
            Err(error) => violations.push(error.to_string()),
        }
        if !readme.contains(&format!("`{name}`")) {
            violations.push(format!("crosswalks/README.md does not name `{name}`"));
        }
    }
    complain("a crosswalk proves what it says", &violations);
}

#[test]
fn every_format_stands_in_the_documentation() {
    let page = &texts()["docs/formats.md"];
    let missing = |name: &&str| !page.contains(&format!("`{name}`"));
    let violations: Vec<_> =
        FORMATS.iter().map(|row| row.name).filter(missing).map(str::to_owned).collect();
    complain("add a row to the table in docs/formats.md", &violations);
}
