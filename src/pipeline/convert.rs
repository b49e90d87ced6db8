//! Records of any format into any other: one reader, many workers, one writer; order kept.

mod bench;
mod inputs;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError, mpsc};
use std::time::Instant;

use thiserror::Error;

use super::engine::Progress;
use super::output::Output;
use super::report::Findings;
use crate::crosswalk::Crosswalk;
use crate::formats::{Format, ReadOptions, WriteOptions};
use crate::source::{BatchLimit, SkippedMember, SourceError};
use crate::validate::SchemaValidator;
use bench::{Work, Worked};
pub use inputs::Inputs;

/// How records are to be converted.
pub struct Conversion {
    /// What is written.
    pub to: &'static Format,
    /// How it is read.
    pub reading: ReadOptions,
    /// How it is written.
    pub writing: WriteOptions,
    /// What leads from one model to another.
    pub crosswalk: Option<Crosswalk>,
    /// The schema of what the crosswalk writes; a record that breaks it is rejected.
    pub schema: Option<SchemaValidator>,
    /// Stop after so many records read.
    pub limit: Option<u64>,
    /// Threads that decode and encode; 0 for one a core. Reading and writing have their own.
    pub threads: usize,
}

/// What became of all records.
#[derive(Debug, Default)]
pub struct Converted {
    /// Records read: written and rejected together.
    pub read: u64,
    /// Records written.
    pub written: u64,
    /// Records rejected.
    pub rejected: u64,
    /// Warnings, rejections, and members of archives that hold no records.
    pub findings: Findings,
    /// Wall time in seconds.
    pub seconds: f64,
}

/// Why a conversion stopped before its end.
#[derive(Debug, Error)]
pub enum ConvertError {
    /// A file cannot be read (on).
    #[error("{0}")]
    Source(#[from] SourceError),
    /// The output cannot be written.
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
    /// No way leads from what is read to what is written.
    #[error("{0}")]
    Model(String),
    /// A crosswalk's policy said `fail`.
    #[error("{0}")]
    Policy(String),
    /// The counts do not balance: a defect of windrow.
    #[error("{0} records read, but {1} written and {2} rejected")]
    Unbalanced(u64, u64, u64),
    /// A worker broke off: a defect of windrow.
    #[error("a worker broke off: {0}")]
    Broken(String),
}

/// Small enough that a batch and what becomes of it stay in a core's cache.
const LIMIT: BatchLimit = BatchLimit { records: 1000, bytes: 256 * 1024 };
/// Raw bytes between reader and writer at most, but for one record that is larger.
const IN_FLIGHT_BYTES: usize = 4 * 1024 * 1024;

impl Conversion {
    /// Whether records of `from` can become records of `to`.
    ///
    /// # Errors
    /// [`ConvertError::Model`], with what is to be done.
    pub fn check(&self, from: &Format) -> Result<(), ConvertError> {
        let (to, names) = (self.to, format!("{} to {}", from.name, self.to.name));
        if to.writing.is_none() {
            return Err(ConvertError::Model(format!("{} is read only", to.name)));
        }
        let Some(crosswalk) = &self.crosswalk else {
            if from.leads_to(to) {
                return Ok(());
            }
            let message = format!("{names} needs a crosswalk: name one with --crosswalk FILE");
            return Err(ConvertError::Model(message));
        };
        let plan = crosswalk.plan();
        if plan.input.model() != from.model {
            let message = format!("{} does not read {}", crosswalk.name(), from.name);
            return Err(ConvertError::Model(message));
        }
        if !plan.output.leads_to(to) {
            let message = format!("{} does not write {}", crosswalk.name(), to.name);
            return Err(ConvertError::Model(message));
        }
        Ok(())
    }
}

/// Converts all records of `inputs` into `out`, in their order; the raw bytes of those that are
/// rejected go to `rejects`, each with a line end behind it unless its format wants none.
///
/// What was read before a failure is written all the same, whole records only and the format's
/// end behind them; the counts are of that.
pub fn convert(
    conversion: &Conversion,
    inputs: Inputs,
    out: &mut Output,
    rejects: Option<&mut Output>,
    progress: &Progress,
) -> (Converted, Result<(), ConvertError>) {
    let begun = Instant::now();
    progress.total_bytes.store(inputs.total_bytes(), Ordering::Relaxed);
    let mut converted = Converted::default();
    let result = run(conversion, inputs, out, rejects, progress, &mut converted);
    converted.seconds = begun.elapsed().as_secs_f64();
    let Converted { read, written, rejected, .. } = converted;
    let balanced = read == written + rejected;
    let result = match result {
        Ok(()) if !balanced => Err(ConvertError::Unbalanced(read, written, rejected)),
        result => result,
    };
    (converted, result)
}

fn run(
    conversion: &Conversion,
    inputs: Inputs,
    out: &mut Output,
    rejects: Option<&mut Output>,
    progress: &Progress,
    converted: &mut Converted,
) -> Result<(), ConvertError> {
    let Some(writing) = &conversion.to.writing else {
        return Err(ConvertError::Model(format!("{} is read only", conversion.to.name)));
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(conversion.threads).build();
    let pool = pool.map_err(|error| ConvertError::Broken(error.to_string()))?;
    let (sender, receiver) = mpsc::channel();
    let keep_rejects = rejects.is_some();
    let shared = Shared {
        work: Work { conversion, writing, options: OnceLock::new(), keep_rejects },
        progress,
        in_flight: InFlight { free: Mutex::new(IN_FLIGHT_BYTES), freed: Condvar::new() },
        stop: AtomicBool::new(false),
    };
    std::thread::scope(|threads| {
        let shared = &shared;
        let writer = Writer { shared, out, rejects, converted, any: false };
        let writer = threads.spawn(move || writer.write(&receiver));
        let read = pool.in_place_scope(|scope| shared.read(inputs, scope, &sender));
        drop(sender);
        let written = match writer.join() {
            Ok(written) => written,
            Err(_) => Err(ConvertError::Broken("the writer".to_owned())),
        };
        // When the writer stopped, the reader stopped because of it.
        written.and(read)
    })
}

struct Shared<'c> {
    work: Work<'c>,
    progress: &'c Progress,
    in_flight: InFlight,
    /// Nobody waits for more.
    stop: AtomicBool,
}

enum Message {
    Batch { sequence: u64, cost: usize, worked: Box<Worked> },
    Skipped(Vec<SkippedMember>),
}

impl<'c> Shared<'c> {
    fn read<'s>(
        &'s self,
        mut inputs: Inputs,
        scope: &rayon::Scope<'s>,
        sender: &mpsc::Sender<Message>,
    ) -> Result<(), ConvertError> {
        let mut left = self.work.conversion.limit.unwrap_or(u64::MAX);
        let (mut sequence, mut bytes) = (0, 0);
        while let Some(mut dump) = inputs.next()? {
            self.work.conversion.check(dump.format())?;
            while left > 0 && !self.stop.load(Ordering::Relaxed) {
                let records = LIMIT.records.min(usize::try_from(left).unwrap_or(usize::MAX));
                let batch = dump.read_batch(BatchLimit { records, ..LIMIT });
                let skipped = dump.take_skipped();
                if !skipped.is_empty() {
                    // The writer does not go before the reader.
                    let _gone = sender.send(Message::Skipped(skipped));
                }
                let Some(batch) = batch? else { break };
                left -= batch.records.len() as u64;
                self.progress.bytes.store(bytes + dump.bytes_read(), Ordering::Relaxed);
                if sequence == 0 {
                    self.work.settle(Some((dump.format(), &batch)));
                }
                let cost = self.in_flight.take(batch.block.len());
                let (format, sender) = (dump.format(), sender.clone());
                scope.spawn(move |_| {
                    let worked = Box::new(self.work.run(format, &batch));
                    let _gone = sender.send(Message::Batch { sequence, cost, worked });
                });
                sequence += 1;
            }
            bytes += dump.bytes_read();
            if left == 0 {
                break;
            }
        }
        Ok(())
    }
}

