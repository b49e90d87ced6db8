//! What the quarantine holds of a source: where it stood, and which parts.

use std::collections::{HashMap, HashSet};

use crate::record::Locator;
use crate::store::{QuarantineQuery, Store, StoreError};

/// So many rows are read at once.
const PAGE: u32 = 200;

/// Which records are held, and of which only parts are.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// By control number, or by file and number of what has none.
    records: HashSet<String>,
    parts: HashMap<String, HashSet<String>>,
}

impl Held {
    pub(super) async fn of(store: &dyn Store, source_name: &str) -> Result<Held, StoreError> {
        let mut held = Held::default();
        let mut query = QuarantineQuery::first(PAGE);
        query.source_name = Some(source_name.to_owned());
        loop {
            let page = store.quarantine(&query).await?;
            let Some(last) = page.last() else { return Ok(held) };
            query.after = last.id;
            for entry in page {
                let keys = [
                    Some(at(&entry.file, entry.number)),
                    entry.control_number.as_deref().map(numbered),
                ];
                for key in keys.into_iter().flatten() {
                    match &entry.part {
                        None => {
                            held.records.insert(key);
                        }
                        Some(part) => {
                            held.parts.entry(key).or_default().insert(part.clone());
                        }
                    }
                }
            }
        }
    }

    /// Whether the record at this place, or of this control number, is held as a whole.
    pub(super) fn has(&self, locator: &Locator) -> bool {
        keys(locator).any(|key| self.records.contains(&key))
    }

    /// Whether it is, or this part of it.
    pub(super) fn has_part(&self, locator: &Locator, part: &str) -> bool {
        let is_it = |key: String| self.parts.get(&key).is_some_and(|parts| parts.contains(part));
        self.has(locator) || keys(locator).any(is_it)
    }
}

fn keys(locator: &Locator) -> impl Iterator<Item = String> {
    let numbered = locator.control_number.as_deref().map(numbered);
    [Some(at(&locator.file, locator.number)), numbered].into_iter().flatten()
}

fn at(file: &str, number: u64) -> String {
    format!("{number} {file}")
}

// No number of a place begins so.
fn numbered(control_number: &str) -> String {
    format!("#{control_number}")
}
