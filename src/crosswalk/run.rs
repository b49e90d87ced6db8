//! Running a plan over one record after another.

use std::borrow::Cow;
use std::time::Instant;

use super::account::{Account, State};
use super::input::{Behind, MarcInput, Node, Source};
use super::plan::{Body, CasePlan, Plan, Selector, Step};
use super::runner::Memory;
use super::shape::{Buffer, Target};
use super::syntax::{Policy, Take};
use super::transforms::text;

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

    pub fn is_blank(&self) -> bool {
        text::trimmed(&self.text).is_empty()
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
    /// How many MARC fields have an 880 so far.
    pub(super) pairs: u32,
    pub(super) nodes: Vec<Node<'r>>,
    /// Emptied vectors, to be filled again.
    pub(super) spare: Vec<Vec<Found<'r>>>,
    pub(super) memory: &'r mut Memory,
    pub(super) account: &'r mut Account,
}

impl<'r> Run<'r> {
    pub(super) fn buffers(&mut self, depth: usize, slots: usize) -> Vec<Buffer> {
        let mut buffers = self.memory.pool.get_mut(depth).map(std::mem::take).unwrap_or_default();
        buffers.iter_mut().for_each(Buffer::clear);
        if buffers.len() < slots {
            buffers.resize_with(slots, Buffer::default);
        }
        buffers
    }

