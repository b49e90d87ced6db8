//! `windrow access`: what sources said of who may see records and files, and what became of it.

use std::io::Write;

use super::{Failure, Outcome, StoreArguments, runtime};
use crate::store::{AccessOutcome, AccessQuery};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
    /// Only of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only with this outcome
    #[arg(long, value_name = "OUTCOME", value_parser = outcome)]
    outcome: Option<AccessOutcome>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

fn outcome(text: &str) -> Result<AccessOutcome, String> {
    let known = AccessOutcome::ALL.into_iter().find(|outcome| outcome.as_str() == text);
    let words = || AccessOutcome::ALL.map(AccessOutcome::as_str).join(", ");
    known.ok_or_else(|| format!("expected one of {}", words()))
}

/// Rows are read and shown in portions of this size.
const PAGE: u32 = 1000;

pub fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    runtime()?.block_on(async {
        let store = arguments.store.open_existing().await?;
        let mut out = std::io::stdout().lock();
        let Arguments { source: source_name, outcome, json, .. } = arguments;
        let mut query = AccessQuery { source_name, outcome, after: 0, limit: PAGE };
        loop {
            let page = store.access(&query).await?;
            let Some(last) = page.last() else { break };
            query.after = last.id;
            for row in page {
                if json {
                    let rights: serde_json::Value = serde_json::from_str(&row.rights)?;
                    let line = serde_json::json!({
                        "source": row.source_name, "record": row.source_id, "part": row.part,
                        "said": row.said, "outcome": row.outcome, "rights": rights,
                    });
                    writeln!(out, "{line}")?;
                } else {
                    let part = row.part.unwrap_or_default();
                    let said = row.said.split_whitespace().collect::<Vec<_>>().join(" ");
                    let line = [row.source_id, part, row.outcome, row.rights, said];
                    writeln!(out, "{}", line.join("\t"))?;
                }
            }
        }
        Ok(Outcome::Clean)
    })
}
