//! JSON arrays: one array of objects of any content.
//!
//! <https://www.rfc-editor.org/rfc/rfc8259>

use super::json::{self, JsonFraming, Opening};
use super::{Format, Model, Reading, Writing};

/// The row of [`crate::formats::FORMATS`].
pub const FORMAT: Format = Format {
    name: "json_array",
    title: "JSON array",
    media_type: "application/json",
    extensions: &["json"],
    model: Model::Json,
    reading: Some(Reading {
        sniff: |first_bytes| json::opening(first_bytes) == Some(Opening::Array),
        framing: || JsonFraming::boxed(&[]),
        decode: json::read,
    }),
    writing: Some(Writing {
        open: |_| "[\n".to_owned(),
        between: ",\n",
        close: "\n]\n",
        encode: json::write,
    }),
};
