//! The report of a run: every record accounted for, in numbers that must balance.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::reconcile::Reconciled;
use crate::crosswalk::account::AccountReport;
use crate::record::Rejection;
use crate::source::SkippedMember;
use crate::source::oai_pmh;
use crate::store::{Counts, Kinds, StoreError};

/// How a run went; kept in the store as JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The pipeline's name.
    pub pipeline: String,
    /// The run's number in the store; none for a dry run.
    pub run_id: Option<i64>,
    /// Nothing was written.
    pub dry_run: bool,
    /// How often it was started; above 1 when it went on after an interruption.
    pub attempt: i64,
    /// Wall time of the last attempt, in seconds.
    pub seconds: f64,
    /// The fates of all records.
    pub counts: Counts,
    /// `counts` balance: nothing was lost, nothing counted twice.
    pub balanced: bool,
    /// The same, by split.
    pub splits: Vec<SplitReport>,
    /// The fates of what records consist of, by kind: revisions, files. They balance, too.
    #[serde(default, skip_serializing_if = "Kinds::is_empty")]
    pub kinds: Kinds,
    /// Rules that say who may see records and files, by what became of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub access: BTreeMap<String, u64>,
    /// What became of every value of the source. Records that the crosswalk held are not in it;
    /// of records held later it tells what the crosswalk had made of their values.
    pub account: AccountReport,
    /// The first reasons for quarantine, as messages; all are in the quarantine itself.
    pub rejections: Vec<String>,
    /// Quarantined records by stage and code.
    pub reasons: BTreeMap<String, u64>,
    /// The first members of archives that hold no records; `account.warnings` counts them all.
    #[serde(default)]
    pub skipped_members: Vec<String>,
    /// The first recids of merged records that cannot lead on yet, each with why not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open_redirects: Vec<String>,
    /// All of them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub open_redirects_count: u64,
    /// What harvesting came to, before anything was loaded; of a pipeline of an endpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub harvests: Vec<oai_pmh::Report>,
    /// What comparing with the endpoint came to, if it was time to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconciled: Option<Reconciled>,
    /// The time of the schedule that was served, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<String>,
}

/// The fates of one split's records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitReport {
    /// The file.
    pub name: String,
    /// Its records.
    pub counts: Counts,
}

/// What records told beside their counts. A split's is kept with its checkpoint, so that the
/// report of a run that was interrupted is that of one that was not.
///
/// Only the reasons of records that the store itself rejected in the very last batch before an
/// interruption are missing; the records are counted and in quarantine.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Findings {
    /// What became of every value, and the warnings by code.
    pub account: AccountReport,
    /// The first rejections, as messages.
    pub rejections: Vec<String>,
    /// All rejections by stage and code.
    pub reasons: BTreeMap<String, u64>,
    /// The first members of archives that hold no records.
    pub skipped_members: Vec<String>,
    /// Parts of records that were read, and what became of those that never came to the store.
    #[serde(skip_serializing_if = "Kinds::is_empty")]
    pub kinds: Kinds,
    /// Rules of access by what became of them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub access: BTreeMap<String, u64>,
}

/// So many rejections are told in full, and so many skipped members and redirects.
pub(super) const SHOWN: usize = 20;

/// The code under which members of archives that hold no records are counted.
pub const SKIPPED_MEMBER: &str = "source.skipped_member";

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Findings {
    /// Of a checkpoint: what the source's records told up to there, and what the store told of
    /// those it was given.
    pub(super) fn from_checkpoint(json: &str) -> Result<(Findings, Findings), StoreError> {
        let damaged = |error| StoreError::Damaged(format!("a checkpoint's account: {error}"));
        serde_json::from_str(json).map_err(damaged)
    }

    /// As JSON.
    pub(super) fn json(&self) -> Result<Arc<str>, StoreError> {
        let failed = |error| StoreError::Failed(format!("an account cannot be written: {error}"));
        serde_json::to_string(self).map(Arc::from).map_err(failed)
    }

    /// For a checkpoint: what the records told (JSON), and this, what the store told.
    pub(super) fn checkpoint(&self, findings: &str) -> Result<String, StoreError> {
        Ok(format!("[{findings},{}]", self.json()?))
    }

    /// Notes why a record is in quarantine.
    pub fn reject(&mut self, rejection: &Rejection) {
        let reason = format!("{} {}", rejection.stage, rejection.code);
        *self.reasons.entry(reason).or_default() += 1;
        if self.rejections.len() < SHOWN {
            self.rejections.push(rejection.to_string());
        }
    }

    /// Adds what later records told.
    pub fn add(&mut self, later: Findings) {
        self.account.add(later.account);
        self.kinds.add(&later.kinds);
        for (outcome, count) in later.access {
            *self.access.entry(outcome).or_default() += count;
        }
        let room = SHOWN.saturating_sub(self.rejections.len());
        self.rejections.extend(later.rejections.into_iter().take(room));
        let room = SHOWN.saturating_sub(self.skipped_members.len());
        self.skipped_members.extend(later.skipped_members.into_iter().take(room));
        for (reason, count) in later.reasons {
            *self.reasons.entry(reason).or_default() += count;
        }
    }

    /// Notes that members of archives were passed over.
    pub fn skip(&mut self, members: &[SkippedMember]) {
        let room = SHOWN.saturating_sub(self.skipped_members.len());
        self.skipped_members.extend(members.iter().take(room).map(ToString::to_string));
        if !members.is_empty() {
            let count = self.account.warnings.entry(SKIPPED_MEMBER.to_owned()).or_default();
            *count += members.len() as u64;
        }
    }
}

impl Report {
    /// Whether nothing is in quarantine, neither records nor parts of them, and nothing is open.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.counts.quarantined == 0
            && self.kinds.quarantined() == 0
            && self.open_redirects_count == 0
    }

    /// Adds what the next split told.
    pub(super) fn add(&mut self, findings: Findings) {
        let mut all = Findings {
            account: std::mem::take(&mut self.account),
            rejections: std::mem::take(&mut self.rejections),
            reasons: std::mem::take(&mut self.reasons),
            skipped_members: std::mem::take(&mut self.skipped_members),
            kinds: std::mem::take(&mut self.kinds),
            access: std::mem::take(&mut self.access),
        };
        all.add(findings);
        self.account = all.account;
        self.rejections = all.rejections;
        self.reasons = all.reasons;
        self.skipped_members = all.skipped_members;
        self.kinds = all.kinds;
        self.access = all.access;
    }
}
