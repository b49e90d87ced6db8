//! What the store holds of the records of a batch, asked in two statements.

use std::collections::{HashMap, HashSet};

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row, query};
use uuid::Uuid;

use super::sql::{json_array, parse_timestamp};
use crate::record::{ContentHash, PidName, PidStatus};
use crate::store::access::Closed;
use crate::store::change::RecordState;
use crate::store::lookup::{LedgerEntry, Lookup, PidOwner};
use crate::store::{LoadRecord, StoreError};

// `cross join` keeps SQLite from reading the whole ledger to find the few.
pub(super) const LEDGER: &str = "\
    select l.source_id, l.record_id, l.hash, l.source \
    from json_each(?1) j \
    cross join windrow_ledger l on l.source_name = ?2 and l.source_id = j.value";

pub(super) const RECORDS: &str = "\
    select m.id, m.version_id, m.created, m.json is null, o.datestamp, o.sets, o.source, \
        coalesce(o.deleted, 0), o.version, o.matched \
    from json_each(?1) j \
    cross join records_metadata m on m.id = unhex(j.value) \
    left join windrow_oai o on o.id = +m.id";

pub(super) const PIDS: &str = "\
    select p.pid_value, p.object_uuid, p.status = 'M' \
    from json_each(?1) j \
    cross join pidstore_pid p on p.pid_type = 'recid' and p.pid_value = j.value";

pub(super) const FURTHER_PIDS: &str = "\
    select p.pid_type, p.pid_value, p.status, p.object_uuid, o.pid_value \
    from json_each(?1) j \
    cross join pidstore_pid p on p.pid_type = j.value ->> 0 and p.pid_value = j.value ->> 1 \
    left join windrow_oai o on o.id = +p.object_uuid";

// Notes of records themselves, not of their parts.
pub(super) const ACCESS: &str = "\
    select a.source_id, a.outcome, a.rights \
    from json_each(?1) j \
    cross join windrow_access a \
        on a.source_name = ?2 and a.source_id = j.value and a.part is null";

// The rows of one record stand together in the table's own order.
pub(super) const DATES: &str = "\
    select v.id, v.updated from json_each(?1) j \
    cross join records_metadata_version v on v.id = unhex(j.value)";

/// Looks up the ledger, and of the records that differ from it the current revision and PID.
pub(super) async fn of_batch(
    connection: &mut SqliteConnection,
    source_name: &str,
    records: &[LoadRecord],
    keep_source: bool,
) -> Result<Lookup, StoreError> {
    let mut lookup = Lookup::default();
    let source_ids = json_array(records.iter().map(|record| record.source_id.as_str()))?;
    let rows = query(LEDGER).bind(source_ids).bind(source_name).fetch_all(&mut *connection).await?;
    for row in rows {
        let (hash, source) = (content_hash(&row, 2)?, content_hash(&row, 3)?);
        let entry = LedgerEntry { record_id: row.try_get(1)?, hash, source };
        lookup.ledger.insert(row.try_get(0)?, entry);
    }
    let changed: HashSet<&str> = records
        .iter()
        .filter(|record| lookup.wants(record, keep_source))
        .map(|record| record.source_id.as_str())
        .collect();
    // A source id that differs once needs the state for all its turns in the batch.
    let changing = || records.iter().filter(|record| changed.contains(record.source_id.as_str()));
    let ids: HashSet<Uuid> = changing().map(|record| lookup.id_of(record)).collect();
    let pids: HashSet<&str> = changing().map(|record| record.record.pid_value.as_str()).collect();
    if !ids.is_empty() {
        read_records(connection, &mut lookup, ids).await?;
        read_pids(connection, &mut lookup, pids).await?;
        let further: HashSet<&PidName> =
            changing().flat_map(|record| record.record.pids.iter()).collect();
        lookup.further_pids = further_pids(connection, further).await?;
        let ids = lookup.with_history(records);
        read_dates(connection, &mut lookup, ids).await?;
        let asked = lookup.with_unknown_access(records);
        lookup.closed = read_access(connection, source_name, asked).await?;
    }
    Ok(lookup)
}

/// Looks up one record.
pub(super) async fn of_record(
    connection: &mut SqliteConnection,
    id: Uuid,
) -> Result<Option<RecordState>, StoreError> {
    let mut lookup = Lookup::default();
    read_records(connection, &mut lookup, HashSet::from([id])).await?;
    Ok(lookup.records.remove(&id))
}

