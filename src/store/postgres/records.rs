//! Single records: created, changed, erased, read by PID, by UUID and by revision.

use jiff::Timestamp;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row, query, query_scalar};
use uuid::Uuid;

use super::json::canonical;
use super::moment::Moment;
use super::{PostgresStore, load, lookup, write};
use crate::store::{NewRecord, RecordChange, StoreError, StoredRecord, single};

// A redirected PID's object_uuid is a row of pidstore_redirect. `union` leaves out what was met
// before, so that a circle ends.
const BY_PID: &str = "\
    with recursive chain (status, object_uuid) as ( \
        select status, object_uuid from pidstore_pid where pid_type = $1 and pid_value = $2 \
        union \
        select p.status, p.object_uuid from chain c \
        join pidstore_redirect r on r.id = c.object_uuid \
        join pidstore_pid p on p.id = r.pid_id \
        where c.status = 'M' \
    ) \
    select m.id, m.version_id::bigint, m.json::text, m.created, m.updated from chain c \
    join records_metadata m on m.id = c.object_uuid where c.status <> 'M'";

const BY_ID: &str = "select id, version_id::bigint, json::text, created, updated from records_metadata \
     where id = $1";

const REVISIONS: &str = "\
    select id, version_id::bigint, json::text, created, updated from records_metadata_version \
    where id = $1 order by version_id, transaction_id";

pub(super) const LISTED_AS: &str = "\
    select coalesce( \
        (select pid_value from windrow_oai where id = $1), \
        (select min(pid_value) from pidstore_pid \
         where object_type = 'rec' and object_uuid = $1 and pid_type = 'recid'), '')";

/// Creates a record with its PIDs.
pub(super) async fn create(
    store: &PostgresStore,
    record: &NewRecord,
    now: Timestamp,
) -> Result<StoredRecord, StoreError> {
    let now = single::floor(now);
    let mut connection = store.writers.acquire().await?;
    let mut transaction = connection.begin().await?;
    let is_known: bool = query_scalar(
        "select exists(select 1 from records_metadata where id = $1) \
         or exists(select 1 from records_metadata_version where id = $1)",
    )
    .bind(record.id)
    .fetch_one(&mut *transaction)
    .await?;
    if is_known {
        return Err(StoreError::IdTaken(record.id));
    }
    let mut plan = single::creation(record, &store.extensions, now)?;
    let names = single::names(record)?;
    let owners = lookup::further_pids(&mut transaction, &names).await?;
    single::take_pids(&mut plan, &owners, &names)?;
    write::current(&mut transaction, &store.tables, &plan.changes).await?;
    let sets = load::write_behind(&mut transaction, store, &mut plan, now).await?;
    transaction.commit().await?;
    store.learn_sets(sets);
    single::written(&plan)
}

/// Writes a new revision, a soft deletion, or new content for a tombstone.
pub(super) async fn change(
    store: &PostgresStore,
    id: Uuid,
    change: &RecordChange,
    now: Timestamp,
) -> Result<StoredRecord, StoreError> {
    let now = single::floor(now);
    let mut connection = store.writers.acquire().await?;
    let mut transaction = connection.begin().await?;
    let before = lookup::of_record(&mut transaction, id).await?;
    let before = single::at_revision(before, id, change.expected_revision)?;
    let listed_as = query_scalar(LISTED_AS).bind(id).fetch_one(&mut *transaction).await?;
    let mut plan = single::alteration(id, (before, listed_as), change, &store.extensions, now)?;
    let owners = lookup::further_pids(&mut transaction, &change.pids).await?;
    single::take_pids(&mut plan, &owners, &change.pids)?;
    write::current(&mut transaction, &store.tables, &plan.changes).await?;
    let sets = load::write_behind(&mut transaction, store, &mut plan, now).await?;
    transaction.commit().await?;
    store.learn_sets(sets);
    single::written(&plan)
}

/// Removes a record for good. Its revisions, its PIDs (deleted) and its header stay.
pub(super) async fn erase(
    store: &PostgresStore,
    id: Uuid,
    expected_revision: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let now = single::floor(now);
    let mut connection = store.writers.acquire().await?;
    let mut transaction = connection.begin().await?;
    let before = lookup::of_record(&mut transaction, id).await?;
    let before = single::at_revision(before, id, expected_revision)?;
    let listed_as = query_scalar(LISTED_AS).bind(id).fetch_one(&mut *transaction).await?;
    let mut plan = single::erasure(id, (before, listed_as), &store.extensions, now)?;
    let gone = query("delete from records_metadata where id = $1 and version_id = $2")
        .bind(id)
        .bind(expected_revision + 1)
        .execute(&mut *transaction)
        .await?;
    if gone.rows_affected() != 1 {
        return Err(StoreError::NotFound(format!("record {id}")));
    }
    let sets = load::write_behind(&mut transaction, store, &mut plan, now).await?;
    transaction.commit().await?;
    store.learn_sets(sets);
    Ok(())
}

/// The current revision of the record that a PID names, or that it redirects to.
pub(super) async fn by_pid(
    connection: &mut PgConnection,
    pid_type: &str,
    pid_value: &str,
) -> Result<StoredRecord, StoreError> {
    let row = query(BY_PID).bind(pid_type).bind(pid_value).fetch_optional(connection).await?;
    let row = row.ok_or_else(|| StoreError::NotFound(format!("record {pid_type}:{pid_value}")))?;
    stored(&row)
}

/// The current revision of the record with this UUID.
pub(super) async fn by_id(
    connection: &mut PgConnection,
    id: Uuid,
) -> Result<StoredRecord, StoreError> {
    let row = query(BY_ID).bind(id).fetch_optional(connection).await?;
    stored(&row.ok_or_else(|| StoreError::NotFound(format!("record {id}")))?)
}

/// All revisions of a record, oldest first.
pub(super) async fn revisions(
    connection: &mut PgConnection,
    id: Uuid,
) -> Result<Vec<StoredRecord>, StoreError> {
    let rows = query(REVISIONS).bind(id).fetch_all(connection).await?;
    if rows.is_empty() {
        return Err(StoreError::NotFound(format!("record {id}")));
    }
    rows.iter().map(stored).collect()
}

fn stored(row: &PgRow) -> Result<StoredRecord, StoreError> {
    Ok(StoredRecord {
        id: row.try_get(0)?,
        revision_id: row.try_get::<i64, _>(1)? - 1,
        json: row.try_get::<Option<&str>, _>(2)?.map(canonical).transpose()?,
        created: row.try_get::<Moment, _>(3)?.0,
        updated: row.try_get::<Moment, _>(4)?.0,
    })
}
