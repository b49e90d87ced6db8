//! Two outputs side by side: the paths at which they differ.

use serde_json::Value;

use crate::formats::{SourceRecord, WriteOptions, by_name};
use crate::xml::tree::Element;

/// What is called with a path and the two values there, which differ.
pub type Differ<'d> = &'d mut dyn FnMut(&str, Option<&Value>, Option<&Value>);

/// Calls `differ` with every path below `path` at which two values differ, positions written
/// out: `creators[0].name`.
pub fn differences(path: &str, first: Option<&Value>, second: Option<&Value>, differ: Differ<'_>) {
    match (first, second) {
        (Some(Value::Object(first)), Some(Value::Object(second))) => {
            let dot = if path.is_empty() { "" } else { "." };
            for (name, value) in first {
                differences(&format!("{path}{dot}{name}"), Some(value), second.get(name), differ);
            }
            for (name, value) in second.iter().filter(|(name, _)| !first.contains_key(*name)) {
                differences(&format!("{path}{dot}{name}"), None, Some(value), differ);
            }
        }
        (Some(Value::Array(first)), Some(Value::Array(second))) => {
            for n in 0..first.len().max(second.len()) {
                differences(&format!("{path}[{n}]"), first.get(n), second.get(n), differ);
            }
        }
        (first, second) if first == second => {}
        (first, second) => differ(path, first, second),
    }
}

/// `creators[0].name` as `creators[].name`.
#[must_use]
pub fn without_positions(path: &str) -> String {
    let mut inside = false;
    let keep = |c: &char| {
        inside = match c {
            '[' => true,
            ']' => false,
            _ => inside,
        };
        !inside || *c == '['
    };
    path.chars().filter(keep).collect()
}

/// A record of any model as JSON, to be compared: MARC as MARC-in-JSON, of elements attributes as
/// `@name` and a list for each name of children. `None` for what cannot be written so.
#[must_use]
pub fn as_json(record: &SourceRecord) -> Option<Value> {
    match record {
        SourceRecord::Json(value) => Some(value.clone()),
        SourceRecord::Marc(_) => {
            let encode = by_name("marc_json")?.writing.as_ref()?.encode;
            let mut bytes = Vec::new();
            encode(record, &WriteOptions::default(), &mut bytes, &mut Vec::new()).ok()?;
            serde_json::from_slice(&bytes).ok()
        }
        SourceRecord::Xml(tree) => tree.root().map(element_as_json),
    }
}

fn element_as_json(element: Element<'_>) -> Value {
    let mut members = serde_json::Map::new();
    for attribute in element.attributes() {
        let value = Value::String(attribute.value().to_owned());
        members.insert(format!("@{}", attribute.name().local), value);
    }
    for child in element.elements() {
        let list = members.entry(child.name().local).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(element_as_json(child));
        }
    }
    if let Some(text) = element.only_text() {
        members.insert("text()".to_owned(), Value::String(text.to_owned()));
    }
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_that_differs_is_named() {
        let first = serde_json::json!({"a": [{"b": "1"}, {"b": "2"}], "c": "x"});
        let second = serde_json::json!({"a": [{"b": "1"}, {"b": "3", "d": true}], "e": null});
        let mut found = Vec::new();
        differences("", Some(&first), Some(&second), &mut |path, _, _| found.push(path.to_owned()));
        assert_eq!(found, ["a[1].b", "a[1].d", "c", "e"]);
        assert_eq!(without_positions("a[1].b[12].c"), "a[].b[].c");
    }
}
