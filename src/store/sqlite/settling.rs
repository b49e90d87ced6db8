//! Up to when everything can be seen: one writer at a time, so between two of them all of it can.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, query, query_scalar};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::record::Datestamp;
use crate::store::StoreError;
use crate::store::change::Change;
use crate::store::settled::{Moments, Settled};

// So long a caller waits for the writer at work, before it takes what is settled already.
const BUSY: Duration = Duration::from_millis(50);
// Whoever is faster by looking at the items waits no longer for the connection.
const A_MOMENT: Duration = Duration::from_millis(1);
// So often when nothing is settled yet: half a minute.
const ATTEMPTS: u32 = 600;

const GIVEN: &str = "select value from windrow_setting where name = 'response_date'";

/// A connection of its own: the writer's would wait for whole batches.
pub(super) struct Settling {
    options: SqliteConnectOptions,
    connection: Mutex<Option<SqliteConnection>>,
    settled: Settled,
}

impl Settling {
    /// Not connected yet.
    pub(super) fn new(options: SqliteConnectOptions) -> Settling {
        Settling { options, connection: Mutex::default(), settled: Settled::default() }
    }

    /// See `Store::settled`.
    pub(super) async fn up_to(&self, now: Timestamp) -> Result<Datestamp, StoreError> {
        self.settled.up_to(now, async |now| self.look(now).await).await
    }

    /// See `Store::generation`: what others have committed, as this connection sees it. Its own
    /// commits, by which `response_date` goes on each second, are not counted.
    pub(super) async fn generation(&self) -> Result<Option<String>, StoreError> {
        let Ok(mut place) = timeout(A_MOMENT, self.connection.lock()).await else {
            return Ok(None);
        };
        let Some(connection) = &mut *place else { return Ok(None) };
        let version: i64 = query_scalar("pragma data_version").fetch_one(connection).await?;
        Ok(Some(version.to_string()))
    }

    // Connecting may have to wait longer: for another process that is just opening the file.
    async fn connect(&self) -> Result<SqliteConnection, StoreError> {
        let mut connection = self.options.connect().await?;
        let busy = format!("pragma busy_timeout = {}", BUSY.as_millis());
        query(AssertSqlSafe(busy)).execute(&mut connection).await?;
        Ok(connection)
    }

    async fn look(&self, now: i64) -> Result<i64, StoreError> {
        let now = now.min(Datestamp::from(Timestamp::now()).as_second());
        let mut place = self.connection.lock().await;
        let connection = match &mut *place {
            Some(connection) => connection,
            place => place.insert(self.connect().await?),
        };
        let mut attempts = 0;
        loop {
            let mut standing = None;
            let advanced = async {
                standing = given(connection).await?;
                advance(connection, now).await
            };
            match advanced.await {
                // Writers bring it forward themselves.
                Err(StoreError::Contended(message)) => match standing {
                    Some(given) => return Ok(given),
                    None if attempts < ATTEMPTS => attempts += 1,
                    None => return Err(StoreError::Contended(message)),
                },
                result => return result,
            }
        }
    }
}

/// Gives changes their datestamps within the transaction that writes them.
pub(super) async fn stamp(
    connection: &mut SqliteConnection,
    changes: &mut [Change],
    now: Timestamp,
) -> Result<(), StoreError> {
    let given = given(connection).await?;
    let now = Datestamp::from(now.min(Timestamp::now())).as_second();
    Moments { now, given }.stamp(changes);
    // Whoever sees this transaction sees all before it: so `response_date` goes on even if a load
    // leaves nobody else time to write.
    if given.is_some_and(|given| given < now) {
        let forward = "update windrow_setting set value = ? where name = 'response_date'";
        query(forward).bind(now).execute(connection).await?;
    }
    Ok(())
}

// While this transaction has the lock, no other one is at work; those that follow read what it
// has written.
async fn advance(connection: &mut SqliteConnection, now: i64) -> Result<i64, StoreError> {
    let mut transaction = connection.begin_with("begin immediate").await?;
    let given = query_scalar(
        "insert into windrow_setting (name, value) values ('response_date', ?) \
         on conflict (name) do update set value = max(value, excluded.value) returning value",
    )
    .bind(now)
    .fetch_one(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(given)
}

async fn given(connection: &mut SqliteConnection) -> Result<Option<i64>, StoreError> {
    Ok(query_scalar(GIVEN).fetch_optional(connection).await?)
}
