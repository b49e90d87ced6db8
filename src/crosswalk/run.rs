//! Running a plan over one record after another.

use std::borrow::Cow;

use super::account::{Account, State};
use super::ignore::IgnoreCache;
use super::input::{FieldIndex, MarcInput, Node};
use super::plan::{Body, CasePlan, Input, Plan, Step};
use super::shape::{Buffer, Target};
use super::syntax::{Policy, Take};
use super::transforms::text;
use super::values::{Place, Sink};
use crate::formats::SourceRecord;

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
}

/// What is kept from record to record only for its memory.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Positions of values, which [`Origins::Many`] points into.
    pub origins: Vec<u32>,
    /// What was done with which value, in order.
    pub marks: Vec<(u32, State)>,
    /// The final state of each value.
    pub states: Vec<State>,
    /// Buffers for each depth of objects.
    pool: Vec<Vec<Buffer>>,
    pub ignored: IgnoreCache,
}

/// Runs one plan over many records, reusing its memory. One runner a worker.
#[derive(Debug)]
pub struct Runner<'p> {
    plan: &'p Plan,
    memory: Memory,
    index: FieldIndex,
    /// What became of every value so far.
    pub account: Account,
}

impl<'p> Runner<'p> {
    /// A runner of this plan.
    #[must_use]
    pub fn new(plan: &'p Plan) -> Runner<'p> {
        let pool = (0..=plan.depth).map(|_| Vec::new()).collect();
        let memory = Memory { pool, ..Memory::default() };
        Runner { plan, memory, index: FieldIndex::default(), account: Account::default() }
    }

    /// Maps one record; `out` is replaced by its bytes: canonical JSON, or XML.
    ///
    /// # Errors
    /// [`Held`] when a policy holds the record back; `out` is then of no use.
    pub fn run(&mut self, source: &SourceRecord, out: &mut Vec<u8>) -> Result<(), Held> {
        out.clear();
        let null = serde_json::Value::Null;
        let (marc, root) = match (source, self.plan.input) {
            (SourceRecord::Marc(marc), Input::Marc) => (Some(marc), &null),
            (SourceRecord::Json(root), Input::Json) => (None, root),
            _ => {
                let message = "the record is not of the format that the crosswalk reads".to_owned();
                let code = "format".to_owned();
                return Err(Held { rule: String::new(), code, message, fatal: true });
            }
        };
        let input = marc
            .map(|marc| MarcInput::new(marc, &self.plan.tags, &mut self.account, &mut self.index));
        let mut run = Run {
            plan: self.plan,
            input,
            root,
            id: marc.and_then(|marc| marc.control_number()).unwrap_or(""),
            bindings: Vec::new(),
            pairs: 0,
            nodes: Vec::with_capacity(16),
            spare: Vec::with_capacity(8),
            memory: &mut self.memory,
            account: &mut self.account,
        };
        run.memory.origins.clear();
        run.memory.marks.clear();
        run.account.next_record();
        let plan = self.plan;
        let mut buffers = run.buffers(0, plan.shape.slots());
        let result = plan.rules.iter().try_for_each(|rule| run.rule(rule, &mut buffers));
        if result.is_ok() {
            plan.output.write(&plan.shape, &buffers, out);
        }
        let held = result.and_then(|()| run.settle());
        if let Some(place) = self.memory.pool.first_mut() {
            *place = buffers;
        }
        held
    }
}

pub(super) struct Run<'r> {
    pub(super) plan: &'r Plan,
    pub(super) input: Option<MarcInput<'r>>,
    pub(super) root: &'r serde_json::Value,
    pub(super) id: &'r str,
    pub(super) bindings: Vec<(&'r str, Option<Found<'r>>)>,
    /// How many MARC fields have an 880 so far.
    pub(super) pairs: u32,
    nodes: Vec<Node<'r>>,
    /// Emptied vectors, to be filled again.
    pub(super) spare: Vec<Vec<Found<'r>>>,
    pub(super) memory: &'r mut Memory,
    pub(super) account: &'r mut Account,
}

