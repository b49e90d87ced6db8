//! What a batch means for the store: which records it creates, changes, deletes or leaves alone.
//!
//! Pure, and the same for every keeper: from what the store holds ([`Lookup`]) and what comes
//! (`LoadRecord`s, in source order) to the rows that must be written ([`Plan`]).

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::extension::{Draft, Event, Extension, refusal};
use super::{Counts, LoadRecord, Membership, NewRecord, Quarantined, SourceCopy};
use crate::record::{ContentHash, Datestamp, PidName, PidStatus, Rejection, Stage};

/// What the store holds of the records of a batch.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    /// By source id: what it was last loaded as.
    pub(super) ledger: HashMap<String, LedgerEntry>,
    /// By UUID: the current revision.
    pub(super) records: HashMap<Uuid, RecordState>,
    /// By value of the `recid` PID: the object it names, if it names one yet.
    pub(super) pids: HashMap<String, Option<Uuid>>,
    /// The PIDs of other types, those that are there.
    pub(super) further_pids: HashMap<PidName, PidOwner>,
}

/// Whose a PID is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PidOwner {
    /// Nobody's yet.
    Free,
    /// A record's, with the value of its recid if it is known.
    Record(Uuid, Option<String>),
    /// Another PID's, to which it leads, or nobody's any more.
    Gone(PidStatus),
}

impl PidOwner {
    /// Why the record `id` cannot have the PID `name`; `None` when it can.
    pub(super) fn obstacle(&self, name: &PidName, id: Uuid, recid: &str) -> Option<String> {
        match self {
            PidOwner::Free => None,
            PidOwner::Record(owner, _) if *owner == id => None,
            PidOwner::Record(owner, owner_recid) => {
                let called = |recid: &str| format!(" (recid:{recid})");
                let owners = owner_recid.as_deref().map(called).unwrap_or_default();
                let own = called(recid);
                Some(format!("PID {name} belongs to record {owner}{owners}, not to {id}{own}"))
            }
            PidOwner::Gone(status) => {
                Some(format!("PID {name} has status {} and can name no record", status.as_str()))
            }
        }
    }
}

/// What a source id was last loaded as.
#[derive(Debug)]
pub(super) struct LedgerEntry {
    pub(super) record_id: Uuid,
    /// [`fingerprint`] of the content; `None` when the source deleted it.
    pub(super) hash: Option<ContentHash>,
    /// Hash of the source bytes that are kept, if it is known.
    pub(super) source: Option<ContentHash>,
}

impl LedgerEntry {
    /// Whether a record comes as it was last loaded, its source bytes included where they are kept.
    pub(super) fn agrees(&self, record: &LoadRecord, keep_source: bool) -> bool {
        let hash = fingerprint(record);
        let has_source = !keep_source || hash.is_none();
        let same_source = || self.source.is_none_or(|source| source == record.source.hash);
        self.hash == hash && (has_source || same_source())
    }
}

/// The current revision of a stored record, as far as a change needs it.
#[derive(Debug)]
pub struct RecordState {
    /// 1 for the first revision.
    pub version_id: i64,
    /// When it was made.
    pub created: Timestamp,
    /// Whether it is a tombstone.
    pub deleted: bool,
    /// Its datestamp in `windrow_oai`, if it is there.
    pub datestamp: Option<i64>,
    /// Whether it is listed as a tombstone.
    pub listed_deleted: bool,
    /// The revision that is listed, if that is known.
    pub listed_version: Option<i64>,
    /// The setSpecs it was put into, with spaces between them.
    pub sets: String,
    /// The setSpecs it is in by their search patterns, with spaces between them.
    pub matched: String,
    /// Its row in `windrow_source`.
    pub source: Option<i64>,
}

/// One revision to write.
#[derive(Debug)]
pub struct Revision {
    /// 1 for the first revision.
    pub version_id: i64,
    /// `None` deletes. Shared, since it is written twice.
    pub json: Option<Arc<str>>,
    /// When it is made.
    pub updated: Timestamp,
    /// What it means for the record.
    pub event: Event,
}