/// Writes the batches in the order of their records.
struct Writer<'w> {
    shared: &'w Shared<'w>,
    out: &'w mut Output,
    rejects: Option<&'w mut Output>,
    converted: &'w mut Converted,
    /// A record was written.
    any: bool,
}

impl Writer<'_> {
    fn write(mut self, receiver: &mpsc::Receiver<Message>) -> Result<(), ConvertError> {
        let mut result = Ok(());
        let mut opened = false;
        let mut waiting: BTreeMap<u64, (usize, Box<Worked>)> = BTreeMap::new();
        let mut next = 0;
        for message in receiver {
            match message {
                Message::Skipped(members) => self.converted.findings.skip(&members),
                Message::Batch { sequence, cost, worked } => {
                    waiting.insert(sequence, (cost, worked));
                }
            }
            while let Some((cost, worked)) = waiting.remove(&next) {
                next += 1;
                if result.is_ok() {
                    result = self.open(&mut opened).and_then(|()| self.batch(worked));
                }
                if result.is_err() {
                    self.shared.stop.store(true, Ordering::Relaxed);
                }
                self.shared.in_flight.give_back(cost);
            }
        }
        if !matches!(result, Err(ConvertError::Write(_))) {
            self.open(&mut opened)?;
            self.out.write_all(self.shared.work.writing.close.as_bytes())?;
        }
        result
    }

    // How the records are written is known when the first of them are there, or none will come.
    fn open(&mut self, opened: &mut bool) -> Result<(), ConvertError> {
        if !std::mem::replace(opened, true) {
            let work = &self.shared.work;
            self.out.write_all((work.writing.open)(work.settle(None)).as_bytes())?;
        }
        Ok(())
    }

    fn batch(&mut self, worked: Box<Worked>) -> Result<(), ConvertError> {
        if worked.written > 0 {
            if self.any {
                self.out.write_all(self.shared.work.writing.between.as_bytes())?;
            }
            self.out.write_all(&worked.bytes)?;
            self.any = true;
        }
        if let Some(rejects) = &mut self.rejects {
            rejects.write_all(&worked.rejects)?;
        }
        self.converted.read += worked.read;
        self.converted.written += worked.written;
        self.converted.rejected += worked.rejected;
        self.converted.findings.add(worked.findings);
        self.shared.progress.records.fetch_add(worked.read, Ordering::Relaxed);
        self.shared.progress.quarantined.fetch_add(worked.rejected, Ordering::Relaxed);
        worked.failure.map_or(Ok(()), Err)
    }
}

/// Bytes that may be taken into memory.
struct InFlight {
    free: Mutex<usize>,
    freed: Condvar,
}

impl InFlight {
    // Waits until so many bytes are free; what is more than all of them goes alone.
    fn take(&self, bytes: usize) -> usize {
        let cost = bytes.clamp(1, IN_FLIGHT_BYTES);
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let enough = self.freed.wait_while(free, |free| *free < cost);
        *enough.unwrap_or_else(PoisonError::into_inner) -= cost;
        cost
    }

    fn give_back(&self, cost: usize) {
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) += cost;
        self.freed.notify_one();
    }
}
