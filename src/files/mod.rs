//! Keepers of bytes: a location is a folder or a bucket of an S3, laid out as Invenio lays it out.
//!
//! Bytes are verified while they are copied and never visible before they are whole. A keeper knows
//! neither records nor where bytes come from: it is given a reader. All of it blocks, and is called
//! on threads that may.

mod directory;
mod durable;
mod s3;
mod sum;

use std::collections::HashMap;
use std::io::Read;
use std::path::PathBuf;
use std::time::SystemTime;

use thiserror::Error;
use tokio::runtime::Handle;
use uuid::Uuid;

pub use directory::Unnamed;
pub use sum::{Expected, Sum, Summing, sum_of};

use crate::record::FileInstance;
use directory::Directory;
use s3::Bucket;

/// What it takes to get at locations that are not folders.
#[derive(Clone)]
pub struct Access {
    /// The runtime that sockets belong to.
    pub runtime: Handle,
    /// Variables of the environment that say where an S3 is and who asks: `AWS_…` and
    /// `WINDROW_S3_PATIENCE`, seconds for one request with all its repetitions.
    pub variables: HashMap<String, String>,
}

impl Access {
    /// What the environment says.
    #[must_use]
    pub fn from_env(runtime: Handle) -> Access {
        let ours = |name: &str| name.starts_with("AWS_") || name == "WINDROW_S3_PATIENCE";
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let variables = variables.filter(|(name, _)| ours(name)).collect();
        Access { runtime, variables }
    }
}

/// What comes out of a keeper.
pub type Bytes = Box<dyn Read + Send>;

/// Why bytes could not be kept, or are not what they should be.
#[derive(Debug, Error)]
pub enum FilesError {
    /// The source broke off or cannot be read.
    #[error("cannot read {what}: {message}")]
    Read {
        /// The source, or the place it is kept at.
        what: String,
        /// The reason.
        message: String,
        /// It may go better another time.
        passing: bool,
    },
    /// More or fewer bytes than there should be.
    #[error("{what} has {found} bytes, expected {expected}")]
    Size {
        /// The source, or the place it is kept at.
        what: String,
        /// Bytes found; of more than expected, the first too many.
        found: u64,
        /// Bytes expected.
        expected: u64,
    },
    /// Other bytes than there should be.
    #[error("{what} has {algorithm} {found}, expected {expected}")]
    Checksum {
        /// The source, or the place it is kept at.
        what: String,
        /// MD5 or SHA-256.
        algorithm: &'static str,
        /// The checksum found.
        found: String,
        /// The checksum expected.
        expected: String,
    },
    /// What was kept is gone.
    #[error("{0} is not there")]
    Missing(String),
    /// No room is left.
    #[error("location {uri} is full: {message}")]
    Full {
        /// The location.
        uri: String,
        /// The system's reason.
        message: String,
    },
    /// The location does not take anything.
    #[error("cannot write to location {uri}: {message}")]
    Write {
        /// The location.
        uri: String,
        /// The system's reason.
        message: String,
    },
    /// A hard link cannot be made.
    #[error(
        "cannot link {path} into location {uri}: {message}; `mode: link` needs both on one file \
         system, `mode: copy` does not"
    )]
    Link {
        /// The file.
        path: String,
        /// The location.
        uri: String,
        /// The system's reason.
        message: String,
    },
    /// A location that is none.
    #[error("location {uri}: {message}")]
    Location {
        /// Its URI.
        uri: String,
        /// What is wrong with it.
        message: String,
    },
}

impl FilesError {
    /// A stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            FilesError::Read { .. } => "files.read",
            FilesError::Size { .. } => "files.size",
            FilesError::Checksum { .. } => "files.checksum",
            FilesError::Missing(_) => "files.missing",
            FilesError::Full { .. } => "files.full",
            FilesError::Write { .. } => "files.write",
            FilesError::Link { .. } => "files.link",
            FilesError::Location { .. } => "files.location",
        }
    }

    /// Whether it is a matter of this one file; otherwise no file gets through.
    #[must_use]
    pub fn is_of_one_file(&self) -> bool {
        matches!(
            self,
            FilesError::Read { .. }
                | FilesError::Size { .. }
                | FilesError::Checksum { .. }
                | FilesError::Missing(_)
        )
    }
}

