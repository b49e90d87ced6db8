//! What an endpoint forgot without a word: its identifiers compared with those that are here.
//!
//! An endpoint whose deletedRecord is not `persistent` may drop a record and never say so. Who is
//! to be deleted is written into the journal as headers, as if the endpoint had sent them: so they
//! are loaded, counted, resumed and replayed as all others are.

use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::harvest::{HarvestSource, Harvests};
use crate::record::Datestamp;
use crate::source::oai_pmh::{
    self, Client, Entry, HarvestError, Journal, Report, Selection, State, identifiers,
};
use crate::store::{Store, StoreError};
use crate::xml::writer::push_text;

/// Identifiers of the store that are looked at together.
const PAGE: u32 = 10_000;
/// Headers of one page of the journal.
const HEADERS: usize = 1000;
/// So many of the missing are named.
const NAMED: usize = 5;

/// `reconcile` and `max_delete` of a source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reconcile {
    /// The time between two comparisons, at least.
    pub every: Duration,
    /// When more are missing, none is deleted.
    pub most: MaxDelete,
}

/// `max_delete`: how many of the live records may go at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxDelete {
    /// So many of a hundred.
    Percent(f64),
    /// So many.
    Records(u64),
}

/// What comparing came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciled {
    /// Identifiers that the endpoint lists as live.
    pub listed: u64,
    /// Records that were live here.
    pub live: u64,
    /// Of these, not listed.
    pub missing: u64,
    /// Of these, there all the same when asked for alone.
    pub still_there: u64,
    /// Of these, deleted here.
    pub deleted: u64,
    /// The first of the missing.
    pub sample: Vec<String>,
    /// Why nothing was deleted although something may be missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

impl Reconciled {
    /// No comparison: nothing was deleted.
    pub(super) fn refused(reason: String) -> Reconciled {
        Reconciled { refused: Some(reason), ..Reconciled::default() }
    }
}

/// Why there is no comparison.
#[derive(Debug, Error)]
pub enum ReconcileError {
    /// The endpoint or the journal.
    #[error("{0}")]
    Harvest(#[from] HarvestError),
    /// The store.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// Hashes of identifiers: should two be the same, one record too few is missing, never too many.
#[derive(Default)]
struct Identifiers(HashSet<u64, BuildHasherDefault<DefaultHasher>>);

impl Identifiers {
    fn insert(&mut self, identifier: &str) {
        let hash = self.0.hasher().hash_one(identifier);
        self.0.insert(hash);
    }

    fn contains(&self, identifier: &str) -> bool {
        self.0.contains(&self.0.hasher().hash_one(identifier))
    }
}

/// Compares, when it is time to and the endpoint does not tell of its deletions; the records that
/// are gone are in the journal then, for the load that follows.
///
/// # Errors
/// [`ReconcileError`]; nothing is deleted then.
pub async fn reconcile(
    source: &HarvestSource,
    store: &dyn Store,
    harvests: &Harvests,
    now: Timestamp,
) -> Result<Option<Reconciled>, ReconcileError> {
    let Some(rule) = source.reconcile else { return Ok(None) };
    if !is_due(source, rule, harvests, now)? {
        return Ok(None);
    }
    let client = Client::new(source.endpoint.clone())?;
    let mut found = Reconciled::default();
    let mut listed = Identifiers::default();
    for (set, _) in source.lists() {
        let selection = Selection {
            prefix: source.prefix.clone(),
            set: set.map(str::to_owned),
            ..Selection::default()
        };
        let report = identifiers(&client, selection, |header| {
            if !header.deleted {
                listed.insert(&header.identifier);
            }
        });
        if let Err(reason) = whole(report.await)? {
            found.refused = Some(format!("the list of identifiers is not whole: {reason}"));
            return Ok(Some(found));
        }
    }
    found.listed = listed.0.len() as u64;
    let missing = missing(source, store, &listed, &mut found).await?;
    if found.missing > rule.most.of(found.live) {
        found.refused = Some(format!(
            "{} of {} records are not listed any more, max_delete allows {}; the first are {}",
            found.missing,
            found.live,
            rule.most,
            found.sample.join(", ")
        ));
        return Ok(Some(found));
    }
    let gone = match gone(source, &client, missing, &mut found).await? {
        Ok(gone) => gone,
        Err(reason) => {
            found.refused = Some(reason);
            return Ok(Some(found));
        }
    };
    found.deleted = gone.len() as u64;
    write(source, &gone, now)?;
    Ok(Some(found))
}

impl MaxDelete {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count below 2^52"
    )]
    fn of(self, live: u64) -> u64 {
        match self {
            MaxDelete::Percent(percent) => (live as f64 * percent / 100.0) as u64,
            MaxDelete::Records(records) => records,
        }
    }
}

impl std::fmt::Display for MaxDelete {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            MaxDelete::Percent(percent) => write!(f, "{percent} %"),
            MaxDelete::Records(records) => write!(f, "{records}"),
        }
    }
}

