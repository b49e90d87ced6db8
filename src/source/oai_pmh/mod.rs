//! Harvesting an OAI-PMH endpoint: every record that it has, or a report that says what is missing.
//!
//! <https://www.openarchives.org/OAI/openarchivesprotocol.html>

mod asking;
mod client;
mod doctor;
mod endpoint;
mod gate;
mod harvest;
mod journal;
mod lists;
mod reader;
mod records;
mod report;
mod seen;
mod window;

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

pub use client::{Client, Fault, Reply};
pub use doctor::{Finding, Grade, examine};
pub use endpoint::{Credentials, Endpoint, Limits, Patience, Secret};
pub(crate) use harvest::identifiers;
pub use harvest::{Harvest, Selection};
pub use journal::{
    Entry, Journal, JournalWindow, Standing, State, first_received, page_files, run_of,
};
pub use lists::{formats, identify, record, sets};
pub use reader::JournalReader;
pub use records::JournalRecords;
pub use report::{Broken, Repairs, Report, WindowReport};
pub use window::Window;

/// Why a harvest cannot be done, or not any further.
#[derive(Debug, Error)]
pub enum HarvestError {
    /// What was asked for cannot be.
    #[error("{0}")]
    Configuration(String),
    /// The endpoint does not answer, or not as an endpoint does.
    #[error("{0}")]
    Endpoint(String),
    /// The endpoint asks to be left alone for longer than we wait.
    #[error("the endpoint asks to come back in {} seconds", .0.as_secs())]
    TryLater(Duration),
    /// The journal cannot be used.
    #[error("journal {}: {reason}", path.display())]
    Journal {
        /// Its folder, or a file in it.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// It was asked to stop; its journal is gone on with.
    #[error("the harvest was stopped; the next one goes on from there")]
    Halted,
    /// Another process harvests into the same journal.
    #[error("journal {}: another process is harvesting into it", .0.display())]
    Busy(PathBuf),
    /// Whoever takes the records cannot take more.
    #[error("{0}")]
    Sink(#[from] std::io::Error),
}
