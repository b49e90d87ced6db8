//! JSON as a tape: one flat list of values over the bytes, for validation without a tree.
//!
//! Accepts and means what `serde_json::Value` does, except that a repeated key is an error.
//! <https://www.rfc-editor.org/rfc/rfc8259>

mod reader;

use std::borrow::Cow;

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, Node, NodeIdentity, Object, cmp, unique};
use serde_json::{Number, Value};
use thiserror::Error;

use reader::{Reader, offset};

/// A longer array of strings is checked for repetitions by hashing instead of pair by pair.
const FEW: u32 = 16;

/// Why bytes are no JSON document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{reason} at byte {byte}")]
pub struct TapeError {
    reason: &'static str,
    byte: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    True,
    False,
    Number,
    /// Stands in the document's text.
    String,
    /// Had escapes; stands in the side text.
    Escaped,
    Array,
    Object,
}

/// One value. Those inside an array or object follow it; in an object, key and value in turn.
#[derive(Debug, Clone, Copy)]
struct Slot {
    kind: Kind,
    /// Of a string or number: its first byte. Of an array or object: how many are in it.
    start: u32,
    /// Of a string or number: the end of its bytes.
    end: u32,
    /// The slot after this value and all that is in it.
    next: u32,
}

/// The memory of a document, filled again and again.
#[derive(Debug, Default)]
pub struct Tape {
    slots: Vec<Slot>,
    unescaped: String,
}

impl Tape {
    /// Reads a whole document over this memory.
    ///
    /// # Errors
    /// [`TapeError`] when it is not JSON, not UTF-8, repeats a key, nests deeper than 128 or is
    /// 4 GiB long.
    pub fn read<'a>(&'a mut self, bytes: &'a [u8]) -> Result<Document<'a>, TapeError> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| TapeError { reason: "not UTF-8", byte: error.valid_up_to() })?;
        if u32::try_from(bytes.len()).is_err() {
            return Err(TapeError { reason: "4 GiB or more", byte: 0 });
        }
        self.slots.clear();
        self.unescaped.clear();
        Reader::new(text, &mut self.slots, &mut self.unescaped).document()?;
        Ok(Document { text, slots: &self.slots, unescaped: &self.unescaped })
    }
}

/// A document that was read.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    text: &'a str,
    slots: &'a [Slot],
    unescaped: &'a str,
}

impl<'a> Document<'a> {
    /// The outermost value.
    pub fn root(&'a self) -> TapeNode<'a> {
        TapeNode { document: self, index: 0 }
    }

    fn slot(&self, index: u32) -> Slot {
        // The reader never makes a document without slots or an index outside of it.
        const NULL: Slot = Slot { kind: Kind::Null, start: 0, end: 0, next: u32::MAX };
        self.slots.get(index as usize).copied().unwrap_or(NULL)
    }

    fn str(&self, slot: Slot) -> &'a str {
        let text = if slot.kind == Kind::Escaped { self.unescaped } else { self.text };
        text.get(slot.start as usize..slot.end as usize).unwrap_or_default()
    }
}

/// The representation that validators are compiled for.
#[derive(Debug)]
pub struct TapeJson;

impl Json for TapeJson {
    type Node<'a> = TapeNode<'a>;
    type PreparedKey = String;
    type StringBuffer = ();

    // A lookup walks the members: one pass over all of them is never worse than two lookups.
    const KEYS_PER_LOOKUP: usize = 2;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>((): &mut (), string: &str, f: impl FnOnce(TapeNode<'_>) -> T) -> T {
        let slots = [Slot { kind: Kind::String, start: 0, end: offset(string.len()), next: 1 }];
        f(Document { text: string, slots: &slots, unescaped: "" }.root())
    }
}

/// A view of one value.
#[derive(Debug, Clone, Copy)]
pub struct TapeNode<'a> {
    document: &'a Document<'a>,
    index: u32,
}

impl<'a> TapeNode<'a> {
    fn slot(&self) -> Slot {
        self.document.slot(self.index)
    }

    fn str(&self) -> Option<&'a str> {
        let slot = self.slot();
        matches!(slot.kind, Kind::String | Kind::Escaped).then(|| self.document.str(slot))
    }

    fn items(&self, kind: Kind) -> Option<Items<'a>> {
        let slot = self.slot();
        (slot.kind == kind).then_some(Items {
            document: self.document,
            next: self.index + 1,
            end: slot.next,
            count: slot.start,
        })
    }
}

