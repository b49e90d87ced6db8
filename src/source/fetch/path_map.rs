//! Paths of another host, and the folders and archives of this one that hold what was there.

use std::cmp::Reverse;
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

use super::archive::{Archive, is_archive};
use super::{FetchError, Opened};

/// Which folder or archive of this host stands for which folder of the other.
#[derive(Default)]
pub struct PathMap {
    /// The longest prefix first.
    entries: Vec<Entry>,
}

struct Entry {
    prefix: String,
    target: Target,
}

enum Target {
    /// A folder, without any symbolic link in its path.
    Folder(PathBuf),
    Archive(Archive),
}

impl PathMap {
    /// Adds a folder of the other host and the folder, or the tar or zip archive, that stands for
    /// it here.
    ///
    /// # Errors
    /// A sentence, when that is not there or cannot be read.
    pub fn add(&mut self, prefix: &str, target: &Path) -> Result<(), String> {
        let failed = |error: io::Error| format!("{}: {error}", target.display());
        let metadata = fs::metadata(target).map_err(failed)?;
        let target = if metadata.is_dir() {
            Target::Folder(fs::canonicalize(target).map_err(failed)?)
        } else if is_archive(target).map_err(failed)? {
            Target::Archive(Archive::open(target).map_err(failed)?)
        } else {
            let expected = "expected a folder, a tar archive that is not packed, or a zip archive";
            return Err(format!("{} is none: {expected}", target.display()));
        };
        let prefix = prefix.trim_end_matches('/').to_owned();
        self.entries.push(Entry { prefix, target });
        self.entries.sort_by_key(|entry| Reverse(entry.prefix.len()));
        Ok(())
    }

    /// Opens the file that a path of the other host names.
    ///
    /// # Errors
    /// [`FetchError`]
    pub fn open(&self, path: &str) -> Result<Opened, FetchError> {
        let found = self.entries.iter().find_map(|entry| {
            let rest = path.strip_prefix(entry.prefix.as_str())?;
            // `/old/data` is no prefix of `/old/database`.
            (rest.is_empty() || rest.starts_with('/')).then_some((entry, rest))
        });
        let (entry, rest) = found.ok_or_else(|| FetchError::Unmapped(path.to_owned()))?;
        let folder = match &entry.target {
            Target::Folder(folder) => folder.display().to_string(),
            Target::Archive(archive) => archive.name().to_owned(),
        };
        let rest = within(rest)
            .ok_or_else(|| FetchError::Escape { path: path.to_owned(), folder: folder.clone() })?;
        match &entry.target {
            Target::Folder(folder) => open(folder, &rest),
            Target::Archive(archive) => archive.member(&rest),
        }
    }
}

/// The rest of a path below its folder; `None` when it climbs.
fn within(rest: &str) -> Option<PathBuf> {
    let mut inner = PathBuf::new();
    for component in Path::new(rest.trim_start_matches('/')).components() {
        match component {
            Component::Normal(part) => inner.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(inner)
}

fn open(folder: &Path, inner: &Path) -> Result<Opened, FetchError> {
    let path = folder.join(inner);
    let what = path.display().to_string();
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FetchError::Missing(what.clone()),
        _ => FetchError::Read { what: what.clone(), message: error.to_string(), passing: false },
    };
    // Symbolic links may lead about within the folder, and not out of it.
    let path = fs::canonicalize(&path).map_err(failed)?;
    if !path.starts_with(folder) {
        let (path, folder) = (what, folder.display().to_string());
        return Err(FetchError::Escape { path, folder });
    }
    // Before it is opened: opening a pipe waits for somebody who writes.
    if !fs::metadata(&path).map_err(failed)?.is_file() {
        return Err(FetchError::NoFile(what));
    }
    let file = File::open(&path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    Ok(Opened { bytes: Box::new(file), size: Some(size), path: Some(path) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_climbs_is_not_within() {
        assert_eq!(within("/a/./b"), Some(PathBuf::from("a/b")));
        assert_eq!(within("//a"), Some(PathBuf::from("a")));
        for climbing in ["/..", "/a/../b", "/a/.."] {
            assert_eq!(within(climbing), None, "{climbing}");
        }
    }
}
