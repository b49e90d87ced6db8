//! Published standards as values: one standard a file, a row in [`FORMATS`], no sockets, no disk.
//!
//! A format cuts a stream of bytes into records ([`Framing`]) and decodes one record's bytes into
//! a [`SourceRecord`]. What is odd becomes a [`Warning`], what is impossible a [`DecodeError`];
//! nothing panics on foreign bytes.

pub mod marc21;

use thiserror::Error;

pub use crate::record::Cut;
use crate::record::Warning;
use marc21::{Marc, iso2709, marcxml};

/// The largest single record that is read; what is larger is rejected as `too_large`.
pub const MAX_RECORD_BYTES: usize = 16 * 1024 * 1024;

/// One source record, decoded; kept by the caller and refilled record after record.
#[derive(Debug)]
pub enum SourceRecord {
    /// MARC 21 in any of its serializations.
    Marc(Marc),
    /// A JSON document.
    Json(serde_json::Value),
}

impl Default for SourceRecord {
    fn default() -> SourceRecord {
        SourceRecord::Marc(Marc::default())
    }
}

impl SourceRecord {
    /// An empty MARC record in place of what was here, its memory reused.
    pub fn marc_mut(&mut self) -> &mut Marc {
        if !matches!(self, SourceRecord::Marc(_)) {
            *self = SourceRecord::default();
        }
        match self {
            SourceRecord::Marc(marc) => {
                marc.clear();
                marc
            }
            SourceRecord::Json(_) => unreachable!("replaced above"),
        }
    }
}

/// Why the bytes of one record could not be understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct DecodeError {
    /// A stable code, `iso2709.directory` and the like.
    pub code: &'static str,
    /// What was found and what was expected.
    pub message: String,
    /// The record's own identifier, when it could still be read.
    pub control_number: Option<String>,
}

impl DecodeError {
    /// An error of this code, about a record without a known identifier.
    pub fn new(code: &'static str, message: impl Into<String>) -> DecodeError {
        DecodeError { code, message: message.into(), control_number: None }
    }
}

/// Cuts a stream into records. One value sees one stream, from its beginning.
pub trait Framing: Send {
    /// Looks at the next bytes of the stream; `at_end` when no more will come.
    ///
    /// Promises: with `at_end` the answer is never `More`; every byte that is not white space or
    /// markup between records is part of some `Record`, damaged or not; a record larger than
    /// [`MAX_RECORD_BYTES`] is given as damaged (`too_large`, its first bytes only) and its rest
    /// skipped.
    fn cut(&mut self, bytes: &[u8], at_end: bool) -> Cut;
}

/// Decodes one record's bytes into `record`, adding to `warnings`.
pub type Decode = fn(&[u8], &mut SourceRecord, &mut Vec<Warning>) -> Result<(), DecodeError>;

/// A row of [`FORMATS`].
pub struct Format {
    /// Its name in pipelines and on the command line.
    pub name: &'static str,
    /// Its media type.
    pub media_type: &'static str,
    /// File name extensions, without the dot.
    pub extensions: &'static [&'static str],
    /// Whether a file that begins with these bytes is of this format.
    pub sniff: fn(&[u8]) -> bool,
    /// A fresh cutter for one stream.
    pub framing: fn() -> Box<dyn Framing>,
    /// Reads one record.
    pub decode: Decode,
}

/// Every format that is read, sorted by name.
pub static FORMATS: &[Format] = &[
    Format {
        name: "iso2709",
        media_type: "application/marc",
        extensions: &["mrc", "marc"],
        sniff: iso2709::looks_like_iso2709,
        framing: || Box::new(iso2709::Iso2709Framing::default()),
        decode: iso2709::decode,
    },
    Format {
        name: "marcxml",
        media_type: "application/marcxml+xml",
        extensions: &["xml", "marcxml"],
        sniff: marcxml::looks_like_marcxml,
        framing: || Box::new(marcxml::MarcxmlFraming::default()),
        decode: marcxml::decode,
    },
];

/// The row of this name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

/// The row that a file's first bytes (uncompressed) speak for.
#[must_use]
pub fn sniff(first_bytes: &[u8]) -> Option<&'static Format> {
    FORMATS.iter().find(|format| (format.sniff)(first_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_sorted_by_name() {
        assert!(FORMATS.is_sorted_by_key(|format| format.name));
    }

    #[test]
    fn a_file_is_told_by_its_first_bytes() {
        let name = |bytes: &[u8]| sniff(bytes).map(|format| format.name);
        assert_eq!(name(b"00026nam a2200025   4500\x1E\x1D"), Some("iso2709"));
        assert_eq!(name(b"\r\n     nam a2200025   4500\x1E\x1D"), None);
        assert_eq!(name(b"     nam a2200025   4500\x1E\x1D"), Some("iso2709"));
        assert_eq!(name(b"\xEF\xBB\xBF\n<collection><record/></collection>"), Some("marcxml"));
        assert_eq!(name(b"<html><body>Not found</body></html>"), None);
        assert_eq!(name(b""), None);
    }
}
