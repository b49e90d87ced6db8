//! Aleph sequential: a field a line, its record's system number before it.
//!
//! `000000001 24510 L $$aTitle$$b…`: nine digits, a blank, tag and indicators (five characters),
//! a blank, the code of the field's alphabet, a blank, the field. `^` is a blank in leader and
//! control fields. A record ends where another system number comes. It has no published standard;
//! Ex Libris' manuals of the service print-03 describe it.

use std::borrow::Cow;

use super::lines::{Line, LineFraming};
use super::{CONTROL_VALUE, Field, Marc, Tag, leader};
use crate::formats::{
    DecodeError, EncodeError, Format, Model, Policy, ReadOptions, Reading, SourceRecord,
    WriteOptions, Writing,
};
use crate::record::Warning;

const NUMBER: Tag = Tag(*b"001");

/// The row of [`crate::formats::FORMATS`].
pub const FORMAT: Format = Format {
    name: "aleph",
    title: "Aleph sequential",
    media_type: "text/plain",
    extensions: &["alephseq", "seqaleph", "aseq"],
    model: Model::Marc,
    reading: Some(Reading {
        sniff: looks_like_aleph,
        framing: || Box::new(LineFraming::new(bound)),
        decode,
    }),
    writing: Some(Writing { open: |_| String::new(), between: "", close: "", encode }),
};

fn looks_like_aleph(first_bytes: &[u8]) -> bool {
    let first_bytes = first_bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(first_bytes);
    let line = first_bytes.trim_ascii_start().first_chunk::<18>();
    line.is_some_and(|line| {
        system_number(line).is_some() && matches!(line, [.., b' ', b'A'..=b'Z', b' '])
    })
}

fn bound(line: &[u8]) -> Line {
    system_number(line).map_or(Line::GoesOn, |number| Line::Begins(Some(number)))
}

fn system_number(line: &[u8]) -> Option<[u8; 9]> {
    let (number, rest) = line.split_first_chunk::<9>()?;
    let is_number = number.iter().all(u8::is_ascii_digit) && rest.first() == Some(&b' ');
    is_number.then_some(*number)
}

fn decode(
    bytes: &[u8],
    options: &ReadOptions,
    record: &mut SourceRecord,
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    let marc = record.marc_mut();
    let text = simdutf8::compat::from_utf8(bytes).map_err(|error| {
        let message = format!("byte {} is not UTF-8", error.valid_up_to());
        DecodeError::new("aleph.utf8", message)
    })?;
    read(text, options.policy, marc, warnings)
}

/// Reads the lines of one record into `marc`, which is cleared first.
///
/// The system number becomes field 001, in front, when the record has none. A line without a
/// system number goes on with the field before it; the line end is kept, with
/// [`Policy::Repair`] it becomes a blank.
///
/// # Errors
/// `aleph.syntax`, `.leader`, `.tag`, `.indicators`, `.content` where content would be lost: with
/// the control number, when it was read before. The message names the line of the record.
pub fn read(
    text: &str,
    policy: Policy,
    marc: &mut Marc,
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    let warnings_before = warnings.len();
    marc.clear();
    read_lines(text, policy, marc, warnings).map_err(|(code, message)| {
        warnings.truncate(warnings_before);
        let control_number = marc.control_number().map(str::to_owned);
        DecodeError { code, message, control_number }
    })
}

type Problem = (&'static str, String);

fn read_lines(
    text: &str,
    policy: Policy,
    marc: &mut Marc,
    warnings: &mut Vec<Warning>,
) -> Result<(), Problem> {
    let number = text.get(..9).unwrap_or_default();
    let has_control_number = text.lines().any(|line| line.get(10..13) == Some(NUMBER.as_str()));
    if !has_control_number && system_number(text.as_bytes()).is_some() {
        marc.push_control(NUMBER, number);
    }
    let goes_on = |line: &str| system_number(line.as_bytes()).is_none();
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).peekable();
    let mut has_leader = false;
    while let Some((index, line)) = lines.next() {
        let mut whole = Cow::Borrowed(line);
        while let Some((index, more)) = lines.next_if(|(_, more)| goes_on(more)) {
            let message = format!("line {}: no system number, it goes on with the last", index + 1);
            warnings.push(Warning::new("aleph.continuation", message));
            whole.to_mut().push(if policy == Policy::Repair { ' ' } else { '\n' });
            whole.to_mut().push_str(more);
        }
        read_line(&whole, &mut has_leader, marc, warnings)
            .map_err(|(code, message)| (code, format!("line {}: {message}", index + 1)))?;
    }
    if !has_leader {
        warnings.push(Warning::new("aleph.no_leader", "the record has no leader"));
    }
    let found = marc.control_number().unwrap_or_default();
    if digits(found).as_deref() != Some(number) {
        let message = format!("system number {number} of a record with 001 {found:?}");
        warnings.push(Warning::new("aleph.system_number", message));
    }
    Ok(())
}

