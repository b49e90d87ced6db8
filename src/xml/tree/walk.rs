//! Walking a tree: elements, their attributes and children, and the text in them.

use std::borrow::Cow;
use std::ops::Range;

use super::{
    AttributeRow, Kind, LocalName, NO_NAMESPACE, NameSet, Row, Span, Tree, XML_NAMESPACE, bound,
};

/// A name, resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name<'t> {
    /// The namespace; empty for none, and for a prefix that is bound to none.
    pub namespace: &'t str,
    /// The name without prefix.
    pub local: &'t str,
    /// The prefix as written, without colon; often empty.
    pub prefix: &'t str,
}

impl Name<'_> {
    /// Whether it is this name of this namespace, whatever the prefix.
    #[must_use]
    pub fn is(&self, namespace: &str, local: &str) -> bool {
        self.local == local && self.namespace == namespace
    }
}

/// An element of a tree; equal when name, attributes and children are.
#[derive(Debug, Clone, Copy)]
pub struct Element<'t> {
    pub(super) tree: &'t Tree,
    pub(super) row: u32,
}

/// An attribute; equal when name and value are. Declarations of namespaces are none.
#[derive(Debug, Clone, Copy)]
pub struct Attribute<'t> {
    tree: &'t Tree,
    number: u32,
    row: AttributeRow,
}

/// Text, as much as stands together: references resolved, CDATA sections joined. Equal when the
/// text is.
#[derive(Debug, Clone, Copy)]
pub struct Text<'t> {
    tree: &'t Tree,
    number: u32,
    span: Span,
}

