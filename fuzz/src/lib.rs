//! What must hold of any bytes, whatever the format: nothing panics, nothing is lost, and no
//! chunk's end makes a difference.

use windrow::formats::{Cut, Format, Policy, ReadOptions, SourceRecord, WriteOptions};

/// A record that was cut: where it begins, its bytes, and the code of its damage.
type Piece = (usize, Vec<u8>, Option<&'static str>);

/// Cuts `bytes` into records, whole and in chunks, and reads and writes each of them.
pub fn format(format: &Format, bytes: &[u8]) {
    let Some(reading) = &format.reading else { return };
    let _looks_so = (reading.sniff)(bytes);
    let pieces = cut(format, bytes, bytes.len());
    let chunk = bytes.first().map_or(1, |byte| usize::from(*byte)).max(1);
    assert_eq!(pieces, cut(format, bytes, chunk), "in chunks of {chunk} bytes");
    for (_, bytes, damage) in pieces {
        if damage.is_none() {
            read(format, &bytes);
        }
    }
}

/// Reads one record by each policy, and writes what was read.
pub fn read(format: &Format, bytes: &[u8]) {
    let mut record = SourceRecord::default();
    let mut warnings = Vec::new();
    let mut out = Vec::new();
    for policy in [Policy::Strict, Policy::Tolerant, Policy::Repair] {
        let mut options = ReadOptions::default();
        options.policy = policy;
        warnings.clear();
        let read = format.read(bytes, &options, &mut record, &mut warnings);
        if policy == Policy::Strict {
            assert!(read.is_err() || warnings.is_empty(), "strict reading lets {warnings:?} pass");
        }
        if read.is_err() {
            continue;
        }
        for other in windrow::formats::FORMATS {
            let Some(writing) = other.writing.as_ref().filter(|_| other.model == format.model)
            else {
                continue;
            };
            out.clear();
            let options = WriteOptions::default();
            if (writing.encode)(&record, &options, &mut out, &mut warnings).is_err() {
                assert!(out.is_empty(), "{} leaves something of what it cannot write", other.name);
            }
        }
    }
}

fn cut(format: &Format, stream: &[u8], chunk: usize) -> Vec<Piece> {
    let Some(reading) = &format.reading else { return Vec::new() };
    let mut framing = (reading.framing)();
    let (mut from, mut to) = (0, chunk.min(stream.len()));
    let mut pieces = Vec::new();
    loop {
        match framing.cut(&stream[from..to], to == stream.len()) {
            Cut::Record { start, end, next, insert, damage } => {
                assert!(
                    start <= end && end <= next && next <= to - from,
                    "outside of what is there"
                );
                assert!(next > 0 || damage.is_some(), "nothing was taken");
                let record = &stream[from + start..from + end];
                let mut bytes = Vec::new();
                match insert {
                    Some(insert) => insert.copy(record, &mut bytes),
                    None => bytes.extend_from_slice(record),
                }
                pieces.push((from + start, bytes, damage.map(|damage| damage.code)));
                from += next;
            }
            Cut::More { skip } => {
                assert!(to < stream.len(), "more was asked for at the end");
                from += skip;
                assert!(from <= to, "more was skipped than is there");
                to = (to + chunk).min(stream.len());
            }
            Cut::End => return pieces,
        }
    }
}
