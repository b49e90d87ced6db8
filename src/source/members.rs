//! Containers in containers: what a file holds, one stream after another.
//!
//! Nothing is ever written under a name from an archive: the names are shown, never opened.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use super::budget::{Budget, Bytes, MAX_NESTING, Peeked, Taken, Unpacked};
use super::codec::{Codec, Steps};
use super::tar::{TarEntries, looks_like_tar};
use super::zip::{ZipEntries, looks_like_zip};

const BUFFER_BYTES: usize = 256 * 1024;
/// As much as a tar header.
const HEAD_BYTES: usize = 512;

/// A member of an archive that holds no records, and was passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedMember {
    /// The archive's name and, behind `!`, the member's.
    pub name: String,
    /// What was found instead of records.
    pub reason: String,
}

impl fmt::Display for SkippedMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.reason)
    }
}

/// The entries of an archive in its order; reading gives the bytes of the one given last.
pub(super) trait Entries: Read + Send {
    fn next_entry(&mut self) -> io::Result<Option<Entry>>;
}

/// An entry of an archive.
pub(super) struct Entry {
    pub name: String,
    pub kind: EntryKind,
    /// Its bytes, as the archive declares them.
    pub size: u64,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    File,
    Folder,
    Other(&'static str),
}

/// What comes next in a file.
pub(super) enum Found {
    /// A stream of this name, unpacked; of the file itself or of a member.
    Stream { name: String, bytes: Bytes, of_archive: bool },
    /// A member that is no file.
    Skipped(SkippedMember),
}

/// All streams of a file: one, when it is no archive.
pub(super) struct Members {
    budget: Budget,
    first: Option<(String, Bytes)>,
    /// The archives that are open, the innermost last.
    archives: Vec<Archive>,
}

struct Archive {
    name: String,
    depth: usize,
    entries: Arc<Mutex<dyn Entries>>,
}

impl Members {
    /// Of a file.
    pub fn of_file(mut file: File, name: &str) -> io::Result<Members> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(Members::of_stream(Box::new(file), name));
        }
        let mut head = Vec::new();
        (&mut file).take(4).read_to_end(&mut head)?;
        file.seek(SeekFrom::Start(0))?;
        let budget = Budget::new(metadata.len());
        let file = Taken(file, budget.clone());
        let mut members = Members { budget, first: None, archives: Vec::new() };
        if looks_like_zip(&head) {
            let entries = ZipEntries::new(file, members.budget.clone())?;
            members.push(name.to_owned(), 1, entries);
        } else {
            members.first = Some((name.to_owned(), Box::new(file)));
        }
        Ok(members)
    }

    /// Of a stream that cannot be sought in.
    pub fn of_stream(stream: Bytes, name: &str) -> Members {
        let budget = Budget::new(0);
        let first: Bytes = Box::new(Taken(stream, budget.clone()));
        Members { budget, first: Some((name.to_owned(), first)), archives: Vec::new() }
    }

    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Nothing comes any more.
    pub fn close(&mut self) {
        (self.first, self.archives) = (None, Vec::new());
    }

    /// What comes next; `None` at the end of the file.
    pub fn next(&mut self) -> io::Result<Option<Found>> {
        if let Some((name, bytes)) = self.first.take()
            && let Some(found) = self.unpack(name, bytes, 0)?
        {
            return Ok(Some(found));
        }
        while let Some(archive) = self.archives.last() {
            let entry = lock(&archive.entries).next_entry()?;
            let Some(Entry { name, kind, size }) = entry else {
                self.archives.pop();
                continue;
            };
            self.budget.enter(size)?;
            let name = format!("{}!{}", archive.name, printable(&name));
            let reason = match kind {
                EntryKind::Folder => continue,
                EntryKind::Other(reason) => reason,
                EntryKind::File if name.contains("!__MACOSX/") => "a file's attributes on a Mac",
                EntryKind::File => {
                    let (depth, entries) = (archive.depth, Arc::clone(&archive.entries));
                    match self.unpack(name, Box::new(Current(entries)), depth)? {
                        Some(found) => return Ok(Some(found)),
                        None => continue,
                    }
                }
            };
            return Ok(Some(Found::Skipped(SkippedMember { name, reason: reason.to_owned() })));
        }
        Ok(None)
    }

    // Opens what is packed, as often as it is; an archive is put on the others, and that is all.
    fn unpack(&mut self, name: String, bytes: Bytes, depth: usize) -> io::Result<Option<Found>> {
        let mut peeked = Peeked::new(bytes, HEAD_BYTES);
        for depth in depth + 1.. {
            let head = peeked.head();
            let codec = Codec::of_bytes(head);
            let (tar, zip) = (looks_like_tar(head), looks_like_zip(head));
            if codec.is_none() && !tar && !zip {
                break;
            }
            if depth > MAX_NESTING {
                let message = format!("{name:?} is packed more than {MAX_NESTING} times");
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            let Some(codec) = codec else {
                if tar {
                    self.push(name, depth, TarEntries::new(Box::new(peeked)));
                } else {
                    let entries = ZipEntries::aside(Box::new(peeked), self.budget.clone())?;
                    self.push(name, depth, entries);
                }
                return Ok(None);
            };
            let packed = BufReader::with_capacity(BUFFER_BYTES, peeked);
            let unpacked = Steps(codec.decoder(packed)?);
            peeked = Peeked::new(Box::new(Unpacked(unpacked, self.budget.clone())), HEAD_BYTES);
        }
        let of_archive = !self.archives.is_empty();
        Ok(Some(Found::Stream { name, bytes: Box::new(peeked), of_archive }))
    }

    fn push(&mut self, name: String, depth: usize, entries: impl Entries + 'static) {
        let entries = Arc::new(Mutex::new(entries));
        self.archives.push(Archive { name, depth, entries });
    }
}

/// Reads the entry that an archive is at.
struct Current(Arc<Mutex<dyn Entries>>);

impl Read for Current {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        lock(&self.0).read(buffer)
    }
}

// A thread that broke off while reading has left nothing that is worse than a broken archive.
fn lock<'e>(
    entries: &'e Mutex<dyn Entries + 'static>,
) -> impl std::ops::DerefMut<Target = dyn Entries + 'static> + 'e {
    entries.lock().unwrap_or_else(PoisonError::into_inner)
}

// Names come from outside and go to terminals.
fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
