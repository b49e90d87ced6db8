//! `windrow run PIPELINE`: load what the pipeline says.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use super::harvest::failure as harvest_failure;
use super::progress::Watcher;
use super::{Failure, Outcome, StoreArguments, clock, configuration, runtime, show};
use crate::pipeline::{
    self, Definition, IntakeError, Order, Progress, Report, RunError, Short, Taken,
};
use crate::source::Halt;
use crate::store::{StoreError, without_secrets};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The pipeline's file
    pipeline: PathBuf,
    /// Files and globs to load in place of the pipeline's `source.paths`
    #[arg(value_name = "FILE")]
    files: Vec<String>,
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
    /// Load all of the journal again without asking the endpoint, as after a change of crosswalk
    #[arg(long)]
    replay: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let clock = clock()?;
    let definition = Definition::load_for(&arguments.pipeline, &arguments.files);
    let definition = definition.map_err(configuration)?;
    let taken = runtime()?.block_on(async {
        let order = Order {
            store: match arguments.dry_run {
                true => None,
                false => Some(arguments.store.open().await?),
            },
            replay: arguments.replay,
            limit: arguments.limit,
            fresh: arguments.fresh,
            clock,
            scheduled: None,
            halt: Halt::never(),
        };
        let progress = Arc::new(Progress::default());
        let watcher = Watcher::new(Arc::clone(&progress));
        let taken = pipeline::take_in(definition, order, progress).await;
        drop(watcher);
        taken.map_err(|error| failure(error, arguments.dry_run))
    })?;
    print(arguments, &taken.report)?;
    outcome(taken)
}

/// How a run ended that came to its end.
pub fn outcome(taken: Taken) -> Result<Outcome, Failure> {
    let message = match taken.short {
        None if taken.report.is_clean() => return Ok(Outcome::Clean),
        None => return Ok(Outcome::Quarantined),
        Some(Short::Harvest(error)) => return Err(harvest_failure(error)),
        Some(Short::Open(reason)) => {
            format!("the harvest is not complete; what came is loaded: {reason}")
        }
        Some(Short::Reconcile(reason)) => format!("nothing was deleted: {reason}"),
    };
    Err(Failure::Failed(anyhow::anyhow!(message)))
}

/// What an intake's error means for the exit status.
pub fn failure(error: IntakeError, dry_run: bool) -> Failure {
    let error = match error {
        IntakeError::Harvest(error) => return harvest_failure(error),
        IntakeError::Store(error) if error.is_transient() => {
            return Failure::TryLater(error.into());
        }
        IntakeError::Store(error) => return Failure::Failed(error.into()),
        IntakeError::Run(error) => error,
    };
    let again = match &error {
        RunError::Lanes { .. } => return Failure::Configuration(error.into()),
        RunError::Halted | RunError::Store(StoreError::Running(_)) => {
            return Failure::TryLater(error.into());
        }
        RunError::Limit(_) if dry_run => "nothing was loaded; `crosswalk loss` shows all fields",
        RunError::Limit(_) => "what was loaded stays; `runs show` has the run's report",
        _ => "what was loaded stays; the same command goes on from there",
    };
    let message = anyhow::anyhow!("{error}\n{again}");
    match error {
        RunError::Store(error) if error.is_transient() => Failure::TryLater(message),
        _ => Failure::Failed(message),
    }
}

fn print(arguments: &Arguments, report: &Report) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, report)?;
        writeln!(out)?;
        return Ok(());
    }
    show::report(report, &mut show::Sheet::text(&mut out))?;
    if !arguments.dry_run {
        let command = std::env::args().next().unwrap_or_else(|| "windrow".to_owned());
        let store = match arguments.store.store.as_str() {
            "sqlite:windrow.db" => String::new(),
            // No password on a screen: then the user's own words are needed.
            other if without_secrets(other) != other => " --store …".to_owned(),
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
