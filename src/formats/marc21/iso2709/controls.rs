//! The control characters of a record's data, found eight bytes at a time.

use std::slice::Iter;

use super::ESC;

/// The positions of all control characters (below U+0020) but tabs, line breaks and escapes,
/// which values may hold.
#[derive(Debug)]
pub(super) struct Controls<'b> {
    data: &'b [u8],
    chunks: Iter<'b, [u8; 8]>,
    /// Where the chunk at hand begins.
    at: usize,
    /// The high bit of each byte of the chunk at hand that is still to be told.
    found: u64,
}

impl<'b> Controls<'b> {
    pub fn of(data: &'b [u8]) -> Controls<'b> {
        let mut chunks = data.as_chunks::<8>().0.iter();
        let found = chunks.next().map_or_else(|| in_last(data, 0), in_chunk);
        Controls { data, chunks, at: 0, found }
    }
}

impl Iterator for Controls<'_> {
    /// Where it stands, and what it is.
    type Item = (usize, u8);

    #[inline]
    fn next(&mut self) -> Option<(usize, u8)> {
        loop {
            while self.found == 0 {
                self.at += 8;
                self.found = match self.chunks.next() {
                    Some(chunk) => in_chunk(chunk),
                    None if self.at < self.data.len() => in_last(self.data, self.at),
                    None => return None,
                };
            }
            let position = self.at + self.found.trailing_zeros() as usize / 8;
            self.found &= self.found - 1;
            let byte = *self.data.get(position)?;
            // The delimiters are above those that values may hold.
            if byte > ESC || !matches!(byte, b'\t' | b'\n' | b'\r' | ESC) {
                return Some((position, byte));
            }
        }
    }
}

/// The high bits of the bytes that are below 0x20.
#[inline]
fn in_chunk(chunk: &[u8; 8]) -> u64 {
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    const SPACES: u64 = u64::from_ne_bytes([0x20; 8]);
    // With its high bit set a byte lends that bit, unless 0x20 can be taken from the others.
    let word = u64::from_le_bytes(*chunk);
    !((word | HIGHS).wrapping_sub(SPACES) | word) & HIGHS
}

/// The same of the last bytes, from `at` on, which are fewer than eight.
#[cold]
fn in_last(data: &[u8], at: usize) -> u64 {
    let mut chunk = [b' '; 8];
    let rest = data.get(at..).unwrap_or_default();
    chunk.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    in_chunk(&chunk)
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
            let expected: Vec<(usize, u8)> =
                (0..data.len()).filter(|at| wanted(data[*at])).map(|at| (at, data[at])).collect();
            proptest::prop_assert_eq!(Controls::of(&data).collect::<Vec<_>>(), expected);
        }
    }
}
