//! What becomes of a single record, whoever keeps it: planned as a batch of one.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::change::{Change, RecordState, SourceChange};
use super::extension::{Draft, Extension, refusal};
use super::lookup::PidOwner;
use super::plan::Plan;
use super::{Event, NewRecord, RecordChange, StoreError, StoredRecord};
use crate::record::{Pid, PidName, PidStatus, PidTarget};

/// The timestamp as it will be read back: to the microsecond below.
pub(super) fn floor(timestamp: Timestamp) -> Timestamp {
    let micros = timestamp.as_nanosecond().div_euclid(1000);
    i64::try_from(micros)
        .ok()
        .and_then(|micros| Timestamp::from_microsecond(micros).ok())
        .unwrap_or(timestamp)
}

/// A record that is not there yet, without its PIDs.
///
/// # Errors
/// [`StoreError::Refused`] when it is no UTF-8 or an extension minds.
pub(super) fn creation(
    record: &NewRecord,
    extensions: &[Arc<dyn Extension>],
    now: Timestamp,
) -> Result<Plan, StoreError> {
    let mut change = Change::new(record.id, record.pid_value.clone(), None, now);
    push(&mut change, record.json.as_deref(), None, extensions, now)?;
    change.join(&record.memberships);
    let mut plan = Plan { changes: vec![change], ..Plan::default() };
    plan.name_sets(&record.memberships);
    Ok(plan)
}

/// A new revision of a record that is there as `before`, listed under `listed_as`.
///
/// # Errors
/// [`StoreError::Deleted`] when a tombstone is deleted; those of [`creation`].
pub(super) fn alteration(
    id: Uuid,
    (before, listed_as): (RecordState, String),
    wanted: &RecordChange,
    extensions: &[Arc<dyn Extension>],
    now: Timestamp,
) -> Result<Plan, StoreError> {
    if before.deleted && wanted.json.is_none() {
        return Err(StoreError::Deleted(id));
    }
    let mut change = Change::new(id, listed_as, Some(before), now);
    let event = wanted.reverts.then_some(Event::Revert);
    push(&mut change, wanted.json.as_deref(), event, extensions, now)?;
    let mut plan = Plan::default();
    if let Some(memberships) = &wanted.memberships {
        change.join(memberships);
        plan.name_sets(memberships);
    }
    plan.changes.push(change);
    Ok(plan)
}

/// The end of a record that is there as `before`, listed under `listed_as`.
///
/// # Errors
/// [`StoreError::Refused`] when an extension minds.
pub(super) fn erasure(
    id: Uuid,
    (before, listed_as): (RecordState, String),
    extensions: &[Arc<dyn Extension>],
    now: Timestamp,
) -> Result<Plan, StoreError> {
    let mut change = Change::new(id, listed_as, Some(before), now);
    refused(extensions, Draft { id, event: Event::Erase, json: None })?;
    change.append(Event::Erase, None, now);
    change.source = SourceChange::Forget;
    Ok(Plan { changes: vec![change], ..Plan::default() })
}

/// The PIDs of a new record, its recid first.
///
/// # Errors
/// [`StoreError::Refused`] for a recid that cannot be one.
pub(super) fn names(record: &NewRecord) -> Result<Vec<PidName>, StoreError> {
    let recid = PidName::recid(record.pid_value.as_str()).map_err(|error| StoreError::Refused {
        code: error.code().into(),
        message: error.to_string(),
    })?;
    Ok([recid].into_iter().chain(record.pids.iter().cloned()).collect())
}

/// Gives the plan's one record these PIDs, of which `owners` knows who has them.
///
/// # Errors
/// [`StoreError::PidTaken`]
pub(super) fn take_pids(
    plan: &mut Plan,
    owners: &HashMap<PidName, PidOwner>,
    names: &[PidName],
) -> Result<(), StoreError> {
    let Some(change) = plan.changes.first() else { return Ok(()) };
    for name in names {
        let owner = owners.get(name);
        let obstacle = owner.and_then(|owner| owner.obstacle(name, change.id, &change.pid_value));
        if let Some(message) = obstacle {
            return Err(StoreError::PidTaken(message));
        }
        let has_it = matches!(owner, Some(PidOwner::Record(..)));
        if !has_it && !plan.further_pids.iter().any(|(taken, _)| taken == name) {
            plan.further_pids.push((name.clone(), 0));
        }
    }
    Ok(())
}

/// The record as it is, which must be there and at this revision.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Stale`]
pub(super) fn at_revision(
    before: Option<RecordState>,
    id: Uuid,
    expected: i64,
) -> Result<RecordState, StoreError> {
    let before = before.ok_or_else(|| StoreError::NotFound(format!("record {id}")))?;
    let found = before.version_id - 1;
    if found == expected { Ok(before) } else { Err(StoreError::Stale { id, found, expected }) }
}

/// The plan's one record as it was written.
///
/// # Errors
/// [`StoreError::Failed`] when nothing was.
pub(super) fn written(plan: &Plan) -> Result<StoredRecord, StoreError> {
    let change = plan.changes.first();
    let (change, revision) = change
        .and_then(|change| Some((change, change.revisions.last()?)))
        .ok_or_else(|| StoreError::Failed("nothing was written".to_owned()))?;
    Ok(StoredRecord {
        id: change.id,
        revision_id: revision.version_id - 1,
        json: revision.json.as_deref().map(|json| json.as_bytes().to_vec()),
        created: change.created,
        updated: revision.updated,
    })
}

/// A PID by the columns of its row and of the PID that it redirects to.
///
/// # Errors
/// [`StoreError::Damaged`] for a status that is none, and a redirection to nothing.
pub(super) fn pid(
    name: PidName,
    status: &str,
    record: Option<Uuid>,
    leads_to: (Option<String>, Option<String>),
) -> Result<Pid, StoreError> {
    let status: PidStatus = status.parse().map_err(StoreError::Damaged)?;
    let target = match (status, record, leads_to) {
        (PidStatus::Redirected, _, (Some(pid_type), Some(pid_value))) => {
            PidTarget::Pid(PidName::stored(pid_type, pid_value))
        }
        (PidStatus::Redirected, ..) => {
            return Err(StoreError::Damaged(format!("PID {name} redirects to nothing")));
        }
        (_, Some(record), _) => PidTarget::Record(record),
        (_, None, _) => PidTarget::Nothing,
    };
    Ok(Pid { name, status, target })
}

/// Adds a revision, if no extension minds.
fn push(
    change: &mut Change,
    json: Option<&[u8]>,
    event: Option<Event>,
    extensions: &[Arc<dyn Extension>],
    now: Timestamp,
) -> Result<(), StoreError> {
    let json = json.map(std::str::from_utf8).transpose().map_err(|error| StoreError::Refused {
        code: "json_not_utf8".to_owned(),
        message: format!("JSON is not UTF-8: {error}"),
    })?;
    let event = event.unwrap_or_else(|| change.next_event(json.is_some()));
    refused(extensions, Draft { id: change.id, event, json })?;
    change.append(event, json.map(Arc::from), now);
    Ok(())
}

fn refused(extensions: &[Arc<dyn Extension>], draft: Draft<'_>) -> Result<(), StoreError> {
    match refusal(extensions, draft) {
        None => Ok(()),
        Some(refusal) => Err(StoreError::Refused { code: refusal.code, message: refusal.message }),
    }
}
