//! `windrow schedule`: run pipelines at their times, for ever.

mod runner;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::anyhow;
use jiff::Timestamp;

use super::{Failure, Outcome, Signals, StoreArguments, clock, configuration, runtime, show, talk};
use crate::pipeline::{Planned, Timetable};
use crate::source::Halt;
use crate::store::ScheduleEntry;
use runner::{Mode, Runner};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Pipelines, or folders of them: of each *.yaml that has a `schedule`
    #[arg(required = true, value_name = "PIPELINE-OR-FOLDER")]
    places: Vec<PathBuf>,
    #[command(flatten)]
    store: StoreArguments,
    /// Pipelines that run at once
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1024))]
    jobs: usize,
    /// Run what is due, and end with the worst exit status of all
    #[arg(long)]
    once: bool,
    /// Print each pipeline, its next time, its last run and how that ended
    #[arg(long, conflicts_with = "once")]
    list: bool,
}

pub fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    let clock = clock()?;
    let mut timetable = Timetable::new(arguments.places);
    let news = timetable.look();
    for line in &news {
        talk(format_args!("{line}"));
    }
    if arguments.list {
        return list(&timetable, &arguments.store, clock.now(), !news.is_empty());
    }
    if timetable.planned().next().is_none() {
        let message = format!("none of {} files is a pipeline with a schedule", timetable.len());
        return Err(configuration(anyhow!(message)));
    }
    let runtime = runtime()?;
    let ended = runtime.block_on(async {
        let store = arguments.store.open().await?;
        let signals = Signals::listen()?;
        let (switch, halt) = Halt::with_switch();
        let mode = if arguments.once { Mode::Once } else { Mode::ForEver };
        let mut runner = Runner::new(store, timetable, (arguments.jobs, mode), clock, halt);
        runner.broken |= !news.is_empty();
        tokio::select! {
            ended = runner.run() => ended,
            () = second_signal(signals, switch) => {
                Err(Failure::TryLater(anyhow!("stopped at once; what runs goes on from its page")))
            }
        }
    });
    // Whoever reads a dump on a thread of its own is not waited for.
    runtime.shutdown_background();
    ended
}

fn list(
    timetable: &Timetable,
    store: &StoreArguments,
    now: Timestamp,
    broken: bool,
) -> Result<Outcome, Failure> {
    // Looking makes no store.
    let entries = match store.exists() {
        true => runtime()?
            .block_on(async { Ok::<_, Failure>(store.open_existing().await?.schedule().await?) })?,
        false => Vec::new(),
    };
    let entries: BTreeMap<&str, &ScheduleEntry> =
        entries.iter().map(|entry| (entry.pipeline.as_str(), entry)).collect();
    let row = |planned: &Planned| {
        let entry = entries.get(planned.name.as_str());
        let served = entry.and_then(|entry| Timestamp::from_second(entry.served).ok());
        let due = entry.is_some_and(|entry| planned.turn(entry, now).is_some());
        let next = match planned.due(served.unwrap_or(now).max(now)) {
            _ if due => "now".to_owned(),
            Some(next) => planned.schedule.shown(next),
            None => "never".to_owned(),
        };
        let last = entry.and_then(|entry| Timestamp::from_second(entry.started?).ok());
        let last = last.map(|last| planned.schedule.shown(last)).unwrap_or_default();
        let outcome = entry.and_then(|entry| entry.outcome.clone()).unwrap_or_default();
        let message = entry.and_then(|entry| entry.message.clone()).unwrap_or_default();
        vec![planned.name.clone(), next, last, outcome, message]
    };
    let rows: Vec<Vec<String>> = timetable.planned().map(row).collect();
    let head = ["pipeline", "next", "last run", "outcome", "message"];
    show::Sheet::text(&mut std::io::stdout()).table(&head, &rows)?;
    match broken {
        true => Err(configuration(anyhow!("not all files are in the list"))),
        false => Ok(Outcome::Clean),
    }
}

/// The first signal asks all that runs to stop at its next page or batch; this resolves at the
/// second.
async fn second_signal(mut signals: Signals, switch: crate::source::Switch) {
    signals.next().await;
    talk(format_args!("stopping; once more stops at once"));
    switch.turn();
    signals.next().await;
}
