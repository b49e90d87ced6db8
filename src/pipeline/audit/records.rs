//! A record, its past and its names; and what a dump has beside records.

use serde_json::Value;
use uuid::Uuid;

use super::access::opened;
use super::{Auditor, Found};
use crate::crosswalk::differences;
use crate::record::{PidName, PidStatus, PidTarget, content_hash};
use crate::store::{
    Brings, FILES, LoadRecord, REDIRECTS, RESERVED, REVISIONS, StoreError, StoredRecord, Thing,
};

/// Of one revision so many paths are named.
const PATHS: usize = 5;

/// The kind of names of records.
const PIDS: &str = "pids";

/// A revision as the source has it.
struct Wanted<'r> {
    part: String,
    json: Option<&'r [u8]>,
    /// When it was made, in microseconds; `None` is the one that is there now.
    updated: Option<i64>,
}

impl Auditor {
    /// Compares one item of the source.
    pub(super) async fn find(&self, record: &LoadRecord) -> Result<Found, StoreError> {
        let mut found = Found::default();
        match record.brings {
            Brings::Things => self.things(&record.things, &mut found).await?,
            Brings::Number => self.number(record, &mut found).await?,
            Brings::Files => match self.stored(record).await? {
                Some((id, _)) => self.files(id, record, &mut found).await?,
                None => found.differ("record", "it is not in the store"),
            },
            Brings::Revision => self.record(record, &mut found).await?,
        }
        for held in &record.held {
            let locator = &held.rejection.locator;
            let part = locator.part.as_deref().unwrap_or("record");
            let kind = if part.starts_with("revision ") { REVISIONS } else { FILES };
            if self.held.has_part(locator, part) {
                found.is_held = true;
                found.kind(kind).held += 1;
            } else {
                let what = "the pipeline rejects it, and it is not in the quarantine";
                found.tell(kind, part, Some(what.to_owned()));
            }
        }
        // A record that the store has refused differs from what is there, and is held.
        if !found.differences.is_empty() && self.held.has_here(&record.locator) {
            found.forgive();
        }
        Ok(found)
    }

    /// The record with all its revisions: by the UUID that it gets, or else by its recid.
    async fn stored(
        &self,
        record: &LoadRecord,
    ) -> Result<Option<(Uuid, Vec<StoredRecord>)>, StoreError> {
        let mut id = record.record.id;
        match self.store.record_by_id(id).await {
            Ok(_) => {}
            Err(StoreError::NotFound(_)) => {
                match self.store.record("recid", &record.record.pid_value).await {
                    Ok(there) => id = there.id,
                    Err(StoreError::NotFound(_)) => return Ok(None),
                    Err(error) => return Err(error),
                }
            }
            Err(error) => return Err(error),
        }
        Ok(Some((id, self.store.revisions(id).await?)))
    }

    async fn record(&self, record: &LoadRecord, found: &mut Found) -> Result<(), StoreError> {
        let is_live = record.record.json.is_some();
        let Some((id, stored)) = self.stored(record).await? else {
            // To delete what is not there is done already.
            if is_live || record.history.is_some() {
                found.differ("record", "it is not in the store");
            }
            return Ok(());
        };
        for wanted in wanted(record) {
            let what = compare(&wanted, &stored);
            if what.is_some() && self.held.has_part(&record.locator, &wanted.part) {
                found.is_held = true;
                found.kind(REVISIONS).held += 1;
            } else {
                found.tell(REVISIONS, &wanted.part, what);
            }
        }
        let updated = record.stamps.map(|(_, updated)| updated.as_microsecond());
        let newest = stored.last().map(|newest| newest.updated.as_microsecond());
        let is_newer = record.history.is_some() && updated.is_some() && newest > updated;
        found.changed_later = is_newer;
        if is_newer {
            let current = stored.last().and_then(|newest| newest.json.as_deref());
            found.opened_later = opened_since(record, current);
        }
        self.pids(id, record, found).await?;
        self.files(id, record, found).await
    }

    /// The recid and the other names that a record has.
    async fn pids(
        &self,
        id: Uuid,
        record: &LoadRecord,
        found: &mut Found,
    ) -> Result<(), StoreError> {
        let Some(recid) = recid(record, found) else { return Ok(()) };
        if let Some(to) = &record.merged_into {
            if found.changed_later {
                return Ok(());
            }
            let leads = match self.store.pid(&recid).await?.map(|pid| pid.target) {
                Some(PidTarget::Pid(target)) => target.pid_value() == to,
                _ => false,
            };
            let what = (!leads).then(|| format!("it does not lead to recid:{to}"));
            found.tell(REDIRECTS, &format!("PID {recid}"), what);
            return Ok(());
        }
        if record.record.json.is_none() {
            return Ok(());
        }
        // A later revision may have other names; its recid is the same.
        let further = record.record.pids.iter().filter(|_| !found.changed_later);
        let names: Vec<&PidName> = std::iter::once(&recid).chain(further).collect();
        for name in names {
            let what = match self.store.pid(name).await? {
                None => Some("it is not there".to_owned()),
                Some(pid) if pid.target != PidTarget::Record(id) => {
                    Some("it names something else".to_owned())
                }
                Some(pid) if pid.status != PidStatus::Registered && !found.changed_later => {
                    Some(format!("its status is {}", pid.status.as_str()))
                }
                Some(_) => None,
            };
            found.tell(PIDS, &format!("PID {name}"), what);
        }
        Ok(())
    }

