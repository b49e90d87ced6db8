//! The short way to "valid": one pass over canonical JSON, without a tree.
//!
//! It knows the plain part of JSON Schema: closed objects, lists, texts. It answers only "surely
//! valid"; whatever it does not know, or does not like, is judged by the whole validator. A record
//! that a crosswalk wrote is nearly always valid, and so this is nearly always all there is to do.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::json::plain_schema::{PlainText, only};
use crate::record::plain_json_length;

/// Objects and lists inside each other, at most.
const MAX_DEPTH: usize = 128;
/// A longer list is not searched for repetitions here.
const MAX_UNIQUE: usize = 64;
/// A schema of which everything is known here.
#[derive(Debug)]
pub(super) struct Shortcut {
    checks: Vec<Check>,
    root: usize,
}

#[derive(Debug)]
enum Check {
    /// A reference that is still being followed, or what is too rare to be known here: numbers.
    Open,
    Text(PlainText),
    List {
        item: usize,
        unique: bool,
    },
    Object(Object),
}

#[derive(Debug, Default)]
struct Object {
    /// Sorted by name, as canonical JSON has them.
    members: Vec<Member>,
    /// The bits of the required members.
    required: u64,
    at_least: usize,
}

#[derive(Debug)]
struct Member {
    /// `"name":`
    key: Vec<u8>,
    /// Its first 16 bytes, as a number, and the bits of it that count.
    front: u128,
    mask: u128,
    bit: u64,
    check: usize,
}

impl Shortcut {
    /// Compiles a schema; `None` when it says anything that is not known here.
    pub fn compile(schema: &Value) -> Option<Shortcut> {
        let mut compiler = Compiler { schema, checks: Vec::new(), references: HashMap::new() };
        let root = compiler.check(schema)?;
        let is_known = !matches!(compiler.checks.get(root)?, Check::Open);
        is_known.then_some(Shortcut { checks: compiler.checks, root })
    }

    /// `true`: the text is JSON and valid. `false`: not known.
    pub fn is_surely_valid(&self, json: &str) -> bool {
        let mut walk = Walk { checks: &self.checks, json, at: 0 };
        walk.value(self.root, 0) == Some(()) && walk.at == json.len()
    }
}

/// A pass over canonical JSON. Each step stands behind what it took, or is `None`: not known.
struct Walk<'w> {
    checks: &'w [Check],
    json: &'w str,
    at: usize,
}

impl Walk<'_> {
    fn rest(&self) -> &[u8] {
        self.json.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        let found = self.json.as_bytes().get(self.at) == Some(&wanted);
        self.at += usize::from(found);
        found.then_some(())
    }

    /// Takes a comma, which goes on, or the end.
    fn goes_on(&mut self, end: u8) -> Option<bool> {
        let byte = *self.json.as_bytes().get(self.at)?;
        self.at += 1;
        (byte == b',' || byte == end).then_some(byte == b',')
    }

    #[inline]
    fn value(&mut self, check: usize, depth: usize) -> Option<()> {
        match self.checks.get(check)? {
            Check::Text(text) => self.text(text),
            _ if depth > MAX_DEPTH => None,
            Check::Object(object) => self.object(object, depth),
            Check::List { item, unique } => self.list(*item, *unique, depth),
            Check::Open => None,
        }
    }

    fn list(&mut self, item: usize, unique: bool, depth: usize) -> Option<()> {
        self.take(b'[')?;
        if self.take(b']').is_some() {
            return Some(());
        }
        let mut seen = Vec::new();
        loop {
            let start = self.at;
            self.value(item, depth + 1)?;
            if unique {
                let text = self.json.as_bytes().get(start..self.at)?;
                // Two spellings of one text would look different.
                let doubtful = text.contains(&b'\\') || seen.contains(&text);
                if doubtful || seen.len() == MAX_UNIQUE {
                    return None;
                }
                seen.push(text);
            }
            if !self.goes_on(b']')? {
                return Some(());
            }
        }
    }

    fn object(&mut self, object: &Object, depth: usize) -> Option<()> {
        self.take(b'{')?;
        let (mut seen, mut count) = (0, 0);
        if self.take(b'}').is_none() {
            let mut members = object.members.iter();
            loop {
                let rest = self.rest();
                let front = rest.first_chunk().map_or(0, |chunk| u128::from_le_bytes(*chunk));
                let member = members.find(|member| member.is_at(front, rest))?;
                seen |= member.bit;
                count += 1;
                self.at += member.key.len();
                self.value(member.check, depth + 1)?;
                if !self.goes_on(b'}')? {
                    break;
                }
            }
        }
        (seen & object.required == object.required && count >= object.at_least).then_some(())
    }

    fn text(&mut self, text: &PlainText) -> Option<()> {
        self.take(b'"')?;
        let start = self.at;
        self.at += plain_json_length(self.rest());
        if text.lenient {
            while self.json.as_bytes().get(self.at) == Some(&b'\\') {
                match self.json.as_bytes().get(self.at + 1)? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 2,
                    _ => return None,
                }
                self.at += plain_json_length(self.rest());
            }
            let long_enough = self.at > start || text.at_least == 0;
            return if long_enough { self.take(b'"') } else { None };
        }
        let value = self.json.get(start..self.at)?;
        self.take(b'"')?;
        text.fits(value).then_some(())
    }
}

