//! `windrow run PIPELINE`: load what the pipeline says.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use super::harvest::failure as harvest_failure;
use super::progress::Watcher;
use super::{Failure, Outcome, StoreArguments, clock, configuration, runtime, show};
use crate::pipeline::{self, Definition, Harvests, Options, Progress, Report, RunError};
use crate::store::{StoreError, without_secrets};

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
    /// Load all of the journal again without asking the endpoint, as after a change of crosswalk
    #[arg(long)]
    replay: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let clock = clock()?;
    let mut definition = Definition::load(&arguments.pipeline).map_err(configuration)?;
    let runtime = runtime()?;
    let harvests = runtime.block_on(collect(&mut definition, arguments))?;
    let missing = harvests.missing();
    let definition = Arc::new(definition);
    let loading = Arc::clone(&definition);
    let report = runtime.block_on(async {
        let store = match arguments.dry_run {
            true => None,
            false => Some(arguments.store.open().await?),
        };
        let options = Options {
            store,
            limit: arguments.limit,
            fresh: arguments.fresh,
            clock,
            harvests: harvests.reports.clone(),
        };
        let progress = Arc::new(Progress::default());
        let watcher = Watcher::new(Arc::clone(&progress));
        let result = pipeline::run(loading, options, progress).await;
        drop(watcher);
        result.map_err(|error| failure(&error, arguments.dry_run))
    })?;
    print(arguments, &report)?;
    if let Some(harvest) = &definition.harvest
        && !arguments.dry_run
        && arguments.limit.is_none()
    {
        harvest.loaded(&definition.files).map_err(harvest_failure)?;
    }
    if let Some(missing) = missing {
        let message = "the harvest is not complete; what came is loaded";
        let error = harvests.error.map(harvest_failure);
        return Err(
            error.unwrap_or_else(|| Failure::Failed(anyhow::anyhow!("{message}: {missing}")))
        );
    }
    let clean = report.counts.quarantined == 0;
    Ok(if clean { Outcome::Clean } else { Outcome::Quarantined })
}

/// Harvests what is new, unless it is the journal that is asked for; then names the pages to load.
async fn collect(definition: &mut Definition, arguments: &Arguments) -> Result<Harvests, Failure> {
    let Some(source) = &definition.harvest else { return Ok(Harvests::default()) };
    // A dry run writes nothing, not even a journal: it reads what there is.
    let from_journal = arguments.replay || arguments.dry_run;
    let harvests = if from_journal { Harvests::default() } else { source.harvest().await };
    definition.files = source.files(from_journal).map_err(harvest_failure)?;
    Ok(harvests)
}

fn failure(error: &RunError, dry_run: bool) -> Failure {
    if matches!(error, RunError::Lanes { .. }) {
        return Failure::Configuration(anyhow::anyhow!("{error}"));
    }
    if matches!(error, RunError::Store(StoreError::Running(_))) {
        return Failure::TryLater(anyhow::anyhow!("{error}"));
    }
    let again = match error {
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
    show::report(report, &mut out)?;
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
