//! `windrow doctor`: what is wrong with an endpoint, before it is harvested every night.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use anyhow::anyhow;
use serde_json::json;
use tokio::task::JoinSet;

use super::harvest::{EndpointArguments, failure};
use super::{Failure, Outcome, configuration, runtime, show, talk};
use crate::pipeline::{Definition, HarvestSource, pipeline_files};
use crate::source::oai_pmh::{Client, Finding, Grade, examine};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    endpoint: EndpointArguments,
    /// The metadataPrefix to look at; a pipeline has its own
    #[arg(long, value_name = "PREFIX", default_value = "oai_dc")]
    prefix: String,
    /// Of a folder, endpoints that are examined at once
    #[arg(long, value_name = "N", default_value_t = 8,
          value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1024))]
    jobs: usize,
    /// As JSON, one finding a line
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    if let Some(place) = arguments.endpoint.place() {
        return all(place, arguments.jobs, arguments.json);
    }
    let client = arguments.endpoint.client()?;
    let findings = runtime()?.block_on(examine(&client, &arguments.prefix));
    let mut out = std::io::stdout();
    for finding in &findings {
        let (grade, check, message) = (finding.grade.as_str(), finding.check, &finding.message);
        if arguments.json {
            let line = json!({ "grade": grade, "check": check, "message": message });
            writeln!(out, "{line}")?;
        } else {
            writeln!(out, "{grade:<8} {check}: {message}")?;
        }
    }
    Ok(outcome(count(&findings, Grade::Wrong) == 0))
}

/// Examines the endpoint of each pipeline in a file or folder, as the pipeline treats it.
fn all(place: &Path, jobs: usize, as_json: bool) -> Result<Outcome, Failure> {
    let files = pipeline_files(place).map_err(|reason| configuration(anyhow!(reason)))?;
    let mut waiting = Vec::new();
    let mut broken = 0;
    for path in files {
        match Definition::load(&path) {
            Ok(Definition { harvest: Some(source), name, .. }) => waiting.push((name, source)),
            // A dump is no endpoint.
            Ok(_) => {}
            Err(error) => {
                broken += 1;
                talk(format_args!("{error}"));
            }
        }
    }
    if waiting.is_empty() {
        let message = format!("{} holds no pipeline of an endpoint", place.display());
        return Err(configuration(anyhow!(message)));
    }
    let examined = runtime()?.block_on(examine_all(waiting, jobs))?;
    let (mut out, mut rows, mut wrong) = (std::io::stdout(), Vec::new(), 0);
    for (name, (url, findings)) in &examined {
        for finding in findings.iter().filter(|finding| as_json || finding.grade > Grade::Good) {
            let (grade, check, message) = (finding.grade.as_str(), finding.check, &finding.message);
            if as_json {
                let line = json!({
                    "pipeline": name, "url": url, "grade": grade, "check": check,
                    "message": message
                });
                writeln!(out, "{line}")?;
            } else {
                writeln!(out, "{grade:<8} {name}: {check}: {message}")?;
            }
        }
        let grades = [Grade::Wrong, Grade::Awkward, Grade::Good];
        let [is_wrong, awkward, good] = grades.map(|grade| count(findings, grade));
        wrong += is_wrong;
        let numbers = [is_wrong, awkward, good].map(|number| number.to_string());
        rows.push([vec![name.clone()], numbers.to_vec(), vec![url.clone()]].concat());
    }
    if !as_json {
        writeln!(out)?;
        show::Sheet::text(&mut out)
            .table(&["pipeline", "wrong", "awkward", "good", "endpoint"], &rows)?;
    }
    match broken {
        0 => Ok(outcome(wrong == 0)),
        broken => Err(configuration(anyhow!("{broken} files have mistakes"))),
    }
}

type Examined = BTreeMap<String, (String, Vec<Finding>)>;

async fn examine_all(
    mut waiting: Vec<(String, HarvestSource)>,
    jobs: usize,
) -> Result<Examined, Failure> {
    let mut examined = Examined::new();
    let mut tasks = JoinSet::new();
    // From the end, so that they begin in order.
    waiting.reverse();
    loop {
        while tasks.len() < jobs {
            let Some((name, source)) = waiting.pop() else { break };
            let client = Client::new(source.endpoint).map_err(failure)?;
            tasks.spawn(async move {
                let findings = examine(&client, &source.prefix).await;
                (name, (client.endpoint().url.clone(), findings))
            });
        }
        let Some(done) = tasks.join_next().await else { return Ok(examined) };
        let (name, found) = done.map_err(|error| anyhow!("an examination broke off: {error}"))?;
        examined.insert(name, found);
    }
}

fn count(findings: &[Finding], grade: Grade) -> usize {
    findings.iter().filter(|finding| finding.grade == grade).count()
}

fn outcome(is_well: bool) -> Outcome {
    if is_well { Outcome::Clean } else { Outcome::Quarantined }
}
