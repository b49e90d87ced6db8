//! `windrow validate PIPELINE`: everything that can be wrong before the first record.

use std::io::Write;
use std::path::PathBuf;

use super::{Failure, Outcome, configuration};
use crate::pipeline::Definition;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The pipeline's file
    pipeline: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let definition = Definition::load(&arguments.pipeline).map_err(configuration)?;
    let mut out = std::io::stdout().lock();
    let crosswalk = definition.crosswalk.name();
    writeln!(out, "{}: no mistakes; crosswalk {crosswalk}, reading", definition.name)?;
    for (_, name) in &definition.files {
        writeln!(out, "  {name}")?;
    }
    Ok(Outcome::Clean)
}
