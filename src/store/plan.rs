//! What a batch means for the store: which records it creates, changes, deletes or leaves alone.
//!
//! Pure, and the same for every keeper: from what the store holds ([`Lookup`]) and what comes
//! (`LoadRecord`s, in source order) to the rows that must be written ([`Plan`]).

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::access::RecordAccess;
use super::change::{Change, SourceChange, event};
use super::extension::{Draft, Extension, Refusal, refusal};
use super::filing::FilePlan;
use super::history::{Arrival, Arrivals, arrivals};
use super::lookup::{LedgerEntry, Lookup, PidOwner, fingerprint};
use super::single::floor;
use super::{
    Brings, Counts, EarlierRevision, FILES, Kinds, LoadRecord, Membership, NewRecord, Quarantined,
    REDIRECTS, RESERVED, REVISIONS, Redirect, Thing,
};
use crate::record::{ContentHash, Datestamp, PidName, Rejection, Stage, content_hash};

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
    /// What sources say of who may see the records that are written.
    pub(super) access: Vec<RecordAccess>,
    /// setSpec to name, of all sets that the changes name.
    pub(super) set_names: HashMap<String, String>,
    /// Records that are refused.
    pub(super) rejected: Vec<Quarantined>,
    /// Values of recids that are kept for nobody.
    pub(super) reserved: Vec<String>,
    /// Things that are no records.
    pub(super) things: Vec<Thing>,
    /// Recids that are to lead to others.
    pub(super) redirects: Vec<Redirect>,
    /// Parts of records that are refused.
    pub(super) refused: Vec<Quarantined>,
    /// Parts of records that were held before they came here.
    pub(super) held: Vec<Quarantined>,
    pub(super) counts: Counts,
    pub(super) kinds: Kinds,
    pub(super) files: FilePlan,
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

