//! JSON as this program needs it: cut into its objects, read token by token, to a value or a tree.

pub mod cut;
pub mod plain_schema;
pub mod query;
pub mod reader;
mod scan;
pub mod tree;
pub mod value;
