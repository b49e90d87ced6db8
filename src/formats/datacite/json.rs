//! DataCite JSON in three named dialects, never told apart in silence.
//!
//! Schema 4.3 (`publisher` is a text, DOIs stand in `identifiers`), schema 4.5 and 4.6
//! (`publisher` is an object, `doi`, `alternateIdentifiers`), and the resources of the REST API
//! (`attributes`). <https://support.datacite.org/docs/api>,
//! <https://datacite-metadata-schema.readthedocs.io/>

use serde_json::Value;

use crate::formats::json::{JsonFraming, read_as, write_as};
use crate::formats::{DecodeError, Format, Model, Reading, Writing};
use crate::record::Warning;

/// JSON of the schemas 4.5 and 4.6.
pub const FORMAT: Format = Format {
    name: "datacite_json",
    title: "DataCite JSON 4.5",
    media_type: "application/vnd.datacite.datacite+json",
    extensions: &["json"],
    model: Model::Json,
    reading: Some(Reading {
        sniff: |_| false,
        framing: || JsonFraming::boxed(&[]),
        decode: |bytes, options, record, warnings| {
            let check = |value, _: &mut Vec<_>| expect(Dialect::Schema45, &value).map(|()| value);
            read_as(check, bytes, options, record, warnings)
        },
    }),
    writing: Some(Writing {
        open: |_| "[\n".to_owned(),
        between: ",\n",
        close: "\n]\n",
        encode: |record, _, out, _| write_as(|value| expect(Dialect::Schema45, value), record, out),
    }),
};

/// JSON of the schema 4.3, and of 4.2, which differs in details.
pub const FORMAT_43: Format = Format {
    name: "datacite_json_43",
    title: "DataCite JSON 4.3",
    reading: Some(Reading {
        sniff: |_| false,
        framing: || JsonFraming::boxed(&[]),
        decode: |bytes, options, record, warnings| {
            let check = |value, _: &mut Vec<_>| expect(Dialect::Schema43, &value).map(|()| value);
            read_as(check, bytes, options, record, warnings)
        },
    }),
    writing: Some(Writing {
        open: |_| "[\n".to_owned(),
        between: ",\n",
        close: "\n]\n",
        encode: |record, _, out, _| write_as(|value| expect(Dialect::Schema43, value), record, out),
    }),
    ..FORMAT
};

/// Resources of the REST API and of DataCite's public data file.
pub const FORMAT_REST: Format = Format {
    name: "datacite_rest",
    title: "DataCite REST API",
    media_type: "application/vnd.api+json",
    extensions: &["json"],
    model: Model::Json,
    reading: Some(Reading {
        sniff: looks_like_rest,
        framing: || JsonFraming::boxed(&["data"]),
        decode: |bytes, options, record, warnings| {
            read_as(check_rest, bytes, options, record, warnings)
        },
    }),
    writing: Some(Writing {
        open: |_| "{\"data\":[\n".to_owned(),
        between: ",\n",
        close: "\n]}\n",
        encode: |record, _, out, _| write_as(|value| expect(Dialect::Rest, value), record, out),
    }),
};

/// Whether a file begins with a resource of the REST API, or an answer about one or several.
#[must_use]
pub fn looks_like_rest(first_bytes: &[u8]) -> bool {
    let dense = first_bytes.iter().filter(|byte| !byte.is_ascii_whitespace());
    let dense: Vec<u8> = dense.take(SNIFFED).copied().collect();
    let text = String::from_utf8_lossy(&dense);
    let front = text.trim_start_matches('\u{feff}').trim_start_matches('[');
    let inside = front.strip_prefix("{\"data\":").unwrap_or(front).trim_start_matches('[');
    inside.starts_with("{\"id\":") && inside.contains("\"type\":\"dois\",\"attributes\":{")
}

/// How far an identifier and a type reach, without white space.
const SNIFFED: usize = 400;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Schema43,
    Schema45,
    Rest,
}

impl Dialect {
    fn name(self) -> &'static str {
        match self {
            Dialect::Schema43 => "datacite_json_43",
            Dialect::Schema45 => "datacite_json",
            Dialect::Rest => "datacite_rest",
        }
    }

    fn code(self) -> &'static str {
        match self {
            Dialect::Schema43 => "datacite_json_43.dialect",
            Dialect::Schema45 => "datacite_json.dialect",
            Dialect::Rest => "datacite_rest.dialect",
        }
    }
}

// An answer about one DOI is unwrapped; what it includes (clients, media) is no record.
fn check_rest(mut value: Value, warnings: &mut Vec<Warning>) -> Result<Value, DecodeError> {
    let answer = value.get_mut("data").filter(|data| data.is_object()).map(Value::take);
    if answer.is_some()
        && let Some(included) = value.get("included").and_then(Value::as_array)
        && !included.is_empty()
    {
        let message = format!("{} included resources are passed over", included.len());
        warnings.push(Warning::new("datacite_rest.included", message));
    }
    let value = answer.unwrap_or(value);
    expect(Dialect::Rest, &value)?;
    Ok(value)
}

// What speaks for no dialect speaks against none: `creators` alone is read as what was named.
fn expect(expected: Dialect, value: &Value) -> Result<(), DecodeError> {
    let found = match dialect(value) {
        Ok(None) if expected != Dialect::Rest => return Ok(()),
        Ok(Some(found)) if found == expected => return Ok(()),
        Ok(Some(found)) => format!("`{}`", found.name()),
        Ok(None) => "a record without `attributes`".to_owned(),
        Err(other) => other.to_owned(),
    };
    let message = format!("found {found}, expected `{}`", expected.name());
    Err(DecodeError::new(expected.code(), message))
}

// The dialect that a record's shape speaks for, or what it is instead of DataCite JSON.
fn dialect(value: &Value) -> Result<Option<Dialect>, &'static str> {
    let has = |key| value.get(key).is_some_and(|value| !value.is_null());
    if value.get("attributes").is_some_and(Value::is_object) {
        return match value.get("type").and_then(Value::as_str) {
            Some("dois") | None => Ok(Some(Dialect::Rest)),
            Some(_) => Err("a resource of another type than `dois`"),
        };
    }
    if has("data") {
        return Err("an answer of the REST API (`datacite_rest`)");
    }
    if has("resourceType") || value.get("identifier").is_some_and(Value::is_object) {
        return Err("JSON of the schemas 4.0 and 4.1");
    }
    if !["creators", "titles", "types", "publicationYear"].into_iter().any(has) {
        return Err("no DataCite JSON");
    }
    Ok(match value.get("publisher") {
        Some(Value::Object(_)) => Some(Dialect::Schema45),
        Some(Value::String(_)) => Some(Dialect::Schema43),
        _ if has("identifiers") => Some(Dialect::Schema43),
        _ if has("alternateIdentifiers") || has("doi") => Some(Dialect::Schema45),
        _ => None,
    })
}
