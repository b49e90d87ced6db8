//! Local names to look for: told from most others by a number.

/// A local name, to be looked for in many trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalName {
    pub(super) key: u32,
    text: Box<str>,
}

/// Local names of elements and attributes, a bit for many of them: what is not in it is not there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NameSet(u128);

impl LocalName {
    /// This name.
    #[must_use]
    pub fn new(text: &str) -> LocalName {
        LocalName { key: key(text.as_bytes()), text: text.into() }
    }

    /// The name.
    #[inline]
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl NameSet {
    /// The set that meets every other but the empty one.
    pub const ALL: NameSet = NameSet(u128::MAX);

    /// The set of one name.
    #[must_use]
    pub fn of(name: &LocalName) -> NameSet {
        let mut set = NameSet::default();
        set.add(name.key);
        set
    }

    /// All names of both.
    #[must_use]
    pub fn union(self, other: NameSet) -> NameSet {
        NameSet(self.0 | other.0)
    }

    /// Whether there may be all names of `other` in it.
    #[inline]
    #[must_use]
    pub fn may_hold(self, other: NameSet) -> bool {
        self.0 & other.0 == other.0
    }

    #[inline]
    pub(super) fn add(&mut self, key: u32) {
        self.0 |= 1 << (key >> 25);
    }
}

/// A number that most names do not share: of a name's length and its first and last eight bytes.
#[inline]
pub(super) fn key(name: &[u8]) -> u32 {
    let ends = match (name.first_chunk(), name.last_chunk()) {
        (Some(first), Some(last)) => {
            u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(29)
        }
        _ => name.iter().fold(0, |all, byte| (all << 8) | u64::from(*byte)),
    };
    let mixed = (ends ^ ((name.len() as u64) << 57)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    u32::try_from(mixed >> 32).unwrap_or(0)
}
