//! The core records store: an Invenio v3 database, whoever keeps it.
//!
//! Tables and columns of records, revisions and PIDs carry Invenio's names and meaning; what
//! Invenio has no table for lives in tables named `windrow_*`.

mod types;
mod parts;
mod access;
mod kinds;
mod extension;
mod claims;
mod columns;
mod failure;
mod change;
mod history;
mod lookup;
mod files;
mod filing;
mod shelf;
mod plan;
mod quarantine;
mod redirects;
mod follow;
mod listing;
mod settled;
mod single;
mod postgres;
mod sqlite;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use thiserror::Error;
use uuid::Uuid;

pub use access::{AccessNote, AccessOutcome, AccessQuery, AccessRow, AccessTold};
pub use change::{Change, RecordState, Revision, SourceChange};
pub use extension::{Draft, Event, Extension, Refusal, Transaction, standard};
pub use files::{Bucket, DueQuery, FileStore, Location, ObjectVersion, StoredInstance};
pub use follow::Followed;
pub use kinds::{BYTES, FILES, KindCounts, Kinds, REDIRECTS, RESERVED, REVISIONS};
pub use parts::{Brings, EarlierRevision, Redirect, StoredThing, Thing};
pub use quarantine::{QuarantineEntry, QuarantineQuery, Quarantined};
pub use redirects::make_redirects;
pub use types::{
    Checkpoint, CopyBytes, Counts, Item, ItemContent, ItemHeader, ItemQuery, LoadBatch,
    LoadOutcome, LoadRecord, Membership, NewRecord, OutboxRow, RecordChange, Run, RunState,
    RunSummary, ScheduleEntry, Set, SourceBytes, SourceCopy, SplitState, StoredRecord, ZSTD_LEVEL,
};

use crate::record::{Datestamp, Pid, PidChange, PidError, PidName};

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
    /// What was asked for is not there.
    #[error("there is no {0}")]
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
    /// A PID belongs to another record, or can name none.
    #[error("{0}")]
    PidTaken(String),
    /// A record has or had this UUID; it is not given twice.
    #[error("UUID {0} is or was another record's")]
    IdTaken(Uuid),
    /// The record is a tombstone, which the change does not expect.
    #[error("record {0} is deleted")]
    Deleted(Uuid),
    /// A PID of this name is there already.
    #[error("PID {0} exists already")]
    PidExists(PidName),
    /// The state of a PID does not allow the change.
    #[error("{0}")]
    Pid(#[from] PidError),
    /// An extension does not let the change in.
    #[error("{message}")]
    Refused {
        /// The extension's code.
        code: String,
        /// What it found and expected.
        message: String,
    },
    /// A set's search pattern is none.
    #[error("search pattern of set {spec} is not understood: {message}")]
    Pattern {
        /// Its setSpec.
        spec: String,
        /// What is wrong with it, and where.
        message: String,
    },
    /// The database cannot hold a value.
    #[error("store cannot hold a value: {message} [{code}]")]
    Unstorable {
        /// The SQLSTATE.
        code: String,
        /// The keeper's reason.
        message: String,
    },
    /// Others wrote the same at the same time; the next attempt may get through.
    #[error("store is contended: {0}")]
    Contended(String),
    /// The database cannot be reached; it may be back soon.
    #[error("store is away: {0}")]
    Away(String),
    /// Its disk is full.
    #[error("store's disk is full: {0}")]
    Full(String),
    /// It does not take writes.
    #[error("store is read-only: {0}")]
    ReadOnly(String),
    /// Another process runs this pipeline.
    #[error("pipeline {0} is being run by another process")]
    Running(String),
    /// The database holds something it must not.
    #[error("store is damaged: {0}")]
    Damaged(String),
    /// The keeper failed.
    #[error("store failed: {0}")]
    Failed(String),
}

