//! MARC 21: leader, control fields and data fields, as one buffer of text and bounds into it.
//!
//! The order of fields and subfields is the record's own; nothing is grouped or sorted.
//! <https://www.loc.gov/marc/bibliographic/>

pub mod aleph;
pub mod encoding;
pub mod iso2709;
mod leader;
mod lines;
pub mod line;
pub mod marc_json;
pub mod marc8;
pub mod marcxml;

use std::fmt;
use std::ops::Range;

/// A field's tag: three ASCII characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(pub [u8; 3]);

impl Tag {
    /// A tag of exactly three printable ASCII characters.
    #[must_use]
    pub fn new(text: &[u8]) -> Option<Tag> {
        let tag: [u8; 3] = text.try_into().ok()?;
        tag.iter().all(u8::is_ascii_graphic).then_some(Tag(tag))
    }

    /// The tag as text; always ASCII.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    /// Control fields have no indicators and no subfields: 001 to 009.
    #[must_use]
    pub fn is_control(self) -> bool {
        self.0.starts_with(b"00") && self.0.iter().all(u8::is_ascii_digit)
    }

    /// A tag of digits as a number, below 1000.
    #[inline]
    #[must_use]
    pub fn number(self) -> Option<usize> {
        let digits = self.0.map(|byte| usize::from(byte.wrapping_sub(b'0')));
        let [a, b, c] = digits;
        (a < 10 && b < 10 && c < 10).then_some(100 * a + 10 * b + c)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The 24 characters at the front of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leader(pub [u8; 24]);

impl Leader {
    /// What a record without a leader is taken to have: a language material monograph in UTF-8.
    pub const DEFAULT: Leader = Leader(*b"00000nam a2200000 a 4500");

    /// The leader as text; always ASCII.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("")
    }

    /// leader/09: the character coding scheme, `a` for UTF-8, blank for MARC-8.
    #[must_use]
    pub fn coding_scheme(&self) -> u8 {
        self.0.get(9).copied().unwrap_or(b' ')
    }
}

/// The code under which a control field's whole value stands among [`Marc::subfields`].
pub const CONTROL_VALUE: char = '\0';

#[derive(Debug, Clone, Copy)]
struct FieldBounds {
    tag: Tag,
    indicators: [char; 2],
    first_subfield: u32,
    end_subfield: u32,
}

#[derive(Debug, Clone, Copy)]
struct SubfieldBounds {
    code: char,
    start: u32,
    end: u32,
}

/// One MARC record, owned; meant to be cleared and filled again.
#[derive(Debug, Clone)]
pub struct Marc {
    leader: Leader,
    text: String,
    fields: Vec<FieldBounds>,
    subfields: Vec<SubfieldBounds>,
}

impl Default for Marc {
    fn default() -> Marc {
        Marc {
            leader: Leader::DEFAULT,
            text: String::new(),
            fields: Vec::new(),
            subfields: Vec::new(),
        }
    }
}

fn bound(length: usize) -> u32 {
    // A record is at most MAX_RECORD_BYTES long, far below 4 GiB.
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl Marc {
    /// Empties the record and keeps its memory.
    pub fn clear(&mut self) {
        self.leader = Leader::DEFAULT;
        self.text.clear();
        self.fields.clear();
        self.subfields.clear();
    }

    /// The leader.
    #[must_use]
    pub fn leader(&self) -> &Leader {
        &self.leader
    }

    /// Replaces the leader.
    pub fn set_leader(&mut self, leader: Leader) {
        self.leader = leader;
    }

    /// Number of fields, control fields included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no field at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Number of values: a control field counts one, a data field one for each subfield.
    #[must_use]
    pub fn value_count(&self) -> usize {
        self.subfields.len()
    }

    /// The fields in record order.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = Field<'_>> + Clone {
        self.fields.iter().enumerate().map(|(index, bounds)| Field { marc: self, bounds, index })
    }

    /// The field at this position of the record.
    #[must_use]
    pub fn field(&self, index: usize) -> Option<Field<'_>> {
        self.fields.get(index).map(|bounds| Field { marc: self, bounds, index })
    }