/// Something that lies in a location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where, as an instance names it.
    pub uri: String,
    /// In bytes.
    pub size: u64,
    /// When it was written or named last.
    pub modified: SystemTime,
    /// It was begun and never finished.
    pub is_part: bool,
}

impl Found {
    /// What [`BlobStore::put`] has kept.
    #[must_use]
    pub fn of(instance: &FileInstance) -> Found {
        let (uri, size, modified) = (instance.uri.clone(), instance.size, SystemTime::now());
        Found { uri, size, modified, is_part: false }
    }

    /// All that an instance may call it: Invenio writes paths with or without `file://`, as its
    /// location has them.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names = vec![self.uri.clone()];
        if self.uri.starts_with('/') {
            names.push(format!("file://{}", self.uri));
        }
        names
    }
}

/// A location that keeps bytes.
#[derive(Debug, Clone)]
pub enum BlobStore {
    /// A folder.
    Directory(Directory),
    /// A bucket of an S3.
    S3(Bucket),
}

impl BlobStore {
    /// The location at `uri`: an absolute path, `file://` and one, or `s3://BUCKET/PREFIX`. A folder
    /// must be there.
    ///
    /// # Errors
    /// [`FilesError::Location`]
    pub fn open(uri: &str, access: &Access) -> Result<BlobStore, FilesError> {
        if uri.starts_with("s3://") {
            return Bucket::open(uri, access).map(BlobStore::S3);
        }
        Directory::open(uri).map(BlobStore::Directory)
    }

    /// Where the bytes of an instance are, or will be.
    #[must_use]
    pub fn uri_of(&self, id: Uuid) -> String {
        match self {
            BlobStore::Directory(directory) => directory.path_of(id).display().to_string(),
            BlobStore::S3(bucket) => bucket.uri_of(id),
        }
    }

    /// The size of what is kept for an instance, if anything is.
    ///
    /// # Errors
    /// [`FilesError::Location`], [`FilesError::Write`]
    pub fn size_of(&self, id: Uuid) -> Result<Option<u64>, FilesError> {
        match self {
            BlobStore::Directory(directory) => directory.size_of(id),
            BlobStore::S3(bucket) => bucket.size_of(id),
        }
    }

    /// The bytes that are kept for an instance, if any are.
    ///
    /// # Errors
    /// [`FilesError::Location`], [`FilesError::Write`]
    pub fn kept(&self, id: Uuid) -> Result<Option<Bytes>, FilesError> {
        match self {
            BlobStore::Directory(directory) => directory.kept(id),
            BlobStore::S3(bucket) => bucket.kept(id),
        }
    }

    /// Makes what is kept for an instance young again, so that `sweep` leaves it alone; an S3 has
    /// no such way.
    ///
    /// # Errors
    /// [`FilesError::Write`]
    pub fn renew(&self, id: Uuid) -> Result<(), FilesError> {
        match self {
            BlobStore::Directory(directory) => directory.renew(id),
            BlobStore::S3(_) => Ok(()),
        }
    }

    /// Keeps the bytes of `from` for an instance if they are what is expected; until then nobody
    /// sees them. `what` names them in errors.
    ///
    /// # Errors
    /// [`FilesError`]; nothing is left then but, when the process dies, a part that `sweep` finds.
    pub fn put(
        &self,
        id: Uuid,
        from: &mut dyn Read,
        expected: (&str, &Expected),
    ) -> Result<FileInstance, FilesError> {
        let (instance, unnamed) = self.write(id, from, expected)?;
        self.name(unnamed.into_iter().collect())?;
        Ok(instance)
    }

