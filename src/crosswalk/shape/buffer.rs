//! Buffers: the values of the leaves of an object, each in its final bytes.

/// The leaves of one object while it is being built.
#[derive(Debug, Default)]
pub struct Buffers {
    pub(super) all: Vec<Buffer>,
    /// A bit for each leaf that holds a value; the last one stands for all from the 64th on.
    pub(super) filled: u64,
}

/// The bit of a leaf among those that are filled.
#[inline]
pub(super) fn bit(slot: usize) -> u64 {
    1 << slot.min(63)
}

impl Buffers {
    /// Empties it, for an object of so many leaves, and keeps its memory.
    pub fn begin(&mut self, slots: usize) {
        let mut filled = std::mem::take(&mut self.filled);
        if filled & bit(63) != 0 {
            self.all.iter_mut().skip(63).for_each(Buffer::clear);
        }
        while filled != 0 {
            if let Some(buffer) = self.all.get_mut(filled.trailing_zeros() as usize) {
                buffer.clear();
            }
            filled &= filled - 1;
        }
        if self.all.len() < slots {
            self.all.resize_with(slots, Buffer::default);
        }
    }

    /// The values of a leaf; `None` when there are none.
    #[inline]
    #[must_use]
    pub fn get(&self, slot: usize) -> Option<&Buffer> {
        if self.filled & bit(slot) == 0 {
            return None;
        }
        self.all.get(slot).filter(|buffer| !buffer.is_empty())
    }

    /// Whether a leaf holds a value.
    #[inline]
    #[must_use]
    pub fn has(&self, slot: usize) -> bool {
        self.filled & bit(slot) != 0 && (slot < 63 || self.get(slot).is_some())
    }

    /// How many values a leaf holds.
    #[must_use]
    pub fn len(&self, slot: usize) -> usize {
        self.get(slot).map_or(0, |buffer| buffer.ends.len())
    }

    /// A bit for each leaf that holds a value; the last one stands for all from the 64th on.
    #[must_use]
    pub fn filled(&self) -> u64 {
        self.filled
    }

    /// Adds a value to a leaf; `write` appends its bytes. Says whether it stayed: with `unique`, a
    /// value that is there already is taken back.
    #[inline]
    pub fn push(&mut self, slot: usize, unique: bool, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        self.filled |= bit(slot);
        self.all.get_mut(slot).is_some_and(|buffer| buffer.push(unique, write))
    }
}

/// The values of one leaf, one after another, each in its final bytes, with a comma between them:
/// those of a list of JSON stand here as they will in the output.
#[derive(Debug, Default)]
pub struct Buffer {
    pub(super) bytes: Vec<u8>,
    /// Where the values end.
    pub(super) ends: Vec<usize>,
}

impl Buffer {
    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The values in order.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|end| end + 1));
        starts.zip(&self.ends).map(|(from, to)| self.bytes.get(from..*to).unwrap_or_default())
    }

    /// The values with commas between them.
    #[must_use]
    pub fn listed(&self) -> &[u8] {
        &self.bytes
    }

    #[inline]
    fn push(&mut self, unique: bool, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let before = self.bytes.len();
        if !self.ends.is_empty() {
            self.bytes.push(b',');
        }
        let start = self.bytes.len();
        write(&mut self.bytes);
        if unique && start > before && self.holds(start) {
            self.bytes.truncate(before);
            return false;
        }
        self.ends.push(self.bytes.len());
        true
    }

    /// Whether what stands from `start` on is one of the values.
    pub(super) fn holds(&self, start: usize) -> bool {
        let (before, new) = self.bytes.split_at(start);
        let mut from = 0;
        self.ends.iter().any(|end| {
            let same = end - from == new.len() && before.get(from..*end) == Some(new);
            from = end + 1;
            same
        })
    }
}
