//! `windrow crosswalk`: find mistakes, run the tests that a crosswalk carries, try it on records.

mod diff;
mod explain;
mod loss;
mod run;
mod test;

use std::io::Write;
use std::path::{Path, PathBuf};

use super::{Failure, Outcome, configuration, convert};
use crate::crosswalk::{Class, Classified, Crosswalk, CrosswalkError};
use crate::formats::{Format, ReadOptions};
use crate::pipeline::{Inputs, Records};

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
        /// Tell of each rule whether what it writes leads back to what it read
        #[arg(long)]
        classes: bool,
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
    /// Map the records of dumps and print what comes out, a record a line
    Run(run::Arguments),
    /// Tell of one record where each value of the output comes from
    Explain(explain::Arguments),
    /// Compare what two crosswalks make of the same records
    Diff(diff::Arguments),
    /// Run a crosswalk over dumps without loading, and tell what becomes of every value
    Loss(loss::Arguments),
}

pub fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    match arguments.verb {
        Verb::Check { files, classes } => {
            let mut out = std::io::stdout().lock();
            for crosswalk in load(&files)? {
                crosswalk.check_tests().map_err(configuration)?;
                writeln!(out, "{}: no mistakes", crosswalk.name())?;
                if classes {
                    show_classes(&mut out, &crosswalk)?;
                }
            }
            Ok(Outcome::Clean)
        }
        Verb::Test { files, complete } => test::run(&files, complete),
        Verb::Run(arguments) => run::run(&arguments),
        Verb::Explain(arguments) => explain::run(&arguments),
        Verb::Diff(arguments) => diff::run(&arguments),
        Verb::Loss(arguments) => loss::run(&arguments),
    }
}

/// The class of each rule, and how many there are of each.
fn show_classes(out: &mut impl Write, crosswalk: &Crosswalk) -> std::io::Result<()> {
    let classified = crosswalk.plan().classes();
    for Classified { rule, place, class, why } in &classified {
        let why = if why.is_empty() { String::new() } else { format!(": {}", why.join(", ")) };
        writeln!(out, "  {class:<9}  {place}  {rule}{why}")?;
    }
    let counts = Class::ALL.map(|class| {
        let count = classified.iter().filter(|rule| rule.class == class).count();
        format!("{count} {class}")
    });
    writeln!(out, "  {}", counts.join(", "))
}

/// What records are read from, for verbs that take them one by one.
#[derive(Debug, clap::Args)]
struct Dumps {
    /// Dumps: files or globs, packed or not, archives too; `-` is stdin
    #[arg(value_name = "DUMP", required = true)]
    dumps: Vec<String>,
    /// The format of the dumps; told by their first bytes when it is not given
    #[arg(long, value_name = "FORMAT", value_parser = convert::readable)]
    format: Option<&'static Format>,
    /// Stop after so many records
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

impl Dumps {
    fn records(&self) -> Result<Records, Failure> {
        let inputs = Inputs::new(convert::files(&self.dumps)?, self.format);
        Ok(Records::new(inputs, ReadOptions::default(), self.limit))
    }
}

fn load_one(file: &Path) -> Result<Crosswalk, Failure> {
    Crosswalk::load(file).map_err(configuration)
}

/// Loads all files; the mistakes of all of them in one error. `NAME.test.yaml`, as a glob finds it
/// too, stands for the crosswalk beside it.
fn load(files: &[PathBuf]) -> Result<Vec<Crosswalk>, Failure> {
    let (mut crosswalks, mut mistakes) = (Vec::new(), Vec::new());
    let mut loaded: Vec<PathBuf> = Vec::new();
    for file in files {
        let name = file.to_string_lossy();
        let own = name.strip_suffix(".test.yaml").map(|stem| PathBuf::from(format!("{stem}.yaml")));
        let file = own.as_ref().unwrap_or(file);
        if loaded.contains(file) {
            continue;
        }
        loaded.push(file.clone());
        match Crosswalk::load(file) {
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
