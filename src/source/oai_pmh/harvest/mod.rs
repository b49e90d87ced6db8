//! One list of one endpoint, window by window, page by page, until all of it is here.

mod delivery;
mod ends;
mod proof;
mod windows;

use std::collections::{HashSet, VecDeque};
use std::time::Instant;

use tokio::task::JoinSet;

use super::HarvestError;
use super::asking::{self, Trouble};
use super::client::{Client, Reply};
use super::journal::{Entry, Journal, JournalWindow, Standing};
use super::lists;
use super::report::{Report, WindowReport};
use super::seen::Seen;
use super::window::{Window, seconds, text};
use crate::oai::ListVerb;
use crate::oai::page::{Deletions, Page, PageRecord};
use crate::record::{Datestamp, Granularity, Warning};
use crate::source::Halt;
use ends::is_fatal;
use proof::Parts;

pub(crate) use proof::identifiers;

/// So many pages without a record may follow one another.
const MAX_EMPTY_PAGES: u32 = 100;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// metadataPrefix
    pub prefix: String,
    /// A setSpec.
    pub set: Option<String>,
    /// Not older; without it a journal goes on where it ended.
    pub from: Option<Datestamp>,
    /// Not newer, inclusive.
    pub until: Option<Datestamp>,
}

/// A harvest under way.
pub struct Harvest<'h> {
    client: &'h Client,
    verb: ListVerb,
    selection: Selection,
    journal: Option<Journal>,
    /// Takes each record once.
    take: &'h mut (dyn FnMut(PageRecord) -> std::io::Result<()> + Send),
    granularity: Granularity,
    earliest: Option<i64>,
    /// responseDate of the first page, or what stands in for it.
    begun: Option<i64>,
    seen: Seen,
    windows: Vec<JournalWindow>,
    reports: Vec<WindowReport>,
    report: Report,
    /// The setSpecs of the endpoint, once they were asked for.
    sets: Option<Vec<String>>,
    /// Windows that were split by set and may miss what is in none.
    unproven: VecDeque<Parts>,
    halt: Halt,
}

/// A page that was asked for.
struct Asked {
    index: usize,
    progress: Progress,
    arguments: Vec<(&'static str, String)>,
    granularity: Granularity,
    answer: Result<(Page, Reply), Trouble>,
    report: Report,
}

/// A window whose list is not followed any further.
type Ended = (usize, Progress, Result<End, Trouble>);

/// How a window ended.
enum End {
    Complete,
    /// It has come to an end that cannot be trusted.
    Suspect(String),
}

/// What is known of a window's list.
#[derive(Default)]
struct Progress {
    token: Option<String>,
    /// Hashes are not enough here: a circle must be a circle.
    tokens: HashSet<String>,
    empty_pages: u32,
    restarted: bool,
}

impl<'h> Harvest<'h> {
    /// A harvest of `selection`; `take` gets every record once, tombstones included, and broken
    /// ones with their damage.
    pub fn new(
        client: &'h Client,
        verb: ListVerb,
        selection: Selection,
        journal: Option<Journal>,
        take: &'h mut (dyn FnMut(PageRecord) -> std::io::Result<()> + Send),
    ) -> Harvest<'h> {
        let report = Report {
            url: client.endpoint().url.clone(),
            prefix: selection.prefix.clone(),
            ..Report::default()
        };
        Harvest {
            client,
            verb,
            selection,
            journal,
            take,
            granularity: Granularity::Day,
            earliest: None,
            begun: None,
            seen: Seen::default(),
            windows: Vec::new(),
            reports: Vec::new(),
            report,
            sets: None,
            unproven: VecDeque::new(),
            halt: Halt::never(),
        }
    }

