//! `windrow audit PIPELINE`: whether all that its source has is in the store.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use super::progress::Watcher;
use super::run::failure;
use super::{Failure, Outcome, StoreArguments, clock, configuration, runtime, usage};
use crate::pipeline::{self, Audit, Definition, Differing, IntakeError, KindAudit, Progress};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The pipeline's file
    pipeline: PathBuf,
    /// Files and globs to compare in place of the pipeline's `source.paths`
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    #[command(flatten)]
    store: StoreArguments,
    /// List so many records that differ
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: usize,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let clock = clock()?;
    let definition = Definition::load_for(&arguments.pipeline, &arguments.files);
    let definition = definition.map_err(configuration)?;
    if definition.harvest.is_some() {
        let message = "a harvest is compared with its endpoint by `reconcile` of its pipeline";
        return Err(usage(anyhow::anyhow!(message)));
    }
    let audit = runtime()?.block_on(async {
        let store = arguments.store.open_existing().await?;
        let progress = Arc::new(Progress::default());
        let watcher = Watcher::new(Arc::clone(&progress));
        let audited = pipeline::audit(definition, store, arguments.limit, clock, progress).await;
        drop(watcher);
        audited.map_err(|error| failure(IntakeError::Run(error), true))
    })?;
    let mut out = std::io::stdout().lock();
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &audit)?;
        writeln!(out)?;
    } else {
        print(&audit, &mut out)?;
    }
    Ok(if audit.agrees() { Outcome::Clean } else { Outcome::Quarantined })
}

fn print(audit: &Audit, out: &mut impl Write) -> std::io::Result<()> {
    for Differing { record: _, place, differences } in &audit.differing {
        for difference in differences {
            writeln!(out, "{place}\t{}\t{}", difference.part, difference.what)?;
        }
    }
    let listed = audit.differing.len() as u64;
    if audit.different > listed {
        let more = audit.different - listed;
        writeln!(out, "and {more} more records; --limit N lists more")?;
    }
    let Audit { read, equal, held, different, repeated, changed_later, .. } = audit;
    writeln!(
        out,
        "read {read} = equal {equal} + held {held} + different {different} + repeated {repeated}"
    )?;
    for (kind, counts) in &audit.kinds {
        let KindAudit { equal, held, different, skipped } = counts;
        write!(out, "  {kind}: equal {equal}, held {held}, different {different}")?;
        match skipped {
            0 => writeln!(out)?,
            skipped => writeln!(out, ", left out by the pipeline {skipped}")?,
        }
    }
    if !audit.files_compared {
        writeln!(out, "files were not compared: the pipeline has no `files:`")?;
    }
    if *changed_later > 0 {
        writeln!(out, "{changed_later} of the equal records have later revisions in the store")?;
    }
    if audit.opened_later > 0 {
        let opened = audit.opened_later;
        writeln!(out, "{opened} records let in more readers by a later revision:")?;
        for first in &audit.opened_later_first {
            writeln!(out, "  {first}")?;
        }
    }
    if audit.only_in_store > 0 {
        let first = audit.only_in_store_first.join(", ");
        let only = audit.only_in_store;
        writeln!(out, "{only} records of this source are in the store alone: {first}")?;
    }
    Ok(())
}
