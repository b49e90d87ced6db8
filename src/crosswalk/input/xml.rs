//! What selectors find in an XML tree.

use super::Node;
use crate::crosswalk::account::{Account, ClassNumber, PathStep, State};
use crate::crosswalk::plan::Step;
use crate::crosswalk::run::{Found, Origins, Outcome, Run};
use crate::crosswalk::selector::{Namespaces, Visit, XmlNode, XmlPath};
use crate::crosswalk::values::{Sink, position};
use crate::xml::tree::{self, Element, Name, Tree, XSI_NAMESPACE};

/// A tree, and the element in it that is the record.
#[derive(Debug, Clone, Copy)]
pub struct XmlInput<'r> {
    pub tree: &'r Tree,
    pub record: Element<'r>,
    namespaces: &'r Namespaces,
}

impl<'r> XmlInput<'r> {
    /// The element of this name, outermost first; `None` where the tree has none.
    pub fn new(
        tree: &'r Tree,
        root: Option<&str>,
        namespaces: &'r Namespaces,
    ) -> Option<XmlInput<'r>> {
        let record = match root {
            None => tree.root()?,
            Some(root) => {
                let (prefix, local) = root.split_once(':').unwrap_or(("", root));
                let is_root = |element: &Element<'_>| {
                    element.is_local(local) && namespaces.is_bound(prefix, element.namespace())
                };
                tree.root()?.descendants().find(is_root)?
            }
        };
        Some(XmlInput { tree, record, namespaces })
    }

    /// Calls `found` with each attribute and text of the record, and the class of its path. What
    /// names a schema is none of them.
    pub fn leaves(
        &self,
        account: &mut Account,
        found: &mut dyn FnMut(&mut Account, ClassNumber, XmlNode<'r>),
    ) {
        let mut leaves = Leaves { input: self, account, found, latest: None };
        leaves.walk(self.record, None);
    }

    /// A name with the prefix that the crosswalk has for its namespace, else as it is written.
    fn step<'n>(&'n self, sign: &'static str, name: Name<'n>) -> PathStep<'n> {
        let prefix = self.namespaces.prefix_of(name.namespace).unwrap_or(name.prefix);
        PathStep { sign, prefix, name: name.local }
    }

    /// The path of a value with its positions among elements of one name.
    pub fn place(&self, value: usize) -> String {
        let Some(element) = self.tree.element_of_value(value) else { return String::new() };
        let attribute = element.attributes().find(|attribute| attribute.index() == value);
        let mut path = attribute.map_or(String::new(), |attribute| {
            let PathStep { prefix, name, .. } = self.step("/@", attribute.name());
            format!("/@{}{name}", colon(prefix))
        });
        let mut at = Some(element);
        while let Some(element) = at.filter(|element| element.index() != self.record.index()) {
            let PathStep { prefix, name, .. } = self.step("/", element.name());
            let same = |other: &Element<'_>| other.name() == element.name();
            let mut twins = element.parent().into_iter().flat_map(Element::elements).filter(same);
            let n = twins.position(|twin| twin.index() == element.index()).unwrap_or(0) + 1;
            path = format!("/{}{name}[{n}]{path}", colon(prefix));
            at = element.parent();
        }
        path.trim_start_matches('/').to_owned()
    }
}

struct Leaves<'l, 'r> {
    input: &'l XmlInput<'r>,
    account: &'l mut Account,
    found: &'l mut dyn FnMut(&mut Account, ClassNumber, XmlNode<'r>),
    /// The namespace of the latest name, and the crosswalk's prefix for it.
    latest: Option<(&'r str, Option<&'r str>)>,
}

impl<'r> Leaves<'_, 'r> {
    fn walk(&mut self, element: Element<'r>, class: Option<ClassNumber>) {
        for attribute in element.attributes() {
            let name = attribute.name();
            if name.namespace == XSI_NAMESPACE {
                continue;
            }
            let class = self.below(class, "/@", name);
            (self.found)(self.account, class, XmlNode::Attribute(attribute));
        }
        for child in element.children() {
            match child {
                tree::Node::Element(child) => {
                    let class = self.below(class, "/", child.name());
                    self.walk(child, Some(class));
                }
                tree::Node::Text(text) => {
                    let step = PathStep { sign: "", prefix: "", name: "text()" };
                    let class = class.unwrap_or_else(|| self.account.below(None, step));
                    (self.found)(self.account, class, XmlNode::Text(text));
                }
            }
        }
    }

    fn below(
        &mut self,
        class: Option<ClassNumber>,
        sign: &'static str,
        name: Name<'r>,
    ) -> ClassNumber {
        // The same place in the tree is the same namespace; most names are of one.
        let prefix = match self.latest {
            Some((namespace, prefix)) if std::ptr::eq(namespace, name.namespace) => prefix,
            _ => self.input.namespaces.prefix_of(name.namespace),
        };
        self.latest = Some((name.namespace, prefix));
        let prefix = prefix.unwrap_or(name.prefix);
        self.account.below(class, PathStep { sign, prefix, name: name.local })
    }
}

fn colon(prefix: &str) -> String {
    if prefix.is_empty() { String::new() } else { format!("{prefix}:") }
}

/// The value of a node, with where it came from.
pub fn found(node: XmlNode<'_>) -> Found<'_> {
    let values = node.values();
    let origins = match (position(values.start), position(values.end)) {
        (from, to) if from + 1 == to => Origins::One(from),
        (from, to) => Origins::Span(from, to),
    };
    Found { origins, ..Found::of(node.text()) }
}

impl<'r> Run<'r> {
    /// Where paths begin: the element at hand, or that of the value at hand, or the record.
    fn base(&self, input: &XmlInput<'r>, context: &Node<'r>) -> XmlNode<'r> {
        match context {
            Node::Xml(node) => *node,
            _ => XmlNode::Element(self.element_of(context).unwrap_or(input.record)),
        }
    }

    /// The nodes that a path leads to.
    pub(in crate::crosswalk) fn xml_nodes(
        &mut self,
        path: &'r XmlPath,
        context: &Node<'r>,
        out: &mut Vec<Node<'r>>,
    ) {
        let Some(input) = self.xml().filter(|input| path.may_lead(input.tree.names())) else {
            return;
        };
        path.visit(input.record, self.base(&input, context), &mut |visit| match visit {
            Visit::Found(node) => out.push(Node::Xml(node)),
            Visit::Read(node) => self.mark(found(node).origins, State::Read),
        });
    }

    /// The values of a step that a path leads to.
    pub(super) fn xml_values(
        &mut self,
        step: &'r Step,
        path: &'r XmlPath,
        context: &Node<'r>,
        sink: &mut Sink<'_, 'r>,
    ) -> Outcome<bool> {
        let Some(input) = self.xml().filter(|input| path.may_lead(input.tree.names())) else {
            return Ok(true);
        };
        let mut values = self.spare.pop().unwrap_or_default();
        path.visit(input.record, self.base(&input, context), &mut |visit| match visit {
            Visit::Found(node) => values.push(found(node)),
            Visit::Read(node) => self.mark(found(node).origins, State::Read),
        });
        self.emit_all(step, values, sink)
    }

    /// The child element of this name, when it is the only one.
    pub(super) fn xml_member(&self, name: &str, current: XmlNode<'r>) -> Option<Found<'r>> {
        let XmlNode::Element(element) = current else { return None };
        let mut children = element.elements().filter(|child| child.name().local == name);
        match (children.next(), children.next()) {
            (Some(child), None) => Some(found(XmlNode::Element(child))),
            _ => None,
        }
    }
}
