//! Persistent identifiers as Invenio-PIDStore keeps them: names, states, and what may become of them.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use uuid::Uuid;

/// Columns of `pidstore_pid`, in characters.
const TYPE_LENGTH: usize = 6;
const VALUE_LENGTH: usize = 255;

/// The state of a PID, one letter in `pidstore_pid.status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// All, in the order of a PID's life.
    pub const ALL: [PidStatus; 5] = [
        PidStatus::New,
        PidStatus::Reserved,
        PidStatus::Registered,
        PidStatus::Redirected,
        PidStatus::Deleted,
    ];

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
        let known = PidStatus::ALL.into_iter().find(|status| status.as_str() == letter);
        known.ok_or_else(|| format!("PID status is {letter:?}, expected one of N K R M D"))
    }
}

/// What a PID is called: type and value, `doi:10.5281/zenodo.1`; unique in a store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PidName {
    pid_type: String,
    pid_value: String,
}

/// A type or value that no PID has.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PidNameError {
    /// The type is empty, too long, or holds what is no letter or digit of ASCII.
    #[error("PID type is {0:?}, expected 1 to {TYPE_LENGTH} letters or digits")]
    Type(String),
    /// The value is empty.
    #[error("PID of type {0} has an empty value")]
    Empty(String),
    /// The value is longer than its column.
    #[error("PID has {0} characters, expected at most {VALUE_LENGTH}")]
    TooLong(usize),
    /// The value holds a control character.
    #[error("PID {0:?} holds a control character")]
    Control(String),
}

impl PidNameError {
    /// A stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            PidNameError::Type(_) => "pid_type",
            PidNameError::Empty(_) => "pid_empty",
            PidNameError::TooLong(_) => "pid_too_long",
            PidNameError::Control(_) => "pid_control",
        }
    }
}

impl PidName {
    /// A name of this type and value.
    ///
    /// # Errors
    /// [`PidNameError`] when the columns of `pidstore_pid` would not hold it, and for control
    /// characters, which no identifier has.
    pub fn new(
        pid_type: impl Into<String>,
        pid_value: impl Into<String>,
    ) -> Result<PidName, PidNameError> {
        let (pid_type, pid_value) = (pid_type.into(), pid_value.into());
        let is_word = pid_type.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if pid_type.is_empty() || pid_type.len() > TYPE_LENGTH || !is_word {
            return Err(PidNameError::Type(pid_type));
        }
        if pid_value.is_empty() {
            return Err(PidNameError::Empty(pid_type));
        }
        let length = pid_value.chars().count();
        if length > VALUE_LENGTH {
            return Err(PidNameError::TooLong(length));
        }
        if pid_value.chars().any(char::is_control) {
            return Err(PidNameError::Control(pid_value));
        }
        Ok(PidName { pid_type, pid_value })
    }

    /// A name of type `recid`, the one a record is known by here.
    ///
    /// # Errors
    /// As [`PidName::new`].
    pub fn recid(pid_value: impl Into<String>) -> Result<PidName, PidNameError> {
        PidName::new("recid", pid_value)
    }

    /// A name as a database has it, whatever it is.
    #[must_use]
    pub fn stored(pid_type: String, pid_value: String) -> PidName {
        PidName { pid_type, pid_value }
    }

    /// Type and value.
    #[must_use]
    pub fn into_parts(self) -> (String, String) {
        (self.pid_type, self.pid_value)
    }

    /// At most 6 characters: `recid`, `doi`, `oai`.
    #[must_use]
    pub fn pid_type(&self) -> &str {
        &self.pid_type
    }

    /// At most 255 characters.
    #[must_use]
    pub fn pid_value(&self) -> &str {
        &self.pid_value
    }
}

impl fmt::Display for PidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.pid_type, self.pid_value)
    }
}

impl FromStr for PidName {
    type Err = PidNameError;

    /// Reads `TYPE:VALUE`; without a colon it is the value of a recid.
    fn from_str(text: &str) -> Result<PidName, PidNameError> {
        match text.split_once(':') {
            Some((pid_type, pid_value)) => PidName::new(pid_type, pid_value),
            None => PidName::recid(text),
        }
    }
}

/// What a PID leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PidTarget {
    /// Nothing yet, or nothing any more.
    Nothing,
    /// A record.
    Record(Uuid),
    /// Another PID.
    Pid(PidName),
}

/// One persistent identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pid {
    /// Type and value.
    pub name: PidName,
    /// Its state.
    pub status: PidStatus,
    /// What it leads to; another PID if and only if it is redirected.
    pub target: PidTarget,
}

