//! Running a plan over one record after another.

use std::borrow::Cow;
use std::time::Instant;

use super::account::{Account, State};
use super::compile::Check;
use super::input::{Node, Source};
use super::objects::has_default;
use super::plan::{Body, Plan, Selector, Step};
use super::runner::Memory;
use super::shape::{Buffers, Target};
use super::syntax::Policy;
use super::transforms::text;
use super::values::{Place, Sink};

/// A record that a policy held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The rule, with the item's path behind it.
    pub rule: String,
    /// `missing`, or the code of the transform that failed.
    pub code: String,
    /// What was found and what was expected.
    pub message: String,
    /// The policy was `fail`: the run stops.
    pub fatal: bool,
}

/// What a step of a run gives, or the record held back. Boxed, for it goes through every call.
pub(super) type Outcome<T> = Result<T, Box<Held>>;

/// A text with the values of the record that it came from.
#[derive(Debug, Clone)]
pub(super) struct Found<'r> {
    pub text: Cow<'r, str>,
    /// JSON already, not to be quoted.
    pub raw: bool,
    pub origins: Origins,
}

impl<'r> Found<'r> {
    /// A text that the plan or the record as a whole gives.
    pub fn of(text: impl Into<Cow<'r, str>>) -> Found<'r> {
        Found { text: text.into(), raw: false, origins: Origins::None }
    }

    #[inline]
    pub fn is_blank(&self) -> bool {
        match self.text.as_bytes().first() {
            Some(b'!'..=b'~') => false,
            _ => text::trimmed(&self.text).is_empty(),
        }
    }
}

/// Positions of values in the record.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origins {
    None,
    One(u32),
    /// A range of [`Memory::origins`].
    Many(u32, u32),
    /// Neighbors in the record, the end exclusive.
    Span(u32, u32),
}

pub(super) struct Run<'r> {
    pub(super) plan: &'r Plan,
    pub(super) source: Source<'r>,
    pub(super) id: &'r str,
    pub(super) bindings: Vec<(&'r str, Option<Found<'r>>)>,
    /// The output as it was before the rule at hand, when an expression in it reads that.
    pub(super) output: Option<serde_json::Value>,
    /// Whether all that was written so far is surely what the target's schema asks for.
    pub(super) sure: bool,
    /// How many MARC fields have an 880 so far.
    pub(super) pairs: u32,
    pub(super) nodes: Vec<Node<'r>>,
    /// Emptied vectors, to be filled again.
    pub(super) spare: Vec<Vec<Found<'r>>>,
    /// What a transform has just taken a value apart into.
    pub(super) pieces: Vec<Cow<'r, str>>,
    pub(super) memory: &'r mut Memory,
    pub(super) account: &'r mut Account,
}

impl<'r> Run<'r> {
    pub(super) fn buffers(&mut self, depth: usize, slots: usize) -> Buffers {
        let mut buffers = self.memory.pool.get_mut(depth).map(std::mem::take).unwrap_or_default();
        buffers.begin(slots);
        buffers
    }

    #[inline]
    pub(super) fn mark(&mut self, origins: Origins, state: State) {
        match origins {
            Origins::None => {}
            Origins::One(value) => self.memory.marks.push((value, state)),
            Origins::Many(..) | Origins::Span(..) => self.mark_all(origins, state),
        }
    }

    fn mark_all(&mut self, origins: Origins, state: State) {
        match origins {
            Origins::None | Origins::One(_) => {}
            Origins::Many(from, to) => {
                let values = self.memory.origins.get(from as usize..to as usize);
                let marks = values.unwrap_or_default().iter().map(|value| (*value, state));
                self.memory.marks.extend(marks);
            }
            Origins::Span(from, to) => {
                self.memory.marks.extend((from..to).map(|value| (value, state)));
            }
        }
    }

    /// Counts that a step or case was used.
    pub(super) fn used(&mut self, number: usize) {
        if let Some(count) = self.memory.uses.get_mut(number) {
            *count += 1;
        }
    }

    pub(super) fn rules(&mut self, rules: &'r [Step], buffers: &mut Buffers) -> Outcome<()> {
        let marc = self.marc();
        for (n, rule) in rules.iter().enumerate() {
            let absent = match (marc, rule.chain) {
                (Some(input), Some(chain)) if rule.ahead.only_fields => {
                    !input.has_any(chain) || (rule.ahead.only_linked && !input.has_alternates())
                }
                _ => false,
            };
            if absent && rule.ahead.idle {
                continue;
            }
            let start = self.memory.times.is_some().then(Instant::now);
            self.rule(rule, absent, buffers)?;
            if let (Some(start), Some(times)) = (start, &mut self.memory.times)
                && let Some(time) = times.get_mut(n)
            {
                *time += start.elapsed();
            }
        }
        Ok(())
    }

