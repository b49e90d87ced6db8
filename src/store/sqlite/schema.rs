//! The tables of a SQLite store: Invenio's where Invenio has not made them, and windrow's own.

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, query, query_scalar, raw_sql};

use crate::store::StoreError;

// A table that is there already is Invenio's: neither it nor its indexes are touched. In an order in
// which each table is there before others refer to it.
const INVENIO: [(&str, &str); 16] = [
    ("files_location", include_str!("../migrations/sqlite/invenio/files_location.sql")),
    ("files_bucket", include_str!("../migrations/sqlite/invenio/files_bucket.sql")),
    ("files_buckettags", include_str!("../migrations/sqlite/invenio/files_buckettags.sql")),
    ("files_files", include_str!("../migrations/sqlite/invenio/files_files.sql")),
    ("files_object", include_str!("../migrations/sqlite/invenio/files_object.sql")),
    ("files_objecttags", include_str!("../migrations/sqlite/invenio/files_objecttags.sql")),
    (
        "files_multipartobject",
        include_str!("../migrations/sqlite/invenio/files_multipartobject.sql"),
    ),
    (
        "files_multipartobject_part",
        include_str!("../migrations/sqlite/invenio/files_multipartobject_part.sql"),
    ),
    ("oaiserver_set", include_str!("../migrations/sqlite/invenio/oaiserver_set.sql")),
    ("pidstore_pid", include_str!("../migrations/sqlite/invenio/pidstore_pid.sql")),
    ("pidstore_recid", include_str!("../migrations/sqlite/invenio/pidstore_recid.sql")),
    ("pidstore_redirect", include_str!("../migrations/sqlite/invenio/pidstore_redirect.sql")),
    ("records_metadata", include_str!("../migrations/sqlite/invenio/records_metadata.sql")),
    (
        "records_metadata_version",
        include_str!("../migrations/sqlite/invenio/records_metadata_version.sql"),
    ),
    ("transaction", include_str!("../migrations/sqlite/invenio/transaction.sql")),
    ("records_buckets", include_str!("../migrations/sqlite/invenio/records_buckets.sql")),
];

// Step n brings windrow's tables from version n to n + 1.
const STEPS: [&str; 12] = [
    include_str!("../migrations/sqlite/0001_windrow.sql"),
    include_str!("../migrations/sqlite/0002_outbox.sql"),
    include_str!("../migrations/sqlite/0003_follow.sql"),
    include_str!("../migrations/sqlite/0004_schedule.sql"),
    include_str!("../migrations/sqlite/0005_parts.sql"),
    include_str!("../migrations/sqlite/0006_redirects.sql"),
    include_str!("../migrations/sqlite/0007_origin.sql"),
    include_str!("../migrations/sqlite/0008_things.sql"),
    include_str!("../migrations/sqlite/0009_access.sql"),
    include_str!("../migrations/sqlite/0010_files.sql"),
    include_str!("../migrations/sqlite/0011_merged.sql"),
    include_str!("../migrations/sqlite/0012_quarantine.sql"),
];

const KNOWN: i64 = STEPS.len() as i64;

/// Brings the database to this windrow's schema, in one transaction.
///
/// # Errors
/// [`StoreError::NewerSchema`]; [`StoreError::Failed`] when it cannot be read or written.
pub(super) async fn prepare(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    if version(connection).await? == KNOWN {
        return Ok(());
    }
    let mut transaction = connection.begin_with("begin immediate").await?;
    // Read again under the lock: another process may have been faster.
    let found = version(&mut transaction).await?;
    if found > KNOWN {
        return Err(StoreError::NewerSchema { found, known: KNOWN });
    }
    for (table, sql) in INVENIO {
        if !has_table(&mut transaction, table).await? {
            raw_sql(sql).execute(&mut *transaction).await?;
        }
    }
    for step in STEPS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        raw_sql(*step).execute(&mut *transaction).await?;
    }
    query("insert or replace into windrow_setting (name, value) values ('schema_version', ?)")
        .bind(KNOWN)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// The version of windrow's tables; 0 when there are none.
///
/// # Errors
/// [`StoreError::Failed`] when the database cannot be read.
pub(super) async fn version(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    if !has_table(connection, "windrow_setting").await? {
        return Ok(0);
    }
    let version = query_scalar("select value from windrow_setting where name = 'schema_version'")
        .fetch_optional(connection)
        .await?;
    Ok(version.unwrap_or(0))
}

/// The secret that signs resumption tokens; SQLite's generator, seeded by the system, made it.
///
/// # Errors
/// [`StoreError::Damaged`] when it is missing or not 32 bytes.
pub(super) async fn token_key(connection: &mut SqliteConnection) -> Result<[u8; 32], StoreError> {
    let key: Option<Vec<u8>> =
        query_scalar("select value from windrow_setting where name = 'token_key'")
            .fetch_optional(connection)
            .await?;
    key.and_then(|key| key.try_into().ok())
        .ok_or_else(|| StoreError::Damaged("token_key is not 32 bytes".to_owned()))
}

async fn has_table(connection: &mut SqliteConnection, name: &str) -> Result<bool, StoreError> {
    let found: i64 = query_scalar(
        "select exists(select 1 from sqlite_master where type = 'table' and name = ?)",
    )
    .bind(name)
    .fetch_one(connection)
    .await?;
    Ok(found != 0)
}