/// All that happens to one record in one transaction.
#[derive(Debug)]
pub struct Change {
    /// Its UUID.
    pub id: Uuid,
    /// The value of the `recid` PID it is listed by; empty when it has none.
    pub pid_value: String,
    /// When the record was made.
    pub created: Timestamp,
    /// The record as the store has it; `None` when it is new.
    pub before: Option<RecordState>,
    /// Oldest first; none when no more than the source bytes have changed.
    pub revisions: Vec<Revision>,
    /// In seconds: when the last revision was made, until the transaction gives it the datestamp
    /// that OAI-PMH lists.
    pub datestamp: i64,
    /// setSpecs after the last revision, with spaces between them.
    pub sets: String,
    /// What becomes of its source bytes.
    pub source: SourceChange,
    /// The row in `windrow_source` once `source` is written.
    pub source_row: Option<i64>,
}

/// What becomes of the source bytes of a changed record.
#[derive(Debug)]
pub enum SourceChange {
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
            source_row: None,
        }
    }

    /// A record as it is, whoever made it so; its `source` stays.
    pub(super) fn found(
        id: Uuid,
        pid_value: String,
        before: RecordState,
        revision: Revision,
    ) -> Change {
        let source_row = before.source;
        let datestamp = Datestamp::from(revision.updated).as_second();
        let created = before.created;
        let change = Change::new(id, pid_value, Some(before), created);
        Change { revisions: vec![revision], datestamp, source_row, ..change }
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
            self.join(memberships);
        }
        self.append(self.next_event(json.is_some()), json, updated);
    }

    /// Puts the record into these sets and no others.
    pub(super) fn join(&mut self, memberships: &[Membership]) {
        self.sets = set_specs(memberships);
    }

    /// Adds a revision and leaves the record in its sets.
    pub(super) fn append(&mut self, event: Event, json: Option<Arc<str>>, updated: Timestamp) {
        let before = self.before.as_ref().map_or(0, |state| state.version_id);
        let version_id = self.revisions.last().map_or(before, |last| last.version_id) + 1;
        self.datestamp = Datestamp::from(updated).as_second();
        self.revisions.push(Revision { version_id, json, updated, event });
    }

    /// What a further revision means for the record.
    pub(super) fn next_event(&self, has_json: bool) -> Event {
        let was_live = match (self.revisions.last(), &self.before) {
            (Some(last), _) => Some(last.json.is_some()),
            (None, Some(before)) => Some(!before.deleted),
            (None, None) => None,
        };
        event(was_live, has_json)
    }

    /// Whether the record has content once the change is made.
    #[must_use]
    pub fn is_live(&self) -> bool {
        let before = || self.before.as_ref().is_some_and(|state| !state.deleted);
        self.revisions.last().map_or_else(before, |revision| revision.json.is_some())
    }
}

/// What it means that a record, which is live or not or not there, gets a revision.
fn event(was_live: Option<bool>, has_json: bool) -> Event {
    match (was_live, has_json) {
        (_, false) => Event::Delete,
        (None, true) => Event::Insert,
        (Some(true), true) => Event::Update,
        (Some(false), true) => Event::Undelete,
    }
}

/// A row of the ledger to write.
#[derive(Debug)]
pub(super) struct LedgerRow {
    pub(super) source_id: String,
    pub(super) record_id: Uuid,
    pub(super) hash: Option<ContentHash>,
    pub(super) source: Option<ContentHash>,
    /// Neither the ledger nor an earlier row of this plan knows the source id.
    pub(super) is_new: bool,
}

/// What has to be written.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) changes: Vec<Change>,
    /// Values of `recid` PIDs to mint, each with the index of its change.
    pub(super) new_pids: Vec<(String, usize)>,
    /// PIDs of other types to mint.
    pub(super) further_pids: Vec<(PidName, usize)>,
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

