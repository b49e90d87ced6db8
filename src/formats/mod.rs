//! Published standards as values: one standard a file, a row in [`FORMATS`], no sockets, no disk.
//!
//! A format cuts a stream of bytes into records ([`Framing`]) and decodes one record's bytes into
//! a [`SourceRecord`]. What is odd becomes a [`Warning`], what is impossible a [`DecodeError`];
//! nothing panics on foreign bytes.

pub mod bagit;
pub mod bibtex;
pub mod crossref_json;
pub mod csl_json;
pub mod csv;
pub mod datacite;
pub mod dublin_core;
pub mod envelope;
mod framing;
pub mod invenio_rdm;
pub mod invenio_v1;
pub mod json;
pub mod json_array;
pub mod json_ld;
pub mod json_lines;
pub mod marc21;
pub mod mods;
pub mod pica;
pub mod ris;
mod text;

use thiserror::Error;

pub use crate::record::Cut;
use crate::record::Warning;
use crate::xml::tree::Tree;
pub use marc21::encoding::Encoding;
use marc21::{Marc, aleph, iso2709, line, marc_json, marcxml};

/// The largest single record that is read; what is larger is rejected as `too_large`.
pub const MAX_RECORD_BYTES: usize = 16 * 1024 * 1024;

/// One source record, decoded; kept by the caller and refilled record after record.
#[derive(Debug)]
pub enum SourceRecord {
    /// MARC 21 in any of its serializations.
    Marc(Marc),
    /// A JSON document.
    Json(serde_json::Value),
    /// An XML element; see [`envelope`] for what it may be wrapped in.
    Xml(Tree),
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
            SourceRecord::Json(_) | SourceRecord::Xml(_) => unreachable!("replaced above"),
        }
    }

    /// An empty tree in place of what was here, its memory reused.
    pub fn xml_mut(&mut self) -> &mut Tree {
        if !matches!(self, SourceRecord::Xml(_)) {
            *self = SourceRecord::Xml(Tree::default());
        }
        match self {
            SourceRecord::Xml(tree) => {
                tree.clear();
                tree
            }
            SourceRecord::Json(_) | SourceRecord::Marc(_) => unreachable!("replaced above"),
        }
    }

    /// What it holds.
    #[must_use]
    pub fn model(&self) -> Model {
        match self {
            SourceRecord::Marc(_) => Model::Marc,
            SourceRecord::Json(_) => Model::Json,
            SourceRecord::Xml(_) => Model::Xml,
        }
    }

    /// The MARC record that this is.
    ///
    /// # Errors
    /// `format.model` when it is none: a crosswalk leads from one kind to the other.
    pub fn marc(&self) -> Result<&Marc, EncodeError> {
        match self {
            SourceRecord::Marc(marc) => Ok(marc),
            SourceRecord::Json(_) | SourceRecord::Xml(_) => {
                Err(EncodeError::new("format.model", "the record is no MARC, expected MARC"))
            }
        }
    }

    /// The JSON document that this is.
    ///
    /// # Errors
    /// `format.model` when it is none: a crosswalk leads from one kind to the other.
    pub fn json(&self) -> Result<&serde_json::Value, EncodeError> {
        match self {
            SourceRecord::Json(value) => Ok(value),
            SourceRecord::Marc(_) | SourceRecord::Xml(_) => {
                Err(EncodeError::new("format.model", "the record is no JSON, expected JSON"))
            }
        }
    }

    /// The tree that this is.
    ///
    /// # Errors
    /// `format.model` when it is none: a crosswalk leads from one kind to the other.
    pub fn xml(&self) -> Result<&Tree, EncodeError> {
        match self {
            SourceRecord::Xml(tree) => Ok(tree),
            SourceRecord::Json(_) | SourceRecord::Marc(_) => {
                Err(EncodeError::new("format.model", "the record is no XML, expected XML"))
            }
        }
    }

    /// The identifier that messages name the record by, if it has one.
    #[must_use]
    pub fn control_number(&self) -> Option<&str> {
        match self {
            SourceRecord::Marc(marc) => marc.control_number(),
            SourceRecord::Json(value) => json::name(value).or_else(|| pica::name(value)),
            SourceRecord::Xml(tree) => envelope::identifier(tree),
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

/// How hard reading tries with a record that breaks its standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// Whatever would be a warning rejects the record.
    Strict,
    /// What can be understood is read, with a warning; nothing is guessed.
    #[default]
    Tolerant,
    /// What is broken is mended as its maker most likely meant it; each repair is a warning that
    /// says where, and what stood there.
    Repair,
}

/// How one source is to be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// `source.policy`
    pub policy: Policy,
    /// `source.encoding`: how characters are coded, whatever the records say; ISO 2709 only.
    pub encoding: Option<Encoding>,
}

/// How records are to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// The version of the standard, where it has several; the format's default without.
    pub version: Option<String>,
    /// The columns of a table: `csv`, `tsv`.
    pub columns: Vec<csv::Column>,
}

/// Decodes one record's bytes into `record`, adding to `warnings`.
///
/// Need not look for [`Policy::Strict`]: [`Format::read`] does.
pub type Decode =
    fn(&[u8], &ReadOptions, &mut SourceRecord, &mut Vec<Warning>) -> Result<(), DecodeError>;

/// Writes one record at the end of the bytes, which it leaves alone when it fails.
pub type Encode =
    fn(&SourceRecord, &WriteOptions, &mut Vec<u8>, &mut Vec<Warning>) -> Result<(), EncodeError>;

/// Why a record cannot be written in a format.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct EncodeError {
    /// A stable code, `iso2709.too_long` and the like.
    pub code: &'static str,
    /// What was found and what was expected.
    pub message: String,
}