fn read_line(
    line: &str,
    has_leader: &mut bool,
    marc: &mut Marc,
    warnings: &mut Vec<Warning>,
) -> Result<(), Problem> {
    let head = line.as_bytes().first_chunk::<17>().filter(|head| head.is_ascii());
    let content = head.and_then(|_| match line.get(17..)? {
        "" => Some(""),
        rest => rest.strip_prefix(' '),
    });
    let (Some(head), Some(content)) = (head, content) else {
        let found: String = line.chars().take(40).collect();
        let message = format!("found {found:?}, expected system number, tag, alphabet and field");
        return Err(("aleph.syntax", message));
    };
    let [_, _, _, _, _, _, _, _, _, b' ', tag @ .., first, second, b' ', alphabet] = head else {
        let found: String = line.chars().take(20).collect();
        let message = format!("found {found:?}, expected blanks before tag and alphabet");
        return Err(("aleph.syntax", message));
    };
    if *alphabet != b'L' {
        let message = format!("the alphabet is {:?}, which is not kept", char::from(*alphabet));
        warnings.push(Warning::new("aleph.alphabet", message));
    }
    if tag == b"LDR" {
        let found = leader::from_text(&content.replace('^', " "))
            .map_err(|message| ("aleph.leader", message))?;
        if let Some((leader, short)) = found.filter(|_| !*has_leader) {
            *has_leader = true;
            marc.set_leader(leader);
            warnings.extend(short.map(|message| Warning::new("aleph.leader", message)));
        } else {
            let message = format!("leader {content:?} is passed over");
            warnings.push(Warning::new("aleph.leader", message));
        }
        return Ok(());
    }
    let Some(tag) = Tag::new(tag) else {
        let message = format!("tag is {:?}, expected three characters", &line.get(10..13));
        return Err(("aleph.tag", message));
    };
    let indicators = [char::from(*first), char::from(*second)];
    if tag.is_control() || (!content.is_empty() && !content.contains("$$")) {
        if indicators != [' ', ' '] {
            let message = format!("{tag} has indicators {indicators:?} and no subfields");
            return Err(("aleph.indicators", message));
        }
        marc.push_control(tag, &content.replace('^', " "));
        return Ok(());
    }
    marc.push_data(tag, indicators);
    let mut subfields = content.split("$$");
    if let Some(before) = subfields.next().filter(|before| !before.is_empty()) {
        let message = format!("{tag} has {before:?} before its first subfield");
        return Err(("aleph.content", message));
    }
    for subfield in subfields {
        let mut chars = subfield.chars();
        match chars.next() {
            Some(code) => marc.push_subfield(code, chars.as_str()),
            None => {
                let message = format!("{tag} has $$ without a subfield code");
                warnings.push(Warning::new("aleph.lone_delimiter", message));
            }
        }
    }
    Ok(())
}

// Nine digits: those of the control number.
fn digits(control_number: &str) -> Option<String> {
    let digits: String = control_number.chars().filter(char::is_ascii_digit).collect();
    (1..=9).contains(&digits.len()).then(|| format!("{digits:0>9}"))
}

fn encode(
    record: &SourceRecord,
    _: &WriteOptions,
    out: &mut Vec<u8>,
    warnings: &mut Vec<Warning>,
) -> Result<(), EncodeError> {
    let marc = record.marc()?;
    let control_number = marc.control_number().unwrap_or_default();
    let Some(number) = digits(control_number) else {
        let message = format!("control number is {control_number:?}, expected one to nine digits");
        return Err(EncodeError::new("aleph.system_number", message));
    };
    if !control_number.bytes().all(|byte| byte.is_ascii_digit()) {
        let message = format!("system number {number} of control number {control_number:?}");
        warnings.push(Warning::new("aleph.system_number", message));
    }
    let mut text = String::new();
    text.extend([&number, " LDR   L ", &marc.leader().as_str().replace(' ', "^"), "\n"]);
    for field in marc.fields() {
        text.extend([&number, " ", field.tag().as_str()]);
        write_field(field, &mut text, warnings)?;
        text.push('\n');
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

// Indicators, alphabet and content.
fn write_field(
    field: Field<'_>,
    text: &mut String,
    warnings: &mut Vec<Warning>,
) -> Result<(), EncodeError> {
    let tag = field.tag();
    let cannot = |code, message: &str| EncodeError::new(code, format!("{tag} has {message}"));
    let mut subfields = field.subfields().peekable();
    if let Some(value) = subfields.next_if(|first| first.code == CONTROL_VALUE) {
        if value.value.contains('^') {
            return Err(cannot("aleph.caret", "a ^, which stands for a blank"));
        }
        text.push_str("   L ");
        text.push_str(&in_one_line(&value.value.replace(' ', "^"), tag, warnings));
        return Ok(());
    }
    if !field.indicators().iter().all(|indicator| matches!(indicator, ' '..='~')) {
        return Err(cannot("aleph.indicators", "indicators that are no printable ASCII"));
    }
    text.extend(field.indicators());
    text.push_str(" L ");
    for subfield in subfields {
        if subfield.value.contains("$$") || subfield.value.ends_with('$') || subfield.code == '$' {
            return Err(cannot("aleph.delimiter", "$ where it would delimit a subfield"));
        }
        text.push_str("$$");
        text.push(subfield.code);
        text.push_str(&in_one_line(subfield.value, tag, warnings));
    }
    Ok(())
}

fn in_one_line<'v>(value: &'v str, tag: Tag, warnings: &mut Vec<Warning>) -> Cow<'v, str> {
    if !value.contains(['\n', '\r']) {
        return Cow::Borrowed(value);
    }
    let message = format!("{tag} has line ends, written as blanks");
    warnings.push(Warning::new("aleph.line_end", message));
    Cow::Owned(value.replace("\r\n", " ").replace(['\n', '\r'], " "))
}
