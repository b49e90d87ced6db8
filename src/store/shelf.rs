//! The bucket of one record: what the store holds of it, what comes into it, and what the record says
//! of it in `_bucket` and `_files`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::access::{ClosedFile, close_files};
use super::change::Change;
use super::files::{Bucket, ObjectVersion, StoredInstance};
use crate::record::{
    DOCUMENT_TAG, FileCopy, FileOrder, RESTRICTED_TAG, VERSION_TAG, canonical_json, json_member,
    numbered_key, set_json_member,
};

/// The namespace of the UUIDs of buckets and object versions.
const NAMESPACE: Uuid = Uuid::from_u128(0x0c5e_9a41_7d20_5b6f_8e13_52a4_c7f0_1b98);

/// The UUID of a record's bucket: always the same.
pub(super) fn bucket_uuid(record_id: Uuid) -> Uuid {
    Uuid::new_v5(&NAMESPACE, record_id.as_bytes())
}

pub(super) fn version_uuid(bucket_id: Uuid, copy: &FileCopy) -> Uuid {
    let mut name = bucket_id.as_bytes().to_vec();
    name.extend_from_slice(copy.order.source_id.as_bytes());
    name.push(0x1F);
    match &copy.instance {
        // Other bytes under the same name are another version.
        Some(instance) => name.extend_from_slice(instance.id.as_bytes()),
        None => name.extend_from_slice(b"deleted"),
    }
    Uuid::new_v5(&NAMESPACE, &name)
}

/// What the store holds of a record and its files.
#[derive(Debug)]
pub(super) struct Held {
    /// The current JSON; `None` of a tombstone.
    pub(super) json: Option<Vec<u8>>,
    /// When that was made.
    pub(super) updated: Timestamp,
    /// Its buckets: id, size, deleted, locked.
    pub(super) buckets: Vec<HeldBucket>,
    /// The versions in these.
    pub(super) objects: Vec<HeldObject>,
}

#[derive(Debug, Clone)]
pub(super) struct HeldBucket {
    pub(super) id: Uuid,
    pub(super) location: i64,
    pub(super) size: i64,
    pub(super) deleted: bool,
    pub(super) locked: bool,
}

#[derive(Debug, Clone)]
pub(super) struct HeldObject {
    pub(super) bucket_id: Uuid,
    pub(super) version_id: Uuid,
    pub(super) key: String,
    /// Instance, size and checksum; `None` is a delete marker.
    pub(super) file: Option<(Uuid, i64, Option<String>)>,
    pub(super) mimetype: Option<String>,
    pub(super) is_head: bool,
    pub(super) created: Timestamp,
    pub(super) tags: BTreeMap<String, String>,
}

impl Held {
    /// The bucket that the record says it has, or one that it has.
    fn chosen(&self, record_id: Uuid) -> Option<&HeldBucket> {
        let own = bucket_uuid(record_id);
        let named = self
            .json
            .as_deref()
            .and_then(|json| json_member(json, "_bucket"))
            .and_then(|name| serde_json::from_slice::<&str>(name).ok()?.parse::<Uuid>().ok());
        // Invenio may have given it others.
        let is = |id: Uuid| self.buckets.iter().find(move |bucket| bucket.id == id);
        named.and_then(is).or_else(|| is(own)).or_else(|| self.buckets.first())
    }

    /// The record's bucket for whoever asks.
    pub(super) fn bucket(&self, record_id: Uuid) -> Option<Bucket> {
        let HeldBucket { id, location, size, deleted, locked } = self.chosen(record_id)?.clone();
        let size = u64::try_from(size).unwrap_or(0);
        Some(Bucket { id, location, size, locked, deleted })
    }
}

impl HeldObject {
    /// The version for whoever asks.
    pub(super) fn version_of(self, instance: Option<StoredInstance>) -> ObjectVersion {
        let HeldObject { version_id, key, mimetype, is_head, created, tags, .. } = self;
        ObjectVersion { version_id, key, is_head, mimetype, created, instance, tags }
    }

    /// Whether it has bytes that not everybody may see.
    pub(super) fn is_restricted(&self) -> bool {
        self.file.is_some() && self.tags.get(RESTRICTED_TAG).is_some_and(|word| word == "true")
    }