/// A child of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node<'t> {
    /// An element.
    Element(Element<'t>),
    /// Text.
    Text(Text<'t>),
}

impl<'t> Element<'t> {
    /// The tree that it is in.
    #[must_use]
    pub fn tree(self) -> &'t Tree {
        self.tree
    }

    fn place(self) -> Option<&'t Row> {
        self.tree.row(self.row)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> Name<'t> {
        let row = self.place();
        row.map_or(Name { namespace: "", local: "", prefix: "" }, |row| {
            self.tree.name(row.span, row.local, row.namespace)
        })
    }

    /// Its name without prefix.
    #[must_use]
    pub fn local(self) -> &'t str {
        let local = |row: &Row| self.tree.slice(Span { start: row.local, end: row.span.end });
        self.place().map_or("", local)
    }

    /// Whether its name without prefix is this one.
    #[inline]
    #[must_use]
    pub fn is_local(self, local: &str) -> bool {
        self.place().is_some_and(|row| self.tree.is_local(row.span, row.local, local))
    }

    /// Whether its name without prefix is this one; most others are told by a number.
    #[inline]
    #[must_use]
    pub fn is_named(self, local: &LocalName) -> bool {
        self.place().is_some_and(|row| {
            row.key == local.key && self.tree.is_local(row.span, row.local, local.as_str())
        })
    }

    /// The namespace of its name; empty for none.
    #[must_use]
    pub fn namespace(self) -> &'t str {
        self.place().map_or("", |row| self.tree.namespace(row.namespace))
    }

    /// Its number among all values of the tree, below [`Tree::value_count`].
    #[must_use]
    pub fn index(self) -> usize {
        self.tree.attributes.len() + self.row as usize
    }

    /// The numbers of the texts in it and in the elements below it; elements between them have
    /// numbers too.
    #[must_use]
    pub fn values(self) -> Range<usize> {
        let end = self.place().map_or(self.row, |row| row.end);
        // An element with nothing but one text in it, as most are.
        let first = self.row + u32::from(end == self.row + 2);
        let before = self.tree.attributes.len();
        before + first as usize..before + end as usize
    }

    /// Its attributes, in order.
    pub fn attributes(self) -> impl Iterator<Item = Attribute<'t>> {
        let tree = self.tree;
        let range = self.place().map_or(0..0, |row| row.first_attribute..row.end_attribute);
        range.filter_map(move |number| {
            let row = *tree.attributes.get(number as usize)?;
            Some(Attribute { tree, number, row })
        })
    }

    /// Its attributes with this local name, in order; most others are told by a number.
    #[inline]
    pub fn attributes_named(self, local: &LocalName) -> impl Iterator<Item = Attribute<'t>> {
        let tree = self.tree;
        let range = self.place().map_or(0..0, |row| row.first_attribute..row.end_attribute);
        range.filter_map(move |number| {
            let row = tree.attributes.get(number as usize).filter(|row| row.key == local.key)?;
            let is_meant = tree.is_local(row.name, row.local, local.as_str());
            is_meant.then_some(Attribute { tree, number, row: *row })
        })
    }

    /// The attribute of this name.
    #[must_use]
    pub fn attribute(self, namespace: &str, local: &str) -> Option<Attribute<'t>> {
        self.attributes().find(|attribute| attribute.name().is(namespace, local))
    }

    /// Elements and texts in it, in order.
    pub fn children(self) -> impl Iterator<Item = Node<'t>> {
        let tree = self.tree;
        let (mut next, end, kind) =
            self.place().map_or((0, 0, Kind::Element), |row| (self.row + 1, row.end, row.kind));
        std::iter::from_fn(move || {
            while next < end {
                let number = next;
                let row = tree.row(number)?;
                next = row.end;
                match row.kind {
                    Kind::Element | Kind::Structure => {
                        return Some(Node::Element(Element { tree, row: number }));
                    }
                    Kind::Blank if kind == Kind::Structure => {}
                    Kind::Text | Kind::Blank => {
                        return Some(Node::Text(Text { tree, number, span: row.span }));
                    }
                }
            }
            None
        })
    }

    /// The elements in it, in order.
    pub fn elements(self) -> impl Iterator<Item = Element<'t>> {
        let tree = self.tree;
        let (mut next, end) = self.place().map_or((0, 0), |row| (self.row + 1, row.end));
        std::iter::from_fn(move || {
            while next < end {
                let element = Element { tree, row: next };
                let row = element.place()?;
                next = row.end;
                if matches!(row.kind, Kind::Element | Kind::Structure) {
                    return Some(element);
                }
            }
            None
        })
    }

    /// The elements in it with this local name, in order; most others are told by a number.
    #[inline]
    pub fn elements_named(self, local: &LocalName) -> impl Iterator<Item = Element<'t>> {
        let tree = self.tree;
        let (mut next, end) = self.place().map_or((0, 0), |row| (self.row + 1, row.end));
        std::iter::from_fn(move || {
            while next < end {
                let number = next;
                let row = tree.row(number)?;
                next = row.end;
                if row.key == local.key
                    && matches!(row.kind, Kind::Element | Kind::Structure)
                    && tree.is_local(row.span, row.local, local.as_str())
                {
                    return Some(Element { tree, row: number });
                }
            }
            None
        })
    }

    /// The local names of it and of the elements around it.
    #[must_use]
    pub fn names(self) -> NameSet {
        let mut names = NameSet::default();
        let mut here = Some(self);
        while let Some(element) = here {
            names.add(element.place().map_or(0, |row| row.key));
            here = element.parent();
        }
        names
    }

    /// The texts in it, not in elements below, in order.
    pub fn texts(self) -> impl Iterator<Item = Text<'t>> {
        self.children().filter_map(|node| match node {
            Node::Element(_) => None,
            Node::Text(text) => Some(text),
        })
    }

    /// The first child element of this name.
    #[must_use]
    pub fn child(self, namespace: &str, local: &str) -> Option<Element<'t>> {
        self.elements().find(|element| element.name().is(namespace, local))
    }

    /// The element itself and all elements below it, in document order.
    pub fn descendants(self) -> impl Iterator<Item = Element<'t>> {
        let tree = self.tree;
        let range = self.place().map_or(0..0, |row| self.row..row.end);
        range.filter_map(move |row| {
            let kind = tree.row(row)?.kind;
            matches!(kind, Kind::Element | Kind::Structure).then_some(Element { tree, row })
        })
    }

    /// The element that it stands in; `None` for the root.
    #[must_use]
    pub fn parent(self) -> Option<Element<'t>> {
        let row = self.place()?.parent;
        (self.row > 0).then_some(Element { tree: self.tree, row })
    }

    /// The declarations of namespaces in its tag: prefix (empty for the default) and namespace
    /// (empty where none).
    pub fn declarations(self) -> impl Iterator<Item = (&'t str, &'t str)> {
        let tree = self.tree;
        let own = tree.bindings_of(self.row).iter();
        own.map(move |binding| (tree.slice(binding.prefix), tree.namespace(binding.namespace)))
    }

    /// Its texts, and those of the elements below it, in one.
    #[must_use]
    pub fn text(self) -> Cow<'t, str> {
        if let Some(text) = self.lone_text() {
            return Cow::Borrowed(text);
        }
        let mut whole = Cow::Borrowed("");
        let rows = self.place().map_or(0..0, |row| self.row + 1..row.end);
        for row in rows.filter_map(|row| self.tree.row(row)) {
            let kept = match row.kind {
                Kind::Text => true,
                Kind::Blank => {
                    self.tree.row(row.parent).is_some_and(|parent| parent.kind == Kind::Element)
                }
                Kind::Element | Kind::Structure => false,
            };
            let text = self.tree.slice(row.span);
            match kept {
                true if whole.is_empty() => whole = Cow::Borrowed(text),
                true => whole.to_mut().push_str(text),
                false => {}
            }
        }
        whole
    }

    // The text of an element that holds nothing else, as most do that hold any.
    #[inline]
    fn lone_text(self) -> Option<&'t str> {
        let inside = self.row + 1;
        self.place().filter(|row| row.end == inside + 1)?;
        let row = self.tree.row(inside)?;
        matches!(row.kind, Kind::Text | Kind::Blank).then(|| self.tree.slice(row.span))
    }

    /// Its text, when that is one piece: not when elements stand between.
    #[must_use]
    pub fn only_text(self) -> Option<&'t str> {
        if let Some(text) = self.lone_text() {
            return Some(text);
        }
        let mut children = self.children();
        match (children.next()?, children.next()) {
            (Node::Text(text), None) => Some(text.value()),
            _ => None,
        }
    }

    /// What `xml:lang` says here, or further out.
    #[must_use]
    pub fn language(self) -> Option<&'t str> {
        let mut here = Some(self);
        while let Some(element) = here {
            if let Some(language) = element.attribute(XML_NAMESPACE, "lang") {
                return Some(language.value());
            }
            here = element.parent();
        }
        None
    }

    /// The namespace that a prefix is bound to here, for names in values (`xsi:type`).
    #[must_use]
    pub fn namespace_of(self, prefix: &str) -> Option<&'t str> {
        if prefix == "xml" {
            return Some(XML_NAMESPACE);
        }
        let mut here = Some(self);
        while let Some(element) = here {
            let mut own = self.tree.bindings_of(element.row).iter();
            if let Some(binding) = own.find(|binding| self.tree.slice(binding.prefix) == prefix) {
                let bound = (binding.namespace != NO_NAMESPACE).then_some(binding.namespace);
                return bound.map(|namespace| self.tree.namespace(namespace));
            }
            here = element.parent();
        }
        None
    }
}

