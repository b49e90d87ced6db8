//! What the quarantine holds of a source: where it stood, and which parts.

use std::collections::HashSet;

use super::short;
use crate::record::Locator;
use crate::store::{QuarantineQuery, Store, StoreError};

/// So many rows are read at once.
const PAGE: u32 = 1000;

/// Which records are held, and of which only parts are: hashes of their names.
#[derive(Debug, Default)]
pub(super) struct Held(HashSet<u64>);

impl Held {
    pub(super) async fn of(store: &dyn Store, source_name: &str) -> Result<Held, StoreError> {
        let mut held = Held::default();
        let mut query = QuarantineQuery { without_bytes: true, ..QuarantineQuery::first(PAGE) };
        query.source_name = Some(source_name.to_owned());
        loop {
            let page = store.quarantine(&query).await?;
            let Some(last) = page.last() else { return Ok(held) };
            query.after = last.id;
            for entry in page {
                let (control_number, part) =
                    (entry.control_number.as_deref(), entry.part.as_deref());
                // Another record may stand at the place by now.
                if let Some(control_number) = control_number {
                    held.0.insert(known(control_number, part));
                }
                held.0.insert(at(&entry.file, entry.number, control_number, part));
            }
        }
    }

    /// Whether the record of this control number, or the one at this place, is held as a whole.
    pub(super) fn has(&self, locator: &Locator) -> bool {
        self.knows(locator, None)
    }

    /// Whether it is, or this part of it.
    pub(super) fn has_part(&self, locator: &Locator, part: &str) -> bool {
        self.has(locator) || self.knows(locator, Some(part))
    }

    /// Whether it is this very item that is held as a whole.
    pub(super) fn has_here(&self, locator: &Locator) -> bool {
        let Locator { file, number, control_number, .. } = locator;
        self.0.contains(&at(file, *number, control_number.as_deref(), None))
    }

    fn knows(&self, locator: &Locator, part: Option<&str>) -> bool {
        let Locator { file, number, control_number, .. } = locator;
        // Where its number could not be read, the place has to do.
        self.0.contains(&at(file, *number, None, part))
            || control_number.as_deref().is_some_and(|n| self.0.contains(&known(n, part)))
    }
}

fn known(control_number: &str, part: Option<&str>) -> u64 {
    short(&format!("{control_number}\n{}", part.unwrap_or_default()))
}

fn at(file: &str, number: u64, control_number: Option<&str>, part: Option<&str>) -> u64 {
    let (control_number, part) = (control_number.unwrap_or_default(), part.unwrap_or_default());
    short(&format!("{number}\n{file}\n{control_number}\n{part}"))
}
