//! What a source said of who may see a record or a file, and what became of it.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::change::Change;
use crate::record::{canonical_json, json_member, set_json_member};

/// One rule of access, as it was translated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessNote {
    /// The part of the record that it is about; none for all of it.
    pub part: Option<String>,
    /// The rule, as the source has it.
    pub said: String,
    /// What became of it.
    pub outcome: AccessOutcome,
    /// Who may see it, as a JSON object: `read`, `until`, and what could not be said: `lost`,
    /// `mistake`.
    pub rights: String,
}

/// What becomes of a rule of access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessOutcome {
    /// Everybody may see it.
    Open,
    /// Those alone who are named, or nobody.
    Restricted,
    /// From a day on everybody, until then those who are named.
    Embargo,
    /// Restricted; by some of its rules nobody may see it any more, since no rights can say them.
    InPart,
    /// Restricted, since it is not understood.
    NotUnderstood,
    /// It is deleted.
    Deleted,
}

impl AccessOutcome {
    /// All of them.
    pub const ALL: [AccessOutcome; 6] = [
        AccessOutcome::Open,
        AccessOutcome::Restricted,
        AccessOutcome::Embargo,
        AccessOutcome::InPart,
        AccessOutcome::NotUnderstood,
        AccessOutcome::Deleted,
    ];

    /// The word in the database and in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            AccessOutcome::Open => "open",
            AccessOutcome::Restricted => "restricted",
            AccessOutcome::Embargo => "embargo",
            AccessOutcome::InPart => "in_part",
            AccessOutcome::NotUnderstood => "not_understood",
            AccessOutcome::Deleted => "deleted",
        }
    }
}

/// Which notes to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessQuery {
    /// Only of this source.
    pub source_name: Option<String>,
    /// Only with this outcome.
    pub outcome: Option<AccessOutcome>,
    /// Only those behind the note of this number.
    pub after: i64,
    /// At most so many.
    pub limit: u32,
}

/// A note as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRow {
    /// Its number.
    pub id: i64,
    /// The pipeline's source name.
    pub source_name: String,
    /// The record's identifier there.
    pub source_id: String,
    /// The part of the record that it is about; none for all of it.
    pub part: Option<String>,
    /// The rule, as the source has it.
    pub said: String,
    /// The word of its [`AccessOutcome`].
    pub outcome: String,
    /// As in [`AccessNote::rights`].
    pub rights: String,
}

/// The notes of a record that was written, in place of those it had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordAccess {
    pub(super) source_id: String,
    pub(super) notes: Vec<AccessNote>,
    /// They are of some of its files: what was said of the others stands.
    pub(super) of_parts: bool,
}

impl RecordAccess {
    /// The parts whose notes are replaced; `None` for all of the record.
    pub(super) fn parts(&self) -> Option<Vec<&str>> {
        self.of_parts.then(|| self.notes.iter().filter_map(|note| note.part.as_deref()).collect())
    }
}

/// Closes the files of a record (canonical JSON) on which these keys came: whether that changed it.
///
/// Of files that come without their record no more is known than that not everybody may see them:
/// nobody is given a right, and nothing opens by itself.
pub(super) fn close_files(json: &mut Vec<u8>, keys: &[String]) -> bool {
    if keys.is_empty() {
        return false;
    }
    let object = |json: &[u8], key: &str| -> Map<String, Value> {
        let member = json_member(json, key).map(serde_json::from_slice);
        member.and_then(Result::ok).unwrap_or_default()
    };
    let before = json.clone();
    let mut access = object(json, "access");
    access.entry("record").or_insert_with(|| json!("public"));
    access.insert("files".to_owned(), json!("restricted"));
    access.remove("embargo");
    let mut explicit = object(json, "_access");
    let mut files = match explicit.remove("files") {
        Some(Value::Object(files)) => files,
        _ => Map::new(),
    };
    for key in keys {
        files.entry(key.as_str()).or_insert_with(|| json!([]));
    }
    explicit.insert("files".to_owned(), Value::Object(files));
    let _set = set_json_member(json, "access", &canonical_json(&Value::Object(access)));
    let _set = set_json_member(json, "_access", &canonical_json(&Value::Object(explicit)));
    *json != before
}

/// Closes the files in all revisions that are planned for a record.
pub(super) fn close_revisions(change: &mut Change, keys: &[String]) {
    for revision in &mut change.revisions {
        let Some(text) = &revision.json else { continue };
        let mut json = text.as_bytes().to_vec();
        if close_files(&mut json, keys) {
            // It was UTF-8, and so is what was put in.
            revision.json = Some(Arc::from(String::from_utf8_lossy(&json)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_come_alone_close_those_of_their_record() {
        let closed = |before: Value| {
            let mut json = canonical_json(&before);
            let changed = close_files(&mut json, &["a.pdf".to_owned()]);
            (serde_json::from_slice::<Value>(&json).unwrap(), changed)
        };
        let (record, changed) = closed(json!({ "id": "7" }));
        assert_eq!(record["access"], json!({ "record": "public", "files": "restricted" }));
        assert_eq!(record["_access"], json!({ "files": { "a.pdf": [] } }));
        assert!(changed);
        assert_eq!(closed(record.clone()), (record, false));
        let (record, _) = closed(json!({
            "access": { "record": "restricted", "files": "restricted",
                        "embargo": { "active": true, "until": "2031-01-01" } },
            "_access": { "read": ["board"], "files": { "a.pdf": ["ada"], "b.pdf": ["bo"] } },
        }));
        assert_eq!(record["access"], json!({ "record": "restricted", "files": "restricted" }));
        let files = json!({ "a.pdf": ["ada"], "b.pdf": ["bo"] });
        assert_eq!(record["_access"], json!({ "read": ["board"], "files": files }));
        assert!(!close_files(&mut b"{}".to_vec(), &[]));
    }
}
