//! The DataCite metadata schema: its versions and its words.
//!
//! <https://schema.datacite.org/>

mod grammar;
pub mod json;
pub mod vocabulary;
pub mod xml;

use std::fmt;

/// A version of the schema, as far as it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// 2, 3 or 4
    pub major: u8,
    /// Not told by the namespaces of 3 and 4, which say only the major version.
    pub minor: Option<u8>,
}

impl Version {
    /// The one that is written unless another is asked for.
    pub const WRITTEN: Version = Version { major: 4, minor: Some(6) };

    /// Reads `4` or `4.6`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Version> {
        let (major, minor) = match text.split_once('.') {
            Some((major, minor)) => (major, Some(minor.parse().ok()?)),
            None => (text, None),
        };
        Some(Version { major: major.parse().ok()?, minor })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.minor {
            Some(minor) => write!(f, "{}.{minor}", self.major),
            None => write!(f, "{}", self.major),
        }
    }
}
