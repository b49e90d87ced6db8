//! ISO 2709: the transmission format of MARC 21, read and written.
//!
//! Never panics on foreign bytes and loses none: what is odd becomes a [`Warning`], what would
//! lose content a [`DecodeError`].
//! <https://www.loc.gov/marc/specifications/specrecstruc.html>

mod directory;
mod framing;
mod write;

pub use framing::{Iso2709Framing, looks_like_iso2709};
pub use write::{WriteError, write};

use memchr::{memchr, memchr_iter, memchr2_iter};

use super::{CONTROL_VALUE, Leader, Marc, Tag};
use crate::formats::{
    DecodeError, EncodeError, Format, Model, ReadOptions, Reading, SourceRecord, WriteOptions,
    Writing,
};
use crate::record::Warning;

/// Field terminator.
const FT: u8 = 0x1E;
/// Record terminator.
const RT: u8 = 0x1D;
/// Subfield delimiter.
const US: u8 = 0x1F;
const ESC: u8 = 0x1B;

/// The row of [`crate::formats::FORMATS`].
pub const FORMAT: Format = Format {
    name: "iso2709",
    title: "MARC 21 in ISO 2709",
    media_type: "application/marc",
    extensions: &["mrc", "marc"],
    model: Model::Marc,
    reading: Some(Reading {
        sniff: looks_like_iso2709,
        framing: || Box::new(Iso2709Framing::default()),
        decode,
    }),
    writing: Some(Writing { open: |_| String::new(), between: "", close: "", encode }),
};

fn decode(
    bytes: &[u8],
    _: &ReadOptions,
    record: &mut SourceRecord,
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    read(bytes, record.marc_mut(), warnings)
}

fn encode(
    record: &SourceRecord,
    _: &WriteOptions,
    out: &mut Vec<u8>,
    _: &mut Vec<Warning>,
) -> Result<(), EncodeError> {
    let bytes =
        write(record.marc()?).map_err(|error| EncodeError::new(error.code(), error.to_string()))?;
    out.extend_from_slice(&bytes);
    Ok(())
}

/// Reads one record in UTF-8 into `marc`, which is cleared first.
///
/// The lengths in leader and directory count bytes; a record whose directory is wrong is read by
/// its field terminators when there are as many fields as entries.
///
/// # Errors
/// `iso2709.leader` (too short or not ASCII), `iso2709.utf8`, `iso2709.marc8`,
/// `iso2709.directory`, `iso2709.tag`, `iso2709.before_delimiter`: with the record's control
/// number when it could be found.
pub fn read(bytes: &[u8], marc: &mut Marc, warnings: &mut Vec<Warning>) -> Result<(), DecodeError> {
    let warnings_before = warnings.len();
    read_record(bytes, marc, warnings).map_err(|mut error| {
        warnings.truncate(warnings_before);
        error.control_number = directory::control_number(bytes);
        error
    })
}

fn read_record(
    bytes: &[u8],
    marc: &mut Marc,
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    let leader = read_leader(bytes, warnings)?;
    let text = read_text(bytes, leader, warnings)?;
    let body = bytes.strip_suffix(&[RT]).unwrap_or(bytes);
    if body.len() == bytes.len() {
        warnings.push(Warning::new("iso2709.terminator", "the record has no record terminator"));
    }
    let base = directory::base(body, &leader, warnings)?;
    let entries = body.get(24..base - 1).unwrap_or_default();
    let (entries, []) = entries.as_chunks::<12>() else {
        return Err(DecodeError::new(
            "iso2709.directory",
            format!("the directory has {} bytes, expected a multiple of 12", entries.len()),
        ));
    };

    marc.clear();
    marc.set_leader(leader);
    marc.set_text(text);
    if push_plain(marc, base, body, entries) {
        return Ok(());
    }
    marc.clear();
    marc.set_leader(leader);
    marc.set_text(text);
    let warnings_before = warnings.len();
    if push_contiguous(marc, text, base, body, entries, warnings)? {
        return Ok(());
    }
    warnings.truncate(warnings_before);
    let located = directory::locate(entries, body, base, warnings)?;
    marc.clear();
    marc.set_leader(leader);
    marc.set_text(text);
    for (tag, bounds) in located {
        push_field(marc, tag, text, bounds, warnings)?;
    }
    Ok(())
}

