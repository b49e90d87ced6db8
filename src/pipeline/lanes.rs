//! Lanes: a split is loaded by several writers at once, each record always by the same one.
//!
//! A lane loads its share of every batch in the order of the source, with a checkpoint of its own.
//! A run that goes on reads from behind the lane that is least far; the others leave out what they
//! have loaded already. So each lane loads each of its records once, wherever the run was killed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinHandle;

use super::audit::Auditor;
use super::copying::Copier;
use super::definition::Definition;
use super::engine::{Progress, RunError};
use super::report::Findings;
use super::worker::Worked;
use crate::record::Clock;
use crate::store::{
    BYTES, Brings, Checkpoint, Counts, FILES, Kinds, LoadBatch, LoadRecord, Quarantined, REDIRECTS,
    RESERVED, REVISIONS, SplitState, Store, StoreError,
};

/// So many lanes when the pipeline does not say, where the store takes more than one writer.
const USUAL: usize = 2;

/// How many lanes a pipeline has on a store.
///
/// # Errors
/// [`RunError::Lanes`] when it wants more than the store takes.
pub(super) fn count(
    definition: &Definition,
    store: Option<&Arc<dyn Store>>,
) -> Result<usize, RunError> {
    let most = store.map_or(1, |store| store.most_lanes());
    match (definition.lanes, store) {
        (Some(wanted), Some(_)) if wanted > most => Err(RunError::Lanes { wanted, most }),
        (Some(wanted), Some(_)) => Ok(wanted),
        _ => Ok(most.min(USUAL)),
    }
}

/// What all lanes of a run share.
pub(super) struct Loading {
    pub(super) definition: Arc<Definition>,
    /// The store and the run in it; `None` is a dry run.
    pub(super) into: Option<(Arc<dyn Store>, i64)>,
    /// Who copies the files of records, and where to.
    pub(super) copier: Option<Arc<Copier>>,
    /// Who compares the records of a dry run with a store.
    pub(super) auditor: Option<Arc<Auditor>>,
    pub(super) clock: Clock,
    pub(super) progress: Arc<Progress>,
}

/// A split with its lanes, as far as they are.
pub(super) struct Split {
    pub(super) name: String,
    fingerprint: String,
    lanes: Vec<Progressed>,
}

/// How far a lane is.
#[derive(Default)]
struct Progressed {
    /// Records of the split, this lane's or not, that it needs no more.
    records: u64,
    done: bool,
    counts: Counts,
    /// What the split's records told, up to `records`.
    findings: Findings,
    /// What was told of this lane's records when they came to the store.
    by_store: Findings,
    /// What it made of their parts.
    kinds: Kinds,
}

impl Split {
    /// A split that was not read yet.
    pub(super) fn new(name: &str, fingerprint: String, lanes: usize) -> Split {
        let lanes = (0..lanes).map(|_| Progressed::default()).collect();
        Split { name: name.to_owned(), fingerprint, lanes }
    }

    /// Goes on from what the store knows; false when that is of another file or of more lanes.
    pub(super) fn resume(&mut self, known: &[SplitState]) -> Result<bool, StoreError> {
        for SplitState { checkpoint, counts } in known {
            let lane = self.lanes.get_mut(checkpoint.lane as usize);
            let Some(lane) = lane.filter(|_| checkpoint.fingerprint == self.fingerprint) else {
                return Ok(false);
            };
            let (findings, by_store) = Findings::from_checkpoint(&checkpoint.account)?;
            let (records, done, counts) = (checkpoint.records, checkpoint.done, counts.clone());
            let kinds = checkpoint.kinds.clone();
            *lane = Progressed { records, done, counts, findings, by_store, kinds };
        }
        Ok(true)
    }

    /// Whether nothing is left to read.
    pub(super) fn is_done(&self) -> bool {
        self.lanes.iter().all(|lane| lane.done)
    }

    /// Records that no lane needs any more, and what they told.
    pub(super) fn begin(&mut self) -> (u64, Findings) {
        let slowest = self.lanes.iter_mut().min_by_key(|lane| lane.records);
        slowest.map(|lane| (lane.records, std::mem::take(&mut lane.findings))).unwrap_or_default()
    }

