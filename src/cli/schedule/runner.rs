//! What runs pipelines when it is their turn, so many at once, each once at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use jiff::Timestamp;
use tokio::task::JoinSet;

use super::super::run::{failure, outcome};
use super::super::{Failure, Outcome, configuration, talk};
use crate::pipeline::{Definition, Order, Progress, Report, Taken, Timetable, Turn, take_in};
use crate::record::Clock;
use crate::source::Halt;
use crate::store::{ScheduleEntry, Store, StoreError};

/// Files and clock are looked at so often.
const LOOK: Duration = Duration::from_secs(10);
/// A pipeline that another process runs is looked at again after this.
const ELSEWHERE: i64 = 60;

/// When to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// When nothing is due.
    Once,
    /// When it is asked to.
    ForEver,
}

/// Runs the pipelines of a timetable.
pub struct Runner {
    store: Arc<dyn Store>,
    timetable: Timetable,
    /// Of each pipeline what the store knows.
    entries: BTreeMap<String, ScheduleEntry>,
    jobs: usize,
    mode: Mode,
    clock: Clock,
    halt: Halt,
    running: BTreeSet<String>,
    /// Not before: another process has them.
    elsewhere: BTreeMap<String, Timestamp>,
    tasks: JoinSet<Ran>,
    /// Pipelines that ended so, by the word of their outcome.
    outcomes: BTreeMap<&'static str, u64>,
    /// Files had mistakes.
    pub broken: bool,
}

/// A turn that has ended.
struct Ran {
    turn: Turn,
    started: Timestamp,
    result: Result<Taken, Failure>,
}

impl Runner {
    /// One that runs `jobs` pipelines at once.
    pub fn new(
        store: Arc<dyn Store>,
        timetable: Timetable,
        (jobs, mode): (usize, Mode),
        clock: Clock,
        halt: Halt,
    ) -> Runner {
        Runner {
            store,
            timetable,
            entries: BTreeMap::new(),
            jobs,
            mode,
            clock,
            halt,
            running: BTreeSet::new(),
            elsewhere: BTreeMap::new(),
            tasks: JoinSet::new(),
            outcomes: BTreeMap::new(),
            broken: false,
        }
    }

    /// Runs what is due, until the end of its [`Mode`].
    ///
    /// # Errors
    /// [`Failure`] of the store; in [`Mode::Once`] also the worst of what ran.
    pub async fn run(&mut self) -> Result<Outcome, Failure> {
        loop {
            let stops = self.halt.is_asked();
            let wait = match self.begin(stops).await {
                Ok(wait) => wait,
                Err(error) if self.may_pass(&error) => {
                    talk(format_args!("{error}; tried again"));
                    LOOK
                }
                Err(error) => return Err(error.into()),
            };
            if self.tasks.is_empty() && (stops || self.mode == Mode::Once) {
                return self.end();
            }
            let halt = self.halt.clone();
            tokio::select! {
                Some(ran) = self.tasks.join_next() => {
                    let ran = ran.map_err(|error| anyhow!("a run broke off: {error}"))?;
                    self.note(ran).await?;
                }
                () = tokio::time::sleep(wait) => {}
                () = halt.asked(), if !stops => {}
            }
        }
    }

    // One that runs for ever outlasts a store that is away for a while.
    fn may_pass(&self, error: &StoreError) -> bool {
        self.mode == Mode::ForEver && error.is_transient()
    }

    // Begins what is due and has room, unless it `stops`; answers how long to wait for the next.
    async fn begin(&mut self, stops: bool) -> Result<Duration, StoreError> {
        if stops {
            return Ok(LOOK);
        }
        for line in self.timetable.look() {
            self.broken = true;
            talk(format_args!("{line}"));
        }
        self.remember().await?;
        let now = self.clock.now();
        let mut due = Vec::new();
        let mut next = now + LOOK;
        for planned in self.timetable.planned() {
            let Some(entry) = self.entries.get(&planned.name) else { continue };
            if self.running.contains(&planned.name) {
                continue;
            }
            match planned.turn(entry, now) {
                Some(turn) => due.push(turn),
                None => {
                    let served = Timestamp::from_second(entry.served).unwrap_or(now);
                    next = planned.due(served.max(now)).map_or(next, |due| due.min(next));
                }
            }
        }
        due.sort_by(|a, b| (a.scheduled, &a.name).cmp(&(b.scheduled, &b.name)));
        for turn in due {
            if self.running.len() >= self.jobs {
                break;
            }
            self.start(turn).await?;
        }
        Ok(Duration::try_from(next.duration_since(now)).unwrap_or(LOOK))
    }

    // What the store knows. A pipeline that it does not know counts from now.
    async fn remember(&mut self) -> Result<(), StoreError> {
        let entries = self.store.schedule().await?;
        self.entries = entries.into_iter().map(|entry| (entry.pipeline.clone(), entry)).collect();
        let now = self.clock.now();
        for planned in self.timetable.planned() {
            if self.entries.contains_key(&planned.name) {
                continue;
            }
            let entry = ScheduleEntry {
                pipeline: planned.name.clone(),
                served: now.as_second(),
                next: planned.due(now).map(Timestamp::as_second),
                ..ScheduleEntry::default()
            };
            self.store.note_schedule(&entry).await?;
            self.entries.insert(entry.pipeline.clone(), entry);
        }
        Ok(())
    }

