//! The way nearly all XML goes: one scan over a document that has nothing odd.
//!
//! Elements, attributes, text and references to characters are scanned; whatever else there is (a
//! comment, CDATA, an instruction, a control character, a line end of another system, a name
//! beyond ASCII, anything ill-formed), the scanner gives up, and the whole [`super::reader`] is
//! asked, which finds the same in all documents that this one scans to their end.

use memchr::{memchr, memchr2};

use super::entity::{Meaning, meaning};
use super::reader::MAX_DEPTH;
use super::writer::is_xml_char;

/// Longer documents are left to the whole reader.
const MAX_BYTES: usize = 1 << 20;

/// Where a name stands in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameAt {
    /// Its first byte.
    pub start: usize,
    /// Where the local name starts: at `start`, or behind a colon.
    pub local: usize,
    /// Behind it.
    pub end: usize,
}

/// What comes next; offsets count from the document's beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// An element begins; its attributes follow.
    Start(NameAt),
    /// An attribute of that element.
    Attribute {
        /// Its name.
        name: NameAt,
        /// The first byte of its value.
        start: usize,
        /// Behind its value.
        end: usize,
        /// Whether [`resolve`] is to be asked what it says.
        has_references: bool,
    },
    /// Text, up to the next tag.
    Text {
        /// Its first byte.
        start: usize,
        /// Behind it.
        end: usize,
        /// Whether [`resolve`] is to be asked what it says.
        has_references: bool,
    },
    /// The innermost open element ends.
    End,
    /// The document is over.
    Eof,
}

/// Scans one document.
#[derive(Debug)]
pub struct Scanner<'x> {
    bytes: &'x [u8],
    at: usize,
    /// The names of the open elements.
    open: Vec<NameAt>,
    in_tag: bool,
    seen_root: bool,
}

