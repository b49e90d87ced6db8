//! What a batch means for the store: which records it creates, changes, deletes or leaves alone.
//!
//! Pure, and the same for every keeper: from what the store holds ([`Lookup`]) and what comes
//! (`LoadRecord`s, in source order) to the rows that must be written ([`Plan`]).

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::change::{Change, RecordState, SourceChange, event, set_specs};
use super::extension::{Draft, Extension, Refusal, refusal};
use super::history::{Arrival, Arrivals, arrivals};
use super::single::floor;
use super::{
    Counts, EarlierRevision, FILES, Kinds, LoadRecord, Membership, NewRecord, Quarantined,
    REVISIONS,
};
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
    /// By UUID: the dates of all revisions, of records that come with a history.
    pub(super) dates: HashMap<Uuid, Vec<Timestamp>>,
}

impl Lookup {
    /// Whether more has to be known of a record than its row in the ledger.
    pub(super) fn wants(&self, record: &LoadRecord, keep_source: bool) -> bool {
        let entry = self.ledger.get(&record.source_id);
        record.history.is_some() || entry.is_none_or(|entry| !entry.agrees(record, keep_source))
    }

    /// The UUID that a record has or shall get.
    pub(super) fn id_of(&self, record: &LoadRecord) -> Uuid {
        self.ledger.get(&record.source_id).map_or(record.record.id, |entry| entry.record_id)
    }

