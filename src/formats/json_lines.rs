//! JSON lines: one object a line, of any content.
//!
//! Read more widely: objects over several lines, one behind the other, in arrays.
//! <https://jsonlines.org/>

use super::json::{self, JsonFraming, Opening};
use super::{Format, Model, Reading, Writing};

/// The row of [`crate::formats::FORMATS`].
pub const FORMAT: Format = Format {
    name: "json_lines",
    title: "JSON lines",
    media_type: "application/x-ndjson",
    extensions: &["jsonl", "ndjson"],
    model: Model::Json,
    reading: Some(Reading {
        sniff: |first_bytes| json::opening(first_bytes) == Some(Opening::Object),
        framing: || JsonFraming::boxed(&[]),
        decode: json::read,
    }),
    writing: Some(Writing {
        open: |_| String::new(),
        between: "\n",
        close: "\n",
        encode: json::write,
    }),
};