impl<'x> Scanner<'x> {
    /// A scanner at the beginning of `text`; `None` when it is too long or has a control character.
    #[must_use]
    pub fn new(text: &'x str) -> Option<Scanner<'x>> {
        let bytes = text.as_bytes();
        if bytes.len() > MAX_BYTES || has_control(bytes) {
            return None;
        }
        let open = Vec::with_capacity(16);
        Some(Scanner { bytes, at: 0, open, in_tag: false, seen_root: false })
    }

    /// The next piece; `None` gives up.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "`None` is not the end")]
    pub fn next(&mut self) -> Option<Piece> {
        if self.in_tag
            && let Some(piece) = self.inside_tag()?
        {
            return Some(piece);
        }
        if self.open.is_empty() {
            return self.outside();
        }
        if *self.bytes.get(self.at)? != b'<' {
            return self.text();
        }
        if *self.bytes.get(self.at + 1)? == b'/' { self.end_tag() } else { self.start_tag() }
    }

    fn outside(&mut self) -> Option<Piece> {
        self.skip_space();
        match self.bytes.get(self.at) {
            None => self.seen_root.then_some(Piece::Eof),
            Some(b'<') if !self.seen_root => {
                self.seen_root = true;
                self.start_tag()
            }
            Some(_) => None,
        }
    }

    #[inline]
    fn text(&mut self) -> Option<Piece> {
        let start = self.at;
        let found = start + memchr2(b'<', b'&', self.bytes.get(start..)?)?;
        let has_references = self.bytes.get(found) == Some(&b'&');
        let end = match has_references {
            true => found + memchr(b'<', self.bytes.get(found..)?)?,
            false => found,
        };
        self.at = end;
        Some(Piece::Text { start, end, has_references })
    }

    #[inline]
    fn start_tag(&mut self) -> Option<Piece> {
        let name = self.name(self.at + 1)?;
        if self.open.len() == MAX_DEPTH {
            return None;
        }
        self.open.push(name);
        self.at = name.end;
        self.in_tag = true;
        Some(Piece::Start(name))
    }

    #[inline]
    fn end_tag(&mut self) -> Option<Piece> {
        let name = self.open.pop()?;
        let start = self.at + 2;
        let end = start + (name.end - name.start);
        if self.bytes.get(start..end)? != self.bytes.get(name.start..name.end)? {
            return None;
        }
        self.at = end + 1;
        (*self.bytes.get(end)? == b'>').then_some(Piece::End)
    }

    // The next attribute, or the end of an empty element; `Some(None)` behind the tag.
    #[inline]
    fn inside_tag(&mut self) -> Option<Option<Piece>> {
        let before = self.at;
        self.skip_space();
        match *self.bytes.get(self.at)? {
            b'>' => {
                self.at += 1;
                self.in_tag = false;
                Some(None)
            }
            b'/' if *self.bytes.get(self.at + 1)? == b'>' => {
                self.at += 2;
                self.in_tag = false;
                self.open.pop();
                Some(Some(Piece::End))
            }
            _ if before == self.at => None,
            _ => self.attribute().map(Some),
        }
    }

    fn attribute(&mut self) -> Option<Piece> {
        let name = self.name(self.at)?;
        let quote = match self.bytes.get(name.end..name.end + 2)? {
            [b'=', quote @ (b'"' | b'\'')] => *quote,
            _ => return None,
        };
        let start = name.end + 2;
        let end = start + memchr(quote, self.bytes.get(start..)?)?;
        // Without a branch for each byte.
        let (mut is_odd, mut has_references) = (false, false);
        for byte in self.bytes.get(start..end)? {
            is_odd |= matches!(byte, b'<' | b'\t' | b'\n');
            has_references |= *byte == b'&';
        }
        self.at = end + 1;
        (!is_odd).then_some(Piece::Attribute { name, start, end, has_references })
    }

    #[inline]
    fn name(&self, start: usize) -> Option<NameAt> {
        let (end, stop) = self.part_of_name(start)?;
        match stop {
            OTHER => Some(NameAt { start, local: start, end }),
            COLON => {
                let local = end + 1;
                let (end, stop) = self.part_of_name(local)?;
                (stop == OTHER).then_some(NameAt { start, local, end })
            }
            _ => None,
        }
    }

    // Where the part of a name that starts here ends, and the kind of what stands there.
    #[inline]
    fn part_of_name(&self, start: usize) -> Option<(usize, u8)> {
        let rest = self.bytes.get(start..)?;
        let length = rest.iter().position(|byte| kind(*byte) > CONTINUES)?;
        let begins = kind(*rest.first()?) == BEGINS;
        begins.then_some((start + length, kind(*rest.get(length)?)))
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }
}

/// Appends text with its references resolved; `None` when one of them is no plain one.
pub fn resolve(raw: &str, out: &mut String) -> Option<()> {
    let mut rest = raw;
    while let Some(at) = memchr(b'&', rest.as_bytes()) {
        out.push_str(rest.get(..at)?);
        let behind = rest.get(at + 1..)?;
        let end = memchr(b';', behind.as_bytes())?;
        match meaning(behind.get(..end)?) {
            Meaning::Char(c) if is_xml_char(c) => out.push(c),
            _ => return None,
        }
        rest = behind.get(end + 1..)?;
    }
    out.push_str(rest);
    Some(())
}

// A carriage return, too: whole line ends are for the whole reader. Block by block without a
// branch, which is many times faster than byte by byte.
fn has_control(bytes: &[u8]) -> bool {
    let is_control = |byte: &u8| *byte < b' ' && !matches!(byte, b'\t' | b'\n');
    bytes.chunks(64).any(|block| block.iter().fold(false, |found, byte| found | is_control(byte)))
}

const BEGINS: u8 = 0;
const CONTINUES: u8 = 1;
// What a name ends at.
const COLON: u8 = 2;
const OTHER: u8 = 3;
/// Not to be seen here.
const FOREIGN: u8 = 4;

#[inline]
fn kind(byte: u8) -> u8 {
    const KINDS: [u8; 256] = kinds();
    KINDS.get(usize::from(byte)).copied().unwrap_or(FOREIGN)
}

#[expect(clippy::indexing_slicing, reason = "the compiler runs it, and every index is a byte")]
const fn kinds() -> [u8; 256] {
    let mut kinds = [FOREIGN; 256];
    let mut byte = 0;
    while byte < 128_u8 {
        kinds[byte as usize] = match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'_' => BEGINS,
            b'0'..=b'9' | b'-' | b'.' => CONTINUES,
            b':' => COLON,
            b' ' | b'\n' | b'\t' | b'>' | b'/' | b'=' => OTHER,
            _ => FOREIGN,
        };
        byte += 1;
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::reader::{Reader, Token};

    // What the scanner and the whole reader tell of a document, in one form.
    fn scanned(text: &str) -> Option<String> {
        let mut scanner = Scanner::new(text)?;
        let mut out = String::new();
        loop {
            match scanner.next()? {
                Piece::Start(name) => out.extend(["<", text.get(name.local..name.end)?]),
                Piece::Attribute { .. } => {}
                Piece::Text { start, end, .. } => resolve(text.get(start..end)?, &mut out)?,
                Piece::End => out.push('>'),
                Piece::Eof => return Some(out),
            }
        }
    }

    fn read(text: &str) -> Option<String> {
        let mut reader = Reader::new(text);
        let mut out = String::new();
        loop {
            match reader.next().ok()? {
                Token::Start(element) => out.push_str(&format!("<{}", element.name())),
                Token::Text(text) if reader.depth() > 0 => out.push_str(&text),
                Token::Text(text) => assert_eq!(text.trim(), ""),
                Token::Char(c) => out.push(c),
                Token::End => out.push('>'),
                Token::Eof => return Some(out),
            }
        }
    }

    #[test]
    fn what_is_scanned_to_its_end_is_what_the_whole_reader_reads() {
        for text in [
            "<a/>",
            " <a> <b x='1' y:z=\"&lt;'>\"/>t&amp;&#228;<c\n>u</c ></a>\n",
            "<p:a><p:b>1</p:b>2 &gt; ]]> 3</p:a>",
            "<a>b&#13;c</a>",
        ] {
            let (scanned, read) = (scanned(text), read(text));
            assert!(scanned.is_none() || scanned == read, "{text}: {scanned:?} {read:?}");
        }
        assert_eq!(scanned("<a b='1'>x&amp;y<c/></a>").unwrap(), "<ax&y<c>>");
    }

    #[test]
    fn what_is_odd_is_left_to_the_whole_reader() {
        for text in [
            "",
            "a",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<a/>b",
            "<a b=1/>",
            "<a b='1'c='2'/>",
            "<a b='<'/>",
            "<a b='\t'/>",
            "<a b = '1'/>",
            "<a b/>",
            "<a>&nbsp;</a>",
            "<a>&</a>",
            "<a>&#1;</a>",
            "<a>\u{1}</a>",
            "<a>\r\n</a>",
            "<a><!--b--></a>",
            "<a><![CDATA[b]]></a>",
            "<a><?b?></a>",
            "<!DOCTYPE a><a/>",
            "<?xml version='1.0'?><a/>",
            "<ä/>",
            "<a:b:c/>",
            "<:a/>",
            "<a:/>",
            "<1/>",
            "<a:1/>",
            "<a",
            "<a b='",
            "<a></a",
            "</a>",
            "<a!/>",
        ] {
            assert_eq!(scanned(text), None, "{text}");
        }
        let deep = |levels| format!("{}{}", "<a>".repeat(levels), "</a>".repeat(levels));
        assert!(scanned(&deep(MAX_DEPTH)).is_some());
        assert_eq!(scanned(&deep(MAX_DEPTH + 1)), None);
    }
}
