//! The keeper for a server: PostgreSQL 13 or later, many writers at once.
//!
//! Each write is one transaction on a connection of its own. Rows that exist are locked before
//! they are changed; who comes second waits, and what cannot be waited for is tried again
//! (`patience.rs`).

mod copy;
mod json;
mod moment;
mod patience;
mod planner;
mod schema;
mod running;
mod sets;
mod things;
mod url;
mod lookup;
mod write;
mod settling;
mod load;
mod file_rows;
mod files;
mod follow;
mod projection;
mod redirects;
mod records;
mod pids;
mod runs;
mod quarantine;
mod access;
mod schedule;
mod items;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor};
use uuid::Uuid;

use super::{
    AccessQuery, AccessRow, Followed, Item, ItemContent, ItemQuery, LoadBatch, LoadOutcome,
    Missing, NO_STORE, NewRecord, OutboxRow, QuarantineEntry, QuarantineQuery, RecordChange,
    Redirect, Run, RunState, RunSummary, ScheduleEntry, Set, SplitState, Store, StoreError,
    StoredRecord, StoredThing, without_secrets,
};
use crate::record::{Datestamp, Pid, PidChange, PidName};
use crate::store::extension::Extensions;
use crate::store::listing::Patterns;
use crate::store::settled::Settled;
use patience::{Patience, while_contended};
use planner::{Statistics, WRITING};
pub use projection::Transaction;
use running::Running;
use schema::Tables;
use sets::{SetNumbers, Sets};

const READERS: u32 = 8;
const WRITERS: u32 = 16;
// How long a caller waits for a free connection, and for a server that is not there.
const ACQUIRE: Duration = Duration::from_secs(10);

/// A store in a PostgreSQL database.
pub(super) struct PostgresStore {
    readers: PgPool,
    writers: PgPool,
    tables: Tables,
    extensions: Extensions,
    sets: RwLock<Arc<Sets>>,
    /// The pipelines that this process runs, locked against others.
    running: tokio::sync::Mutex<Running>,
    /// Attempts by run: who has begun a run later has a higher one.
    attempts: RwLock<HashMap<i64, i64>>,
    settled: Settled,
    statistics: Statistics,
    patterns: RwLock<Arc<Patterns>>,
}

/// Opens the database that a URL names, and makes Invenio's and windrow's tables where they are
/// missing; when there are none at all, as `missing` says.
///
/// # Errors
/// [`StoreError::Open`] when it cannot be reached or read; [`StoreError::NewerSchema`] when a newer
/// windrow wrote it. No message has the URL's password.
pub(super) async fn open(
    url: &str,
    extensions: Extensions,
    missing: Missing,
) -> Result<Arc<dyn Store>, StoreError> {
    let refused = |message: String| StoreError::Open { url: without_secrets(url), message };
    let options = url::options(url).map_err(refused)?;
    let wrong = |error: StoreError| match error {
        error @ StoreError::NewerSchema { .. } => error,
        StoreError::Away(message) | StoreError::Failed(message) => refused(message),
        other => refused(other.to_string()),
    };
    let mut connection = options.connect().await.map_err(|error| wrong(error.into()))?;
    if missing == Missing::Refused && schema::is_empty(&mut connection).await.map_err(wrong)? {
        return Err(refused(NO_STORE.to_owned()));
    }
    schema::prepare(&mut connection).await.map_err(wrong)?;
    let tables = schema::tables(&mut connection).await.map_err(wrong)?;
    // The pool makes its own; that this one is not closed with a word is no harm.
    let _closed = connection.close().await;
    let pool = |connections: u32| {
        PgPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE)
    };
    let writers = pool(WRITERS).after_connect(|connection: &mut PgConnection, _| {
        Box::pin(async move { connection.execute(WRITING).await.map(drop) })
    });
    Ok(Arc::new(PostgresStore {
        readers: pool(READERS).connect_lazy_with(options.clone()),
        writers: writers.connect_lazy_with(options.clone()),
        tables,
        extensions,
        sets: RwLock::default(),
        running: tokio::sync::Mutex::new(Running::new(options)),
        attempts: RwLock::default(),
        settled: Settled::default(),
        statistics: Statistics::default(),
        patterns: RwLock::default(),
    }))
}

