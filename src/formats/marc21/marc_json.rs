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
    // Most records have none: then their values need only be looked through for control characters.
    let clean = memchr::memchr2(b'"', b'\\', marc.text().as_bytes()).is_none();
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
            push_value(value.value, clean, out);
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
            push_value(subfield.value, clean, out);
            out.push(b'}');
        }
        out.extend_from_slice(b"]}}");
    }
    out.extend_from_slice(b"]}");
}

/// Appends a value; `clean` when it holds no `"` and no `\`.
fn push_value(value: &str, clean: bool, out: &mut Vec<u8>) {
    if !clean || has_control(value.as_bytes()) {
        return push_json_string(value, out);
    }
    out.push(b'"');
    out.extend_from_slice(value.as_bytes());
    out.push(b'"');
}

/// Whether a byte is below 0x20: eight at a time, the last eight overlapping with those before.
fn has_control(bytes: &[u8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let has_control = |chunk: &[u8; 8]| {
        let high_bits = u64::from_le_bytes(*chunk) & (ONES * 0xE0);
        high_bits.wrapping_sub(ONES) & !high_bits & (ONES * 0x80) != 0
    };
    match bytes.last_chunk::<8>() {
        Some(last) => has_control(last) || bytes.as_chunks::<8>().0.iter().any(has_control),
        None => bytes.iter().any(|byte| *byte < 0x20),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_value_is_written_as_json_whatever_is_in_it(
            value in "[ -~é]{0,20}|[\u{0}-\u{24}]{0,20}|.{0,30}",
        ) {
            let clean = !value.contains(['"', '\\']);
            let (mut quick, mut plain) = (Vec::new(), Vec::new());
            push_value(&value, clean, &mut quick);
            push_json_string(&value, &mut plain);
            proptest::prop_assert_eq!(quick, plain);
            let controls = value.bytes().any(|byte| byte < 0x20);
            proptest::prop_assert_eq!(has_control(value.as_bytes()), controls);
        }
    }
}