// A harvest that broke off says enough already, and its journal is not at rest.
fn is_due(
    source: &HarvestSource,
    rule: Reconcile,
    harvests: &Harvests,
    now: Timestamp,
) -> Result<bool, HarvestError> {
    let tells = |report: &Report| report.deletions.as_deref() == Some("persistent");
    if harvests.error.is_some() || harvests.reports.iter().all(tells) {
        return Ok(false);
    }
    let mut is_due = false;
    for (_, folder) in source.lists() {
        let Some(state) = State::read(&folder)? else { return Ok(false) };
        if state.running {
            return Ok(false);
        }
        let every = i64::try_from(rule.every.as_secs()).unwrap_or(i64::MAX);
        let next = state.reconciled.map(|last| last.saturating_add(every));
        is_due |= next.is_none_or(|next| next <= now.as_second());
    }
    Ok(is_due)
}

// What is wrong with a list that shall prove that something is not in it.
fn whole(report: Result<Report, HarvestError>) -> Result<Result<(), String>, HarvestError> {
    let report = match report {
        Ok(report) => report,
        Err(HarvestError::Endpoint(reason)) => return Ok(Err(reason)),
        Err(error) => return Err(error),
    };
    if report.is_whole() {
        return Ok(Ok(()));
    }
    let open = report.windows.iter().find_map(|window| window.reason.clone());
    let odd = report.repairs.iter().filter(|(code, _)| code.starts_with("oai."));
    let odd = odd.map(|(code, repairs)| {
        format!("{code}: {}", repairs.samples.first().map_or("", String::as_str))
    });
    Ok(Err(open.unwrap_or_else(|| odd.collect::<Vec<_>>().join("; "))))
}

async fn missing(
    source: &HarvestSource,
    store: &dyn Store,
    listed: &Identifiers,
    found: &mut Reconciled,
) -> Result<Vec<String>, StoreError> {
    let mut missing = Vec::new();
    let mut after = String::new();
    loop {
        let live = store.live_source_ids(&source.name, &after, PAGE).await?;
        let Some(last) = live.last() else { break };
        after.clone_from(last);
        found.live += live.len() as u64;
        missing.extend(live.into_iter().filter(|identifier| !listed.contains(identifier)));
    }
    found.missing = missing.len() as u64;
    found.sample = missing.iter().take(NAMED).cloned().collect();
    Ok(missing)
}

// A list that is followed while it changes may pass over a record: each is asked for alone.
async fn gone(
    source: &HarvestSource,
    client: &Client,
    missing: Vec<String>,
    found: &mut Reconciled,
) -> Result<Result<Vec<String>, String>, HarvestError> {
    let mut gone = Vec::new();
    for identifier in missing {
        let mut report = Report::default();
        match oai_pmh::record(client, &identifier, &source.prefix, &mut report).await {
            Ok((record, _)) if !record.deleted && source.has(&record.set_specs) => {
                found.still_there += 1;
            }
            Ok(_) => gone.push(identifier),
            Err(HarvestError::Endpoint(reason))
                if ["idDoesNotExist", "cannotDisseminateFormat"]
                    .iter()
                    .any(|code| reason.starts_with(code)) =>
            {
                gone.push(identifier);
            }
            Err(HarvestError::Endpoint(reason)) => {
                return Ok(Err(format!("{identifier} is not listed any more: {reason}")));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Ok(gone))
}

// The journal of the last list is loaded last.
fn write(source: &HarvestSource, gone: &[String], now: Timestamp) -> Result<(), HarvestError> {
    let lists = source.lists();
    for (number, (set, folder)) in lists.iter().enumerate() {
        let mut journal = Journal::open(folder, &source.endpoint.url, &source.prefix, *set)?;
        if number + 1 == lists.len() && !gone.is_empty() {
            journal.resume()?;
            for headers in gone.chunks(HEADERS) {
                let entry = Entry {
                    arguments: vec![
                        ("verb".to_owned(), "ListIdentifiers".to_owned()),
                        ("reconciled".to_owned(), "missing".to_owned()),
                    ],
                    status: 200,
                    // As all pages: by the machine's clock, which orders files.
                    received: Timestamp::now().to_string(),
                    records: headers.len() as u64,
                    ..Entry::default()
                };
                journal.append(entry, page(headers, now).as_bytes())?;
            }
        }
        journal.state.reconciled = Some(now.as_second());
        journal.save()?;
    }
    Ok(())
}

fn page(gone: &[String], now: Timestamp) -> String {
    let stamp = Datestamp::from(now);
    let mut page = format!(
        "<OAI-PMH xmlns=\"http://www.openarchives.org/OAI/2.0/\"><responseDate>{stamp}\
         </responseDate><request/><ListIdentifiers>\n"
    );
    for identifier in gone {
        page.push_str("<header status=\"deleted\"><identifier>");
        push_text(&mut page, identifier);
        page.push_str(&format!("</identifier><datestamp>{stamp}</datestamp></header>\n"));
    }
    page + "</ListIdentifiers></OAI-PMH>"
}
