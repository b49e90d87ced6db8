//! A dump, read as a stream: batches of raw records in bounded memory.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{SourceError, decompress};
use crate::formats::{Cut, FORMATS, Format, Framing, sniff};
use crate::record::{Damage, Insert, RawBatch, RawRecord};

/// The buffer at first; it grows with the largest record.
const BUFFER_BYTES: usize = 512 * 1024;
/// At least so much is read before a record that was not whole is looked at again.
const READ_BYTES: usize = 256 * 1024;

/// A batch ends with the record that reaches either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimit {
    /// Records in a batch; 0 is taken as 1.
    pub records: usize,
    /// Bytes in a batch.
    pub bytes: usize,
}

/// Reads one dump from its beginning to its end.
pub struct DumpReader {
    file: Arc<str>,
    format: &'static Format,
    framing: Box<dyn Framing>,
    stream: Stream,
    /// Records given or skipped so far.
    number: u64,
    ended: bool,
}

// The bytes at hand, and where in the file they stand.
struct Stream {
    reader: Box<dyn Read + Send>,
    compressed: Arc<AtomicU64>,
    file_size: u64,
    buffer: Vec<u8>,
    start: usize,
    filled: usize,
    /// The offset of `start` in the uncompressed file.
    offset: u64,
    at_end: bool,
    failure: Option<String>,
}

struct Piece {
    start: usize,
    end: usize,
    next: usize,
    insert: Option<Insert>,
    damage: Option<Damage>,
}

impl DumpReader {
    /// Opens the dump at `path`, which messages call `name`; the format is told by the first
    /// bytes when it is not given.
    ///
    /// # Errors
    /// [`SourceError::NotFound`], [`SourceError::Open`], [`SourceError::UnknownFormat`],
    /// [`SourceError::WriteOnly`], and [`SourceError::Read`] when not even the first bytes can be unpacked.
    pub fn open(
        path: &Path,
        name: &str,
        format: Option<&'static Format>,
    ) -> Result<DumpReader, SourceError> {
        let cannot_open = |error: std::io::Error| match error.kind() {
            ErrorKind::NotFound => SourceError::NotFound { path: path.to_owned() },
            _ => SourceError::Open { path: path.to_owned(), message: error.to_string() },
        };
        let file = File::open(path).map_err(cannot_open)?;
        let file_size = file.metadata().map_err(cannot_open)?.len();
        let compressed = Arc::new(AtomicU64::new(0));
        let reader = decompress::open(file, Arc::clone(&compressed)).map_err(cannot_open)?;
        let mut stream = Stream {
            reader,
            compressed,
            file_size,
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            filled: 0,
            offset: 0,
            at_end: false,
            failure: None,
        };
        stream.fill();
        let format = match format.or_else(|| sniff(stream.bytes())) {
            Some(format) => format,
            None => return Err(stream.unknown_format(name)),
        };
        let Some(reading) = &format.reading else {
            return Err(SourceError::WriteOnly { format: format.name });
        };
        let framing = (reading.framing)();
        Ok(DumpReader { file: name.into(), format, framing, stream, number: 0, ended: false })
    }

