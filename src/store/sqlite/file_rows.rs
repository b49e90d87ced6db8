//! Writes planned files, table by table, many rows to a statement.

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Arguments, query};
use uuid::Uuid;

use super::sql::{Insert, Text, TimestampTexts, json_array, timestamp_text};
use crate::store::StoreError;
use crate::store::columns::signed;
use crate::store::filing::FilePlan;

const BUCKET: Insert = Insert {
    head: "insert into files_bucket (id, default_location, default_storage_class, size, \
           locked, deleted, created, updated) values ",
    row: "(?,?,'S',?,?,?,?,?)",
    tail: " on conflict (id) do update set size = excluded.size, deleted = excluded.deleted, \
           updated = excluded.updated",
};

const RECORD_BUCKET: Insert = Insert {
    head: "insert or ignore into records_buckets (record_id, bucket_id) values ",
    row: "(?,?)",
    tail: "",
};

const RESTRICTED: Insert = Insert {
    head: "insert or ignore into files_buckettags (bucket_id, key, value) values ",
    row: "(?,'restricted','true')",
    tail: "",
};

const INSTANCE: Insert = Insert {
    head: "insert or ignore into files_files (id, uri, storage_class, size, checksum, readable, \
           writable, created, updated) values ",
    row: "(?,?,'S',?,?,true,false,?,?)",
    tail: "",
};

const SHA256: Insert = Insert {
    head: "insert or ignore into windrow_file (id, sha256) values ",
    row: "(?,?)",
    tail: "",
};

const OBJECT: Insert = Insert {
    head: "insert into files_object (version_id, key, bucket_id, file_id, _mimetype, is_head, \
           created, updated) values ",
    row: "(?,?,?,?,?,?,?,?)",
    tail: "",
};

const TAG: Insert = Insert {
    head: "insert into files_objecttags (version_id, key, value) values ",
    row: "(?,?,?)",
    tail: " on conflict (version_id, key) do update set value = excluded.value",
};

const SET_HEADS: &str = "\
    update files_object set is_head = ?1, updated = ?2 \
    where version_id in (select unhex(value) from json_each(?3))";

/// Writes planned files; their records are there.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    files: &FilePlan,
    now: Timestamp,
) -> Result<(), StoreError> {
    if files.is_empty() {
        return Ok(());
    }
    let mut texts = TimestampTexts::default();
    BUCKET
        .all(connection, files.buckets.iter().collect(), |arguments, (bucket, _, updated)| {
            arguments.add(bucket.id)?;
            arguments.add(bucket.location)?;
            arguments.add(bucket.size)?;
            arguments.add(bucket.locked)?;
            arguments.add(bucket.deleted)?;
            arguments.add(texts.of(*updated))?;
            arguments.add(texts.of(*updated))
        })
        .await?;
    RECORD_BUCKET
        .all(connection, files.buckets.iter().collect(), |arguments, (bucket, record_id, _)| {
            arguments.add(*record_id)?;
            arguments.add(bucket.id)
        })
        .await?;
    let restricted = files.restricted.clone();
    RESTRICTED.all(connection, restricted, Arguments::add).await?;
    INSTANCE
        .all(connection, files.instances.iter().collect(), |arguments, (instance, created)| {
            arguments.add(instance.id)?;
            arguments.add(instance.uri.as_str())?;
            arguments.add(signed(instance.size))?;
            arguments.add(instance.checksum())?;
            arguments.add(texts.of(*created))?;
            arguments.add(texts.of(*created))
        })
        .await?;
    let sums = files.instances.iter().map(|(instance, _)| (instance.id, instance.sha256));
    let sums = sums.filter_map(|(id, sha256)| Some((id, sha256?))).collect();
    SHA256
        .all(connection, sums, |arguments, (id, sha256)| {
            arguments.add(id)?;
            arguments.add(sha256.to_vec())
        })
        .await?;
    // No key may have two heads in between.
    set_heads(connection, &files.unheaded, false, now).await?;
    OBJECT
        .all(connection, files.objects.iter().collect(), |arguments, object| {
            arguments.add(object.version_id)?;
            arguments.add(object.key.as_str())?;
            arguments.add(object.bucket_id)?;
            arguments.add(object.file.as_ref().map(|(id, ..)| *id))?;
            arguments.add(object.mimetype.as_deref())?;
            arguments.add(object.is_head)?;
            arguments.add(texts.of(object.created))?;
            arguments.add(texts.of(object.created))
        })
        .await?;
    set_heads(connection, &files.headed, true, now).await?;
    TAG.all(connection, files.tags.iter().collect(), |arguments, (version_id, key, value)| {
        arguments.add(*version_id)?;
        arguments.add(key.as_str())?;
        arguments.add(value.as_str())
    })
    .await
}

async fn set_heads(
    connection: &mut SqliteConnection,
    versions: &[Uuid],
    is_head: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    if !versions.is_empty() {
        let set = query(SET_HEADS).bind(is_head).bind(timestamp_text(now));
        set.bind(hex_array(versions)?).execute(connection).await?;
    }
    Ok(())
}

/// UUIDs for `unhex(value)` of `json_each(?)`.
pub(super) fn hex_array(ids: &[Uuid]) -> Result<Text, StoreError> {
    let ids: Vec<String> = ids.iter().map(|id| id.simple().to_string()).collect();
    json_array(ids.iter().map(String::as_str))
}
