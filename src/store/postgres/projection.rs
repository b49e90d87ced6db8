//! What extensions write in a transaction: the OAI projection and the outbox.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Row, query, query_as, query_scalar};

use super::schema::Tables;
use super::sets::SetNumbers;
use super::write::all;
use crate::store::change::Change;
use crate::store::listing::{self, Listed, Patterns};
use crate::store::{OutboxRow, StoreError};

const OAI: &str = "\
    update windrow_oai o set datestamp = u.datestamp, deleted = u.deleted, source = u.source, \
        sets = u.sets, version = u.version, matched = u.matched \
    from unnest($1::uuid[], $2::bigint[], $3::boolean[], $4::bigint[], $5::text[], \
        $6::bigint[], $7::text[]) \
        as u (id, datestamp, deleted, source, sets, version, matched) \
    where o.id = u.id";

const OAI_SET_LEFT: &str = "\
    delete from windrow_oai_set o \
    using unnest($1::bigint[], $2::bigint[], $3::uuid[]) as u (set_id, datestamp, id) \
    where o.set_id = u.set_id and o.datestamp = u.datestamp and o.id = u.id";

// The upper bits of a lock's key, the letters "ox"; the lower ones are a number of the outbox. Who
// shares it will draw greater ones.
const OUTBOX: i64 = 0x6f78 << 48;

const DRAWING: &str = "select pg_advisory_xact_lock_shared($1 + coalesce( \
    pg_sequence_last_value(pg_get_serial_sequence('windrow_outbox', 'number')::regclass), 0))";

const DRAWN: &str = "select coalesce(\
    pg_sequence_last_value(pg_get_serial_sequence('windrow_outbox', 'number')::regclass), 0)";

const IN_FLIGHT: &str = "\
    select min((classid::bigint << 32 | objid::bigint) - $1) from pg_locks \
    where locktype = 'advisory' and objsubid = 1 and classid::bigint >> 16 = $1 >> 48 \
    and database = (select oid from pg_database where datname = current_database())";

/// A transaction of one of the writers.
pub struct Transaction<'t> {
    pub(super) connection: &'t mut PgConnection,
    pub(super) tables: &'t Tables,
    pub(super) sets: &'t mut SetNumbers,
    pub(super) patterns: &'t RwLock<Arc<Patterns>>,
    /// setSpec to name, of all sets that the changes name.
    pub(super) set_names: &'t HashMap<String, String>,
    pub(super) now: Timestamp,
}

impl Transaction<'_> {
    /// Brings `windrow_oai` and its sets to where the changes have brought the records.
    pub(in crate::store) async fn project(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let patterns = patterns(self.connection, self.patterns).await?;
        let listed = listing::of(changes, &patterns);
        let mut specs: Vec<String> = listed.iter().map(Listed::sets).collect();
        specs.extend(listed.iter().filter_map(|listed| Some(listed.before()?.0)));
        let specs = specs.iter().flat_map(|sets| sets.split(' '));
        self.sets.number(self.connection, specs).await?;
        self.sets.announce(self.connection, self.set_names, self.now).await?;
        rows(self.connection, self.tables, &listed).await?;
        members(self.connection, self.tables, &listed, self.sets).await
    }

    /// Notes in `windrow_outbox` which records have changed.
    pub(in crate::store) async fn announce(
        &mut self,
        changes: &[Change],
    ) -> Result<(), StoreError> {
        query(DRAWING).bind(OUTBOX).execute(&mut *self.connection).await?;
        let mut rows = self.tables.outbox.rows();
        for change in changes {
            if let Some(revision) = change.revisions.last() {
                rows.begin().uuid(change.id).number(revision.version_id).bool(change.is_live());
            }
        }
        rows.send(self.connection).await
    }
}

