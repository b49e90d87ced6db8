//! What PostgreSQL gives for a JSON column, made canonical again.
//!
//! `jsonb` orders members by the length of their keys and puts spaces between tokens; `json` keeps
//! what was written, whoever wrote it. Numbers are copied as they stand: none loses a digit.

use std::borrow::Cow;

use crate::record::push_json_string;
use crate::store::StoreError;

const DEEPEST: usize = 2000;

/// Members in byte order of their keys, no spaces, as few escapes as can be.
///
/// # Errors
/// [`StoreError::Damaged`] when it is no JSON.
pub(super) fn canonical(text: &str) -> Result<Vec<u8>, StoreError> {
    let mut reader = Reader { text, at: 0, out: Vec::with_capacity(text.len()) };
    let whole = reader.value(0).filter(|()| {
        reader.space();
        reader.at == text.len()
    });
    match whole {
        Some(()) => Ok(reader.out),
        None => Err(StoreError::Damaged(format!("JSON cannot be read at byte {}", reader.at))),
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    out: Vec<u8>,
}

impl<'t> Reader<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// The next token's first byte, if it is this one; taken.
    fn takes(&mut self, byte: u8) -> bool {
        self.space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        self.space();
        match self.peek()? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => {
                let string = self.string()?;
                self.push_string(&string);
                Some(())
            }
            _ => {
                let rest = self.text.get(self.at..)?;
                let ends = |c: char| matches!(c, ',' | ']' | '}' | ' ' | '\n' | '\r' | '\t');
                let scalar = rest.get(..rest.find(ends).unwrap_or(rest.len()))?;
                self.at += scalar.len();
                self.out.extend_from_slice(scalar.as_bytes());
                (!scalar.is_empty()).then_some(())
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.at += 1;
        self.out.push(b'[');
        let mut first = true;
        while !self.takes(b']') {
            if !first {
                self.takes(b',').then_some(())?;
                self.out.push(b',');
            }
            first = false;
            self.value(depth + 1)?;
        }
        self.out.push(b']');
        Some(())
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        self.at += 1;
        self.out.push(b'{');
        let begin = self.out.len();
        // Each member with the bytes of `out` that it takes, without a comma.
        let mut members: Vec<(Cow<'t, str>, std::ops::Range<usize>)> = Vec::new();
        while !self.takes(b'}') {
            if !members.is_empty() {
                self.takes(b',').then_some(())?;
                self.space();
            }
            let start = self.out.len();
            let key = self.string()?;
            self.push_string(&key);
            self.takes(b':').then_some(())?;
            self.out.push(b':');
            self.value(depth + 1)?;
            members.push((key, start..self.out.len()));
        }
        members.sort_by(|a, b| a.0.cmp(&b.0));
        let mut sorted = Vec::with_capacity(self.out.len() - begin + members.len());
        for (n, (_, range)) in members.into_iter().enumerate() {
            if n > 0 {
                sorted.push(b',');
            }
            sorted.extend_from_slice(self.out.get(range)?);
        }
        self.out.truncate(begin);
        self.out.append(&mut sorted);
        self.out.push(b'}');
        Some(())
    }

    fn string(&mut self) -> Option<Cow<'t, str>> {
        let rest = self.text.get(self.at..)?;
        let inner = rest.strip_prefix('"')?;
        let end = inner.find(['"', '\\'])?;
        if inner.as_bytes().get(end) == Some(&b'"') {
            self.at += end + 2;
            return inner.get(..end).map(Cow::Borrowed);
        }
        let mut strings = serde_json::Deserializer::from_str(rest).into_iter::<String>();
        let string = strings.next()?.ok()?;
        self.at += strings.byte_offset();
        Some(Cow::Owned(string))
    }

    fn push_string(&mut self, string: &str) {
        push_json_string(string, &mut self.out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::canonical_json;

    #[test]
    fn members_are_sorted_and_numbers_stay() {
        let text = "{\"b\": [1.10, 1e400, {}], \"aa\": {\"z\": null, \"é\": \"\\u00e9\\n\"}, \
                    \"a\": -12345678901234567890123}";
        assert_eq!(
            String::from_utf8(canonical(text).unwrap()).unwrap(),
            r#"{"a":-12345678901234567890123,"aa":{"z":null,"é":"é\n"},"b":[1.10,1e400,{}]}"#
        );
        for broken in ["", "{", "[1 2]", "{\"a\" 1}", "\"", "[1]]", "{\"a\":}", "[,]"] {
            assert!(canonical(broken).is_err(), "{broken}");
        }
        assert!(canonical(&"[".repeat(100_000)).is_err());
    }

    fn values() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(serde_json::Value::from),
            any::<bool>().prop_map(serde_json::Value::from),
            ".*".prop_map(serde_json::Value::from),
            Just(serde_json::Value::Null),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
                prop::collection::btree_map(".{0,3}", inner, 0..6)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_way_of_writing_a_value_becomes_its_canonical_one(value in values()) {
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(canonical(&pretty).unwrap(), canonical_json(&value));
        }
    }
}
