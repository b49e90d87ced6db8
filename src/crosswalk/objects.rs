//! Objects: what a rule builds of each field or value that it finds.

use super::account::State;
use super::input::{MarcInput, Node};
use super::plan::{Body, CasePlan, Object, Step};
use super::run::{Outcome, Run};
use super::shape::{Buffers, Draft, Flat, Slot, Target};
use super::syntax::{Policy, Take};
use super::values::{Place, Sink, Written};
use super::way::Way;

/// Where the members of an object go.
pub(super) enum Members<'s, 'r> {
    Flat(&'s mut Draft<'r>),
    Stitched(&'s mut Buffers),
}

impl<'r> Members<'_, 'r> {
    /// Whether a leaf holds a value.
    #[inline]
    pub fn has(&self, slot: Slot) -> bool {
        match self {
            Members::Flat(draft) => draft.has(slot),
            Members::Stitched(buffers) => buffers.has(slot),
        }
    }

    #[inline]
    pub fn place(&mut self, target: Target) -> Place<'_, 'r> {
        match self {
            Members::Flat(draft) => Place::Member(target.slot, draft),
            Members::Stitched(buffers) => Place::Leaf(target, buffers),
        }
    }
}

impl<'r> Run<'r> {
    pub(super) fn objects(
        &mut self,
        step: &'r Step,
        cases: &'r [CasePlan],
        context: &Node<'r>,
        buffers: &mut Buffers,
        depth: usize,
    ) -> Outcome<bool> {
        if let (true, Some(input)) = (step.ahead.whole_fields, self.marc())
            && !(input.has_strays() || step.linked && input.has_alternates())
        {
            return self.objects_of_fields(step, cases, (context, input), buffers, depth);
        }
        let mut built = false;
        if step.ahead.by_value {
            let mut values = self.spare.pop().unwrap_or_default();
            if !self.values(step, context, &mut values)? {
                return Ok(false);
            }
            if values.is_empty() && step.ahead.dressed {
                values.extend(self.default_of(step, context)?);
            }
            for value in values.drain(..) {
                let node = Node::Value(value);
                built |= self.object(step, cases, (&node, context), buffers, depth)?;
            }
            self.spare.push(values);
        } else {
            let start = self.nodes.len();
            if !self.select_nodes(step, context)? {
                return Ok(false);
            }
            if self.nodes.len() == start
                && step.ahead.dressed
                && let Some(default) = self.default_of(step, context)?
            {
                self.nodes.push(Node::Value(default));
            }
            for at in start..self.nodes.len() {
                let Some(node) = self.nodes.get_mut(at) else { break };
                let node = std::mem::replace(node, Node::Root);
                built |= self.object(step, cases, (&node, context), buffers, depth)?;
            }
            self.nodes.truncate(start);
        }
        if built { Ok(true) } else { self.missing_policy(step, &step.on_missing) }
    }

    /// Builds of the fields of the record, as they come; none is linked to another one that counts.
    fn objects_of_fields(
        &mut self,
        step: &'r Step,
        cases: &'r [CasePlan],
        (context, input): (&Node<'r>, MarcInput<'r>),
        buffers: &mut Buffers,
        depth: usize,
    ) -> Outcome<bool> {
        let mut built = false;
        for (selector, field) in input.fields(step) {
            self.mark_conditions(selector, field);
            let node = Node::Field(field);
            built |= self.object(step, cases, (&node, context), buffers, depth)?;
        }
        if built { Ok(true) } else { self.missing_policy(step, &step.on_missing) }
    }

