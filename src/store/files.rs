//! Files as a keeper holds them: locations, buckets, object versions and file instances, in
//! Invenio's tables.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::{StoreError, StoredRecord};
use crate::record::FileCopy;

/// A name of a location has so many characters at most, its URI so many.
const LOCATION_NAME: usize = 20;
const LOCATION_URI: usize = 255;

/// A place that keeps bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// A folder (an absolute path) or `s3://BUCKET/PREFIX`.
    pub uri: String,
    /// Whether Invenio puts into it what names no location.
    pub is_default: bool,
}

/// The files of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its UUID.
    pub id: Uuid,
    /// The location of what is put into it.
    pub location: i64,
    /// Bytes of all versions.
    pub size: u64,
    /// Nothing may be put into it.
    pub locked: bool,
    /// Its record is gone.
    pub deleted: bool,
}

/// A version of a file of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectVersion {
    /// Its UUID.
    pub version_id: Uuid,
    /// The file's name in the bucket.
    pub key: String,
    /// Whether it is what the key stands for now.
    pub is_head: bool,
    /// Media type, if it is known.
    pub mimetype: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// Its bytes; `None` is a delete marker.
    pub instance: Option<StoredInstance>,
    /// What else is known of it.
    pub tags: BTreeMap<String, String>,
}

/// A file instance as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredInstance {
    /// Its UUID.
    pub id: Uuid,
    /// Where its bytes are.
    pub uri: String,
    /// In bytes.
    pub size: u64,
    /// `md5:` and 32 digits, if it is known.
    pub checksum: Option<String>,
    /// When its bytes were compared with the checksum last.
    pub last_check_at: Option<Timestamp>,
    /// Whether they agreed; `None` when they could not be read, or never were.
    pub last_check: Option<bool>,
    /// SHA-256 of the bytes as they came, if windrow has put them there.
    pub sha256: Option<[u8; 32]>,
}

/// Which file instances to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueQuery {
    /// Not those that were checked at this moment or later.
    pub before: Timestamp,
    /// Behind this one, in order of (last check, id).
    pub after: Option<(Option<Timestamp>, Uuid)>,
    /// At most so many.
    pub limit: u32,
}

/// What a keeper of records knows of their files.
#[async_trait]
pub trait FileStore: Send + Sync {
    /// All locations, by name.
    async fn locations(&self) -> Result<Vec<Location>, StoreError>;

    /// Makes a location, or finds the one of this name and URI; `Refused` when one of this name
    /// leads elsewhere. The first one is the default whatever is said.
    async fn make_location(
        &self,
        name: &str,
        uri: &str,
        is_default: bool,
        now: Timestamp,
    ) -> Result<Location, StoreError>;

    /// Makes a location the default, and no other.
    async fn set_default_location(&self, name: &str, now: Timestamp) -> Result<(), StoreError>;

    /// The bucket of a record, if it has one.
    async fn bucket(&self, record_id: Uuid) -> Result<Option<Bucket>, StoreError>;

    /// All versions of all files of a bucket, by key, the newest of each first.
    async fn objects(&self, bucket_id: Uuid) -> Result<Vec<ObjectVersion>, StoreError>;

    /// Puts versions into the bucket of a record, which is made when it has none, as a revision of
    /// the record; a copy that says it is deleted puts a delete marker. `Refused` when the bucket
    /// is locked.
    async fn put_files(
        &self,
        record_id: Uuid,
        location: i64,
        copies: Vec<FileCopy>,
        now: Timestamp,
    ) -> Result<StoredRecord, StoreError>;

    /// File instances, those that were never checked first, then by the time of their last check.
    async fn due_instances(&self, query: &DueQuery) -> Result<Vec<StoredInstance>, StoreError>;

    /// How many file instances there are, and how many bytes they have.
    async fn count_instances(&self) -> Result<(u64, u64), StoreError>;

    /// Notes how comparing went: agreed, differed, or could not be read.
    async fn note_checks(
        &self,
        checks: &[(Uuid, Option<bool>)],
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// The instances with these URIs, those that are there.
    async fn instances_at(&self, uris: &[String]) -> Result<Vec<StoredInstance>, StoreError>;

    /// Who has these instances: instance, recid of the record, key; a few of each, in order.
    async fn users_of(&self, instances: &[Uuid])
    -> Result<Vec<(Uuid, String, String)>, StoreError>;
}

/// Whether a location may be called so and be there.
///
/// # Errors
/// [`StoreError::Refused`]
pub(super) fn check_location(name: &str, uri: &str) -> Result<(), StoreError> {
    let refused =
        |message: String| Err(StoreError::Refused { code: "location".to_owned(), message });
    let length = name.chars().count();
    if length == 0 || length > LOCATION_NAME {
        return refused(format!(
            "location name {name:?} has {length} characters, expected 1 to {LOCATION_NAME}"
        ));
    }
    let length = uri.chars().count();
    if length == 0 || length > LOCATION_URI {
        return refused(format!(
            "URI of location {name} has {length} characters, expected 1 to {LOCATION_URI}"
        ));
    }
    Ok(())
}

/// The location that is there, when it is the one that is wanted.
///
/// # Errors
/// [`StoreError::Refused`]
pub(super) fn same_location(found: Location, uri: &str) -> Result<Location, StoreError> {
    if found.uri == uri {
        return Ok(found);
    }
    let message = format!("location {} is {}, not {uri}", found.name, found.uri);
    Err(StoreError::Refused { code: "location".to_owned(), message })
}
