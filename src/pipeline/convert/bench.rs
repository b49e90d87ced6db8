//! What is done to one batch: decoded, mapped if a crosswalk says so, encoded; in parallel with
//! other batches.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Conversion, ConvertError};
use crate::crosswalk::Runner;
use crate::formats::{Format, SourceRecord, Writing};
use crate::pipeline::report::Findings;
use crate::record::{Locator, RawBatch, RawRecord, Rejection, Stage, Warning};

/// How batches are worked on: the same for all.
pub(super) struct Work<'c> {
    pub conversion: &'c Conversion,
    pub writing: &'c Writing,
    pub keep_rejects: bool,
}

/// A batch on its way from the reader to the writer.
#[derive(Default)]
pub(super) struct Worked {
    pub read: u64,
    pub written: u64,
    /// The records written, one behind the other.
    pub bytes: Vec<u8>,
    pub rejected: u64,
    pub rejects: Vec<u8>,
    pub findings: Findings,
    pub failure: Option<ConvertError>,
}

impl Work<'_> {
    /// Works on a batch of records of `format`; a panic is a failure of the batch.
    pub fn run(&self, format: &'static Format, batch: &RawBatch) -> Worked {
        catch_unwind(AssertUnwindSafe(|| self.convert(format, batch))).unwrap_or_else(|_| {
            let first = batch.records.first().map(|raw| batch.locator(raw).to_string());
            let message = format!("panic in the batch at {}", first.unwrap_or_default());
            Worked { failure: Some(ConvertError::Broken(message)), ..Worked::default() }
        })
    }

    fn convert(&self, format: &'static Format, batch: &RawBatch) -> Worked {
        let mut bench = Bench {
            work: self,
            format,
            runner: self.conversion.crosswalk.as_ref().map(|own| Runner::new(own.plan())),
            source: SourceRecord::default(),
            json: Vec::new(),
            warnings: Vec::new(),
        };
        let mut worked = Worked {
            read: batch.records.len() as u64,
            bytes: Vec::with_capacity(batch.block.len() * 3),
            ..Worked::default()
        };
        // One rejection behind another in a file of JSON lines shall be two lines.
        let between = format.writing.as_ref().map_or("\n", |writing| writing.between);
        let between = if between.trim().is_empty() { between } else { "\n" };
        for raw in &batch.records {
            let mut locator = batch.locator(raw);
            let before = worked.bytes.len();
            if worked.written > 0 {
                worked.bytes.extend_from_slice(self.writing.between.as_bytes());
            }
            match bench.record(raw, batch.bytes(raw), &mut locator, &mut worked.bytes) {
                Ok(()) => worked.written += 1,
                Err(Stop::Rejected(rejection)) => {
                    worked.bytes.truncate(before);
                    worked.findings.reject(&rejection);
                    worked.rejected += 1;
                    if self.keep_rejects {
                        worked.rejects.extend_from_slice(batch.bytes(raw));
                        worked.rejects.extend_from_slice(between.as_bytes());
                    }
                }
                Err(Stop::Failed(message)) => {
                    worked.failure = Some(ConvertError::Policy(message));
                    break;
                }
            }
            let warnings = &mut worked.findings.account.warnings;
            for warning in bench.warnings.drain(..) {
                match warnings.get_mut(warning.code) {
                    Some(count) => *count += 1,
                    None => drop(warnings.insert(warning.code.to_owned(), 1)),
                }
            }
        }
        if let Some(runner) = &mut bench.runner {
            runner.account.drain_into(&mut worked.findings.account);
        }
        worked
    }
}

enum Stop {
    Rejected(Box<Rejection>),
    Failed(String),
}

struct Bench<'b> {
    work: &'b Work<'b>,
    format: &'static Format,
    runner: Option<Runner<'b>>,
    source: SourceRecord,
    json: Vec<u8>,
    warnings: Vec<Warning>,
}

impl Bench<'_> {
    fn record(
        &mut self,
        raw: &RawRecord,
        bytes: &[u8],
        locator: &mut Locator,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        let conversion = self.work.conversion;
        if let Some(damage) = &raw.damage {
            return Err(rejected(Stage::Decode, None, damage.code, &damage.message, locator));
        }
        let read =
            self.format.read(bytes, &conversion.reading, &mut self.source, &mut self.warnings);
        if let Err(error) = read {
            locator.control_number = error.control_number;
            return Err(rejected(Stage::Decode, None, error.code, error.message, locator));
        }
        let number = |source: &SourceRecord| source.control_number().map(str::to_owned);
        if let Some(runner) = &mut self.runner {
            locator.control_number = number(&self.source);
            if let Err(held) = runner.run(&self.source, &mut self.json) {
                if held.fatal {
                    let (rule, code, message) = (held.rule, held.code, held.message);
                    return Err(Stop::Failed(format!(
                        "{locator}: {message} [{code}, rule {rule}]"
                    )));
                }
                let rule = Some(held.rule);
                return Err(rejected(Stage::Crosswalk, rule, held.code, held.message, locator));
            }
            let json = serde_json::from_slice(&self.json);
            let json = json.map_err(|error| Stop::Failed(format!("{locator}: {error}")))?;
            self.source = SourceRecord::Json(json);
        }
        let encode = self.work.writing.encode;
        encode(&self.source, &conversion.writing, out, &mut self.warnings).map_err(|error| {
            locator.control_number = locator.control_number.take().or(number(&self.source));
            rejected(Stage::Encode, None, error.code, error.message, locator)
        })
    }
}

fn rejected(
    stage: Stage,
    rule: Option<String>,
    code: impl Into<String>,
    message: impl Into<String>,
    locator: &Locator,
) -> Stop {
    let (code, message, locator) = (code.into(), message.into(), locator.clone());
    Stop::Rejected(Box::new(Rejection { stage, rule, code, message, locator }))
}
