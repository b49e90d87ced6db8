//! The JSON Schema of crosswalk files, for editors: made from the table of keys.

use serde_json::{Map, Value, json};

use super::keys::{Choice, FILE, Holds, Key, PLACEMENT, RULE, Shape, Word, words};
use crate::formats::FORMATS;

/// The JSON Schema (draft 2020-12) of a crosswalk file.
///
/// It knows keys, kinds and words; what they mean, the compiler checks.
#[must_use]
pub fn json_schema() -> Value {
    let mut definitions = Map::new();
    let mut root = object(&FILE, &mut definitions);
    definitions.insert("text".to_owned(), json!({ "type": ["string", "number", "boolean"] }));
    if let Some(root) = root.as_object_mut() {
        root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        root.insert("title".to_owned(), json!("windrow crosswalk"));
        root.insert("$defs".to_owned(), Value::Object(definitions));
    }
    root
}

fn object(shape: &'static Shape, definitions: &mut Map<String, Value>) -> Value {
    let mut properties = Map::new();
    let placement = if shape.name == RULE.name { PLACEMENT.keys } else { &[] };
    for Key { name, holds: kind, doc } in shape.keys.iter().chain(placement) {
        let mut value = holds(kind, definitions);
        if let Some(value) = value.as_object_mut() {
            value.insert("description".to_owned(), json!(doc));
        }
        properties.insert((*name).to_owned(), value);
    }
    let mut schema = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    requirements(shape, &mut schema);
    schema
}

fn requirements(shape: &Shape, schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    if !shape.required.is_empty() {
        schema.insert("required".to_owned(), json!(shape.required));
    }
    let sets = |sets: &[&[&str]]| -> Vec<Value> {
        sets.iter().map(|keys| json!({ "required": keys })).collect()
    };
    match shape.choice {
        Choice::Free => {}
        Choice::Some(some) => {
            schema.insert("anyOf".to_owned(), json!(sets(some)));
        }
        Choice::One(one) => {
            schema.insert("oneOf".to_owned(), json!(sets(one)));
        }
    }
}

/// A reference to a shape, which is defined when it is met first.
fn reference(shape: &'static Shape, definitions: &mut Map<String, Value>) -> Value {
    if !definitions.contains_key(shape.name) {
        // Its place is taken before it is filled: items hold items.
        definitions.insert(shape.name.to_owned(), Value::Null);
        let schema = object(shape, definitions);
        definitions.insert(shape.name.to_owned(), schema);
    }
    json!({ "$ref": format!("#/$defs/{}", shape.name) })
}

fn holds(kind: &'static Holds, definitions: &mut Map<String, Value>) -> Value {
    let text = || json!({ "$ref": "#/$defs/text" });
    let one_or_more = |one: &Value| json!([one, { "type": "array", "items": one }]);
    match kind {
        Holds::Any => json!({}),
        Holds::Boolean => json!({ "type": "boolean" }),
        Holds::Number => json!({ "type": "integer", "minimum": 0 }),
        Holds::Text => text(),
        Holds::Texts => json!({ "anyOf": one_or_more(&text()) }),
        Holds::Word(known) => json!({ "anyOf": word(known) }),
        Holds::Words(known) => json!({ "anyOf": one_or_more(&json!({ "anyOf": word(known) })) }),
        Holds::WordOr(known, pattern) => {
            let mut any = word(known);
            any.push(json!({ "type": "string", "pattern": pattern }));
            json!({ "anyOf": any })
        }
        Holds::Format(known) => {
            let mut any = word(known);
            let written = FORMATS.iter().filter(|format| format.writing.is_some());
            let others = written.filter(|format| !words(known).any(|word| word == format.name));
            any.extend(others.map(|format| json!({ "const": format.name })));
            json!({ "anyOf": any })
        }
        Holds::Object(shape) => reference(shape, definitions),
        Holds::Objects(shape) => {
            json!({ "type": "array", "items": reference(shape, definitions) })
        }
        Holds::OneOrMore(shape) => {
            let one = reference(shape, definitions);
            json!({ "anyOf": one_or_more(&one) })
        }
        Holds::Named(kind) => {
            json!({ "type": "object", "additionalProperties": holds(kind, definitions) })
        }
        Holds::WordOrObject(known, shape) => {
            let mut any = word(known);
            any.push(reference(shape, definitions));
            json!({ "anyOf": any })
        }
    }
}

/// These words, each with what it says.
fn word(known: &'static [Word]) -> Vec<Value> {
    known.iter().map(|(word, doc)| json!({ "const": word, "description": doc })).collect()
}

#[cfg(test)]
mod tests {
    use super::super::extends::PLACEMENT_KEYS;
    use super::super::keys;
    use super::*;
    use std::sync::Arc;

    use crate::crosswalk::Crosswalk;
    use crate::crosswalk::table::{Fold, Miss};
    use crate::yaml::{SourceText, parse};

