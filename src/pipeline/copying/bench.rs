//! What the threads that copy files do: one file after another, tried again when what failed may
//! pass.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use uuid::Uuid;

use super::super::files::Mode;
use crate::files::{BlobStore, Expected, FilesError, Unnamed, sum_of};
use crate::record::{FileInstance, FileOrder, FilePlace, from_hex, hex};
use crate::source::fetch::{self, FetchError, Fetcher, name_of};
use crate::store::StoredInstance;

/// The namespace of the UUIDs of file instances.
pub(super) const NAMESPACE: Uuid = Uuid::from_u128(0x7be1_40d9_15c6_5a3e_a2f4_0b8c_93d7_6e21);
/// Before a file is tried again, twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// What the threads need.
pub(super) struct Bench {
    pub(super) fetcher: Fetcher,
    /// `None` of a dry run, and where bytes stay where they are.
    pub(super) blobs: Option<BlobStore>,
    pub(super) mode: Mode,
    pub(super) verify: bool,
    pub(super) dry_run: bool,
    pub(super) attempts: u32,
    pub(super) most: u64,
    /// No file is begun any more, and none is copied to its end.
    pub(super) stop: AtomicBool,
}

/// An instance; its bytes are seen when what has no name yet gets it.
pub(super) type Kept = (FileInstance, Option<Unnamed>);

fn named(instance: FileInstance) -> Kept {
    (instance, None)
}

/// Why there is no instance.
pub(super) enum Fault {
    /// It is a matter of this file.
    Held { code: &'static str, message: String },
    /// No file gets through.
    Fatal(FilesError),
    /// The run has ended meanwhile.
    Stopped,
}

impl From<FilesError> for Fault {
    fn from(error: FilesError) -> Fault {
        match error.is_of_one_file() {
            true => Fault::Held { code: error.code(), message: error.to_string() },
            false => Fault::Fatal(error),
        }
    }
}

impl From<FetchError> for Fault {
    fn from(error: FetchError) -> Fault {
        Fault::Held { code: error.code(), message: error.to_string() }
    }
}

impl Bench {
    /// Where a reference leads, if it can be told.
    pub(super) fn place_of(&self, place: &FilePlace) -> Option<String> {
        match place {
            FilePlace::Url(_) => None,
            FilePlace::Path(_) => {
                let path = self.fetcher.open(place).ok()?.path?;
                Some(path.display().to_string())
            }
        }
    }

    /// Brings the bytes of a file where they are to be, unless they are there: the store's word is
    /// `known`. When no file gets through, no further one is begun.
    pub(super) fn keep(
        &self,
        id: Uuid,
        order: &FileOrder,
        known: Option<&StoredInstance>,
    ) -> Result<Kept, Fault> {
        let kept = self.keep_at_last(id, order, known);
        if let Err(Fault::Fatal(_)) = kept {
            self.stop.store(true, Ordering::Relaxed);
        }
        kept
    }

    fn keep_at_last(
        &self,
        id: Uuid,
        order: &FileOrder,
        known: Option<&StoredInstance>,
    ) -> Result<Kept, Fault> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..self.attempts {
            let passing = match self.try_to_keep(id, order, known) {
                Err(Trouble::Files(FilesError::Read { passing: true, message, .. })) => message,
                Err(Trouble::Fetch(error)) if error.is_passing() => error.to_string(),
                done => return done.map_err(Fault::from),
            };
            tracing::info!(file = name_of(&order.place), passing, "another attempt follows");
            std::thread::sleep(pause);
            pause *= 2;
        }
        self.try_to_keep(id, order, known).map_err(Fault::from)
    }

