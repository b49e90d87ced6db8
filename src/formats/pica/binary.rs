//! Normalized PICA+: fields end with 0x1E, subfields begin with 0x1F, a record is a line.
//!
//! Binary PICA has 0x1D where that has the line break; PICA Import has 0x1D in a line before each
//! record and a field a line, 0x1E before it. All three are read, the first is written.
//! <https://format.gbv.de/pica/normalized>, <https://format.gbv.de/pica/import>

use std::borrow::Cow;

use serde_json::Value;

use super::{Field, fields, finish, in_one_line, is_tag};
use crate::formats::framing::{Found, Scan, TextFraming};
use crate::formats::text::{read_utf8, without_mark};
use crate::formats::{
    DecodeError, EncodeError, Format, Model, ReadOptions, Reading, SourceRecord, WriteOptions,
    Writing,
};
use crate::json::value::clip;
use crate::record::Warning;

const RECORD: u8 = 0x1D;
const FIELD: u8 = 0x1E;
const SUBFIELD: u8 = 0x1F;

/// The row of [`crate::formats::FORMATS`].
pub const FORMAT: Format = Format {
    name: "pica_binary",
    title: "PICA+, normalized, binary or import",
    media_type: "application/octet-stream",
    extensions: &["pica", "dat"],
    model: Model::Json,
    reading: Some(Reading {
        sniff: looks_like_binary,
        framing: TextFraming::<BinaryScan>::boxed,
        decode,
    }),
    writing: Some(Writing { open: |_| String::new(), between: "", close: "", encode }),
};

fn looks_like_binary(first_bytes: &[u8]) -> bool {
    let bytes = without_mark(first_bytes).trim_ascii_start();
    let bytes = match bytes {
        [b'\'', RECORD, rest @ ..] | [RECORD, rest @ ..] => rest.trim_ascii_start(),
        rest => rest,
    };
    let bytes = bytes.strip_prefix(&[FIELD]).unwrap_or(bytes);
    begins_field(bytes) && bytes.first_chunk::<4>().is_some_and(|tag| is_tag(tag))
}

/// As much as [`begins_field`] looks at.
const HEAD: usize = 16;

fn begins_field(bytes: &[u8]) -> bool {
    let Some((tag, rest)) = bytes.split_first_chunk::<4>() else { return false };
    let digits = |rest: &[u8]| rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = match rest.strip_prefix(b"/") {
        None => rest,
        Some(rest) => rest.get(digits(rest)..).unwrap_or_default(),
    };
    tag.iter().all(u8::is_ascii_graphic) && rest.starts_with(&[b' ', SUBFIELD])
}

// A record ends with 0x1D or a line break: one behind a field's end, before a field, or the
// stream's last. Other line breaks are those of PICA Import, or stand in a value.
#[derive(Debug, Default)]
struct BinaryScan;

impl Scan for BinaryScan {
    fn scan(&mut self, bytes: &[u8], at: &mut usize, at_end: bool) -> Option<Found> {
        while let Some(length) =
            memchr::memchr2(b'\n', RECORD, bytes.get(*at..).unwrap_or_default())
        {
            let (before, rest) = bytes.split_at_checked(*at + length)?;
            let (separator, behind) = rest.split_first()?;
            let end = before.len() + 1;
            let content = without_mark(before).trim_ascii();
            if content.is_empty() || (*separator == RECORD && content == b"'") {
                return Some(Found::between(end));
            }
            if *separator == RECORD || content.ends_with(&[FIELD]) {
                return Some(Found::record(end));
            }
            if behind.len() < HEAD && !at_end {
                *at = before.len();
                return None;
            }
            if behind.is_empty() || begins_field(behind) {
                return Some(Found::record(end));
            }
            *at = end;
        }
        *at = bytes.len();
        (at_end && !bytes.is_empty()).then(|| Found::record(bytes.len()))
    }
}

fn decode(
    bytes: &[u8],
    options: &ReadOptions,
    record: &mut SourceRecord,
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    let before = warnings.len();
    let value =
        read_utf8(bytes, "pica.utf8", options, warnings).and_then(|text| read(&text, warnings));
    *record = SourceRecord::Json(value.inspect_err(|_| warnings.truncate(before))?);
    Ok(())
}

