//! The one integration test binary: every file in `tests/` is a module here.

mod store_suite;
mod store_sqlite;
