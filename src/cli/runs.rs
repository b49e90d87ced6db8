//! `windrow runs list | show`: what happened, as the store remembers it.

use std::io::Write;

use anyhow::anyhow;

use super::show::{self, Form, Sheet};
use super::{Failure, Outcome, StoreArguments, runtime};
use crate::pipeline::Report;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Runs, newest first
    List {
        #[command(flatten)]
        store: StoreArguments,
    },
    /// The report of a run
    Show {
        /// Its number
        id: i64,
        #[command(flatten)]
        store: StoreArguments,
        /// As JSON
        #[arg(long, group = "form")]
        json: bool,
        /// As Markdown
        #[arg(long, group = "form")]
        md: bool,
        /// As an HTML page
        #[arg(long, group = "form")]
        html: bool,
    },
}

pub fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    runtime()?.block_on(async {
        let mut out = std::io::stdout();
        match arguments.verb {
            Verb::List { store } => {
                let runs = store.open_existing().await?.runs(100).await?;
                let rows: Vec<Vec<String>> = runs
                    .into_iter()
                    .map(|run| {
                        let finished = run.finished.unwrap_or_default();
                        let scheduled = scheduled(run.report.as_deref());
                        vec![
                            run.id.to_string(),
                            run.pipeline,
                            run.state,
                            run.started,
                            finished,
                            scheduled,
                        ]
                    })
                    .collect();
                let head = ["run", "pipeline", "state", "started", "finished", "scheduled"];
                Sheet::text(&mut out).table(&head, &rows)?;
            }
            Verb::Show { id, store, json, md, html } => {
                let runs = store.open_existing().await?.runs(u32::MAX).await?;
                let run = runs.into_iter().find(|run| run.id == id);
                let run = run.ok_or_else(|| anyhow!("there is no run {id}"))?;
                let Some(text) = run.report else {
                    return Err(anyhow!("run {id} is {} and has no report", run.state).into());
                };
                let form = match (md, html) {
                    (true, _) => Form::Markdown,
                    (_, true) => Form::Html,
                    _ => Form::Text,
                };
                if json {
                    writeln!(out, "{text}")?;
                } else {
                    let report: Report = serde_json::from_str(&text)?;
                    let mut sheet = Sheet::new(&mut out, form);
                    show::report(&report, &mut sheet)?;
                    sheet.end()?;
                }
            }
        }
        Ok(Outcome::Clean)
    })
}

/// The time of the schedule that a run served; none for one that was begun by hand.
fn scheduled(report: Option<&str>) -> String {
    #[derive(serde::Deserialize)]
    struct Scheduled {
        #[serde(default)]
        scheduled: String,
    }
    let report = report.and_then(|report| serde_json::from_str::<Scheduled>(report).ok());
    report.map(|report| report.scheduled).unwrap_or_default()
}
