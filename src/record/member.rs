//! One member of an object in canonical JSON, put in or replaced where it stands.

use std::borrow::Cow;

use super::canonical::{plain_json_length, push_json_string};

/// Gives the object `json` the member `key` with this value; both are canonical JSON, and so is
/// what comes of it. Bytes that are no such object stay as they are, and the answer is false.
#[must_use]
pub fn set_json_member(json: &mut Vec<u8>, key: &str, value: &[u8]) -> bool {
    let Some(place) = place(json, key) else { return false };
    let mut member = Vec::with_capacity(key.len() + value.len() + 4);
    match place {
        Place::Value { start, end } => {
            json.splice(start..end, value.iter().copied());
        }
        Place::Gap { at, is_first, is_last } => {
            if !is_first && is_last {
                member.push(b',');
            }
            push_json_string(key, &mut member);
            member.push(b':');
            member.extend_from_slice(value);
            if !is_last {
                member.push(b',');
            }
            json.splice(at..at, member);
        }
    }
    true
}

/// The value of the member `key` of the object `json`, which is canonical JSON.
#[must_use]
pub fn json_member<'j>(json: &'j [u8], key: &str) -> Option<&'j [u8]> {
    match place(json, key)? {
        Place::Value { start, end } => json.get(start..end),
        Place::Gap { .. } => None,
    }
}

enum Place {
    Value { start: usize, end: usize },
    Gap { at: usize, is_first: bool, is_last: bool },
}

fn place(json: &[u8], key: &str) -> Option<Place> {
    if json.first() != Some(&b'{') {
        return None;
    }
    let mut at = 1;
    loop {
        let is_first = at == 1;
        if json.get(at) == Some(&b'}') {
            return Some(Place::Gap { at, is_first, is_last: true });
        }
        let colon = text_end(json, at)?;
        let start = colon + 1;
        let end = value_end(json, start)?;
        let found = key_of(json.get(at..colon)?)?;
        match (*found).cmp(key) {
            std::cmp::Ordering::Equal => return Some(Place::Value { start, end }),
            std::cmp::Ordering::Greater => {
                return Some(Place::Gap { at, is_first, is_last: false });
            }
            std::cmp::Ordering::Less => {}
        }
        match json.get(end)? {
            b',' => at = end + 1,
            _ => return Some(Place::Gap { at: end, is_first: false, is_last: true }),
        }
    }
}

fn key_of(text: &[u8]) -> Option<Cow<'_, str>> {
    let inner = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if inner.contains(&b'\\') {
        return serde_json::from_slice(text).ok().map(Cow::Owned);
    }
    std::str::from_utf8(inner).ok().map(Cow::Borrowed)
}

// Behind the closing quotation mark of the text that begins at `start`.
fn text_end(json: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += plain_json_length(json.get(at..)?);
        match json.get(at)? {
            b'"' => return Some(at + 1),
            _ => at += 2,
        }
    }
}

fn value_end(json: &[u8], start: usize) -> Option<usize> {
    let (mut at, mut depth) = (start, 0_usize);
    loop {
        match json.get(at)? {
            b'"' => at = text_end(json, at)?,
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' | b',' if depth == 0 => return Some(at),
            b'}' | b']' => {
                depth -= 1;
                at += 1;
            }
            _ => at += 1,
        }
        if depth == 0 && matches!(json.get(at), Some(b',' | b'}' | b']')) {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::canonical_json;
    use serde_json::{Map, Value, json};

    proptest::proptest! {
        #[test]
        fn a_member_that_is_set_is_where_it_would_be_had_it_been_there(
            keys: Vec<String>,
            texts: Vec<String>,
            key in "[a-z_\"\\\\A-Z\u{1}é]{0,3}",
        ) {
            let value = |text: &String| json!({ "b": [text, { "a": 1 }], "x": null });
            let members = keys.iter().zip(&texts).map(|(key, text)| (key.clone(), value(text)));
            let mut object = Value::Object(members.collect::<Map<String, Value>>());
            let mut bytes = canonical_json(&object);
            let before = object.get(&key).map(canonical_json);
            proptest::prop_assert_eq!(json_member(&bytes, &key).map(<[u8]>::to_vec), before);
            proptest::prop_assert!(set_json_member(&mut bytes, &key, b"[2]"));
            object[&key] = json!([2]);
            proptest::prop_assert_eq!(bytes, canonical_json(&object));
        }
    }

    #[test]
    fn what_is_no_object_stays_as_it_is() {
        for text in ["", "[]", "{", r#"{"a""#, r#"{"a":1"#, "null"] {
            let mut bytes = text.as_bytes().to_vec();
            assert!(!set_json_member(&mut bytes, "b", b"1"), "{text}");
            assert_eq!(bytes, text.as_bytes());
        }
    }
}