/// The oldest rows of the outbox, up to where nobody will write any more.
pub(super) async fn outbox(
    connection: &mut PgConnection,
    limit: u32,
) -> Result<Vec<OutboxRow>, StoreError> {
    // In this order: whoever has drawn a number up to `drawn` and is not through is seen by what
    // follows, and whoever is through by the last statement.
    let drawn: i64 = query_scalar(DRAWN).fetch_one(&mut *connection).await?;
    let in_flight: Option<i64> =
        query_scalar(IN_FLIGHT).bind(OUTBOX).fetch_one(&mut *connection).await?;
    let settled = in_flight.map_or(drawn, |number| number.min(drawn));
    let sql = "select number, record_id, version_id, live from windrow_outbox \
               where number <= $2 order by number limit $1";
    let rows = query(sql).bind(i64::from(limit)).bind(settled).fetch_all(connection).await?;
    let outbox_row = |row: &PgRow| {
        Ok(OutboxRow {
            number: row.try_get(0)?,
            record_id: row.try_get(1)?,
            revision_id: row.try_get::<i64, _>(2)? - 1,
            live: row.try_get(3)?,
        })
    };
    rows.iter().map(outbox_row).collect()
}

/// Forgets the rows of the outbox up to `number`.
pub(super) async fn clear_outbox(
    connection: &mut PgConnection,
    number: i64,
) -> Result<(), StoreError> {
    let forget = query("delete from windrow_outbox where number <= $1").bind(number);
    forget.execute(connection).await?;
    Ok(())
}

/// The search patterns of sets as they stand, read anew when they have changed.
pub(super) async fn patterns(
    connection: &mut PgConnection,
    known: &RwLock<Arc<Patterns>>,
) -> Result<Arc<Patterns>, StoreError> {
    let sql = "select spec, search_pattern from oaiserver_set where search_pattern <> '' \
               order by spec collate \"C\"";
    let rows: Vec<(String, String)> = query_as(sql).fetch_all(connection).await?;
    let before = Arc::clone(&known.read().unwrap_or_else(PoisonError::into_inner));
    if before.are_of(&rows) {
        return Ok(before);
    }
    let patterns = Arc::new(Patterns::new(rows));
    *known.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&patterns);
    Ok(patterns)
}

async fn rows(
    connection: &mut PgConnection,
    tables: &Tables,
    listed: &[Listed<'_>],
) -> Result<(), StoreError> {
    let mut new = tables.oai.rows();
    let (mut ids, mut datestamps, mut deleted) = (Vec::new(), Vec::new(), Vec::new());
    let (mut sources, mut sets) = (Vec::new(), Vec::new());
    let (mut versions, mut matched) = (Vec::new(), Vec::new());
    for listed in listed {
        let change = listed.change;
        // The OAI identifier is for ever: pid_value stays what it was first.
        if change.before.as_ref().and_then(|state| state.datestamp).is_some() {
            ids.push(change.id);
            datestamps.push(change.datestamp);
            deleted.push(listed.deleted);
            sources.push(change.source_row);
            sets.push(change.sets.as_str());
            versions.push(listed.version());
            matched.push(listed.matched.as_str());
            continue;
        }
        new.begin().uuid(change.id).text(&change.pid_value).number(change.datestamp);
        new.bool(listed.deleted);
        match change.source_row {
            Some(source) => new.number(source),
            None => new.null(),
        };
        new.text(&change.sets);
        match listed.version() {
            Some(version) => new.number(version),
            None => new.null(),
        };
        new.text(&listed.matched);
    }
    new.send(connection).await?;
    let count = ids.len();
    if count > 0 {
        let update = query(OAI).bind(ids).bind(datestamps).bind(deleted).bind(sources).bind(sets);
        let update = update.bind(versions).bind(matched).execute(connection).await?;
        all(count, update.rows_affected(), "windrow_oai")?;
    }
    Ok(())
}

async fn members(
    connection: &mut PgConnection,
    tables: &Tables,
    listed: &[Listed<'_>],
    sets: &SetNumbers,
) -> Result<(), StoreError> {
    let (mut numbers, mut datestamps, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    let mut entered = tables.oai_set.rows();
    for listed in listed {
        let id = listed.change.id;
        if let Some((before, datestamp)) = listed.before() {
            for number in sets.of(&before) {
                numbers.push(number);
                datestamps.push(datestamp);
                ids.push(id);
            }
        }
        for number in sets.of(&listed.sets()) {
            entered.begin().number(number).number(listed.change.datestamp).uuid(id);
        }
    }
    if !numbers.is_empty() {
        let left = query(OAI_SET_LEFT).bind(numbers).bind(datestamps).bind(ids);
        left.execute(&mut *connection).await?;
    }
    entered.send(connection).await
}
