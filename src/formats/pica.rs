//! PICA+: fields of subfields, as the library systems CBS and LBS keep them, read as PICA/JSON.
//!
//! A record is an array of fields, a field `["045D", "06", "a", "…", "9", "…"]`: its tag, its
//! occurrence or `null`, then code and value of each subfield; last, where there is one, an
//! annotation. <https://format.gbv.de/pica/json>

pub mod binary;
pub mod plain;

use serde_json::Value;

use super::{DecodeError, EncodeError, SourceRecord};
use crate::json::value::clip;
use crate::record::Warning;

/// One field.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Field {
    /// Four characters: the level (0 to 2), two digits, a capital letter or `@`.
    pub tag: String,
    /// Two or three digits.
    pub occurrence: Option<String>,
    /// Code and value of each, in their order.
    pub subfields: Vec<(char, String)>,
    /// A mark of what is to become of the field, or is wrong with it: `+`, `-`, `!`, `?`, a blank.
    pub annotation: Option<char>,
}

/// The number (PPN) of a record: 003@ $0.
#[must_use]
pub fn name(record: &Value) -> Option<&str> {
    let fields = record.as_array()?.iter().filter_map(Value::as_array);
    let mut fields = fields.filter(|field| field.first().is_some_and(|tag| tag == "003@"));
    let mut subfields = fields.next()?.get(2..)?.chunks_exact(2);
    subfields.find_map(|subfield| match subfield {
        [code, value] if code == "0" => value.as_str(),
        _ => None,
    })
}

impl Field {
    // A field without subfields, and the text behind its head: `028A/01`, `003@`.
    fn begin(text: &str) -> Option<(Field, &str)> {
        let (tag, rest) = text.split_at_checked(4)?;
        let is_tag = tag.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
        let (occurrence, rest) = match rest.strip_prefix('/') {
            None => (None, rest),
            Some(rest) => {
                let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                let (digits, rest) = rest.split_at_checked(end).filter(|_| end > 0)?;
                (Some(digits.to_owned()), rest)
            }
        };
        let field = Field { tag: tag.to_owned(), occurrence, ..Field::default() };
        is_tag.then_some((field, rest))
    }

    // Warns of what the standard does not have; `place` says which field it is.
    fn judge(&self, place: &str, warnings: &mut Vec<Warning>) {
        let Field { tag, occurrence, subfields, .. } = self;
        if !is_tag(tag.as_bytes()) {
            let message = format!("{place}: tag is {tag:?}, expected one like 003@ or 028A");
            warnings.push(Warning::new("pica.tag", message));
        }
        if let Some(occurrence) = occurrence.as_ref().filter(|text| !matches!(text.len(), 2 | 3)) {
            let message =
                format!("{place}: occurrence is /{occurrence}, expected two or three digits");
            warnings.push(Warning::new("pica.occurrence", message));
        }
        if subfields.is_empty() {
            let message = format!("{place}: {tag} has no subfields");
            warnings.push(Warning::new("pica.no_subfields", message));
        }
        if let Some((code, _)) = subfields.iter().find(|(code, _)| !code.is_ascii_alphanumeric()) {
            let message =
                format!("{place}: subfield code is {code:?}, expected a letter or a digit");
            warnings.push(Warning::new("pica.code", message));
        }
        if subfields.iter().any(|(_, value)| value.contains('\n')) {
            let message = format!("{place}: {tag} has a line break within a value");
            warnings.push(Warning::new("pica.line_break", message));
        }
    }

    // Whether the text written of it is read as it again.
    fn check(self) -> Result<Field, EncodeError> {
        let Field { tag, occurrence, subfields, annotation } = &self;
        let shown = clip(tag);
        let head =
            format!("{tag}{}", occurrence.as_ref().map(|o| format!("/{o}")).unwrap_or_default());
        let again = Field::begin(&head).is_some_and(|(again, rest)| {
            again.tag == *tag && again.occurrence == *occurrence && rest.is_empty()
        });
        if !again {
            let message =
                format!("found {:?}, expected a tag and occurrence like 045D/06", clip(&head));
            return Err(EncodeError::new("pica.tag", message));
        }
        if let Some((code, _)) = subfields.iter().find(|(code, _)| !code.is_ascii_alphanumeric()) {
            let message = format!("{shown}: code is {code:?}, expected a letter or a digit");
            return Err(EncodeError::new("pica.code", message));
        }
        if annotation.is_some_and(|mark| !is_annotation(mark)) {
            let message = format!("{shown}: annotation is {annotation:?}, expected a sign");
            return Err(EncodeError::new("pica.annotation", message));
        }
        Ok(self)
    }

    fn of(value: &Value) -> Result<Field, EncodeError> {
        Field::parse(value).ok_or_else(|| {
            let found = clip(&value.to_string());
            let message = format!("found {found}, expected a field [\"003@\", null, \"0\", \"…\"]");
            EncodeError::new("pica.field", message)
        })
    }