impl Member {
    /// Whether `rest` begins with the key; `front` is its first 16 bytes, 0 when it has fewer.
    #[inline]
    fn is_at(&self, front: u128, rest: &[u8]) -> bool {
        if front == 0 {
            return rest.starts_with(&self.key);
        }
        front & self.mask == self.front && (self.key.len() <= 16 || rest.starts_with(&self.key))
    }
}

struct Compiler<'s> {
    schema: &'s Value,
    checks: Vec<Check>,
    references: HashMap<&'s str, usize>,
}

impl<'s> Compiler<'s> {
    fn add(&mut self, check: Check) -> usize {
        self.checks.push(check);
        self.checks.len() - 1
    }

    fn check(&mut self, node: &'s Value) -> Option<usize> {
        let node = node.as_object()?;
        if let Some(reference) = node.get("$ref") {
            only(node, &["$ref"])?;
            return self.reference(reference.as_str()?);
        }
        let check = match node.get("type").map(Value::as_str) {
            // An object that may have any members is too rare to be known here.
            Some(Some("object")) if !is_closed(node) => Check::Open,
            Some(Some("object")) => Check::Object(self.object(node)?),
            Some(Some("array")) => {
                only(node, &["type", "items", "uniqueItems"])?;
                let unique = node.get("uniqueItems") == Some(&Value::Bool(true));
                let item = self.check(node.get("items")?)?;
                if unique && !matches!(self.checks.get(item)?, Check::Text(_)) {
                    return None;
                }
                Check::List { item, unique }
            }
            Some(Some("string")) => Check::Text(PlainText::of(node)?),
            Some(Some("integer" | "boolean")) => Check::Open,
            None if node.contains_key("enum") => Check::Text(PlainText::of(node)?),
            _ => return None,
        };
        Some(self.add(check))
    }

    fn reference(&mut self, reference: &'s str) -> Option<usize> {
        if let Some(known) = self.references.get(reference) {
            return Some(*known);
        }
        let target = self.schema.pointer(reference.strip_prefix('#')?)?;
        let place = self.add(Check::Open);
        self.references.insert(reference, place);
        let found = self.check(target)?;
        // The reference's place takes over the check, so that a cycle leads there too.
        let check = std::mem::replace(self.checks.get_mut(found)?, Check::Open);
        *self.checks.get_mut(place)? = check;
        Some(place)
    }

    fn object(&mut self, node: &'s Map<String, Value>) -> Option<Object> {
        only(node, &["type", "properties", "required", "additionalProperties", "minProperties"])?;
        let mut properties: Vec<_> = node.get("properties")?.as_object()?.iter().collect();
        properties.sort_unstable_by_key(|(name, _)| name.as_str());
        let mut object = Object::default();
        for (n, (name, property)) in properties.into_iter().enumerate() {
            let bit = 1_u64.checked_shl(u32::try_from(n).ok()?)?;
            if plain_json_length(name.as_bytes()) != name.len() {
                return None;
            }
            let key = format!("\"{name}\":").into_bytes();
            let mut front = [0; 16];
            front.iter_mut().zip(&key).for_each(|(to, from)| *to = *from);
            let front = u128::from_le_bytes(front);
            let mask = u128::MAX >> (128 - 8 * key.len().min(16));
            let check = self.check(property)?;
            object.members.push(Member { key, front, mask, bit, check });
        }
        for name in node.get("required").and_then(Value::as_array).into_iter().flatten() {
            let key = format!("\"{}\":", name.as_str()?).into_bytes();
            object.required |= object.members.iter().find(|member| member.key == key)?.bit;
        }
        object.at_least = match node.get("minProperties") {
            None => 0,
            Some(number) => usize::try_from(number.as_u64()?).ok()?,
        };
        Some(object)
    }
}

