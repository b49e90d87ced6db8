//! JSON as this program needs it: a stream cut into its objects, one text read token by token.

pub mod cut;
pub mod reader;
mod scan;
