//! RIS: a tag and a value a line, from `TY` to `ER`.
//!
//! A record is `{"type": "JOUR", "fields": {"AU": ["…", "…"], …}}`: the values of a tag in their
//! order. <https://en.wikipedia.org/wiki/RIS_(file_format)>

use serde_json::{Map, Value, json};

use super::framing::{Found, Scan, TextFraming, line_end};
use super::text::{read_utf8, without_mark};
use super::{
    DecodeError, EncodeError, Format, Model, ReadOptions, Reading, SourceRecord, WriteOptions,
    Writing,
};
use crate::json::value::clip;
use crate::record::Warning;

/// The row of [`crate::formats::FORMATS`].
pub const FORMAT: Format = Format {
    name: "ris",
    title: "RIS",
    media_type: "application/x-research-info-systems",
    extensions: &["ris"],
    model: Model::Json,
    reading: Some(Reading {
        sniff: |first_bytes| {
            let text = without_mark(first_bytes).trim_ascii_start();
            let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
            Line::of(line).is_some_and(|line| line.tag == *b"TY")
        },
        framing: TextFraming::<RisScan>::boxed,
        decode,
    }),
    writing: Some(Writing { open: |_| String::new(), between: "\n", close: "", encode }),
};

// A record ends with its `ER` line, or before a `TY` line when it has none. What stands between
// records belongs to the record behind it.
#[derive(Debug, Default)]
struct RisScan {
    has_type: bool,
}

impl Scan for RisScan {
    fn scan(&mut self, bytes: &[u8], at: &mut usize, at_end: bool) -> Option<Found> {
        while let Some(end) = line_end(bytes, *at, at_end) {
            let line = without_mark(bytes.get(*at..end).unwrap_or_default());
            match Line::of(line) {
                Some(line) if line.tag == *b"TY" && self.has_type => {
                    self.has_type = false;
                    return Some(Found::record(*at));
                }
                Some(line) if line.tag == *b"TY" => self.has_type = true,
                Some(line) if line.tag == *b"ER" => {
                    self.has_type = false;
                    return Some(Found::record(end));
                }
                None if *at == 0 && line.trim_ascii().is_empty() => {
                    return Some(Found::between(end));
                }
                _ => {}
            }
            *at = end;
        }
        (at_end && !bytes.is_empty()).then(|| Found::record(bytes.len()))
    }
}

// A line that begins with a tag.
#[derive(Debug, Clone, Copy)]
struct Line<'b> {
    /// In capitals.
    tag: [u8; 2],
    value: &'b [u8],
    /// Two spaces, a hyphen, a space or the line's end; the tag in capitals.
    is_exact: bool,
}

impl<'b> Line<'b> {
    fn of(line: &'b [u8]) -> Option<Line<'b>> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (tag, rest) = line.split_first_chunk::<2>()?;
        let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
        let value = rest.get(spaces..)?.strip_prefix(b"-")?;
        let is_tag = tag[0].is_ascii_alphabetic() && tag[1].is_ascii_alphanumeric();
        let (b"" | [b' ' | b'\t', ..]) = value else { return None };
        let is_exact = spaces == 2 && !tag.iter().any(u8::is_ascii_lowercase);
        let tag = tag.map(|byte| byte.to_ascii_uppercase());
        let value = value.strip_prefix(b" ").unwrap_or(value);
        (is_tag && (1..=4).contains(&spaces)).then_some(Line { tag, value, is_exact })
    }
}

fn decode(
    bytes: &[u8],
    options: &ReadOptions,
    record: &mut SourceRecord,
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    let before = warnings.len();
    let value = read_utf8(bytes, "ris.utf8", options, warnings)
        .and_then(|text| read(without_mark_text(&text), warnings));
    *record = SourceRecord::Json(value.inspect_err(|_| warnings.truncate(before))?);
    Ok(())
}

fn without_mark_text(text: &str) -> &str {
    text.strip_prefix('\u{FEFF}').unwrap_or(text)
}

/// Reads one record.
///
/// A line without a tag goes on with the value before it, white space around a value is none. Warns of text before `TY`
/// (`ris.text`), of tags with other spaces or small letters (`ris.spaces`), which are read as
/// tags only where the `TY` line has them too, and of a missing `ER` (`ris.no_end`).
///
/// # Errors
/// `ris.type` without a `TY` line, `ris.text` for text behind `ER` or right behind `TY`.
pub fn read(text: &str, warnings: &mut Vec<Warning>) -> Result<Value, DecodeError> {
    let mut kind: Option<(String, bool)> = None;
    let mut fields = Map::new();
    let mut last: Option<String> = None;
    let mut before = Vec::new();
    let (mut odd, mut ended) = (0, false);
    for line in text.lines() {
        let parts = Line::of(line.as_bytes());
        let value = parts.map(|parts| text_of(parts.value)).unwrap_or_default();
        match (parts, &kind) {
            (Some(parts), None) if parts.tag == *b"TY" => {
                odd += usize::from(!parts.is_exact);
                kind = Some((value, parts.is_exact));
            }
            (_, None) => before.extend(Some(line.trim()).filter(|line| !line.is_empty())),
            (Some(parts), Some(_)) if parts.tag == *b"ER" && value.is_empty() => {
                odd += usize::from(!parts.is_exact);
                ended = true;
            }
            (Some(parts), Some(_)) if parts.tag == *b"ER" => return Err(behind_end(&value)),
            (_, _) if ended && line.trim().is_empty() => {}
            (_, _) if ended => return Err(behind_end(line)),
            (Some(parts), Some((_, exact))) if parts.is_exact || !exact => {
                odd += usize::from(!parts.is_exact);
                let tag = text_of(&parts.tag);
                push(&mut fields, &tag, value);
                last = Some(tag);
            }
            _ => go_on(&mut fields, last.as_deref(), line.trim_end())?,
        }
    }
    trim(&mut fields);
    let Some((kind, _)) = kind else {
        let found = clip(before.first().copied().unwrap_or_default());
        return Err(DecodeError::new("ris.type", format!("found {found:?}, expected a TY line")));
    };
    if !before.is_empty() {
        let message = format!("text before TY: {:?}", clip(&before.join(" ")));
        warnings.push(Warning::new("ris.text", message));
    }
    if odd > 0 {
        let message = format!("{odd} tags with other than two spaces and capitals");
        warnings.push(Warning::new("ris.spaces", message));
    }
    if !ended {
        warnings.push(Warning::new("ris.no_end", "the record has no ER line"));
    }
    Ok(json!({ "type": kind, "fields": fields }))
}

