//! Where a harvested record came from.

use serde::{Deserialize, Serialize};

/// An endpoint that a record was harvested from, and what it called it.
///
/// Written and read as JSON, in which a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The endpoint's base URL, without user and password.
    pub base_url: String,
    /// The record's identifier there.
    pub identifier: String,
    /// Its datestamp there, `YYYY-MM-DD` or with the time in UTC.
    pub datestamp: String,
    /// The namespace of its metadata there; empty for none.
    pub metadata_namespace: String,
    /// The endpoint's responseDate when it was harvested.
    pub harvest_date: String,
    /// Whether whoever harvested it gives it out otherwise than it came. Of a record of this store
    /// that depends on the format.
    #[serde(default)]
    pub altered: bool,
    /// Where the endpoint itself has it from, when it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<Box<Origin>>,
}
