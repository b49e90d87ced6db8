//! The embedded keeper: one SQLite file in WAL mode, one writer, a few readers.
//!
//! The writer is one connection behind a lock, and every write is one `begin immediate`
//! transaction: so writes of this process queue up here, those of other processes at SQLite's own
//! lock. Readers have a pool of their own and never wait for the writer.

mod schema;
mod sql;
mod sets;
mod things;
mod lookup;
mod write;
mod projection;
mod redirects;
mod settling;
mod load;
mod file_rows;
mod files;
mod follow;
mod records;
mod pids;
#[cfg(test)]
mod plans;
mod running;
mod runs;
mod quarantine;
mod access;
mod schedule;
mod items;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{
    AccessQuery, AccessRow, Followed, Item, ItemContent, ItemQuery, LoadBatch, LoadOutcome,
    NewRecord, OutboxRow, QuarantineEntry, QuarantineQuery, RecordChange, Redirect, Run, RunState,
    RunSummary, ScheduleEntry, Set, SplitState, Store, StoreError, StoredRecord, StoredThing,
};
use crate::record::{Datestamp, Pid, PidChange, PidName};
use crate::store::extension::Extensions;
use crate::store::listing::Patterns;
pub use projection::Transaction;
use running::Running;
use sets::SetNumbers;
use settling::Settling;

const READERS: u32 = 4;

/// A store in one SQLite file.
pub(super) struct SqliteStore {
    readers: SqlitePool,
    writer: Mutex<Writer>,
    /// The pipelines that this process runs, locked against others.
    running: Mutex<Running>,
    settling: Settling,
}

/// The one connection that writes.
struct Writer {
    connection: SqliteConnection,
    knowledge: Knowledge,
}

/// What the writer remembers of what is committed, and whom it tells of changes.
struct Knowledge {
    sets: SetNumbers,
    patterns: Arc<Patterns>,
    extensions: Extensions,
}

impl Knowledge {
    fn new(extensions: Extensions) -> Knowledge {
        Knowledge { sets: SetNumbers::default(), patterns: Arc::default(), extensions }
    }

    /// For a transaction, and to be given back once it is committed: what it has learnt of sets
    /// is forgotten when it fails.
    fn take(&mut self) -> Knowledge {
        let extensions = Arc::clone(&self.extensions);
        std::mem::replace(self, Knowledge::new(extensions))
    }
}

/// Opens the SQLite file at `path`, and creates it and windrow's tables where they are missing.
///
/// # Errors
/// [`StoreError::Open`] when the file cannot be made or is no database;
/// [`StoreError::NewerSchema`] when a newer windrow wrote it.
pub(super) async fn open(
    url: &str,
    path: &Path,
    extensions: Extensions,
) -> Result<Arc<dyn Store>, StoreError> {
    let refused = |message: String| StoreError::Open { url: url.to_owned(), message };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(refused(format!("folder {} does not exist", folder.display())));
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(Duration::from_secs(30))
        .foreign_keys(true)
        .statement_cache_capacity(200)
        // A chunk of a page goes through without a pause of whoever reads it from the file.
        .row_buffer_size(256)
        .disable_statement_logging();
    let writing = options
        .clone()
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        // Random UUIDs touch random pages of every index: 64 MiB hold the inner ones of
        // millions of records.
        .pragma("cache_size", "-65536")
        .pragma("temp_store", "memory");
    let mut connection = writing.connect().await.map_err(|error| refused(error.to_string()))?;
    schema::prepare(&mut connection).await.map_err(|error| match error {
        StoreError::Failed(message) => refused(message),
        other => other,
    })?;
    let writer = Mutex::new(Writer { connection, knowledge: Knowledge::new(extensions) });
    let running = Mutex::new(Running::new(path));
    let settling = Settling::new(options.clone());
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .test_before_acquire(false)
        .connect_lazy_with(options.pragma("query_only", "on"));
    Ok(Arc::new(SqliteStore { readers, writer, running, settling }))
}

