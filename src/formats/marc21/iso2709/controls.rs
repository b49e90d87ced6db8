//! The control characters of a record's data, found eight bytes at a time.

use super::ESC;

/// The positions of all control characters (below U+0020) but tabs, line breaks and escapes,
/// which values may hold.
#[derive(Debug)]
pub(super) struct Controls<'b> {
    data: &'b [u8],
    chunks: &'b [[u8; 8]],
    /// Where the chunk at hand begins.
    at: usize,
    /// The high bit of each byte of the chunk at hand that is still to be told.
    found: u64,
}

impl<'b> Controls<'b> {
    pub fn of(data: &'b [u8]) -> Controls<'b> {
        let (chunks, _) = data.as_chunks::<8>();
        let mut controls = Controls { data, chunks, at: 0, found: 0 };
        controls.load();
        controls
    }

    // Looks at the chunk at `at`; the last one may be shorter.
    fn load(&mut self) {
        const LOW: u64 = u64::from_ne_bytes([0x7F; 8]);
        let word = match self.chunks.split_first() {
            Some((chunk, rest)) => {
                self.chunks = rest;
                u64::from_le_bytes(*chunk)
            }
            None => {
                let mut chunk = [b' '; 8];
                let rest = self.data.get(self.at..).unwrap_or_default();
                chunk.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                u64::from_le_bytes(chunk)
            }
        };
        // A byte is below 0x20 when its three high bits are 0; no carry leaves a byte.
        let high_bits = word & u64::from_ne_bytes([0xE0; 8]);
        self.found = !(((high_bits & LOW) + LOW) | high_bits) & !LOW;
    }
}

impl Iterator for Controls<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        loop {
            while self.found == 0 {
                self.at += 8;
                if self.at >= self.data.len() {
                    return None;
                }
                self.load();
            }
            let position = self.at + self.found.trailing_zeros() as usize / 8;
            self.found &= self.found - 1;
            if !matches!(self.data.get(position), Some(b'\t' | b'\n' | b'\r' | &ESC) | None) {
                return Some(position);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn every_control_character_is_found(
            data in proptest::collection::vec(
                proptest::prop_oneof![0_u8..0x24, proptest::num::u8::ANY], 0..40,
            ),
        ) {
            let wanted = |byte: u8| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | ESC);
            let expected: Vec<usize> = (0..data.len()).filter(|at| wanted(data[*at])).collect();
            proptest::prop_assert_eq!(Controls::of(&data).collect::<Vec<_>>(), expected);
        }
    }
}