fn is_closed(node: &Map<String, Value>) -> bool {
    node.get("additionalProperties") == Some(&Value::Bool(false))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::record::canonical_json;

    fn schema() -> Value {
        json!({
            "type": "object",
            "required": ["a"],
            "additionalProperties": false,
            "properties": {
                "a": { "type": "string", "minLength": 1 },
                "b": { "$ref": "#/$defs/node" },
                "date": { "type": "string", "minLength": 2, "pattern": "^[0-9]{1,2}(-[0-9])?$" },
                "kind": { "enum": ["x", "y"] },
                "link": { "type": "string", "format": "uri" },
                "list": { "type": "array", "uniqueItems": true, "items": { "type": "string" } }
            },
            "$defs": { "node": {
                "type": "object", "additionalProperties": false, "minProperties": 1,
                "properties": {
                    "b": { "$ref": "#/$defs/node" },
                    "nodes": { "type": "array", "items": { "$ref": "#/$defs/node" } }
                }
            } }
        })
    }

    fn texts() -> impl Strategy<Value = String> {
        prop::sample::select(vec![
            "",
            "x",
            "y",
            "12",
            "1-2",
            "123",
            "é",
            "a\"b",
            "a\nb",
            "\u{1}",
            "https://a.org/b?c=1",
            "http://a b",
            "https://a.org:x/",
            "http:///",
            "https://é.org/",
            "https://a/%zz",
        ])
        .prop_map(str::to_owned)
    }

    fn documents() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            texts().prop_map(Value::from),
            Just(Value::Null),
            any::<i8>().prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let key = prop::sample::select(vec!["a", "b", "date", "kind", "link", "list", "nodes"]);
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(key, inner, 0..5).prop_map(|members| {
                    members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
                }),
            ]
        })
    }

    /// Mostly of the schema's shape, so that many are valid.
    fn likely() -> impl Strategy<Value = Value> {
        let list = prop::collection::vec(texts(), 0..4);
        let some = |value: BoxedStrategy<Value>| prop::option::weighted(0.4, value);
        let text = || texts().prop_map(Value::from).boxed();
        let fields = (
            prop::option::weighted(0.9, text()),
            some(documents().boxed()),
            some(text()),
            some(text()),
            some(text()),
            some(list.prop_map(Value::from).boxed()),
        );
        fields.prop_map(|(a, b, date, kind, link, list)| {
            let fields = [("a", a), ("b", b), ("date", date), ("kind", kind), ("link", link)];
            let present = fields.into_iter().chain([("list", list)]);
            present.filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn what_is_surely_valid_is_valid(value in prop_oneof![likely(), documents()]) {
            let shortcut = Shortcut::compile(&schema()).unwrap();
            let whole = jsonschema::options().should_validate_formats(true).build(&schema());
            let json = String::from_utf8(canonical_json(&value)).unwrap();
            if shortcut.is_surely_valid(&json) {
                prop_assert!(whole.unwrap().is_valid(&value), "{}", json);
            }
        }

        #[test]
        fn damaged_bytes_are_never_surely_valid_unless_they_are(
            value in likely(), at in any::<prop::sample::Index>(), byte in 0x20_u8..0x7F,
        ) {
            let shortcut = Shortcut::compile(&schema()).unwrap();
            let whole = jsonschema::options().should_validate_formats(true).build(&schema());
            let mut bytes = canonical_json(&value);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(text) = String::from_utf8(bytes)
                && shortcut.is_surely_valid(&text) {
                    let value: Value = serde_json::from_str(&text).unwrap();
                    prop_assert!(whole.unwrap().is_valid(&value), "{}", text);
                }
        }
    }

    #[test]
    fn plain_records_go_the_short_way() {
        let shortcut = Shortcut::compile(&schema()).unwrap();
        for value in [
            json!({"a": "x"}),
            json!({"a": "é\n", "b": {"nodes": [{"b": {"nodes": []}}]}, "date": "12-1"}),
            json!({"a": "x", "kind": "y", "link": "https://a.org/b?c=1", "list": ["x", "y"]}),
        ] {
            let json = String::from_utf8(canonical_json(&value)).unwrap();
            assert!(shortcut.is_surely_valid(&json), "{json}");
        }
    }

    #[test]
    fn a_schema_with_an_unknown_keyword_has_no_short_way() {
        for unknown in [
            json!({"type": "string", "maxLength": 3}),
            json!({"type": "object", "properties": {}}),
            json!({"type": ["string", "null"]}),
            json!({"type": "string", "pattern": "\\d"}),
            json!({"type": "array", "uniqueItems": true, "items": {"$ref": "#"}}),
            json!(true),
        ] {
            assert!(Shortcut::compile(&unknown).is_none(), "{unknown}");
        }
    }
}
