//! Line MARC: a record as text, a field a line, as MARCMaker, MarcEdit and people write it.
//!
//! `=LDR  00000nam\a2200000\a\4500`, `=245  10$aTitle$bRest`; `\` is a blank in leader, control
//! fields and indicators; `{dollar}`, `{lcub}`, `{rcub}` and `{bsol}` stand for `$`, `{`, `}` and
//! `\`, `{u000A}` for any character by its code point, other names for those of MARCMaker's list.
//! A blank line or the next leader ends a record.
//! <https://www.loc.gov/marc/makrbrkr.html>

mod mnemonics;
mod read;

pub use read::read_record;

use super::lines::{Line, LineFraming};
use super::{CONTROL_VALUE, Marc};
use crate::formats::{
    Cut, DecodeError, EncodeError, Format, Framing, Model, Policy, ReadOptions, Reading,
    SourceRecord, WriteOptions, Writing,
};
use crate::record::Warning;

/// The row of [`crate::formats::FORMATS`].
pub const FORMAT: Format = Format {
    name: "line_marc",
    title: "line MARC (MARCMaker, MarcEdit)",
    media_type: "text/plain",
    extensions: &["mrk", "mrk8"],
    model: Model::Marc,
    reading: Some(Reading {
        sniff: looks_like_line_marc,
        framing: || Box::new(LineFraming::new(bound)),
        decode,
    }),
    writing: Some(Writing { open: |_| String::new(), between: "\n", close: "", encode }),
};

fn looks_like_line_marc(first_bytes: &[u8]) -> bool {
    let first_bytes = first_bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(first_bytes);
    let Some([b'=', tag @ .., b' ']) = first_bytes.trim_ascii_start().first_chunk::<5>() else {
        return false;
    };
    tag == b"LDR" || tag.iter().all(u8::is_ascii_digit)
}

fn bound(line: &[u8]) -> Line {
    if line.starts_with(b"=LDR") {
        Line::Begins(None)
    } else if line.trim_ascii().is_empty() {
        Line::Ends
    } else {
        Line::GoesOn
    }
}

fn decode(
    bytes: &[u8],
    options: &ReadOptions,
    record: &mut SourceRecord,
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    let marc = record.marc_mut();
    let text = simdutf8::compat::from_utf8(bytes).map_err(|error| {
        let message = format!("byte {} is not UTF-8", error.valid_up_to());
        DecodeError::new("line.utf8", message)
    })?;
    read_record(text, 1, options.policy, marc, warnings)?;
    if !text.lines().any(|line| line.starts_with("=LDR")) {
        warnings.push(Warning::new("line.no_leader", "the record has no leader"));
    }
    if marc.is_empty() {
        warnings.push(Warning::new("line.no_fields", "the record has no fields"));
    }
    Ok(())
}

fn encode(
    record: &SourceRecord,
    _: &WriteOptions,
    out: &mut Vec<u8>,
    _: &mut Vec<Warning>,
) -> Result<(), EncodeError> {
    out.extend_from_slice(write(record.marc()?).as_bytes());
    Ok(())
}

/// Reads a text that holds one record; nothing odd is let through.
///
/// # Errors
/// Those of [`read_record`] and its first warning; `line.syntax` when it is not one record. The
/// message names the line.
pub fn read(text: &str) -> Result<Marc, DecodeError> {
    let mut records = read_all(text)?;
    match (records.pop(), records.len()) {
        (Some(record), 0) => Ok(record),
        (_, others) => {
            let found = if others == 0 { 0 } else { others + 1 };
            Err(DecodeError::new("line.syntax", format!("{found} records, expected one")))
        }
    }
}

/// Reads every record of a text; nothing odd is let through.
///
/// # Errors
/// Those of [`read_record`], and its first warning. The message names the line.
pub fn read_all(text: &str) -> Result<Vec<Marc>, DecodeError> {
    let mut framing = LineFraming::new(bound);
    let mut records = Vec::new();
    let (mut from, mut warnings) = (0, Vec::new());
    while let Cut::Record { start, end, next, .. } =
        framing.cut(text.as_bytes().get(from..).unwrap_or_default(), true)
    {
        let before = text.get(..from + start).unwrap_or_default();
        let record = text.get(from + start..from + end).unwrap_or_default();
        let first_line = 1 + before.matches('\n').count();
        let mut marc = Marc::default();
        read_record(record, first_line, Policy::Strict, &mut marc, &mut warnings)?;
        if let Some(Warning { code, message }) = warnings.drain(..).next() {
            let control_number = marc.control_number().map(str::to_owned);
            return Err(DecodeError { code, message, control_number });
        }
        records.push(marc);
        from += next;
    }
    Ok(records)
}

/// Writes a record, one line a field, each with a line end.
#[must_use]
pub fn write(marc: &Marc) -> String {
    let mut out = String::from("=LDR  ");
    push_escaped(marc.leader().as_str(), true, &mut out);
    out.push('\n');
    for field in marc.fields() {
        out.extend(["=", field.tag().as_str(), "  "]);
        let mut subfields = field.subfields().peekable();
        if let Some(value) = subfields.next_if(|first| first.code == CONTROL_VALUE) {
            push_escaped(value.value, true, &mut out);
        } else {
            for indicator in field.indicators() {
                push_escaped(indicator.encode_utf8(&mut [0; 4]), true, &mut out);
            }
        }
        for subfield in subfields {
            out.push('$');
            push_escaped(subfield.code.encode_utf8(&mut [0; 4]), false, &mut out);
            push_escaped(subfield.value, false, &mut out);
        }
        out.push('\n');
    }
    out
}

fn push_escaped(text: &str, fixed: bool, out: &mut String) {
    for c in text.chars() {
        match c {
            '$' => out.push_str("{dollar}"),
            '{' => out.push_str("{lcub}"),
            '}' => out.push_str("{rcub}"),
            '\\' if fixed => out.push_str("{bsol}"),
            ' ' if fixed => out.push('\\'),
            // Invisible at a line's end, or an end of line itself.
            c if c.is_control() => out.push_str(&format!("{{u{:04X}}}", u32::from(c))),
            c => out.push(c),
        }
    }
}
