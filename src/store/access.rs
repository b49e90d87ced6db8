//! What a source said of who may see a record or a file, and what became of it.

use serde_json::{Map, Value, json};

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

/// What a source says of who may see a record and its files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessTold {
    /// One for each rule.
    pub notes: Vec<AccessNote>,
    /// Parts of which it says nothing: what it said before holds no more.
    pub silent: Vec<String>,
    /// It speaks of the record itself, though it may say that it is open; otherwise what it said
    /// before holds.
    pub of_record: bool,
}

impl AccessTold {
    /// Who may read the record itself, unless that is everybody or not told.
    pub(super) fn closed(&self) -> Option<Closed> {
        let mut notes = self.notes.iter().filter(|note| note.part.is_none());
        notes.find_map(|note| Closed::of(note.outcome.as_str(), &note.rights))
    }
}

/// Who may read a record that not everybody may read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Closed {
    read: Vec<String>,
    /// From this day on everybody.
    until: Option<String>,
}

impl Closed {
    /// As a note has it; `None` of what is open.
    pub(super) fn of(outcome: &str, rights: &str) -> Option<Closed> {
        let is_open = [AccessOutcome::Open, AccessOutcome::Deleted].map(AccessOutcome::as_str);
        if is_open.contains(&outcome) {
            return None;
        }
        let rights = object_of(serde_json::from_str(rights).ok());
        let texts = |key: &str| rights.get(key).and_then(Value::as_array).into_iter().flatten();
        let read = texts("read").filter_map(Value::as_str).map(str::to_owned).collect();
        let until = rights.get("until").and_then(Value::as_str).map(str::to_owned);
        Some(Closed { read, until })
    }

    /// Closes a record (canonical JSON). What it says of its files stands.
    pub(super) fn close(&self, json: &mut Vec<u8>) {
        let mut access = object(json, "access");
        let mut explicit = object(json, "_access");
        let is_closed = |key: &str| access.get(key).is_some_and(|word| word == "restricted");
        if is_closed("record") {
            // By its crosswalk, or nobody's since nothing is known: then who could may read it.
            if explicit.get("read").is_some_and(|read| *read == json!([])) {
                explicit.insert("read".to_owned(), json!(self.read));
                let _set = set_json_member(json, "_access", &canonical_json(&explicit.into()));
            }
            return;
        }
        let text = |value: &Value| value.get("until").and_then(Value::as_str).map(str::to_owned);
        let until = match (is_closed("files"), access.get("embargo").and_then(text)) {
            (false, _) => self.until.clone(),
            // Years have four digits: the order of such dates is that of their letters.
            (true, of_files) => self.until.clone().zip(of_files).map(|(one, other)| one.max(other)),
        };
        access.remove("embargo");
        if let Some(until) = until {
            access.insert("embargo".to_owned(), json!({ "active": true, "until": until }));
        }
        access.insert("record".to_owned(), json!("restricted"));
        access.insert("files".to_owned(), json!("restricted"));
        explicit.insert("read".to_owned(), json!(self.read));
        // What is no object cannot say it, and was refused before.
        let _set = set_json_member(json, "access", &canonical_json(&Value::Object(access)));
        let _set = set_json_member(json, "_access", &canonical_json(&Value::Object(explicit)));
    }
}

/// What was told of a record that was written, in place of what was told of the same before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordAccess {
    pub(super) source_id: String,
    pub(super) told: AccessTold,
}

impl RecordAccess {
    /// The parts that something is told of. A list of files need not be whole: of others, what was
    /// told stands.
    pub(super) fn parts(&self) -> Vec<&str> {
        let noted = self.told.notes.iter().filter_map(|note| note.part.as_deref());
        noted.chain(self.told.silent.iter().map(String::as_str)).collect()
    }
}

/// A file of a bucket of which versions are restricted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClosedFile<'k> {
    pub(super) key: &'k str,
    /// Its source has told of all these versions with the revision at hand.
    pub(super) is_told: bool,
}

