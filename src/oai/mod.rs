//! OAI-PMH 2.0 as values: requests, errors, resumption tokens and answers; no sockets.
//!
//! <https://www.openarchives.org/OAI/openarchivesprotocol.html>

mod answer;
pub mod container;
mod error;
mod identifier;
pub mod page;
pub mod provenance;
mod request;
mod token;

pub use answer::{
    Answer, DeletedRecord, Envelope, Header, Identify, MetadataFormat, PageToken, RecordWriter,
    SetEntry,
};
pub use error::{ErrorCode, OaiError};
pub use identifier::{is_domain_name, local_part, oai_identifier};
pub use request::{ListStart, ListVerb, MAX_ARGUMENTS, Request, Selection};
pub use token::ResumptionToken;

/// Namespace of every element of the protocol itself.
pub const NAMESPACE: &str = "http://www.openarchives.org/OAI/2.0/";
/// Where the schema of [`NAMESPACE`] is.
pub const SCHEMA: &str = "http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd";
