//! Crossref JSON: works as the REST API and the public data file give them, read only.
//!
//! A work alone, an answer (`message`), a list of works (`message.items`, `items`).
//! <https://api.crossref.org/swagger-ui/index.html>

use serde_json::Value;

use super::json::{self, JsonFraming};
use super::text::without_mark;
use super::{Cut, DecodeError, Format, Framing, Model, Reading};
use crate::record::Warning;

/// The row of [`crate::formats::FORMATS`].
pub const FORMAT: Format = Format {
    name: "crossref_json",
    title: "Crossref JSON",
    media_type: "application/vnd.crossref-api-message+json",
    extensions: &["json"],
    model: Model::Json,
    reading: Some(Reading {
        sniff: |_| false,
        framing: || Box::new(CrossrefFraming(None)),
        decode: |bytes, options, record, warnings| {
            json::read_as(check, bytes, options, record, warnings)
        },
    }),
    writing: None,
};

/// Cuts works; a file whose first key is `items` is a file of the public data file.
#[derive(Debug)]
struct CrossrefFraming(Option<JsonFraming>);

impl Framing for CrossrefFraming {
    fn cut(&mut self, bytes: &[u8], at_end: bool) -> Cut {
        if let Some(framing) = &mut self.0 {
            return framing.cut(bytes, at_end);
        }
        const ENOUGH: usize = 64;
        if bytes.len() < ENOUGH && !at_end {
            return Cut::More { skip: 0 };
        }
        let first = without_mark(bytes).trim_ascii_start();
        let key = first.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
        let path: &[&str] = match key {
            Some(key) if key.starts_with(b"\"items\"") => &["items"],
            _ => &["message", "items"],
        };
        self.0.insert(JsonFraming::within(path)).cut(bytes, at_end)
    }
}

// An answer about one work is unwrapped; journals, members and errors are no works.
fn check(mut value: Value, _: &mut Vec<Warning>) -> Result<Value, DecodeError> {
    let kind = value.get("message-type").and_then(Value::as_str).map(str::to_owned);
    if kind.as_deref() == Some("work")
        && let Some(message) = value.get_mut("message")
    {
        value = message.take();
    }
    let has = |key| value.get(key).is_some();
    let found = if let Some(kind) = kind.filter(|kind| kind != "work") {
        format!("an answer of type {kind}")
    } else if value.get("title").is_some_and(Value::is_string) {
        "CSL-JSON".to_owned()
    } else if has("creators") || has("attributes") {
        "DataCite JSON".to_owned()
    } else if value.get("DOI").is_some_and(Value::is_string) {
        return Ok(value);
    } else {
        "an object without `DOI`".to_owned()
    };
    let message = format!("found {found}, expected a work of Crossref");
    Err(DecodeError::new("crossref_json.dialect", message))
}
