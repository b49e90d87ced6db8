//! What a batch means for the store: which records it creates, changes, deletes or leaves alone.
//!
//! Pure, and the same for every keeper: from what the store holds ([`Lookup`]) and what comes
//! (`LoadRecord`s, in source order) to the rows that must be written ([`Plan`]).

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Counts, LoadRecord, Membership, Quarantined, SourceCopy};
use crate::record::{ContentHash, Datestamp, Rejection, Stage};

// pidstore_pid.pid_value is varchar(255): SQLite would not mind, PostgreSQL would.
const PID_LENGTH: usize = 255;

/// What the store holds of the records of a batch.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    /// By source id: what it was last loaded as.
    pub(super) ledger: HashMap<String, LedgerEntry>,
    /// By UUID: the current revision.
    pub(super) records: HashMap<Uuid, RecordState>,
    /// By value of the `recid` PID: the object it names, if it names one yet.
    pub(super) pids: HashMap<String, Option<Uuid>>,
}

/// What a source id was last loaded as.
#[derive(Debug)]
pub(super) struct LedgerEntry {
    pub(super) record_id: Uuid,
    /// [`fingerprint`] of the content; `None` when the source deleted it.
    pub(super) hash: Option<ContentHash>,
}

/// The current revision of a stored record, as far as a change needs it.
#[derive(Debug)]
pub(super) struct RecordState {
    pub(super) version_id: i64,
    pub(super) created: Timestamp,
    pub(super) deleted: bool,
    /// Its datestamp in `windrow_oai`, if it is there.
    pub(super) datestamp: Option<i64>,
    /// Its setSpecs, with spaces between them.
    pub(super) sets: String,
    /// Its row in `windrow_source`.
    pub(super) source: Option<i64>,
}

/// One revision to write.
#[derive(Debug)]
pub(super) struct Revision {
    pub(super) version_id: i64,
    /// `None` deletes. Shared, since it is written twice.
    pub(super) json: Option<Arc<str>>,
    pub(super) updated: Timestamp,
}

/// All that happens to one record in one transaction.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) id: Uuid,
    pub(super) pid_value: String,
    pub(super) created: Timestamp,
    /// The record as the store has it; `None` when it is new.
    pub(super) before: Option<RecordState>,
    /// At least one, oldest first.
    pub(super) revisions: Vec<Revision>,
    /// In seconds, of the last revision.
    pub(super) datestamp: i64,
    /// setSpecs after the last revision, with spaces between them.
    pub(super) sets: String,
    pub(super) source: SourceChange,
}

/// What becomes of the source bytes of a changed record.
#[derive(Debug)]
pub(super) enum SourceChange {
    /// They stay: the change came from elsewhere.
    Keep,
    /// They no longer tell what the record is, and none are kept instead.
    Forget,
    /// These now.
    Replace(SourceCopy),
}

impl Change {
    /// A change of the record `id` that has no revision yet.
    pub(super) fn new(
        id: Uuid,
        pid_value: String,
        before: Option<RecordState>,
        created: Timestamp,
    ) -> Change {
        let created = before.as_ref().map_or(created, |state| state.created);
        let sets = before.as_ref().map(|state| state.sets.clone()).unwrap_or_default();
        Change {
            id,
            pid_value,
            created,
            before,
            revisions: Vec::with_capacity(1),
            datestamp: 0,
            sets,
            source: SourceChange::Keep,
        }
    }

    /// Adds a revision. A tombstone stays in the sets it was in, so that who harvests a set
    /// learns of the deletion.
    pub(super) fn push(
        &mut self,
        json: Option<Arc<str>>,
        updated: Timestamp,
        memberships: &[Membership],
    ) {
        if json.is_some() || !memberships.is_empty() {
            self.sets = set_specs(memberships);
        }
        let before = self.before.as_ref().map_or(0, |state| state.version_id);
        let version_id = self.revisions.last().map_or(before, |last| last.version_id) + 1;
        self.datestamp = Datestamp::from(updated).as_second();
        self.revisions.push(Revision { version_id, json, updated });
    }

    /// Whether the record has content once the change is made.
    pub(super) fn is_live(&self) -> bool {
        self.revisions.last().is_some_and(|revision| revision.json.is_some())
    }
}

/// A row of the ledger to write.
#[derive(Debug)]
pub(super) struct LedgerRow {
    pub(super) source_id: String,
    pub(super) record_id: Uuid,
    pub(super) hash: Option<ContentHash>,
}

/// What has to be written.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) changes: Vec<Change>,
    /// Values of `recid` PIDs to mint, each with the index of its change.
    pub(super) new_pids: Vec<(String, usize)>,
    pub(super) ledger: Vec<LedgerRow>,
    /// setSpec to name, of all sets that the changes name.
    pub(super) set_names: HashMap<String, String>,
    pub(super) rejected: Vec<Quarantined>,
    pub(super) counts: Counts,
}

impl Plan {
    /// Notes the names of sets that a change brings.
    pub(super) fn name_sets(&mut self, memberships: &[Membership]) {
        for membership in memberships {
            if !self.set_names.contains_key(membership.spec.as_str()) {
                self.set_names.insert(membership.spec.as_str().to_owned(), membership.name.clone());
            }
        }
    }
}

