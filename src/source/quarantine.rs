//! Reads records out of quarantine, as they were when they were held.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::{BatchLimit, SourceError};
use crate::formats::{FORMATS, Format};
use crate::record::{RawBatch, RawRecord};
use crate::store::{QuarantineEntry, QuarantineQuery, Store, StoreError};

/// So many are read at once.
const PAGE: u32 = 200;

/// The records of one file that are held, all of one format.
#[derive(Debug, Clone)]
pub struct HeldFile {
    /// The file's path as the pipeline named it.
    pub file: String,
    /// Their format.
    pub format: &'static Format,
    /// Which of them.
    pub query: QuarantineQuery,
}

/// The files of which records are held that can be read again, in the order in which they came;
/// and how many records cannot.
///
/// # Errors
/// [`StoreError`]
pub async fn held_files(
    store: &dyn Store,
    query: &QuarantineQuery,
) -> Result<(Vec<HeldFile>, u64), StoreError> {
    let mut files: Vec<HeldFile> = Vec::new();
    let mut unreadable = 0;
    let mut query = QuarantineQuery { limit: PAGE, ..query.clone() };
    loop {
        let page = store.quarantine(&query).await?;
        let Some(last) = page.last() else { break };
        query.after = last.id;
        for entry in page {
            let Some(format) = format_of(&entry).filter(|_| is_readable_alone(&entry)) else {
                unreadable += 1;
                continue;
            };
            let is_known =
                |held: &HeldFile| held.file == entry.file && held.format.name == format.name;
            if !files.iter().any(is_known) {
                let query = QuarantineQuery { file: Some(entry.file.clone()), ..query.clone() };
                let query = QuarantineQuery { after: 0, ..query };
                files.push(HeldFile { file: entry.file, format, query });
            }
        }
    }
    // What is held while these are loaded is not read again.
    for held in &mut files {
        held.query.until = Some(query.after);
    }
    Ok((files, unreadable))
}

/// Codes of bytes that were known to be no whole record when they were cut out. They stay that, though
/// a reader may make something of them.
const DAMAGED: [&str; 6] =
    ["iso2709.junk", "source.read", "too_large", "truncated", "xml.no_record", "xml.stray"];

/// Whether what is held makes sense alone. An old revision does not, since it would become the
/// newest, nor do bytes that are no whole record.
#[must_use]
pub fn is_readable_alone(entry: &QuarantineEntry) -> bool {
    let is_damaged = entry.stage == "decode" && DAMAGED.contains(&entry.code.as_str());
    !is_damaged && entry.part.as_deref().is_none_or(|part| part.starts_with("file "))
}

/// The format that a row names, or that the bytes of a row of an earlier windrow speak for.
fn format_of(entry: &QuarantineEntry) -> Option<&'static Format> {
    let mut readable = FORMATS.iter().filter(|format| format.reading.is_some());
    match &entry.format {
        Some(name) => readable.find(|format| format.name == name),
        None => readable.find(|format| {
            format.reading.as_ref().is_some_and(|reading| (reading.sniff)(&entry.bytes))
        }),
    }
}

/// Batches of records that are held. One that is held again stays in its place and is not read
/// twice.
pub struct QuarantineReader {
    store: Arc<dyn Store>,
    runtime: Handle,
    held: HeldFile,
}

impl QuarantineReader {
    /// Begins with the oldest; to be read on a thread that may block.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, runtime: Handle, held: HeldFile) -> QuarantineReader {
        QuarantineReader { store, runtime, held }
    }

    /// The format of all of them.
    #[must_use]
    pub fn format(&self) -> &'static Format {
        self.held.format
    }

    /// The next batch, `None` at the end.
    ///
    /// # Errors
    /// [`SourceError::Quarantine`]
    pub fn read_batch(&mut self, limit: BatchLimit) -> Result<Option<RawBatch>, SourceError> {
        let mut batch = RawBatch { file: Arc::from(&*self.held.file), ..RawBatch::default() };
        self.held.query.limit = PAGE.min(u32::try_from(limit.records).unwrap_or(PAGE)).max(1);
        while batch.records.is_empty() {
            let page = self.runtime.block_on(self.store.quarantine(&self.held.query));
            let page = page.map_err(|error| SourceError::Quarantine {
                file: self.held.file.clone(),
                message: error.to_string(),
            })?;
            let Some(last) = page.last() else { return Ok(None) };
            self.held.query.after = last.id;
            for entry in page {
                let format = format_of(&entry).map(|format| format.name);
                let is_ours = format == Some(self.held.format.name);
                if !is_ours || !is_readable_alone(&entry) {
                    continue;
                }
                let start = batch.block.len();
                batch.block.extend_from_slice(&entry.bytes);
                batch.records.push(RawRecord {
                    start,
                    end: batch.block.len(),
                    number: entry.number,
                    byte: entry.byte,
                    damage: None,
                    part: entry.part.map(Into::into),
                });
            }
        }
        Ok(Some(batch))
    }
}
