//! Cutting a `.bib` file into entries, each with the `@string` definitions that it refers to.

use std::collections::{BTreeMap, BTreeSet};

use crate::formats::MAX_RECORD_BYTES;
use crate::formats::framing::{Found, Scan, line_end};
use crate::formats::text::{from_windows_1252, without_mark};

/// Entries end where their bracket is closed; a damaged one, where a line begins like an entry.
///
/// Lines of comment, `@comment` and `@preamble` are between entries; other text, which BibTeX
/// takes for comment too, comes with the entry behind it.
#[derive(Debug, Default)]
pub(super) struct BibtexScan {
    /// Definitions by name in small letters: how many came before, and how they stand there.
    strings: BTreeMap<String, (usize, String)>,
    definitions: usize,
    /// The beginning of an entry was too large; its rest is being passed over.
    is_lost: bool,
}

enum End {
    At(usize),
    /// Another entry begins here.
    Broken(usize),
    Open,
}

impl Scan for BibtexScan {
    fn scan(&mut self, bytes: &[u8], at: &mut usize, at_end: bool) -> Option<Found> {
        *at = 0;
        if self.is_lost {
            return self.find_next(bytes, at, at_end);
        }
        let mut pos = bytes.len() - without_mark(bytes).len();
        let mut has_text = false;
        loop {
            let rest = bytes.get(pos..).unwrap_or_default();
            let blank = rest.len() - rest.trim_ascii_start().len();
            if blank > 0 && !has_text {
                return Some(Found::between(pos + blank));
            }
            if blank > 0 {
                pos += blank;
                continue;
            }
            let next = match rest.first() {
                None if at_end && has_text => return Some(Found::record(pos)),
                None if has_text || pos == 0 => return self.more(bytes),
                None => return Some(Found::between(pos)),
                Some(b'%') => line_end(bytes, pos, at_end),
                Some(b'@') => match head(rest) {
                    Head::Open { kind, bracket } => match end(bytes, pos + bracket, at_end) {
                        End::At(end) if is_entry(&kind) => {
                            return Some(self.entry(bytes, pos, end));
                        }
                        End::At(end) => {
                            if kind == "string"
                                && let Some(damaged) = self.define(bytes, pos, end)
                            {
                                return Some(damaged);
                            }
                            Some(end)
                        }
                        End::Broken(end) => {
                            let message = "brackets do not match up to the next entry";
                            return Some(Found::damaged(end, "bibtex.brackets", message));
                        }
                        End::Open if at_end => {
                            let message = "the file ends within an entry";
                            let end = bytes.len();
                            return Some(Found::damaged(end, "bibtex.truncated", message));
                        }
                        End::Open => None,
                    },
                    Head::None => {
                        has_text = true;
                        Some(pos + 1)
                    }
                    Head::Unknown if at_end => {
                        has_text = true;
                        Some(bytes.len())
                    }
                    Head::Unknown => None,
                },
                Some(_) => {
                    has_text = true;
                    let length = memchr::memchr2(b'@', b'\n', rest).unwrap_or(rest.len());
                    Some(pos + length)
                }
            };
            match next {
                None => return self.more(bytes),
                // Comments before any text need not be kept.
                Some(next) if !has_text => return Some(Found::between(next)),
                Some(next) => pos = next,
            }
        }
    }
}

impl BibtexScan {
    fn more(&mut self, bytes: &[u8]) -> Option<Found> {
        self.is_lost = bytes.len() > MAX_RECORD_BYTES;
        None
    }

    fn find_next(&mut self, bytes: &[u8], at: &mut usize, at_end: bool) -> Option<Found> {
        while let Some(end) = line_end(bytes, *at, at_end) {
            if begins_entry(bytes.get(*at..end).unwrap_or_default()) {
                self.is_lost = false;
                return Some(Found::record(*at));
            }
            *at = end;
        }
        (at_end && !bytes.is_empty()).then(|| Found::record(bytes.len()))
    }

    // The definition of a string; damaged when it is no text.
    fn define(&mut self, bytes: &[u8], start: usize, end: usize) -> Option<Found> {
        let bytes = bytes.get(start..end).unwrap_or_default();
        let text = std::str::from_utf8(bytes);
        let is_text = text.is_ok();
        let definition = text.map_or_else(|_| from_windows_1252(bytes), str::to_owned);
        let name = words(&definition).nth(1).map(str::to_ascii_lowercase);
        if let Some(name) = name {
            self.strings.insert(name, (self.definitions, definition));
            self.definitions += 1;
        }
        let message = "a @string is not UTF-8, read as Windows-1252";
        (!is_text).then(|| Found::damaged(end, "bibtex.utf8", message))
    }