impl<'t> Attribute<'t> {
    /// The element that it belongs to.
    #[must_use]
    pub fn element(&self) -> Option<Element<'t>> {
        // Attributes stand in the order of their elements.
        let begins = |row: &Row| row.first_attribute <= self.number;
        let behind = self.tree.rows.partition_point(begins);
        Some(Element { tree: self.tree, row: bound(behind.checked_sub(1)?) })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> Name<'t> {
        self.tree.name(self.row.name, self.row.local, self.row.namespace)
    }

    /// Whether its name without prefix is this one.
    #[inline]
    #[must_use]
    pub fn is_named(&self, local: &LocalName) -> bool {
        self.row.key == local.key
            && self.tree.is_local(self.row.name, self.row.local, local.as_str())
    }

    /// The local names of it and of the elements around it.
    #[must_use]
    pub fn names(&self) -> NameSet {
        let mut names = self.element().map_or(NameSet::default(), Element::names);
        names.add(self.row.key);
        names
    }

    /// The namespace of its name; empty for none.
    #[inline]
    #[must_use]
    pub fn namespace(&self) -> &'t str {
        self.tree.namespace(self.row.namespace)
    }

    /// Its value, normalized.
    #[must_use]
    pub fn value(&self) -> &'t str {
        self.tree.slice(self.row.value)
    }

    /// Its number among all values of the tree, below [`Tree::value_count`].
    #[must_use]
    pub fn index(&self) -> usize {
        self.number as usize
    }
}

impl<'t> Text<'t> {
    /// The element that it stands in.
    #[must_use]
    pub fn element(&self) -> Option<Element<'t>> {
        let row = self.tree.row(self.number)?;
        Some(Element { tree: self.tree, row: row.parent })
    }

    /// The text.
    #[must_use]
    pub fn value(&self) -> &'t str {
        self.tree.slice(self.span)
    }

    /// Its number among all values of the tree, below [`Tree::value_count`].
    #[must_use]
    pub fn index(&self) -> usize {
        self.tree.attributes.len() + self.number as usize
    }
}

impl PartialEq for Element<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
            && self.attributes().eq(other.attributes())
            && self.children().eq(other.children())
    }
}

impl Eq for Element<'_> {}

impl PartialEq for Attribute<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.value() == other.value()
    }
}

impl Eq for Attribute<'_> {}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.value() == other.value()
    }
}

impl Eq for Text<'_> {}

impl Tree {
    /// The element that a value belongs to: an attribute to its own, a text to the innermost
    /// around it; an element's number leads to itself.
    #[must_use]
    pub fn element_of_value(&self, value: usize) -> Option<Element<'_>> {
        let Some(row) = value.checked_sub(self.attributes.len()) else {
            let row = *self.attributes.get(value)?;
            return Attribute { tree: self, number: bound(value), row }.element();
        };
        let number = bound(row);
        let row = self.row(number)?;
        let is_element = matches!(row.kind, Kind::Element | Kind::Structure);
        Some(Element { tree: self, row: if is_element { number } else { row.parent } })
    }

    /// The number of elements, attributes and texts.
    #[must_use]
    pub fn len(&self) -> u32 {
        bound(self.rows.len() + self.attributes.len())
    }

    /// Whether nothing was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}