// The way nearly all records go: the entries follow one another, every delimiter stands where it
// belongs, nothing is odd. One search through the data, no warnings; `false` leaves `marc` half
// filled and the record to the ways below.
fn push_plain(marc: &mut Marc, base: usize, body: &[u8], entries: &[[u8; 12]]) -> bool {
    let data = body.get(base..).unwrap_or_default();
    let mut marks = memchr2_iter(US, FT, data);
    let mut start = 0;
    for entry in entries {
        let Some(entry) = directory::Entry::parse(entry) else { return false };
        if entry.start != start
            || entry.length == 0
            || !entry.tag.iter().all(u8::is_ascii_alphanumeric)
        {
            return false;
        }
        let tag = Tag(entry.tag);
        let end = start + entry.length - 1;
        let Some(mut mark) = marks.next() else { return false };
        if tag.is_control() {
            if mark != end || data.get(mark) != Some(&FT) {
                return false;
            }
            push_value(marc, tag, (base + start, base + end));
        } else {
            let Some(&[first, second, US]) = data.get(start..start + 3) else { return false };
            if first >= 0x80 || second >= 0x80 || mark != start + 2 || mark >= end {
                return false;
            }
            marc.push_data(tag, [char::from(first), char::from(second)]);
            while mark != end {
                let code = mark + 1;
                let Some(next) = marks.next() else { return false };
                let Some(byte) = data.get(code).filter(|byte| byte.is_ascii_graphic()) else {
                    return false;
                };
                // A field terminator before the field's end, or a delimiter at it.
                let is_end = data.get(next) == Some(&FT);
                if next > end || is_end != (next == end) || next == code {
                    return false;
                }
                marc.push_subfield_at(char::from(*byte), base + code + 1, base + next);
                mark = next;
            }
        }
        start = end + 1;
    }
    start == data.len() && !entries.is_empty()
}

// Entries follow one another and cover the data exactly.
fn push_contiguous(
    marc: &mut Marc,
    text: &str,
    base: usize,
    body: &[u8],
    entries: &[[u8; 12]],
    warnings: &mut Vec<Warning>,
) -> Result<bool, DecodeError> {
    let mut at = base;
    for entry in entries {
        let Some(entry) = directory::Entry::parse(entry) else { return Ok(false) };
        let end = at + entry.length;
        if entry.start != at - base || entry.length == 0 || body.get(end - 1) != Some(&FT) {
            return Ok(false);
        }
        push_field(marc, entry.tag, text, (at, end - 1), warnings)?;
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

fn read_leader(bytes: &[u8], warnings: &mut Vec<Warning>) -> Result<Leader, DecodeError> {
    let Some(leader) = bytes.first_chunk::<24>() else {
        return Err(DecodeError::new(
            "iso2709.leader",
            format!("the record has {} bytes, expected at least the 24 of a leader", bytes.len()),
        ));
    };
    if !leader.is_ascii() {
        return Err(DecodeError::new(
            "iso2709.leader",
            format!("leader is {:?}, expected ASCII", String::from_utf8_lossy(leader)),
        ));
    }
    let leader = Leader(*leader);
    let part = |from: usize, to: usize| leader.as_str().get(from..to).unwrap_or_default();
    if part(0, 5).parse() != Ok(bytes.len()) {
        warnings.push(Warning::new(
            "iso2709.length",
            format!("leader/00-04 is {:?}, the record has {} bytes", part(0, 5), bytes.len()),
        ));
    }
    if part(10, 12) != "22" {
        let message = format!("leader/10-11 is {:?}, expected \"22\"", part(10, 12));
        warnings.push(Warning::new("iso2709.counts", message));
    }
    if part(20, 24) != "4500" {
        let message = format!("leader/20-23 is {:?}, expected \"4500\"", part(20, 24));
        warnings.push(Warning::new("iso2709.entry_map", message));
    }
    Ok(leader)
}

// leader/09 lies often enough: what is valid UTF-8 beyond ASCII is hardly ever anything else.
fn read_text<'b>(
    bytes: &'b [u8],
    leader: Leader,
    warnings: &mut Vec<Warning>,
) -> Result<&'b str, DecodeError> {
    let escape = memchr(ESC, bytes);
    let text = simdutf8::compat::from_utf8(bytes);
    if leader.coding_scheme() == b'a' {
        if let Some(offset) = escape {
            let message = format!("ESC at byte {offset} of a record that says it is UTF-8");
            warnings.push(Warning::new("iso2709.escape", message));
        }
        return text.map_err(|error| {
            let message =
                format!("leader/09 is 'a', but byte {} is not UTF-8", error.valid_up_to());
            DecodeError::new("iso2709.utf8", message)
        });
    }
    match (text, escape) {
        (Ok(text), None) => {
            if !text.is_ascii() {
                let message = format!(
                    "leader/09 is {:?}, but the record is UTF-8",
                    leader.coding_scheme() as char
                );
                warnings.push(Warning::new("iso2709.encoding_mislabeled", message));
            }
            Ok(text)
        }
        _ => Err(DecodeError::new(
            "iso2709.marc8",
            format!(
                "leader/09 is {:?}: MARC-8, expected UTF-8 ('a')",
                leader.coding_scheme() as char
            ),
        )),
    }
}