/// What is to become of a PID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PidChange {
    /// Keep it for an object to come.
    Reserve,
    /// Make it resolve.
    Register,
    /// Lead to another PID, which must exist.
    Redirect(PidName),
    /// Make it a tombstone; one that nobody knew of is removed.
    Delete,
    /// Name a record.
    Assign {
        /// The record.
        record: Uuid,
        /// Whether it may be taken from the one that it names now.
        overwrite: bool,
    },
    /// Name nothing.
    Unassign,
    /// Take the state that somebody else (a registration agency) says it has.
    Sync(PidStatus),
}

impl PidChange {
    /// A verb.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            PidChange::Reserve => "reserve",
            PidChange::Register => "register",
            PidChange::Redirect(_) => "redirect",
            PidChange::Delete => "delete",
            PidChange::Assign { .. } => "assign",
            PidChange::Unassign => "unassign",
            PidChange::Sync(_) => "sync",
        }
    }
}

/// A change that a PID's state does not allow.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PidError {
    /// The state forbids it.
    #[error("cannot {verb} PID {name}: its status is {}, expected {expected}", status.as_str())]
    Status {
        /// The PID.
        name: PidName,
        /// What was to be done.
        verb: &'static str,
        /// The state it is in.
        status: PidStatus,
        /// Letters of the states from which it can be done.
        expected: &'static str,
    },
    /// It names another record.
    #[error("PID {name} names record {record} already")]
    Assigned {
        /// The PID.
        name: PidName,
        /// The record it names.
        record: Uuid,
    },
    /// Another PID leads to it, and would lead to nothing.
    #[error("cannot remove PID {name}: PID {from} leads to it")]
    Destination {
        /// The PID.
        name: PidName,
        /// The PID that leads to it.
        from: PidName,
    },
    /// It would lead to itself.
    #[error("PID {name} would lead in a circle to itself by {through}")]
    Circle {
        /// The PID.
        name: PidName,
        /// The destination that was asked for.
        through: PidName,
    },
}

impl PidError {
    /// A stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            PidError::Status { .. } => "pid_status",
            PidError::Assigned { .. } => "pid_assigned",
            PidError::Destination { .. } => "pid_destination",
            PidError::Circle { .. } => "pid_circle",
        }
    }
}

impl Pid {
    /// The PID after a change; `None` when it is gone.
    ///
    /// Follows Invenio-PIDStore. Where that leaves it open: a deleted or redirected PID cannot
    /// be given a state by `Sync` that its target contradicts, so leaving `M` drops the target
    /// and entering it is refused; a redirected PID names no record, so it must be unassigned
    /// before it is assigned; and registering what is registered stays an error.
    ///
    /// # Errors
    /// [`PidError`], and nothing is changed.
    pub fn changed(&self, change: &PidChange) -> Result<Option<Pid>, PidError> {
        use PidStatus::{Deleted, New, Redirected, Registered, Reserved};
        let with_status = |status| Ok(Some(Pid { status, ..self.clone() }));
        match (change, self.status) {
            (PidChange::Reserve, New | Reserved) => with_status(Reserved),
            (PidChange::Reserve, _) => self.refuse(change, "N or K"),
            (PidChange::Register, New | Reserved) => with_status(Registered),
            (PidChange::Register, _) => self.refuse(change, "N or K"),
            (PidChange::Redirect(to), Registered | Redirected) => {
                if *to == self.name {
                    return Err(PidError::Circle { name: to.clone(), through: to.clone() });
                }
                let target = PidTarget::Pid(to.clone());
                Ok(Some(Pid { status: Redirected, target, name: self.name.clone() }))
            }
            (PidChange::Redirect(_), _) => self.refuse(change, "R or M"),
            (PidChange::Delete, New) => Ok(None),
            (PidChange::Delete, Redirected) => {
                Ok(Some(Pid { status: Deleted, target: PidTarget::Nothing, ..self.clone() }))
            }
            (PidChange::Delete, _) => with_status(Deleted),
            (PidChange::Assign { .. }, Deleted | Redirected) => self.refuse(change, "N, K or R"),
            (PidChange::Assign { record, overwrite }, _) => self.assigned(*record, *overwrite),
            (PidChange::Unassign, status) => {
                let status = if status == Redirected { Registered } else { status };
                Ok(Some(Pid { status, target: PidTarget::Nothing, name: self.name.clone() }))
            }
            (PidChange::Sync(Redirected), Redirected) => Ok(Some(self.clone())),
            (PidChange::Sync(Redirected), _) => self.refuse(change, "M, which only redirect makes"),
            (PidChange::Sync(status), Redirected) => {
                Ok(Some(Pid { status: *status, target: PidTarget::Nothing, ..self.clone() }))
            }
            (PidChange::Sync(status), _) => with_status(*status),
        }
    }

