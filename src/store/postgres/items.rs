//! What the endpoint reads: items in order of (datestamp, id), sets.

use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::{Arguments, Row, query, query_scalar, query_with};
use uuid::Uuid;

use super::json::canonical;
use crate::record::{Datestamp, SetSpec};
use crate::store::columns::{decompress, origin, set_spec, set_specs, unsigned};
use crate::store::listing::Patterns;
use crate::store::{Item, ItemContent, ItemHeader, ItemQuery, Set, SourceBytes, StoreError};

const SNAPSHOT: &str = "select pg_current_snapshot()::text || ' ' || pg_postmaster_start_time()";

// Parameters of every list: $1, $2 the position to go on from, $3 until, $4 the set or null.
macro_rules! all {
    ($columns:expr, $join:expr, $end:literal) => {
        concat!(
            "select ",
            $columns,
            " from windrow_oai o ",
            $join,
            " where (o.datestamp, o.id) > ($1, $2) and o.datestamp <= $3 \
             and $4::text is null",
            $end
        )
    };
}

macro_rules! of_set {
    ($columns:expr, $join:expr, $end:literal) => {
        concat!(
            "select ",
            $columns,
            " from windrow_oai_set s join windrow_oai o on o.id = s.id ",
            $join,
            " where s.set_id = (select id from windrow_set where spec = $4) \
             and (s.datestamp, s.id) > ($1, $2) and s.datestamp <= $3",
            $end
        )
    };
}

// A list of items with each content, from all items or from a set.
macro_rules! list {
    ($from:ident, $content:expr, $end:literal) => {
        match $content {
            ItemContent::Header => $from!(concat!(header!(), header_line!()), "", $end),
            ItemContent::Json => $from!(
                concat!(header!(), json_line!(), ", m.json::text, g.origin"),
                json_join!(),
                $end
            ),
            ItemContent::Source => $from!(
                concat!(header!(), source_line!(), ", m.json::text, g.origin, b.format, b.zstd"),
                source_join!(),
                $end
            ),
        }
    };
}

macro_rules! header {
    () => {
        "o.id, o.pid_value, o.datestamp, o.deleted, o.sets || ' ' || o.matched, "
    };
}
macro_rules! json_join {
    () => {
        "left join records_metadata m on m.id = o.id and not o.deleted \
         left join windrow_origin g on g.source = o.source and not o.deleted"
    };
}
macro_rules! source_join {
    () => {
        concat!(json_join!(), " left join windrow_source b on b.id = o.source and not o.deleted")
    };
}

// The record that a PID names; that of a merged one has left its PID, which leads elsewhere, and is
// still listed as deleted.
macro_rules! named {
    () => {
        "case p.status when 'M' then (select l.record_id from windrow_redirect d \
         join windrow_ledger l on l.source_name = d.source_name and l.source_id = d.pid_value \
         where d.pid_value = p.pid_value limit 1) else p.object_uuid end"
    };
}

macro_rules! one {
    ($columns:expr, $join:expr, $end:literal) => {
        concat!(
            "select ",
            $columns,
            " from pidstore_pid p join windrow_oai o on o.id = ",
            named!(),
            " ",
            $join,
            " where p.pid_type = 'recid' and p.pid_value = $1",
            $end
        )
    };
}

// Everything that an item shows or is written from, as one line of text. Lists give it with each
// item, fingerprints are made of it.
macro_rules! header_line {
    () => {
        "o.id::text || ' ' || o.pid_value || ' ' || o.datestamp::text || ' ' || o.deleted::text || ' ' || o.sets || ' ' || o.matched"
    };
}
macro_rules! json_line {
    () => {
        concat!(
            header_line!(),
            " || ' ' || coalesce(m.version_id::text || ' ' || m.updated::text, '') \
              || ' ' || coalesce(g.origin, '')"
        )
    };
}
macro_rules! source_line {
    () => {
        concat!(json_line!(), " || ' ' || coalesce(encode(b.hash, 'hex'), '')")
    };
}
macro_rules! fingerprint {
    ($from:ident, $content:expr, $end:literal) => {
        match $content {
            ItemContent::Header => of_lines!($from!(header_line!(), "", $end)),
            ItemContent::Json => of_lines!($from!(json_line!(), json_join!(), $end)),
            ItemContent::Source => of_lines!($from!(source_line!(), source_join!(), $end)),
        }
    };
}
macro_rules! of_lines {
    ($lines:expr) => {
        concat!("with lines (line) as (", $lines, ") select string_agg(line, chr(10)) from lines")
    };
}

/// A page of items.
pub(super) async fn list(
    connection: &mut PgConnection,
    item_query: &ItemQuery,
) -> Result<Vec<Item>, StoreError> {
    check_pattern(connection, item_query).await?;
    let sql = match item_query.set_spec {
        None => list!(all, item_query.content, " order by o.datestamp, o.id limit $5"),
        Some(_) => list!(of_set, item_query.content, " order by s.datestamp, s.id limit $5"),
    };
    let mut arguments = arguments(item_query, item_query.after)?;
    arguments.add(i64::from(item_query.limit)).map_err(sqlx::Error::Encode)?;
    let rows = query_with(sql, arguments).fetch_all(connection).await?;
    rows.iter().map(|row| item(row, item_query.content)).collect()
}

