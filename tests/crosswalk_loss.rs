//! `windrow crosswalk loss`: every value of a dump accounted for, records that are held told apart.

use serde_json::Value;

use crate::support::{Folder, end, project};

const CROSSWALK: &str = "\
crosswalk: brief
version: 1
from: { format: marc21 }
to: { format: json }
rules:
  - { id: recid, to: id, from: \"001\" }
  - { id: title, to: title, from: 245$a, on_missing: quarantine }
  - { id: isbn, to: \"isbn[]\", from: 020$a, pipe: isbn13, on_error: { skip: true, report: warn } }
ignore: [ { from: \"003\", why: not needed } ]
";

const DUMP: &str = "\
=LDR  00000nam a2200000 a 4500
=001  1
=003  X
=020  \\\\$a9781234567890 (pbk.)
=245  00$aHay in rows$cA. Mower
=653  1\\$9author$9editor

=LDR  00000nam a2200000 a 4500
=001  2
=653  1\\$9author

=LDR  00000nam a2200000 a 4500
=001  3
=245  00$aStraw
=653  1\\$9author
";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("brief.yaml", CROSSWALK);
    folder.write("dump.mrk", DUMP);
    folder
}

#[test]
fn what_is_lost_is_told_by_field_with_a_sample() {
    let ended =
        end(&mut folder().windrow(&["crosswalk", "loss", "brief.yaml", "--against", "dump.mrk"]));
    let expected = "\
brief: 3 records = 2 mapped + 1 held
coverage: 50.0 % of values, 29.2 % of bytes

not in the output:
  field      records  values  state     sample
  653 1_ $9        2       3  unmapped  1: \"author\"
  020 __ $a        1       1  failed    1: \"9781234567890 (pbk.)\"
  245 00 $c        1       1  unmapped  1: \"A. Mower\"

what policies dealt with:
  rule  stands at     code             policy  times  first
  isbn  brief.yaml:8  isbn13.checksum  skip        1  dump.mrk #1 (byte 0) 1, 020[0] $a: \"9781234567890 (pbk.)\"

held:
  dump.mrk #2 (byte 136) 2: no value at 245$a [missing, rule title]
";
    assert_eq!(ended.stdout, expected, "{}", ended.stdout);
    assert_eq!(ended.status, Some(1), "a record is held");
}

#[test]
fn each_case_is_told_with_its_record_its_place_and_what_was_found() {
    let folder = folder();
    let crosswalk = CROSSWALK.replace(
        "ignore:",
        "  - { id: note, to: note, from: 500$a, on_missing: warn }\n\
         \x20 - { id: year, to: year, from: [260$c, 264$c], pipe: year, on_error: { default: \"0\" } }\n\
         ignore:",
    );
    folder.write("brief.yaml", &crosswalk);
    let dump = DUMP.replace("=245  00$aStraw", "=245  00$aStraw\n=260  \\\\$aBarn$cundated");
    folder.write("dump.mrk", &dump);
    let options = ["crosswalk", "loss", "brief.yaml", "--cases", "1", "--against", "dump.mrk"];
    let ended = end(&mut folder.windrow(&options));
    let expected = "\
brief.yaml:8 isbn: isbn13.checksum (skip), 1 in all:
  dump.mrk #1 (byte 0) 1, 020[0] $a: \"9781234567890 (pbk.)\"

brief.yaml:9 note: missing (warn), 2 in all:
  dump.mrk #1 (byte 0) 1, 500$a: nothing
  and 1 more

brief.yaml:10 year: year.none (default), 1 in all:
  dump.mrk #3 (byte 193) 3, 260[0] $c: \"undated\"
";
    assert!(ended.stdout.contains(expected), "{}", ended.stdout);
    // The same in two files: a case says of which.
    folder.write("more.mrk", &dump);
    let options =
        ["crosswalk", "loss", "brief.yaml", "--json", "--against", "dump.mrk", "more.mrk"];
    let loss: Value = serde_json::from_str(&end(&mut folder.windrow(&options)).stdout).unwrap();
    let isbn = &loss["account"]["problems"]["isbn"]["isbn13.checksum"];
    assert_eq!((&isbn["count"], &isbn["at"]), (&2.into(), &"brief.yaml:8".into()));
    assert_eq!(isbn["cases"][1]["record"], "more.mrk #1 (byte 0) 1");
    assert_eq!(isbn["cases"][1]["place"], "020[0] $a");
}

#[test]
fn a_record_that_is_held_says_which_of_its_values_was_the_reason() {
    let folder = folder();
    let crosswalk = CROSSWALK.replace("{ skip: true, report: warn }", "quarantine").replace(
        "ignore:",
        "  - { id: pages, to: pages, from: 300$a, value: \"{{ value | int }}\", on_error: quarantine }\n\
         ignore:",
    );
    folder.write("brief.yaml", &crosswalk);
    let dump = DUMP
        .replace("=020", "=020  \\\\$a9780306406157\n=020")
        .replace("$aStraw", "$aStraw\n=300  \\\\$axii");
    folder.write("dump.mrk", &dump);
    let ended =
        end(&mut folder.windrow(&["crosswalk", "loss", "brief.yaml", "--against", "dump.mrk"]));
    let expected = "\
held:
  dump.mrk #1 (byte 0) 1: isbn13 cannot take \"9781234567890 (pbk.)\" at 020[1] $a [isbn13.checksum, rule isbn]
  dump.mrk #2 (byte 160) 2: no value at 245$a [missing, rule title]
  dump.mrk #3 (byte 217) 3: int cannot take \"xii\" at 300[0] $a [int.shape, rule pages]
";
    assert!(ended.stdout.contains(expected), "{}", ended.stdout);
}

#[test]
fn what_no_rule_reads_is_kept_in_a_record_that_is_valid_all_the_same() {
    let folder = folder();
    let base = project("crosswalks/marc21-to-record.yaml");
    let crosswalk = format!(
        "crosswalk: local\nextends: {}\nunmapped: keep(_unmapped)\nrules: []\n",
        base.display()
    );
    folder.write("local.yaml", &crosswalk);
    folder.write(
        "dump.mrk",
        "=LDR  00000nam a2200000 a 4500\n=001  1\n=245  00$aHay\n=991  \\1$ashelf$bbarn\n",
    );
    let ended = end(&mut folder.windrow(&[
        "convert",
        "--crosswalk",
        "local.yaml",
        "--to",
        "json_lines",
        "dump.mrk",
    ]));
    let record: Value = serde_json::from_str(&ended.stdout).unwrap();
    let kept = serde_json::json!([
        { "field": "991 _1 $a", "value": "shelf" },
        { "field": "991 _1 $b", "value": "barn" }
    ]);
    assert_eq!(record["_unmapped"], kept, "{}{}", ended.stdout, ended.stderr);
    let loss = ["crosswalk", "loss", "local.yaml", "--json", "--against", "dump.mrk"];
    let loss: Value = serde_json::from_str(&end(&mut folder.windrow(&loss)).stdout).unwrap();
    assert_eq!((&loss["mapped"], &loss["states"]["unmapped"]["values"]), (&1.into(), &2.into()));
}

#[test]
fn a_record_of_which_something_is_read_by_no_rule_is_held_when_that_is_wanted() {
    let folder = folder();
    folder.write("brief.yaml", CROSSWALK.replace("ignore:", "unmapped: quarantine\nignore:"));
    folder.write(
        "dump.mrk",
        "=001  1\n=003  X\n=245  00$aHay\n\n=001  2\n=245  00$aStraw$cA. Mower\n",
    );
    let ended =
        end(&mut folder.windrow(&["crosswalk", "loss", "brief.yaml", "--against", "dump.mrk"]));
    assert!(ended.stdout.starts_with("brief: 2 records = 1 mapped + 1 held\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("245 00 $c"), "{}", ended.stdout);
}

#[test]
fn programs_read_the_same_as_json() {
    let options =
        ["crosswalk", "loss", "brief.yaml", "--json", "--limit", "1", "--against", "dump.mrk"];
    let ended = end(&mut folder().windrow(&options));
    let loss: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&loss["read"], &loss["mapped"], &loss["held"]), (&1.into(), &1.into(), &0.into()));
    assert_eq!(loss["states"]["unmapped"]["values"], 3);
    assert_eq!(loss["states"]["ignored"]["values"], 1);
    assert_eq!(loss["account"]["fields"]["653 1_ $9"]["unmapped"]["values"], 2);
    assert_eq!(loss["hash"].as_str().unwrap().len(), 64);
    assert_eq!(ended.status, Some(0));
}

#[test]
fn what_a_field_in_another_script_had_taken_is_dropped_with_it() {
    let folder = Folder::new();
    folder.write(
        "scripts.yaml",
        "\
crosswalk: scripts
from: { format: json }
to: { format: marc21 }
rules:
  - id: title
    to: \"245\"
    from: $.title
    map: [ { to: $a, from: text } ]
    linked_880: { map: [ { to: $a, from: original }, { to: $b, from: more, on_missing: skip } ] }
",
    );
    folder.write("titles.jsonl", "{\"title\": {\"text\": \"Hay\", \"original\": \"干し草\"}}\n");
    let loss = ["crosswalk", "loss", "scripts.yaml", "--against", "titles.jsonl"];
    let ended = end(&mut folder.windrow(&loss));
    assert!(ended.stdout.contains("title.original        1       1  dropped"), "{}", ended.stdout);
}

#[test]
fn a_field_that_gives_way_to_another_is_dropped_and_what_is_left_out_on_purpose_is_ignored() {
    let folder = Folder::new();
    folder.write(
        "first.yaml",
        "\
crosswalk: first
from: { format: marc21 }
to: { format: json }
rules:
  - { id: name, to: name, from: \"700\", take: first, map: [ { to: name, from: $a } ] }
  - { id: last, to: last, from: \"710\", take: last, map: [ { to: name, from: $a } ] }
  - { id: year, to: year, from: \"008/07-10\", pipe: \"keep('[0-9]{4}')\" }
ignore: [ { from: \"008\", why: what matters is read } ]
",
    );
    let dump = "=LDR  00000nam a2200000 a 4500\n=008  000000nuuuu\n=700  1\\$aMower$e1\n\
        =700  1\\$aRake$e2\n=710  2\\$aBarn\n=710  2\\$aField\n";
    folder.write("dump.mrk", dump);
    let options = ["crosswalk", "loss", "first.yaml", "--json", "--against", "dump.mrk"];
    let loss: Value = serde_json::from_str(&end(&mut folder.windrow(&options)).stdout).unwrap();
    let values =
        |field: &str, state: &str| loss["account"]["fields"][field][state]["values"].clone();
    assert_eq!(values("700 1_ $a", "mapped"), 1);
    assert_eq!(values("700 1_ $a", "dropped"), 1);
    assert_eq!(values("700 1_ $e", "dropped"), 1, "with the field that it stands in");
    assert_eq!(values("700 1_ $e", "unmapped"), 1);
    assert_eq!(values("710 2_ $a", "mapped"), 1);
    assert_eq!(values("710 2_ $a", "dropped"), 1);
    assert_eq!(values("008", "ignored"), 1);
}
