//! `windrow convert IN… -o OUT`: records of one format into another.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use clap::ValueEnum;
use jiff::tz::TimeZone;

use super::progress::Watcher;
use super::{Failure, Outcome, clock, configuration, show, usage};
use crate::crosswalk::Crosswalk;
use crate::formats::csv::Column;
use crate::formats::{
    Encoding, FORMATS, Format, Model, Policy, ReadOptions, WriteOptions, by_name,
};
use crate::pipeline::{self, Conversion, ConvertError, Converted, Inputs, Output, Progress};
use crate::source::{Codec, expand};
use crate::validate::SchemaValidator;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Files or globs, packed or not, archives too; `-` is stdin
    #[arg(value_name = "IN", required_unless_present = "formats")]
    inputs: Vec<String>,
    /// The format that is read; told by the first bytes when it is not given
    #[arg(long, value_name = "FORMAT", value_parser = readable)]
    from: Option<&'static Format>,
    /// The format that is written; told by the extension of OUT when it is not given, or by the
    /// crosswalk
    #[arg(long, value_name = "FORMAT", value_parser = writable)]
    to: Option<&'static Format>,
    /// The file to write; `-` is stdout; .gz, .zst, .bz2 and .xz are packed
    #[arg(short, long, value_name = "OUT", default_value = "-")]
    output: PathBuf,
    /// Make OUT a BagIt bag, a folder with the records in it; packed with bz2, gz, xz or zst
    #[arg(
        long,
        value_name = "CODEC",
        num_args = 0..=1,
        require_equals = true,
        value_parser = codec,
    )]
    bag: Option<Option<Codec>>,
    /// The version of the format that is written
    #[arg(long, value_name = "VERSION")]
    to_version: Option<String>,
    /// What becomes of records that break their standard
    #[arg(long, value_enum, default_value = "tolerant")]
    policy: PolicyArgument,
    /// The character encoding, whatever the records say; for ISO 2709
    #[arg(long, value_name = "ENCODING", value_parser = encoding)]
    encoding: Option<Encoding>,
    /// A column of the table that is written, `Authors=creators[].name`; again for each
    #[arg(long = "column", value_name = "NAME=PATH", value_parser = column)]
    columns: Vec<Column>,
    /// The crosswalk that leads from what is read to what is written
    #[arg(long, value_name = "FILE")]
    crosswalk: Option<PathBuf>,
    /// Stop after so many records
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Write the raw bytes of rejected records to this file
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Threads that decode and encode, beside one that reads and one that writes; all cores without
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    threads: usize,
    /// List the formats
    #[arg(long)]
    formats: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PolicyArgument {
    /// What would be a warning rejects the record
    Strict,
    /// What can be understood is read, with a warning
    Tolerant,
    /// What is broken is mended as most likely meant, with a warning
    Repair,
}

pub fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    if arguments.formats {
        return formats(&mut std::io::stdout().lock());
    }
    let mut inputs = Inputs::new(files(&arguments.inputs)?, arguments.from);
    let crosswalk = arguments.crosswalk.as_deref().map(Crosswalk::load).transpose();
    let crosswalk = crosswalk.map_err(configuration)?;
    let schema = crosswalk.as_ref().and_then(Crosswalk::schema).map(SchemaValidator::load);
    let schema = schema.transpose().map_err(configuration)?;
    let from = inputs.format()?.context("there is nothing to read")?;
    let written = crosswalk.as_ref().map(|crosswalk| &crosswalk.plan().output);
    let model = written.map_or(from.model, |output| output.model);
    let to = match (arguments.to, written.and_then(|output| output.format)) {
        (Some(to), _) => to,
        // What the crosswalk writes, unless the output's name says that it shall be another.
        (None, Some(to)) => by_extension(&arguments.output, model).unwrap_or(to),
        (None, None) => by_extension(&arguments.output, model)?,
    };
    let conversion = Conversion {
        to,
        reading: ReadOptions { policy: arguments.policy.into(), encoding: arguments.encoding },
        writing: WriteOptions {
            version: arguments.to_version.clone(),
            columns: arguments.columns.clone(),
        },
        crosswalk,
        schema,
        limit: arguments.limit,
        threads: arguments.threads,
    };
    // Before a file is made.
    conversion.check(from).map_err(usage)?;
    let mut output = output(arguments, conversion.to)?;
    let mut rejects = arguments.rejects.as_deref().map(output_file).transpose()?;
    let progress = Arc::new(Progress::default());
    let watcher = Watcher::new(Arc::clone(&progress));
    let (converted, result) =
        pipeline::convert(&conversion, inputs, &mut output, rejects.as_mut(), &progress);
    drop(watcher);
    let result = finish(result, output, rejects);
    // Behind a pipe whose reader has had enough, nobody wants a summary either.
    if !matches!(&result, Err(Failure::Failed(error)) if super::is_broken_pipe(error)) {
        summary(&converted, &mut std::io::stderr().lock())?;
    }
    result?;
    Ok(if converted.rejected == 0 { Outcome::Clean } else { Outcome::Quarantined })
}

