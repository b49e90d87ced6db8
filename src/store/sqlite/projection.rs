//! What extensions write in a transaction: the OAI projection and the outbox.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Arguments, Connection, Row, query, query_as, query_scalar};

use super::sets::SetNumbers;
use super::sql::{Insert, Text};
use crate::store::change::Change;
use crate::store::listing::{self, Listed, Patterns};
use crate::store::{OutboxRow, StoreError};

const OAI: Insert = Insert {
    head: "insert or fail into windrow_oai \
           (id, pid_value, datestamp, deleted, source, sets, version, matched) values ",
    row: "(?,?,?,?,?,?,?,?)",
    // The OAI identifier is for ever: pid_value stays what it was first.
    tail: " on conflict (id) do update set datestamp = excluded.datestamp, \
           deleted = excluded.deleted, source = excluded.source, sets = excluded.sets, \
           version = excluded.version, matched = excluded.matched",
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

const OUTBOX: Insert = Insert {
    head: "insert or fail into windrow_outbox (number, record_id, version_id, live) values ",
    row: "(?,?,?,?)",
    tail: "",
};

/// A transaction of the one writer.
pub struct Transaction<'t> {
    pub(super) connection: &'t mut SqliteConnection,
    pub(super) sets: &'t mut SetNumbers,
    pub(super) patterns: &'t mut Arc<Patterns>,
    /// setSpec to name, of all sets that the changes name.
    pub(super) set_names: &'t HashMap<String, String>,
    pub(super) now: &'t Text,
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
        rows(self.connection, &listed).await?;
        members(self.connection, &listed, self.sets).await
    }

    /// Notes in `windrow_outbox` which records have changed.
    pub(in crate::store) async fn announce(
        &mut self,
        changes: &[Change],
    ) -> Result<(), StoreError> {
        let last: i64 = query_scalar(
            "select max(coalesce((select max(number) from windrow_outbox), 0), coalesce( \
             (select value from windrow_setting where name = 'outbox_cleared'), 0))",
        )
        .fetch_one(&mut *self.connection)
        .await?;
        let rows = changes.iter().filter_map(|change| Some((change, change.revisions.last()?)));
        let rows = (last + 1..).zip(rows).collect();
        OUTBOX
            .all(self.connection, rows, |arguments, (number, (change, revision))| {
                arguments.add(number)?;
                arguments.add(change.id)?;
                arguments.add(revision.version_id)?;
                arguments.add(change.is_live())
            })
            .await
    }
}

/// The oldest rows of the outbox.
pub(super) async fn outbox(
    connection: &mut SqliteConnection,
    limit: u32,
) -> Result<Vec<OutboxRow>, StoreError> {
    let sql = "select number, record_id, version_id, live from windrow_outbox \
               order by number limit ?";
    let rows = query(sql).bind(limit).fetch_all(connection).await?;
    let outbox_row = |row: &SqliteRow| {
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
    connection: &mut SqliteConnection,
    number: i64,
) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with("begin immediate").await?;
    query(
        "insert into windrow_setting (name, value) \
         select 'outbox_cleared', max(number) from windrow_outbox where number <= ? \
         having max(number) is not null \
         on conflict (name) do update set value = excluded.value",
    )
    .bind(number)
    .execute(&mut *transaction)
    .await?;
    query("delete from windrow_outbox where number <= ?")
        .bind(number)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// The search patterns of sets as they stand, read anew when they have changed.
pub(super) async fn patterns(
    connection: &mut SqliteConnection,
    known: &mut Arc<Patterns>,
) -> Result<Arc<Patterns>, StoreError> {
    let sql = "select spec, search_pattern from oaiserver_set where search_pattern <> '' \
               order by spec";
    let rows: Vec<(String, String)> = query_as(sql).fetch_all(connection).await?;
    if !known.are_of(&rows) {
        *known = Arc::new(Patterns::new(rows));
    }
    Ok(Arc::clone(known))
}

async fn rows(connection: &mut SqliteConnection, listed: &[Listed<'_>]) -> Result<(), StoreError> {
    OAI.all(connection, listed.iter().collect(), |arguments, listed| {
        let change = listed.change;
        arguments.add(change.id)?;
        arguments.add(change.pid_value.as_str())?;
        arguments.add(change.datestamp)?;
        arguments.add(i64::from(listed.deleted))?;
        arguments.add(change.source_row)?;
        arguments.add(change.sets.as_str())?;
        arguments.add(listed.version())?;
        arguments.add(listed.matched.as_str())
    })
    .await
}

async fn members(
    connection: &mut SqliteConnection,
    listed: &[Listed<'_>],
    sets: &SetNumbers,
) -> Result<(), StoreError> {
    let mut left = Vec::new();
    let mut entered = Vec::new();
    for listed in listed {
        let id = listed.change.id;
        if let Some((before, datestamp)) = listed.before() {
            let numbers = sets.of(&before).into_iter();
            left.extend(numbers.map(|number| (number, datestamp, id)));
        }
        let numbers = sets.of(&listed.sets()).into_iter();
        entered.extend(numbers.map(|number| (number, listed.change.datestamp, id)));
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
