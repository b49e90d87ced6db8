//! Persistent identifiers as Invenio-PIDStore keeps them.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// The state of a PID, one letter in `pidstore_pid.status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PidStatus {
    /// `N`: known to nobody yet.
    New,
    /// `K`: kept for an object to come.
    Reserved,
    /// `R`: resolves to its object.
    Registered,
    /// `M`: leads to another PID.
    Redirected,
    /// `D`: once resolved, now a tombstone.
    Deleted,
}

impl PidStatus {
    /// The letter in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            PidStatus::New => "N",
            PidStatus::Reserved => "K",
            PidStatus::Registered => "R",
            PidStatus::Redirected => "M",
            PidStatus::Deleted => "D",
        }
    }
}

impl FromStr for PidStatus {
    type Err = String;

    fn from_str(letter: &str) -> Result<PidStatus, String> {
        match letter {
            "N" => Ok(PidStatus::New),
            "K" => Ok(PidStatus::Reserved),
            "R" => Ok(PidStatus::Registered),
            "M" => Ok(PidStatus::Redirected),
            "D" => Ok(PidStatus::Deleted),
            other => Err(format!("PID status is {other:?}, expected one of N K R M D")),
        }
    }
}

/// One persistent identifier: `(recid, 1000001)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pid {
    /// At most 6 characters: `recid`, `doi`, `oai`.
    pub pid_type: String,
    /// At most 255 characters.
    pub pid_value: String,
    /// Its state.
    pub status: PidStatus,
    /// The record it names.
    pub object_uuid: Option<Uuid>,
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} ({})", self.pid_type, self.pid_value, self.status.as_str())
    }
}
