//! `windrow crosswalk loss FILE --against DUMP…`: what a crosswalk leaves behind, without loading.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::super::progress::Watcher;
use super::super::{Failure, Outcome, configuration, convert, show};
use crate::crosswalk::Crosswalk;
use crate::crosswalk::account::{AccountReport, State};
use crate::formats::{Format, ReadOptions};
use crate::pipeline::{self, Inputs, Progress, Survey, Trial};
use crate::validate::SchemaValidator;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The crosswalk
    file: PathBuf,
    /// Dumps: files or globs, packed or not, archives too; `-` is stdin
    #[arg(long, value_name = "DUMP", required = true, num_args = 1..)]
    against: Vec<String>,
    /// The format of the dumps; told by their first bytes when it is not given
    #[arg(long, value_name = "FORMAT", value_parser = convert::readable)]
    format: Option<&'static Format>,
    /// Stop after so many records
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Show so many fields, those with most values first
    #[arg(long, value_name = "N", default_value_t = 30)]
    top: usize,
    /// Show so many cases of each problem that a policy dealt with, 100 at most
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=100))]
    cases: u8,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let crosswalk = Crosswalk::load(&arguments.file).map_err(configuration)?;
    let schema = crosswalk.schema().map(SchemaValidator::load).transpose();
    let schema = schema.map_err(configuration)?;
    let inputs = Inputs::new(convert::files(&arguments.against)?, arguments.format);
    let trial = Trial {
        crosswalk: &crosswalk,
        schema: schema.as_ref(),
        reading: ReadOptions::default(),
        limit: arguments.limit,
    };
    let progress = Arc::new(Progress::default());
    let watcher = Watcher::new(Arc::clone(&progress));
    let survey = pipeline::survey(&trial, inputs, &progress);
    drop(watcher);
    let survey = survey?;
    let mut out = std::io::stdout().lock();
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &Loss::new(&crosswalk, &survey))?;
        writeln!(out)?;
    } else {
        let Survey { read, mapped, held, findings } = &survey;
        writeln!(out, "{}: {read} records = {mapped} mapped + {held} held", crosswalk.name())?;
        let sheet = &mut show::Sheet::text(&mut out);
        show::account(&findings.account, arguments.top, sheet)?;
        if arguments.cases > 0 {
            show::cases(&findings.account, usize::from(arguments.cases), sheet)?;
        }
        show::warnings(&findings.account, sheet)?;
        show::skipped_members(findings, sheet)?;
        show::rejections("held", findings, sheet)?;
    }
    Ok(if survey.held == 0 { Outcome::Clean } else { Outcome::Quarantined })
}

/// The loss account for programs.
#[derive(Serialize)]
struct Loss<'s> {
    crosswalk: &'s str,
    /// Of the crosswalk, its tables and its schema.
    hash: String,
    read: u64,
    mapped: u64,
    held: u64,
    /// Held records by stage and code.
    reasons: &'s BTreeMap<String, u64>,
    /// The first of them, as messages.
    rejections: &'s [String],
    /// In per cent.
    coverage: Part,
    /// All values by state.
    states: BTreeMap<State, Sum>,
    account: &'s AccountReport,
}

#[derive(Serialize)]
struct Part {
    values: f64,
    bytes: f64,
}

#[derive(Serialize)]
struct Sum {
    values: u64,
    bytes: u64,
}

impl<'s> Loss<'s> {
    fn new(crosswalk: &'s Crosswalk, survey: &'s Survey) -> Loss<'s> {
        let account = &survey.findings.account;
        let (values, bytes) = account.coverage();
        let sum = |state| {
            let (values, bytes) = account.total(state);
            (state, Sum { values, bytes })
        };
        Loss {
            crosswalk: crosswalk.name(),
            hash: crosswalk.hash().iter().map(|byte| format!("{byte:02x}")).collect(),
            read: survey.read,
            mapped: survey.mapped,
            held: survey.held,
            reasons: &survey.findings.reasons,
            rejections: &survey.findings.rejections,
            coverage: Part { values, bytes },
            states: State::ALL.into_iter().map(sum).collect(),
            account,
        }
    }
}
