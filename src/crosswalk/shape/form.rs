//! Forms: how a value is written at its place in the output.

use crate::record::{plain_json_length, push_json_string};
use crate::xml::writer::{push_attribute_value, push_text};

/// How a value is written at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A JSON value.
    Json,
    /// What stands behind the name of an XML element: `>` and its text. Before the `>` may stand
    /// attributes, when a rule builds the element of several values.
    Element,
    /// The text of the element that is being built.
    Text,
    /// An attribute's value.
    Attribute,
    /// A MARC indicator; `_` is a blank.
    Indicator,
}

/// How a text becomes JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quoting {
    /// It is quoted, what must be is escaped.
    Escaped,
    /// It is quoted; nothing in it is to be escaped.
    Plain,
    /// It is JSON already.
    Raw,
}

impl Quoting {
    /// The quickest for a text that is written often.
    #[must_use]
    pub fn of(text: &str) -> Quoting {
        let is_plain = plain_json_length(text.as_bytes()) == text.len();
        if is_plain { Quoting::Plain } else { Quoting::Escaped }
    }

    /// Appends a text as JSON.
    #[inline]
    pub fn push(self, text: &str, out: &mut Vec<u8>) {
        match self {
            Quoting::Plain => {
                out.push(b'"');
                out.extend_from_slice(text.as_bytes());
                out.push(b'"');
            }
            Quoting::Escaped => push_json_string(text, out),
            Quoting::Raw => out.extend_from_slice(text.as_bytes()),
        }
    }
}

impl Form {
    /// Whether an element that holds nothing else is worth being written.
    #[must_use]
    pub fn is_content(self) -> bool {
        matches!(self, Form::Json | Form::Element | Form::Text)
    }

    /// Appends a value. Answers how many characters have no place in the
    /// target and were replaced: by U+FFFD in XML, by a blank in an indicator.
    #[inline]
    #[must_use]
    pub fn write(self, value: &str, quoting: Quoting, out: &mut Vec<u8>) -> usize {
        match self {
            Form::Json => quoting.push(value, out),
            Form::Element => {
                out.push(b'>');
                return escaped(value, push_text, out);
            }
            Form::Text => return escaped(value, push_text, out),
            Form::Attribute => return escaped(value, push_attribute_value, out),
            Form::Indicator => match value.as_bytes() {
                [byte] if byte.is_ascii_alphanumeric() => out.push(*byte),
                [] | [b' ' | b'_'] => out.push(b' '),
                _ => {
                    out.push(b' ');
                    return 1;
                }
            },
        }
        0
    }
}

fn escaped(value: &str, push: fn(&mut String, &str) -> usize, out: &mut Vec<u8>) -> usize {
    let mut text = String::with_capacity(value.len() + value.len() / 8);
    let replaced = push(&mut text, value);
    out.extend_from_slice(text.as_bytes());
    replaced
}
