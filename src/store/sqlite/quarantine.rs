//! The records that are held, and why: read, and taken out by hand.

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row, query};

use super::sql::json_array;
use crate::store::columns::{decompress, unsigned};
use crate::store::{QuarantineEntry, QuarantineQuery, StoreError};

/// Quarantined records, oldest first.
pub(super) async fn list(
    connection: &mut SqliteConnection,
    wanted: &QuarantineQuery,
) -> Result<Vec<QuarantineEntry>, StoreError> {
    let rows = query(
        "select id, source_name, run_id, stage, rule, code, message, locator, file, number, byte, \
         format, part, control_number, case when not ?8 then zstd end as zstd \
         from windrow_quarantine \
         where id > ?1 and (?2 is null or source_name = ?2) \
         and (?3 is null or stage = ?3) and (?4 is null or code = ?4) \
         and (?5 is null or file = ?5) \
         and (?7 is null or id <= ?7) order by id limit ?6",
    )
    .bind(wanted.after)
    .bind(wanted.source_name.as_deref())
    .bind(wanted.stage.as_deref())
    .bind(wanted.code.as_deref())
    .bind(wanted.file.as_deref())
    .bind(wanted.limit)
    .bind(wanted.until)
    .bind(wanted.without_bytes)
    .fetch_all(connection)
    .await?;
    rows.iter().map(read).collect()
}

/// One quarantined record.
pub(super) async fn entry(
    connection: &mut SqliteConnection,
    id: i64,
) -> Result<QuarantineEntry, StoreError> {
    let row = query(
        "select id, source_name, run_id, stage, rule, code, message, locator, file, number, byte, \
         format, part, control_number, zstd from windrow_quarantine where id = ?",
    )
    .bind(id)
    .fetch_optional(connection)
    .await?;
    read(&row.ok_or_else(|| StoreError::NotFound(format!("{id} in quarantine")))?)
}

/// Takes records out of quarantine; how many were in it.
pub(super) async fn dismiss(
    connection: &mut SqliteConnection,
    ids: &[i64],
) -> Result<u64, StoreError> {
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    let done = query(
        "delete from windrow_quarantine where id in (select cast(value as integer) from json_each(?))",
    )
    .bind(json_array(ids.iter().map(String::as_str))?)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

fn read(row: &SqliteRow) -> Result<QuarantineEntry, StoreError> {
    Ok(QuarantineEntry {
        id: row.try_get("id")?,
        source_name: row.try_get("source_name")?,
        run_id: row.try_get("run_id")?,
        stage: row.try_get("stage")?,
        rule: row.try_get("rule")?,
        code: row.try_get("code")?,
        message: row.try_get("message")?,
        locator: row.try_get("locator")?,
        file: row.try_get("file")?,
        number: unsigned(row.try_get("number")?),
        byte: unsigned(row.try_get("byte")?),
        format: row.try_get("format")?,
        control_number: row
            .try_get::<Option<String>, _>("control_number")?
            .filter(|number| !number.is_empty()),
        part: row.try_get::<Option<String>, _>("part")?.filter(|part| !part.is_empty()),
        bytes: row
            .try_get::<Option<&[u8]>, _>("zstd")?
            .map(decompress)
            .transpose()?
            .unwrap_or_default(),
    })
}
