//! Why a run of a pipeline stops.

use thiserror::Error;

use super::limits::Overstepped;
use crate::files::FilesError;
use crate::source::SourceError;
use crate::store::{Counts, KindCounts, StoreError};

/// Why a run stopped before its end; its checkpoint stands.
#[derive(Debug, Error)]
pub enum RunError {
    /// A file cannot be read (on).
    #[error("{0}")]
    Source(#[from] SourceError),
    /// The store failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The location of files does not take any.
    #[error("{0}")]
    Files(#[from] FilesError),
    /// A crosswalk's policy said `fail`.
    #[error("{0}")]
    Policy(String),
    /// The run came to its end and lost more than `limits` of the pipeline allow; its report is
    /// kept, and it is not gone on with.
    #[error("{0}")]
    Limit(#[from] Overstepped),
    /// The pipeline wants more loaders than the store takes.
    #[error("load.lanes is {wanted}, expected at most {most} on this store")]
    Lanes {
        /// `load.lanes`.
        wanted: usize,
        /// As many as the store takes.
        most: usize,
    },
    /// It was asked to stop.
    #[error("the run was stopped; the next one goes on from there")]
    Halted,
    /// The counts do not balance: a defect of windrow.
    #[error("the counts do not balance: {0:?}")]
    Unbalanced(Box<Counts>),
    /// The counts of one kind of parts do not balance: a defect of windrow.
    #[error("the counts of {0} do not balance: {1:?}")]
    UnbalancedKind(String, Box<KindCounts>),
    /// A worker or the reader broke off: a defect of windrow.
    #[error("a worker broke off: {0}")]
    Broken(String),
}
