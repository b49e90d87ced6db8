//! Judgement: records against their JSON Schema.

mod schema;
mod shortcut;

pub use schema::{MAX_VIOLATIONS, SchemaValidator, ValidateError, Violation};
