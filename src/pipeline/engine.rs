//! The engine: one reader, many workers, a few loaders; batches in order, bytes in flight bounded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::audit::Auditor;
use super::copying::Copier;
use super::definition::Definition;
pub use super::failure::RunError;
use super::input::Input;
use super::lanes::{self, Lanes, Loading, Split};
use super::reconcile::Reconciled;
use super::report::{Findings, Report, SHOWN, SplitReport};
use super::worker::{Packing, Worked, work};
use crate::record::{Clock, RawBatch};
use crate::source::oai_pmh;
use crate::source::{BatchLimit, Halt, HeldFile, SkippedMember};
use crate::store::{REDIRECTS, RunState, SplitState, Store, make_redirects};

/// How to run a pipeline.
pub struct Options {
    /// Where to load to; `None` is a dry run.
    pub store: Option<Arc<dyn Store>>,
    /// Stop after so many records; such a run is never resumed.
    pub limit: Option<u64>,
    /// Do not go on with an interrupted run.
    pub fresh: bool,
    /// The clock that stamps records.
    pub clock: Clock,
    /// What harvesting came to, for the report.
    pub harvests: Vec<oai_pmh::Report>,
    /// What comparing with the endpoint came to, for the report.
    pub reconciled: Option<Reconciled>,
    /// The time of the schedule that is served, for the report.
    pub scheduled: Option<Timestamp>,
    /// Stop at the next batch when it says so.
    pub halt: Halt,
    /// Records that are held, to be read in place of the pipeline's files.
    pub held: Option<Vec<HeldFile>>,
    /// Who compares the records of a dry run with a store.
    pub auditor: Option<Arc<Auditor>>,
}

impl Options {
    /// A run to the end, of files that are there already.
    #[must_use]
    pub fn new(store: Option<Arc<dyn Store>>, clock: Clock) -> Options {
        Options {
            store,
            limit: None,
            fresh: false,
            clock,
            harvests: Vec::new(),
            reconciled: None,
            scheduled: None,
            halt: Halt::never(),
            held: None,
            auditor: None,
        }
    }
}

/// How far a run has come, for whoever watches it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Records dealt with.
    pub records: AtomicU64,
    /// Of these, held in quarantine.
    pub quarantined: AtomicU64,
    /// Bytes taken from files, compressed as they are.
    pub bytes: AtomicU64,
    /// Bytes of all files.
    pub total_bytes: AtomicU64,
    /// Of the batch that was loaded last, most was in the store as it came.
    pub(super) is_known: AtomicBool,
}

/// Runs a pipeline to its end.
///
/// # Errors
/// [`RunError`]; what was loaded before stays loaded, and the next run goes on behind it.
pub async fn run(
    definition: Arc<Definition>,
    options: Options,
    progress: Arc<Progress>,
) -> Result<Report, RunError> {
    let begun = Instant::now();
    let mut sizes = 0;
    for (path, _) in &definition.files {
        sizes += std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    }
    progress.total_bytes.store(sizes, Ordering::Relaxed);
    let lanes = lanes::count(&definition, options.store.as_ref())?;
    let run = match &options.store {
        None => None,
        Some(store) => {
            let fresh = options.fresh || options.limit.is_some() || options.held.is_some();
            let now = options.clock.now();
            // An interrupted run of the pipeline itself is still to be gone on with.
            let name = match &options.held {
                None => definition.name.clone(),
                Some(_) => format!("{} (redrive)", definition.name),
            };
            Some(store.begin_run(&name, &definition.hash, fresh, now).await?)
        }
    };
    let copier = match &options.auditor {
        None => Copier::start(&definition, options.store.as_ref(), options.clock.now()).await?,
        // It asks the store for what is there.
        Some(_) => None,
    };
    let mut engine = Engine {
        report: Report {
            pipeline: definition.name.clone(),
            run_id: run.as_ref().map(|run| run.id),
            dry_run: run.is_none(),
            harvests: options.harvests.clone(),
            reconciled: options.reconciled.clone(),
            scheduled: options.scheduled.map(|time| time.to_string()),
            attempt: run.as_ref().map_or(1, |run| run.attempt),
            ..Report::default()
        },
        left: options.limit,
        halt: options.halt.clone(),
        splits: Vec::new(),
        loading: Arc::new(Loading {
            definition: Arc::clone(&definition),
            into: options.store.clone().zip(run.as_ref().map(|run| run.id)),
            copier,
            auditor: options.auditor.clone(),
            clock: options.clock,
            progress: Arc::clone(&progress),
        }),
        lanes,
        known: run.map(|run| run.splits).unwrap_or_default(),
        progress,
    };
    let files = || definition.files.iter().cloned().map(|(path, name)| Input::File(path, name));
    let inputs: Vec<Input> = match options.held {
        None => files().collect(),
        Some(held) => held.into_iter().map(Input::Held).collect(),
    };
    for input in inputs {
        if engine.left == Some(0) {
            break;
        }
        if engine.halt.is_asked() {
            return Err(RunError::Halted);
        }
        engine.split(input).await?;
    }
    engine.redirect().await?;
    engine.finish(begun).await
}