    fn parse(value: &Value) -> Option<Field> {
        let [tag, occurrence, rest @ ..] = value.as_array()?.as_slice() else { return None };
        let occurrence = match occurrence {
            Value::Null => None,
            Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
            _ => return None,
        };
        let subfields = rest.chunks_exact(2);
        let annotation = match subfields.remainder().first() {
            None => None,
            Some(mark) => Some(only_char(mark.as_str()?)?),
        };
        let subfields = subfields.map(|subfield| {
            let [code, value] = subfield else { return None };
            Some((only_char(code.as_str()?)?, value.as_str()?.to_owned()))
        });
        let subfields = subfields.collect::<Option<_>>()?;
        Some(Field { tag: tag.as_str()?.to_owned(), occurrence, subfields, annotation })
    }
}

impl From<Field> for Value {
    fn from(field: Field) -> Value {
        let mut values = Vec::with_capacity(3 + 2 * field.subfields.len());
        values.push(Value::from(field.tag));
        values.push(field.occurrence.map_or(Value::Null, Value::from));
        for (code, value) in field.subfields {
            values.push(Value::from(code.to_string()));
            values.push(Value::from(value));
        }
        values.extend(field.annotation.map(|mark| Value::from(mark.to_string())));
        Value::Array(values)
    }
}

// The record made of these fields, or the error with its number.
fn finish(fields: Vec<Field>, result: Result<(), DecodeError>) -> Result<Value, DecodeError> {
    let is_empty = fields.is_empty();
    let record = Value::Array(fields.into_iter().map(Value::from).collect());
    match result {
        Ok(()) if is_empty => {
            Err(DecodeError::new("pica.no_fields", "found no field, expected one like 003@"))
        }
        Ok(()) => Ok(record),
        Err(error) => {
            Err(DecodeError { control_number: name(&record).map(str::to_owned), ..error })
        }
    }
}

// The fields of a record that is to be written.
fn fields(record: &SourceRecord) -> Result<Vec<Field>, EncodeError> {
    let value = record.json()?;
    let Some(fields) = value.as_array().filter(|fields| !fields.is_empty()) else {
        let found = clip(&value.to_string());
        let message = format!("found {found}, expected an array of fields");
        return Err(EncodeError::new("pica.no_fields", message));
    };
    fields.iter().map(|field| Field::of(field).and_then(Field::check)).collect()
}

// A value as it stands in one line.
fn in_one_line(tag: &str, value: &str, warnings: &mut Vec<Warning>) -> String {
    if !value.contains(['\n', '\r']) {
        return value.to_owned();
    }
    let message = format!("{tag} has line breaks, written as blanks");
    warnings.push(Warning::new("pica.line_break", message));
    value.replace("\r\n", " ").replace(['\n', '\r'], " ")
}

fn is_tag(tag: &[u8]) -> bool {
    matches!(tag, [b'0'..=b'2', b'0'..=b'9', b'0'..=b'9', b'A'..=b'Z' | b'@'])
}

fn is_annotation(mark: char) -> bool {
    mark == ' ' || mark.is_ascii_punctuation()
}

fn only_char(text: &str) -> Option<char> {
    let mut chars = text.chars();
    chars.next().filter(|_| chars.next().is_none())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_is_named_by_its_ppn() {
        let record = json!([["001A", null, "0", "1"], ["003@", null, "a", "x", "0", "12X"]]);
        assert_eq!(name(&record), Some("12X"));
        for other in [json!([]), json!({}), json!([["003@"]]), json!([["003@", null, "0", 1]])] {
            assert_eq!(name(&other), None);
        }
    }

    #[test]
    fn what_is_no_field_is_not_written() {
        let code = |field: Value| {
            let record = SourceRecord::Json(json!([field]));
            fields(&record).map(|_| "").unwrap_or_else(|error| error.code)
        };
        assert_eq!(code(json!(["003@", "", "0", "1"])), "");
        assert_eq!(code(json!(["003@", null, "0", "1", "+"])), "");
        assert_eq!(code(json!(["003@", null, "00", "1"])), "pica.field");
        assert_eq!(code(json!(["003@", null, "0", 1])), "pica.field");
        assert_eq!(code(json!(["003@"])), "pica.field");
        assert_eq!(code(json!({"tag": "003@"})), "pica.field");
        assert_eq!(code(json!(["003", null, "0", "1"])), "pica.tag");
        assert_eq!(code(json!(["003@", "x", "0", "1"])), "pica.tag");
        assert_eq!(code(json!(["003@", null, "$", "1"])), "pica.code");
        assert_eq!(code(json!(["003@", null, "0", "1", "x"])), "pica.annotation");
        assert_eq!(fields(&SourceRecord::Json(json!([]))).unwrap_err().code, "pica.no_fields");
    }
}
