//! XML as values: reading within limits, and writing.

pub mod writer;