    fn entry(&self, bytes: &[u8], start: usize, end: usize) -> Found {
        let mut wanted = BTreeSet::new();
        if !self.strings.is_empty() {
            let entry = bytes.get(start..end).unwrap_or_default();
            let entry = String::from_utf8_lossy(entry);
            let mut texts = vec![entry.as_ref()];
            while let Some(text) = texts.pop() {
                for word in words(text) {
                    if let Some((order, definition)) = self.strings.get(&word.to_ascii_lowercase())
                        && wanted.insert((*order, definition.as_str()))
                    {
                        texts.push(definition);
                    }
                }
            }
        }
        let insert: String =
            wanted.iter().flat_map(|(_, definition)| [*definition, "\n"]).collect();
        Found { insert: Some(insert).filter(|text| !text.is_empty()), ..Found::record(end) }
    }
}

// What may be the name of a string, and more.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let within = |c: char| c.is_alphanumeric() || "_-:+./!*$&'".contains(c);
    text.split(move |c| !within(c)).filter(|word| !word.is_empty())
}

/// Whether an entry of this kind (in small letters) describes a work.
pub(super) fn is_entry(kind: &str) -> bool {
    !matches!(kind, "comment" | "preamble" | "string")
}

/// What a text that begins with `@` begins.
pub(super) enum Head {
    /// An entry.
    Open {
        /// In small letters.
        kind: String,
        /// Where its bracket stands.
        bracket: usize,
    },
    /// None.
    None,
    /// More is needed to know.
    Unknown,
}

/// Reads `@kind` and the bracket.
pub(super) fn head(bytes: &[u8]) -> Head {
    let Some(rest) = bytes.strip_prefix(b"@") else { return Head::None };
    let rest = rest.trim_ascii_start();
    let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let (kind, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
    match behind.trim_ascii_start().first() {
        Some(b'{' | b'(') if length > 0 => Head::Open {
            kind: String::from_utf8_lossy(kind).to_ascii_lowercase(),
            bracket: bytes.len() - behind.trim_ascii_start().len(),
        },
        None if length < 32 => Head::Unknown,
        _ => Head::None,
    }
}

// Whether a line begins an entry for sure: `@kind{key,`.
fn begins_entry(line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    let Head::Open { kind, bracket } = head(line) else { return false };
    if !is_entry(&kind) {
        return true;
    }
    let key = line.get(bracket + 1..).unwrap_or_default().trim_ascii_start();
    let is_key = |byte: &u8| !byte.is_ascii_whitespace() && !b"{}=\",".contains(byte);
    let length = key.iter().take_while(|byte| is_key(byte)).count();
    length > 0 && key.get(length..).unwrap_or_default().trim_ascii_start().starts_with(b",")
}

// Where the bracket at `open` is closed: braces count wherever they stand, as in BibTeX.
fn end(bytes: &[u8], open: usize, at_end: bool) -> End {
    let is_round = bytes.get(open) == Some(&b'(');
    let (mut depth, mut is_quoted) = (0_usize, false);
    let mut pos = open;
    while let Some(&byte) = bytes.get(pos) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 && !is_round => return End::At(pos + 1),
            b'}' => depth = depth.saturating_sub(1),
            b'"' if depth == 0 => is_quoted = !is_quoted,
            b')' if is_round && depth == 0 && !is_quoted => return End::At(pos + 1),
            b'\n' => {
                let rest = bytes.get(pos + 1..).unwrap_or_default();
                if rest.trim_ascii_start().first().is_none_or(|first| *first == b'@') {
                    let Some(line) = next_line(rest, at_end) else { return End::Open };
                    if begins_entry(line) {
                        return End::Broken(pos + 1);
                    }
                }
            }
            _ => {}
        }
        pos += 1;
    }
    End::Open
}

fn next_line(bytes: &[u8], at_end: bool) -> Option<&[u8]> {
    let blank = bytes.len() - bytes.trim_ascii_start().len();
    let end = line_end(bytes, blank, at_end).or(at_end.then_some(bytes.len()))?;
    bytes.get(..end)
}
