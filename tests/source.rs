//! Dumps: packed, broken off, resumed; and the files that a source names.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use windrow::formats::marc21::{Marc, Tag, iso2709};
use windrow::record::RawBatch;
use windrow::source::{BatchLimit, DumpReader, expand, fingerprint};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("windrow-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn records(from: usize, to: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for number in from..to {
        let mut marc = Marc::default();
        marc.push_control(Tag(*b"001"), &format!("w{number}"));
        marc.push_data(Tag(*b"245"), ['1', '0']);
        marc.push_subfield('a', &"hay ".repeat(number % 50));
        out.extend(iso2709::write(&marc).unwrap());
    }
    out
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const LIMIT: BatchLimit = BatchLimit { records: 100, bytes: 8_000 };

fn read_all(path: &Path) -> Vec<RawBatch> {
    let mut reader = DumpReader::open(path, "dump", None).unwrap();
    std::iter::from_fn(|| reader.read_batch(LIMIT).unwrap()).collect()
}

fn bytes_of(batches: &[RawBatch]) -> Vec<u8> {
    batches.iter().flat_map(|batch| batch.block.clone()).collect()
}

#[test]
fn members_and_frames_follow_one_another_as_one_stream() {
    let folder = Folder::new("packed");
    let plain = records(0, 3000);
    let (first, second) = plain.split_at(plain.len() / 2 + 7);
    let gz = [gzip(first), gzip(b""), gzip(second)].concat();
    let frame = |bytes| zstd::bulk::compress(bytes, 1).unwrap();
    let zst = [frame(first), frame(b""), frame(second)].concat();
    for (name, packed) in [("a.mrc", &plain), ("b.gz", &gz), ("misnamed.mrc", &zst)] {
        let path = folder.write(name, packed);
        let batches = read_all(&path);
        assert_eq!(batches.iter().map(|batch| batch.records.len()).sum::<usize>(), 3000, "{name}");
        assert!(bytes_of(&batches) == plain, "{name}");
        let mut reader = DumpReader::open(&path, name, None).unwrap();
        assert_eq!(reader.format().name, "iso2709");
        while reader.read_batch(LIMIT).unwrap().is_some() {}
        assert_eq!(
            (reader.bytes_read(), reader.file_size()),
            (packed.len() as u64, packed.len() as u64)
        );
    }
}

#[test]
fn a_resumed_run_cuts_the_batches_of_an_unbroken_one() {
    let folder = Folder::new("resumed");
    let path = folder.write("a.mrc.gz", &gzip(&records(0, 2000)));
    let batches = read_all(&path);
    assert!(batches.len() > 20);
    for batch in &batches {
        let full = batch.records.len() == 100 || batch.block.len() >= 8_000;
        assert!(full || batch.records.last().unwrap().number == 2000);
    }
    for resume in [1, 7, batches.len() - 1] {
        let mut reader = DumpReader::open(&path, "dump", None).unwrap();
        reader.skip(batches[resume - 1].records.last().unwrap().number).unwrap();
        for expected in &batches[resume..] {
            let found = reader.read_batch(LIMIT).unwrap().unwrap();
            assert_eq!(found.records, expected.records);
            assert_eq!(found.block, expected.block);
        }
        assert!(reader.read_batch(LIMIT).unwrap().is_none());
    }
    let mut reader = DumpReader::open(&path, "dump", None).unwrap();
    assert_eq!(reader.skip(2001).unwrap_err().code(), "source.shorter");
}

