//! A dump, read as a stream: batches of raw records in bounded memory.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;

use super::SourceError;
use super::members::{Members, SkippedMember};
use super::parts::{Part, Parts};
use super::stream::{Piece, Stream};
use crate::formats::{Cut, Format};
use crate::record::{Damage, RawBatch};

/// A batch ends with the record that reaches either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimit {
    /// Records in a batch; 0 is taken as 1.
    pub records: usize,
    /// Bytes in a batch.
    pub bytes: usize,
}

/// Reads one dump from its beginning to its end.
///
/// Containers are told by their first bytes: gzip, zstd, bzip2, xz, tar and zip, in one another
/// up to [`super::MAX_NESTING`] deep. Each member of an archive is a stream of its own, with its
/// own format; its records are numbered on behind those of the members before it, and a batch
/// holds records of one member only.
pub struct DumpReader {
    parts: Parts,
    part: Part,
    /// The part's last record was given.
    ended: bool,
    /// Records given or skipped so far.
    number: u64,
}

impl DumpReader {
    /// Opens the dump at `path`, which messages call `name`; the format is told by the first
    /// bytes when it is not given.
    ///
    /// # Errors
    /// [`SourceError::NotFound`], [`SourceError::Open`], and those of [`DumpReader::of_stream`].
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
        let members = Members::of_file(file, name).map_err(cannot_open)?;
        DumpReader::of_members(members, name, format)
    }

    /// Reads the dump that comes from `stream`, which messages call `name`.
    ///
    /// # Errors
    /// [`SourceError::UnknownFormat`], [`SourceError::NoMember`], [`SourceError::WriteOnly`], and
    /// [`SourceError::Read`] when not even the first bytes can be unpacked.
    pub fn of_stream(
        stream: impl Read + Send + 'static,
        name: &str,
        format: Option<&'static Format>,
    ) -> Result<DumpReader, SourceError> {
        DumpReader::of_members(Members::of_stream(Box::new(stream), name), name, format)
    }

    fn of_members(
        members: Members,
        name: &str,
        format: Option<&'static Format>,
    ) -> Result<DumpReader, SourceError> {
        let mut parts = Parts::new(name, format, members);
        let part = parts.first()?;
        Ok(DumpReader { parts, part, ended: false, number: 0 })
    }

    /// The format of the last batch; before the first, of the records to come.
    #[must_use]
    pub fn format(&self) -> &'static Format {
        self.part.format
    }

    /// Bytes taken from the file itself so far, compressed as they are.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.parts.members.budget().taken()
    }

    /// The size of the file itself in bytes; 0 for a stream.
    #[must_use]
    pub fn file_size(&self) -> u64 {
        self.parts.members.budget().size()
    }

    /// The members of archives that were passed over since the last call, since they hold no
    /// records: those before the last batch, not those behind it.
    pub fn take_skipped(&mut self) -> Vec<SkippedMember> {
        std::mem::take(&mut self.parts.skipped)
    }

    /// Passes over the next records; the batches behind them are those of an unbroken run.
    ///
    /// # Errors
    /// [`SourceError::Shorter`], and [`SourceError::Read`] when reading broke off before.
    pub fn skip(&mut self, records: u64) -> Result<(), SourceError> {
        while self.number < records {
            if let Some(piece) = self.cut() {
                self.part.stream.consume(piece.next);
                self.number += 1;
            } else if let Some(failure) = self.failure() {
                return Err(failure);
            } else if !self.advance()? {
                let (file, found) = (self.part.name.to_string(), self.number);
                return Err(SourceError::Shorter { file, found, expected: records });
            }
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
            file: Arc::clone(&self.part.name),
            block: Vec::with_capacity(limit.bytes.min(4 * 1024 * 1024)),
            records: Vec::with_capacity(limit.records.min(4096)),
            headers: Vec::new(),
        };
        loop {
            while batch.records.len() < limit.records.max(1)
                && (batch.records.is_empty() || batch.block.len() < limit.bytes)
            {
                let Some(piece) = self.cut() else { break };
                self.number += 1;
                self.part.stream.copy(piece, self.number, &mut batch);
            }
            if !batch.records.is_empty() {
                return Ok(Some(batch));
            }
            if let Some(failure) = self.failure() {
                return Err(failure);
            }
            if !self.advance()? {
                return Ok(None);
            }
            batch.file = Arc::clone(&self.part.name);
        }
    }

    fn cut(&mut self) -> Option<Piece> {
        let Part { framing, stream, .. } = &mut self.part;
        while !self.ended {
            match framing.cut(stream.bytes(), stream.at_end) {
                Cut::Record { start, end, next, insert, damage } => {
                    return Some(Piece { start, end, next, insert, damage });
                }
                Cut::More { skip } => {
                    stream.consume(skip);
                    stream.fill();
                }
                Cut::End => {
                    self.ended = true;
                    stream.consume(usize::MAX);
                    // The balance shall show that something is missing.
                    let message = stream.failure.clone()?;
                    let damage = Some(Damage { code: "source.read", message });
                    return Some(Piece { start: 0, end: 0, next: 0, insert: None, damage });
                }
            }
        }
        None
    }

    // Nothing is read behind a failure.
    fn failure(&mut self) -> Option<SourceError> {
        let message = self.part.stream.failure.take()?;
        self.parts.members.close();
        let file = self.part.name.to_string();
        Some(SourceError::Read { file, byte: self.part.stream.offset, message })
    }

    // Goes on with the next part; `false` when there is none.
    fn advance(&mut self) -> Result<bool, SourceError> {
        let stream = std::mem::replace(&mut self.part.stream, Stream::broken(None));
        let Some(part) = self.parts.next(stream.into_buffer())? else { return Ok(false) };
        (self.part, self.ended) = (part, false);
        Ok(true)
    }
}
