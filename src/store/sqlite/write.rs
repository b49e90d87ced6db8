//! Writes planned changes, table by table, many rows to a statement.

use std::borrow::Cow;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Arguments, query, query_scalar};

use super::sql::{Insert, Text, TimestampTexts, json_array};
use crate::store::change::{Change, SourceChange};
use crate::store::columns::{minted, origin_json};
use crate::store::plan::{LedgerRow, Plan};
use crate::store::{Event, StoreError};

// "or fail": SQLite needs no second journal to take back the first rows of a statement whose later
// row fails, which costs a third of the rate. Whoever gets an error here rolls everything back.

const METADATA: Insert = Insert {
    head: "insert or fail into records_metadata (id, json, version_id, created, updated) values ",
    row: "(?,?,?,?,?)",
    tail: " on conflict (id) do update set json = excluded.json, \
           version_id = excluded.version_id, updated = excluded.updated",
};

const VERSION: Insert = Insert {
    head: "insert or fail into records_metadata_version (id, json, version_id, created, updated, \
           transaction_id, end_transaction_id, operation_type) values ",
    row: "(?,?,?,?,?,?,?,?)",
    tail: "",
};

// A PID that is reserved, but names nothing yet, becomes the record's.
const PID: Insert = Insert {
    head: "insert or fail into pidstore_pid \
           (pid_type, pid_value, status, object_type, object_uuid, created, updated) values ",
    row: "(?,?,?,'rec',?,?,?)",
    tail: " on conflict (pid_type, pid_value) do update set status = excluded.status, \
           object_type = excluded.object_type, object_uuid = excluded.object_uuid, \
           updated = excluded.updated",
};

const RECID: Insert =
    Insert { head: "insert or ignore into pidstore_recid (recid) values ", row: "(?)", tail: "" };

const SOURCE: Insert = Insert {
    head: "insert or replace into windrow_source (id, format, locator, hash, zstd) values ",
    row: "(?,?,?,?,?)",
    tail: "",
};

const ORIGIN: Insert = Insert {
    head: "insert or replace into windrow_origin (source, origin) values ",
    row: "(?,?)",
    tail: "",
};

// Of source bytes that were replaced by some that were not harvested.
const FORGET_ORIGINS: &str =
    "delete from windrow_origin where source in (select value from json_each(?))";

const LEDGER: Insert = Insert {
    head: "insert or fail into windrow_ledger \
           (source_name, source_id, record_id, hash, source) values ",
    row: "(?,?,?,?,?)",
    tail: " on conflict (source_name, source_id) do update set \
           record_id = excluded.record_id, hash = excluded.hash, source = excluded.source",
};

// Without the plus SQLite would go through all current revisions of the store.
pub(super) const END_VERSIONS: &str = "\
    update records_metadata_version set end_transaction_id = ?1 \
    where +end_transaction_id is null and id in (select unhex(value) from json_each(?2))";

pub(super) const DELETE_PIDS: &str = "\
    update pidstore_pid set status = 'D', updated = ?1 where object_type = 'rec' \
    and object_uuid in (select unhex(value) from json_each(?2)) and +status <> 'D'";

// What nobody knew of goes, unless a PID leads to it.
const REMOVE_PIDS: &str = "\
    delete from pidstore_pid where object_type = 'rec' and +status = 'N' \
    and object_uuid in (select unhex(value) from json_each(?1)) \
    and not exists (select 1 from pidstore_redirect r where r.pid_id = pidstore_pid.id)";

pub(super) const REGISTER_PIDS: &str = "\
    update pidstore_pid set status = 'R', updated = ?1 where object_type = 'rec' \
    and object_uuid in (select unhex(value) from json_each(?2)) and +status = 'D'";

pub(super) const FORGET_SOURCES: &str =
    "delete from windrow_source where id in (select value from json_each(?))";

/// Writes the current revisions of a plan's changes, whatever was there.
pub(super) async fn current(
    connection: &mut SqliteConnection,
    changes: &[Change],
) -> Result<(), StoreError> {
    let rows = changes.iter().filter_map(|change| Some((change, change.revisions.last()?)));
    let mut texts = TimestampTexts::default();
    METADATA
        .all(connection, rows.collect(), |arguments, (change, revision)| {
            arguments.add(change.id)?;
            arguments.add(revision.json.clone())?;
            arguments.add(revision.version_id)?;
            arguments.add(texts.of(change.created))?;
            arguments.add(texts.of(revision.updated))
        })
        .await
}

