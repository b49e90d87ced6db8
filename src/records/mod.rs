//! Single records: what the verbs, and later REST, do with them, by the rules of Invenio-Records.
//!
//! Where Invenio leaves a record open to loss, this does not: a change names the revision that it
//! was made from, a record keeps its identifier, and a record that is undeleted has its last
//! content again.

mod error;
mod input;
mod minters;
mod patch;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

pub use error::RecordsError;
pub use input::{read_record, read_value};
pub use minters::{MINTERS, MintError, MinterRow, PidRule, PidRules, RecidMinter};
pub use patch::{PatchError, patched};

use crate::identifiers::recid;
use crate::record::{Pid, PidName, PidStatus, PidTarget, SetSpec, canonical_json};
use crate::store::{Membership, NewRecord, RecordChange, Store, StoreError, StoredRecord};
use crate::validate::Registry;

/// The member of a record that holds the value of its recid.
pub const IDENTIFIER: &str = "id";

/// The member of a record that names the sets it is in.
const COLLECTIONS: &str = "collections";

/// What a record is asked for by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// Its UUID.
    Uuid(Uuid),
    /// One of its PIDs.
    Pid(PidName),
}

/// Where a PID leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// The PIDs on the way, the first one asked for, the last one no redirect.
    pub path: Vec<Pid>,
    /// The record that the last one names.
    pub record: Uuid,
}

/// The records of a store, one by one.
pub struct Records {
    store: Arc<dyn Store>,
    schemas: Registry,
    /// A schema that every record is judged by, whatever it names itself.
    schema: Option<String>,
    rules: PidRules,
}

