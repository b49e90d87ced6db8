//! The fields of a record of ISO 2709, by its directory: the plain way, and for what is odd.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter};

use super::controls::Controls;
use super::{FT, US, directory};
use crate::formats::marc21::{CONTROL_VALUE, Marc, Tag};
use crate::formats::{DecodeError, Policy};
use crate::record::Warning;

/// A record without its terminator; as text when it is UTF-8. Without text the bounds in the
/// record are of bytes still to be decoded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'b> {
    pub body: &'b [u8],
    pub text: Option<&'b str>,
    pub policy: Policy,
}

impl<'b> Source<'b> {
    // Without text, a character for each byte.
    fn text(self, start: usize, end: usize) -> Cow<'b, str> {
        match self.text {
            Some(text) => Cow::Borrowed(text.get(start..end).unwrap_or_default()),
            None => {
                let bytes = self.body.get(start..end).unwrap_or_default();
                Cow::Owned(bytes.iter().copied().map(char::from).collect())
            }
        }
    }
}

/// The way nearly all records go: the entries follow one another, every delimiter stands where it
/// belongs, nothing is odd. One search through the data, no warnings; `false` leaves `marc` half
/// filled and the record to the ways below.
pub(super) fn push_plain(marc: &mut Marc, base: usize, body: &[u8], entries: &[[u8; 12]]) -> bool {
    let data = body.get(base..).unwrap_or_default();
    let mut marks = Controls::of(data);
    let mut start = 0;
    for entry in entries {
        let Some(entry) = directory::Entry::parse(entry) else { return false };
        let tag = Tag(entry.tag);
        let number = tag.number();
        let is_tag = number.is_some() || tag.0.iter().all(u8::is_ascii_alphanumeric);
        if entry.start != start || entry.length == 0 || !is_tag {
            return false;
        }
        let end = start + entry.length - 1;
        let Some((mut mark, byte)) = marks.next() else { return false };
        let values = marc.value_count();
        if number.is_some_and(|number| number < 10) {
            if mark != end || byte != FT {
                return false;
            }
            marc.push_value_at(CONTROL_VALUE, base + start, base + end);
            marc.push_field(tag, [' ', ' '], values);
        } else {
            let Some(&[first, second, US]) = data.get(start..start + 3) else { return false };
            if first >= 0x80 || second >= 0x80 || mark != start + 2 || mark >= end {
                return false;
            }
            while mark != end {
                let code = mark + 1;
                let (Some(byte), Some((next, delimiter))) = (data.get(code), marks.next()) else {
                    return false;
                };
                // A field terminator before the field's end, or a delimiter at it, or neither.
                let wanted = if next == end { FT } else { US };
                if next > end || delimiter != wanted || next == code || !byte.is_ascii_graphic() {
                    return false;
                }
                marc.push_value_at(char::from(*byte), base + code + 1, base + next);
                mark = next;
            }
            marc.push_field(tag, [char::from(first), char::from(second)], values);
        }
        start = end + 1;
    }
    start == data.len() && !entries.is_empty()
}

/// The way of entries that follow one another and cover the data exactly; `false` leaves `marc` half filled.
pub(super) fn push_contiguous(
    marc: &mut Marc,
    source: Source<'_>,
    base: usize,
    entries: &[[u8; 12]],
    warnings: &mut Vec<Warning>,
) -> Result<bool, DecodeError> {
    let body = source.body;
    let mut at = base;
    for entry in entries {
        let Some(entry) = directory::Entry::parse(entry) else { return Ok(false) };
        let end = at + entry.length;
        if entry.start != at - base || entry.length == 0 || body.get(end - 1) != Some(&FT) {
            return Ok(false);
        }
        push_field(marc, entry.tag, source, (at, end - 1), warnings)?;
        at = end;
    }
    if at != body.len() {
        return Ok(false);
    }
    if entries.is_empty() {
        warnings.push(Warning::new("iso2709.no_fields", "the record has no fields"));
    }
    let terminators = memchr_iter(FT, body.get(base..).unwrap_or_default()).count();
    if terminators != entries.len() {
        warnings.push(Warning::new(
            "iso2709.field_terminator",
            format!("{terminators} field terminators in {} fields", entries.len()),
        ));
    }
    Ok(true)
}

/// Adds one field; `bounds` are of it without its terminator.
pub(super) fn push_field(
    marc: &mut Marc,
    tag: [u8; 3],
    source: Source<'_>,
    bounds: (usize, usize),
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    let (start, end) = bounds;
    let field = source.body.get(start..end).unwrap_or_default();
    let tag = read_tag(tag, warnings)?;
    if tag.is_control() {
        push_value(marc, tag, bounds);
        if memchr(US, field).is_some() {
            let message = format!("control field {tag} has a subfield delimiter; kept as it is");
            warnings.push(Warning::new("iso2709.control_subfields", message));
        }
        return Ok(());
    }
    let subfields = match *field {
        [first, second, US, ..] if first < 0x80 && second < 0x80 && first != US && second != US => {
            marc.push_data(tag, [first as char, second as char]);
            start + 3
        }
        _ => match push_odd_head(marc, tag, source, bounds, warnings)? {
            Some(subfields) => subfields,
            None => return Ok(()),
        },
    };
    let mut from = subfields;
    let rest = source.body.get(subfields..end).unwrap_or_default();
    for delimiter in memchr_iter(US, rest) {
        push_subfield(marc, tag, source, (from, subfields + delimiter), warnings);
        from = subfields + delimiter + 1;
    }
    push_subfield(marc, tag, source, (from, end), warnings);
    Ok(())
}

