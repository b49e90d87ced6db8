//! Writing a tree, so that reading it gives the same tree.

use super::{Binding, Element, Kind, NO_NAMESPACE, Row, Tree, XML};
use crate::xml::writer::{is_xml_char, push_attribute_value, push_text};

impl Tree {
    /// Appends the whole tree as one element, without an XML declaration.
    ///
    /// Answers how many characters XML cannot carry were replaced by U+FFFD.
    pub fn write(&self, out: &mut String) -> usize {
        self.root().map_or(0, |root| root.write(out))
    }
}

impl Element<'_> {
    /// Appends this element and all in it, with all declarations that are in force.
    ///
    /// Answers how many characters XML cannot carry were replaced by U+FFFD.
    pub fn write(self, out: &mut String) -> usize {
        let Some(row) = self.tree.row(self.row) else { return 0 };
        let mut writing = Writing {
            tree: self.tree,
            out,
            open: Vec::with_capacity(16),
            scope: Vec::with_capacity(16),
            replaced: 0,
        };
        let mut inherited: Vec<Binding> = Vec::new();
        let mut outer = self.parent();
        while let Some(element) = outer {
            inherited.extend(self.tree.bindings_of(element.row).iter().rev());
            outer = element.parent();
        }
        inherited.reverse();
        for number in self.row..row.end {
            writing.close_before(number);
            writing.row(number, &inherited);
            inherited.clear();
        }
        writing.close_before(row.end);
        writing.replaced
    }
}

struct Writing<'t, 'o> {
    tree: &'t Tree,
    out: &'o mut String,
    /// Elements without their end tag: row and length of the scope around.
    open: Vec<(&'t Row, usize)>,
    /// Prefixes that are bound, innermost last.
    scope: Vec<(&'t str, u32)>,
    replaced: usize,
}

impl<'t> Writing<'t, '_> {
    fn close_before(&mut self, number: u32) {
        while let Some((row, scope)) = self.open.pop_if(|(row, _)| row.end <= number) {
            self.scope.truncate(scope);
            self.out.extend(["</", self.tree.slice(row.span), ">"]);
        }
    }

    fn row(&mut self, number: u32, inherited: &[Binding]) {
        let Some(row) = self.tree.row(number) else { return };
        match row.kind {
            Kind::Element | Kind::Structure => self.start(number, row, inherited),
            Kind::Text => self.text(row),
            Kind::Blank => {
                if self.open.last().is_none_or(|(parent, _)| parent.kind == Kind::Element) {
                    self.text(row);
                }
            }
        }
    }

    fn text(&mut self, row: &Row) {
        let text = self.tree.slice(row.span);
        self.replaced += not_xml(text);
        push_text(self.out, text);
    }

    fn start(&mut self, number: u32, row: &'t Row, inherited: &[Binding]) {
        let tree = self.tree;
        let element = Element { tree, row: number };
        let scope = self.scope.len();
        self.out.extend(["<", tree.slice(row.span)]);
        let own = tree.bindings_of(number);
        let outer = inherited.iter().enumerate().filter(|(at, binding)| {
            let later = inherited.iter().skip(at + 1).chain(own);
            later.clone().all(|later| tree.slice(later.prefix) != tree.slice(binding.prefix))
        });
        for binding in outer.map(|(_, binding)| binding).chain(own) {
            self.declare(tree.slice(binding.prefix), binding.namespace);
        }
        let prefix = element.name().prefix;
        self.need(prefix, row.namespace);
        let range = row.first_attribute as usize..row.end_attribute as usize;
        for attribute in tree.attributes.get(range).unwrap_or_default() {
            let name = tree.name(attribute.name, attribute.local, attribute.namespace);
            if !name.prefix.is_empty() {
                self.need(name.prefix, attribute.namespace);
            }
        }
        for attribute in element.attributes() {
            let name = attribute.name();
            self.out.push(' ');
            if !name.prefix.is_empty() {
                self.out.extend([name.prefix, ":"]);
            }
            self.out.extend([name.local, "=\""]);
            self.replaced += not_xml(attribute.value());
            push_attribute_value(self.out, attribute.value());
            self.out.push('"');
        }
        if row.end == number + 1 {
            self.out.push_str("/>");
            self.scope.truncate(scope);
        } else {
            self.out.push('>');
            self.open.push((row, scope));
        }
    }

    // Declares a prefix unless it is bound to the namespace already.
    fn need(&mut self, prefix: &'t str, namespace: u32) {
        let bound = self.scope.iter().rev().find(|(known, _)| *known == prefix);
        let bound = bound.map_or(NO_NAMESPACE, |(_, namespace)| *namespace);
        if bound != namespace && namespace != XML {
            self.declare(prefix, namespace);
        }
    }

    fn declare(&mut self, prefix: &'t str, namespace: u32) {
        if namespace == NO_NAMESPACE && !prefix.is_empty() {
            // Namespaces 1.0 cannot unbind a prefix.
            return;
        }
        self.scope.push((prefix, namespace));
        self.out.push_str(" xmlns");
        if !prefix.is_empty() {
            self.out.extend([":", prefix]);
        }
        self.out.push_str("=\"");
        push_attribute_value(self.out, self.tree.namespace(namespace));
        self.out.push('"');
    }
}

fn not_xml(text: &str) -> usize {
    // U+FFFE and U+FFFF begin with EF in UTF-8, as others do.
    if text.bytes().all(|byte| byte >= b' ' && byte != 0xEF) {
        return 0;
    }
    text.chars().filter(|c| !is_xml_char(*c)).count()
}