impl Records {
    /// The records of `store`, judged by `schemas`, with PIDs by `rules`; all of them by the
    /// schema of the name `schema`, if there is one.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        schemas: Registry,
        schema: Option<String>,
        rules: PidRules,
    ) -> Records {
        Records { store, schemas, schema, rules }
    }

    /// Follows a PID to its record.
    ///
    /// # Errors
    /// [`RecordsError::PidUnregistered`] for one that is new or reserved, `PidDeleted`,
    /// `PidTargetless` for one that names nothing, and `not_found`.
    pub async fn resolve(&self, name: &PidName) -> Result<Resolution, RecordsError> {
        let mut path: Vec<Pid> = Vec::new();
        let mut next = name.clone();
        loop {
            let pid = self.store.pid(&next).await?;
            let pid = pid.ok_or_else(|| StoreError::NotFound(format!("PID {next}")))?;
            path.push(pid.clone());
            match (pid.status, pid.target) {
                (PidStatus::New | PidStatus::Reserved, _) => {
                    return Err(RecordsError::PidUnregistered { name: next, status: pid.status });
                }
                (PidStatus::Deleted, target) => {
                    let record = match target {
                        PidTarget::Record(record) => Some(record),
                        _ => None,
                    };
                    return Err(RecordsError::PidDeleted { name: next, record });
                }
                (_, PidTarget::Record(record)) => return Ok(Resolution { path, record }),
                (_, PidTarget::Nothing) => return Err(RecordsError::PidTargetless(next)),
                (_, PidTarget::Pid(to)) if path.iter().any(|pid| pid.name == to) => {
                    let reason = format!("PID {next} leads in a circle by {to}");
                    return Err(StoreError::Damaged(reason).into());
                }
                (_, PidTarget::Pid(to)) => next = to,
            }
        }
    }

    /// The current revision of a live record.
    ///
    /// # Errors
    /// [`StoreError::Deleted`] for a tombstone, and those of [`Records::resolve`].
    pub async fn get(&self, name: &Name) -> Result<StoredRecord, RecordsError> {
        let id = match name {
            Name::Uuid(id) => *id,
            Name::Pid(name) => self.resolve(name).await?.record,
        };
        live(self.store.record_by_id(id).await?)
    }

    /// The current revision of a record, live or not, whatever the status of its PID.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn get_with_deleted(&self, name: &Name) -> Result<StoredRecord, RecordsError> {
        Ok(match name {
            Name::Uuid(id) => self.store.record_by_id(*id).await?,
            Name::Pid(name) => self.store.record(name.pid_type(), name.pid_value()).await?,
        })
    }

    /// Creates a record and its PIDs. Without `id` it gets a recid, which is written there.
    ///
    /// # Errors
    /// The record is no object, does not fit its schema, or has a PID that another one has.
    pub async fn create(
        &self,
        mut json: Value,
        id: Option<Uuid>,
        now: Timestamp,
    ) -> Result<StoredRecord, RecordsError> {
        let Some(members) = json.as_object_mut() else { return Err(RecordsError::NotAnObject) };
        let pid_value = match members.get(IDENTIFIER) {
            Some(value) => identifier(value)?,
            None => {
                let minted = self.mint().await?;
                members.insert(IDENTIFIER.to_owned(), Value::String(minted.clone()));
                minted
            }
        };
        let name = PidName::recid(pid_value.as_str()).map_err(MintError::from)?;
        let pids = self.judged(&json, &pid_value)?;
        let record = NewRecord {
            id: id.unwrap_or_else(Uuid::new_v4),
            pid_value: name.into_parts().1,
            pids,
            memberships: memberships_of(&json),
            json: Some(canonical_json(&json)),
        };
        Ok(self.store.create(&record, now).await?)
    }

    /// Writes new content of a live record, made from the revision `before`.
    ///
    /// # Errors
    /// [`RecordsError::Identifier`] when the content takes the record's identifier away; and as
    /// [`Records::create`] and [`Store::change`].
    pub async fn update(
        &self,
        before: &StoredRecord,
        json: &Value,
        now: Timestamp,
    ) -> Result<StoredRecord, RecordsError> {
        if before.json.is_none() {
            return Err(StoreError::Deleted(before.id).into());
        }
        self.write(before, json, false, now).await
    }

    /// Applies a JSON Patch to a live record, which was at the revision `before`.
    ///
    /// # Errors
    /// [`RecordsError::Patch`], and as [`Records::update`].
    pub async fn patch(
        &self,
        before: &StoredRecord,
        patch: &Value,
        now: Timestamp,
    ) -> Result<StoredRecord, RecordsError> {
        let json = value(before)?.ok_or(StoreError::Deleted(before.id))?;
        self.write(before, &patched(&json, patch)?, false, now).await
    }

    /// Makes a tombstone of a record. Its PIDs go with it, its revisions stay.
    ///
    /// # Errors
    /// As [`Store::change`].
    pub async fn delete(
        &self,
        before: &StoredRecord,
        now: Timestamp,
    ) -> Result<StoredRecord, RecordsError> {
        let change = RecordChange {
            json: None,
            memberships: None,
            pids: Vec::new(),
            reverts: false,
            expected_revision: before.revision_id,
        };
        Ok(self.store.change(before.id, &change, now).await?)
    }

    /// Removes a record for good.
    ///
    /// # Errors
    /// As [`Store::erase`].
    pub async fn erase(&self, before: &StoredRecord, now: Timestamp) -> Result<(), RecordsError> {
        Ok(self.store.erase(before.id, before.revision_id, now).await?)
    }

    /// Gives a tombstone its last content again, and its PIDs.
    ///
    /// # Errors
    /// [`RecordsError::NotDeleted`]; [`RecordsError::NoContent`] when it never had any.
    pub async fn undelete(
        &self,
        before: &StoredRecord,
        now: Timestamp,
    ) -> Result<StoredRecord, RecordsError> {
        if before.json.is_some() {
            return Err(RecordsError::NotDeleted(before.id));
        }
        let revisions = self.store.revisions(before.id).await?;
        let last = revisions.iter().rev().find(|revision| revision.json.is_some());
        let last = last.ok_or(RecordsError::NoContent { id: before.id, revision: 0 })?;
        let json = value(last)?.unwrap_or_default();
        self.write(before, &json, false, now).await
    }

    /// Gives a record the content of an earlier revision again, as a new revision. Counted from
    /// the end, -1 is the current one.
    ///
    /// # Errors
    /// [`RecordsError::NoRevision`]; [`RecordsError::NoContent`] when that was a deletion.
    pub async fn revert(
        &self,
        before: &StoredRecord,
        revision: i64,
        now: Timestamp,
    ) -> Result<StoredRecord, RecordsError> {
        let earlier = self.revision(before.id, revision).await?;
        let (id, revision) = (before.id, earlier.revision_id);
        let json = value(&earlier)?.ok_or(RecordsError::NoContent { id, revision })?;
        self.write(before, &json, true, now).await
    }

    /// One revision of a record; a negative number counts from the end.
    ///
    /// # Errors
    /// [`RecordsError::NoRevision`].
    pub async fn revision(&self, id: Uuid, revision: i64) -> Result<StoredRecord, RecordsError> {
        let revisions = self.store.revisions(id).await?;
        let last = revisions.last().map_or(0, |revision| revision.revision_id);
        let wanted = match usize::try_from(revision.unsigned_abs()) {
            // Numbers may have holes: from the end, places count.
            Ok(back) if revision < 0 => revisions.len().checked_sub(back),
            _ => revisions.iter().position(|found| found.revision_id == revision),
        };
        let found = wanted.and_then(|at| revisions.into_iter().nth(at));
        found.ok_or(RecordsError::NoRevision { id, revision, last })
    }

    async fn write(
        &self,
        before: &StoredRecord,
        json: &Value,
        reverts: bool,
        now: Timestamp,
    ) -> Result<StoredRecord, RecordsError> {
        let Some(members) = json.as_object() else { return Err(RecordsError::NotAnObject) };
        let kept = match value(before)? {
            Some(before) => before.get(IDENTIFIER).cloned(),
            None => members.get(IDENTIFIER).cloned(),
        };
        if kept.is_some() && kept.as_ref() != members.get(IDENTIFIER) {
            let found = members.get(IDENTIFIER).map_or("nothing".to_owned(), Value::to_string);
            let expected = kept.unwrap_or_default().to_string();
            return Err(RecordsError::Identifier { found, expected });
        }
        // Only a record that has its identifier in it gets PIDs that are made of it.
        let pids = match kept {
            Some(kept) => self.judged(json, &identifier(&kept)?)?,
            None => {
                self.judge(json)?;
                Vec::new()
            }
        };
        let change = RecordChange {
            json: Some(canonical_json(json)),
            memberships: Some(memberships_of(json)),
            pids,
            reverts,
            expected_revision: before.revision_id,
        };
        Ok(self.store.change(before.id, &change, now).await?)
    }

    /// The PIDs of a record that fits its schema.
    fn judged(&self, json: &Value, pid_value: &str) -> Result<Vec<PidName>, RecordsError> {
        self.judge(json)?;
        let (pids, errors) = self.rules.pids(pid_value, json);
        match errors.into_iter().next() {
            Some(error) => Err(error.into()),
            None => Ok(pids),
        }
    }

    fn judge(&self, json: &Value) -> Result<(), RecordsError> {
        if let Some(schema) = &self.schema {
            self.schemas.judge_by(schema, json)?;
        }
        Ok(self.schemas.judge(json)?)
    }

    async fn mint(&self) -> Result<String, RecordsError> {
        match self.rules.recid {
            RecidMinter::Counter => Ok(self.store.next_recid().await?.to_string()),
            // Two of 2^40 are rarely the same; then the store says that it is taken.
            RecidMinter::Random => {
                let (_, random) = Uuid::new_v4().as_u64_pair();
                Ok(recid::encode(random))
            }
        }
    }
}

