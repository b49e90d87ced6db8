//! What selectors find in a MARC record: fields by their tags, subfields, linked fields.

use std::borrow::Cow;

use super::Node;
use crate::crosswalk::account::{Account, ClassNumber, State};
use crate::crosswalk::chains::{Chains, Link};
use crate::crosswalk::plan::{Selector, Step};
use crate::crosswalk::run::{Found, Origins, Outcome, Run};
use crate::crosswalk::selector::{MarcSelector, Operand, Subfields};
use crate::crosswalk::values::{Sink, position};
use crate::formats::marc21::{CONTROL_VALUE, Field, Marc, Subfield, Tag};

/// The fields of a record, sorted out for the steps of a plan.
#[derive(Debug, Default)]
pub struct FieldIndex {
    /// The class of each field.
    classes: Vec<ClassNumber>,
    /// What is known of each class.
    kinds: Vec<Kind>,
    /// Where the fields of classes belong, those of one class together.
    links: Vec<Link>,
    /// For each chain its first place.
    heads: Vec<u32>,
    places: Vec<Place>,
    /// Positions of the 880s.
    alternates: Vec<u32>,
    strays: Vec<Stray>,
}

/// What is known of the fields of a class.
#[derive(Debug)]
struct Kind {
    tag: Tag,
    text: String,
    /// Of the links.
    first: u32,
    end: u32,
}

/// A field in a chain.
#[derive(Debug, Clone, Copy)]
struct Place {
    field: u32,
    selector: u16,
    next: u32,
}

/// An 880 that is paired with no field: it counts as a field of the tag that it names.
#[derive(Debug)]
struct Stray {
    tag: Tag,
    /// Position of the field.
    at: u32,
}

const ALTERNATE: Tag = Tag(*b"880");

const END: u32 = u32::MAX;

/// A MARC record with its fields sorted out.
#[derive(Debug, Clone, Copy)]
pub struct MarcInput<'r> {
    pub marc: &'r Marc,
    index: &'r FieldIndex,
}

