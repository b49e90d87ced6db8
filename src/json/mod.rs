//! JSON as this program needs it: cut into its objects, read token by token or to a value.

pub mod cut;
pub mod plain_schema;
pub mod query;
pub mod reader;
mod scan;
pub mod value;