    /// The field that the value at this position belongs to.
    #[must_use]
    pub fn field_of_value(&self, index: usize) -> Option<Field<'_>> {
        let before = |field: &FieldBounds| field.end_subfield as usize <= index;
        self.field(self.fields.partition_point(before))
    }

    /// The value at this position among all values of the record.
    #[must_use]
    pub fn value(&self, index: usize) -> Option<&str> {
        self.subfields.get(index).map(|bounds| self.slice(bounds))
    }

    /// Field 001, trimmed.
    #[must_use]
    pub fn control_number(&self) -> Option<&str> {
        let field = self.fields().find(|field| field.tag() == Tag(*b"001"))?;
        Some(field.value().trim()).filter(|value| !value.is_empty())
    }

    fn slice(&self, bounds: &SubfieldBounds) -> &str {
        self.text.get(bounds.start as usize..bounds.end as usize).unwrap_or_default()
    }

    /// Adds a control field.
    pub fn push_control(&mut self, tag: Tag, value: &str) {
        self.push_data(tag, [' ', ' ']);
        self.push_subfield(CONTROL_VALUE, value);
    }

    /// Adds a data field without subfields yet.
    pub fn push_data(&mut self, tag: Tag, indicators: [char; 2]) {
        let here = bound(self.subfields.len());
        self.fields.push(FieldBounds { tag, indicators, first_subfield: here, end_subfield: here });
    }

    /// Adds a field of the values from this number on, which no other field has.
    pub(crate) fn push_field(&mut self, tag: Tag, indicators: [char; 2], first_value: usize) {
        let (first_subfield, end_subfield) = (bound(first_value), bound(self.subfields.len()));
        self.fields.push(FieldBounds { tag, indicators, first_subfield, end_subfield });
    }

    /// Adds a value that stands in the text at `start..end` already, for [`Marc::push_field`].
    #[inline]
    pub(crate) fn push_value_at(&mut self, code: char, start: usize, end: usize) {
        self.subfields.push(SubfieldBounds { code, start: bound(start), end: bound(end) });
    }

    /// Gives the last field another tag and other indicators.
    pub fn set_last_field(&mut self, tag: Tag, indicators: [char; 2]) {
        if let Some(field) = self.fields.last_mut() {
            (field.tag, field.indicators) = (tag, indicators);
        }
    }

    /// Adds a subfield to the last data field.
    pub fn push_subfield(&mut self, code: char, value: &str) {
        let start = bound(self.text.len());
        self.text.push_str(value);
        self.push_subfield_bounds(code, start, bound(self.text.len()));
    }

    /// Takes over a whole record's text, into which [`Marc::push_subfield_at`] then points.
    pub fn set_text(&mut self, text: &str) {
        self.text.clear();
        self.text.push_str(text);
    }

    /// The text that was set.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Adds a subfield whose value stands in the text at `start..end` already.
    pub fn push_subfield_at(&mut self, code: char, start: usize, end: usize) {
        self.push_subfield_bounds(code, bound(start), bound(end));
    }

    /// Makes text of values whose bounds are of foreign bytes so far: `decode` gets each value's
    /// place and bounds, in record order, and adds its text.
    pub(crate) fn decode_values(
        &mut self,
        mut decode: impl FnMut(Place, Range<usize>, &mut String),
    ) {
        let Marc { text, fields, subfields, .. } = self;
        text.clear();
        for field in fields {
            let range = field.first_subfield as usize..field.end_subfield as usize;
            let of_field = subfields.get_mut(range).unwrap_or_default();
            for bounds in of_field {
                let place = Place { tag: field.tag, code: bounds.code };
                let start = bound(text.len());
                decode(place, bounds.start as usize..bounds.end as usize, text);
                (bounds.start, bounds.end) = (start, bound(text.len()));
            }
        }
    }

    fn push_subfield_bounds(&mut self, code: char, start: u32, end: u32) {
        self.subfields.push(SubfieldBounds { code, start, end });
        if let Some(field) = self.fields.last_mut() {
            field.end_subfield += 1;
        }
    }
}