impl StoreError {
    /// A stable code.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            StoreError::Open { .. } => "open",
            StoreError::NewerSchema { .. } => "newer_schema",
            StoreError::NotFound(_) => "not_found",
            StoreError::Stale { .. } => "stale",
            StoreError::PidTaken(_) => "pid_taken",
            StoreError::IdTaken(_) => "id_taken",
            StoreError::Deleted(_) => "deleted",
            StoreError::PidExists(_) => "pid_exists",
            StoreError::Pid(error) => error.code(),
            StoreError::Refused { code, .. } => code,
            StoreError::Pattern { .. } => "pattern",
            StoreError::Unstorable { .. } => "unstorable",
            StoreError::Contended(_) => "contended",
            StoreError::Away(_) => "away",
            StoreError::Full(_) => "full",
            StoreError::ReadOnly(_) => "read_only",
            StoreError::Running(_) => "running",
            StoreError::Damaged(_) => "damaged",
            StoreError::Failed(_) => "failed",
        }
    }

    /// Whether a write that failed so may be in the database all the same: its answer was lost.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        matches!(self, StoreError::Away(_) | StoreError::Failed(_))
    }

    /// Whether the same call may succeed a little later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, StoreError::Contended(_) | StoreError::Away(_) | StoreError::Running(_))
    }
}

/// Opens the store that `url` names, `sqlite:PATH` or `postgresql://…`, and makes what is missing:
/// the file, Invenio's tables, windrow's own. On a database that Invenio created only windrow's tables are added.
///
/// # Errors
/// [`StoreError::Open`] when there is no such keeper or it cannot open the database;
/// [`StoreError::NewerSchema`] when a newer windrow wrote it.
pub async fn open(url: &str) -> Result<Arc<dyn Store>, StoreError> {
    open_with(url, standard()).await
}

/// Opens a store that must be there: a file, or a database with tables of Invenio's or windrow's.
///
/// # Errors
/// As [`open`]; [`StoreError::Open`] when there is no store.
pub async fn open_existing(url: &str) -> Result<Arc<dyn Store>, StoreError> {
    open_or(url, standard(), Missing::Refused).await
}

/// What becomes of a store that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Made,
    Refused,
}

const NO_STORE: &str = "there is no store; `windrow run PIPELINE` makes one";

/// Opens a store with these extensions in place of the [`standard`] ones.
///
/// # Errors
/// As [`open`].
pub async fn open_with(
    url: &str,
    extensions: Vec<Arc<dyn Extension>>,
) -> Result<Arc<dyn Store>, StoreError> {
    open_or(url, extensions, Missing::Made).await
}

async fn open_or(
    url: &str,
    extensions: Vec<Arc<dyn Extension>>,
    missing: Missing,
) -> Result<Arc<dyn Store>, StoreError> {
    let (scheme, path) = url.split_once(':').unwrap_or((url, ""));
    let refused =
        |message: &str| StoreError::Open { url: without_secrets(url), message: message.to_owned() };
    match (scheme, path.strip_prefix("//").unwrap_or(path)) {
        ("sqlite", "" | ":memory:") => Err(refused("a store is a file, expected sqlite:PATH")),
        ("sqlite", path) if missing == Missing::Refused && !Path::new(path).exists() => {
            Err(refused(NO_STORE))
        }
        ("sqlite", path) => sqlite::open(url, Path::new(path), extensions.into()).await,
        ("postgresql" | "postgres", _) => postgres::open(url, extensions.into(), missing).await,
        _ => Err(refused("no keeper for this scheme, expected sqlite:PATH or postgresql://…")),
    }
}

/// The URL as it may be shown: of a server's, user, host, port and database.
#[must_use]
pub fn without_secrets(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once(':') else { return url.to_owned() };
    if scheme == "sqlite" {
        return url.to_owned();
    }
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    // A password may have an unescaped @ of its own: the host begins behind the last one.
    match rest.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split(':').next().unwrap_or(user);
            format!("{scheme}://{user}@{host}")
        }
        None => format!("{scheme}://{rest}"),
    }
}

/// A keeper of records. Reads see committed data only; every write is one transaction.
#[async_trait]
pub trait Store: FileStore {
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