    /// Runs a rule; `absent` says that no field is there that it reads.
    fn rule(&mut self, rule: &'r Step, absent: bool, buffers: &mut Buffers) -> Outcome<()> {
        if rule.reads_record {
            let mut bytes = Vec::new();
            self.plan.shape.stitch(buffers, &mut bytes);
            self.output = serde_json::from_slice(&bytes).ok();
        }
        match &rule.body {
            Body::Leaf(target) if absent => {
                self.missing(rule, *target, &Node::Root, buffers).map(|_| ())
            }
            Body::Cases(_) if absent && !(rule.ahead.dressed && has_default(rule)) => {
                self.missing_policy(rule, &rule.on_missing).map(|_| ())
            }
            _ => self.step(rule, &Node::Root, buffers, 0).map(|_| ()),
        }
    }

    /// Runs a rule or an item; `false` when it drops the object it belongs to.
    pub(super) fn step(
        &mut self,
        step: &'r Step,
        node: &Node<'r>,
        buffers: &mut Buffers,
        depth: usize,
    ) -> Outcome<bool> {
        match &step.body {
            Body::Binding => Ok(true),
            Body::Leaf(target) if !step.lets.is_empty() => {
                let bound = self.bindings.len();
                self.bind(step, node)?;
                let kept = self.leaf(step, *target, node, buffers);
                self.bindings.truncate(bound);
                kept
            }
            Body::Leaf(target) => self.leaf(step, *target, node, buffers),
            Body::Cases(cases) if step.ahead.dressed && !step.lets.is_empty() => {
                let bound = self.bindings.len();
                self.bind(step, node)?;
                let kept = self.objects(step, cases, node, buffers, depth);
                self.bindings.truncate(bound);
                kept
            }
            Body::Cases(cases) => self.objects(step, cases, node, buffers, depth),
            Body::Each(inner) => self.each(step, inner, node, buffers, depth),
        }
    }

    pub(super) fn leaf(
        &mut self,
        step: &'r Step,
        target: Target,
        node: &Node<'r>,
        buffers: &mut Buffers,
    ) -> Outcome<bool> {
        if step.when.is_some() && !self.holds(step, step.when.as_ref(), node)? {
            return Ok(true);
        }
        if let Some((text, raw)) = &step.constant {
            let value = Found { raw: *raw, ..Found::of(text) };
            self.write(&value, step, target, buffers);
            return Ok(true);
        }
        if let (true, Node::Value(found)) = (step.copies, node) {
            // The value at hand as it is, which has been through a pipe or a join.
            if found.is_blank() {
                return self.missing(step, target, node, buffers);
            }
            self.write(found, step, target, buffers);
            return Ok(true);
        }
        if step.direct {
            let mut sink = Sink { count: 0, to: Place::Leaf(target, buffers) };
            let kept = match (step.from.as_slice(), node) {
                // Most items of most crosswalks: subfields of the field at hand.
                ([(Selector::Marc(selector), _)], Node::Field(field)) if step.codes.is_some() => {
                    self.field_values(step, selector, *field, &mut sink)?
                }
                ([(selector, _)], _) if step.chain.is_none() => {
                    self.values_of(step, (0, selector), node, &mut sink)?
                }
                _ => self.gather(step, node, &mut sink)?,
            };
            if !kept {
                return Ok(false);
            }
            let written = sink.count > 0;
            return if written { Ok(true) } else { self.missing(step, target, node, buffers) };
        }
        let mut values = self.spare.pop().unwrap_or_default();
        if !self.values(step, node, &mut values)? {
            return Ok(false);
        }
        let written = !values.is_empty();
        for value in values.drain(..) {
            self.write(&value, step, target, buffers);
        }
        self.spare.push(values);
        if written { Ok(true) } else { self.missing(step, target, node, buffers) }
    }

    /// No value: the default, or what the policy says.
    pub(super) fn missing(
        &mut self,
        step: &'r Step,
        target: Target,
        node: &Node<'r>,
        buffers: &mut Buffers,
    ) -> Outcome<bool> {
        match self.default_of(step, node)? {
            Some(found) => {
                self.write(&found, step, target, buffers);
                Ok(true)
            }
            None => self.missing_policy(step, &step.on_missing),
        }
    }

