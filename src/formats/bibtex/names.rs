//! Names of persons: BibTeX's lists of names to the names of CSL-JSON and back.
//!
//! `von Last, Jr, First`, `First von Last`, biblatex's `family=…, given=…`, and names in braces,
//! which are not divided (`literal`).

use serde_json::{Map, Value};

use super::parse::group_length;
use super::tex::{Kind, decode, encode};

/// The parts of a name: CSL's, and biblatex's for the same.
const PARTS: [(&str, &str); 4] = [
    ("family", "family"),
    ("given", "given"),
    ("non-dropping-particle", "prefix"),
    ("suffix", "suffix"),
];

/// Reads a list of names, its white space single; `unknown` as in [`decode`].
pub(super) fn read(tex: &str, unknown: &mut Vec<String>) -> Value {
    let names = split(tex, " and ");
    names.into_iter().map(|name| name_of(name.trim(), unknown)).collect()
}

fn name_of(tex: &str, unknown: &mut Vec<String>) -> Value {
    let mut text = |tex: &str| decode(tex.trim(), Kind::Text, unknown);
    let mut name = Map::new();
    let mut put = |key: &str, text: String| {
        if !text.is_empty() {
            name.insert(key.to_owned(), text.into());
        }
    };
    let parts = split(tex, ",");
    let labeled: Option<Vec<_>> = parts.iter().map(|part| labeled(part)).collect();
    if let Some(labeled) = labeled {
        for (key, value) in labeled {
            put(key, text(value));
        }
        return name.into();
    }
    let (last, suffix, given) = match parts.as_slice() {
        [one] if is_group(one) || *one == "others" || one.is_empty() => {
            return literal(text(one));
        }
        [one] => {
            let (given, last) = divide(one);
            (last, "", given)
        }
        [last, given] => (last.trim(), "", given.trim()),
        [last, suffix, given] => (last.trim(), suffix.trim(), given.trim()),
        _ => return literal(text(tex)),
    };
    let (particle, family) = particle(last);
    put("non-dropping-particle", text(particle));
    put("family", text(family));
    put("suffix", text(suffix));
    put("given", text(given));
    if name.is_empty() { literal(text(tex)) } else { name.into() }
}

fn literal(text: String) -> Value {
    Value::Object(Map::from_iter([("literal".to_owned(), text.into())]))
}

fn labeled(part: &str) -> Option<(&'static str, &str)> {
    let (label, value) = part.split_once('=')?;
    let (key, _) = PARTS.iter().find(|(_, name)| *name == label.trim())?;
    Some((key, value))
}

// `First von Last`: what stands before the particle, or before the last word.
fn divide(tex: &str) -> (&str, &str) {
    let words = split(tex, " ");
    let count = words.len();
    let small = words.iter().take(count.saturating_sub(1)).position(|word| is_small(word));
    let given: usize = match small.unwrap_or(count.saturating_sub(1)) {
        0 => return ("", tex),
        given => words.iter().take(given).map(|word| word.len() + 1).sum(),
    };
    let (given, last) = tex.split_at_checked(given).unwrap_or(("", tex));
    (given.trim_end(), last)
}

// Leading words in small letters, never the last word.
fn particle(tex: &str) -> (&str, &str) {
    let words = split(tex, " ");
    let most = words.len().saturating_sub(1);
    let small = words.iter().take(most).take_while(|word| is_small(word));
    let length: usize = small.map(|word| word.len() + 1).sum();
    let (particle, family) = tex.split_at_checked(length).unwrap_or(("", tex));
    (particle.trim_end(), family)
}

fn is_small(word: &str) -> bool {
    if word.starts_with('{') && !word.starts_with("{\\") {
        return false;
    }
    let text = decode(word, Kind::Text, &mut Vec::new());
    text.chars().find(|c| c.is_alphabetic()).is_some_and(char::is_lowercase)
}

// At the separator, in any case, where no brace is open.
fn split<'t>(tex: &'t str, separator: &str) -> Vec<&'t str> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0_usize, 0);
    let mut at = 0;
    while let Some(rest) = tex.as_bytes().get(at..).filter(|rest| !rest.is_empty()) {
        let here = rest.get(..separator.len());
        match rest.first() {
            _ if depth == 0
                && here.is_some_and(|here| here.eq_ignore_ascii_case(separator.as_bytes())) =>
            {
                parts.push(tex.get(from..at).unwrap_or_default());
                at += separator.len();
                from = at;
                continue;
            }
            Some(b'{') => depth += 1,
            Some(b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    parts.push(tex.get(from..).unwrap_or_default());
    parts
}

fn is_group(tex: &str) -> bool {
    tex.starts_with('{') && group_length(tex) == Some(tex.len())
}

/// Writes a list of names; `None` when one is no object of texts under the keys of [`read`].
pub(super) fn write(names: &Value) -> Option<String> {
    let names = names.as_array()?.iter().map(write_name).collect::<Option<Vec<_>>>()?;
    Some(names.join(" and "))
}

fn write_name(name: &Value) -> Option<String> {
    let name = name.as_object()?;
    let part = |key| name.get(key).map_or(Some(""), Value::as_str);
    if let Some(literal) = name.get("literal") {
        let literal = literal.as_str().filter(|_| name.len() == 1)?;
        let tex = encode(literal, Kind::Text);
        return Some(if literal == "others" { tex } else { format!("{{{tex}}}") });
    }
    let known = |key: &String| PARTS.iter().any(|(known, _)| known == key);
    if name.is_empty() || !name.keys().all(known) {
        return None;
    }
    let [family, given, particle, suffix] = PARTS.map(|(key, _)| part(key));
    let (family, given, particle, suffix) = (family?, given?, particle?, suffix?);
    let particle = whole(particle, false);
    if !particle.is_empty() && !particle.split(' ').all(is_small) {
        return None;
    }
    let family = whole(family, true);
    let mut tex = String::new();
    if !particle.is_empty() {
        tex.extend([&particle, " "]);
    }
    // A family name must be there, or the particle's last word is taken for it.
    tex.push_str(if family.is_empty() { "{}" } else { &family });
    if !suffix.is_empty() {
        tex.extend([", ", &whole(suffix, false)]);
    }
    if !given.is_empty()
        || !suffix.is_empty()
        || family.starts_with('{')
        || !particle.is_empty()
        || family.contains(' ')
    {
        tex.extend([", ", &whole(given, false)]);
    }
    Some(tex)
}

// In braces where the parts of the name would be divided otherwise.
fn whole(text: &str, is_family: bool) -> String {
    let tex = encode(text, Kind::Text);
    let divides = tex.contains(',') || tex.contains('=') || split(&tex, " and ").len() > 1;
    let is_odd =
        tex.starts_with('{') || tex.starts_with("and ") || tex.ends_with(" and") || tex == "and";
    let begins_small = is_family && (is_small(&tex) || tex == "others");
    if divides || is_odd || begins_small { format!("{{{tex}}}") } else { tex }
}
