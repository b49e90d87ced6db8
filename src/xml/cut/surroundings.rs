//! What stands around records: open elements with their namespace declarations, and the encoding.

use crate::record::Insert;
use crate::xml::encoding::label;
use crate::xml::token::attributes;

/// Open elements that are followed around records; what lies deeper is only counted.
const MAX_DEPTH: usize = 64;
/// Namespace declarations that are carried into one record, in bytes.
const MAX_DECLARATIONS: usize = 8 * 1024;

/// Why a stream that [`is_utf16`] is not read.
pub(super) const UTF_16: &str = "the file is UTF-16, expected UTF-8";

#[derive(Debug, Default)]
struct Open {
    /// Attribute (`xmlns:marc`) and value with quotes.
    declarations: Vec<(String, String)>,
    /// Whether records stand in it, so that text in it belongs to none.
    collects: bool,
}

/// The elements that are open around the place at hand.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    stack: Vec<Open>,
    deeper: usize,
    /// The declared encoding, when it is not UTF-8.
    encoding: Option<String>,
}

impl Surroundings {
    pub(super) fn depth(&self) -> usize {
        self.stack.len()
    }

    /// An element begins; `inside` is its tag behind the name.
    pub(super) fn open(&mut self, inside: &[u8], collects: bool) {
        if self.stack.len() < MAX_DEPTH {
            self.stack.push(Open { declarations: declarations(inside), collects });
        } else {
            self.deeper += 1;
        }
    }

    pub(super) fn close(&mut self) {
        match self.deeper {
            0 => drop(self.stack.pop()),
            _ => self.deeper -= 1,
        }
    }

    pub(super) fn close_to(&mut self, depth: usize) {
        self.stack.truncate(depth);
        self.deeper = 0;
    }

    /// A record was found in the innermost element.
    pub(super) fn collects(&mut self) {
        if let Some(parent) = self.stack.last_mut() {
            parent.collects = true;
        }
    }

    /// Whether text here belongs to an envelope, not to the space between records.
    pub(super) fn is_envelope(&self) -> bool {
        self.stack.last().is_some_and(|open| !open.collects)
    }

    /// A processing instruction, which may be an XML declaration; those of several documents put
    /// together count from where they stand.
    pub(super) fn instruction(&mut self, instruction: &[u8]) {
        if instruction.starts_with(b"<?xml ") {
            let is_foreign = |name: &&str| {
                let known = ["utf-8", "utf8", "us-ascii", "ascii"];
                !known.contains(&name.to_ascii_lowercase().as_str())
            };
            self.encoding = label(instruction).filter(is_foreign).map(str::to_owned);
        }
    }

    /// The declarations in force around a record, without those its own tag makes, to be put in
    /// behind its name.
    pub(super) fn inherited(&self, inside: &[u8], name_end: usize) -> Option<Insert> {
        if self.stack.iter().all(|open| open.declarations.is_empty()) {
            return None;
        }
        let own = declarations(inside);
        let mut text = String::new();
        let mut names: Vec<&str> = own.iter().map(|(name, _)| name.as_str()).collect();
        for (name, value) in self.stack.iter().rev().flat_map(|open| open.declarations.iter().rev())
        {
            if names.contains(&name.as_str()) {
                continue;
            }
            names.push(name);
            if text.len() + name.len() + value.len() < MAX_DECLARATIONS {
                text.extend([" ", name, "=", value]);
            }
        }
        (!text.is_empty()).then_some(Insert { front: String::new(), at: name_end, text })
    }

    /// Adds the encoding to what is put into `record`, if it matters there.
    pub(super) fn with_encoding(&self, insert: Option<Insert>, record: &[u8]) -> Option<Insert> {
        let Some(encoding) = self.encoding.as_ref().filter(|_| !record.is_ascii()) else {
            return insert;
        };
        let mut insert =
            insert.unwrap_or(Insert { front: String::new(), at: 0, text: String::new() });
        insert.front = format!("<?xml version=\"1.0\" encoding=\"{encoding}\"?>");
        Some(insert)
    }
}

fn declarations(inside: &[u8]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(str::to_owned).ok();
    attributes(inside.get(..inside.len().min(MAX_DECLARATIONS)).unwrap_or_default())
        .filter(|(name, _)| *name == b"xmlns" || name.starts_with(b"xmlns:"))
        .filter_map(|(name, value)| text(name).zip(text(value)))
        .collect()
}

/// Whether a stream that begins so is UTF-16, with or without a byte order mark.
pub(super) fn is_utf16(bytes: &[u8]) -> bool {
    let starts: [&[u8]; 4] = [b"\xFE\xFF", b"\xFF\xFE", b"\0<\0", b"<\0"];
    starts.iter().any(|start| bytes.starts_with(start))
}

pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// The length of the white space at the front of `text`; byte order marks too, which stand at the
/// front of each of several documents put together.
pub(super) fn blank_front(text: &[u8]) -> usize {
    let mut rest = text;
    loop {
        rest = rest.trim_ascii_start();
        match rest.strip_prefix(b"\xEF\xBB\xBF") {
            Some(after) => rest = after,
            None => return text.len() - rest.len(),
        }
    }
}

/// Whether there is nothing but that.
pub(super) fn is_blank(text: &[u8]) -> bool {
    blank_front(text) == text.len()
}
