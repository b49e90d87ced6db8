//! Raw records: bytes cut out of a source, not yet understood.

use std::sync::Arc;

use super::{Datestamp, Locator};

/// Why the bytes of a record cannot be one, known already when they were cut out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// A stable code: `truncated`, `too_large`, …
    pub code: &'static str,
    /// What was found and what was expected.
    pub message: String,
}

/// What a record needs from around it to be understood alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insert {
    /// Text in front of it: an XML declaration that names the encoding, a table's row of names.
    pub front: String,
    /// An offset from the record's start.
    pub at: usize,
    /// Text at that offset: namespace declarations of outer elements.
    pub text: String,
}

impl Insert {
    /// Appends the record `bytes` to `out`, with what is to be put in.
    pub fn copy(&self, bytes: &[u8], out: &mut Vec<u8>) {
        let (head, tail) = bytes.split_at_checked(self.at).unwrap_or((bytes, &[]));
        for part in [self.front.as_bytes(), head, self.text.as_bytes(), tail] {
            out.extend_from_slice(part);
        }
    }
}

/// What a cutter found at the front of the bytes it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cut {
    /// `bytes[start..end]` is one record; reading goes on at `next`.
    Record {
        /// First byte of the record.
        start: usize,
        /// End of the record (exclusive).
        end: usize,
        /// Where to go on; at least `end`.
        next: usize,
        /// What to put in, so that the record can be understood alone.
        insert: Option<Insert>,
        /// Set when this is known to be no whole record.
        damage: Option<Damage>,
    },
    /// No whole record yet: `skip` bytes are of no use any more; give the rest again, with more.
    More {
        /// Bytes that may be dropped.
        skip: usize,
    },
    /// The rest holds no record (only once `at_end`).
    End,
}

/// One record's place in the block of its [`RawBatch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRecord {
    /// Where its bytes start in the block.
    pub start: usize,
    /// Where they end (exclusive).
    pub end: usize,
    /// Its number in the source, from 1.
    pub number: u64,
    /// The offset of its first byte in the uncompressed source.
    pub byte: u64,
    /// Set when the cutter already knows that this is no whole record.
    pub damage: Option<Damage>,
    /// The part of the record that these bytes are, when they are taken out of quarantine.
    pub part: Option<Box<str>>,
}

/// What an OAI-PMH endpoint says of a record beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawHeader {
    /// Its OAI identifier: the record's name in its source, whatever its metadata say.
    pub identifier: String,
    /// Whether the endpoint has deleted it; then there are no metadata.
    pub deleted: bool,
    /// The responseDate of the answer that it came in, or else when that had come.
    pub harvested: Option<Datestamp>,
}

/// Records of one source, one after another in one block of bytes.
#[derive(Debug, Default)]
pub struct RawBatch {
    /// The source file's name, as messages show it.
    pub file: Arc<str>,
    /// The bytes of all records.
    pub block: Vec<u8>,
    /// The records' bounds, in the order of the source.
    pub records: Vec<RawRecord>,
    /// The header of each, when they were harvested; else empty.
    pub headers: Vec<RawHeader>,
}

impl RawBatch {
    /// The bytes of `record`.
    #[must_use]
    pub fn bytes(&self, record: &RawRecord) -> &[u8] {
        self.block.get(record.start..record.end).unwrap_or_default()
    }

    /// The place of `record` or of the part that it is, without a control number.
    #[must_use]
    pub fn locator(&self, record: &RawRecord) -> Locator {
        Locator {
            file: Arc::clone(&self.file),
            number: record.number,
            byte: record.byte,
            control_number: None,
            part: record.part.as_deref().map(str::to_owned),
        }
    }
}
