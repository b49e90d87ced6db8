//! Records of files, for tests: every format that can be told by its first bytes.

use std::path::{Path, PathBuf};

use crate::formats::{Format, ReadOptions, SourceRecord, sniff};
use crate::record::Cut;

/// The files that a pattern names, sorted; `*` stands for any characters of a file's name.
pub fn files(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let path = folder.join(pattern);
    let (Some(parent), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str()))
    else {
        return Vec::new();
    };
    let Some((front, back)) = name.split_once('*') else {
        return if path.is_file() { vec![path] } else { Vec::new() };
    };
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
            let rest = name.strip_prefix(front);
            path.is_file() && rest.is_some_and(|rest| rest.ends_with(back))
        })
        .collect();
    found.sort();
    found
}

/// The first record of a file, or the one of this control number.
pub fn record(path: &Path, id: Option<&str>) -> Result<SourceRecord, String> {
    let mut wanted = None;
    records(path, &mut |record| {
        let is_it = id.is_none_or(|id| record.control_number() == Some(id));
        if wanted.is_none() && is_it {
            wanted = Some(record);
        }
    })?;
    wanted.ok_or_else(|| format!("{} has no record {}", path.display(), id.unwrap_or("at all")))
}

/// Calls `found` with every record of a file that can be read; how many cannot.
pub fn records(path: &Path, found: &mut dyn FnMut(SourceRecord)) -> Result<u64, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let format = sniff(&bytes).filter(|format| format.reading.is_some());
    let format = format.ok_or_else(|| format!("{}: unknown format", path.display()))?;
    Ok(cut(format, &bytes, found))
}

fn cut(format: &Format, bytes: &[u8], found: &mut dyn FnMut(SourceRecord)) -> u64 {
    let Some(reading) = &format.reading else { return 0 };
    let mut framing = (reading.framing)();
    let (mut at, mut unread, mut whole) = (0, 0, Vec::new());
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        match framing.cut(rest, true) {
            Cut::Record { start, end, next, insert, damage } => {
                let own = rest.get(start..end).unwrap_or_default();
                whole.clear();
                match insert {
                    Some(insert) => insert.copy(own, &mut whole),
                    None => whole.extend_from_slice(own),
                }
                let mut record = SourceRecord::default();
                let options = ReadOptions::default();
                let read = format.read(&whole, &options, &mut record, &mut Vec::new());
                match damage.is_none() && read.is_ok() {
                    true => found(record),
                    false => unread += 1,
                }
                at += next.max(1);
            }
            Cut::More { .. } | Cut::End => return unread,
        }
    }
}
