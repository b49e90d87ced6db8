//! Cutting a stream of ISO 2709 into records, whatever lies between them.

use memchr::{memchr, memchr_iter, memmem};

use super::directory::number;
use super::{FT, RT};
use crate::formats::{Cut, Framing, MAX_RECORD_BYTES};
use crate::record::Damage;

/// How much of a record that is too large is kept for the quarantine.
const KEPT_OF_TOO_LARGE: usize = 64 * 1024;

/// Whether a file that begins so is ISO 2709: a leader is its first content, or what has a
/// directory behind it.
#[must_use]
pub fn looks_like_iso2709(first_bytes: &[u8]) -> bool {
    let first_bytes = first_bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(first_bytes);
    let start = first_bytes.iter().position(|&byte| !is_junk(byte)).unwrap_or(0);
    let leader = first_bytes.get(start..).unwrap_or_default();
    is_leader(leader) || is_leader_without_length(first_bytes) || has_directory(leader)
}

/// Cuts by the leader's length where it is right, by record terminators where it is not.
#[derive(Debug, Default)]
pub struct Iso2709Framing {
    begun: bool,
    in_too_large: bool,
}

enum Start {
    At(usize),
    More(usize),
    End,
}

impl Framing for Iso2709Framing {
    fn cut(&mut self, bytes: &[u8], at_end: bool) -> Cut {
        let start = match self.start(bytes, at_end) {
            Start::At(start) => start,
            Start::More(skip) => return Cut::More { skip },
            Start::End => return Cut::End,
        };
        let rest = bytes.get(start..).unwrap_or_default();
        let stated = rest.first_chunk::<5>().and_then(|length| number(length));
        if !at_end && (rest.len() < 24 || stated.is_some_and(|length| rest.len() < length + 32)) {
            return Cut::More { skip: start };
        }
        let terminator = memchr(RT, rest);
        let by_length = stated.filter(|&n| n >= 24 && rest.get(n - 1) == Some(&RT));
        if let (Some(length), Some(terminator)) = (by_length, terminator) {
            if terminator == length - 1 {
                return record(start, length, None);
            }
            let inner = rest.get(..length - 1).unwrap_or_default();
            let ends = memchr_iter(RT, inner).find(|&end| is_followed_by_leader(rest, end));
            return record(start, ends.map_or(length, |end| end + 1), None);
        }
        match terminator {
            Some(end) if end < MAX_RECORD_BYTES => record_by_terminator(start, rest, end + 1),
            _ if rest.len() > MAX_RECORD_BYTES => {
                self.in_too_large = true;
                let message = format!("no record terminator within {MAX_RECORD_BYTES} bytes");
                let damage = Some(Damage { code: "too_large", message });
                Cut::Record {
                    start,
                    end: start + KEPT_OF_TOO_LARGE,
                    next: start + MAX_RECORD_BYTES,
                    insert: None,
                    damage,
                }
            }
            // All is there but the terminator.
            _ if at_end && rest.ends_with(&[FT]) && is_whole(rest.len(), stated) => {
                record(start, rest.len(), None)
            }
            _ if at_end => record(start, rest.len(), Some(truncated(rest.len(), stated))),
            _ => Cut::More { skip: start },
        }
    }
}

impl Iso2709Framing {
    // Passes over what may lie between records, and over the rest of a record that is too large.
    fn start(&mut self, bytes: &[u8], at_end: bool) -> Start {
        let mut at = 0;
        if !self.begun {
            if bytes.len() < 3 && !at_end {
                return Start::More(0);
            }
            self.begun = true;
            at = if bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        }
        if self.in_too_large {
            match memchr(RT, bytes) {
                Some(end) => at = end + 1,
                None if at_end => return Start::End,
                None => return Start::More(bytes.len()),
            }
            self.in_too_large = false;
        }
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            match rest.first() {
                None if at_end => return Start::End,
                None => return Start::More(at),
                // Blanks may be the place of the length in a leader.
                Some(b' ') if rest.len() < 24 && !at_end => {
                    self.begun = true;
                    return Start::More(at);
                }
                Some(b' ') if is_leader_without_length(rest) => return Start::At(at),
                Some(&byte) if is_junk(byte) => at += 1,
                Some(_) => return Start::At(at),
            }
        }
    }
}

fn record(start: usize, length: usize, damage: Option<Damage>) -> Cut {
    let end = start + length;
    Cut::Record { start, end, next: end, insert: None, damage }
}

// The length is wrong. Perhaps a whole record stands at the end of these bytes, behind junk or
// behind a record that broke off: then only what is before it is damaged.
fn record_by_terminator(start: usize, rest: &[u8], length: usize) -> Cut {
    let piece = rest.get(..length).unwrap_or_default();
    for map in memmem::find_iter(piece, b"4500") {
        let Some(inner) = map.checked_sub(20).filter(|&inner| inner > 0) else { continue };
        let leader = piece.get(inner..).unwrap_or_default();
        let stated = leader.first_chunk::<5>().and_then(|length| number(length));
        if is_leader(leader) && stated == Some(length - inner) {
            let damage = if is_leader(piece) {
                truncated(inner, piece.first_chunk::<5>().and_then(|length| number(length)))
            } else {
                let message = format!("{inner} bytes between records");
                Damage { code: "iso2709.junk", message }
            };
            return record(start, inner, Some(damage));
        }
    }
    record(start, length, None)
}

// Some systems do not count the terminator, either.
fn is_whole(found: usize, stated: Option<usize>) -> bool {
    stated.is_some_and(|stated| stated == found || stated == found + 1)
}

fn truncated(found: usize, stated: Option<usize>) -> Damage {
    let message = match stated {
        Some(stated) => format!("the record ends after {found} bytes, expected {stated}"),
        None => format!("{found} bytes without a record terminator"),
    };
    Damage { code: "truncated", message }
}

fn is_followed_by_leader(bytes: &[u8], end: usize) -> bool {
    // A line end between records, at most.
    (1..=3).any(|gap| {
        let between = bytes.get(end + 1..end + gap).unwrap_or_default();
        between.iter().copied().all(is_junk) && bytes.get(end + gap..).is_some_and(is_leader)
    })
}

fn is_junk(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0 | 0x1A | RT)
}

fn is_leader(bytes: &[u8]) -> bool {
    let digits = |from, to| bytes.get(from..to).is_some_and(|part| number(part).is_some());
    digits(0, 5)
        && digits(12, 17)
        && bytes.get(10..12) == Some(b"22")
        && bytes.get(20..22) == Some(b"45")
}

// Whatever the leader says: 24 characters and a directory, whole entries up to a field terminator.
// Nothing else begins so.
fn has_directory(bytes: &[u8]) -> bool {
    let Some((leader, rest)) = bytes.split_first_chunk::<24>() else { return false };
    let entries = memchr(FT, rest).and_then(|end| rest.get(..end)).unwrap_or_default();
    let (entries, odd) = entries.as_chunks::<12>();
    let is_entry = |entry: &[u8; 12]| {
        let (tag, numbers) = entry.split_at(3);
        tag.iter().all(u8::is_ascii_alphanumeric) && number(numbers).is_some()
    };
    leader.iter().all(|byte| (b' '..0x7F).contains(byte))
        && odd.is_empty()
        && !entries.is_empty()
        && entries.iter().all(is_entry)
}

fn is_leader_without_length(bytes: &[u8]) -> bool {
    let base = bytes.get(12..17).is_some_and(|part| number(part).is_some());
    base && bytes.starts_with(b"     ")
        && bytes.get(10..12) == Some(b"22")
        && bytes.get(5).is_some_and(u8::is_ascii_graphic)
}
