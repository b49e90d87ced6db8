//! Single records: created, changed, read by PID and by revision.

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection, Row, query};
use uuid::Uuid;

use super::sql::{Text, parse_timestamp, timestamp_text};
use super::{Writer, load, lookup};
use crate::store::plan::{Change, Plan, RecordState};
use crate::store::{NewRecord, StoreError, StoredRecord};

// A redirected PID's object_uuid is a row of pidstore_redirect; a chain longer than 8 is a circle.
const BY_PID: &str = "\
    with recursive chain (status, object_uuid, hops) as ( \
        select status, object_uuid, 0 from pidstore_pid where pid_type = ?1 and pid_value = ?2 \
        union all \
        select p.status, p.object_uuid, c.hops + 1 from chain c \
        join pidstore_redirect r on r.id = c.object_uuid \
        join pidstore_pid p on p.id = r.pid_id \
        where c.status = 'M' and c.hops < 8 \
    ) \
    select m.id, m.version_id, m.json, m.created, m.updated from chain c \
    join records_metadata m on m.id = c.object_uuid \
    where c.status <> 'M' order by c.hops limit 1";

const REVISIONS: &str = "\
    select id, version_id, json, created, updated from records_metadata_version \
    where id = ? order by version_id";

/// Creates a record with its `recid` PID.
pub(super) async fn create(
    writer: &mut Writer,
    record: &NewRecord,
    now: Timestamp,
) -> Result<StoredRecord, StoreError> {
    let mut transaction = writer.connection.begin_with("begin immediate").await?;
    let found = lookup::of_record(&mut transaction, record.id, &record.pid_value).await?;
    let owner = found.pids.get(&record.pid_value).copied().flatten();
    if owner.is_some() || found.records.contains_key(&record.id) {
        return Err(taken(record));
    }
    let change = change(record, None, now)?;
    let mut plan = one(record, change, true);
    let mut sets = std::mem::take(&mut writer.sets);
    load::write_changes(&mut transaction, &mut plan, &mut sets, &timestamp_text(now)).await?;
    transaction.commit().await?;
    writer.sets = sets;
    written(&plan, now)
}

/// Writes a new revision or a soft deletion; a deleted record with new content is undeleted.
pub(super) async fn update(
    writer: &mut Writer,
    record: &NewRecord,
    expected_revision: i64,
    now: Timestamp,
) -> Result<StoredRecord, StoreError> {
    let mut transaction = writer.connection.begin_with("begin immediate").await?;
    let mut found = lookup::of_record(&mut transaction, record.id, &record.pid_value).await?;
    let before = found.records.remove(&record.id);
    let before = before.ok_or_else(|| StoreError::NotFound(record.id.to_string()))?;
    let revision = before.version_id - 1;
    if revision != expected_revision {
        let (id, expected) = (record.id, expected_revision);
        return Err(StoreError::Stale { id, found: revision, expected });
    }
    if before.deleted && record.json.is_none() {
        return Err(StoreError::NotFound(record.id.to_string()));
    }
    let owner = found.pids.get(&record.pid_value).copied().flatten();
    if owner.is_some_and(|owner| owner != record.id) {
        return Err(taken(record));
    }
    let change = change(record, Some(before), now)?;
    let mut plan = one(record, change, owner.is_none());
    let mut sets = std::mem::take(&mut writer.sets);
    load::write_changes(&mut transaction, &mut plan, &mut sets, &timestamp_text(now)).await?;
    transaction.commit().await?;
    writer.sets = sets;
    written(&plan, now)
}

/// The current revision of the record that a PID names, or that it redirects to.
pub(super) async fn by_pid(
    connection: &mut SqliteConnection,
    pid_type: &str,
    pid_value: &str,
) -> Result<StoredRecord, StoreError> {
    let row = query(BY_PID).bind(pid_type).bind(pid_value).fetch_optional(connection).await?;
    let row = row.ok_or_else(|| StoreError::NotFound(format!("{pid_type}:{pid_value}")))?;
    stored(&row)
}

/// All revisions of a record, oldest first.
pub(super) async fn revisions(
    connection: &mut SqliteConnection,
    id: Uuid,
) -> Result<Vec<StoredRecord>, StoreError> {
    let rows = query(REVISIONS).bind(id).fetch_all(connection).await?;
    if rows.is_empty() {
        return Err(StoreError::NotFound(id.to_string()));
    }
    rows.iter().map(stored).collect()
}

fn stored(row: &SqliteRow) -> Result<StoredRecord, StoreError> {
    Ok(StoredRecord {
        id: row.try_get(0)?,
        revision_id: row.try_get::<i64, _>(1)? - 1,
        json: row.try_get(2)?,
        created: parse_timestamp(row.try_get(3)?)?,
        updated: parse_timestamp(row.try_get(4)?)?,
    })
}

fn change(
    record: &NewRecord,
    before: Option<RecordState>,
    now: Timestamp,
) -> Result<Change, StoreError> {
    let json = match &record.json {
        None => None,
        Some(json) => Some(Text::from(std::str::from_utf8(json).map_err(|error| {
            StoreError::Failed(format!("JSON of record {} is not UTF-8: {error}", record.id))
        })?)),
    };
    let mut change = Change::new(record.id, record.pid_value.clone(), before, now);
    change.push(json, now, &record.memberships);
    Ok(change)
}

fn one(record: &NewRecord, change: Change, new_pid: bool) -> Plan {
    let mut plan = Plan { changes: vec![change], ..Plan::default() };
    plan.name_sets(&record.memberships);
    if new_pid {
        plan.new_pids.push((record.pid_value.clone(), 0));
    }
    plan
}

fn written(plan: &Plan, now: Timestamp) -> Result<StoredRecord, StoreError> {
    let change = plan.changes.first();
    let (change, revision) = change
        .and_then(|change| Some((change, change.revisions.last()?)))
        .ok_or_else(|| StoreError::Failed("nothing was written".to_owned()))?;
    Ok(StoredRecord {
        id: change.id,
        revision_id: revision.version_id - 1,
        json: revision.json.as_deref().map(|json| json.as_bytes().to_vec()),
        created: change.created,
        updated: now,
    })
}

fn taken(record: &NewRecord) -> StoreError {
    StoreError::PidTaken { pid_type: "recid".to_owned(), pid_value: record.pid_value.clone() }
}
