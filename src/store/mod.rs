//! The core records store: an Invenio v3 database, whoever keeps it.
//!
//! Tables and columns of records, revisions and PIDs carry Invenio's names and meaning; what
//! Invenio has no table for lives in tables named `windrow_*`.

mod types;

use async_trait::async_trait;
use thiserror::Error;
use uuid::Uuid;

pub use types::{Item, ItemContent, ItemHeader, ItemQuery, Set, SourceBytes};

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

/// A keeper of records. Reads see committed data only; every write is one transaction.
#[async_trait]
pub trait Store: Send + Sync {
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