    /// How many batches may be loaded at once; of those of one split, each needs a lane of its own.
    fn most_lanes(&self) -> usize {
        1
    }

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

    /// Quarantined records, oldest first.
    async fn quarantine(&self, query: &QuarantineQuery)
    -> Result<Vec<QuarantineEntry>, StoreError>;

    /// One quarantined record.
    async fn quarantine_entry(&self, id: i64) -> Result<QuarantineEntry, StoreError>;

    /// Takes records out of quarantine by their numbers there; how many were in it.
    async fn dismiss(&self, ids: &[i64]) -> Result<u64, StoreError>;

    /// What sources said of who may see their records, in the order in which it was written.
    async fn access(&self, query: &AccessQuery) -> Result<Vec<AccessRow>, StoreError>;

    /// Identifiers of the records that are live and come from this source, in the keeper's order,
    /// behind `after` (the empty text is before all of them).
    async fn live_source_ids(
        &self,
        source_name: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<String>, StoreError>;

    /// Keeps others from running a pipeline until it is released as often as it was claimed, or this
    /// process ends; the end of a run within the claim does not release it. Fails with `Running`
    /// when another process has it.
    async fn claim(&self, pipeline: &str) -> Result<(), StoreError>;

    /// Takes a claim back; nothing happens when there is none.
    async fn release(&self, pipeline: &str);

    /// The pipelines that run at set times, by name.
    async fn schedule(&self) -> Result<Vec<ScheduleEntry>, StoreError>;

    /// Notes how far a pipeline's schedule is served.
    async fn note_schedule(&self, entry: &ScheduleEntry) -> Result<(), StoreError>;

    // --- single records --------------------------------------------------------------------

    /// Creates a record with its PIDs. Fails with `PidTaken` when one of them names another
    /// record, with `IdTaken` when a record has or had the UUID.
    async fn create(&self, record: &NewRecord, now: Timestamp) -> Result<StoredRecord, StoreError>;

    /// Writes a new revision, a soft deletion (`json` is `None`; `Deleted` when it is one already)
    /// or new content for a tombstone; `Stale` when the record is not at the expected revision.
    /// With the record its PIDs become deleted, or are registered again.
    async fn change(
        &self,
        id: Uuid,
        change: &RecordChange,
        now: Timestamp,
    ) -> Result<StoredRecord, StoreError>;

    /// Removes a record, live or tombstone, for good: its revisions stay, its PIDs are deleted, its
    /// UUID is not given again, and it is still listed as deleted.
    async fn erase(
        &self,
        id: Uuid,
        expected_revision: i64,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// The current revision of the record that a PID names, whatever its status; redirects are
    /// followed. A tombstone has no JSON.
    async fn record(&self, pid_type: &str, pid_value: &str) -> Result<StoredRecord, StoreError>;

    /// The current revision of the record with this UUID; a tombstone has no JSON.
    async fn record_by_id(&self, id: Uuid) -> Result<StoredRecord, StoreError>;

    /// All revisions of a record, oldest first.
    async fn revisions(&self, id: Uuid) -> Result<Vec<StoredRecord>, StoreError>;

    // --- PIDs ------------------------------------------------------------------------------

    /// One PID.
    async fn pid(&self, name: &PidName) -> Result<Option<Pid>, StoreError>;

    /// The PIDs that name a record, by type and value.
    async fn pids(&self, id: Uuid) -> Result<Vec<Pid>, StoreError>;

    /// Makes a PID; `PidExists` when there is one of its name, `NotFound` when what it leads to
    /// is not there.
    async fn create_pid(&self, pid: &Pid, now: Timestamp) -> Result<(), StoreError>;

    /// Changes a PID by the rules of [`Pid::changed`] and gives what it is then, `None` when it is
    /// gone. Chains of redirects never close to a circle.
    async fn change_pid(
        &self,
        name: &PidName,
        change: &PidChange,
        now: Timestamp,
    ) -> Result<Option<Pid>, StoreError>;

    /// The next number of Invenio's sequence of recids, above all that it has and that no PID is.
    /// It is not given again.
    async fn next_recid(&self) -> Result<i64, StoreError>;

    /// Notes recids that are to lead to others; how many of them are new, or lead elsewhere now.
    async fn note_redirects(
        &self,
        source_name: &str,
        redirects: &[Redirect],
    ) -> Result<u64, StoreError>;

    /// Redirects of a source that are not made yet, by recid behind `after`.
    async fn open_redirects(
        &self,
        source_name: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Redirect>, StoreError>;

    /// Notes that a redirect is made.
    async fn close_redirect(&self, source_name: &str, from: &str) -> Result<(), StoreError>;

    /// Things of all sources that are no records, by source, kind and key; of one kind or of all,
    /// behind `after` (source, kind and key).
    async fn things(
        &self,
        kind: Option<&str>,
        after: (&str, &str, &str),
        limit: u32,
    ) -> Result<Vec<StoredThing>, StoreError>;

    /// One thing of a source.
    async fn thing(
        &self,
        source_name: &str,
        kind: &str,
        key: &str,
    ) -> Result<Option<StoredThing>, StoreError>;

    // --- what an index reads ---------------------------------------------------------------

    /// The oldest changes that no index has taken notice of, in order.
    async fn outbox(&self, limit: u32) -> Result<Vec<OutboxRow>, StoreError>;

    /// Forgets the changes up to a number: they are indexed.
    async fn clear_outbox(&self, number: i64) -> Result<(), StoreError>;

    // --- what the endpoint reads -----------------------------------------------------------

    /// Items in order of (datestamp, id), deleted ones included, after `query.after`; fails with
    /// `Pattern` for a set whose search pattern is none.
    async fn items(&self, query: &ItemQuery) -> Result<Vec<Item>, StoreError>;

    /// What the items of `query` amount to, where the keeper can tell faster than by reading them:
    /// as long as it is the same text, [`Store::items`] gives the same.
    async fn fingerprint(&self, _query: &ItemQuery) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    /// Another text as soon as anything that can be read has changed, where the keeper can tell.
    async fn generation(&self) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    /// How many items `query` has in all, whatever its `after` and `limit`.
    async fn count_items(&self, query: &ItemQuery) -> Result<u64, StoreError>;

    /// The item whose `recid` PID has this value, deleted or not.
    async fn item(&self, pid_value: &str, content: ItemContent)
    -> Result<Option<Item>, StoreError>;

    /// All sets, by setSpec.
    async fn sets(&self) -> Result<Vec<Set>, StoreError>;

    /// The latest moment up to `now` of which all is settled: every item that has, or will ever
    /// get, an earlier datestamp can be seen by a read that begins when this has answered.
    ///
    /// A list is to be answered so: first this, which is the responseDate and the latest `until`;
    /// then the items. Whoever asks again `from` that responseDate misses nothing, whatever
    /// commits in between and however late. It is never after the store's own clock.
    async fn settled(&self, now: Timestamp) -> Result<Datestamp, StoreError>;

    /// Brings what OAI-PMH lists a step closer to what others have made of the records: looks at up
    /// to `limit` records that Invenio has written, or that a changed search pattern of a set may
    /// concern. Each step is a transaction that goes on where the last one, of whatever process,
    /// has stopped; when two come at once, one of them does nothing.
    ///
    /// To be called until there is no `more`, and again every few seconds. What windrow itself
    /// writes is listed without it. When there is nothing more to do and the search pattern of a
    /// set is none, it fails with `Pattern`; the members of that set stay as they are.
    async fn follow(&self, now: Timestamp, limit: u32) -> Result<Followed, StoreError>;

    /// The oldest datestamp of any item, deleted ones included.
    async fn earliest_datestamp(&self) -> Result<Option<Datestamp>, StoreError>;

    /// The secret that signs resumption tokens: made once per store, 32 random bytes.
    async fn token_key(&self) -> Result<[u8; 32], StoreError>;

    /// Fails when the store cannot be read.
    async fn ping(&self) -> Result<(), StoreError>;
}
