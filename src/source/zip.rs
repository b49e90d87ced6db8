//! zip archives, by the directory at their end.
//!
//! <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>

use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::Crc;
use zip::CompressionMethod;
use zip::read::{ZipArchive, ZipFileEntry};

use super::budget::{Budget, Bytes, MAX_ASIDE_BYTES, Unpacked};
use super::codec::Steps;
use super::members::{Entries, Entry, EntryKind};

/// A file that a zip archive can be read from.
pub(super) trait Seekable: Read + Seek + Send {}

impl<R: Read + Seek + Send> Seekable for R {}

/// Smaller archives are set aside in memory.
const ASIDE_IN_MEMORY: usize = 1024 * 1024;

/// Whether a file that begins so is a zip archive: with an entry, or with its end at once.
pub(super) fn looks_like_zip(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06")
}

/// The entries of a zip archive, in the order of its directory.
pub(super) struct ZipEntries {
    file: Shared,
    listed: std::vec::IntoIter<Listed>,
    current: Option<Bytes>,
    budget: Budget,
}

/// What the directory says of an entry.
pub(super) struct Listed {
    name: String,
    kind: EntryKind,
    header: u64,
    packed: u64,
    size: u64,
    crc: u32,
    method: CompressionMethod,
    encrypted: bool,
}

impl ZipEntries {
    /// Of a file of its own.
    pub fn new(file: impl Seekable + 'static, budget: Budget) -> io::Result<ZipEntries> {
        let file = Shared(Arc::new(Mutex::new(file)));
        let directory = ZipArchive::new(file.clone())?;
        if directory.has_duplicate_names() {
            // The directory has kept one of them only.
            return Err(invalid("two entries of a zip archive have the same name".to_owned()));
        }
        let listed = (0..directory.len()).map(|index| listed(&directory.by_index_data(index)?));
        let listed: Vec<Listed> = listed.collect::<io::Result<_>>()?;
        Ok(ZipEntries { file, listed: listed.into_iter(), current: None, budget })
    }

    /// Of a stream, which is set aside first.
    pub fn aside(stream: Bytes, budget: Budget) -> io::Result<ZipEntries> {
        let mut file = tempfile::SpooledTempFile::new(ASIDE_IN_MEMORY);
        if io::copy(&mut stream.take(MAX_ASIDE_BYTES + 1), &mut file)? > MAX_ASIDE_BYTES {
            let message = format!(
                "a zip archive within another container, or from a pipe, of \
                 more than {MAX_ASIDE_BYTES} bytes: unpack it first"
            );
            return Err(invalid(message));
        }
        ZipEntries::new(file, budget)
    }

    fn open(&mut self, listed: &Listed) -> io::Result<Bytes> {
        member(self.file.clone(), listed, self.budget.clone())
    }
}

impl Listed {
    /// The entry's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its bytes, unpacked.
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// The files among the entries of an archive.
pub(super) fn members(file: impl Seekable) -> io::Result<Vec<Listed>> {
    let directory = ZipArchive::new(file)?;
    if directory.has_duplicate_names() {
        return Err(invalid("two entries of a zip archive have the same name".to_owned()));
    }
    let listed = (0..directory.len()).map(|index| listed(&directory.by_index_data(index)?));
    let mut listed: Vec<Listed> = listed.collect::<io::Result<_>>()?;
    listed.retain(|listed| matches!(listed.kind, EntryKind::File));
    Ok(listed)
}

/// The bytes of an entry; `file` is read at no other place meanwhile.
pub(super) fn member(
    mut file: impl Seekable + 'static,
    listed: &Listed,
    budget: Budget,
) -> io::Result<Bytes> {
    if listed.encrypted {
        return Err(invalid(format!("{:?} is encrypted", listed.name)));
    }
    // The names in front of the bytes need not be as long as those of the directory.
    let mut header = [0; 30];
    file.seek(SeekFrom::Start(listed.header))?;
    file.read_exact(&mut header)?;
    let length = |at: usize| {
        let bytes = [header.get(at), header.get(at + 1)].map(|byte| byte.copied().unwrap_or(0));
        u64::from(u16::from_le_bytes(bytes))
    };
    if !header.starts_with(b"PK\x03\x04") {
        return Err(invalid(format!("{:?} is not where the zip archive has it", listed.name)));
    }
    file.seek(SeekFrom::Start(listed.header + 30 + length(26) + length(28)))?;
    let packed = file.take(listed.packed);
    let bytes: Bytes = match listed.method {
        CompressionMethod::Stored => Box::new(packed),
        CompressionMethod::Deflated => {
            let packed = BufReader::with_capacity(64 * 1024, packed);
            let unpacked = Steps(flate2::bufread::DeflateDecoder::new(packed));
            Box::new(Unpacked(unpacked, budget))
        }
        other => {
            let message = format!("{:?} is packed by {other}, expected Deflate", listed.name);
            return Err(invalid(message));
        }
    };
    let (name, expected) = (listed.name.clone(), (listed.size, listed.crc));
    Ok(Box::new(Checked { bytes, crc: Crc::new(), size: 0, expected, name }))
}

fn listed(entry: &ZipFileEntry<'_>) -> io::Result<Listed> {
    let kind = match entry {
        entry if entry.is_dir() => EntryKind::Folder,
        entry if entry.is_symlink() => EntryKind::Other("a link"),
        _ => EntryKind::File,
    };
    Ok(Listed {
        name: entry.name()?.into_owned(),
        kind,
        header: entry.header_start(),
        packed: entry.compressed_size(),
        size: entry.size(),
        crc: entry.crc32(),
        method: entry.compression(),
        encrypted: entry.encrypted(),
    })
}

impl Entries for ZipEntries {
    fn next_entry(&mut self) -> io::Result<Option<Entry>> {
        self.current = None;
        let Some(listed) = self.listed.next() else { return Ok(None) };
        if matches!(listed.kind, EntryKind::File) {
            self.current = Some(self.open(&listed)?);
        }
        Ok(Some(Entry { name: listed.name, kind: listed.kind, size: listed.size }))
    }
}

impl Read for ZipEntries {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.current.as_mut().map_or(Ok(0), |bytes| bytes.read(buffer))
    }
}

/// Finds at its end that an entry is what the directory says.
struct Checked {
    bytes: Bytes,
    crc: Crc,
    size: u64,
    expected: (u64, u32),
    name: String,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.bytes.read(buffer)?;
        self.crc.update(buffer.get(..length).unwrap_or_default());
        self.size += length as u64;
        let (size, crc) = self.expected;
        if length == 0 && !buffer.is_empty() && (self.size, self.crc.sum()) != self.expected {
            let (found, sum) = (self.size, self.crc.sum());
            let message = format!(
                "{:?} has {found} bytes with checksum {sum:08x}, expected {size} with {crc:08x}",
                self.name
            );
            return Err(invalid(message));
        }
        Ok(length)
    }
}

/// One file for the directory and the entries, which are read by turns.
#[derive(Clone)]
struct Shared(Arc<Mutex<dyn Seekable>>);

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).read(buffer)
    }
}

impl Seek for Shared {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).seek(to)
    }
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
