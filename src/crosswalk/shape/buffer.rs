//! Buffers: the values of one leaf of the output, each in its final bytes.

/// The values of one leaf, one after another, each in its final bytes.
#[derive(Debug, Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Buffer {
    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Whether it holds no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many values it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The values in order.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(from, to)| self.bytes.get(from..*to).unwrap_or_default())
    }

    /// Adds a value; `write` appends its bytes. Says whether it stayed: with `unique`, a value
    /// that is there already is taken back.
    pub fn push(&mut self, unique: bool, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let (before, new) = self.bytes.split_at(start);
        if unique && !self.ends.is_empty() {
            let mut from = 0;
            for end in &self.ends {
                if before.get(from..*end) == Some(new) {
                    self.bytes.truncate(start);
                    return false;
                }
                from = *end;
            }
        }
        self.ends.push(self.bytes.len());
        true
    }
}
