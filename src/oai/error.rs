//! The eight errors of OAI-PMH 2.0 (§3.6).

use thiserror::Error;

/// What kind of error it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// An argument is unknown, missing, repeated or malformed.
    BadArgument,
    /// The resumptionToken was not made here, or not for this verb.
    BadResumptionToken,
    /// The verb is missing, unknown or repeated.
    BadVerb,
    /// The repository or the item does not have this metadataPrefix.
    CannotDisseminateFormat,
    /// No item has this identifier.
    IdDoesNotExist,
    /// The list would be empty.
    NoRecordsMatch,
    /// The item cannot be had in any format.
    NoMetadataFormats,
    /// The repository has no sets.
    NoSetHierarchy,
}

impl ErrorCode {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorCode::BadArgument => "badArgument",
            ErrorCode::BadResumptionToken => "badResumptionToken",
            ErrorCode::BadVerb => "badVerb",
            ErrorCode::CannotDisseminateFormat => "cannotDisseminateFormat",
            ErrorCode::IdDoesNotExist => "idDoesNotExist",
            ErrorCode::NoRecordsMatch => "noRecordsMatch",
            ErrorCode::NoMetadataFormats => "noMetadataFormats",
            ErrorCode::NoSetHierarchy => "noSetHierarchy",
        }
    }
}

/// One error of an answer; it may have several.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}: {message}", code.as_str())]
pub struct OaiError {
    /// Its kind.
    pub code: ErrorCode,
    /// What was found and what was expected, for people.
    pub message: String,
}

impl OaiError {
    /// An error of this kind.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> OaiError {
        OaiError { code, message: message.into() }
    }

    /// The stable code: the word on the wire.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code.as_str()
    }
}
