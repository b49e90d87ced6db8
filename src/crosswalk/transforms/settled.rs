//! Settled texts, which the first transforms of most pipes leave as they are: told at one look.

/// Whether a text is ASCII without control characters, and without white space but single spaces
/// inside: then `nfc`, `nfkc`, `collapse_ws` and `trim` leave it as it is.
pub(crate) fn is_settled(value: &str) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    let bytes = value.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_none_or(|byte| (b'!'..=b'~').contains(byte));
    if !edge(bytes.first()) || !edge(bytes.last()) {
        return false;
    }
    // What is odd in eight bytes, and whether the last of them is a space (1).
    let look = |chunk: &[u8; 8], space_before: u64| {
        let word = u64::from_le_bytes(*chunk);
        // The high bit of each byte that is a space: of `word ^ spaces` the bytes that are 0. All
        // bytes are below 0x80, or the text is odd already, so that no carry leaves a byte.
        let differs = (word ^ (ONES * u64::from(b' '))) & !HIGHS;
        let spaces = !(differs + (HIGHS - ONES)) & HIGHS;
        let shifted = (spaces << 8) | (space_before << 7);
        // Above 0x7E, below 0x20, or a space behind a space.
        let below = word.wrapping_sub(ONES * 0x20) & !word;
        let odd = (word | (word.wrapping_add(ONES)) | below) & HIGHS | (spaces & shifted);
        (odd, spaces >> 63)
    };
    let Some(last) = bytes.last_chunk::<8>() else {
        let odd = |pair: &[u8]| pair == b"  ";
        return bytes.iter().all(|byte| (b' '..=b'~').contains(byte)) && !bytes.windows(2).any(odd);
    };
    // The last eight bytes overlap with the chunks before them.
    let (mut odd, _) = look(last, 0);
    let mut space_before = 0;
    for chunk in bytes.as_chunks::<8>().0 {
        let (odd_here, space) = look(chunk, space_before);
        odd |= odd_here;
        space_before = space;
    }
    odd == 0
}

const ODD: u8 = 1;
const SPACE: u8 = 2;
/// What a byte is in a text that is settled beyond ASCII: 0 where it may stand.
#[expect(clippy::indexing_slicing, reason = "a constant, and every index is a byte")]
static KINDS: [u8; 256] = {
    let mut kinds = [ODD; 256];
    let mut byte = 0;
    while byte < 256 {
        // Bytes that go on, Latin (U+00C0 to U+02FF), Cyrillic, ideographs (U+5000 to U+9FFF).
        if matches!(byte, 0x21..=0x7E | 0x80..=0xBF | 0xC3..=0xCB | 0xD0 | 0xD1 | 0xE5..=0xE9) {
            kinds[byte] = 0;
        }
        byte += 1;
    }
    kinds[b' ' as usize] = SPACE;
    kinds
};

/// Like [`is_settled`], for texts that also have letters beyond ASCII, from blocks in which every
/// character is its own form C and none is white space; `nfkc` may change it.
pub(crate) fn is_settled_beyond_ascii(value: &str) -> bool {
    let kind = |byte: u8| KINDS.get(usize::from(byte)).copied().unwrap_or(ODD);
    let mut before = SPACE;
    let mut odd = 0;
    for byte in value.bytes() {
        let here = kind(byte);
        odd |= (here & ODD) | (here & before);
        before = here;
    }
    odd == 0 && before != SPACE
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
            proptest::prop_assert_eq!(is_settled(&text), plain && changed == text, "{:?}", text);
            proptest::prop_assert!(!is_settled(&text) || nfc(&text) == text);
        }

        #[test]
        fn nothing_changes_a_settled_text_beyond_ascii(
            text in "[ -~À-˿Ѐ-ѿ倀-鿿]{0,30}|[a-b ü]{0,30}|.{0,20}",
        ) {
            let settled = is_settled_beyond_ascii(&text);
            proptest::prop_assert!(!settled || collapse_ws(&nfc(&text)) == text, "{:?}", text);
        }
    }
}
