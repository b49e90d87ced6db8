//! `windrow doctor`: what is wrong with an endpoint, before it is harvested every night.

use std::io::Write;

use serde_json::json;

use super::harvest::EndpointArguments;
use super::{Failure, Outcome, runtime};
use crate::source::oai_pmh::{Grade, examine};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    endpoint: EndpointArguments,
    /// The metadataPrefix to look at
    #[arg(long, value_name = "PREFIX", default_value = "oai_dc")]
    prefix: String,
    /// As JSON, one finding a line
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Result<Outcome, Failure> {
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
    let wrong = findings.iter().filter(|finding| finding.grade == Grade::Wrong).count();
    Ok(if wrong == 0 { Outcome::Clean } else { Outcome::Quarantined })
}
