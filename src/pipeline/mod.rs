//! The way in: source → batches → decode, crosswalk, validate → load.
//!
//! Records are worked on in parallel, batch by batch, and loaded in the order of the source;
//! memory is bounded by the bytes in flight. A pipeline knows no terminal and no socket.

mod audit;
mod convert;
mod copying;
mod definition;
mod engine;
mod files;
mod failure;
mod harvest;
mod input;
mod intake;
mod lanes;
mod limits;
mod migrate;
mod names;
mod output;
mod period;
mod reconcile;
mod records;
mod redrive;
mod report;
mod schedule;
mod survey;
mod timetable;
mod worker;

pub use audit::{Audit, Auditor, Difference, Differing, KindAudit, audit};
pub use convert::{Conversion, ConvertError, Converted, Inputs, convert};
pub use definition::{Datestamps, Definition, DefinitionError};
pub use engine::{Options, Progress, RunError, run};
pub use files::{FileRules, Missing, Mode};
pub use harvest::{HarvestSource, Harvests, format_of_prefix};
pub use intake::{IntakeError, Order, Short, Taken, take_in};
pub use limits::{Limits, Overstepped};
pub use migrate::{Mark, Migration, Revisions};
pub use output::Output;
pub use reconcile::{MaxDelete, Reconcile, Reconciled};
pub use records::{Read, Records};
pub use redrive::{Redriven, redrive};
pub use report::{Findings, Report, SKIPPED_MEMBER, SplitReport};
pub use schedule::Schedule;
pub use survey::{Survey, Trial, survey};
pub use timetable::{Planned, Timetable, Turn, pipeline_files};
