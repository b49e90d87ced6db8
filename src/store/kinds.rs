//! What became of the parts that records are read with: revisions, files and the like.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::LoadRecord;

/// The kind of earlier and current revisions.
pub const REVISIONS: &str = "revisions";
/// The kind of recids that lead to others.
pub const REDIRECTS: &str = "redirects";
/// The kind of recids of which nothing is left but the number.
pub const RESERVED: &str = "reserved";
/// The kind of versions of files.
pub const FILES: &str = "files";
/// The kind of bytes of files.
pub const BYTES: &str = "bytes";

/// The fates of one kind of parts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KindCounts {
    /// Found in the source.
    pub read: u64,
    /// Written.
    pub loaded: u64,
    /// There already.
    pub unchanged: u64,
    /// Left out because the pipeline says so.
    pub skipped: u64,
    /// In quarantine, by themselves or with their record.
    pub quarantined: u64,
}

impl KindCounts {
    /// Whether every part that was read has met exactly one fate.
    #[must_use]
    pub fn balance(&self) -> bool {
        self.read == self.loaded + self.unchanged + self.skipped + self.quarantined
    }

    fn add(&mut self, other: &KindCounts) {
        self.read += other.read;
        self.loaded += other.loaded;
        self.unchanged += other.unchanged;
        self.skipped += other.skipped;
        self.quarantined += other.quarantined;
    }
}

/// The fates of all parts, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kinds(BTreeMap<String, KindCounts>);

impl Kinds {
    /// The counts of a kind, to add to.
    pub fn of(&mut self, kind: &str) -> &mut KindCounts {
        self.0.entry(kind.to_owned()).or_default()
    }

    /// All kinds by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &KindCounts)> {
        self.0.iter().map(|(kind, counts)| (kind.as_str(), counts))
    }

    /// Whether no part was met.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds `other`, kind by kind.
    pub fn add(&mut self, other: &Kinds) {
        for (kind, counts) in &other.0 {
            self.of(kind).add(counts);
        }
    }

    /// Parts of all kinds in quarantine.
    #[must_use]
    pub fn quarantined(&self) -> u64 {
        self.0.values().map(|counts| counts.quarantined).sum()
    }

    /// Counts the parts of a record that is held: they are held with it.
    pub(super) fn hold(&mut self, record: &LoadRecord) {
        if let Some(earlier) = &record.history {
            self.of(REVISIONS).quarantined += earlier.len() as u64 + 1;
        }
        if !record.files.is_empty() {
            self.of(FILES).quarantined += record.files.len() as u64;
        }
        for copy in &record.copies {
            self.of(FILES).quarantined += 1;
            self.of(BYTES).quarantined += copy.instance.as_ref().map_or(0, |file| file.size);
        }
        if record.merged_into.is_some() {
            self.of(REDIRECTS).quarantined += 1;
        }
        for thing in &record.things {
            self.of(&thing.kind).quarantined += 1;
        }
    }

    /// Counts redirects, of which so many were new.
    pub(super) fn add_redirects(&mut self, all: u64, noted: u64) {
        if all > 0 {
            let counts = self.of(REDIRECTS);
            counts.loaded += noted;
            counts.unchanged += all.saturating_sub(noted);
        }
    }

    /// A kind of which parts were lost or counted twice.
    #[must_use]
    pub fn unbalanced(&self) -> Option<(&str, &KindCounts)> {
        self.iter().find(|(_, counts)| !counts.balance())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_balances_when_each_part_has_one_fate() {
        let mut kinds = Kinds::default();
        assert_eq!(kinds.unbalanced(), None);
        *kinds.of(REVISIONS) = KindCounts { read: 3, loaded: 2, ..KindCounts::default() };
        assert_eq!(kinds.unbalanced().map(|(kind, _)| kind), Some(REVISIONS));
        let mut late = Kinds::default();
        late.of(REVISIONS).quarantined += 1;
        kinds.add(&late);
        assert_eq!((kinds.unbalanced(), kinds.quarantined()), (None, 1));
    }
}
