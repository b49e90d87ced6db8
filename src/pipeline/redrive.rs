//! Records that were held, taken through their pipeline once more.

use std::sync::Arc;

use super::definition::Definition;
use super::engine::{self, Options, Progress, RunError};
use super::report::Report;
use crate::record::Clock;
use crate::source::{Halt, held_files};
use crate::store::{QuarantineQuery, Store};

/// What was taken through again.
pub struct Redriven {
    /// The report of these records alone.
    pub report: Report,
    /// Records and parts that are held and cannot be read by themselves: they stay.
    pub left: u64,
}

/// Takes what is held of a pipeline's source, and what `query` asks for, through it again. What gets
/// through leaves the quarantine; what is held again stays, with its new reason. Nobody else runs
/// the pipeline meanwhile.
///
/// # Errors
/// [`RunError`]; what was loaded before stays loaded.
pub async fn redrive(
    definition: Definition,
    store: Arc<dyn Store>,
    query: QuarantineQuery,
    clock: Clock,
    progress: Arc<Progress>,
) -> Result<Redriven, RunError> {
    let name = definition.name.clone();
    store.claim(&name).await?;
    let redriven = held(definition, Arc::clone(&store), query, clock, progress).await;
    store.release(&name).await;
    redriven
}

async fn held(
    definition: Definition,
    store: Arc<dyn Store>,
    query: QuarantineQuery,
    clock: Clock,
    progress: Arc<Progress>,
) -> Result<Redriven, RunError> {
    let source_name = Some(definition.source_name.clone());
    let query = QuarantineQuery { source_name, ..query };
    let (files, left) = held_files(&*store, &query).await?;
    let options =
        Options { held: Some(files), halt: Halt::never(), ..Options::new(Some(store), clock) };
    let report = engine::run(Arc::new(definition), options, progress).await?;
    Ok(Redriven { report, left })
}
