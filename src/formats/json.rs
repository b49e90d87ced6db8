//! What all JSON formats share: how a stream is cut, a text read, a value written.

use std::borrow::Cow;

use serde_json::Value;

use super::marc21::marc_json::looks_like_marc_json;
use super::text::{read_utf8, without_mark};
use super::{
    Cut, DecodeError, EncodeError, Framing, MAX_RECORD_BYTES, Policy, ReadOptions, SourceRecord,
    WriteOptions,
};
use crate::json::cut::Cutter;
use crate::json::value::{Broken, clip, parse};
use crate::record::Warning;

/// Objects one after another, in lines or arrays, or in the array that an answer wraps.
#[derive(Debug)]
pub struct JsonFraming(Cutter);

impl JsonFraming {
    /// Objects in lines, arrays or one behind the other; within the array under these keys, from
    /// outside in, where there is one.
    #[must_use]
    pub fn within(path: &'static [&'static str]) -> JsonFraming {
        JsonFraming(Cutter::new(MAX_RECORD_BYTES).within(path))
    }

    /// The same, as rows want it.
    #[must_use]
    pub fn boxed(path: &'static [&'static str]) -> Box<dyn Framing> {
        Box::new(JsonFraming::within(path))
    }
}

impl Framing for JsonFraming {
    fn cut(&mut self, bytes: &[u8], at_end: bool) -> Cut {
        self.0.cut(bytes, at_end)
    }
}

/// Whether a record is of a dialect: the object, or what speaks against it.
///
/// May unwrap the object from what stands around it.
pub type Check = fn(Value, &mut Vec<Warning>) -> Result<Value, DecodeError>;

/// Reads one object of a dialect.
///
/// # Errors
/// `json.utf8`, those of [`parse`], `json.object` for any other value, and those of the check.
/// They carry the record's identifier if it can be told.
pub fn read_as(
    check: Check,
    bytes: &[u8],
    options: &ReadOptions,
    record: &mut SourceRecord,
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    let before = warnings.len();
    let value = read_object(check, bytes, options, warnings);
    let value = value.inspect_err(|_| warnings.truncate(before))?;
    *record = SourceRecord::Json(value);
    Ok(())
}

fn read_object(
    check: Check,
    bytes: &[u8],
    options: &ReadOptions,
    warnings: &mut Vec<Warning>,
) -> Result<Value, DecodeError> {
    let text = read_utf8(bytes, "json.utf8", options, warnings)?;
    let broken = if options.policy == Policy::Repair { Broken::Mend } else { Broken::Refuse };
    let value = parse(&text, broken, warnings)?;
    if !value.is_object() {
        let found = clip(&value.to_string());
        return Err(DecodeError::new("json.object", format!("found {found}, expected an object")));
    }
    let name = identifier(&value).map(Cow::into_owned);
    check(value, warnings).map_err(|mut error| {
        error.control_number = error.control_number.or(name);
        error
    })
}

/// Reads one object of any content.
///
/// # Errors
/// Those of [`read_as`].
pub fn read(
    bytes: &[u8],
    options: &ReadOptions,
    record: &mut SourceRecord,
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    read_as(|value, _| Ok(value), bytes, options, record, warnings)
}

/// Writes the value as one line.
///
/// # Errors
/// `format.model` when the record is not JSON.
pub fn write(
    record: &SourceRecord,
    _: &WriteOptions,
    out: &mut Vec<u8>,
    _: &mut Vec<Warning>,
) -> Result<(), EncodeError> {
    push_value(record.json()?, out)
}

/// Writes the value as one line when the check has nothing against it.
///
/// # Errors
/// `format.model`, and those of the check.
pub fn write_as(
    check: fn(&Value) -> Result<(), DecodeError>,
    record: &SourceRecord,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let value = record.json()?;
    check(value).map_err(|DecodeError { code, message, .. }| EncodeError { code, message })?;
    push_value(value, out)
}

fn push_value(value: &Value, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let before = out.len();
    serde_json::to_writer(&mut *out, value).map_err(|error| {
        out.truncate(before);
        EncodeError::new("json.value", error.to_string())
    })
}

/// What messages name a record by: the first of the usual keys that it has.
#[must_use]
pub fn identifier(value: &Value) -> Option<Cow<'_, str>> {
    ["id", "recid", "doi", "DOI", "key"].iter().find_map(|key| match value.get(key)? {
        Value::String(text) => Some(Cow::Borrowed(text.as_str())),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        _ => None,
    })
}

/// [`identifier`], where it is a text.
#[must_use]
pub fn name(value: &Value) -> Option<&str> {
    match identifier(value) {
        Some(Cow::Borrowed(text)) => Some(text),
        _ => None,
    }
}

/// What a file of JSON begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// An object whose first key follows, or which is empty.
    Object,
    /// An array of objects, or an empty one.
    Array,
}

/// Whether a file that begins so is JSON of no more special kind that can be told.
#[must_use]
pub fn opening(first_bytes: &[u8]) -> Option<Opening> {
    let bytes = without_mark(first_bytes);
    let special = looks_like_marc_json(bytes)
        || super::invenio_v1::looks_like_dump(bytes)
        || super::datacite::json::looks_like_rest(bytes);
    let (first, rest) = bytes.trim_ascii_start().split_first()?;
    let second = rest.trim_ascii_start().first();
    match (first, second) {
        _ if special => None,
        (b'{', Some(b'"' | b'}')) => Some(Opening::Object),
        (b'[', Some(b'{' | b']')) => Some(Opening::Array),
        _ => None,
    }
}
