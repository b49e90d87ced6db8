//! What OAI-PMH shows of a record: whether it is listed, as deleted or not, and in which sets.

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::StoreError;
use super::change::Change;
use crate::json::query::Query;

/// The sets whose members a search pattern tells (`oaiserver_set.search_pattern`).
#[derive(Debug, Default)]
pub(super) struct Patterns {
    /// setSpec and pattern, as they stand in the database, by setSpec.
    rows: Vec<(String, String)>,
    sets: Vec<(String, Query)>,
    /// The first pattern that is none: its set stays as it is until the pattern is mended.
    broken: Option<(String, String)>,
}

impl Patterns {
    /// Reads the patterns of these rows, setSpec and pattern.
    pub(super) fn new(rows: Vec<(String, String)>) -> Patterns {
        let (mut sets, mut broken) = (Vec::new(), None);
        for (spec, pattern) in &rows {
            match Query::parse(pattern) {
                Ok(query) => sets.push((spec.clone(), query)),
                Err(error) => {
                    tracing::error!(spec, pattern, %error, "a set's search pattern is none");
                    broken = broken.or_else(|| Some((spec.clone(), error.to_string())));
                }
            }
        }
        Patterns { rows, sets, broken }
    }

    /// Whether these are the patterns of these rows.
    pub(super) fn are_of(&self, rows: &[(String, String)]) -> bool {
        self.rows == rows
    }

    /// The rows, as one text that tells whether two are the same.
    pub(super) fn text(&self) -> String {
        json!(self.rows).to_string()
    }

    /// Fails when a pattern is none.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match self.broken.clone() {
            None => Ok(()),
            Some((spec, message)) => Err(StoreError::Pattern { spec, message }),
        }
    }

    /// The sets that a record is in by its content, by setSpec, with spaces between them; what it
    /// was in by a pattern that is none, it stays in.
    fn matched(&self, json: &str, before: &str) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let document: Value = match serde_json::from_str(json) {
            Ok(document) => document,
            Err(error) => {
                tracing::error!(%error, "a record cannot be read: it stays in the sets it was in");
                return before.to_owned();
            }
        };
        let stays = |spec: &&str| {
            let is_pattern = self.rows.iter().any(|(of, _)| of == spec);
            is_pattern && !self.sets.iter().any(|(of, _)| of == spec)
        };
        let mut specs: Vec<&str> = before.split(' ').filter(stays).collect();
        let matching = self.sets.iter().filter(|(_, query)| query.matches(&document));
        specs.extend(matching.map(|(spec, _)| spec.as_str()));
        specs.sort_unstable();
        specs.join(" ")
    }
}

/// What is to be listed of a change.
#[derive(Debug)]
pub(super) struct Listed<'c> {
    pub(super) change: &'c Change,
    pub(super) deleted: bool,
    /// setSpecs by search patterns, with spaces between them.
    pub(super) matched: String,
}

impl Listed<'_> {
    /// All setSpecs, with spaces between them.
    pub(super) fn sets(&self) -> String {
        format!("{} {}", self.change.sets, self.matched)
    }

    /// All setSpecs that it was listed with, and its datestamp then.
    pub(super) fn before(&self) -> Option<(String, i64)> {
        let state = self.change.before.as_ref()?;
        Some((format!("{} {}", state.sets, state.matched), state.datestamp?))
    }

    /// The revision that is listed.
    pub(super) fn version(&self) -> Option<i64> {
        let before = self.change.before.as_ref().and_then(|state| state.listed_version);
        self.change.revisions.last().map(|revision| revision.version_id).or(before)
    }

    /// What has to be done that the record is listed as it is, whoever has changed it.
    fn remedy(&self) -> Remedy {
        let Some(state) = &self.change.before else { return Remedy::Anew };
        let is_current = state.listed_version == self.version();
        match (state.datestamp, state.listed_version) {
            (None, _) => Remedy::Anew,
            _ if state.listed_deleted && self.deleted => Remedy::None,
            (_, Some(_)) if !is_current => Remedy::Anew,
            _ if state.listed_deleted != self.deleted || state.matched != self.matched => {
                Remedy::AsOfNow
            }
            _ if is_current => Remedy::None,
            _ => Remedy::Note,
        }
    }
}

