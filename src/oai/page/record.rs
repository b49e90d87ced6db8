//! One record of an answer: its header, and whether the rest can be read.

use super::{PageRecord, text};
use crate::record::{Damage, Insert, Warning};
use crate::xml::Options;
use crate::xml::plain::{Piece, Scanner, resolve};
use crate::xml::reader::{Reader, Token, XmlError};

/// Reads a record in which nothing is odd, as nearly all are; `None` leaves it to [`read`].
pub(super) fn read_plain(cut: &str, insert: Option<&Insert>) -> Option<PageRecord> {
    let xml = match insert {
        None => cut.to_owned(),
        Some(Insert { front, at, text }) => {
            let (head, tail) = cut.split_at_checked(*at).filter(|_| front.is_empty())?;
            [head, text, tail].concat()
        }
    };
    // The scanner looks for all others.
    if memchr::memchr(0xEF, xml.as_bytes()).is_some() && xml.contains(is_forbidden) {
        return None;
    }
    let mut record = PageRecord::default();
    Reading { record: &mut record, path: Vec::with_capacity(16), text: String::new() }
        .all_plain(&xml)?;
    record.xml = xml;
    (!record.identifier.is_empty()).then_some(record)
}

/// Reads the document of one record, as the cutter gave it.
pub(super) fn read(document: &[u8], damage: Option<Damage>, options: Options) -> PageRecord {
    let mut record = PageRecord::default();
    let decoded = text(document, options, &mut record.warnings).unwrap_or_else(|error| {
        record.damage = Some((error.code, error.message));
        String::from_utf8_lossy(document).into_owned()
    });
    record.xml = without_controls(decoded, &mut record.warnings);
    if let Some(Damage { code, message }) = damage {
        record.damage = Some((code, message));
    }
    let xml = std::mem::take(&mut record.xml);
    let read =
        Reading { record: &mut record, path: Vec::new(), text: String::new() }.all(&xml, options);
    record.xml = xml;
    if record.damage.is_none() {
        record.damage = read.err().map(|error| (error.code, error.message)).or_else(|| {
            let message = "the record has no identifier in its header".to_owned();
            record.identifier.is_empty().then_some(("oai.header", message))
        });
    }
    record
}

struct Reading<'r> {
    record: &'r mut PageRecord,
    /// The open elements, as far as they matter.
    path: Vec<Place>,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Record,
    Header,
    Identifier,
    Datestamp,
    SetSpec,
    Metadata,
    Other,
}

