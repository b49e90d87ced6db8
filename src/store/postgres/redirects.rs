//! Recids that are kept for nobody, and those that are to lead to others.

use jiff::Timestamp;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Row, query};

use super::moment::Moment;
use super::write::raise_recids;
use crate::store::columns::minted;
use crate::store::{Redirect, StoreError};

const RESERVE: &str = "\
    insert into pidstore_pid (pid_type, pid_value, status, created, updated) \
    select 'recid', u.pid_value, 'K', $2, $2 from unnest($1::text[]) as u (pid_value) \
    on conflict (pid_type, pid_value) do nothing";

const NOTE: &str = "\
    insert into windrow_redirect as r (source_name, pid_value, target, place, done) \
    select $1, u.pid_value, u.target, u.place, false \
    from unnest($2::text[], $3::text[], $4::text[]) as u (pid_value, target, place) \
    order by u.pid_value \
    on conflict (source_name, pid_value) do update set target = excluded.target, \
        place = excluded.place, done = false where r.target <> excluded.target";

/// Keeps recids of which nothing is left but the number.
pub(super) async fn reserve(
    connection: &mut PgConnection,
    pid_values: &[String],
    now: Timestamp,
) -> Result<(), StoreError> {
    if pid_values.is_empty() {
        return Ok(());
    }
    let mut sorted = pid_values.to_vec();
    sorted.sort_unstable();
    let mut numbers: Vec<i64> = sorted.iter().filter_map(|value| minted(value)).collect();
    query(RESERVE).bind(sorted).bind(Moment(now)).execute(&mut *connection).await?;
    numbers.sort_unstable();
    let Some(largest) = numbers.last().copied() else { return Ok(()) };
    query(
        "insert into pidstore_recid (recid) select unnest($1::bigint[]) \
         on conflict (recid) do nothing",
    )
    .bind(numbers)
    .execute(&mut *connection)
    .await?;
    raise_recids(connection, largest).await
}

/// Notes redirects; how many are new or lead elsewhere now.
pub(super) async fn note(
    connection: &mut PgConnection,
    source_name: &str,
    redirects: &[Redirect],
) -> Result<u64, StoreError> {
    if redirects.is_empty() {
        return Ok(0);
    }
    // A text cannot hold U+0000; a recid with one is found out when the redirect is made.
    let texts = |of: fn(&Redirect) -> &String| -> Vec<String> {
        redirects.iter().map(|redirect| of(redirect).replace('\0', "\u{FFFD}")).collect()
    };
    let written = query(NOTE)
        .bind(source_name)
        .bind(texts(|redirect| &redirect.from))
        .bind(texts(|redirect| &redirect.to))
        .bind(texts(|redirect| &redirect.place))
        .execute(connection)
        .await?;
    Ok(written.rows_affected())
}

/// Redirects that are not made yet.
pub(super) async fn open(
    connection: &mut PgConnection,
    source_name: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<Redirect>, StoreError> {
    let rows = query(
        "select pid_value, target, place from windrow_redirect \
         where source_name = $1 and pid_value > $2 and not done order by pid_value limit $3",
    )
    .bind(source_name)
    .bind(after)
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    let redirect = |row: &PgRow| {
        let (from, to, place) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        Ok(Redirect { from, to, place })
    };
    rows.iter().map(redirect).collect()
}

/// Notes that a redirect is made.
pub(super) async fn close(
    connection: &mut PgConnection,
    source_name: &str,
    from: &str,
) -> Result<(), StoreError> {
    query("update windrow_redirect set done = true where source_name = $1 and pid_value = $2")
        .bind(source_name)
        .bind(from)
        .execute(connection)
        .await?;
    Ok(())
}
