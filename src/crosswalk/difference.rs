//! Two outputs side by side: the paths at which they differ.

use serde_json::Value;

use crate::formats::{SourceRecord, WriteOptions, by_name};
use crate::xml::tree::Element;

/// What is called with a path and the two values there, which differ.
pub type Differ<'d> = &'d mut dyn FnMut(&str, Option<&Value>, Option<&Value>);

/// Calls `differ` with every path below `path` at which two values differ, positions written
/// out: `creators[0].name`. Of lists the elements that are in both, in one order, are no
/// difference; of the others each is compared with its like. An element that only moved is told
/// twice, as lost and as new.
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
            let (lost, new) = unpaired(first, second);
            for n in 0..lost.len().max(new.len()) {
                let (before, after) = (lost.get(n), new.get(n));
                let position = before.or(after).map_or(n, |(position, _)| *position);
                let path = format!("{path}[{position}]");
                match (before.map(|before| before.1), after.map(|after| after.1)) {
                    (Some(before), Some(after)) if before == after => {
                        differ(&path, Some(before), None);
                        differ(&path, None, Some(after));
                    }
                    (before, after) => differences(&path, before, after, differ),
                }
            }
        }
        (first, second) if first == second => {}
        (first, second) => differ(path, first, second),
    }
}

/// Elements of a list, each with its position.
type Positioned<'v> = Vec<(usize, &'v Value)>;

/// What is left of two lists without the longest series of elements that both have, in one order.
fn unpaired<'v>(first: &'v [Value], second: &'v [Value]) -> (Positioned<'v>, Positioned<'v>) {
    let same = first.iter().zip(second).take_while(|(a, b)| a == b).count();
    let mut first: Positioned<'_> = first.iter().enumerate().skip(same).collect();
    let mut second: Positioned<'_> = second.iter().enumerate().skip(same).collect();
    let pairs = first.iter().rev().zip(second.iter().rev());
    let same = pairs.take_while(|(a, b)| a.1 == b.1).count();
    first.truncate(first.len() - same);
    second.truncate(second.len() - same);
    let width = second.len() + 1;
    // longest[i * width + j]: of first[i..] and second[j..]
    let mut longest = vec![0_u32; (first.len() + 1) * width];
    let at = |longest: &[u32], i: usize, j: usize| longest.get(i * width + j).copied().unwrap_or(0);
    for (i, (_, before)) in first.iter().enumerate().rev() {
        for (j, (_, after)) in second.iter().enumerate().rev() {
            let length = match before == after {
                true => at(&longest, i + 1, j + 1) + 1,
                false => at(&longest, i + 1, j).max(at(&longest, i, j + 1)),
            };
            if let Some(place) = longest.get_mut(i * width + j) {
                *place = length;
            }
        }
    }
    let (mut lost, mut new, mut i, mut j) = (Vec::new(), Vec::new(), 0, 0);
    while let (Some(before), Some(after)) = (first.get(i), second.get(j)) {
        if before.1 == after.1 {
            (i, j) = (i + 1, j + 1);
        } else if at(&longest, i + 1, j) >= at(&longest, i, j + 1) {
            lost.push(*before);
            i += 1;
        } else {
            new.push(*after);
            j += 1;
        }
    }
    lost.extend(first.into_iter().skip(i));
    new.extend(second.into_iter().skip(j));
    (lost, new)
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
        let (first, second) = (serde_json::json!([1, 2, 3]), serde_json::json!([0, 2, 3, 1]));
        let mut found = Vec::new();
        differences("", Some(&first), Some(&second), &mut |path, before, after| {
            found.push(format!("{path} {before:?} {after:?}"));
        });
        assert_eq!(found, ["[0] Some(Number(1)) Some(Number(0))", "[3] None Some(Number(1))"]);
        assert_eq!(without_positions("a[1].b[12].c"), "a[].b[].c");
    }
}
