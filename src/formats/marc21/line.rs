//! Line MARC: a record as text, a field a line, as MarcEdit and people write it.
//!
//! `=LDR  00000nam\a2200000\a\4500`, `=245  10$aTitle$bRest`; `\` is a blank in leader, control
//! fields and indicators; `{dollar}`, `{lcub}`, `{rcub}` and `{bsol}` stand for `$`, `{`, `}` and
//! `\`, `{u000A}` for any character by its code point. A blank line ends a record.

use super::{CONTROL_VALUE, Leader, Marc, Tag};
use crate::formats::DecodeError;

/// Reads a text that holds one record.
///
/// # Errors
/// `line.syntax`; the message names the line.
pub fn read(text: &str) -> Result<Marc, DecodeError> {
    let mut records = read_all(text)?;
    match (records.pop(), records.len()) {
        (Some(record), 0) => Ok(record),
        (_, others) => {
            let found = if others == 0 { 0 } else { others + 1 };
            Err(DecodeError::new("line.syntax", format!("{found} records, expected one")))
        }
    }
}

/// Reads every record of a text.
///
/// # Errors
/// `line.syntax`; the message names the line.
pub fn read_all(text: &str) -> Result<Vec<Marc>, DecodeError> {
    let mut records = Vec::new();
    let mut record: Option<Marc> = None;
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            records.extend(record.take());
            continue;
        }
        let marc = record.get_or_insert_default();
        read_line(line, marc).map_err(|message| {
            let message = format!("line {}: {message}", index + 1);
            let mut error = DecodeError::new("line.syntax", message);
            error.control_number = marc.control_number().map(str::to_owned);
            error
        })?;
    }
    records.extend(record);
    Ok(records)
}

fn read_line(line: &str, marc: &mut Marc) -> Result<(), String> {
    let parts = line
        .strip_prefix('=')
        .and_then(|line| line.split_at_checked(3))
        .and_then(|(tag, rest)| Some((tag, rest.strip_prefix("  ")?)));
    let Some((tag, content)) = parts else {
        return Err(format!("found {line:?}, expected =TAG, two blanks and a field"));
    };
    if tag == "LDR" {
        let text = unescape(content, true)?;
        let leader = text.as_bytes().try_into().ok().filter(|_| text.is_ascii());
        let Some(leader) = leader else {
            return Err(format!("leader is {text:?}, expected 24 characters of ASCII"));
        };
        marc.set_leader(Leader(leader));
        return Ok(());
    }
    let Some(tag) = Tag::new(tag.as_bytes()) else {
        return Err(format!("tag is {tag:?}, expected three characters of printable ASCII"));
    };
    let (head, subfields) = match content.split_once('$') {
        Some((head, subfields)) => (head, Some(subfields)),
        None => (content, None),
    };
    if tag.is_control() || (subfields.is_none() && !is_indicators(head)) {
        marc.push_control(tag, &unescape(content, true)?);
        return Ok(());
    }
    let head = unescape(head, true)?;
    let mut chars = head.chars();
    let (Some(first), Some(second), None) = (chars.next(), chars.next(), chars.next()) else {
        return Err(format!("indicators are {head:?}, expected two characters"));
    };
    marc.push_data(tag, [first, second]);
    for subfield in subfields.into_iter().flat_map(|subfields| subfields.split('$')) {
        let subfield = unescape(subfield, false)?;
        let mut chars = subfield.chars();
        let Some(code) = chars.next() else {
            return Err("a $ without a subfield code".to_owned());
        };
        marc.push_subfield(code, chars.as_str());
    }
    Ok(())
}

// A field without `$` is a value unless it can only be two indicators.
fn is_indicators(text: &str) -> bool {
    text.len() == 2
        && text.bytes().all(|byte| matches!(byte, b' ' | b'\\') || byte.is_ascii_digit())
}

/// Writes a record, one line a field, each with a line end.
#[must_use]
pub fn write(marc: &Marc) -> String {
    let mut out = String::from("=LDR  ");
    push_escaped(marc.leader().as_str(), true, &mut out);
    out.push('\n');
    for field in marc.fields() {
        out.extend(["=", &field.tag().to_string(), "  "]);
        let mut subfields = field.subfields().peekable();
        if let Some(value) = subfields.next_if(|first| first.code == CONTROL_VALUE) {
            push_escaped(value.value, true, &mut out);
        } else {
            for indicator in field.indicators() {
                push_escaped(indicator.encode_utf8(&mut [0; 4]), true, &mut out);
            }
        }
        for subfield in subfields {
            out.push('$');
            push_escaped(subfield.code.encode_utf8(&mut [0; 4]), false, &mut out);
            push_escaped(subfield.value, false, &mut out);
        }
        out.push('\n');
    }
    out
}

fn push_escaped(text: &str, fixed: bool, out: &mut String) {
    for c in text.chars() {
        match c {
            '$' => out.push_str("{dollar}"),
            '{' => out.push_str("{lcub}"),
            '}' => out.push_str("{rcub}"),
            '\\' if fixed => out.push_str("{bsol}"),
            ' ' if fixed => out.push('\\'),
            // Invisible at a line's end, or an end of line itself.
            c if c.is_control() => out.push_str(&format!("{{u{:04X}}}", u32::from(c))),
            c => out.push(c),
        }
    }
}

fn unescape(text: &str, fixed: bool) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '\\']) {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        if let Some(after) = after.strip_prefix('\\') {
            out.push(if fixed { ' ' } else { '\\' });
            rest = after;
            continue;
        }
        let Some((name, after)) = after.strip_prefix('{').unwrap_or_default().split_once('}')
        else {
            return Err(format!("found {after:?}, expected }} behind {{"));
        };
        out.push(mnemonic(name).ok_or_else(|| {
            format!(
                "{{{name}}} is unknown, expected dollar, lcub, rcub, bsol or u and a code point"
            )
        })?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn mnemonic(name: &str) -> Option<char> {
    match name {
        "dollar" => Some('$'),
        "lcub" => Some('{'),
        "rcub" => Some('}'),
        "bsol" => Some('\\'),
        _ => char::from_u32(u32::from_str_radix(name.strip_prefix('u')?, 16).ok()?),
    }
}