    /// A number that nobody may get.
    async fn number(&self, record: &LoadRecord, found: &mut Found) -> Result<(), StoreError> {
        let Some(recid) = recid(record, found) else { return Ok(()) };
        let is_there = self.store.pid(&recid).await?.is_some();
        let what = (!is_there).then(|| "it is not reserved".to_owned());
        found.tell(RESERVED, &format!("PID {recid}"), what);
        Ok(())
    }

    async fn things(&self, things: &[Thing], found: &mut Found) -> Result<(), StoreError> {
        for thing in things {
            let stored = self.store.thing(&self.definition.source_name, &thing.kind, &thing.key);
            let what = match stored.await? {
                None => Some("it is not in the store".to_owned()),
                Some(stored) if content_hash(&stored.json) != thing.hash => {
                    Some("it is another one in the store".to_owned())
                }
                Some(_) => None,
            };
            found.tell(&thing.kind, &format!("{} {}", thing.kind, thing.key), what);
        }
        Ok(())
    }
}

/// The recid of a record; what can be none is told.
fn recid(record: &LoadRecord, found: &mut Found) -> Option<PidName> {
    let recid = PidName::recid(record.record.pid_value.as_str());
    recid.map_err(|error| found.differ("record", error.to_string())).ok()
}

/// The revisions that the source has, oldest first.
fn wanted(record: &LoadRecord) -> Vec<Wanted<'_>> {
    let earlier = record.history.iter().flatten();
    let mut all: Vec<Wanted<'_>> = earlier
        .map(|revision| Wanted {
            part: format!("revision {}", revision.number),
            json: revision.json.as_deref(),
            updated: Some(revision.updated.as_microsecond()),
        })
        .collect();
    let dated = record.stamps.filter(|_| record.history.is_some());
    let part = match &record.history {
        Some(earlier) => format!("revision {}", earlier.last().map_or(1, |last| last.number + 1)),
        None => "record".to_owned(),
    };
    let updated = dated.map(|(_, updated)| updated.as_microsecond());
    all.push(Wanted { part, json: record.record.json.as_deref(), updated });
    all
}

/// What is wrong with a revision among those of the store.
fn compare(wanted: &Wanted<'_>, stored: &[StoredRecord]) -> Option<String> {
    let is_it = |revision: &&StoredRecord| match wanted.updated {
        Some(updated) => revision.updated.as_microsecond() == updated,
        None => false,
    };
    let mut candidates: Vec<&StoredRecord> = stored.iter().filter(is_it).collect();
    if wanted.updated.is_none() {
        candidates = stored.last().into_iter().collect();
    }
    // Of the same moment there may be several: one whose files came later has the record's date.
    let mut newest = None;
    for candidate in candidates.into_iter().rev() {
        // Where one does not differ, nothing is wrong.
        let what = difference(wanted.json, candidate.json.as_deref())?;
        newest.get_or_insert(what);
    }
    newest.or_else(|| Some("the store has no revision of its date".to_owned()))
}

/// What a later revision has opened.
fn opened_since(record: &LoadRecord, current: Option<&[u8]>) -> Option<String> {
    let read = |json: &[u8]| serde_json::from_slice::<Value>(json).ok();
    let source = read(record.record.json.as_deref()?)?;
    opened(&source, &read(current?)?)
}

fn difference(source: Option<&[u8]>, store: Option<&[u8]>) -> Option<String> {
    let (source, store) = match (source, store) {
        (None, None) => return None,
        (None, Some(_)) => return Some("it is deleted in the source, not in the store".to_owned()),
        (Some(_), None) => return Some("it is deleted in the store, not in the source".to_owned()),
        (Some(source), Some(store)) if source == store => return None,
        (Some(source), Some(store)) => (source, store),
    };
    let read = |json: &[u8]| serde_json::from_slice::<Value>(json).ok();
    let (Some(mut source), Some(mut store)) = (read(source), read(store)) else {
        return Some("it is no JSON".to_owned());
    };
    if let Some(what) = opened(&source, &store) {
        return Some(what);
    }
    // What the store itself says of files, and who may see more than the source has said.
    for record in [&mut source, &mut store] {
        for key in ["_bucket", "_files", "access", "_access"] {
            record.as_object_mut().map(|object| object.remove(key));
        }
    }
    let mut paths: Vec<String> = Vec::new();
    differences("", Some(&source), Some(&store), &mut |path, source, store| {
        let how = match (source, store) {
            (Some(_), None) => "not in the store",
            (None, _) => "not in the source",
            _ => "something else in the store",
        };
        paths.push(format!("{path} ({how})"));
    });
    let more = paths.len().saturating_sub(PATHS);
    paths.truncate(PATHS);
    if more > 0 {
        paths.push(format!("and {more} more"));
    }
    (!paths.is_empty()).then(|| paths.join(", "))
}