impl<'r> MarcInput<'r> {
    pub fn new(
        marc: &'r Marc,
        chains: &Chains,
        account: &mut Account,
        index: &'r mut FieldIndex,
    ) -> MarcInput<'r> {
        index.classes.clear();
        index.classes.extend(marc.fields().map(|field| account.class(field)));
        while let Some((tag, indicators)) = account.heading(index.kinds.len()) {
            let first = position(index.links.len());
            index.links.extend(chains.of(tag, indicators));
            let end = position(index.links.len());
            index.kinds.push(Kind { tag, text: tag.to_string(), first, end });
        }
        index.heads.clear();
        index.heads.resize(chains.len(), END);
        index.places.clear();
        index.alternates.clear();
        index.strays.clear();
        index.find_alternates(marc);
        index.sort_out(marc, chains);
        MarcInput { marc, index }
    }

    /// The tag that a field counts as.
    pub fn tag_of(&self, field: Field<'r>) -> &'r str {
        let is_stray = |stray: &Stray| stray.at as usize == field.index();
        if self.index.strays.iter().any(is_stray)
            && let Some((tag, _)) = field.subfield('6').and_then(linkage)
        {
            return tag;
        }
        let class = self.index.classes.get(field.index());
        let kind = class.and_then(|class| self.index.kinds.get(*class));
        kind.map_or_else(|| field.tag_text(), |kind| kind.text.as_str())
    }

    /// The class of each field, in record order.
    pub fn classes(&self) -> &'r [ClassNumber] {
        &self.index.classes
    }

    /// Whether any field belongs to this chain.
    #[inline]
    pub fn has_any(&self, chain: u16) -> bool {
        self.index.heads.get(usize::from(chain)).is_some_and(|head| *head != END)
    }

    /// Whether a step that reads fields has one value at most.
    pub fn is_single(&self, step: &Step) -> bool {
        let mut chain = self.chain(step.chain);
        match (chain.next(), chain.next()) {
            (None, _) => true,
            (Some((n, field)), None) => match step.from.get(n) {
                Some((Selector::Marc(selector), _)) => {
                    let wanted = |code: &char| selector.codes.contains(*code);
                    step.join.is_some()
                        || field.outline().filter(|(code, ..)| wanted(code)).nth(1).is_none()
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether any 880 counts as a field of another tag.
    pub fn has_strays(&self) -> bool {
        !self.index.strays.is_empty()
    }

    /// Whether there is an 880 that a field could be linked to.
    pub fn has_alternates(&self) -> bool {
        !self.index.alternates.is_empty()
    }

    /// Field, occurrence of its tag from 0, and subfield of a value: `700[1] $a`.
    pub fn place(&self, value: usize) -> String {
        let Some(field) = self.marc.field_of_value(value) else { return String::new() };
        let before = self.marc.fields().take_while(|other| other.index() < field.index());
        let occurrence = before.filter(|other| other.tag() == field.tag()).count();
        let code = field.subfields().find(|subfield| subfield.index == value);
        let code = code.map(|subfield| subfield.code).filter(|code| *code != CONTROL_VALUE);
        let code = code.map_or(String::new(), |code| format!(" ${code}"));
        format!("{}[{occurrence}]{code}", field.tag())
    }

    /// The fields that the selectors of a step match, with their selectors, in record order;
    /// strays come last.
    #[inline]
    pub fn fields<'s>(
        self,
        step: &'s Step,
    ) -> impl Iterator<Item = (&'s MarcSelector, Field<'r>)> + use<'s, 'r> {
        self.chain(step.chain).filter_map(move |(n, field)| match step.from.get(n) {
            Some((Selector::Marc(selector), _)) if selector.accepts(field) => {
                Some((selector, field))
            }
            _ => None,
        })
    }

    /// The fields that may belong to a step, each with the number of the selector that wants it.
    #[inline]
    fn chain(self, chain: Option<u16>) -> impl Iterator<Item = (usize, Field<'r>)> + use<'r> {
        let head = chain.and_then(|chain| self.index.heads.get(usize::from(chain)));
        let mut at = head.copied().unwrap_or(END);
        std::iter::from_fn(move || {
            let place = self.index.places.get(at as usize)?;
            at = place.next;
            Some((usize::from(place.selector), self.marc.field(place.field as usize)?))
        })
    }

    /// Calls `found` with each field that one selector of a step matches, in record order, as long
    /// as it says `true`; the answer is its last.
    fn matching(
        &self,
        step: &Step,
        (n, selector): (usize, &MarcSelector),
        mut found: impl FnMut(Field<'r>) -> Outcome<bool>,
    ) -> Outcome<bool> {
        let chain = self.chain(step.chain);
        let matching = chain
            .filter(|(other, field)| *other == n && selector.accepts(*field))
            .map(|(_, field)| field);
        let Some(occurrence) = selector.occurrence else {
            for field in matching {
                if !found(field)? {
                    return Ok(false);
                }
            }
            return Ok(true);
        };
        let all: Vec<Field<'r>> = matching.collect();
        let range = occurrence.range(all.len());
        for field in all.get(range).unwrap_or_default() {
            if !found(*field)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The 880 that is paired with `field` by `$6` (MARC 21, Appendix A).
    #[inline]
    pub fn linked(&self, field: Field<'r>) -> Option<Field<'r>> {
        if self.has_alternates() { self.alternate(field) } else { None }
    }

    fn alternate(&self, field: Field<'r>) -> Option<Field<'r>> {
        let (tag, occurrence) = linkage(field.subfield('6')?)?;
        if tag != "880" || occurrence == "00" {
            return None;
        }
        let alternates = self.index.alternates.iter();
        let mut alternates = alternates.filter_map(|at| self.marc.field(*at as usize));
        alternates.find(|other| {
            other.subfield('6').and_then(linkage).is_some_and(|(back, number)| {
                number == occurrence && back.as_bytes() == field.tag().0
            })
        })
    }
}

impl FieldIndex {
    fn find_alternates(&mut self, marc: &Marc) {
        for (at, class) in (0_u32..).zip(&self.classes) {
            if self.kinds.get(*class).is_some_and(|kind| kind.tag == ALTERNATE) {
                self.alternates.push(at);
            }
        }
        for at in &self.alternates {
            let linked = marc.field(*at as usize).and_then(|field| field.subfield('6'));
            if let Some((tag, number)) = linked.and_then(linkage)
                && let Ok(tag) = <[u8; 3]>::try_from(tag.as_bytes()).map(Tag)
                && (number == "00" || !is_paired(marc, tag, number))
            {
                self.strays.push(Stray { tag, at: *at });
            }
        }
    }

    // From the end, so that each chain is in record order, strays behind.
    fn sort_out(&mut self, marc: &Marc, chains: &Chains) {
        let FieldIndex { classes, kinds, links, heads, places, strays, .. } = self;
        let mut put = |field: u32, link: Link| {
            if let Some(head) = heads.get_mut(usize::from(link.chain)) {
                let next = std::mem::replace(head, position(places.len()));
                places.push(Place { field, selector: link.selector, next });
            }
        };
        for Stray { tag, at } in strays.iter().rev() {
            let Some(field) = marc.field(*at as usize) else { continue };
            let links = chains.of(*tag, field.indicators().map(Some));
            links.rev().for_each(|link| put(*at, link));
        }
        for (at, class) in (0..position(classes.len())).zip(classes.iter()).rev() {
            let Some(kind) = kinds.get(*class) else { continue };
            let links = links.get(kind.first as usize..kind.end as usize);
            links.unwrap_or_default().iter().rev().for_each(|link| put(at, *link));
        }
    }
}

/// Whether a field of this tag is linked to the 880 of this occurrence number.
fn is_paired(marc: &Marc, tag: Tag, number: &str) -> bool {
    marc.fields()
        .filter(|field| field.tag() == tag)
        .any(|field| field.subfield('6').and_then(linkage) == Some(("880", number)))
}

/// Tag and occurrence number of `880-01/$1`.
fn linkage(text: &str) -> Option<(&str, &str)> {
    let (tag, rest) = text.trim().split_once('-')?;
    Some((tag, rest.get(..2)?))
}

impl<'r> Run<'r> {
    /// The fields that a selector of whole fields finds, onto the end of `out`.
    pub(super) fn fields_of(
        &mut self,
        step: &Step,
        (n, selector): (usize, &MarcSelector),
        out: &mut Vec<Node<'r>>,
    ) -> Outcome<bool> {
        let Some(input) = self.marc() else { return Ok(true) };
        input.matching(step, (n, selector), |field| {
            self.mark_conditions(selector, field);
            out.push(Node::Field(field));
            if step.linked {
                out.extend(input.linked(field).map(Node::Field));
            }
            Ok(true)
        })
    }

    /// The values of a step at one selector that names tags, or the leader.
    pub(super) fn record_values(
        &mut self,
        step: &'r Step,
        (n, selector): (usize, &MarcSelector),
        sink: &mut Sink<'_, 'r>,
    ) -> Outcome<bool> {
        let Some(input) = self.marc() else { return Ok(true) };
        if selector.leader {
            let text = slice(selector, input.marc.leader().as_str());
            if self.emit_part(step, (text, Origins::None), sink, Cow::Borrowed) {
                return Ok(true);
            }
            return self.emit(step, 0, Found::of(text), sink);
        }
        input.matching(step, (n, selector), |field| {
            self.values_of_field(step, selector, (input, field), sink)
        })
    }

    /// The values of a step that reads fields only, in the order of the record.
    #[inline(always)]
    pub(in crate::crosswalk) fn values_in_order(
        &mut self,
        step: &'r Step,
        input: MarcInput<'r>,
        sink: &mut Sink<'_, 'r>,
    ) -> Outcome<bool> {
        for (selector, field) in input.fields(step) {
            if !self.values_of_field(step, selector, (input, field), sink)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    #[inline(always)]
    fn values_of_field(
        &mut self,
        step: &'r Step,
        selector: &MarcSelector,
        (input, field): (MarcInput<'r>, Field<'r>),
        sink: &mut Sink<'_, 'r>,
    ) -> Outcome<bool> {
        self.mark_conditions(selector, field);
        let kept = self.field_values(step, selector, field, sink)?;
        match input.linked(field).filter(|_| step.linked) {
            Some(linked) if kept => self.field_values(step, selector, linked, sink),
            _ => Ok(kept),
        }
    }

    /// The values of a step in one field.
    pub(in crate::crosswalk) fn field_values(
        &mut self,
        step: &'r Step,
        selector: &MarcSelector,
        field: Field<'r>,
        sink: &mut Sink<'_, 'r>,
    ) -> Outcome<bool> {
        if let (Subfields::Listed(codes, _), true) = (&selector.subfields, step.listed) {
            let subfields = codes.iter().flat_map(|code| {
                let code = *code;
                field.subfields_of(move |other| other == code)
            });
            return self.subfields(step, selector, subfields, sink);
        }
        let codes = selector.codes;
        self.subfields(step, selector, field.subfields_of(|code| codes.contains(code)), sink)
    }

    fn subfields(
        &mut self,
        step: &'r Step,
        selector: &MarcSelector,
        subfields: impl Iterator<Item = Subfield<'r>>,
        sink: &mut Sink<'_, 'r>,
    ) -> Outcome<bool> {
        let parts = subfields.map(|part| (part.index, slice(selector, part.value)));
        if let Some(separator) = &step.join {
            let Some(found) = self.joined(parts, separator) else { return Ok(true) };
            let part = (&*found.text, found.origins);
            if self.emit_part(step, part, sink, |text| Cow::Owned(text.to_owned())) {
                self.reuse(found);
                return Ok(true);
            }
            return self.emit(step, 0, found, sink);
        }
        for (index, text) in parts {
            let origins = Origins::One(position(index));
            if !self.emit_part(step, (text, origins), sink, Cow::Borrowed)
                && !self.emit(step, 0, Found { origins, ..Found::of(text) }, sink)?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What a selector's conditions looked at counts as read.
    #[inline]
    pub(in crate::crosswalk) fn mark_conditions(
        &mut self,
        selector: &MarcSelector,
        field: Field<'r>,
    ) {
        for test in selector.conditions.iter().flatten() {
            match &test.operand {
                Operand::Indicator(_) => {}
                Operand::Subfields(subfields, _) => {
                    let codes = subfields.codes();
                    for (_, index, _) in field.outline().filter(|(code, ..)| codes.contains(*code))
                    {
                        self.mark(Origins::One(position(index)), State::Read);
                    }
                }
                Operand::Record(selector) => selector.visit(field.record(), &mut |index, _| {
                    if let Some(index) = index {
                        self.mark(Origins::One(position(index)), State::Read);
                    }
                }),
            }
        }
    }
}

/// An indicator as text, a blank as `_`.
pub fn indicator(field: Field<'_>, n: usize) -> Cow<'static, str> {
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
