//! Values of a step: found by its selectors, transformed by its pipe, chosen by `take`.

use std::borrow::Cow;

use super::account::State;
use super::input::Node;
use super::plan::Step;
use super::run::{Found, Held, Origins, Outcome, Run};
use super::shape::{Buffer, Target};
use super::syntax::{Policy, Take};
use super::transforms::{Applied, numbers, settled, text};

/// Where the values of a step go, one by one.
pub(super) struct Sink<'s, 'r> {
    /// How many have gone there.
    pub count: usize,
    pub to: Place<'s, 'r>,
}

pub(super) enum Place<'s, 'r> {
    /// Into a list, to choose from.
    List(&'s mut Vec<Found<'r>>),
    /// Into the output.
    Leaf(Target, &'s mut [Buffer]),
}

impl<'r> Run<'r> {
    /// The values of a step, transformed and chosen; `false` drops the object around it.
    pub(super) fn values(
        &mut self,
        step: &'r Step,
        node: &Node<'r>,
        out: &mut Vec<Found<'r>>,
    ) -> Outcome<bool> {
        if let Some((text, raw)) = &step.constant {
            out.push(Found { raw: *raw, ..Found::of(text) });
            return Ok(true);
        }
        if !self.gather(step, node, &mut Sink { count: 0, to: Place::List(out) })? {
            return Ok(false);
        }
        if step.sorted && step.take != Take::FirstMatch {
            out.sort_by_key(|found| self.first_origin(found));
        }
        if step.pipe.has_lists() && !self.finish_lists(step, out)? {
            return Ok(false);
        }
        self.take(&step.take, out);
        Ok(true)
    }

    /// Everything that the selectors of a step find, transformed; `false` drops the object.
    pub(super) fn gather(
        &mut self,
        step: &'r Step,
        node: &Node<'r>,
        sink: &mut Sink<'_, 'r>,
    ) -> Outcome<bool> {
        for (selector, _) in &step.from {
            if !self.may_find(selector) {
                continue;
            }
            if step.take == Take::FirstMatch && sink.count > 0 {
                break;
            }
            if !self.values_of(step, selector, node, sink)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Puts a value through the pipe from step `from` on, and what comes out into the sink;
    /// blank values are left out. `false` drops the object.
    pub(super) fn emit(
        &mut self,
        step: &'r Step,
        from: usize,
        mut found: Found<'r>,
        sink: &mut Sink<'_, 'r>,
    ) -> Outcome<bool> {
        if found.is_blank() {
            return Ok(true);
        }
        if let Place::Leaf(target, buffers) = &sink.to
            && !target.many
            && buffers.get(target.slot).is_some_and(|buffer| !buffer.is_empty())
        {
            // The place is taken: no need to know what would have become of the value.
            self.mark(found.origins, State::Dropped);
            sink.count += 1;
            return Ok(true);
        }
        let piped = match step.pipe.steps.is_empty() {
            true => Piped::Value,
            false => self.pipe(step, from, &mut found)?,
        };
        match piped {
            Piped::Value => {
                sink.count += 1;
                match &mut sink.to {
                    Place::List(out) => out.push(found),
                    Place::Leaf(target, buffers) => {
                        self.write(&found, step, *target, buffers);
                    }
                }
            }
            Piped::Nothing => {}
            Piped::Many(many) => {
                let (next, texts) = *many;
                if texts.iter().all(|text| text::trimmed(text).is_empty()) {
                    self.mark(found.origins, State::Dropped);
                }
                for text in texts {
                    let found = Found { text, raw: false, origins: found.origins };
                    if !self.emit(step, next, found, sink)? {
                        return Ok(false);
                    }
                }
            }
            Piped::Drops => return Ok(false),
        }
        Ok(true)
    }

    /// Subfields (position and text) as one value; blank ones are left out.
    pub(super) fn joined(
        &mut self,
        parts: impl Iterator<Item = (usize, &'r str)>,
        separator: &str,
    ) -> Option<Found<'r>> {
        let start = position(self.memory.origins.len());
        let (mut only, mut first) = ("", Origins::None);
        let mut joined = String::new();
        for (index, part) in parts {
            let part = text::trimmed(part);
            if part.is_empty() {
                continue;
            }
            if only.is_empty() {
                (only, first) = (part, Origins::One(position(index)));
            } else {
                if joined.is_empty() {
                    joined.reserve(4 * (only.len() + part.len()));
                    joined.push_str(only);
                }
                joined.push_str(separator);
                joined.push_str(part);
            }
            self.memory.origins.push(position(index));
        }
        if joined.is_empty() {
            let found = Found { text: Cow::Borrowed(only), raw: false, origins: first };
            return (!only.is_empty()).then_some(found);
        }
        let origins = Origins::Many(start, position(self.memory.origins.len()));
        Some(Found { text: Cow::Owned(joined), raw: false, origins })
    }

    /// Applies the pipe from step `from` on, in place.
    fn pipe(&mut self, step: &'r Step, from: usize, found: &mut Found<'r>) -> Outcome<Piped<'r>> {
        if let Some(trace) = &mut self.memory.trace {
            trace.begin(&found.text);
        }
        let settled = from < step.pipe.settled
            && self.memory.trace.is_none()
            && (settled::is_settled(&found.text)
                || step.pipe.beyond_ascii && settled::is_settled_beyond_ascii(&found.text));
        let from = if settled { step.pipe.settled } else { from };
        let steps = step.pipe.steps.get(from..step.pipe.end(from)).unwrap_or_default();
        for (n, transform) in (from..).zip(steps) {
            match transform.apply(std::mem::take(&mut found.text)) {
                Applied::One(text) => {
                    // What a step has made of a number is written as a number only if it is one.
                    found.raw = found.raw && numbers::is_number(&text);
                    found.text = text;
                }
                Applied::Number(digits) => {
                    (found.text, found.raw) = (Cow::Owned(digits), true);
                }
                Applied::None => {
                    self.mark(found.origins, State::Dropped);
                    return Ok(Piped::Nothing);
                }
                Applied::Many(texts) => return Ok(Piped::Many(Box::new((n + 1, texts)))),
                Applied::Failed(code, text) => {
                    found.text = text;
                    return self.failed(step, n, code, found);
                }
            }
            if let Some(trace) = &mut self.memory.trace {
                trace.step(step.pipe.names.get(n).map_or("?", String::as_str), &found.text);
            }
        }
        if found.is_blank() {
            self.mark(found.origins, State::Dropped);
            return Ok(Piped::Nothing);
        }
        Ok(Piped::Value)
    }

    #[cold]
    fn failed(
        &mut self,
        step: &'r Step,
        n: usize,
        code: &'static str,
        found: &mut Found<'r>,
    ) -> Outcome<Piped<'r>> {
        let origins = found.origins;
        if !matches!(step.on_error, Policy::Quarantine | Policy::Fail) {
            self.account.problem(&step.label, code, self.id, &found.text);
        }
        match &step.on_error {
            Policy::Keep => {
                found.raw = false;
                self.pipe(step, n + 1, found)
            }
            Policy::Default(text) => {
                self.mark(origins, State::Failed);
                *found = Found::of(text);
                Ok(Piped::Value)
            }
            Policy::Quarantine | Policy::Fail => {
                let name = step.pipe.names.get(n).map_or("?", String::as_str);
                Err(Box::new(Held {
                    rule: step.label.clone(),
                    code: code.to_owned(),
                    message: format!("{name} cannot take {:?}", clipped(&found.text)),
                    fatal: step.on_error == Policy::Fail,
                }))
            }
            Policy::Ok | Policy::Warn | Policy::Skip(_) => {
                self.mark(origins, State::Failed);
                Ok(if step.error_drops_object { Piped::Drops } else { Piped::Nothing })
            }
        }
    }

