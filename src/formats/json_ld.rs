//! JSON-LD with the vocabulary of schema.org, written only.
//!
//! <https://www.w3.org/TR/json-ld11/>, <https://schema.org/>

use serde_json::Value;

use super::{EncodeError, Format, Model, SourceRecord, WriteOptions, Writing, json};
use crate::record::Warning;

/// What `@context` is when the record names none.
pub const CONTEXT: &str = "https://schema.org";

/// The row of [`crate::formats::FORMATS`].
pub const FORMAT: Format = Format {
    name: "json_ld",
    title: "JSON-LD (schema.org)",
    media_type: "application/ld+json",
    extensions: &["jsonld"],
    model: Model::Json,
    reading: None,
    writing: Some(Writing { open: |_| "[\n".to_owned(), between: ",\n", close: "\n]\n", encode }),
};

// A node without a type says nothing to those who read schema.org.
fn encode(
    record: &SourceRecord,
    options: &WriteOptions,
    out: &mut Vec<u8>,
    warnings: &mut Vec<Warning>,
) -> Result<(), EncodeError> {
    let value = record.json()?;
    if value.get("@type").is_none_or(Value::is_null) {
        let message = "the record has no @type, expected one of schema.org, `Dataset` or the like";
        return Err(EncodeError::new("json_ld.type", message));
    }
    let mut node = value.clone();
    if let Some(members) = node.as_object_mut()
        && !members.contains_key("@context")
    {
        members.insert("@context".to_owned(), CONTEXT.into());
    }
    json::write(&SourceRecord::Json(node), options, out, warnings)
}
