//! Bulk load: a batch with its ledger, source and quarantine rows and its checkpoint, at once.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Arguments, Connection, query, query_scalar};

use super::sql::{Insert, Text, timestamp_text};
use super::{
    Knowledge, Writer, access, file_rows, files, lookup, projection, redirects, settling, things,
    write,
};
use crate::record::Locator;
use crate::store::change::Change;
use crate::store::columns::{control_number, kinds_text, part, signed};
use crate::store::extension::{self, Transaction};
use crate::store::filing::Filing;
use crate::store::plan::{Plan, plan_with};
use crate::store::{
    Checkpoint, Counts, Kinds, LoadBatch, LoadOutcome, LoadRecord, Quarantined, StoreError,
};

const QUARANTINE: Insert = Insert {
    head: "insert into windrow_quarantine (source_name, file, number, run_id, stage, rule, code, \
           message, locator, zstd, part, control_number, format, byte) values ",
    row: "(?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    tail: " on conflict (source_name, file, number, part, control_number) do update \
           set run_id = excluded.run_id, stage = excluded.stage, rule = excluded.rule, \
           code = excluded.code, message = excluded.message, locator = excluded.locator, \
           zstd = excluded.zstd, format = excluded.format, byte = excluded.byte",
};

// Records and what is still held are arrays of keys; of a row whose control number is not known,
// the place has to do.
const RELEASE: &str = "\
    delete from windrow_quarantine where source_name = ?1 and file = ?2 \
    and number in (select value ->> 0 from json_each(?3)) \
    and (control_number = '' or (number, control_number) in \
        (select value ->> 0, value ->> 1 from json_each(?3))) \
    and (number, control_number, part) not in \
        (select value ->> 0, value ->> 1, value ->> 2 from json_each(?4))";

const RELEASE_PART: &str = "\
    delete from windrow_quarantine where source_name = ?1 and file = ?2 \
    and number = ?3 ->> 0 and control_number in ('', ?3 ->> 1) and part = ?3 ->> 2 \
    and (number, control_number, part) not in \
        (select value ->> 0, value ->> 1, value ->> 2 from json_each(?4))";

const CHECKPOINT: &str = "\
    insert into windrow_split (run_id, split, fingerprint, records, done, account, \
        read, created, updated, unchanged, deleted, skipped, quarantined, kinds) \
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) \
    on conflict (run_id, split) do update set fingerprint = excluded.fingerprint, \
        records = excluded.records, done = excluded.done, account = excluded.account, \
        kinds = excluded.kinds, \
        read = read + excluded.read, created = created + excluded.created, \
        updated = updated + excluded.updated, unchanged = unchanged + excluded.unchanged, \
        deleted = deleted + excluded.deleted, skipped = skipped + excluded.skipped, \
        quarantined = quarantined + excluded.quarantined";

/// Loads a batch in one transaction; after an error nothing of it remains.
pub(super) async fn load(writer: &mut Writer, batch: LoadBatch) -> Result<LoadOutcome, StoreError> {
    let LoadBatch { run_id, source_name, now, keep_source, format, location, .. } = batch;
    let LoadBatch { mut records, quarantined, checkpoint, .. } = batch;
    let mut transaction = writer.connection.begin_with("begin immediate").await?;
    let lookup = lookup::of_batch(&mut transaction, &source_name, &records, keep_source).await?;
    let places = Places::of(&records, &quarantined);
    let mut filing = Filing::of(&mut records, location, now);
    filing.resolve(&lookup);
    let mut knowledge = writer.knowledge.take();
    let mut plan = plan_with(records, lookup, keep_source, now, &knowledge.extensions);
    files::plan(&mut transaction, &mut plan, filing, &knowledge.extensions).await?;
    write::current(&mut transaction, &plan.changes).await?;
    file_rows::write(&mut transaction, &plan.files, now).await?;
    write_behind(&mut transaction, &mut plan, &mut knowledge, now).await?;
    write::ledger(&mut transaction, &source_name, std::mem::take(&mut plan.ledger)).await?;
    redirects::reserve(&mut transaction, &plan.reserved, now).await?;
    let noted = redirects::note(&mut transaction, &source_name, &plan.redirects).await?;
    plan.kinds.add_redirects(plan.redirects.len() as u64, noted);
    things::keep(&mut transaction, &source_name, &plan.things, now, &mut plan.kinds).await?;
    access::write(&mut transaction, &source_name, std::mem::take(&mut plan.access)).await?;
    let by_store = plan.rejected.iter().chain(&plan.refused);
    let rejections: Vec<_> = by_store.map(|rejected| rejected.rejection.clone()).collect();
    let mut counts = plan.counts;
    counts.quarantined += quarantined.len() as u64;
    counts.skipped += checkpoint.skipped;
    counts.read = counts.created
        + counts.updated
        + counts.unchanged
        + counts.deleted
        + counts.skipped
        + counts.quarantined;
    let parts = plan.refused.into_iter().chain(plan.held);
    let quarantined: Vec<_> = quarantined.into_iter().chain(plan.rejected).chain(parts).collect();
    places.release(&mut transaction, &source_name, &quarantined).await?;
    quarantine(&mut transaction, (run_id, format), &source_name, quarantined).await?;
    write_checkpoint(&mut transaction, run_id, checkpoint, &counts, &plan.kinds).await?;
    transaction.commit().await?;
    writer.knowledge = knowledge;
    Ok(LoadOutcome { counts, rejections, kinds: plan.kinds })
}

