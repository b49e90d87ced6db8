//! Filters of JSON selectors: `[?@.scheme=='doi' && !@.hidden]` (RFC 9535, 2.3.5).

use std::cmp::Ordering;

use regex::Regex;
use serde_json::{Number, Value};

use super::{JsonPath, JsonVisit};

/// What is asked of an item.
#[derive(Debug, Clone)]
pub(super) enum Test {
    /// `… && …`
    All(Vec<Test>),
    /// `… || …`
    Any(Vec<Test>),
    /// `!…`
    Not(Box<Test>),
    /// `@.a`: there is such a value, be it null.
    Exists(JsonPath),
    /// `@.a == 'x'`
    Compare(Operand, Relation, Operand),
    /// `match(@.a, 're')` and `search(@.a, 're')`
    Matches(JsonPath, Regex),
}

/// A side of a comparison; one that leads nowhere is nothing, which only equals nothing.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    Literal(Value),
    /// A path to one value.
    Path(JsonPath),
    /// `length(@.a)`: characters of a text, items of an array, members of an object.
    Length(JsonPath),
    /// `count(@.a[*])`: values that a path leads to.
    Count(JsonPath),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    Other,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Test {
    pub(super) fn passes(&self, root: &Value, item: &Value) -> bool {
        match self {
            Test::All(tests) => tests.iter().all(|test| test.passes(root, item)),
            Test::Any(tests) => tests.iter().any(|test| test.passes(root, item)),
            Test::Not(test) => !test.passes(root, item),
            Test::Exists(path) if path.is_singular() => path.value(root, item).is_some(),
            Test::Exists(path) => count(path, root, item) > 0,
            Test::Compare(left, relation, right) => match (left, right) {
                (Operand::Path(path), Operand::Literal(word)) => {
                    relation.holds(path.value(root, item), Some(word))
                }
                _ => {
                    let (left, right) = (left.value(root, item), right.value(root, item));
                    relation.holds(left.as_ref(), right.as_ref())
                }
            },
            Test::Matches(path, regex) => {
                let text = path.value(root, item).and_then(Value::as_str);
                text.is_some_and(|text| regex.is_match(text))
            }
        }
    }

    /// Tells whose values it compares.
    pub(super) fn reads<'v>(
        &self,
        root: &'v Value,
        item: &'v Value,
        visit: &mut dyn FnMut(JsonVisit<'v>),
    ) {
        let mut read = |path: &JsonPath| {
            if let Some(value) = path.value(root, item) {
                visit(JsonVisit::Read(value));
            }
        };
        match self {
            Test::All(tests) | Test::Any(tests) => {
                tests.iter().for_each(|test| test.reads(root, item, visit));
            }
            Test::Not(test) => test.reads(root, item, visit),
            Test::Compare(left, _, right) => {
                for operand in [left, right] {
                    if let Operand::Path(path) = operand {
                        read(path);
                    }
                }
            }
            Test::Matches(path, _) => read(path),
            // That something is there says nothing of its value.
            Test::Exists(_) => {}
        }
    }
}

fn count(path: &JsonPath, root: &Value, item: &Value) -> usize {
    let mut count = 0;
    let start = if path.absolute { root } else { item };
    super::walk(&path.steps, root, start, &mut |met| {
        count += usize::from(matches!(met, JsonVisit::Found(_)));
    });
    count
}

impl Operand {
    fn value(&self, root: &Value, item: &Value) -> Option<Value> {
        match self {
            Operand::Literal(value) => Some(value.clone()),
            Operand::Path(path) => path.value(root, item).cloned(),
            Operand::Count(path) => Some(count(path, root, item).into()),
            Operand::Length(path) => match path.value(root, item)? {
                Value::String(text) => Some(text.chars().count().into()),
                Value::Array(items) => Some(items.len().into()),
                Value::Object(members) => Some(members.len().into()),
                _ => None,
            },
        }
    }
}

impl Relation {
    fn holds(self, left: Option<&Value>, right: Option<&Value>) -> bool {
        match self {
            Relation::Equal => equal(left, right),
            Relation::Other => !equal(left, right),
            Relation::Less => order(left, right) == Some(Ordering::Less),
            Relation::Greater => order(left, right) == Some(Ordering::Greater),
            Relation::LessOrEqual => {
                order(left, right) == Some(Ordering::Less) || equal(left, right)
            }
            Relation::GreaterOrEqual => {
                order(left, right) == Some(Ordering::Greater) || equal(left, right)
            }
        }
    }
}

fn equal(left: Option<&Value>, right: Option<&Value>) -> bool {
    match (left, right) {
        (Some(Value::Number(_)), Some(Value::Number(_))) => {
            order(left, right) == Some(Ordering::Equal)
        }
        _ => left == right,
    }
}

fn order(left: Option<&Value>, right: Option<&Value>) -> Option<Ordering> {
    match (left?, right?) {
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Number(left), Value::Number(right)) => numbers(left, right),
        _ => None,
    }
}

fn numbers(left: &Number, right: &Number) -> Option<Ordering> {
    if let (Some(left), Some(right)) = (left.as_i128(), right.as_i128()) {
        return Some(left.cmp(&right));
    }
    left.as_f64()?.partial_cmp(&right.as_f64()?)
}
