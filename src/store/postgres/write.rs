//! Writes planned changes, table by table: new rows by `copy`, changed ones from arrays.
//!
//! What another writer did first shows as a unique key that is taken, or as fewer rows than
//! expected: [`StoreError::Contended`], and whoever called rolls back and looks again. All writers
//! touch the tables in the same order and the rows in order of their keys.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, query, query_scalar};
use uuid::Uuid;

use super::moment::Moment;
use super::schema::Tables;
use crate::store::change::{Change, SourceChange};
use crate::store::columns::{minted, origin_json};
use crate::store::plan::{LedgerRow, Plan};
use crate::store::{Event, StoreError};

// A PID that is reserved, but names nothing yet, becomes the record's.
const PIDS: &str = "\
    insert into pidstore_pid \
        (pid_type, pid_value, status, object_type, object_uuid, created, updated) \
    select pid_type, pid_value, status, 'rec', id, created, updated from unnest( \
        $1::text[], $2::text[], $3::text[], $4::uuid[], $5::timestamptz[], $6::timestamptz[]) \
        as u (pid_type, pid_value, status, id, created, updated) \
    on conflict (pid_type, pid_value) do update set status = excluded.status, \
        object_type = excluded.object_type, object_uuid = excluded.object_uuid, \
        updated = excluded.updated where pidstore_pid.object_uuid is null";

const LEDGER: &str = "\
    update windrow_ledger l set record_id = u.record_id, hash = u.hash, source = u.source \
    from unnest($2::text[], $3::uuid[], $4::bytea[], $5::bytea[]) \
        as u (source_id, record_id, hash, source) \
    where l.source_name = $1 and l.source_id = u.source_id";

const ORIGINS: &str = "\
    insert into windrow_origin (source, origin) select * from unnest($1::bigint[], $2::text[]) \
    on conflict (source) do update set origin = excluded.origin";

const SOURCES: &str = "\
    update windrow_source s set format = u.format, locator = u.locator, hash = u.hash, \
        zstd = u.zstd \
    from unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[], $5::bytea[]) \
        as u (id, format, locator, hash, zstd) \
    where s.id = u.id";

// Any number that nobody else is likely to lock: the letters "recids".
const RECIDS: i64 = 0x7265_6369_6473;

const RAISE_RECIDS: &str = "\
    select setval(s.name, $1) \
    from (select pg_get_serial_sequence('pidstore_recid', 'recid')::regclass as name) s \
    where $1 > coalesce(pg_sequence_last_value(s.name), 0)";

// What nobody knew of goes, unless a PID leads to it.
const REMOVE_PIDS: &str = "\
    delete from pidstore_pid p where object_type = 'rec' and status = 'N' \
    and object_uuid = any($1) \
    and not exists (select 1 from pidstore_redirect r where r.pid_id = p.id)";

const DELETE_PIDS: &str = "\
    update pidstore_pid set status = 'D', updated = $1 \
    where object_type = 'rec' and object_uuid = any($2) and status <> 'D'";

const REGISTER_PIDS: &str = "\
    update pidstore_pid set status = 'R', updated = $1 \
    where object_type = 'rec' and object_uuid = any($2) and status = 'D'";

/// Writes what goes with the current revisions: all revisions, PIDs, source bytes.
pub(super) async fn behind(
    connection: &mut PgConnection,
    tables: &Tables,
    plan: &mut Plan,
    now: Timestamp,
) -> Result<(), StoreError> {
    if plan.changes.is_empty() {
        return Ok(());
    }
    let transactions = transactions(connection, &plan.changes, now).await?;
    versions(connection, tables, &plan.changes, &transactions).await?;
    new_pids(connection, plan).await?;
    pid_states(connection, &plan.changes, now).await?;
    sources(connection, tables, &mut plan.changes).await
}