/// Where a value stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// Its field's tag.
    pub tag: Tag,
    /// Its code.
    pub code: char,
}

/// Equal when leader, fields, indicators, codes and values are, in order.
impl PartialEq for Marc {
    fn eq(&self, other: &Marc) -> bool {
        self.leader == other.leader
            && self.len() == other.len()
            && self.fields().zip(other.fields()).all(|(a, b)| a.same_as(b))
    }
}

/// A view of one field.
#[derive(Debug, Clone, Copy)]
pub struct Field<'r> {
    marc: &'r Marc,
    bounds: &'r FieldBounds,
    index: usize,
}

impl<'r> Field<'r> {
    /// The record that it is a field of.
    #[must_use]
    pub fn record(self) -> &'r Marc {
        self.marc
    }

    /// Its tag.
    #[must_use]
    pub fn tag(self) -> Tag {
        self.bounds.tag
    }

    /// Its tag as text.
    #[must_use]
    pub fn tag_text(self) -> &'r str {
        std::str::from_utf8(&self.bounds.tag.0).unwrap_or("???")
    }

    /// Its position in the record.
    #[must_use]
    pub fn index(self) -> usize {
        self.index
    }

    /// Its indicators; two blanks for a control field.
    #[must_use]
    pub fn indicators(self) -> [char; 2] {
        self.bounds.indicators
    }

    /// A control field's value; of a data field, its first subfield's.
    #[must_use]
    pub fn value(self) -> &'r str {
        self.subfields().next().map_or("", |subfield| subfield.value)
    }

    /// Code, position among all values of the record, and length in bytes of each subfield.
    pub fn outline(self) -> impl Iterator<Item = (char, usize, usize)> {
        self.bounds_of_subfields().map(|(index, bounds)| {
            (bounds.code, index, bounds.end.saturating_sub(bounds.start) as usize)
        })
    }

    #[inline]
    fn bounds_of_subfields(self) -> impl Iterator<Item = (usize, &'r SubfieldBounds)> {
        let first = self.bounds.first_subfield as usize;
        let bounds = self.marc.subfields.get(first..self.bounds.end_subfield as usize);
        bounds.unwrap_or_default().iter().enumerate().map(move |(n, bounds)| (first + n, bounds))
    }

    /// The first subfield with this code.
    #[must_use]
    pub fn subfield(self, code: char) -> Option<&'r str> {
        self.subfields().find(|subfield| subfield.code == code).map(|subfield| subfield.value)
    }

    /// Its subfields in record order; a control field has one, with code [`CONTROL_VALUE`].
    pub fn subfields(self) -> impl Iterator<Item = Subfield<'r>> {
        self.subfields_of(|_| true)
    }

    /// The subfields whose code is wanted, in record order.
    pub fn subfields_of(self, wanted: impl Fn(char) -> bool) -> impl Iterator<Item = Subfield<'r>> {
        let wanted = self.bounds_of_subfields().filter(move |(_, bounds)| wanted(bounds.code));
        wanted.map(move |(index, bounds)| Subfield {
            code: bounds.code,
            value: self.marc.slice(bounds),
            index,
        })
    }

    fn same_as(self, other: Field<'_>) -> bool {
        self.tag() == other.tag()
            && self.indicators() == other.indicators()
            && self
                .subfields()
                .map(|subfield| (subfield.code, subfield.value))
                .eq(other.subfields().map(|subfield| (subfield.code, subfield.value)))
    }
}

/// A view of one subfield.
#[derive(Debug, Clone, Copy)]
pub struct Subfield<'r> {
    /// Its code; [`CONTROL_VALUE`] for the value of a control field.
    pub code: char,
    /// Its text.
    pub value: &'r str,
    /// Its position among all values of the record.
    pub index: usize,
}
