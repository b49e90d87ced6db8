//! BibTeX and biblatex: entries with a kind, a key and fields in TeX.
//!
//! A record is `{"type": "article", "key": "…", "fields": {"title": "…", "author": [{"family":
//! "…", "given": "…"}]}}`: kind and names of fields in small letters, values in Unicode, lists of
//! names as CSL-JSON has them. `"tex"` holds the source of each field that another spelling would
//! be written for; it is written again as long as its field says the same.
//! <https://ctan.org/pkg/bibtex>, <https://ctan.org/pkg/biblatex>

mod names;
mod parse;
mod scan;
mod tex;

use serde_json::{Map, Value};

use super::framing::TextFraming;
use super::text::{read_utf8, without_mark};
use super::{
    DecodeError, EncodeError, Format, Model, ReadOptions, Reading, SourceRecord, WriteOptions,
    Writing,
};
use crate::json::value::clip;
use crate::record::Warning;
use parse::{MONTHS, collapsed, group_length, parse};
use scan::{BibtexScan, Head};
use tex::Kind;

/// The row of [`crate::formats::FORMATS`].
pub const FORMAT: Format = Format {
    name: "bibtex",
    title: "BibTeX",
    media_type: "application/x-bibtex",
    extensions: &["bib", "bibtex"],
    model: Model::Json,
    reading: Some(Reading {
        sniff: looks_like_bibtex,
        framing: TextFraming::<BibtexScan>::boxed,
        decode,
    }),
    writing: Some(Writing { open: |_| String::new(), between: "\n", close: "", encode }),
};

/// Fields that are lists of names.
const NAMES: &[&str] = &[
    "afterword",
    "annotator",
    "author",
    "bookauthor",
    "commentator",
    "editor",
    "editora",
    "editorb",
    "editorc",
    "foreword",
    "holder",
    "introduction",
    "translator",
];

/// Fields that are addresses or names of files.
const VERBATIM: &[&str] =
    &["doi", "eprint", "file", "pdf", "url", "urlraw", "verba", "verbb", "verbc"];

/// Whether a file that begins so is BibTeX: an entry, perhaps behind lines of comment.
#[must_use]
pub fn looks_like_bibtex(first_bytes: &[u8]) -> bool {
    let mut rest = without_mark(first_bytes).trim_ascii_start();
    while rest.starts_with(b"%") {
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        rest = rest.get(end..).unwrap_or_default().trim_ascii_start();
    }
    matches!(scan::head(rest), Head::Open { .. })
}

fn decode(
    bytes: &[u8],
    options: &ReadOptions,
    record: &mut SourceRecord,
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    let before = warnings.len();
    let value = read_utf8(bytes, "bibtex.utf8", options, warnings)
        .and_then(|text| read(&text, options, warnings));
    *record = SourceRecord::Json(value.inspect_err(|_| warnings.truncate(before))?);
    Ok(())
}

/// Reads one entry, with the `@string` definitions before it.
///
/// Warns of text before the entry (`bibtex.text`), a missing key (`bibtex.key`), a string that is
/// not defined (`bibtex.undefined_string`), commands that stand as they are (`bibtex.command`), a
/// field that stands twice with one value (`bibtex.duplicate_field`).
///
/// # Errors
/// `bibtex.syntax`, `bibtex.text` when there is no entry, and `bibtex.duplicate_field` for two
/// values, of which [`super::Policy::Repair`] takes the first, as BibTeX does.
pub fn read(
    text: &str,
    options: &ReadOptions,
    warnings: &mut Vec<Warning>,
) -> Result<Value, DecodeError> {
    let entry = parse(text.trim_start_matches('\u{FEFF}'), options.policy, warnings)?;
    let (mut fields, mut sources, mut unknown) = (Map::new(), Map::new(), Vec::new());
    for (name, source) in entry.fields {
        let value = value_of(&name, &source, &mut unknown);
        if write_value(&name, &value).is_none_or(|written| collapsed(&written) != source) {
            sources.insert(name.clone(), source.into());
        }
        fields.insert(name, value);
    }
    if !unknown.is_empty() {
        let message = format!("commands that stand as they are: {}", clip(&unknown.join(" ")));
        warnings.push(Warning::new("bibtex.command", message));
    }
    let mut record = Map::new();
    record.insert("type".to_owned(), entry.kind.into());
    record.insert("key".to_owned(), entry.key.into());
    record.insert("fields".to_owned(), fields.into());
    if !sources.is_empty() {
        record.insert("tex".to_owned(), sources.into());
    }
    Ok(record.into())
}