/// Writes what each source id was loaded as.
pub(super) async fn ledger(
    connection: &mut PgConnection,
    tables: &Tables,
    source_name: &str,
    rows: &[LedgerRow],
) -> Result<(), StoreError> {
    // Of rows about the same source id the last one counts, and the first knows whether it is new.
    let mut last: HashMap<&str, (bool, &LedgerRow)> = HashMap::with_capacity(rows.len());
    for row in rows {
        let entry = last.entry(&row.source_id).or_insert((row.is_new, row));
        entry.1 = row;
    }
    let mut new = tables.ledger.rows();
    let (mut source_ids, mut ids) = (Vec::new(), Vec::new());
    let (mut hashes, mut sources) = (Vec::new(), Vec::new());
    for (is_new, row) in last.into_values() {
        let hash = row.hash.as_ref().map(<[u8; 32]>::as_slice);
        let source = row.source.as_ref().map(<[u8; 32]>::as_slice);
        if is_new {
            new.begin().text(source_name).text(&row.source_id).uuid(row.record_id);
            for hash in [hash, source] {
                match hash {
                    Some(hash) => new.bytes(hash),
                    None => new.null(),
                };
            }
        } else {
            source_ids.push(row.source_id.as_str());
            ids.push(row.record_id);
            hashes.push(hash);
            sources.push(source);
        }
    }
    new.send(connection).await?;
    let count = source_ids.len();
    if count > 0 {
        let update = query(LEDGER).bind(source_name).bind(source_ids).bind(ids).bind(hashes);
        let update = update.bind(sources);
        all(count, update.execute(connection).await?.rows_affected(), "windrow_ledger")?;
    }
    Ok(())
}

/// Fails when a statement touched fewer rows than it was to.
pub(super) fn all(expected: usize, touched: u64, table: &str) -> Result<(), StoreError> {
    if touched == expected as u64 {
        return Ok(());
    }
    let message = format!("{touched} rows of {table} could be changed, expected {expected}");
    Err(StoreError::Contended(message))
}

/// Writes the current revisions: new ones, and those in place of the one each was made from.
pub(super) async fn current(
    connection: &mut PgConnection,
    tables: &Tables,
    changes: &[Change],
) -> Result<(), StoreError> {
    let mut new = tables.metadata.rows();
    let mut ids = Vec::new();
    let (mut jsons, mut versions, mut updates) = (Vec::new(), Vec::new(), Vec::new());
    let mut befores = Vec::new();
    for change in changes {
        let Some(revision) = change.revisions.last() else { continue };
        match &change.before {
            None => {
                new.begin()
                    .uuid(change.id)
                    .json(revision.json.as_deref())
                    .number(revision.version_id)
                    .timestamp(change.created)
                    .timestamp(revision.updated);
            }
            Some(before) => {
                ids.push(change.id);
                jsons.push(revision.json.as_deref());
                versions.push(revision.version_id);
                befores.push(before.version_id);
                updates.push(Moment(revision.updated));
            }
        }
    }
    new.send(connection).await?;
    let count = ids.len();
    if count > 0 {
        let sql = format!(
            "update records_metadata m set json = u.json::{}, version_id = u.version_id, \
                 updated = u.updated \
             from unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::timestamptz[]) \
                 as u (id, json, version_id, before, updated) \
             where m.id = u.id and m.version_id = u.before",
            tables.json_type
        );
        let update = query(AssertSqlSafe(sql)).bind(ids).bind(jsons).bind(versions);
        let update = update.bind(befores).bind(updates).execute(connection).await?;
        all(count, update.rows_affected(), "records_metadata")?;
    }
    Ok(())
}

