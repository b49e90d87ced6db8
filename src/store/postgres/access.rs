//! What sources said of who may see their records.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Row, query};

use crate::store::access::RecordAccess;
use crate::store::{AccessNote, AccessOutcome, AccessQuery, AccessRow, StoreError};

const NOTES: &str = "\
    insert into windrow_access (source_name, source_id, part, said, outcome, rights) \
    select $1, source_id, part, said, outcome, rights \
    from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) \
        as u (source_id, part, said, outcome, rights)";

const FORGET: &str = "\
    delete from windrow_access a \
    using unnest($2::text[], $3::text[]) as u (source_id, part) \
    where a.source_name = $1 and a.source_id = u.source_id and a.part is not distinct from u.part";

/// Writes the notes of records that were written, in place of those they had.
pub(super) async fn write(
    connection: &mut PgConnection,
    source_name: &str,
    records: &[RecordAccess],
) -> Result<(), StoreError> {
    if records.is_empty() {
        return Ok(());
    }
    // No text of PostgreSQL holds U+0000.
    let text = |text: &str| text.replace('\0', "\u{FFFD}");
    // A part of null is the record itself.
    let told = |record: &'_ RecordAccess| {
        let itself = record.told.of_record.then_some(None);
        let parts: Vec<Option<String>> =
            record.parts().into_iter().map(|part| Some(text(part))).chain(itself).collect();
        parts
    };
    let pairs = records
        .iter()
        .flat_map(|record| told(record).into_iter().map(|part| (record.source_id.as_str(), part)));
    let (source_ids, parts): (Vec<&str>, Vec<Option<String>>) = pairs.unzip();
    query(FORGET).bind(source_name).bind(source_ids).bind(parts).execute(&mut *connection).await?;
    let rows: Vec<(&str, &AccessNote)> = records
        .iter()
        .flat_map(|record| record.told.notes.iter().map(|note| (record.source_id.as_str(), note)))
        .collect();
    let texts = |of: &dyn Fn(&AccessNote) -> &str| -> Vec<String> {
        rows.iter().map(|(_, note)| text(of(note))).collect()
    };
    let parts: Vec<Option<String>> =
        rows.iter().map(|(_, note)| note.part.as_deref().map(text)).collect();
    query(NOTES)
        .bind(source_name)
        .bind(rows.iter().map(|(source_id, _)| *source_id).collect::<Vec<_>>())
        .bind(parts)
        .bind(texts(&|note| &note.said))
        .bind(texts(&|note| note.outcome.as_str()))
        .bind(texts(&|note| &note.rights))
        .execute(connection)
        .await?;
    Ok(())
}

/// Notes in the order in which they were written.
pub(super) async fn list(
    connection: &mut PgConnection,
    wanted: &AccessQuery,
) -> Result<Vec<AccessRow>, StoreError> {
    let rows = query(
        "select id, source_name, source_id, part, said, outcome, rights from windrow_access \
         where id > $1 and ($2 is null or source_name = $2) and ($3 is null or outcome = $3) \
         order by id limit $4",
    )
    .bind(wanted.after)
    .bind(wanted.source_name.as_deref())
    .bind(wanted.outcome.map(AccessOutcome::as_str))
    .bind(i64::from(wanted.limit))
    .fetch_all(connection)
    .await?;
    let read = |row: &PgRow| {
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
