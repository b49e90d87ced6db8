//! What the framings of text formats share: limits, blanks, and going on where bytes ran out.

use super::text::without_mark;
use super::{Cut, Framing, MAX_RECORD_BYTES};
use crate::record::{Damage, Insert};

/// How much is kept of a record that is too large.
const KEPT_OF_TOO_LARGE: usize = 64 * 1024;

/// Finds where the record ends that begins with the bytes.
pub trait Scan: Send {
    /// Whether white space before a record belongs to none.
    const TRIMS: bool = true;

    /// Goes on at `*at`, which is left behind what was looked at, or where a line begins that is
    /// not whole. `None` when more bytes are needed, never `at_end` while bytes are left.
    fn scan(&mut self, bytes: &[u8], at: &mut usize, at_end: bool) -> Option<Found>;
}

/// What a [`Scan`] found at the front of the bytes.
#[derive(Debug, Default)]
pub struct Found {
    /// Where it ends (exclusive).
    pub end: usize,
    /// Whether it is no record but what stands between two.
    pub is_between: bool,
    /// Text to put before the record.
    pub insert: Option<String>,
    /// Set when it is known to be no whole record.
    pub damage: Option<Damage>,
}

impl Found {
    /// A record up to here.
    pub fn record(end: usize) -> Found {
        Found { end, ..Found::default() }
    }

    /// Nothing of a record up to here.
    pub fn between(end: usize) -> Found {
        Found { end, is_between: true, ..Found::default() }
    }

    /// A record up to here that is not whole.
    pub fn damaged(end: usize, code: &'static str, message: &str) -> Found {
        let damage = Some(Damage { code, message: message.to_owned() });
        Found { end, damage, ..Found::default() }
    }
}

/// A [`Framing`] made of a [`Scan`].
#[derive(Debug, Default)]
pub struct TextFraming<S> {
    scan: S,
    at: usize,
    /// The beginning of this record was given as too large.
    is_rest: bool,
}

impl<S: Scan + Default + 'static> TextFraming<S> {
    /// A framing at the beginning of a stream, as rows want it.
    pub fn boxed() -> Box<dyn Framing> {
        Box::new(TextFraming::<S> { scan: S::default(), at: 0, is_rest: false })
    }
}

impl<S: Scan> Framing for TextFraming<S> {
    fn cut(&mut self, bytes: &[u8], at_end: bool) -> Cut {
        let mut from = 0;
        loop {
            let rest = bytes.get(from..).unwrap_or_default();
            let Some(found) = self.scan.scan(rest, &mut self.at, at_end) else {
                return self.runs_out(bytes, from, at_end);
            };
            self.at = 0;
            let next = from + found.end;
            let record = rest.get(..found.end).unwrap_or_default();
            let mut content = without_mark(record);
            if S::TRIMS {
                content = content.trim_ascii_start();
            }
            let is_rest = !found.is_between && std::mem::take(&mut self.is_rest);
            if !is_rest && !found.is_between && !content.is_empty() {
                let start = next - content.len();
                if content.len() > MAX_RECORD_BYTES {
                    return too_large(start, next);
                }
                let insert = found.insert.map(|front| Insert { front, at: 0, text: String::new() });
                return Cut::Record { start, end: next, next, insert, damage: found.damage };
            }
            from = next;
        }
    }
}

impl<S: Scan> TextFraming<S> {
    fn runs_out(&mut self, bytes: &[u8], from: usize, at_end: bool) -> Cut {
        let length = bytes.len() - from;
        if at_end {
            return Cut::End;
        }
        if self.is_rest || length > MAX_RECORD_BYTES {
            // A line without an end is looked at in pieces.
            let is_long = self.at == 0 && length > MAX_RECORD_BYTES;
            let seen = if is_long { length } else { self.at };
            self.at = 0;
            if std::mem::replace(&mut self.is_rest, true) {
                return Cut::More { skip: from + seen };
            }
            return too_large(from, from + seen);
        }
        Cut::More { skip: from }
    }
}

fn too_large(start: usize, next: usize) -> Cut {
    let message = format!("more than {MAX_RECORD_BYTES} bytes without an end");
    let damage = Some(Damage { code: "too_large", message });
    Cut::Record { start, end: next.min(start + KEPT_OF_TOO_LARGE), next, insert: None, damage }
}

/// The end of the line that begins at `at`, its line break included.
pub fn line_end(bytes: &[u8], at: usize, at_end: bool) -> Option<usize> {
    let rest = bytes.get(at..).unwrap_or_default();
    let length = memchr::memchr(b'\n', rest).map(|length| length + 1);
    length.or((at_end && !rest.is_empty()).then_some(rest.len())).map(|length| at + length)
}