impl EncodeError {
    /// An error of this code.
    pub fn new(code: &'static str, message: impl Into<String>) -> EncodeError {
        EncodeError { code, message: message.into() }
    }
}

/// What kind of source record a format's records are: those of one kind are written in any
/// format of that kind; from kind to kind leads a crosswalk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// [`SourceRecord::Marc`]
    Marc,
    /// [`SourceRecord::Xml`]
    Xml,
    /// [`SourceRecord::Json`]
    Json,
}

/// How a format is read.
pub struct Reading {
    /// Whether a file that begins with these bytes is of this format, and no other.
    pub sniff: fn(&[u8]) -> bool,
    /// A fresh cutter for one stream.
    pub framing: fn() -> Box<dyn Framing>,
    /// Reads one record; call it by [`Format::read`].
    pub decode: Decode,
}

/// How a format is written: `open`, records with `between` between them, `close`.
pub struct Writing {
    /// What stands before the first record.
    pub open: fn(&WriteOptions) -> String,
    /// What stands between two records.
    pub between: &'static str,
    /// What stands behind the last record.
    pub close: &'static str,
    /// Writes one record.
    pub encode: Encode,
}

/// A row of [`FORMATS`].
pub struct Format {
    /// Its name in pipelines and on the command line.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// Its media type.
    pub media_type: &'static str,
    /// File name extensions, without the dot.
    pub extensions: &'static [&'static str],
    /// What its records are.
    pub model: Model,
    /// How it is read, if it is.
    pub reading: Option<Reading>,
    /// How it is written, if it is.
    pub writing: Option<Writing>,
}

impl Format {
    /// Whether records of this format can be written in `to` as they are, without a crosswalk:
    /// MARC and PICA in all their serializations, JSON of any shape as plain JSON and tables and
    /// back.
    #[must_use]
    pub fn leads_to(&self, to: &Format) -> bool {
        let is_plain =
            |format: &Format| matches!(format.name, "csv" | "json_array" | "json_lines" | "tsv");
        let is_pica = |format: &Format| matches!(format.name, "pica_binary" | "pica_plain");
        self.model == to.model
            && match self.model {
                Model::Marc => true,
                Model::Xml => self.name == to.name,
                Model::Json if is_pica(self) && is_pica(to) => true,
                Model::Json => self.name == to.name || is_plain(self) || is_plain(to),
            }
    }

    /// Decodes one record's bytes into `record`, adding to `warnings`.
    ///
    /// # Errors
    /// Those of the format; with [`Policy::Strict`] also its first warning.
    pub fn read(
        &self,
        bytes: &[u8],
        options: &ReadOptions,
        record: &mut SourceRecord,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), DecodeError> {
        let Some(reading) = &self.reading else {
            let message = format!("{} is written only", self.name);
            return Err(DecodeError::new("format.write_only", message));
        };
        let before = warnings.len();
        (reading.decode)(bytes, options, record, warnings)?;
        if options.policy == Policy::Strict && warnings.len() > before {
            let Warning { code, message } = warnings.swap_remove(before);
            warnings.truncate(before);
            let control_number = record.control_number().map(str::to_owned);
            return Err(DecodeError { code, message, control_number });
        }
        Ok(())
    }
}

impl std::fmt::Debug for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Format({})", self.name)
    }
}

/// Every format, sorted by name.
pub static FORMATS: &[Format] = &[
    aleph::FORMAT,
    bibtex::FORMAT,
    crossref_json::FORMAT,
    csl_json::FORMAT,
    csv::FORMAT,
    datacite::json::FORMAT,
    datacite::json::FORMAT_43,
    datacite::json::FORMAT_REST,
    datacite::xml::FORMAT,
    dublin_core::DCTERMS,
    invenio_rdm::FORMAT,
    invenio_v1::FORMAT,
    iso2709::FORMAT,
    json_array::FORMAT,
    json_ld::FORMAT,
    json_lines::FORMAT,
    line::FORMAT,
    marc_json::FORMAT,
    marcxml::FORMAT,
    mods::FORMAT,
    dublin_core::OAI_DC,
    pica::binary::FORMAT,
    pica::plain::FORMAT,
    ris::FORMAT,
    csv::FORMAT_TSV,
    iso2709::UNIMARC,
];

/// The row of this name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

/// The row that a file's first bytes (uncompressed) speak for.
#[must_use]
pub fn sniff(first_bytes: &[u8]) -> Option<&'static Format> {
    let speaks = |reading: &Reading| (reading.sniff)(first_bytes);
    FORMATS.iter().find(|format| format.reading.as_ref().is_some_and(speaks))
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
        assert_eq!(name(b"X0026nam a00XXXXX   zz99001000300000\x1Ew1\x1E\x1D"), Some("iso2709"));
        assert_eq!(name(b"\xEF\xBB\xBF\n<collection><record/></collection>"), Some("marcxml"));
        assert_eq!(name(b"<html><body>Not found</body></html>"), None);
        assert_eq!(name(b""), None);
    }

    #[test]
    fn strict_reading_rejects_what_tolerant_reading_warns_of() {
        let bytes = b"00027nam a2200025   4500\x1E\x1D";
        let read = |policy| {
            let (mut record, mut warnings) = (SourceRecord::default(), Vec::new());
            let format = by_name("iso2709").unwrap();
            let read = format.read(
                bytes,
                &ReadOptions { policy, ..ReadOptions::default() },
                &mut record,
                &mut warnings,
            );
            (read.map_err(|error| error.code), warnings.len())
        };
        assert_eq!(read(Policy::Strict), (Err("iso2709.length"), 0));
        assert_eq!(read(Policy::Tolerant), (Ok(()), 2));
    }
}