/// Reads one record of any of the three.
///
/// Warns of a last field without an end (`pica.terminator`), of comments in PICA Import, which
/// are passed over (`pica.comment`), of a delimiter without a code (`pica.lone_delimiter`), and of
/// what the standard does not have: `pica.tag`, `pica.occurrence`, `pica.code`, `pica.space`,
/// `pica.no_subfields`, `pica.line_break` within a value, which is kept.
///
/// # Errors
/// `pica.tag` for a field without one, `pica.content` for text before its first subfield,
/// `pica.no_fields`.
pub fn read(text: &str, warnings: &mut Vec<Warning>) -> Result<Value, DecodeError> {
    let text = text.trim_start_matches('\u{FEFF}').trim_start_matches(['\n', '\r']);
    let text = text.strip_suffix('\u{1D}').unwrap_or(text);
    let is_import = text.starts_with(['\u{1E}', '#']);
    let text = without_line_end(text);
    if !is_import && !text.ends_with('\u{1E}') {
        warnings.push(Warning::new("pica.terminator", "the last field has no end, 0x1E"));
    }
    let mut fields = Vec::new();
    let mut result = Ok(());
    for part in text.split('\u{1E}') {
        let part = if is_import { line_of_import(part, warnings) } else { Cow::Borrowed(part) };
        if part.is_empty() {
            continue;
        }
        let place = format!("field {}", fields.len() + 1);
        match read_field(&part, &place, warnings) {
            Ok(field) => fields.push(field),
            Err(error) => {
                result = Err(error);
                break;
            }
        }
    }
    finish(fields, result)
}

fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

// A field of PICA Import without its line end and the comments behind it.
fn line_of_import<'t>(part: &'t str, warnings: &mut Vec<Warning>) -> Cow<'t, str> {
    let part = without_line_end(part);
    if !part.contains("\n#") && !part.starts_with('#') {
        return Cow::Borrowed(part);
    }
    let mut kept = Vec::new();
    for line in part.split('\n') {
        if line.starts_with('#') {
            let message = format!("the comment {:?} is passed over", clip(line.trim_end()));
            warnings.push(Warning::new("pica.comment", message));
        } else {
            kept.push(line);
        }
    }
    Cow::Owned(without_line_end(&kept.join("\n")).to_owned())
}

fn read_field(part: &str, place: &str, warnings: &mut Vec<Warning>) -> Result<Field, DecodeError> {
    let Some((mut field, rest)) = Field::begin(part) else {
        let message = format!("{place}: found {:?}, expected a tag like 003@", clip(part));
        return Err(DecodeError::new("pica.tag", message));
    };
    if !rest.starts_with(' ') {
        let message = format!("{place}: no blank behind the tag {}", field.tag);
        warnings.push(Warning::new("pica.space", message));
    }
    let mut subfields = rest.strip_prefix(' ').unwrap_or(rest).split('\u{1F}');
    if let Some(content) = subfields.next().filter(|content| !content.is_empty()) {
        let message = format!("{place}: found {:?}, expected a subfield", clip(content));
        return Err(DecodeError::new("pica.content", message));
    }
    for subfield in subfields {
        let mut chars = subfield.chars();
        match chars.next() {
            Some(code) => field.subfields.push((code, chars.as_str().to_owned())),
            None => {
                let message = format!("{place}: {} has 0x1F without a code", field.tag);
                warnings.push(Warning::new("pica.lone_delimiter", message));
            }
        }
    }
    field.judge(place, warnings);
    Ok(field)
}

fn encode(
    record: &SourceRecord,
    _: &WriteOptions,
    out: &mut Vec<u8>,
    warnings: &mut Vec<Warning>,
) -> Result<(), EncodeError> {
    let mut text = String::new();
    for Field { tag, occurrence, subfields, annotation } in &fields(record)? {
        if annotation.is_some() {
            let message = format!("{tag} has an annotation, which only pica_plain has a place for");
            return Err(EncodeError::new("pica.annotation", message));
        }
        text.push_str(tag);
        text.extend(occurrence.iter().flat_map(|occurrence| ["/", occurrence]));
        text.push(' ');
        for (code, value) in subfields {
            if value.contains(['\u{1D}', '\u{1E}', '\u{1F}']) {
                let message = format!("{tag} ${code} has 0x1D, 0x1E or 0x1F, which separate");
                return Err(EncodeError::new("pica.separator", message));
            }
            text.extend(['\u{1F}', *code]);
            text.push_str(&in_one_line(tag, value, warnings));
        }
        text.push('\u{1E}');
    }
    text.push('\n');
    out.extend_from_slice(text.as_bytes());
    Ok(())
}
