//! What the store holds of the records of a batch; those that exist are locked until its end.

use std::collections::{HashMap, HashSet};

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Row, query};
use uuid::Uuid;

use super::moment::Moment;
use crate::record::{ContentHash, PidName, PidStatus};
use crate::store::access::Closed;
use crate::store::change::RecordState;
use crate::store::lookup::{LedgerEntry, Lookup, PidOwner};
use crate::store::{LoadRecord, StoreError};

const LEDGER: &str = "\
    select source_id, record_id, hash, source from windrow_ledger \
    where source_name = $1 and source_id = any($2)";

// In order, so that two who want the same records wait for each other and do not lock up.
const LOCK: &str = "\
    select 1 from records_metadata where id = any($1) order by id for update";

const RECORDS: &str = "\
    select m.id, m.version_id::bigint, m.created, m.json is null, o.datestamp, o.sets, o.source, \
        coalesce(o.deleted, false), o.version, o.matched \
    from records_metadata m left join windrow_oai o on o.id = m.id where m.id = any($1)";

const DATES: &str = "\
    select id, updated from records_metadata_version where id = any($1)";

// Notes of records themselves, not of their parts.
const ACCESS: &str = "\
    select source_id, outcome, rights from windrow_access \
    where source_name = $1 and source_id = any($2) and part is null";

const PIDS: &str = "\
    select pid_value, object_uuid, status = 'M' from pidstore_pid \
    where pid_type = 'recid' and pid_value = any($1)";

const FURTHER_PIDS: &str = "\
    select p.pid_type, p.pid_value, p.status, p.object_uuid, \
        (select o.pid_value from windrow_oai o where o.id = p.object_uuid) \
    from unnest($1::text[], $2::text[]) as u (pid_type, pid_value) \
    join pidstore_pid p on p.pid_type = u.pid_type and p.pid_value = u.pid_value";

/// Looks up the ledger, and of the records that differ from it the current revision and PID.
pub(super) async fn of_batch(
    connection: &mut PgConnection,
    source_name: &str,
    records: &[LoadRecord],
    keep_source: bool,
) -> Result<Lookup, StoreError> {
    let mut lookup = Lookup::default();
    let source_ids: Vec<&str> = records.iter().map(|record| record.source_id.as_str()).collect();
    let rows = query(LEDGER).bind(source_name).bind(source_ids).fetch_all(&mut *connection).await?;
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
        read_records(connection, &mut lookup, ids.into_iter().collect()).await?;
        read_pids(connection, &mut lookup, pids.into_iter().collect()).await?;
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

/// Looks up one record, and locks it.
pub(super) async fn of_record(
    connection: &mut PgConnection,
    id: Uuid,
) -> Result<Option<RecordState>, StoreError> {
    let mut lookup = Lookup::default();
    read_records(connection, &mut lookup, vec![id]).await?;
    Ok(lookup.records.remove(&id))
}

/// Looks up these records, by UUID, and locks them.
pub(super) async fn of_records(
    connection: &mut PgConnection,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, RecordState>, StoreError> {
    let mut lookup = Lookup::default();
    read_records(connection, &mut lookup, ids.to_vec()).await?;
    Ok(lookup.records)
}

/// Whose PIDs are, of those that are there.
pub(super) async fn further_pids(
    connection: &mut PgConnection,
    names: impl IntoIterator<Item = &PidName>,
) -> Result<HashMap<PidName, PidOwner>, StoreError> {
    let (types, values): (Vec<&str>, Vec<&str>) =
        names.into_iter().map(|name| (name.pid_type(), name.pid_value())).unzip();
    let mut owners = HashMap::new();
    // Most records have no PID but their recid.
    if types.is_empty() {
        return Ok(owners);
    }
    for row in query(FURTHER_PIDS).bind(types).bind(values).fetch_all(connection).await? {
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

fn content_hash(row: &PgRow, column: usize) -> Result<Option<ContentHash>, StoreError> {
    let hash: Option<&[u8]> = row.try_get(column)?;
    let hash = hash.map(ContentHash::try_from).transpose();
    hash.map_err(|_| StoreError::Damaged("ledger hash is not 32 bytes".into()))
}

async fn read_records(
    connection: &mut PgConnection,
    lookup: &mut Lookup,
    ids: Vec<Uuid>,
) -> Result<(), StoreError> {
    // First locked, then read by a statement that sees what the holder of the lock has written.
    let locked = query(LOCK).bind(&ids).execute(&mut *connection).await?;
    if locked.rows_affected() == 0 {
        return Ok(());
    }
    for row in query(RECORDS).bind(&ids).fetch_all(&mut *connection).await? {
        lookup.records.insert(row.try_get(0)?, state(&row)?);
    }
    Ok(())
}

fn state(row: &PgRow) -> Result<RecordState, StoreError> {
    Ok(RecordState {
        version_id: row.try_get(1)?,
        created: row.try_get::<Moment, _>(2)?.0,
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
    connection: &mut PgConnection,
    lookup: &mut Lookup,
    ids: Vec<Uuid>,
) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    for row in query(DATES).bind(ids).fetch_all(&mut *connection).await? {
        let date: Moment = row.try_get(1)?;
        lookup.dates.entry(row.try_get(0)?).or_default().push(date.0);
    }
    Ok(())
}

async fn read_access(
    connection: &mut PgConnection,
    source_name: &str,
    source_ids: Vec<&str>,
) -> Result<HashMap<String, Closed>, StoreError> {
    let mut closed = HashMap::new();
    if source_ids.is_empty() {
        return Ok(closed);
    }
    for row in query(ACCESS).bind(source_name).bind(source_ids).fetch_all(connection).await? {
        if let Some(access) = Closed::of(row.try_get(1)?, row.try_get(2)?) {
            closed.insert(row.try_get(0)?, access);
        }
    }
    Ok(closed)
}

async fn read_pids(
    connection: &mut PgConnection,
    lookup: &mut Lookup,
    pid_values: Vec<&str>,
) -> Result<(), StoreError> {
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
