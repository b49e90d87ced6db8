//! XML as this program needs it: cut into records, read with limits.

pub mod cut;
pub mod reader;
mod token;
pub mod writer;
