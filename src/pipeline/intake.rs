//! All that a pipeline's run is: harvest what is new, compare, load, note what is loaded.

use std::sync::Arc;

use jiff::Timestamp;
use thiserror::Error;

use super::definition::Definition;
use super::engine::{self, Options, Progress, RunError};
use super::harvest::Harvests;
use super::reconcile::{ReconcileError, Reconciled, reconcile};
use super::report::Report;
use crate::record::Clock;
use crate::source::Halt;
use crate::source::oai_pmh::HarvestError;
use crate::store::{Store, StoreError};

/// How to take in what a pipeline's source has.
pub struct Order {
    /// Where to load to; `None` is a dry run.
    pub store: Option<Arc<dyn Store>>,
    /// Load all of the journal again, and ask nobody.
    pub replay: bool,
    /// Stop after so many records; such a run is never resumed.
    pub limit: Option<u64>,
    /// Do not go on with an interrupted run.
    pub fresh: bool,
    /// The clock that stamps records.
    pub clock: Clock,
    /// The time of the schedule that is served.
    pub scheduled: Option<Timestamp>,
    /// Stop at the next page or batch when it says so.
    pub halt: Halt,
}

/// What was taken in.
pub struct Taken {
    /// The report of the load.
    pub report: Report,
    /// What did not come, although the load itself is well.
    pub short: Option<Short>,
}

/// Why something is missing.
pub enum Short {
    /// A list could not be asked for at all.
    Harvest(HarvestError),
    /// A window is open; why.
    Open(String),
    /// Records that are gone were left; why.
    Reconcile(String),
}

/// Why nothing was taken in, or not all.
#[derive(Debug, Error)]
pub enum IntakeError {
    /// The journal, or the endpoint.
    #[error("{0}")]
    Harvest(#[from] HarvestError),
    /// The store, before the run.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The load.
    #[error("{0}")]
    Run(#[from] RunError),
}

impl From<ReconcileError> for IntakeError {
    fn from(error: ReconcileError) -> IntakeError {
        match error {
            ReconcileError::Harvest(error) => error.into(),
            ReconcileError::Store(error) => error.into(),
        }
    }
}

/// Takes in what the source has. Nobody else runs the pipeline meanwhile.
///
/// # Errors
/// [`IntakeError`]; what was harvested and loaded before stays, and the next run goes on behind it.
pub async fn take_in(
    definition: Definition,
    order: Order,
    progress: Arc<Progress>,
) -> Result<Taken, IntakeError> {
    let Some(store) = order.store.clone() else { return work(definition, order, progress).await };
    let name = definition.name.clone();
    store.claim(&name).await?;
    let taken = work(definition, order, progress).await;
    store.release(&name).await;
    taken
}

async fn work(
    mut definition: Definition,
    order: Order,
    progress: Arc<Progress>,
) -> Result<Taken, IntakeError> {
    let mut harvests = Harvests::default();
    let mut reconciled = None;
    if let Some(source) = &definition.harvest {
        // A dry run writes nothing, not even a journal: it reads what there is.
        let from_journal = order.replay || order.store.is_none();
        if let (Some(store), false) = (&order.store, from_journal) {
            harvests = source.harvest(&order.halt).await;
            if let Some(HarvestError::Halted) = harvests.error {
                return Err(HarvestError::Halted.into());
            }
            let compared = reconcile(source, &**store, &harvests, order.clock.now());
            let compared = tokio::select! {
                compared = compared => compared,
                () = order.halt.asked() => return Err(HarvestError::Halted.into()),
            };
            reconciled = match compared {
                // What was harvested is loaded all the same.
                Err(ReconcileError::Harvest(error)) => Some(Reconciled::refused(error.to_string())),
                compared => compared?,
            };
        }
        definition.files = source.files(from_journal)?;
    }
    let short = short(&mut harvests, reconciled.as_ref());
    let definition = Arc::new(definition);
    let is_for_good = order.store.is_some() && order.limit.is_none();
    let options = Options {
        limit: order.limit,
        fresh: order.fresh,
        harvests: harvests.reports,
        reconciled,
        scheduled: order.scheduled,
        halt: order.halt,
        ..Options::new(order.store, order.clock)
    };
    let report = engine::run(Arc::clone(&definition), options, progress).await?;
    if let Some(source) = definition.harvest.as_ref().filter(|_| is_for_good) {
        source.loaded(&definition.files)?;
    }
    Ok(Taken { report, short })
}

fn short(harvests: &mut Harvests, reconciled: Option<&Reconciled>) -> Option<Short> {
    if let Some(error) = harvests.error.take() {
        return Some(Short::Harvest(error));
    }
    if let Some(open) = harvests.open() {
        return Some(Short::Open(open));
    }
    let refused = reconciled.and_then(|reconciled| reconciled.refused.clone());
    refused.map(Short::Reconcile)
}