/// Writes what goes with the current revisions: all revisions, PIDs, source bytes.
pub(super) async fn behind(
    connection: &mut SqliteConnection,
    plan: &mut Plan,
    now: &Text,
) -> Result<(), StoreError> {
    if plan.changes.is_empty() {
        return Ok(());
    }
    let transactions = transactions(connection, &plan.changes, now).await?;
    end_versions(connection, &plan.changes, &transactions).await?;
    versions(connection, &plan.changes, &transactions).await?;
    new_pids(connection, plan).await?;
    pid_states(connection, &plan.changes, now).await?;
    sources(connection, &mut plan.changes).await
}

/// Writes what each source id was loaded as.
pub(super) async fn ledger(
    connection: &mut SqliteConnection,
    source_name: &str,
    rows: Vec<LedgerRow>,
) -> Result<(), StoreError> {
    let source_name = Text::from(source_name);
    LEDGER
        .all(connection, rows, |arguments, row| {
            arguments.add(Text::clone(&source_name))?;
            arguments.add(row.source_id)?;
            arguments.add(row.record_id)?;
            arguments.add(row.hash.map(Vec::from))?;
            arguments.add(row.source.map(Vec::from))
        })
        .await
}

// The key of a version is (record, transaction): records with one new revision share the first
// transaction, a record with two needs a second one, and so on.
async fn transactions(
    connection: &mut SqliteConnection,
    changes: &[Change],
    now: &Text,
) -> Result<Vec<i64>, StoreError> {
    let waves = changes.iter().map(|change| change.revisions.len()).max().unwrap_or(0);
    let mut transactions = Vec::with_capacity(waves);
    for _ in 0..waves {
        let id =
            query_scalar("insert or fail into \"transaction\" (issued_at) values (?) returning id")
                .bind(Text::clone(now))
                .fetch_one(&mut *connection)
                .await?;
        transactions.push(id);
    }
    Ok(transactions)
}

async fn end_versions(
    connection: &mut SqliteConnection,
    changes: &[Change],
    transactions: &[i64],
) -> Result<(), StoreError> {
    let revised = |change: &&Change| change.before.is_some() && !change.revisions.is_empty();
    let ids = hex_ids(changes.iter().filter(revised))?;
    if let Some(ids) = ids {
        let first = transactions.first().copied();
        query(END_VERSIONS).bind(first).bind(ids).execute(connection).await?;
    }
    Ok(())
}

async fn versions(
    connection: &mut SqliteConnection,
    changes: &[Change],
    transactions: &[i64],
) -> Result<(), StoreError> {
    let mut rows = Vec::with_capacity(changes.len());
    for change in changes {
        for (i, (revision, transaction)) in change.revisions.iter().zip(transactions).enumerate() {
            let follows = i + 1 < change.revisions.len();
            let end = transactions.get(i + 1).filter(|_| follows).copied();
            rows.push((change, revision, *transaction, end));
        }
    }
    let mut texts = TimestampTexts::default();
    VERSION
        .all(connection, rows, |arguments, (change, revision, transaction, end)| {
            arguments.add(change.id)?;
            arguments.add(revision.json.clone())?;
            arguments.add(revision.version_id)?;
            arguments.add(texts.of(change.created))?;
            arguments.add(texts.of(revision.updated))?;
            arguments.add(transaction)?;
            arguments.add(end)?;
            // 0 insert, 1 update; a soft deletion is an update, too. 2 is a row that is gone.
            arguments.add(match (revision.event, revision.version_id) {
                (Event::Erase, _) => 2,
                (_, 1) => 0,
                _ => 1,
            })
        })
        .await
}

