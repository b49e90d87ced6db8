//! Extension points: what else happens when a record is inserted, updated, deleted or reverted.
//!
//! The OAI projection and the outbox of the index are extensions as any other. Single records and
//! loads call them alike, inside the transaction that changes the record: what an extension
//! refuses is not written, and what it fails at rolls everything back.

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use super::{StoreError, change::Change, postgres, sqlite};

/// What happens to a record with a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It is new.
    Insert,
    /// It has other content.
    Update,
    /// It becomes a tombstone.
    Delete,
    /// A tombstone has content again.
    Undelete,
    /// It has the content of an earlier revision again.
    Revert,
    /// It goes for good; its past and its PIDs stay.
    Erase,
}

impl Event {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Event::Insert => "insert",
            Event::Update => "update",
            Event::Delete => "delete",
            Event::Undelete => "undelete",
            Event::Revert => "revert",
            Event::Erase => "erase",
        }
    }
}

/// A revision that is about to be written.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'d> {
    /// The record.
    pub id: Uuid,
    /// What happens to it.
    pub event: Event,
    /// Canonical JSON; `None` when it goes.
    pub json: Option<&'d str>,
}

/// Why an extension does not let a revision in: a load puts the record into quarantine, a single
/// change fails with [`StoreError::Refused`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A stable code.
    pub code: String,
    /// What was found and expected.
    pub message: String,
}

/// The transaction that changes records, by keeper.
pub enum Transaction<'t> {
    /// Of the SQLite keeper.
    Sqlite(sqlite::Transaction<'t>),
    /// Of the PostgreSQL keeper.
    Postgres(postgres::Transaction<'t>),
}

/// Something that has to know of every change of a record.
#[async_trait]
pub trait Extension: Send + Sync {
    /// Called for each revision before anything of it is written.
    ///
    /// # Errors
    /// A [`Refusal`] keeps the revision out.
    fn before(&self, draft: Draft<'_>) -> Result<(), Refusal> {
        let _all_are_welcome = draft;
        Ok(())
    }

    /// Called once for each transaction that changes records, when their rows, revisions and PIDs
    /// are written.
    ///
    /// # Errors
    /// Any error rolls the transaction back.
    async fn after(
        &self,
        changes: &[Change],
        transaction: &mut Transaction<'_>,
    ) -> Result<(), StoreError>;
}

/// The extensions of a store, in the order in which they are called.
pub type Extensions = Arc<[Arc<dyn Extension>]>;

/// Those that every store has: the OAI projection and the outbox of the index.
#[must_use]
pub fn standard() -> Vec<Arc<dyn Extension>> {
    vec![Arc::new(OaiProjection), Arc::new(Outbox)]
}

/// The first refusal of a draft, if any.
pub(super) fn refusal(extensions: &[Arc<dyn Extension>], draft: Draft<'_>) -> Option<Refusal> {
    extensions.iter().find_map(|extension| extension.before(draft).err())
}

/// Tells every extension what has been written.
pub(super) async fn tell(
    extensions: &[Arc<dyn Extension>],
    changes: &[Change],
    transaction: &mut Transaction<'_>,
) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    for extension in extensions {
        extension.after(changes, transaction).await?;
    }
    Ok(())
}

/// Keeps `windrow_oai`: the records as OAI-PMH lists them.
struct OaiProjection;

#[async_trait]
impl Extension for OaiProjection {
    async fn after(
        &self,
        changes: &[Change],
        transaction: &mut Transaction<'_>,
    ) -> Result<(), StoreError> {
        match transaction {
            Transaction::Sqlite(transaction) => transaction.project(changes).await,
            Transaction::Postgres(transaction) => transaction.project(changes).await,
        }
    }
}

/// Keeps `windrow_outbox`: what changed, in order, for whoever indexes it.
struct Outbox;

#[async_trait]
impl Extension for Outbox {
    async fn after(
        &self,
        changes: &[Change],
        transaction: &mut Transaction<'_>,
    ) -> Result<(), StoreError> {
        match transaction {
            Transaction::Sqlite(transaction) => transaction.announce(changes).await,
            Transaction::Postgres(transaction) => transaction.announce(changes).await,
        }
    }
}
