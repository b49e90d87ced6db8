//! `extends`: rules merge by id, and each mistake is shown in the file where it was made.

use windrow::crosswalk::Crosswalk;

use crate::support::Folder;

const PARENT: &str = "\
crosswalk: parent
version: 1
from: { format: marc21 }
to: { format: json }
defaults: { on_error: quarantine }
tables: { kind: { inline: { a: book } } }
pipes: { label: trim }
rules:
  - { id: recid, to: id, from: \"001\" }
  - { id: title, to: title, from: 245$a, pipe: label }
  - { id: kind, to: kind, from: LDR/06, pipe: lookup(kind), on_error: skip }
  - { id: note, to: \"notes[]\", from: 500$a }
ignore: [ { from: \"003\", why: not needed } ]
tests:
  - name: never run for a child
    marc: \"=001  1\"
    expect: { id: another }
";

fn load(files: &[(&str, &str)]) -> Result<Crosswalk, String> {
    let folder = Folder::new();
    for (name, text) in files {
        folder.write(name, text);
    }
    let root = format!("{}/", folder.path("").display().to_string().trim_end_matches('/'));
    Crosswalk::load(&folder.path("child.yaml")).map_err(|e| e.to_string().replace(&root, ""))
}

fn child(rest: &str) -> String {
    format!("crosswalk: child\nextends: parent.yaml\n{rest}")
}

#[track_caller]
fn mistake(files: &[(&str, &str)], expected: &str) {
    let found = load(files).map(|_| "no mistakes").unwrap_err();
    assert_eq!(found.trim(), expected.trim(), "\n{found}");
}

#[track_caller]
fn passes(files: &[(&str, &str)]) {
    let crosswalk = load(files).unwrap_or_else(|error| panic!("{error}"));
    let outcomes = crosswalk.test().unwrap().outcomes;
    assert!(!outcomes.is_empty());
    for outcome in outcomes {
        assert!(outcome.failures.is_empty(), "{}: {:?}", outcome.name, outcome.failures);
    }
}

#[test]
fn a_child_replaces_removes_places_and_adds() {
    let child = child(
        r#"
tables: { kind: { inline: { a: volume } } }
pipes: { label: "trim | upper" }
rules:
  - { id: title, replace: true, to: "titles[]", from: 245$a, pipe: label }
  - { id: note, remove: true }
  - { id: first, before: title, to: "titles[]", from: 240$a }
  - { id: second, after: title, to: "titles[]", from: 246$a }
  - { id: third, after: title, to: "titles[]", from: 740$a }
  - { id: last, to: "titles[]", from: 130$a }
ignore: [ { from: 500$a, why: left to the source } ]
tests:
  - name: all of it
    marc: |
      =LDR  00000nam a2200000 a 4500
      =001  1
      =003  X
      =130  0\$af
      =240  10$aa
      =245  00$ab
      =246  1\$ac
      =500  \\$an
      =740  0\$ad
    exact: { id: "1", kind: volume, titles: [ a, B, c, d, f ] }
    unmapped: []
"#,
    );
    passes(&[("parent.yaml", PARENT), ("child.yaml", &child)]);
}

#[test]
fn two_parents_that_share_a_grandparent_give_its_rules_once() {
    let middle = |name: &str, rule: &str| {
        format!("crosswalk: {name}\nextends: parent.yaml\nrules: [ {rule} ]\n")
    };
    let left = middle("left", "{ id: left, to: left, from: 650$a }");
    let right = middle("right", "{ id: right, to: right, from: 651$a }");
    let child = "\
crosswalk: child
extends: [left.yaml, right.yaml]
tests:
  - name: all of it
    marc: |
      =001  1
      =500  \\\\$an
      =650  \\0$al
      =651  \\0$ar
    exact: { id: \"1\", kind: book, notes: [ n ], left: l, right: r }
";
    let files = [
        ("parent.yaml", PARENT),
        ("left.yaml", &left),
        ("right.yaml", &right),
        ("child.yaml", child),
    ];
    passes(&files);
}

#[test]
fn tables_stand_beside_the_file_that_names_them() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("base")).unwrap();
    let named = "kind: { file: kinds.csv, key: code, value: name }";
    folder.write("base/parent.yaml", PARENT.replace("kind: { inline: { a: book } }", named));
    folder.write("base/kinds.csv", "code,name\na,book\n");
    folder.write("child.yaml", "crosswalk: child\nextends: base/parent.yaml\n");
    let before = Crosswalk::load(&folder.path("child.yaml")).unwrap().hash();
    folder.write("base/kinds.csv", "code,name\na,volume\n");
    let after = Crosswalk::load(&folder.path("child.yaml")).unwrap().hash();
    assert_ne!(before, after);
}

#[test]
fn what_a_parent_says_counts_in_the_hash() {
    let child = child("");
    let hash =
        |parent: &str| load(&[("parent.yaml", parent), ("child.yaml", &child)]).unwrap().hash();
    assert_ne!(hash(PARENT), hash(&PARENT.replace("500$a", "501$a")));
}

#[test]
fn a_file_that_extends_itself_is_refused() {
    let parent = "crosswalk: parent\nextends: child.yaml\n";
    let expected = "
error[E0502]: a file extends itself: child.yaml → parent.yaml → child.yaml
 --> parent.yaml:2:10
  |
2 | extends: child.yaml
  |          ^^^^^^^^^^
1 error";
    mistake(&[("parent.yaml", parent), ("child.yaml", &child(""))], expected);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let expected = "
error[E0501]: cannot read parent.yaml: No such file or directory (os error 2)
 --> child.yaml:2:10
  |
2 | extends: parent.yaml
  |          ^^^^^^^^^^^
1 error";
    mistake(&[("child.yaml", &child(""))], expected);
}

#[test]
fn a_rule_that_is_not_there_is_told_with_the_nearest() {
    let child = child(
        "rules:
  - { id: titel, replace: true, to: title, from: 245$a }
  - { id: nota, remove: true }
  - { id: new, after: tilte, to: x, from: 246$a }
",
    );
    let expected = "
error[E0503]: unknown rule `titel`
 --> child.yaml:4:5
  |
4 |   - { id: titel, replace: true, to: title, from: 245$a }
  |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ did you mean `title`?
error[E0503]: unknown rule `nota`
 --> child.yaml:5:5
  |
5 |   - { id: nota, remove: true }
  |     ^^^^^^^^^^^^^^^^^^^^^^^^^^ did you mean `note`?
error[E0503]: unknown rule `tilte`
 --> child.yaml:6:23
  |
6 |   - { id: new, after: tilte, to: x, from: 246$a }
  |                       ^^^^^ did you mean `title`?
3 errors";
    mistake(&[("parent.yaml", PARENT), ("child.yaml", &child)], expected);
}

#[test]
fn an_inherited_rule_is_not_taken_over_without_a_word() {
    let child = child("rules:\n  - { id: title, to: title, from: 245$a }\n");
    let expected = "
error[E0505]: the rule `title` is inherited
 --> child.yaml:4:5
  |
4 |   - { id: title, to: title, from: 245$a }
  |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ say `replace: true` or `remove: true`, or give it another id
1 error";
    mistake(&[("parent.yaml", PARENT), ("child.yaml", &child)], expected);
}

#[test]
fn a_rule_that_is_removed_says_nothing_else_and_stands_in_one_place() {
    let child = child(
        "rules:
  - { id: note, remove: true, from: 500$a }
  - { id: new, before: title, after: recid, to: x, from: 246$a }
",
    );
    let expected = "
error[E0504]: a rule that is removed has no more than its `id`
 --> child.yaml:4:31
  |
4 |   - { id: note, remove: true, from: 500$a }
  |                               ^^^^
error[E0504]: a rule stands `before` or `after` one other, not both
 --> child.yaml:5:31
  |
5 |   - { id: new, before: title, after: recid, to: x, from: 246$a }
  |                               ^^^^^
2 errors";
    mistake(&[("parent.yaml", PARENT), ("child.yaml", &child)], expected);
}

#[test]
fn mistakes_of_both_files_are_shown_each_in_its_own() {
    let parent = PARENT.replace("pipe: label }", "pipe: lable }").replace("500$a", "50$a");
    let child = child("rules:\n  - { id: new, to: x, from: 246$a, pipe: trimm }\n");
    let expected = "
error[E0203]: unknown transform `trimm`
 --> child.yaml:4:42
  |
4 |   - { id: new, to: x, from: 246$a, pipe: trimm }
  |                                          ^^^^^ did you mean `trim`?
error[E0203]: unknown transform `lable`
  --> parent.yaml:10:48
   |
10 |   - { id: title, to: title, from: 245$a, pipe: lable }
   |                                                ^^^^^ did you mean `label`?
error[E0201]: selector: found `$`, expected a tag of three letters or digits, or `$`
  --> parent.yaml:12:40
   |
12 |   - { id: note, to: \"notes[]\", from: 50$a }
   |                                        ^
3 errors";
    mistake(&[("parent.yaml", &parent), ("child.yaml", &child)], expected);
}

#[test]
fn a_parent_that_is_no_yaml_is_shown_and_nothing_is_guessed() {
    let found = load(&[("parent.yaml", "a: [1\n"), ("child.yaml", &child("rules: []\n"))]);
    let found = found.map(|_| "no mistakes").unwrap_err();
    assert!(found.contains("--> parent.yaml:1:4") && found.ends_with("1 error"), "{found}");
}