// `bounds` are of the field without its terminator.
fn push_field(
    marc: &mut Marc,
    tag: [u8; 3],
    text: &str,
    bounds: (usize, usize),
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    let (start, end) = bounds;
    let field = text.as_bytes().get(start..end).unwrap_or_default();
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
        _ => match push_odd_head(marc, tag, text, bounds, warnings)? {
            Some(subfields) => subfields,
            None => return Ok(()),
        },
    };
    let mut from = subfields;
    let rest = text.as_bytes().get(subfields..end).unwrap_or_default();
    for delimiter in memchr_iter(US, rest) {
        push_subfield(marc, tag, text, (from, subfields + delimiter), warnings);
        from = subfields + delimiter + 1;
    }
    push_subfield(marc, tag, text, (from, end), warnings);
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
    text: &str,
    (start, end): (usize, usize),
    warnings: &mut Vec<Warning>,
) {
    match text.as_bytes().get(start) {
        Some(code) if start < end && code.is_ascii_graphic() => {
            marc.push_subfield_at(*code as char, start + 1, end);
        }
        _ => push_odd_subfield(marc, tag, text, (start, end), warnings),
    }
}

#[cold]
fn push_odd_subfield(
    marc: &mut Marc,
    tag: Tag,
    text: &str,
    (start, end): (usize, usize),
    warnings: &mut Vec<Warning>,
) {
    match text.get(start..end).and_then(|piece| piece.chars().next()) {
        Some(code) => {
            let message = format!("{tag} has subfield code {code:?}, expected printable ASCII");
            warnings.push(Warning::new("iso2709.subfield_code", message));
            marc.push_subfield_at(code, start + code.len_utf8(), end);
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
    text: &str,
    (start, end): (usize, usize),
    warnings: &mut Vec<Warning>,
) -> Result<Option<usize>, DecodeError> {
    let field = text.get(start..end).unwrap_or_default();
    let Some((head, _)) = field.split_once(US as char) else {
        warnings.push(Warning::new("iso2709.no_subfields", format!("{tag} has no subfields")));
        match *field.as_bytes() {
            [] => marc.push_data(tag, [' ', ' ']),
            [first, second] if is_indicator(first) && is_indicator(second) => {
                marc.push_data(tag, [first as char, second as char]);
            }
            // Some systems have control fields beyond 00x (FMT, DB1): the value is kept whole.
            _ => push_value(marc, tag, (start, end)),
        }
        return Ok(None);
    };
    // Bidirectional marks and the like, put there by editors, say nothing.
    let mut chars = head.chars().filter(|&c| !is_invisible(c));
    let indicators = [chars.next().unwrap_or(' '), chars.next().unwrap_or(' ')];
    let rest: String = chars.collect();
    if !rest.trim().is_empty() {
        return Err(DecodeError::new(
            "iso2709.before_delimiter",
            format!("{tag} has {head:?} before its first subfield, expected two indicators"),
        ));
    }
    let message = format!("{tag} has indicators {head:?}, expected two ASCII characters");
    warnings.push(Warning::new("iso2709.indicators", message));
    marc.push_data(tag, indicators);
    Ok(Some(start + head.len() + 1))
}

fn is_indicator(byte: u8) -> bool {
    byte == b' ' || byte.is_ascii_digit()
}

fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}
