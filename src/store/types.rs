//! What goes into the store and comes out of it.

use uuid::Uuid;

use crate::record::{Datestamp, SetSpec};

/// An item as OAI-PMH lists it: the header's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemHeader {
    /// The record's UUID.
    pub id: Uuid,
    /// The value of its `recid` PID, the local part of its OAI identifier.
    pub pid_value: String,
    /// When this repository last created, changed or deleted it.
    pub datestamp: Datestamp,
    /// Whether it is a tombstone.
    pub deleted: bool,
    /// The sets it is in, by setSpec.
    pub set_specs: Vec<SetSpec>,
}

/// The bytes a record came from, uncompressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceBytes {
    /// A name in `formats::FORMATS`.
    pub format: String,
    /// One record, as it stood in its file.
    pub bytes: Vec<u8>,
}

/// A header with what was asked for beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The header.
    pub header: ItemHeader,
    /// Canonical JSON of the current revision; `None` when deleted or not asked for.
    pub json: Option<Vec<u8>>,
    /// The source bytes; `None` when deleted, not kept or not asked for.
    pub source: Option<SourceBytes>,
}

/// What to read beside the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemContent {
    /// Nothing.
    Header,
    /// The record's JSON.
    Json,
    /// The source bytes. Lists leave out live items that have none (deleted ones stay).
    Source,
}

/// Which items to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemQuery {
    /// Only items after this position.
    pub after: Option<(Datestamp, Uuid)>,
    /// Only items not older than this.
    pub from: Option<Datestamp>,
    /// Only items not newer than this, inclusive.
    pub until: Option<Datestamp>,
    /// Only items of this set or of a set below it (`a` has `a:b`).
    pub set_spec: Option<SetSpec>,
    /// At most so many.
    pub limit: u32,
    /// What to read beside the header.
    pub content: ItemContent,
}

/// A set, from `oaiserver_set`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// Its setSpec.
    pub spec: SetSpec,
    /// Its name for people.
    pub name: String,
    /// What it holds, in a sentence.
    pub description: Option<String>,
}
