//! The files of a record: every version that the source tells of, in the record's bucket.

use std::collections::HashMap;

use uuid::Uuid;

use super::super::files::Missing;
use super::{Auditor, Found};
use crate::record::{DOCUMENT_TAG, FileOrder, RESTRICTED_TAG, VERSION_TAG, hex, numbered_key};
use crate::store::{FILES, LoadRecord, ObjectVersion, StoreError};

impl Auditor {
    /// Compares them, if the pipeline copies files at all.
    pub(super) async fn files(
        &self,
        id: Uuid,
        record: &LoadRecord,
        found: &mut Found,
    ) -> Result<(), StoreError> {
        let Some(rules) = &self.definition.file_rules else { return Ok(()) };
        let (orders, left_out): (Vec<&FileOrder>, Vec<_>) =
            record.files.iter().partition(|order| rules.leaves_out(order).is_none());
        if !left_out.is_empty() {
            found.kind(FILES).skipped += left_out.len() as u64;
        }
        if orders.is_empty() {
            return Ok(());
        }
        let objects = match self.store.bucket(id).await? {
            Some(bucket) => self.store.objects(bucket.id).await?,
            None => Vec::new(),
        };
        let mut by_version: HashMap<Version<'_>, Vec<&ObjectVersion>> = HashMap::new();
        for object in &objects {
            by_version.entry(version(|key| object.tags.get(key))).or_default().push(object);
        }
        for order in orders {
            let number = Some(order.version).filter(|version| *version > 0);
            let number = number.map(|number| number.to_string());
            let tag = |key: &str| order.tags.iter().find(|(tag, _)| tag == key);
            let same = by_version.get(&version(|key| match key {
                VERSION_TAG => number.as_ref(),
                key => tag(key).map(|(_, value)| value),
            }));
            let same = same.map(Vec::as_slice).unwrap_or_default();
            if same.is_empty() && rules.missing == Missing::Skip {
                // A run has counted it as `files.skipped_missing`, or it was lost since.
                found.kind(FILES).skipped += 1;
                continue;
            }
            let what = compare(order, same);
            if what.is_some() && self.held.has_part(&record.locator, &order.part) {
                found.is_held = true;
                found.kind(FILES).held += 1;
            } else {
                found.tell(FILES, &order.part, what);
            }
        }
        Ok(())
    }
}

/// What tells a version from the others of a record: its document, number and format.
type Version<'t> = [Option<&'t String>; 3];

fn version<'t>(tag: impl Fn(&str) -> Option<&'t String>) -> Version<'t> {
    [DOCUMENT_TAG, VERSION_TAG, "format"].map(tag)
}

/// What is wrong with a version among those of the store that may be it.
fn compare(order: &FileOrder, versions: &[&ObjectVersion]) -> Option<String> {
    let document = order.tags.iter().find(|(key, _)| key == DOCUMENT_TAG);
    let numbered = |key: &str| document.map(|(_, document)| numbered_key(key, document));
    // Which of two documents has the name depends on what came first.
    let is_it = |object: &&&ObjectVersion| {
        object.key == order.key
            || numbered(&order.key).is_some_and(|key| key == object.key)
            || numbered(&object.key).is_some_and(|key| key == order.key)
    };
    let mut candidates = versions.iter().filter(is_it).copied();
    if order.deleted {
        let is_there = candidates.any(|object| object.instance.is_none());
        return (!is_there).then(|| "it is deleted in the source, not in the store".to_owned());
    }
    let candidates: Vec<&ObjectVersion> =
        candidates.filter(|object| object.instance.is_some()).collect();
    if candidates.is_empty() {
        return Some("it is not in the store".to_owned());
    }
    let differences: Vec<String> =
        candidates.iter().filter_map(|object| difference(order, object)).collect();
    // Other bytes under the same number are another version: one of them has to be this one.
    let is_equal = differences.len() < candidates.len();
    differences.into_iter().next().filter(|_| !is_equal)
}

fn difference(order: &FileOrder, object: &ObjectVersion) -> Option<String> {
    let instance = object.instance.as_ref()?;
    if let Some(size) = order.size.filter(|size| *size != instance.size) {
        return Some(format!("it has {size} bytes in the source, {} in the store", instance.size));
    }
    let wanted = order.md5.map(|md5| format!("md5:{}", hex(&md5)));
    if let (Some(wanted), Some(there)) = (&wanted, &instance.checksum)
        && wanted != there
    {
        return Some(format!("its checksum is {wanted} in the source, {there} in the store"));
    }
    let is_restricted = object.tags.get(RESTRICTED_TAG).is_some_and(|word| word == "true");
    (order.restricted && !is_restricted)
        .then(|| "it is restricted in the source, not in the store".to_owned())
}