/// Closes the files of a record (canonical JSON), of which these have restricted versions: whether
/// that changed it.
///
/// A list of files need not be whole, and files may come without their record. So what it says of
/// a key stands only when it is told of all its versions; otherwise nobody may read it who could
/// not before, by the record as it was, and nothing opens before it would have.
pub(super) fn close_files(
    json: &mut Vec<u8>,
    closed: &[ClosedFile<'_>],
    before: Option<&[u8]>,
) -> bool {
    if closed.is_empty() {
        return false;
    }
    let mut access = object(json, "access");
    let mut explicit = object(json, "_access");
    let (access_before, explicit_before) = (access.clone(), explicit.clone());
    let mut files = object_of(explicit.remove("files"));
    let of_before = |name: &str| before.map(|before| object(before, name)).unwrap_or_default();
    let said = object_of(of_before("_access").remove("files"));
    let mut is_whole = true;
    for ClosedFile { key, is_told } in closed {
        let readers = files.get(*key).and_then(Value::as_array);
        if readers.is_some() && *is_told {
            continue;
        }
        is_whole = false;
        let could = said.get(*key).and_then(Value::as_array).cloned().unwrap_or_default();
        let may = match readers {
            Some(readers) => could.into_iter().filter(|reader| readers.contains(reader)).collect(),
            None => could,
        };
        files.insert((*key).to_owned(), Value::Array(may));
    }
    access.entry("record").or_insert_with(|| json!("public"));
    access.insert("files".to_owned(), json!("restricted"));
    if !is_whole {
        let until = |embargo: Option<&Value>| Some(embargo?.get("until")?.as_str()?.to_owned());
        let own = until(access.get("embargo"));
        let embargo = own.zip(until(of_before("access").get("embargo")));
        access.remove("embargo");
        if let Some((own, before)) = embargo {
            let embargo = json!({ "active": true, "until": own.max(before) });
            access.insert("embargo".to_owned(), embargo);
        }
    }
    explicit.insert("files".to_owned(), Value::Object(files));
    if access == access_before && explicit == explicit_before {
        return false;
    }
    set_json_member(json, "access", &canonical_json(&Value::Object(access)))
        && set_json_member(json, "_access", &canonical_json(&Value::Object(explicit)))
}

fn object(json: &[u8], key: &str) -> Map<String, Value> {
    object_of(json_member(json, key).and_then(|member| serde_json::from_slice(member).ok()))
}

fn object_of(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The record with `a.pdf` closed, and whether that changed it.
    fn closed(record: &Value, before: Option<&Value>) -> (Value, bool) {
        let (mut json, before) = (canonical_json(record), before.map(canonical_json));
        let changed = close_files(&mut json, &[A], before.as_deref());
        (serde_json::from_slice(&json).unwrap(), changed)
    }

    const A: ClosedFile<'static> = ClosedFile { key: "a.pdf", is_told: true };

    #[test]
    fn a_restricted_file_of_which_nothing_is_said_is_nobodys() {
        let (record, changed) = closed(&json!({ "id": "7" }), None);
        assert_eq!(record["access"], json!({ "record": "public", "files": "restricted" }));
        assert_eq!(record["_access"], json!({ "files": { "a.pdf": [] } }));
        assert!(changed);
        assert_eq!(closed(&record, None), (record, false));
        assert!(!close_files(&mut b"{}".to_vec(), &[], None));
        assert!(!close_files(&mut b"[]".to_vec(), &[A], None));
    }

    #[test]
    fn a_new_version_lets_nobody_in_to_the_old_ones() {
        let record = |readers: Value, until: Option<&str>| {
            let mut record = json!({
                "access": { "record": "public", "files": "restricted" },
                "_access": { "files": { "a.pdf": readers } },
            });
            if let Some(until) = until {
                record["access"]["embargo"] = json!({ "active": true, "until": until });
            }
            record
        };
        let closed = |new: &Value, before: &Value| -> (Value, bool) {
            let (mut json, before) = (canonical_json(new), canonical_json(before));
            let untold = ClosedFile { is_told: false, ..A };
            let changed = close_files(&mut json, &[untold], Some(&before));
            (serde_json::from_slice(&json).unwrap(), changed)
        };
        let ada = record(json!(["ada", "bo"]), None);
        let later = record(json!(["bo", "cy"]), Some("2031-01-01"));
        assert_eq!(closed(&later, &ada), (record(json!(["bo"]), None), true));
        assert_eq!(closed(&ada, &ada), (ada.clone(), false));
        let sooner = record(json!(["bo"]), Some("2030-01-01"));
        let expected = record(json!(["bo"]), Some("2031-01-01"));
        assert_eq!(closed(&sooner, &later), (expected, true));
    }

    #[test]
    fn a_record_that_was_closed_is_closed_as_its_first_dump_did_it() {
        let close = |outcome: &str, rights: &Value, record: &Value| -> Value {
            let closed = Closed::of(outcome, &rights.to_string()).unwrap();
            let mut json = canonical_json(record);
            closed.close(&mut json);
            serde_json::from_slice(&json).unwrap()
        };
        let both = json!({ "record": "restricted", "files": "restricted" });
        let board = json!({ "read": ["board"] });
        let record = close("restricted", &board, &json!({ "id": "7" }));
        assert_eq!(record, json!({ "id": "7", "access": both, "_access": { "read": ["board"] } }));
        let until = json!({ "until": "2031-01-01" });
        let record = close("embargo", &until, &json!({}));
        assert_eq!(record["access"]["embargo"], json!({ "active": true, "until": "2031-01-01" }));
        let files = json!({
            "access": { "record": "public", "files": "restricted",
                        "embargo": { "active": true, "until": "2032-01-01" } },
            "_access": { "files": { "a.pdf": ["ada"] } },
        });
        let record = close("embargo", &until, &files);
        assert_eq!(record["access"]["embargo"]["until"], "2032-01-01");
        assert_eq!(record["_access"], json!({ "read": [], "files": { "a.pdf": ["ada"] } }));
        assert_eq!(close("restricted", &board, &files)["access"], both);
        assert_eq!(Closed::of("open", "{}"), None);
        assert_eq!(Closed::of("not_understood", "?"), Some(Closed::default()));
    }

    #[test]
    fn what_is_said_stands_and_what_was_said_before_comes_back() {
        let embargo = json!({ "active": true, "until": "2031-01-01" });
        let said = json!({
            "access": { "record": "public", "files": "restricted", "embargo": embargo },
            "_access": { "read": ["board"], "files": { "a.pdf": ["ada"] } },
        });
        assert_eq!(closed(&said, None), (said.clone(), false));
        let mut of_another = said.clone();
        of_another["_access"] = json!({ "files": { "b.pdf": ["bo"] } });
        let (record, _) = closed(&of_another, Some(&said));
        assert_eq!(record["access"], said["access"]);
        let files = json!({ "files": { "a.pdf": ["ada"], "b.pdf": ["bo"] } });
        assert_eq!(record["_access"], files);
    }
}
