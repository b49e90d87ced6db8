//! The report of a run: every record accounted for, in numbers that must balance.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::crosswalk::account::AccountReport;
use crate::record::Rejection;
use crate::store::{Counts, StoreError};

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
    /// What became of every value of the source. Records that the crosswalk held are not in it;
    /// of records held later it tells what the crosswalk had made of their values.
    pub account: AccountReport,
    /// The first reasons for quarantine, as messages; all are in the quarantine itself.
    pub rejections: Vec<String>,
    /// Quarantined records by stage and code.
    pub reasons: BTreeMap<String, u64>,
}

/// The fates of one split's records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitReport {
    /// The file.
    pub name: String,
    /// Its records.
    pub counts: Counts,
}

/// What a split's records told beside their counts. It is kept with the checkpoint, so that the
/// report of a run that was interrupted is that of one that was not.
///
/// Only the reasons of records that the store itself rejected in the very last batch before an
/// interruption are missing; the records are counted and in quarantine.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Findings {
    pub account: AccountReport,
    rejections: Vec<String>,
    reasons: BTreeMap<String, u64>,
}

const REJECTIONS_SHOWN: usize = 10;

impl Findings {
    /// Of a checkpoint's JSON; a new checkpoint has `{}`.
    pub fn from_checkpoint(json: &str) -> Result<Findings, StoreError> {
        let damaged = |error| StoreError::Damaged(format!("a checkpoint's account: {error}"));
        serde_json::from_str(json).map_err(damaged)
    }

    /// Notes why a record is in quarantine.
    pub fn reject(&mut self, rejection: &Rejection) {
        let reason = format!("{} {}", rejection.stage, rejection.code);
        *self.reasons.entry(reason).or_default() += 1;
        if self.rejections.len() < REJECTIONS_SHOWN {
            self.rejections.push(rejection.to_string());
        }
    }
}

impl Report {
    /// Adds what the next split told.
    pub(super) fn add(&mut self, findings: Findings) {
        self.account.add(findings.account);
        let room = REJECTIONS_SHOWN.saturating_sub(self.rejections.len());
        self.rejections.extend(findings.rejections.into_iter().take(room));
        for (reason, count) in findings.reasons {
            *self.reasons.entry(reason).or_default() += count;
        }
    }
}
