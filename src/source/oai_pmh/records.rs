//! The records of a journal: of each file of pages, each record once.

use std::path::{Path, PathBuf};

use super::HarvestError;
use super::journal::{Entry, Pages};
use super::seen::Seen;
use crate::formats::Policy;
use crate::oai::page::{Page, PageRecord};
use crate::record::Datestamp;
use crate::xml::Options;

/// Reads one file of a journal from its beginning to its end.
///
/// A record that comes twice as it was is given once. One that is broken in its list and was had
/// alone is given as it was had. One that broke off with its page is not given: the harvest knows
/// of it, and asks again.
#[derive(Debug)]
pub struct JournalRecords {
    path: PathBuf,
    pages: Pages,
    policy: Policy,
    /// The records of the page at hand that are still to come.
    waiting: std::vec::IntoIter<PageRecord>,
    /// When that page was given.
    harvested: Option<Datestamp>,
    /// A page that was looked at already.
    ahead: Option<(Entry, Page)>,
    seen: Seen,
}

impl JournalRecords {
    /// Opens the file of pages at `path`.
    ///
    /// # Errors
    /// [`HarvestError::Journal`] when it cannot be opened.
    pub fn open(path: &Path, policy: Policy) -> Result<JournalRecords, HarvestError> {
        Ok(JournalRecords {
            path: path.to_owned(),
            pages: Pages::open(path)?,
            policy,
            waiting: Vec::new().into_iter(),
            harvested: None,
            ahead: None,
            seen: Seen::default(),
        })
    }

    /// Bytes taken from the file so far.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.pages.bytes_read()
    }

    /// When the record that was given last had come: the responseDate of its page, or the moment at
    /// which that had come.
    #[must_use]
    pub fn harvested(&self) -> Option<Datestamp> {
        self.harvested
    }

    /// What has come so far.
    #[must_use]
    pub fn into_seen(self) -> Seen {
        self.seen
    }

    /// The next record, broken ones with their damage; `None` at the end of the file.
    ///
    /// # Errors
    /// [`HarvestError::Journal`] when a page cannot be read.
    pub fn next_record(&mut self) -> Result<Option<PageRecord>, HarvestError> {
        loop {
            for mut record in self.waiting.by_ref() {
                hold_to(self.policy, &mut record);
                if record.damage.is_some() || self.seen.is_new(&record) {
                    return Ok(Some(record));
                }
            }
            let Some((entry, page)) = self.take_page()? else { return Ok(None) };
            self.harvested = entry.moment();
            let mut records = page.records;
            if entry.cut_short {
                records.retain(|record| record.damage.is_none());
            }
            // What was asked for alone stands behind the list in which it is broken.
            while let Some((entry, page)) = self.take_page()? {
                if !entry.is_of_one_record() {
                    self.ahead = Some((entry, page));
                    break;
                }
                for whole in page.records.into_iter().filter(|record| record.damage.is_none()) {
                    let broken = records.iter_mut().find(|record| {
                        record.damage.is_some() && record.identifier == whole.identifier
                    });
                    match broken {
                        Some(broken) => *broken = whole,
                        None => records.push(whole),
                    }
                }
            }
            self.waiting = records.into_iter();
        }
    }

    fn take_page(&mut self) -> Result<Option<(Entry, Page)>, HarvestError> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(Some(ahead));
        }
        let failed = |reason: String| HarvestError::Journal { path: self.path.clone(), reason };
        let next = self.pages.next_page().map_err(|error| failed(error.to_string()))?;
        let Some((entry, body)) = next else { return Ok(None) };
        let options = Options { repair: self.policy == Policy::Repair };
        let page = Page::read(&body, entry.charset(), options);
        let page = page.map_err(|error| failed(error.to_string()))?;
        Ok(Some((entry, page)))
    }
}

/// Makes whatever is odd about a record a damage, if the policy is strict.
pub(super) fn hold_to(policy: Policy, record: &mut PageRecord) {
    if policy == Policy::Strict
        && let (None, Some(warning)) = (&record.damage, record.warnings.first())
    {
        record.damage = Some((warning.code, warning.message.clone()));
    }
}
