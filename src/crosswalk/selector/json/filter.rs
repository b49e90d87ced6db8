//! Filters of JSON selectors: `[?@.scheme=='doi' && !@.hidden]` (RFC 9535, 2.3.5).

use std::cmp::Ordering;

use regex::Regex;
use serde_json::{Number, Value};

use super::{JsonPath, JsonVisit};
use crate::json::tree::{Branch, Kind};

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
    pub(super) fn passes(&self, root: Branch<'_>, item: Branch<'_>) -> bool {
        match self {
            Test::All(tests) => tests.iter().all(|test| test.passes(root, item)),
            Test::Any(tests) => tests.iter().any(|test| test.passes(root, item)),
            Test::Not(test) => !test.passes(root, item),
            Test::Exists(path) if path.is_singular() => path.value(root, item).is_some(),
            Test::Exists(path) => count(path, root, item) > 0,
            Test::Compare(left, relation, right) => {
                relation.holds(left.value(root, item), right.value(root, item))
            }
            Test::Matches(path, regex) => {
                let text = path.value(root, item).and_then(Branch::as_str);
                text.is_some_and(|text| regex.is_match(text))
            }
        }
    }

    /// Tells whose values it compares.
    pub(super) fn reads<'v>(
        &self,
        root: Branch<'v>,
        item: Branch<'v>,
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

fn count(path: &JsonPath, root: Branch<'_>, item: Branch<'_>) -> usize {
    let mut count = 0;
    let start = if path.absolute { root } else { item };
    super::walk(&path.steps, root, start, &mut |met| {
        count += usize::from(matches!(met, JsonVisit::Found(_)));
    });
    count
}

/// What is compared.
#[derive(Debug, Clone, Copy)]
enum Side<'v> {
    Null,
    Bool(bool),
    Number(&'v Number),
    Count(usize),
    Text(&'v str),
    /// An array or object.
    Whole(Branch<'v>),
}

impl<'v> Side<'v> {
    fn of(value: Branch<'v>) -> Side<'v> {
        match value.kind() {
            Kind::Null => Side::Null,
            Kind::Bool(truth) => Side::Bool(*truth),
            Kind::Number(number) => Side::Number(number),
            Kind::Text(text) => Side::Text(text),
            Kind::Array | Kind::Object => Side::Whole(value),
        }
    }
}

impl Operand {
    fn value<'v>(&'v self, root: Branch<'v>, item: Branch<'v>) -> Option<Side<'v>> {
        match self {
            Operand::Literal(Value::Null) => Some(Side::Null),
            Operand::Literal(Value::Bool(truth)) => Some(Side::Bool(*truth)),
            Operand::Literal(Value::Number(number)) => Some(Side::Number(number)),
            Operand::Literal(Value::String(text)) => Some(Side::Text(text)),
            // The grammar has no others.
            Operand::Literal(_) => None,
            Operand::Path(path) => path.value(root, item).map(Side::of),
            Operand::Count(path) => Some(Side::Count(count(path, root, item))),
            Operand::Length(path) => {
                let value = path.value(root, item)?;
                match value.kind() {
                    Kind::Text(text) => Some(Side::Count(text.chars().count())),
                    Kind::Array | Kind::Object => Some(Side::Count(value.children().count())),
                    _ => None,
                }
            }
        }
    }
}

impl Relation {
    fn holds(self, left: Option<Side<'_>>, right: Option<Side<'_>>) -> bool {
        let is_equal = || match (left, right) {
            (Some(left), Some(right)) => equal(left, right),
            (left, right) => left.is_none() && right.is_none(),
        };
        let order = || order(left?, right?);
        match self {
            Relation::Equal => is_equal(),
            Relation::Other => !is_equal(),
            Relation::Less => order() == Some(Ordering::Less),
            Relation::Greater => order() == Some(Ordering::Greater),
            Relation::LessOrEqual => order() == Some(Ordering::Less) || is_equal(),
            Relation::GreaterOrEqual => order() == Some(Ordering::Greater) || is_equal(),
        }
    }
}

fn equal(left: Side<'_>, right: Side<'_>) -> bool {
    match (left, right) {
        (Side::Null, Side::Null) => true,
        (Side::Bool(left), Side::Bool(right)) => left == right,
        (Side::Whole(left), Side::Whole(right)) => {
            serde_json::to_value(left).ok() == serde_json::to_value(right).ok()
        }
        _ => order(left, right) == Some(Ordering::Equal),
    }
}

fn order(left: Side<'_>, right: Side<'_>) -> Option<Ordering> {
    let counted = |count: usize| Number::from(count);
    match (left, right) {
        (Side::Text(left), Side::Text(right)) => Some(left.cmp(right)),
        (Side::Number(left), Side::Number(right)) => numbers(left, right),
        (Side::Count(left), Side::Count(right)) => Some(left.cmp(&right)),
        (Side::Count(left), Side::Number(right)) => numbers(&counted(left), right),
        (Side::Number(left), Side::Count(right)) => numbers(left, &counted(right)),
        _ => None,
    }
}

fn numbers(left: &Number, right: &Number) -> Option<Ordering> {
    if let (Some(left), Some(right)) = (left.as_i128(), right.as_i128()) {
        return Some(left.cmp(&right));
    }
    left.as_f64()?.partial_cmp(&right.as_f64()?)
}
