//! What the files of a record are called: each by a key and a place of its own.

use std::collections::{BTreeSet, HashMap};

use unicode_normalization::UnicodeNormalization;

use crate::formats::invenio_v1::{Dump, File};
use crate::record::{Locator, numbered_key};

/// Keys and tags are no longer.
pub(super) const LONGEST: usize = 255;

/// The names of the files of a record.
pub(super) struct Names<'l> {
    /// The place of the one that was held and comes alone.
    own: Option<&'l str>,
    /// The documents that have files of each name. The first keeps it, the others get their number.
    documents: HashMap<String, BTreeSet<u64>>,
}

impl<'l> Names<'l> {
    pub(super) fn of(dump: &Dump<'_>, locator: &'l Locator) -> Names<'l> {
        let is_alone = dump.files.len() + dump.broken.len() == 1;
        let mut documents: HashMap<String, BTreeSet<u64>> = HashMap::new();
        for file in &dump.files {
            let key = key(file.full_name, file.bibdocid);
            documents.entry(key).or_default().insert(file.bibdocid);
        }
        Names { own: locator.part.as_deref().filter(|_| is_alone), documents }
    }

    /// The key of a file in the record's bucket.
    pub(super) fn key(&self, file: &File<'_>) -> String {
        let key = key(file.full_name, file.bibdocid);
        let first = self.documents.get(&key).and_then(BTreeSet::first);
        if first.is_none_or(|first| *first == file.bibdocid) {
            return key;
        }
        let number = file.bibdocid.to_string();
        let mut key = numbered_key(&key, &number);
        while self.documents.contains_key(&key) {
            key = numbered_key(&key, &number);
        }
        key
    }

    /// The place of a file in its record.
    pub(super) fn part(&self, file: &File<'_>) -> String {
        let of_key = || format!("file {} version {}", self.key(file), file.version);
        self.own.map_or_else(of_key, str::to_owned)
    }

    /// The place of an entry that is no file.
    pub(super) fn of_broken(&self, number: usize) -> String {
        self.own.map_or_else(|| format!("file entry {number}"), str::to_owned)
    }
}

/// A key that is one name on every system: composed, without separators and control characters,
/// cut before its extension.
pub(super) fn key(full_name: &str, bibdocid: u64) -> String {
    let plain = |c: char| if c.is_control() || matches!(c, '/' | '\\') { '_' } else { c };
    let name: String = full_name.nfc().map(plain).collect();
    let name = name.trim();
    if matches!(name, "" | "." | "..") {
        return format!("bibdoc-{bibdocid}");
    }
    let length = name.chars().count();
    if length <= LONGEST {
        return name.to_owned();
    }
    let extension = name.rfind('.').and_then(|at| name.get(at..)).unwrap_or_default();
    let kept = extension.chars().count();
    if kept > 32 {
        return name.chars().take(LONGEST).collect();
    }
    name.chars().take(LONGEST - kept).chain(extension.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_name_whatever_the_file_was_called() {
        assert_eq!(key("../a/b.pdf", 7), ".._a_b.pdf");
        assert_eq!(key("cafe\u{301}.pdf", 7), "caf\u{e9}.pdf");
        assert_eq!(key("..", 7), "bibdoc-7");
        assert_eq!(key(" \n", 7), "_");
        let long = key(&format!("{}.pdf;pdfa", "x".repeat(400)), 7);
        assert_eq!((long.chars().count(), long.ends_with("x.pdf;pdfa")), (255, true));
    }
}
