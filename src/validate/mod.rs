//! Judgement: records against their JSON Schema.

mod schema;
mod tape;

pub use schema::{MAX_VIOLATIONS, SchemaValidator, ValidateError, Violation};
