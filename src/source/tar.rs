//! tar archives (POSIX ustar and pax, GNU, old V7), read as a stream.

use std::io::{self, Read};

use tar::{EntryType, Header, PaxExtensions};

use super::budget::Bytes;
use super::members::{Entries, Entry, EntryKind};

const BLOCK_BYTES: usize = 512;
/// A long name, or the keywords of a pax header.
const MAX_EXTENSION_BYTES: u64 = 1024 * 1024;

/// Whether a file that begins so is a tar archive: the checksum of its first header is right.
pub(super) fn looks_like_tar(head: &[u8]) -> bool {
    head.get(..BLOCK_BYTES).is_some_and(|block| checked(block).is_ok())
}

/// The entries of a tar archive.
pub(super) struct TarEntries {
    archive: Bytes,
    name: String,
    /// Bytes of the entry that were not read yet, and zeros behind them.
    left: u64,
    padding: u64,
}

/// What the headers before an entry said of it.
#[derive(Default)]
struct Extension {
    name: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
}

impl TarEntries {
    pub fn new(archive: Bytes) -> TarEntries {
        TarEntries { archive, name: String::new(), left: 0, padding: 0 }
    }

    fn begin(&mut self, size: u64) {
        self.left = size;
        self.padding = size.wrapping_neg() % BLOCK_BYTES as u64;
    }

    // What is left of an entry, and the zeros behind it.
    fn pass(&mut self) -> io::Result<()> {
        io::copy(self, &mut io::sink())?;
        let mut padding = (&mut self.archive).take(self.padding);
        if io::copy(&mut padding, &mut io::sink())? < self.padding {
            return Err(self.broken_off());
        }
        self.padding = 0;
        Ok(())
    }

    // The next block that is not all zeros; `None` at the end of the archive.
    fn block(&mut self) -> io::Result<Option<[u8; BLOCK_BYTES]>> {
        loop {
            let mut block = [0; BLOCK_BYTES];
            let mut filled = 0;
            while let Some(room) = block.get_mut(filled..).filter(|room| !room.is_empty()) {
                match self.archive.read(room) {
                    Ok(0) => break,
                    Ok(length) => filled += length,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            // Zeros end an archive; but another may stand behind them, as `tar --concatenate` and
            // `cat` leave it.
            if block.iter().any(|byte| *byte != 0) {
                return if filled == BLOCK_BYTES {
                    Ok(Some(block))
                } else {
                    Err(self.broken_off())
                };
            }
            if filled < BLOCK_BYTES {
                return Ok(None);
            }
        }
    }

    fn extension(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > MAX_EXTENSION_BYTES {
            let message = format!("a tar header of {size} bytes, at most {MAX_EXTENSION_BYTES}");
            return Err(invalid(message));
        }
        self.begin(size);
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        self.pass()?;
        Ok(bytes)
    }

    fn broken_off(&self) -> io::Error {
        let message = format!("the tar archive breaks off in or behind {:?}", self.name);
        io::Error::new(io::ErrorKind::UnexpectedEof, message)
    }
}

impl Entries for TarEntries {
    fn next_entry(&mut self) -> io::Result<Option<Entry>> {
        let mut extension = Extension::default();
        loop {
            self.pass()?;
            let Some(block) = self.block()? else { return Ok(None) };
            let header = checked(&block)?;
            let size = header.entry_size()?;
            match header.entry_type() {
                EntryType::GNULongName => {
                    let mut name = self.extension(size)?;
                    name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
                    extension.name = Some(name);
                }
                EntryType::XHeader => pax(&self.extension(size)?, &mut extension),
                EntryType::GNULongLink | EntryType::XGlobalHeader => {
                    self.extension(size)?;
                }
                kind => {
                    let name = extension.name.unwrap_or_else(|| header.path_bytes().into_owned());
                    self.name = String::from_utf8_lossy(&name).into_owned();
                    if extension.sparse || kind == EntryType::GNUSparse {
                        return Err(invalid(format!("{:?} is a sparse file", self.name)));
                    }
                    let size = extension.size.unwrap_or(size);
                    self.begin(size);
                    let kind = match kind {
                        // What an archive of 1979 has for a folder.
                        EntryType::Regular if name.ends_with(b"/") => EntryKind::Folder,
                        EntryType::Directory => EntryKind::Folder,
                        EntryType::Link | EntryType::Symlink => EntryKind::Other("a link"),
                        EntryType::Char | EntryType::Block => EntryKind::Other("a device"),
                        EntryType::Fifo => EntryKind::Other("a pipe"),
                        // Types of other makers are to be read as files.
                        _ => EntryKind::File,
                    };
                    return Ok(Some(Entry { name: self.name.clone(), kind, size }));
                }
            }
        }
    }
}

impl Read for TarEntries {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if room == 0 {
            return Ok(0);
        }
        let length = self.archive.read(buffer.get_mut(..room).unwrap_or_default())?;
        if length == 0 {
            return Err(self.broken_off());
        }
        self.left -= length as u64;
        Ok(length)
    }
}

fn pax(bytes: &[u8], extension: &mut Extension) {
    for keyword in PaxExtensions::new(bytes).flatten() {
        match keyword.key_bytes() {
            b"path" => extension.name = Some(keyword.value_bytes().to_owned()),
            b"size" => extension.size = keyword.value().ok().and_then(|size| size.parse().ok()),
            key if key.starts_with(b"GNU.sparse.") => extension.sparse = true,
            _ => {}
        }
    }
}

fn checked(block: &[u8]) -> io::Result<&Header> {
    // The checksum itself counts as blanks.
    let sum = block
        .iter()
        .enumerate()
        .map(|(at, byte)| u32::from(if (148..156).contains(&at) { b' ' } else { *byte }));
    let sum: u32 = sum.sum();
    if block.len() != BLOCK_BYTES {
        return Err(invalid("a tar header that is too short".to_owned()));
    }
    let header = Header::from_byte_slice(block);
    match header.cksum() {
        Ok(declared) if declared == sum => Ok(header),
        Ok(declared) => {
            Err(invalid(format!("a tar header has checksum {sum}, expected {declared}")))
        }
        Err(_) => Err(invalid("a tar header has no checksum".to_owned())),
    }
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