struct Engine {
    loading: Arc<Loading>,
    progress: Arc<Progress>,
    lanes: usize,
    /// What an interrupted run has noted about splits.
    known: Vec<SplitState>,
    report: Report,
    left: Option<u64>,
    halt: Halt,
    splits: Vec<SplitReport>,
}

/// A batch on its way from the reader to the loader.
struct Delivery {
    sequence: u64,
    worked: Result<Worked, String>,
    /// Members of an archive between this batch and the one before it.
    skipped: Vec<SkippedMember>,
    /// Returned when the batch is loaded: the bytes are out of flight.
    permit: OwnedSemaphorePermit,
}

enum Message {
    Batch(Box<Delivery>),
    /// The reader is through: so many batches, the members behind the last, and how it ended.
    End(u64, Vec<SkippedMember>, Result<(), RunError>),
}

impl Engine {
    /// A split at its beginning, or where an interrupted run left it.
    async fn open(&mut self, input: &Input) -> Result<Split, RunError> {
        let (name, fingerprint) = (&input.name(), input.fingerprint()?);
        let mut split = Split::new(name, fingerprint.clone(), self.lanes);
        let known: Vec<SplitState> =
            self.known.iter().filter(|known| known.checkpoint.split == *name).cloned().collect();
        if !split.resume(&known)? {
            if let Some((store, run_id)) = &self.loading.into {
                store.reset_split(*run_id, name).await?;
            }
            split = Split::new(name, fingerprint, self.lanes);
        }
        Ok(split)
    }

    async fn split(&mut self, input: Input) -> Result<(), RunError> {
        let size = input.size();
        let mut split = self.open(&input).await?;
        let counts = split.counts();
        self.progress.records.fetch_add(counts.read, Ordering::Relaxed);
        self.progress.quarantined.fetch_add(counts.quarantined, Ordering::Relaxed);
        let before = self.progress.bytes.load(Ordering::Relaxed);
        let is_done = split.is_done();
        let (position, mut findings) = split.begin();
        if !is_done {
            self.read_split(input, &mut split, position, &mut findings).await?;
        }
        self.progress.bytes.store(before + size, Ordering::Relaxed);
        self.report.add(findings);
        self.report.add(split.by_store());
        self.splits.push(SplitReport { name: split.name.clone(), counts: split.counts() });
        Ok(())
    }

    async fn read_split(
        &mut self,
        input: Input,
        split: &mut Split,
        position: u64,
        findings: &mut Findings,
    ) -> Result<(), RunError> {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let stop = Arc::new(AtomicBool::new(false));
        let reader = Reader {
            definition: Arc::clone(&self.loading.definition),
            input,
            store: self.loading.into.as_ref().map(|(store, _)| Arc::clone(store)),
            skip: position,
            left: self.left,
            progress: Arc::clone(&self.progress),
            stop: Arc::clone(&stop),
            halt: self.halt.clone(),
            clock: self.loading.clock,
            runtime: tokio::runtime::Handle::current(),
            sender,
        };
        let reading = tokio::task::spawn_blocking(move || reader.read());
        let mut lanes = Lanes::start(&self.loading, split);
        let fed = self.feed(&mut receiver, &mut lanes, position, findings).await;
        // On failure the reader must not go on reading for nobody.
        stop.store(true, Ordering::Relaxed);
        drop(receiver);
        // Whatever happened, what the lanes have been given is loaded.
        let loaded = lanes.end(split).await;
        reading.await.map_err(|error| RunError::Broken(error.to_string()))?;
        loaded?;
        let position = fed?;
        // Each record that was read has come to a lane, in this attempt or an earlier one.
        let counts = split.counts();
        if counts.read != position {
            return Err(RunError::Unbalanced(Box::new(counts)));
        }
        Ok(())
    }

