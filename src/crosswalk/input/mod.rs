//! What selectors find in a source record, whatever its model.

mod expressions;
mod json;
mod marc;
mod xml;

use std::borrow::Cow;

use super::codes::CodeSet;
use super::plan::{Selector, Step};
use super::run::{Found, Origins, Outcome, Run};
use super::selector::XmlNode;
use super::shape::Quoting;
use super::values::{Sink, position};
use crate::formats::marc21::Field;
use crate::json::tree::Branch;
use crate::xml::tree::Element;

pub use json::JsonInput;
pub use marc::{FieldIndex, MarcInput, indicator};
pub use xml::{XmlInput, found};

/// The source record that is at hand.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source<'r> {
    Marc(MarcInput<'r>),
    Json(JsonInput<'r>),
    Xml(XmlInput<'r>),
}

impl Source<'_> {
    /// All numbers of values are below this one.
    pub fn value_count(&self) -> usize {
        match self {
            Source::Marc(input) => input.marc.value_count(),
            Source::Json(input) => input.value_count(),
            Source::Xml(input) => input.tree.value_count(),
        }
    }

    /// Where a value stands, for people: `245[0] $a`, `creators/creator[2]/@type`.
    pub fn place(&self, value: usize) -> String {
        match self {
            Source::Marc(input) => input.place(value),
            Source::Json(input) => input.place(value).trim_start_matches('.').to_owned(),
            Source::Xml(input) => input.place(value),
        }
    }
}

/// What a rule or item stands on.
#[derive(Debug, Clone)]
pub(super) enum Node<'r> {
    /// The record as a whole.
    Root,
    /// A MARC field.
    Field(Field<'r>),
    /// A JSON value.
    Json(Branch<'r>),
    /// An element, attribute or text.
    Xml(XmlNode<'r>),
    /// A value, for the items that are built around it.
    Value(Found<'r>),
}

impl<'r> Node<'r> {
    /// The subfield codes of the field; all where there is no field.
    pub fn codes(&self) -> CodeSet {
        let Node::Field(field) = self else { return CodeSet::ALL };
        field.outline().map(|(code, ..)| code).collect()
    }
}

impl<'r> Run<'r> {
    pub(super) fn marc(&self) -> Option<MarcInput<'r>> {
        match self.source {
            Source::Marc(input) => Some(input),
            _ => None,
        }
    }

    pub(super) fn json(&self) -> Option<JsonInput<'r>> {
        match self.source {
            Source::Json(input) => Some(input),
            _ => None,
        }
    }

    pub(super) fn xml(&self) -> Option<XmlInput<'r>> {
        match self.source {
            Source::Xml(input) => Some(input),
            _ => None,
        }
    }

    /// The nodes of a step without pipe at one of its selectors, onto the end of `out`.
    pub(super) fn nodes_of(
        &mut self,
        step: &'r Step,
        (n, selector): (usize, &'r Selector),
        context: &Node<'r>,
        out: &mut Vec<Node<'r>>,
    ) -> Outcome<bool> {
        match selector {
            Selector::Marc(selector) if selector.is_whole() => {
                self.fields_of(step, (n, selector), out)
            }
            Selector::Json(path) => {
                self.json_nodes(path, context, out);
                Ok(true)
            }
            Selector::Xml(path) => {
                self.xml_nodes(path, context, out);
                Ok(true)
            }
            Selector::Current => {
                out.push(context.clone());
                Ok(true)
            }
            _ => {
                let mut values = self.spare.pop().unwrap_or_default();
                let sink = &mut Sink::list(&mut values);
                let kept = self.values_of(step, (n, selector), context, sink)?;
                out.extend(values.drain(..).map(Node::Value));
                self.spare.push(values);
                Ok(kept)
            }
        }
    }

    /// The field that a node is, or that its value came from; of several, the first.
    pub(super) fn field_of(&self, node: &Node<'r>) -> Option<Field<'r>> {
        match node {
            Node::Field(field) => Some(*field),
            Node::Value(value) => {
                let origin = self.first_origin(value)? as usize;
                self.marc()?.marc.field_of_value(origin)
            }
            _ => None,
        }
    }

    /// The same of an element.
    fn element_of(&self, node: &Node<'r>) -> Option<Element<'r>> {
        let Node::Value(value) = node else { return None };
        let origin = self.first_origin(value)? as usize;
        self.xml()?.tree.element_of_value(origin)
    }

    /// The first of the record's values that a text came from.
    pub(super) fn first_origin(&self, value: &Found<'_>) -> Option<u32> {
        self.first_of(value.origins)
    }

    pub(super) fn first_of(&self, origins: Origins) -> Option<u32> {
        match origins {
            Origins::Many(from, to) if from < to => self.memory.origins.get(from as usize).copied(),
            Origins::One(value) => Some(value),
            Origins::Span(from, to) if from < to => Some(from),
            _ => None,
        }
    }

    /// The values of a step at one of its selectors; `false` drops the object around it.
    pub(super) fn values_of(
        &mut self,
        step: &'r Step,
        (n, selector): (usize, &'r Selector),
        context: &Node<'r>,
        sink: &mut Sink<'_, 'r>,
    ) -> Outcome<bool> {
        let text = match selector {
            Selector::Marc(selector) if selector.tag.is_some() || selector.leader => {
                return self.record_values(step, (n, selector), sink);
            }
            Selector::Marc(selector) => {
                let field = match (self.field_of(context), self.source) {
                    (Some(field), Source::Marc(input)) if selector.linked => input.linked(field),
                    (field, _) => field,
                };
                return match field {
                    Some(field) => self.field_values(step, selector, field, sink),
                    None if selector.linked => Ok(true),
                    None => self.current(step, context, sink),
                };
            }
            Selector::Json(path) => return self.json_values(step, path, context, sink),
            Selector::Xml(path) => return self.xml_values(step, path, context, sink),
            Selector::Current => return self.current(step, context, sink),
            Selector::Expression(expression) => {
                return self.evaluate(step, expression, context, sink);
            }
            Selector::Tag | Selector::Indicator(_) => {
                let Some(field) = self.field_of(context) else { return Ok(true) };
                match selector {
                    Selector::Indicator(n) => indicator(field, *n),
                    _ => Cow::Borrowed(self.tag_of(field)),
                }
            }
            Selector::Binding(name) => {
                let bound = self.bindings.iter().rev().find(|(bound, _)| bound == name);
                let Some((_, Some(value))) = bound else { return Ok(true) };
                let value = value.clone();
                return self.emit(step, 0, value, sink);
            }
        };
        if let Cow::Borrowed(text) = text
            && self.emit_part(step, (text, Origins::None), sink, Cow::Borrowed)
        {
            return Ok(true);
        }
        self.emit(step, 0, Found::of(text), sink)
    }

    /// Values of a tree, joined if the step says so, into the sink.
    pub(super) fn emit_all(
        &mut self,
        step: &'r Step,
        mut values: Vec<Found<'r>>,
        sink: &mut Sink<'_, 'r>,
    ) -> Outcome<bool> {
        if let (Some(separator), true) = (&step.join, values.len() > 1) {
            let joined = self.join_values(&values, separator);
            values.clear();
            values.push(joined);
        }
        for value in values.drain(..) {
            if let Cow::Borrowed(text) = &value.text
                && value.quoting != Quoting::Raw
                && self.emit_part(step, (text, value.origins), sink, Cow::Borrowed)
            {
                continue;
            }
            if !self.emit(step, 0, value, sink)? {
                return Ok(false);
            }
        }
        self.spare.push(values);
        Ok(true)
    }

    fn current(
        &mut self,
        step: &'r Step,
        context: &Node<'r>,
        sink: &mut Sink<'_, 'r>,
    ) -> Outcome<bool> {
        match self.value_at(context) {
            Some(found) => self.emit(step, 0, found, sink),
            None => Ok(true),
        }
    }

    /// The value of a node: of a field its first subfield, of an element its text.
    pub(super) fn value_at(&self, node: &Node<'r>) -> Option<Found<'r>> {
        match node {
            Node::Value(value) => Some(value.clone()),
            Node::Json(value) => self.json()?.found(*value),
            Node::Xml(node) => Some(found(*node)),
            Node::Field(field) => {
                let subfield = field.subfields().next()?;
                let origins = Origins::One(position(subfield.index));
                Some(Found { origins, ..Found::of(subfield.value) })
            }
            Node::Root => None,
        }
    }

    pub(super) fn tag_of(&self, field: Field<'r>) -> &'r str {
        self.marc().map_or_else(|| field.tag_text(), |input| input.tag_of(field))
    }

    /// What a name in a condition or expression means here.
    pub(super) fn named(&self, name: &str, node: &Node<'r>) -> Option<Found<'r>> {
        if let Some((_, value)) = self.bindings.iter().rev().find(|(bound, _)| *bound == name) {
            return value.clone();
        }
        match (name, node) {
            ("tag", _) => self.field_of(node).map(|field| Found::of(self.tag_of(field))),
            ("ind1", _) => self.field_of(node).map(|field| Found::of(indicator(field, 0))),
            ("ind2", _) => self.field_of(node).map(|field| Found::of(indicator(field, 1))),
            ("value", _) => self.value_at(node),
            (_, Node::Json(value)) => self.json_member(name, *value),
            (_, Node::Xml(node)) => self.xml_member(name, *node),
            (_, Node::Root) => self.json_member(name, self.json()?.root()),
            _ => None,
        }
    }
}
