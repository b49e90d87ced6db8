//! Cutting a text into records of whole lines, for the serializations that have a field a line.

use memchr::memchr;

use crate::formats::{Cut, Framing, MAX_RECORD_BYTES};
use crate::record::Damage;

/// How much of a record that is too large is kept.
const KEPT_OF_TOO_LARGE: usize = 64 * 1024;

/// What a line says about the bounds of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// A record begins here; with a number, when it is not that of the record at hand.
    Begins(Option<[u8; 9]>),
    /// It belongs to the record at hand, if there is one.
    GoesOn,
    /// The record at hand ends before this line, which belongs to none.
    Ends,
}

/// Cuts one stream; blank lines between records are passed over.
pub(super) struct LineFraming {
    rule: fn(&[u8]) -> Line,
    begun: bool,
    /// Where scanning goes on in the next bytes.
    at: usize,
    place: Place,
    number: Option<[u8; 9]>,
    /// The next bytes go on with a line whose beginning was dropped.
    within_line: bool,
}

#[derive(Clone, Copy)]
enum Place {
    Between,
    /// In the record that starts there.
    Within(usize),
    /// Behind the kept part of a record that is too large.
    Skipping,
}

impl LineFraming {
    /// A cutter at the beginning of a stream, which asks `rule` about each line.
    pub fn new(rule: fn(&[u8]) -> Line) -> LineFraming {
        let place = Place::Between;
        LineFraming { rule, begun: false, at: 0, place, number: None, within_line: false }
    }

    // Looks at one whole line; answers where the record ends that ends before it.
    fn line(&mut self, line: &[u8], end: usize) -> Option<Cut> {
        let found =
            if std::mem::take(&mut self.within_line) { Line::GoesOn } else { (self.rule)(line) };
        let number = match found {
            Line::Begins(number) => number,
            _ => None,
        };
        let is_bound = match found {
            Line::Begins(None) | Line::Ends => true,
            Line::Begins(number) => number != self.number,
            Line::GoesOn => false,
        };
        match self.place {
            Place::Between if !line.trim_ascii().is_empty() => {
                self.place = Place::Within(self.at);
                self.number = number;
            }
            Place::Within(start) if is_bound => {
                let next = self.at;
                (self.place, self.at) = (Place::Between, 0);
                return Some(Cut::Record { start, end: next, next, insert: None, damage: None });
            }
            Place::Skipping if is_bound => {
                self.place = Place::Between;
                return None;
            }
            _ => {}
        }
        self.at = end;
        None
    }

    fn too_large(&mut self, start: usize, next: usize, within_line: bool) -> Cut {
        (self.place, self.at, self.within_line) = (Place::Skipping, 0, within_line);
        let message = format!("more than {MAX_RECORD_BYTES} bytes without an end");
        let damage = Some(Damage { code: "too_large", message });
        Cut::Record { start, end: start + KEPT_OF_TOO_LARGE, next, insert: None, damage }
    }

    // The bytes at hand hold no whole line any more.
    fn without_line(&mut self, bytes: &[u8]) -> Cut {
        let skip = match self.place {
            Place::Within(start) if bytes.len() - start > MAX_RECORD_BYTES => {
                return self.too_large(start, bytes.len(), true);
            }
            Place::Within(start) => start,
            Place::Skipping if self.at < bytes.len() => {
                self.within_line = true;
                bytes.len()
            }
            Place::Between if bytes.len() - self.at > MAX_RECORD_BYTES => {
                return self.too_large(self.at, bytes.len(), true);
            }
            _ => self.at,
        };
        self.at = self.at.saturating_sub(skip);
        if let Place::Within(start) = &mut self.place {
            *start -= skip;
        }
        Cut::More { skip }
    }
}

impl Framing for LineFraming {
    fn cut(&mut self, bytes: &[u8], at_end: bool) -> Cut {
        if !self.begun {
            if bytes.len() < 3 && !at_end {
                return Cut::More { skip: 0 };
            }
            self.begun = true;
            if bytes.starts_with(b"\xEF\xBB\xBF") {
                self.at = 3;
            }
        }
        loop {
            let rest = bytes.get(self.at..).unwrap_or_default();
            let length = match memchr(b'\n', rest) {
                Some(length) => length + 1,
                None if at_end && !rest.is_empty() => rest.len(),
                None if at_end => {
                    let Place::Within(start) = self.place else { return Cut::End };
                    (self.place, self.at) = (Place::Between, 0);
                    let end = bytes.len();
                    return Cut::Record { start, end, next: end, insert: None, damage: None };
                }
                None => return self.without_line(bytes),
            };
            let line = rest.get(..length).unwrap_or_default();
            if let Some(cut) = self.line(line, self.at + length) {
                return cut;
            }
            if let Place::Within(start) = self.place
                && self.at - start > MAX_RECORD_BYTES
            {
                return self.too_large(start, self.at, false);
            }
        }
    }
}
