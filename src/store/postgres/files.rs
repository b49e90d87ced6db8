//! Files in a PostgreSQL store: what a batch brings, locations, buckets, instances, their checks.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection, Row, query, query_scalar};
use uuid::Uuid;

use super::json::canonical;
use super::moment::Moment;
use super::patience::{Patience, while_contended};
use super::records::LISTED_AS;
use super::{PostgresStore, file_rows, load, lookup, write};
use crate::record::FileCopy;
use crate::store::columns::unsigned;
use crate::store::extension::Extensions;
use crate::store::files::{check_location, same_location};
use crate::store::filing::{FilePlan, Filing};
use crate::store::plan::Plan;
use crate::store::shelf::{Held, HeldBucket, HeldObject};
use crate::store::{
    Bucket, DueQuery, FileStore, Location, ObjectVersion, StoreError, StoredInstance, StoredRecord,
    single,
};

const HELD: &str = "\
    select m.id, m.json::text, m.updated, b.id, b.default_location::bigint, b.size::bigint, \
        b.deleted, b.locked \
    from records_metadata m \
    left join records_buckets r on r.record_id = m.id \
    left join files_bucket b on b.id = r.bucket_id \
    where m.id = any($1) and (b.id is not null or $2)";

const OBJECTS: &str = "\
    select o.bucket_id, o.version_id, o.key::text, o.file_id, f.size::bigint, f.checksum, \
        o._mimetype, o.is_head, o.created, f.uri::text, f.last_check_at, f.last_check, w.sha256 \
    from files_object o left join files_files f on f.id = o.file_id \
    left join windrow_file w on w.id = o.file_id \
    where o.bucket_id = any($1) \
    order by o.key collate \"C\", o.created desc, o.is_head desc, o.version_id";

const TAGS: &str = "\
    select t.version_id, t.key, t.value \
    from files_objecttags t join files_object o on o.version_id = t.version_id \
    where o.bucket_id = any($1)";

const URIS: &str = "select uri::text, id from files_files where uri = any($1)";

const DUE: &str = "\
    select f.id, f.uri::text, f.size::bigint, f.checksum, f.last_check_at, f.last_check, w.sha256 \
    from files_files f left join windrow_file w on w.id = f.id \
    where f.uri is not null and (f.last_check_at is null or f.last_check_at < $1) \
        and ($2::uuid is null or (coalesce(f.last_check_at, '-infinity'), f.id) > \
            (coalesce($3::timestamptz, '-infinity'), $2)) \
    order by coalesce(f.last_check_at, '-infinity'), f.id limit $4";

const AT: &str = "\
    select f.id, f.uri::text, f.size::bigint, f.checksum, f.last_check_at, f.last_check, w.sha256 \
    from files_files f left join windrow_file w on w.id = f.id where f.uri = any($1)";

const USERS: &str = "\
    select file_id, recid, key from ( \
        select *, row_number() over (partition by file_id order by recid, key) as number from ( \
            select distinct o.file_id, coalesce(p.pid_value, '')::text as recid, o.key::text \
            from files_object o \
            left join records_buckets r on r.bucket_id = o.bucket_id \
            left join pidstore_pid p on p.object_type = 'rec' and p.object_uuid = r.record_id \
                and p.pid_type = 'recid' \
            where o.file_id = any($1)) u) n \
    where number <= 5 order by 1, 2, 3";

/// Plans the files of a batch whose records are planned.
pub(super) async fn plan(
    connection: &mut PgConnection,
    plan: &mut Plan,
    filing: Filing,
    extensions: &Extensions,
) -> Result<(), StoreError> {
    let unplanned = filing.unplanned(plan);
    // Locked, and read after that.
    let states = match unplanned.is_empty() {
        true => HashMap::new(),
        false => lookup::of_records(connection, &unplanned).await?,
    };
    let (coming, changed) = filing.concerned(plan);
    let mut held = held(connection, &coming, true).await?;
    held.extend(self::held(connection, &changed, false).await?);
    let mut known = HashMap::new();
    let uris = filing.uris();
    if !uris.is_empty() {
        for row in query(URIS).bind(uris).fetch_all(&mut *connection).await? {
            known.insert(row.try_get(0)?, row.try_get(1)?);
        }
    }
    plan.files = filing.plan(plan, held, &known, states, extensions);
    Ok(())
}