impl<'a> Node<'a, TapeJson> for TapeNode<'a> {
    type Object = Items<'a>;
    type Array = Items<'a>;
    type Number = Number;

    fn as_object(&self) -> Option<Items<'a>> {
        self.items(Kind::Object)
    }

    fn as_array(&self) -> Option<Items<'a>> {
        self.items(Kind::Array)
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        self.str().map(Cow::Borrowed)
    }

    fn as_number(&self) -> Option<Number> {
        let slot = self.slot();
        if slot.kind == Kind::Number { self.document.str(slot).parse().ok() } else { None }
    }

    fn as_boolean(&self) -> Option<bool> {
        match self.slot().kind {
            Kind::True => Some(true),
            Kind::False => Some(false),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        self.slot().kind == Kind::Null
    }

    fn is_number(&self) -> bool {
        self.slot().kind == Kind::Number
    }

    fn json_type(&self) -> JsonType {
        match self.slot().kind {
            Kind::Null => JsonType::Null,
            Kind::True | Kind::False => JsonType::Boolean,
            Kind::Number => JsonType::Number,
            Kind::String | Kind::Escaped => JsonType::String,
            Kind::Array => JsonType::Array,
            Kind::Object => JsonType::Object,
        }
    }

    fn string_length(&self) -> Option<u64> {
        self.str().map(|text| text.chars().count() as u64)
    }

    fn equals_value(&self, expected: &Value) -> bool {
        match (self.str(), expected) {
            (Some(found), Value::String(expected)) => found == expected,
            (Some(_), _) | (None, Value::String(_)) => false,
            (None, _) => cmp::equal(&self.to_value(), expected),
        }
    }

    fn to_value(&self) -> Cow<'a, Value> {
        let slot = self.slot();
        Cow::Owned(match slot.kind {
            Kind::Null => Value::Null,
            Kind::True => Value::Bool(true),
            Kind::False => Value::Bool(false),
            Kind::Number => self.as_number().map_or(Value::Null, Value::Number),
            Kind::String | Kind::Escaped => Value::String(self.document.str(slot).to_owned()),
            Kind::Array => {
                let items = self.items(Kind::Array).into_iter().flatten();
                Value::Array(items.map(|item| item.to_value().into_owned()).collect())
            }
            Kind::Object => {
                let members = self.items(Kind::Object).into_iter().flat_map(Members);
                let owned = |(key, node): (&str, TapeNode<'_>)| {
                    (key.to_owned(), node.to_value().into_owned())
                };
                Value::Object(members.map(owned).collect())
            }
        })
    }

    fn identity(&self) -> Option<NodeIdentity> {
        let address = std::ptr::from_ref(self.document) as usize;
        Some(NodeIdentity::tagged(address, self.index))
    }
}

/// What is in an array (values) or an object (keys and values in turn).
#[derive(Debug, Clone)]
pub struct Items<'a> {
    document: &'a Document<'a>,
    next: u32,
    end: u32,
    count: u32,
}

impl<'a> Iterator for Items<'a> {
    type Item = TapeNode<'a>;

    fn next(&mut self) -> Option<TapeNode<'a>> {
        if self.next >= self.end {
            return None;
        }
        let node = TapeNode { document: self.document, index: self.next };
        self.next = node.slot().next;
        Some(node)
    }
}

impl<'a> Array<'a, TapeJson> for Items<'a> {
    type Node = TapeNode<'a>;
    type ElementsIter = Items<'a>;

    fn len(&self) -> usize {
        self.count as usize
    }

    fn elements(&self) -> Items<'a> {
        self.clone()
    }

    fn is_unique(&self) -> bool {
        if self.count <= FEW && self.clone().all(|item| item.str().is_some()) {
            return self
                .clone()
                .enumerate()
                .all(|(n, item)| !self.clone().take(n).any(|earlier| earlier.str() == item.str()));
        }
        let values: Vec<Value> = self.clone().map(|item| item.to_value().into_owned()).collect();
        unique::is_unique(&values)
    }
}

/// The members of an object, in the document's order.
#[derive(Debug)]
pub struct Members<'a>(Items<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, TapeNode<'a>);

    fn next(&mut self) -> Option<(&'a str, TapeNode<'a>)> {
        let key = self.0.next()?.str()?;
        Some((key, self.0.next()?))
    }
}