    /// The records that are there and come with a history.
    pub(super) fn with_history(&self, records: &[LoadRecord]) -> Vec<Uuid> {
        let ids = records.iter().filter(|record| record.history.is_some());
        let mut ids: Vec<Uuid> = ids.map(|record| self.id_of(record)).collect();
        ids.retain(|id| self.records.contains_key(id));
        ids.sort_unstable();
        ids.dedup();
        ids
    }
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
    /// Records that are refused.
    pub(super) rejected: Vec<Quarantined>,
    /// Parts of records that are refused.
    pub(super) refused: Vec<Quarantined>,
    /// Parts of records that were held before they came here.
    pub(super) held: Vec<Quarantined>,
    pub(super) counts: Counts,
    pub(super) kinds: Kinds,
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
    fn take(&mut self, mut record: LoadRecord) {
        self.plan.held.append(&mut record.held);
        // Once loaded, a source id stays with its record, whatever the pipeline calls it later.
        let id = self.lookup.id_of(&record);
        let entry = self.lookup.ledger.get(&record.source_id);
        let hash = fingerprint(&record);
        let same = entry.is_some_and(|entry| entry.hash == hash);
        let differs = entry.is_some_and(|entry| !entry.agrees(&record, self.keep_source));
        let arrivals = self.arrivals(id, &record);
        let is_new = arrivals.as_ref().is_some_and(|arrivals| arrivals.last == Arrival::New);
        // To delete what is not there is done already.
        if !is_new && (same || (hash.is_none() && !self.is_live(id))) {
            self.plan.counts.unchanged += 1;
            if let Some(arrivals) = arrivals {
                self.count_unwritten(&arrivals);
                self.plan.kinds.of(REVISIONS).unchanged += 1;
            }
            if !record.files.is_empty() {
                self.plan.kinds.of(FILES).skipped += record.files.len() as u64;
            }
            if differs {
                self.renew(id, hash, record);
            }
            return;
        }
        if let Some((code, message)) = self.obstacle(&record, id) {
            self.reject(record, code, message);
            return;
        }
        self.change(id, hash, record, arrivals);
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
        let is_deletion = !self.mints(id, record);
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

    /// A deletion mints nothing: the record has its PIDs, or never had any; but one that comes with
    /// its past had them in its source.
    fn mints(&self, id: Uuid, record: &LoadRecord) -> bool {
        record.record.json.is_some() || (record.history.is_some() && !self.exists(id))
    }

    fn arrivals(&self, id: Uuid, record: &LoadRecord) -> Option<Arrivals> {
        let earlier = record.history.as_ref()?;
        let known = self.lookup.dates.get(&id).map(Vec::as_slice);
        Some(arrivals(earlier, record, known.or(self.exists(id).then_some(&[]))))
    }

    // What becomes of the earlier revisions that are not written.
    fn count_unwritten(&mut self, arrivals: &Arrivals) {
        let counts = self.plan.kinds.of(REVISIONS);
        for arrival in &arrivals.earlier {
            match arrival {
                Arrival::Known => counts.unchanged += 1,
                Arrival::Late | Arrival::New => counts.skipped += 1,
            }
        }
    }

    fn exists(&self, id: Uuid) -> bool {
        self.by_id.contains_key(&id) || self.lookup.records.contains_key(&id)
    }

    fn reject(&mut self, record: LoadRecord, code: String, message: String) {
        self.plan.counts.quarantined += 1;
        count_with_record(&mut self.plan.kinds, &record);
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

    fn change(
        &mut self,
        id: Uuid,
        hash: Option<ContentHash>,
        record: LoadRecord,
        arrivals: Option<Arrivals>,
    ) {
        let mints = self.mints(id, &record);
        if !record.files.is_empty() {
            self.plan.kinds.of(FILES).skipped += record.files.len() as u64;
        }
        match (self.exists(id), hash) {
            (_, None) => self.plan.counts.deleted += 1,
            (false, Some(_)) => self.plan.counts.created += 1,
            (true, Some(_)) => self.plan.counts.updated += 1,
        }
        // `obstacle` has seen that it is UTF-8, and then this does not copy.
        let json = record.record.json.as_deref();
        let json = json.map(|json| Arc::from(String::from_utf8_lossy(json)));
        let (created, updated) = record.stamps.unwrap_or((self.now, self.now));
        self.plan.name_sets(&record.record.memberships);
        let at = self.place(id, &record.record.pid_value, created);
        if let Some(arrivals) = arrivals {
            self.append_earlier(at, &record, &arrivals);
            let known = self.lookup.dates.entry(id).or_default();
            known.push(floor(updated));
            self.plan.kinds.of(REVISIONS).loaded += 1;
        }
        let LoadRecord { source_id, record, source, .. } = record;
        for pid in record.pids {
            let owner = PidOwner::Record(id, Some(record.pid_value.clone()));
            let before = self.lookup.further_pids.insert(pid.clone(), owner);
            if !matches!(before, Some(PidOwner::Record(..))) {
                self.plan.further_pids.push((pid, at));
            }
        }
        let is_minted = matches!(self.lookup.pids.get(&record.pid_value), Some(Some(_)));
        if mints && !is_minted {
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

    // Earlier revisions that the store lacks; one that is refused is held by itself.
    fn append_earlier(&mut self, at: usize, record: &LoadRecord, arrivals: &Arrivals) {
        let Some(change) = self.plan.changes.get_mut(at) else { return };
        let (id, known) = (change.id, self.lookup.dates.entry(change.id).or_default());
        let counts = self.plan.kinds.of(REVISIONS);
        for (revision, arrival) in record.history.iter().flatten().zip(&arrivals.earlier) {
            match arrival {
                Arrival::Known => counts.unchanged += 1,
                Arrival::Late => counts.skipped += 1,
                Arrival::New => {
                    let json = revision.json.as_deref().map(String::from_utf8_lossy);
                    let event = change.next_event(json.is_some());
                    let draft = Draft { id, event, json: json.as_deref() };
                    match refusal(self.extensions, draft) {
                        Some(refusal) => {
                            counts.quarantined += 1;
                            let held = refused_part(record, revision, refusal);
                            self.plan.refused.push(held);
                        }
                        None => {
                            counts.loaded += 1;
                            known.push(floor(revision.updated));
                            change.append(event, json.map(Arc::from), revision.updated);
                        }
                    }
                }
            }
        }
    }

    fn is_live(&self, id: Uuid) -> bool {
        match self.by_id.get(&id).and_then(|at| self.plan.changes.get(*at)) {
            Some(change) => change.is_live(),
            None => self.lookup.records.get(&id).is_some_and(|state| !state.deleted),
        }
    }
}

/// Counts the parts of a record that is held: they are held with it.
pub(super) fn count_with_record(kinds: &mut Kinds, record: &LoadRecord) {
    if let Some(earlier) = &record.history {
        kinds.of(REVISIONS).quarantined += earlier.len() as u64 + 1;
    }
    if !record.files.is_empty() {
        kinds.of(FILES).quarantined += record.files.len() as u64;
    }
}

/// A revision that is held by itself, with the bytes of its record.
fn refused_part(record: &LoadRecord, revision: &EarlierRevision, refusal: Refusal) -> Quarantined {
    let locator = record.locator.part(format!("revision {}", revision.number));
    let Refusal { code, message } = refusal;
    let rejection = Rejection { stage: Stage::Load, rule: None, code, message, locator };
    Quarantined { rejection, zstd: record.source.zstd.clone() }
}
