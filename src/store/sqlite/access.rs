//! What sources said of who may see their records.

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Arguments, Row, query};

use super::sql::{Insert, Text, json_array};
use crate::store::access::RecordAccess;
use crate::store::{AccessOutcome, AccessQuery, AccessRow, StoreError};

const NOTE: Insert = Insert {
    head: "insert or fail into windrow_access \
           (source_name, source_id, part, said, outcome, rights) values ",
    row: "(?,?,?,?,?,?)",
    tail: "",
};

/// Writes the notes of records that were written, in place of those they had.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    source_name: &str,
    records: Vec<RecordAccess>,
) -> Result<(), StoreError> {
    if records.is_empty() {
        return Ok(());
    }
    for record in &records {
        query(
            "delete from windrow_access where source_name = ?1 and source_id = ?2 \
             and case when part is null then ?3 \
             else part in (select value from json_each(?4)) end",
        )
        .bind(source_name)
        .bind(record.source_id.as_str())
        .bind(record.told.of_record)
        .bind(json_array(record.parts())?)
        .execute(&mut *connection)
        .await?;
    }
    let mut rows = Vec::new();
    for record in records {
        let source_id = Text::from(record.source_id);
        rows.extend(record.told.notes.into_iter().map(|note| (Text::clone(&source_id), note)));
    }
    let source_name = Text::from(source_name);
    NOTE.all(connection, rows, |arguments, (source_id, note)| {
        arguments.add(Text::clone(&source_name))?;
        arguments.add(source_id)?;
        arguments.add(note.part)?;
        arguments.add(note.said)?;
        arguments.add(note.outcome.as_str())?;
        arguments.add(note.rights)
    })
    .await
}

/// Notes in the order in which they were written.
pub(super) async fn list(
    connection: &mut SqliteConnection,
    wanted: &AccessQuery,
) -> Result<Vec<AccessRow>, StoreError> {
    let rows = query(
        "select id, source_name, source_id, part, said, outcome, rights from windrow_access \
         where id > ?1 and (?2 is null or source_name = ?2) and (?3 is null or outcome = ?3) \
         order by id limit ?4",
    )
    .bind(wanted.after)
    .bind(wanted.source_name.as_deref())
    .bind(wanted.outcome.map(AccessOutcome::as_str))
    .bind(wanted.limit)
    .fetch_all(connection)
    .await?;
    let read = |row: &SqliteRow| {
        Ok(AccessRow {
            id: row.try_get(0)?,
            source_name: row.try_get(1)?,
            source_id: row.try_get(2)?,
            part: row.try_get(3)?,
            said: row.try_get(4)?,
            outcome: row.try_get(5)?,
            rights: row.try_get(6)?,
        })
    };
    rows.iter().map(read).collect()
}
