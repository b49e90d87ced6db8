//! Values of a step: found by its selectors, transformed by its pipe, chosen by `take`.

use std::borrow::Cow;

use super::account::State;
use super::input::Node;
use super::plan::Step;
use super::run::{Found, Held, Origins, Outcome, Run};
use super::shape::{Buffers, Draft, Quoting, Slot, Target};
use super::syntax::{Policy, Take};
use super::transforms::{Applied, Part, numbers, settled, text};

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
    Leaf(Target, &'s mut Buffers),
    /// Into an object that is written as it comes.
    Member(Slot, &'s mut Draft<'r>),
}

impl<'s, 'r> Sink<'s, 'r> {
    pub fn list(list: &'s mut Vec<Found<'r>>) -> Sink<'s, 'r> {
        Sink { count: 0, to: Place::List(list) }
    }

    pub fn leaf(target: Target, buffers: &'s mut Buffers) -> Sink<'s, 'r> {
        Sink { count: 0, to: Place::Leaf(target, buffers) }
    }

    /// Whether there is room for one value only, and it is taken.
    #[inline]
    pub fn is_taken(&self) -> bool {
        match &self.to {
            Place::List(_) => false,
            Place::Leaf(target, buffers) => !target.many && buffers.has(target.slot),
            Place::Member(slot, draft) => draft.has(*slot),
        }
    }
}

/// A value as it is written.
#[derive(Clone, Copy)]
pub(super) struct Written<'t> {
    pub text: &'t str,
    pub quoting: Quoting,
    pub origins: Origins,
}

impl<'t> Written<'t> {
    pub fn of(found: &'t Found<'_>) -> Written<'t> {
        Written { text: &found.text, quoting: found.quoting, origins: found.origins }
    }
}

