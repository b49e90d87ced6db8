//! A crosswalk tried on dumps: every record mapped and checked, nothing written or kept.

use std::sync::atomic::Ordering;

use rayon::prelude::*;

use super::convert::{ConvertError, Inputs};
use super::engine::Progress;
use super::report::Findings;
use crate::crosswalk::{Crosswalk, Runner};
use crate::formats::{Format, ReadOptions, SourceRecord};
use crate::record::{RawBatch, Rejection, Stage};
use crate::source::BatchLimit;
use crate::validate::SchemaValidator;

/// What is tried.
pub struct Trial<'t> {
    /// The crosswalk.
    pub crosswalk: &'t Crosswalk,
    /// What the records it writes are checked against.
    pub schema: Option<&'t SchemaValidator>,
    /// How records are read.
    pub reading: ReadOptions,
    /// Stop after so many records.
    pub limit: Option<u64>,
}

/// What became of all records, and of every value of those that were mapped.
#[derive(Debug, Default)]
pub struct Survey {
    /// Records read: mapped and held together.
    pub read: u64,
    /// Records that came through.
    pub mapped: u64,
    /// Records that could not be decoded, were held by a policy, or broke the schema.
    pub held: u64,
    /// The loss account, and why records were held.
    pub findings: Findings,
}

const LIMIT: BatchLimit = BatchLimit { records: 1000, bytes: 1024 * 1024 };

/// Runs the crosswalk over all records, on all cores.
///
/// # Errors
/// [`ConvertError::Source`] when a file cannot be read on, [`ConvertError::Policy`] when a policy
/// says `fail` or the records are not of the model that the crosswalk reads.
pub fn survey(
    trial: &Trial<'_>,
    mut inputs: Inputs,
    progress: &Progress,
) -> Result<Survey, ConvertError> {
    progress.total_bytes.store(inputs.total_bytes(), Ordering::Relaxed);
    let mut survey = Survey::default();
    let mut left = trial.limit.unwrap_or(u64::MAX);
    let mut bytes = 0;
    while let Some(mut dump) = inputs.next()? {
        loop {
            let mut batches = Vec::new();
            while batches.len() < 2 * rayon::current_num_threads() && left > 0 {
                let records = LIMIT.records.min(usize::try_from(left).unwrap_or(usize::MAX));
                let batch = dump.read_batch(BatchLimit { records, ..LIMIT });
                survey.findings.skip(&dump.take_skipped());
                let Some(batch) = batch? else { break };
                left -= batch.records.len() as u64;
                batches.push((dump.format(), batch));
            }
            if batches.is_empty() {
                break;
            }
            let parts: Vec<_> =
                batches.par_iter().map(|(format, batch)| trial.batch(format, batch)).collect();
            for part in parts {
                survey.add(part?);
            }
            progress.bytes.store(bytes + dump.bytes_read(), Ordering::Relaxed);
            progress.records.store(survey.read, Ordering::Relaxed);
            progress.quarantined.store(survey.held, Ordering::Relaxed);
        }
        bytes += dump.bytes_read();
    }
    Ok(survey)
}

impl Survey {
    fn add(&mut self, part: Survey) {
        self.read += part.read;
        self.mapped += part.mapped;
        self.held += part.held;
        self.findings.add(part.findings);
    }
}

impl Trial<'_> {
    fn batch(&self, format: &'static Format, batch: &RawBatch) -> Result<Survey, ConvertError> {
        let mut runner = Runner::new(self.crosswalk.plan());
        let mut source = SourceRecord::default();
        let (mut out, mut warnings) = (Vec::with_capacity(4096), Vec::new());
        let mut survey = Survey { read: batch.records.len() as u64, ..Survey::default() };
        for raw in &batch.records {
            let mut locator = batch.locator(raw);
            let mut stage = Stage::Decode;
            let mut rule = None;
            let result = match &raw.damage {
                Some(damage) => Err((damage.code.to_owned(), damage.message.clone())),
                None => format
                    .read(batch.bytes(raw), &self.reading, &mut source, &mut warnings)
                    .map_err(|error| {
                        locator.control_number = error.control_number;
                        (error.code.to_owned(), error.message)
                    }),
            };
            let result = result.and_then(|()| {
                stage = Stage::Crosswalk;
                locator.control_number = source.control_number().map(str::to_owned);
                let mapped = runner.run(&source, &mut out);
                runner.locate(&locator);
                mapped.map_err(|held| {
                    rule = Some((held.rule, held.fatal));
                    (held.code, held.message)
                })
            });
            let result = result.and_then(|()| {
                stage = Stage::Validate;
                let Some(Err(violations)) = self.schema.map(|schema| schema.check(&out)) else {
                    return Ok(());
                };
                let texts = violations.iter().map(|v| format!("{}: {}", v.path, v.message));
                Err(("schema".to_owned(), texts.collect::<Vec<_>>().join("; ")))
            });
            match (result, rule) {
                (Ok(()), _) => survey.mapped += 1,
                (Err((code, message)), Some((rule, true))) => {
                    let text = format!("{locator}: {message} [{code}, rule {rule}]");
                    return Err(ConvertError::Policy(text));
                }
                (Err((code, message)), rule) => {
                    let rule = rule.map(|(rule, _)| rule).filter(|rule| !rule.is_empty());
                    let rejection = Rejection { stage, rule, code, message, locator };
                    survey.findings.reject(&rejection);
                    survey.held += 1;
                }
            }
            for warning in warnings.drain(..) {
                runner.account.warning(warning.code);
            }
        }
        runner.account.drain_into(&mut survey.findings.account);
        Ok(survey)
    }
}