    /// The value that a rule has when there is none.
    pub(super) fn default_of(
        &mut self,
        step: &'r Step,
        node: &Node<'r>,
    ) -> Outcome<Option<Found<'r>>> {
        if let Some(default) = &step.default
            && let Some(found) = self.fallback(step, default, node)?
        {
            return Ok(Some(found));
        }
        match &step.on_missing {
            Policy::Default(text) => Ok(Some(Found::of(text))),
            _ => Ok(None),
        }
    }

    pub(super) fn missing_policy(&mut self, step: &Step, policy: &Policy) -> Outcome<bool> {
        match policy {
            Policy::Skip(report) => {
                if *report {
                    self.account.problem(&step.label, "missing", self.id, "");
                }
                Ok(false)
            }
            Policy::Warn => {
                self.account.problem(&step.label, "missing", self.id, "");
                Ok(true)
            }
            Policy::Quarantine | Policy::Fail => {
                let from: Vec<&str> = step.from.iter().map(|(_, text)| text.as_str()).collect();
                Err(Box::new(Held {
                    rule: step.label.clone(),
                    code: "missing".to_owned(),
                    message: format!("no value at {}", from.join(", ")),
                    fatal: *policy == Policy::Fail,
                }))
            }
            Policy::Ok | Policy::Keep | Policy::Default(_) => Ok(true),
        }
    }

    pub(super) fn write(
        &mut self,
        value: &Found<'r>,
        step: &Step,
        target: Target,
        buffers: &mut Buffers,
    ) {
        self.write_checked(value, (step, &step.check), target, buffers);
    }

    /// Writes a value to its place, and notes whether it is what the schema asks for there.
    pub(super) fn write_checked(
        &mut self,
        value: &Found<'r>,
        (step, check): (&Step, &Check),
        target: Target,
        buffers: &mut Buffers,
    ) {
        if !target.many && buffers.get(target.slot).is_some() {
            return self.mark(value.origins, State::Dropped);
        }
        let mut replaced = 0;
        let stayed = buffers.push(target.slot, step.unique && target.many, |out| {
            replaced = target.form.write(&value.text, value.raw, out);
        });
        if stayed && self.memory.trace.is_some() {
            self.trace_write(value, step, target, buffers.len(target.slot) - 1);
        }
        if replaced > 0 {
            self.account.problem(&step.label, "target.character", self.id, &value.text);
        }
        // A repeated value that `unique` leaves out is in the output all the same.
        self.mark(value.origins, State::Mapped);
        self.used(step.number);
        self.sure &= check.passes(&value.text, value.raw);
    }

    fn trace_write(&mut self, value: &Found<'r>, step: &Step, target: Target, at: usize) {
        let origins = match value.origins {
            Origins::None => Vec::new(),
            Origins::One(value) => vec![value],
            Origins::Span(from, to) => (from..to).collect(),
            Origins::Many(from, to) => {
                let range = self.memory.origins.get(from as usize..to as usize);
                range.unwrap_or_default().to_vec()
            }
        };
        let places = origins.iter().map(|origin| self.source.place(*origin as usize));
        let mut places: Vec<String> = places.filter(|place| !place.is_empty()).collect();
        places.dedup();
        if let Some(trace) = &mut self.memory.trace {
            let to = step.to.as_deref().unwrap_or("");
            let to = if target.many { format!("{to}[{at}]") } else { to.to_owned() };
            trace.write(&to, step, places, &value.text);
        }
    }

    pub(super) fn bind(&mut self, step: &'r Step, node: &Node<'r>) -> Outcome<()> {
        for (name, binding) in &step.lets {
            let value = self.binding(binding, node)?;
            self.bindings.push((name, value));
        }
        Ok(())
    }

    pub(super) fn binding(
        &mut self,
        step: &'r Step,
        node: &Node<'r>,
    ) -> Outcome<Option<Found<'r>>> {
        let mut values = self.spare.pop().unwrap_or_default();
        self.values(step, node, &mut values)?;
        for value in &values {
            self.mark(value.origins, State::Read);
        }
        let first = values.drain(..).next();
        self.spare.push(values);
        if first.is_some() {
            self.used(step.number);
        }
        match (first, &step.default) {
            (None, Some(default)) => self.fallback(step, default, node),
            (first, _) => Ok(first),
        }
    }
}