    fn version(&self) -> Option<u64> {
        self.tags.get(VERSION_TAG).and_then(|version| version.parse().ok())
    }

    /// Whether it is to be the head rather than `other`, which came before.
    pub(super) fn is_newer(&self, other: &HeldObject) -> bool {
        match (self.version(), other.version()) {
            // Of one version the bytes come first, then the marker that deletes it.
            (Some(a), Some(b)) if a != b => a > b,
            _ => (self.created, self.file.is_none()) >= (other.created, other.file.is_none()),
        }
    }
}

/// A bucket while it is filled.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) bucket: Option<HeldBucket>,
    pub(super) is_new: bool,
    pub(super) json: Option<Vec<u8>>,
    pub(super) updated: Option<Timestamp>,
    pub(super) objects: Vec<HeldObject>,
    /// Where each version is among them.
    pub(super) at: HashMap<Uuid, usize>,
    pub(super) heads: HashSet<Uuid>,
    /// Keys with something new.
    pub(super) touched: HashSet<String>,
    pub(super) new: HashSet<Uuid>,
    /// The versions that the batch tells of under the keys they have here.
    pub(super) told: HashSet<Uuid>,
    pub(super) documents: Documents,
}

/// The documents that have files of each key.
#[derive(Debug, Default)]
pub(super) struct Documents(HashMap<String, HashSet<String>>);

impl Documents {
    fn of(objects: &[HeldObject]) -> Documents {
        let mut documents = Documents::default();
        for object in objects {
            if let Some(document) = object.tags.get(DOCUMENT_TAG) {
                documents.add(&object.key, document);
            }
        }
        documents
    }

    fn add(&mut self, key: &str, document: &str) {
        self.0.entry(key.to_owned()).or_default().insert(document.to_owned());
    }

    /// The key of a version that is new: one that no other document has.
    pub(super) fn key_of(&mut self, order: &FileOrder) -> String {
        let mut key = order.key.clone();
        let document = order.tags.iter().find(|(tag, _)| tag == DOCUMENT_TAG);
        let Some((_, document)) = document else { return key };
        let is_taken = |key: &str, documents: &Documents| {
            documents.0.get(key).is_some_and(|all| !all.contains(document))
        };
        while is_taken(&key, self) {
            key = numbered_key(&key, document);
        }
        self.add(&key, document);
        key
    }
}

impl Shelf {
    pub(super) fn of(record_id: Uuid, held: Held) -> Shelf {
        let bucket = held.chosen(record_id).cloned();
        let objects: Vec<HeldObject> = held
            .objects
            .into_iter()
            .filter(|object| bucket.as_ref().is_some_and(|bucket| bucket.id == object.bucket_id))
            .collect();
        let heads = objects.iter().filter(|object| object.is_head).map(|object| object.version_id);
        let at = objects.iter().enumerate().map(|(at, object)| (object.version_id, at));
        Shelf {
            documents: Documents::of(&objects),
            is_new: false,
            heads: heads.collect(),
            at: at.collect(),
            bucket,
            json: held.json,
            updated: Some(held.updated),
            objects,
            touched: HashSet::new(),
            new: HashSet::new(),
            told: HashSet::new(),
        }
    }

    pub(super) fn empty() -> Shelf {
        Shelf {
            bucket: None,
            is_new: true,
            json: None,
            updated: None,
            objects: Vec::new(),
            at: HashMap::new(),
            heads: HashSet::new(),
            touched: HashSet::new(),
            new: HashSet::new(),
            told: HashSet::new(),
            documents: Documents::default(),
        }
    }

    /// Finds the heads of the keys that have something new.
    pub(super) fn choose_heads(&mut self) {
        let mut newest: HashMap<&str, &HeldObject> = HashMap::new();
        for object in self.objects.iter().filter(|object| self.touched.contains(&object.key)) {
            self.heads.remove(&object.version_id);
            match newest.get_mut(object.key.as_str()) {
                Some(head) if object.is_newer(head) => *head = object,
                Some(_) => {}
                None => {
                    newest.insert(&object.key, object);
                }
            }
        }
        self.heads.extend(newest.values().map(|head| head.version_id));
    }

