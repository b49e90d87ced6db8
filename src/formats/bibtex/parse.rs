//! The syntax of one entry: kind, key, and fields with their TeX as it stands.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::scan::{Head, head, is_entry};
use crate::formats::{DecodeError, Policy};
use crate::json::value::clip;
use crate::record::Warning;

/// The names that BibTeX's styles define for months.
pub(super) const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// An entry, white space in its fields made single.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Work {
    /// In small letters.
    pub kind: String,
    pub key: String,
    /// TeX by name in small letters.
    pub fields: BTreeMap<String, String>,
}

/// Reads the definitions and the one entry that `text` is.
pub(super) fn parse(
    text: &str,
    policy: Policy,
    warnings: &mut Vec<Warning>,
) -> Result<Work, DecodeError> {
    let mut parser = Parser { text, policy, ..Parser::default() };
    let mut passed_over = String::new();
    let entry = loop {
        parser.skip_blank();
        let rest = parser.rest();
        if rest.is_empty() {
            let message = format!("found {:?}, expected an entry", clip(passed_over.trim()));
            return Err(DecodeError::new("bibtex.text", message));
        }
        match head(rest.as_bytes()) {
            Head::Open { kind, bracket } => {
                parser.at += bracket;
                if is_entry(&kind) {
                    break parser.entry(kind)?;
                }
                parser.definition(&kind)?;
            }
            _ => {
                let length = rest.find('\n').map_or(rest.len(), |length| length + 1);
                let at_sign = rest.get(1..).and_then(|rest| rest.find('@')).map(|at| at + 1);
                let length = at_sign.map_or(length, |at| at.min(length));
                let line = rest.get(..length).unwrap_or(rest);
                if !line.starts_with('%') {
                    passed_over.push_str(line);
                }
                parser.at += line.len();
            }
        }
    };
    parser.skip_blank();
    if !parser.rest().is_empty() {
        return Err(parser.unexpected("nothing behind the entry"));
    }
    parser.warn(warnings);
    if entry.key.is_empty() {
        warnings.push(Warning::new("bibtex.key", "the entry has no key"));
    }
    if !passed_over.is_empty() {
        let message = format!("text before the entry: {:?}", clip(passed_over.trim()));
        warnings.push(Warning::new("bibtex.text", message));
    }
    Ok(entry)
}

// The first few, and how many more.
fn several<T: AsRef<str>>(texts: &[T]) -> String {
    const MOST: usize = 5;
    let first: Vec<&str> = texts.iter().take(MOST).map(AsRef::as_ref).collect();
    let more = texts.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", first.join(", "))
}

/// White space made single, none at the ends.
pub(super) fn collapsed(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

#[derive(Default)]
struct Parser<'t> {
    text: &'t str,
    at: usize,
    policy: Policy,
    strings: BTreeMap<String, String>,
    /// Fields that stand twice, with what they say.
    duplicates: Vec<String>,
    /// Strings that nothing defines.
    undefined: BTreeSet<String>,
    /// Where commas are missing.
    commas: Vec<usize>,
}

impl<'t> Parser<'t> {
    // From its bracket to behind the other.
    fn entry(&mut self, kind: String) -> Result<Work, DecodeError> {
        let close = self.open();
        let mut entry = Work { kind, ..Work::default() };
        let rest = self.rest();
        let length = rest.find([',', '=', close, '"']).unwrap_or(rest.len());
        let (key, behind) = rest.split_at_checked(length).unwrap_or((rest, ""));
        // Without a key the first field stands here.
        if !behind.starts_with(['=', '"']) {
            key.trim().clone_into(&mut entry.key);
            self.at += length;
        }
        let fields = self.fields(close, &mut entry.fields);
        fields.map_err(|mut error| {
            error.control_number = Some(entry.key.clone()).filter(|key| !key.is_empty());
            error
        })?;
        Ok(entry)
    }

    fn fields(
        &mut self,
        close: char,
        fields: &mut BTreeMap<String, String>,
    ) -> Result<(), DecodeError> {
        loop {
            self.skip_blank();
            while self.rest().starts_with(',') {
                self.at += 1;
                self.skip_blank();
            }
            if self.rest().starts_with(close) {
                self.at += 1;
                return Ok(());
            }
            let name = self.name()?;
            let value = collapsed(&self.value()?);
            self.push(fields, name, value)?;
            self.skip_blank();
            if !self.rest().starts_with([',', close]) {
                if self.policy != Policy::Repair || self.rest().is_empty() {
                    return Err(self.unexpected("a comma or the entry's end"));
                }
                self.commas.push(self.at);
            }
        }
    }