#[test]
fn what_was_read_before_a_file_breaks_off_is_kept_and_the_break_is_reported() {
    let folder = Folder::new("broken");
    let plain = records(0, 3000);
    let mut gz = gzip(&plain);
    gz.truncate(gz.len() * 3 / 4);
    let mut zst =
        [zstd::bulk::compress(&plain, 1).unwrap(), zstd::bulk::compress(&plain, 1).unwrap()]
            .concat();
    zst.truncate(zst.len() - 20);
    let trailing = [gzip(&plain), b"no gzip".to_vec()].concat();
    for (name, bytes) in [("a.gz", gz), ("a.zst", zst), ("b.gz", trailing)] {
        let path = folder.write(name, &bytes);
        let mut reader = DumpReader::open(&path, name, None).unwrap();
        let mut codes = Vec::new();
        let error = loop {
            match reader.read_batch(LIMIT) {
                Ok(Some(batch)) => codes.extend(
                    batch.records.into_iter().map(|record| record.damage.map(|damage| damage.code)),
                ),
                Ok(None) => panic!("{name}: the break went unseen"),
                Err(error) => break error,
            }
        };
        assert!(codes.len() > 1000, "{name}: {}", codes.len());
        assert_eq!(codes.last(), Some(&Some("source.read")), "{name}");
        assert_eq!(error.code(), "source.read");
        assert!(error.to_string().starts_with(name), "{error}");
        assert!(reader.read_batch(LIMIT).unwrap().is_none());
    }
}

#[test]
fn a_file_of_no_known_format_is_named_with_what_it_begins_with() {
    let folder = Folder::new("unknown");
    let path = folder.write("a.bin", b"BZh91AY");
    let error = DumpReader::open(&path, "a.bin", None).err().unwrap();
    assert_eq!(error.code(), "source.unknown_format");
    assert!(error.to_string().contains("BZh91AY"), "{error}");
    let error = DumpReader::open(&folder.0.join("none"), "none", None).err().unwrap();
    assert_eq!(error.code(), "source.not_found");
}

#[test]
fn records_get_the_namespaces_of_what_is_around_them_and_their_place_in_the_file() {
    let folder = Folder::new("xml");
    let head = "<c:collection xmlns:c=\"urn:c\">";
    let record = "<c:record><c:leader/></c:record>";
    let path = folder.write("a.xml", format!("{head}{record}\n{record}</c:collection>").as_bytes());
    let marcxml = windrow::formats::by_name("marcxml");
    let mut reader = DumpReader::open(&path, "a.xml", marcxml).unwrap();
    let batch = reader.read_batch(LIMIT).unwrap().unwrap();
    let expected = "<c:record xmlns:c=\"urn:c\"><c:leader/></c:record>";
    let places: Vec<u64> = batch.records.iter().map(|record| record.byte).collect();
    assert_eq!(places, [head.len() as u64, (head.len() + record.len() + 1) as u64]);
    for record in &batch.records {
        assert_eq!(batch.bytes(record), expected.as_bytes());
    }
    assert_eq!(batch.locator(&batch.records[1]).to_string(), "a.xml #2 (byte 63)");
}

#[test]
fn files_are_found_by_path_and_glob_in_a_lasting_order() {
    let folder = Folder::new("files");
    for name in ["b.mrc", "a.mrc", "sub/c.mrc", "sub/deep/d.mrc", "sub/e.xml", ".hidden.mrc"] {
        folder.write(name, b"x");
    }
    let names = |patterns: &[&str]| {
        let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        expand(&patterns, &folder.0).map(|paths| {
            let relative =
                |path: PathBuf| path.strip_prefix(&folder.0).unwrap().display().to_string();
            paths.into_iter().map(relative).collect::<Vec<_>>()
        })
    };
    assert_eq!(names(&["*.mrc"]).unwrap(), ["a.mrc", "b.mrc"]);
    assert_eq!(names(&["b.mrc", "?.mrc"]).unwrap(), ["b.mrc", "a.mrc"]);
    assert_eq!(names(&["**/*.mrc"]).unwrap(), ["a.mrc", "b.mrc", "sub/c.mrc", "sub/deep/d.mrc"]);
    assert_eq!(names(&["s*/**/*"]).unwrap(), ["sub/c.mrc", "sub/deep/d.mrc", "sub/e.xml"]);
    assert_eq!(names(&["*.marc"]).unwrap_err().code(), "source.no_match");
    assert_eq!(names(&["none.mrc"]).unwrap_err().code(), "source.not_found");
    assert_eq!(names(&["sub"]).unwrap_err().code(), "source.open");
    let before = fingerprint(&folder.0.join("a.mrc")).unwrap();
    assert!(before.starts_with("1 bytes, "), "{before}");
    folder.write("a.mrc", b"xy");
    assert_ne!(fingerprint(&folder.0.join("a.mrc")).unwrap(), before);
}
