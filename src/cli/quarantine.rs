//! `windrow quarantine list | show`: the records that were held back, and why.

use std::io::Write;

use super::{Failure, Outcome, StoreArguments, runtime};
use crate::store::QuarantineQuery;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// One line a record: its number, where it stands, the reason
    List {
        #[command(flatten)]
        store: StoreArguments,
        /// Only records of this source
        #[arg(long, value_name = "NAME")]
        source: Option<String>,
        /// Only records that stopped at this stage
        #[arg(long, value_name = "STAGE")]
        stage: Option<String>,
        /// Only records that stopped for this reason
        #[arg(long, value_name = "CODE")]
        code: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 1000)]
        limit: u32,
    },
    /// The raw bytes of one record to stdout, the reason to stderr
    Show {
        /// Its number in the list
        id: i64,
        #[command(flatten)]
        store: StoreArguments,
    },
}

pub fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    runtime()?.block_on(async {
        let mut out = std::io::stdout();
        match arguments.verb {
            Verb::List { store, source, stage, code, limit } => {
                let store = store.open_existing().await?;
                let one_more = limit.saturating_add(1);
                let wanted = QuarantineQuery {
                    source_name: source,
                    stage,
                    code,
                    ..QuarantineQuery::first(one_more)
                };
                let mut entries = store.quarantine(&wanted).await?;
                if entries.len() > limit as usize {
                    entries.truncate(limit as usize);
                    super::talk(format_args!("there are more than {limit}; --limit N shows more"));
                }
                for entry in entries {
                    let rule = entry.rule.map(|rule| format!(", rule {rule}")).unwrap_or_default();
                    writeln!(
                        out,
                        "{}\t{}\t{}: {} [{}{rule}]",
                        entry.id, entry.source_name, entry.locator, entry.message, entry.code
                    )?;
                }
            }
            Verb::Show { id, store } => {
                let entry = store.open_existing().await?.quarantine_entry(id).await?;
                super::talk(format_args!(
                    "{}: {} [{}, {}], run {}",
                    entry.locator, entry.message, entry.stage, entry.code, entry.run_id
                ));
                out.write_all(&entry.bytes)?;
            }
        }
        Ok(Outcome::Clean)
    })
}