    /// The format that is read.
    #[must_use]
    pub fn format(&self) -> &'static Format {
        self.format
    }

    /// Bytes taken from the file itself so far, compressed as they are.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.stream.compressed.load(Ordering::Relaxed)
    }

    /// The size of the file itself in bytes.
    #[must_use]
    pub fn file_size(&self) -> u64 {
        self.stream.file_size
    }

    /// Passes over the next records; the batches behind them are those of an unbroken run.
    ///
    /// # Errors
    /// [`SourceError::Shorter`], and [`SourceError::Read`] when reading broke off before.
    pub fn skip(&mut self, records: u64) -> Result<(), SourceError> {
        for _ in 0..records {
            match self.cut() {
                Some(piece) => self.stream.consume(piece.next),
                None => {
                    return Err(self.failure().unwrap_or_else(|| SourceError::Shorter {
                        file: self.file.to_string(),
                        found: self.number,
                        expected: records,
                    }));
                }
            }
            self.number += 1;
        }
        Ok(())
    }

    /// The next batch, `None` at the end of the file.
    ///
    /// When reading breaks off, all that could be read comes first, the last record with damage
    /// `source.read`, and the error with the next call.
    ///
    /// # Errors
    /// [`SourceError::Read`], once.
    pub fn read_batch(&mut self, limit: BatchLimit) -> Result<Option<RawBatch>, SourceError> {
        let mut batch = RawBatch {
            file: Arc::clone(&self.file),
            block: Vec::with_capacity(limit.bytes.min(4 * 1024 * 1024)),
            records: Vec::with_capacity(limit.records.min(4096)),
        };
        while batch.records.len() < limit.records.max(1)
            && (batch.records.is_empty() || batch.block.len() < limit.bytes)
        {
            let Some(piece) = self.cut() else { break };
            self.number += 1;
            self.stream.copy(piece, self.number, &mut batch);
        }
        if !batch.records.is_empty() {
            return Ok(Some(batch));
        }
        self.failure().map_or(Ok(None), Err)
    }

    fn cut(&mut self) -> Option<Piece> {
        while !self.ended {
            match self.framing.cut(self.stream.bytes(), self.stream.at_end) {
                Cut::Record { start, end, next, insert, damage } => {
                    return Some(Piece { start, end, next, insert, damage });
                }
                Cut::More { skip } => {
                    self.stream.consume(skip);
                    self.stream.fill();
                }
                Cut::End => {
                    self.ended = true;
                    self.stream.consume(usize::MAX);
                    // The balance shall show that something is missing.
                    let message = self.stream.failure.clone()?;
                    let damage = Some(Damage { code: "source.read", message });
                    return Some(Piece { start: 0, end: 0, next: 0, insert: None, damage });
                }
            }
        }
        None
    }

    fn failure(&mut self) -> Option<SourceError> {
        let message = self.stream.failure.take()?;
        let file = self.file.to_string();
        Some(SourceError::Read { file, byte: self.stream.offset, message })
    }
}

impl Stream {
    fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.filled).unwrap_or_default()
    }

    fn consume(&mut self, bytes: usize) {
        let bytes = bytes.min(self.filled - self.start);
        self.start += bytes;
        self.offset += bytes as u64;
    }

    fn copy(&mut self, piece: Piece, number: u64, batch: &mut RawBatch) {
        let start = batch.block.len();
        let bytes = self.bytes().get(piece.start..piece.end).unwrap_or_default();
        match &piece.insert {
            Some(insert) => insert.copy(bytes, &mut batch.block),
            None => batch.block.extend_from_slice(bytes),
        }
        batch.records.push(RawRecord {
            start,
            end: batch.block.len(),
            number,
            byte: self.offset + piece.start as u64,
            damage: piece.damage,
        });
        self.consume(piece.next);
    }

    // Reads on behind the bytes at hand, which move to the front.
    fn fill(&mut self) {
        self.buffer.copy_within(self.start..self.filled, 0);
        self.filled -= self.start;
        self.start = 0;
        if self.buffer.len() - self.filled < READ_BYTES {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let enough = self.filled + READ_BYTES;
        while self.filled < enough && !self.at_end {
            let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
            match self.reader.read(room) {
                Ok(0) => self.at_end = true,
                Ok(length) => self.filled += length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.at_end = true;
                    self.failure = Some(error.to_string());
                }
            }
        }
    }

    fn unknown_format(&mut self, name: &str) -> SourceError {
        let file = name.to_owned();
        if let Some(message) = self.failure.take() {
            return SourceError::Read { file, byte: self.filled as u64, message };
        }
        let begin = self.bytes().get(..self.filled.min(40)).unwrap_or_default();
        let found = String::from_utf8_lossy(begin).into_owned();
        let readable = FORMATS.iter().filter(|format| format.reading.is_some());
        let names: Vec<&str> = readable.map(|format| format.name).collect();
        SourceError::UnknownFormat { file, found, expected: names.join(", ") }
    }
}
