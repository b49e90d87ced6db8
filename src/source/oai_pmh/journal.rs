//! The journal of a harvest: every page as it came, on disk before its token is followed.
//!
//! A journal is a folder for one list (endpoint, prefix, set). `state.json` says which windows
//! are open and where the next harvest begins; each run has a file `pages-NNNNNN.zst`, to which
//! pages are only ever appended: a skippable frame with the [`Entry`] as JSON, then a frame with
//! the page's bytes. So `zstd -dc` gives the pages, and who reads entries need not unpack pages.
//! <https://www.rfc-editor.org/rfc/rfc8878#section-3.1.2>

use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::HarvestError;
use super::client::Reply;
use super::window::Window;
use crate::record::Datestamp;

/// The layout of the folder; another one gets another number.
const VERSION: u32 = 1;
/// The magic number of a skippable frame.
const SKIPPABLE: u32 = 0x184D_2A50;
/// An entry is smaller.
const MAX_ENTRY_BYTES: u32 = 1024 * 1024;
/// A page of XML is packed to a tenth at this level, at 400 MB/s.
const LEVEL: i32 = 1;

/// What is known of a page beside its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Entry {
    /// The window it belongs to: an id of [`State::windows`].
    pub window: u64,
    /// The arguments it was asked for with.
    pub arguments: Vec<(String, String)>,
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`
    pub content_type: Option<String>,
    /// `Date` of the server.
    pub date: Option<String>,
    /// When it had come in, RFC 3339.
    pub received: String,
    /// responseDate, in seconds since 1970.
    pub response_date: Option<i64>,
    /// The token that it ends with: empty at the end of a list, `None` without the element.
    pub token: Option<String>,
    /// completeListSize of that token.
    #[serde(default)]
    pub complete_list_size: Option<u64>,
    /// Its records, tombstones and broken ones included.
    pub records: u64,
    /// It breaks off, and came no better when asked for again.
    pub cut_short: bool,
    /// Bytes of the frame that follows.
    pub stored: u64,
}

impl Entry {
    /// What an answer of HTTP says of itself.
    #[must_use]
    pub fn of(reply: &Reply) -> Entry {
        Entry {
            status: reply.status,
            content_type: reply.content_type.clone(),
            date: reply.date.clone(),
            received: reply.received.to_string(),
            ..Entry::default()
        }
    }

    /// Whether it is no page of the list, but a record that was asked for alone.
    #[must_use]
    pub fn is_of_one_record(&self) -> bool {
        self.arguments.iter().any(|(name, value)| name == "verb" && value == "GetRecord")
    }

    /// Whether it is the first page of a list, which was asked for without a token.
    #[must_use]
    pub fn begins_list(&self) -> bool {
        !self.arguments.iter().any(|(name, _)| name == "resumptionToken")
    }

    /// Its responseDate, or else when it had come in.
    #[must_use]
    pub fn moment(&self) -> Option<Datestamp> {
        let received = || Some(self.received.parse::<Timestamp>().ok()?.as_second());
        self.response_date.or_else(received).map(Datestamp::from_second)
    }

    /// The encoding that HTTP named.
    #[must_use]
    pub fn charset(&self) -> Option<&str> {
        self.content_type.as_deref().and_then(super::asking::charset)
    }
}

/// How far a window has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Not at its end.
    Open,
    /// At its end, by the rules of the protocol.
    Complete,
    /// Replaced by narrower windows.
    Split,
}

/// A window of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalWindow {
    /// Its number in this journal.
    pub id: u64,
    /// What it asks for.
    #[serde(flatten)]
    pub window: Window,
    /// How far it has come.
    pub standing: Standing,
    /// Why it is still open, if it was tried.
    pub reason: Option<String>,
    /// It is asked for set by set, and open until that is proven to be all.
    #[serde(default)]
    pub by_set: bool,
}

/// What a journal knows beside its pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    version: u32,
    /// The endpoint.
    pub url: String,
    /// metadataPrefix
    pub prefix: String,
    /// The set that the list is confined to.
    pub set: Option<String>,
    /// The number of the latest run; 0 before the first.
    pub run: u64,
    /// Whether that run has not come to its end.
    pub running: bool,
    /// The latest run whose pages are loaded, with all before it.
    #[serde(default)]
    pub loaded: u64,
    /// The earliest responseDate of that run, in seconds since 1970.
    #[serde(default)]
    pub begun: Option<i64>,
    /// When its identifiers were last compared with what is here, in seconds since 1970.
    #[serde(default)]
    pub reconciled: Option<i64>,
    /// Where the next run begins, in seconds since 1970.
    pub next_from: Option<i64>,
    /// The windows that are open, and all windows of the latest run.
    pub windows: Vec<JournalWindow>,
}

/// A folder that is being written to; nobody else may meanwhile.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    /// What it knows.
    pub state: State,
    pages: Option<File>,
    _lock: File,
}

impl Journal {
    /// Opens the journal in `folder`, and makes it when there is none.
    ///
    /// # Errors
    /// [`HarvestError::Journal`] when it cannot be read or written, belongs to another list, or
    /// was written by a newer windrow; [`HarvestError::Busy`] when another process writes to it.
    pub fn open(
        folder: &Path,
        url: &str,
        prefix: &str,
        set: Option<&str>,
    ) -> Result<Journal, HarvestError> {
        let failed = failed(folder);
        std::fs::create_dir_all(folder).map_err(|error| failed(&error))?;
        let lock = File::create(folder.join("lock")).map_err(|error| failed(&error))?;
        if lock.try_lock().is_err() {
            return Err(HarvestError::Busy(folder.to_owned()));
        }
        let state = match State::read(folder)? {
            None => State {
                version: VERSION,
                url: url.to_owned(),
                prefix: prefix.to_owned(),
                set: set.map(str::to_owned),
                run: 0,
                running: false,
                loaded: 0,
                begun: None,
                reconciled: None,
                next_from: None,
                windows: Vec::new(),
            },
            Some(state) => {
                let same = (state.url.as_str(), state.prefix.as_str(), state.set.as_deref())
                    == (url, prefix, set);
                if !same {
                    let set = state.set.as_deref().map_or(String::new(), |set| format!(" {set}"));
                    let message = format!("it is of {} {}{set}", state.url, state.prefix);
                    return Err(failed(&message));
                }
                state
            }
        };
        Ok(Journal { folder: folder.to_owned(), state, pages: None, _lock: lock })
    }

    /// Puts what [`Journal::state`] is on disk, whole or not at all.
    ///
    /// # Errors
    /// [`HarvestError::Journal`]
    pub fn save(&self) -> Result<(), HarvestError> {
        let failed = failed(&self.folder);
        let json = serde_json::to_vec_pretty(&self.state).map_err(|error| failed(&error))?;
        let write = || -> std::io::Result<()> {
            let new = self.folder.join("state.new");
            let mut file = File::create(&new)?;
            file.write_all(&json)?;
            file.sync_all()?;
            std::fs::rename(&new, self.folder.join("state.json"))?;
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(|error| failed(&error))
    }

    /// Opens the file of the latest run behind its last whole page: what a killed run left
    /// half-written is cut off. Answers the entries that are there.
    ///
    /// # Errors
    /// [`HarvestError::Journal`]
    pub fn resume(&mut self) -> Result<Vec<Entry>, HarvestError> {
        let path = pages_file(&self.folder, self.state.run);
        let failed = failed(&path);
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| failed(&error))?;
        let mut pages = Pages::of(file.try_clone().map_err(|error| failed(&error))?);
        let mut entries = Vec::new();
        while let Some(entry) = pages.next_entry().map_err(|error| failed(&error))? {
            entries.push(entry);
        }
        let end = pages.whole;
        let seek = file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end)));
        seek.map_err(|error| failed(&error))?;
        self.pages = Some(file);
        Ok(entries)
    }

    /// Appends a page; when this returns, it is on disk.
    ///
    /// # Errors
    /// [`HarvestError::Journal`]
    pub fn append(&mut self, mut entry: Entry, body: &[u8]) -> Result<(), HarvestError> {
        let path = pages_file(&self.folder, self.state.run);
        let failed = failed(&path);
        let packed = zstd::bulk::compress(body, LEVEL).map_err(|error| failed(&error))?;
        entry.stored = packed.len() as u64;
        let json = serde_json::to_vec(&entry).map_err(|error| failed(&error))?;
        let length = u32::try_from(json.len()).unwrap_or(u32::MAX);
        if length > MAX_ENTRY_BYTES {
            return Err(failed(&"a token or header is too long to be kept"));
        }
        let mut bytes = Vec::with_capacity(8 + json.len() + packed.len());
        bytes.extend_from_slice(&SKIPPABLE.to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&json);
        bytes.extend_from_slice(&packed);
        let Some(file) = &mut self.pages else { return Err(failed(&"it is not open")) };
        file.write_all(&bytes).and_then(|()| file.sync_data()).map_err(|error| failed(&error))
    }

    /// The file of pages of the latest run.
    #[must_use]
    pub fn pages_file(&self) -> PathBuf {
        pages_file(&self.folder, self.state.run)
    }
}

impl State {
    /// The state of the journal in `folder`; `None` when there is none.
    ///
    /// # Errors
    /// [`HarvestError::Journal`] when it cannot be read, or a newer windrow wrote it.
    pub fn read(folder: &Path) -> Result<Option<State>, HarvestError> {
        let path = folder.join("state.json");
        let failed = failed(&path);
        let json = match std::fs::read(&path) {
            Ok(json) => json,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&error)),
        };
        let state: State = serde_json::from_slice(&json).map_err(|error| failed(&error))?;
        if state.version > VERSION {
            let message = format!("has version {}, this windrow knows {VERSION}", state.version);
            return Err(failed(&message));
        }
        Ok(Some(state))
    }
}

/// The files of pages of a journal, oldest first.
///
/// # Errors
/// [`HarvestError::Journal`] when the folder cannot be read.
pub fn page_files(folder: &Path) -> Result<Vec<PathBuf>, HarvestError> {
    let failed = failed(folder);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| failed(&error))? {
        let path = entry.map_err(|error| failed(&error))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("pages-") && name.ends_with(".zst") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads a file of pages from its beginning; a page that is not whole ends it.
#[derive(Debug)]
pub struct Pages {
    file: BufReader<File>,
    /// Behind the last whole page.
    whole: u64,
    size: u64,
}

impl Pages {
    /// Opens a file of pages.
    ///
    /// # Errors
    /// [`HarvestError::Journal`] when it cannot be opened.
    pub fn open(path: &Path) -> Result<Pages, HarvestError> {
        let file = File::open(path).map_err(|error| failed(path)(&error))?;
        Ok(Pages::of(file))
    }

    /// Bytes of the file that were read.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.whole
    }

    fn of(file: File) -> Pages {
        let size = file.metadata().map_or(0, |metadata| metadata.len());
        Pages { file: BufReader::new(file), whole: 0, size }
    }

    /// The next page with its bytes.
    ///
    /// # Errors
    /// The system's, and data that is no journal.
    pub fn next_page(&mut self) -> std::io::Result<Option<(Entry, Vec<u8>)>> {
        let Some(entry) = self.entry()? else { return Ok(None) };
        let mut packed = vec![0; usize::try_from(entry.stored).unwrap_or(usize::MAX)];
        self.file.read_exact(&mut packed)?;
        self.whole += entry.stored;
        Ok(Some((entry, zstd::decode_all(&*packed)?)))
    }

    fn next_entry(&mut self) -> std::io::Result<Option<Entry>> {
        let Some(entry) = self.entry()? else { return Ok(None) };
        self.whole += entry.stored;
        self.file.seek(SeekFrom::Start(self.whole))?;
        Ok(Some(entry))
    }

    // The entry of a page that is whole; the file stands behind it.
    fn entry(&mut self) -> std::io::Result<Option<Entry>> {
        let mut head = [0; 8];
        if self.size < self.whole + 8 {
            return Ok(None);
        }
        self.file.read_exact(&mut head)?;
        let [m0, m1, m2, m3, l0, l1, l2, l3] = head;
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        let strange = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what);
        // A tail of zeros is what a power failure may leave.
        if head == [0; 8] {
            return Ok(None);
        }
        if u32::from_le_bytes([m0, m1, m2, m3]) != SKIPPABLE || length > MAX_ENTRY_BYTES {
            return Err(strange("no entry of a journal, where one should be"));
        }
        let behind = self.whole + 8 + u64::from(length);
        if self.size < behind {
            return Ok(None);
        }
        let mut json = vec![0; length as usize];
        self.file.read_exact(&mut json)?;
        let entry: Entry = match serde_json::from_slice(&json) {
            Ok(entry) => entry,
            // Of a page that was being written when the power went.
            Err(_) if self.size == behind || json.contains(&0) => return Ok(None),
            Err(error) => return Err(strange(&error.to_string())),
        };
        if self.size < behind + entry.stored {
            return Ok(None);
        }
        self.whole = behind;
        Ok(Some(entry))
    }
}

/// When the first page of a file had come in; `None` without a page.
///
/// # Errors
/// [`HarvestError::Journal`] when it cannot be read.
pub fn first_received(path: &Path) -> Result<Option<Timestamp>, HarvestError> {
    let entry = Pages::open(path)?.next_entry().map_err(|error| failed(path)(&error))?;
    Ok(entry.and_then(|entry| entry.received.parse().ok()))
}

/// The number of the run that a file of pages is of.
#[must_use]
pub fn run_of(file: &Path) -> Option<u64> {
    let name = file.file_name()?.to_str()?;
    name.strip_prefix("pages-")?.strip_suffix(".zst")?.parse().ok()
}

fn pages_file(folder: &Path, run: u64) -> PathBuf {
    folder.join(format!("pages-{run:06}.zst"))
}

fn failed(path: &Path) -> impl Fn(&dyn std::fmt::Display) -> HarvestError + use<> {
    let path = path.to_owned();
    move |reason| HarvestError::Journal { path: path.clone(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(window: u64, token: Option<&str>) -> Entry {
        Entry { window, token: token.map(str::to_owned), records: 1, ..Entry::default() }
    }

    #[test]
    fn what_a_kill_left_half_written_is_cut_off_and_the_rest_stands() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Journal::open(folder.path(), "http://hay.example", "oai_dc", None).unwrap();
        let mut journal = open();
        journal.state.run = 1;
        assert_eq!(journal.resume().unwrap(), []);
        journal.save().unwrap();
        for number in 0..3 {
            let token = format!("t{number}");
            journal.append(entry(7, Some(&token)), format!("<page {number}/>").as_bytes()).unwrap();
        }
        drop(journal);
        let path = folder.path().join("pages-000001.zst");
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(zstd::decode_all(&*whole).unwrap(), b"<page 0/><page 1/><page 2/>");
        let third = whole.len() - (whole.len() - 1) / 3;
        for end in third..=whole.len() {
            std::fs::write(&path, &whole[..end]).unwrap();
            let mut journal = open();
            let entries = journal.resume().unwrap();
            let tokens: Vec<_> = entries.iter().filter_map(|entry| entry.token.clone()).collect();
            let expected: &[&str] =
                if end == whole.len() { &["t0", "t1", "t2"] } else { &["t0", "t1"] };
            assert_eq!(tokens, expected, "{end}");
            journal.append(entry(8, None), b"<last/>").unwrap();
            let mut pages = Pages::open(&journal.pages_file()).unwrap();
            let mut bodies = Vec::new();
            while let Some((_, body)) = pages.next_page().unwrap() {
                bodies.push(String::from_utf8(body).unwrap());
            }
            assert_eq!(bodies.len(), expected.len() + 1);
            assert_eq!(bodies.last().unwrap(), "<last/>");
        }
    }

    #[test]
    fn a_journal_is_of_one_list_and_for_one_writer() {
        let folder = tempfile::tempdir().unwrap();
        let open = |url: &str| Journal::open(folder.path(), url, "oai_dc", Some("a"));
        let journal = open("http://hay.example").unwrap();
        journal.save().unwrap();
        assert!(matches!(open("http://hay.example"), Err(HarvestError::Busy(_))));
        drop(journal);
        let other = open("http://straw.example").unwrap_err().to_string();
        assert!(other.ends_with("it is of http://hay.example oai_dc a"), "{other}");
        assert!(open("http://hay.example").is_ok());
        std::fs::write(folder.path().join("state.json"), "{").unwrap();
        assert!(open("http://hay.example").is_err());
    }
}
