//! The tables of a PostgreSQL store: Invenio's where Invenio has not made them, and windrow's own.

use sqlx::postgres::PgConnection;
use sqlx::{Connection, query, query_scalar, raw_sql};

use super::copy::{Kind, Target};
use crate::store::StoreError;

// A table that is there already is Invenio's: neither it nor its indexes are touched. In an order in
// which each table is there before others refer to it.
const INVENIO: [(&str, &str); 16] = [
    ("files_location", include_str!("../migrations/postgres/invenio/files_location.sql")),
    ("files_bucket", include_str!("../migrations/postgres/invenio/files_bucket.sql")),
    ("files_buckettags", include_str!("../migrations/postgres/invenio/files_buckettags.sql")),
    ("files_files", include_str!("../migrations/postgres/invenio/files_files.sql")),
    ("files_object", include_str!("../migrations/postgres/invenio/files_object.sql")),
    ("files_objecttags", include_str!("../migrations/postgres/invenio/files_objecttags.sql")),
    (
        "files_multipartobject",
        include_str!("../migrations/postgres/invenio/files_multipartobject.sql"),
    ),
    (
        "files_multipartobject_part",
        include_str!("../migrations/postgres/invenio/files_multipartobject_part.sql"),
    ),
    ("oaiserver_set", include_str!("../migrations/postgres/invenio/oaiserver_set.sql")),
    ("pidstore_pid", include_str!("../migrations/postgres/invenio/pidstore_pid.sql")),
    ("pidstore_recid", include_str!("../migrations/postgres/invenio/pidstore_recid.sql")),
    ("pidstore_redirect", include_str!("../migrations/postgres/invenio/pidstore_redirect.sql")),
    ("records_metadata", include_str!("../migrations/postgres/invenio/records_metadata.sql")),
    (
        "records_metadata_version",
        include_str!("../migrations/postgres/invenio/records_metadata_version.sql"),
    ),
    ("\"transaction\"", include_str!("../migrations/postgres/invenio/transaction.sql")),
    ("records_buckets", include_str!("../migrations/postgres/invenio/records_buckets.sql")),
];

// lz4 makes a load of JSON nearly twice as fast as the default; a server may be built without it.
const LZ4: &str = "\
    alter table records_metadata alter column json set compression lz4; \
    alter table records_metadata_version alter column json set compression lz4";

// Step n brings windrow's tables from version n to n + 1.
const STEPS: [&str; 12] = [
    include_str!("../migrations/postgres/0001_windrow.sql"),
    include_str!("../migrations/postgres/0002_outbox.sql"),
    include_str!("../migrations/postgres/0003_follow.sql"),
    include_str!("../migrations/postgres/0004_schedule.sql"),
    include_str!("../migrations/postgres/0005_parts.sql"),
    include_str!("../migrations/postgres/0006_redirects.sql"),
    include_str!("../migrations/postgres/0007_origin.sql"),
    include_str!("../migrations/postgres/0008_things.sql"),
    include_str!("../migrations/postgres/0009_access.sql"),
    include_str!("../migrations/postgres/0010_files.sql"),
    include_str!("../migrations/postgres/0011_merged.sql"),
    include_str!("../migrations/postgres/0012_quarantine.sql"),
];

const KNOWN: i64 = STEPS.len() as i64;

// Any number that nobody else is likely to lock: the letters "windrow".
const PREPARING: i64 = 0x0077_696e_6472_6f77;

/// The tables that rows are copied into, with their columns as they were found.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) metadata: Target,
    pub(super) version: Target,
    pub(super) source: Target,
    pub(super) oai: Target,
    pub(super) oai_set: Target,
    pub(super) ledger: Target,
    pub(super) outbox: Target,
    /// What a text is cast to for the column `json`.
    pub(super) json_type: &'static str,
}

