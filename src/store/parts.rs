//! What records of a migration bring beside their content, and what comes in place of records.

use jiff::Timestamp;

use super::Membership;
use crate::record::ContentHash;

/// A revision of a record before its last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierRevision {
    /// Its number in the source, from 1: what messages call it by.
    pub number: usize,
    /// Canonical JSON; `None` when the record was deleted.
    pub json: Option<Vec<u8>>,
    /// When it was made.
    pub updated: Timestamp,
}

/// What there is of a record in its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brings {
    /// A revision: content, or a deletion.
    Revision,
    /// Files alone, of a record that the store has and that stays as it is.
    Files,
    /// Its number alone, which nobody else may get.
    Number,
    /// No record: other things that the source has.
    Things,
}

/// Something that a source has beside records, kept as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thing {
    /// What it is: `users`, `communities`, …
    pub kind: String,
    /// Unique among those of its kind in its source.
    pub key: String,
    /// SHA-256 of its bytes.
    pub hash: ContentHash,
    /// Its bytes, JSON, one zstd frame.
    pub zstd: Vec<u8>,
    /// Its place, as [`crate::record::Locator`] prints it.
    pub locator: String,
    /// The OAI set that it stands for, with its description.
    pub set: Option<(Membership, String)>,
}

/// A thing as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredThing {
    /// The pipeline's source name.
    pub source_name: String,
    /// What it is.
    pub kind: String,
    /// Unique among those of its kind in its source.
    pub key: String,
    /// Its place, as [`crate::record::Locator`] prints it.
    pub locator: String,
    /// Its bytes, JSON, uncompressed.
    pub json: Vec<u8>,
}

/// A recid that leads to another one, once that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// The value of the recid.
    pub from: String,
    /// The value of the recid that it is to lead to.
    pub to: String,
    /// Where the source says so, for messages.
    pub place: String,
}
