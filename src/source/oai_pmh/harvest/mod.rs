//! One list of one endpoint, window by window, page by page, until all of it is here.

mod delivery;
mod windows;

use std::collections::HashSet;
use std::time::Instant;

use super::HarvestError;
use super::asking::{self, Trouble};
use super::client::{Client, Reply};
use super::journal::{Entry, Journal, JournalWindow, Standing};
use super::lists;
use super::report::{Report, WindowReport};
use super::seen::Seen;
use super::window::{seconds, text};
use crate::formats::Policy;
use crate::oai::ListVerb;
use crate::oai::page::{Page, PageRecord};
use crate::record::{Datestamp, Granularity, Warning};

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
}

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
        }
    }

    /// Harvests until all windows are complete or cannot be completed: [`Report::complete`] says
    /// which. With a journal, what is missing is asked for again the next time.
    ///
    /// # Errors
    /// [`HarvestError`] when it cannot go on at all; a journal stands as far as it has come.
    pub async fn run(mut self) -> Result<Report, HarvestError> {
        let begun = Instant::now();
        self.ask_who().await?;
        let mut waiting = self.begin()?;
        let mut fatal = None;
        while let Some((index, mut progress)) = waiting.pop_front() {
            let ended = loop {
                match self.window(index, &mut progress).await {
                    // §3.5: a list whose token is dead is begun again; once.
                    Err(Stop::Trouble(Trouble::Token(reason))) if !progress.restarted => {
                        tracing::warn!(reason, "the list is begun again");
                        let message = format!("begun again: {reason}");
                        self.report.warn("", &[Warning::new("oai.restart", message)]);
                        progress = Progress { restarted: true, ..Progress::default() };
                        if let Some(report) = self.reports.get_mut(index) {
                            // What the size is compared with is what came since.
                            (report.pages, report.records) = (0, 0);
                            report.complete_list_size = None;
                        }
                    }
                    other => break other,
                }
            };
            match ended {
                Ok(End::Complete) => self.stand(index, Standing::Complete, None),
                Ok(End::Suspect(reason)) => self.stand(index, Standing::Open, Some(reason)),
                Err(Stop::Error(error)) => return Err(error),
                Err(Stop::Trouble(trouble)) => {
                    let reason = trouble.reason();
                    let halves = if self.may_split(&trouble) { self.halves(index) } else { None };
                    if let Some(halves) = halves {
                        self.stand(index, Standing::Split, Some(reason));
                        for half in halves.into_iter().rev() {
                            waiting.push_front((self.add(half), Progress::default()));
                        }
                    } else {
                        self.stand(index, Standing::Open, Some(reason.clone()));
                        if is_fatal(&trouble) {
                            fatal = Some(trouble);
                            waiting.clear();
                        }
                    }
                }
            }
            self.save(true)?;
        }
        self.finish(begun, fatal)
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

    // Follows the list of one window from where it stands to its end.
    async fn window(&mut self, index: usize, progress: &mut Progress) -> Result<End, Stop> {
        loop {
            let arguments = self.arguments(index, progress);
            let borrowed: Vec<(&str, &str)> =
                arguments.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let (page, reply) = match asking::page(self.client, &borrowed, &mut self.report).await {
                Ok(answer) => answer,
                Err(Trouble::CutShort(partial, reason)) => {
                    let (page, body) = *partial;
                    let entry = Entry { cut_short: true, status: 200, ..Entry::default() };
                    self.deliver(index, &arguments, entry, &body, page.clone()).await?;
                    return Err(Trouble::CutShort(Box::default(), reason).into());
                }
                Err(trouble) => return Err(trouble.into()),
            };
            if let Some(end) = self.errors(index, progress, &page)? {
                return Ok(end);
            }
            if !page.errors.is_empty() {
                // By day this time.
                continue;
            }
            self.note_begun(&page, &reply);
            let (token, records) = (page.token.clone(), page.records.len());
            if let Some(report) = self.reports.get_mut(index)
                && let Some(size) = token.as_ref().and_then(|token| token.complete_list_size)
            {
                report.complete_list_size.get_or_insert(size);
            }
            let entry = Entry {
                response_date: page.response_date.map(Datestamp::as_second),
                token: token.as_ref().map(|token| token.text.clone()),
                complete_list_size: token.as_ref().and_then(|token| token.complete_list_size),
                ..Entry::of(&reply)
            };
            let spotless = page.warnings.is_empty();
            self.deliver(index, &arguments, entry, &reply.body, page).await?;
            if !spotless && self.client.endpoint().policy == Policy::Strict {
                let reason = "a page is not as the protocol says, and the policy is strict";
                return Ok(End::Suspect(reason.to_owned()));
            }
            let ends_by_token = token.is_some();
            let Some(token) = token.map(|token| token.text).filter(|token| !token.is_empty())
            else {
                let is_all =
                    self.windows.get(index).is_some_and(|window| window.window.from.is_none());
                if records == 0 && progress.token.is_none() && is_all {
                    return Ok(End::Suspect(
                        "the list is empty, without noRecordsMatch".to_owned(),
                    ));
                }
                return Ok(self.end_of_list(index, ends_by_token));
            };
            progress.empty_pages = if records == 0 { progress.empty_pages + 1 } else { 0 };
            if records == 0 {
                let message = "a page without records, and with a token".to_owned();
                self.report.warn("", &[Warning::new("oai.empty_page", message)]);
            }
            if progress.empty_pages > MAX_EMPTY_PAGES {
                return Ok(End::Suspect(format!("{MAX_EMPTY_PAGES} pages without records")));
            }
            if !progress.tokens.insert(token.clone()) {
                return Ok(End::Suspect(format!("the list goes in a circle at token {token:?}")));
            }
            progress.token = Some(token);
        }
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

    // What the endpoint's errors mean: an end, a trouble, or that days are to be used instead.
    fn errors(
        &mut self,
        index: usize,
        progress: &Progress,
        page: &Page,
    ) -> Result<Option<End>, Stop> {
        let Some(first) = page.errors.first() else { return Ok(None) };
        self.report.warn("", &page.warnings);
        let has = |code: &str| page.errors.iter().any(|error| error.code.trim() == code);
        let shown = format!("{}: {}", first.code, first.message);
        if has("badResumptionToken") {
            return Err(Trouble::Token(shown).into());
        }
        if has("noRecordsMatch") {
            if progress.token.is_none() {
                self.note_begun_at(page.response_date);
                return Ok(Some(End::Complete));
            }
            let end = End::Suspect(format!("a token leads to {shown}"));
            return Ok(Some(if self.is_full(index) { End::Complete } else { end }));
        }
        let lower = first.message.to_ascii_lowercase();
        if lower.contains("too many") || lower.contains("too large") {
            return Err(Trouble::TooMuch(shown).into());
        }
        let window = self.windows.get(index).map(|window| &window.window);
        let dated = window.is_some_and(|window| window.from.is_some() || window.until.is_some());
        if has("badArgument") && dated && self.granularity == Granularity::Second {
            let message = format!("seconds are not accepted, days are used: {shown}");
            self.report.warn("", &[Warning::new("oai.granularity", message)]);
            self.granularity = Granularity::Day;
            return Ok(None);
        }
        Err(Trouble::Lasting(shown).into())
    }

    // Whether all has come, only the size can tell: with an empty token the endpoint says that this
    // is all, and sizes may be estimates; without one, the token may have been lost.
    fn end_of_list(&mut self, index: usize, ends_by_token: bool) -> End {
        let Some(report) = self.reports.get(index) else { return End::Complete };
        let Some(size) = report.complete_list_size.filter(|size| *size > report.records) else {
            return End::Complete;
        };
        let message = format!("{} records came, completeListSize is {size}", report.records);
        if ends_by_token {
            self.report.warn("", &[Warning::new("oai.short_list", message)]);
            return End::Complete;
        }
        End::Suspect(message)
    }

    fn is_full(&self, index: usize) -> bool {
        let report = self.reports.get(index);
        report.is_some_and(|report| report.complete_list_size == Some(report.records))
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
        if self.begun.is_none() {
            self.begun = moment.map(Datestamp::as_second);
        }
    }
}

/// What ends the work on a window.
enum Stop {
    Trouble(Trouble),
    Error(HarvestError),
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Stop {
        Stop::Trouble(trouble)
    }
}

impl<E: Into<HarvestError>> From<E> for Stop {
    fn from(error: E) -> Stop {
        Stop::Error(error.into())
    }
}

// Whether it makes no sense to ask for another window.
fn is_fatal(trouble: &Trouble) -> bool {
    matches!(
        trouble,
        Trouble::Unreachable(_) | Trouble::Failing(_) | Trouble::TryLater(_) | Trouble::Lasting(_)
    )
}
