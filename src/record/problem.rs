//! Three fates of a record that is not clean: warning, rejection, failure (the last is an error).

use std::fmt;

use super::Locator;

/// Something odd that was repaired or passed over; the record goes on and the code is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// A stable code, `iso2709.length` and the like: what reports count by.
    pub code: &'static str,
    /// What was found and what was expected.
    pub message: String,
}

impl Warning {
    /// A warning of this code.
    pub fn new(code: &'static str, message: impl Into<String>) -> Warning {
        Warning { code, message: message.into() }
    }
}

/// The step of the pipeline at which a record was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Bytes to source record.
    Decode,
    /// Source record to record.
    Crosswalk,
    /// Record against its JSON Schema.
    Validate,
    /// Bytes of a record's files into their location.
    Files,
    /// Record into the store.
    Load,
    /// Record to the bytes of another format.
    Encode,
}

impl Stage {
    /// The word kept in the quarantine table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Decode => "decode",
            Stage::Crosswalk => "crosswalk",
            Stage::Validate => "validate",
            Stage::Files => "files",
            Stage::Load => "load",
            Stage::Encode => "encode",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why one record stopped; it goes to quarantine with its raw bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Where it stopped.
    pub stage: Stage,
    /// The crosswalk rule that stopped it, if one did.
    pub rule: Option<String>,
    /// A stable code.
    pub code: String,
    /// What was found and what was expected.
    pub message: String,
    /// Which record it is.
    pub locator: Locator,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} [{}", self.locator, self.message, self.code)?;
        if let Some(rule) = &self.rule {
            write!(f, ", rule {rule}")?;
        }
        f.write_str("]")
    }
}