    /// Writes bytes as [`BlobStore::put`] does; where there is something to name, they are kept, and
    /// seen, when [`BlobStore::name`] has done it. Many are named faster together.
    ///
    /// # Errors
    /// [`FilesError`]
    pub fn write(
        &self,
        id: Uuid,
        from: &mut dyn Read,
        expected: (&str, &Expected),
    ) -> Result<(FileInstance, Option<Unnamed>), FilesError> {
        let (sum, unnamed) = match self {
            BlobStore::Directory(directory) => {
                let (sum, unnamed) = directory.write(id, from, expected)?;
                (sum, Some(unnamed))
            }
            BlobStore::S3(bucket) => (bucket.put(id, from, expected)?, None),
        };
        Ok((sum.instance(id, self.uri_of(id)), unnamed))
    }

    /// Gives what was written its names; it and they are on the disk then.
    ///
    /// # Errors
    /// [`FilesError::Write`], [`FilesError::Full`]; some may have got their names.
    pub fn name(&self, written: Vec<Unnamed>) -> Result<(), FilesError> {
        match self {
            BlobStore::Directory(directory) if !written.is_empty() => directory.name(written),
            _ => Ok(()),
        }
    }

    /// Keeps a file by a second name for it.
    ///
    /// # Errors
    /// [`FilesError::Link`], [`FilesError::Write`], [`FilesError::Full`]
    pub fn link(&self, id: Uuid, path: &std::path::Path) -> Result<String, FilesError> {
        match self {
            BlobStore::Directory(directory) => directory.link(id, path)?,
            BlobStore::S3(bucket) => {
                return Err(FilesError::Link {
                    path: path.display().to_string(),
                    uri: bucket.uri().to_owned(),
                    message: "an S3 has no links".to_owned(),
                });
            }
        }
        Ok(self.uri_of(id))
    }

    /// Calls `see` with all that lies in the location, some at a time.
    ///
    /// # Errors
    /// [`FilesError::Read`], and those of `see`.
    pub fn walk<E: From<FilesError>>(
        &self,
        see: impl FnMut(Vec<Found>) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            BlobStore::Directory(directory) => directory.walk(see),
            BlobStore::S3(bucket) => bucket.walk(see),
        }
    }

    /// Removes what [`BlobStore::walk`] has found.
    ///
    /// # Errors
    /// [`FilesError::Write`]
    pub fn remove(&self, found: &Found) -> Result<(), FilesError> {
        match self {
            BlobStore::Directory(directory) => directory.remove(found),
            BlobStore::S3(bucket) => bucket.remove(&found.uri),
        }
    }
}

/// Opens bytes where they are kept, whatever location that is in.
///
/// # Errors
/// [`FilesError::Missing`], [`FilesError::Read`], [`FilesError::Location`]
pub fn open(uri: &str, access: &Access) -> Result<Bytes, FilesError> {
    if uri.starts_with("s3://") {
        let (bucket, key) = Bucket::of_object(uri, access)?;
        return bucket.read(&key);
    }
    directory::read(&local(uri))
}

/// The path that a URI without scheme, or `file://`, names.
fn local(uri: &str) -> PathBuf {
    PathBuf::from(uri.strip_prefix("file://").unwrap_or(uri))
}

/// `ab/cd/<rest of the UUID>/data`, as Invenio does with two dimensions of two characters.
fn fan_out(id: Uuid) -> String {
    let text = id.to_string();
    let (first, rest) = text.split_at_checked(2).unwrap_or((&text, ""));
    let (second, rest) = rest.split_at_checked(2).unwrap_or((rest, ""));
    format!("{first}/{second}/{rest}/data")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_lies_where_invenio_looks_for_it() {
        let id = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        assert_eq!(fan_out(id), "01/23/4567-89ab-cdef-0123-456789abcdef/data");
    }
}