/// Plans a batch; what an extension refuses goes to quarantine.
pub(super) fn plan_with(
    records: Vec<LoadRecord>,
    lookup: Lookup,
    keep_source: bool,
    now: Timestamp,
    extensions: &[Arc<dyn Extension>],
) -> Plan {
    let (by_id, plan) = (HashMap::new(), Plan::default());
    let mut planner = Planner { lookup, keep_source, now, extensions, by_id, plan };
    planner.plan.changes.reserve(records.len());
    planner.plan.ledger.reserve(records.len());
    for record in records {
        planner.take(record);
    }
    planner.plan
}

/// What "unchanged" compares: the content, the sets, which a header shows as well, and the PIDs.
/// Without sets and further PIDs it is the hash of the content.
pub(super) fn fingerprint(record: &LoadRecord) -> Option<ContentHash> {
    let NewRecord { json, memberships, pids, .. } = &record.record;
    json.as_ref()?;
    if memberships.is_empty() && pids.is_empty() {
        return Some(record.hash);
    }
    let mut digest = Sha256::new();
    digest.update(record.hash);
    digest.update(set_specs(memberships));
    for pid in pids {
        // No setSpec and no PID has control characters in it.
        digest.update(format!("\n{pid}"));
    }
    Some(digest.finalize().into())
}

struct Planner<'e> {
    lookup: Lookup,
    keep_source: bool,
    now: Timestamp,
    extensions: &'e [Arc<dyn Extension>],
    /// Where in `plan.changes` a record is.
    by_id: HashMap<Uuid, usize>,
    plan: Plan,
}

