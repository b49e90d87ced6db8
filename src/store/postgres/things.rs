//! What a source has beside records, kept as it came.

use jiff::Timestamp;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Row, query};

use super::moment::Moment;
use crate::store::columns::decompress;
use crate::store::{Kinds, StoreError, StoredThing, Thing};

const KEEP: &str = "\
    insert into windrow_thing as w (source_name, kind, key, hash, zstd, locator) \
    values ($1, $2, $3, $4, $5, $6) \
    on conflict (source_name, kind, key) do update set hash = excluded.hash, \
        zstd = excluded.zstd, locator = excluded.locator where w.hash <> excluded.hash";

const SET: &str = "\
    insert into oaiserver_set (spec, name, description, system_created, created, updated) \
    values ($1, $2, $3, false, $4, $4) on conflict (spec) do nothing";

const ONE: &str = "\
    select source_name, kind, key, locator, zstd from windrow_thing \
    where source_name = $1 and kind = $2 and key = $3";

const LIST: &str = "\
    select source_name, kind, key, locator, zstd from windrow_thing \
    where ($1::text is null or kind = $1) \
        and (source_name, kind, key) > ($2, $3, $4) \
    order by source_name, kind, key limit $5";

/// Keeps things, and makes the sets that they stand for; counts them by kind.
pub(super) async fn keep(
    connection: &mut PgConnection,
    source_name: &str,
    things: &[Thing],
    now: Timestamp,
    kinds: &mut Kinds,
) -> Result<(), StoreError> {
    for thing in things {
        let written = query(KEEP)
            .bind(source_name)
            .bind(&thing.kind)
            .bind(text(&thing.key))
            .bind(thing.hash.as_slice())
            .bind(&thing.zstd)
            .bind(text(&thing.locator))
            .execute(&mut *connection)
            .await?;
        let counts = kinds.of(&thing.kind);
        counts.loaded += written.rows_affected();
        counts.unchanged += 1_u64.saturating_sub(written.rows_affected());
        if let Some((set, description)) = &thing.set {
            // Invenio's column is no longer.
            let name: String = set.name.chars().take(255).collect();
            query(SET)
                .bind(set.spec.as_str())
                .bind(text(&name))
                .bind(text(description))
                .bind(Moment(now))
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}

/// Things in the order of their keys.
pub(super) async fn list(
    connection: &mut PgConnection,
    kind: Option<&str>,
    (source_name, after_kind, key): (&str, &str, &str),
    limit: u32,
) -> Result<Vec<StoredThing>, StoreError> {
    let rows = query(LIST)
        .bind(kind)
        .bind(source_name)
        .bind(after_kind)
        .bind(key)
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    rows.iter().map(thing).collect()
}

/// One thing.
pub(super) async fn one(
    connection: &mut PgConnection,
    source_name: &str,
    kind: &str,
    key: &str,
) -> Result<Option<StoredThing>, StoreError> {
    let row =
        query(ONE).bind(source_name).bind(kind).bind(text(key)).fetch_optional(connection).await?;
    row.as_ref().map(thing).transpose()
}

fn thing(row: &PgRow) -> Result<StoredThing, StoreError> {
    Ok(StoredThing {
        source_name: row.try_get(0)?,
        kind: row.try_get(1)?,
        key: row.try_get(2)?,
        locator: row.try_get(3)?,
        json: decompress(row.try_get(4)?)?,
    })
}

/// A text without U+0000, which PostgreSQL's texts cannot hold.
fn text(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}
