//! The times that pipelines are run at: the last one served, and how it went.

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row, query};

use crate::store::{ScheduleEntry, StoreError};

/// Every pipeline with a schedule, by name.
pub(super) async fn list(
    connection: &mut SqliteConnection,
) -> Result<Vec<ScheduleEntry>, StoreError> {
    let rows = query(
        "select pipeline, served, next, started, finished, outcome, message, run_id \
         from windrow_schedule order by pipeline",
    )
    .fetch_all(connection)
    .await?;
    rows.iter().map(entry).collect()
}

/// Puts what is known of a pipeline in the place of what was.
pub(super) async fn note(
    connection: &mut SqliteConnection,
    entry: &ScheduleEntry,
) -> Result<(), StoreError> {
    query(
        "insert into windrow_schedule \
         (pipeline, served, next, started, finished, outcome, message, run_id) \
         values ($1, $2, $3, $4, $5, $6, $7, $8) \
         on conflict (pipeline) do update set \
         served = excluded.served, next = excluded.next, started = excluded.started, \
         finished = excluded.finished, outcome = excluded.outcome, message = excluded.message, \
         run_id = excluded.run_id",
    )
    .bind(&entry.pipeline)
    .bind(entry.served)
    .bind(entry.next)
    .bind(entry.started)
    .bind(entry.finished)
    .bind(&entry.outcome)
    .bind(&entry.message)
    .bind(entry.run_id)
    .execute(connection)
    .await?;
    Ok(())
}

fn entry(row: &SqliteRow) -> Result<ScheduleEntry, StoreError> {
    Ok(ScheduleEntry {
        pipeline: row.try_get(0)?,
        served: row.try_get(1)?,
        next: row.try_get(2)?,
        started: row.try_get(3)?,
        finished: row.try_get(4)?,
        outcome: row.try_get(5)?,
        message: row.try_get(6)?,
        run_id: row.try_get(7)?,
    })
}