    async fn start(&mut self, turn: Turn) -> Result<(), StoreError> {
        let now = self.clock.now();
        if self.elsewhere.get(&turn.name).is_some_and(|until| *until > now) {
            return Ok(());
        }
        self.elsewhere.remove(&turn.name);
        match self.store.claim(&turn.name).await {
            Ok(()) => {}
            Err(error @ StoreError::Running(_)) => {
                self.is_elsewhere(&turn.name, &error, now);
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        // It may have been served by another process, just before it was ours.
        let entries = match self.store.schedule().await {
            Ok(entries) => entries,
            Err(error) => {
                self.store.release(&turn.name).await;
                return Err(error);
            }
        };
        let served = entries.iter().find(|entry| entry.pipeline == turn.name);
        if served.is_some_and(|entry| entry.served >= turn.scheduled.as_second()) {
            self.store.release(&turn.name).await;
            return Ok(());
        }
        self.running.insert(turn.name.clone());
        let order = Order {
            store: Some(Arc::clone(&self.store)),
            replay: false,
            limit: None,
            fresh: false,
            clock: self.clock,
            scheduled: Some(turn.scheduled),
            halt: self.halt.clone(),
        };
        self.tasks.spawn(async move {
            let path = turn.path.clone();
            // On its own: what breaks off one run leaves the others alone.
            let result = tokio::spawn(async move { take(&path, order).await }).await;
            let broke = |error| Err(Failure::Failed(anyhow!("the run broke off: {error}")));
            Ran { turn, started: now, result: result.unwrap_or_else(broke) }
        });
        Ok(())
    }

    fn is_elsewhere(&mut self, name: &str, error: &dyn std::fmt::Display, now: Timestamp) {
        talk(format_args!("{name}: {error}"));
        if self.mode == Mode::Once {
            *self.outcomes.entry("try later").or_default() += 1;
        }
        let until = match self.mode {
            Mode::Once => Timestamp::MAX,
            Mode::ForEver => now + jiff::SignedDuration::from_secs(ELSEWHERE),
        };
        self.elsewhere.insert(name.to_owned(), until);
    }

    // Tells how a turn ended, and puts it into the store.
    async fn note(&mut self, ran: Ran) -> Result<(), StoreError> {
        let name = ran.turn.name.clone();
        let noted = self.note_turn(ran).await;
        // Whatever became of it, and not before it is noted: another process may have it now.
        self.store.release(&name).await;
        match noted {
            Err(error) if self.may_pass(&error) => {
                talk(format_args!("{name}: {error}; this time is served again"));
                Ok(())
            }
            noted => noted,
        }
    }

    async fn note_turn(&mut self, ran: Ran) -> Result<(), StoreError> {
        let Ran { turn, started, result } = ran;
        self.running.remove(&turn.name);
        if self.halt.is_asked() && matches!(result, Err(Failure::TryLater(_))) {
            talk(format_args!("{}: stopped, and goes on from there the next time", turn.name));
            return Ok(());
        }
        let (run_id, summary) = match &result {
            Ok(taken) => (taken.report.run_id, Some(line(&taken.report))),
            Err(_) => (None, None),
        };
        let (word, failed) = match result.and_then(outcome) {
            Ok(outcome) => (outcome.word(), None),
            Err(failure) => (failure.word(), Some(format!("{:#}", failure.error()))),
        };
        let failed = failed.map(|text| text.lines().next().unwrap_or_default().to_owned());
        let message = match (summary, failed) {
            (Some(summary), Some(failed)) => format!("{failed} ({summary})"),
            (Some(text), None) | (None, Some(text)) => text,
            (None, None) => String::new(),
        };
        talk(format_args!("{}: {word}: {message}", turn.name));
        *self.outcomes.entry(word).or_default() += 1;
        let entry = ScheduleEntry {
            pipeline: turn.name,
            served: turn.scheduled.as_second(),
            next: turn.next.map(Timestamp::as_second),
            started: Some(started.as_second()),
            finished: Some(self.clock.now().as_second()),
            outcome: Some(word.to_owned()),
            message: Some(message),
            run_id,
        };
        self.store.note_schedule(&entry).await
    }

    fn end(&self) -> Result<Outcome, Failure> {
        if self.mode == Mode::ForEver {
            return Ok(Outcome::Clean);
        }
        let count = |word| self.outcomes.get(word).copied().unwrap_or(0);
        let all: u64 = self.outcomes.values().sum();
        let message = |word| anyhow!("{} of {all} runs: {word}", count(word));
        if count("failed") > 0 {
            return Err(Failure::Failed(message("failed")));
        }
        if count("configuration") > 0 || self.broken {
            let files = anyhow!("a pipeline's file has mistakes");
            let told = count("configuration") > 0;
            return Err(configuration(if told { message("configuration") } else { files }));
        }
        if count("try later") > 0 {
            return Err(Failure::TryLater(message("try later")));
        }
        Ok(if count("quarantined") > 0 { Outcome::Quarantined } else { Outcome::Clean })
    }
}

// The file as it is now, which may be another than when it was planned.
async fn take(path: &Path, order: Order) -> Result<Taken, Failure> {
    let definition = Definition::load(path).map_err(configuration)?;
    let taken = take_in(definition, order, Arc::new(Progress::default())).await;
    taken.map_err(|error| failure(error, false))
}

fn line(report: &Report) -> String {
    let counts = &report.counts;
    format!(
        "{} read, {} created, {} updated, {} unchanged, {} deleted, {} quarantined, {:.1} s",
        counts.read,
        counts.created,
        counts.updated,
        counts.unchanged,
        counts.deleted,
        counts.quarantined,
        report.seconds
    )
}
