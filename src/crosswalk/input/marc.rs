//! What selectors find in a MARC record: fields by their tags, subfields, linked fields.

use std::borrow::Cow;

use super::Node;
use crate::crosswalk::account::{Account, ClassNumber, State};
use crate::crosswalk::plan::{Step, TagIndex};
use crate::crosswalk::run::{Found, Origins, Outcome, Run};
use crate::crosswalk::selector::{MarcSelector, Occurrence, Operand, Subfields};
use crate::crosswalk::values::{Sink, position};
use crate::formats::marc21::{CONTROL_VALUE, Field, Marc, Subfield, Tag};

/// For each numbered tag the positions of its fields: a list of lists in two arrays.
#[derive(Debug, Default)]
pub struct FieldIndex {
    heads: Vec<u32>,
    nexts: Vec<u32>,
    /// The class of each field.
    classes: Vec<ClassNumber>,
    /// The number of the tag of each class, or [`NO_SLOT`].
    slots: Vec<u16>,
    strays: Vec<Stray>,
    /// A bit for each number of a tag that a field has, or counts as.
    present: Vec<u64>,
    /// The first 880.
    alternates: u32,
}

/// An 880 that is paired with no field: it counts as a field of the tag that it names.
#[derive(Debug)]
struct Stray {
    tag: Tag,
    /// The number of that tag, or [`NO_SLOT`].
    slot: u16,
    /// Position of the field.
    at: u32,
}

const ALTERNATE: Tag = Tag(*b"880");

const NO_SLOT: u16 = u16::MAX;

const END: u32 = u32::MAX;

/// A MARC record with its fields sorted out by tag.
#[derive(Debug, Clone, Copy)]
pub struct MarcInput<'r> {
    pub marc: &'r Marc,
    index: &'r FieldIndex,
}

