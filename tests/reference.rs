//! The pages that are made from the program's own tables: `UPDATE=1` writes them anew.

use std::fmt::Write;

use windrow::crosswalk::transforms::{Family, Row, TRANSFORMS};

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

fn transforms() -> String {
    let mut page = "# Transforms\n\n\
        Made from the table in `src/crosswalk/transforms/table.rs`, where each example is a test. \
        A pipe applies them one after another: `pipe: \"nfc | trim_isbd | rstrip(',')\"`; in an \
        expression they are filters: `{{ value | nfc | trim_isbd }}`.\n\n\
        A transform that *can fail* gives no value for what it cannot take. It needs an `on_error` \
        in force, of the rule, of the rule around it or of `defaults`, or the file does not \
        compile. `lookup` and `lookup_prefix` can fail only in a table with `miss: error`.\n\n\
        A text in an argument stands in quotes; characters are counted, not bytes; regular \
        expressions are those of the [regex](https://docs.rs/regex/latest/regex/#syntax) crate.\n"
        .to_owned();
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

#[test]
fn the_page_of_transforms_says_what_the_table_does() {
    check("docs/transforms.md", &transforms());
}
