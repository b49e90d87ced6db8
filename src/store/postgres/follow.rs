//! The OAI projection follows what Invenio writes, and search patterns, in bounded steps.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row, query, query_as, query_scalar};
use uuid::Uuid;

use super::moment::Moment;
use super::{PostgresStore, load, lookup, projection, settling};
use crate::store::change::{Change, RecordState, Revision};
use crate::store::follow::{Place, Stretch};
use crate::store::{Event, Followed, StoreError, listing};

// One follower at a time: the letters "winfollo".
const FOLLOWING: i64 = 0x7769_6e66_6f6c_6c6f;

const RECORDS: &str =
    "select 0::bigint, id, false from records_metadata where id > $1 order by id limit $2";

const REVISIONS: &str = "\
    select v.transaction_id::bigint, v.id, exists(select 1 from windrow_oai o \
        join records_metadata m on m.id = o.id where o.id = v.id and o.version = m.version_id) \
    from records_metadata_version v \
    where v.transaction_id >= $1 and (v.transaction_id, v.id) > ($1, $2) \
    order by v.transaction_id, v.id limit $3";

// Who draws a number holds this lock on the sequence, or on the table, to the end of the
// transaction.
const AT_WORK: &str = "\
    select distinct virtualtransaction from pg_locks \
    where locktype = 'relation' and mode = 'RowExclusiveLock' and pid <> pg_backend_pid() \
    and database = (select oid from pg_database where datname = current_database()) \
    and relation in (to_regclass('\"transaction\"'), to_regclass('transaction_id_seq'), \
        to_regclass('records_metadata_version'))";

const CURRENT: &str = "\
    select m.id, m.json::text, m.updated, m.version_id::bigint, \
        coalesce(o.pid_value, (select min(p.pid_value) from pidstore_pid p \
            where p.object_type = 'rec' and p.object_uuid = m.id and p.pid_type = 'recid'), '') \
    from records_metadata m left join windrow_oai o on o.id = m.id where m.id = any($1)";

const GONE: &str = "\
    select o.id, o.pid_value, o.datestamp, o.sets, o.matched, coalesce(o.version, 0) \
    from windrow_oai o where o.id = any($1) and not o.deleted \
    and not exists (select 1 from records_metadata m where m.id = o.id) \
    order by o.id for update";

const PLACE: &str = "select value from windrow_setting where name = 'followed'";

const KEEP: &str = "\
    insert into windrow_setting (name, value) values ('followed', $1) \
    on conflict (name) do update set value = excluded.value";

const NOTE: &str = "\
    update windrow_oai o set version = u.version \
    from unnest($1::uuid[], $2::bigint[]) as u (id, version) where o.id = u.id";