/// Plans a batch.
pub(super) fn plan(
    records: Vec<LoadRecord>,
    lookup: Lookup,
    keep_source: bool,
    now: Timestamp,
) -> Plan {
    let mut planner =
        Planner { lookup, keep_source, now, by_id: HashMap::new(), plan: Plan::default() };
    planner.plan.changes.reserve(records.len());
    planner.plan.ledger.reserve(records.len());
    for record in records {
        planner.take(record);
    }
    planner.plan
}

/// What "unchanged" compares: the content and the sets, which a header shows as well. Without
/// sets it is the hash of the content.
pub(super) fn fingerprint(record: &LoadRecord) -> Option<ContentHash> {
    record.record.json.as_ref()?;
    if record.record.memberships.is_empty() {
        return Some(record.hash);
    }
    let mut digest = Sha256::new();
    digest.update(record.hash);
    digest.update(set_specs(&record.record.memberships));
    Some(digest.finalize().into())
}

struct Planner {
    lookup: Lookup,
    keep_source: bool,
    now: Timestamp,
    /// Where in `plan.changes` a record is.
    by_id: HashMap<Uuid, usize>,
    plan: Plan,
}

impl Planner {
    fn take(&mut self, record: LoadRecord) {
        let entry = self.lookup.ledger.get(&record.source_id);
        // Once loaded, a source id stays with its record, whatever the pipeline calls it later.
        let id = entry.map_or(record.record.id, |entry| entry.record_id);
        let hash = fingerprint(&record);
        let same = entry.is_some_and(|entry| entry.hash == hash);
        // To delete what is not there is done already.
        if same || (hash.is_none() && !self.is_live(id)) {
            self.plan.counts.unchanged += 1;
            return;
        }
        if let Some((code, message)) = self.obstacle(&record, id) {
            self.reject(record, code, message);
            return;
        }
        self.change(id, hash, record);
    }

    fn obstacle(&self, record: &LoadRecord, id: Uuid) -> Option<(&'static str, String)> {
        let pid_value = &record.record.pid_value;
        if let Some(Some(owner)) = self.lookup.pids.get(pid_value)
            && *owner != id
        {
            let message = format!("PID recid:{pid_value} belongs to record {owner}, not to {id}");
            return Some(("pid_taken", message));
        }
        let length = pid_value.chars().count();
        if length > PID_LENGTH {
            let message = format!("PID has {length} characters, expected at most {PID_LENGTH}");
            return Some(("pid_too_long", message));
        }
        if let Some(Err(error)) = record.record.json.as_deref().map(std::str::from_utf8) {
            return Some(("json_not_utf8", format!("JSON is not UTF-8: {error}")));
        }
        None
    }

    fn reject(&mut self, record: LoadRecord, code: &str, message: String) {
        self.plan.counts.quarantined += 1;
        self.plan.rejected.push(Quarantined {
            rejection: Rejection {
                stage: Stage::Load,
                rule: None,
                code: code.to_owned(),
                message,
                locator: record.locator,
            },
            zstd: record.source.zstd,
        });
    }

    fn change(&mut self, id: Uuid, hash: Option<ContentHash>, record: LoadRecord) {
        let LoadRecord { source_id, record, source, stamps, .. } = record;
        let exists = self.by_id.contains_key(&id) || self.lookup.records.contains_key(&id);
        match (exists, hash) {
            (_, None) => self.plan.counts.deleted += 1,
            (false, Some(_)) => self.plan.counts.created += 1,
            (true, Some(_)) => self.plan.counts.updated += 1,
        }
        // `obstacle` has seen that it is UTF-8, and then this does not copy.
        let json = record.json.map(|json| Arc::from(String::from_utf8_lossy(&json)));
        let (created, updated) = stamps.unwrap_or((self.now, self.now));
        self.plan.name_sets(&record.memberships);
        let at = self.by_id.get(&id).copied().unwrap_or(self.plan.changes.len());
        if at == self.plan.changes.len() {
            let before = self.lookup.records.remove(&id);
            self.plan.changes.push(Change::new(id, record.pid_value.clone(), before, created));
            self.by_id.insert(id, at);
        }
        if !matches!(self.lookup.pids.get(&record.pid_value), Some(Some(_))) {
            self.lookup.pids.insert(record.pid_value.clone(), Some(id));
            self.plan.new_pids.push((record.pid_value, at));
        }
        if let Some(change) = self.plan.changes.get_mut(at) {
            change.push(json, updated, &record.memberships);
            change.source =
                if self.keep_source { SourceChange::Replace(source) } else { SourceChange::Forget };
        }
        let entry = LedgerEntry { record_id: id, hash };
        self.lookup.ledger.insert(source_id.clone(), entry);
        self.plan.ledger.push(LedgerRow { source_id, record_id: id, hash });
    }

    fn is_live(&self, id: Uuid) -> bool {
        match self.by_id.get(&id).and_then(|at| self.plan.changes.get(*at)) {
            Some(change) => change.is_live(),
            None => self.lookup.records.get(&id).is_some_and(|state| !state.deleted),
        }
    }
}

fn set_specs(memberships: &[Membership]) -> String {
    let mut specs: Vec<&str> =
        memberships.iter().map(|membership| membership.spec.as_str()).collect();
    specs.sort_unstable();
    specs.dedup();
    specs.join(" ")
}
