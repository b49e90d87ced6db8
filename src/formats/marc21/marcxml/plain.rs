//! The way nearly all MARCXML goes: one search through the text, for records with nothing odd.
//!
//! What is not exactly as most programs write it (a comment, CDATA, other attributes, other
//! references than the five of XML, a control character, anything missing) is left to the whole
//! reader, which finds the same in all records that this one reads.

use memchr::{memchr, memchr2};

use crate::formats::marc21::{CONTROL_VALUE, Marc, Tag, leader};

/// Reads one `<record>` into `marc`, which is empty; answers whether it has a leader. `None`
/// leaves it half filled.
pub(super) fn push_plain(text: &str, marc: &mut Marc) -> Option<bool> {
    let odd = |byte: u8| byte < b' ' && byte != b'\n' && byte != b'\t';
    if text.bytes().fold(false, |found, byte| found | odd(byte)) {
        return None;
    }
    let mut plain = Plain { rest: text.as_bytes(), prefix: &[], marc, value: String::new() };
    plain.record()
}

struct Plain<'x, 'r> {
    rest: &'x [u8],
    /// The names' prefix with its colon.
    prefix: &'x [u8],
    marc: &'r mut Marc,
    value: String,
}

// `None` is: not plain.
impl<'x> Plain<'x, '_> {
    fn record(&mut self) -> Option<bool> {
        self.skip_space();
        self.take(b"<")?;
        let name = memchr2(b' ', b'>', self.rest)?;
        let (name, rest) = self.rest.split_at_checked(name)?;
        self.prefix = name.strip_suffix(b"record")?;
        if !self.prefix.is_empty() && !self.prefix.ends_with(b":") {
            return None;
        }
        let end = memchr(b'>', rest)?;
        let (attributes, rest) = rest.split_at_checked(end)?;
        let quotes = attributes.iter().filter(|byte| **byte == b'"').count();
        if quotes % 2 == 1
            || attributes.ends_with(b"/")
            || memchr2(b'<', b'\'', attributes).is_some()
        {
            return None;
        }
        self.rest = rest.get(1..)?;
        let mut has_leader = false;
        loop {
            self.skip_space();
            self.take(b"<")?;
            if self.take(b"/").is_some() {
                self.name(b"record>")?;
                self.skip_space();
                return (self.rest.is_empty() && !self.marc.is_empty()).then_some(has_leader);
            }
            self.take(self.prefix)?;
            if self.take(b"datafield ").is_some() {
                self.data_field()?;
            } else if self.take(b"controlfield tag=\"").is_some() {
                let tag = self.tag().filter(|tag| tag.is_control())?;
                self.take(b"\">")?;
                self.marc.push_data(tag, [' ', ' ']);
                self.value(CONTROL_VALUE, b"controlfield>")?;
            } else if !has_leader && self.take(b"leader>").is_some() {
                has_leader = true;
                let end = memchr(b'<', self.rest)?;
                let (text, rest) = self.rest.split_at_checked(end)?;
                let (leader, short) = leader::from_text(std::str::from_utf8(text).ok()?).ok()??;
                if short.is_some() || memchr(b'&', text).is_some() {
                    return None;
                }
                self.marc.set_leader(leader);
                self.rest = rest;
                self.take(b"</")?;
                self.name(b"leader>")?;
            } else {
                return None;
            }
        }
    }

    // Behind the blank that follows the element's name.
    fn data_field(&mut self) -> Option<()> {
        let (mut tag, mut first, mut second) = (None, None, None);
        loop {
            if tag.is_none() && self.take(b"tag=\"").is_some() {
                tag = Some(self.tag()?);
            } else if first.is_none() && self.take(b"ind1=\"").is_some() {
                first = Some(self.one()?);
            } else if second.is_none() && self.take(b"ind2=\"").is_some() {
                second = Some(self.one()?);
            } else {
                return None;
            }
            self.take(b"\"")?;
            if self.take(b">").is_some() {
                break;
            }
            self.take(b" ")?;
        }
        self.marc.push_data(tag?, [first?, second?]);
        loop {
            self.skip_space();
            self.take(b"<")?;
            if self.take(b"/").is_some() {
                return self.name(b"datafield>");
            }
            self.name(b"subfield code=\"")?;
            let code = self.one()?;
            self.take(b"\">")?;
            self.value(code, b"subfield>")?;
        }
    }

    // The text of an element up to behind its end tag.
    fn value(&mut self, code: char, name: &[u8]) -> Option<()> {
        self.value.clear();
        loop {
            let at = memchr2(b'<', b'&', self.rest)?;
            let (piece, rest) = self.rest.split_at_checked(at)?;
            let piece = std::str::from_utf8(piece).ok()?;
            if rest.first() == Some(&b'<') {
                self.rest = rest.strip_prefix(b"</")?;
                self.name(name)?;
                if self.value.is_empty() {
                    self.marc.push_subfield(code, piece);
                } else {
                    self.value.push_str(piece);
                    self.marc.push_subfield(code, &self.value);
                }
                return Some(());
            }
            self.value.push_str(piece);
            let name_end = memchr(b';', rest.get(..6).unwrap_or(rest))?;
            self.value.push(match rest.get(1..name_end)? {
                b"amp" => '&',
                b"lt" => '<',
                b"gt" => '>',
                b"quot" => '"',
                b"apos" => '\'',
                _ => return None,
            });
            self.rest = rest.get(name_end + 1..)?;
        }
    }

    fn name(&mut self, name: &[u8]) -> Option<()> {
        self.take(self.prefix)?;
        self.take(name)
    }

    fn take(&mut self, bytes: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(bytes)?;
        Some(())
    }

    fn tag(&mut self) -> Option<Tag> {
        let (tag, rest) = self.rest.split_first_chunk::<3>()?;
        self.rest = rest;
        Some(Tag(*tag)).filter(|_| tag.iter().all(u8::is_ascii_alphanumeric))
    }

    // An attribute's value of one character that needs no second look.
    fn one(&mut self) -> Option<char> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        let is_plain = matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'&' | b'<');
        is_plain.then_some(char::from(byte))
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }
}