    fn try_to_keep(
        &self,
        id: Uuid,
        order: &FileOrder,
        known: Option<&StoredInstance>,
    ) -> Result<Kept, Trouble> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Trouble::Stopped);
        }
        if let (Mode::Reference, FilePlace::Url(url)) = (self.mode, &order.place) {
            return Err(Trouble::Reference(url.clone()));
        }
        let what = name_of(&order.place);
        let most = match order.place {
            FilePlace::Url(_) => self.most,
            FilePlace::Path(_) => 0,
        };
        let expected = Expected { size: order.size, md5: order.md5, sha256: None, most };
        if self.dry_run {
            let found = self.fetcher.look(&order.place)?;
            return would_keep(id, order, found).map(named).map_err(Trouble::Files);
        }
        match &self.blobs {
            None => self.refer(order, known, &expected).map(named),
            Some(blobs) => {
                if let Some(kept) = self.is_kept(blobs, id, known, (what, &expected))? {
                    return Ok(named(kept));
                }
                let opened = self.fetcher.open(&order.place)?;
                let mut bytes = Watched { bytes: opened.bytes, stop: &self.stop };
                if self.mode == Mode::Link {
                    let path = opened.path.ok_or_else(|| {
                        let message = "it is no file by itself, which `mode: link` needs";
                        let (what, message) = (what.to_owned(), message.to_owned());
                        FilesError::Read { what, message, passing: false }
                    })?;
                    let sum = sum_of(&mut bytes, (what, &expected))?;
                    let uri = blobs.link(id, &path)?;
                    return Ok(named(sum.instance(id, uri)));
                }
                let put = blobs.write(id, &mut bytes, (what, &expected));
                if put.is_err() && self.stop.load(Ordering::Relaxed) {
                    return Err(Trouble::Stopped);
                }
                Ok(put?)
            }
        }
    }

    /// What an earlier run has brought here. The store's word is taken for it; what the store does
    /// not know of is read again, since its checksums are wanted.
    fn is_kept(
        &self,
        blobs: &BlobStore,
        id: Uuid,
        known: Option<&StoredInstance>,
        (what, expected): (&str, &Expected),
    ) -> Result<Option<FileInstance>, Trouble> {
        let Some(size) = blobs.size_of(id)? else { return Ok(None) };
        if expected.size.is_some_and(|expected| expected != size) {
            return Ok(None);
        }
        if let Some(known) = known.filter(|known| known.size == size) {
            return Ok(Some(instance(known)));
        }
        // Old bytes that the store does not know are what `sweep` looks for.
        if blobs.renew(id).is_err() {
            return Ok(None);
        }
        let Some(mut bytes) = blobs.kept(id)? else { return Ok(None) };
        let sum = sum_of(&mut bytes, (what, expected)).ok();
        Ok(sum.map(|sum| sum.instance(id, blobs.uri_of(id))))
    }

    fn refer(
        &self,
        order: &FileOrder,
        known: Option<&StoredInstance>,
        expected: &Expected,
    ) -> Result<FileInstance, Trouble> {
        let what = name_of(&order.place);
        let opened = self.fetcher.open(&order.place)?;
        let path = opened.path.ok_or_else(|| {
            let message = "a member of an archive has no place of its own; use `mode: copy`";
            let (what, message) = (what.to_owned(), message.to_owned());
            FilesError::Read { what, message, passing: false }
        })?;
        let uri = path.display().to_string();
        let is_same = |known: &&StoredInstance| opened.size.is_none_or(|size| size == known.size);
        if let Some(known) = known.filter(is_same) {
            let known = instance(known);
            agrees(&known, (what, expected))?;
            return Ok(known);
        }
        // One place is one instance, whatever paths lead there.
        let id = Uuid::new_v5(&NAMESPACE, format!("at\u{1F}{uri}").as_bytes());
        if self.verify {
            let mut bytes = Watched { bytes: opened.bytes, stop: &self.stop };
            return Ok(sum_of(&mut bytes, (what, expected))?.instance(id, uri));
        }
        let size = opened.size.or(order.size).unwrap_or(0);
        let found = FileInstance { id, uri, size, md5: order.md5, sha256: None };
        agrees(&found, (what, expected))?;
        Ok(found)
    }
}

/// Compares what is known of bytes with what they should be.
fn agrees(known: &FileInstance, (what, expected): (&str, &Expected)) -> Result<(), FilesError> {
    if let Some(size) = expected.size.filter(|size| *size != known.size) {
        let (what, found) = (what.to_owned(), known.size);
        return Err(FilesError::Size { what, found, expected: size });
    }
    match (known.md5, expected.md5) {
        (Some(found), Some(expected)) if found != expected => Err(FilesError::Checksum {
            what: what.to_owned(),
            algorithm: "MD5",
            found: hex(&found),
            expected: hex(&expected),
        }),
        _ => Ok(()),
    }
}

/// Bytes that end when the run does.
struct Watched<'s> {
    bytes: fetch::Bytes,
    stop: &'s AtomicBool,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("the run has ended"));
        }
        self.bytes.read(buffer)
    }
}

/// Why one attempt has failed.
enum Trouble {
    Files(FilesError),
    Fetch(FetchError),
    /// A URL, to which no reference can lead.
    Reference(String),
    Stopped,
}

impl From<FilesError> for Trouble {
    fn from(error: FilesError) -> Trouble {
        Trouble::Files(error)
    }
}

impl From<FetchError> for Trouble {
    fn from(error: FetchError) -> Trouble {
        Trouble::Fetch(error)
    }
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Fault {
        match trouble {
            Trouble::Files(error) => error.into(),
            Trouble::Fetch(error) => error.into(),
            Trouble::Reference(url) => Fault::Held {
                code: "files.reference_url",
                message: format!(
                    "{url} is a URL, which `mode: reference` cannot name; `mode: copy` brings its \
                     bytes"
                ),
            },
            Trouble::Stopped => Fault::Stopped,
        }
    }
}

fn instance(known: &StoredInstance) -> FileInstance {
    let md5 = known.checksum.as_deref().and_then(|checksum| checksum.strip_prefix("md5:"));
    FileInstance {
        id: known.id,
        uri: known.uri.clone(),
        size: known.size,
        md5: md5.and_then(from_hex),
        sha256: known.sha256,
    }
}

/// What a dry run knows of a file.
fn would_keep(id: Uuid, order: &FileOrder, found: Option<u64>) -> Result<FileInstance, FilesError> {
    if let (Some(found), Some(expected)) = (found, order.size)
        && found != expected
    {
        let what = name_of(&order.place).to_owned();
        return Err(FilesError::Size { what, found, expected });
    }
    let size = found.or(order.size).unwrap_or(0);
    Ok(FileInstance { id, uri: String::new(), size, md5: order.md5, sha256: None })
}
