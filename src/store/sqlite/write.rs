//! Writes planned changes, table by table, many rows to a statement.

use sqlx::sqlite::SqliteConnection;
use sqlx::{Arguments, query, query_scalar};

use super::sets::SetNumbers;
use super::sql::{Insert, Text, TimestampTexts, json_array};
use crate::store::StoreError;
use crate::store::plan::{Change, LedgerRow, Plan, SourceChange};

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
    row: "('recid',?,?,'rec',?,?,?)",
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

const OAI: Insert = Insert {
    head: "insert or fail into windrow_oai (id, pid_value, datestamp, deleted, source, sets) values ",
    row: "(?,?,?,?,?,?)",
    // The OAI identifier is for ever: pid_value stays what it was first.
    tail: " on conflict (id) do update set datestamp = excluded.datestamp, \
           deleted = excluded.deleted, source = excluded.source, sets = excluded.sets",
};

const OAI_SET: Insert = Insert {
    head: "insert or fail into windrow_oai_set (set_id, datestamp, id) values ",
    row: "(?,?,?)",
    tail: "",
};

const OAI_SET_LEFT: Insert = Insert {
    head: "delete from windrow_oai_set where (set_id, datestamp, id) in (values ",
    row: "(?,?,?)",
    tail: ")",
};

const LEDGER: Insert = Insert {
    head: "insert or fail into windrow_ledger (source_name, source_id, record_id, hash) values ",
    row: "(?,?,?,?)",
    tail: " on conflict (source_name, source_id) do update set \
           record_id = excluded.record_id, hash = excluded.hash",
};

// Without the plus SQLite would go through all current revisions of the store.
const END_VERSIONS: &str = "\
    update records_metadata_version set end_transaction_id = ?1 \
    where +end_transaction_id is null and id in (select unhex(value) from json_each(?2))";

const DELETE_PIDS: &str = "\
    update pidstore_pid set status = 'D', updated = ?1 where object_type = 'rec' \
    and object_uuid in (select unhex(value) from json_each(?2)) and +status <> 'D'";

const REGISTER_PIDS: &str = "\
    update pidstore_pid set status = 'R', updated = ?1 where object_type = 'rec' \
    and object_uuid in (select unhex(value) from json_each(?2)) and +status = 'D'";

const FORGET_SOURCES: &str =
    "delete from windrow_source where id in (select value from json_each(?))";

/// Writes a plan's changes; `sets` must know all their setSpecs.
pub(super) async fn changes(
    connection: &mut SqliteConnection,
    plan: &mut Plan,
    sets: &SetNumbers,
    now: &Text,
) -> Result<(), StoreError> {
    if plan.changes.is_empty() {
        return Ok(());
    }
    let transactions = transactions(connection, &plan.changes, now).await?;
    end_versions(connection, &plan.changes, &transactions).await?;
    metadata(connection, &plan.changes).await?;
    versions(connection, &plan.changes, &transactions).await?;
    new_pids(connection, plan).await?;
    pid_states(connection, &plan.changes, now).await?;
    let sources = sources(connection, &mut plan.changes).await?;
    oai(connection, &plan.changes, sources).await?;
    oai_sets(connection, &plan.changes, sets).await
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
            arguments.add(row.hash.map(Vec::from))
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
    let ids = hex_ids(changes.iter().filter(|change| change.before.is_some()))?;
    if let Some(ids) = ids {
        let first = transactions.first().copied();
        query(END_VERSIONS).bind(first).bind(ids).execute(connection).await?;
    }
    Ok(())
}

async fn metadata(connection: &mut SqliteConnection, changes: &[Change]) -> Result<(), StoreError> {
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
            // 0 insert, 1 update. A soft deletion is an update, too: Continuum's 2 is a row
            // that is gone.
            arguments.add(i64::from(revision.version_id > 1))
        })
        .await
}