    /// Hands the batches of a split to the lanes, in their order; answers how many records the
    /// split has so far.
    async fn feed(
        &mut self,
        receiver: &mut mpsc::UnboundedReceiver<Message>,
        lanes: &mut Lanes,
        mut position: u64,
        findings: &mut Findings,
    ) -> Result<u64, RunError> {
        let mut waiting: BTreeMap<u64, Delivery> = BTreeMap::new();
        let mut next = 0;
        let mut end: Option<(u64, Vec<SkippedMember>, _)> = None;
        loop {
            if end.as_ref().is_some_and(|(total, ..)| next == *total) {
                break;
            }
            match receiver.recv().await {
                None => return Err(RunError::Broken("the reader is gone".to_owned())),
                Some(Message::End(total, skipped, result)) => end = Some((total, skipped, result)),
                Some(Message::Batch(delivery)) => {
                    waiting.insert(delivery.sequence, *delivery);
                }
            }
            while let Some(delivery) = waiting.remove(&next) {
                next += 1;
                let mut worked = delivery.worked.map_err(RunError::Broken)?;
                if let Some(message) = worked.failure {
                    return Err(RunError::Policy(message));
                }
                if let Some(copier) = &self.loading.copier {
                    copier.copy(&mut worked).await?;
                }
                findings.account.add(std::mem::take(&mut worked.account));
                findings.skip(&delivery.skipped);
                findings.kinds.add(&worked.kinds);
                for (outcome, count) in std::mem::take(&mut worked.access) {
                    *findings.access.entry(outcome.to_owned()).or_default() += count;
                }
                for quarantined in &worked.quarantined {
                    findings.reject(&quarantined.rejection);
                }
                position += worked.read;
                if let Some(left) = &mut self.left {
                    *left = left.saturating_sub(worked.read);
                }
                let told = findings.json()?;
                let place = (position, false);
                if !lanes.load(worked, place, &told, Some(delivery.permit)).await {
                    return Ok(position);
                }
            }
        }
        let (_, skipped, result) = end.unwrap_or((0, Vec::new(), Ok(())));
        result?;
        findings.skip(&skipped);
        let is_whole = self.left != Some(0);
        let told = findings.json()?;
        // A lane that has stopped tells why when it ends.
        let _all = lanes.load(Worked::default(), (position, is_whole), &told, None).await;
        Ok(position)
    }

    /// Merged records lead on once all records are there; a limited run has not seen all.
    async fn redirect(&mut self) -> Result<(), RunError> {
        let Some((store, _)) = self.loading.into.clone() else { return Ok(()) };
        let definition = Arc::clone(&self.loading.definition);
        let Some(migration) = definition.migration.as_ref().filter(|_| self.left.is_none()) else {
            return Ok(());
        };
        let (source, redirects) = (&definition.source_name, &migration.redirects);
        if !redirects.is_empty() {
            let loaded = store.note_redirects(source, redirects).await?;
            let read = redirects.len() as u64;
            let counts = self.report.kinds.of(REDIRECTS);
            counts.read += read;
            counts.loaded += loaded;
            counts.unchanged += read.saturating_sub(loaded);
        }
        let now = self.loading.clock.now();
        let mut open = make_redirects(&*store, source, now).await?;
        self.report.open_redirects_count = open.len() as u64;
        open.truncate(SHOWN);
        self.report.open_redirects = open;
        Ok(())
    }

    async fn finish(mut self, begun: Instant) -> Result<Report, RunError> {
        self.report.splits = std::mem::take(&mut self.splits);
        for split in &self.report.splits {
            self.report.counts.add(&split.counts);
        }
        let lost = self.report.kinds.unbalanced();
        let lost = lost.map(|(kind, counts)| (kind.to_owned(), Box::new(counts.clone())));
        self.report.balanced = self.report.counts.balance() && lost.is_none();
        self.report.seconds = begun.elapsed().as_secs_f64();
        let within = self.loading.definition.limits.check(&self.report.account);
        if let Some((store, run_id)) = &self.loading.into {
            let state = match (&within, self.left) {
                (Err(_), _) => RunState::Failed,
                (Ok(()), Some(0)) => RunState::Limited,
                (Ok(()), _) => RunState::Done,
            };
            let json = serde_json::to_string(&self.report)
                .map_err(|error| RunError::Broken(error.to_string()))?;
            store.end_run(*run_id, state, &json, self.loading.clock.now()).await?;
        }
        if let Some((kind, counts)) = lost {
            return Err(RunError::UnbalancedKind(kind, counts));
        }
        if !self.report.balanced {
            return Err(RunError::Unbalanced(Box::new(self.report.counts)));
        }
        within?;
        Ok(self.report)
    }
}

