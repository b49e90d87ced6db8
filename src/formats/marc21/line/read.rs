//! Reading one record of line MARC, line by line.

use std::borrow::Cow;

use super::mnemonics::{self, Meaning};
use crate::formats::marc21::{Marc, Tag, leader};
use crate::formats::{DecodeError, Policy};
use crate::record::Warning;

/// Reads one record, whose first line has this number, into `marc`, which is cleared first.
///
/// A line that does not begin with `=` goes on with the field before it: what wrapped lines begin
/// with a blank is joined as it is, otherwise the line end is kept; with [`Policy::Repair`] it
/// becomes a blank. A mnemonic that is not known is kept as it stands.
///
/// # Errors
/// `line.syntax`, `.leader`, `.tag`, `.indicators` where content would be lost: with the control
/// number, when it was read before. The message names the line.
pub fn read_record(
    text: &str,
    first_line: usize,
    policy: Policy,
    marc: &mut Marc,
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    let warnings_before = warnings.len();
    marc.clear();
    let mut record = Record { marc, warnings, line: first_line, has_leader: false };
    record.read(text, policy).map_err(|mut error| {
        warnings.truncate(warnings_before);
        error.control_number = marc.control_number().map(str::to_owned);
        error
    })
}

struct Record<'r> {
    marc: &'r mut Marc,
    warnings: &'r mut Vec<Warning>,
    /// The number of the line at hand.
    line: usize,
    has_leader: bool,
}

impl Record<'_> {
    fn read(&mut self, text: &str, policy: Policy) -> Result<(), DecodeError> {
        let mut lines = text.lines().filter(|line| !line.trim().is_empty()).peekable();
        while let Some(line) = lines.next() {
            let mut whole = Cow::Borrowed(line);
            let mut joined = 0;
            while let Some(more) = lines.next_if(|more| !more.starts_with('=')) {
                joined += 1;
                let number = self.line + joined;
                self.warnings.push(Warning::new(
                    "line.continuation",
                    format!("line {number}: it does not begin with =, so it goes on with the last"),
                ));
                if !more.starts_with(' ') {
                    whole.to_mut().push(if policy == Policy::Repair { ' ' } else { '\n' });
                }
                whole.to_mut().push_str(more);
            }
            self.field(&whole)?;
            self.line += 1 + joined;
        }
        Ok(())
    }

    fn field(&mut self, line: &str) -> Result<(), DecodeError> {
        let parts = line.strip_prefix('=').and_then(|line| line.split_at_checked(3));
        let Some((tag, rest)) = parts else {
            let found: String = line.chars().take(40).collect();
            let message = format!("found {found:?}, expected =TAG, two blanks and a field");
            return Err(self.error("line.syntax", &message));
        };
        let content = match rest.strip_prefix("  ") {
            Some(content) => content,
            None => {
                self.warn("line.blanks", format!("not two blanks behind {tag}"));
                rest.strip_prefix([' ', '\t']).unwrap_or(rest)
            }
        };
        if tag == "LDR" {
            return self.leader(content);
        }
        let Some(tag) = Tag::new(tag.as_bytes()) else {
            let message = format!("tag is {tag:?}, expected three characters of printable ASCII");
            return Err(self.error("line.tag", &message));
        };
        let (head, subfields) = match content.split_once('$') {
            Some((head, subfields)) => (head, Some(subfields)),
            None => (content, None),
        };
        if tag.is_control() || (subfields.is_none() && !is_indicators(head)) {
            let value = self.unescape(content, true);
            self.marc.push_control(tag, &value);
            return Ok(());
        }
        let indicators = self.indicators(tag, head)?;
        self.marc.push_data(tag, indicators);
        for subfield in subfields.into_iter().flat_map(|subfields| subfields.split('$')) {
            let subfield = self.unescape(subfield, false);
            let mut chars = subfield.chars();
            let Some(code) = chars.next() else {
                self.warn("line.lone_dollar", format!("{tag} has a $ without a subfield code"));
                continue;
            };
            if !code.is_ascii_graphic() {
                let message = format!("{tag} has subfield code {code:?}, expected printable ASCII");
                self.warn("line.subfield_code", message);
            }
            self.marc.push_subfield(code, chars.as_str());
        }
        Ok(())
    }

    fn leader(&mut self, content: &str) -> Result<(), DecodeError> {
        if self.has_leader {
            return Err(self.error("line.leader", "a second leader"));
        }
        let text = self.unescape(content, true);
        let found = leader::from_text(&text).map_err(|message| self.error("line.leader", &message));
        let Some((leader, short)) = found? else {
            self.warn("line.leader", "the leader is empty, expected 24 characters");
            return Ok(());
        };
        self.has_leader = true;
        self.marc.set_leader(leader);
        if let Some(message) = short {
            self.warn("line.leader", message);
        }
        Ok(())
    }

    // What stands before the first subfield.
    fn indicators(&mut self, tag: Tag, head: &str) -> Result<[char; 2], DecodeError> {
        let head = self.unescape(head, true);
        let mut chars = head.chars();
        let (first, second) = (chars.next(), chars.next());
        if !chars.as_str().trim().is_empty() {
            let message = format!("{tag} has {head:?} before its first subfield");
            return Err(
                self.error("line.indicators", &format!("{message}, expected two indicators"))
            );
        }
        if second.is_none() || !chars.as_str().is_empty() {
            let message = format!("{tag} has indicators {head:?}, expected two characters");
            self.warn("line.indicators", message);
        }
        Ok([first.unwrap_or(' '), second.unwrap_or(' ')])
    }

    // In MARC-8, from which the mnemonics come, a mark stands before its letter.
    fn unescape<'t>(&mut self, text: &'t str, fixed: bool) -> Cow<'t, str> {
        if !text.contains(['{', '\\']) {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        let mut marks = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let after = rest.get(c.len_utf8()..).unwrap_or_default();
            let known = after
                .split_once('}')
                .filter(|_| c == '{')
                .and_then(|(name, after)| Some((mnemonics::meaning(name)?, after)));
            match known {
                Some((Meaning::Mark(mark), after)) => {
                    marks.push(mark);
                    rest = after;
                    continue;
                }
                Some((Meaning::Text(text), after)) => {
                    out.push_str(&text);
                    rest = after;
                }
                None => {
                    if c == '{' {
                        let name: String = after.chars().take(12).collect();
                        let name = name.split_inclusive('}').next().unwrap_or_default();
                        self.warn("line.mnemonic", format!("{{{name} is not known, kept as it is"));
                    }
                    out.push(if c == '\\' && fixed { ' ' } else { c });
                    rest = after;
                }
            }
            out.push_str(&marks);
            marks.clear();
        }
        if !marks.is_empty() {
            self.warn("line.mark", "a diacritical mark without a letter behind it");
            out.push_str(&marks);
        }
        Cow::Owned(out)
    }

    fn warn(&mut self, code: &'static str, message: impl AsRef<str>) {
        let message = format!("line {}: {}", self.line, message.as_ref());
        self.warnings.push(Warning::new(code, message));
    }

    fn error(&self, code: &'static str, message: &str) -> DecodeError {
        DecodeError::new(code, format!("line {}: {message}", self.line))
    }
}

// A field without `$` is a value unless it can only be two indicators.
fn is_indicators(text: &str) -> bool {
    text.len() == 2
        && text.bytes().all(|byte| matches!(byte, b' ' | b'\\') || byte.is_ascii_digit())
}
