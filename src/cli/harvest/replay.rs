//! `windrow harvest replay`: what a journal holds, without the network.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, anyhow};

use super::super::{Failure, Outcome, talk};
use super::records::print;
use crate::oai::page::Page;
use crate::source::oai_pmh::{Pages, Seen, State, page_files};
use crate::xml::Options;

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
        // Within a run a record that came twice is given once; in another run it has changed.
        let mut seen = Seen::default();
        let mut pages = Pages::open(&path)?;
        let cannot_read = || format!("cannot read {}", path.display());
        while let Some((entry, body)) = pages.next_page().with_context(cannot_read)? {
            let page = Page::read(&body, entry.charset(), Options { repair: true })
                .with_context(cannot_read)?;
            for record in page.records {
                match record.damage {
                    // Its end was never sent.
                    Some(_) if entry.cut_short => continue,
                    Some(_) => broken += 1,
                    None if !seen.is_new(&record) => continue,
                    None => records += 1,
                }
                print(&record, &mut out)?;
            }
        }
    }
    out.flush()?;
    let open = if state.running { "; its last run is not complete" } else { "" };
    talk(format_args!("{records} records, {broken} broken, of {}{open}", state.url));
    Ok(if broken == 0 { Outcome::Clean } else { Outcome::Quarantined })
}