fn value_of(name: &str, source: &str, unknown: &mut Vec<String>) -> Value {
    if NAMES.contains(&name) {
        return names::read(source, unknown);
    }
    tex::decode(source, kind_of(name), unknown).into()
}

// The TeX of a field's value; none when it is no value of a field.
fn write_value(name: &str, value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(tex::encode(text, kind_of(name))),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(_) if NAMES.contains(&name) => names::write(value),
        _ => None,
    }
}

fn kind_of(name: &str) -> Kind {
    if VERBATIM.contains(&name) { Kind::Verbatim } else { Kind::Text }
}

fn encode(
    record: &SourceRecord,
    _: &WriteOptions,
    out: &mut Vec<u8>,
    warnings: &mut Vec<Warning>,
) -> Result<(), EncodeError> {
    let text = write(record.json()?, warnings)?;
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Writes one entry, its fields in alphabetical order.
///
/// Warns of line breaks and tabs that become spaces (`bibtex.white_space`), and of characters in
/// the key that BibTeX does not allow, which become hyphens (`bibtex.key`).
///
/// # Errors
/// `bibtex.type`, `bibtex.fields` for what is not as [`read`] gives it.
pub fn write(record: &Value, warnings: &mut Vec<Warning>) -> Result<String, EncodeError> {
    let members = record.as_object().ok_or_else(|| wrong(record))?;
    if let Some(key) =
        members.keys().find(|key| !["type", "key", "fields", "tex"].contains(&key.as_str()))
    {
        return Err(wrong(&Value::from(format!("the key {key}"))));
    }
    let kind = members.get("type").and_then(Value::as_str).unwrap_or_default();
    if kind.is_empty()
        || !scan::is_entry(kind)
        || !kind.bytes().all(|byte| byte.is_ascii_alphanumeric())
    {
        let message = format!("`type` is {kind:?}, expected `article` or the like");
        return Err(EncodeError::new("bibtex.type", message));
    }
    let key = members.get("key").and_then(Value::as_str).unwrap_or_default();
    let odd = |c: char| c.is_whitespace() || c.is_control() || "{}\",=#%()\\@~".contains(c);
    let safe = key.replace(odd, "-");
    if safe != key {
        let message = format!("the key {key:?} is written {safe:?}");
        warnings.push(Warning::new("bibtex.key", message));
    }
    let mut out = format!("@{kind}{{{safe},\n");
    let none = Map::new();
    let object = |key| match members.get(key) {
        None => Ok(&none),
        Some(fields) => fields.as_object().ok_or_else(|| wrong(fields)),
    };
    let sources = object("tex")?;
    for (name, value) in object("fields")? {
        if name.is_empty() || name.contains(odd) {
            return Err(wrong(&Value::from(format!("the field {name}"))));
        }
        let source = sources.get(name).and_then(Value::as_str);
        let tex = match source.filter(|source| still_says(name, source, value)) {
            Some(source) => source.to_owned(),
            None => write_value(name, value).ok_or_else(|| wrong(value))?,
        };
        let spaced = tex.replace(['\n', '\r', '\t', '\u{B}', '\u{C}'], " ");
        if spaced != tex {
            let message = format!("{name}: line breaks and tabs are written as spaces");
            warnings.push(Warning::new("bibtex.white_space", message));
        }
        let is_month = name == "month" && MONTHS.contains(&spaced.as_str());
        let (open, close) = if is_month { ("", "") } else { ("{", "}") };
        out.extend(["  ", name, " = ", open, &spaced, close, ",\n"]);
    }
    out.push_str("}\n");
    Ok(out)
}

fn still_says(name: &str, source: &str, value: &Value) -> bool {
    let length = group_length(&format!("{{{source}}}"));
    length == Some(source.len() + 2) && value_of(name, source, &mut Vec::new()) == *value
}

fn wrong(found: &Value) -> EncodeError {
    let message = format!("found {}, expected a field's value", clip(&found.to_string()));
    EncodeError::new("bibtex.fields", message)
}
