//! The straight way of a leaf: from the record into the output, without lists on the way.
//!
//! Most items of most crosswalks are constants, the value at hand, or texts of the field at hand
//! that a pipe cuts to measure. Those are told when the plan is made, and written as they are read.
//! What makes a new text, fails or is traced goes the general way ([`Run::leaf`]); both give the
//! same.

use std::borrow::Cow;

use super::account::{ClassNumber, State};
use super::input::{Node, indicator};
use super::known::Known;
use super::objects::Members;
use super::plan::{Fallback, Selector, Step};
use super::run::{Found, Origins, Outcome, Run};
use super::selector::MarcSelector;
use super::shape::{Quoting, Target};
use super::syntax::Take;
use super::transforms::Part;
use super::values::{Sink, Written, is_blank, position};
use super::way::Way;
use crate::formats::marc21::Field;

impl<'r> Run<'r> {
    /// The first value of a binding to subfields of the field at hand, marked as
    /// [`Run::binding`] does it.
    pub(super) fn straight_binding(
        &mut self,
        step: &'r Step,
        field: Field<'r>,
    ) -> Outcome<Option<Found<'r>>> {
        let mut first = None;
        let others = if step.take == Take::First { State::Dropped } else { State::Read };
        for (selector, _) in &step.from {
            let Selector::Marc(selector) = selector else { continue };
            // Of several selectors the first that finds anything counts.
            if first.is_some() {
                break;
            }
            let codes = selector.codes;
            for part in field.subfields_of(|code| codes.contains(code)) {
                let found =
                    Found { origins: Origins::One(position(part.index)), ..Found::of(part.value) };
                let mut keep = |run: &mut Self, found: Found<'r>| {
                    run.mark(found.origins, if first.is_none() { State::Read } else { others });
                    first.get_or_insert(found);
                };
                match step.pipe.part_of(part.value).0 {
                    _ if is_blank(part.value) => {}
                    Part::Text(text) if !is_blank(text) => {
                        keep(self, Found { text: Cow::Borrowed(text), ..found });
                    }
                    Part::Text(_) | Part::Nothing => self.mark(found.origins, State::Dropped),
                    Part::Other => {
                        let mut values = self.spare.pop().unwrap_or_default();
                        self.emit(step, 0, found, &mut Sink::list(&mut values))?;
                        values.drain(..).for_each(|value| keep(self, value));
                        self.spare.push(values);
                    }
                }
            }
        }
        Ok(first)
    }

    /// Runs an item of an object that has a straight way.
    #[inline(always)]
    pub(super) fn straight(
        &mut self,
        item: &'r Step,
        target: Target,
        node: &Node<'r>,
        members: &mut Members<'_, 'r>,
    ) -> Outcome<bool> {
        if item.when.is_some() && !self.holds(item, item.when.as_ref(), node)? {
            return Ok(true);
        }
        let value = match (&item.constant, node) {
            (Some((text, quoting)), _) => {
                Written { text, quoting: *quoting, origins: Origins::None }
            }
            (None, Node::Value(found)) if item.way == Way::Copy && !found.is_blank() => {
                Written::of(found)
            }
            _ => return self.straight_values(item, target, node, members),
        };
        self.put(item, target, value, members);
        Ok(true)
    }

    /// Writes what the selectors of an item find in the field at hand.
    #[inline(never)]
    fn straight_values(
        &mut self,
        item: &'r Step,
        target: Target,
        node: &Node<'r>,
        members: &mut Members<'_, 'r>,
    ) -> Outcome<bool> {
        let mut count = 0;
        for (n, (selector, _)) in item.from.iter().enumerate() {
            // Of several selectors the first that finds anything counts.
            if count > 0 {
                break;
            }
            let kept = match (selector, node) {
                (Selector::Marc(selector), Node::Field(field)) if item.way == Way::Field => {
                    self.straight_subfields(item, target, (selector, *field), members, &mut count)?
                }
                (Selector::Binding(name), _) if item.pipe.steps.is_empty() => {
                    let bound = self.bindings.iter().rev().find(|(bound, _)| bound == name);
                    if let Some((_, Some(found))) = bound
                        && !found.is_blank()
                    {
                        let found = found.clone();
                        self.put(item, target, Written::of(&found), members);
                        count += 1;
                    }
                    true
                }
                (Selector::Tag | Selector::Indicator(_), _)
                    if let Some(known) = self.known_of(item, selector, node) =>
                {
                    if let Known::Text(text, quoting) = &known.1 {
                        let value = Written { text, quoting: *quoting, origins: Origins::None };
                        self.put(item, target, value, members);
                        count += 1;
                    }
                    let (place, known) = known;
                    self.memory.known.put(place.0, place.1, known);
                    true
                }
                _ => {
                    let mut sink = Sink { count, to: members.place(target) };
                    let kept = self.values_of(item, (n, selector), node, &mut sink)?;
                    count = sink.count;
                    kept
                }
            };
            if !kept {
                return Ok(false);
            }
        }
        if count > 0 || item.ahead.idle {
            return Ok(true);
        }
        if let Some(Fallback::Text(text)) = &item.default {
            let value = Written { text, quoting: Quoting::Escaped, origins: Origins::None };
            self.put(item, target, value, members);
            return Ok(true);
        }
        self.missing(item, node, &mut Sink { count: 0, to: members.place(target) })
    }

    /// What a step makes of the tag or an indicator of the field at hand, taken from where it is
    /// remembered; `None` where that depends on more.
    #[inline]
    fn known_of(
        &mut self,
        item: &'r Step,
        selector: &Selector,
        node: &Node<'r>,
    ) -> Option<((ClassNumber, usize), Known)> {
        let number = item.known?;
        let field = self.field_of(node)?;
        let class = self.class_of(field)?;
        let known = match self.memory.known.take(class, number) {
            Known::NotYet => self.learn(item, selector, field)?,
            known => known,
        };
        Some(((class, number), known))
    }

    #[cold]
    fn learn(&self, item: &Step, selector: &Selector, field: Field<'r>) -> Option<Known> {
        let text = match selector {
            Selector::Indicator(n) => indicator(field, *n),
            _ => Cow::Borrowed(self.tag_of(field)),
        };
        match item.pipe.part_of(&text).0 {
            Part::Text(part) if !is_blank(part) => {
                Some(Known::Text(part.to_owned(), Quoting::of(part)))
            }
            Part::Text(_) | Part::Nothing => Some(Known::Nothing),
            Part::Other => None,
        }
    }

    /// Writes subfields of a field.
    #[inline(always)]
    fn straight_subfields(
        &mut self,
        item: &'r Step,
        target: Target,
        (selector, field): (&MarcSelector, Field<'r>),
        members: &mut Members<'_, 'r>,
        count: &mut usize,
    ) -> Outcome<bool> {
        let codes = selector.codes;
        let parts = field.subfields_of(|code| codes.contains(code));
        let parts = parts.map(|part| (part.index, part.value));
        if let Some(separator) = &item.join {
            return match self.joined(parts, separator) {
                None => Ok(true),
                Some(found) => self.straight_found(item, target, found, members, count),
            };
        }
        for (index, text) in parts {
            let origins = Origins::One(position(index));
            if !self.straight_text(item, target, (text, origins), members, count) {
                let mut sink = Sink { count: *count, to: members.place(target) };
                let kept = self.emit(item, 0, Found { origins, ..Found::of(text) }, &mut sink)?;
                *count = sink.count;
                if !kept {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    #[inline(always)]
    fn straight_found(
        &mut self,
        item: &'r Step,
        target: Target,
        found: Found<'r>,
        members: &mut Members<'_, 'r>,
        count: &mut usize,
    ) -> Outcome<bool> {
        let part = (&*found.text, found.origins);
        if self.straight_text(item, target, part, members, count) {
            self.reuse(found);
            return Ok(true);
        }
        let mut sink = Sink { count: *count, to: members.place(target) };
        let kept = self.emit(item, 0, found, &mut sink);
        *count = sink.count;
        kept
    }

    /// Writes what the pipe makes of a text; `false` where it makes a new text of it.
    #[inline(always)]
    fn straight_text(
        &mut self,
        item: &'r Step,
        target: Target,
        (text, origins): (&str, Origins),
        members: &mut Members<'_, 'r>,
        count: &mut usize,
    ) -> bool {
        if is_blank(text) {
            return true;
        }
        if !target.many && members.has(target.slot) {
            self.mark(origins, State::Dropped);
            *count += 1;
            return true;
        }
        match item.pipe.part_of(text) {
            (Part::Text(text), plain) if !is_blank(text) => {
                let quoting = if plain { Quoting::Plain } else { Quoting::Escaped };
                self.put(item, target, Written { text, quoting, origins }, members);
                *count += 1;
            }
            (Part::Text(_) | Part::Nothing, _) => self.mark(origins, State::Dropped),
            (Part::Other, _) => return false,
        }
        true
    }

    /// What [`Run::write`] does in JSON, where nothing is traced.
    #[inline(always)]
    fn put(
        &mut self,
        step: &Step,
        target: Target,
        value: Written<'_>,
        members: &mut Members<'_, 'r>,
    ) {
        let Written { text, quoting, origins } = value;
        match members {
            Members::Flat(draft) if draft.has(target.slot) => {
                return self.mark(origins, State::Dropped);
            }
            Members::Flat(draft) => draft.push(target.slot, text, quoting),
            Members::Stitched(buffers) if !target.many && buffers.has(target.slot) => {
                return self.mark(origins, State::Dropped);
            }
            Members::Stitched(buffers) => {
                let unique = step.unique && target.many;
                buffers.push(target.slot, unique, |out| quoting.push(text, out));
            }
        }
        self.mark(origins, State::Mapped);
        self.used(step.number);
        self.sure &= step.check.passes(text, quoting == Quoting::Raw);
    }
}