    /// `_bucket` and `_files` as the heads are.
    pub(super) fn describe(&self, json: &mut Vec<u8>) {
        let Some(bucket) = &self.bucket else { return };
        let custom = custom_members(self.json.as_deref());
        let mut heads: Vec<&HeldObject> = self
            .objects
            .iter()
            .filter(|object| object.file.is_some() && self.heads.contains(&object.version_id))
            .collect();
        heads.sort_by(|a, b| a.key.cmp(&b.key));
        let entries: Vec<Value> =
            heads.into_iter().map(|head| entry(bucket.id, head, custom.get(&head.key))).collect();
        let id = canonical_json(&Value::from(bucket.id.to_string()));
        // What is no object cannot say it; a record is one.
        let _set = set_json_member(json, "_bucket", &id);
        let _set = set_json_member(json, "_files", &canonical_json(&Value::Array(entries)));
        self.close(json);
    }

    /// Whether the record as it is does not say of some restricted file that it is.
    pub(super) fn is_to_close(&self) -> bool {
        self.objects.iter().any(HeldObject::is_restricted)
            && self.json.clone().is_some_and(|mut json| self.close(&mut json))
    }

    // Whatever a revision says: what lies here and is restricted, is.
    fn close(&self, json: &mut Vec<u8>) -> bool {
        let mut closed: BTreeMap<&str, bool> = BTreeMap::new();
        for object in self.objects.iter().filter(|object| object.is_restricted()) {
            *closed.entry(&object.key).or_insert(true) &= self.told.contains(&object.version_id);
        }
        let closed: Vec<ClosedFile<'_>> =
            closed.into_iter().map(|(key, is_told)| ClosedFile { key, is_told }).collect();
        close_files(json, &closed, self.json.as_deref())
    }
}

/// What Invenio's users have noted beside a file, by key.
fn custom_members(json: Option<&[u8]>) -> HashMap<String, Map<String, Value>> {
    const OWN: [&str; 7] = ["bucket", "checksum", "file_id", "key", "size", "type", "version_id"];
    let files = json.and_then(|json| json_member(json, "_files"));
    let Some(Ok(Value::Array(files))) = files.map(serde_json::from_slice) else {
        return HashMap::new();
    };
    let mut custom = HashMap::new();
    for file in files {
        let Value::Object(mut members) = file else { continue };
        let Some(Value::String(key)) = members.get("key").cloned() else { continue };
        members.retain(|name, _| !OWN.contains(&name.as_str()));
        custom.insert(key, members);
    }
    custom
}

fn entry(bucket_id: Uuid, head: &HeldObject, custom: Option<&Map<String, Value>>) -> Value {
    let mut members = custom.cloned().unwrap_or_default();
    let mut set = |name: &str, value: Value| members.insert(name.to_owned(), value);
    set("bucket", bucket_id.to_string().into());
    set("key", head.key.clone().into());
    set("version_id", head.version_id.to_string().into());
    if let Some((file_id, size, checksum)) = &head.file {
        set("file_id", file_id.to_string().into());
        set("size", (*size).into());
        if let Some(checksum) = checksum {
            set("checksum", checksum.clone().into());
        }
    }
    let extension = head.key.rsplit_once('.').map_or("", |(_, extension)| extension);
    set("type", extension.to_lowercase().into());
    Value::Object(members)
}

/// The last revision says what the files are now, those before it what they were.
pub(super) fn describe_revisions(change: &mut Change, shelf: &Shelf) {
    let before = shelf.json.as_deref().map(|json| {
        ["_bucket", "_files"].map(|key| (key, json_member(json, key).map(<[u8]>::to_vec)))
    });
    let last = change.revisions.len().saturating_sub(1);
    for (at, revision) in change.revisions.iter_mut().enumerate() {
        let Some(text) = &revision.json else { continue };
        let mut json = text.as_bytes().to_vec();
        if at == last {
            shelf.describe(&mut json);
        } else {
            for (key, value) in before.iter().flatten() {
                if let Some(value) = value {
                    let _set = set_json_member(&mut json, key, value);
                }
            }
            shelf.close(&mut json);
        }
        // It was UTF-8, and so is what was put in.
        revision.json = Some(Arc::from(String::from_utf8_lossy(&json)));
    }
}
