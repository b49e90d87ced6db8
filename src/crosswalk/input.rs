//! What selectors find: fields and values of MARC records, values of JSON documents.

use std::borrow::Cow;

use super::account::State;
use super::condition::Condition;
use super::plan::{Selector, TagIndex};
use super::run::{Found, Run};
use super::selector::{MarcSelector, Occurrence, Operand, Subfields};
use super::transforms::text::trimmed;
use crate::formats::marc21::{Field, Marc, Tag};

/// What a rule or item stands on.
#[derive(Debug, Clone)]
pub(super) enum Node<'r> {
    /// The record as a whole.
    Root,
    /// A MARC field.
    Field(Field<'r>),
    /// A value, and the field it came from.
    Value(Found<'r>, Option<Field<'r>>),
    /// A JSON value.
    Json(&'r serde_json::Value),
}

impl<'r> Node<'r> {
    /// The subfield codes of the field, one bit each; all bits where there is no field.
    pub fn codes(&self) -> u128 {
        let Node::Field(field) = self else { return u128::MAX };
        let bits = field.subfields().filter_map(|s| 1_u128.checked_shl(u32::from(s.code)));
        bits.fold(0, |codes, bit| codes | bit)
    }

    fn field(&self) -> Option<Field<'r>> {
        match self {
            Node::Field(field) => Some(*field),
            Node::Value(_, field) => *field,
            Node::Root | Node::Json(_) => None,
        }
    }
}

/// For each numbered tag the positions of its fields: a list of lists in two arrays.
#[derive(Debug, Default)]
pub struct FieldIndex {
    heads: Vec<u32>,
    nexts: Vec<u32>,
}

const END: u32 = u32::MAX;

/// A MARC record with its fields sorted out by tag.
#[derive(Debug, Clone, Copy)]
pub(super) struct MarcInput<'r> {
    pub marc: &'r Marc,
    index: &'r FieldIndex,
}