async fn new_pids(connection: &mut SqliteConnection, plan: &mut Plan) -> Result<(), StoreError> {
    let recids = std::mem::take(&mut plan.new_pids);
    let further = std::mem::take(&mut plan.further_pids);
    let further_recids = further.iter().filter(|(name, _)| name.pid_type() == "recid");
    let minted: Vec<i64> = recids
        .iter()
        .map(|(value, _)| value.as_str())
        .chain(further_recids.map(|(name, _)| name.pid_value()))
        .filter_map(minted)
        .collect();
    let recids = recids.into_iter().map(|(value, at)| (Cow::Borrowed("recid"), value, at));
    let further = further.into_iter().map(|(name, at)| {
        let (pid_type, pid_value) = name.into_parts();
        (Cow::Owned(pid_type), pid_value, at)
    });
    let rows = recids
        .chain(further)
        .filter_map(|(pid_type, value, at)| Some((pid_type, value, plan.changes.get(at)?)));
    let mut texts = TimestampTexts::default();
    PID.all(connection, rows.collect(), |arguments, (pid_type, pid_value, change)| {
        arguments.add(pid_type)?;
        arguments.add(pid_value)?;
        arguments.add(if change.is_live() { "R" } else { "D" })?;
        arguments.add(change.id)?;
        arguments.add(texts.of(change.created))?;
        arguments.add(change.revisions.last().map(|revision| texts.of(revision.updated)))
    })
    .await?;
    RECID.all(connection, minted, Arguments::add).await
}

async fn pid_states(
    connection: &mut SqliteConnection,
    changes: &[Change],
    now: &Text,
) -> Result<(), StoreError> {
    let turned = |live: bool| {
        changes.iter().filter(move |change| {
            let was_deleted = change.before.as_ref().map(|state| state.deleted);
            change.is_live() == live && was_deleted == Some(live)
        })
    };
    if let Some(ids) = hex_ids(turned(false))? {
        query(REMOVE_PIDS).bind(Text::clone(&ids)).execute(&mut *connection).await?;
        query(DELETE_PIDS).bind(Text::clone(now)).bind(ids).execute(&mut *connection).await?;
    }
    if let Some(ids) = hex_ids(turned(true))? {
        query(REGISTER_PIDS).bind(Text::clone(now)).bind(ids).execute(&mut *connection).await?;
    }
    Ok(())
}

// Notes the source row of each change in it.
async fn sources(
    connection: &mut SqliteConnection,
    changes: &mut [Change],
) -> Result<(), StoreError> {
    let mut last: i64 = query_scalar("select coalesce(max(id), 0) from windrow_source")
        .fetch_one(&mut *connection)
        .await?;
    let mut rows = Vec::with_capacity(changes.len());
    let (mut forgotten, mut origins, mut without) = (Vec::new(), Vec::new(), Vec::new());
    for change in changes {
        let before = change.before.as_ref().and_then(|state| state.source);
        match std::mem::replace(&mut change.source, SourceChange::Keep) {
            SourceChange::Keep => change.source_row = before,
            SourceChange::Forget => forgotten.extend(before.map(|number| number.to_string())),
            SourceChange::Replace(copy) => {
                let number = before.unwrap_or_else(|| {
                    last += 1;
                    last
                });
                match &copy.origin {
                    Some(origin) => origins.push((number, origin_json(origin)?)),
                    None => without.extend(before.map(|number| number.to_string())),
                }
                let zstd = copy.bytes.zstd()?.into_owned();
                rows.push((number, copy, zstd));
                change.source_row = Some(number);
            }
        }
    }
    SOURCE
        .all(connection, rows, |arguments, (number, copy, zstd)| {
            arguments.add(number)?;
            arguments.add(copy.format)?;
            arguments.add(copy.locator)?;
            arguments.add(Vec::from(copy.hash))?;
            arguments.add(zstd)
        })
        .await?;
    ORIGIN
        .all(connection, origins, |arguments, (number, origin)| {
            arguments.add(number)?;
            arguments.add(origin)
        })
        .await?;
    if !without.is_empty() {
        let without = json_array(without.iter().map(String::as_str))?;
        query(FORGET_ORIGINS).bind(without).execute(&mut *connection).await?;
    }
    if !forgotten.is_empty() {
        let forgotten = json_array(forgotten.iter().map(String::as_str))?;
        query(FORGET_SOURCES).bind(forgotten).execute(connection).await?;
    }
    Ok(())
}

// `None` when there are none, and nothing has to be done.
fn hex_ids<'a>(changes: impl Iterator<Item = &'a Change>) -> Result<Option<Text>, StoreError> {
    let ids: Vec<String> = changes.map(|change| change.id.simple().to_string()).collect();
    if ids.is_empty() {
        return Ok(None);
    }
    json_array(ids.iter().map(String::as_str)).map(Some)
}
