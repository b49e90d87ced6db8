//! What a pipeline reads from: a dump, the journal of a harvest, or the quarantine.

use super::QuarantineReader;
use super::oai_pmh::JournalReader;
use super::{BatchLimit, DumpReader, SkippedMember, SourceError};
use crate::formats::Format;
use crate::record::RawBatch;

/// Batches of raw records, from their beginning or from behind those that were dealt with.
pub enum RecordReader {
    /// Of a file.
    Dump(Box<DumpReader>),
    /// Of harvested pages.
    Journal(Box<JournalReader>),
    /// Of what was held.
    Quarantine(Box<QuarantineReader>),
}

impl RecordReader {
    /// The format of the last batch.
    #[must_use]
    pub fn format(&self) -> &'static Format {
        match self {
            RecordReader::Dump(dump) => dump.format(),
            RecordReader::Journal(journal) => journal.format(),
            RecordReader::Quarantine(held) => held.format(),
        }
    }

    /// Bytes taken from the file itself so far.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        match self {
            RecordReader::Dump(dump) => dump.bytes_read(),
            RecordReader::Journal(journal) => journal.bytes_read(),
            RecordReader::Quarantine(_) => 0,
        }
    }

    /// The members of archives that were passed over since the last call.
    pub fn take_skipped(&mut self) -> Vec<SkippedMember> {
        match self {
            RecordReader::Dump(dump) => dump.take_skipped(),
            RecordReader::Journal(_) | RecordReader::Quarantine(_) => Vec::new(),
        }
    }

    /// Passes over the next records.
    ///
    /// # Errors
    /// [`SourceError`]
    pub fn skip(&mut self, records: u64) -> Result<(), SourceError> {
        match self {
            RecordReader::Dump(dump) => dump.skip(records),
            RecordReader::Journal(journal) => journal.skip(records),
            // Each time it is read from its beginning.
            RecordReader::Quarantine(_) => Ok(()),
        }
    }

    /// The next batch, `None` at the end.
    ///
    /// # Errors
    /// [`SourceError`]
    pub fn read_batch(&mut self, limit: BatchLimit) -> Result<Option<RawBatch>, SourceError> {
        match self {
            RecordReader::Dump(dump) => dump.read_batch(limit),
            RecordReader::Journal(journal) => journal.read_batch(limit),
            RecordReader::Quarantine(held) => held.read_batch(limit),
        }
    }
}
