//! `windrow crosswalk diff OLD NEW --on DUMP…`: what two crosswalks make of the same records.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use serde_json::Value;

use super::{convert, load_one};
use crate::cli::{Failure, Outcome};
use crate::crosswalk::{Runner, as_json, decoded, differences, without_positions};
use crate::formats::{Format, ReadOptions, SourceRecord};
use crate::pipeline::{Inputs, Records};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The crosswalk as it was
    old: PathBuf,
    /// The crosswalk as it is to be
    new: PathBuf,
    /// Dumps: files or globs, packed or not, archives too; `-` is stdin
    #[arg(long, value_name = "DUMP", required = true, num_args = 1..)]
    on: Vec<String>,
    /// The format of the dumps; told by their first bytes when it is not given
    #[arg(long, value_name = "FORMAT", value_parser = convert::readable)]
    format: Option<&'static Format>,
    /// Stop after so many records
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Show so many examples of each path
    #[arg(long, value_name = "N", default_value_t = 1)]
    samples: usize,
}

pub fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let (old, new) = (load_one(&arguments.old)?, load_one(&arguments.new)?);
    let inputs = Inputs::new(convert::files(&arguments.on)?, arguments.format);
    let mut records = Records::new(inputs, ReadOptions::default(), arguments.limit);
    let (mut before, mut after) = (Runner::new(old.plan()), Runner::new(new.plan()));
    let mut report = Report { wanted: arguments.samples, ..Report::default() };
    while let Some((source, locator)) = records.read()? {
        report.records += 1;
        let Ok(source) = source else {
            report.unread += 1;
            continue;
        };
        let name = locator.control_number.clone().unwrap_or_else(|| locator.to_string());
        report.compare(&name, output(&mut before, source), output(&mut after, source));
    }
    let mut out = std::io::stdout().lock();
    report.show(&mut out)?;
    Ok(if report.paths.is_empty() { Outcome::Clean } else { Outcome::Quarantined })
}

/// What a crosswalk makes of a record, or by which rule it holds it.
fn output(runner: &mut Runner<'_>, source: &SourceRecord) -> Result<Value, String> {
    let mut out = Vec::new();
    runner.run(source, &mut out).map_err(|held| format!("{} ({})", held.rule, held.code))?;
    decoded(&out).as_ref().and_then(as_json).ok_or_else(|| "what nobody can read".to_owned())
}

#[derive(Default)]
struct Report {
    records: u64,
    unread: u64,
    /// Records of which anything differs.
    changed: u64,
    wanted: usize,
    paths: BTreeMap<String, Counts>,
}

#[derive(Default)]
struct Counts {
    added: u64,
    removed: u64,
    changed: u64,
    samples: Vec<String>,
}

impl Report {
    fn compare(&mut self, name: &str, old: Result<Value, String>, new: Result<Value, String>) {
        let mut differs = false;
        let mut note = |path: String, old: Option<&Value>, new: Option<&Value>| {
            differs = true;
            let counts = self.paths.entry(path).or_default();
            match (old, new) {
                (None, _) => counts.added += 1,
                (_, None) => counts.removed += 1,
                _ => counts.changed += 1,
            }
            if counts.samples.len() < self.wanted {
                let word = |value: Option<&Value>| value.map_or("nothing".to_owned(), clipped);
                counts.samples.push(format!("{name}: {} → {}", word(old), word(new)));
            }
        };
        match (old, new) {
            (Ok(old), Ok(new)) => differences("", Some(&old), Some(&new), &mut |path, old, new| {
                note(without_positions(path), old, new);
            }),
            (Err(old), Err(new)) if old == new => {}
            (Ok(_), Err(new)) => {
                note("(record)".to_owned(), Some(&"mapped".into()), Some(&new.into()));
            }
            (Err(old), Ok(_)) => {
                note("(record)".to_owned(), Some(&old.into()), Some(&"mapped".into()));
            }
            (Err(old), Err(new)) => {
                note("(record)".to_owned(), Some(&old.into()), Some(&new.into()));
            }
        }
        self.changed += u64::from(differs);
    }

    fn show(&self, out: &mut impl Write) -> std::io::Result<()> {
        writeln!(
            out,
            "{} records, {} not read, {} of the others differ",
            self.records, self.unread, self.changed
        )?;
        if self.paths.is_empty() {
            return Ok(());
        }
        writeln!(out, "{:>8} {:>8} {:>8}  path", "added", "removed", "changed")?;
        for (path, counts) in &self.paths {
            let Counts { added, removed, changed, samples } = counts;
            writeln!(out, "{added:>8} {removed:>8} {changed:>8}  {path}")?;
            for sample in samples {
                writeln!(out, "{:28}{sample}", "")?;
            }
        }
        Ok(())
    }
}

fn clipped(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(&text)),
        None => text,
    }
}
