//! The pages that are made from the program's own tables: `UPDATE=1` writes them anew.

use std::fmt::Write;

use windrow::crosswalk::keys::{self, Word};
use windrow::crosswalk::transforms::{Family, Row, TRANSFORMS};
use windrow::crosswalk::{Crosswalk, json_schema};

use windrow::yaml::{SourceText, parse};

use crate::support::project;

/// The page at `path` is `text`, or becomes it with `UPDATE=1`.
fn check(path: &str, text: &str) {
    let file = project(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, text).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    let first = found.lines().zip(text.lines()).position(|(a, b)| a != b);
    assert!(
        found == text,
        "{path} is not what the program says (line {:?}): UPDATE=1 cargo test --test main reference",
        first.map(|line| line + 1)
    );
}

/// Code in a cell of a table, whatever it holds.
fn code(text: &str) -> String {
    if text.is_empty() {
        return "nothing".to_owned();
    }
    let visible = text.replace('\n', "\\n").replace('|', "\\|");
    // A combining mark alone would join the sign before it.
    let marks = |c: char| ('\u{300}'..='\u{36F}').contains(&c);
    let visible: String = visible
        .chars()
        .map(|c| if marks(c) { format!("\\u{{{:X}}}", u32::from(c)) } else { c.to_string() })
        .collect();
    format!("`{visible}`")
}

/// One or several values.
fn values(text: &str) -> String {
    text.split('|').map(code).collect::<Vec<_>>().join(", ")
}

fn row(page: &mut String, row: &Row) {
    let signatures: Vec<String> = row.signature.split(" | ").map(code).collect();
    let (pipe, input, output) = row.example;
    let fails = if row.fallible { "can fail" } else { "" };
    let pipe = if pipe == row.name { String::new() } else { format!("{}: ", code(pipe)) };
    let example = format!("{pipe}{} → {}", values(input), values(output));
    let signatures = signatures.join(", ");
    writeln!(page, "| {signatures} | {fails} | {} | {example} |", row.doc).unwrap();
}

fn policies(page: &mut String) {
    let mut words = |key: &str, words: &[Word]| {
        for (word, doc) in words {
            writeln!(page, "| `{key}` | `{word}` | {doc} |").unwrap();
        }
        writeln!(page, "| `{key}` | `{{ default: TEXT }}` | takes this value instead |").unwrap();
    };
    words("on_error", keys::ON_ERROR);
    words("on_missing", keys::ON_MISSING);
    *page += "| both | `{ skip: true, report: warn }` | as `skip`, and counts a warning |\n";
}

fn transforms() -> String {
    let mut page = "# Transforms\n\n\
        Made from the table in `src/crosswalk/transforms/table.rs`, where each example is a test. \
        A pipe applies them one after another: `pipe: \"nfc | trim_isbd | rstrip(',')\"`; in an \
        expression they are filters: `{{ value | nfc | trim_isbd }}`.\n\n\
        A transform that *can fail* gives no value for what it cannot take. It needs an `on_error` \
        in force, of the rule, of the rule around it or of `defaults`, or the file does not \
        compile. `lookup` and `lookup_prefix` can fail only in a table with `miss: error`.\n\n\
        A text in an argument stands in quotes; characters are counted, not bytes; regular \
        expressions are those of the [regex](https://docs.rs/regex/latest/regex/#syntax) crate.\n\n\
        ## Policies\n\n| key | word | what it does |\n|---|---|---|\n"
        .to_owned();
    policies(&mut page);
    for (family, heading) in Family::ALL {
        writeln!(page, "\n## {heading}\n").unwrap();
        if *family == Family::List {
            page += "They wait until all values of the rule are gathered, in the order of the \
                     record; the steps after them go on value by value.\n\n";
        }
        page += "| transform | | what it does | example |\n|---|---|---|---|\n";
        let rows = TRANSFORMS.iter().filter(|row| row.family == *family);
        rows.for_each(|transform| row(&mut page, transform));
    }
    page
}

/// YAML as JSON, as the project reads it.
fn json(name: &str, text: String) -> serde_json::Value {
    let source = std::sync::Arc::new(SourceText { name: name.to_owned(), text });
    parse(&source).unwrap_or_else(|mistakes| panic!("{mistakes}")).to_json()
}

/// Where a crosswalk is not what the schema says.
fn violations(name: &str, text: String) -> Vec<String> {
    let validator = jsonschema::validator_for(&json_schema()).unwrap();
    let file = json(name, text);
    let errors = validator.iter_errors(&file);
    errors.map(|error| format!("{name}: {} at {}", error, error.instance_path())).collect()
}

/// The files of a folder with this extension, without those of folders in it.
fn files(folder: &str) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(project(folder)).unwrap();
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
fn the_json_schema_of_crosswalk_files_says_what_the_reader_takes() {
    let text = serde_json::to_string_pretty(&json_schema()).unwrap();
    check("docs/crosswalk.schema.json", &format!("{text}\n"));
}

#[test]
fn every_crosswalk_of_the_project_is_one_by_the_json_schema() {
    let mut wrong = Vec::new();
    for folder in ["crosswalks", "fixtures/crosswalks"] {
        for file in files(folder) {
            let text = std::fs::read_to_string(&file).unwrap();
            wrong.extend(violations(&file.display().to_string(), text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_examples_of_the_readme_are_crosswalks() {
    let page = std::fs::read_to_string(project("crosswalks/README.md")).unwrap();
    let examples = page.split("```yaml\n").skip(1);
    let mut whole = 0;
    for (n, example) in examples.enumerate() {
        let text = example.split("```").next().unwrap().to_owned();
        let name = format!("example {}", n + 1);
        let begins = text.trim_start();
        // What leaves something out is no crosswalk yet.
        if text.contains("...") || text.contains('…') {
            continue;
        }
        if begins.starts_with("crosswalk:") {
            assert_eq!(violations(&name, text.clone()), [""; 0]);
            if !text.contains("extends:") {
                let parsed = Crosswalk::parse(name, text, &project("crosswalks"));
                let crosswalk = parsed.unwrap_or_else(|mistakes| panic!("{mistakes}"));
                let outcomes = crosswalk.test().unwrap().outcomes;
                assert!(outcomes.iter().all(|test| test.failures.is_empty()), "{outcomes:?}");
            }
            whole += 1;
        } else if begins.starts_with("tables:") || begins.starts_with("rules:") {
            // A part of a file: the rest is of no matter here.
            let rules = if text.contains("rules:") { "" } else { "rules: []\n" };
            let text = format!(
                "crosswalk: x\nfrom: {{ format: marc21 }}\nto: {{ format: json }}\n{text}{rules}"
            );
            assert_eq!(violations(&name, text), [""; 0]);
        }
    }
    assert!(whole > 0, "the README shows no crosswalk");
}

#[test]
fn what_the_reader_refuses_for_its_structure_the_json_schema_refuses_too() {
    for name in [
        "unknown_key",
        "unknown_take",
        "unknown_policy",
        "unknown_format",
        "wrong_type",
        "table_with_file_and_inline",
        "ignore_without_reason",
        "test_without_input",
        "two_mistakes",
    ] {
        let path = format!("fixtures/crosswalks/misuse/{name}.yaml");
        let text = std::fs::read_to_string(project(&path)).unwrap();
        assert!(!violations(name, text).is_empty(), "{name}");
    }
}

#[test]
fn the_page_of_transforms_says_what_the_table_does() {
    check("docs/transforms.md", &transforms());
}
