//! Where raw records come from: files found by name, unpacked, cut into batches of raw records.

mod budget;
mod codec;
mod dump;
pub mod fetch;
mod files;
mod halt;
mod members;
pub mod oai_pmh;
mod parts;
mod quarantine;
mod reader;
mod stream;
mod tar;
mod zip;

use std::path::PathBuf;

use thiserror::Error;

pub use budget::{
    FREE_BYTES, MAX_ASIDE_BYTES, MAX_ENTRIES, MAX_ENTRY_BYTES, MAX_NESTING, MAX_RATIO,
};
pub use codec::{Codec, Encoder};
pub use dump::{BatchLimit, DumpReader};
pub use files::{expand, fingerprint};
pub use halt::{Halt, Switch};
pub use members::SkippedMember;
pub use quarantine::{HeldFile, QuarantineReader, held_files, is_readable_alone};
pub use reader::RecordReader;

/// Why a source cannot be read, or not any further.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SourceError {
    /// A file that was named is not there.
    #[error("{} does not exist", path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// A glob that no file matches.
    #[error("no file matches {pattern} in {}", base.display())]
    NoMatch {
        /// The glob.
        pattern: String,
        /// The folder it starts from.
        base: PathBuf,
    },
    /// A file or folder that is there and cannot be opened.
    #[error("cannot open {}: {message}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        message: String,
    },
    /// Reading or unpacking broke off; the records before it are good.
    #[error("{file} cannot be read behind byte {byte} of its uncompressed content: {message}")]
    Read {
        /// The file as the pipeline named it.
        file: String,
        /// Uncompressed bytes that could be read.
        byte: u64,
        /// The reason.
        message: String,
    },
    /// The first bytes speak for no format.
    #[error("{file} begins with {found:?}, expected one of the formats {expected}")]
    UnknownFormat {
        /// The file as the pipeline named it.
        file: String,
        /// Its first bytes.
        found: String,
        /// The names of all formats.
        expected: String,
    },
    /// The quarantine cannot be read.
    #[error("quarantine of {file}: {message}")]
    Quarantine {
        /// The file that its records came from.
        file: String,
        /// The keeper's reason.
        message: String,
    },
    /// An archive without records.
    #[error("{file} holds no member of a known format{}{members}", if members.is_empty() { "" } else { ", but " })]
    NoMember {
        /// The file as the pipeline named it.
        file: String,
        /// The first of its members, and what they are.
        members: String,
    },
    /// A format that is written only.
    #[error("{format} is written only, expected a format that is read")]
    WriteOnly {
        /// Its name.
        format: &'static str,
    },
    /// Fewer records than were dealt with already: the file is not the one it was.
    #[error("{file} has {found} records, expected to go on behind record {expected}")]
    Shorter {
        /// The file as the pipeline named it.
        file: String,
        /// Records in the file.
        found: u64,
        /// Records that were to be skipped.
        expected: u64,
    },
}

impl SourceError {
    /// A stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            SourceError::NotFound { .. } => "source.not_found",
            SourceError::NoMatch { .. } => "source.no_match",
            SourceError::Open { .. } => "source.open",
            SourceError::Read { .. } => "source.read",
            SourceError::UnknownFormat { .. } => "source.unknown_format",
            SourceError::NoMember { .. } => "source.no_member",
            SourceError::Quarantine { .. } => "source.quarantine",
            SourceError::WriteOnly { .. } => "source.write_only",
            SourceError::Shorter { .. } => "source.shorter",
        }
    }
}
