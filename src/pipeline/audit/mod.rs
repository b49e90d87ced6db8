//! A source compared with what the store holds of it, record by record: whether all has arrived.
//!
//! Records are read, mapped and checked as a run does it, and nothing is written. What the source
//! has is either in the store as it came, or held in the quarantine under its place, or it is told.

mod access;
mod files;
mod held;
mod records;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::{StreamExt, TryStreamExt};
use serde::Serialize;

use super::definition::Definition;
use super::engine::{self, Options, Progress, RunError};
use crate::record::{Clock, Locator, Rejection, content_hash};
use crate::store::{Brings, LoadRecord, Quarantined, Store, StoreError};
use held::Held;

/// So many records are compared at once.
const AT_ONCE: usize = 8;

/// Of one record so many differences are told.
const PER_RECORD: usize = 20;

/// Of records that only the store has, so many are named.
const NAMED: usize = 20;

/// How a source and the store compare.
#[derive(Debug, Default, Serialize)]
pub struct Audit {
    /// The pipeline's name.
    pub pipeline: String,
    /// Records and other items of the source.
    pub read: u64,
    /// Those of which everything is in the store as it came.
    pub equal: u64,
    /// Those that are held in the quarantine, wholly or in part; the rest of them is as it came.
    pub held: u64,
    /// Those of which something is not as it came, or missing.
    pub different: u64,
    /// Earlier places of records that stand in the source again, in other words.
    pub repeated: u64,
    /// Of the equal ones, those that were changed in the store after that.
    pub changed_later: u64,
    /// Records that a later revision in the store has opened to more readers: a later dump may have
    /// said so.
    pub opened_later: u64,
    /// The first of them.
    pub opened_later_first: Vec<String>,
    /// What they consist of, by kind.
    pub kinds: BTreeMap<String, KindAudit>,
    /// Whether files were compared: the pipeline has `files:`.
    pub files_compared: bool,
    /// Records that differ, in the order of the source; at most as many as were asked for.
    pub differing: Vec<Differing>,
    /// Live records of this source in the store that were not met.
    pub only_in_store: u64,
    /// The first of them.
    pub only_in_store_first: Vec<String>,
}

impl Audit {
    /// Whether everything has arrived, or is held.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.different == 0
    }
}

/// How the parts of one kind compare.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct KindAudit {
    /// As they came.
    pub equal: u64,
    /// In the quarantine.
    pub held: u64,
    /// Something else, or missing.
    pub different: u64,
    /// Not in the store, and the pipeline says that such are left out.
    pub skipped: u64,
}

/// A record that is not in the store as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Differing {
    /// Its identifier in the source, if it could be read.
    pub record: String,
    /// Where it stands.
    pub place: String,
    /// What is different; the first of them, when there are many.
    pub differences: Vec<Difference>,
}

/// One thing that is not as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `record`, `revision 3`, `file a.pdf version 1`, `PID doi:10.1/a`, a thing.
    pub part: String,
    /// What is wrong with it.
    pub what: String,
}

/// Compares the files of a pipeline with the store; of records that differ, `most` are listed.
///
/// # Errors
/// [`RunError`] when the source cannot be read or the store not be asked.
pub async fn audit(
    definition: Definition,
    store: Arc<dyn Store>,
    most: usize,
    clock: Clock,
    progress: Arc<Progress>,
) -> Result<Audit, RunError> {
    let definition = Arc::new(definition);
    let held = Held::of(&*store, &definition.source_name).await?;
    let state = Mutex::new(State::default());
    let auditor =
        Arc::new(Auditor { definition: Arc::clone(&definition), store, held, most, state });
    let options = Options { auditor: Some(Arc::clone(&auditor)), ..Options::new(None, clock) };
    engine::run(definition, options, progress).await?;
    Ok(auditor.end().await?)
}

/// Compares records as they come out of a pipeline.
pub struct Auditor {
    definition: Arc<Definition>,
    store: Arc<dyn Store>,
    held: Held,
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    audit: Audit,
    /// Of all records that were met, a hash of their identifier.
    met: HashSet<u64>,
    /// Of those that differ, too, listed or not.
    differing: HashSet<u64>,
}

/// What came of one item.
#[derive(Debug, Default)]
struct Found {
    kinds: BTreeMap<String, KindAudit>,
    differences: Vec<Difference>,
    changed_later: bool,
    /// Something of it is in the quarantine.
    is_held: bool,
    /// A later revision in the store lets in more readers.
    opened_later: Option<String>,
    /// Its source keeps no history: what it says later of the record counts.
    is_last_word: bool,
}

impl Found {
    fn kind(&mut self, kind: &str) -> &mut KindAudit {
        self.kinds.entry(kind.to_owned()).or_default()
    }

    fn differ(&mut self, part: impl Into<String>, what: impl Into<String>) {
        self.differences.push(Difference { part: part.into(), what: what.into() });
    }