    fn assigned(&self, record: Uuid, overwrite: bool) -> Result<Option<Pid>, PidError> {
        match &self.target {
            PidTarget::Record(owner) if *owner != record && !overwrite => {
                Err(PidError::Assigned { name: self.name.clone(), record: *owner })
            }
            _ => Ok(Some(Pid { target: PidTarget::Record(record), ..self.clone() })),
        }
    }

    fn refuse(&self, change: &PidChange, expected: &'static str) -> Result<Option<Pid>, PidError> {
        let (name, verb, status) = (self.name.clone(), change.as_str(), self.status);
        Err(PidError::Status { name, verb, status, expected })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pid(status: PidStatus) -> Pid {
        let target = match status {
            PidStatus::Redirected => PidTarget::Pid(PidName::recid("2").unwrap()),
            _ => PidTarget::Nothing,
        };
        Pid { name: PidName::recid("1").unwrap(), status, target }
    }

    /// The letter of the state that a PID of each state gets: `-` gone, `!` refused.
    fn row(change: &PidChange) -> String {
        let outcome = |status| match pid(status).changed(change) {
            Ok(Some(pid)) => pid.status.as_str(),
            Ok(None) => "-",
            Err(_) => "!",
        };
        PidStatus::ALL.into_iter().map(outcome).collect()
    }

    #[test]
    fn each_state_allows_what_pidstore_allows() {
        let to = PidName::recid("3").unwrap();
        let record = Uuid::from_u128(7);
        // From N, K, R, M, D.
        assert_eq!(row(&PidChange::Reserve), "KK!!!");
        assert_eq!(row(&PidChange::Register), "RR!!!");
        assert_eq!(row(&PidChange::Redirect(to)), "!!MM!");
        assert_eq!(row(&PidChange::Delete), "-DDDD");
        assert_eq!(row(&PidChange::Assign { record, overwrite: false }), "NKR!!");
        assert_eq!(row(&PidChange::Unassign), "NKRRD");
        assert_eq!(row(&PidChange::Sync(PidStatus::New)), "NNNNN");
        assert_eq!(row(&PidChange::Sync(PidStatus::Redirected)), "!!!M!");
    }

    #[test]
    fn a_pid_names_one_record_unless_it_is_told_to_leave_it() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let assign = |record, overwrite| PidChange::Assign { record, overwrite };
        let pid = pid(PidStatus::Registered).changed(&assign(one, false)).unwrap().unwrap();
        assert_eq!(pid.changed(&assign(one, false)).unwrap().unwrap(), pid);
        let refused = pid.changed(&assign(other, false)).unwrap_err();
        assert_eq!(refused.code(), "pid_assigned");
        let taken = pid.changed(&assign(other, true)).unwrap().unwrap();
        assert_eq!(taken.target, PidTarget::Record(other));
    }

    #[test]
    fn only_a_redirected_pid_leads_to_a_pid() {
        for status in PidStatus::ALL {
            let changes = [
                PidChange::Reserve,
                PidChange::Register,
                PidChange::Redirect(PidName::recid("3").unwrap()),
                PidChange::Delete,
                PidChange::Unassign,
                PidChange::Sync(PidStatus::Registered),
            ];
            for change in changes {
                if let Ok(Some(after)) = pid(status).changed(&change) {
                    let leads = matches!(after.target, PidTarget::Pid(_));
                    assert_eq!(leads, after.status == PidStatus::Redirected, "{change:?}");
                }
            }
        }
        let to_itself = PidChange::Redirect(PidName::recid("1").unwrap());
        let error = pid(PidStatus::Registered).changed(&to_itself).unwrap_err();
        assert_eq!(error.code(), "pid_circle");
    }

    #[test]
    fn a_name_is_a_type_and_a_value() {
        let name: PidName = "doi:10.1/a:b".parse().unwrap();
        assert_eq!((name.pid_type(), name.pid_value()), ("doi", "10.1/a:b"));
        assert_eq!(name.to_string(), "doi:10.1/a:b");
        assert_eq!("7".parse::<PidName>().unwrap().to_string(), "recid:7");
        let code = |text: &str| text.parse::<PidName>().unwrap_err().code();
        assert_eq!(code("toolong:1"), "pid_type");
        assert_eq!(code(":1"), "pid_type");
        assert_eq!(code("doi:"), "pid_empty");
        assert_eq!(code("doi:10.1/\n"), "pid_control");
        assert_eq!(code(&"é".repeat(256)), "pid_too_long");
        assert!("é".repeat(255).parse::<PidName>().is_ok());
        assert!("X".parse::<PidStatus>().is_err());
    }
}
