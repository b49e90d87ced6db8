//! XML: read within limits, cut into records, written without mistakes.

pub mod writer;
