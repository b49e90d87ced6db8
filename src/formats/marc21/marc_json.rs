//! MARC-in-JSON, one object a record, in JSON lines or arrays; written as JSON lines.
//!
//! `{"leader": "…", "fields": [{"001": "…"}, {"245": {"ind1": "1", "ind2": "0",
//! "subfields": [{"a": "…"}]}}]}`. Read is also the older shape that mirrors MARCXML:
//! `{"leader": "…", "controlfield": [{"tag": "001", "content": "…"}], "datafield": [{"tag": "245",
//! "ind1": "1", "ind2": "0", "subfield": [{"code": "a", "content": "…"}]}]}`.
//! <https://rossfsinger.com/blog/2010/09/a-proposal-to-serialize-marc-in-json/>

mod mirrored;
mod read;

pub use read::read;

use memchr::memmem;

use super::{CONTROL_VALUE, Marc};
use crate::formats::{
    Cut, DecodeError, EncodeError, Format, Framing, MAX_RECORD_BYTES, Model, ReadOptions, Reading,
    SourceRecord, WriteOptions, Writing,
};
use crate::json::cut::Cutter;
use crate::record::{Warning, push_json_string};

/// The row of [`crate::formats::FORMATS`].
pub const FORMAT: Format = Format {
    name: "marc_json",
    title: "MARC-in-JSON",
    media_type: "application/marc+json",
    extensions: &["mij", "marcjson"],
    model: Model::Marc,
    reading: Some(Reading {
        sniff: looks_like_marc_json,
        framing: || Box::new(MarcJsonFraming(Cutter::new(MAX_RECORD_BYTES))),
        decode,
    }),
    writing: Some(Writing { open: |_| String::new(), between: "\n", close: "\n", encode }),
};

struct MarcJsonFraming(Cutter);

impl Framing for MarcJsonFraming {
    fn cut(&mut self, bytes: &[u8], at_end: bool) -> Cut {
        self.0.cut(bytes, at_end)
    }
}

/// Whether a file that begins so is MARC-in-JSON or one of its kin.
#[must_use]
pub fn looks_like_marc_json(first_bytes: &[u8]) -> bool {
    let first_bytes = first_bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(first_bytes);
    let has = |word: &str| memmem::find(first_bytes, word.as_bytes()).is_some();
    matches!(first_bytes.trim_ascii_start().first(), Some(b'{' | b'['))
        && has("\"leader\"")
        && (has("\"fields\"") || has("\"controlfield\"") || has("\"datafield\""))
}

fn decode(
    bytes: &[u8],
    _: &ReadOptions,
    record: &mut SourceRecord,
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    let marc = record.marc_mut();
    let text = simdutf8::compat::from_utf8(bytes).map_err(|error| {
        let message = format!("byte {} is not UTF-8", error.valid_up_to());
        DecodeError::new("json.utf8", message)
    })?;
    read(text, marc, warnings)
}

fn encode(
    record: &SourceRecord,
    _: &WriteOptions,
    out: &mut Vec<u8>,
    _: &mut Vec<Warning>,
) -> Result<(), EncodeError> {
    write(record.marc()?, out);
    Ok(())
}

/// Writes a record as one object in one line, without a line end.
pub fn write(marc: &Marc, out: &mut Vec<u8>) {
    out.reserve(marc.text().len() * 2);
    out.extend_from_slice(b"{\"leader\":");
    push_json_string(marc.leader().as_str(), out);
    out.extend_from_slice(b",\"fields\":[");
    for field in marc.fields() {
        out.extend_from_slice(if field.index() == 0 { b"{" } else { b",{" });
        match field.tag().0.map(|byte| plain(char::from(byte))) {
            [Some(a), Some(b), Some(c)] => out.extend_from_slice(&[b'"', a, b, c, b'"']),
            _ => push_json_string(field.tag().as_str(), out),
        }
        let mut subfields = field.subfields();
        let first = subfields.next();
        if let Some(value) = first.filter(|first| first.code == CONTROL_VALUE) {
            out.push(b':');
            push_json_string(value.value, out);
            out.push(b'}');
            continue;
        }
        match field.indicators().map(plain) {
            [Some(first), Some(second)] => {
                out.extend_from_slice(b":{\"ind1\":\"");
                out.push(first);
                out.extend_from_slice(b"\",\"ind2\":\"");
                out.push(second);
                out.extend_from_slice(b"\",\"subfields\":[");
            }
            _ => push_odd_indicators(field.indicators(), out),
        }
        for (n, subfield) in first.into_iter().chain(subfields).enumerate() {
            let between: &[u8] = if n == 0 { b"{" } else { b",{" };
            match plain(subfield.code) {
                Some(code) if n == 0 => out.extend_from_slice(&[b'{', b'"', code, b'"', b':']),
                Some(code) => out.extend_from_slice(&[b',', b'{', b'"', code, b'"', b':']),
                None => {
                    out.extend_from_slice(between);
                    push_json_string(subfield.code.encode_utf8(&mut [0; 4]), out);
                    out.push(b':');
                }
            }
            push_json_string(subfield.value, out);
            out.push(b'}');
        }
        out.extend_from_slice(b"]}}");
    }
    out.extend_from_slice(b"]}");
}

/// A character that stands in a JSON string as one byte, as it is.
fn plain(c: char) -> Option<u8> {
    u8::try_from(c).ok().filter(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'))
}

#[cold]
fn push_odd_indicators([first, second]: [char; 2], out: &mut Vec<u8>) {
    out.extend_from_slice(b":{\"ind1\":");
    push_json_string(first.encode_utf8(&mut [0; 4]), out);
    out.extend_from_slice(b",\"ind2\":");
    push_json_string(second.encode_utf8(&mut [0; 4]), out);
    out.extend_from_slice(b",\"subfields\":[");
}
