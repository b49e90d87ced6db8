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

/// Appends `text` as a JSON string: only `"`, `\` and control characters are escaped.
pub fn push_json_string(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut clean_from = 0;
    for (i, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(bytes.get(clean_from..i).unwrap_or_default());
        clean_from = i + 1;
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
    out.extend_from_slice(bytes.get(clean_from..).unwrap_or_default());
    out.push(b'"');
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
        fn any_text_survives_as_a_json_string(text in ".*") {
            let mut out = Vec::new();
            push_json_string(&text, &mut out);
            let back: String = serde_json::from_slice(&out).unwrap();
            proptest::prop_assert_eq!(back, text);
        }
    }
}