/// Reads one file and hands its batches to the workers.
struct Reader {
    definition: Arc<Definition>,
    input: Input,
    store: Option<Arc<dyn Store>>,
    skip: u64,
    left: Option<u64>,
    progress: Arc<Progress>,
    stop: Arc<AtomicBool>,
    halt: Halt,
    clock: Clock,
    runtime: tokio::runtime::Handle,
    sender: mpsc::UnboundedSender<Message>,
}

impl Reader {
    fn read(self) {
        let (mut sequence, mut skipped) = (0, Vec::new());
        let result = self.batches(&mut sequence, &mut skipped);
        // The loader may be gone already: then it knows a better reason.
        let _gone = self.sender.send(Message::End(sequence, skipped, result));
    }

    fn batches(
        &self,
        sequence: &mut u64,
        skipped: &mut Vec<SkippedMember>,
    ) -> Result<(), RunError> {
        let store = self.store.as_ref();
        let mut dump = self.input.open(&self.definition, store, &self.runtime)?;
        if self.skip > 0 {
            dump.skip(self.skip)?;
            // The checkpoint knows of those before its last batch.
            dump.take_skipped();
        }
        let budget = self.definition.in_flight_bytes.div_ceil(1024).max(1);
        let semaphore = Arc::new(Semaphore::new(budget));
        let before = self.progress.bytes.load(Ordering::Relaxed);
        let mut left = self.left;
        while !self.stop.load(Ordering::Relaxed) {
            if self.halt.is_asked() {
                return Err(RunError::Halted);
            }
            let mut limit: BatchLimit = self.definition.batch;
            if let Some(left) = left {
                limit.records = limit.records.min(usize::try_from(left).unwrap_or(usize::MAX));
                if left == 0 {
                    break;
                }
            }
            let batch = dump.read_batch(limit)?;
            skipped.extend(dump.take_skipped());
            let Some(batch) = batch else { break };
            left = left.map(|left| left.saturating_sub(batch.records.len() as u64));
            self.progress.bytes.store(before + dump.bytes_read(), Ordering::Relaxed);
            let cost = batch.block.len().div_ceil(1024).clamp(1, budget);
            let cost = u32::try_from(cost).unwrap_or(u32::MAX);
            let permit = Arc::clone(&semaphore).acquire_many_owned(cost);
            let Ok(permit) = self.runtime.block_on(permit) else { break };
            let skipped = std::mem::take(skipped);
            self.hand_over(*sequence, dump.format(), (batch, skipped), permit);
            *sequence += 1;
        }
        Ok(())
    }

    fn hand_over(
        &self,
        sequence: u64,
        format: &'static crate::formats::Format,
        (batch, skipped): (RawBatch, Vec<SkippedMember>),
        permit: OwnedSemaphorePermit,
    ) {
        let definition = Arc::clone(&self.definition);
        let sender = self.sender.clone();
        let now = self.clock.now();
        let progress = Arc::clone(&self.progress);
        rayon::spawn(move || {
            let attempt = std::panic::AssertUnwindSafe(|| {
                let is_known = progress.is_known.load(Ordering::Relaxed);
                let packing = if is_known { Packing::InStore } else { Packing::Here };
                work(&definition, format, &batch, packing, now)
            });
            let worked = std::panic::catch_unwind(attempt).unwrap_or_else(|_| {
                let first = batch.records.first().map(|raw| batch.locator(raw).to_string());
                Err(format!("panic in the batch at {}", first.unwrap_or_default()))
            });
            let delivery = Delivery { sequence, worked, skipped, permit };
            // The loader may have stopped; then nobody waits for this batch.
            let _gone = sender.send(Message::Batch(Box::new(delivery)));
        });
    }
}
