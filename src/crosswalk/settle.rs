//! The end of a record: every value of the source counted in its final state.

use super::account::{Account, ClassNumber, PATH_VALUE, State};
use super::input::{Node, Source, found};
use super::plan::{OfUnmapped, Plan, Selector};
use super::run::{Held, Origins, Outcome, Run};
use super::selector::{XmlNode, XmlPath};
use super::shape::Buffers;
use super::transforms::text;
use super::values::position;
use crate::record::push_json_string;
use crate::xml::tree::Element;

impl Run<'_> {
    /// Counts every value of the record in its final state.
    pub(super) fn settle(&mut self, buffers: &mut Buffers) -> Outcome<()> {
        self.ignore_paths();
        let mut states = std::mem::take(&mut self.memory.states);
        states.clear();
        states.resize(self.source.value_count(), State::Unmapped);
        for (value, state) in &self.memory.marks {
            if let Some(known) = states.get_mut(*value as usize) {
                *known = (*known).max(*state);
            }
        }
        let mut lost = Lost { plan: self.plan, buffers, first: None };
        match self.source {
            Source::Marc(_) => self.settle_fields(&states, &mut lost),
            Source::Json(input) => {
                let id = self.id;
                input.leaves(self.account, &mut |account, index, class, text| {
                    let state = states.get(index).copied().unwrap_or(State::Unmapped);
                    settle_leaf(account, class, text, state, id, &mut lost);
                });
            }
            Source::Xml(input) => {
                let id = self.id;
                let names = input.tree.names();
                let plain = self.plan.ignore_paths.iter().filter_map(|selector| match selector {
                    Selector::Xml(path) if path.is_plain() && path.may_lead(names) => Some(path),
                    _ => None,
                });
                let ignored: Vec<&XmlPath> = plain.collect();
                input.leaves(self.account, &mut |account, class, node| {
                    let mut state = states.get(node.index()).copied().unwrap_or(State::Unmapped);
                    if state < State::Ignored {
                        let names = node.names();
                        if ignored.iter().any(|path| path.covers(input.record, node, names)) {
                            state = State::Ignored;
                        }
                    }
                    settle_leaf(account, class, &node.text(), state, id, &mut lost);
                });
            }
        }
        let first = lost.first;
        self.memory.states = states;
        match first {
            None => Ok(()),
            Some(place) => Err(Box::new(Held {
                rule: "unmapped".to_owned(),
                code: "unmapped".to_owned(),
                message: format!("no rule reads {place}"),
                fatal: false,
            })),
        }
    }

    fn settle_fields(&mut self, states: &[State], lost: &mut Lost<'_>) {
        let Source::Marc(input) = self.source else { return };
        let Run { plan, account, memory, id, .. } = self;
        let mut states = states.iter().copied();
        // The values of a record follow one another, field by field.
        for (field, number) in input.marc.fields().zip(input.classes().iter().copied()) {
            let Some((class, serial)) = account.counting(number) else { continue };
            let mut ignored = None;
            for (code, index, length) in field.outline() {
                let mut state = states.next().unwrap_or(State::Unmapped);
                let value = || input.marc.value(index).unwrap_or_default();
                if state < State::Ignored {
                    let ignored =
                        ignored.get_or_insert_with(|| memory.ignored.of(plan, number, field));
                    if ignored.contains(code) {
                        state = State::Ignored;
                    } else if state == State::Unmapped {
                        // Nothing is lost with a blank.
                        if text::trimmed(value()).is_empty() {
                            state = State::Ignored;
                        } else {
                            lost.see(|| class.name(code), value());
                        }
                    }
                }
                if class.count(serial, code, length, state) {
                    class.sample(code, state, id, value());
                }
            }
        }
    }

    /// What `ignore` leaves out of a tree; plain paths of XML are asked of the values that are
    /// left in the end.
    fn ignore_paths(&mut self) {
        let mut nodes = Vec::new();
        for selector in &self.plan.ignore_paths {
            match selector {
                Selector::Json(path) => self.json_nodes(path, &Node::Root, &mut nodes),
                Selector::Xml(path) if !path.is_plain() => {
                    self.xml_nodes(path, &Node::Root, &mut nodes);
                }
                _ => {}
            }
        }
        for node in nodes {
            self.mark_whole(&node, State::Ignored);
        }
    }

    /// Marks all that a field, an element, an object or a value holds.
    pub(super) fn mark_whole(&mut self, node: &Node<'_>, state: State) {
        match node {
            Node::Field(field) => {
                for (_, index, _) in field.outline() {
                    self.mark(Origins::One(position(index)), state);
                }
            }
            Node::Json(value) => {
                let origins = self.json().map_or(Origins::None, |input| input.origins(*value));
                self.mark(origins, state);
            }
            Node::Xml(node) => {
                self.mark(found(*node).origins, state);
                if let XmlNode::Element(element) = node {
                    let attributes = element.descendants().flat_map(Element::attributes);
                    for attribute in attributes {
                        self.mark(Origins::One(position(attribute.index())), state);
                    }
                }
            }
            Node::Value(value) => self.mark(value.origins, state),
            Node::Root => {}
        }
    }
}

/// What becomes of values that no rule reads.
struct Lost<'s> {
    plan: &'s Plan,
    buffers: &'s mut Buffers,
    /// The first of them, when the record is to be held.
    first: Option<String>,
}

impl Lost<'_> {
    #[inline]
    fn see(&mut self, name: impl Fn() -> String, value: &str) {
        match self.plan.unmapped {
            OfUnmapped::Report => {}
            OfUnmapped::Quarantine => {
                self.first.get_or_insert_with(name);
            }
            OfUnmapped::Keep(target) => {
                self.buffers.push(target.slot, false, |out| {
                    out.extend_from_slice(b"{\"field\":");
                    push_json_string(&name(), out);
                    out.extend_from_slice(b",\"value\":");
                    push_json_string(value, out);
                    out.push(b'}');
                });
            }
        }
    }
}

fn settle_leaf(
    account: &mut Account,
    class: ClassNumber,
    value: &str,
    mut state: State,
    id: &str,
    lost: &mut Lost<'_>,
) {
    if state == State::Unmapped && text::trimmed(value).is_empty() {
        state = State::Ignored;
    }
    let Some((class, serial)) = account.counting(class) else { return };
    if state == State::Unmapped {
        lost.see(|| class.name(PATH_VALUE), value);
    }
    if class.count(serial, PATH_VALUE, value.len(), state) {
        class.sample(PATH_VALUE, state, id, value);
    }
}
