//! The bytes of files, from where their source says they are: paths of another host, mapped to
//! folders and archives of this one, and URLs.

mod archive;
mod http;
mod path_map;

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

pub use http::{HttpFetcher, UrlRules};
pub use path_map::PathMap;

use crate::record::FilePlace;

/// Bytes as they come.
pub type Bytes = Box<dyn Read + Send>;

/// A file that can be read.
pub struct Opened {
    /// Its bytes.
    pub bytes: Bytes,
    /// How many they are, if that is known before they are read.
    pub size: Option<u64>,
    /// The file of this host, when it is one by itself.
    pub path: Option<PathBuf>,
}

/// Why a file cannot be read; other files may well be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FetchError {
    /// No folder stands for the path.
    #[error("{0} lies in no folder of `path_map`")]
    Unmapped(String),
    /// It is not there.
    #[error("{0} is not there")]
    Missing(String),
    /// The path leads out of its folder.
    #[error("{path} leads out of {folder}")]
    Escape {
        /// The path.
        path: String,
        /// The folder that it should be in.
        folder: String,
    },
    /// A folder, a device or the like.
    #[error("{0} is no file")]
    NoFile(String),
    /// It cannot be read.
    #[error("cannot read {what}: {message}")]
    Read {
        /// The file.
        what: String,
        /// The reason.
        message: String,
        /// It may go better another time.
        passing: bool,
    },
    /// The URL is not to be asked.
    #[error("{url} is not asked: {message}")]
    Refused {
        /// The URL.
        url: String,
        /// Why not.
        message: String,
    },
}

impl FetchError {
    /// A stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            FetchError::Unmapped(_) => "files.unmapped",
            FetchError::Missing(_) => "files.missing",
            FetchError::Escape { .. } => "files.escape",
            FetchError::NoFile(_) => "files.no_file",
            FetchError::Read { .. } => "files.read",
            FetchError::Refused { .. } => "files.url",
        }
    }

    /// Whether it may go better another time.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, FetchError::Read { passing: true, .. })
    }
}

/// Finds the bytes of files.
pub struct Fetcher {
    /// Where the paths of the other host are.
    pub map: Arc<PathMap>,
    /// Whoever asks URLs.
    pub http: HttpFetcher,
}

impl Fetcher {
    /// Opens a file.
    ///
    /// # Errors
    /// [`FetchError`]
    pub fn open(&self, place: &FilePlace) -> Result<Opened, FetchError> {
        match place {
            FilePlace::Path(path) => self.map.open(path),
            FilePlace::Url(url) => self.http.open(url),
        }
    }

    /// Whether a file is there, and how large it is, if that can be told without reading it.
    ///
    /// # Errors
    /// [`FetchError`]
    pub fn look(&self, place: &FilePlace) -> Result<Option<u64>, FetchError> {
        match place {
            FilePlace::Path(path) => self.map.open(path).map(|opened| opened.size),
            FilePlace::Url(url) => self.http.look(url),
        }
    }
}

/// A place as messages name it.
#[must_use]
pub fn name_of(place: &FilePlace) -> &str {
    match place {
        FilePlace::Path(name) | FilePlace::Url(name) => name,
    }
}