    /// The fates of all its records.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for lane in &self.lanes {
            counts.add(&lane.counts);
        }
        counts
    }

    /// What the store told of its records, lane by lane.
    pub(super) fn by_store(&mut self) -> Findings {
        let mut all = Findings::default();
        for lane in &mut self.lanes {
            all.add(std::mem::take(&mut lane.by_store));
            all.kinds.add(&lane.kinds);
        }
        all
    }
}

/// A lane's part of a batch.
struct Share {
    format: Option<&'static str>,
    records: Vec<LoadRecord>,
    quarantined: Vec<Quarantined>,
    /// Records of the split up to the end of the batch.
    position: u64,
    done: bool,
    /// JSON of what all records up to there told.
    findings: Arc<str>,
    /// Returned when every lane has loaded its share: the bytes are out of flight.
    _permit: Option<Arc<OwnedSemaphorePermit>>,
}

/// The lanes of a split at work.
pub(super) struct Lanes {
    senders: Vec<mpsc::Sender<Share>>,
    tasks: Vec<JoinHandle<Result<Progressed, RunError>>>,
}

impl Lanes {
    /// Starts the lanes of a split; [`Lanes::end`] gives them back.
    pub(super) fn start(loading: &Arc<Loading>, split: &mut Split) -> Lanes {
        let (mut senders, mut tasks) = (Vec::new(), Vec::new());
        for (number, progressed) in (0..).zip(std::mem::take(&mut split.lanes)) {
            // One share waits while another one is loaded.
            let (sender, receiver) = mpsc::channel(1);
            let lane = Lane {
                loading: Arc::clone(loading),
                split: split.name.clone(),
                fingerprint: split.fingerprint.clone(),
                number,
                progressed,
            };
            senders.push(sender);
            tasks.push(tokio::spawn(lane.work(receiver)));
        }
        Lanes { senders, tasks }
    }

