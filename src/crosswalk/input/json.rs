//! What selectors find in a JSON document, and the numbers of its leaves.

use std::borrow::Cow;
use std::ops::Range;

use super::Node;
use crate::crosswalk::account::{Account, ClassNumber, PathStep, State};
use crate::crosswalk::plan::Step;
use crate::crosswalk::run::{Found, Origins, Outcome, Run};
use crate::crosswalk::selector::{JsonPath, JsonVisit};
use crate::crosswalk::shape::Quoting;
use crate::crosswalk::values::{Sink, position};
use crate::json::tree::{Branch, Kind, Tree};

/// A JSON document.
#[derive(Debug, Clone, Copy)]
pub struct JsonInput<'r> {
    tree: &'r Tree<'r>,
    /// Whether anybody asks what became of its leaves.
    accounts: bool,
}

impl<'r> JsonInput<'r> {
    pub fn new(tree: &'r Tree<'r>, accounts: bool) -> JsonInput<'r> {
        JsonInput { tree, accounts }
    }

    pub fn root(&self) -> Branch<'r> {
        self.tree.root()
    }

    pub fn value_count(&self) -> usize {
        self.tree.leaf_count()
    }

    /// Calls `found` with each leaf: its number, the class of its path, its text.
    pub fn leaves(
        &self,
        account: &mut Account,
        found: &mut dyn FnMut(&mut Account, usize, ClassNumber, &str),
    ) {
        let mut next = 0;
        walk(self.root(), None, account, &mut next, found);
    }

    /// The path of a leaf with its positions: `metadata.titles[0].title`.
    pub fn place(&self, wanted: usize) -> String {
        place(self.root(), wanted).unwrap_or_default()
    }

    /// The leaves of a value of the document.
    pub fn origins(&self, value: Branch<'_>) -> Origins {
        match value.leaves() {
            _ if !self.accounts => Origins::None,
            Range { start, end } if start + 1 == end => Origins::One(start),
            Range { start, end } => Origins::Span(start, end),
        }
    }

    /// A value of the document as a value of a rule: text as it is, anything else as its JSON;
    /// an empty list or object is none.
    pub fn found(&self, value: Branch<'r>) -> Option<Found<'r>> {
        let (text, quoting) = match value.kind() {
            Kind::Null => return None,
            Kind::Text(text) => (Cow::Borrowed(&**text), Quoting::Escaped),
            _ if value.is_empty() => return None,
            _ => (Cow::Owned(serde_json::to_string(&value).ok()?), Quoting::Raw),
        };
        Some(Found { text, quoting, origins: self.origins(value) })
    }
}

fn walk(
    value: Branch<'_>,
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
    match value.kind() {
        Kind::Null => {}
        Kind::Text(text) => leaf(account, text),
        Kind::Number(number) => leaf(account, &number.to_string()),
        Kind::Bool(truth) => leaf(account, if *truth { "true" } else { "false" }),
        Kind::Array => {
            let class = account.below(class, PathStep { sign: "[]", prefix: "", name: "" });
            value.children().for_each(|item| walk(item, Some(class), account, next, found));
        }
        Kind::Object => value.children().for_each(|member| {
            let name = member.key();
            let class = account.below(class, PathStep { sign: ".", prefix: "", name });
            walk(member, Some(class), account, next, found);
        }),
    }
}

fn place(value: Branch<'_>, wanted: usize) -> Option<String> {
    let is_around = |value: &Branch<'_>| value.leaves().contains(&position(wanted));
    match value.kind() {
        Kind::Array => {
            let (n, item) = value.children().enumerate().find(|(_, item)| is_around(item))?;
            Some(format!("[{n}]{}", place(item, wanted)?))
        }
        Kind::Object => {
            let member = value.children().find(is_around)?;
            Some(format!(".{}{}", member.key(), place(member, wanted)?))
        }
        _ => is_around(&value).then(String::new),
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
        path.visit(input.root(), current(&input, context), &mut |visit| match visit {
            JsonVisit::Found(value) => out.push(Node::Json(value)),
            JsonVisit::Read(value) => self.mark(input.origins(value), State::Read),
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
        path.visit(input.root(), current(&input, context), &mut |visit| match visit {
            JsonVisit::Found(value) => values.extend(input.found(value)),
            JsonVisit::Read(value) => self.mark(input.origins(value), State::Read),
        });
        self.emit_all(step, values, sink)
    }

    /// The member of the current value that a name in a condition or expression means.
    pub(super) fn json_member(&self, name: &str, current: Branch<'r>) -> Option<Found<'r>> {
        let mut names = name.split('.').filter(|name| *name != "value");
        let value = names.try_fold(current, Branch::get)?;
        self.json()?.found(value)
    }
}

fn current<'r>(input: &JsonInput<'r>, context: &Node<'r>) -> Branch<'r> {
    match context {
        Node::Json(current) => *current,
        _ => input.root(),
    }
}
