//! What extensions write in a transaction: the OAI projection and the outbox.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Row, query};

use super::schema::Tables;
use super::sets::SetNumbers;
use super::write::all;
use crate::store::plan::Change;
use crate::store::{OutboxRow, StoreError};

const OAI: &str = "\
    update windrow_oai o set datestamp = u.datestamp, deleted = u.deleted, source = u.source, \
        sets = u.sets \
    from unnest($1::uuid[], $2::bigint[], $3::boolean[], $4::bigint[], $5::text[]) \
        as u (id, datestamp, deleted, source, sets) \
    where o.id = u.id";

const OAI_SET_LEFT: &str = "\
    delete from windrow_oai_set o \
    using unnest($1::bigint[], $2::bigint[], $3::uuid[]) as u (set_id, datestamp, id) \
    where o.set_id = u.set_id and o.datestamp = u.datestamp and o.id = u.id";

// Any number that nobody else is likely to lock: the letters "winoutbx".
const OUTBOX: i64 = 0x7769_6e6f_7574_6278;

/// A transaction of one of the writers.
pub struct Transaction<'t> {
    pub(super) connection: &'t mut PgConnection,
    pub(super) tables: &'t Tables,
    pub(super) sets: &'t mut SetNumbers,
    /// setSpec to name, of all sets that the changes name.
    pub(super) set_names: &'t HashMap<String, String>,
    pub(super) now: Timestamp,
}

impl Transaction<'_> {
    /// Brings `windrow_oai` and its sets to where the changes have brought the records.
    pub(in crate::store) async fn project(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let before = changes.iter().filter_map(|change| change.before.as_ref());
        let left = before.flat_map(|state| state.sets.split(' '));
        let entered = changes.iter().flat_map(|change| change.sets.split(' '));
        self.sets.number(self.connection, left.chain(entered)).await?;
        self.sets.announce(self.connection, self.set_names, self.now).await?;
        listed(self.connection, self.tables, changes).await?;
        members(self.connection, self.tables, changes, self.sets).await
    }

    /// Notes in `windrow_outbox` which records have changed.
    pub(in crate::store) async fn announce(
        &mut self,
        changes: &[Change],
    ) -> Result<(), StoreError> {
        // Numbers become visible in their order: whoever has read up to one has missed none.
        let lock = query("select pg_advisory_xact_lock($1)").bind(OUTBOX);
        lock.execute(&mut *self.connection).await?;
        let mut rows = self.tables.outbox.rows();
        for change in changes {
            if let Some(revision) = change.revisions.last() {
                rows.begin().uuid(change.id).number(revision.version_id).bool(change.is_live());
            }
        }
        rows.send(self.connection).await
    }
}

/// The oldest rows of the outbox.
pub(super) async fn outbox(
    connection: &mut PgConnection,
    limit: u32,
) -> Result<Vec<OutboxRow>, StoreError> {
    let sql = "select number, record_id, version_id, live from windrow_outbox \
               order by number limit $1";
    let rows = query(sql).bind(i64::from(limit)).fetch_all(connection).await?;
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

async fn listed(
    connection: &mut PgConnection,
    tables: &Tables,
    changes: &[Change],
) -> Result<(), StoreError> {
    let mut new = tables.oai.rows();
    let (mut ids, mut datestamps, mut deleted) = (Vec::new(), Vec::new(), Vec::new());
    let (mut sources, mut sets) = (Vec::new(), Vec::new());
    for change in changes.iter().filter(|change| !change.pid_value.is_empty()) {
        // The OAI identifier is for ever: pid_value stays what it was first.
        if change.before.as_ref().and_then(|state| state.datestamp).is_some() {
            ids.push(change.id);
            datestamps.push(change.datestamp);
            deleted.push(!change.is_live());
            sources.push(change.source_row);
            sets.push(change.sets.as_str());
            continue;
        }
        new.begin().uuid(change.id).text(&change.pid_value).number(change.datestamp);
        new.bool(!change.is_live());
        match change.source_row {
            Some(source) => new.number(source),
            None => new.null(),
        };
        new.text(&change.sets);
    }
    new.send(connection).await?;
    let count = ids.len();
    if count > 0 {
        let update = query(OAI).bind(ids).bind(datestamps).bind(deleted).bind(sources).bind(sets);
        all(count, update.execute(connection).await?.rows_affected(), "windrow_oai")?;
    }
    Ok(())
}

async fn members(
    connection: &mut PgConnection,
    tables: &Tables,
    changes: &[Change],
    sets: &SetNumbers,
) -> Result<(), StoreError> {
    let (mut numbers, mut datestamps, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    let mut entered = tables.oai_set.rows();
    for change in changes.iter().filter(|change| !change.pid_value.is_empty()) {
        if let Some((state, datestamp)) =
            change.before.as_ref().and_then(|state| Some((state, state.datestamp?)))
        {
            for number in sets.of(&state.sets) {
                numbers.push(number);
                datestamps.push(datestamp);
                ids.push(change.id);
            }
        }
        for number in sets.of(&change.sets) {
            entered.begin().number(number).number(change.datestamp).uuid(change.id);
        }
    }
    if !numbers.is_empty() {
        let left = query(OAI_SET_LEFT).bind(numbers).bind(datestamps).bind(ids);
        left.execute(&mut *connection).await?;
    }
    entered.send(connection).await
}
