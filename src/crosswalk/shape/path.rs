//! Target paths: what a step of a path may be called in each syntax, and what is written for it.

use super::{Form, Syntax};
use crate::formats::marc21::Tag;
use crate::record::push_json_string;

/// The pseudo tag under which the leader stands.
pub const LEADER: &str = "LDR";
/// The path of an element's own text.
pub const TEXT: &str = ".";

/// The last step of a path: how its values are written, and whether it may have many.
///
/// # Errors
/// A message when the syntax has no such name.
pub(super) fn leaf(syntax: Syntax, name: &str, listed: bool) -> Result<(Form, bool), String> {
    let single = |form| match listed {
        true => Err(format!("`{name}` has one value, write it without `[]`")),
        false => Ok((form, false)),
    };
    match syntax {
        Syntax::Json => Ok((Form::Json, listed)),
        Syntax::Xml if name == TEXT => single(Form::Text),
        Syntax::Xml => match name.strip_prefix('@') {
            Some(attribute) => check_name(attribute).and_then(|()| single(Form::Attribute)),
            None => check_name(name).map(|()| (Form::Element, listed)),
        },
        Syntax::Marc if name == LEADER => single(Form::Element),
        Syntax::Marc => match Tag::new(name.as_bytes()) {
            Some(tag) if tag.is_control() => {
                Ok((Form::Element, !matches!(&tag.0, b"001" | b"003" | b"005" | b"008")))
            }
            Some(_) => Ok((Form::Element, true)),
            None => Err(format!("`{name}` is no tag, expected three characters or LDR")),
        },
        Syntax::MarcField if matches!(name, "ind1" | "ind2") => single(Form::Indicator),
        Syntax::MarcField => match subfield_code(name) {
            Some(_) => Ok((Form::Element, true)),
            None => Err(format!("`{name}` is no part of a field, expected `$a` or ind1")),
        },
    }
}

/// What is written before and behind a value under this name.
pub(super) fn frame(syntax: Syntax, name: &str) -> (Vec<u8>, Vec<u8>) {
    let (open, close) = match syntax {
        Syntax::Json => {
            let mut key = Vec::new();
            push_json_string(name, &mut key);
            key.push(b':');
            return (key, Vec::new());
        }
        Syntax::Xml if name == TEXT => (String::new(), String::new()),
        Syntax::Xml => match name.strip_prefix('@') {
            Some(attribute) => (format!(" {attribute}=\""), "\"".to_owned()),
            None => (format!("<{name}"), format!("</{name}>")),
        },
        Syntax::Marc if name == LEADER => ("<leader".to_owned(), "</leader>".to_owned()),
        Syntax::Marc => {
            let control = Tag::new(name.as_bytes()).is_some_and(Tag::is_control);
            let element = if control { "controlfield" } else { "datafield" };
            (format!("<{element} tag=\"{}\"", attribute(name)), format!("</{element}>"))
        }
        Syntax::MarcField => match subfield_code(name) {
            Some(code) => {
                let code = attribute(&code.to_string());
                (format!("<subfield code=\"{code}\""), "</subfield>".to_owned())
            }
            None => (format!(" {name}=\""), "\"".to_owned()),
        },
    };
    (open.into_bytes(), close.into_bytes())
}

/// The code of `$a`.
fn subfield_code(name: &str) -> Option<char> {
    let mut code = name.strip_prefix('$')?.chars();
    code.next().filter(|c| c.is_ascii_graphic() && code.next().is_none())
}

fn attribute(value: &str) -> String {
    let mut out = String::new();
    crate::xml::writer::push_attribute_value(&mut out, value);
    out
}

/// Whether `name` can be an element's or attribute's, with a prefix or without (Namespaces in
/// XML 1.0 §4).
fn check_name(name: &str) -> Result<(), String> {
    let starts = |c: char| c == '_' || c.is_alphabetic();
    let goes_on = |c: char| starts(c) || c.is_numeric() || matches!(c, '-' | '.' | '·');
    let is_plain =
        |part: &str| part.chars().next().is_some_and(starts) && part.chars().all(goes_on);
    let (prefix, local) = name.split_once(':').unwrap_or(("_", name));
    match is_plain(prefix) && is_plain(local) {
        true => Ok(()),
        false => Err(format!("`{name}` is no name of an element or attribute")),
    }
}
