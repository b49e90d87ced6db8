//! A file of a record on its way into the store: what its source says of one version of it, and
//! the copy that was made of it.

use jiff::Timestamp;
use uuid::Uuid;

/// The tag with the number of a version.
pub const VERSION_TAG: &str = "version";

/// The tag of a version that not everybody may see: `true`.
pub const RESTRICTED_TAG: &str = "restricted";

/// The tag with the number of the document that a file is a version of.
pub const DOCUMENT_TAG: &str = "bibdocid";

/// One version of one file, as its source describes it; the bytes are still where they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOrder {
    /// What the source calls this version, unique in a pipeline's source: the same again is the
    /// same version again.
    pub source_id: String,
    /// What its record calls it: `file a.pdf version 2`, as places of parts have it.
    pub part: String,
    /// Raw bytes that tell of this version alone: what quarantine keeps of it.
    pub alone: Option<Vec<u8>>,
    /// Its key in the record's bucket: a name with extension, at most 255 characters.
    pub key: String,
    /// Where its bytes are.
    pub place: FilePlace,
    /// In bytes, if the source says so.
    pub size: Option<u64>,
    /// MD5 of the bytes, if the source says so.
    pub md5: Option<[u8; 16]>,
    /// Media type, if the source says so.
    pub mimetype: Option<String>,
    /// From 1; of the versions with one key the one with the highest number is the head.
    pub version: u64,
    /// When the version was made.
    pub created: Timestamp,
    /// Who may see it is not everyone: neither the object nor its bucket may be public.
    pub restricted: bool,
    /// The version was deleted in the source: a delete marker follows it, its bytes are not taken.
    pub deleted: bool,
    /// What else is to be known of it, by key; each of at most 255 characters.
    pub tags: Vec<(String, String)>,
}

/// Where the bytes of a file are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilePlace {
    /// A path on the host that was dumped, before the pipeline maps it to one of this host.
    Path(String),
    /// An `http:` or `https:` URL.
    Url(String),
}

/// The bytes of a file where they are kept; several object versions may share them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInstance {
    /// Its UUID, of which a location makes the place of the bytes.
    pub id: Uuid,
    /// Where the bytes are: an absolute path, or `s3://BUCKET/KEY`.
    pub uri: String,
    /// In bytes.
    pub size: u64,
    /// MD5 of the bytes; `None` when they were never read, as the pipeline has wished.
    pub md5: Option<[u8; 16]>,
    /// SHA-256 of the bytes, where they were read.
    pub sha256: Option<[u8; 32]>,
}

impl FileInstance {
    /// The checksum in Invenio's words: `md5:` and 32 digits.
    #[must_use]
    pub fn checksum(&self) -> Option<String> {
        self.md5.map(|md5| format!("md5:{}", hex(&md5)))
    }
}

/// An order that was dealt with: its bytes are there, or none are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileCopy {
    /// What the source said.
    pub order: FileOrder,
    /// The bytes; `None` of a version that was deleted in the source.
    pub instance: Option<FileInstance>,
}

/// The key of a file whose name another document of the record has: `a.pdf` becomes `a_12.pdf`.
#[must_use]
pub fn numbered_key(key: &str, document: &str) -> String {
    const LONGEST: usize = 255;
    let (stem, extension) = key.split_at(key.rfind('.').filter(|at| *at > 0).unwrap_or(key.len()));
    let added = document.chars().count() + 1 + extension.chars().count();
    let stem: String = stem.chars().take(LONGEST.saturating_sub(added)).collect();
    format!("{stem}_{document}{extension}")
}

/// Bytes as lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What [`hex`] has written, of so many bytes.
#[must_use]
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_gets_the_number_of_its_document() {
        assert_eq!(numbered_key("a.b.pdf;ocr", "12"), "a.b_12.pdf;ocr");
        assert_eq!(numbered_key("a", "12"), "a_12");
        assert_eq!(numbered_key(".a", "12"), ".a_12");
        let long = numbered_key(&format!("{}.pdf", "é".repeat(251)), "12");
        assert_eq!((long.chars().count(), long.ends_with("é_12.pdf")), (255, true));
    }

    #[test]
    fn digits_are_read_back() {
        assert_eq!(hex(&[0, 171]), "00ab");
        assert_eq!(from_hex::<2>("00ab"), Some([0, 171]));
        assert_eq!(from_hex::<2>("00AB"), Some([0, 171]));
        assert_eq!(from_hex::<2>("00a"), None);
        assert_eq!(from_hex::<2>("00ax"), None);
    }
}
