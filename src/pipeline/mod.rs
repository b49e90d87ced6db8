//! The way in: source → batches → decode, crosswalk, validate → load.
//!
//! Records are worked on in parallel, batch by batch, and loaded in the order of the source;
//! memory is bounded by the bytes in flight. A pipeline knows no terminal and no socket.

mod definition;
mod engine;
mod report;
mod worker;

pub use definition::{Datestamps, Definition, DefinitionError};
pub use engine::{Options, Progress, RunError, run};
pub use report::{Report, SplitReport};
