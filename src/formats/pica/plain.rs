//! PICA Plain: a field a line, `028A/01 $aGoldman$dEmma`; `$$` is a `$` within a value.
//!
//! A blank line ends a record. Read too: `ƒ` before the codes, with the lines that WinIBW puts
//! before a record; a blank around each value (`$a Goldman $d Emma`); an annotation before the
//! tag. <https://format.gbv.de/pica/plain>

use serde_json::Value;

use super::{Field, fields, finish, in_one_line, is_annotation, is_tag};
use crate::formats::framing::{Found, Scan, TextFraming, line_end};
use crate::formats::text::{read_utf8, without_mark};
use crate::formats::{
    DecodeError, EncodeError, Format, Model, Policy, ReadOptions, Reading, SourceRecord,
    WriteOptions, Writing,
};
use crate::json::value::clip;
use crate::record::Warning;

/// The row of [`crate::formats::FORMATS`].
pub const FORMAT: Format = Format {
    name: "pica_plain",
    title: "PICA Plain",
    media_type: "text/plain",
    extensions: &["pp", "plain"],
    model: Model::Json,
    reading: Some(Reading {
        sniff: looks_like_plain,
        framing: TextFraming::<PlainScan>::boxed,
        decode,
    }),
    writing: Some(Writing { open: |_| String::new(), between: "\n", close: "", encode }),
};

/// What WinIBW puts before a record: set, number of the title in it, PPN.
const SET: &[u8] = b"SET: ";

fn looks_like_plain(first_bytes: &[u8]) -> bool {
    let bytes = without_mark(first_bytes).trim_ascii_start();
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_set = line.starts_with(SET) && memchr::memmem::find(line, b" PPN: ").is_some();
    is_set || (is_field(line) && is_tag(without_annotation(line).get(..4).unwrap_or_default()))
}

fn without_annotation(line: &[u8]) -> &[u8] {
    match line {
        [mark, b' ', rest @ ..] if is_annotation(char::from(*mark)) => rest,
        _ => line,
    }
}

// Whether a line is a field, as `Line::of` says of text.
fn is_field(line: &[u8]) -> bool {
    let Some((tag, rest)) = without_annotation(line).split_first_chunk::<4>() else { return false };
    let rest = rest.strip_prefix(b"/").map_or(rest, |rest| {
        rest.get(rest.iter().take_while(|byte| byte.is_ascii_digit()).count()..).unwrap_or_default()
    });
    let subfields = rest.strip_prefix(b" ").unwrap_or(rest);
    let mut delimiters = [b"$".as_slice(), "ƒ".as_bytes(), b"\x83"].into_iter();
    let is_empty = subfields.trim_ascii().is_empty();
    let has_subfields = delimiters.any(|delimiter| subfields.starts_with(delimiter));
    (has_subfields && tag.iter().all(u8::is_ascii_graphic)) || (is_empty && is_tag(tag))
}

// A record ends with a blank line or before a `SET` line, but not before it has a field.
#[derive(Debug, Default)]
struct PlainScan {
    has_field: bool,
}

impl Scan for PlainScan {
    // A blank may be the annotation of the first field.
    const TRIMS: bool = false;

    fn scan(&mut self, bytes: &[u8], at: &mut usize, at_end: bool) -> Option<Found> {
        while let Some(end) = line_end(bytes, *at, at_end) {
            let line = without_mark(bytes.get(*at..end).unwrap_or_default());
            let is_blank = line.trim_ascii().is_empty();
            if is_blank && (*at == 0 || self.has_field) {
                self.has_field = false;
                return Some(if *at == 0 { Found::between(end) } else { Found::record(*at) });
            }
            if self.has_field && line.starts_with(SET) {
                self.has_field = false;
                return Some(Found::record(*at));
            }
            self.has_field |= is_field(line);
            *at = end;
        }
        (at_end && !bytes.is_empty()).then(|| Found::record(bytes.len()))
    }
}

fn decode(
    bytes: &[u8],
    options: &ReadOptions,
    record: &mut SourceRecord,
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    let before = warnings.len();
    let value = read_utf8(bytes, "pica.utf8", options, warnings)
        .and_then(|text| read(&text, options.policy, warnings));
    *record = SourceRecord::Json(value.inspect_err(|_| warnings.truncate(before))?);
    Ok(())
}

/// Reads one record.
///
/// Warns of lines before the first field (`pica.text`), of a `$` before what is no code, which is
/// read as itself (`pica.delimiter`), of the blanks around values when each has them, which are
/// taken off (`pica.spaces`), and of what the standard does not have: `pica.tag`,
/// `pica.occurrence`, `pica.space`, `pica.no_subfields`. With [`Policy::Repair`] a line without a
/// tag goes on with the value before it, after a blank (`pica.text`).
///
/// # Errors
/// `pica.text` for such a line otherwise, `pica.no_fields`.
pub fn read(text: &str, policy: Policy, warnings: &mut Vec<Warning>) -> Result<Value, DecodeError> {
    let mut fields = Vec::new();
    let mut has_dollars = false;
    let result = read_lines(text, policy, &mut fields, &mut has_dollars, warnings);
    if has_dollars && is_spaced(&fields) {
        fields.iter_mut().for_each(take_spaces);
        let message = "each value has a blank before and behind it, which is taken off";
        warnings.push(Warning::new("pica.spaces", message));
    }
    finish(fields, result)
}