enum Remedy {
    /// It is listed as it is.
    None,
    /// It is, but nobody knew which revision that was.
    Note,
    /// The record is new or has changed.
    Anew,
    /// The record is what it was, but not who may see it, or its sets.
    AsOfNow,
}

/// Of records as they are, those that have to be listed anew, and what to note of others: (record,
/// revision).
pub(super) fn sift(changes: Vec<Change>, patterns: &Patterns) -> (Vec<Change>, Vec<(Uuid, i64)>) {
    let (mut anew, mut notes) = (Vec::new(), Vec::new());
    for mut change in changes {
        let Some(listed) = one(&change, patterns) else { continue };
        match (listed.remedy(), listed.version()) {
            (Remedy::Note, Some(version)) => notes.push((change.id, version)),
            (Remedy::None | Remedy::Note, _) => {}
            (Remedy::Anew, _) => anew.push(change),
            (Remedy::AsOfNow, _) => {
                // Nothing is stamped so: it becomes the moment of the change.
                change.datestamp = i64::MAX;
                anew.push(change);
            }
        }
    }
    (anew, notes)
}

/// What is to be listed of changes. Records without a recid are not, and those that not everybody
/// may see; one that was listed once stays as deleted.
pub(super) fn of<'c>(changes: &'c [Change], patterns: &Patterns) -> Vec<Listed<'c>> {
    changes.iter().filter_map(|change| one(change, patterns)).collect()
}

fn one<'c>(change: &'c Change, patterns: &Patterns) -> Option<Listed<'c>> {
    if change.pid_value.is_empty() {
        return None;
    }
    let was_listed = change.before.as_ref().is_some_and(|state| state.datestamp.is_some());
    let before = change.before.as_ref().map_or("", |state| state.matched.as_str());
    if change.revisions.is_empty() {
        let state = change.before.as_ref().filter(|_| was_listed)?;
        let matched = state.matched.clone();
        return Some(Listed { change, deleted: state.listed_deleted, matched });
    }
    let json = change.revisions.last().and_then(|revision| revision.json.as_deref());
    match json.filter(|json| is_public(json)) {
        Some(json) => {
            Some(Listed { change, deleted: false, matched: patterns.matched(json, before) })
        }
        // Of what nobody has seen, nobody need be told that it is gone.
        None if !was_listed && (json.is_some() || change.before.is_some()) => None,
        None => Some(Listed { change, deleted: true, matched: before.to_owned() }),
    }
}

/// Whether everybody may see the record: `access.record` is `public`, or there is no `access`.
/// What is said of it otherwise, and not understood, keeps it closed.
fn is_public(json: &str) -> bool {
    #[derive(Deserialize)]
    struct Outline {
        #[serde(default = "public")]
        access: Value,
    }
    fn public() -> Value {
        json!({ "record": "public" })
    }
    // An escape could hide the name.
    if !json.contains("\"access\"") && !json.contains("\\u00") {
        return true;
    }
    serde_json::from_str(json).is_ok_and(|outline: Outline| {
        outline.access.get("record").and_then(Value::as_str) == Some("public")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_to_be_public_is_closed() {
        for open in [
            r#"{"id":"1"}"#,
            r#"{"access":{"record":"public","files":"restricted"}}"#,
            r#"{"files":[{"access":"restricted"}],"a":"\u0001"}"#,
        ] {
            assert!(is_public(open), "{open}");
        }
        for closed in [
            r#"{"access":{"record":"restricted"}}"#,
            r#"{"access":{"record":"Public"}}"#,
            r#"{"access":{"files":"public"}}"#,
            r#"{"access":null}"#,
            r#"{"access":"public"}"#,
            r#"{"\u0061ccess":{"record":"restricted"}}"#,
            r#"{"access":{"record":"public"}"#,
        ] {
            assert!(!is_public(closed), "{closed}");
        }
    }

    #[test]
    fn the_set_of_a_broken_pattern_keeps_its_members() {
        let row = |spec: &str, pattern: &str| (spec.to_owned(), pattern.to_owned());
        let patterns = Patterns::new(vec![row("a", "title:one"), row("b", "(("), row("c", "*")]);
        assert_eq!(patterns.matched(r#"{"title":"two"}"#, "a b d"), "b c");
        assert_eq!(patterns.matched(r#"{"title":"one"}"#, ""), "a c");
        let error = patterns.check().unwrap_err();
        assert!(error.to_string().contains("set b"), "{error}");
    }
}
