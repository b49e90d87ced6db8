//! `windrow harvest replay`: what a journal holds, without the network.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::anyhow;

use super::super::{Failure, Outcome, talk};
use super::records::print;
use crate::formats::Policy;
use crate::source::oai_pmh::{JournalRecords, State, page_files};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The folder of the journal
    journal: PathBuf,
    /// Only the pages of this run; without it, of all, the oldest first
    #[arg(long, value_name = "N")]
    run: Option<u64>,
}

pub fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let folder = &arguments.journal;
    let state = State::read(folder)?
        .ok_or_else(|| anyhow!("{} holds no journal", folder.display()))
        .map_err(Failure::Configuration)?;
    let mut out = BufWriter::new(std::io::stdout());
    let (mut records, mut broken) = (0_u64, 0_u64);
    let wanted = arguments.run.map(|run| format!("pages-{run:06}.zst"));
    for path in page_files(folder)? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if wanted.as_ref().is_some_and(|wanted| wanted != name) {
            continue;
        }
        // In another run a record that comes again has changed, or overlaps.
        let mut of_file = JournalRecords::open(&path, Policy::Repair)?;
        while let Some(record) = of_file.next_record()? {
            match record.damage {
                Some(_) => broken += 1,
                None => records += 1,
            }
            print(&record, &mut out)?;
        }
    }
    out.flush()?;
    let open = if state.running { "; its last run is not complete" } else { "" };
    talk(format_args!("{records} records, {broken} broken, of {}{open}", state.url));
    Ok(if broken == 0 { Outcome::Clean } else { Outcome::Quarantined })
}
