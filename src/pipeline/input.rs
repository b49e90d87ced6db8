//! What a split is read from: a file of the pipeline's, or what is held of one.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::definition::Definition;
use super::engine::RunError;
use crate::source::{HeldFile, QuarantineReader, RecordReader, SourceError, fingerprint};
use crate::store::Store;

/// What a split is read from.
#[derive(Clone)]
pub(super) enum Input {
    /// A file, and the name that messages use.
    File(PathBuf, String),
    /// What is held of a file.
    Held(HeldFile),
}

impl Input {
    /// The split's name.
    pub(super) fn name(&self) -> String {
        match self {
            Input::File(_, name) => name.clone(),
            Input::Held(held) => format!("{} (quarantine)", held.file),
        }
    }

    /// What tells whether it is still the same.
    pub(super) fn fingerprint(&self) -> Result<String, SourceError> {
        match self {
            Input::File(path, _) => fingerprint(path),
            Input::Held(_) => Ok("quarantine".to_owned()),
        }
    }

    /// In bytes, as far as it is known.
    pub(super) fn size(&self) -> u64 {
        match self {
            Input::File(path, _) => std::fs::metadata(path).map_or(0, |metadata| metadata.len()),
            Input::Held(_) => 0,
        }
    }

    /// Begins to read, on a thread that may block.
    pub(super) fn open(
        &self,
        definition: &Definition,
        store: Option<&Arc<dyn Store>>,
        runtime: &Handle,
    ) -> Result<RecordReader, RunError> {
        match (self, store) {
            (Input::File(path, name), _) => Ok(definition.open(path, name)?),
            (Input::Held(held), Some(store)) => {
                let (store, runtime) = (Arc::clone(store), runtime.clone());
                let reader = QuarantineReader::new(store, runtime, held.clone());
                Ok(RecordReader::Quarantine(Box::new(reader)))
            }
            (Input::Held(held), None) => {
                Err(RunError::Broken(format!("no store to read the quarantine of {}", held.file)))
            }
        }
    }
}
