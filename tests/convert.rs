//! `windrow convert`: every way in and out, balance, order, and no half file under a final name.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Stdio;

use windrow::formats::marc21::{Marc, Tag, marcxml};

use crate::support::{Ended, Folder, dump, end, project};

fn convert(folder: &Folder, arguments: &[&str]) -> Ended {
    let mut command = folder.windrow(&["convert"]);
    end(command.args(arguments))
}

fn bytes(folder: &Folder, name: &str) -> Vec<u8> {
    std::fs::read(folder.path(name)).unwrap()
}

fn names(folder: &Folder) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path("")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn there_and_back_is_the_same_and_threads_do_not_matter() {
    let folder = Folder::new();
    let records = dump(1, 0..3500);
    folder.write("a.mrc", &records);
    for threads in ["1", "4"] {
        let xml = format!("{threads}.xml");
        let ended = convert(&folder, &["a.mrc", "-o", &xml, "--threads", threads]);
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
        assert!(ended.stderr.starts_with("3500 read = 3500 written + 0 rejected"));
    }
    assert!(bytes(&folder, "1.xml") == bytes(&folder, "4.xml"));
    let ended = convert(&folder, &["1.xml", "-o", "b.mrc"]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(bytes(&folder, "b.mrc") == records);
    assert_eq!(names(&folder), ["1.xml", "4.xml", "a.mrc", "b.mrc"], "nothing else is left");
}

#[test]
fn the_name_of_the_output_says_how_it_is_packed() {
    let folder = Folder::new();
    let records = dump(1, 0..300);
    folder.write("a.mrc", &records);
    for extension in ["gz", "zst", "bz2", "xz"] {
        let packed = format!("a.xml.{extension}");
        assert_eq!(convert(&folder, &["a.mrc", "-o", &packed]).status, Some(0));
        assert!(bytes(&folder, &packed).len() < records.len() / 2, "{packed} is packed");
        assert_eq!(convert(&folder, &[&packed, "-o", "b.mrc"]).status, Some(0));
        assert!(bytes(&folder, "b.mrc") == records, "{packed}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link_and_a_device_a_device() {
    let folder = Folder::new();
    let records = dump(1, 0..10);
    folder.write("a.mrc", &records);
    folder.write("target.mrc", b"old");
    std::os::unix::fs::symlink(folder.path("target.mrc"), folder.path("link.mrc")).unwrap();
    assert_eq!(convert(&folder, &["a.mrc", "-o", "link.mrc"]).status, Some(0));
    assert!(bytes(&folder, "target.mrc") == records);
    assert!(folder.path("link.mrc").is_symlink());
    let made = std::process::Command::new("mkfifo").arg(folder.path("pipe")).status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("ignored: no mkfifo");
        return;
    }
    let pipe = folder.path("pipe");
    let reader = std::thread::spawn(move || std::fs::read(pipe).unwrap());
    assert_eq!(convert(&folder, &["a.mrc", "--to", "iso2709", "-o", "pipe"]).status, Some(0));
    assert!(reader.join().unwrap() == records);
    assert!(!folder.path("pipe").is_file(), "it is a pipe still");
    assert_eq!(names(&folder), ["a.mrc", "link.mrc", "pipe", "target.mrc"]);
}

#[test]
fn a_dash_is_stdin_and_stdout() {
    let folder = Folder::new();
    let records = dump(1, 0..100);
    folder.write("a.mrc", &records);
    let stdin = File::open(folder.path("a.mrc")).unwrap();
    let mut command = folder.windrow(&["convert", "-", "--to", "marcxml"]);
    let ended = end(command.stdin(stdin));
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.starts_with("<?xml") && ended.stdout.ends_with("</collection>\n"));
    let mut command = folder.windrow(&["convert", "-", "--to", "iso2709", "-o", "-"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(ended.stdout.as_bytes()));
    let mut out = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
    writer.join().unwrap().unwrap();
    assert!(out == records && child.wait().unwrap().success());
}

#[test]
fn a_crosswalk_says_what_is_written_unless_the_name_or_to_does() {
    let folder = Folder::new();
    let whole = project("fixtures/records/whole.json").display().to_string();
    let through = |name: &str, more: &[&str]| {
        let crosswalk = project(&format!("crosswalks/record-to-{name}.yaml")).display().to_string();
        let from = ["--from", "json_lines", "--crosswalk", &crosswalk];
        convert(&folder, &[&[whole.as_str()], &from[..], more].concat())
    };
    for (name, more, begins) in [
        ("bibtex", &[][..], "@phdthesis{bale-7,\n"),
        ("bibtex", &["--to", "json_lines"], "{\"fields\":{"),
        ("csv", &[], "id,collections,withdrawn,resource_type,"),
        ("csv", &["--to", "tsv", "--column", "T=title"], "T\nDrying & turning\n"),
        ("datacite", &[], "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<records>"),
        ("marc21", &["--to", "line_marc"], "=LDR  "),
        ("ris", &[], "TY  - THES\n"),
    ] {
        let ended = through(name, more);
        assert_eq!(ended.status, Some(0), "{name} {more:?}: {}", ended.stderr);
        assert!(ended.stdout.starts_with(begins), "{name} {more:?}:\n{}", ended.stdout);
    }
    assert_eq!(through("marc21", &["-o", "a.xml"]).status, Some(0));
    assert!(bytes(&folder, "a.xml").starts_with(b"<?xml"), "the extension says MARCXML");
    for (name, to) in [("mods", "oai_dc"), ("marc21", "json_lines"), ("ris", "bibtex")] {
        let ended = through(name, &["--to", to]);
        assert_eq!(ended.status, Some(64), "{name} to {to}: {}", ended.stderr);
        assert!(ended.stderr.contains("does not write"), "{}", ended.stderr);
    }
}

#[test]
fn what_is_rejected_is_named_and_its_bytes_are_kept() {
    let folder = Folder::new();
    let broken = b"00026no record at all\x1E\x1D";
    folder.write("a.mrc", [dump(1, 0..20), broken.to_vec(), dump(1, 20..30)].concat());
    let ended = convert(&folder, &["a.mrc", "-o", "a.xml", "--rejects", "rejects.mrc"]);
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.starts_with("31 read = 30 written + 1 rejected"), "{}", ended.stderr);
    assert!(ended.stderr.contains("a.mrc #21 (byte "), "{}", ended.stderr);
    assert_eq!(bytes(&folder, "rejects.mrc"), broken);
    let again = convert(&folder, &["a.xml", "-o", "b.mrc"]);
    assert!(again.stderr.starts_with("30 read = 30 written"), "{}", again.stderr);
}

#[test]
fn a_record_that_its_new_format_cannot_hold_is_rejected_and_named() {
    let folder = Folder::new();
    let mut marc = Marc::default();
    let mut xml = String::from("<collection>");
    for number in 0..3 {
        marc.clear();
        marc.push_control(Tag(*b"001"), &format!("w{number}"));
        for _ in 0..if number == 1 { 11 } else { 1 } {
            marc.push_data(Tag(*b"500"), [' ', ' ']);
            marc.push_subfield('a', &"x".repeat(9_000 + number * 100));
        }
        marcxml::write(&marc, &mut xml);
    }
    folder.write("a.xml", xml + "</collection>");
    let ended = convert(&folder, &["a.xml", "-o", "a.mrc"]);
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.starts_with("3 read = 2 written + 1 rejected"), "{}", ended.stderr);
    let line = ended.stderr.lines().find(|line| line.contains("w1")).unwrap();
    assert!(line.contains("a.xml #2 (byte ") && line.contains("iso2709.record_too_long"), "{line}");
}

