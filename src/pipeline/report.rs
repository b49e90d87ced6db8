//! The report of a run: every record accounted for, in numbers that must balance.

use serde::{Deserialize, Serialize};

use crate::crosswalk::account::AccountReport;
use crate::store::Counts;

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
    /// What became of every value of the source.
    pub account: AccountReport,
    /// The first reasons for quarantine, as messages; all are in the quarantine itself.
    pub rejections: Vec<String>,
    /// Quarantined records by stage and code, of the last attempt.
    pub reasons: std::collections::BTreeMap<String, u64>,
}

/// The fates of one split's records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitReport {
    /// The file.
    pub name: String,
    /// Its records.
    pub counts: Counts,
}
