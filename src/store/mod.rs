//! The core records store: an Invenio v3 database, whoever keeps it.
//!
//! Tables and columns of records, revisions and PIDs carry Invenio's names and meaning; what
//! Invenio has no table for lives in tables named `windrow_*`.

mod types;
mod columns;
mod plan;
mod sqlite;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use thiserror::Error;
use uuid::Uuid;

pub use types::{
    Checkpoint, Counts, Item, ItemContent, ItemHeader, ItemQuery, LoadBatch, LoadOutcome,
    LoadRecord, Membership, NewRecord, QuarantineEntry, Quarantined, Run, RunState, RunSummary,
    Set, SourceBytes, SourceCopy, SplitState, StoredRecord,
};

use crate::record::Datestamp;

/// What a keeper could not do, by meaning.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database cannot be opened.
    #[error("cannot open store {url}: {message}")]
    Open {
        /// The store's URL, without secrets.
        url: String,
        /// The keeper's reason.
        message: String,
    },
    /// The database was written by a newer windrow.
    #[error("store has schema version {found}, this windrow knows up to {known}")]
    NewerSchema {
        /// Version in the database.
        found: i64,
        /// Newest version known here.
        known: i64,
    },
    /// No record of this identity.
    #[error("no record {0}")]
    NotFound(String),
    /// The record was changed by someone else since it was read.
    #[error("record {id} is at revision {found}, expected {expected}")]
    Stale {
        /// The record.
        id: Uuid,
        /// Revision in the store.
        found: i64,
        /// Revision the change was made from.
        expected: i64,
    },
    /// The PID belongs to another record.
    #[error("PID {pid_type}:{pid_value} belongs to another record")]
    PidTaken {
        /// Its type.
        pid_type: String,
        /// Its value.
        pid_value: String,
    },
    /// The database holds something it must not.
    #[error("store is damaged: {0}")]
    Damaged(String),
    /// The keeper failed.
    #[error("store failed: {0}")]
    Failed(String),
}

/// Opens the store that `url` names, `sqlite:PATH`, and makes what is missing: the file, Invenio's
/// tables, windrow's own. On a database that Invenio created only windrow's tables are added.
///
/// # Errors
/// [`StoreError::Open`] when there is no such keeper or it cannot open the database;
/// [`StoreError::NewerSchema`] when a newer windrow wrote it.
pub async fn open(url: &str) -> Result<Arc<dyn Store>, StoreError> {
    let (scheme, path) = url.split_once(':').unwrap_or((url, ""));
    let refused = |message: &str| StoreError::Open {
        // What follows another scheme may hold a password.
        url: if scheme == "sqlite" { url.to_owned() } else { format!("{scheme}:…") },
        message: message.to_owned(),
    };
    let path = path.strip_prefix("//").unwrap_or(path);
    match (scheme, path) {
        ("sqlite", "" | ":memory:") => Err(refused("a store is a file, expected sqlite:PATH")),
        ("sqlite", path) => sqlite::open(url, Path::new(path)).await,
        _ => Err(refused("no keeper for this scheme, expected sqlite:PATH")),
    }
}

/// A keeper of records. Reads see committed data only; every write is one transaction.
#[async_trait]
pub trait Store: Send + Sync {
    // --- what a pipeline writes ------------------------------------------------------------

    /// Begins a run of `pipeline`, or goes on with its last one if that was interrupted and had
    /// the same `definition` (a hash of pipeline and crosswalk) and `fresh` is false. An
    /// interrupted run that is not gone on with becomes abandoned.
    async fn begin_run(
        &self,
        pipeline: &str,
        definition: &str,
        fresh: bool,
        now: Timestamp,
    ) -> Result<Run, StoreError>;

    /// Forgets what a run noted about one split, because its file has changed meanwhile.
    async fn reset_split(&self, run_id: i64, split: &str) -> Result<(), StoreError>;

    /// Writes a batch, its ledger, source and quarantine rows and its checkpoint in one
    /// transaction. Content that is unchanged writes nothing but the checkpoint.
    async fn load(&self, batch: LoadBatch) -> Result<LoadOutcome, StoreError>;

    /// Ends a run with its report (JSON).
    async fn end_run(
        &self,
        run_id: i64,
        state: RunState,
        report: &str,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// The splits of a run with their counts, by name.
    async fn splits(&self, run_id: i64) -> Result<Vec<SplitState>, StoreError>;

    /// Runs, newest first.
    async fn runs(&self, limit: u32) -> Result<Vec<RunSummary>, StoreError>;

    /// Quarantined records, oldest first, of one source or of all.
    async fn quarantine(
        &self,
        source_name: Option<&str>,
        limit: u32,
    ) -> Result<Vec<QuarantineEntry>, StoreError>;

    /// One quarantined record.
    async fn quarantine_entry(&self, id: i64) -> Result<QuarantineEntry, StoreError>;

    // --- single records --------------------------------------------------------------------

    /// Creates a record with its `recid` PID. Fails with `PidTaken` when the PID or the UUID is
    /// in use already.
    async fn create(&self, record: &NewRecord, now: Timestamp) -> Result<StoredRecord, StoreError>;

    /// Writes a new revision (`json` set) or a soft deletion (`json` is `None`) of a record that
    /// is at `expected_revision`; else `Stale`.
    async fn update(
        &self,
        record: &NewRecord,
        expected_revision: i64,
        now: Timestamp,
    ) -> Result<StoredRecord, StoreError>;

    /// The current revision of the record that a PID names; a tombstone has no JSON.
    async fn record(&self, pid_type: &str, pid_value: &str) -> Result<StoredRecord, StoreError>;

    /// All revisions of a record, oldest first.
    async fn revisions(&self, id: Uuid) -> Result<Vec<StoredRecord>, StoreError>;

    // --- what the endpoint reads -----------------------------------------------------------

    /// Items in order of (datestamp, id), deleted ones included, after `query.after`.
    async fn items(&self, query: &ItemQuery) -> Result<Vec<Item>, StoreError>;

    /// How many items `query` has in all, whatever its `after` and `limit`.
    async fn count_items(&self, query: &ItemQuery) -> Result<u64, StoreError>;

    /// The item whose `recid` PID has this value, deleted or not.
    async fn item(&self, pid_value: &str, content: ItemContent)
    -> Result<Option<Item>, StoreError>;

    /// All sets, by setSpec.
    async fn sets(&self) -> Result<Vec<Set>, StoreError>;

    /// The oldest datestamp of any item, deleted ones included.
    async fn earliest_datestamp(&self) -> Result<Option<Datestamp>, StoreError>;

    /// The secret that signs resumption tokens: made once per store, 32 random bytes.
    async fn token_key(&self) -> Result<[u8; 32], StoreError>;

    /// Fails when the store cannot be read.
    async fn ping(&self) -> Result<(), StoreError>;
}
