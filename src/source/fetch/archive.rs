//! Members of tar and zip archives, read by name and side by side.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::{FetchError, Opened};
use crate::source::budget::{Budget, Taken};
use crate::source::tar::looks_like_tar;
use crate::source::zip::{Listed, looks_like_zip, member, members};

/// As much as a tar header.
const HEAD_BYTES: u64 = 512;

/// An archive whose members are known.
pub(super) struct Archive {
    name: String,
    file: Arc<Mutex<File>>,
    members: Members,
}

enum Members {
    /// Where the bytes of each member begin, and how many they are.
    Tar(HashMap<String, (u64, u64)>),
    Zip(HashMap<String, Listed>),
}

/// Whether a file is an archive whose members can be read by name.
pub(super) fn is_archive(path: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(looks_like_tar(&head) || looks_like_zip(&head))
}

impl Archive {
    /// Reads the names of the members.
    pub(super) fn open(path: &Path) -> io::Result<Archive> {
        let mut head = Vec::new();
        File::open(path)?.take(HEAD_BYTES).read_to_end(&mut head)?;
        let file = File::open(path)?;
        let members = if looks_like_zip(&head) {
            let listed = members(At::of(&file)?)?;
            Members::Zip(listed.into_iter().map(|one| (plain(one.name()), one)).collect())
        } else {
            let mut found = HashMap::new();
            for entry in tar::Archive::new(&file).entries_with_seek()? {
                let entry = entry?;
                if entry.header().entry_type().is_file() {
                    let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
                    found.insert(plain(&name), (entry.raw_file_position(), entry.size()));
                }
            }
            Members::Tar(found)
        };
        let name = path.display().to_string();
        Ok(Archive { name, file: Arc::new(Mutex::new(file)), members })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn member(&self, inner: &Path) -> Result<Opened, FetchError> {
        let key = inner.to_string_lossy();
        let what = format!("{}!{key}", self.name);
        let missing = || FetchError::Missing(what.clone());
        let mut file = At { file: Arc::clone(&self.file), at: 0 };
        match &self.members {
            Members::Tar(members) => {
                let (begin, size) = members.get(&*key).copied().ok_or_else(missing)?;
                file.at = begin;
                let bytes = Box::new(file.take(size));
                Ok(Opened { bytes, size: Some(size), path: None })
            }
            Members::Zip(members) => {
                let listed = members.get(&*key).ok_or_else(missing)?;
                let length = file.seek(SeekFrom::End(0)).unwrap_or(0);
                let failed = |error: io::Error| FetchError::Read {
                    what: what.clone(),
                    message: error.to_string(),
                    passing: false,
                };
                let budget = Budget::new(length);
                let file = Taken(file, budget.clone());
                let bytes = member(file, listed, budget).map_err(failed)?;
                Ok(Opened { bytes, size: Some(listed.size()), path: None })
            }
        }
    }
}

/// A name in an archive as a path below a folder.
fn plain(name: &str) -> String {
    name.trim_start_matches("./").trim_start_matches('/').to_owned()
}

/// A file that several read, each at a place of its own.
#[derive(Clone)]
struct At {
    file: Arc<Mutex<File>>,
    at: u64,
}

impl At {
    fn of(file: &File) -> io::Result<At> {
        Ok(At { file: Arc::new(Mutex::new(file.try_clone()?)), at: 0 })
    }
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.at))?;
        let length = file.read(buffer)?;
        self.at += length as u64;
        Ok(length)
    }
}

impl Seek for At {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let SeekFrom::Current(_) = to {
            file.seek(SeekFrom::Start(self.at))?;
        }
        self.at = file.seek(to)?;
        Ok(self.at)
    }
}
