//! `windrow crosswalk run`, `test`, `explain` and `diff`: what each prints, and how it ends.

use crate::support::{Ended, Folder, end, project};

const CROSSWALK: &str = "\
crosswalk: brief
from: { format: marc21 }
to: { format: json }
rules:
  - { id: recid, to: id, from: \"001\" }
  - { id: title, to: title, from: 245$a, pipe: \"trim_isbd | upper\", on_missing: quarantine }
  - { id: name, to: \"names[]\", from: \"700\", map: [ { to: name, from: $a }, { to: role, const: other } ] }
  - { id: part, to: \"parts[]\", from: \"505\", value: \"{{ value | split('; ') | keep('^x') }}\" }
tests:
  - name: a title in capitals
    marc: |
      =001  1
      =245  00$aHay /
    exact: { id: \"1\", title: HAY }
";

const DUMP: &str = "\
=LDR  00000nam a2200000 a 4500
=001  1
=245  00$aHay /
=505  0\\$aone; two
=700  1\\$aMower, Ada

=LDR  00000nam a2200000 a 4500
=001  2
=700  1\\$aRake, Bea
";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("brief.yaml", CROSSWALK);
    folder.write("dump.mrk", DUMP);
    folder
}

fn crosswalk(folder: &Folder, arguments: &[&str]) -> Ended {
    end(&mut folder.windrow(&[&["crosswalk"], arguments].concat()))
}

#[test]
fn records_are_mapped_and_held_ones_are_told() {
    let ended = crosswalk(&folder(), &["run", "brief.yaml", "dump.mrk"]);
    let expected = "{\"id\":\"1\",\"names\":[{\"name\":\"Mower, Ada\",\"role\":\"other\"}],\"title\":\"HAY\"}\n";
    assert_eq!(ended.stdout, expected);
    let held = "2: no value at 245$a [missing, rule title]\n2 records = 1 mapped + 1 held\n";
    assert!(ended.stderr.ends_with(held), "{}", ended.stderr);
    assert_eq!(ended.status, Some(1));
}

#[test]
fn a_record_that_the_crosswalk_does_not_read_is_held_by_no_rule() {
    let folder = folder();
    folder.write("titles.jsonl", "{\"title\": \"Hay\"}\n");
    let ended = crosswalk(&folder, &["run", "brief.yaml", "titles.jsonl"]);
    assert!(ended.stderr.contains("that the crosswalk reads [format]\n"), "{}", ended.stderr);
}

#[test]
fn a_policy_that_says_fail_stops_at_its_record() {
    let folder = folder();
    let head = "crosswalk: failing\nfrom: { format: marc21 }\nto: { format: json }\nrules:\n";
    for (rule, before, message) in [
        (
            "{ id: title, to: title, from: 245$a, on_missing: fail }",
            1,
            "no value at 245$a [missing, rule title]\n",
        ),
        (
            "{ id: year, to: year, from: 700$a, pipe: year, on_error: fail }",
            0,
            "year cannot take \"Mower, Ada\" at 700[0] $a [year.none, rule year]\n",
        ),
    ] {
        folder.write("failing.yaml", format!("{head}  - {rule}\n"));
        let run = crosswalk(&folder, &["run", "failing.yaml", "dump.mrk"]);
        assert_eq!(run.stdout.lines().count(), before, "{}", run.stdout);
        let loss = crosswalk(&folder, &["loss", "failing.yaml", "--against", "dump.mrk"]);
        let options = ["convert", "--crosswalk", "failing.yaml", "--to", "json_lines", "dump.mrk"];
        for ended in [run, loss, end(&mut folder.windrow(&options))] {
            assert_eq!(ended.status, Some(2), "{}", ended.stderr);
            assert!(ended.stderr.contains(message), "{}", ended.stderr);
        }
    }
}

#[test]
fn a_profile_names_every_rule_and_no_record() {
    let ended = crosswalk(&folder(), &["run", "--profile", "brief.yaml", "dump.mrk"]);
    for rule in ["recid (brief.yaml:5)", "title (brief.yaml:6)", "name (brief.yaml:7)"] {
        assert!(ended.stdout.contains(rule), "{}", ended.stdout);
    }
    assert!(!ended.stdout.contains("HAY"), "{}", ended.stdout);
}

#[test]
fn each_value_of_a_record_is_explained() {
    let ended = crosswalk(&folder(), &["explain", "brief.yaml", "dump.mrk", "--id", "1"]);
    let expected = "\
dump.mrk #1 (byte 0) 1

id = \"1\"
    rule  recid  (brief.yaml:5)
    from  001[0]

title = \"HAY\"
    rule  title  (brief.yaml:6)
    from  245[0] $a
    found        \"Hay /\"
    trim_isbd    \"Hay\"
    upper        \"HAY\"

names[0].name = \"Mower, Ada\"
    rule  name.name  (brief.yaml:7)
    from  700[0] $a

names[0].role = \"other\"
    rule  name.role  (brief.yaml:7)
    from  the crosswalk itself
";
    assert_eq!(ended.stdout, expected, "{}", ended.stdout);
    let missing = crosswalk(&folder(), &["explain", "brief.yaml", "dump.mrk", "--id", "3"]);
    assert_eq!(missing.stderr, "windrow: there is no record 3\n");
}

#[test]
fn the_text_of_an_element_has_the_path_of_the_element() {
    let folder = folder();
    folder.write(
        "xml.yaml",
        "\
crosswalk: elements
from: { format: json }
to: { format: xml, record: hay }
rules:
  - { id: title, to: \"title[]\", from: $.title, map: [ { to: ., from: . }, { to: \"@kind\", const: main } ] }
",
    );
    folder.write("titles.jsonl", "{\"title\": \"Hay\"}\n");
    let ended = crosswalk(&folder, &["explain", "xml.yaml", "titles.jsonl"]);
    assert!(ended.stdout.contains("\ntitle[0] = \"Hay\"\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("\ntitle[0].@kind = \"main\"\n"), "{}", ended.stdout);
}

#[test]
fn what_an_expression_reads_and_writes_nothing_of_is_dropped() {
    let ended = crosswalk(&folder(), &["loss", "brief.yaml", "--against", "dump.mrk"]);
    assert!(ended.stdout.contains("  505 0_ $a        1       1  dropped"), "{}", ended.stdout);
}

#[test]
fn two_crosswalks_are_compared_by_path() {
    let folder = folder();
    let new = CROSSWALK.replace(" | upper", "").replace("const: other", "const: editor");
    folder.write("new.yaml", new.replace("on_missing: quarantine", "default: none"));
    let ended = crosswalk(&folder, &["diff", "brief.yaml", "new.yaml", "--on", "dump.mrk"]);
    let expected = "\
2 records, 0 not read, 2 of the others differ
   added  removed  changed  path
       0        0        1  (record)
                            2: \"title (missing)\" → \"mapped\"
       0        0        1  names[].role
                            1: \"other\" → \"editor\"
       0        0        1  title
                            1: \"HAY\" → \"Hay\"
";
    assert_eq!(ended.stdout, expected, "{}", ended.stdout);
    assert_eq!(ended.status, Some(1), "they differ");
    let same = crosswalk(&folder, &["diff", "brief.yaml", "brief.yaml", "--on", "dump.mrk"]);
    assert_eq!(same.stdout, "2 records, 0 not read, 0 of the others differ\n");
    assert_eq!(same.status, Some(0));
}

#[test]
fn rules_that_no_test_uses_are_named_and_fail_only_when_all_shall_be_used() {
    let ended = crosswalk(&folder(), &["test", "brief.yaml"]);
    let expected = "\
ok      brief.yaml:10  a title in capitals
unused  brief.yaml:7  name
unused  brief.yaml:7  name.name
unused  brief.yaml:7  name.role
unused  brief.yaml:8  part
brief: 2 of 6 rules, items and cases used
1 passed, 0 failed, 4 rules and cases not used
";
    assert_eq!(ended.stdout, expected, "{}", ended.stdout);
    assert_eq!(ended.status, Some(0));
    assert_eq!(crosswalk(&folder(), &["test", "--complete", "brief.yaml"]).status, Some(1));
}

#[test]
fn a_repeated_value_or_object_is_explained_once() {
    let folder = folder();
    let twice = "
crosswalk: twice
from: { format: marc21 }
to: { format: json }
defaults: { unique: true }
rules:
  - { id: word, to: \"words[]\", from: \"653$a\" }
  - { id: name, to: \"names[]\", from: \"700\", map: [ { to: name, from: $a } ] }
";
    folder.write("twice.yaml", twice);
    let fields = "=653  \\\\$ahay$ahay\n=700  1\\$aRake, Bea\n=700  1\\$aRake, Bea\n";
    folder.write("twice.mrk", format!("=LDR  00000nam a2200000 a 4500\n=001  1\n{fields}"));
    let ended = crosswalk(&folder, &["explain", "twice.yaml", "twice.mrk"]);
    let paths: Vec<_> = ended.stdout.lines().filter(|line| line.contains(" = ")).collect();
    assert_eq!(paths, ["words[0] = \"hay\"", "names[0].name = \"Rake, Bea\""]);
}

const TESTS_BESIDE: &str = "\
tests:
  - name: a name
    marc: |
      =001  2
      =245  00$aStraw
      =700  1\\$aRake, Bea
    expect: { \"names[0].name\": \"Rake, Bea\" }
";

#[test]
fn a_test_takes_a_record_of_a_file_by_its_number() {
    let folder = Folder::new();
    folder.write("dump.mrk", "=001  1\n=245  00$aHay\n\n=001  2\n=245  00$aStraw\n");
    folder.write(
        "brief.yaml",
        "\
crosswalk: brief
from: { format: marc21 }
to: { format: json }
rules: [ { id: title, to: title, from: 245$a } ]
tests:
  - { name: the first, file: dump.mrk, exact: { title: Hay } }
  - { name: by its number, file: \"dump.mrk#2\", exact: { title: Straw } }
  - { name: by its 001, file: \"dump.mrk#001=2\", exact: { title: Straw } }
  - { name: none of it, file: \"dump.mrk#001=3\", exact: {} }
",
    );
    let ended = crosswalk(&folder, &["test", "brief.yaml"]);
    assert!(ended.stdout.contains("3 passed, 1 failed"), "{}", ended.stdout);
    assert!(ended.stdout.contains("dump.mrk has no record 3"), "{}", ended.stdout);
}

#[test]
fn a_table_is_a_file_with_tabs_too_and_its_keys_are_folded() {
    let folder = folder();
    folder.write("kinds.tsv", "code\tword\tnote\nA\ta book, bound\tof paper\ng\ta \"film\"\t\n");
    folder.write(
        "kinds.yaml",
        "\
crosswalk: kinds
from: { format: csv }
to: { format: json }
tables:
  kind: { file: kinds.tsv, key: code, value: word, fold: [trim, lower], miss: keep }
rules: [ { id: kind, to: kind, from: Kind of thing, pipe: lookup(kind) } ]
tests:
  - { name: folded, csv: { Kind of thing: \" a\" }, exact: { kind: \"a book, bound\" } }
  - { name: a quote is a quote, csv: { Kind of thing: G }, exact: { kind: 'a \"film\"' } }
  - { name: kept, csv: { Kind of thing: x }, exact: { kind: x } }
",
    );
    let ended = crosswalk(&folder, &["test", "--complete", "kinds.yaml"]);
    assert!(
        ended.stdout.contains("3 passed, 0 failed, 0 rules"),
        "{}{}",
        ended.stdout,
        ended.stderr
    );
    // A key that stands twice, once its case is folded, is a mistake with its lines.
    folder.write("kinds.tsv", "code\tword\nA\tbook\na\tfilm\n");
    let ended = crosswalk(&folder, &["check", "kinds.yaml"]);
    assert_eq!(ended.status, Some(78));
    let message = "`A` is `book` in line 2 and `a` is `film` in line 3";
    assert!(ended.stderr.contains(message), "{}", ended.stderr);
}

#[test]
fn each_rule_is_told_to_be_exact_canonical_or_lossy() {
    let folder = Folder::new();
    folder.write(
        "kinds.yaml",
        "\
crosswalk: kinds
from: { format: marc21 }
to: { format: json }
defaults: { on_error: skip }
tables:
  kind: { inline: { a: book, g: film } }
  wide: { inline: { a: book, c: book } }
rules:
  - { id: number, to: id, from: \"001\", pipe: \"prefix('x')\" }
  - { id: kind, to: kind, from: LDR/06, pipe: lookup(kind) }
  - { id: wide, to: wide, from: LDR/06, pipe: \"trim | lookup(wide)\" }
  - { id: title, to: title, from: 245$a$b, join: ' ' }
  - id: agent
    to: \"agents[]\"
    from: \"700\"
    map: [ { to: name, from: $a, pipe: trim }, { to: year, from: $d, pipe: \"trim | year\" } ]
  - { id: note, to: note, from: 500$a, take: longest }
  - { id: words, to: words, value: \"{{ record.title }}\" }
",
    );
    let ended = crosswalk(&folder, &["check", "--classes", "kinds.yaml"]);
    let expected = "\
kinds: no mistakes
  exact      kinds.yaml:9  number
  canonical  kinds.yaml:10  kind: lookup
  lossy      kinds.yaml:11  wide: lookup
  lossy      kinds.yaml:12  title: join
  lossy      kinds.yaml:13  agent: year
  lossy      kinds.yaml:17  note: take: longest
  lossy      kinds.yaml:18  words: value
  1 exact, 1 canonical, 5 lossy
";
    assert_eq!(ended.stdout, expected, "{}{}", ended.stdout, ended.stderr);
}

#[test]
fn tests_beside_a_crosswalk_run_with_its_own() {
    let folder = folder();
    folder.write("brief.test.yaml", TESTS_BESIDE);
    let case = |name: &str, files: &[(&str, &str)]| {
        std::fs::create_dir_all(folder.path(&format!("brief.test/{name}"))).unwrap();
        for (file, text) in files {
            folder.write(&format!("brief.test/{name}/{file}"), text);
        }
    };
    let straw = "=LDR  00000nam a2200000 a 4500\n=001  3\n=245  00$aStraw$9x\n";
    case(
        "a_title",
        &[("input.mrk", straw), ("expected.json", "{\"id\": \"3\", \"title\": \"STRAW\"}")],
    );
    case(
        "held",
        &[
            ("input.mrk", "=LDR  00000nam a2200000 a 4500\n=001  4\n"),
            ("expected.yaml", "quarantine: { rule: title, code: missing }"),
        ],
    );
    let lost = ("expected.yaml", "name: what is lost\nunmapped: []");
    case("lost", &[("input.mrk", straw), lost, ("todo.txt", "245$9 has no place yet\n")]);
    // The glob of a shell finds the tests too.
    let ended = crosswalk(&folder, &["test", "brief.test.yaml", "brief.yaml"]);
    let expected = "\
ok      brief.yaml:10  a title in capitals
ok      brief.test.yaml:2  a name
ok      brief.test/a_title  a title
ok      brief.test/held  held
ok      brief.test/lost  what is lost
        todo: 245$9 has no place yet
        unmapped: 245$9 is lost and not listed
";
    assert!(ended.stdout.starts_with(expected), "{}", ended.stdout);
    assert!(
        ended.stdout.ends_with("5 passed, 0 failed, 1 rules and cases not used\n"),
        "{}",
        ended.stdout
    );
    assert_eq!(ended.status, Some(0));

    // What passes is no known failure any more.
    case("lost", &[("expected.yaml", "unmapped: \"245$9\"")]);
    let ended = crosswalk(&folder, &["test", "brief.yaml"]);
    assert!(ended.stdout.contains("FAILED  brief.test/lost  lost\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("passes: take todo.txt away"), "{}", ended.stdout);
    assert_eq!(ended.status, Some(1));
}

#[test]
fn tests_beside_a_crosswalk_that_cannot_be_read_are_a_mistake_of_it() {
    let folder = folder();
    std::fs::create_dir_all(folder.path("brief.test/empty")).unwrap();
    let ended = crosswalk(&folder, &["check", "brief.yaml"]);
    assert!(ended.stderr.contains("brief.test/empty: has no `input.*`"), "{}", ended.stderr);
    assert_eq!(ended.status, Some(78));
    folder.write("brief.test/empty/input.mrk", "=001  1\n");
    let ended = crosswalk(&folder, &["test", "brief.yaml"]);
    let message = "brief.test/empty: has neither `expected.*` nor `expected.yaml`";
    assert!(ended.stderr.contains(message), "{}", ended.stderr);
    folder.write("brief.test/empty/notes.md", "");
    let ended = crosswalk(&folder, &["test", "brief.yaml"]);
    assert!(ended.stderr.contains("`notes.md` is no part of a case"), "{}", ended.stderr);
    std::fs::remove_dir_all(folder.path("brief.test")).unwrap();
    folder.write("brief.test.yaml", "tests:\n  - name: x\n    expected: {}\n    json: {}\n");
    let ended = crosswalk(&folder, &["check", "brief.yaml"]);
    assert!(ended.stderr.contains("brief.test.yaml:3:5"), "{}", ended.stderr);
    assert!(ended.stderr.contains("did you mean `expect`?"), "{}", ended.stderr);
    assert_eq!(ended.status, Some(78));
}

/// An answer of OAI-PMH with a record and one that was deleted.
fn answer(metadata: &str) -> String {
    format!(
        "<OAI-PMH xmlns=\"http://www.openarchives.org/OAI/2.0/\"><ListRecords>\
         <record><header><identifier>oai:hay:1</identifier></header><metadata>{metadata}</metadata></record>\
         <record><header status=\"deleted\"><identifier>oai:hay:2</identifier>\
         <datestamp>2024-01-01</datestamp></header></record></ListRecords></OAI-PMH>"
    )
}

#[test]
fn a_record_that_was_deleted_becomes_a_record_that_says_so() {
    let folder = Folder::new();
    for (name, metadata) in [
        (
            "oai_dc",
            "<oai_dc:dc xmlns:oai_dc=\"http://www.openarchives.org/OAI/2.0/oai_dc/\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\"><dc:title>T</dc:title></oai_dc:dc>",
        ),
        (
            "dcterms",
            "<qdc:qualifieddc xmlns:qdc=\"http://dspace.org/qualifieddc/\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:dcterms=\"http://purl.org/dc/terms/\"><dc:title>T</dc:title><dcterms:issued>2000</dcterms:issued></qdc:qualifieddc>",
        ),
        (
            "datacite-xml",
            "<resource xmlns=\"http://datacite.org/schema/kernel-4\"><identifier identifierType=\"DOI\">10.5072/1</identifier><titles><title>T</title></titles></resource>",
        ),
        (
            "mods",
            "<mods xmlns=\"http://www.loc.gov/mods/v3\"><titleInfo><title>T</title></titleInfo></mods>",
        ),
        (
            "marc21",
            "<record xmlns=\"http://www.loc.gov/MARC21/slim\"><leader>00000nam a2200000 a 4500</leader><controlfield tag=\"001\">1</controlfield><datafield tag=\"245\" ind1=\"0\" ind2=\"0\"><subfield code=\"a\">T</subfield></datafield></record>",
        ),
    ] {
        folder.write("answer.xml", answer(metadata));
        let file = project(&format!("crosswalks/{name}-to-record.yaml"));
        let ended = crosswalk(&folder, &["run", file.to_str().unwrap(), "answer.xml"]);
        let tombstone =
            "{\"deleted\":true,\"id\":\"oai:hay:2\",\"metadata\":{\"title\":\"[deleted]\"}}";
        assert_eq!(ended.stdout.lines().last(), Some(tombstone), "{name}: {}", ended.stderr);
        assert_eq!(
            (ended.status, ended.stdout.lines().count()),
            (Some(0), 2),
            "{name}: {}",
            ended.stderr
        );
    }
}