    /// Hands every lane its share of a batch; false when a lane has stopped, for a reason that
    /// [`Lanes::end`] tells.
    pub(super) async fn load(
        &mut self,
        worked: Worked,
        (position, done): (u64, bool),
        findings: &Arc<str>,
        permit: Option<OwnedSemaphorePermit>,
    ) -> bool {
        let permit = permit.map(Arc::new);
        let mut shares: Vec<Share> = self
            .senders
            .iter()
            .map(|_| Share {
                format: worked.format,
                records: Vec::new(),
                quarantined: Vec::new(),
                position,
                done,
                findings: Arc::clone(findings),
                _permit: permit.clone(),
            })
            .collect();
        let lanes = shares.len() as u128;
        for record in worked.records {
            // The UUID is made of the source's identifier: the same record, the same lane.
            let lane = usize::try_from(record.record.id.as_u128() % lanes.max(1)).unwrap_or(0);
            if let Some(share) = shares.get_mut(lane) {
                share.records.push(record);
            }
        }
        if let Some(first) = shares.first_mut() {
            first.quarantined = worked.quarantined;
        }
        for (sender, share) in self.senders.iter().zip(shares) {
            let has_work = done || !share.records.is_empty() || !share.quarantined.is_empty();
            if has_work && sender.send(share).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Lets the lanes load what they have, and gives the split its lanes back.
    ///
    /// # Errors
    /// Why a lane has stopped.
    pub(super) async fn end(self, split: &mut Split) -> Result<(), RunError> {
        drop(self.senders);
        let mut stopped = None;
        for task in self.tasks {
            match task.await {
                Ok(Ok(progressed)) => split.lanes.push(progressed),
                Ok(Err(error)) => stopped = stopped.or(Some(error)),
                Err(error) => stopped = stopped.or(Some(RunError::Broken(error.to_string()))),
            }
        }
        stopped.map_or(Ok(()), Err)
    }
}

struct Lane {
    loading: Arc<Loading>,
    split: String,
    fingerprint: String,
    number: u32,
    progressed: Progressed,
}

impl Lane {
    async fn work(mut self, mut shares: mpsc::Receiver<Share>) -> Result<Progressed, RunError> {
        let resumed = self.progressed.records;
        while let Some(mut share) = shares.recv().await {
            // What was loaded before the interruption, while another lane was behind.
            share.records.retain(|record| record.locator.number > resumed);
            share.quarantined.retain(|held| held.rejection.locator.number > resumed);
            if share.done || share.position > resumed {
                self.load(share).await?;
            }
        }
        Ok(self.progressed)
    }

    /// Brings a share and the checkpoint behind it into the store, in one transaction.
    async fn load(&mut self, share: Share) -> Result<(), RunError> {
        let Share { format, records, quarantined, position, done, findings, _permit } = share;
        let (passed, held) = (records.len() as u64, quarantined.len() as u64);
        self.progressed.records = position;
        self.progressed.done = done;
        for record in &records {
            self.progressed.kinds.add(&record.kinds);
            for held in &record.held {
                self.progressed.by_store.reject(&held.rejection);
            }
        }
        let (counts, kinds) = match &self.loading.into {
            Some((store, run_id)) => {
                let batch = LoadBatch {
                    run_id: *run_id,
                    source_name: self.loading.definition.source_name.clone(),
                    now: self.loading.clock.now(),
                    keep_source: self.loading.definition.keep_source,
                    format,
                    location: self.loading.copier.as_ref().and_then(|copier| copier.location),
                    records,
                    quarantined,
                    checkpoint: Checkpoint {
                        split: self.split.clone(),
                        lane: self.number,
                        fingerprint: self.fingerprint.clone(),
                        records: position,
                        done,
                        skipped: 0,
                        account: self.progressed.by_store.checkpoint(&findings)?,
                        kinds: self.progressed.kinds.clone(),
                    },
                };
                let outcome = store.load(batch).await?;
                for rejection in &outcome.rejections {
                    self.progressed.by_store.reject(rejection);
                }
                (outcome.counts, outcome.kinds)
            }
            // A dry run takes every record that passes as one that is not there yet.
            None => {
                if let Some(auditor) = &self.loading.auditor {
                    auditor.compare(&records, &quarantined).await?;
                }
                let (read, quarantined) = (passed + held, held);
                let counts = Counts { read, quarantined, ..would_be(&records) };
                (counts, would_load(&records))
            }
        };
        if counts.read != passed + held || !counts.balance() {
            return Err(RunError::Unbalanced(Box::new(counts)));
        }
        let progress = &self.loading.progress;
        progress.records.fetch_add(counts.read, Ordering::Relaxed);
        progress.is_known.store(counts.unchanged > counts.read / 2, Ordering::Relaxed);
        progress.quarantined.fetch_add(counts.quarantined, Ordering::Relaxed);
        self.progressed.counts.add(&counts);
        self.progressed.kinds.add(&kinds);
        Ok(())
    }
}

// What becomes of records that pass a dry run, if none of them is there.
fn would_be(records: &[LoadRecord]) -> Counts {
    let mut counts = Counts::default();
    for record in records {
        match record.brings {
            Brings::Number | Brings::Things => counts.skipped += 1,
            Brings::Files => counts.unchanged += 1,
            // With its past, a deleted record is written.
            Brings::Revision if record.history.is_some() && record.record.json.is_none() => {
                counts.deleted += 1;
            }
            Brings::Revision => counts.created += 1,
        }
    }
    counts
}

// The parts of records that pass a dry run.
fn would_load(records: &[LoadRecord]) -> Kinds {
    let mut kinds = Kinds::default();
    for record in records {
        if let Some(earlier) = &record.history {
            kinds.of(REVISIONS).loaded += earlier.len() as u64 + 1;
        }
        if record.merged_into.is_some() {
            kinds.of(REDIRECTS).loaded += 1;
        }
        for thing in &record.things {
            kinds.of(&thing.kind).loaded += 1;
        }
        if record.brings == Brings::Number {
            kinds.of(RESERVED).loaded += 1;
        }
        if !record.files.is_empty() {
            kinds.of(FILES).skipped += record.files.len() as u64;
        }
        for copy in &record.copies {
            kinds.of(FILES).loaded += 1;
            kinds.of(BYTES).loaded += copy.instance.as_ref().map_or(0, |file| file.size);
        }
    }
    kinds
}
