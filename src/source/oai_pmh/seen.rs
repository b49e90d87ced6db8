//! Which records have come already, in bounded memory.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};

use crate::oai::page::PageRecord;

/// So many are remembered; beyond, all are forgotten and it starts anew.
const MAX_SEEN: usize = 2_000_000;

/// Recognizes records that come twice as they were: header and metadata.
///
/// Of more than two million records the earlier may be forgotten: then some duplicates are taken
/// for new, which costs nothing but the work, for the store knows what is unchanged.
#[derive(Debug, Default)]
pub struct Seen(HashSet<u64, BuildHasherDefault<DefaultHasher>>);

impl Seen {
    /// Notes a record, and answers whether it is new.
    pub fn is_new(&mut self, record: &PageRecord) -> bool {
        if self.0.len() >= MAX_SEEN {
            self.0 = HashSet::default();
        }
        let mut hasher = DefaultHasher::new();
        (&record.identifier, record.deleted, &record.xml).hash(&mut hasher);
        self.0.insert(hasher.finish())
    }
}