/// Brings the database to this windrow's schema, in one transaction, alone.
///
/// # Errors
/// [`StoreError::NewerSchema`]; others when it cannot be read or written.
pub(super) async fn prepare(connection: &mut PgConnection) -> Result<(), StoreError> {
    if version(connection).await? == KNOWN {
        return Ok(());
    }
    // Before the transaction, which then sees all that the lock's last holder has made. Should
    // anything fail, the lock goes with the connection.
    query("select pg_advisory_lock($1)").bind(PREPARING).execute(&mut *connection).await?;
    let mut transaction = connection.begin().await?;
    // Read again under the lock: another process may have been faster.
    let found = version(&mut transaction).await?;
    if found > KNOWN {
        return Err(StoreError::NewerSchema { found, known: KNOWN });
    }
    let mut made = Vec::new();
    for (table, sql) in INVENIO {
        if !has_table(&mut transaction, table).await? {
            raw_sql(sql).execute(&mut *transaction).await?;
            made.push(table);
        }
    }
    if made.contains(&"records_metadata") && made.contains(&"records_metadata_version") {
        compress(&mut transaction).await?;
    }
    for step in STEPS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        raw_sql(*step).execute(&mut *transaction).await?;
    }
    query(
        "insert into windrow_setting (name, value) values ('schema_version', $1::text) \
         on conflict (name) do update set value = excluded.value",
    )
    .bind(KNOWN.to_string())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    query("select pg_advisory_unlock($1)").bind(PREPARING).execute(connection).await?;
    Ok(())
}

/// Whether there are neither tables of windrow's nor records of Invenio's.
pub(super) async fn is_empty(connection: &mut PgConnection) -> Result<bool, StoreError> {
    let has_own = version(connection).await? > 0;
    Ok(!has_own && !has_table(connection, "records_metadata").await?)
}

/// The version of windrow's tables; 0 when there are none.
pub(super) async fn version(connection: &mut PgConnection) -> Result<i64, StoreError> {
    if !has_table(connection, "windrow_setting").await? {
        return Ok(0);
    }
    let version =
        query_scalar("select value::bigint from windrow_setting where name = 'schema_version'")
            .fetch_optional(connection)
            .await?;
    Ok(version.unwrap_or(0))
}

/// The secret that signs resumption tokens; the server's strong generator made it.
///
/// # Errors
/// [`StoreError::Damaged`] when it is missing or not 32 bytes.
pub(super) async fn token_key(connection: &mut PgConnection) -> Result<[u8; 32], StoreError> {
    let key: Option<Vec<u8>> =
        query_scalar("select decode(value, 'hex') from windrow_setting where name = 'token_key'")
            .fetch_optional(connection)
            .await?;
    key.and_then(|key| key.try_into().ok())
        .ok_or_else(|| StoreError::Damaged("token_key is not 32 bytes".to_owned()))
}

/// Looks up the tables: an older Invenio made some columns narrower, or of another type.
pub(super) async fn tables(connection: &mut PgConnection) -> Result<Tables, StoreError> {
    let metadata = ["id", "json", "version_id", "created", "updated"];
    let version = [
        "id",
        "json",
        "version_id",
        "created",
        "updated",
        "transaction_id",
        "end_transaction_id",
        "operation_type",
    ];
    let source = ["id", "format", "locator", "hash", "zstd"];
    let oai = ["id", "pid_value", "datestamp", "deleted", "source", "sets", "version", "matched"];
    let oai_set = ["set_id", "datestamp", "id"];
    let ledger = ["source_name", "source_id", "record_id", "hash", "source"];
    let outbox = ["record_id", "version_id", "live"];
    let metadata = Target::find(connection, "records_metadata", &metadata).await?;
    let json_type = match metadata.kind(1) {
        Some(Kind::Jsonb) => "jsonb",
        Some(Kind::Json) => "json",
        _ => "text",
    };
    Ok(Tables {
        metadata,
        version: Target::find(connection, "records_metadata_version", &version).await?,
        source: Target::find(connection, "windrow_source", &source).await?,
        oai: Target::find(connection, "windrow_oai", &oai).await?,
        oai_set: Target::find(connection, "windrow_oai_set", &oai_set).await?,
        ledger: Target::find(connection, "windrow_ledger", &ledger).await?,
        outbox: Target::find(connection, "windrow_outbox", &outbox).await?,
        json_type,
    })
}

async fn compress(connection: &mut PgConnection) -> Result<(), StoreError> {
    let mut savepoint = connection.begin().await?;
    match raw_sql(LZ4).execute(&mut *savepoint).await {
        Ok(_) => savepoint.commit().await?,
        Err(error) => {
            tracing::debug!(%error, "no lz4 in this server: JSON is compressed more slowly");
            savepoint.rollback().await?;
        }
    }
    Ok(())
}

async fn has_table(connection: &mut PgConnection, name: &str) -> Result<bool, StoreError> {
    let found = query_scalar("select to_regclass($1) is not null").bind(name);
    Ok(found.fetch_one(connection).await?)
}