impl<'a> Object<'a, TapeJson> for Items<'a> {
    type Node = TapeNode<'a>;
    type MemberName = &'a str;
    type MembersIter = Members<'a>;

    fn len(&self) -> usize {
        self.count as usize
    }

    fn get(&self, key: &String) -> Option<TapeNode<'a>> {
        self.members().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    fn members(&self) -> Members<'a> {
        Members(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn tape_value(bytes: &[u8]) -> Result<Value, TapeError> {
        let mut tape = Tape::default();
        let document = tape.read(bytes)?;
        Ok(document.root().to_value().into_owned())
    }

    #[test]
    fn the_tape_means_what_serde_json_does() {
        for text in [
            "null",
            " true ",
            "[]",
            "{}",
            "[1,-0,1.5e3,-2E-7,18446744073709551616]",
            r#""a""#,
            r#"{"b":[{"c":null}],"a":"\u00e9\n\ud83d\ude00\/","é":""}"#,
            "[[],[[]],{}]",
        ] {
            let expected: Value = serde_json::from_str(text).unwrap();
            assert_eq!(tape_value(text.as_bytes()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_json_is_an_error() {
        for text in [
            "",
            " ",
            "nul",
            "tru",
            "[",
            "]",
            "[1,]",
            "[,1]",
            "{",
            r#"{"a"}"#,
            r#"{"a":}"#,
            "{a:1}",
            r#"{"a":1,}"#,
            "01",
            "1.",
            ".5",
            "-",
            "1e",
            "1e999",
            "+1",
            r#"""#,
            r#""\x""#,
            r#""\u12""#,
            r#""\ud800""#,
            r#""\ud800\u0041""#,
            r#""\udc00""#,
            "\"a\nb\"",
            "1 2",
            "[1 2]",
            "NaN",
            r#"{"a":1 "b":2}"#,
        ] {
            assert!(tape_value(text.as_bytes()).is_err(), "{text}");
            assert!(serde_json::from_str::<Value>(text).is_err(), "{text}");
        }
        assert!(tape_value(b"\"\xff\"").is_err());
        assert!(tape_value(br#"{"a":1,"b":2,"a":3}"#).is_err());
        assert!(tape_value(br#"{"a":1,"\u0061":3}"#).is_err());
    }

    #[test]
    fn nesting_is_limited() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(tape_value(nested(127).as_bytes()).is_ok());
        assert!(tape_value(nested(129).as_bytes()).is_err());
        assert!(tape_value("[".repeat(1_000_000).as_bytes()).is_err());
    }

    fn documents() -> impl Strategy<Value = Value> {
        let key = prop_oneof![Just("a"), Just("b"), Just("c"), Just("list"), Just("é\"")];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (0_u8..4).prop_map(Value::from),
            (0_u8..4).prop_map(|n| json!(f64::from(n) / 2.0)),
            ".{0,4}".prop_map(Value::from),
            prop_oneof![Just("x"), Just("yes"), Just("1999-01-01")].prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::vec((key.clone(), inner), 0..5).prop_map(|members| {
                    members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
                }),
            ]
        })
    }

    /// One schema that uses every way validators look at a document.
    fn schema() -> Value {
        json!({
            "$defs": { "node": {
                "type": ["object", "array", "string", "integer", "null"],
                "properties": {
                    "a": { "$ref": "#/$defs/node" },
                    "b": { "type": "string", "maxLength": 3, "pattern": "^[a-y]*$" },
                    "c": { "enum": ["x", 1, true, null, [1], { "a": 1.0 }] },
                    "list": { "type": "array", "uniqueItems": true, "maxItems": 4,
                              "contains": { "not": { "const": "yes" } } }
                },
                "propertyNames": { "maxLength": 4 },
                "required": ["a"],
                "additionalProperties": { "type": ["number", "boolean"], "maximum": 100 },
                "items": { "anyOf": [{ "$ref": "#/$defs/node" }, { "format": "date" }] }
            } },
            "$ref": "#/$defs/node"
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]

        #[test]
        fn a_validator_judges_a_tape_as_it_judges_a_value(value in documents()) {
            let by_value = jsonschema::options()
                .should_validate_formats(true).build(&schema()).unwrap();
            let by_tape = jsonschema::options_for::<TapeJson>()
                .should_validate_formats(true).build(&schema()).unwrap();
            let text = value.to_string();
            let mut tape = Tape::default();
            let document = tape.read(text.as_bytes()).unwrap();
            prop_assert_eq!(&*document.root().to_value(), &value);
            prop_assert_eq!(by_tape.is_valid(document.root()), by_value.is_valid(&value));
            let told = |error: jsonschema::ValidationError<'_>| {
                (error.instance_path().to_string(), error.to_string())
            };
            let mut tape_errors: Vec<_> = by_tape.iter_errors(document.root()).map(told).collect();
            let mut value_errors: Vec<_> = by_value.iter_errors(&value).map(told).collect();
            tape_errors.sort();
            value_errors.sort();
            prop_assert_eq!(tape_errors, value_errors);
        }

        #[test]
        fn any_damage_is_judged_as_serde_json_judges_it(
            value in documents(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let mut bytes = value.to_string().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            match (tape_value(&bytes), serde_json::from_slice::<Value>(&bytes)) {
                (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs),
                (Err(error), Ok(_)) => prop_assert_eq!(error.reason, reader::REPEATED_KEY),
                (Ok(_), Err(error)) => prop_assert!(false, "not JSON: {}", error),
                (Err(_), Err(_)) => {}
            }
        }
    }
}
