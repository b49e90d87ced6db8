//! Which pipelines this process runs: for each a locked file beside the store.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::store::StoreError;
use crate::store::claims::Claims;

/// Empty files that are locked: the system lets go of the lock when the process ends, however it
/// ends. A file goes with its run; what a killed one has left goes with the next.
pub(super) struct Running {
    store: PathBuf,
    locks: HashMap<String, (PathBuf, File)>,
    claims: Claims,
}

impl Running {
    /// No pipeline yet.
    pub(super) fn new(store: &Path) -> Running {
        Running { store: store.to_owned(), locks: HashMap::new(), claims: Claims::default() }
    }

    /// Locks a pipeline, unless this process has it already.
    ///
    /// # Errors
    /// [`StoreError::Running`] when another process has it.
    pub(super) fn begin(&mut self, pipeline: &str) -> Result<(), StoreError> {
        if self.locks.contains_key(pipeline) {
            return Ok(());
        }
        let hash = Sha256::digest(pipeline);
        let hash = hash.first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        let mut path = self.store.as_os_str().to_owned();
        path.push(format!("-run-{hash:08x}"));
        let path = PathBuf::from(path);
        let failed = |error: io::Error| {
            StoreError::Failed(format!("cannot lock {}: {error}", path.display()))
        };
        loop {
            let options = File::options().write(true).create(true).truncate(false).open(&path);
            let file = options.map_err(failed)?;
            match file.try_lock() {
                // Its last owner may have removed it between our opening and locking it.
                Ok(()) if is_at(&file, &path) => {
                    self.locks.insert(pipeline.to_owned(), (path, file));
                    return Ok(());
                }
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(StoreError::Running(pipeline.to_owned()));
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
    }

    /// As [`Running::begin`], until it is released.
    pub(super) fn claim(&mut self, pipeline: &str) -> Result<(), StoreError> {
        self.begin(pipeline)?;
        self.claims.add(pipeline);
        Ok(())
    }

    /// Takes a claim back.
    pub(super) fn release(&mut self, pipeline: &str) {
        if self.claims.take(pipeline) {
            self.end(pipeline);
        }
    }

    /// Lets go of a pipeline that nobody claims.
    pub(super) fn end(&mut self, pipeline: &str) {
        if self.claims.has(pipeline) {
            return;
        }
        if let Some((path, file)) = self.locks.remove(pipeline) {
            // While it is locked, so that nobody else has it; if it cannot be, it stays.
            if cfg!(unix) {
                let _removed = fs::remove_file(path);
            }
            drop(file);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.claims = Claims::default();
        for pipeline in self.locks.keys().cloned().collect::<Vec<_>>() {
            self.end(&pipeline);
        }
    }
}

/// Whether the path leads to this file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let here = file.metadata().map(identity).ok();
    here.is_some() && here == fs::metadata(path).map(identity).ok()
}

/// Whether the path leads to this file: nobody removes it here.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}