    /// Several values as one, which comes from where they come from.
    pub(super) fn join_values(&mut self, values: &[Found<'r>], separator: &str) -> Found<'r> {
        let texts: Vec<&str> = values.iter().map(|v| v.text.as_ref()).collect();
        let text = Cow::Owned(texts.join(separator));
        let origins = self.together(values.iter().map(|value| value.origins));
        Found { text, raw: false, origins }
    }

    fn take(&mut self, take: &Take, values: &mut Vec<Found<'r>>) {
        if values.len() < 2 || matches!(take, Take::All | Take::FirstMatch) {
            return;
        }
        let chosen = match take {
            Take::Last => values.len() - 1,
            Take::Longest => {
                let longest = values.iter().map(|v| v.text.chars().count()).max();
                let is_longest = |v: &Found<'_>| Some(v.text.chars().count()) == longest;
                values.iter().position(is_longest).unwrap_or(0)
            }
            Take::Earliest => {
                let by_text = |(_, a): &(usize, &Found<'_>), (_, b): &(usize, &Found<'_>)| {
                    a.text.cmp(&b.text)
                };
                values.iter().enumerate().min_by(by_text).map_or(0, |(n, _)| n)
            }
            Take::AllJoined(separator) => {
                let joined = self.join_values(values, separator);
                values.clear();
                values.push(joined);
                return;
            }
            Take::First | Take::All | Take::FirstMatch => 0,
        };
        for (n, value) in values.iter().enumerate() {
            if n != chosen {
                self.mark(value.origins, State::Dropped);
            }
        }
        values.swap(0, chosen);
        values.truncate(1);
    }
}

/// What a pipe makes of one value.
enum Piped<'r> {
    /// One value, in the place of what was there.
    Value,
    Nothing,
    /// Texts for the steps from the one with this number on.
    Many(Box<(usize, Vec<Cow<'r, str>>)>),
    /// A policy leaves out the object around.
    Drops,
}

/// A position among the values of a record, which has far fewer than 2^32.
pub(super) fn position(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn clipped(value: &str) -> &str {
    let end = value.char_indices().nth(80).map_or(value.len(), |(at, _)| at);
    value.get(..end).unwrap_or(value)
}
