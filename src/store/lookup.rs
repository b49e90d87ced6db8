//! What a plan has to know of the store before it decides: ledger, revisions, PIDs, dates.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::access::Closed;
use super::change::{RecordState, set_specs};
use super::{Brings, LoadRecord, NewRecord};
use crate::record::{ContentHash, PidName, PidStatus};

/// What the store holds of the records of a batch.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    /// By source id: what it was last loaded as.
    pub(super) ledger: HashMap<String, LedgerEntry>,
    /// By UUID: the current revision.
    pub(super) records: HashMap<Uuid, RecordState>,
    /// By value of the `recid` PID: the object it names, if it names one yet.
    pub(super) pids: HashMap<String, Option<Uuid>>,
    /// Values of `recid` PIDs that lead to other ones.
    pub(super) redirected: HashSet<String>,
    /// The PIDs of other types, those that are there.
    pub(super) further_pids: HashMap<PidName, PidOwner>,
    /// By source id: who may read the record, of those that are closed and of which the batch does
    /// not say enough.
    pub(super) closed: HashMap<String, Closed>,
    /// By UUID: the dates of all revisions, of records that come with a history.
    pub(super) dates: HashMap<Uuid, Vec<Timestamp>>,
}

impl Lookup {
    /// Whether more has to be known of a record than its row in the ledger.
    pub(super) fn wants(&self, record: &LoadRecord, keep_source: bool) -> bool {
        let entry = self.ledger.get(&record.source_id);
        let is_plain = record.history.is_none() && record.brings == Brings::Revision;
        !is_plain || entry.is_none_or(|entry| !entry.agrees(record, keep_source))
    }

    /// The UUID that a record has or shall get.
    pub(super) fn id_of(&self, record: &LoadRecord) -> Uuid {
        self.ledger.get(&record.source_id).map_or(record.record.id, |entry| entry.record_id)
    }

    /// The source ids of records of which it has to be known whether they are closed.
    pub(super) fn with_unknown_access<'r>(&self, records: &'r [LoadRecord]) -> Vec<&'r str> {
        let is_asked = |record: &&LoadRecord| match record.brings {
            Brings::Files => record.access.closed().is_some(),
            _ => record.history.is_some() && !record.access.of_record,
        };
        let asked = records.iter().filter(is_asked).map(|record| record.source_id.as_str());
        asked.filter(|source_id| self.ledger.contains_key(*source_id)).collect()
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
