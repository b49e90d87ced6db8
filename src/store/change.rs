//! A change of one record: what it was, the revisions it gets, what becomes of its source bytes.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::extension::Event;
use super::{Membership, SourceCopy};
use crate::record::Datestamp;

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
pub(super) fn event(was_live: Option<bool>, has_json: bool) -> Event {
    match (was_live, has_json) {
        (_, false) => Event::Delete,
        (None, true) => Event::Insert,
        (Some(true), true) => Event::Update,
        (Some(false), true) => Event::Undelete,
    }
}

/// setSpecs in order, each once, with spaces between them.
pub(super) fn set_specs(memberships: &[Membership]) -> String {
    let mut specs: Vec<&str> =
        memberships.iter().map(|membership| membership.spec.as_str()).collect();
    specs.sort_unstable();
    specs.dedup();
    specs.join(" ")
}
