//! The plain part of JSON Schema, of which more than one judge makes use: texts, and keywords that
//! say nothing.

use regex::Regex;
use serde_json::{Map, Value};

/// Keywords that say nothing about validity.
const ANNOTATIONS: &[&str] =
    &["$schema", "$id", "$defs", "$comment", "title", "description", "examples", "default"];

/// What a schema asks of a text.
#[derive(Debug, Default)]
pub struct PlainText {
    /// At least so many characters.
    pub at_least: u64,
    choices: Option<Vec<String>>,
    pattern: Option<Regex>,
    uri: bool,
    /// Any text that is not too short will do, so that escapes need not be read.
    pub lenient: bool,
}

impl PlainText {
    /// What a schema of texts asks for; `None` when it says anything that is not known here.
    #[must_use]
    pub fn of(node: &Map<String, Value>) -> Option<PlainText> {
        only(node, &["type", "minLength", "pattern", "format", "enum"])?;
        let mut text = PlainText::default();
        if let Some(least) = node.get("minLength") {
            text.at_least = least.as_u64()?;
        }
        if let Some(pattern) = node.get("pattern") {
            text.pattern = Some(plain_pattern(pattern.as_str()?)?);
        }
        if let Some(format) = node.get("format") {
            text.uri = format == "uri";
            if !text.uri {
                return None;
            }
        }
        if let Some(choices) = node.get("enum") {
            let choices =
                choices.as_array()?.iter().map(|choice| choice.as_str().map(str::to_owned));
            text.choices = Some(choices.collect::<Option<_>>()?);
        }
        text.lenient =
            text.at_least <= 1 && text.choices.is_none() && text.pattern.is_none() && !text.uri;
        Some(text)
    }

    /// Whether a text fits, as far as is known: `false` is for the whole validator to judge.
    #[must_use]
    pub fn fits(&self, text: &str) -> bool {
        let long_enough = match self.at_least {
            0 => true,
            1 => !text.is_empty(),
            least => text.chars().count() as u64 >= least,
        };
        long_enough
            && self.choices.as_ref().is_none_or(|choices| choices.iter().any(|c| c == text))
            && self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(text))
            && (!self.uri || is_plain_uri(text))
    }
}

/// A web address of the plain kind: `http(s)://host/…` in the characters of RFC 3986.
fn is_plain_uri(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest else { return false };
    let host_length = rest.find('/').unwrap_or(rest.len());
    let (host, path) = rest.split_at_checked(host_length).unwrap_or((rest, ""));
    let is_host = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let is_path = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'!' | b'$' | b'&'..=b'/' | b':' | b';' | b'=' | b'?' | b'@' | b'_' | b'~'
            )
    };
    !host.is_empty() && host.chars().all(is_host) && path.bytes().all(is_path)
}

/// A pattern that means the same in ECMA 262 and here: ASCII, and only dots are escaped.
fn plain_pattern(pattern: &str) -> Option<Regex> {
    let plain = pattern.replace("\\.", "");
    let known = |c: char| c.is_ascii_alphanumeric() || "^$[](){}|?*+-~%/,: ".contains(c);
    // `(?` begins what the two may see differently.
    let same = plain.chars().all(known) && !plain.contains("(?") && !plain.contains("[[");
    if same { Regex::new(pattern).ok() } else { None }
}

/// `None` when a schema has a keyword that is neither one of these nor says nothing.
#[must_use]
pub fn only(node: &Map<String, Value>, known: &[&str]) -> Option<()> {
    let is_known = |name: &str| known.contains(&name) || ANNOTATIONS.contains(&name);
    node.keys().all(|name| is_known(name)).then_some(())
}
