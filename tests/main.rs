//! Every integration test, as one binary.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

mod quickstart;
mod tables;
