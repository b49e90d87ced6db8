//! What XML selectors lead to: elements, attributes and texts of a tree.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::xml::tree::{Attribute, Element, NameSet, Node, Text};

/// A node of a [`crate::xml::tree::Tree`]; equal only to itself.
#[derive(Debug, Clone, Copy)]
pub enum XmlNode<'t> {
    /// An element.
    Element(Element<'t>),
    /// An attribute.
    Attribute(Attribute<'t>),
    /// Text.
    Text(Text<'t>),
}

impl<'t> XmlNode<'t> {
    /// Its text; of an element, all texts in it.
    #[must_use]
    pub fn text(self) -> Cow<'t, str> {
        match self {
            XmlNode::Element(element) => match element.only_text() {
                Some(text) => Cow::Borrowed(text),
                None => element.text(),
            },
            XmlNode::Attribute(attribute) => Cow::Borrowed(attribute.value()),
            XmlNode::Text(text) => Cow::Borrowed(text.value()),
        }
    }

    /// Its number among all values of the tree, see [`crate::xml::tree::Tree::value_count`].
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            XmlNode::Element(element) => element.index(),
            XmlNode::Attribute(attribute) => attribute.index(),
            XmlNode::Text(text) => text.index(),
        }
    }

    /// Calls `found` with the number of every attribute or text that its text is made of.
    pub fn origins(self, found: &mut dyn FnMut(usize)) {
        match self {
            XmlNode::Element(element) => texts_in(element, found),
            XmlNode::Attribute(attribute) => found(attribute.index()),
            XmlNode::Text(text) => found(text.index()),
        }
    }

    /// The numbers of its values: of an element those of the texts in it, and numbers between
    /// them that no value has.
    #[must_use]
    pub fn values(self) -> std::ops::Range<usize> {
        match self {
            XmlNode::Element(element) => element.values(),
            XmlNode::Attribute(attribute) => attribute.index()..attribute.index() + 1,
            XmlNode::Text(text) => text.index()..text.index() + 1,
        }
    }

    /// The element that it stands in; `None` for the outermost.
    #[must_use]
    pub fn parent(self) -> Option<Element<'t>> {
        match self {
            XmlNode::Element(element) => element.parent(),
            XmlNode::Attribute(attribute) => attribute.element(),
            XmlNode::Text(text) => text.element(),
        }
    }
}

impl<'t> XmlNode<'t> {
    /// The local names of it and of the elements around it.
    #[must_use]
    pub fn names(self) -> NameSet {
        match self {
            XmlNode::Element(element) => element.names(),
            XmlNode::Attribute(attribute) => attribute.names(),
            XmlNode::Text(text) => text.element().map_or(NameSet::default(), Element::names),
        }
    }

    /// It and the elements around it, from the inside out.
    pub fn and_around(self) -> impl Iterator<Item = XmlNode<'t>> {
        std::iter::successors(Some(self), |node| node.parent().map(XmlNode::Element))
    }
}

impl PartialEq for XmlNode<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.index() == other.index()
    }
}

impl Eq for XmlNode<'_> {}

fn texts_in(element: Element<'_>, found: &mut dyn FnMut(usize)) {
    for child in element.children() {
        match child {
            Node::Element(child) => texts_in(child, found),
            Node::Text(text) => found(text.index()),
        }
    }
}

/// Sorts nodes of one tree into document order, each once.
pub(super) fn put_in_order(nodes: &mut Vec<XmlNode<'_>>) {
    nodes.sort_by(|a, b| in_document(*a, *b));
    nodes.dedup();
}

// An element comes before its attributes, these before what stands in it.
fn in_document(a: XmlNode<'_>, b: XmlNode<'_>) -> Ordering {
    match (a, b) {
        (XmlNode::Attribute(a), XmlNode::Attribute(b)) => a.index().cmp(&b.index()),
        (XmlNode::Attribute(_), _) => in_document(b, a).reverse(),
        (a, XmlNode::Attribute(b)) => {
            let owner = b.element().map_or(0, Element::index);
            a.index().cmp(&owner).then(Ordering::Less)
        }
        (a, b) => a.index().cmp(&b.index()),
    }
}