/// A step over at most `limit` records; see `Store::follow`.
pub(super) async fn follow(
    store: &PostgresStore,
    now: Timestamp,
    limit: u32,
) -> Result<Followed, StoreError> {
    let mut connection = store.writers.acquire().await?;
    let mut transaction = connection.begin().await?;
    let alone = query_scalar("select pg_try_advisory_xact_lock($1)").bind(FOLLOWING);
    if !alone.fetch_one(&mut *transaction).await? {
        return Ok(Followed { seen: 0, changed: 0, more: false, share: 1.0 });
    }
    let mut patterns = projection::patterns(&mut transaction, &store.patterns).await?;
    let kept: Option<String> = query_scalar(PLACE).fetch_optional(&mut *transaction).await?;
    if !Place::is_kept(kept.as_deref(), &patterns.text()) {
        // From here on writers go by the patterns that are read now.
        let alone = query("select pg_advisory_xact_lock($1)").bind(settling::PATTERNS);
        alone.execute(&mut *transaction).await?;
        patterns = projection::patterns(&mut transaction, &store.patterns).await?;
        let (last, at_work) = at_work(&mut transaction).await?;
        let place = Place::start(patterns.text(), last, at_work);
        query(KEEP).bind(place.text()).execute(&mut *transaction).await?;
        transaction.commit().await?;
        return place.followed(0, 0, &patterns);
    }
    // In this order: who is not at work any more has nothing to hide from what is read next.
    let (last, at_work) = at_work(&mut transaction).await?;
    let mut place = Place::read(kept.as_deref(), patterns.text(), last, at_work.clone());
    let stretch = place.stretch(last, &at_work);
    let found: Vec<(i64, Uuid, bool)> = match stretch {
        Stretch::Records(after) => query_as(RECORDS).bind(after).bind(i64::from(limit)),
        Stretch::Revisions(after, record) => {
            query_as(REVISIONS).bind(after).bind(record).bind(i64::from(limit))
        }
    }
    .fetch_all(&mut *transaction)
    .await?;
    // Most are windrow's own, and listed already.
    let outdated = found.iter().filter(|(.., is_listed)| !is_listed).map(|(_, id, _)| *id);
    let changes = as_they_are(&mut transaction, outdated, now).await?;
    let (mut changes, notes) = listing::sift(changes, &patterns);
    let none = HashMap::new();
    let sets = load::tell(&mut transaction, store, &mut changes, &none, now).await?;
    if !notes.is_empty() {
        let (ids, versions): (Vec<Uuid>, Vec<i64>) = notes.into_iter().unzip();
        query(NOTE).bind(ids).bind(versions).execute(&mut *transaction).await?;
    }
    let end = found.len() < limit as usize;
    let reached = found.last().map(|(transaction, id, _)| (*transaction, *id));
    place.passed(stretch, reached, end);
    // Nothing new is nothing written.
    if kept.as_deref() != Some(&place.text()) {
        query(KEEP).bind(place.text()).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    store.learn_sets(sets);
    place.followed(found.len(), changes.len(), &patterns)
}

/// The largest number of a transaction that can be seen, and who may have drawn a smaller one and
/// not be through.
async fn at_work(connection: &mut PgConnection) -> Result<(i64, Vec<String>), StoreError> {
    let last = query_scalar("select coalesce(max(id), 0)::bigint from \"transaction\"")
        .fetch_one(&mut *connection)
        .await?;
    Ok((last, query_scalar(AT_WORK).fetch_all(connection).await?))
}

/// The records as they are now, those that are gone included; they stay so until the end of the
/// transaction.
async fn as_they_are(
    connection: &mut PgConnection,
    ids: impl Iterator<Item = Uuid>,
    now: Timestamp,
) -> Result<Vec<Change>, StoreError> {
    let mut ids: Vec<Uuid> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut states = lookup::of_records(connection, &ids).await?;
    let mut changes = Vec::with_capacity(ids.len());
    for row in query(CURRENT).bind(&ids).fetch_all(&mut *connection).await? {
        let id = row.try_get(0)?;
        let Some(before) = states.remove(&id) else { continue };
        let json: Option<&str> = row.try_get(1)?;
        let event = if json.is_some() { Event::Update } else { Event::Delete };
        let (version_id, updated) = (row.try_get(3)?, row.try_get::<Moment, _>(2)?.0);
        let revision = Revision { version_id, json: json.map(Into::into), updated, event };
        changes.push(Change::found(id, row.try_get(4)?, before, revision));
    }
    for row in query(GONE).bind(ids).fetch_all(connection).await? {
        changes.push(gone(&row, now)?);
    }
    Ok(changes)
}

fn gone(row: &PgRow, now: Timestamp) -> Result<Change, StoreError> {
    let version: i64 = row.try_get(5)?;
    let before = RecordState {
        version_id: version,
        created: now,
        deleted: true,
        datestamp: row.try_get(2)?,
        listed_deleted: false,
        listed_version: Some(version),
        sets: row.try_get(3)?,
        matched: row.try_get(4)?,
        source: None,
    };
    let (version_id, json, updated, event) = (version + 1, None, now, Event::Erase);
    let revision = Revision { version_id, json, updated, event };
    Ok(Change::found(row.try_get(0)?, row.try_get(1)?, before, revision))
}