#[test]
fn strict_rejects_what_tolerant_warns_of() {
    let folder = Folder::new();
    folder.write("a.mrc", b"00027nam a2200025   4500\x1E\x1D");
    let tolerant = convert(&folder, &["a.mrc", "-o", "a.xml"]);
    assert_eq!(tolerant.status, Some(0));
    assert!(tolerant.stderr.contains("iso2709.length"), "{}", tolerant.stderr);
    let strict = convert(&folder, &["a.mrc", "-o", "b.xml", "--policy", "strict"]);
    assert_eq!(strict.status, Some(1));
    assert!(strict.stderr.starts_with("1 read = 0 written + 1 rejected"), "{}", strict.stderr);
}

#[test]
fn what_was_read_before_a_file_breaks_off_does_not_get_the_final_name() {
    let folder = Folder::new();
    let packed = zstd::bulk::compress(&dump(1, 0..2000), 1).unwrap();
    folder.write("a.mrc.zst", &packed[..packed.len() - 1000]);
    let ended = convert(&folder, &["a.mrc.zst", "-o", "a.xml.gz"]);
    assert_eq!(ended.status, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("a.xml.gz.partial"), "{}", ended.stderr);
    assert_eq!(names(&folder), ["a.mrc.zst", "a.xml.gz.partial"]);
    let ended = convert(&folder, &["a.xml.gz.partial", "-o", "b.mrc"]);
    assert_eq!(ended.status, Some(0), "the part is whole in itself: {}", ended.stderr);
    assert!(dump(1, 0..2000).starts_with(&bytes(&folder, "b.mrc")));
    assert!(bytes(&folder, "b.mrc").len() > 100_000);
}