    /// The fields or values from which a rule builds, onto the end of `self.nodes`.
    fn select_nodes(&mut self, step: &'r Step, context: &Node<'r>) -> Outcome<bool> {
        let start = self.nodes.len();
        if step.ahead.by_value {
            let mut values = self.spare.pop().unwrap_or_default();
            if !self.values(step, context, &mut values)? {
                return Ok(false);
            }
            self.nodes.extend(values.drain(..).map(Node::Value));
            self.spare.push(values);
            return Ok(true);
        }
        let mut nodes = std::mem::take(&mut self.nodes);
        for (n, (selector, _)) in step.from.iter().enumerate() {
            if step.take == Take::FirstMatch && nodes.len() > start {
                break;
            }
            if !self.nodes_of(step, (n, selector), context, &mut nodes)? {
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
        let others = match step.take {
            _ if nodes.len() < start + 2 => 0..0,
            Take::First | Take::FirstMatch => start + 1..nodes.len(),
            Take::Last => start..nodes.len() - 1,
            _ => 0..0,
        };
        for node in nodes.drain(others) {
            self.mark_whole(&node, State::Dropped);
        }
        self.nodes = nodes;
        Ok(true)
    }

    /// Where a node stands in the record, to put nodes of several selectors in record order.
    fn position(&self, node: &Node<'_>) -> usize {
        match node {
            Node::Field(field) => field.index(),
            Node::Value(value) => match self.field_of(node) {
                Some(field) => field.index(),
                None => self.first_origin(value).unwrap_or(0) as usize,
            },
            Node::Xml(node) => node.values().start,
            Node::Json(value) => {
                let found = self.json().and_then(|input| input.found(*value));
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
        buffers: &mut Buffers,
        depth: usize,
    ) -> Outcome<bool> {
        let bound = self.bindings.len();
        let first_mark = self.memory.marks.len();
        let traced = self.memory.trace.as_ref().map_or(0, |trace| trace.lines.len());
        let kept = self.object_inner(step, cases, nodes, buffers, depth);
        self.bindings.truncate(bound);
        if matches!(kept, Ok(false)) {
            self.give_up(first_mark, traced);
        }
        kept
    }

    /// The first case that holds.
    fn case_of(
        &mut self,
        step: &'r Step,
        cases: &'r [CasePlan],
        node: &Node<'r>,
    ) -> Outcome<Option<&'r CasePlan>> {
        for case in cases {
            if case.when.is_none() || self.holds(step, case.when.as_ref(), node)? {
                return Ok(Some(case));
            }
        }
        Ok(None)
    }

    /// What an object that is not written had taken does not reach the output after all; marks and
    /// lines of the trace from these numbers on are its own.
    pub(in crate::crosswalk) fn give_up(&mut self, first_mark: usize, traced: usize) {
        if let Some(trace) = &mut self.memory.trace {
            trace.lines.truncate(traced);
        }
        for (_, state) in self.memory.marks.iter_mut().skip(first_mark) {
            if *state == State::Mapped {
                *state = State::Dropped;
            }
        }
    }

    fn object_inner(
        &mut self,
        step: &'r Step,
        cases: &'r [CasePlan],
        (node, context): (&Node<'r>, &Node<'r>),
        buffers: &mut Buffers,
        depth: usize,
    ) -> Outcome<bool> {
        if !step.ahead.dressed && !step.lets.is_empty() {
            self.bind(step, node)?;
        }
        let asked = if step.ahead.dressed { context } else { node };
        if step.when.is_some() && !self.holds(step, step.when.as_ref(), asked)? {
            return Ok(false);
        }
        let Some(case) = self.case_of(step, cases, node)? else { return Ok(false) };
        if !case.target.many && buffers.has(case.target.slot) {
            return Ok(false);
        }
        let Some(object) = &case.object else {
            let Some(value) = self.value_at(node) else { return Ok(false) };
            if value.is_blank() {
                return Ok(false);
            }
            let place = &mut Place::Leaf(case.target, buffers);
            self.write(Written::of(&value), (step, &case.check), place);
            self.used(case.number);
            return Ok(true);
        };
        let traced = self.memory.trace.as_ref().map_or(0, |trace| trace.lines.len());
        if let Some(trace) = &mut self.memory.trace {
            let at = buffers.len(case.target.slot);
            trace.enter(&case.to, case.target.many.then_some(at));
        }
        let built = (step, case, object);
        let (keep, stayed) = match &object.flat {
            Some(flat) => self.flat_object(built, flat, (node, context), buffers),
            None => self.stitched_object(built, (node, context), buffers, depth),
        };
        // A repeated object is in the output already; its values are not there twice.
        if let (true, false, Some(trace)) =
            (matches!(keep, Ok(true)), stayed, &mut self.memory.trace)
        {
            trace.lines.truncate(traced);
        }
        if let Ok(true) = keep {
            self.used(step.number);
            if case.number != step.number {
                self.used(case.number);
            }
        }
        keep
    }

    /// Writes an object as it comes. Says whether it is kept, and whether it is a new one.
    fn flat_object(
        &mut self,
        (step, case, object): (&'r Step, &'r CasePlan, &'r Object),
        flat: &'r Flat,
        nodes: (&Node<'r>, &Node<'r>),
        buffers: &mut Buffers,
    ) -> (Outcome<bool>, bool) {
        let slot = case.target.slot;
        let mut draft = buffers.draft(slot, flat);
        let keep = self.items(object, nodes, &mut Members::Flat(&mut draft), 0);
        self.leave();
        let keep = keep.map(|keep| keep && draft.filled() != 0);
        if !matches!(keep, Ok(true)) {
            buffers.give_up(slot, &mut draft);
            return (keep, false);
        }
        self.sure &= object.demands.as_ref().is_some_and(|demands| demands.hold(draft.filled()));
        (keep, buffers.keep(slot, step.unique && case.target.many, &mut draft))
    }

    /// Builds an object in buffers of its own, and puts these together.
    fn stitched_object(
        &mut self,
        (step, case, object): (&'r Step, &'r CasePlan, &'r Object),
        (node, context): (&Node<'r>, &Node<'r>),
        buffers: &mut Buffers,
        depth: usize,
    ) -> (Outcome<bool>, bool) {
        let mut inner = self.buffers(depth + 1, object.shape.slots());
        let members = &mut Members::Stitched(&mut inner);
        let mut keep = self.items(object, (node, context), members, depth + 1);
        self.leave();
        keep = keep.map(|keep| keep && object.shape.is_filled(&inner));
        let mut stayed = true;
        if let Ok(true) = keep {
            let demands = object.demands.as_ref();
            self.sure &= demands.is_some_and(|demands| demands.hold(inner.filled()));
            if let Some(linked) = &case.linked_880 {
                let field = (object, &inner, case.target);
                keep = self.pair(linked, field, node, buffers, depth).map(|()| true);
            } else {
                let unique = step.unique && case.target.many;
                stayed =
                    buffers.push(case.target.slot, unique, |out| object.shape.stitch(&inner, out));
            }
        }
        if let Some(place) = self.memory.pool.get_mut(depth + 1) {
            *place = inner;
        }
        (keep, stayed)
    }

    /// Runs the items of an object, up to one that drops it.
    fn items(
        &mut self,
        object: &'r Object,
        (node, context): (&Node<'r>, &Node<'r>),
        members: &mut Members<'_, 'r>,
        depth: usize,
    ) -> Outcome<bool> {
        let codes = node.codes();
        let straight = self.memory.trace.is_none();
        for (n, item) in object.items.iter().enumerate() {
            let node = if object.dressed && n > 0 { context } else { node };
            // Whether no subfield of this field is meant: no need to look for values.
            let absent = item.codes.is_some_and(|wanted| !wanted.meets(codes));
            if absent && item.ahead.idle && !item.ahead.dressed {
                continue;
            }
            let keep = match (&item.body, &mut *members) {
                (Body::Leaf(target), members)
                    if straight && !absent && item.way != Way::General =>
                {
                    self.straight(item, *target, node, members)?
                }
                (Body::Leaf(target), members) => {
                    let mut sink = Sink { count: 0, to: members.place(*target) };
                    match absent {
                        true => self.missing(item, node, &mut sink)?,
                        false => self.leaf(item, node, &mut sink)?,
                    }
                }
                (Body::Cases(_), _) if absent && !item.ahead.dressed => {
                    self.missing_policy(item, &item.on_missing)?
                }
                (_, Members::Stitched(inner)) => self.step(item, node, inner, depth)?,
                // Only leaves are there.
                (_, Members::Flat(_)) => true,
            };
            if !keep {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn leave(&mut self) {
        if let Some(trace) = &mut self.memory.trace {
            trace.leave();
        }
    }

    /// Runs the inner step on each field or value that the outer one finds.
    pub(super) fn each(
        &mut self,
        step: &'r Step,
        inner: &'r Step,
        context: &Node<'r>,
        buffers: &mut Buffers,
        depth: usize,
    ) -> Outcome<bool> {
        let start = self.nodes.len();
        if !self.select_nodes(step, context)? {
            return Ok(false);
        }
        let end = self.nodes.len();
        for at in start..end {
            let Some(node) = self.nodes.get_mut(at) else { break };
            let node = std::mem::replace(node, Node::Root);
            if !self.step(inner, &node, buffers, depth)? {
                self.nodes.truncate(start);
                return Ok(false);
            }
        }
        self.nodes.truncate(start);
        if start < end {
            self.used(step.number);
            return Ok(true);
        }
        match &inner.body {
            Body::Leaf(target) => self.missing(inner, context, &mut Sink::leaf(*target, buffers)),
            _ if has_default(inner) => self.step(inner, context, buffers, depth),
            _ => self.missing_policy(inner, &inner.on_missing),
        }
    }
}

/// Whether a rule has a value when there is none.
pub(super) fn has_default(step: &Step) -> bool {
    step.default.is_some() || matches!(step.on_missing, Policy::Default(_))
}
