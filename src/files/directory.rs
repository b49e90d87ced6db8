//! A location that is a folder.
//!
//! Bytes are written to a part beside their place, synced, and renamed: a name in the location is
//! a whole, verified file, also after a loss of power. Parts of a batch are synced together.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::durable::{sync, sync_all};
use super::sum::{Expected, Sum, broken, pass, write};
use super::{Bytes, FilesError, Found, fan_out, local};

/// The names of what is not finished: `data.` and letters and this.
const PART: &str = ".part";
/// So many are seen at once.
const PAGE: usize = 500;
/// So many parts are worth syncing all of a file system.
const MANY: usize = 8;
/// A part of so many bytes is synced by itself, while others are still copied.
const LARGE: u64 = 4 * 1024 * 1024;

/// Bytes that are written and have no name yet; dropped, they are gone.
#[derive(Debug)]
pub struct Unnamed {
    part: tempfile::TempPath,
    path: PathBuf,
    is_synced: bool,
}

/// A folder that keeps bytes.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    pub(super) fn open(uri: &str) -> Result<Directory, FilesError> {
        let wrong = |message: String| FilesError::Location { uri: uri.to_owned(), message };
        let root = local(uri);
        if !root.is_absolute() {
            return Err(wrong("expected an absolute path or s3://BUCKET/PREFIX".to_owned()));
        }
        match fs::metadata(&root) {
            Ok(metadata) if metadata.is_dir() => Ok(Directory { root }),
            Ok(_) => Err(wrong("is no folder".to_owned())),
            Err(error) => Err(wrong(format!("cannot be opened: {error}"))),
        }
    }

    pub(super) fn path_of(&self, id: Uuid) -> PathBuf {
        self.root.join(fan_out(id))
    }

    pub(super) fn size_of(&self, id: Uuid) -> Result<Option<u64>, FilesError> {
        let path = self.path_of(id);
        match fs::metadata(&path) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.unreadable(&path, &error)),
        }
    }

    /// The bytes of an instance, if they are there.
    pub(super) fn kept(&self, id: Uuid) -> Result<Option<Bytes>, FilesError> {
        let path = self.path_of(id);
        match File::open(&path) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.unreadable(&path, &error)),
        }
    }

    /// Makes what is kept for an instance as young as what is written now. Its own time stays: it
    /// may be that of a file elsewhere, which is linked here.
    pub(super) fn renew(&self, id: Uuid) -> Result<(), FilesError> {
        let path = self.path_of(id);
        let same = fs::metadata(&path).map(|metadata| metadata.permissions());
        let renewed = same.and_then(|same| fs::set_permissions(&path, same));
        renewed.map_err(|error| self.failed(&error))
    }

    /// Writes bytes that get their name by [`Directory::name`].
    pub(super) fn write(
        &self,
        id: Uuid,
        from: &mut dyn io::Read,
        expected: (&str, &Expected),
    ) -> Result<(Sum, Unnamed), FilesError> {
        let failed = |error: &io::Error| self.failed(error);
        let path = self.path_of(id);
        let mut part = self.begin(&path).map_err(|error| failed(&error))?;
        let sum = pass(from, expected, |bytes| write(part.as_file_mut(), bytes, failed))?;
        readable(part.as_file()).map_err(|error| failed(&error))?;
        let is_synced = sum.size >= LARGE;
        if is_synced {
            part.as_file().sync_all().map_err(|error| failed(&error))?;
        }
        Ok((sum, Unnamed { part: part.into_temp_path(), path, is_synced }))
    }

    /// Gives what was written its names, once all of it is on the disk; the names are, too, when
    /// this has ended.
    pub(super) fn name(&self, written: Vec<Unnamed>) -> Result<(), FilesError> {
        self.try_to_name(written).map_err(|error| self.failed(&error))
    }

    fn try_to_name(&self, written: Vec<Unnamed>) -> io::Result<()> {
        let at_once = written.len() >= MANY && sync_all(&self.root)?;
        if !at_once {
            for unnamed in written.iter().filter(|unnamed| !unnamed.is_synced) {
                sync(&unnamed.part)?;
            }
        }
        let mut folders = BTreeSet::new();
        for Unnamed { part, path, .. } in written {
            part.persist(&path).map_err(|error| error.error)?;
            if !at_once {
                folders.extend(self.folders_of(&path).map(Path::to_owned));
            }
        }
        if at_once {
            sync_all(&self.root)?;
        }
        folders.iter().try_for_each(|folder| sync(folder))
    }

    pub(super) fn link(&self, id: Uuid, from: &Path) -> Result<(), FilesError> {
        let path = self.path_of(id);
        let failed = |error: &io::Error| self.failed(error);
        let folder = self.folder_of(&path).map_err(|error| failed(&error))?;
        match fs::hard_link(from, &path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.link_over(from, &path, &folder)?;
            }
            Err(error) => return Err(self.unlinked(from, &error)),
        }
        self.folders_of(&path).try_for_each(sync).map_err(|error| failed(&error))
    }

    // What lies there already may be anything: it is replaced, unless it is the file itself.
    fn link_over(&self, from: &Path, path: &Path, folder: &Path) -> Result<(), FilesError> {
        if is_same(from, path) {
            return Ok(());
        }
        let part = folder.join(format!("data.{}{PART}", Uuid::new_v4().simple()));
        fs::hard_link(from, &part).map_err(|error| self.unlinked(from, &error))?;
        fs::rename(&part, path).map_err(|error| {
            // It is there no more when it was renamed; else `sweep` finds it.
            let _removed = fs::remove_file(&part);
            self.failed(&error)
        })
    }

    fn unlinked(&self, from: &Path, error: &io::Error) -> FilesError {
        if is_full(error) {
            return self.failed(error);
        }
        FilesError::Link {
            path: from.display().to_string(),
            uri: self.root.display().to_string(),
            message: error.to_string(),
        }
    }

    // A part beside its place; it is removed when it is dropped, unless it got its name.
    fn begin(&self, path: &Path) -> io::Result<tempfile::NamedTempFile> {
        let mut tries = 0;
        loop {
            let begun = self.folder_of(path).and_then(|folder| {
                let builder = &mut tempfile::Builder::new();
                builder.prefix("data.").suffix(PART).tempfile_in(&folder)
            });
            match begun {
                // Somebody has swept the empty folders away.
                Err(error) if error.kind() == io::ErrorKind::NotFound && tries < 3 => tries += 1,
                begun => return begun,
            }
        }
    }

    // The folder of a file, made with those above it.
    fn folder_of(&self, path: &Path) -> io::Result<PathBuf> {
        let folder = path.parent().unwrap_or(&self.root).to_owned();
        fs::metadata(&self.root)?;
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    // Those that may be new, and the root, which has the name of the uppermost.
    fn folders_of<'p>(&'p self, path: &'p Path) -> impl Iterator<Item = &'p Path> {
        path.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.root))
    }

    fn unreadable(&self, path: &Path, error: &io::Error) -> FilesError {
        let message = format!("cannot read {}: {error}", path.display());
        FilesError::Location { uri: self.root.display().to_string(), message }
    }

    fn failed(&self, error: &io::Error) -> FilesError {
        let (uri, message) = (self.root.display().to_string(), error.to_string());
        match is_full(error) {
            true => FilesError::Full { uri, message },
            false => FilesError::Write { uri, message },
        }
    }

    pub(super) fn walk<E: From<FilesError>>(
        &self,
        mut see: impl FnMut(Vec<Found>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut page = Vec::new();
        let mut folders = vec![(self.root.clone(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            let unreadable = |error: io::Error| broken(&folder.display().to_string(), &error);
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                // Gone since it was seen.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(unreadable(error).into()),
            };
            for entry in entries {
                let entry = entry.map_err(unreadable)?;
                let name = entry.file_name();
                let name = name.to_string_lossy();
                let kind = entry.file_type().map_err(unreadable)?;
                // What does not look like windrow's or Invenio's is nobody's business here.
                if kind.is_dir() && depth < 3 && is_fan(&name, depth) {
                    folders.push((entry.path(), depth + 1));
                } else if kind.is_file() && depth == 3 {
                    let is_part = name.starts_with("data.") && name.ends_with(PART);
                    if is_part || name == "data" {
                        page.extend(found(&entry.path(), is_part));
                    }
                }
            }
            if page.len() >= PAGE {
                see(std::mem::take(&mut page))?;
            }
        }
        see(page)
    }

    pub(super) fn remove(&self, found: &Found) -> Result<(), FilesError> {
        let path = local(&found.uri);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(self.failed(&error));
            }
            _ => {}
        }
        // Folders that are empty now; one that is not stays.
        let mut folder = path.parent();
        while let Some(empty) = folder.filter(|folder| *folder != self.root) {
            if fs::remove_dir(empty).is_err() {
                break;
            }
            folder = empty.parent();
        }
        Ok(())
    }
}