#[async_trait]
impl Store for SqliteStore {
    async fn begin_run(
        &self,
        pipeline: &str,
        definition: &str,
        fresh: bool,
        now: Timestamp,
    ) -> Result<Run, StoreError> {
        self.running.lock().await.begin(pipeline)?;
        let connection = &mut self.writer.lock().await.connection;
        let mut transaction = connection.begin_with("begin immediate").await?;
        let run = runs::begin(&mut transaction, pipeline, definition, fresh, now).await?;
        transaction.commit().await?;
        Ok(run)
    }

    async fn reset_split(&self, run_id: i64, split: &str) -> Result<(), StoreError> {
        runs::reset_split(&mut self.writer.lock().await.connection, run_id, split).await
    }

    async fn load(&self, batch: LoadBatch) -> Result<LoadOutcome, StoreError> {
        load::load(&mut *self.writer.lock().await, batch).await
    }

    async fn end_run(
        &self,
        run_id: i64,
        state: RunState,
        report: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let pipeline = runs::end(&mut writer.connection, run_id, state, report, now).await?;
        self.running.lock().await.end(&pipeline);
        // The file shall hold all of the run by itself, for whoever copies it. A reader that is
        // at work puts this off; nothing is lost by that.
        let whole = sqlx::query("pragma wal_checkpoint(truncate)");
        if let Err(error) = whole.execute(&mut writer.connection).await {
            tracing::warn!(%error, "the store's newest records stay in its -wal file");
        }
        Ok(())
    }

