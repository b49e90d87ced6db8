//! Why something could not be done with a record, by meaning.

use thiserror::Error;
use uuid::Uuid;

use super::{MintError, PatchError};
use crate::record::{PidName, PidStatus};
use crate::store::StoreError;
use crate::validate::JudgementError;

/// Why something could not be done with a record.
#[derive(Debug, Error)]
pub enum RecordsError {
    /// The store refuses or fails.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The record does not fit its schema.
    #[error("{0}")]
    Judgement(#[from] JudgementError),
    /// The patch does not fit the record.
    #[error("{0}")]
    Patch(#[from] PatchError),
    /// The record says a PID that is none.
    #[error("{0}")]
    Mint(#[from] MintError),
    /// The input is no JSON, or says what JSON cannot keep.
    #[error("not JSON: {message}")]
    Json {
        /// A code of the JSON reader.
        code: &'static str,
        /// What was found and expected.
        message: String,
    },
    /// The record is something else.
    #[error("a record is a JSON object")]
    NotAnObject,
    /// A record keeps its identifier.
    #[error("the record's id is {found}, expected {expected}")]
    Identifier {
        /// What was given.
        found: String,
        /// What it is.
        expected: String,
    },
    /// The PID leads nowhere yet.
    #[error("PID {name} is not registered, its status is {}", status.as_str())]
    PidUnregistered {
        /// The PID.
        name: PidName,
        /// New or reserved.
        status: PidStatus,
    },
    /// The PID leads nowhere any more.
    #[error("PID {name} is deleted")]
    PidDeleted {
        /// The PID.
        name: PidName,
        /// The record it named.
        record: Option<Uuid>,
    },
    /// The PID should lead somewhere and does not.
    #[error("PID {0} is registered and names nothing")]
    PidTargetless(PidName),
    /// Only a tombstone can be undeleted.
    #[error("record {0} is not deleted")]
    NotDeleted(Uuid),
    /// The record has no such revision.
    #[error("record {id} has no revision {revision}, its last is {last}")]
    NoRevision {
        /// The record.
        id: Uuid,
        /// What was asked for.
        revision: i64,
        /// The newest it has.
        last: i64,
    },
    /// The revision is a deletion.
    #[error("revision {revision} of record {id} has no content")]
    NoContent {
        /// The record.
        id: Uuid,
        /// The revision.
        revision: i64,
    },
}

impl RecordsError {
    /// A stable code.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            RecordsError::Store(error) => error.code(),
            RecordsError::Judgement(error) => error.code(),
            RecordsError::Patch(error) => error.code(),
            RecordsError::Mint(error) => error.code(),
            RecordsError::Json { code, .. } => code,
            RecordsError::NotAnObject => "not_an_object",
            RecordsError::Identifier { .. } => "identifier",
            RecordsError::PidUnregistered { .. } => "pid_unregistered",
            RecordsError::PidDeleted { .. } => "pid_deleted",
            RecordsError::PidTargetless(_) => "pid_targetless",
            RecordsError::NotDeleted(_) => "not_deleted",
            RecordsError::NoRevision { .. } => "no_revision",
            RecordsError::NoContent { .. } => "no_content",
        }
    }
}