    /// What differs is held.
    fn forgive(&mut self) {
        self.differences.clear();
        self.is_held = true;
        for counts in self.kinds.values_mut() {
            counts.held += std::mem::take(&mut counts.different);
        }
    }

    /// Counts a part of a kind: equal when nothing was found.
    fn tell(&mut self, kind: &str, part: &str, found: Option<String>) {
        match found {
            None => self.kind(kind).equal += 1,
            Some(what) => {
                self.kind(kind).different += 1;
                self.differ(part, what);
            }
        }
    }
}

impl Auditor {
    /// Compares records that have passed, and looks for those that were rejected.
    pub(super) async fn compare(
        &self,
        records: &[LoadRecord],
        quarantined: &[Quarantined],
    ) -> Result<(), StoreError> {
        let finding: Vec<_> = records.iter().map(|record| self.find(record)).collect();
        let finding = futures_util::stream::iter(finding).buffered(AT_ONCE);
        let founds: Vec<Found> = finding.try_collect().await?;
        let passed = records.iter().zip(founds).map(|(record, mut found)| {
            let LoadRecord { source_id, locator, .. } = record;
            found.is_last_word = record.history.is_none() && record.brings == Brings::Revision;
            (source_id.as_str(), locator, found)
        });
        let rejected = quarantined.iter().map(|held| self.look_for(&held.rejection));
        let mut all: Vec<(&str, &Locator, Found)> = passed.chain(rejected).collect();
        all.sort_by_key(|(_, locator, _)| locator.number);
        let mut state = self.state();
        for (name, locator, found) in all {
            state.take(name, locator, found, self.most);
        }
        Ok(())
    }

    /// What the pipeline rejects has to be in the quarantine.
    fn look_for<'r>(&self, rejection: &'r Rejection) -> (&'r str, &'r Locator, Found) {
        let Rejection { code, message, locator, .. } = rejection;
        let mut found = Found { is_held: self.held.has(locator), ..Found::default() };
        if !found.is_held {
            let why = format!("{code}: {message}");
            let what = format!("the pipeline rejects it ({why}), and it is not in the quarantine");
            found.differ("record", what);
        }
        (locator.control_number.as_deref().unwrap_or_default(), locator, found)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Counts are never half written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for what only the store has, and gives the result.
    async fn end(&self) -> Result<Audit, StoreError> {
        let State { mut audit, met, .. } = std::mem::take(&mut *self.state());
        audit.pipeline.clone_from(&self.definition.name);
        audit.files_compared = self.definition.file_rules.is_some();
        let mut after = String::new();
        loop {
            let page =
                self.store.live_source_ids(&self.definition.source_name, &after, 1000).await?;
            let Some(last) = page.last() else { return Ok(audit) };
            after.clone_from(last);
            for source_id in page.into_iter().filter(|source_id| !met.contains(&short(source_id))) {
                audit.only_in_store += 1;
                if audit.only_in_store_first.len() < NAMED {
                    audit.only_in_store_first.push(source_id);
                }
            }
        }
    }
}

impl State {
    fn take(&mut self, name: &str, locator: &Locator, mut found: Found, most: usize) {
        let audit = &mut self.audit;
        audit.read += 1;
        for (kind, counts) in std::mem::take(&mut found.kinds) {
            let all = audit.kinds.entry(kind).or_default();
            all.equal += counts.equal;
            all.held += counts.held;
            all.different += counts.different;
            all.skipped += counts.skipped;
        }
        if let Some(what) = found.opened_later.take() {
            audit.opened_later += 1;
            if audit.opened_later_first.len() < NAMED {
                audit.opened_later_first.push(format!("{name}: {what}"));
            }
        }
        let name_hash = short(name);
        // Records come in the order of the source, since a dry run has one lane.
        if found.is_last_word && self.differing.remove(&name_hash) {
            audit.different -= 1;
            audit.repeated += 1;
            audit.differing.retain(|differing| differing.record != name);
        }
        if !name.is_empty() {
            self.met.insert(name_hash);
        }
        if found.differences.is_empty() {
            if found.is_held {
                audit.held += 1;
            } else {
                audit.equal += 1;
                audit.changed_later += u64::from(found.changed_later);
            }
            return;
        }
        audit.different += 1;
        if found.is_last_word {
            self.differing.insert(name_hash);
        }
        if audit.differing.len() < most {
            let more = found.differences.len().saturating_sub(PER_RECORD);
            found.differences.truncate(PER_RECORD);
            if more > 0 {
                found.differ("record", format!("and {more} more"));
            }
            let (record, place) = (name.to_owned(), locator.to_string());
            audit.differing.push(Differing { record, place, differences: found.differences });
        }
    }
}

/// Enough of a hash to tell records from one another.
fn short(name: &str) -> u64 {
    let hash = content_hash(name.as_bytes());
    hash.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
