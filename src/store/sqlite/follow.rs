//! The OAI projection follows what Invenio writes, and search patterns, in bounded steps.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection, Row, query, query_as, query_scalar};
use uuid::Uuid;

use super::sql::{Text, json_array, parse_timestamp};
use super::{Writer, load, lookup, projection};
use crate::store::change::{Change, RecordState, Revision};
use crate::store::follow::{Place, Stretch};
use crate::store::{Event, Followed, StoreError, listing};

pub(super) const RECORDS: &str =
    "select 0, id, false from records_metadata where id > ?1 order by id limit ?2";

// A plus takes the affinity from Invenio's `binary(16)`, which is numeric: with it the key of
// `windrow_oai`, a blob, is not used, and each look is at the whole table.
pub(super) const REVISIONS: &str = "\
    select v.transaction_id, v.id, exists(select 1 from windrow_oai o \
        join records_metadata m on m.id = o.id where o.id = +v.id and o.version = m.version_id) \
    from records_metadata_version v \
    where v.transaction_id >= ?1 and (v.transaction_id, v.id) > (?1, ?2) \
    order by v.transaction_id, v.id limit ?3";

pub(super) const CURRENT: &str = "\
    select m.id, m.json, m.updated, coalesce(o.pid_value, (select min(p.pid_value) \
        from pidstore_pid p where p.object_type = 'rec' and p.object_uuid = m.id \
        and +p.pid_type = 'recid'), '') \
    from json_each(?1) j cross join records_metadata m on m.id = unhex(j.value) \
    left join windrow_oai o on o.id = +m.id";

pub(super) const GONE: &str = "\
    select o.id, o.pid_value, o.datestamp, o.sets, o.matched, coalesce(o.version, 0) \
    from json_each(?1) j cross join windrow_oai o on o.id = unhex(j.value) \
    where not o.deleted and not exists (select 1 from records_metadata m where m.id = o.id)";

const PLACE: &str = "select value from windrow_setting where name = 'followed'";

const KEEP: &str = "insert or replace into windrow_setting (name, value) values ('followed', ?)";

/// A step over at most `limit` records; see `Store::follow`.
pub(super) async fn follow(
    writer: &mut Writer,
    now: Timestamp,
    limit: u32,
) -> Result<Followed, StoreError> {
    let mut transaction = writer.connection.begin_with("begin immediate").await?;
    let mut knowledge = writer.knowledge.take();
    let patterns = projection::patterns(&mut transaction, &mut knowledge.patterns).await?;
    // One writer: who has drawn a number before is through.
    let last = query_scalar("select coalesce(max(id), 0) from \"transaction\"")
        .fetch_one(&mut *transaction)
        .await?;
    let kept: Option<String> = query_scalar(PLACE).fetch_optional(&mut *transaction).await?;
    let mut place = Place::read(kept.as_deref(), patterns.text(), last, Vec::new());
    let stretch = place.stretch(last, &[]);
    let found: Vec<(i64, Uuid, bool)> = match stretch {
        Stretch::Records(after) => query_as(RECORDS).bind(after).bind(limit),
        Stretch::Revisions(after, record) => {
            query_as(REVISIONS).bind(after).bind(record).bind(limit)
        }
    }
    .fetch_all(&mut *transaction)
    .await?;
    // Most are windrow's own, and listed already.
    let outdated = found.iter().filter(|(.., is_listed)| !is_listed).map(|(_, id, _)| *id);
    let changes = as_they_are(&mut transaction, outdated, now).await?;
    let (mut changes, notes) = listing::sift(changes, &patterns);
    load::tell(&mut transaction, &mut changes, &HashMap::new(), &mut knowledge, now).await?;
    for (id, version) in notes {
        let note = query("update windrow_oai set version = ? where id = ?").bind(version).bind(id);
        note.execute(&mut *transaction).await?;
    }
    let end = found.len() < limit as usize;
    let reached = found.last().map(|(transaction, id, _)| (*transaction, *id));
    place.passed(stretch, reached, end);
    // Nothing new is nothing written.
    if kept.as_deref() != Some(&place.text()) {
        query(KEEP).bind(place.text()).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    writer.knowledge = knowledge;
    place.followed(found.len(), changes.len(), &patterns)
}

/// The records as they are now, those that are gone included.
async fn as_they_are(
    connection: &mut SqliteConnection,
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
    let hex: Vec<String> = ids.iter().map(|id| id.simple().to_string()).collect();
    let hex = json_array(hex.iter().map(String::as_str))?;
    let mut changes = Vec::with_capacity(ids.len());
    for row in query(CURRENT).bind(Text::clone(&hex)).fetch_all(&mut *connection).await? {
        let id = row.try_get(0)?;
        let Some(before) = states.remove(&id) else { continue };
        let json: Option<String> = row.try_get(1)?;
        let event = if json.is_some() { Event::Update } else { Event::Delete };
        let revision = Revision {
            version_id: before.version_id,
            json: json.map(Into::into),
            updated: parse_timestamp(row.try_get(2)?)?,
            event,
        };
        changes.push(Change::found(id, row.try_get(3)?, before, revision));
    }
    for row in query(GONE).bind(hex).fetch_all(connection).await? {
        changes.push(gone(&row, now)?);
    }
    Ok(changes)
}

fn gone(row: &SqliteRow, now: Timestamp) -> Result<Change, StoreError> {
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
