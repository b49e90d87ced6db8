//! Cutting a dump into records, where the tool that wrote it stopped within one and went on.
//!
//! A record that cannot be serialized leaves its first half in the file and the next one begins
//! right behind it, on the same line: by its brackets it is a part of the broken one, and so is
//! all the rest of the file.

use memchr::memmem;
use serde_json::Value;

use crate::formats::json::JsonFraming;
use crate::formats::{Cut, Framing, MAX_RECORD_BYTES};
use crate::json::cut::Cutter;
use crate::json::value::{Broken, parse};
use crate::record::Damage;

/// Cuts the objects of the array; a broken one ends where the next begins.
#[derive(Debug)]
pub struct InvenioFraming {
    inner: JsonFraming,
    /// `{"recid"` or whatever the first record begins with: a dump's records all begin alike.
    opening: Vec<u8>,
}

impl Default for InvenioFraming {
    fn default() -> InvenioFraming {
        InvenioFraming { inner: JsonFraming::within(&[]), opening: Vec::new() }
    }
}

impl Framing for InvenioFraming {
    fn cut(&mut self, bytes: &[u8], at_end: bool) -> Cut {
        let cut = self.inner.cut(bytes, at_end);
        let Cut::Record { start, end, next, damage, .. } = &cut else {
            return cut;
        };
        let (start, next) = (*start, *next);
        let record = bytes.get(start..*end).unwrap_or_default();
        if self.opening.is_empty() {
            self.opening = opening(record).unwrap_or_default().to_vec();
        }
        let Some(damage) = damage else {
            return cut;
        };
        // Damaged bytes may be cut short; what follows them up to `next` may hold records too.
        let all = bytes.get(start..next.max(*end)).unwrap_or_default();
        let Some(offset) = self.next_record(all) else {
            return cut;
        };
        self.inner = JsonFraming::within(&[]);
        let damage = Some(Damage {
            code: damage.code,
            message: "the record breaks off and the next one begins".to_owned(),
        });
        let next = start + offset;
        Cut::Record { start, end: next, next, insert: None, damage }
    }
}

impl InvenioFraming {
    // Within a text a quotation mark has a backslash before it, so the opening is none there.
    fn next_record(&self, bytes: &[u8]) -> Option<usize> {
        if self.opening.is_empty() {
            return None;
        }
        let mut found = memmem::find_iter(bytes, &self.opening).filter(|offset| *offset > 0);
        found.find(|offset| is_record(bytes.get(*offset..).unwrap_or_default()))
    }
}

// A file of a record has a `recid` too.
fn is_record(bytes: &[u8]) -> bool {
    let mut cutter = Cutter::new(MAX_RECORD_BYTES);
    let Cut::Record { start: 0, end, damage: None, .. } = cutter.cut(bytes, true) else {
        return false;
    };
    let text = bytes.get(..end).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let value = text.and_then(|text| parse(text, Broken::Mend, &mut Vec::new()).ok());
    value
        .as_ref()
        .and_then(Value::as_object)
        .is_some_and(|object| object.contains_key("recid") && !object.contains_key("bibdocid"))
}

// The bracket and the first key with its quotation marks.
fn opening(record: &[u8]) -> Option<&[u8]> {
    let rest = record.strip_prefix(b"{")?;
    let quote = rest.len() - rest.trim_ascii_start().len();
    let key = rest.get(quote..)?.strip_prefix(b"\"")?;
    let length = memchr::memchr(b'"', key).filter(|length| (1..32).contains(length))?;
    record.get(..quote + length + 3)
}