impl PostgresStore {
    fn known_sets(&self) -> Arc<Sets> {
        Arc::clone(&self.sets.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Remembers sets whose transaction is committed.
    fn learn_sets(&self, numbers: SetNumbers) {
        if numbers.has_news() {
            let mut sets = self.sets.write().unwrap_or_else(PoisonError::into_inner);
            Arc::make_mut(&mut sets).learn(numbers);
        }
    }

    /// The attempt of a run that this process has begun.
    fn attempt_of(&self, run_id: i64) -> Option<i64> {
        self.attempts.read().unwrap_or_else(PoisonError::into_inner).get(&run_id).copied()
    }

    /// After a failure: makes sure that the running pipelines are still locked for this process.
    async fn keep_running(&self) -> Result<(), StoreError> {
        self.running.lock().await.renew().await
    }

    async fn try_begin_run(
        &self,
        (pipeline, definition, fresh): (&str, &str, bool),
        now: Timestamp,
    ) -> Result<Run, StoreError> {
        self.running.lock().await.begin(pipeline).await?;
        let mut writer = self.writers.acquire().await?;
        let mut transaction = writer.begin().await?;
        let run = runs::begin(&mut transaction, pipeline, definition, fresh, now).await?;
        transaction.commit().await?;
        let mut attempts = self.attempts.write().unwrap_or_else(PoisonError::into_inner);
        attempts.insert(run.id, run.attempt);
        Ok(run)
    }
}

/// Repeats what may be done twice, until the server is back.
macro_rules! while_away {
    ($attempt:expr) => {{
        let mut patience = Patience::default();
        loop {
            match $attempt.await {
                Err(error @ (StoreError::Contended(_) | StoreError::Away(_))) => {
                    patience.wait(error).await?;
                }
                result => break result,
            }
        }
    }};
}

#[async_trait]
impl Store for PostgresStore {
    async fn begin_run(
        &self,
        pipeline: &str,
        definition: &str,
        fresh: bool,
        now: Timestamp,
    ) -> Result<Run, StoreError> {
        // An attempt more does no harm, should the first one's answer have been lost.
        while_away!(self.try_begin_run((pipeline, definition, fresh), now))
    }

    fn most_lanes(&self) -> usize {
        // Some are left for single records.
        WRITERS as usize - 4
    }

    async fn reset_split(&self, run_id: i64, split: &str) -> Result<(), StoreError> {
        while_away!(async {
            let mut writer = self.writers.acquire().await?;
            runs::reset_split(&mut writer, run_id, split).await
        })
    }

    async fn load(&self, batch: LoadBatch) -> Result<LoadOutcome, StoreError> {
        load::load(self, batch).await
    }

    async fn end_run(
        &self,
        run_id: i64,
        state: RunState,
        report: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let pipeline = while_away!(async {
            let mut writer = self.writers.acquire().await?;
            runs::end(&mut writer, run_id, state, report, now).await
        })?;
        self.running.lock().await.end(&pipeline).await;
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
        let mut writer = self.writers.acquire().await?;
        quarantine::dismiss(&mut writer, ids).await
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
        self.running.lock().await.claim(pipeline).await
    }

    async fn release(&self, pipeline: &str) {
        self.running.lock().await.release(pipeline).await;
    }

    async fn schedule(&self) -> Result<Vec<ScheduleEntry>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        schedule::list(&mut reader).await
    }

    async fn note_schedule(&self, entry: &ScheduleEntry) -> Result<(), StoreError> {
        while_away!(async {
            let mut writer = self.writers.acquire().await?;
            schedule::note(&mut writer, entry).await
        })
    }

    async fn note_redirects(
        &self,
        source_name: &str,
        redirects: &[Redirect],
    ) -> Result<u64, StoreError> {
        while_contended!(async {
            let mut writer = self.writers.acquire().await?;
            redirects::note(&mut writer, source_name, redirects).await
        })
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
        while_contended!(async {
            let mut writer = self.writers.acquire().await?;
            redirects::close(&mut writer, source_name, from).await
        })
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
        while_contended!(records::create(self, record, now))
    }

    async fn change(
        &self,
        id: Uuid,
        change: &RecordChange,
        now: Timestamp,
    ) -> Result<StoredRecord, StoreError> {
        while_contended!(records::change(self, id, change, now))
    }

    async fn erase(
        &self,
        id: Uuid,
        expected_revision: i64,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        while_contended!(records::erase(self, id, expected_revision, now))
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
        while_contended!(pids::create(self, pid, now))
    }

    async fn change_pid(
        &self,
        name: &PidName,
        change: &PidChange,
        now: Timestamp,
    ) -> Result<Option<Pid>, StoreError> {
        while_contended!(pids::change(self, name, change, now))
    }

    async fn next_recid(&self) -> Result<i64, StoreError> {
        while_contended!(pids::next_recid(self))
    }

    async fn outbox(&self, limit: u32) -> Result<Vec<OutboxRow>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        projection::outbox(&mut reader, limit).await
    }

    async fn clear_outbox(&self, number: i64) -> Result<(), StoreError> {
        let mut writer = self.writers.acquire().await?;
        projection::clear_outbox(&mut writer, number).await
    }

    async fn record(&self, pid_type: &str, pid_value: &str) -> Result<StoredRecord, StoreError> {
        let mut reader = self.readers.acquire().await?;
        records::by_pid(&mut reader, pid_type, pid_value).await
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
        while_away!(async {
            let mut reader = self.readers.acquire().await?;
            items::fingerprint(&mut reader, query).await.map(Some)
        })
    }

    async fn generation(&self) -> Result<Option<String>, StoreError> {
        while_away!(async {
            let mut reader = self.readers.acquire().await?;
            items::generation(&mut reader).await.map(Some)
        })
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
        let look = async |now| {
            let mut connection = self.readers.acquire().await?;
            settling::look(&mut connection, now).await
        };
        self.settled.up_to(now, look).await
    }

    async fn follow(&self, now: Timestamp, limit: u32) -> Result<Followed, StoreError> {
        while_contended!(follow::follow(self, now, limit))
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
