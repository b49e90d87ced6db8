//! What selectors find: fields and values of MARC records, values of JSON documents.

use std::borrow::Cow;

use super::account::{Account, ClassNumber, State};
use super::codes::CodeSet;
use super::condition::Condition;
use super::plan::{Selector, Step, TagIndex};
use super::run::{Found, Held, Origins, Run};
use super::selector::{JsonPath, MarcSelector, Occurrence, Operand, Subfields};
use super::values::{Place, Sink, position};
use crate::formats::marc21::{Field, Marc, Subfield, Tag};

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
    /// The subfield codes of the field; all where there is no field.
    pub fn codes(&self) -> CodeSet {
        let Node::Field(field) = self else { return CodeSet::ALL };
        field.outline().map(|(code, ..)| code).collect()
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
    /// The class of each field.
    classes: Vec<ClassNumber>,
    /// The number of the tag of each class, or [`NO_SLOT`].
    slots: Vec<u16>,
}

const NO_SLOT: u16 = u16::MAX;

const END: u32 = u32::MAX;

/// A MARC record with its fields sorted out by tag.
#[derive(Debug, Clone, Copy)]
pub(super) struct MarcInput<'r> {
    pub marc: &'r Marc,
    index: &'r FieldIndex,
}

impl<'r> MarcInput<'r> {
    pub fn new(
        marc: &'r Marc,
        tags: &TagIndex,
        account: &mut Account,
        index: &'r mut FieldIndex,
    ) -> MarcInput<'r> {
        index.classes.clear();
        index.classes.extend(marc.fields().map(|field| account.class(field)));
        for class in index.slots.len()..account.classes() {
            let slot = account.tag(class).and_then(|tag| tags.get(tag));
            index.slots.push(slot.unwrap_or(NO_SLOT));
        }
        index.heads.clear();
        index.heads.resize(tags.slots(), END);
        index.nexts.clear();
        index.nexts.resize(marc.len(), END);
        for (at, class) in index.classes.iter().enumerate().rev() {
            let slot = index.slots.get(*class).copied().unwrap_or(NO_SLOT);
            let head = index.heads.get_mut(usize::from(slot));
            if let (Some(head), Some(next)) = (head, index.nexts.get_mut(at)) {
                *next = *head;
                *head = u32::try_from(at).unwrap_or(END);
            }
        }
        MarcInput { marc, index }
    }

    /// The class of each field, in record order.
    pub fn classes(&self) -> &'r [ClassNumber] {
        &self.index.classes
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

    /// Calls `found` with each field that the selector matches, in record order, as long as it
    /// says `true`; the answer is its last.
    fn fields(
        &self,
        selector: &MarcSelector,
        slot: Option<u16>,
        mut found: impl FnMut(Field<'r>) -> Result<bool, Held>,
    ) -> Result<bool, Held> {
        match selector.occurrence {
            None => self.matching(selector, slot, found),
            Some(occurrence) => {
                let mut all = Vec::new();
                self.matching(selector, slot, |field| {
                    all.push(field);
                    Ok(true)
                })?;
                let range = match occurrence {
                    Occurrence::Range(first, last) => {
                        first.min(all.len())..last.saturating_add(1).min(all.len())
                    }
                    Occurrence::FromEnd(back) => all.len().saturating_sub(back + 1)..all.len(),
                };
                for field in all.get(range).unwrap_or_default() {
                    if !found(*field)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }

    fn matching(
        &self,
        selector: &MarcSelector,
        slot: Option<u16>,
        mut found: impl FnMut(Field<'r>) -> Result<bool, Held>,
    ) -> Result<bool, Held> {
        let Some(slot) = slot else {
            let tags = selector.tag.as_ref();
            for field in self.marc.fields() {
                let here = tags.is_some_and(|tags| tags.matches(field.tag()));
                if here && selector.accepts(field) && !found(field)? {
                    return Ok(false);
                }
            }
            return Ok(true);
        };
        let mut at = self.index.heads.get(usize::from(slot)).copied().unwrap_or(END);
        while let Some(field) = self.marc.field(at as usize) {
            if selector.accepts(field) && !found(field)? {
                return Ok(false);
            }
            at = self.index.nexts.get(at as usize).copied().unwrap_or(END);
        }
        Ok(true)
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
    /// The nodes of a step without pipe at one of its selectors, onto the end of `out`.
    pub(super) fn nodes_of(
        &mut self,
        step: &'r Step,
        selector: &'r Selector,
        context: &Node<'r>,
        out: &mut Vec<Node<'r>>,
    ) -> Result<bool, Held> {
        match selector {
            Selector::Marc { selector, slot }
                if selector.subfields == Subfields::Whole && selector.slice.is_none() =>
            {
                let (Some(input), Some(_)) = (self.input, &selector.tag) else { return Ok(true) };
                input.fields(selector, *slot, |field| {
                    self.mark_conditions(selector, field);
                    out.push(Node::Field(field));
                    Ok(true)
                })
            }
            Selector::Json(path) => {
                path.select(self.root, self.current_json(context), &mut |value| {
                    out.push(Node::Json(value));
                });
                Ok(true)
            }
            Selector::Current => {
                out.push(context.clone());
                Ok(true)
            }
            _ => {
                let mut values = self.spare.pop().unwrap_or_default();
                let mut sink = Sink { count: 0, to: Place::List(&mut values) };
                let kept = self.values_of(step, selector, context, &mut sink)?;
                for value in values.drain(..) {
                    let field = self.field_of(&value);
                    out.push(Node::Value(value, field));
                }
                self.spare.push(values);
                Ok(kept)
            }
        }
    }

    fn current_json(&self, context: &Node<'r>) -> &'r serde_json::Value {
        match context {
            Node::Json(current) => current,
            _ => self.root,
        }
    }

    /// The field that a value came from; of several, the first.
    pub(super) fn field_of(&self, value: &Found<'_>) -> Option<Field<'r>> {
        self.input?.marc.field_of_value(self.first_origin(value)? as usize)
    }

    /// The first of the record's values that a text came from.
    pub(super) fn first_origin(&self, value: &Found<'_>) -> Option<u32> {
        match value.origins {
            Origins::Many(from, to) if from < to => self.memory.origins.get(from as usize).copied(),
            Origins::One(value) => Some(value),
            _ => None,
        }
    }

    /// The values of a step at one of its selectors; `false` drops the object around it.
    pub(super) fn values_of(
        &mut self,
        step: &'r Step,
        selector: &'r Selector,
        context: &Node<'r>,
        sink: &mut Sink<'_, 'r>,
    ) -> Result<bool, Held> {
        let text = match selector {
            Selector::Marc { selector, slot } if selector.tag.is_some() => {
                let Some(input) = self.input else { return Ok(true) };
                return input.fields(selector, *slot, |field| {
                    if !selector.conditions.is_empty() {
                        self.mark_conditions(selector, field);
                    }
                    self.field_values(step, selector, field, sink)
                });
            }
            Selector::Marc { selector, .. } if selector.leader => {
                let Some(input) = self.input else { return Ok(true) };
                Cow::Borrowed(slice(selector, input.marc.leader().as_str()))
            }
            Selector::Marc { selector, .. } => {
                let field = match (context.field(), self.input) {
                    (Some(field), Some(input)) if selector.linked => input.linked(field),
                    (field, _) => field,
                };
                return match field {
                    Some(field) => self.field_values(step, selector, field, sink),
                    None if selector.linked => Ok(true),
                    None => self.current(step, context, sink),
                };
            }
            Selector::Json(path) => return self.json_values(step, path, context, sink),
            Selector::Current => return self.current(step, context, sink),
            Selector::Tag | Selector::Indicator(_) => {
                let Some(field) = context.field() else { return Ok(true) };
                match selector {
                    Selector::Indicator(n) => indicator(field, *n),
                    _ => Cow::Borrowed(field.tag_text()),
                }
            }
            Selector::Binding(name) => {
                let bound = self.bindings.iter().rev().find(|(bound, _)| bound == name);
                let Some((_, Some(value))) = bound else { return Ok(true) };
                let value = value.clone();
                return self.emit(step, 0, value, sink);
            }
        };
        self.emit(step, 0, Found::of(text), sink)
    }

    fn json_values(
        &mut self,
        step: &'r Step,
        path: &'r JsonPath,
        context: &Node<'r>,
        sink: &mut Sink<'_, 'r>,
    ) -> Result<bool, Held> {
        let mut values = self.spare.pop().unwrap_or_default();
        path.select(self.root, self.current_json(context), &mut |value| {
            values.extend(json_value(value));
        });
        if let (Some(separator), true) = (&step.join, values.len() > 1) {
            let texts: Vec<_> = values.drain(..).map(|found| found.text).collect();
            values.push(Found::of(texts.join(separator)));
        }
        for value in values.drain(..) {
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
    ) -> Result<bool, Held> {
        let found = match context {
            Node::Value(value, _) => Some(value.clone()),
            Node::Json(value) => json_value(value),
            Node::Field(field) => field.subfields().next().map(|subfield| Found {
                origins: Origins::One(position(subfield.index)),
                ..Found::of(subfield.value)
            }),
            Node::Root => None,
        };
        found.map_or(Ok(true), |found| self.emit(step, 0, found, sink))
    }

    fn field_values(
        &mut self,
        step: &'r Step,
        selector: &MarcSelector,
        field: Field<'r>,
        sink: &mut Sink<'_, 'r>,
    ) -> Result<bool, Held> {
        if let (Subfields::Listed(codes, _), true) = (&selector.subfields, step.listed) {
            let subfields = codes.iter().flat_map(|code| {
                let code = *code;
                field.subfields_of(move |other| other == code)
            });
            return self.subfields(step, selector, subfields, sink);
        }
        let codes = selector.subfields.codes();
        self.subfields(step, selector, field.subfields_of(|code| codes.contains(code)), sink)
    }

    fn subfields(
        &mut self,
        step: &'r Step,
        selector: &MarcSelector,
        subfields: impl Iterator<Item = Subfield<'r>>,
        sink: &mut Sink<'_, 'r>,
    ) -> Result<bool, Held> {
        let parts = subfields.map(|part| (part.index, slice(selector, part.value)));
        if let Some(separator) = &step.join {
            let joined = self.joined(parts, separator);
            return joined.map_or(Ok(true), |found| self.emit(step, 0, found, sink));
        }
        for (index, text) in parts {
            let origins = Origins::One(position(index));
            if !self.emit(step, 0, Found { origins, ..Found::of(text) }, sink)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What a selector's conditions looked at counts as read.
    fn mark_conditions(&mut self, selector: &MarcSelector, field: Field<'r>) {
        for test in selector.conditions.iter().flatten() {
            if let Operand::Subfields(subfields) = &test.operand {
                for subfield in field.subfields().filter(|s| subfields.contains(s.code)) {
                    self.mark(Origins::One(position(subfield.index)), State::Read);
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
                    node.field().map(|field| Cow::Borrowed(field.tag_text()))
                }
                ("ind1", _) => node.field().map(|field| indicator(field, 0)),
                ("ind2", _) => node.field().map(|field| indicator(field, 1)),
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

/// An indicator as text, a blank as `_`.
fn indicator(field: Field<'_>, n: usize) -> Cow<'static, str> {
    const DIGITS: &str = "0123456789";
    match field.indicators().get(n).copied() {
        None | Some(' ') => Cow::Borrowed("_"),
        Some(c) => {
            match c.to_digit(10).and_then(|digit| DIGITS.get(digit as usize..=digit as usize)) {
                Some(digit) => Cow::Borrowed(digit),
                None => Cow::Owned(c.to_string()),
            }
        }
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
    Some(Found { raw, ..Found::of(text) })
}
