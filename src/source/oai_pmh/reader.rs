//! A journal's pages as batches of raw records, each with the header it came with.

use std::path::Path;
use std::sync::Arc;

use super::journal::Pages;
use super::seen::Seen;
use crate::formats::{Format, Policy};
use crate::oai::page::{Page, PageRecord};
use crate::record::{Damage, RawBatch, RawHeader, RawRecord};
use crate::source::{BatchLimit, SourceError};
use crate::xml::Options;

/// Reads one file of a journal from its beginning to its end.
///
/// A record that comes twice is given once. A record that broke off in a page that was cut short
/// is not given: the harvest knows of it, and asks again.
pub struct JournalReader {
    name: Arc<str>,
    format: &'static Format,
    pages: Pages,
    options: Options,
    /// The records of the page at hand that are still to come.
    waiting: std::vec::IntoIter<PageRecord>,
    seen: Seen,
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
        let pages = Pages::open(path).map_err(|error| SourceError::Open {
            path: path.to_owned(),
            message: error.to_string(),
        })?;
        Ok(JournalReader {
            name: name.into(),
            format,
            pages,
            options: Options { repair: policy == Policy::Repair },
            waiting: Vec::new().into_iter(),
            seen: Seen::default(),
            number: 0,
        })
    }

    /// The format of all records.
    #[must_use]
    pub fn format(&self) -> &'static Format {
        self.format
    }

    /// Bytes taken from the file so far.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.pages.bytes_read()
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
                byte: self.pages.bytes_read(),
                damage: record.damage.map(|(code, message)| Damage { code, message }),
            });
            let (identifier, deleted) = (record.identifier, record.deleted);
            batch.headers.push(RawHeader { identifier, deleted });
        }
        Ok((!batch.records.is_empty()).then_some(batch))
    }

    fn next(&mut self) -> Result<Option<PageRecord>, SourceError> {
        loop {
            if let Some(record) = self.waiting.next() {
                if record.damage.is_some() || self.seen.is_new(&record) {
                    self.number += 1;
                    return Ok(Some(record));
                }
                continue;
            }
            let page = match self.pages.next_page() {
                Ok(None) => return Ok(None),
                Ok(Some((entry, body))) => Page::read(&body, entry.charset(), self.options)
                    .map(|page| (entry, page))
                    .map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            let (entry, page) = page.map_err(|message| SourceError::Read {
                file: self.name.to_string(),
                byte: self.pages.bytes_read(),
                message,
            })?;
            let mut records = page.records;
            records.retain(|record| !entry.cut_short || record.damage.is_none());
            self.waiting = records.into_iter();
        }
    }
}
