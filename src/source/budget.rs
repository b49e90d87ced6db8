//! What a container may unpack to, and how much of its file has been taken.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A stream of bytes of whatever origin.
pub(super) type Bytes = Box<dyn Read + Send>;

/// So much may be unpacked of any file, whatever its size.
pub const FREE_BYTES: u64 = 64 * 1024 * 1024;
/// Behind that, a file may unpack to so many times its own size: XML packs to a fiftieth at best,
/// a bomb to a thousandth or less. What is unpacked twice, since containers nest, counts twice.
pub const MAX_RATIO: u64 = 1000;
/// Entries in all archives of a file.
pub const MAX_ENTRIES: u64 = 1_000_000;
/// Bytes of one entry, as its archive declares them.
pub const MAX_ENTRY_BYTES: u64 = 256 * 1024 * 1024 * 1024;
/// Containers in one another: `.tar.gz` are two.
pub const MAX_NESTING: usize = 4;
/// Bytes of a zip archive that has no file of its own: it is set aside on disk to be read, since
/// its directory stands at its end.
pub const MAX_ASIDE_BYTES: u64 = 16 * 1024 * 1024 * 1024;

/// Counts the bytes of one file, taken and unpacked; its clones count together.
#[derive(Debug, Clone)]
pub(super) struct Budget(Arc<Counters>);

#[derive(Debug)]
struct Counters {
    taken: AtomicU64,
    unpacked: AtomicU64,
    entries: AtomicU64,
    size: u64,
}

impl Budget {
    /// For a file of so many bytes; 0 for a stream, whose size nobody knows.
    pub fn new(size: u64) -> Budget {
        let zero = || AtomicU64::new(0);
        Budget(Arc::new(Counters { taken: zero(), unpacked: zero(), entries: zero(), size }))
    }

    /// The file's size.
    pub fn size(&self) -> u64 {
        self.0.size
    }

    /// Bytes taken from the file so far.
    pub fn taken(&self) -> u64 {
        let taken = self.0.taken.load(Ordering::Relaxed);
        // Entries of a zip archive may share bytes, which are then taken again and again.
        if self.0.size > 0 { taken.min(self.0.size) } else { taken }
    }

    /// Takes note of an entry with so many bytes.
    pub fn enter(&self, bytes: u64) -> io::Result<()> {
        if self.0.entries.fetch_add(1, Ordering::Relaxed) >= MAX_ENTRIES {
            return Err(refused(format!("more than {MAX_ENTRIES} entries")));
        }
        if bytes > MAX_ENTRY_BYTES {
            let message = format!("an entry of {bytes} bytes, at most {MAX_ENTRY_BYTES}");
            return Err(refused(message));
        }
        Ok(())
    }

    fn unpack(&self, bytes: usize) -> io::Result<()> {
        let bytes = bytes as u64;
        let unpacked = self.0.unpacked.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let allowed = FREE_BYTES.saturating_add(self.taken().saturating_mul(MAX_RATIO));
        if unpacked > allowed {
            let taken = self.taken();
            let message = format!("{taken} bytes unpack to {unpacked}, at most {allowed}");
            return Err(refused(message));
        }
        Ok(())
    }
}

fn refused(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// Counts the bytes taken from a file.
pub(super) struct Taken<R>(pub R, pub Budget);

impl<R: Read> Read for Taken<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.0.read(buffer)?;
        self.1.0.taken.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}

impl<R: Seek> Seek for Taken<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

/// Counts what a decoder unpacks, and stops it when that is too much.
pub(super) struct Unpacked<R>(pub R, pub Budget);

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.0.read(buffer)?;
        self.1.unpack(length)?;
        Ok(length)
    }
}

/// A stream whose first bytes can be looked at.
pub(super) struct Peeked {
    head: Vec<u8>,
    at: usize,
    /// What ended the look; it comes behind the bytes that were seen.
    failure: Option<io::Error>,
    rest: Bytes,
}

impl Peeked {
    /// Looks at so many bytes, or all there are.
    pub fn new(mut rest: Bytes, length: usize) -> Peeked {
        let mut head = Vec::with_capacity(length);
        let looked = (&mut rest).take(length as u64).read_to_end(&mut head);
        Peeked { head, at: 0, failure: looked.err(), rest }
    }

    pub fn head(&self) -> &[u8] {
        &self.head
    }
}

impl Read for Peeked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let seen = self.head.get(self.at..).unwrap_or_default();
        if !seen.is_empty() {
            let length = { seen }.read(buffer)?;
            self.at += length;
            return Ok(length);
        }
        match self.failure.take() {
            Some(error) => Err(error),
            None => self.rest.read(buffer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_unpack_to_a_multiple_of_what_was_taken_of_it() {
        let budget = Budget::new(1000);
        let taken = io::copy(&mut Taken(&[0; 900][..], budget.clone()), &mut io::sink());
        assert_eq!((taken.unwrap(), budget.taken()), (900, 900));
        let allowed = usize::try_from(FREE_BYTES + 900 * MAX_RATIO).unwrap();
        budget.unpack(allowed).unwrap();
        let error = budget.unpack(1).unwrap_err().to_string();
        assert!(error.starts_with("900 bytes unpack to "), "{error}");
        // What is taken again does not count again.
        io::copy(&mut Taken(&[0; 900][..], budget.clone()), &mut io::sink()).unwrap();
        assert_eq!(budget.taken(), 1000);
    }

    #[test]
    fn entries_have_a_largest_number_and_size() {
        let budget = Budget::new(0);
        assert!(budget.enter(MAX_ENTRY_BYTES).is_ok());
        assert!(budget.enter(MAX_ENTRY_BYTES + 1).is_err());
        budget.0.entries.store(MAX_ENTRIES, Ordering::Relaxed);
        assert!(budget.enter(0).is_err());
    }
}