/// What a transaction that begins now would see, and since when the server has been running: the
/// same transactions that are through are the same rows. Also what others write, in any database
/// of the server, makes another one of it, and each second `response_date` does.
pub(super) async fn generation(connection: &mut PgConnection) -> Result<String, StoreError> {
    Ok(query_scalar(SNAPSHOT).fetch_one(connection).await?)
}

/// What a page of items amounts to.
pub(super) async fn fingerprint(
    connection: &mut PgConnection,
    item_query: &ItemQuery,
) -> Result<String, StoreError> {
    check_pattern(connection, item_query).await?;
    let content = item_query.content;
    let sql = match item_query.set_spec {
        None => fingerprint!(all, content, " order by o.datestamp, o.id limit $5"),
        Some(_) => fingerprint!(of_set, content, " order by s.datestamp, s.id limit $5"),
    };
    let mut arguments = arguments(item_query, item_query.after)?;
    arguments.add(i64::from(item_query.limit)).map_err(sqlx::Error::Encode)?;
    let row = query_with(sql, arguments).fetch_one(connection).await?;
    Ok(row.try_get::<Option<String>, _>(0)?.unwrap_or_default())
}

/// How many items a query has, from its beginning and without limit.
pub(super) async fn count(
    connection: &mut PgConnection,
    item_query: &ItemQuery,
) -> Result<u64, StoreError> {
    check_pattern(connection, item_query).await?;
    let sql = match item_query.set_spec {
        None => all!("count(*)", "", ""),
        Some(_) => of_set!("count(*)", "", ""),
    };
    let row = query_with(sql, arguments(item_query, None)?).fetch_one(connection).await?;
    Ok(unsigned(row.try_get(0)?))
}

/// The item whose `recid` PID has this value.
pub(super) async fn one(
    connection: &mut PgConnection,
    pid_value: &str,
    content: ItemContent,
) -> Result<Option<Item>, StoreError> {
    let sql = list!(one, content, "");
    let row = query(sql).bind(pid_value).fetch_optional(connection).await?;
    row.map(|row| item(&row, content)).transpose()
}

/// All sets, by setSpec.
pub(super) async fn sets(connection: &mut PgConnection) -> Result<Vec<Set>, StoreError> {
    let rows = query("select spec, name, description from oaiserver_set order by spec")
        .fetch_all(connection)
        .await?;
    let set = |row: &PgRow| {
        let spec = set_spec(row.try_get(0)?)?;
        let name: Option<String> = row.try_get(1)?;
        let name = name.unwrap_or_else(|| spec.to_string());
        Ok(Set { spec, name, description: row.try_get(2)? })
    };
    rows.iter().map(set).collect()
}

/// The oldest datestamp of any item.
pub(super) async fn earliest_datestamp(
    connection: &mut PgConnection,
) -> Result<Option<Datestamp>, StoreError> {
    let second: Option<i64> =
        query_scalar("select min(datestamp) from windrow_oai").fetch_one(connection).await?;
    Ok(second.map(Datestamp::from_second))
}

/// Who asks for a set whose search pattern is none is told so, and not given what happens to be
/// in it.
async fn check_pattern(
    connection: &mut PgConnection,
    item_query: &ItemQuery,
) -> Result<(), StoreError> {
    let Some(spec) = &item_query.set_spec else { return Ok(()) };
    let pattern: Option<Option<String>> =
        query_scalar("select search_pattern from oaiserver_set where spec = $1")
            .bind(spec.as_str())
            .fetch_optional(connection)
            .await?;
    match pattern.flatten() {
        Some(pattern) => Patterns::new(vec![(spec.to_string(), pattern)]).check(),
        None => Ok(()),
    }
}

fn arguments(
    item_query: &ItemQuery,
    after: Option<(Datestamp, Uuid)>,
) -> Result<PgArguments, StoreError> {
    let from = item_query.from.map_or(i64::MIN, Datestamp::as_second);
    let (datestamp, id) = match after {
        Some((datestamp, id)) if datestamp.as_second() >= from => (datestamp.as_second(), id),
        // Behind all that is older.
        _ => (from.saturating_sub(1), Uuid::max()),
    };
    let mut arguments = PgArguments::default();
    let mut add = || {
        arguments.add(datestamp)?;
        arguments.add(id)?;
        arguments.add(item_query.until.map_or(i64::MAX, Datestamp::as_second))?;
        arguments.add(item_query.set_spec.as_ref().map(SetSpec::as_str))
    };
    add().map_err(sqlx::Error::Encode)?;
    Ok(arguments)
}

fn item(row: &PgRow, content: ItemContent) -> Result<Item, StoreError> {
    let sets: &str = row.try_get(4)?;
    let header = ItemHeader {
        id: row.try_get(0)?,
        pid_value: row.try_get(1)?,
        datestamp: Datestamp::from_second(row.try_get(2)?),
        deleted: row.try_get(3)?,
        set_specs: set_specs(sets)?,
    };
    let mut item = Item { header, state: row.try_get(5)?, json: None, source: None, origin: None };
    if content == ItemContent::Header {
        return Ok(item);
    }
    item.json = row.try_get::<Option<&str>, _>(6)?.map(canonical).transpose()?;
    item.origin = row.try_get::<Option<&str>, _>(7)?.map(origin).transpose()?;
    if content == ItemContent::Source
        && let Some(format) = row.try_get(8)?
    {
        item.source = Some(SourceBytes { format, bytes: decompress(row.try_get(9)?)? });
    }
    Ok(item)
}
