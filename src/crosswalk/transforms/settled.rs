//! Settled texts, which the first transforms of most pipes leave as they are: told at one look.

/// Whether a text has no control characters and no white space but single spaces inside: in ASCII
/// `nfc`, `nfkc`, `collapse_ws` and `trim` leave it as it is. With `beyond_ascii` it may have
/// letters beyond that, of blocks in which every character is its own form C and none is white
/// space; `nfkc` may change those.
#[inline]
pub(crate) fn is_settled(value: &str, beyond_ascii: bool) -> bool {
    let bytes = value.as_bytes();
    let solid = |byte: Option<&u8>| byte.is_none_or(|byte| *byte > b' ');
    if !solid(bytes.first()) || !solid(bytes.last()) {
        return false;
    }
    let Some(last) = bytes.last_chunk::<8>() else {
        let mut chunk = [b'x'; 8];
        chunk.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        let look = look(&chunk, 0);
        return look.odd == 0 && (look.high == 0 || beyond_ascii && are_letters(bytes));
    };
    // The last eight bytes overlap with the chunks before them.
    let mut all = look(last, 0);
    let mut space_before = 0;
    for chunk in bytes.as_chunks::<8>().0 {
        let here = look(chunk, space_before);
        all.odd |= here.odd;
        all.high |= here.high;
        space_before = here.last_space;
    }
    all.odd == 0 && (all.high == 0 || beyond_ascii && are_letters(bytes))
}

/// What eight bytes are; the bits that say so are the high bits of bytes.
struct Look {
    /// Control characters, and spaces behind spaces.
    odd: u64,
    /// Bytes beyond ASCII.
    high: u64,
    /// 1 when the last byte is a space.
    last_space: u64,
}

#[inline]
fn look(chunk: &[u8; 8], space_before: u64) -> Look {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
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
    Look { odd: controls | (spaces & shifted), high: word & HIGHS, last_space: spaces >> 63 }
}

/// Whether the bytes beyond ASCII are of letters that are as they should be: bytes that go on,
/// Latin (U+00C0 to U+02FF), Cyrillic, ideographs (U+5000 to U+9FFF).
fn are_letters(bytes: &[u8]) -> bool {
    let odd = |byte: &u8| !matches!(byte, 0..=0xBF | 0xC3..=0xCB | 0xD0 | 0xD1 | 0xE5..=0xE9);
    !bytes.iter().fold(false, |found, byte| found | odd(byte))
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
            proptest::prop_assert_eq!(is_settled(&text, false), plain && changed == text, "{:?}", text);
            proptest::prop_assert!(!is_settled(&text, false) || nfc(&text) == text);
        }

        #[test]
        fn nothing_changes_a_settled_text_beyond_ascii(
            text in "[ -~À-˿Ѐ-ѿ倀-鿿]{0,30}|[a-b ü]{0,30}|.{0,20}",
        ) {
            let settled = is_settled(&text, true);
            proptest::prop_assert!(!settled || collapse_ws(&nfc(&text)) == text, "{:?}", text);
        }
    }
}
