//! Every integration test, as one binary.

mod quickstart;
mod tables;