fn finish(
    result: Result<(), ConvertError>,
    output: Output,
    rejects: Option<Output>,
) -> Result<(), Failure> {
    let error = match result {
        Ok(()) => {
            output.commit().context("cannot write the output")?;
            return Ok(rejects.map_or(Ok(()), Output::commit).context("cannot write --rejects")?);
        }
        Err(error) => error,
    };
    // The first failure is the one to be told.
    let _kept = rejects.map(Output::commit);
    if let ConvertError::Write(error) = error {
        output.discard();
        // As it is, for whoever asks whether it is a broken pipe.
        return Err(Failure::Failed(anyhow!(error).context("cannot write the output")));
    }
    let usage_error = matches!(error, ConvertError::Model(_));
    let error = match output.abandon().ok().flatten() {
        None => anyhow!(error),
        Some(partial) => {
            let kept = format!("what was read before stands in {}", partial.display());
            anyhow!("{error}\n{kept}")
        }
    };
    Err(if usage_error { usage(error) } else { Failure::Failed(error) })
}

/// The files of paths and globs, each with the name that messages use; `-` is stdin.
pub(super) fn files(patterns: &[String]) -> Result<Vec<(Option<PathBuf>, String)>, Failure> {
    let mut files = Vec::new();
    for pattern in patterns {
        if pattern == "-" {
            files.push((None, "stdin".to_owned()));
            continue;
        }
        for path in expand(std::slice::from_ref(pattern), Path::new(""))? {
            let name = path.display().to_string();
            if !files.iter().any(|(known, _)| known.as_ref() == Some(&path)) {
                files.push((Some(path), name));
            }
        }
    }
    Ok(files)
}

fn output(arguments: &Arguments, to: &Format) -> Result<Output, Failure> {
    let path = &arguments.output;
    let is_stdout = path == Path::new("-");
    let Some(codec) = arguments.bag else {
        let stdout = || Output::stream(Box::new(std::io::stdout()));
        return if is_stdout { Ok(stdout()) } else { output_file(path) };
    };
    if is_stdout {
        return Err(usage(anyhow!("a bag is a folder, name it with -o")));
    }
    let mut name = format!("records.{}", to.extensions.first().unwrap_or(&to.name));
    name.extend(codec.iter().flat_map(|codec| [".", codec.extension()]));
    let date = clock()?.now().to_zoned(TimeZone::UTC).date();
    let bag = Output::bag(path, &name, date);
    Ok(bag.with_context(|| format!("cannot make the bag {}", path.display()))?)
}

fn output_file(path: &Path) -> Result<Output, Failure> {
    Ok(Output::file(path).with_context(|| format!("cannot write {}", path.display()))?)
}

impl From<PolicyArgument> for Policy {
    fn from(argument: PolicyArgument) -> Policy {
        match argument {
            PolicyArgument::Strict => Policy::Strict,
            PolicyArgument::Tolerant => Policy::Tolerant,
            PolicyArgument::Repair => Policy::Repair,
        }
    }
}

/// A format that can be read, by its name.
pub(super) fn readable(name: &str) -> Result<&'static Format, String> {
    named(name, |format| format.reading.is_some())
}