impl<'r> Run<'r> {
    fn buffers(&mut self, depth: usize, slots: usize) -> Vec<Buffer> {
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
        }
    }

    fn rule(&mut self, rule: &'r Step, buffers: &mut [Buffer]) -> Result<(), Held> {
        let absent = |input: &MarcInput<'_>| {
            !rule.from.is_empty() && !rule.from.iter().any(|(selector, _)| input.has(selector))
        };
        let plain = rule.constant.is_none() && rule.when.is_none();
        let absent = plain && self.input.as_ref().is_some_and(absent);
        match &rule.body {
            Body::Leaf(target) if absent => self.missing(rule, *target, buffers).map(|_| ()),
            Body::Cases(_) if absent => self.missing_policy(rule, &rule.on_missing).map(|_| ()),
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
    ) -> Result<bool, Held> {
        match &step.body {
            Body::Binding => Ok(true),
            Body::Leaf(target) => {
                if step.when.is_some() && !self.holds(step.when.as_ref(), node) {
                    return Ok(true);
                }
                if let Some((text, raw)) = &step.constant {
                    let value = Found { raw: *raw, ..Found::of(text) };
                    self.write(&value, *target, step.unique, buffers);
                    return Ok(true);
                }
                if step.direct {
                    let mut sink = Sink { count: 0, to: Place::Leaf(*target, buffers) };
                    if !self.gather(step, node, &mut sink)? {
                        return Ok(false);
                    }
                    let written = sink.count > 0;
                    return if written { Ok(true) } else { self.missing(step, *target, buffers) };
                }
                let mut values = self.spare.pop().unwrap_or_default();
                if !self.values(step, node, &mut values)? {
                    return Ok(false);
                }
                let written = !values.is_empty();
                for value in values.drain(..) {
                    self.write(&value, *target, step.unique, buffers);
                }
                self.spare.push(values);
                if written { Ok(true) } else { self.missing(step, *target, buffers) }
            }
            Body::Cases(cases) => self.objects(step, cases, node, buffers, depth),
        }
    }

    /// No value: the default, or what the policy says.
    fn missing(
        &mut self,
        step: &'r Step,
        target: Target,
        buffers: &mut [Buffer],
    ) -> Result<bool, Held> {
        if let Some(default) = &step.default {
            self.write(&Found::of(default), target, step.unique, buffers);
            return Ok(true);
        }
        match &step.on_missing {
            Policy::Default(text) => {
                self.write(&Found::of(text), target, step.unique, buffers);
                Ok(true)
            }
            policy => self.missing_policy(step, policy),
        }
    }

    fn missing_policy(&mut self, step: &Step, policy: &Policy) -> Result<bool, Held> {
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
                Err(Held {
                    rule: step.label.clone(),
                    code: "missing".to_owned(),
                    message: format!("no value at {}", from.join(", ")),
                    fatal: *policy == Policy::Fail,
                })
            }
            Policy::Ok | Policy::Keep | Policy::Default(_) => Ok(true),
        }
    }

    pub(super) fn write(
        &mut self,
        value: &Found<'r>,
        target: Target,
        unique: bool,
        buffers: &mut [Buffer],
    ) {
        let Some(buffer) = buffers.get_mut(target.slot) else { return };
        if !target.many && !buffer.is_empty() {
            return self.mark(value.origins, State::Dropped);
        }
        let mut replaced = 0;
        buffer.push(unique && target.many, |out| {
            replaced = target.form.write(&value.text, value.raw, out);
        });
        if replaced > 0 {
            self.account.problem("output", "target.character", self.id, &value.text);
        }
        // A repeated value that `unique` leaves out is in the output all the same.
        self.mark(value.origins, State::Mapped);
    }

    fn objects(
        &mut self,
        step: &'r Step,
        cases: &'r [CasePlan],
        context: &Node<'r>,
        buffers: &mut [Buffer],
        depth: usize,
    ) -> Result<bool, Held> {
        let start = self.nodes.len();
        if !self.select_nodes(step, context)? {
            return Ok(false);
        }
        if let (true, Some(default)) =
            (self.nodes.len() == start && is_dressed(cases), default(step))
        {
            self.nodes.push(Node::Value(Found::of(default), None));
        }
        let end = self.nodes.len();
        let mut built = false;
        for at in start..end {
            let Some(node) = self.nodes.get_mut(at) else { break };
            let node = std::mem::replace(node, Node::Root);
            built |= self.object(step, cases, &node, context, buffers, depth)?;
        }
        self.nodes.truncate(start);
        if built { Ok(true) } else { self.missing_policy(step, &step.on_missing) }
    }

    /// The fields or values from which a rule builds, onto the end of `self.nodes`.
    fn select_nodes(&mut self, step: &'r Step, context: &Node<'r>) -> Result<bool, Held> {
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
                let field = self.field_of(&value);
                self.nodes.push(Node::Value(value, field));
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
        if step.from.len() > 1
            && !step.listed
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
            Node::Field(field) | Node::Value(_, Some(field)) => field.index(),
            _ => 0,
        }
    }

    /// Builds one object; `false` when a condition or policy leaves it out.
    fn object(
        &mut self,
        step: &'r Step,
        cases: &'r [CasePlan],
        node: &Node<'r>,
        context: &Node<'r>,
        buffers: &mut [Buffer],
        depth: usize,
    ) -> Result<bool, Held> {
        let bound = self.bindings.len();
        let first_mark = self.memory.marks.len();
        let kept = self.object_inner(step, cases, node, context, buffers, depth);
        self.bindings.truncate(bound);
        if matches!(kept, Ok(false)) {
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
        node: &Node<'r>,
        context: &Node<'r>,
        buffers: &mut [Buffer],
        depth: usize,
    ) -> Result<bool, Held> {
        for (name, binding) in &step.lets {
            let value = self.binding(binding, node)?;
            self.bindings.push((name, value));
        }
        let asked = if is_dressed(cases) { context } else { node };
        if step.when.is_some() && !self.holds(step.when.as_ref(), asked) {
            return Ok(false);
        }
        let case = cases.iter().find(|case| self.holds(case.when.as_ref(), node));
        let Some(case) = case else { return Ok(false) };
        let occupied =
            buffers.get(case.target.slot).is_some_and(|b| !case.target.many && !b.is_empty());
        if occupied {
            return Ok(false);
        }
        let Some(object) = &case.object else {
            if let Node::Value(value, _) = node {
                self.write(value, case.target, step.unique, buffers);
                return Ok(true);
            }
            return Ok(false);
        };
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
        let mut keep = keep.map(|keep| keep && object.shape.is_filled(&inner));
        if let (Ok(true), Some(linked)) = (&keep, &case.linked_880) {
            let mut field = Vec::new();
            object.shape.stitch(&inner, &mut field);
            keep = self.link_880(linked, node, &mut field, buffers, depth).map(|()| true);
            if let Some(buffer) = buffers.get_mut(case.target.slot) {
                buffer.push(step.unique, |out| out.extend_from_slice(&field));
            }
        } else if let (Ok(true), Some(buffer)) = (&keep, buffers.get_mut(case.target.slot)) {
            let unique = step.unique && case.target.many;
            buffer.push(unique, |out| object.shape.stitch(&inner, out));
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
    ) -> Result<Option<Found<'r>>, Held> {
        let mut values = self.spare.pop().unwrap_or_default();
        self.values(step, node, &mut values)?;
        for value in &values {
            self.mark(value.origins, State::Read);
        }
        let first = values.drain(..).next();
        self.spare.push(values);
        Ok(first.or_else(|| step.default.as_ref().map(Found::of)))
    }
}

/// Whether a rule makes an object around each of its values, not of what `map` finds there.
fn is_dressed(cases: &[CasePlan]) -> bool {
    matches!(cases, [CasePlan { object: Some(object), .. }] if object.dressed)
}

/// The value that a step has when there is none.
fn default(step: &Step) -> Option<&str> {
    match (&step.default, &step.on_missing) {
        (Some(text), _) | (None, Policy::Default(text)) => Some(text),
        _ => None,
    }
}
