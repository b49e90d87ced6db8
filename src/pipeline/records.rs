//! Records of dumps one by one, decoded: for what looks at single records, not at masses.

use super::convert::Inputs;
use crate::formats::{Format, ReadOptions, SourceRecord};
use crate::record::{Locator, RawBatch, Rejection, Stage};
use crate::source::{BatchLimit, DumpReader, SourceError};

/// Reads records one by one.
pub struct Records {
    inputs: Inputs,
    reading: ReadOptions,
    left: u64,
    dump: Option<DumpReader>,
    batch: Option<(&'static Format, RawBatch)>,
    /// The next record of the batch.
    next: usize,
    source: SourceRecord,
}

/// A record, or why it could not be decoded; and where it stands.
pub type Read<'r> = (Result<&'r SourceRecord, Rejection>, Locator);

const LIMIT: BatchLimit = BatchLimit { records: 500, bytes: 1024 * 1024 };

impl Records {
    /// Of these dumps, at most so many.
    #[must_use]
    pub fn new(inputs: Inputs, reading: ReadOptions, limit: Option<u64>) -> Records {
        Records {
            inputs,
            reading,
            left: limit.unwrap_or(u64::MAX),
            dump: None,
            batch: None,
            next: 0,
            source: SourceRecord::default(),
        }
    }

    /// The next record; `None` when there are no more.
    ///
    /// # Errors
    /// A file that cannot be read on.
    pub fn read(&mut self) -> Result<Option<Read<'_>>, SourceError> {
        if self.left == 0 {
            return Ok(None);
        }
        let is_used = |batch: &(_, RawBatch)| self.next >= batch.1.records.len();
        if self.batch.as_ref().is_none_or(is_used) {
            self.batch = self.read_batch()?;
            self.next = 0;
        }
        let Some((format, batch)) = &self.batch else { return Ok(None) };
        let Some(raw) = batch.records.get(self.next) else { return Ok(None) };
        self.next += 1;
        self.left -= 1;
        let mut locator = batch.locator(raw);
        let reject = |code: &str, message: String, locator: &Locator| Rejection {
            stage: Stage::Decode,
            rule: None,
            code: code.to_owned(),
            message,
            locator: locator.clone(),
        };
        if let Some(damage) = &raw.damage {
            let rejection = reject(damage.code, damage.message.clone(), &locator);
            return Ok(Some((Err(rejection), locator)));
        }
        let mut warnings = Vec::new();
        let bytes = batch.bytes(raw);
        let read = format.read(bytes, &self.reading, &mut self.source, &mut warnings);
        Ok(Some(match read {
            Ok(()) => {
                locator.control_number = self.source.control_number().map(str::to_owned);
                (Ok(&self.source), locator)
            }
            Err(error) => {
                locator.control_number = error.control_number;
                (Err(reject(error.code, error.message, &locator)), locator)
            }
        }))
    }

    fn read_batch(&mut self) -> Result<Option<(&'static Format, RawBatch)>, SourceError> {
        loop {
            if self.dump.is_none() {
                self.dump = self.inputs.next()?;
            }
            let Some(dump) = &mut self.dump else { return Ok(None) };
            match dump.read_batch(LIMIT)? {
                Some(batch) if batch.records.is_empty() => {}
                Some(batch) => return Ok(Some((dump.format(), batch))),
                None => self.dump = None,
            }
        }
    }
}
