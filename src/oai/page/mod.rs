//! An answer as a harvester reads it: records cut apart from what surrounds them, whatever else is
//! wrong with the document.
//!
//! Records are looked at one by one, so that a broken one costs nothing but itself. What surrounds
//! them (envelope, errors, resumptionToken) is read without regard to namespaces, junk before and
//! behind it is passed over with a warning, and when the document breaks off, what came before is
//! given with [`Page::cut_short`]. Document type declarations are refused.

mod catalog;
mod record;
mod surroundings;

use thiserror::Error;

pub use catalog::{Catalog, Deletions, ListedFormat, ListedSet, Repository, parts};

use crate::record::{Cut, Datestamp, Warning};
use crate::xml::Options;
use crate::xml::cut::{OutermostCutter, Records};
use crate::xml::encoding;

/// A record of a page may be so large, in bytes.
pub const MAX_RECORD_BYTES: usize = 64 * 1024 * 1024;
/// So many characters of a document that is no OAI-PMH are shown.
const SHOWN_CHARS: usize = 120;

const RECORDS: Records = Records { names: &["record", "header"], max_bytes: MAX_RECORD_BYTES };

/// One answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// `responseDate`, if it is a datestamp to the second.
    pub response_date: Option<Datestamp>,
    /// The element of the verb that was answered, without prefix; `None` beside errors.
    pub verb: Option<String>,
    /// Each `<error>`.
    pub errors: Vec<PageFault>,
    /// The records (or headers) in their order, broken ones included.
    pub records: Vec<PageRecord>,
    /// The resumptionToken element, if there is one; its text is empty on the last page.
    pub token: Option<Continuation>,
    /// What was odd about the page itself.
    pub warnings: Vec<Warning>,
    /// Set when the document does not come to its end: why. Its last records may be missing, and
    /// so may the token.
    pub cut_short: Option<String>,
}

/// An error that the endpoint reports (§3.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageFault {
    /// The code as it stands there; endpoints make up their own.
    pub code: String,
    /// Its text.
    pub message: String,
}

/// The resumptionToken element (§3.5).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Continuation {
    /// The token, opaque; empty on the last page.
    pub text: String,
    /// `cursor`, if it is a number.
    pub cursor: Option<u64>,
    /// `completeListSize`, if it is a number.
    pub complete_list_size: Option<u64>,
    /// `expirationDate`, as it stands there.
    pub expires: Option<String>,
}

/// A record of a list, or the header of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageRecord {
    /// `<identifier>` of its header; empty when it has none.
    pub identifier: String,
    /// `<datestamp>` of its header, as it stands there.
    pub datestamp: String,
    /// Each `<setSpec>`.
    pub set_specs: Vec<String>,
    /// Whether it is a tombstone.
    pub deleted: bool,
    /// Whether there is a `<metadata>` with an element in it.
    pub has_metadata: bool,
    /// The element as one document in UTF-8 that declares its namespaces itself. Of a broken
    /// record it is what is there.
    pub xml: String,
    /// What was mended or passed over in it.
    pub warnings: Vec<Warning>,
    /// Set when it cannot be read as a record: a stable code and why.
    pub damage: Option<(&'static str, String)>,
}

/// Why a document is no answer at all.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PageError {
    /// Nothing was sent.
    #[error("the answer is empty, expected an OAI-PMH document")]
    Empty,
    /// A web page: of an error, of a login, of a maintenance.
    #[error("the answer is a web page titled {title:?}, expected an OAI-PMH document")]
    Html {
        /// Its title, shortened.
        title: String,
    },
    /// A document type declaration, which can make a reader fetch and expand anything.
    #[error("the answer has a document type declaration; it is refused")]
    Doctype,
    /// Something else.
    #[error("the answer begins with {found:?}, expected an OAI-PMH document")]
    Foreign {
        /// Its first characters.
        found: String,
    },
    /// Text in an encoding that is not read.
    #[error("{0}")]
    Encoding(String),
    /// The envelope is not well-formed.
    #[error("{0}")]
    Malformed(String),
}

impl PageError {
    /// A stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            PageError::Empty => "oai.empty",
            PageError::Html { .. } => "oai.html",
            PageError::Doctype => "xml.doctype",
            PageError::Foreign { .. } => "oai.foreign",
            PageError::Encoding(_) => "xml.encoding",
            PageError::Malformed(_) => "xml.syntax",
        }
    }
}

