//! Records there and back: what a pair of crosswalks changes, counted by path.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde_json::Value;
use thiserror::Error;

use super::{corpus, shown};
use crate::crosswalk::Crosswalk;
use crate::crosswalk::difference::{as_json, differences, without_positions};
use crate::crosswalk::runner::Runner;
use crate::formats::{Model, ReadOptions, SourceRecord, sniff};
use crate::xml::Options;

/// Why records cannot go there and back.
#[derive(Debug, Error)]
pub enum RoundtripError {
    /// A file cannot be read.
    #[error("{0}")]
    File(String),
    /// Neither crosswalk reads what the files hold.
    #[error("neither of the crosswalks reads {0}")]
    Model(String),
}

/// What going there and back changed.
#[derive(Debug, Default)]
pub struct RoundtripReport {
    /// Records that went there and back.
    pub records: u64,
    /// Records that could not be read or were held on the way.
    pub held: u64,
    /// Path, positions left out → how many values differ, and the first of them.
    pub differences: BTreeMap<String, (u64, String)>,
    /// How often each label of the first crosswalk was used.
    pub uses: Vec<u64>,
}

impl RoundtripReport {
    /// A message for each path that differs and is not in `modulo`; and for each path of it where
    /// nothing differs. A path with `.*` behind it stands for all below, too.
    #[must_use]
    pub fn unexpected(&self, modulo: &[String]) -> Vec<String> {
        let is_below = |path: &str, known: &String| match known.strip_suffix(".*") {
            None => path == known,
            Some(known) => {
                let rest = path.strip_prefix(known);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            }
        };
        let paths = self.differences.iter();
        let paths = paths.filter(|(path, _)| !modulo.iter().any(|known| is_below(path, known)));
        let mut messages: Vec<String> = paths
            .map(|(path, (count, first))| {
                format!("roundtrip: {path} differs {count} times: {first}")
            })
            .collect();
        let differs = |known: &String| self.differences.keys().any(|path| is_below(path, known));
        for known in modulo.iter().filter(|known| !differs(known)) {
            messages.push(format!("roundtrip: {known} is listed in modulo and never differs"));
        }
        if self.records == 0 {
            messages.push("roundtrip: no record went there and back".to_owned());
        }
        messages
    }
}

impl fmt::Display for RoundtripReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "roundtrip: {} records, {} held", self.records, self.held)?;
        for (path, (count, _)) in &self.differences {
            write!(f, "; {path}: {count}")?;
        }
        Ok(())
    }
}

/// Takes every record of `files` through `there` and `back`, and compares.
///
/// Records that `there` reads are compared as they were with what comes back. Records that `back`
/// reads go through it first; what it makes of them goes there and back. Where both read JSON, a
/// record that `there` cannot map is taken for one that `back` reads.
///
/// # Errors
/// [`RoundtripError`]
pub fn roundtrip(
    there: &Crosswalk,
    back: &Crosswalk,
    files: &[PathBuf],
) -> Result<RoundtripReport, RoundtripError> {
    let mut report = RoundtripReport::default();
    let (mut first, mut second) = (Runner::new(&there.plan), Runner::new(&back.plan));
    let mut foreign = None;
    for file in files {
        let unread = corpus::records(file, &mut |record| {
            let both = there.plan.input.model() == back.plan.input.model();
            let start = if record.model() == there.plan.input.model() {
                match both && step(&mut first, &record).is_none() {
                    true => step(&mut second, &record),
                    false => Some(record),
                }
            } else if record.model() == back.plan.input.model() {
                step(&mut second, &record)
            } else {
                foreign = Some(file.display().to_string());
                None
            };
            let end = start.as_ref().and_then(|start| {
                let between = step(&mut first, start)?;
                step(&mut second, &between)
            });
            match (start, end) {
                (Some(start), Some(end)) => report.compare(&start, &end),
                _ => report.held += 1,
            }
        });
        report.held += unread.map_err(RoundtripError::File)?;
    }
    report.uses = first.uses().to_vec();
    foreign.map_or(Ok(report), |file| Err(RoundtripError::Model(file)))
}

impl RoundtripReport {
    fn compare(&mut self, start: &SourceRecord, end: &SourceRecord) {
        self.records += 1;
        let (Some(start), Some(end)) = (as_json(start), as_json(end)) else { return };
        differences("", Some(&start), Some(&end), &mut |path, before, after| {
            let word = |value: Option<&Value>| value.map_or("nothing".to_owned(), shown);
            let line = self.differences.entry(without_positions(path)).or_default();
            if line.0 == 0 {
                line.1 = format!("{} became {}", word(before), word(after));
            }
            line.0 += 1;
        });
    }
}

/// One way: mapped, and read again as the other crosswalk reads it.
fn step(runner: &mut Runner<'_>, record: &SourceRecord) -> Option<SourceRecord> {
    let mut out = Vec::new();
    runner.run(record, &mut out).ok()?;
    decoded(&out)
}

/// What a crosswalk wrote, as a source record; `None` when nobody can read it.
pub fn decoded(bytes: &[u8]) -> Option<SourceRecord> {
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Some(SourceRecord::Json(value));
    }
    let format = sniff(bytes);
    let mut record = SourceRecord::default();
    if let Some(format) = format.filter(|format| format.model == Model::Marc) {
        let read = format.read(bytes, &ReadOptions::default(), &mut record, &mut Vec::new());
        return read.is_ok().then_some(record);
    }
    let text = std::str::from_utf8(bytes).ok()?;
    record.xml_mut().read(text, Options::default(), &mut Vec::new()).ok()?;
    Some(record)
}
