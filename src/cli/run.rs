//! `windrow run PIPELINE`: load what the pipeline says.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::{Failure, Outcome, StoreArguments, clock, configuration, runtime, show, talk};
use crate::pipeline::{self, Definition, Options, Progress, Report, RunError};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The pipeline's file
    pipeline: PathBuf,
    #[command(flatten)]
    store: StoreArguments,
    /// Read, map and check, but write nothing
    #[arg(long)]
    dry_run: bool,
    /// Stop after so many records; such a run begins at the front and is never resumed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Begin at the front, even when the last run was interrupted
    #[arg(long)]
    fresh: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let clock = clock()?;
    let definition = Definition::load(&arguments.pipeline).map_err(configuration)?;
    let definition = Arc::new(definition);
    let runtime = runtime()?;
    let report = runtime.block_on(async {
        let store = match arguments.dry_run {
            true => None,
            false => Some(arguments.store.open().await?),
        };
        let options = Options { store, limit: arguments.limit, fresh: arguments.fresh, clock };
        let progress = Arc::new(Progress::default());
        let watcher = tokio::spawn(watch(Arc::clone(&progress)));
        let result = pipeline::run(definition, options, Arc::clone(&progress)).await;
        watcher.abort();
        // The watcher's end clears the bar.
        let _aborted = watcher.await;
        result.map_err(|error| failure(&error))
    })?;
    print(arguments, &report)?;
    let clean = report.counts.quarantined == 0;
    Ok(if clean { Outcome::Clean } else { Outcome::Quarantined })
}

fn failure(error: &RunError) -> Failure {
    let again = "what was loaded stays; the same command goes on from there";
    Failure::Failed(anyhow::anyhow!("{error}\n{again}"))
}

fn print(arguments: &Arguments, report: &Report) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, report)?;
        writeln!(out)?;
        return Ok(());
    }
    show::report(report, &mut out)?;
    if !arguments.dry_run {
        let command = std::env::args().next().unwrap_or_else(|| "windrow".to_owned());
        let store = match arguments.store.store.as_str() {
            "sqlite:windrow.db" => String::new(),
            other => format!(" --store {other}"),
        };
        if report.counts.quarantined > 0 {
            writeln!(out, "\nheld back:  {command} quarantine list{store}")?;
        }
        writeln!(out, "\nnext:       {command} serve{store}")?;
        writeln!(
            out,
            "then:       curl 'http://127.0.0.1:8080/oai?verb=ListRecords&metadataPrefix=oai_dc'"
        )?;
    }
    Ok(())
}

/// Shows how far the run has come: a bar on a terminal, else a line every few seconds.
async fn watch(progress: Arc<Progress>) {
    let terminal = std::io::stderr().is_terminal();
    let bar = if terminal { bar() } else { ProgressBar::hidden() };
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(if terminal { 100 } else { 5000 }));
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let (records, quarantined) = (load(&progress.records), load(&progress.quarantined));
        let (bytes, total) = (load(&progress.bytes), load(&progress.total_bytes));
        let rate = rate(records, begun.elapsed());
        if terminal {
            bar.set_length(total);
            bar.set_position(bytes);
            bar.set_message(format!("{records} records, {rate}/s, {quarantined} held back"));
        } else {
            talk(format_args!(
                "{records} records, {rate}/s, {bytes} of {total} bytes, {quarantined} held back"
            ));
        }
    }
}

fn bar() -> ProgressBar {
    let template = "{bar:30} {bytes}/{total_bytes} {msg}, {eta} left";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style).with_finish(indicatif::ProgressFinish::AndClear)
}

fn rate(records: u64, elapsed: Duration) -> u64 {
    let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    records.saturating_mul(1000) / milliseconds
}
