//! Predicates of XML selectors: `[@a='v']`, `[not(child)]`, `[2]`, `[last()]`.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{Union, Visit, XmlNode};
use crate::xml::tree::Element;

/// One pair of brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Predicate {
    /// `[n]`, from 1.
    Position(usize),
    /// `[last()]`
    Last,
    /// Anything else.
    Test(Test),
}

/// What is asked of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Test {
    /// `… and …`
    All(Vec<Test>),
    /// `… or …`
    Any(Vec<Test>),
    /// `not(…)`
    Not(Box<Test>),
    /// `@a`: there is such a node.
    Exists(Union),
    /// `@a='v'`: one of the nodes says so.
    Compare(Comparison),
}

/// A comparison of the text of nodes, without white space at either end, with a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comparison {
    pub operand: Union,
    /// `lower-case(…)`
    pub in_lower_case: bool,
    pub relation: Relation,
    pub word: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    /// `=`
    Equal,
    /// `!=`: there is a value, and it is another.
    Other,
    /// `starts-with(a, 'v')`
    Begins,
    /// `contains(a, 'v')`
    Contains,
}

impl Predicate {
    /// Leaves the nodes that pass; `by_parent` counts them apart for each parent.
    pub(super) fn narrow<'t>(
        &self,
        root: Element<'t>,
        by_parent: bool,
        nodes: &mut Vec<XmlNode<'t>>,
    ) {
        let parent = |node: &XmlNode<'_>| node.parent().map(Element::index);
        match self {
            Predicate::Test(test) => nodes.retain(|node| test.passes(root, *node)),
            Predicate::Position(wanted) if !by_parent => {
                let kept = nodes.get(wanted - 1).copied();
                nodes.clear();
                nodes.extend(kept);
            }
            Predicate::Last if !by_parent => {
                let last = nodes.len().saturating_sub(1);
                nodes.drain(..last);
            }
            Predicate::Position(wanted) => {
                let mut counts = HashMap::new();
                nodes.retain(|node| {
                    let count = counts.entry(parent(node)).or_insert(0);
                    *count += 1;
                    count == wanted
                });
            }
            Predicate::Last => {
                let last: HashMap<_, _> =
                    nodes.iter().map(|node| (parent(node), node.index())).collect();
                nodes.retain(|node| last.get(&parent(node)) == Some(&node.index()));
            }
        }
    }

    /// Whether a node passes, whatever others there are.
    pub(super) fn passes<'t>(&self, root: Element<'t>, node: XmlNode<'t>) -> bool {
        match self {
            Predicate::Test(test) => test.passes(root, node),
            Predicate::Position(_) | Predicate::Last => true,
        }
    }

    /// Tells what it looks at in a node.
    pub(super) fn reads<'t>(
        &self,
        root: Element<'t>,
        node: XmlNode<'t>,
        visit: &mut dyn FnMut(Visit<'t>),
    ) {
        if let Predicate::Test(test) = self {
            test.reads(root, node, visit);
        }
    }
}

impl Test {
    fn passes<'t>(&self, root: Element<'t>, node: XmlNode<'t>) -> bool {
        match self {
            Test::All(tests) => tests.iter().all(|test| test.passes(root, node)),
            Test::Any(tests) => tests.iter().any(|test| test.passes(root, node)),
            Test::Not(test) => !test.passes(root, node),
            Test::Exists(operand) => operand.any(root, node, &|_| true),
            Test::Compare(comparison) => {
                comparison.operand.any(root, node, &|found| comparison.holds(&found.text()))
            }
        }
    }

    fn reads<'t>(&self, root: Element<'t>, node: XmlNode<'t>, visit: &mut dyn FnMut(Visit<'t>)) {
        match self {
            Test::All(tests) | Test::Any(tests) => {
                tests.iter().for_each(|test| test.reads(root, node, visit));
            }
            Test::Not(test) => test.reads(root, node, visit),
            // That something is there says nothing of its value.
            Test::Exists(_) => {}
            Test::Compare(comparison) => comparison.operand.walk(root, node, &mut |met| {
                let (Visit::Found(node) | Visit::Read(node)) = met;
                visit(Visit::Read(node));
            }),
        }
    }
}

impl Union {
    fn any<'t>(
        &self,
        root: Element<'t>,
        node: XmlNode<'t>,
        wanted: &dyn Fn(XmlNode<'t>) -> bool,
    ) -> bool {
        let mut found = false;
        for path in &self.paths {
            path.walk(root, node, &mut |met| match met {
                Visit::Found(node) => found = found || wanted(node),
                Visit::Read(_) => {}
            });
        }
        found
    }
}

impl Comparison {
    fn holds(&self, text: &str) -> bool {
        let text = match self.in_lower_case {
            true => Cow::Owned(text.trim().to_lowercase()),
            false => Cow::Borrowed(text.trim()),
        };
        match self.relation {
            Relation::Equal => text == self.word,
            Relation::Other => text != self.word,
            Relation::Begins => text.starts_with(&self.word),
            Relation::Contains => text.contains(&self.word),
        }
    }
}
