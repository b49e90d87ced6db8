//! Two outputs side by side: the paths at which they differ.

use serde_json::Value;

use crate::formats::{SourceRecord, WriteOptions, by_name};
use crate::xml::tree::Element;

/// What is called with a path and the two values there, which differ.
pub type Differ<'d> = &'d mut dyn FnMut(&str, Option<&Value>, Option<&Value>);

/// Calls `differ` with every path below `path` at which two values differ, positions written
/// out: `creators[0].name`. Of lists the elements that are in both, in one order, are no
/// difference; of the others each is compared with the one that has most in common with it, and
/// those that have nothing in common by their order. An element that only moved is told twice, as
/// lost and as new.
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
            for (before, after) in likes(&lost, &new) {
                let position = before.or(after).map_or(0, |(position, _)| position);
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

/// More pairs than this are not looked at: the elements are compared by their order.
const MOST_PAIRS: usize = 40_000;

/// An element that was lost with the new one that it is compared with.
type Pair<'v> = (Option<(usize, &'v Value)>, Option<(usize, &'v Value)>);

fn likes<'v>(lost: &Positioned<'v>, new: &Positioned<'v>) -> Vec<Pair<'v>> {
    let mut pairs = Vec::new();
    if lost.len() * new.len() <= MOST_PAIRS {
        for (i, (_, before)) in lost.iter().enumerate() {
            for (j, (_, after)) in new.iter().enumerate() {
                pairs.push((in_common(before, after), i, j));
            }
        }
    }
    pairs.retain(|(common, ..)| *common > 0);
    pairs.sort_by_key(|(common, i, j)| (std::cmp::Reverse(*common), *i, *j));
    let mut partner = vec![None; lost.len()];
    let mut taken = vec![false; new.len()];
    for (_, i, j) in pairs {
        if let (Some(partner @ None), Some(taken @ false)) = (partner.get_mut(i), taken.get_mut(j))
        {
            (*partner, *taken) = (Some(j), true);
        }
    }
    let mut left = new.iter().zip(taken).filter(|(_, taken)| !taken).map(|(after, _)| *after);
    let mut found: Vec<Pair<'v>> = Vec::new();
    for (before, partner) in lost.iter().zip(partner) {
        let after = match partner {
            Some(j) => new.get(j).copied(),
            None => left.next(),
        };
        found.push((Some(*before), after));
    }
    found.extend(left.map(|after| (None, Some(after))));
    found
}

/// How much text two values share at the same paths, in characters and one for each.
fn in_common(before: &Value, after: &Value) -> usize {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let shared = before.iter().filter_map(|(name, value)| Some((value, after.get(name)?)));
            shared.map(|(before, after)| in_common(before, after)).sum()
        }
        (Value::Array(before), Value::Array(after)) => {
            before.iter().zip(after).map(|(before, after)| in_common(before, after)).sum()
        }
        (Value::String(before), Value::String(after)) if before == after => before.len() + 1,
        (before, after) => usize::from(before == after),
    }
}

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
        let moved = ["[0] Some(Number(1)) None", "[0] None Some(Number(1))"];
        assert_eq!(found, [moved[0], moved[1], "[0] None Some(Number(0))"]);
        assert_eq!(without_positions("a[1].b[12].c"), "a[].b[].c");
    }

    #[test]
    fn an_element_is_compared_with_the_one_that_is_most_like_it() {
        let person = |name: &str, role: &str| serde_json::json!({"name": name, "role": role});
        let first =
            serde_json::json!([person("Mower, A.", "author"), person("Rake, B.", "author")]);
        let second = serde_json::json!([
            person("A meeting", "author"),
            person("Rake, B.", "editor"),
            person("Mower, A.", "editor")
        ]);
        let mut found = Vec::new();
        differences("", Some(&first), Some(&second), &mut |path, before, after| {
            found.push(format!("{path} {} {}", before.is_some(), after.is_some()));
        });
        assert_eq!(found, ["[0].role true true", "[1].role true true", "[0] false true"]);
    }
}