impl<'r> MarcInput<'r> {
    pub fn new(
        marc: &'r Marc,
        tags: &TagIndex,
        account: &mut Account,
        index: &'r mut FieldIndex,
    ) -> MarcInput<'r> {
        index.classes.clear();
        index.classes.extend(marc.fields().map(|field| account.class(field)));
        for class in index.slots.len()..account.classes() {
            let slot = account.tag(class).and_then(|tag| tags.get(tag));
            index.slots.push(slot.unwrap_or(NO_SLOT));
        }
        index.heads.clear();
        index.heads.resize(tags.slots(), END);
        index.nexts.clear();
        index.nexts.resize(marc.len(), END);
        index.present.clear();
        index.present.resize(tags.slots().div_ceil(64), 0);
        for (at, class) in index.classes.iter().enumerate().rev() {
            let slot = index.slots.get(*class).copied().unwrap_or(NO_SLOT);
            set_bit(&mut index.present, slot);
            let head = index.heads.get_mut(usize::from(slot));
            if let (Some(head), Some(next)) = (head, index.nexts.get_mut(at)) {
                *next = *head;
                *head = u32::try_from(at).unwrap_or(END);
            }
        }
        let slot = tags.get(ALTERNATE).map(usize::from);
        index.alternates = slot.and_then(|slot| index.heads.get(slot)).copied().unwrap_or(END);
        index.find_strays(marc, tags);
        MarcInput { marc, index }
    }

    /// The tag that a field counts as.
    pub fn tag_of(&self, field: Field<'r>) -> &'r str {
        let linked = || linkage(field.subfield('6')?).map(|(tag, _)| tag);
        match self.index.strays.iter().any(|stray| stray.at as usize == field.index()) {
            true => linked().unwrap_or(field.tag_text()),
            false => field.tag_text(),
        }
    }

    /// The class of each field, in record order.
    pub fn classes(&self) -> &'r [ClassNumber] {
        &self.index.classes
    }

    /// Whether a field has the tag of this number.
    #[inline]
    pub fn has(&self, slot: u16) -> bool {
        let word = self.index.present.get(usize::from(slot / 64)).copied().unwrap_or(0);
        word >> (slot % 64) & 1 == 1
    }

    /// Whether a field has one of the tags whose bits these are.
    #[inline]
    pub fn has_any(&self, tags: &[u64]) -> bool {
        tags.iter().zip(&self.index.present).any(|(wanted, present)| wanted & present != 0)
    }

    /// Whether any 880 counts as a field of another tag.
    pub fn has_strays(&self) -> bool {
        !self.index.strays.is_empty()
    }

    /// Whether there is an 880 that a field could be linked to.
    pub fn has_alternates(&self) -> bool {
        self.index.alternates != END
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

    /// Calls `found` with each field that the selector matches, in record order, as long as it
    /// says `true`; the answer is its last.
    fn fields(
        &self,
        selector: &MarcSelector,
        slot: Option<u16>,
        mut found: impl FnMut(Field<'r>) -> Outcome<bool>,
    ) -> Outcome<bool> {
        match selector.occurrence {
            None => self.matching(selector, slot, found),
            Some(occurrence) => {
                let mut all = Vec::new();
                self.matching(selector, slot, |field| {
                    all.push(field);
                    Ok(true)
                })?;
                let range = match occurrence {
                    Occurrence::Range(first, last) => {
                        first.min(all.len())..last.saturating_add(1).min(all.len())
                    }
                    Occurrence::FromEnd(back) => all.len().saturating_sub(back + 1)..all.len(),
                };
                for field in all.get(range).unwrap_or_default() {
                    if !found(*field)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }

    fn matching(
        &self,
        selector: &MarcSelector,
        slot: Option<u16>,
        mut found: impl FnMut(Field<'r>) -> Outcome<bool>,
    ) -> Outcome<bool> {
        let Some(slot) = slot else {
            let tags = selector.tag.as_ref();
            let fields = self.marc.fields().map(|field| (field.tag(), field));
            let strays = self.index.strays.iter();
            let strays =
                strays.filter_map(|stray| Some((stray.tag, self.marc.field(stray.at as usize)?)));
            for (tag, field) in fields.chain(strays) {
                let here = tags.is_some_and(|tags| tags.matches(tag));
                if here && selector.accepts(field) && !found(field)? {
                    return Ok(false);
                }
            }
            return Ok(true);
        };
        let mut at = self.index.heads.get(usize::from(slot)).copied().unwrap_or(END);
        while let Some(field) = self.marc.field(at as usize) {
            if selector.accepts(field) && !found(field)? {
                return Ok(false);
            }
            at = self.index.nexts.get(at as usize).copied().unwrap_or(END);
        }
        for stray in self.index.strays.iter().filter(|stray| stray.slot == slot) {
            let Some(field) = self.marc.field(stray.at as usize) else { continue };
            if selector.accepts(field) && !found(field)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The 880 that is paired with `field` by `$6` (MARC 21, Appendix A).
    pub fn linked(&self, field: Field<'r>) -> Option<Field<'r>> {
        if !self.has_alternates() {
            return None;
        }
        let (tag, occurrence) = linkage(field.subfield('6')?)?;
        if tag != "880" || occurrence == "00" {
            return None;
        }
        self.marc.fields().filter(|other| other.tag() == ALTERNATE).find(|other| {
            other.subfield('6').and_then(linkage).is_some_and(|(back, number)| {
                number == occurrence && back.as_bytes() == field.tag().0
            })
        })
    }
}

impl FieldIndex {
    // Of a plan that names 880, as every plan with tags does.
    fn find_strays(&mut self, marc: &Marc, tags: &TagIndex) {
        self.strays.clear();
        let mut at = self.alternates;
        while let Some(field) = marc.field(at as usize) {
            if let Some((tag, number)) = field.subfield('6').and_then(linkage)
                && let Ok(tag) = <[u8; 3]>::try_from(tag.as_bytes()).map(Tag)
                && (number == "00" || !is_paired(marc, tag, number))
            {
                let slot = tags.get(tag).unwrap_or(NO_SLOT);
                self.strays.push(Stray { tag, slot, at });
                set_bit(&mut self.present, slot);
            }
            at = self.nexts.get(at as usize).copied().unwrap_or(END);
        }
    }
}

fn set_bit(bits: &mut [u64], slot: u16) {
    if let Some(word) = bits.get_mut(usize::from(slot / 64)) {
        *word |= 1 << (slot % 64);
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
        selector: &MarcSelector,
        slot: Option<u16>,
        out: &mut Vec<Node<'r>>,
    ) -> Outcome<bool> {
        let (Some(input), Some(_)) = (self.marc(), &selector.tag) else { return Ok(true) };
        input.fields(selector, slot, |field| {
            self.mark_conditions(selector, field);
            out.push(Node::Field(field));
            if step.linked {
                out.extend(input.linked(field).map(Node::Field));
            }
            Ok(true)
        })
    }

    /// The values of a step at a selector that names tags, or the leader.
    pub(super) fn record_values(
        &mut self,
        step: &'r Step,
        selector: &MarcSelector,
        slot: Option<u16>,
        sink: &mut Sink<'_, 'r>,
    ) -> Outcome<bool> {
        let Some(input) = self.marc() else { return Ok(true) };
        if selector.leader {
            let text = slice(selector, input.marc.leader().as_str());
            return self.emit(step, 0, Found::of(text), sink);
        }
        input.fields(selector, slot, |field| {
            if !selector.conditions.is_empty() {
                self.mark_conditions(selector, field);
            }
            let kept = self.field_values(step, selector, field, sink)?;
            match input.linked(field) {
                Some(linked) if kept && step.linked => {
                    self.field_values(step, selector, linked, sink)
                }
                _ => Ok(kept),
            }
        })
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
        let codes = selector.subfields.codes();
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
            let joined = self.joined(parts, separator);
            return joined.map_or(Ok(true), |found| self.emit(step, 0, found, sink));
        }
        for (index, text) in parts {
            let origins = Origins::One(position(index));
            if !self.emit(step, 0, Found { origins, ..Found::of(text) }, sink)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What a selector's conditions looked at counts as read.
    fn mark_conditions(&mut self, selector: &MarcSelector, field: Field<'r>) {
        for test in selector.conditions.iter().flatten() {
            if let Operand::Subfields(subfields) = &test.operand {
                for subfield in field.subfields().filter(|s| subfields.contains(s.code)) {
                    self.mark(Origins::One(position(subfield.index)), State::Read);
                }
            }
        }
    }
}

/// An indicator as text, a blank as `_`.
pub(super) fn indicator(field: Field<'_>, n: usize) -> Cow<'static, str> {
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