/// Looks up these records, by UUID.
pub(super) async fn of_records(
    connection: &mut SqliteConnection,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, RecordState>, StoreError> {
    let mut lookup = Lookup::default();
    read_records(connection, &mut lookup, ids.iter().copied().collect()).await?;
    Ok(lookup.records)
}

/// Whose PIDs are, of those that are there.
pub(super) async fn further_pids(
    connection: &mut SqliteConnection,
    names: impl IntoIterator<Item = &PidName>,
) -> Result<HashMap<PidName, PidOwner>, StoreError> {
    let mut json = Vec::from(*b"[");
    for name in names {
        if json.len() > 1 {
            json.push(b',');
        }
        json.extend_from_slice(json_array([name.pid_type(), name.pid_value()])?.as_bytes());
    }
    json.push(b']');
    let mut owners = HashMap::new();
    // Most records have no PID but their recid.
    if json.len() == 2 {
        return Ok(owners);
    }
    let json = String::from_utf8(json).map_err(|error| StoreError::Failed(error.to_string()))?;
    for row in query(FURTHER_PIDS).bind(json).fetch_all(&mut *connection).await? {
        let status: PidStatus = row.try_get::<&str, _>(2)?.parse().map_err(StoreError::Damaged)?;
        let owner = match (status, row.try_get(3)?) {
            (PidStatus::Redirected, _) | (PidStatus::Deleted, None) => PidOwner::Gone(status),
            (_, Some(owner)) => PidOwner::Record(owner, row.try_get(4)?),
            (_, None) => PidOwner::Free,
        };
        owners.insert(PidName::stored(row.try_get(0)?, row.try_get(1)?), owner);
    }
    Ok(owners)
}

fn content_hash(row: &SqliteRow, column: usize) -> Result<Option<ContentHash>, StoreError> {
    let hash: Option<&[u8]> = row.try_get(column)?;
    let hash = hash.map(ContentHash::try_from).transpose();
    hash.map_err(|_| StoreError::Damaged("ledger hash is not 32 bytes".into()))
}

async fn read_records(
    connection: &mut SqliteConnection,
    lookup: &mut Lookup,
    ids: HashSet<Uuid>,
) -> Result<(), StoreError> {
    let ids: Vec<String> = ids.into_iter().map(|id| id.simple().to_string()).collect();
    let ids = json_array(ids.iter().map(String::as_str))?;
    for row in query(RECORDS).bind(ids).fetch_all(&mut *connection).await? {
        lookup.records.insert(row.try_get(0)?, state(&row)?);
    }
    Ok(())
}

fn state(row: &SqliteRow) -> Result<RecordState, StoreError> {
    Ok(RecordState {
        version_id: row.try_get(1)?,
        created: parse_timestamp(row.try_get(2)?)?,
        deleted: row.try_get(3)?,
        datestamp: row.try_get(4)?,
        sets: row.try_get::<Option<String>, _>(5)?.unwrap_or_default(),
        source: row.try_get(6)?,
        listed_deleted: row.try_get(7)?,
        listed_version: row.try_get(8)?,
        matched: row.try_get::<Option<String>, _>(9)?.unwrap_or_default(),
    })
}

async fn read_dates(
    connection: &mut SqliteConnection,
    lookup: &mut Lookup,
    ids: Vec<Uuid>,
) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = ids.iter().map(|id| id.simple().to_string()).collect();
    let ids = json_array(ids.iter().map(String::as_str))?;
    for row in query(DATES).bind(ids).fetch_all(&mut *connection).await? {
        let dates = lookup.dates.entry(row.try_get(0)?).or_default();
        dates.push(parse_timestamp(row.try_get(1)?)?);
    }
    Ok(())
}

async fn read_access(
    connection: &mut SqliteConnection,
    source_name: &str,
    source_ids: Vec<&str>,
) -> Result<HashMap<String, Closed>, StoreError> {
    let mut closed = HashMap::new();
    if source_ids.is_empty() {
        return Ok(closed);
    }
    let source_ids = json_array(source_ids)?;
    for row in query(ACCESS).bind(source_ids).bind(source_name).fetch_all(connection).await? {
        if let Some(access) = Closed::of(row.try_get(1)?, row.try_get(2)?) {
            closed.insert(row.try_get(0)?, access);
        }
    }
    Ok(closed)
}

async fn read_pids(
    connection: &mut SqliteConnection,
    lookup: &mut Lookup,
    pid_values: HashSet<&str>,
) -> Result<(), StoreError> {
    let pid_values = json_array(pid_values)?;
    for row in query(PIDS).bind(pid_values).fetch_all(&mut *connection).await? {
        // What it names then is the redirect.
        if row.try_get(2)? {
            lookup.redirected.insert(row.try_get(0)?);
        } else {
            lookup.pids.insert(row.try_get(0)?, row.try_get(1)?);
        }
    }
    Ok(())
}
