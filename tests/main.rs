//! The one integration test binary: every file in `tests/` is a module here.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test fails by panicking, and its name is its description"
)]

mod store_records;
mod store_suite;
mod store_sqlite;