impl<'r> Run<'r> {
    /// The values of a step, transformed and chosen; `false` drops the object around it.
    pub(super) fn values(
        &mut self,
        step: &'r Step,
        node: &Node<'r>,
        out: &mut Vec<Found<'r>>,
    ) -> Outcome<bool> {
        if let Some((text, quoting)) = &step.constant {
            out.push(Found { quoting: *quoting, ..Found::of(text) });
            return Ok(true);
        }
        if !self.gather(step, node, &mut Sink::list(out))? {
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
    #[inline(always)]
    pub(super) fn gather(
        &mut self,
        step: &'r Step,
        node: &Node<'r>,
        sink: &mut Sink<'_, 'r>,
    ) -> Outcome<bool> {
        if let (true, Some(input)) = (step.ahead.in_order, self.marc())
            && !input.has_strays()
        {
            return self.values_in_order(step, input, sink);
        }
        for (n, (selector, _)) in step.from.iter().enumerate() {
            if step.take == Take::FirstMatch && sink.count > 0 {
                break;
            }
            if !self.values_of(step, (n, selector), node, sink)? {
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
        if sink.is_taken() {
            // The place is taken: no need to know what would have become of the value.
            self.mark(found.origins, State::Dropped);
            sink.count += 1;
            return Ok(true);
        }
        if !step.pipe.steps.is_empty() {
            match self.pipe(step, from, &mut found)? {
                Piped::Value => {}
                Piped::Nothing => return Ok(true),
                Piped::Drops => return Ok(false),
                Piped::Many(next) => return self.emit_pieces(step, next, &found, sink),
            }
        }
        sink.count += 1;
        if let Place::List(out) = &mut sink.to {
            out.push(found);
            return Ok(true);
        }
        self.write(Written::of(&found), (step, &step.check), &mut sink.to);
        self.reuse(found);
        Ok(true)
    }

    /// What [`Run::emit`] does with a text of the record, where the pipe makes no new text of it;
    /// `false` leaves it to that. `kept` makes a value for a list.
    #[inline]
    pub(super) fn emit_part<'t>(
        &mut self,
        step: &'r Step,
        (text, origins): (&'t str, Origins),
        sink: &mut Sink<'_, 'r>,
        kept: impl FnOnce(&'t str) -> Cow<'r, str>,
    ) -> bool
    where
        'r: 't,
    {
        if !step.pipe.quick || self.memory.trace.is_some() {
            return false;
        }
        if is_blank(text) {
            return true;
        }
        if sink.is_taken() {
            self.mark(origins, State::Dropped);
            sink.count += 1;
            return true;
        }
        let (text, plain) = match step.pipe.part_of(text) {
            (Part::Text(text), plain) if !is_blank(text) => (text, plain),
            (Part::Text(_) | Part::Nothing, _) => {
                self.mark(origins, State::Dropped);
                return true;
            }
            (Part::Other, _) => return false,
        };
        sink.count += 1;
        let quoting = if plain { Quoting::Plain } else { Quoting::Escaped };
        if let Place::List(out) = &mut sink.to {
            out.push(Found { text: kept(text), quoting, origins });
        } else {
            self.write(Written { text, quoting, origins }, (step, &step.check), &mut sink.to);
        }
        true
    }

    /// Keeps the memory of a text that is no longer used.
    pub(super) fn reuse(&mut self, found: Found<'_>) {
        if let Cow::Owned(text) = found.text {
            self.memory.text = text;
        }
    }

    /// Puts the pieces that a value was taken apart into through the rest of the pipe.
    fn emit_pieces(
        &mut self,
        step: &'r Step,
        next: usize,
        found: &Found<'r>,
        sink: &mut Sink<'_, 'r>,
    ) -> Outcome<bool> {
        let pieces = std::mem::take(&mut self.pieces);
        if pieces.iter().all(|text| text::trimmed(text).is_empty()) {
            self.mark(found.origins, State::Dropped);
        }
        for text in pieces {
            let found = Found { origins: found.origins, ..Found::of(text) };
            if !self.emit(step, next, found, sink)? {
                return Ok(false);
            }
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
        let (mut only, mut first) = ("", 0);
        let mut joined = String::new();
        for (index, part) in parts {
            let part = text::trimmed(part);
            if part.is_empty() {
                continue;
            }
            if only.is_empty() {
                (only, first) = (part, position(index));
                continue;
            }
            if joined.is_empty() {
                self.memory.origins.push(first);
                joined = std::mem::take(&mut self.memory.text);
                joined.clear();
                joined.push_str(only);
            }
            joined.push_str(separator);
            joined.push_str(part);
            self.memory.origins.push(position(index));
        }
        if joined.is_empty() {
            let found = Found { origins: Origins::One(first), ..Found::of(only) };
            return (!only.is_empty()).then_some(found);
        }
        let origins = Origins::Many(start, position(self.memory.origins.len()));
        Some(Found { origins, ..Found::of(joined) })
    }

    /// Applies the pipe from step `from` on, in place.
    fn pipe(&mut self, step: &'r Step, from: usize, found: &mut Found<'r>) -> Outcome<Piped> {
        let pipe = &step.pipe;
        if let Some(trace) = &mut self.memory.trace {
            trace.begin(&found.text);
        }
        let settled = from < pipe.settled
            && self.memory.trace.is_none()
            && settled::looks(&found.text, pipe.beyond_ascii).settled;
        let from = if settled { pipe.settled } else { from };
        let steps = pipe.steps.get(from..pipe.end(from)).unwrap_or_default();
        let mut text = std::mem::take(&mut found.text);
        let mut raw = found.quoting == Quoting::Raw;
        for (at, transform) in (from..).zip(steps) {
            match transform.apply(text) {
                Applied::One(changed) => {
                    // What a step has made of a number is written as a number only if it is one.
                    raw = raw && numbers::is_number(&changed);
                    text = changed;
                }
                Applied::Number(digits) => (text, raw) = (Cow::Owned(digits), true),
                Applied::None => {
                    self.mark(found.origins, State::Dropped);
                    return Ok(Piped::Nothing);
                }
                Applied::Many(texts) => {
                    self.pieces = texts;
                    return Ok(Piped::Many(at + 1));
                }
                Applied::Failed(code, kept) => match self.failed(step, at, code, found, &kept)? {
                    Rescue::Keep => {
                        (text, raw) = (kept, false);
                        if let Some(trace) = &mut self.memory.trace {
                            trace.begin(&text);
                        }
                        continue;
                    }
                    Rescue::Instead(default) => {
                        *found = Found::of(default);
                        return Ok(Piped::Value);
                    }
                    Rescue::Nothing => return Ok(Piped::Nothing),
                    Rescue::Drops => return Ok(Piped::Drops),
                },
            }
            if let Some(trace) = &mut self.memory.trace {
                trace.step(pipe.names.get(at).map_or("?", String::as_str), &text);
            }
        }
        found.text = text;
        found.quoting = if raw { Quoting::Raw } else { Quoting::Escaped };
        if found.is_blank() {
            self.mark(found.origins, State::Dropped);
            return Ok(Piped::Nothing);
        }
        Ok(Piped::Value)
    }

    /// What becomes of a value that a transform cannot take, as it was then.
    #[cold]
    fn failed(
        &mut self,
        step: &'r Step,
        n: usize,
        code: &'static str,
        found: &Found<'r>,
        text: &str,
    ) -> Outcome<Rescue<'r>> {
        if !matches!(step.on_error, Policy::Quarantine | Policy::Fail) {
            self.problem(step, &step.on_error, code, (found.origins, text));
        }
        match &step.on_error {
            Policy::Keep => Ok(Rescue::Keep),
            Policy::Default(text) => {
                self.mark(found.origins, State::Failed);
                Ok(Rescue::Instead(text))
            }
            Policy::Quarantine | Policy::Fail => {
                let name = step.pipe.names.get(n).map_or("?", String::as_str);
                Err(Box::new(Held {
                    rule: step.label.clone(),
                    code: code.to_owned(),
                    message: format!(
                        "{name} cannot take {:?}{}",
                        clipped(text),
                        self.at(found.origins)
                    ),
                    fatal: step.on_error == Policy::Fail,
                }))
            }
            Policy::Ok | Policy::Warn | Policy::Skip(_) => {
                self.mark(found.origins, State::Failed);
                Ok(if step.error_drops_object { Rescue::Drops } else { Rescue::Nothing })
            }
        }
    }

    /// Several values as one, which comes from where they come from.
    pub(super) fn join_values(&mut self, values: &[Found<'r>], separator: &str) -> Found<'r> {
        let texts: Vec<&str> = values.iter().map(|v| v.text.as_ref()).collect();
        let text = Cow::Owned(texts.join(separator));
        let origins = self.together(values.iter().map(|value| value.origins));
        Found { origins, ..Found::of(text) }
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
enum Piped {
    /// One value, in the place of what was there.
    Value,
    Nothing,
    /// [`Run::pieces`], for the steps from the one with this number on.
    Many(usize),
    /// A policy leaves out the object around.
    Drops,
}

/// What a policy makes of a value that a transform cannot take.
enum Rescue<'r> {
    Keep,
    Instead(&'r str),
    Nothing,
    /// The object around is left out.
    Drops,
}

#[inline]
pub(super) fn is_blank(text: &str) -> bool {
    match text.as_bytes().first() {
        Some(b'!'..=b'~') => false,
        _ => text::trimmed(text).is_empty(),
    }
}

/// A position among the values of a record, which has far fewer than 2^32.
pub(super) fn position(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn clipped(value: &str) -> &str {
    let end = value.char_indices().nth(80).map_or(value.len(), |(at, _)| at);
    value.get(..end).unwrap_or(value)
}