/// What becomes of a record with content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Write,
    Leave,
    /// It contradicts what is loaded.
    Conflict,
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
        match record.brings {
            Brings::Revision => {}
            Brings::Files => return self.take_files(record),
            Brings::Number => return self.reserve(&record.record.pid_value),
            Brings::Things => {
                self.plan.counts.skipped += 1;
                return self.plan.things.append(&mut record.things);
            }
        }
        self.keep_closed(&mut record);
        // Once loaded, a source id stays with its record, whatever the pipeline calls it later.
        let id = self.lookup.id_of(&record);
        let hash = fingerprint(&record);
        let arrivals = self.arrivals(id, &record);
        match self.verdict(id, hash, &record, arrivals.as_ref()) {
            Verdict::Write => {}
            Verdict::Leave => return self.leave(id, hash, record, arrivals),
            Verdict::Conflict => {
                let date = record.stamps.map_or(self.now, |(_, updated)| updated);
                let message = format!(
                    "the revision of {date} differs from the one of the same moment that is \
                     loaded: the record comes twice, or its past was changed"
                );
                return self.reject(record, "revision_conflict".to_owned(), message);
            }
        }
        if let Some((code, message)) = self.obstacle(&record, id) {
            self.reject(record, code, message);
            return;
        }
        self.change(id, hash, record, arrivals);
    }

    /// A dump that does not tell which collections are restricted opens no record.
    fn keep_closed(&self, record: &mut LoadRecord) {
        let closed = self.lookup.closed.get(&record.source_id);
        let Some(closed) = closed.filter(|_| !record.access.of_record) else { return };
        let earlier = record.history.iter_mut().flatten();
        for json in earlier.filter_map(|revision| revision.json.as_mut()) {
            closed.close(json);
        }
        if let Some(json) = &mut record.record.json {
            closed.close(json);
            record.hash = content_hash(json);
        }
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
        if self.lookup.redirected.contains(pid_value) && !is_deletion {
            let message = format!("PID recid:{pid_value} leads to another one and names no record");
            return obstacle("pid_redirected", message);
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

    /// Whether a record is written, by its content and, if it has a past, by dates.
    fn verdict(
        &self,
        id: Uuid,
        hash: Option<ContentHash>,
        record: &LoadRecord,
        arrivals: Option<&Arrivals>,
    ) -> Verdict {
        let entry = self.lookup.ledger.get(&record.source_id);
        let same = entry.is_some_and(|entry| entry.hash == hash);
        // To delete what is not there is done already.
        let is_done = same || (hash.is_none() && !self.is_live(id));
        let by_content = if is_done { Verdict::Leave } else { Verdict::Write };
        let Some(arrivals) = arrivals else { return by_content };
        let source = entry.and_then(|entry| entry.source);
        let is_loaded = source.map(|source| source == record.source.hash);
        match (arrivals.last, is_loaded) {
            (Arrival::New, _) => Verdict::Write,
            // The very revision that was loaded last; what is made of it may have changed.
            (_, Some(true)) => by_content,
            (Arrival::Current, Some(false)) if record.stamps.is_some() => Verdict::Conflict,
            (Arrival::Current, _) => by_content,
            // An older dump than the last one.
            (Arrival::Known | Arrival::Late, _) => Verdict::Leave,
        }
    }

    fn leave(
        &mut self,
        id: Uuid,
        hash: Option<ContentHash>,
        record: LoadRecord,
        arrivals: Option<Arrivals>,
    ) {
        self.plan.counts.unchanged += 1;
        match arrivals.as_ref().map(|arrivals| &arrivals.last) {
            // An older dump takes no redirect back.
            Some(Arrival::Known | Arrival::Late) if record.merged_into.is_some() => {
                self.plan.kinds.of(REDIRECTS).unchanged += 1;
            }
            _ => self.redirect(&record),
        }
        if !record.files.is_empty() {
            self.plan.kinds.of(FILES).skipped += record.files.len() as u64;
        }
        let entry = self.lookup.ledger.get(&record.source_id);
        let Some(arrivals) = arrivals else {
            if entry.is_some_and(|entry| !entry.agrees(&record, self.keep_source)) {
                self.renew(id, hash, record);
            }
            return;
        };
        let earlier = record.history.iter().flatten().map(|revision| revision.number);
        let last = record.history.as_ref().map_or(0, Vec::len) + 1;
        let all = arrivals.earlier.iter().chain([&arrivals.last]);
        for (number, arrival) in earlier.chain([last]).zip(all) {
            match arrival {
                Arrival::Known | Arrival::Current => self.plan.kinds.of(REVISIONS).unchanged += 1,
                Arrival::Late | Arrival::New => self.hold_late(&record, number),
            }
        }
    }

    // Between revisions that are there is no place for another.
    fn hold_late(&mut self, record: &LoadRecord, number: usize) {
        self.plan.kinds.of(REVISIONS).quarantined += 1;
        let code = "revision_late".to_owned();
        let message = "the store has later revisions of the record, but not this one".to_owned();
        self.plan.refused.push(Quarantined::revision(record, number, Refusal { code, message }));
    }

    /// Files of a record that stays as it is.
    fn take_files(&mut self, record: LoadRecord) {
        let owner = self.lookup.pids.get(&record.record.pid_value).copied().flatten();
        let id = match self.lookup.ledger.get(&record.source_id) {
            Some(entry) => Some(entry.record_id).filter(|id| self.exists(*id)),
            None => owner,
        };
        if id.is_none() {
            let message =
                format!("there are files of recid:{}, but no such record", record.record.pid_value);
            return self.reject(record, "no_record".to_owned(), message);
        }
        let is_known = self.lookup.closed.contains_key(&record.source_id);
        if !is_known && record.access.closed().is_some() {
            let message = "the record is restricted, but comes without its content: load a dump that \
                           has it";
            return self.reject(record, "access".to_owned(), message.to_owned());
        }
        self.plan.counts.unchanged += 1;
        self.plan.kinds.of(FILES).skipped += record.files.len() as u64;
        let LoadRecord { source_id, access: mut told, .. } = record;
        // The record stays as it is.
        told.of_record = false;
        told.notes.retain(|note| note.part.is_some());
        if !told.notes.is_empty() || !told.silent.is_empty() {
            self.plan.access.push(RecordAccess { source_id, told });
        }
    }

    /// Keeps a recid of which nothing is left but the number.
    fn reserve(&mut self, pid_value: &str) {
        self.plan.counts.skipped += 1;
        let counts = self.plan.kinds.of(RESERVED);
        let is_redirected = self.lookup.redirected.contains(pid_value);
        if is_redirected || self.lookup.pids.contains_key(pid_value) {
            counts.unchanged += 1;
            return;
        }
        counts.loaded += 1;
        self.lookup.pids.insert(pid_value.to_owned(), None);
        self.plan.reserved.push(pid_value.to_owned());
    }

    // Noted with the record, made when all records are there.
    fn redirect(&mut self, record: &LoadRecord) {
        let Some(to) = &record.merged_into else { return };
        let from = &record.record.pid_value;
        // The last word counts; each place is counted.
        if let Some(known) = self.plan.redirects.iter_mut().find(|known| known.from == *from) {
            known.to.clone_from(to);
            self.plan.kinds.of(REDIRECTS).unchanged += 1;
            return;
        }
        let place = record.locator.to_string();
        self.plan.redirects.push(Redirect { from: from.clone(), to: to.clone(), place });
    }

    fn exists(&self, id: Uuid) -> bool {
        self.by_id.contains_key(&id) || self.lookup.records.contains_key(&id)
    }

    fn reject(&mut self, record: LoadRecord, code: String, message: String) {
        self.plan.counts.quarantined += 1;
        self.plan.kinds.hold(&record);
        let bytes = record.raw_bytes();
        self.plan.rejected.push(Quarantined {
            rejection: Rejection {
                stage: Stage::Load,
                rule: None,
                code,
                message,
                locator: record.locator,
            },
            bytes,
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
        self.redirect(&record);
        if !record.files.is_empty() {
            self.plan.kinds.of(FILES).skipped += record.files.len() as u64;
        }
        let was_there = self.exists(id);
        match (was_there, hash) {
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
        let LoadRecord { source_id, record, source, history, access: told, .. } = record;
        if history.is_some() && (was_there || !told.notes.is_empty()) {
            match told.closed() {
                Some(closed) => self.lookup.closed.insert(source_id.clone(), closed),
                None if told.of_record => self.lookup.closed.remove(&source_id),
                None => None,
            };
            self.plan.access.push(RecordAccess { source_id: source_id.clone(), told });
        }
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
        let earlier = record.history.iter().flatten();
        for (revision, arrival) in earlier.zip(&arrivals.earlier) {
            match arrival {
                Arrival::Known | Arrival::Current => self.plan.kinds.of(REVISIONS).unchanged += 1,
                Arrival::Late => self.hold_late(record, revision.number),
                Arrival::New => self.append_revision(at, record, revision),
            }
        }
    }

    fn append_revision(&mut self, at: usize, record: &LoadRecord, revision: &EarlierRevision) {
        let Some(change) = self.plan.changes.get_mut(at) else { return };
        let json = revision.json.as_deref().map(String::from_utf8_lossy);
        let (id, event) = (change.id, change.next_event(json.is_some()));
        let draft = Draft { id, event, json: json.as_deref() };
        let counts = self.plan.kinds.of(REVISIONS);
        match refusal(self.extensions, draft) {
            Some(refusal) => {
                counts.quarantined += 1;
                self.plan.refused.push(Quarantined::revision(record, revision.number, refusal));
            }
            None => {
                counts.loaded += 1;
                self.lookup.dates.entry(id).or_default().push(floor(revision.updated));
                change.append(event, json.map(Arc::from), revision.updated);
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