impl Planner<'_> {
    fn take(&mut self, record: LoadRecord) {
        let entry = self.lookup.ledger.get(&record.source_id);
        // Once loaded, a source id stays with its record, whatever the pipeline calls it later.
        let id = entry.map_or(record.record.id, |entry| entry.record_id);
        let hash = fingerprint(&record);
        let same = entry.is_some_and(|entry| entry.hash == hash);
        // To delete what is not there is done already.
        if same || (hash.is_none() && !self.is_live(id)) {
            self.plan.counts.unchanged += 1;
            if entry.is_some_and(|entry| !entry.agrees(&record, self.keep_source)) {
                self.renew(id, hash, record);
            }
            return;
        }
        if let Some((code, message)) = self.obstacle(&record, id) {
            self.reject(record, code, message);
            return;
        }
        self.change(id, hash, record);
    }

    fn obstacle(&self, record: &LoadRecord, id: Uuid) -> Option<(String, String)> {
        let obstacle = |code: &str, message: String| Some((code.to_owned(), message));
        // What the ledger or its own PID knows and is not there was deleted for good.
        let own = self.lookup.pids.get(&record.record.pid_value).copied().flatten() == Some(id);
        let was_there = own || self.lookup.ledger.contains_key(&record.source_id);
        if was_there && !self.exists(id) {
            return obstacle("erased", format!("record {id} was deleted for good"));
        }
        let NewRecord { pid_value, pids, json, .. } = &record.record;
        // A deletion mints nothing: the record has its PIDs, or never had any.
        let is_deletion = json.is_none();
        if let Some(Some(owner)) = self.lookup.pids.get(pid_value)
            && *owner != id
            && !is_deletion
        {
            let message = format!("PID recid:{pid_value} belongs to record {owner}, not to {id}");
            return obstacle("pid_taken", message);
        }
        if let (false, Err(error)) = (is_deletion, PidName::recid(pid_value.as_str())) {
            return obstacle(error.code(), error.to_string());
        }
        for pid in pids {
            let owner = self.lookup.further_pids.get(pid);
            if let Some(message) = owner.and_then(|owner| owner.obstacle(pid, id, pid_value)) {
                return obstacle("pid_taken", message);
            }
        }
        let json = match json.as_deref().map(std::str::from_utf8).transpose() {
            Ok(json) => json,
            Err(error) => return obstacle("json_not_utf8", format!("JSON is not UTF-8: {error}")),
        };
        if self.extensions.is_empty() {
            return None;
        }
        let event = event(self.exists(id).then(|| self.is_live(id)), json.is_some());
        let refusal = refusal(self.extensions, Draft { id, event, json })?;
        Some((refusal.code, refusal.message))
    }

    fn exists(&self, id: Uuid) -> bool {
        self.by_id.contains_key(&id) || self.lookup.records.contains_key(&id)
    }

    fn reject(&mut self, record: LoadRecord, code: String, message: String) {
        self.plan.counts.quarantined += 1;
        self.plan.rejected.push(Quarantined {
            rejection: Rejection {
                stage: Stage::Load,
                rule: None,
                code,
                message,
                locator: record.locator,
            },
            zstd: record.source.zstd,
        });
    }

    /// Takes over source bytes that have changed, though the record that they make has not: who
    /// is given them is given something new.
    fn renew(&mut self, id: Uuid, hash: Option<ContentHash>, record: LoadRecord) {
        if !self.is_live(id) {
            return;
        }
        let LoadRecord { source_id, record, source, stamps, .. } = record;
        let at = self.place(id, &record.pid_value, self.now);
        let hash_of_source = source.hash;
        if let Some(change) = self.plan.changes.get_mut(at) {
            if change.revisions.is_empty() {
                let updated = stamps.map_or(self.now, |(_, updated)| updated);
                change.datestamp = Datestamp::from(updated).as_second();
            }
            change.source = SourceChange::Replace(source);
        }
        self.note(source_id, LedgerEntry { record_id: id, hash, source: Some(hash_of_source) });
    }

    /// The change of a record: the one that is planned, or a new one.
    fn place(&mut self, id: Uuid, pid_value: &str, created: Timestamp) -> usize {
        let at = self.by_id.get(&id).copied().unwrap_or(self.plan.changes.len());
        if at == self.plan.changes.len() {
            let before = self.lookup.records.remove(&id);
            self.plan.changes.push(Change::new(id, pid_value.to_owned(), before, created));
            self.by_id.insert(id, at);
        }
        at
    }

    fn note(&mut self, source_id: String, entry: LedgerEntry) {
        let LedgerEntry { record_id, hash, source } = entry;
        let is_new = self.lookup.ledger.insert(source_id.clone(), entry).is_none();
        self.plan.ledger.push(LedgerRow { source_id, record_id, hash, source, is_new });
    }

    fn change(&mut self, id: Uuid, hash: Option<ContentHash>, record: LoadRecord) {
        let LoadRecord { source_id, record, source, stamps, .. } = record;
        match (self.exists(id), hash) {
            (_, None) => self.plan.counts.deleted += 1,
            (false, Some(_)) => self.plan.counts.created += 1,
            (true, Some(_)) => self.plan.counts.updated += 1,
        }
        // `obstacle` has seen that it is UTF-8, and then this does not copy.
        let json = record.json.map(|json| Arc::from(String::from_utf8_lossy(&json)));
        let (created, updated) = stamps.unwrap_or((self.now, self.now));
        self.plan.name_sets(&record.memberships);
        let at = self.place(id, &record.pid_value, created);
        for pid in record.pids {
            let owner = PidOwner::Record(id, Some(record.pid_value.clone()));
            let before = self.lookup.further_pids.insert(pid.clone(), owner);
            if !matches!(before, Some(PidOwner::Record(..))) {
                self.plan.further_pids.push((pid, at));
            }
        }
        let is_minted = matches!(self.lookup.pids.get(&record.pid_value), Some(Some(_)));
        if hash.is_some() && !is_minted {
            self.lookup.pids.insert(record.pid_value.clone(), Some(id));
            self.plan.new_pids.push((record.pid_value, at));
        }
        let kept = hash.filter(|_| self.keep_source).map(|_| source.hash);
        if let Some(change) = self.plan.changes.get_mut(at) {
            change.push(json, updated, &record.memberships);
            change.source =
                if self.keep_source { SourceChange::Replace(source) } else { SourceChange::Forget };
        }
        self.note(source_id, LedgerEntry { record_id: id, hash, source: kept });
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
