//! Recids that are kept for nobody, and those that are to lead to others.

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Arguments, Row, query};

use super::sql::{Insert, Text, timestamp_text};
use crate::store::columns::minted;
use crate::store::{Redirect, StoreError};

const RESERVED: Insert = Insert {
    head: "insert or ignore into pidstore_pid (pid_type, pid_value, status, created, updated) \
           values ",
    row: "('recid',?,'K',?,?)",
    tail: "",
};

const RECID: Insert =
    Insert { head: "insert or ignore into pidstore_recid (recid) values ", row: "(?)", tail: "" };

const NOTE: &str = "\
    insert into windrow_redirect (source_name, pid_value, target, place, done) \
    values (?1, ?2, ?3, ?4, 0) \
    on conflict (source_name, pid_value) do update set target = excluded.target, \
        place = excluded.place, done = 0 where target <> excluded.target";

/// Keeps recids of which nothing is left but the number.
pub(super) async fn reserve(
    connection: &mut SqliteConnection,
    pid_values: &[String],
    now: Timestamp,
) -> Result<(), StoreError> {
    let now = timestamp_text(now);
    let numbers: Vec<i64> = pid_values.iter().filter_map(|value| minted(value)).collect();
    RESERVED
        .all(connection, pid_values.to_vec(), |arguments, pid_value| {
            arguments.add(pid_value)?;
            arguments.add(Text::clone(&now))?;
            arguments.add(Text::clone(&now))
        })
        .await?;
    RECID.all(connection, numbers, Arguments::add).await
}

/// Notes redirects; how many are new or lead elsewhere now.
pub(super) async fn note(
    connection: &mut SqliteConnection,
    source_name: &str,
    redirects: &[Redirect],
) -> Result<u64, StoreError> {
    let mut noted = 0;
    for redirect in redirects {
        let written = query(NOTE)
            .bind(source_name)
            .bind(&redirect.from)
            .bind(&redirect.to)
            .bind(&redirect.place)
            .execute(&mut *connection)
            .await?;
        noted += written.rows_affected();
    }
    Ok(noted)
}

/// Redirects that are not made yet.
pub(super) async fn open(
    connection: &mut SqliteConnection,
    source_name: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<Redirect>, StoreError> {
    let rows = query(
        "select pid_value, target, place from windrow_redirect \
         where source_name = ?1 and pid_value > ?2 and done = 0 order by pid_value limit ?3",
    )
    .bind(source_name)
    .bind(after)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let redirect = |row: &sqlx::sqlite::SqliteRow| {
        let (from, to, place) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        Ok(Redirect { from, to, place })
    };
    rows.iter().map(redirect).collect()
}

/// Notes that a redirect is made.
pub(super) async fn close(
    connection: &mut SqliteConnection,
    source_name: &str,
    from: &str,
) -> Result<(), StoreError> {
    query("update windrow_redirect set done = 1 where source_name = ?1 and pid_value = ?2")
        .bind(source_name)
        .bind(from)
        .execute(connection)
        .await?;
    Ok(())
}