/// Opens a file that is kept.
pub(super) fn read(path: &Path) -> Result<Bytes, FilesError> {
    let name = path.display().to_string();
    match File::open(path) {
        Ok(file) => Ok(Box::new(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(FilesError::Missing(name)),
        Err(error) => Err(broken(&name, &error)),
    }
}

fn found(path: &Path, is_part: bool) -> Option<Found> {
    // Gone since it was listed, then.
    let metadata = fs::metadata(path).ok()?;
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let modified = modified.max(changed(&metadata));
    Some(Found { uri: path.display().to_string(), size: metadata.len(), modified, is_part })
}

/// When a file got its name, content or time last: what is linked here has the time of its source.
#[cfg(unix)]
fn changed(metadata: &fs::Metadata) -> SystemTime {
    use std::os::unix::fs::MetadataExt;
    let seconds = u64::try_from(metadata.ctime()).unwrap_or(0);
    let nanos = u32::try_from(metadata.ctime_nsec()).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos)
}

#[cfg(not(unix))]
fn changed(_: &fs::Metadata) -> SystemTime {
    SystemTime::UNIX_EPOCH
}

/// Whether two names lead to one file.
#[cfg(unix)]
fn is_same(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |path| fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    let one = identity(one);
    one.is_some() && one == identity(other)
}

// Elsewhere it is linked once more.
#[cfg(not(unix))]
fn is_same(_: &Path, _: &Path) -> bool {
    false
}

/// Two characters of a UUID twice, then the rest of it.
fn is_fan(name: &str, depth: usize) -> bool {
    let length = if depth < 2 { 2 } else { 32 };
    let is_hex = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    name.len() == length && name.bytes().all(is_hex)
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Invenio may run as somebody else: what only its maker may read is of no use to it.
#[cfg(unix)]
fn readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_: &File) -> io::Result<()> {
    Ok(())
}
