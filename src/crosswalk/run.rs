//! Running a plan over one record after another.

use std::borrow::Cow;
use std::time::Instant;

use super::account::{Account, Problem, State};
use super::compile::Check;
use super::input::{Node, Source};
use super::objects::has_default;
use super::plan::{Body, Plan, Selector, Step};
use super::runner::Memory;
use super::shape::{Buffers, Quoting};
use super::syntax::Policy;
use super::values::{Place, Sink, Written, is_blank};
use super::way::Way;

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
    /// How it becomes JSON.
    pub quoting: Quoting,
    pub origins: Origins,
}

impl<'r> Found<'r> {
    /// A text that the plan or the record as a whole gives.
    pub fn of(text: impl Into<Cow<'r, str>>) -> Found<'r> {
        Found { text: text.into(), quoting: Quoting::Escaped, origins: Origins::None }
    }

    #[inline]
    pub fn is_blank(&self) -> bool {
        is_blank(&self.text)
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

    /// Counts a problem that a policy dealt with, and where it was.
    #[cold]
    pub(super) fn problem(
        &mut self,
        step: &Step,
        policy: &Policy,
        code: &'static str,
        (origins, value): (Origins, &str),
    ) {
        let place = self.first_of(origins).map(|origin| self.source.place(origin as usize));
        let place = place.unwrap_or_else(|| step.selectors());
        let (rule, policy, record) = (step.label.as_str(), policy.name(), self.id);
        let at = self.plan.labels.get(step.number).map_or("", |label| label.place.as_str());
        self.account.problems.add(Problem { rule, at, code, policy, record, place, value });
    }

    /// Where a value stands, behind what is said of it; nothing where it is the crosswalk's own.
    pub(super) fn at(&self, origins: Origins) -> String {
        let place = self.first_of(origins).map(|origin| self.source.place(origin as usize));
        place
            .filter(|place| !place.is_empty())
            .map_or(String::new(), |place| format!(" at {place}"))
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
                self.missing(rule, &Node::Root, &mut Sink::leaf(*target, buffers)).map(|_| ())
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
            Body::Leaf(target) => self.leaf(step, node, &mut Sink::leaf(*target, buffers)),
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

    /// Writes the values of a step to their place.
    #[inline(always)]
    pub(super) fn leaf(
        &mut self,
        step: &'r Step,
        node: &Node<'r>,
        sink: &mut Sink<'_, 'r>,
    ) -> Outcome<bool> {
        if step.lets.is_empty() {
            return self.unbound_leaf(step, node, sink);
        }
        let bound = self.bindings.len();
        self.bind(step, node)?;
        let kept = self.unbound_leaf(step, node, sink);
        self.bindings.truncate(bound);
        kept
    }

    #[inline(always)]
    fn unbound_leaf(
        &mut self,
        step: &'r Step,
        node: &Node<'r>,
        sink: &mut Sink<'_, 'r>,
    ) -> Outcome<bool> {
        if step.when.is_some() && !self.holds(step, step.when.as_ref(), node)? {
            return Ok(true);
        }
        // Most items: a constant, or the value at hand, which has been through a pipe or a join.
        let value = match (&step.constant, node) {
            (Some((text, quoting)), _) => {
                Written { text, quoting: *quoting, origins: Origins::None }
            }
            (None, Node::Value(found)) if step.copies && !found.is_blank() => Written::of(found),
            _ => return self.searched_leaf(step, node, sink),
        };
        self.write(value, (step, &step.check), &mut sink.to);
        Ok(true)
    }

    /// Writes the values that the selectors of a step find.
    #[inline(never)]
    fn searched_leaf(
        &mut self,
        step: &'r Step,
        node: &Node<'r>,
        sink: &mut Sink<'_, 'r>,
    ) -> Outcome<bool> {
        if step.direct || self.needs_no_list(step) {
            let kept = match (step.from.as_slice(), node) {
                // Most items of most crosswalks: subfields of the field at hand.
                ([(Selector::Marc(selector), _)], Node::Field(field)) if step.codes.is_some() => {
                    self.field_values(step, selector, *field, sink)?
                }
                ([(selector, _)], _) if step.chain.is_none() => {
                    self.values_of(step, (0, selector), node, sink)?
                }
                _ => self.gather(step, node, sink)?,
            };
            if !kept {
                return Ok(false);
            }
            return if sink.count > 0 { Ok(true) } else { self.missing(step, node, sink) };
        }
        let mut values = self.spare.pop().unwrap_or_default();
        if !self.values(step, node, &mut values)? {
            return Ok(false);
        }
        let written = !values.is_empty();
        for value in values.drain(..) {
            self.write(Written::of(&value), (step, &step.check), &mut sink.to);
        }
        self.spare.push(values);
        if written { Ok(true) } else { self.missing(step, node, sink) }
    }

    /// Whether the values of a step come in the order in which they are wanted, all of them, or
    /// there is but one.
    fn needs_no_list(&self, step: &Step) -> bool {
        let ahead = &step.ahead;
        ahead.in_order
            && self.marc().is_some_and(|input| {
                !input.has_strays()
                    && (ahead.all_in_order || ahead.may_be_single && input.is_single(step))
            })
    }

    /// No value: the default, or what the policy says.
    pub(super) fn missing(
        &mut self,
        step: &'r Step,
        node: &Node<'r>,
        sink: &mut Sink<'_, 'r>,
    ) -> Outcome<bool> {
        match self.default_of(step, node)? {
            Some(found) => {
                self.write(Written::of(&found), (step, &step.check), &mut sink.to);
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
                    self.problem(step, policy, "missing", (Origins::None, ""));
                }
                Ok(false)
            }
            Policy::Warn => {
                self.problem(step, policy, "missing", (Origins::None, ""));
                Ok(true)
            }
            Policy::Quarantine | Policy::Fail => Err(Box::new(Held {
                rule: step.label.clone(),
                code: "missing".to_owned(),
                message: format!("no value at {}", step.selectors()),
                fatal: *policy == Policy::Fail,
            })),
            Policy::Ok | Policy::Keep | Policy::Default(_) => Ok(true),
        }
    }

    /// Writes a value to its place, and notes whether it is what the schema asks for there.
    #[inline]
    pub(super) fn write(
        &mut self,
        value: Written<'_>,
        (step, check): (&Step, &Check),
        place: &mut Place<'_, 'r>,
    ) {
        let Written { text, quoting, origins } = value;
        match place {
            Place::List(_) => return,
            Place::Leaf(target, buffers) => {
                if !target.many && buffers.has(target.slot) {
                    return self.mark(origins, State::Dropped);
                }
                let mut replaced = 0;
                let stayed = buffers.push(target.slot, step.unique && target.many, |out| {
                    replaced = target.form.write(text, quoting, out);
                });
                if stayed && self.memory.trace.is_some() {
                    let at = target.many.then(|| buffers.len(target.slot) - 1);
                    self.trace_write(value, step, at);
                }
                if replaced > 0 {
                    self.problem(step, &Policy::Warn, "target.character", (origins, text));
                }
            }
            Place::Member(slot, draft) => {
                if draft.has(*slot) {
                    return self.mark(origins, State::Dropped);
                }
                draft.push(*slot, text, quoting);
                if self.memory.trace.is_some() {
                    self.trace_write(value, step, None);
                }
            }
        }
        // A repeated value that `unique` leaves out is in the output all the same.
        self.mark(origins, State::Mapped);
        self.used(step.number);
        self.sure &= check.passes(text, quoting == Quoting::Raw);
    }

    fn trace_write(&mut self, value: Written<'_>, step: &Step, at: Option<usize>) {
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
            let to = at.map_or_else(|| to.to_owned(), |at| format!("{to}[{at}]"));
            trace.write(&to, step, places, value.text);
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
        let first = match node {
            Node::Field(field) if step.way == Way::Field && self.memory.trace.is_none() => {
                self.straight_binding(step, *field)?
            }
            _ => {
                let mut values = self.spare.pop().unwrap_or_default();
                self.values(step, node, &mut values)?;
                for value in &values {
                    self.mark(value.origins, State::Read);
                }
                let first = values.drain(..).next();
                self.spare.push(values);
                first
            }
        };
        if first.is_some() {
            self.used(step.number);
        }
        match (first, &step.default) {
            (None, Some(default)) => self.fallback(step, default, node),
            (first, _) => Ok(first),
        }
    }
}
