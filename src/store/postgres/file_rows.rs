//! Writes planned files, table by table, from arrays.

use jiff::Timestamp;
use sqlx::postgres::PgConnection;
use sqlx::query;
use uuid::Uuid;

use super::moment::Moment;
use crate::record::FileInstance;
use crate::store::StoreError;
use crate::store::columns::signed;
use crate::store::filing::FilePlan;

const BUCKETS: &str = "\
    insert into files_bucket (id, default_location, default_storage_class, size, locked, deleted, \
        created, updated) \
    select id, location, 'S', size, locked, deleted, updated, updated from unnest($1::uuid[], \
        $2::bigint[], $3::bigint[], $4::boolean[], $5::boolean[], $6::timestamptz[]) \
        as u (id, location, size, locked, deleted, updated) \
    on conflict (id) do update set size = excluded.size, deleted = excluded.deleted, \
        updated = excluded.updated";

const RECORD_BUCKETS: &str = "\
    insert into records_buckets (record_id, bucket_id) \
    select * from unnest($1::uuid[], $2::uuid[]) on conflict do nothing";

const RESTRICTED: &str = "\
    insert into files_buckettags (bucket_id, key, value) \
    select id, 'restricted', 'true' from unnest($1::uuid[]) as u (id) on conflict do nothing";

const INSTANCES: &str = "\
    insert into files_files (id, uri, storage_class, size, checksum, readable, writable, created, \
        updated) \
    select id, uri, 'S', size, checksum, true, false, created, created from unnest($1::uuid[], \
        $2::text[], $3::bigint[], $4::text[], $5::timestamptz[]) \
        as u (id, uri, size, checksum, created) \
    on conflict do nothing";

const SUMS: &str = "\
    insert into windrow_file (id, sha256) \
    select * from unnest($1::uuid[], $2::bytea[]) on conflict do nothing";

const OBJECT_ROWS: &str = "\
    insert into files_object (version_id, key, bucket_id, file_id, _mimetype, is_head, created, \
        updated) \
    select version_id, key, bucket_id, file_id, mimetype, is_head, created, created \
    from unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::boolean[], \
        $7::timestamptz[]) \
        as u (version_id, key, bucket_id, file_id, mimetype, is_head, created)";

const TAG_ROWS: &str = "\
    insert into files_objecttags (version_id, key, value) \
    select * from unnest($1::uuid[], $2::text[], $3::text[]) \
    on conflict (version_id, key) do update set value = excluded.value";

const SET_HEADS: &str =
    "update files_object set is_head = $1, updated = $2 where version_id = any($3)";

/// Writes planned files; their records are there.
pub(super) async fn write(
    connection: &mut PgConnection,
    files: &FilePlan,
    now: Timestamp,
) -> Result<(), StoreError> {
    if files.is_empty() {
        return Ok(());
    }
    write_buckets(connection, files).await?;
    write_instances(connection, files).await?;
    // No key may have two heads in between.
    set_heads(connection, &files.unheaded, false, now).await?;
    write_objects(connection, files).await?;
    set_heads(connection, &files.headed, true, now).await?;
    if !files.tags.is_empty() {
        query(TAG_ROWS)
            .bind(files.tags.iter().map(|(id, ..)| *id).collect::<Vec<Uuid>>())
            .bind(files.tags.iter().map(|(_, key, _)| key.as_str()).collect::<Vec<&str>>())
            .bind(files.tags.iter().map(|(.., value)| value.as_str()).collect::<Vec<&str>>())
            .execute(connection)
            .await?;
    }
    Ok(())
}

async fn write_buckets(connection: &mut PgConnection, files: &FilePlan) -> Result<(), StoreError> {
    let buckets = || files.buckets.iter().map(|(bucket, ..)| bucket);
    if !files.buckets.is_empty() {
        let updated = files.buckets.iter().map(|(.., updated)| Moment(*updated));
        query(BUCKETS)
            .bind(buckets().map(|bucket| bucket.id).collect::<Vec<Uuid>>())
            .bind(buckets().map(|bucket| bucket.location).collect::<Vec<i64>>())
            .bind(buckets().map(|bucket| bucket.size).collect::<Vec<i64>>())
            .bind(buckets().map(|bucket| bucket.locked).collect::<Vec<bool>>())
            .bind(buckets().map(|bucket| bucket.deleted).collect::<Vec<bool>>())
            .bind(updated.collect::<Vec<Moment>>())
            .execute(&mut *connection)
            .await?;
        query(RECORD_BUCKETS)
            .bind(files.buckets.iter().map(|(_, record_id, _)| *record_id).collect::<Vec<Uuid>>())
            .bind(buckets().map(|bucket| bucket.id).collect::<Vec<Uuid>>())
            .execute(&mut *connection)
            .await?;
    }
    if !files.restricted.is_empty() {
        query(RESTRICTED).bind(&files.restricted).execute(connection).await?;
    }
    Ok(())
}

async fn write_instances(
    connection: &mut PgConnection,
    files: &FilePlan,
) -> Result<(), StoreError> {
    let instances = || files.instances.iter().map(|(instance, _)| instance);
    if files.instances.is_empty() {
        return Ok(());
    }
    let created = files.instances.iter().map(|(_, created)| Moment(*created));
    query(INSTANCES)
        .bind(instances().map(|instance| instance.id).collect::<Vec<Uuid>>())
        .bind(instances().map(|instance| instance.uri.as_str()).collect::<Vec<&str>>())
        .bind(instances().map(|instance| signed(instance.size)).collect::<Vec<i64>>())
        .bind(instances().map(FileInstance::checksum).collect::<Vec<Option<String>>>())
        .bind(created.collect::<Vec<Moment>>())
        .execute(&mut *connection)
        .await?;
    let sums = instances().filter_map(|instance| Some((instance.id, instance.sha256?.to_vec())));
    let (ids, sums): (Vec<Uuid>, Vec<Vec<u8>>) = sums.unzip();
    query(SUMS).bind(ids).bind(sums).execute(connection).await?;
    Ok(())
}

async fn write_objects(connection: &mut PgConnection, files: &FilePlan) -> Result<(), StoreError> {
    let objects = || files.objects.iter();
    if files.objects.is_empty() {
        return Ok(());
    }
    let file_ids = objects().map(|object| object.file.as_ref().map(|(id, ..)| *id));
    query(OBJECT_ROWS)
        .bind(objects().map(|object| object.version_id).collect::<Vec<Uuid>>())
        .bind(objects().map(|object| object.key.as_str()).collect::<Vec<&str>>())
        .bind(objects().map(|object| object.bucket_id).collect::<Vec<Uuid>>())
        .bind(file_ids.collect::<Vec<Option<Uuid>>>())
        .bind(objects().map(|object| object.mimetype.as_deref()).collect::<Vec<Option<&str>>>())
        .bind(objects().map(|object| object.is_head).collect::<Vec<bool>>())
        .bind(objects().map(|object| Moment(object.created)).collect::<Vec<Moment>>())
        .execute(connection)
        .await?;
    Ok(())
}

async fn set_heads(
    connection: &mut PgConnection,
    versions: &[Uuid],
    is_head: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    if !versions.is_empty() {
        let set = query(SET_HEADS).bind(is_head).bind(Moment(now)).bind(versions);
        set.execute(connection).await?;
    }
    Ok(())
}