/// The sets that a record's collections are.
#[must_use]
pub fn memberships<'n>(collections: impl IntoIterator<Item = &'n str>) -> Vec<Membership> {
    collections
        .into_iter()
        .filter_map(|name| {
            // A name that makes no setSpec makes no set.
            let spec = SetSpec::from_name(name)?;
            Some(Membership { spec, name: name.to_owned() })
        })
        .collect()
}

fn memberships_of(json: &Value) -> Vec<Membership> {
    let collections = json.get(COLLECTIONS).and_then(Value::as_array);
    memberships(collections.into_iter().flatten().filter_map(Value::as_str))
}

fn identifier(value: &Value) -> Result<String, RecordsError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        // Invenio's early records have numbers there.
        Value::Number(number) if number.is_u64() => Ok(number.to_string()),
        other => {
            let expected = "a text or a whole number".to_owned();
            Err(RecordsError::Identifier { found: other.to_string(), expected })
        }
    }
}

/// The content of a revision.
///
/// # Errors
/// [`StoreError::Damaged`] when what is stored is no JSON.
pub fn value(record: &StoredRecord) -> Result<Option<Value>, RecordsError> {
    let Some(json) = &record.json else { return Ok(None) };
    serde_json::from_slice(json).map(Some).map_err(|error| {
        StoreError::Damaged(format!("JSON of record {}: {error}", record.id)).into()
    })
}

fn live(record: StoredRecord) -> Result<StoredRecord, RecordsError> {
    match record.json {
        Some(_) => Ok(record),
        None => Err(StoreError::Deleted(record.id).into()),
    }
}
