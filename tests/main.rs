//! The integration tests: one binary, one module a file.

mod oai_endpoint;
