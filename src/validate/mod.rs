//! Judgement: records against their JSON Schema.

mod registry;
mod schema;
mod shortcut;

pub use registry::{JudgementError, Registry};
pub use schema::{MAX_VIOLATIONS, SchemaValidator, ValidateError, Violation};
