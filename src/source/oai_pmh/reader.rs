//! A journal's records as batches of raw records, each with the header it came with.

use std::path::Path;
use std::sync::Arc;

use super::records::JournalRecords;
use crate::formats::{Format, Policy};
use crate::oai::page::PageRecord;
use crate::record::{Damage, RawBatch, RawHeader, RawRecord};
use crate::source::{BatchLimit, SourceError};

/// Reads one file of a journal from its beginning to its end, as [`JournalRecords`] does.
pub struct JournalReader {
    name: Arc<str>,
    format: &'static Format,
    records: JournalRecords,
    number: u64,
}

impl JournalReader {
    /// Opens the file of pages at `path`, which messages call `name`.
    ///
    /// # Errors
    /// [`SourceError::Open`]
    pub fn open(
        path: &Path,
        name: &str,
        format: &'static Format,
        policy: Policy,
    ) -> Result<JournalReader, SourceError> {
        let records = JournalRecords::open(path, policy).map_err(|error| SourceError::Open {
            path: path.to_owned(),
            message: error.to_string(),
        })?;
        Ok(JournalReader { name: name.into(), format, records, number: 0 })
    }

    /// The format of all records.
    #[must_use]
    pub fn format(&self) -> &'static Format {
        self.format
    }

    /// Bytes taken from the file so far.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.records.bytes_read()
    }

    /// Passes over the next records.
    ///
    /// # Errors
    /// [`SourceError::Shorter`], and those of [`JournalReader::read_batch`].
    pub fn skip(&mut self, records: u64) -> Result<(), SourceError> {
        while self.number < records {
            if self.next()?.is_none() {
                let (file, found) = (self.name.to_string(), self.number);
                return Err(SourceError::Shorter { file, found, expected: records });
            }
        }
        Ok(())
    }

    /// The next batch, `None` at the end of the file.
    ///
    /// # Errors
    /// [`SourceError::Read`] when a page cannot be read.
    pub fn read_batch(&mut self, limit: BatchLimit) -> Result<Option<RawBatch>, SourceError> {
        let mut batch = RawBatch { file: Arc::clone(&self.name), ..RawBatch::default() };
        while batch.records.len() < limit.records.max(1)
            && (batch.records.is_empty() || batch.block.len() < limit.bytes)
        {
            let Some(record) = self.next()? else { break };
            let start = batch.block.len();
            batch.block.extend_from_slice(record.xml.as_bytes());
            batch.records.push(RawRecord {
                start,
                end: batch.block.len(),
                number: self.number,
                byte: self.records.bytes_read(),
                damage: record.damage.map(|(code, message)| Damage { code, message }),
                part: None,
            });
            let (identifier, deleted) = (record.identifier, record.deleted);
            let harvested = self.records.harvested();
            batch.headers.push(RawHeader { identifier, deleted, harvested });
        }
        Ok((!batch.records.is_empty()).then_some(batch))
    }

    fn next(&mut self) -> Result<Option<PageRecord>, SourceError> {
        let record = self.records.next_record().map_err(|error| SourceError::Read {
            file: self.name.to_string(),
            byte: self.records.bytes_read(),
            message: error.to_string(),
        })?;
        self.number += u64::from(record.is_some());
        Ok(record)
    }
}
