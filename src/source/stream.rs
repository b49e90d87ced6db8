//! The bytes at hand of a stream, and where in it they stand.

use std::io::ErrorKind;

use super::budget::Bytes;
use crate::record::{Damage, Insert, RawBatch, RawRecord};

/// The buffer at first; it grows with the largest record.
const BUFFER_BYTES: usize = 512 * 1024;
/// At least so much is read before a record that was not whole is looked at again.
const READ_BYTES: usize = 256 * 1024;

/// A stream that is being cut into records.
pub(super) struct Stream {
    bytes: Bytes,
    buffer: Vec<u8>,
    start: usize,
    filled: usize,
    /// The offset of the first byte at hand in the stream.
    pub offset: u64,
    /// No more will come.
    pub at_end: bool,
    /// Why no more will come, when it is not the stream's end.
    pub failure: Option<String>,
}

/// A record among the bytes at hand: the fields of [`crate::record::Cut::Record`].
pub(super) struct Piece {
    pub start: usize,
    pub end: usize,
    pub next: usize,
    pub insert: Option<Insert>,
    pub damage: Option<Damage>,
}

impl Stream {
    /// A stream with its first bytes at hand; `buffer` is memory to be used again.
    pub fn new(bytes: Bytes, buffer: Vec<u8>) -> Stream {
        let broken = Stream::broken(None);
        let mut stream = Stream { bytes, buffer, at_end: false, ..broken };
        stream.fill();
        stream
    }

    /// A stream without bytes.
    pub fn broken(failure: Option<String>) -> Stream {
        Stream {
            bytes: Box::new(std::io::empty()),
            buffer: Vec::new(),
            start: 0,
            filled: 0,
            offset: 0,
            at_end: true,
            failure,
        }
    }

    /// Gives up its memory.
    pub fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// The bytes at hand.
    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.filled).unwrap_or_default()
    }

    /// Bytes that are of no use any more.
    pub fn consume(&mut self, bytes: usize) {
        let bytes = bytes.min(self.filled - self.start);
        self.start += bytes;
        self.offset += bytes as u64;
    }

    /// Moves a record to the end of `batch`.
    pub fn copy(&mut self, piece: Piece, number: u64, batch: &mut RawBatch) {
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
            part: None,
        });
        self.consume(piece.next);
    }

    /// Reads on behind the bytes at hand, which move to the front.
    pub fn fill(&mut self) {
        self.buffer.copy_within(self.start..self.filled, 0);
        self.filled -= self.start;
        self.start = 0;
        if self.buffer.len() - self.filled < READ_BYTES {
            self.buffer.resize((self.buffer.len() * 2).max(BUFFER_BYTES), 0);
        }
        let enough = self.filled + READ_BYTES;
        while self.filled < enough && !self.at_end {
            let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
            match self.bytes.read(room) {
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
}