    /// The mistakes of a crosswalk with these entries of its file and of its rule.
    fn mistakes(file: &str, rule: &str, source: &str, target: &str) -> String {
        let text = format!(
            "crosswalk: x\nfrom: {{ format: {source} }}\nto: {{ format: {target} }}\n\
             {file}\nrules: [ {{ id: x, to: x, from: \"$.x\", {rule} }} ]\n"
        );
        let folder = std::path::Path::new("");
        let parsed = Crosswalk::parse("x.yaml".to_owned(), text, folder);
        parsed.err().map(|mistakes| mistakes.to_string()).unwrap_or_default()
    }

    /// What a key cannot hold, as YAML.
    fn wrong(kind: &Holds) -> Option<&'static str> {
        match kind {
            Holds::Any => None,
            Holds::Boolean | Holds::Number => Some("nonsense"),
            Holds::Text | Holds::Word(_) | Holds::WordOr(..) | Holds::Format(_) => Some("[]"),
            Holds::Texts | Holds::Words(_) => Some("{}"),
            Holds::Object(_) | Holds::Named(_) | Holds::WordOrObject(..) => Some("[]"),
            Holds::Objects(_) => Some("nonsense"),
            Holds::OneOrMore(_) => Some("nonsense"),
        }
    }

    #[test]
    fn what_a_key_cannot_hold_is_refused_by_the_reader_and_by_the_schema() {
        let validator = jsonschema::validator_for(&json_schema()).unwrap();
        // KEY stands where the key is put; some are read only beside others.
        let shapes: [(&Shape, &[&str]); 9] = [
            (&FILE, &["KEY"]),
            (&keys::FROM, &["from: { KEY }"]),
            (&keys::TO, &["to: { KEY }"]),
            (&keys::DEFAULTS, &["defaults: { KEY }"]),
            (
                &keys::TABLE,
                &[
                    "tables: { t: { KEY } }",
                    "tables: { t: { inline: { a: b }, KEY } }",
                    "tables: { t: { inverse_of: x, KEY } }",
                    "tables: { t: { file: x, value: v, KEY } }",
                    "tables: { t: { file: x, key: k, KEY } }",
                ],
            ),
            (&keys::ITEM, &["rules: [ { KEY } ]"]),
            (&keys::CASE, &["rules: [ { cases: [ { KEY } ] } ]"]),
            (&keys::TEST, &["tests: [ { KEY } ]", "tests: [ { json: {}, KEY } ]"]),
            (
                &keys::ROUNDTRIP,
                &[
                    "tests: [ { roundtrip: { with: x, KEY } } ]",
                    "tests: [ { roundtrip: { KEY } } ]",
                ],
            ),
        ];
        let mut lax = Vec::new();
        for (shape, places) in shapes {
            for key in shape.keys {
                let Some(value) = wrong(&key.holds) else { continue };
                let sources = places.iter().map(|place| {
                    let text = place.replace("KEY", &format!("{}: {value}", key.name));
                    Arc::new(SourceText { name: "x".to_owned(), text })
                });
                let sources: Vec<_> = sources.collect();
                let codes = |source: &Arc<SourceText>| -> Vec<&str> {
                    let read = super::super::read(source, std::path::Path::new(""));
                    let mistakes = match read {
                        Ok((_, check)) => check.finish(()).unwrap_err(),
                        Err(mistakes) => mistakes,
                    };
                    mistakes.0.iter().map(|mistake| mistake.code).collect()
                };
                let Some(source) = sources.iter().find(|source| codes(source).contains(&"E0103"))
                else {
                    lax.push(format!("reader: {}", key.name));
                    continue;
                };
                if codes(source).contains(&"E0101") {
                    lax.push(format!("reader does not know: {}", source.text));
                }
                let instance = parse(source).unwrap().to_json();
                let refused = validator.iter_errors(&instance).any(|error| {
                    let path = error.instance_path().to_string();
                    path.contains(&format!("/{}", key.name))
                });
                if !refused {
                    lax.push(format!("schema: {}", source.text));
                }
            }
        }
        assert_eq!(lax, [""; 0]);
    }

    #[test]
    fn every_word_of_the_table_is_one_that_the_compiler_knows() {
        let of_rules = [
            ("take", keys::TAKES),
            ("order", keys::ORDERS),
            ("on_missing", keys::ON_MISSING),
            ("on_error", keys::ON_ERROR),
        ];
        for (key, known) in of_rules {
            for word in words(known) {
                assert_eq!(mistakes("", &format!("{key}: {word}"), "json", "json"), "", "{word}");
            }
            let found = mistakes("", &format!("{key}: nonsense"), "json", "json");
            assert!(found.contains("E0106"), "{key}: {found}");
        }
        for word in words(keys::UNMAPPED) {
            assert_eq!(mistakes(&format!("unmapped: {word}"), "", "json", "json"), "", "{word}");
        }
        for word in words(keys::SOURCES) {
            assert!(!mistakes("", "", word, "json").contains("E0106"), "{word}");
        }
        for word in words(keys::TARGETS) {
            assert!(!mistakes("", "", "json", word).contains("E0106"), "{word}");
        }
        assert!(words(keys::FOLDS).eq(Fold::NAMES.iter().map(|(name, _)| *name)));
        assert!(words(keys::MISSES).eq(Miss::NAMES.iter().map(|(name, _)| *name)));
        assert_eq!(PLACEMENT.names(), PLACEMENT_KEYS);
    }
}
