//! Records that are held: why, where they stood, and which of them to list.

use super::extension::Refusal;
use super::{CopyBytes, LoadRecord};
use crate::record::{Rejection, Stage};

/// A record in quarantine.
#[derive(Debug, Clone)]
pub struct Quarantined {
    /// Why, and which record.
    pub rejection: Rejection,
    /// Its raw bytes.
    pub bytes: CopyBytes,
}

impl Quarantined {
    /// A revision that is refused by itself, with the bytes of its record.
    pub(super) fn revision(record: &LoadRecord, number: usize, refusal: Refusal) -> Quarantined {
        let locator = record.locator.part(format!("revision {number}"));
        let Refusal { code, message } = refusal;
        let rejection = Rejection { stage: Stage::Load, rule: None, code, message, locator };
        Quarantined { rejection, bytes: record.raw_bytes() }
    }
}

/// Which quarantined records to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuarantineQuery {
    /// Only of this source.
    pub source_name: Option<String>,
    /// Only those that stopped at this stage.
    pub stage: Option<String>,
    /// Only those that stopped for this reason.
    pub code: Option<String>,
    /// Only those of this file.
    pub file: Option<String>,
    /// Only those behind the one of this number.
    pub after: i64,
    /// Only those up to the one of this number; `None` is no end.
    pub until: Option<i64>,
    /// At most so many.
    pub limit: u32,
    /// Where they are is enough: their bytes are left out.
    pub without_bytes: bool,
}

impl QuarantineQuery {
    /// The first `limit` of all.
    #[must_use]
    pub fn first(limit: u32) -> QuarantineQuery {
        QuarantineQuery { limit, ..QuarantineQuery::default() }
    }
}

/// A quarantined record as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineEntry {
    /// Its number in the quarantine.
    pub id: i64,
    /// The pipeline's source name.
    pub source_name: String,
    /// The run that saw it last.
    pub run_id: i64,
    /// decode, crosswalk, validate or load.
    pub stage: String,
    /// The rule that stopped it.
    pub rule: Option<String>,
    /// The code of the reason.
    pub code: String,
    /// The reason.
    pub message: String,
    /// Its place, as [`crate::record::Locator`] prints it.
    pub locator: String,
    /// The file's path as the pipeline named it.
    pub file: String,
    /// The record's number in the file, from 1.
    pub number: u64,
    /// The offset of its first byte; 0 in a row of an earlier windrow.
    pub byte: u64,
    /// Its format; none in a row of an earlier windrow.
    pub format: Option<String>,
    /// MARC 001 or the source's own identifier; none when it could not be read, and in a row of an
    /// earlier windrow.
    pub control_number: Option<String>,
    /// The part of the record that is held; none for all of it.
    pub part: Option<String>,
    /// Its raw bytes, uncompressed.
    pub bytes: Vec<u8>,
}
