//! `windrow crosswalk`: find mistakes, run the tests that a crosswalk carries, see what it loses.

mod loss;

use std::io::Write;
use std::path::{Path, PathBuf};

use super::{Failure, Outcome, configuration};
use crate::crosswalk::{Crosswalk, CrosswalkError};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Find every mistake of crosswalk files, with line and column
    Check {
        /// Crosswalk files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Run the tests inside crosswalk files
    Test {
        /// Crosswalk files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Run a crosswalk over dumps without loading, and tell what becomes of every value
    Loss(loss::Arguments),
}

pub fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    match arguments.verb {
        Verb::Check { files } => {
            for crosswalk in load(&files)? {
                writeln!(std::io::stdout(), "{}: no mistakes", crosswalk.name())?;
            }
            Ok(Outcome::Clean)
        }
        Verb::Test { files } => test(&files),
        Verb::Loss(arguments) => loss::run(&arguments),
    }
}

/// Loads all files; the mistakes of all of them in one error.
fn load(files: &[PathBuf]) -> Result<Vec<Crosswalk>, Failure> {
    let (mut crosswalks, mut mistakes) = (Vec::new(), Vec::new());
    for file in files {
        match Crosswalk::load(Path::new(file)) {
            Ok(crosswalk) => crosswalks.push(crosswalk),
            Err(error @ (CrosswalkError::Read { .. } | CrosswalkError::Invalid(_))) => {
                mistakes.push(error.to_string());
            }
        }
    }
    if mistakes.is_empty() {
        return Ok(crosswalks);
    }
    Err(configuration(anyhow::anyhow!("{}", mistakes.join("\n"))))
}

fn test(files: &[PathBuf]) -> Result<Outcome, Failure> {
    let mut out = std::io::stdout().lock();
    let (mut passed, mut failed) = (0, 0);
    for (file, crosswalk) in files.iter().zip(load(files)?) {
        for outcome in crosswalk.test() {
            let place = format!("{}:{}", file.display(), outcome.line);
            if outcome.failures.is_empty() {
                passed += 1;
                writeln!(out, "ok      {place}  {}", outcome.name)?;
            } else {
                failed += 1;
                writeln!(out, "FAILED  {place}  {}", outcome.name)?;
                for failure in outcome.failures {
                    writeln!(out, "        {failure}")?;
                }
            }
        }
    }
    writeln!(out, "{passed} passed, {failed} failed")?;
    Ok(if failed == 0 { Outcome::Clean } else { Outcome::Quarantined })
}