    fn push(
        &mut self,
        fields: &mut BTreeMap<String, String>,
        name: String,
        value: String,
    ) -> Result<(), DecodeError> {
        match fields.entry(name) {
            Entry::Vacant(entry) => {
                entry.insert(value);
            }
            Entry::Occupied(entry) => {
                let (first, second) = (clip(entry.get()), clip(&value));
                let message = format!("{} twice: {first:?}, {second:?}", entry.key());
                // BibTeX itself takes the first.
                if *entry.get() != value && self.policy != Policy::Repair {
                    return Err(DecodeError::new("bibtex.duplicate_field", message));
                }
                self.duplicates.push(message);
            }
        }
        Ok(())
    }

    fn warn(self, warnings: &mut Vec<Warning>) {
        let mut warn = |code, message| warnings.push(Warning::new(code, message));
        if !self.duplicates.is_empty() {
            warn("bibtex.duplicate_field", several(&self.duplicates));
        }
        if !self.undefined.is_empty() {
            let names: Vec<&str> = self.undefined.iter().map(String::as_str).collect();
            let message = format!("no @string defines {}, read as a name", several(&names));
            warn("bibtex.undefined_string", message);
        }
        if let Some(first) = self.commas.first() {
            let count = self.commas.len();
            warn("bibtex.comma", format!("byte {first}: {count} commas missing between fields"));
        }
    }

    // @string is kept, @comment and @preamble are passed over.
    fn definition(&mut self, kind: &str) -> Result<(), DecodeError> {
        if kind == "string" {
            let close = self.open();
            let name = self.name()?;
            let value = self.value()?;
            self.strings.insert(name, value);
            self.skip_blank();
            if !self.rest().starts_with(close) {
                return Err(self.unexpected("the end of @string"));
            }
            self.at += 1;
            return Ok(());
        }
        let length = group_length(self.rest()).ok_or_else(|| self.unexpected("a closed group"))?;
        self.at += length;
        Ok(())
    }

    fn open(&mut self) -> char {
        let close = if self.rest().starts_with('(') { ')' } else { '}' };
        self.at += 1;
        self.skip_blank();
        close
    }

    fn name(&mut self) -> Result<String, DecodeError> {
        let rest = self.rest();
        let (name, _) = rest.split_once('=').ok_or_else(|| self.unexpected("a field"))?;
        let trimmed = name.trim();
        let odd = |c: char| c.is_whitespace() || "{}\",#%()".contains(c);
        if trimmed.is_empty() || trimmed.contains(odd) {
            return Err(self.unexpected("the name of a field and `=`"));
        }
        self.at += name.len() + 1;
        Ok(trimmed.to_ascii_lowercase())
    }

    // Parts in braces, in quotes or bare, joined by `#`.
    fn value(&mut self) -> Result<String, DecodeError> {
        let mut value = String::new();
        loop {
            self.skip_blank();
            let rest = self.rest();
            match rest.chars().next() {
                Some('{') => {
                    let length =
                        group_length(rest).ok_or_else(|| self.unexpected("a closed group"))?;
                    value.push_str(rest.get(1..length - 1).unwrap_or_default());
                    self.at += length;
                }
                Some('"') => {
                    let length =
                        quoted_length(rest).ok_or_else(|| self.unexpected("a closed text"))?;
                    value.push_str(rest.get(1..length - 1).unwrap_or_default());
                    self.at += length;
                }
                _ => self.bare(rest, &mut value)?,
            }
            self.skip_blank();
            if !self.rest().starts_with('#') {
                return Ok(value);
            }
            self.at += 1;
        }
    }

    fn bare(&mut self, rest: &str, value: &mut String) -> Result<(), DecodeError> {
        let ends = |c: char| c.is_whitespace() || "{}\",#%()=".contains(c);
        let word = rest.get(..rest.find(ends).unwrap_or(rest.len())).unwrap_or_default();
        if word.is_empty() {
            return Err(self.unexpected("a value"));
        }
        self.at += word.len();
        let name = word.to_ascii_lowercase();
        if let Some(text) = self.strings.get(&name) {
            value.push_str(text);
            return Ok(());
        }
        if !word.bytes().all(|byte| byte.is_ascii_digit()) && !MONTHS.contains(&name.as_str()) {
            self.undefined.insert(word.to_owned());
            value.push_str(word);
            return Ok(());
        }
        value.push_str(&name);
        Ok(())
    }

    fn unexpected(&self, expected: &str) -> DecodeError {
        let found = clip(self.rest().lines().next().unwrap_or_default());
        let message = format!("byte {}: found {found:?}, expected {expected}", self.at);
        DecodeError::new("bibtex.syntax", message)
    }

    fn skip_blank(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

/// The length of the group in brackets that the text begins with.
pub(super) fn group_length(text: &str) -> Option<usize> {
    let is_round = text.starts_with('(');
    let mut depth = 0_usize;
    for (offset, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 && (byte == b'}' && !is_round || byte == b')' && is_round) {
            return Some(offset + 1);
        }
    }
    None
}

// Quotation marks within braces do not count.
fn quoted_length(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (offset, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.checked_sub(1)?,
            b'"' if depth == 0 => return Some(offset + 1),
            _ => {}
        }
    }
    None
}