    async fn splits(&self, run_id: i64) -> Result<Vec<SplitState>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        runs::splits(&mut reader, run_id).await
    }

    async fn runs(&self, limit: u32) -> Result<Vec<RunSummary>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        runs::list(&mut reader, limit).await
    }

    async fn quarantine(
        &self,
        query: &QuarantineQuery,
    ) -> Result<Vec<QuarantineEntry>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        quarantine::list(&mut reader, query).await
    }

    async fn quarantine_entry(&self, id: i64) -> Result<QuarantineEntry, StoreError> {
        let mut reader = self.readers.acquire().await?;
        quarantine::entry(&mut reader, id).await
    }

    async fn dismiss(&self, ids: &[i64]) -> Result<u64, StoreError> {
        let mut writer = self.writer.lock().await;
        quarantine::dismiss(&mut writer.connection, ids).await
    }

    async fn access(&self, query: &AccessQuery) -> Result<Vec<AccessRow>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        access::list(&mut reader, query).await
    }

    async fn live_source_ids(
        &self,
        source_name: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        runs::live_source_ids(&mut reader, source_name, after, limit).await
    }

    async fn claim(&self, pipeline: &str) -> Result<(), StoreError> {
        self.running.lock().await.claim(pipeline)
    }

    async fn release(&self, pipeline: &str) {
        self.running.lock().await.release(pipeline);
    }

    async fn schedule(&self) -> Result<Vec<ScheduleEntry>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        schedule::list(&mut reader).await
    }

    async fn note_schedule(&self, entry: &ScheduleEntry) -> Result<(), StoreError> {
        schedule::note(&mut self.writer.lock().await.connection, entry).await
    }

    async fn note_redirects(
        &self,
        source_name: &str,
        redirects: &[Redirect],
    ) -> Result<u64, StoreError> {
        let mut writer = self.writer.lock().await;
        redirects::note(&mut writer.connection, source_name, redirects).await
    }

    async fn open_redirects(
        &self,
        source_name: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Redirect>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        redirects::open(&mut reader, source_name, after, limit).await
    }

    async fn close_redirect(&self, source_name: &str, from: &str) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        redirects::close(&mut writer.connection, source_name, from).await
    }

    async fn things(
        &self,
        kind: Option<&str>,
        after: (&str, &str, &str),
        limit: u32,
    ) -> Result<Vec<StoredThing>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        things::list(&mut reader, kind, after, limit).await
    }

    async fn thing(
        &self,
        source_name: &str,
        kind: &str,
        key: &str,
    ) -> Result<Option<StoredThing>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        things::one(&mut reader, source_name, kind, key).await
    }

    async fn create(&self, record: &NewRecord, now: Timestamp) -> Result<StoredRecord, StoreError> {
        records::create(&mut *self.writer.lock().await, record, now).await
    }

    async fn change(
        &self,
        id: Uuid,
        change: &RecordChange,
        now: Timestamp,
    ) -> Result<StoredRecord, StoreError> {
        records::change(&mut *self.writer.lock().await, id, change, now).await
    }

    async fn erase(
        &self,
        id: Uuid,
        expected_revision: i64,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        records::erase(&mut *self.writer.lock().await, id, expected_revision, now).await
    }

    async fn record(&self, pid_type: &str, pid_value: &str) -> Result<StoredRecord, StoreError> {
        let mut reader = self.readers.acquire().await?;
        records::by_pid(&mut reader, pid_type, pid_value).await
    }

    async fn record_by_id(&self, id: Uuid) -> Result<StoredRecord, StoreError> {
        let mut reader = self.readers.acquire().await?;
        records::by_id(&mut reader, id).await
    }

    async fn pid(&self, name: &PidName) -> Result<Option<Pid>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        pids::one(&mut reader, name).await
    }

    async fn pids(&self, id: Uuid) -> Result<Vec<Pid>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        pids::of_record(&mut reader, id).await
    }

    async fn create_pid(&self, pid: &Pid, now: Timestamp) -> Result<(), StoreError> {
        pids::create(&mut *self.writer.lock().await, pid, now).await
    }

    async fn change_pid(
        &self,
        name: &PidName,
        change: &PidChange,
        now: Timestamp,
    ) -> Result<Option<Pid>, StoreError> {
        pids::change(&mut *self.writer.lock().await, name, change, now).await
    }

    async fn next_recid(&self) -> Result<i64, StoreError> {
        pids::next_recid(&mut *self.writer.lock().await).await
    }

    async fn outbox(&self, limit: u32) -> Result<Vec<OutboxRow>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        projection::outbox(&mut reader, limit).await
    }

    async fn clear_outbox(&self, number: i64) -> Result<(), StoreError> {
        projection::clear_outbox(&mut self.writer.lock().await.connection, number).await
    }

    async fn revisions(&self, id: Uuid) -> Result<Vec<StoredRecord>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        records::revisions(&mut reader, id).await
    }

    async fn items(&self, query: &ItemQuery) -> Result<Vec<Item>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        items::list(&mut reader, query).await
    }

    async fn fingerprint(&self, query: &ItemQuery) -> Result<Option<String>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        items::fingerprint(&mut reader, query).await.map(Some)
    }

    async fn generation(&self) -> Result<Option<String>, StoreError> {
        self.settling.generation().await
    }

    async fn count_items(&self, query: &ItemQuery) -> Result<u64, StoreError> {
        let mut reader = self.readers.acquire().await?;
        items::count(&mut reader, query).await
    }

    async fn item(
        &self,
        pid_value: &str,
        content: ItemContent,
    ) -> Result<Option<Item>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        items::one(&mut reader, pid_value, content).await
    }

    async fn sets(&self) -> Result<Vec<Set>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        items::sets(&mut reader).await
    }

    async fn settled(&self, now: Timestamp) -> Result<Datestamp, StoreError> {
        self.settling.up_to(now).await
    }

    async fn follow(&self, now: Timestamp, limit: u32) -> Result<Followed, StoreError> {
        follow::follow(&mut *self.writer.lock().await, now, limit).await
    }

    async fn earliest_datestamp(&self) -> Result<Option<Datestamp>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        items::earliest_datestamp(&mut reader).await
    }

    async fn token_key(&self) -> Result<[u8; 32], StoreError> {
        let mut reader = self.readers.acquire().await?;
        schema::token_key(&mut reader).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let mut reader = self.readers.acquire().await?;
        schema::version(&mut reader).await.map(drop)
    }
}