fn behind_end(found: &str) -> DecodeError {
    DecodeError::new("ris.text", format!("text behind ER: {:?}", clip(found)))
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

fn push(fields: &mut Map<String, Value>, tag: &str, value: String) {
    let values = fields.entry(tag).or_insert_with(|| json!([]));
    if let Value::Array(values) = values {
        values.push(value.into());
    }
}

// A line that goes on with the value before it.
fn go_on(
    fields: &mut Map<String, Value>,
    last: Option<&str>,
    line: &str,
) -> Result<(), DecodeError> {
    let values = last.and_then(|tag| fields.get_mut(tag)).and_then(Value::as_array_mut);
    match values.and_then(|values| values.last_mut()) {
        Some(Value::String(value)) => {
            value.push('\n');
            value.push_str(line);
            Ok(())
        }
        _ if line.is_empty() => Ok(()),
        _ => {
            let message = format!("found {:?} behind TY, expected a tag", clip(line));
            Err(DecodeError::new("ris.text", message))
        }
    }
}

// Blank lines before the next tag belong to no value.
fn trim(fields: &mut Map<String, Value>) {
    for value in fields.values_mut().filter_map(Value::as_array_mut).flatten() {
        if let Value::String(value) = value {
            value.truncate(value.trim_end().len());
        }
    }
}

fn encode(
    record: &SourceRecord,
    _: &WriteOptions,
    out: &mut Vec<u8>,
    warnings: &mut Vec<Warning>,
) -> Result<(), EncodeError> {
    let text = write(record.json()?, warnings)?;
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Writes one record, `TY` first, the tags in alphabetical order.
///
/// A line break in a value is written as one where it can be read again; where the line would
/// look like a tag, or be blank at the end, as a space (`ris.line_break`).
///
/// # Errors
/// `ris.type` without a `type`, `ris.fields` for what is no object of lists of texts under tags.
pub fn write(record: &Value, warnings: &mut Vec<Warning>) -> Result<String, EncodeError> {
    let known = |key: &&String| matches!(key.as_str(), "type" | "fields");
    let keys = record.as_object().into_iter().flat_map(Map::keys);
    if let Some(key) = keys.clone().find(|key| !known(key)) {
        return Err(fields_error(&format!("the key {key:?}")));
    }
    let Some(kind) = record.get("type").and_then(Value::as_str) else {
        return Err(EncodeError::new("ris.type", "the record has no `type`, `JOUR` or the like"));
    };
    let mut out = String::new();
    push_line(&mut out, "TY", kind, warnings);
    let none = Map::new();
    let fields = match record.get("fields") {
        None => &none,
        Some(fields) => fields.as_object().ok_or_else(|| fields_error(&fields.to_string()))?,
    };
    for (tag, values) in fields {
        let probe = format!("{tag}  - ");
        let is_tag = Line::of(probe.as_bytes()).is_some_and(|line| line.is_exact);
        if !is_tag || tag.len() != 2 || matches!(tag.as_str(), "TY" | "ER") {
            return Err(fields_error(&format!("the tag {tag:?}")));
        }
        for value in values.as_array().map_or(std::slice::from_ref(values), Vec::as_slice) {
            let value = value.as_str().ok_or_else(|| fields_error(&value.to_string()))?;
            push_line(&mut out, tag, value, warnings);
        }
    }
    out.push_str("ER  - \n");
    Ok(out)
}

fn fields_error(found: &str) -> EncodeError {
    let message = format!("found {}, expected fields like \"AU\": [\"…\"]", clip(found));
    EncodeError::new("ris.fields", message)
}

fn push_line(out: &mut String, tag: &str, value: &str, warnings: &mut Vec<Warning>) {
    out.push_str(tag);
    out.push_str("  - ");
    let value = value.replace("\r\n", "\n").replace('\r', "\n");
    for (index, line) in value.split('\n').enumerate() {
        if index > 0 {
            let is_last = value.ends_with(line) && line.trim().is_empty();
            let breaks = Line::of(line.as_bytes()).is_none() && tag != "TY" && !is_last;
            out.push(if breaks { '\n' } else { ' ' });
            if !breaks {
                let message = format!("{tag}: a line break is written as a space");
                warnings.push(Warning::new("ris.line_break", message));
            }
        }
        out.push_str(line);
    }
    out.push('\n');
}
