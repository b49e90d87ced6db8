//! The keys of a pipeline's `source` with `type: invenio-v1`.

use std::path::Path;

use jiff::tz::TimeZone;

use crate::formats::marc21::{Marc, Tag};
use crate::store::Redirect;
use crate::yaml::{Checker, Fields};

/// The keys of such a source.
pub(in crate::pipeline) const KEYS: &[&str] = &[
    "type",
    "name",
    "paths",
    "policy",
    "revisions",
    "timezone",
    "deleted",
    "merged",
    "redirects",
    "unknown_collections",
    "community_sets",
];

/// Which revisions of a record are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revisions {
    /// All of them, each with its date.
    All,
    /// The last one.
    Latest,
}

/// What a pipeline says of its dumps of Invenio v1.
#[derive(Debug, Clone)]
pub struct Migration {
    /// `revisions`
    pub revisions: Revisions,
    /// `timezone`: of times that name none; without it they are taken as UTC, with a warning.
    pub zone: Option<TimeZone>,
    /// `deleted`: what says that a record is deleted.
    pub deleted: Vec<Mark>,
    /// `merged`: where a deleted record names the one that stands in its place.
    pub merged: Vec<Mark>,
    /// `community_sets`: the setSpec of a community, with `{id}` for its name.
    pub community_sets: String,
    /// `unknown_collections: closed`: a record is nobody's when its dump does not tell which
    /// collections are restricted.
    pub close_unknown: bool,
    /// `redirects`: recids that lead to others, from a file.
    pub redirects: Vec<Redirect>,
}

/// A subfield, with a value or whatever it says: `980$c=DELETED`, `970$d`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    tag: Tag,
    code: char,
    /// Compared without regard to case.
    value: Option<String>,
}

impl Mark {
    fn parse(text: &str) -> Option<Mark> {
        let (place, value) = match text.split_once('=') {
            Some((place, value)) => (place, Some(value.trim().to_owned())),
            None => (text, None),
        };
        let (tag, code) = place.trim().split_once('$')?;
        let mut codes = code.chars();
        let code = codes.next().filter(|_| codes.as_str().is_empty())?;
        Some(Mark { tag: Tag::new(tag.as_bytes())?, code, value })
    }

    /// The first value in a record that is meant.
    pub(super) fn find<'m>(&self, marc: &'m Marc) -> Option<&'m str> {
        let fields = marc.fields().filter(|field| field.tag() == self.tag);
        let mut values = fields.flat_map(|field| field.subfields_of(|code| code == self.code));
        let wanted = |value: &str| match &self.value {
            Some(wanted) => value.eq_ignore_ascii_case(wanted),
            None => !value.is_empty(),
        };
        values.find_map(|subfield| Some(subfield.value.trim()).filter(|value| wanted(value)))
    }
}

/// Reads the keys that only these sources have; paths are relative to `folder`.
pub(in crate::pipeline) fn read(
    check: &mut Checker,
    fields: Fields<'_>,
    folder: &Path,
) -> Migration {
    let zone = fields.get("timezone").and_then(|node| {
        let name = check.text(node, "timezone")?;
        let zone = TimeZone::get(&name);
        if zone.is_err() {
            let expected = "expected a name such as Europe/Berlin";
            check.error("E0103", node.span, format!("timezone is `{name}`, {expected}"));
        }
        zone.ok()
    });
    let revisions =
        fields.get("revisions").and_then(|node| match check.text(node, "revisions")?.as_str() {
            "all" => Some(Revisions::All),
            "latest" => Some(Revisions::Latest),
            other => {
                check.unknown("E0106", node.span, "revisions", other, ["all", "latest"]);
                None
            }
        });
    let unknown = fields.get("unknown_collections");
    let close_unknown = unknown.and_then(|node| {
        let word = check.text(node, "unknown_collections")?;
        let words = ["open", "closed"];
        if !words.contains(&word.as_str()) {
            check.unknown("E0106", node.span, "unknown_collections", &word, words);
        }
        Some(word == "closed")
    });
    Migration {
        close_unknown: close_unknown.unwrap_or(false),
        revisions: revisions.unwrap_or(Revisions::All),
        zone,
        deleted: marks(check, fields, "deleted", &["980$c=DELETED", "980$a=DELETED"]),
        merged: marks(check, fields, "merged", &["970$d"]),
        community_sets: community_sets(check, fields),
        redirects: redirects(check, fields, folder),
    }
}

fn community_sets(check: &mut Checker, fields: Fields<'_>) -> String {
    let usual = || "user-{id}".to_owned();
    let Some(node) = fields.get("community_sets") else { return usual() };
    let text = check.text(node, "community_sets").unwrap_or_else(usual);
    if !text.contains("{id}") {
        let expected = "expected a setSpec with {id} in it";
        check.error("E0103", node.span, format!("community_sets is `{text}`, {expected}"));
    }
    text
}

fn marks(check: &mut Checker, fields: Fields<'_>, key: &str, usual: &[&str]) -> Vec<Mark> {
    let Some(node) = fields.get(key) else {
        return usual.iter().filter_map(|mark| Mark::parse(mark)).collect();
    };
    let mut marks = Vec::new();
    for item in check.one_or_many(node) {
        let text = check.text(item, key).unwrap_or_default();
        match Mark::parse(&text) {
            Some(mark) => marks.push(mark),
            None => {
                let expected = "expected such as 980$c=DELETED";
                check.error("E0103", item.span, format!("{key} is `{text}`, {expected}"));
            }
        }
    }
    marks
}

// {"old recid": "new recid"}; numbers are as good as texts.
fn redirects(check: &mut Checker, fields: Fields<'_>, folder: &Path) -> Vec<Redirect> {
    let Some(node) = fields.get("redirects") else { return Vec::new() };
    let Some(name) = check.text(node, "redirects") else { return Vec::new() };
    let read = std::fs::read(folder.join(&name)).map_err(|error| error.to_string());
    let map = read.and_then(|bytes| {
        serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&bytes)
            .map_err(|error| format!("expected an object of recids: {error}"))
    });
    let map = match map {
        Ok(map) => map,
        Err(reason) => {
            check.error("E0103", node.span, format!("cannot read {name}: {reason}"));
            return Vec::new();
        }
    };
    let mut redirects = Vec::with_capacity(map.len());
    for (from, to) in map {
        let to = match to {
            serde_json::Value::String(to) => to,
            serde_json::Value::Number(to) => to.to_string(),
            other => {
                let message = format!("{name}: {from} leads to {other}, expected a recid");
                check.error("E0103", node.span, message);
                continue;
            }
        };
        redirects.push(Redirect {
            from: from.trim().to_owned(),
            to: to.trim().to_owned(),
            place: name.clone(),
        });
    }
    redirects
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_a_subfield_whatever_its_case() {
        let mut marc = Marc::default();
        marc.push_data(Tag(*b"980"), [' ', ' ']);
        marc.push_subfield('c', " Deleted ");
        marc.push_subfield('d', "8");
        let find = |text: &str| Mark::parse(text).unwrap().find(&marc).map(str::to_owned);
        assert_eq!(find("980$c=DELETED").as_deref(), Some("Deleted"));
        assert_eq!(find("980$d").as_deref(), Some("8"));
        assert_eq!((find("980$a=DELETED"), find("970$d")), (None, None));
        for wrong in ["", "980", "980$", "980$ab", "98$a"] {
            assert_eq!(Mark::parse(wrong), None, "{wrong}");
        }
    }
}
