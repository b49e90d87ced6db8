//! `windrow crosswalk explain FILE DUMP --id X`: where each value of an output comes from.

use std::io::Write;
use std::path::PathBuf;

use super::{Dumps, load_one};
use crate::cli::{Failure, Outcome, configuration};
use crate::crosswalk::{Plan, Runner, Trace};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The crosswalk
    file: PathBuf,
    #[command(flatten)]
    dumps: Dumps,
    /// The record of this identifier (of MARC its 001); the first without it
    #[arg(long)]
    id: Option<String>,
}

pub fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let crosswalk = load_one(&arguments.file)?;
    let mut records = arguments.dumps.records()?;
    let mut out = std::io::stdout().lock();
    while let Some((source, locator)) = records.read()? {
        let is_it = |id: &String| locator.control_number.as_deref() == Some(id);
        if !arguments.id.as_ref().is_none_or(is_it) {
            continue;
        }
        let source = match source {
            Ok(source) => source,
            Err(rejection) => {
                writeln!(out, "{rejection}")?;
                return Ok(Outcome::Quarantined);
            }
        };
        let mut runner = Runner::new(crosswalk.plan());
        let (result, trace) = runner.explain(source, &mut Vec::new());
        writeln!(out, "{locator}")?;
        show(&mut out, crosswalk.plan(), &trace)?;
        return match result {
            Ok(()) => Ok(Outcome::Clean),
            Err(held) => {
                writeln!(out, "held by {} ({}): {}", held.rule, held.code, held.message)?;
                Ok(Outcome::Quarantined)
            }
        };
    }
    let message = match &arguments.id {
        Some(id) => format!("there is no record {id}"),
        None => "there is no record".to_owned(),
    };
    Err(configuration(anyhow::anyhow!("{message}")))
}

fn show(out: &mut impl Write, plan: &Plan, trace: &Trace) -> std::io::Result<()> {
    for line in &trace.lines {
        let place = plan.labels.get(line.number).map_or("", |label| label.place.as_str());
        writeln!(out, "\n{} = {:?}", line.path, line.value)?;
        writeln!(out, "    rule  {}  ({place})", line.rule)?;
        if line.places.is_empty() {
            writeln!(out, "    from  the crosswalk itself")?;
        } else {
            writeln!(out, "    from  {}", line.places.join(", "))?;
        }
        for step in &line.steps {
            let name = if step.name.is_empty() { "found" } else { &step.name };
            writeln!(out, "    {name:<12} {:?}", step.value)?;
        }
    }
    Ok(())
}