/// Writes what goes with current revisions that are written, and tells the extensions.
pub(super) async fn write_behind(
    connection: &mut SqliteConnection,
    plan: &mut Plan,
    knowledge: &mut Knowledge,
    now: Timestamp,
) -> Result<(), StoreError> {
    write::behind(connection, plan, &timestamp_text(now)).await?;
    tell(connection, &mut plan.changes, &plan.set_names, knowledge, now).await
}

/// Gives changes that are written their datestamps, and tells the extensions.
pub(super) async fn tell(
    connection: &mut SqliteConnection,
    changes: &mut [Change],
    set_names: &HashMap<String, String>,
    knowledge: &mut Knowledge,
    now: Timestamp,
) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    settling::stamp(connection, changes, now).await?;
    let now = &timestamp_text(now);
    let Knowledge { sets, patterns, extensions } = knowledge;
    let transaction = projection::Transaction { connection, sets, patterns, set_names, now };
    extension::tell(extensions, changes, &mut Transaction::Sqlite(transaction)).await
}

/// Where the records of a batch came from: files, and in them number, control number and part.
///
/// A record whose place names a part is that part alone, taken out of quarantine: the others stay.
struct Places(Vec<(Arc<str>, Place)>);

type Key = (u64, String, String);

#[derive(Default)]
struct Place {
    records: Vec<Key>,
    parts: Vec<Key>,
}

impl Places {
    fn of(records: &[LoadRecord], quarantined: &[Quarantined]) -> Places {
        let mut places: Vec<(Arc<str>, Place)> = Vec::new();
        let held = quarantined.iter().map(|held| &held.rejection.locator);
        for locator in records.iter().map(|record| &record.locator).chain(held) {
            let at = places.iter().position(|(file, _)| *file == locator.file);
            let at = at.unwrap_or_else(|| {
                places.push((Arc::clone(&locator.file), Place::default()));
                places.len() - 1
            });
            let Some((_, place)) = places.get_mut(at) else { continue };
            let keys = if locator.part.is_none() { &mut place.records } else { &mut place.parts };
            keys.push(key(locator));
        }
        Places(places)
    }

    /// Takes records and parts out of quarantine that have got through this time.
    async fn release(
        self,
        connection: &mut SqliteConnection,
        source_name: &str,
        quarantined: &[Quarantined],
    ) -> Result<(), StoreError> {
        for (file, Place { records, parts }) in self.0 {
            let waiting: bool = query_scalar(
                "select exists(select 1 from windrow_quarantine \
                 where source_name = ?1 and file = ?2)",
            )
            .bind(source_name)
            .bind(&*file)
            .fetch_one(&mut *connection)
            .await?;
            if !waiting {
                continue;
            }
            let held = quarantined.iter().map(|quarantined| &quarantined.rejection.locator);
            let stopped: Vec<Key> = held.filter(|held| held.file == file).map(key).collect();
            let stopped = json(&stopped)?;
            let mut released = vec![(RELEASE, json(&records)?)];
            for part in &parts {
                released.push((RELEASE_PART, json(part)?));
            }
            for (sql, keys) in released {
                query(sql)
                    .bind(source_name)
                    .bind(&*file)
                    .bind(keys)
                    .bind(&stopped)
                    .execute(&mut *connection)
                    .await?;
            }
        }
        Ok(())
    }
}

fn key(locator: &Locator) -> Key {
    (locator.number, control_number(locator), part(locator))
}

fn json(keys: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(keys).map_err(|error| StoreError::Failed(error.to_string()))
}

async fn quarantine(
    connection: &mut SqliteConnection,
    (run_id, format): (i64, Option<&str>),
    source_name: &str,
    rows: Vec<Quarantined>,
) -> Result<(), StoreError> {
    let source_name = Text::from(source_name);
    let pack = |row: Quarantined| Ok((row.rejection, row.bytes.zstd()?.into_owned()));
    let rows = rows.into_iter().map(pack).collect::<Result<Vec<_>, StoreError>>()?;
    QUARANTINE
        .all(connection, rows, |arguments, (rejection, zstd)| {
            arguments.add(Text::clone(&source_name))?;
            arguments.add(rejection.locator.file.as_ref())?;
            arguments.add(signed(rejection.locator.number))?;
            arguments.add(run_id)?;
            arguments.add(rejection.stage.as_str())?;
            arguments.add(rejection.rule)?;
            arguments.add(rejection.code)?;
            arguments.add(rejection.message)?;
            arguments.add(rejection.locator.to_string())?;
            arguments.add(zstd)?;
            arguments.add(part(&rejection.locator))?;
            arguments.add(control_number(&rejection.locator))?;
            arguments.add(format)?;
            arguments.add(signed(rejection.locator.byte))
        })
        .await
}

async fn write_checkpoint(
    connection: &mut SqliteConnection,
    run_id: i64,
    checkpoint: Checkpoint,
    counts: &Counts,
    kinds: &Kinds,
) -> Result<(), StoreError> {
    let kinds = kinds_text(checkpoint.kinds, kinds)?;
    query(CHECKPOINT)
        .bind(run_id)
        .bind(checkpoint.split)
        .bind(checkpoint.fingerprint)
        .bind(signed(checkpoint.records))
        .bind(checkpoint.done)
        .bind(checkpoint.account)
        .bind(signed(counts.read))
        .bind(signed(counts.created))
        .bind(signed(counts.updated))
        .bind(signed(counts.unchanged))
        .bind(signed(counts.deleted))
        .bind(signed(counts.skipped))
        .bind(signed(counts.quarantined))
        .bind(kinds)
        .execute(connection)
        .await?;
    Ok(())
}
