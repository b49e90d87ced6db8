//! Unpacking, told by the first bytes and not by the file's name.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const BUFFER_BYTES: usize = 256 * 1024;

/// Counts the bytes taken from a file.
struct Counting<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.count.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}

// A decoder that meets damage does not tell what it unpacked before it in the same call; so much
// is lost at most.
const STEP_BYTES: usize = 16 * 1024;

/// Takes small steps.
struct Steps<R>(R);

impl<R: Read> Read for Steps<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(STEP_BYTES);
        self.0.read(buffer.get_mut(..length).unwrap_or_default())
    }
}

/// A stream of what is in `file`: gzip with any number of members, zstd with any number of
/// frames, or the bytes as they are. `count` follows the bytes taken from the file itself.
pub(super) fn open(file: File, count: Arc<AtomicU64>) -> io::Result<Box<dyn Read + Send>> {
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, Counting { inner: file, count });
    let magic = reader.fill_buf()?;
    if magic.starts_with(&[0x1F, 0x8B]) {
        return Ok(Box::new(Steps(flate2::bufread::MultiGzDecoder::new(reader))));
    }
    if magic.starts_with(&[0x28, 0xB5, 0x2F, 0xFD]) {
        return Ok(Box::new(Steps(zstd::stream::read::Decoder::with_buffer(reader)?)));
    }
    Ok(Box::new(reader))
}
