//! What is done to one batch: decoded, mapped if a crosswalk says so, encoded; in parallel with
//! other batches.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use super::{Conversion, ConvertError};
use crate::crosswalk::Runner;
use crate::formats::{Format, SourceRecord, WriteOptions, Writing, csv};
use crate::pipeline::report::Findings;
use crate::record::{Locator, RawBatch, RawRecord, Rejection, Stage, Warning};

/// How batches are worked on: the same for all.
pub(super) struct Work<'c> {
    pub conversion: &'c Conversion,
    pub writing: &'c Writing,
    /// How records are written: known once the first batch was looked at.
    pub options: OnceLock<WriteOptions>,
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
    /// Settles how records are written, by the first batch where nothing else says it: a table
    /// for which no columns are named has those of the crosswalk's rules, or a column for each
    /// value that occurs there.
    pub fn settle(&self, first: Option<(&'static Format, &RawBatch)>) -> &WriteOptions {
        self.options.get_or_init(|| {
            let mut options = self.conversion.writing.clone();
            if let (true, Some(crosswalk)) =
                (options.columns.is_empty(), &self.conversion.crosswalk)
            {
                options.columns.clone_from(&crosswalk.plan().output.columns);
            }
            if let (true, Some((format, batch))) = (options.columns.is_empty(), first)
                && csv::is_table(self.conversion.to)
            {
                let mut bench = self.bench(format);
                let values = batch.records.iter().filter_map(|raw| {
                    let mut locator = batch.locator(raw);
                    bench.decode(raw, batch.bytes(raw), &mut locator).ok()?;
                    bench.source.json().ok().cloned()
                });
                let values: Vec<_> = values.collect();
                options.columns = csv::columns_of(&values);
            }
            options
        })
    }

    fn bench(&self, format: &'static Format) -> Bench<'_> {
        Bench {
            work: self,
            format,
            runner: self.conversion.crosswalk.as_ref().map(|own| Runner::new(own.plan())),
            source: SourceRecord::default(),
            out: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Works on a batch of records of `format`; a panic is a failure of the batch.
    pub fn run(&self, format: &'static Format, batch: &RawBatch) -> Worked {
        catch_unwind(AssertUnwindSafe(|| self.convert(format, batch))).unwrap_or_else(|_| {
            let first = batch.records.first().map(|raw| batch.locator(raw).to_string());
            let message = format!("panic in the batch at {}", first.unwrap_or_default());
            Worked { failure: Some(ConvertError::Broken(message)), ..Worked::default() }
        })
    }

    fn convert(&self, format: &'static Format, batch: &RawBatch) -> Worked {
        let mut bench = self.bench(format);
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
    /// What the crosswalk has written of the record at hand.
    out: Vec<u8>,
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
        self.decode(raw, bytes, locator)?;
        let encode = self.work.writing.encode;
        let options = self.work.settle(None);
        encode(&self.source, options, out, &mut self.warnings).map_err(|error| {
            let number = self.source.control_number().map(str::to_owned);
            locator.control_number = locator.control_number.take().or(number);
            rejected(Stage::Encode, None, error.code, error.message, locator)
        })
    }

    // Into `self.source`, mapped if a crosswalk says so.
    fn decode(&mut self, raw: &RawRecord, bytes: &[u8], locator: &mut Locator) -> Result<(), Stop> {
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
        if let Some(runner) = &mut self.runner {
            locator.control_number = self.source.control_number().map(str::to_owned);
            let mapped = runner.run(&self.source, &mut self.out);
            runner.locate(locator);
            if let Err(held) = mapped {
                if held.fatal {
                    let (rule, code, message) = (held.rule, held.code, held.message);
                    return Err(Stop::Failed(format!(
                        "{locator}: {message} [{code}, rule {rule}]"
                    )));
                }
                let rule = Some(held.rule).filter(|rule| !rule.is_empty());
                return Err(rejected(Stage::Crosswalk, rule, held.code, held.message, locator));
            }
            if let (Some(schema), false) = (&conversion.schema, runner.is_surely_valid())
                && let Err(violations) = schema.check(&self.out)
            {
                let texts = violations.iter().map(|v| format!("{}: {}", v.path, v.message));
                let message = texts.collect::<Vec<_>>().join("; ");
                return Err(rejected(Stage::Validate, None, "schema", message, locator));
            }
            if let Some(crosswalk) = &conversion.crosswalk {
                let output = &crosswalk.plan().output;
                let read = output.read_back(&self.out, &mut self.source, &mut self.warnings);
                read.map_err(|error| {
                    rejected(Stage::Encode, None, error.code, error.message, locator)
                })?;
            }
        }
        Ok(())
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
