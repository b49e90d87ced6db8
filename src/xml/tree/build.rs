//! Building a tree from its beginning to its end.

use super::{
    AttributeRow, Binding, FIRST_NAMESPACE, Kind, NO_NAMESPACE, Row, Span, Tree, XML,
    XML_NAMESPACE, bound,
};

/// Fills a tree: elements open and close, attributes come first, then children.
///
/// Names are trusted. Text that is given in pieces is one text.
pub struct Builder<'t> {
    pub(super) tree: &'t mut Tree,
    open: Vec<Frame>,
    /// The prefixes that are bound, innermost last.
    scope: Vec<(Span, u32)>,
    /// Text that may go on.
    text: Option<Span>,
}

struct Frame {
    row: u32,
    scope: usize,
    has_elements: bool,
    has_text: bool,
}

impl<'t> Builder<'t> {
    /// Begins with nothing in `tree`.
    #[must_use]
    pub fn new(tree: &'t mut Tree) -> Builder<'t> {
        tree.clear();
        Builder::behind_source(tree)
    }

    /// Begins with a tree that has nothing but its source.
    pub(super) fn behind_source(tree: &'t mut Tree) -> Builder<'t> {
        Builder { tree, open: Vec::with_capacity(16), scope: Vec::with_capacity(16), text: None }
    }

    /// Opens an element; its prefix is bound to its namespace here unless it is further out.
    pub fn open(&mut self, namespace: &str, prefix: &str, local: &str) {
        let (span, local) = self.push_name(prefix, local);
        self.open_row(span, local);
        let namespace = self.bind(prefix, namespace);
        self.set_namespace(namespace);
    }

    /// Adds an attribute to the element that was opened last; no prefix for no namespace.
    pub fn attribute(&mut self, namespace: &str, prefix: &str, local: &str, value: &str) {
        let (name, local) = self.push_name(prefix, local);
        let namespace = if prefix.is_empty() { NO_NAMESPACE } else { self.bind(prefix, namespace) };
        let value = self.tree.push_slice(value);
        let row = AttributeRow::new(self.tree, name, local, value);
        self.attribute_row(AttributeRow { namespace, ..row });
    }

    /// Binds a prefix (empty for the default namespace) from the element that was opened last on,
    /// unless its own names have bound it already.
    pub fn declare(&mut self, prefix: &str, namespace: &str) {
        let element = self.open.last().map_or(0, |frame| frame.row);
        let mut own = self.tree.bindings_of(element).iter();
        if own.any(|binding| self.tree.slice(binding.prefix) == prefix) {
            return;
        }
        let prefix = self.tree.push_slice(prefix);
        let namespace = self.namespace(namespace);
        self.declare_span(prefix, namespace);
    }

    /// Adds text to the innermost open element.
    pub fn text(&mut self, text: &str) {
        self.append(text);
    }

    /// Closes the innermost open element.
    pub fn close(&mut self) {
        self.end_text();
        let Some(frame) = self.open.pop() else { return };
        self.scope.truncate(frame.scope);
        let end = bound(self.tree.rows.len());
        if let Some(row) = self.tree.rows.get_mut(frame.row as usize) {
            row.end = end;
            if frame.has_elements && !frame.has_text {
                row.kind = Kind::Structure;
            }
        }
    }

    /// Closes what is still open.
    pub fn finish(mut self) {
        while !self.open.is_empty() {
            self.close();
        }
    }

    /// The number of open elements.
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    pub(super) fn open_row(&mut self, span: Span, local: u32) {
        self.end_text();
        let row = bound(self.tree.rows.len());
        let parent = self.open.last_mut().map_or(0, |frame| {
            frame.has_elements = true;
            frame.row
        });
        let first_attribute = bound(self.tree.attributes.len());
        let key = self.tree.key(span, local);
        self.tree.names.add(key);
        self.tree.rows.push(Row {
            kind: Kind::Element,
            span,
            local,
            key,
            namespace: NO_NAMESPACE,
            end: row + 1,
            parent,
            first_attribute,
            end_attribute: first_attribute,
        });
        let scope = self.scope.len();
        self.open.push(Frame { row, scope, has_elements: false, has_text: false });
    }

    // Of the element that was opened last.
    pub(super) fn set_namespace(&mut self, namespace: u32) {
        if let Some(row) = self.tree.rows.last_mut() {
            row.namespace = namespace;
        }
    }

    pub(super) fn attribute_row(&mut self, row: AttributeRow) {
        self.tree.names.add(row.key);
        self.tree.attributes.push(row);
        let end = bound(self.tree.attributes.len());
        if let Some(element) = self.tree.rows.last_mut() {
            element.end_attribute = end;
        }
    }

    pub(super) fn declare_span(&mut self, prefix: Span, namespace: u32) {
        let element = self.open.last().map_or(0, |frame| frame.row);
        self.tree.bindings.push(Binding { element, prefix, namespace });
        self.scope.push((prefix, namespace));
    }

    /// The number of the namespace that a prefix is bound to, if it is.
    pub(super) fn resolve(&self, prefix: &str) -> Option<u32> {
        let is = |span: Span| {
            (span.end - span.start) as usize == prefix.len()
                && (prefix.is_empty() || self.tree.slice(span) == prefix)
        };
        match self.scope.iter().rev().find(|(span, _)| is(*span)) {
            Some((_, namespace)) => Some(*namespace),
            None if prefix.is_empty() => Some(NO_NAMESPACE),
            None => (prefix == "xml").then_some(XML),
        }
    }

    /// Binds a prefix to the namespace that an attribute's value names.
    pub(super) fn declare_value(&mut self, prefix: Span, value: Span) {
        let tree = &mut *self.tree;
        let text = tree.slice(value);
        let known = tree.namespaces.iter().position(|known| tree.slice(*known) == text);
        let namespace = match known {
            Some(position) => bound(position) + FIRST_NAMESPACE,
            None if text.is_empty() => NO_NAMESPACE,
            None if text == XML_NAMESPACE => XML,
            None => {
                tree.namespaces.push(value);
                bound(tree.namespaces.len() - 1) + FIRST_NAMESPACE
            }
        };
        self.declare_span(prefix, namespace);
    }

    /// The number of a namespace, which may be a new one.
    pub(super) fn namespace(&mut self, namespace: &str) -> u32 {
        let mut known = self.tree.namespaces.iter();
        match namespace {
            "" => NO_NAMESPACE,
            XML_NAMESPACE => XML,
            _ => match known.position(|known| self.tree.slice(*known) == namespace) {
                Some(position) => bound(position) + FIRST_NAMESPACE,
                None => {
                    let span = self.tree.push_slice(namespace);
                    self.tree.namespaces.push(span);
                    bound(self.tree.namespaces.len() - 1) + FIRST_NAMESPACE
                }
            },
        }
    }

    /// Adds text that stands at `span` already.
    pub(super) fn append_span(&mut self, span: Span) {
        match self.text {
            None => self.text = Some(span),
            Some(before) => {
                let mut joined = before;
                if before.end as usize != self.tree.text.len() {
                    joined.start = bound(self.tree.text.len());
                    self.tree.text.extend_from_within(before.start as usize..before.end as usize);
                }
                self.tree.text.extend_from_within(span.start as usize..span.end as usize);
                joined.end = bound(self.tree.text.len());
                self.text = Some(joined);
            }
        }
    }

    /// Adds text that stands nowhere yet.
    pub(super) fn append(&mut self, text: &str) {
        let span = match self.text {
            Some(before) if before.end as usize != self.tree.text.len() => {
                let start = bound(self.tree.text.len());
                self.tree.text.extend_from_within(before.start as usize..before.end as usize);
                start
            }
            Some(before) => before.start,
            None => bound(self.tree.text.len()),
        };
        self.tree.text.push_str(text);
        self.text = Some(Span { start: span, end: bound(self.tree.text.len()) });
    }

    /// The length of the text that may go on.
    pub(super) fn text_length(&self) -> usize {
        self.text.map_or(0, |span| (span.end - span.start) as usize)
    }

    fn end_text(&mut self) {
        let Some(span) = self.text.take() else { return };
        let Some(frame) = self.open.last_mut() else { return };
        if span.start == span.end {
            return;
        }
        let is_blank = |byte: u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        let kind =
            if self.tree.slice(span).bytes().all(is_blank) { Kind::Blank } else { Kind::Text };
        frame.has_text |= kind == Kind::Text;
        let row = bound(self.tree.rows.len());
        // All attributes so far belong to what stands before it.
        let attributes = bound(self.tree.attributes.len());
        self.tree.rows.push(Row {
            kind,
            span,
            local: span.start,
            key: 0,
            namespace: NO_NAMESPACE,
            end: row + 1,
            parent: frame.row,
            first_attribute: attributes,
            end_attribute: attributes,
        });
    }

    fn push_name(&mut self, prefix: &str, local: &str) -> (Span, u32) {
        let mut span = self.tree.push_slice(prefix);
        if !prefix.is_empty() {
            self.tree.text.push(':');
        }
        let local = self.tree.push_slice(local);
        span.end = local.end;
        (span, local.start)
    }

    fn bind(&mut self, prefix: &str, namespace: &str) -> u32 {
        let number = self.namespace(namespace);
        let unbound = number == NO_NAMESPACE && !prefix.is_empty();
        if !unbound && self.resolve(prefix) != Some(number) {
            let prefix = self.tree.push_slice(prefix);
            self.declare_span(prefix, number);
        }
        number
    }
}
