//! DataCite's metadata in its several forms.
//!
//! <https://schema.datacite.org/>

pub mod json;
