//! Whether a document matches a query.

use std::cmp::Ordering;

use serde_json::Value;

use super::{Bound, Node, Path, Test, words};

/// Whether a document matches.
pub(super) fn matches(node: &Node, document: &Value) -> bool {
    match node {
        Node::Every => true,
        Node::Exists(path) => any_at(document, path, &|value| !value.is_null()),
        Node::Matches(path, test) => {
            let path = path.as_ref().map_or(&[][..], Path::as_slice);
            any_at(document, path, &|value| any_below(value, test))
        }
        Node::Not(node) => !matches(node, document),
        Node::All(nodes) => nodes.iter().all(|node| matches(node, document)),
        Node::Any(nodes) => nodes.iter().any(|node| matches(node, document)),
    }
}

/// Whether a value that the path leads to, through arrays, is wanted.
fn any_at(value: &Value, path: &[String], wanted: &dyn Fn(&Value) -> bool) -> bool {
    match (value, path.split_first()) {
        (Value::Array(values), _) => values.iter().any(|value| any_at(value, path, wanted)),
        (_, None) => wanted(value),
        (Value::Object(fields), Some((name, below))) => {
            fields.get(name).is_some_and(|value| any_at(value, below, wanted))
        }
        _ => false,
    }
}

fn any_below(value: &Value, test: &Test) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => passes(if *value { "true" } else { "false" }, test),
        Value::Number(number) => passes(&number.to_string(), test),
        Value::String(text) => passes(text, test),
        Value::Array(values) => values.iter().any(|value| any_below(value, test)),
        Value::Object(fields) => fields.values().any(|value| any_below(value, test)),
    }
}

fn passes(text: &str, test: &Test) -> bool {
    match test {
        Test::Words { whole, words: wanted, begins } => {
            let text = text.to_lowercase();
            if *begins && text.starts_with(whole) || text == *whole {
                return true;
            }
            let equal = |a: &str, b: &str| a.parse::<f64>().is_ok_and(|a| b.parse() == Ok(a));
            !begins && equal(&text, whole) || have(&words(&text), wanted, *begins)
        }
        Test::Range { low, high } => {
            let above = low.as_ref().is_none_or(|low| is_within(text, low, Ordering::Greater));
            above && high.as_ref().is_none_or(|high| is_within(text, high, Ordering::Less))
        }
    }
}

/// Whether the words have the wanted ones among them, one after the other.
fn have(words: &[String], wanted: &[String], begins: bool) -> bool {
    let Some((last, first)) = wanted.split_last() else { return false };
    words.windows(wanted.len()).any(|window| match window.split_last() {
        Some((end, start)) => start == first && (end == last || begins && end.starts_with(last)),
        None => false,
    })
}

fn is_within(text: &str, bound: &Bound, side: Ordering) -> bool {
    let numbers = text.parse::<f64>().ok().zip(bound.text.parse::<f64>().ok());
    if let Some(found) = numbers.and_then(|(value, bound)| value.partial_cmp(&bound)) {
        return found == side || bound.included && found == Ordering::Equal;
    }
    // 2021-05 lies within 2021.
    if text.starts_with(&bound.text) {
        return bound.included;
    }
    text.cmp(&bound.text) == side
}
