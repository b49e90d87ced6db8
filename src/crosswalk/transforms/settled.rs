//! Settled texts, which the first transforms of most pipes leave as they are: told at one look.

/// What one look at a text tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Looks {
    /// It has no control characters and no white space but single spaces inside: in ASCII `nfc`,
    /// `nfkc`, `collapse_ws` and `trim` leave it as it is. With `beyond_ascii` it may have letters
    /// beyond that, of blocks in which every character is its own form C and none is white space;
    /// `nfkc` may change those.
    pub settled: bool,
    /// It is settled, and holds nothing that JSON escapes.
    pub plain: bool,
}

/// Looks at a text.
#[inline]
pub(crate) fn looks(value: &str, beyond_ascii: bool) -> Looks {
    let bytes = value.as_bytes();
    let solid = |byte: Option<&u8>| byte.is_none_or(|byte| *byte > b' ');
    if !solid(bytes.first()) || !solid(bytes.last()) {
        return Looks { settled: false, plain: false };
    }
    let (odd, high, escaped) = match bytes.last_chunk::<17>() {
        None => short(bytes),
        Some(last) => long(bytes, last),
    };
    let settled = !odd && (!high || beyond_ascii && are_letters(bytes));
    Looks { settled, plain: settled && !escaped }
}

/// Whether a text of 17 bytes or more has odd bytes, bytes beyond ASCII, quotes or backslashes:
/// one loop without branches, of which a compiler makes vectors.
fn long(bytes: &[u8], last: &[u8; 17]) -> (bool, bool, bool) {
    let (mut odd, mut high, mut escaped) = ([0_u8; 16], [0_u8; 16], [0_u8; 16]);
    let is = |truth: bool| u8::from(truth);
    // Each byte beside its neighbor.
    let mut add = |bytes: &[u8; 16], nexts: &[u8; 16]| {
        let flags = odd.iter_mut().zip(&mut high).zip(&mut escaped);
        for (((odd, high), escaped), (byte, next)) in flags.zip(bytes.iter().zip(nexts)) {
            let spaces = is(*byte == b' ') & is(*next == b' ');
            *odd |= is(*byte < b' ') | is(*byte == 0x7F) | spaces;
            *high |= *byte;
            *escaped |= is(*byte == b'"') | is(*byte == b'\\');
        }
    };
    let (firsts, seconds) = (bytes.as_chunks::<16>().0, bytes.get(1..).unwrap_or_default());
    for (first, second) in firsts.iter().zip(seconds.as_chunks::<16>().0) {
        add(first, second);
    }
    // The last ones overlap with those before them; the very last has no neighbor.
    if let (Some(first), Some(second), [.., end]) = (last.first_chunk(), last.last_chunk(), last) {
        add(first, second);
        add(&[*end; 16], &[b'x'; 16]);
    }
    let [odd, high, escaped] = [odd, high, escaped].map(u128::from_ne_bytes);
    (odd != 0, high & u128::from_ne_bytes([0x80; 16]) != 0, escaped != 0)
}

/// The same of a shorter text, in words of eight bytes.
fn short(bytes: &[u8]) -> (bool, bool, bool) {
    let all = match bytes.last_chunk::<8>() {
        None => {
            let mut chunk = [b'x'; 8];
            chunk.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            look(&chunk, 0)
        }
        // The last eight bytes overlap with the chunks before them.
        Some(last) => {
            let mut all = look(last, 0);
            let mut space_before = 0;
            for chunk in bytes.as_chunks::<8>().0 {
                let here = look(chunk, space_before);
                all.odd |= here.odd;
                all.high |= here.high;
                all.escaped |= here.escaped;
                space_before = here.last_space;
            }
            all
        }
    };
    (all.odd & HIGHS != 0, all.high & HIGHS != 0, all.escaped & HIGHS != 0)
}

/// What eight bytes are; the high bits of bytes say so.
struct Look {
    /// Control characters, and spaces behind spaces.
    odd: u64,
    /// Bytes beyond ASCII.
    high: u64,
    /// Quotes and backslashes; above the first one it may be wrong.
    escaped: u64,
    /// 1 when the last byte is a space.
    last_space: u64,
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);

#[inline]
fn look(chunk: &[u8; 8], space_before: u64) -> Look {
    let word = u64::from_le_bytes(*chunk);
    let low = !word & HIGHS;
    // The high bit of each byte that is a space: of `word ^ spaces` the bytes that are 0. Without
    // the high bits no carry leaves a byte.
    let differs = (word ^ (ONES * u64::from(b' '))) & !HIGHS;
    let spaces = !(differs + (HIGHS - ONES)) & low;
    let shifted = (spaces << 8) | (space_before << 7);
    // Above 0x7E or below 0x20: a carry or borrow comes only from a byte that is odd itself, or
    // from 0xFF, which no text holds.
    let controls = (word.wrapping_add(ONES) | word.wrapping_sub(ONES * 0x20)) & low;
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let quotes = zeros(word ^ (ONES * u64::from(b'"')));
    let escaped = quotes | zeros(word ^ (ONES * u64::from(b'\\')));
    Look { odd: controls | (spaces & shifted), high: word, escaped, last_space: spaces >> 63 }
}

/// Whether the bytes beyond ASCII are of letters that are as they should be: bytes that go on,
/// Latin (U+00C0 to U+02FF), Cyrillic, ideographs (U+5000 to U+9FFF).
fn are_letters(bytes: &[u8]) -> bool {
    let mut odd = [0_u8; 16];
    // Without branches, so that a compiler makes vectors of it.
    let mut add = |chunk: &[u8; 16]| {
        for (odd, byte) in odd.iter_mut().zip(chunk) {
            let within = |first: u8, last: u8| u8::from(byte.wrapping_sub(first) <= last - first);
            *odd |=
                (within(0, 0xBF) | within(0xC3, 0xCB) | within(0xD0, 0xD1) | within(0xE5, 0xE9))
                    ^ 1;
        }
    };
    match bytes.last_chunk::<16>() {
        // The last ones overlap with those before them.
        Some(last) => {
            bytes.as_chunks::<16>().0.iter().for_each(&mut add);
            add(last);
        }
        None => {
            let mut chunk = [0; 16];
            if let Some(front) = chunk.get_mut(..bytes.len()) {
                front.copy_from_slice(bytes);
            }
            add(&chunk);
        }
    }
    u128::from_ne_bytes(odd) == 0
}

#[cfg(test)]
mod tests {
    use super::super::text::{collapse_ws, nfc, nfkc};
    use super::*;

    proptest::proptest! {
        #[test]
        fn nothing_changes_a_settled_text(text in "[ -~]{0,40}|\\PC{0,20}|[a-b ]{0,30}|.{0,20}") {
            let changed = collapse_ws(&nfkc(&text)).into_owned();
            let plain = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            let looks = looks(&text, false);
            proptest::prop_assert_eq!(looks.settled, plain && changed == text, "{:?}", text);
            proptest::prop_assert_eq!(looks.plain, looks.settled && !text.contains(['"', '\\']));
            proptest::prop_assert!(!looks.settled || nfc(&text) == text);
        }

        #[test]
        fn nothing_changes_a_settled_text_beyond_ascii(
            text in "[ -~À-˿Ѐ-ѿ倀-鿿]{0,30}|[a-b ü]{0,30}|.{0,20}",
        ) {
            let looks = looks(&text, true);
            proptest::prop_assert!(!looks.settled || collapse_ws(&nfc(&text)) == text, "{:?}", text);
            proptest::prop_assert_eq!(looks.plain, looks.settled && !text.contains(['"', '\\']));
        }
    }
}
