//! Containers: what comes out of each, what is passed over, and what is refused.

use std::fmt::Write as _;
use std::fs;
use std::io::Cursor;
use std::path::PathBuf;

use proptest::prelude::*;
use windrow::formats::{ReadOptions, SourceRecord, by_name};
use windrow::source::{BatchLimit, Codec, DumpReader, Encoder, SourceError};

use crate::support::{dump, project};

const LIMIT: BatchLimit = BatchLimit { records: 100, bytes: 100_000 };

fn fixtures() -> Vec<PathBuf> {
    let entries = fs::read_dir(project("fixtures/containers")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_none_or(|extension| extension != "txt"));
    paths.sort();
    paths
}

/// All that a reader gives: records, members passed over, and how it ends.
fn describe(opened: Result<DumpReader, SourceError>) -> String {
    let mut out = String::new();
    let mut dump = match opened {
        Ok(dump) => dump,
        Err(error) => return format!("refused: {error} [{}]\n", error.code()),
    };
    loop {
        let batch = dump.read_batch(LIMIT);
        for member in dump.take_skipped() {
            writeln!(out, "skipped: {member}").unwrap();
        }
        match batch {
            Ok(None) => return out,
            Err(error) => writeln!(out, "broken: {error} [{}]", error.code()).unwrap(),
            Ok(Some(batch)) => {
                for raw in &batch.records {
                    let (mut record, mut warnings) = (SourceRecord::default(), Vec::new());
                    let mut locator = batch.locator(raw);
                    if let Some(damage) = &raw.damage {
                        writeln!(out, "{locator}: {} [{}]", damage.message, damage.code).unwrap();
                        continue;
                    }
                    let options = ReadOptions::default();
                    let bytes = batch.bytes(raw);
                    dump.format().read(bytes, &options, &mut record, &mut warnings).unwrap();
                    locator.control_number = record.control_number().map(str::to_owned);
                    writeln!(out, "{locator}, {}", dump.format().name).unwrap();
                }
            }
        }
    }
}

// The first and last lines of what is long.
fn brief(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() < 12 {
        return text.to_owned();
    }
    let (head, tail) = (lines[..3].join("\n"), lines[lines.len() - 3..].join("\n"));
    format!("{head}\n… {} more\n{tail}\n", lines.len() - 6)
}