impl Page {
    /// Reads the answer to `ListRecords`, `ListIdentifiers` or `GetRecord`; `charset` is what HTTP
    /// says of it, and counts when the document itself says nothing and is no UTF-8.
    ///
    /// Control characters, and references to them, are read as spaces with warning
    /// `oai.control_character`; the rest of what `options` repair is that of [`crate::xml`].
    ///
    /// # Errors
    /// [`PageError`] when it is no answer of an OAI-PMH endpoint.
    pub fn read(bytes: &[u8], charset: Option<&str>, options: Options) -> Result<Page, PageError> {
        let mut page = Page::default();
        let mut around = Vec::new();
        let declared = declaration_for(bytes, charset, &mut page.warnings);
        let valid = simdutf8::basic::from_utf8(bytes).ok().filter(|_| declared.is_none());
        let mut cutter = OutermostCutter::new(RECORDS);
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let Cut::Record { start, end, next, insert, damage } = cutter.cut(rest, true) else {
                around.extend_from_slice(rest);
                break;
            };
            around.extend_from_slice(rest.get(..start).unwrap_or_default());
            let cut = rest.get(start..end).unwrap_or_default();
            match damage {
                Some(damage) if damage.code == "doctype" => {
                    return Err(surroundings::refused(bytes));
                }
                Some(damage) if damage.code == "encoding" => {
                    return Err(PageError::Encoding("the answer is UTF-16, expected UTF-8".into()));
                }
                // Text or markup between records: the envelope's reader says what it thinks of it.
                Some(damage) if is_loose(damage.code, cut) => around.extend_from_slice(cut),
                None if let Some(record) = valid
                    .and_then(|text| text.get(at + start..at + end))
                    .and_then(|cut| record::read_plain(cut, insert.as_ref())) =>
                {
                    page.records.push(record);
                }
                damage => {
                    let mut document = declared.clone().unwrap_or_default();
                    match &insert {
                        Some(insert) => insert.copy(cut, &mut document),
                        None => document.extend_from_slice(cut),
                    }
                    page.records.push(record::read(&document, damage, options));
                }
            }
            at += next;
        }
        if let Some(declared) = declared {
            around.splice(0..0, declared);
        }
        surroundings::read(&around, &mut page)?;
        Ok(page)
    }
}

// Whether a piece that the cutter gives as damaged is no record at all.
fn is_loose(code: &str, cut: &[u8]) -> bool {
    let names = [&b"record"[..], b"header"];
    let begins_record = names.iter().any(|name| {
        let opening = cut.get(..cut.len().min(80)).unwrap_or_default();
        cut.starts_with(b"<") && memchr::memmem::find(opening, name).is_some()
    });
    matches!(code, "xml.text" | "xml.markup" | "xml.no_record")
        || (code == "truncated" && !begins_record)
}

// An XML declaration for a document that has none, is no UTF-8, and whose encoding HTTP names.
fn declaration_for(
    bytes: &[u8],
    charset: Option<&str>,
    warnings: &mut Vec<Warning>,
) -> Option<Vec<u8>> {
    let charset = charset.filter(|charset| !charset.eq_ignore_ascii_case("utf-8"))?;
    let declares = memchr::memmem::find(bytes.get(..200.min(bytes.len()))?, b"encoding=").is_some();
    if declares || simdutf8::basic::from_utf8(bytes).is_ok() {
        return None;
    }
    let message = format!("declares no encoding and is not UTF-8; read as HTTP says: {charset}");
    warnings.push(Warning::new("xml.encoding", message));
    Some(format!("<?xml version=\"1.0\" encoding=\"{charset}\"?>").into_bytes())
}

/// The text of a piece, without its XML declaration.
fn text(
    bytes: &[u8],
    options: Options,
    warnings: &mut Vec<Warning>,
) -> Result<String, crate::xml::reader::XmlError> {
    let text = encoding::text(bytes, options, warnings)?;
    let behind = text.strip_prefix("<?xml ").and_then(|rest| rest.split_once("?>"));
    Ok(behind.map_or_else(|| text.to_string(), |(_, rest)| rest.to_owned()))
}

#[cfg(test)]
mod tests;
