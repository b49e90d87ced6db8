//! CSL-JSON: the items that citation styles are filled from, in an array.
//!
//! <https://github.com/citation-style-language/schema>

use serde_json::Value;

use super::json::{self, JsonFraming};
use super::{DecodeError, Format, Model, Reading, Writing};
use crate::record::Warning;

/// The row of [`crate::formats::FORMATS`].
pub const FORMAT: Format = Format {
    name: "csl_json",
    title: "CSL-JSON",
    media_type: "application/vnd.citationstyles.csl+json",
    extensions: &["json"],
    model: Model::Json,
    reading: Some(Reading {
        sniff: |_| false,
        framing: || JsonFraming::boxed(&[]),
        decode: |bytes, options, record, warnings| {
            json::read_as(check, bytes, options, record, warnings)
        },
    }),
    writing: Some(Writing {
        open: |_| "[\n".to_owned(),
        between: ",\n",
        close: "\n]\n",
        encode: |record, _, out, _| json::write_as(is_item, record, out),
    }),
};

fn check(value: Value, warnings: &mut Vec<Warning>) -> Result<Value, DecodeError> {
    is_item(&value)?;
    if value.get("id").is_none() {
        warnings.push(Warning::new("csl_json.id", "the item has no id, expected one"));
    }
    Ok(value)
}

// An item has a type; its title is one text, where Crossref has a list.
fn is_item(value: &Value) -> Result<(), DecodeError> {
    let is_list = |key| value.get(key).is_some_and(Value::is_array);
    let looks_like = if value.get("message-type").is_some() || is_list("title") {
        "Crossref JSON"
    } else if value.get("creators").is_some() || value.get("attributes").is_some() {
        "DataCite JSON"
    } else if value.get("metadata").is_some() {
        "an Invenio record"
    } else if value.get("@context").is_some() {
        "JSON-LD"
    } else if value.get("type").is_some_and(Value::is_string) {
        return Ok(());
    } else {
        "no known dialect"
    };
    let message = format!("found {looks_like}, expected a CSL item with a `type`");
    Err(DecodeError::new("csl_json.dialect", message))
}
