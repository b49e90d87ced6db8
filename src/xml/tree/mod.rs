//! A record as a tree of elements: one buffer of text and rows of bounds, reused record after
//! record.
//!
//! Names are resolved to namespaces and keep their prefix; attributes and text keep their order.
//! Comments and processing instructions are not kept, nor is white space between elements, unless
//! other text stands beside it. Every attribute and text has an index by which to account for it.
//! <https://www.w3.org/TR/xml-names/>

mod build;
mod name;
mod plain;
mod read;
mod walk;
mod write;

pub use build::Builder;
pub use name::{LocalName, NameSet};
pub use read::{MAX_ATTRIBUTES, MAX_NODES, MAX_TEXT_BYTES};
pub use walk::{Attribute, Element, Name, Node, Text};

/// The namespace of the prefix `xml`.
pub const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
/// The namespace of `xsi:type` and `xsi:schemaLocation`.
pub const XSI_NAMESPACE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// The number of [`Tree::namespaces`] that means no namespace, or a prefix that is not bound.
const NO_NAMESPACE: u32 = 0;
/// The number that means [`XML_NAMESPACE`].
const XML: u32 = 1;
/// The number of the first namespace that stands in the table.
const FIRST_NAMESPACE: u32 = 2;

/// Bounds in [`Tree::text`].
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    start: u32,
    end: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An element whose white space counts.
    Element,
    /// An element that holds elements and nothing but white space between them.
    Structure,
    Text,
    /// Text that is white space only.
    Blank,
}

/// A node; the rows stand in document order.
#[derive(Debug, Clone, Copy)]
struct Row {
    kind: Kind,
    /// The name as written, or the text.
    span: Span,
    /// Where the local name starts.
    local: u32,
    /// The local name's number, see [`LocalName`].
    key: u32,
    namespace: u32,
    /// The row behind this node and all in it.
    end: u32,
    parent: u32,
    first_attribute: u32,
    end_attribute: u32,
}

#[derive(Debug, Clone, Copy)]
struct AttributeRow {
    name: Span,
    local: u32,
    key: u32,
    namespace: u32,
    value: Span,
}

impl AttributeRow {
    // In no namespace, so far.
    fn new(tree: &Tree, name: Span, local: u32, value: Span) -> AttributeRow {
        let key = tree.key(name, local);
        AttributeRow { name, local, key, namespace: NO_NAMESPACE, value }
    }
}

/// A declaration of a prefix (empty for the default namespace).
#[derive(Debug, Clone, Copy)]
struct Binding {
    element: u32,
    prefix: Span,
    namespace: u32,
}

/// One element and all in it, owned; meant to be cleared and filled again.
///
/// Two trees are equal when their elements, attributes and texts are, in this order, whatever
/// namespaces are declared where.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// The source, if it was read from one, and behind it what stands otherwise than there.
    text: String,
    rows: Vec<Row>,
    attributes: Vec<AttributeRow>,
    bindings: Vec<Binding>,
    namespaces: Vec<Span>,
    names: NameSet,
}

fn bound(length: usize) -> u32 {
    // A record is at most formats::MAX_RECORD_BYTES long, far below 4 GiB.
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl Tree {
    /// Empties the tree and keeps its memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.rows.clear();
        self.attributes.clear();
        self.bindings.clear();
        self.namespaces.clear();
        self.names = NameSet::default();
    }

    /// The outermost element; `None` when nothing was read.
    #[must_use]
    pub fn root(&self) -> Option<Element<'_>> {
        (!self.rows.is_empty()).then_some(Element { tree: self, row: 0 })
    }

    /// All indices of values are below this one (see [`Attribute::index`] and [`Text::index`]).
    #[must_use]
    pub fn value_count(&self) -> usize {
        self.attributes.len() + self.rows.len()
    }

    /// The namespaces that are declared anywhere in the tree.
    pub fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.namespaces.iter().map(|span| self.slice(*span))
    }

    /// The local names of all its elements and attributes.
    #[must_use]
    pub fn names(&self) -> NameSet {
        self.names
    }

    #[inline]
    fn key(&self, name: Span, local: u32) -> u32 {
        let local = self.text.as_bytes().get(local as usize..name.end as usize);
        name::key(local.unwrap_or_default())
    }

    #[inline]
    fn slice(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    fn push_slice(&mut self, text: &str) -> Span {
        let start = bound(self.text.len());
        self.text.push_str(text);
        Span { start, end: bound(self.text.len()) }
    }

    fn row(&self, row: u32) -> Option<&Row> {
        self.rows.get(row as usize)
    }

    fn namespace(&self, number: u32) -> &str {
        match number {
            NO_NAMESPACE => "",
            XML => XML_NAMESPACE,
            number => {
                let span = self.namespaces.get((number - FIRST_NAMESPACE) as usize);
                span.map_or("", |span| self.slice(*span))
            }
        }
    }

    // The bindings that one element makes.
    fn bindings_of(&self, element: u32) -> &[Binding] {
        let from = self.bindings.partition_point(|binding| binding.element < element);
        let rest = self.bindings.get(from..).unwrap_or_default();
        let length = rest.iter().take_while(|binding| binding.element == element).count();
        rest.get(..length).unwrap_or_default()
    }

    // Most names differ in length already.
    #[inline]
    fn is_local(&self, name: Span, local: u32, wanted: &str) -> bool {
        let (start, end) = (local as usize, name.end as usize);
        end.saturating_sub(start) == wanted.len()
            && self.text.as_bytes().get(start..end) == Some(wanted.as_bytes())
    }

    fn name(&self, name: Span, local: u32, namespace: u32) -> Name<'_> {
        let prefix = match local.checked_sub(1) {
            Some(end) if end > name.start => self.slice(Span { start: name.start, end }),
            _ => "",
        };
        let local = self.slice(Span { start: local, end: name.end });
        Name { namespace: self.namespace(namespace), local, prefix }
    }
}

impl PartialEq for Tree {
    fn eq(&self, other: &Tree) -> bool {
        self.root() == other.root()
    }
}

impl Eq for Tree {}

#[cfg(test)]
mod tests;