fn push_value(marc: &mut Marc, tag: Tag, (start, end): (usize, usize)) {
    marc.push_data(tag, [' ', ' ']);
    marc.push_subfield_at(CONTROL_VALUE, start, end);
}

#[inline]
fn push_subfield(
    marc: &mut Marc,
    tag: Tag,
    source: Source<'_>,
    (start, end): (usize, usize),
    warnings: &mut Vec<Warning>,
) {
    match source.body.get(start) {
        Some(code) if start < end && code.is_ascii_graphic() => {
            marc.push_subfield_at(*code as char, start + 1, end);
        }
        _ => push_odd_subfield(marc, tag, source, (start, end), warnings),
    }
}

#[cold]
fn push_odd_subfield(
    marc: &mut Marc,
    tag: Tag,
    source: Source<'_>,
    (start, end): (usize, usize),
    warnings: &mut Vec<Warning>,
) {
    match source.text(start, end).chars().next() {
        Some(code) => {
            let length = source.text.map_or(1, |_| code.len_utf8());
            let message = format!("{tag} has subfield code {code:?}, expected printable ASCII");
            warnings.push(Warning::new("iso2709.subfield_code", message));
            // The code of a control field's value must stay its own.
            let code = if code == CONTROL_VALUE { char::REPLACEMENT_CHARACTER } else { code };
            marc.push_subfield_at(code, start + length, end);
        }
        None => {
            let message = format!("{tag} has a subfield delimiter without a code");
            warnings.push(Warning::new("iso2709.lone_delimiter", message));
        }
    }
}

fn read_tag(tag: [u8; 3], warnings: &mut Vec<Warning>) -> Result<Tag, DecodeError> {
    if tag.iter().all(u8::is_ascii_alphanumeric) {
        return Ok(Tag(tag));
    }
    let shown = String::from_utf8_lossy(&tag);
    if !tag.iter().all(|byte| (b' '..=b'~').contains(byte)) {
        let message = format!("tag is {shown:?}, expected three characters of printable ASCII");
        return Err(DecodeError::new("iso2709.tag", message));
    }
    let message = format!("tag is {shown:?}, expected letters and digits");
    warnings.push(Warning::new("iso2709.tag", message));
    Ok(Tag(tag))
}

// A data field that does not begin with two ASCII indicators and a delimiter. Answers where its
// subfields begin; `None` when it has none.
#[cold]
fn push_odd_head(
    marc: &mut Marc,
    tag: Tag,
    source: Source<'_>,
    (start, end): (usize, usize),
    warnings: &mut Vec<Warning>,
) -> Result<Option<usize>, DecodeError> {
    let field = source.body.get(start..end).unwrap_or_default();
    let Some(delimiter) = memchr(US, field) else {
        warnings.push(Warning::new("iso2709.no_subfields", format!("{tag} has no subfields")));
        match *field {
            [] => marc.push_data(tag, [' ', ' ']),
            [first, second] if is_indicator(first) && is_indicator(second) => {
                marc.push_data(tag, [first as char, second as char]);
            }
            // Some systems have control fields beyond 00x (FMT, DB1): the value is kept whole.
            _ => push_value(marc, tag, (start, end)),
        }
        return Ok(None);
    };
    let head = source.text(start, start + delimiter);
    // Bidirectional marks and the like, put there by editors, say nothing.
    let mut chars = head.chars().filter(|&c| !is_invisible(c));
    let indicators = [chars.next().unwrap_or(' '), chars.next().unwrap_or(' ')];
    let rest: String = chars.collect();
    if !rest.trim().is_empty() {
        let message =
            format!("{tag} has {head:?} before its first subfield, expected two indicators");
        if source.policy != Policy::Repair {
            return Err(DecodeError::new("iso2709.before_delimiter", message));
        }
        let message = format!("{message}; at byte {start}, {rest:?} is left out");
        warnings.push(Warning::new("iso2709.before_delimiter", message));
        marc.push_data(tag, indicators);
        return Ok(Some(start + delimiter + 1));
    }
    let message = format!("{tag} has indicators {head:?}, expected two ASCII characters");
    warnings.push(Warning::new("iso2709.indicators", message));
    marc.push_data(tag, indicators);
    Ok(Some(start + delimiter + 1))
}

fn is_indicator(byte: u8) -> bool {
    byte == b' ' || byte.is_ascii_digit()
}

fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}