// The key of a version is (record, transaction): records with one new revision share the first
// transaction, a record with two needs a second one, and so on.
async fn transactions(
    connection: &mut PgConnection,
    changes: &[Change],
    now: Timestamp,
) -> Result<Vec<i64>, StoreError> {
    let waves = changes.iter().map(|change| change.revisions.len()).max().unwrap_or(0);
    let mut transactions: Vec<i64> = query_scalar(
        "insert into \"transaction\" (id, issued_at) \
         select nextval('transaction_id_seq'), $1 from generate_series(1, $2::bigint) \
         returning id::bigint",
    )
    .bind(Moment(now))
    .bind(i64::try_from(waves).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    transactions.sort_unstable();
    Ok(transactions)
}

async fn versions(
    connection: &mut PgConnection,
    tables: &Tables,
    changes: &[Change],
    transactions: &[i64],
) -> Result<(), StoreError> {
    let revised = |change: &&Change| change.before.is_some() && !change.revisions.is_empty();
    let ids = ids(changes.iter().filter(revised));
    if !ids.is_empty() {
        query(
            "update records_metadata_version set end_transaction_id = $1 \
             where id = any($2) and end_transaction_id is null",
        )
        .bind(transactions.first())
        .bind(ids)
        .execute(&mut *connection)
        .await?;
    }
    let mut rows = tables.version.rows();
    for change in changes {
        for (i, (revision, transaction)) in change.revisions.iter().zip(transactions).enumerate() {
            let follows = i + 1 < change.revisions.len();
            rows.begin()
                .uuid(change.id)
                .json(revision.json.as_deref())
                .number(revision.version_id)
                .timestamp(change.created)
                .timestamp(revision.updated)
                .number(*transaction);
            match transactions.get(i + 1).filter(|_| follows) {
                Some(end) => rows.number(*end),
                None => rows.null(),
            };
            // 0 insert, 1 update; a soft deletion is an update, too. 2 is a row that is gone.
            rows.number(match (revision.event, revision.version_id) {
                (Event::Erase, _) => 2,
                (_, 1) => 0,
                _ => 1,
            });
        }
    }
    rows.send(connection).await
}

async fn new_pids(connection: &mut PgConnection, plan: &mut Plan) -> Result<(), StoreError> {
    let recids = std::mem::take(&mut plan.new_pids);
    let further = std::mem::take(&mut plan.further_pids);
    let recids = recids.iter().map(|(value, at)| ("recid", value.as_str(), *at));
    let further = further.iter().map(|(name, at)| (name.pid_type(), name.pid_value(), *at));
    let mut pids: Vec<(&str, &str, usize)> = recids.chain(further).collect();
    if pids.is_empty() {
        return Ok(());
    }
    pids.sort_unstable();
    let recids = pids.iter().filter(|(pid_type, ..)| *pid_type == "recid");
    let mut minted: Vec<i64> = recids.filter_map(|(_, value, _)| minted(value)).collect();
    minted.sort_unstable();
    let (mut types, mut values, mut states) = (Vec::new(), Vec::new(), Vec::new());
    let (mut ids, mut created, mut updated) = (Vec::new(), Vec::new(), Vec::new());
    for (pid_type, value, at) in pids {
        let Some(change) = plan.changes.get(at) else { continue };
        let Some(revision) = change.revisions.last() else { continue };
        types.push(pid_type);
        values.push(value);
        states.push(if change.is_live() { "R" } else { "D" });
        ids.push(change.id);
        created.push(Moment(change.created));
        updated.push(Moment(revision.updated));
    }
    let count = values.len();
    let insert = query(PIDS).bind(types).bind(values).bind(states).bind(ids);
    let insert = insert.bind(created).bind(updated).execute(&mut *connection).await?;
    all(count, insert.rows_affected(), "pidstore_pid")?;
    if let Some(largest) = minted.last().copied() {
        query(
            "insert into pidstore_recid (recid) select unnest($1::bigint[]) \
             on conflict (recid) do nothing",
        )
        .bind(minted)
        .execute(&mut *connection)
        .await?;
        raise_recids(connection, largest).await?;
    }
    Ok(())
}

// Invenio mints from the column's sequence, which knows nothing of rows that bring their number.
// A sequence stands outside of transactions: the lock is held only while it is looked at and set,
// so that of two lanes the one with the smaller number does not set it back.
pub(super) async fn raise_recids(
    connection: &mut PgConnection,
    largest: i64,
) -> Result<(), StoreError> {
    query("select pg_advisory_lock($1)").bind(RECIDS).execute(&mut *connection).await?;
    // Within a savepoint: in a transaction that has failed nothing is unlocked any more.
    let mut savepoint = connection.begin().await?;
    let raised = query(RAISE_RECIDS).bind(largest).execute(&mut *savepoint).await;
    match raised {
        Ok(_) => savepoint.commit().await?,
        Err(_) => savepoint.rollback().await?,
    }
    query("select pg_advisory_unlock($1)").bind(RECIDS).execute(connection).await?;
    raised?;
    Ok(())
}

async fn pid_states(
    connection: &mut PgConnection,
    changes: &[Change],
    now: Timestamp,
) -> Result<(), StoreError> {
    let turned = |live: bool| {
        ids(changes.iter().filter(move |change| {
            let was_deleted = change.before.as_ref().map(|state| state.deleted);
            change.is_live() == live && was_deleted == Some(live)
        }))
    };
    let deleted = turned(false);
    if !deleted.is_empty() {
        query(REMOVE_PIDS).bind(&deleted).execute(&mut *connection).await?;
        query(DELETE_PIDS).bind(Moment(now)).bind(deleted).execute(&mut *connection).await?;
    }
    let registered = turned(true);
    if !registered.is_empty() {
        query(REGISTER_PIDS).bind(Moment(now)).bind(registered).execute(connection).await?;
    }
    Ok(())
}

// Notes the source row of each change in it.
async fn sources(
    connection: &mut PgConnection,
    tables: &Tables,
    changes: &mut [Change],
) -> Result<(), StoreError> {
    let row = |change: &Change| change.before.as_ref().and_then(|state| state.source);
    let is_new = |change: &&Change| {
        matches!(change.source, SourceChange::Replace(_)) && row(change).is_none()
    };
    let needed = i64::try_from(changes.iter().filter(is_new).count()).unwrap_or(i64::MAX);
    let free: Vec<i64> = match needed {
        0 => Vec::new(),
        _ => {
            query_scalar(
                "select nextval('windrow_source_id_seq') from generate_series(1, $1::bigint)",
            )
            .bind(needed)
            .fetch_all(&mut *connection)
            .await?
        }
    };
    let mut free = free.into_iter();
    let mut new = tables.source.rows();
    let (mut replaced, mut forgotten) = (Vec::new(), Vec::new());
    let (mut harvested, mut origins, mut without) = (Vec::new(), Vec::new(), Vec::new());
    for change in changes.iter_mut() {
        let before = row(change);
        change.source_row = match (&change.source, before) {
            (SourceChange::Keep, _) => before,
            (SourceChange::Forget, _) => {
                forgotten.extend(before);
                None
            }
            (SourceChange::Replace(copy), Some(number)) => {
                replaced.push((number, copy, copy.bytes.zstd()?.into_owned()));
                before
            }
            (SourceChange::Replace(copy), None) => {
                let number = free.next();
                if let Some(number) = number {
                    new.begin().number(number).text(copy.format).text(&copy.locator);
                    new.bytes(&copy.hash).bytes(&copy.bytes.zstd()?);
                }
                number
            }
        };
        if let (SourceChange::Replace(copy), Some(number)) = (&change.source, change.source_row) {
            match &copy.origin {
                Some(origin) => {
                    harvested.push(number);
                    origins.push(origin_json(origin)?);
                }
                None => without.extend(before),
            }
        }
    }
    new.send(connection).await?;
    if !replaced.is_empty() {
        query(SOURCES)
            .bind(replaced.iter().map(|(number, ..)| *number).collect::<Vec<i64>>())
            .bind(replaced.iter().map(|(_, copy, _)| copy.format).collect::<Vec<&str>>())
            .bind(replaced.iter().map(|(_, copy, _)| copy.locator.as_str()).collect::<Vec<&str>>())
            .bind(replaced.iter().map(|(_, copy, _)| &copy.hash[..]).collect::<Vec<&[u8]>>())
            .bind(replaced.iter().map(|(.., zstd)| zstd.as_slice()).collect::<Vec<&[u8]>>())
            .execute(&mut *connection)
            .await?;
    }
    if !origins.is_empty() {
        let insert = query(ORIGINS).bind(harvested).bind(origins);
        insert.execute(&mut *connection).await?;
    }
    if !without.is_empty() {
        let forget = query("delete from windrow_origin where source = any($1)").bind(without);
        forget.execute(&mut *connection).await?;
    }
    if !forgotten.is_empty() {
        let forget = query("delete from windrow_source where id = any($1)").bind(forgotten);
        forget.execute(connection).await?;
    }
    Ok(())
}

fn ids<'c>(changes: impl Iterator<Item = &'c Change>) -> Vec<Uuid> {
    changes.map(|change| change.id).collect()
}