fn writable(name: &str) -> Result<&'static Format, String> {
    named(name, |format| format.writing.is_some())
}

fn named(name: &str, fits: fn(&Format) -> bool) -> Result<&'static Format, String> {
    by_name(name).filter(|format| fits(format)).ok_or_else(|| {
        let fitting = FORMATS.iter().filter(|format| fits(format));
        let names: Vec<&str> = fitting.map(|format| format.name).collect();
        format!("expected {}", names.join(", "))
    })
}

fn encoding(name: &str) -> Result<Encoding, String> {
    Encoding::by_name(name).ok_or_else(|| {
        let names: Vec<&str> = Encoding::ALL.iter().map(|encoding| encoding.name()).collect();
        format!("expected {}", names.join(", "))
    })
}

fn codec(name: &str) -> Result<Codec, String> {
    Codec::ALL
        .into_iter()
        .find(|codec| codec.extension() == name)
        .ok_or_else(|| format!("expected {}", Codec::ALL.map(Codec::extension).join(", ")))
}

fn column(text: &str) -> Result<Column, String> {
    let (name, path) = text.split_once('=').ok_or("expected NAME=PATH")?;
    Column::new(name, path).ok_or_else(|| {
        format!("{path:?} is no path: keys joined by dots, [] for all of a list, [0] for one")
    })
}

/// The format that the name of a file speaks for: the only one with this extension among those
/// that are written from such records.
fn by_extension(path: &Path, model: Model) -> Result<&'static Format, Failure> {
    let packed = Codec::of_path(path).and_then(|_| path.file_stem()).map(Path::new);
    let extension = packed.unwrap_or(path).extension().unwrap_or_default().to_string_lossy();
    let extension = extension.to_lowercase();
    let writable = FORMATS.iter().filter(|format| format.writing.is_some());
    let all: Vec<_> =
        writable.filter(|format| format.extensions.contains(&extension.as_str())).collect();
    let of_model: Vec<_> = all.iter().filter(|format| format.model == model).copied().collect();
    match (of_model.as_slice(), all.as_slice()) {
        // One of another kind: whoever checks says what is missing.
        ([format], _) | ([], [format]) => Ok(format),
        (several, all) => {
            let several = if several.is_empty() { all } else { several };
            let names: Vec<&str> = several.iter().map(|format| format.name).collect();
            let may_be = match names.as_slice() {
                [] => "`windrow convert --formats` lists them".to_owned(),
                names => format!("it may be {}", names.join(" or ")),
            };
            let name = path.display();
            Err(usage(anyhow!(
                "{name} does not tell the format to write, name it with --to: {may_be}"
            )))
        }
    }
}

/// The table of formats.
fn formats(out: &mut dyn Write) -> Result<Outcome, Failure> {
    let rows: Vec<Vec<String>> = FORMATS
        .iter()
        .map(|format| {
            let can = match (&format.reading, &format.writing) {
                (Some(_), Some(_)) => "read, write",
                (Some(_), None) => "read",
                _ => "write",
            };
            let model = match format.model {
                Model::Marc => "MARC",
                Model::Xml => "XML",
                Model::Json => "JSON",
            };
            let cells = [format.name, can, model, format.title, &format.extensions.join(" ")];
            cells.map(str::to_owned).into()
        })
        .collect();
    show::Sheet::text(out).table(&["format", "can", "records", "title", "extensions"], &rows)?;
    Ok(Outcome::Clean)
}

fn summary(converted: &Converted, out: &mut dyn Write) -> Result<(), Failure> {
    let Converted { read, written, rejected, findings, seconds } = converted;
    writeln!(out, "{read} read = {written} written + {rejected} rejected, {seconds:.1} s")?;
    let sheet = &mut show::Sheet::text(out);
    if !findings.account.fields.is_empty() {
        show::account(&findings.account, show::LINES, sheet)?;
    }
    show::warnings(&findings.account, sheet)?;
    show::skipped_members(findings, sheet)?;
    Ok(show::rejections("rejected", findings, sheet)?)
}
