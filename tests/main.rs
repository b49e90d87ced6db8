//! The one integration-test binary; `tidy` fails when a file of this folder is not listed here.

mod crosswalks;
mod formats;
mod oai_endpoint;
mod source;
