//! JSON as this program needs it: a stream cut into its objects, one text to a value.

pub mod cut;
mod scan;
pub mod value;
