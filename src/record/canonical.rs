//! Canonical JSON: sorted keys, no spaces; the form that is hashed, compared and stored.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// SHA-256 of a record's canonical JSON.
pub type ContentHash = [u8; 32];

/// The hash by which "unchanged" is decided; `bytes` must be canonical already.
#[must_use]
pub fn content_hash(bytes: &[u8]) -> ContentHash {
    Sha256::digest(bytes).into()
}

/// Writes `value` with object keys in byte order and no white space.
#[must_use]
pub fn canonical_json(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    push_value(value, &mut out);
    out
}

fn push_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::String(text) => push_json_string(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                push_value(item, out);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by(|a, b| a.0.cmp(b.0));
            out.push(b'{');
            for (i, (key, member)) in sorted.into_iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                push_json_string(key, out);
                out.push(b':');
                push_value(member, out);
            }
            out.push(b'}');
        }
    }
}

/// Of eight bytes, the high bits of those that JSON escapes; above the first one that is set they
/// may be wrong.
#[inline]
fn specials(chunk: &[u8; 8]) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    // A byte is below a small number, which "equal to c" becomes by xor.
    let word = u64::from_le_bytes(*chunk);
    let quote = word ^ (ONES * u64::from(b'"'));
    let backslash = word ^ (ONES * u64::from(b'\\'));
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;
    (below(word, 0x20) | below(quote, 1) | below(backslash, 1)) & HIGHS
}

#[inline]
fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

/// Whether `bytes` stand in a JSON string as they are.
#[inline]
fn is_plain_json(bytes: &[u8]) -> bool {
    // The last bytes overlap with the chunks before them.
    if let Some(last) = bytes.last_chunk::<16>() {
        let mut found = [0; 16];
        let mut add = |chunk: &[u8; 16]| {
            for (flag, byte) in found.iter_mut().zip(chunk) {
                *flag |= u8::from(is_special(*byte));
            }
        };
        bytes.as_chunks::<16>().0.iter().for_each(&mut add);
        add(last);
        return u128::from_ne_bytes(found) == 0;
    }
    let Some(last) = bytes.last_chunk::<8>() else {
        return !bytes.iter().fold(false, |special, byte| special | is_special(*byte));
    };
    let chunks = bytes.as_chunks::<8>().0.iter();
    chunks.fold(specials(last), |found, chunk| found | specials(chunk)) == 0
}

/// Length of the front of `bytes` that stands in a JSON string as it is: up to the first `"`, `\\`
/// or control character.
#[must_use]
pub fn plain_json_length(bytes: &[u8]) -> usize {
    let (chunks, rest) = bytes.as_chunks::<8>();
    for (n, chunk) in chunks.iter().enumerate() {
        let special = specials(chunk);
        if special != 0 {
            return 8 * n + special.trailing_zeros() as usize / 8;
        }
    }
    // The last eight bytes overlap with what is known to be plain.
    if bytes.last_chunk::<8>().is_some_and(|chunk| specials(chunk) == 0) {
        return bytes.len();
    }
    let special = |byte: &u8| is_special(*byte);
    8 * chunks.len() + rest.iter().position(special).unwrap_or(rest.len())
}

/// Appends `text` as a JSON string: only `"`, `\` and control characters are escaped.
#[inline]
pub fn push_json_string(text: &str, out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    if is_plain_json(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        push_escaped(text, out);
    }
    out.push(b'"');
}

#[cold]
fn push_escaped(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut rest = text.as_bytes();
    loop {
        let (plain, special) = rest.split_at(plain_json_length(rest));
        out.extend_from_slice(plain);
        let Some((byte, after)) = special.split_first() else { break };
        rest = after;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0C => out.extend_from_slice(b"\\f"),
            other => {
                out.extend_from_slice(b"\\u00");
                for nibble in [other >> 4, other & 15] {
                    out.push(HEX.get(usize::from(nibble)).copied().unwrap_or(b'0'));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_at_every_depth_whatever_order_they_came_in() {
        let value: Value =
            serde_json::from_str(r#"{"b":[{"d":1,"c":null}],"a":"x\u0001\"","é":1.5}"#).unwrap();
        let bytes = canonical_json(&value);
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            r#"{"a":"x\u0001\"","b":[{"c":null,"d":1}],"é":1.5}"#
        );
    }

    proptest::proptest! {
        #[test]
        fn the_plain_front_ends_where_a_byte_by_byte_search_ends(bytes: Vec<u8>, at in 0_usize..40) {
            let mut bytes: Vec<u8> = bytes.into_iter().map(|byte| byte | 0x80).collect();
            for special in [b'"', b'\\', 0x1F, 0, b' ', b'!', b'#', b'[', b']'] {
                if let Some(place) = bytes.get_mut(at) {
                    *place = special;
                }
                let special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
                let expected = bytes.iter().position(special).unwrap_or(bytes.len());
                proptest::prop_assert_eq!(plain_json_length(&bytes), expected);
                proptest::prop_assert_eq!(is_plain_json(&bytes), expected == bytes.len());
            }
        }

        #[test]
        fn any_text_survives_as_a_json_string(text in ".*") {
            let mut out = Vec::new();
            push_json_string(&text, &mut out);
            let back: String = serde_json::from_slice(&out).unwrap();
            proptest::prop_assert_eq!(back, text);
        }
    }
}
