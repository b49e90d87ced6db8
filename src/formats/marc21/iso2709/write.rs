//! Writing ISO 2709: lengths, base address and leader/09 are made anew.

use thiserror::Error;

use super::{FT, RT, US};
use crate::formats::marc21::{CONTROL_VALUE, Field, Marc, Tag};

/// Why a record cannot be written as ISO 2709; it can be as MARCXML.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WriteError {
    /// A field does not fit into the four digits of its directory entry.
    #[error("field {tag} has {length} bytes, expected at most 9999")]
    FieldTooLong {
        /// The field's tag.
        tag: Tag,
        /// Bytes with indicators, delimiters and terminator.
        length: usize,
    },
    /// The record does not fit into the five digits of leader/00-04.
    #[error("the record has {length} bytes, expected at most 99999")]
    RecordTooLong {
        /// Bytes with leader, directory and terminator.
        length: usize,
    },
    /// A value holds a character that would end it early.
    #[error("field {tag} holds a delimiter or terminator of ISO 2709 (U+001D to U+001F)")]
    Separator {
        /// The field's tag.
        tag: Tag,
    },
}

impl WriteError {
    /// A stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            WriteError::FieldTooLong { .. } => "iso2709.field_too_long",
            WriteError::RecordTooLong { .. } => "iso2709.record_too_long",
            WriteError::Separator { .. } => "iso2709.separator",
        }
    }
}

/// Writes a record in UTF-8, fields in their order.
///
/// # Errors
/// [`WriteError`] when a field is longer than 9,999 or the record longer than 99,999 bytes, or a
/// value holds a separator.
pub fn write(marc: &Marc) -> Result<Vec<u8>, WriteError> {
    let base = 24 + 12 * marc.len() + 1;
    let mut directory = Vec::with_capacity(base);
    let mut data = Vec::with_capacity(marc.text().len() + 64);
    for field in marc.fields() {
        let start = data.len();
        push_field(field, &mut data)?;
        let length = data.len() - start;
        if length > 9_999 {
            return Err(WriteError::FieldTooLong { tag: field.tag(), length });
        }
        directory.extend_from_slice(&field.tag().0);
        directory.extend_from_slice(format!("{length:04}{start:05}").as_bytes());
    }
    let length = base + data.len() + 1;
    if length > 99_999 {
        return Err(WriteError::RecordTooLong { length });
    }
    let mut out = Vec::with_capacity(length);
    let leader = marc.leader().0;
    out.extend_from_slice(format!("{length:05}").as_bytes());
    out.extend_from_slice(leader.get(5..9).unwrap_or_default());
    out.extend_from_slice(format!("a22{base:05}").as_bytes());
    out.extend_from_slice(leader.get(17..20).unwrap_or_default());
    out.extend_from_slice(b"4500");
    out.extend_from_slice(&directory);
    out.push(FT);
    out.extend_from_slice(&data);
    out.push(RT);
    Ok(out)
}

fn push_field(field: Field<'_>, out: &mut Vec<u8>) -> Result<(), WriteError> {
    let tag = field.tag();
    let is_value = field.subfields().next().is_some_and(|first| first.code == CONTROL_VALUE);
    if !is_value {
        for indicator in field.indicators() {
            push_char(tag, indicator, out)?;
        }
    }
    for subfield in field.subfields() {
        let value = subfield.value.as_bytes();
        if subfield.code != CONTROL_VALUE {
            out.push(US);
            push_char(tag, subfield.code, out)?;
        }
        // Control fields may hold delimiters: that is how they were read.
        let may_delimit = tag.is_control();
        if value.iter().any(|&byte| byte == RT || byte == FT || byte == US && !may_delimit) {
            return Err(WriteError::Separator { tag });
        }
        out.extend_from_slice(value);
    }
    out.push(FT);
    Ok(())
}

fn push_char(tag: Tag, c: char, out: &mut Vec<u8>) -> Result<(), WriteError> {
    if matches!(c, '\u{1D}'..='\u{1F}') {
        return Err(WriteError::Separator { tag });
    }
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(())
}
