//! `windrow crosswalk check | test`: find mistakes, run the tests that a crosswalk carries.

mod test;

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
    /// Run the tests inside crosswalk files, and name the rules and cases that none of them uses
    Test {
        /// Crosswalk files
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Fail when a rule or case is used by no test
        #[arg(long)]
        complete: bool,
    },
}

pub fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    match arguments.verb {
        Verb::Check { files } => {
            for crosswalk in load(&files)? {
                writeln!(std::io::stdout(), "{}: no mistakes", crosswalk.name())?;
            }
            Ok(Outcome::Clean)
        }
        Verb::Test { files, complete } => test::run(&files, complete),
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