async fn new_pids(connection: &mut SqliteConnection, plan: &mut Plan) -> Result<(), StoreError> {
    let pids = std::mem::take(&mut plan.new_pids);
    // Only what Invenio would mint itself: `007` is a recid, but no number of its sequence.
    let is_minted = |recid: &i64, text: &str| *recid > 0 && recid.to_string() == text;
    let recids: Vec<i64> = pids
        .iter()
        .filter_map(|(text, _)| text.parse().ok().filter(|recid| is_minted(recid, text)))
        .collect();
    let rows = pids.into_iter().filter_map(|(pid, at)| Some((pid, plan.changes.get(at)?)));
    let mut texts = TimestampTexts::default();
    PID.all(connection, rows.collect(), |arguments, (pid_value, change)| {
        arguments.add(pid_value)?;
        arguments.add(if change.is_live() { "R" } else { "D" })?;
        arguments.add(change.id)?;
        arguments.add(texts.of(change.created))?;
        arguments.add(change.revisions.last().map(|revision| texts.of(revision.updated)))
    })
    .await?;
    RECID.all(connection, recids, Arguments::add).await
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
    for (sql, ids) in
        [(DELETE_PIDS, hex_ids(turned(false))?), (REGISTER_PIDS, hex_ids(turned(true))?)]
    {
        if let Some(ids) = ids {
            query(sql).bind(Text::clone(now)).bind(ids).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

// Returns the source row of each change, in order.
async fn sources(
    connection: &mut SqliteConnection,
    changes: &mut [Change],
) -> Result<Vec<Option<i64>>, StoreError> {
    let mut last: i64 = query_scalar("select coalesce(max(id), 0) from windrow_source")
        .fetch_one(&mut *connection)
        .await?;
    let mut numbers = Vec::with_capacity(changes.len());
    let mut rows = Vec::with_capacity(changes.len());
    let mut forgotten = Vec::new();
    for change in changes {
        let before = change.before.as_ref().and_then(|state| state.source);
        match std::mem::replace(&mut change.source, SourceChange::Keep) {
            SourceChange::Keep => numbers.push(before),
            SourceChange::Forget => {
                forgotten.extend(before.map(|number| number.to_string()));
                numbers.push(None);
            }
            SourceChange::Replace(copy) => {
                let number = before.unwrap_or_else(|| {
                    last += 1;
                    last
                });
                rows.push((number, copy));
                numbers.push(Some(number));
            }
        }
    }
    SOURCE
        .all(connection, rows, |arguments, (number, copy)| {
            arguments.add(number)?;
            arguments.add(copy.format)?;
            arguments.add(copy.locator)?;
            arguments.add(Vec::from(copy.hash))?;
            arguments.add(copy.zstd)
        })
        .await?;
    if !forgotten.is_empty() {
        let forgotten = json_array(forgotten.iter().map(String::as_str))?;
        query(FORGET_SOURCES).bind(forgotten).execute(connection).await?;
    }
    Ok(numbers)
}

// A harvester that polls with `from` = its last responseDate relies on two things: no datestamp
// is older than a response that did not have it yet, and none goes back. With one writer,
// batches become visible in the order in which they are written; but a batch that is stamped
// `now` commits a little later, and with preserved dates a record may come in with any date.
// The endpoint must allow for that (a margin before `now`); the store writes what it is given.
async fn oai(
    connection: &mut SqliteConnection,
    changes: &[Change],
    sources: Vec<Option<i64>>,
) -> Result<(), StoreError> {
    OAI.all(connection, changes.iter().zip(sources).collect(), |arguments, (change, source)| {
        arguments.add(change.id)?;
        arguments.add(change.pid_value.as_str())?;
        arguments.add(change.datestamp)?;
        arguments.add(i64::from(!change.is_live()))?;
        arguments.add(source)?;
        arguments.add(change.sets.as_str())
    })
    .await
}

async fn oai_sets(
    connection: &mut SqliteConnection,
    changes: &[Change],
    sets: &SetNumbers,
) -> Result<(), StoreError> {
    let mut left = Vec::new();
    let mut entered = Vec::new();
    for change in changes {
        if let Some((state, datestamp)) =
            change.before.as_ref().and_then(|state| Some((state, state.datestamp?)))
        {
            let numbers = sets.of(&state.sets).into_iter();
            left.extend(numbers.map(|number| (number, datestamp, change.id)));
        }
        let numbers = sets.of(&change.sets).into_iter();
        entered.extend(numbers.map(|number| (number, change.datestamp, change.id)));
    }
    for (insert, rows) in [(&OAI_SET_LEFT, left), (&OAI_SET, entered)] {
        insert
            .all(connection, rows, |arguments, (number, datestamp, id)| {
                arguments.add(number)?;
                arguments.add(datestamp)?;
                arguments.add(id)
            })
            .await?;
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
