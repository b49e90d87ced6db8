//! Which pipelines this process runs: for each a locked file beside the store.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Executor};

use crate::store::StoreError;

/// Empty databases that are locked and never written: the system lets go of the lock when the
/// process ends, however it ends. The file stays, since who removes it may remove another's.
pub(super) struct Running {
    store: PathBuf,
    locks: HashMap<String, SqliteConnection>,
}

impl Running {
    /// No pipeline yet.
    pub(super) fn new(store: &Path) -> Running {
        Running { store: store.to_owned(), locks: HashMap::new() }
    }

    /// Locks a pipeline, unless this process has it already.
    ///
    /// # Errors
    /// [`StoreError::Running`] when another process has it.
    pub(super) async fn begin(&mut self, pipeline: &str) -> Result<(), StoreError> {
        if self.locks.contains_key(pipeline) {
            return Ok(());
        }
        let hash = Sha256::digest(pipeline);
        let hash = hash.first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        let mut path = self.store.as_os_str().to_owned();
        path.push(format!("-run-{hash:08x}"));
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .busy_timeout(Duration::ZERO)
            .disable_statement_logging();
        let mut connection = options.connect().await?;
        match connection.execute("begin exclusive").await.map_err(StoreError::from) {
            Ok(_) => {
                self.locks.insert(pipeline.to_owned(), connection);
                Ok(())
            }
            Err(StoreError::Contended(_)) => Err(StoreError::Running(pipeline.to_owned())),
            Err(error) => Err(error),
        }
    }

    /// Lets go of a pipeline.
    pub(super) async fn end(&mut self, pipeline: &str) {
        if let Some(connection) = self.locks.remove(pipeline) {
            // However that goes, the lock goes with the connection.
            let _closed = connection.close().await;
        }
    }
}