impl Reading<'_> {
    fn all(&mut self, xml: &str, options: Options) -> Result<(), XmlError> {
        let mut reader = Reader::with(xml, options);
        let read = loop {
            match reader.next() {
                Ok(Token::Start(element)) => {
                    if self.open(element.name()) == Place::Header {
                        match element.attribute("status") {
                            Ok(status) => self.status(status.as_deref()),
                            Err(error) => break Err(error),
                        }
                    }
                }
                Ok(Token::End) => self.close(),
                Ok(Token::Text(text)) if self.in_header() => self.text.push_str(&text),
                Ok(Token::Char(c)) if self.in_header() => self.text.push(c),
                Ok(Token::Text(_) | Token::Char(_)) => {}
                Ok(Token::Eof) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        reader.warn(&mut self.record.warnings);
        if reader.bare_ampersands() > 0 {
            let message = format!("{} bare &, read as text", reader.bare_ampersands());
            self.record.warnings.push(Warning::new("xml.ampersand", message));
        }
        read
    }

    fn in_header(&self) -> bool {
        matches!(self.path.last(), Some(Place::Identifier | Place::Datestamp | Place::SetSpec))
    }

    // The same of a document that has nothing odd; `None` gives up.
    fn all_plain(&mut self, xml: &str) -> Option<()> {
        let mut scanner = Scanner::new(xml)?;
        let mut header_attributes: Vec<&str> = Vec::new();
        let mut elsewhere = String::new();
        loop {
            match scanner.next()? {
                Piece::Start(name) => {
                    if self.open(xml.get(name.local..name.end)?) == Place::Header {
                        self.status(None);
                    }
                }
                Piece::Attribute { name, start, end, has_references }
                    if self.path.last() == Some(&Place::Header) =>
                {
                    let name = xml.get(name.start..name.end)?;
                    if has_references || header_attributes.contains(&name) {
                        return None;
                    }
                    header_attributes.push(name);
                    if name == "status" {
                        self.status(xml.get(start..end));
                    }
                }
                Piece::Text { start, end, .. } if self.in_header() => {
                    resolve(xml.get(start..end)?, &mut self.text)?;
                }
                Piece::Text { start, end, has_references: true } => {
                    elsewhere.clear();
                    resolve(xml.get(start..end)?, &mut elsewhere)?;
                }
                Piece::Attribute { .. } | Piece::Text { .. } => {}
                Piece::End => self.close(),
                Piece::Eof => return Some(()),
            }
        }
    }

    fn status(&mut self, status: Option<&str>) {
        self.record.deleted = status.is_some_and(|status| status.trim() == "deleted");
    }

    fn open(&mut self, name: &str) -> Place {
        let place = match (self.path.last(), name) {
            (None, "record") => Place::Record,
            (None | Some(Place::Record), "header") => Place::Header,
            (Some(Place::Record), "metadata") => Place::Metadata,
            (Some(Place::Header), "identifier") => Place::Identifier,
            (Some(Place::Header), "datestamp") => Place::Datestamp,
            (Some(Place::Header), "setSpec") => Place::SetSpec,
            (Some(Place::Metadata), _) => {
                self.record.has_metadata = true;
                Place::Other
            }
            _ => Place::Other,
        };
        self.path.push(place);
        self.text.clear();
        place
    }

    fn close(&mut self) {
        let text = self.text.trim();
        match self.path.pop() {
            Some(Place::Identifier) if self.record.identifier.is_empty() => {
                text.clone_into(&mut self.record.identifier);
            }
            Some(Place::Datestamp) => text.clone_into(&mut self.record.datestamp),
            Some(Place::SetSpec) if !text.is_empty() => {
                self.record.set_specs.push(text.to_owned());
            }
            _ => {}
        }
        self.text.clear();
    }
}

// Characters that XML forbids, raw or by reference, become spaces.
fn without_controls(text: String, warnings: &mut Vec<Warning>) -> String {
    // Nearly all records have none: bytes are faster to look through than characters.
    let is_suspicious = |byte: &u8| (*byte < b' ' && !byte.is_ascii_whitespace()) || *byte == 0xEF;
    let raw = match text.as_bytes().iter().any(is_suspicious) || text.contains('\u{C}') {
        true => text.chars().filter(|c| is_forbidden(*c)).count(),
        false => 0,
    };
    let references = forbidden_references(&text);
    if raw + references.len() == 0 {
        return text;
    }
    let mut clean = String::with_capacity(text.len());
    let mut from = 0;
    for (start, end) in &references {
        clean.push_str(text.get(from..*start).unwrap_or_default());
        clean.push(' ');
        from = *end;
    }
    clean.push_str(text.get(from..).unwrap_or_default());
    if raw > 0 {
        clean = clean.chars().map(|c| if is_forbidden(c) { ' ' } else { c }).collect();
    }
    let first = text.chars().find(|c| is_forbidden(*c)).map(|c| format!("U+{:04X}", u32::from(c)));
    let first = first.or_else(|| {
        let (start, end) = *references.first()?;
        text.get(start..end).map(str::to_owned)
    });
    let message = format!(
        "{} control characters that XML forbids, read as spaces, the first {}",
        raw + references.len(),
        first.unwrap_or_default()
    );
    warnings.push(Warning::new("oai.control_character", message));
    clean
}

// XML 1.0 §2.2
fn is_forbidden(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}')
}

fn forbidden_references(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for start in memchr::memmem::find_iter(text.as_bytes(), "&#") {
        let Some(rest) = text.get(start + 2..) else { continue };
        let digits = rest.strip_prefix(['x', 'X']).unwrap_or(rest);
        let radix = if digits.len() == rest.len() { 10 } else { 16 };
        let Some(length) = digits.find(';').filter(|length| (1..=8).contains(length)) else {
            continue;
        };
        let number =
            digits.get(..length).and_then(|digits| u32::from_str_radix(digits, radix).ok());
        if number.and_then(char::from_u32).is_some_and(is_forbidden) {
            found.push((start, start + 2 + (rest.len() - digits.len()) + length + 1));
        }
    }
    found
}