    /// Stops at a page when `halt` says so; a journal is gone on with there.
    #[must_use]
    pub fn until(mut self, halt: Halt) -> Harvest<'h> {
        self.halt = halt;
        self
    }

    /// Harvests until all windows are complete or cannot be completed: [`Report::complete`] says
    /// which. With a journal, what is missing is asked for again the next time.
    ///
    /// # Errors
    /// [`HarvestError`] when it cannot go on at all, [`HarvestError::Halted`] when it shall not; a
    /// journal stands as far as it has come.
    pub async fn run(self) -> Result<Report, HarvestError> {
        let halt = self.halt.clone();
        // A page is put on disk without waiting for anything: nothing is cut in two here.
        tokio::select! {
            report = self.follow_all() => report,
            () = halt.asked() => Err(HarvestError::Halted),
        }
    }

    async fn follow_all(mut self) -> Result<Report, HarvestError> {
        let begun = Instant::now();
        self.ask_who().await?;
        let mut waiting = self.begin()?;
        let mut asking = JoinSet::new();
        let mut fatal = None;
        loop {
            while asking.len() < self.client.endpoint().windows.max(1) {
                let Some((index, progress)) = waiting.pop_front() else { break };
                self.ask(&mut asking, index, progress);
            }
            let Some(asked) = asking.join_next().await else {
                let Some(parts) = self.unproven.pop_front() else { break };
                let index = self.windows.iter().position(|window| window.id == parts.id);
                let end = self.prove(parts).await?;
                self.stand_at_end(index.unwrap_or(usize::MAX), end);
                self.save(true)?;
                continue;
            };
            let asked = asked.map_err(|error| {
                HarvestError::Endpoint(format!("a request was not carried through: {error}"))
            })?;
            let Some((index, progress, ended)) = self.arrived(asked, &mut asking).await? else {
                continue;
            };
            match ended {
                Ok(end) => self.stand_at_end(index, end),
                // §3.5: a list whose token is dead is begun again; once.
                Err(Trouble::Token(reason)) if !progress.restarted => {
                    self.restart(index, &reason);
                    let progress = Progress { restarted: true, ..Progress::default() };
                    waiting.push_front((index, progress));
                    continue;
                }
                Err(trouble) => {
                    let parts = self.parts(index, &trouble).await?;
                    if parts.is_empty() && is_fatal(&trouble) {
                        self.stand(index, Standing::Open, Some(trouble.reason()));
                        self.save(true)?;
                        fatal = Some(trouble);
                        break;
                    }
                    for part in parts.into_iter().rev() {
                        waiting.push_front((self.add(part), Progress::default()));
                    }
                }
            }
            self.save(true)?;
        }
        drop(asking);
        self.finish(begun, fatal)
    }

    // Asks for the next page of a window, beside the others.
    fn ask(&self, asking: &mut JoinSet<Asked>, index: usize, progress: Progress) {
        let client = self.client.clone();
        let arguments = self.arguments(index, &progress);
        let granularity = self.granularity;
        asking.spawn(async move {
            let mut report = Report::default();
            let borrowed: Vec<(&str, &str)> =
                arguments.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = asking::page(&client, &borrowed, &mut report).await;
            Asked { index, progress, arguments, granularity, answer, report }
        });
    }

    fn restart(&mut self, index: usize, reason: &str) {
        tracing::warn!(reason, "the list is begun again");
        let message = format!("begun again: {reason}");
        self.report.warn("", &[Warning::new("oai.restart", message)]);
        if let Some(report) = self.reports.get_mut(index) {
            // What the size is compared with is what came since.
            (report.pages, report.records, report.complete_list_size) = (0, 0, None);
        }
    }

    // The narrower windows that a trouble may be cured by; without any, the window stays open.
    async fn parts(
        &mut self,
        index: usize,
        trouble: &Trouble,
    ) -> Result<Vec<Window>, HarvestError> {
        let reason = Some(trouble.reason());
        if !self.may_split(trouble) {
            self.stand(index, Standing::Open, reason);
            return Ok(Vec::new());
        }
        if let Some(halves) = self.halves(index) {
            self.stand(index, Standing::Split, reason);
            return Ok(halves.into());
        }
        let parts = self.by_set(index, trouble).await?;
        self.stand(index, Standing::Open, reason);
        if let Some(window) = self.windows.get_mut(index).filter(|_| !parts.is_empty()) {
            window.by_set = true;
            self.unproven.push_back(Parts::new(window.id, window.window.clone()));
        }
        Ok(parts)
    }

    // Granularity and earliest datestamp; an endpoint that does not tell is asked by day.
    async fn ask_who(&mut self) -> Result<(), HarvestError> {
        let repository = match lists::identify(self.client, &mut self.report).await {
            Ok(repository) => repository,
            Err(HarvestError::Endpoint(reason)) => {
                let message = format!("Identify fails, days are used: {reason}");
                self.report.warn("", &[Warning::new("oai.identify", message)]);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.report.deletions = repository.deletions.map(Deletions::as_str).map(str::to_owned);
        if let Some(granularity) = repository.granularity {
            self.granularity = granularity;
        } else {
            let message = "no granularity in Identify, days are used".to_owned();
            self.report.warn("", &[Warning::new("oai.granularity", message)]);
        }
        let now = jiff::Timestamp::now().as_second();
        match repository.earliest.map(Datestamp::as_second) {
            Some(earliest) if earliest <= now => self.earliest = Some(earliest),
            _ => {
                let text = &repository.earliest_text;
                let message = format!("earliestDatestamp is {text:?}, which is not used");
                self.report.warn("", &[Warning::new("oai.earliest", message)]);
            }
        }
        Ok(())
    }

    fn finish(mut self, begun: Instant, fatal: Option<Trouble>) -> Result<Report, HarvestError> {
        let is_open = |window: &JournalWindow| window.standing == Standing::Open;
        self.report.complete = !self.windows.iter().any(is_open);
        // One granule again: what the endpoint wrote while it answered may bear the same datestamp.
        let overlap = seconds(self.granularity);
        let next_from = self.begun.map(|begun| begun - overlap);
        let bounded = self.selection.until.is_some();
        if let Some(journal) = &mut self.journal
            && fatal.is_none()
        {
            // What is open is kept as such, and asked for again beside what is new.
            if !bounded && next_from.is_some() {
                journal.state.next_from = next_from;
            }
            self.save(false)?;
        }
        let stamp = |second| text(Datestamp::from_second(second), Granularity::Second);
        self.report.next_from = next_from.filter(|_| !bounded).map(stamp);
        self.report.windows = self.reports;
        self.report.seconds = begun.elapsed().as_secs_f64();
        match fatal {
            Some(Trouble::TryLater(wait)) => Err(HarvestError::TryLater(wait)),
            Some(trouble) if self.report.pages == 0 => Err(lists::error(trouble)),
            _ => Ok(self.report),
        }
    }

    // Takes a page, and asks for the one behind it; answers how the window ended when it did.
    async fn arrived(
        &mut self,
        asked: Asked,
        asking: &mut JoinSet<Asked>,
    ) -> Result<Option<Ended>, HarvestError> {
        let Asked { index, mut progress, arguments, granularity, answer, report } = asked;
        self.report.absorb(&report);
        let (page, reply) = match answer {
            Ok(answer) => answer,
            Err(Trouble::CutShort(partial, reason)) => {
                let (page, body) = *partial;
                let entry = Entry { cut_short: true, status: 200, ..Entry::default() };
                let records = self.keep(index, &arguments, entry, &body, page).await?;
                self.give(records)?;
                let trouble = Trouble::CutShort(Box::default(), reason);
                return Ok(Some((index, progress, Err(trouble))));
            }
            Err(trouble) => return Ok(Some((index, progress, Err(trouble)))),
        };
        match self.errors(index, &progress, granularity, &page) {
            Ok(Some(end)) => return Ok(Some((index, progress, Ok(end)))),
            Err(trouble) => return Ok(Some((index, progress, Err(trouble)))),
            Ok(None) => {}
        }
        if !page.errors.is_empty() {
            // By day this time.
            self.ask(asking, index, progress);
            return Ok(None);
        }
        self.note_begun(&page, &reply);
        let (token, count) = (page.token.clone(), page.records.len());
        let size = token.as_ref().and_then(|token| token.complete_list_size);
        if let (Some(report), Some(size)) = (self.reports.get_mut(index), size) {
            report.complete_list_size.get_or_insert(size);
        }
        let entry = Entry {
            response_date: page.response_date.map(Datestamp::as_second),
            token: token.as_ref().map(|token| token.text.clone()),
            complete_list_size: size,
            ..Entry::of(&reply)
        };
        let spotless = page.warnings.is_empty();
        let records = self.keep(index, &arguments, entry, &reply.body, page).await?;
        let token = token.map(|token| token.text);
        let end = self.end(index, &mut progress, (count, spotless), token);
        let ended = match end {
            Some(end) => Some((index, progress, Ok(end))),
            None => {
                // The next page is on its way while this one's records are given out.
                self.ask(asking, index, progress);
                None
            }
        };
        self.give(records)?;
        Ok(ended)
    }

    fn arguments(&self, index: usize, progress: &Progress) -> Vec<(&'static str, String)> {
        let mut arguments = vec![("verb", self.verb.as_str().to_owned())];
        if let Some(token) = &progress.token {
            arguments.push(("resumptionToken", token.clone()));
            return arguments;
        }
        arguments.push(("metadataPrefix", self.selection.prefix.clone()));
        if let Some(window) = self.windows.get(index) {
            arguments.extend(window.window.arguments(self.granularity));
        }
        arguments
    }

    fn note_begun(&mut self, page: &Page, reply: &Reply) {
        let http = || {
            let date = jiff::fmt::rfc2822::parse(reply.date.as_deref()?).ok()?;
            Some(Datestamp::from(date.timestamp()))
        };
        // Our own clock may be wrong: a day is enough for most.
        let ours = || Datestamp::from_second(reply.received.as_second() - 86_400);
        self.note_begun_at(Some(page.response_date.or_else(http).unwrap_or_else(ours)));
    }

    fn note_begun_at(&mut self, moment: Option<Datestamp>) {
        // Windows that are asked for side by side answer in any order.
        let moment = moment.map(Datestamp::as_second);
        self.begun = self.begun.into_iter().chain(moment).min();
    }
}
