//! Reading the tree of a document that has nothing odd, in one scan.

use super::{AttributeRow, Builder, MAX_ATTRIBUTES, NO_NAMESPACE, Span, Tree, bound};
use crate::xml::plain::{NameAt, Piece, Scanner, resolve};

impl Tree {
    /// Reads the document `text`, which stands in the tree already. `None` leaves it half filled:
    /// it is for the whole reader, which warns of what is odd.
    pub(super) fn read_plain(&mut self, text: &str) -> Option<()> {
        let mut scanner = Scanner::new(text)?;
        let mut builder = Builder::behind_source(self);
        let (mut tag, mut attributes) = (None, 0);
        loop {
            let piece = scanner.next()?;
            if let Piece::Attribute { name, start, end, has_references } = piece {
                attributes += 1;
                if attributes > MAX_ATTRIBUTES {
                    return None;
                }
                let value = builder.plain(text, (start, end), has_references)?;
                builder.plain_attribute(text, name, value)?;
                continue;
            }
            if let Some((name, first)) = tag.take() {
                builder.plain_names(text, name, first)?;
            }
            match piece {
                Piece::Start(name) => {
                    tag = Some((name, builder.tree.attributes.len()));
                    attributes = 0;
                    builder.open_row(span(name.start, name.end), bound(name.local));
                }
                Piece::Text { start, end, has_references } => {
                    let text = builder.plain(text, (start, end), has_references)?;
                    builder.append_span(text);
                }
                Piece::End => builder.close(),
                Piece::Eof => return Some(()),
                Piece::Attribute { .. } => {}
            }
        }
    }
}

impl Builder<'_> {
    // Where a part of the source stands, or what it stands for.
    #[inline]
    fn plain(
        &mut self,
        text: &str,
        (start, end): (usize, usize),
        has_references: bool,
    ) -> Option<Span> {
        if !has_references {
            return Some(span(start, end));
        }
        let resolved = self.tree.text.len();
        resolve(text.get(start..end)?, &mut self.tree.text)?;
        Some(span(resolved, self.tree.text.len()))
    }

    fn plain_attribute(&mut self, text: &str, name: NameAt, value: Span) -> Option<()> {
        let prefix = prefix(text, name)?;
        let local = text.get(name.local..name.end)?;
        match (prefix, local) {
            ("", "xmlns") => self.declare_value(span(name.end, name.end), value),
            // No prefix can be bound to nothing.
            ("xmlns", _) if value.start == value.end => return None,
            ("xmlns", _) => self.declare_value(span(name.local, name.end), value),
            _ => {
                let (name, local) = (span(name.start, name.end), bound(name.local));
                let row = AttributeRow::new(self.tree, name, local, value);
                self.attribute_row(row);
            }
        }
        Some(())
    }

    // The namespaces of an element and of its attributes, which begin with the one at `first`.
    fn plain_names(&mut self, text: &str, name: NameAt, first: usize) -> Option<()> {
        let namespace = self.resolve(prefix(text, name)?)?;
        self.set_namespace(namespace);
        let end = self.tree.attributes.len();
        for number in first..end {
            let row = *self.tree.attributes.get(number)?;
            let mut namespace = NO_NAMESPACE;
            if row.local != row.name.start {
                let prefix = text.get(row.name.start as usize..row.local as usize - 1)?;
                namespace = self.resolve(prefix)?;
                self.tree.attributes.get_mut(number)?.namespace = namespace;
            }
            let mut before = self.tree.attributes.get(first..number)?.iter();
            if before.any(|other| other.key == row.key && other.namespace == namespace) {
                return None;
            }
        }
        Some(())
    }
}

#[inline]
fn prefix(text: &str, name: NameAt) -> Option<&str> {
    if name.local == name.start { Some("") } else { text.get(name.start..name.local - 1) }
}

fn span(start: usize, end: usize) -> Span {
    Span { start: bound(start), end: bound(end) }
}
