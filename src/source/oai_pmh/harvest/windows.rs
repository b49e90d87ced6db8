//! The windows of a harvest: where it begins, where it goes on, how they are halved.

use std::collections::VecDeque;

use super::proof::Parts;
use super::{End, Harvest, Progress};
use crate::record::Datestamp;
use crate::source::oai_pmh::HarvestError;
use crate::source::oai_pmh::asking::Trouble;
use crate::source::oai_pmh::journal::{Entry, JournalWindow, Standing};
use crate::source::oai_pmh::records::JournalRecords;
use crate::source::oai_pmh::report::WindowReport;
use crate::source::oai_pmh::window::{Window, parts, seconds};

/// So many windows are made while no page has come.
const MAX_BLIND_SPLITS: usize = 24;
/// A list that falls into more windows is given up.
const MAX_WINDOWS: usize = 100_000;
/// So many windows are made in advance for each that is asked for at once: a list's records are
/// not spread evenly over its years.
const PARTS_AT_ONCE: usize = 4;

impl Harvest<'_> {
    // The windows to work on: those of a run that was broken off, or new ones.
    pub(super) fn begin(&mut self) -> Result<VecDeque<(usize, Progress)>, HarvestError> {
        let Some(journal) = &mut self.journal else {
            let windows = self.first_windows(None);
            return Ok(self.add_all(windows));
        };
        if journal.state.running {
            let entries = journal.resume()?;
            self.windows.clone_from(&journal.state.windows);
            self.reports = self.windows.iter().map(WindowReport::new).collect();
            return self.go_on(&entries);
        }
        journal.state.run += 1;
        journal.state.begun = None;
        journal.state.running = true;
        let next_from = journal.state.next_from;
        journal.resume()?;
        // What an earlier run could not complete is asked for again.
        let mut windows: Vec<Window> = journal
            .state
            .windows
            .iter()
            .filter(|window| window.standing == Standing::Open)
            .map(|window| window.window.clone())
            .collect();
        windows.extend(self.first_windows(next_from));
        let waiting = self.add_all(windows);
        self.save(true)?;
        Ok(waiting)
    }

    fn go_on(&mut self, entries: &[Entry]) -> Result<VecDeque<(usize, Progress)>, HarvestError> {
        let noted = self.journal.as_ref().and_then(|journal| journal.state.begun);
        self.begun = entries.iter().filter_map(|entry| entry.response_date).chain(noted).min();
        let split = self.windows.iter().filter(|window| is_unproven(window));
        self.unproven = split.map(|window| Parts::new(window.id, window.window.clone())).collect();
        // What came already is known, so that it is not taken for new when it comes again.
        if let Some(journal) = &self.journal {
            let policy = self.client.endpoint().policy;
            let mut records = JournalRecords::open(&journal.pages_file(), policy)?;
            while let Some(record) = records.next_record()? {
                self.unproven.iter_mut().for_each(|parts| parts.note(&record));
            }
            self.seen = records.into_seen();
        }
        let mut waiting = VecDeque::new();
        for index in 0..self.windows.len() {
            let Some(window) = self.windows.get(index) else { continue };
            let id = window.id;
            let is_page = |entry: &&Entry| entry.window == id && !entry.is_of_one_record();
            let mut of_window: Vec<&Entry> = entries.iter().filter(is_page).collect();
            // A list that was begun again counts from there.
            let begun = of_window.iter().rposition(|entry| entry.begins_list());
            let of_window = of_window.split_off(begun.unwrap_or(0));
            if let Some(report) = self.reports.get_mut(index) {
                report.pages = of_window.len() as u64;
                report.records = of_window.iter().map(|entry| entry.records).sum();
                report.complete_list_size =
                    of_window.iter().find_map(|entry| entry.complete_list_size);
            }
            if window.standing != Standing::Open || is_unproven(window) {
                continue;
            }
            let mut progress = Progress::default();
            progress.tokens.extend(of_window.iter().filter_map(|entry| entry.token.clone()));
            match of_window.last() {
                Some(last) if !last.cut_short => match last.token.as_deref() {
                    None | Some("") => {
                        let end = self.end_of_list(index, last.token.is_some());
                        self.stand_at_end(index, end);
                        continue;
                    }
                    Some(token) => progress.token = Some(token.to_owned()),
                },
                _ => {}
            }
            waiting.push_back((index, progress));
        }
        Ok(waiting)
    }

    fn add_all(&mut self, windows: Vec<Window>) -> VecDeque<(usize, Progress)> {
        windows.into_iter().map(|window| (self.add(window), Progress::default())).collect()
    }

    // One window, or the parts of it that are asked for side by side.
    fn first_windows(&self, next_from: Option<i64>) -> Vec<Window> {
        let window = self.first_window(next_from);
        let at_once = self.client.endpoint().windows;
        if at_once < 2 {
            return vec![window];
        }
        let now = jiff::Timestamp::now().as_second();
        parts(&window, at_once.saturating_mul(PARTS_AT_ONCE), self.earliest, now)
    }

    fn first_window(&self, next_from: Option<i64>) -> Window {
        let granule = seconds(self.granularity);
        let from = self.selection.from.map(Datestamp::as_second).or(next_from);
        let until = self.selection.until.map(Datestamp::as_second);
        Window {
            from: from.map(|from| from.div_euclid(granule) * granule),
            until: until.map(|until| (until.div_euclid(granule) + 1) * granule - 1),
            set: self.selection.set.clone(),
        }
    }

    pub(super) fn add(&mut self, window: Window) -> usize {
        let id = self.windows.iter().map(|window| window.id).max().unwrap_or(0) + 1;
        let (standing, reason, by_set) = (Standing::Open, None, false);
        let window = JournalWindow { id, window, standing, reason, by_set };
        self.reports.push(WindowReport::new(&window));
        self.windows.push(window);
        self.windows.len() - 1
    }

    // An endpoint of which no page has come yet may just be down: that is not tried for ever.
    pub(super) fn may_split(&self, trouble: &Trouble) -> bool {
        match trouble {
            Trouble::TooMuch(_) | Trouble::CutShort(..) | Trouble::Token(_) => true,
            Trouble::Failing(_) => self.report.pages > 0 || self.windows.len() <= MAX_BLIND_SPLITS,
            Trouble::Unreachable(_) | Trouble::TryLater(_) | Trouble::Lasting(_) => false,
        }
    }

    pub(super) fn halves(&self, index: usize) -> Option<[Window; 2]> {
        let window = &self.windows.get(index)?.window;
        let latest = self.begun.unwrap_or_else(|| jiff::Timestamp::now().as_second());
        window
            .halves(self.earliest, latest, self.granularity)
            .filter(|_| self.windows.len() < MAX_WINDOWS)
    }

    pub(super) fn stand_at_end(&mut self, index: usize, end: End) {
        match end {
            End::Complete => self.stand(index, Standing::Complete, None),
            End::Suspect(reason) => self.stand(index, Standing::Open, Some(reason)),
        }
    }

    pub(super) fn stand(&mut self, index: usize, standing: Standing, reason: Option<String>) {
        if let (Some(window), Some(report)) =
            (self.windows.get_mut(index), self.reports.get_mut(index))
        {
            tracing::info!(window = %window.window, ?standing, reason, "window");
            (window.standing, report.standing) = (standing, standing);
            (window.reason, report.reason) = (reason.clone(), reason);
        }
    }

    pub(super) fn save(&mut self, running: bool) -> Result<(), HarvestError> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        journal.state.running = running;
        journal.state.begun = self.begun;
        journal.state.windows.clone_from(&self.windows);
        journal.save()
    }
}

// Whether its parts by set are asked for in its place.
fn is_unproven(window: &JournalWindow) -> bool {
    window.by_set && window.standing == Standing::Open
}
