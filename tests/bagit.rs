//! BagIt: what its tag files say, which paths it refuses, and bags that `convert` makes.

use std::path::Path;

use sha2::{Digest, Sha256, Sha512};
use windrow::formats::bagit::{Algorithm, BagError, Payload, TagFile, tag_files};

use crate::support::{Ended, Folder, dump, end, shared};

fn payload(path: &str, bytes: &[u8], algorithm: Algorithm) -> Payload {
    let mut digester = algorithm.digester();
    let (head, tail) = bytes.split_at(bytes.len() / 2);
    digester.update(head);
    digester.update(tail);
    digester.finish(path)
}

fn bag(files: &[(&str, &[u8])], algorithm: Algorithm) -> Result<Vec<TagFile>, BagError> {
    let payload: Vec<_> =
        files.iter().map(|(path, bytes)| payload(path, bytes, algorithm)).collect();
    tag_files(&payload, algorithm, "2024-02-29".parse().unwrap())
}

fn hexadecimal(digest: impl AsRef<[u8]>) -> String {
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a bag's file is, by its manifests.
fn manifest(folder: &Path, name: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    let lines = text.lines().map(|line| line.split_once("  ").unwrap());
    lines.map(|(digest, path)| (digest.to_owned(), path.to_owned())).collect()
}

/// Every digest of both manifests; answers the files that they list.
fn check_digests(folder: &Path) -> Vec<String> {
    let listed = ["manifest-sha512.txt", "tagmanifest-sha512.txt"];
    let lines = listed.iter().flat_map(|name| manifest(folder, name));
    let check = |(digest, path): (String, String)| {
        let bytes = std::fs::read(folder.join(&path)).unwrap();
        assert_eq!(digest, hexadecimal(Sha512::digest(bytes)), "{path}");
        path
    };
    lines.map(check).collect()
}

#[test]
fn tag_files_list_the_payload_and_each_other() {
    let files: [(&str, &[u8]); 2] = [("a/100% \r\n.txt", b"hello"), ("Größe.xml", b"")];
    let tag_files = bag(&files, Algorithm::Sha256).unwrap();
    let names: Vec<_> = tag_files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(
        names,
        ["bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"]
    );
    assert_eq!(tag_files[0].text, "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n");
    let info = "Bagging-Date: 2024-02-29\nBag-Size: 5 B\nPayload-Oxum: 5.2\n";
    assert_eq!(tag_files[1].text, info);
    let [hello, nothing] = files.map(|(_, bytes)| hexadecimal(Sha256::digest(bytes)));
    let expected = format!("{hello}  data/a/100%25 %0D%0A.txt\n{nothing}  data/Größe.xml\n");
    assert_eq!(tag_files[2].text, expected);
    let digests = tag_files[..3]
        .iter()
        .map(|file| format!("{}  {}\n", hexadecimal(Sha256::digest(&file.text)), file.name));
    assert_eq!(tag_files[3].text, digests.collect::<String>());
}

#[test]
fn a_size_is_said_for_people_and_for_machines() {
    for (bytes, size) in [
        (0, "0 B"),
        (999, "999 B"),
        (1999, "1.9 kB"),
        (260_000_000_000, "260.0 GB"),
        (u64::MAX, "18446744.0 TB"),
    ] {
        let payload = Payload { path: "a".to_owned(), bytes, digest: String::new() };
        let date = "2024-01-01".parse().unwrap();
        let files = tag_files(&[payload], Algorithm::Sha512, date).unwrap();
        let expected = format!("Bag-Size: {size}\nPayload-Oxum: {bytes}.1\n");
        assert!(files[1].text.ends_with(&expected), "{}", files[1].text);
    }
}

#[test]
fn no_path_leads_out_of_a_bag_and_no_two_are_one() {
    let code = |paths: &[&str]| {
        let files: Vec<_> = paths.iter().map(|path| (*path, b"x".as_slice())).collect();
        bag(&files, Algorithm::Sha512).map_or_else(|error| error.code(), |_| "")
    };
    for path in [
        "",
        "/etc/passwd",
        "..",
        "a/../b",
        "a//b",
        "./a",
        "a/",
        "C:/a",
        "a/c:b",
        "a\\b",
        "~root/a",
        "a\0",
    ] {
        assert_eq!(code(&[path]), "bagit.path", "{path:?}");
    }
    for path in ["a", "...", "a..b", "a b/~c", ".hidden", "10:30.txt", "%2e%2e"] {
        assert_eq!(code(&[path]), "", "{path:?}");
    }
    assert_eq!(code(&["a", "b", "a"]), "bagit.duplicate");
    assert_eq!(code(&["\u{E4}", "A\u{308}"]), "bagit.duplicate");
}

#[test]
fn a_real_bag_has_the_same_tag_files() {
    let Some(shared) = shared() else { return };
    let folder = shared.join("data/bagit/conformance/v1.0/valid/basicBag");
    let bytes = std::fs::read(folder.join("data/hello.txt")).unwrap();
    let tag_files = bag(&[("hello.txt", &bytes)], Algorithm::Sha512).unwrap();
    for file in
        tag_files.iter().filter(|file| matches!(&*file.name, "bagit.txt" | "manifest-sha512.txt"))
    {
        let real = std::fs::read_to_string(folder.join(&file.name)).unwrap();
        assert_eq!(real.trim_end(), file.text.trim_end());
    }
}

fn convert(folder: &Folder, arguments: &[&str]) -> Ended {
    let mut command = folder.windrow(&["convert"]);
    end(command.args(arguments))
}

#[test]
fn convert_makes_a_bag() {
    let folder = Folder::new();
    folder.write("a.mrc", dump(1, 0..300));
    assert_eq!(convert(&folder, &["a.mrc", "-o", "a.xml"]).status, Some(0));
    let ended = convert(&folder, &["a.mrc", "--to", "marcxml", "-o", "bag/", "--bag"]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(!folder.path("bag.partial").exists());
    let bag = folder.path("bag");
    let files = ["data/records.xml", "bagit.txt", "bag-info.txt", "manifest-sha512.txt"];
    assert_eq!(check_digests(&bag), files);
    let records = std::fs::read(bag.join("data/records.xml")).unwrap();
    assert!(records == std::fs::read(folder.path("a.xml")).unwrap());
    let info = std::fs::read_to_string(bag.join("bag-info.txt")).unwrap();
    assert!(info.starts_with("Bagging-Date: 2023-11-14\n"), "{info}");
    assert!(info.ends_with(&format!("\nPayload-Oxum: {}.1\n", records.len())), "{info}");
    let packed = ["a.mrc", "--to", "marcxml", "-o", "packed", "--bag=gz"];
    assert_eq!(convert(&folder, &packed).status, Some(0));
    assert_eq!(check_digests(&folder.path("packed"))[0], "data/records.xml.gz");
    assert_eq!(convert(&folder, &["packed/data/records.xml.gz", "-o", "b.xml"]).status, Some(0));
    assert!(records == std::fs::read(folder.path("b.xml")).unwrap());
}

#[test]
fn a_bag_takes_no_folder_that_is_there_and_its_name_only_when_whole() {
    let folder = Folder::new();
    folder.write("a.mrc", dump(1, 0..3));
    std::fs::create_dir(folder.path("there")).unwrap();
    let bag = |out: &str, input: &str| {
        let to = ["--to", "marcxml", "--bag", "-o", out, input];
        let ended = convert(&folder, &to);
        (ended.status, ended.stderr)
    };
    let (status, says) = bag("there", "a.mrc");
    assert_eq!(status, Some(2), "{says}");
    assert!(says.contains("there is there already"), "{says}");
    assert!(!folder.path("there.partial").exists());
    let (status, says) = bag("-", "a.mrc");
    assert_eq!(status, Some(64), "{says}");
    let packed = zstd::bulk::compress(&dump(1, 0..2000), 1).unwrap();
    folder.write("cut.mrc.zst", &packed[..packed.len() - 1000]);
    let (status, says) = bag("cut", "cut.mrc.zst");
    assert_eq!(status, Some(2), "{says}");
    assert!(says.contains("cut.partial"), "{says}");
    assert!(!folder.path("cut").exists());
    assert!(folder.path("cut.partial/data/records.xml").exists());
    assert!(!folder.path("cut.partial/bagit.txt").exists());
    let (status, says) = bag("cut", "a.mrc");
    assert_eq!(status, Some(2), "{says}");
    assert!(says.contains("cut.partial is there already"), "{says}");
    let (status, says) = bag("x", "--bag=lzw");
    assert_eq!(status, Some(64), "{says}");
}