fn read_lines(
    text: &str,
    policy: Policy,
    fields: &mut Vec<Field>,
    has_dollars: &mut bool,
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    for (index, line) in text.trim_start_matches('\u{FEFF}').lines().enumerate() {
        let place = format!("line {}", index + 1);
        let last = fields.last_mut().and_then(|field| field.subfields.last_mut());
        match (Line::of(line), last) {
            (Some(line), _) => {
                *has_dollars |= line.delimiter == '$';
                let field = line.read(&place, warnings);
                field.judge(&place, warnings);
                fields.push(field);
            }
            (None, _) if line.trim().is_empty() => {}
            (None, None) => {
                let message = format!("{place}: {:?} is no field, passed over", clip(line));
                warnings.push(Warning::new("pica.text", message));
            }
            (None, Some((_, value))) if policy == Policy::Repair && !begins_with_tag(line) => {
                let message = format!("{place}: {:?} goes on with the value before it", clip(line));
                warnings.push(Warning::new("pica.text", message));
                value.push(' ');
                value.push_str(line.trim());
            }
            (None, Some(_)) => {
                let message = format!("{place}: found {:?}, expected a field", clip(line));
                return Err(DecodeError::new("pica.text", message));
            }
        }
    }
    Ok(())
}

fn begins_with_tag(line: &str) -> bool {
    line.as_bytes().get(..4).is_some_and(is_tag)
}

// A line that is a field.
struct Line<'t> {
    field: Field,
    delimiter: char,
    /// From the first delimiter on.
    subfields: &'t str,
    has_space: bool,
}

impl<'t> Line<'t> {
    fn of(line: &'t str) -> Option<Line<'t>> {
        let annotated = || {
            let mark = line.chars().next().filter(|mark| is_annotation(*mark))?;
            Line::behind(Some(mark), line.get(1..)?.strip_prefix(' ')?)
        };
        Line::behind(None, line).or_else(annotated)
    }

    fn behind(annotation: Option<char>, line: &'t str) -> Option<Line<'t>> {
        let (field, rest) = Field::begin(line)?;
        let subfields = rest.strip_prefix(' ').unwrap_or(rest);
        let delimiter = match subfields.chars().next() {
            Some(delimiter @ ('$' | 'ƒ')) => delimiter,
            None if is_tag(field.tag.as_bytes()) => '$',
            _ => return None,
        };
        // What stands before the first code is no value.
        let mut codes = subfields.chars().skip(1);
        let begins =
            subfields.is_empty() || codes.next().is_some_and(|c| c.is_ascii_alphanumeric());
        let has_space = rest.starts_with(' ') || rest.is_empty();
        let field = Field { annotation, ..field };
        begins.then_some(Line { field, delimiter, subfields, has_space })
    }

    fn read(self, place: &str, warnings: &mut Vec<Warning>) -> Field {
        let Line { mut field, delimiter, subfields, has_space } = self;
        let mut lone = 0;
        let mut chars = subfields.chars().peekable();
        while let Some(c) = chars.next() {
            let is_delimiter = c == delimiter;
            if is_delimiter && let Some(code) = chars.next_if(char::is_ascii_alphanumeric) {
                field.subfields.push((code, String::new()));
                continue;
            }
            let is_escaped = c == '$' && is_delimiter && chars.next_if_eq(&'$').is_some();
            lone += usize::from(is_delimiter && !is_escaped);
            if let Some((_, value)) = field.subfields.last_mut() {
                value.push(c);
            }
        }
        if lone > 0 {
            let message = format!("{place}: {lone} {delimiter} before no code, read as itself");
            warnings.push(Warning::new("pica.delimiter", message));
        }
        if !has_space {
            let message = format!("{place}: no blank behind the tag {}", field.tag);
            warnings.push(Warning::new("pica.space", message));
        }
        field
    }
}

// Whether each value has a blank before it, and one behind it unless it is the last of its field.
// No record has that of itself: a PPN is digits.
fn is_spaced(fields: &[Field]) -> bool {
    let is_spaced = |field: &Field| {
        let last = field.subfields.len().saturating_sub(1);
        let mut subfields = field.subfields.iter().enumerate();
        subfields.all(|(index, (_, value))| {
            value.starts_with(' ') && (index == last || value.ends_with(' '))
        })
    };
    fields.iter().any(|field| !field.subfields.is_empty()) && fields.iter().all(is_spaced)
}

fn take_spaces(field: &mut Field) {
    let last = field.subfields.len().saturating_sub(1);
    for (index, (_, value)) in field.subfields.iter_mut().enumerate() {
        let inner = value.strip_prefix(' ').unwrap_or(value);
        let inner = if index == last { inner } else { inner.strip_suffix(' ').unwrap_or(inner) };
        *value = inner.to_owned();
    }
}

fn encode(
    record: &SourceRecord,
    _: &WriteOptions,
    out: &mut Vec<u8>,
    warnings: &mut Vec<Warning>,
) -> Result<(), EncodeError> {
    let fields = fields(record)?;
    if is_spaced(&fields) {
        let message = "every value begins with a blank, which would be taken off when it is read";
        return Err(EncodeError::new("pica.spaces", message));
    }
    let mut text = String::new();
    for Field { tag, occurrence, subfields, annotation } in &fields {
        if subfields.is_empty() && !is_tag(tag.as_bytes()) {
            let message = format!("tag is {tag:?} of a field without subfields");
            return Err(EncodeError::new("pica.tag", message));
        }
        text.extend(annotation.map(|mark| [mark, ' ']).into_iter().flatten());
        text.push_str(tag);
        text.extend(occurrence.iter().flat_map(|occurrence| ["/", occurrence]));
        text.push(' ');
        for (code, value) in subfields {
            text.extend(['$', *code]);
            text.push_str(&in_one_line(tag, value, warnings).replace('$', "$$"));
        }
        text.push('\n');
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}