#[test]
fn an_archive_and_more_files_become_one() {
    let folder = Folder::new();
    folder.write("z.mrc", dump(1, 0..7));
    let archive = project("fixtures/containers/two_formats.tar.gz").display().to_string();
    let ended = convert(&folder, &[&archive, "*.mrc", "z.mrc", "--to", "marcxml", "-o", "a.xml"]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.starts_with("12 read = 12 written"), "{}", ended.stderr);
    assert!(ended.stderr.contains("!README.txt: it begins with"), "{}", ended.stderr);
    assert!(ended.stderr.contains("source.skipped_member  "), "{}", ended.stderr);
    let limited = convert(&folder, &[&archive, "z.mrc", "-o", "b.xml", "--limit", "4"]);
    assert!(limited.stderr.starts_with("4 read = 4 written"), "{}", limited.stderr);
}

#[test]
fn a_pipeline_tells_of_the_members_that_it_passed_over() {
    let folder = Folder::new();
    let archive = project("fixtures/containers/xml_gz_and_macosx.zip").display().to_string();
    folder.brief_pipeline(&format!("{archive:?}"));
    let report = folder.run(&["--dry-run"]).report(0);
    assert_eq!(report["counts"]["read"], 3);
    assert_eq!(report["account"]["warnings"]["source.skipped_member"], 3);
    let skipped = report["skipped_members"].as_array().unwrap();
    assert!(skipped[0].as_str().unwrap().contains("!README.md: "), "{skipped:?}");
}

#[test]
fn what_cannot_be_is_a_mistake_of_usage_and_no_file_is_made() {
    let folder = Folder::new();
    folder.write("a.mrc", dump(1, 0..3));
    let crosswalk = project("fixtures/pipelines/brief.yaml").display().to_string();
    for (arguments, says) in [
        (&["a.mrc", "-o", "a.unknown"][..], "--formats"),
        (&["a.mrc"], "--to"),
        (&["a.mrc", "-o", "a.xml", "--from", "marcxmll"], "iso2709, "),
        (&["a.mrc", "-o", "b.mrc", "--crosswalk", &crosswalk, "--to", "iso2709"], "does not write"),
        (&[], "<IN>"),
    ] {
        let ended = convert(&folder, arguments);
        assert_eq!(ended.status, Some(64), "{arguments:?} {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{arguments:?} {}", ended.stderr);
    }
    assert_eq!(convert(&folder, &["b.mrc", "-o", "a.xml"]).status, Some(2));
    assert_eq!(names(&folder), ["a.mrc"]);
}

#[test]
fn the_table_of_formats_has_a_line_for_each() {
    let ended = convert(&Folder::new(), &["--formats"]);
    let lines = windrow::formats::FORMATS.len() + 1;
    assert_eq!((ended.status, ended.stdout.lines().count()), (Some(0), lines));
    assert!(ended.stdout.contains("ISO 2709"));
}

#[test]
fn what_a_crosswalk_writes_is_checked_against_its_schema() {
    let folder = Folder::new();
    folder.write(
        "schema.json",
        r#"{"type":"object","properties":{"title":{"type":"string","maxLength":4}}}"#,
    );
    folder.write(
        "titles.yaml",
        "crosswalk: titles\nfrom: { format: json }\nto: { format: json, schema: schema.json }\n\
         rules: [ { id: title, to: title, from: $.title } ]\n",
    );
    folder.write("a.jsonl", "{\"title\":\"Hay\"}\n{\"title\":\"Straw\"}\n");
    let ended = convert(&folder, &["a.jsonl", "--crosswalk", "titles.yaml", "-o", "b.jsonl"]);
    assert_eq!(bytes(&folder, "b.jsonl"), b"{\"title\":\"Hay\"}\n");
    assert!(ended.stderr.starts_with("2 read = 1 written + 1 rejected"), "{}", ended.stderr);
    assert!(ended.stderr.contains("title: "), "{}", ended.stderr);
    assert_eq!(ended.status, Some(1));
}