impl<'r> MarcInput<'r> {
    pub fn new(marc: &'r Marc, tags: &TagIndex, index: &'r mut FieldIndex) -> MarcInput<'r> {
        index.heads.clear();
        index.heads.resize(tags.slots(), END);
        index.nexts.clear();
        index.nexts.resize(marc.len(), END);
        for at in (0..marc.len()).rev() {
            let tag = marc.field(at).map(Field::tag);
            let slot = tag.and_then(|tag| tags.get(tag)).map(usize::from);
            let head = slot.and_then(|slot| index.heads.get_mut(slot));
            if let (Some(head), Some(next)) = (head, index.nexts.get_mut(at)) {
                *next = *head;
                *head = u32::try_from(at).unwrap_or(END);
            }
        }
        MarcInput { marc, index }
    }

    /// Whether a record-wide selector can find anything: `false` when no field has its tag.
    pub fn has(&self, selector: &Selector) -> bool {
        match selector {
            Selector::Marc { slot: Some(slot), .. } => {
                self.index.heads.get(usize::from(*slot)).is_some_and(|head| *head != END)
            }
            _ => true,
        }
    }

    /// Calls `found` with each field that the selector matches, in record order.
    fn fields(&self, selector: &MarcSelector, slot: Option<u16>, mut found: impl FnMut(Field<'r>)) {
        match selector.occurrence {
            None => self.matching(selector, slot, found),
            Some(occurrence) => {
                let mut all = Vec::new();
                self.matching(selector, slot, |field| all.push(field));
                let range = match occurrence {
                    Occurrence::Range(first, last) => {
                        first.min(all.len())..last.saturating_add(1).min(all.len())
                    }
                    Occurrence::FromEnd(back) => all.len().saturating_sub(back + 1)..all.len(),
                };
                all.get(range).unwrap_or_default().iter().for_each(|field| found(*field));
            }
        }
    }

    fn matching(
        &self,
        selector: &MarcSelector,
        slot: Option<u16>,
        mut found: impl FnMut(Field<'r>),
    ) {
        let Some(slot) = slot else {
            let tags = selector.tag.as_ref();
            self.marc
                .fields()
                .filter(|field| tags.is_some_and(|tags| tags.matches(field.tag())))
                .filter(|field| selector.accepts(*field))
                .for_each(found);
            return;
        };
        let mut at = self.index.heads.get(usize::from(slot)).copied().unwrap_or(END);
        while let Some(field) = self.marc.field(at as usize) {
            if selector.accepts(field) {
                found(field);
            }
            at = self.index.nexts.get(at as usize).copied().unwrap_or(END);
        }
    }

    /// The 880 that is paired with `field` by `$6` (MARC 21, Appendix A).
    fn linked(&self, field: Field<'r>) -> Option<Field<'r>> {
        let (tag, occurrence) = linkage(field.subfield('6')?)?;
        if tag != "880" || occurrence == "00" {
            return None;
        }
        self.marc.fields().filter(|other| other.tag() == Tag(*b"880")).find(|other| {
            other.subfield('6').and_then(linkage).is_some_and(|(back, number)| {
                number == occurrence && back.as_bytes() == field.tag().0
            })
        })
    }
}

/// Tag and occurrence number of `880-01/$1`.
fn linkage(text: &str) -> Option<(&str, &str)> {
    let (tag, rest) = text.trim().split_once('-')?;
    Some((tag, rest.get(..2)?))
}

impl<'r> Run<'r> {
    /// The nodes of a selector onto the end of `out`.
    pub(super) fn nodes_of(
        &mut self,
        selector: &'r Selector,
        context: &Node<'r>,
        out: &mut Vec<Node<'r>>,
    ) {
        match selector {
            Selector::Marc { selector, slot }
                if selector.subfields == Subfields::Whole && selector.slice.is_none() =>
            {
                if let (Some(input), Some(_)) = (self.input, &selector.tag) {
                    input.fields(selector, *slot, |field| {
                        self.mark_conditions(selector, field);
                        out.push(Node::Field(field));
                    });
                }
            }
            Selector::Json(path) => {
                let current = match context {
                    Node::Json(current) => current,
                    _ => self.root,
                };
                path.select(self.root, current, &mut |value| out.push(Node::Json(value)));
            }
            Selector::Current => out.push(context.clone()),
            _ => {
                let mut values = self.spare.pop().unwrap_or_default();
                self.values_of(selector, None, false, context, &mut values);
                for value in values.drain(..) {
                    let field = self.field_of(&value);
                    out.push(Node::Value(value, field));
                }
                self.spare.push(values);
            }
        }
    }

    /// The field that a value came from; of several, the first.
    pub(super) fn field_of(&self, value: &Found<'_>) -> Option<Field<'r>> {
        let (first, end) = value.origins;
        let origin = self.origins.get(first as usize).filter(|_| first < end)?;
        self.input?.marc.field_of_value(*origin as usize)
    }

    /// The values of a selector, untransformed, onto the end of `out`.
    pub(super) fn values_of(
        &mut self,
        selector: &'r Selector,
        join: Option<&str>,
        listed: bool,
        context: &Node<'r>,
        out: &mut Vec<Found<'r>>,
    ) {
        match selector {
            Selector::Marc { selector, slot } => {
                let Some(input) = self.input else { return };
                if selector.leader {
                    let text = slice(selector, input.marc.leader().as_str());
                    out.push(Found { text: Cow::Borrowed(text), raw: false, origins: (0, 0) });
                } else if selector.tag.is_some() {
                    input.fields(selector, *slot, |field| {
                        self.mark_conditions(selector, field);
                        self.field_values(selector, field, join, listed, out);
                    });
                } else {
                    let field = context.field();
                    let field = match field {
                        Some(field) if selector.linked => input.linked(field),
                        other => other,
                    };
                    match field {
                        Some(field) => self.field_values(selector, field, join, listed, out),
                        None if selector.linked => {}
                        None => self.current(context, out),
                    }
                }
            }
            Selector::Json(path) => {
                let current = match context {
                    Node::Json(current) => current,
                    _ => self.root,
                };
                let start = out.len();
                path.select(self.root, current, &mut |value| out.extend(json_value(value)));
                if let (Some(separator), true) = (join, out.len() > start + 1) {
                    let texts: Vec<_> = out.drain(start..).map(|found| found.text).collect();
                    let text = Cow::Owned(texts.join(separator));
                    out.push(Found { text, raw: false, origins: (0, 0) });
                }
            }
            Selector::Current => self.current(context, out),
            Selector::Tag | Selector::Indicator(_) => {
                let Some(field) = context.field() else { return };
                let text = match selector {
                    Selector::Indicator(n) => indicator(field, *n),
                    _ => field.tag().to_string(),
                };
                out.push(Found { text: Cow::Owned(text), raw: false, origins: (0, 0) });
            }
            Selector::Binding(name) => {
                let bound = self.bindings.iter().rev().find(|(bound, _)| bound == name);
                out.extend(bound.and_then(|(_, value)| value.clone()));
            }
        }
    }

    fn current(&mut self, context: &Node<'r>, out: &mut Vec<Found<'r>>) {
        match context {
            Node::Value(value, _) => out.push(value.clone()),
            Node::Json(value) => out.extend(json_value(value)),
            Node::Field(field) => {
                let first = self.next_origin();
                let Some(subfield) = field.subfields().next() else { return };
                self.origins.push(u32::try_from(subfield.index).unwrap_or(u32::MAX));
                let origins = (first, self.next_origin());
                out.push(Found { text: Cow::Borrowed(subfield.value), raw: false, origins });
            }
            Node::Root => {}
        }
    }

    fn field_values(
        &mut self,
        selector: &MarcSelector,
        field: Field<'r>,
        join: Option<&str>,
        listed: bool,
        out: &mut Vec<Found<'r>>,
    ) {
        let start = out.len();
        let first = self.next_origin();
        match (&selector.subfields, listed) {
            (Subfields::Listed(codes, _), true) => {
                for code in codes {
                    field.subfields().filter(|subfield| subfield.code == *code).for_each(
                        |subfield| self.found(selector, subfield.index, subfield.value, out),
                    );
                }
            }
            (wanted, _) => {
                for subfield in field.subfields_of(|code| wanted.contains(code)) {
                    self.found(selector, subfield.index, subfield.value, out);
                }
            }
        }
        if let (Some(separator), true) = (join, out.len() > start + 1) {
            let length = |found: &Found<'_>| found.text.len() + separator.len();
            let capacity = out.iter().skip(start).map(length).sum();
            let mut joined = String::with_capacity(capacity);
            for found in out.drain(start..) {
                let part = trimmed(&found.text);
                if !joined.is_empty() && !part.is_empty() {
                    joined.push_str(separator);
                }
                joined.push_str(part);
            }
            let origins = (first, self.next_origin());
            out.push(Found { text: Cow::Owned(joined), raw: false, origins });
        }
    }

    fn found(
        &mut self,
        selector: &MarcSelector,
        index: usize,
        value: &'r str,
        out: &mut Vec<Found<'r>>,
    ) {
        let first = self.next_origin();
        self.origins.push(u32::try_from(index).unwrap_or(u32::MAX));
        let text = Cow::Borrowed(slice(selector, value));
        out.push(Found { text, raw: false, origins: (first, first + 1) });
    }

    /// What a selector's conditions looked at counts as read.
    fn mark_conditions(&mut self, selector: &MarcSelector, field: Field<'r>) {
        for test in selector.conditions.iter().flatten() {
            if let Operand::Subfields(subfields) = &test.operand {
                for subfield in field.subfields().filter(|s| subfields.contains(s.code)) {
                    self.mark_value(subfield.index, State::Read);
                }
            }
        }
    }

    /// Whether a condition holds; none always does.
    pub(super) fn holds(&self, condition: Option<&Condition>, node: &Node<'r>) -> bool {
        let Some(condition) = condition else { return true };
        condition.holds(&|name| {
            if let Some((_, value)) = self.bindings.iter().rev().find(|(bound, _)| *bound == name) {
                return value.as_ref().map(|found| found.text.clone());
            }
            match (name, node) {
                ("tag", _) if node.field().is_some() => {
                    node.field().map(|field| Cow::Owned(field.tag().to_string()))
                }
                ("ind1", _) => node.field().map(|field| Cow::Owned(indicator(field, 0))),
                ("ind2", _) => node.field().map(|field| Cow::Owned(indicator(field, 1))),
                ("value", Node::Value(found, _)) => Some(found.text.clone()),
                ("value", Node::Field(field)) => Some(Cow::Borrowed(field.value())),
                (_, Node::Json(value)) => {
                    let mut names = name.split('.').filter(|name| *name != "value");
                    let value = names.try_fold(*value, |value, name| value.get(name))?;
                    json_value(value).map(|found| found.text)
                }
                _ => None,
            }
        })
    }
}

fn indicator(field: Field<'_>, n: usize) -> String {
    match field.indicators().get(n) {
        None | Some(' ') => "_".to_owned(),
        Some(c) => c.to_string(),
    }
}

fn slice<'t>(selector: &MarcSelector, text: &'t str) -> &'t str {
    selector.slice.map_or(text, |slice| slice.of(text))
}

/// A JSON value as a value: text as it is, anything else as its JSON.
fn json_value(value: &serde_json::Value) -> Option<Found<'_>> {
    let (text, raw) = match value {
        serde_json::Value::Null => return None,
        serde_json::Value::String(text) => (Cow::Borrowed(text.as_str()), false),
        other => (Cow::Owned(other.to_string()), true),
    };
    Some(Found { text, raw, origins: (0, 0) })
}