#[test]
fn every_container_gives_what_is_written_beside_it() {
    let mut wrong = Vec::new();
    for path in fixtures() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let found = describe(DumpReader::open(&path, name, None));
        // From a pipe, nothing can be sought in.
        let bytes = Cursor::new(fs::read(&path).unwrap());
        let piped = describe(DumpReader::of_stream(bytes, name, None));
        let prefix = |text: &str| text.replace("refused: cannot open ", "").len();
        if !found.starts_with("refused") || prefix(&found) == found.len() {
            assert_eq!(found, piped, "{name}");
        }
        let found = brief(&found).replace(&path.display().to_string(), name);
        let beside = path.with_file_name(format!("{name}.txt"));
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&beside, &found).unwrap();
        } else if fs::read_to_string(&beside).unwrap_or_default() != found {
            wrong.push(format!("{}:\n{found}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_prefix_and_no_change_of_a_container_makes_a_panic_or_a_silence() {
    for path in fixtures() {
        let bytes = fs::read(&path).unwrap();
        let whole = describe(DumpReader::of_stream(Cursor::new(bytes.clone()), "x", None));
        let step = bytes.len().div_ceil(60).max(1);
        for end in (0..bytes.len()).step_by(step) {
            let cut = bytes[..end].to_vec();
            let found = describe(DumpReader::of_stream(Cursor::new(cut), "x", None));
            assert!(!found.is_empty(), "{} cut at {end}", path.display());
            let mut changed = bytes.clone();
            changed[end] ^= 0x11;
            let found = describe_loosely(changed);
            assert!(!found.is_empty() || whole.is_empty(), "{} at {end}", path.display());
        }
    }
}

// A changed byte may have changed a record.
fn describe_loosely(bytes: Vec<u8>) -> String {
    let mut dump = match DumpReader::of_stream(Cursor::new(bytes), "x", None) {
        Ok(dump) => dump,
        Err(error) => return error.to_string(),
    };
    let mut out = String::new();
    loop {
        match dump.read_batch(LIMIT) {
            Ok(None) => break,
            Ok(Some(batch)) => writeln!(out, "{} records", batch.records.len()).unwrap(),
            Err(error) => writeln!(out, "{error}").unwrap(),
        }
    }
    dump.take_skipped().iter().for_each(|member| writeln!(out, "{member}").unwrap());
    out
}

#[test]
fn records_are_numbered_through_the_members_and_skipped_in_the_same_numbers() {
    let path = project("fixtures/containers/two_formats.tar.gz");
    let open = || DumpReader::open(&path, "dump", None).unwrap();
    let all = describe(Ok(open()));
    let lines: Vec<&str> = all.lines().filter(|line| !line.starts_with("skipped")).collect();
    for skip in 0..=5 {
        let mut dump = open();
        dump.skip(skip as u64).unwrap();
        dump.take_skipped();
        let rest = describe(Ok(dump));
        let rest: Vec<&str> = rest.lines().filter(|line| !line.starts_with("skipped")).collect();
        assert_eq!(rest, lines[skip..]);
    }
    assert_eq!(open().skip(6).unwrap_err().code(), "source.shorter");
    // Where a part of 3 records was read before, the link is told once: with what comes behind.
    let mut dump = open();
    dump.skip(2).unwrap();
    assert_eq!(dump.take_skipped().len(), 1, "the README");
    dump.read_batch(LIMIT).unwrap().unwrap();
    assert_eq!(dump.take_skipped().len(), 0);
    dump.read_batch(LIMIT).unwrap().unwrap();
    assert_eq!(dump.take_skipped().len(), 2, "the link and the empty file");
}

#[test]
fn a_format_that_is_asked_for_chooses_the_members() {
    let path = project("fixtures/containers/two_formats.tar.zst");
    let found = describe(DumpReader::open(&path, "dump", by_name("marcxml")));
    let of = |word: &str| found.lines().filter(|line| line.contains(word)).count();
    assert_eq!((of(", marcxml"), of("skipped: ")), (2, 5), "{found}");
}

#[test]
fn a_bomb_is_refused_before_it_has_gone_off() {
    let zeros = vec![0; 1 << 20];
    let mut bomb = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    for _ in 0..80 {
        std::io::Write::write_all(&mut bomb, &zeros).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    let length = bomb.len();
    let mut dump = DumpReader::of_stream(Cursor::new(bomb), "bomb", by_name("marcxml")).unwrap();
    let error = loop {
        match dump.read_batch(LIMIT) {
            Ok(Some(_)) => {}
            Ok(None) => panic!("80 MiB out of {length} bytes were let through"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains(&format!("{length} bytes unpack to")), "{error}");
}

// An archive with one member of these bytes.
fn tar(bytes: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    builder.append_data(&mut header, "member", bytes).unwrap();
    builder.into_inner().unwrap()
}

fn zip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("member", zip::write::SimpleFileOptions::default()).unwrap();
    std::io::Write::write_all(&mut writer, bytes).unwrap();
    writer.finish().unwrap().into_inner()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_packed_comes_out_again(
        records in 1_u64..40,
        layers in proptest::collection::vec(0_usize..6, 0..=4),
    ) {
        let records = dump(1, 0..records);
        let mut packed = records.clone();
        for layer in layers {
            packed = match Codec::ALL.get(layer) {
                Some(codec) => {
                    let mut encoder = Encoder::new(Some(*codec), Vec::new()).unwrap();
                    std::io::Write::write_all(&mut encoder, &packed).unwrap();
                    encoder.finish().unwrap()
                }
                None if layer == 4 => tar(&packed),
                None => zip(&packed),
            };
        }
        let mut dump = DumpReader::of_stream(Cursor::new(packed), "dump", None).unwrap();
        let mut found = Vec::new();
        while let Some(batch) = dump.read_batch(LIMIT).unwrap() {
            found.extend_from_slice(&batch.block);
        }
        prop_assert!(found == records);
    }
}
