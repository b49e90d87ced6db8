//! The record dump of Invenio v1: arrays of records with all revisions, oldest first, and files.
//!
//! Each revision holds its MARCXML as text. The files' bytes are not in the dump.
//! <https://github.com/inveniosoftware/invenio-migrator>

pub mod access;
mod cut;
mod dump;
pub mod firerole;
mod things;

pub use cut::InvenioFraming;
pub use dump::{Broken, Collections, Dump, File, Revision};
pub use things::{SECRETS, ThingName, comments, is_file, redact, thing_name};

use super::json::read_as;
use super::text::without_mark;
use super::{Format, Model, Reading};

/// The row of [`crate::formats::FORMATS`].
pub const FORMAT: Format = Format {
    name: "invenio_v1",
    title: "Invenio v1 dump",
    media_type: "application/json",
    extensions: &["json"],
    model: Model::Json,
    reading: Some(Reading {
        sniff: looks_like_dump,
        framing: || Box::new(InvenioFraming::default()),
        decode: |bytes, options, record, warnings| {
            let check = |value, warnings: &mut Vec<_>| match Dump::read(&value, warnings)?
                .broken
                .into_iter()
                .next()
            {
                Some(broken) => Err(broken.error),
                None => Ok(value),
            };
            read_as(check, bytes, options, record, warnings)
        },
    }),
    writing: None,
};

/// Whether a file that begins so is a dump of Invenio v1.
#[must_use]
pub fn looks_like_dump(first_bytes: &[u8]) -> bool {
    let marks: [&[u8]; 3] = [b"\"recid\"", b"\"marcxml\"", b"\"modification_datetime\""];
    without_mark(first_bytes).trim_ascii_start().starts_with(b"[")
        && marks.iter().all(|mark| memchr::memmem::find(first_bytes, mark).is_some())
}
