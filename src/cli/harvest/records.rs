//! `windrow harvest records | identifiers`: all of a list, on stdout or into a journal.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use serde::Serialize;

use super::super::{Failure, Outcome, runtime_of_one_thread, talk, usage};
use super::endpoint::EndpointArguments;
use super::failure;
use crate::oai::ListVerb;
use crate::oai::page::{PageRecord, parts};
use crate::record::{Datestamp, Granularity};
use crate::source::oai_pmh::{Harvest, Journal, Report, Selection, Standing};
use crate::xml::Options;
use crate::xml::tree::Tree;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    endpoint: EndpointArguments,
    /// metadataPrefix
    #[arg(long, value_name = "PREFIX", default_value = "oai_dc")]
    prefix: String,
    /// Only this set
    #[arg(long, value_name = "SPEC")]
    set: Option<String>,
    /// Only records not older: YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// Only records not newer, inclusive
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
    /// Keep every page in this folder instead of printing records: a broken harvest goes on
    /// there, and the next one begins where it ended; `windrow harvest replay` prints
    #[arg(long, value_name = "FOLDER")]
    journal: Option<PathBuf>,
    /// Write the report to this file, as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// A record as one line of JSON.
#[derive(Serialize)]
struct Line<'r> {
    identifier: &'r str,
    datestamp: &'r str,
    set_specs: &'r [String],
    deleted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    about: Vec<String>,
}

pub fn run(arguments: Arguments, verb: ListVerb) -> Result<Outcome, Failure> {
    if verb == ListVerb::ListIdentifiers && arguments.journal.is_some() {
        // The next harvest of records would go on behind headers, and miss their metadata.
        return Err(usage(anyhow!("--journal keeps records; identifiers are printed")));
    }
    let client = arguments.endpoint.client()?;
    let selection = Selection {
        prefix: arguments.prefix,
        set: arguments.set,
        from: date("--from", arguments.from.as_deref())?.map(|(date, _)| date),
        until: date("--until", arguments.until.as_deref())?
            .map(|(date, granularity)| date.end_of(granularity)),
    };
    let journal = match &arguments.journal {
        None => None,
        Some(folder) => {
            let url = &client.endpoint().url;
            let (prefix, set) = (&selection.prefix, selection.set.as_deref());
            Some(Journal::open(folder, url, prefix, set).map_err(failure)?)
        }
    };
    let prints = journal.is_none();
    let mut out = BufWriter::new(std::io::stdout());
    let mut take = |record: PageRecord| match prints {
        true => print(&record, &mut out),
        false => Ok(()),
    };
    let harvest = Harvest::new(&client, verb, selection, journal, &mut take);
    let report = runtime_of_one_thread()?.block_on(harvest.run()).map_err(failure)?;
    out.flush()?;
    tell(&report, arguments.report.as_deref())
}

/// Writes a record as a line; a broken one is told of on stderr.
pub fn print(record: &PageRecord, out: &mut dyn Write) -> std::io::Result<()> {
    if let Some((code, message)) = &record.damage {
        talk(format_args!("{}: {message} [{code}]", record.identifier));
        return Ok(());
    }
    let (metadata, about) = match record.has_metadata {
        false => (None, Vec::new()),
        true => {
            let mut tree = Tree::default();
            let read = tree.read(&record.xml, Options { repair: true }, &mut Vec::new());
            read.map_err(std::io::Error::other)?;
            parts(&tree)
        }
    };
    let line = Line {
        identifier: &record.identifier,
        datestamp: &record.datestamp,
        set_specs: &record.set_specs,
        deleted: record.deleted,
        metadata,
        about,
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}

/// Tells how a harvest went: on stderr, and in a file of JSON.
fn tell(report: &Report, file: Option<&Path>) -> Result<Outcome, Failure> {
    if let Some(file) = file {
        let json = serde_json::to_string_pretty(report)?;
        std::fs::write(file, json + "\n")
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    talk(format_args!(
        "{} records ({} deleted) on {} pages, {} duplicates, {} broken; {} requests ({} repeated), \
         {:.1} s",
        report.records,
        report.deleted,
        report.pages,
        report.duplicates,
        report.broken,
        report.requests,
        report.retries,
        report.seconds
    ));
    for (code, repairs) in &report.repairs {
        let sample = repairs.samples.first().map_or("", String::as_str);
        talk(format_args!("{code}: {} times, first {sample}", repairs.count));
    }
    for broken in &report.broken_records {
        talk(format_args!("broken: {}: {} [{}]", broken.identifier, broken.message, broken.code));
    }
    let open = report.windows.iter().filter(|window| window.standing == Standing::Open);
    let mut missing = 0;
    for window in open {
        missing += 1;
        let reason = window.reason.as_deref().unwrap_or("not asked for");
        talk(format_args!("not complete: {}: {reason}", window.window));
    }
    if !report.complete {
        let message = format!("{missing} of {} windows not complete", report.windows.len());
        return Err(Failure::Failed(anyhow!("the harvest is not complete: {message}")));
    }
    Ok(if report.broken == 0 { Outcome::Clean } else { Outcome::Quarantined })
}

fn date(name: &str, text: Option<&str>) -> Result<Option<(Datestamp, Granularity)>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let date = Datestamp::parse(text);
    date.map(Some).map_err(|error| usage(anyhow!("{name}: {error}")))
}
