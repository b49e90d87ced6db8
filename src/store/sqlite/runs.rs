//! Runs, their splits, and the quarantine.

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row, query, query_as, query_scalar};

use super::sql::timestamp_text;
use crate::store::columns::{kinds, unsigned};
use crate::store::{Checkpoint, Counts, Run, RunState, RunSummary, SplitState, StoreError};

/// Begins a run or goes on with an interrupted one; see `Store::begin_run`.
pub(super) async fn begin(
    connection: &mut SqliteConnection,
    pipeline: &str,
    definition: &str,
    fresh: bool,
    now: Timestamp,
) -> Result<Run, StoreError> {
    let interrupted: Option<(i64, i64, String)> = query_as(
        "select id, attempt, definition from windrow_run \
         where pipeline = ?1 and state = ?2 order by id desc limit 1",
    )
    .bind(pipeline)
    .bind(RunState::Running.as_str())
    .fetch_optional(&mut *connection)
    .await?;
    if let Some((id, attempt, _)) =
        interrupted.filter(|(_, _, before)| !fresh && before == definition)
    {
        query("update windrow_run set attempt = attempt + 1 where id = ?")
            .bind(id)
            .execute(&mut *connection)
            .await?;
        let splits = splits(connection, id).await?;
        return Ok(Run { id, attempt: attempt + 1, splits });
    }
    let now = timestamp_text(now);
    query("update windrow_run set state = ?1, finished = ?2 where pipeline = ?3 and state = ?4")
        .bind(RunState::Abandoned.as_str())
        .bind(&*now)
        .bind(pipeline)
        .bind(RunState::Running.as_str())
        .execute(&mut *connection)
        .await?;
    let done = query(
        "insert into windrow_run (pipeline, definition, state, attempt, started) \
         values (?, ?, ?, 1, ?)",
    )
    .bind(pipeline)
    .bind(definition)
    .bind(RunState::Running.as_str())
    .bind(&*now)
    .execute(connection)
    .await?;
    Ok(Run { id: done.last_insert_rowid(), attempt: 1, splits: Vec::new() })
}

/// Forgets what a run noted about one split.
pub(super) async fn reset_split(
    connection: &mut SqliteConnection,
    run_id: i64,
    split: &str,
) -> Result<(), StoreError> {
    query("delete from windrow_split where run_id = ? and split = ?")
        .bind(run_id)
        .bind(split)
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends a run with its report; returns its pipeline's name.
pub(super) async fn end(
    connection: &mut SqliteConnection,
    run_id: i64,
    state: RunState,
    report: &str,
    now: Timestamp,
) -> Result<String, StoreError> {
    let pipeline = query_scalar(
        "update windrow_run set state = ?, report = ?, finished = ? where id = ? \
         returning pipeline",
    )
    .bind(state.as_str())
    .bind(report)
    .bind(&*timestamp_text(now))
    .bind(run_id)
    .fetch_optional(connection)
    .await?;
    pipeline.ok_or_else(|| StoreError::NotFound(format!("run {run_id}")))
}

/// The splits of a run, by name.
pub(super) async fn splits(
    connection: &mut SqliteConnection,
    run_id: i64,
) -> Result<Vec<SplitState>, StoreError> {
    let rows = query(
        "select split, fingerprint, records, done, account, \
         read, created, updated, unchanged, deleted, skipped, quarantined, kinds \
         from windrow_split where run_id = ? order by split",
    )
    .bind(run_id)
    .fetch_all(connection)
    .await?;
    rows.iter().map(split).collect()
}

/// Runs, newest first.
pub(super) async fn list(
    connection: &mut SqliteConnection,
    limit: u32,
) -> Result<Vec<RunSummary>, StoreError> {
    let rows = query(
        "select id, pipeline, state, started, finished, report from windrow_run \
         order by id desc limit ?",
    )
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let summary = |row: &SqliteRow| {
        Ok(RunSummary {
            id: row.try_get(0)?,
            pipeline: row.try_get(1)?,
            state: row.try_get(2)?,
            started: row.try_get(3)?,
            finished: row.try_get(4)?,
            report: row.try_get(5)?,
        })
    };
    rows.iter().map(summary).collect()
}

/// Identifiers of a source's records that are live, in order, behind `after`.
pub(super) async fn live_source_ids(
    connection: &mut SqliteConnection,
    source_name: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<String>, StoreError> {
    let ids = query_scalar(
        "select source_id from windrow_ledger \
         where source_name = $1 and source_id > $2 and hash is not null \
         order by source_id limit $3",
    )
    .bind(source_name)
    .bind(after)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    Ok(ids)
}

fn split(row: &SqliteRow) -> Result<SplitState, StoreError> {
    let number = |column: &str| row.try_get(column).map(unsigned);
    Ok(SplitState {
        checkpoint: Checkpoint {
            split: row.try_get("split")?,
            lane: 0,
            fingerprint: row.try_get("fingerprint")?,
            records: number("records")?,
            done: row.try_get("done")?,
            skipped: number("skipped")?,
            account: row.try_get("account")?,
            kinds: kinds(row.try_get("kinds")?)?,
        },
        counts: Counts {
            read: number("read")?,
            created: number("created")?,
            updated: number("updated")?,
            unchanged: number("unchanged")?,
            deleted: number("deleted")?,
            skipped: number("skipped")?,
            quarantined: number("quarantined")?,
        },
    })
}
