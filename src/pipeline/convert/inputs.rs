//! What records are read from, one file after another.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;

use crate::formats::Format;
use crate::source::{DumpReader, SourceError};

/// What records are read from, one file after another.
pub struct Inputs {
    files: VecDeque<(Option<PathBuf>, String)>,
    format: Option<&'static Format>,
    opened: Option<DumpReader>,
}

impl Inputs {
    /// Of files, each with the name that messages use; without a path it is stdin. The format is
    /// told by their first bytes when it is not given.
    #[must_use]
    pub fn new(files: Vec<(Option<PathBuf>, String)>, format: Option<&'static Format>) -> Inputs {
        Inputs { files: files.into(), format, opened: None }
    }

    /// The format of the first records.
    ///
    /// # Errors
    /// Those of [`DumpReader::open`] about the first file.
    pub fn format(&mut self) -> Result<Option<&'static Format>, SourceError> {
        if self.opened.is_none() {
            self.opened = self.next()?;
        }
        Ok(self.opened.as_ref().map(DumpReader::format))
    }

    pub(in crate::pipeline) fn next(&mut self) -> Result<Option<DumpReader>, SourceError> {
        if let Some(opened) = self.opened.take() {
            return Ok(Some(opened));
        }
        let Some((path, name)) = self.files.pop_front() else { return Ok(None) };
        match path {
            Some(path) => DumpReader::open(&path, &name, self.format),
            None => DumpReader::of_stream(io::stdin(), &name, self.format),
        }
        .map(Some)
    }

    pub(in crate::pipeline) fn total_bytes(&self) -> u64 {
        let paths = self.files.iter().filter_map(|(path, _)| path.as_ref());
        let sizes = paths.filter_map(|path| std::fs::metadata(path).ok());
        let opened = self.opened.as_ref().map_or(0, DumpReader::file_size);
        opened + sizes.map(|metadata| metadata.len()).sum::<u64>()
    }
}
