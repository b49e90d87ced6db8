//! Judgement: records against their JSON Schema, identifiers against their standards.

pub mod identifiers;
mod schema;
mod tape;

pub use schema::{MAX_VIOLATIONS, SchemaValidator, ValidateError, Violation};