/// The records with their buckets; those without one only if they are `wanted` all the same.
async fn held(
    connection: &mut PgConnection,
    ids: &[Uuid],
    wanted: bool,
) -> Result<HashMap<Uuid, Held>, StoreError> {
    let mut held: HashMap<Uuid, Held> = HashMap::new();
    if ids.is_empty() {
        return Ok(held);
    }
    let (mut buckets, mut owners) = (Vec::new(), HashMap::new());
    for row in query(HELD).bind(ids).bind(wanted).fetch_all(&mut *connection).await? {
        let id: Uuid = row.try_get(0)?;
        let json = row.try_get::<Option<&str>, _>(1)?.map(canonical).transpose()?;
        let updated = row.try_get::<Moment, _>(2)?.0;
        let one = held.entry(id).or_insert_with(|| Held {
            json,
            updated,
            buckets: Vec::new(),
            objects: Vec::new(),
        });
        if let Some(bucket_id) = row.try_get::<Option<Uuid>, _>(3)? {
            one.buckets.push(HeldBucket {
                id: bucket_id,
                location: row.try_get(4)?,
                size: row.try_get(5)?,
                deleted: row.try_get(6)?,
                locked: row.try_get(7)?,
            });
            buckets.push(bucket_id);
            owners.insert(bucket_id, id);
        }
    }
    for (object, _) in objects(connection, &buckets).await? {
        let owner = owners.get(&object.bucket_id);
        if let Some(one) = owner.and_then(|owner| held.get_mut(owner)) {
            one.objects.push(object);
        }
    }
    Ok(held)
}

type Object = (HeldObject, Option<StoredInstance>);

async fn objects(
    connection: &mut PgConnection,
    buckets: &[Uuid],
) -> Result<Vec<Object>, StoreError> {
    if buckets.is_empty() {
        return Ok(Vec::new());
    }
    let mut tags: HashMap<Uuid, BTreeMap<String, String>> = HashMap::new();
    for row in query(TAGS).bind(buckets).fetch_all(&mut *connection).await? {
        let of_version = tags.entry(row.try_get(0)?).or_default();
        of_version.insert(row.try_get(1)?, row.try_get(2)?);
    }
    let rows = query(OBJECTS).bind(buckets).fetch_all(&mut *connection).await?;
    rows.iter().map(|row| object(row, &mut tags)).collect()
}

fn object(
    row: &PgRow,
    tags: &mut HashMap<Uuid, BTreeMap<String, String>>,
) -> Result<Object, StoreError> {
    let version_id = row.try_get(1)?;
    let file_id: Option<Uuid> = row.try_get(3)?;
    let (size, checksum): (Option<i64>, Option<String>) = (row.try_get(4)?, row.try_get(5)?);
    let size = size.unwrap_or(0);
    let instance = match file_id {
        None => None,
        Some(id) => Some(StoredInstance {
            id,
            uri: row.try_get::<Option<String>, _>(9)?.unwrap_or_default(),
            size: unsigned(size),
            checksum: checksum.clone(),
            last_check_at: row.try_get::<Option<Moment>, _>(10)?.map(|moment| moment.0),
            last_check: row.try_get(11)?,
            sha256: sha256(row, 12)?,
        }),
    };
    let object = HeldObject {
        bucket_id: row.try_get(0)?,
        version_id,
        key: row.try_get(2)?,
        file: file_id.map(|id| (id, size, checksum)),
        mimetype: row.try_get(6)?,
        is_head: row.try_get(7)?,
        created: row.try_get::<Moment, _>(8)?.0,
        tags: tags.remove(&version_id).unwrap_or_default(),
    };
    Ok((object, instance))
}

fn sha256(row: &PgRow, column: usize) -> Result<Option<[u8; 32]>, StoreError> {
    let bytes = row.try_get::<Option<&[u8]>, _>(column)?.map(<[u8; 32]>::try_from).transpose();
    bytes.map_err(|_| StoreError::Damaged("windrow_file.sha256 is not 32 bytes".to_owned()))
}

fn instance(row: &PgRow) -> Result<StoredInstance, StoreError> {
    Ok(StoredInstance {
        id: row.try_get(0)?,
        uri: row.try_get(1)?,
        size: unsigned(row.try_get::<Option<i64>, _>(2)?.unwrap_or(0)),
        checksum: row.try_get(3)?,
        last_check_at: row.try_get::<Option<Moment>, _>(4)?.map(|moment| moment.0),
        last_check: row.try_get(5)?,
        sha256: sha256(row, 6)?,
    })
}

fn location(row: &PgRow) -> Result<Location, StoreError> {
    let (id, name) = (row.try_get(0)?, row.try_get(1)?);
    Ok(Location { id, name, uri: row.try_get(2)?, is_default: row.try_get(3)? })
}

const LOCATION: &str = "select id::bigint, name::text, uri::text, \"default\" from files_location ";

async fn put(
    store: &PostgresStore,
    (record_id, location): (Uuid, i64),
    copies: Vec<FileCopy>,
    now: Timestamp,
) -> Result<StoredRecord, StoreError> {
    let now = single::floor(now);
    let mut connection = store.writers.acquire().await?;
    let mut transaction = connection.begin().await?;
    let missing = || StoreError::NotFound(format!("record {record_id}"));
    let before = lookup::of_record(&mut transaction, record_id).await?.ok_or_else(missing)?;
    if before.deleted {
        return Err(StoreError::Deleted(record_id));
    }
    let listed_as = query_scalar(LISTED_AS).bind(record_id).fetch_one(&mut *transaction).await?;
    let filing = Filing::single((record_id, listed_as), location, copies, now);
    let mut planned = Plan::default();
    plan(&mut transaction, &mut planned, filing, &store.extensions).await?;
    FilePlan::taken(&planned)?;
    write::current(&mut transaction, &store.tables, &planned.changes).await?;
    file_rows::write(&mut transaction, &planned.files, now).await?;
    let sets = load::write_behind(&mut transaction, store, &mut planned, now).await?;
    transaction.commit().await?;
    store.learn_sets(sets);
    single::written(&planned)
}

