//! What selectors find in a JSON document, and the numbers of its values.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use serde_json::Value;

use super::Node;
use crate::crosswalk::account::{Account, ClassNumber, PathStep, State};
use crate::crosswalk::hasher::KeyHasher;
use crate::crosswalk::plan::Step;
use crate::crosswalk::run::{Found, Origins, Outcome, Run};
use crate::crosswalk::selector::{JsonPath, JsonVisit};
use crate::crosswalk::shape::Quoting;
use crate::crosswalk::values::Sink;

/// For each value of a document, by its address, the numbers of the leaves in it.
///
/// Leaves are texts, numbers and truth values, numbered in document order; empty lists and
/// objects and `null` hold nothing that could be lost.
#[derive(Debug, Default)]
pub struct Leaves {
    spans: HashMap<usize, (u32, u32), BuildHasherDefault<KeyHasher>>,
    count: u32,
}

impl Leaves {
    /// Numbers the leaves of a document.
    pub fn number(&mut self, root: &Value) {
        self.spans.clear();
        self.count = 0;
        self.visit(root);
    }

    /// How many leaves there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count as usize
    }

    fn visit(&mut self, value: &Value) {
        let first = self.count;
        match value {
            Value::Null => {}
            Value::Array(values) => values.iter().for_each(|value| self.visit(value)),
            Value::Object(members) => members.values().for_each(|value| self.visit(value)),
            Value::String(_) | Value::Number(_) | Value::Bool(_) => self.count += 1,
        }
        self.spans.insert(address(value), (first, self.count));
    }

    fn origins(&self, value: &Value) -> Origins {
        match self.spans.get(&address(value)) {
            Some((from, to)) if from + 1 == *to => Origins::One(*from),
            Some((from, to)) => Origins::Span(*from, *to),
            None => Origins::None,
        }
    }
}

fn address(value: &Value) -> usize {
    std::ptr::from_ref(value).addr()
}

/// A JSON document with its leaves numbered.
#[derive(Debug, Clone, Copy)]
pub struct JsonInput<'r> {
    pub root: &'r Value,
    leaves: &'r Leaves,
}

impl<'r> JsonInput<'r> {
    /// `leaves` are those of `root`, or none when nobody asks what became of them.
    pub fn new(root: &'r Value, leaves: &'r Leaves) -> JsonInput<'r> {
        JsonInput { root, leaves }
    }

    pub fn value_count(&self) -> usize {
        self.leaves.count()
    }

    /// Calls `found` with each leaf: its number, the class of its path, its text.
    pub fn leaves(
        &self,
        account: &mut Account,
        found: &mut dyn FnMut(&mut Account, usize, ClassNumber, &str),
    ) {
        let mut next = 0;
        walk(self.root, None, account, &mut next, found);
    }

    /// The path of a leaf with its positions: `metadata.titles[0].title`.
    pub fn place(&self, wanted: usize) -> String {
        let mut next = 0;
        place(self.root, wanted, &mut next).unwrap_or_default()
    }

    /// The leaves of a value of the document.
    pub fn origins(&self, value: &Value) -> Origins {
        self.leaves.origins(value)
    }

    /// A value of the document as a value of a rule: text as it is, anything else as its JSON;
    /// an empty list or object is none.
    pub fn found(&self, value: &'r Value) -> Option<Found<'r>> {
        let (text, quoting) = match value {
            Value::Null => return None,
            Value::Array(values) if values.is_empty() => return None,
            Value::Object(members) if members.is_empty() => return None,
            Value::String(text) => (Cow::Borrowed(text.as_str()), Quoting::Escaped),
            other => (Cow::Owned(other.to_string()), Quoting::Raw),
        };
        Some(Found { text, quoting, origins: self.leaves.origins(value) })
    }
}

fn walk(
    value: &Value,
    class: Option<ClassNumber>,
    account: &mut Account,
    next: &mut usize,
    found: &mut dyn FnMut(&mut Account, usize, ClassNumber, &str),
) {
    let mut leaf = |account: &mut Account, text: &str| {
        let class = match class {
            Some(class) => class,
            None => account.below(None, PathStep { sign: "", prefix: "", name: "$" }),
        };
        found(account, *next, class, text);
        *next += 1;
    };
    match value {
        Value::Null => {}
        Value::String(text) => leaf(account, text),
        Value::Number(number) => leaf(account, &number.to_string()),
        Value::Bool(truth) => leaf(account, if *truth { "true" } else { "false" }),
        Value::Array(values) => {
            let class = account.below(class, PathStep { sign: "[]", prefix: "", name: "" });
            values.iter().for_each(|value| walk(value, Some(class), account, next, found));
        }
        Value::Object(members) => {
            for (name, value) in members {
                let class = account.below(class, PathStep { sign: ".", prefix: "", name });
                walk(value, Some(class), account, next, found);
            }
        }
    }
}

fn place(value: &Value, wanted: usize, next: &mut usize) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Array(values) => values.iter().enumerate().find_map(|(n, value)| {
            let below = place(value, wanted, next)?;
            Some(format!("[{n}]{below}"))
        }),
        Value::Object(members) => members.iter().find_map(|(name, value)| {
            let below = place(value, wanted, next)?;
            Some(format!(".{name}{below}"))
        }),
        Value::String(_) | Value::Number(_) | Value::Bool(_) => {
            *next += 1;
            (*next == wanted + 1).then(String::new)
        }
    }
}

impl<'r> Run<'r> {
    /// The values that a path leads to, as nodes.
    pub(in crate::crosswalk) fn json_nodes(
        &mut self,
        path: &JsonPath,
        context: &Node<'r>,
        out: &mut Vec<Node<'r>>,
    ) {
        let Some(input) = self.json() else { return };
        path.visit(input.root, current(&input, context), &mut |visit| match visit {
            JsonVisit::Found(value) => out.push(Node::Json(value)),
            JsonVisit::Read(value) => self.mark(input.leaves.origins(value), State::Read),
        });
    }

    /// The values of a step that a path leads to.
    pub(super) fn json_values(
        &mut self,
        step: &'r Step,
        path: &JsonPath,
        context: &Node<'r>,
        sink: &mut Sink<'_, 'r>,
    ) -> Outcome<bool> {
        let Some(input) = self.json() else { return Ok(true) };
        let mut values = self.spare.pop().unwrap_or_default();
        path.visit(input.root, current(&input, context), &mut |visit| match visit {
            JsonVisit::Found(value) => values.extend(input.found(value)),
            JsonVisit::Read(value) => self.mark(input.leaves.origins(value), State::Read),
        });
        self.emit_all(step, values, sink)
    }

    /// The member of the current value that a name in a condition or expression means.
    pub(super) fn json_member(&self, name: &str, current: &'r Value) -> Option<Found<'r>> {
        let mut names = name.split('.').filter(|name| *name != "value");
        let value = names.try_fold(current, |value, name| value.get(name))?;
        self.json()?.found(value)
    }
}

fn current<'r>(input: &JsonInput<'r>, context: &Node<'r>) -> &'r Value {
    match context {
        Node::Json(current) => current,
        _ => input.root,
    }
}