    pub(super) fn mark(&mut self, origins: Origins, state: State) {
        match origins {
            Origins::None => {}
            Origins::One(value) => self.memory.marks.push((value, state)),
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
    fn used(&mut self, number: usize) {
        if let Some(count) = self.memory.uses.get_mut(number) {
            *count += 1;
        }
    }

    pub(super) fn rules(&mut self, buffers: &mut [Buffer]) -> Outcome<()> {
        for (n, rule) in self.plan.rules.iter().enumerate() {
            let start = self.memory.times.is_some().then(Instant::now);
            self.rule(rule, buffers)?;
            if let (Some(start), Some(times)) = (start, &mut self.memory.times)
                && let Some(time) = times.get_mut(n)
            {
                *time += start.elapsed();
            }
        }
        Ok(())
    }

    fn rule(&mut self, rule: &'r Step, buffers: &mut [Buffer]) -> Outcome<()> {
        let has = |input: MarcInput<'_>, selector: &Selector| match selector {
            Selector::Marc { slot: Some(slot), .. } => input.has(*slot),
            _ => true,
        };
        let plain = rule.constant.is_none() && rule.when.is_none() && !rule.from.is_empty();
        let absent = match self.source {
            Source::Marc(input) if plain => {
                !rule.from.iter().any(|(selector, _)| has(input, selector))
            }
            _ => false,
        };
        match &rule.body {
            Body::Leaf(target) if absent => self.missing(rule, *target, buffers).map(|_| ()),
            Body::Cases(cases) if absent && default_of_dressed(rule, cases).is_none() => {
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
        buffers: &mut [Buffer],
        depth: usize,
    ) -> Outcome<bool> {
        match &step.body {
            Body::Binding => Ok(true),
            Body::Leaf(target) if step.lets.is_empty() => self.leaf(step, *target, node, buffers),
            Body::Leaf(target) => {
                let bound = self.bindings.len();
                for (name, binding) in &step.lets {
                    let value = self.binding(binding, node)?;
                    self.bindings.push((name, value));
                }
                let kept = self.leaf(step, *target, node, buffers);
                self.bindings.truncate(bound);
                kept
            }
            Body::Cases(cases) => self.objects(step, cases, node, buffers, depth),
        }
    }

    /// No value: the default, or what the policy says.
    pub(super) fn missing(
        &mut self,
        step: &'r Step,
        target: Target,
        buffers: &mut [Buffer],
    ) -> Outcome<bool> {
        if let Some(default) = &step.default {
            self.write(&Found::of(default), step, target, buffers);
            return Ok(true);
        }
        match &step.on_missing {
            Policy::Default(text) => {
                self.write(&Found::of(text), step, target, buffers);
                Ok(true)
            }
            policy => self.missing_policy(step, policy),
        }
    }

    fn missing_policy(&mut self, step: &Step, policy: &Policy) -> Outcome<bool> {
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
        buffers: &mut [Buffer],
    ) {
        let Some(buffer) = buffers.get_mut(target.slot) else { return };
        if !target.many && !buffer.is_empty() {
            return self.mark(value.origins, State::Dropped);
        }
        if self.memory.trace.is_some() {
            self.trace_write(value, step, target, buffer.len());
        }
        let mut replaced = 0;
        buffer.push(step.unique && target.many, |out| {
            replaced = target.form.write(&value.text, value.raw, out);
        });
        if replaced > 0 {
            self.account.problem(&step.label, "target.character", self.id, &value.text);
        }
        // A repeated value that `unique` leaves out is in the output all the same.
        self.mark(value.origins, State::Mapped);
        self.used(step.number);
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

    fn objects(
        &mut self,
        step: &'r Step,
        cases: &'r [CasePlan],
        context: &Node<'r>,
        buffers: &mut [Buffer],
        depth: usize,
    ) -> Outcome<bool> {
        let start = self.nodes.len();
        if !self.select_nodes(step, context)? {
            return Ok(false);
        }
        if self.nodes.len() == start
            && let Some(default) = default_of_dressed(step, cases)
        {
            self.nodes.push(Node::Value(Found::of(default), Behind::Nothing));
        }
        let end = self.nodes.len();
        let mut built = false;
        for at in start..end {
            let Some(node) = self.nodes.get_mut(at) else { break };
            let node = std::mem::replace(node, Node::Root);
            built |= self.object(step, cases, (&node, context), buffers, depth)?;
        }
        self.nodes.truncate(start);
        if built { Ok(true) } else { self.missing_policy(step, &step.on_missing) }
    }

    /// The fields or values from which a rule builds, onto the end of `self.nodes`.
    fn select_nodes(&mut self, step: &'r Step, context: &Node<'r>) -> Outcome<bool> {
        let start = self.nodes.len();
        let by_value = !step.pipe.steps.is_empty()
            || step.constant.is_some()
            || step.join.is_some()
            || step.listed
            || matches!(step.take, Take::Longest | Take::Earliest | Take::AllJoined(_));
        if by_value {
            let mut values = self.spare.pop().unwrap_or_default();
            if !self.values(step, context, &mut values)? {
                return Ok(false);
            }
            for value in values.drain(..) {
                let behind = self.behind(&value);
                self.nodes.push(Node::Value(value, behind));
            }
            self.spare.push(values);
            return Ok(true);
        }
        let mut nodes = std::mem::take(&mut self.nodes);
        for (selector, _) in &step.from {
            if step.take == Take::FirstMatch && nodes.len() > start {
                break;
            }
            if !self.nodes_of(step, selector, context, &mut nodes)? {
                self.nodes = nodes;
                return Ok(false);
            }
        }
        if step.sorted
            && step.take != Take::FirstMatch
            && let Some(new) = nodes.get_mut(start..)
        {
            new.sort_by_key(|node| self.position(node));
        }
        match step.take {
            Take::First | Take::FirstMatch => nodes.truncate(start + 1),
            Take::Last if nodes.len() > start + 1 => {
                nodes.drain(start..nodes.len() - 1);
            }
            _ => {}
        }
        self.nodes = nodes;
        Ok(true)
    }

    /// Where a node stands in the record, to put nodes of several selectors in record order.
    fn position(&self, node: &Node<'_>) -> usize {
        match node {
            Node::Field(field) | Node::Value(_, Behind::Field(field)) => field.index(),
            Node::Value(value, _) => self.first_origin(value).unwrap_or(0) as usize,
            Node::Xml(node) => node.values().start,
            Node::Json(value) => {
                let found = self.json().and_then(|input| input.found(value));
                found.and_then(|found| self.first_origin(&found)).unwrap_or(0) as usize
            }
            Node::Root => 0,
        }
    }

    /// Builds one object of a node, found from a context; `false` when a condition or policy leaves it out.
    fn object(
        &mut self,
        step: &'r Step,
        cases: &'r [CasePlan],
        nodes: (&Node<'r>, &Node<'r>),
        buffers: &mut [Buffer],
        depth: usize,
    ) -> Outcome<bool> {
        let bound = self.bindings.len();
        let first_mark = self.memory.marks.len();
        let traced = self.memory.trace.as_ref().map_or(0, |trace| trace.lines.len());
        let kept = self.object_inner(step, cases, nodes, buffers, depth);
        self.bindings.truncate(bound);
        if matches!(kept, Ok(false)) {
            if let Some(trace) = &mut self.memory.trace {
                trace.lines.truncate(traced);
            }
            // What the object had taken does not reach the output after all.
            for (_, state) in self.memory.marks.iter_mut().skip(first_mark) {
                if *state == State::Mapped {
                    *state = State::Dropped;
                }
            }
        }
        kept
    }

    fn object_inner(
        &mut self,
        step: &'r Step,
        cases: &'r [CasePlan],
        (node, context): (&Node<'r>, &Node<'r>),
        buffers: &mut [Buffer],
        depth: usize,
    ) -> Outcome<bool> {
        for (name, binding) in &step.lets {
            let value = self.binding(binding, node)?;
            self.bindings.push((name, value));
        }
        let asked = if is_dressed(cases) { context } else { node };
        if step.when.is_some() && !self.holds(step.when.as_ref(), asked) {
            return Ok(false);
        }
        let mut chosen = None;
        for case in cases {
            if self.holds(case.when.as_ref(), node) {
                chosen = Some(case);
                break;
            }
        }
        let Some(case) = chosen else { return Ok(false) };
        let occupied =
            buffers.get(case.target.slot).is_some_and(|b| !case.target.many && !b.is_empty());
        if occupied {
            return Ok(false);
        }
        let Some(object) = &case.object else {
            let Some(value) = self.value_at(node) else { return Ok(false) };
            if value.is_blank() {
                return Ok(false);
            }
            self.write(&value, step, case.target, buffers);
            self.used(case.number);
            return Ok(true);
        };
        if let Some(trace) = &mut self.memory.trace {
            let at = buffers.get(case.target.slot).map_or(0, Buffer::len);
            trace.enter(&case.to, case.target.many.then_some(at));
        }
        let mut inner = self.buffers(depth + 1, object.shape.slots());
        let mut keep = Ok(true);
        let codes = node.codes();
        for (n, item) in object.items.iter().enumerate() {
            let node = if object.dressed && n > 0 { context } else { node };
            keep = match (&item.body, item.codes) {
                // No subfield of this field is meant: no need to look for values.
                (Body::Leaf(target), Some(wanted)) if !wanted.meets(codes) => {
                    self.missing(item, *target, &mut inner)
                }
                _ => self.step(item, node, &mut inner, depth + 1),
            };
            if !matches!(keep, Ok(true)) {
                break;
            }
        }
        if let Some(trace) = &mut self.memory.trace {
            trace.leave();
        }
        let mut keep = keep.map(|keep| keep && object.shape.is_filled(&inner));
        if let (Ok(true), Some(linked)) = (&keep, &case.linked_880) {
            let field = (object, inner.as_slice(), case.target);
            keep = self.pair(linked, field, node, buffers, depth).map(|()| true);
        } else if let (Ok(true), Some(buffer)) = (&keep, buffers.get_mut(case.target.slot)) {
            let unique = step.unique && case.target.many;
            buffer.push(unique, |out| object.shape.stitch(&inner, out));
        }
        if let Ok(true) = keep {
            self.used(step.number);
            if case.number != step.number {
                self.used(case.number);
            }
        }
        if let Some(place) = self.memory.pool.get_mut(depth + 1) {
            *place = inner;
        }
        keep
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
        Ok(first.or_else(|| step.default.as_ref().map(Found::of)))
    }
}

/// Whether a rule makes an object around each of its values, not of what `map` finds there.
fn is_dressed(cases: &[CasePlan]) -> bool {
    matches!(cases, [CasePlan { object: Some(object), .. }] if object.dressed)
}

/// The value that such a rule has when there is none.
fn default_of_dressed<'r>(step: &'r Step, cases: &[CasePlan]) -> Option<&'r str> {
    match (&step.default, &step.on_missing) {
        (Some(text), _) | (None, Policy::Default(text)) if is_dressed(cases) => Some(text),
        _ => None,
    }
}