async fn make(
    store: &PostgresStore,
    (name, uri, is_default): (&str, &str, bool),
    now: Timestamp,
) -> Result<Location, StoreError> {
    let mut connection = store.writers.acquire().await?;
    let mut transaction = connection.begin().await?;
    let find = || AssertSqlSafe(format!("{LOCATION} where name = $1"));
    let found = query(find()).bind(name).fetch_optional(&mut *transaction).await?;
    if let Some(found) = found {
        return same_location(location(&found)?, uri);
    }
    if is_default {
        query("update files_location set \"default\" = false").execute(&mut *transaction).await?;
    }
    query(
        "insert into files_location (name, uri, \"default\", created, updated) values ($1, $2, \
         $3 or not exists (select 1 from files_location where \"default\"), $4, $4)",
    )
    .bind(name)
    .bind(uri)
    .bind(is_default)
    .bind(Moment(now))
    .execute(&mut *transaction)
    .await?;
    let made = query(find()).bind(name).fetch_one(&mut *transaction).await?;
    transaction.commit().await?;
    location(&made)
}

#[async_trait]
impl FileStore for PostgresStore {
    async fn locations(&self) -> Result<Vec<Location>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        let sql = AssertSqlSafe(format!("{LOCATION} order by name"));
        query(sql).fetch_all(&mut *reader).await?.iter().map(location).collect()
    }

    async fn make_location(
        &self,
        name: &str,
        uri: &str,
        is_default: bool,
        now: Timestamp,
    ) -> Result<Location, StoreError> {
        check_location(name, uri)?;
        while_contended!(make(self, (name, uri, is_default), now))
    }

    async fn set_default_location(&self, name: &str, now: Timestamp) -> Result<(), StoreError> {
        let mut writer = self.writers.acquire().await?;
        let set = query(
            "update files_location set \"default\" = (name = $1), updated = $2 \
             where (\"default\" or name = $1) and exists (select 1 from files_location where name = $1)",
        );
        let set = set.bind(name).bind(Moment(now)).execute(&mut *writer).await?;
        match set.rows_affected() {
            0 => Err(StoreError::NotFound(format!("location {name}"))),
            _ => Ok(()),
        }
    }

    async fn bucket(&self, record_id: Uuid) -> Result<Option<Bucket>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        let held = held(&mut reader, &[record_id], false).await?.remove(&record_id);
        Ok(held.and_then(|held| held.bucket(record_id)))
    }

    async fn objects(&self, bucket_id: Uuid) -> Result<Vec<ObjectVersion>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        let objects = objects(&mut reader, &[bucket_id]).await?;
        Ok(objects.into_iter().map(|(object, instance)| object.version_of(instance)).collect())
    }

    async fn put_files(
        &self,
        record_id: Uuid,
        location: i64,
        copies: Vec<FileCopy>,
        now: Timestamp,
    ) -> Result<StoredRecord, StoreError> {
        while_contended!(put(self, (record_id, location), copies.clone(), now))
    }

    async fn due_instances(&self, due: &DueQuery) -> Result<Vec<StoredInstance>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        let rows = query(DUE)
            .bind(Moment(due.before))
            .bind(due.after.map(|(_, id)| id))
            .bind(due.after.and_then(|(checked, _)| checked).map(Moment))
            .bind(i64::from(due.limit))
            .fetch_all(&mut *reader)
            .await?;
        rows.iter().map(instance).collect()
    }

    async fn count_instances(&self) -> Result<(u64, u64), StoreError> {
        let mut reader = self.readers.acquire().await?;
        let row = query("select count(*), coalesce(sum(size), 0)::bigint from files_files");
        let row = row.fetch_one(&mut *reader).await?;
        Ok((unsigned(row.try_get(0)?), unsigned(row.try_get(1)?)))
    }

    async fn note_checks(
        &self,
        checks: &[(Uuid, Option<bool>)],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut writer = self.writers.acquire().await?;
        query(
            "update files_files f set last_check = u.outcome, last_check_at = $3 \
             from unnest($1::uuid[], $2::boolean[]) as u (id, outcome) where f.id = u.id",
        )
        .bind(checks.iter().map(|(id, _)| *id).collect::<Vec<Uuid>>())
        .bind(checks.iter().map(|(_, outcome)| *outcome).collect::<Vec<Option<bool>>>())
        .bind(Moment(at))
        .execute(&mut *writer)
        .await?;
        Ok(())
    }

    async fn instances_at(&self, uris: &[String]) -> Result<Vec<StoredInstance>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        let rows = query(AT).bind(uris).fetch_all(&mut *reader).await?;
        rows.iter().map(instance).collect()
    }

    async fn users_of(
        &self,
        instances: &[Uuid],
    ) -> Result<Vec<(Uuid, String, String)>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        let rows = query(USERS).bind(instances).fetch_all(&mut *reader).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).collect()
    }
}
