//! Up to when everything can be seen: what transactions in flight will be stamped, they say in
//! the key of a lock.

use jiff::Timestamp;
use sqlx::postgres::PgConnection;
use sqlx::{query, query_as, query_scalar};

use crate::record::Datestamp;
use crate::store::StoreError;
use crate::store::change::Change;
use crate::store::settled::Moments;

// The first half of the locks' key; the second is a datestamp. Any number that nobody else is
// likely to lock: the letters "wind".
const STAMPED: i32 = 0x7769_6e64;

/// Writers share it from before they read the search patterns of sets to their end; who has it
/// alone knows that all that come after read them anew. The letters "patterns".
pub(super) const PATTERNS: i64 = 0x7061_7474_6572_6e73;

const MOMENTS: &str = "\
    select (select value::bigint from windrow_setting where name = 'response_date'), \
        floor(extract(epoch from clock_timestamp()))::bigint";

// The clock of the server is everybody's: no process with a clock that is ahead can move it on.
const GIVE: &str = "\
    with present (second) as ( \
        select least($1, floor(extract(epoch from clock_timestamp()))::bigint) \
    ), noted as ( \
        insert into windrow_setting as s (name, value) \
        select 'response_date', second::text from present \
        on conflict (name) do update set value = excluded.value \
        where s.value::bigint < excluded.value::bigint \
    ) \
    select second from present";

const IN_FLIGHT: &str = "\
    select min(objid::bigint) from pg_locks \
    where locktype = 'advisory' and classid::bigint = $1 and objsubid = 2 \
    and database = (select oid from pg_database where datname = current_database())";

/// Gives changes their datestamps within the transaction that writes them, and lets others know
/// that it is in flight.
pub(super) async fn stamp(
    connection: &mut PgConnection,
    changes: &mut [Change],
    now: Timestamp,
) -> Result<(), StoreError> {
    let earliest = moments(connection, now).await?.earliest(changes);
    let key = u32::try_from(earliest.max(0)).unwrap_or(u32::MAX).cast_signed();
    // And that search patterns are about to be read.
    query("select pg_advisory_xact_lock_shared($1, $2), pg_advisory_xact_lock_shared($3)")
        .bind(STAMPED)
        .bind(key)
        .bind(PATTERNS)
        .execute(&mut *connection)
        .await?;
    // Read again behind the lock: who has not seen it has written their responseDate before.
    moments(connection, now).await?.stamp(changes);
    Ok(())
}

/// The latest moment up to `now` before which nothing will be stamped any more. First it is
/// written down, then the transactions are looked for that may not have read it.
pub(super) async fn look(connection: &mut PgConnection, now: i64) -> Result<i64, StoreError> {
    let present: i64 = query_scalar(GIVE).bind(now).fetch_one(&mut *connection).await?;
    let in_flight = query_scalar(IN_FLIGHT).bind(i64::from(STAMPED));
    Ok(match in_flight.fetch_one(connection).await? {
        Some(0) => i64::MIN,
        Some(earliest) => present.min(earliest),
        None => present,
    })
}

async fn moments(connection: &mut PgConnection, now: Timestamp) -> Result<Moments, StoreError> {
    let (given, clock): (Option<i64>, i64) = query_as(MOMENTS).fetch_one(connection).await?;
    Ok(Moments { now: Datestamp::from(now).as_second().min(clock), given })
}
