//! Who may see a record of Invenio v1 and its files, as rights that stand in the record.
//!
//! `access` is closed for the record or its files as soon as one rule is not "everybody"; what
//! opens later has an embargo only when all that is closed opens by then. `_access` names those
//! who may read. Whatever was said of access is noted, with what became of it.

use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::file_names::{Names, key};
use crate::formats::invenio_v1::access::{Access, Restriction, of_collections, of_status};
use crate::formats::invenio_v1::{Broken, Collections, Dump, File};
use crate::record::{canonical_json, json_member, set_json_member};
use crate::store::{AccessNote, AccessOutcome, AccessTold};

/// What the dump says of access, and how it is said in the record.
#[derive(Debug, Default)]
pub(super) struct Rights {
    /// One note for each rule, and of which files nothing is said.
    pub(super) told: AccessTold,
    record: Option<Restriction>,
    /// By key; of the versions of a file one suffices.
    files: Vec<(String, Restriction)>,
}

/// Reads what a record and its files say, those that cannot be loaded included: they may be later.
///
/// What a dump says nothing of is open, or with `close_unknown` nobody's.
pub(super) fn rights(
    dump: &Dump<'_>,
    names: &Names<'_>,
    today: Date,
    close_unknown: bool,
) -> Rights {
    let mut rights = Rights::default();
    match of_record(dump, today) {
        Some((said, access)) => {
            rights.told.of_record = true;
            if !said.is_empty() {
                rights.told.notes.push(note(None, said, &access));
            }
            if let Access::Restricted(restriction) = access {
                rights.record = Some(restriction);
            }
        }
        // Nothing is said, and nothing noted: what was said before holds.
        None if close_unknown => rights.record = Some(Restriction::default()),
        None => {}
    }
    for file in &dump.files {
        let key = names.key(file);
        let part = format!("file {key} version {}", file.version);
        let Some((said, access)) = of_file(file, today) else {
            rights.told.silent.push(part);
            continue;
        };
        rights.told.notes.push(note(Some(part), said, &access));
        if let Access::Restricted(restriction) = access {
            rights.files.push((key, restriction));
        }
    }
    for broken in &dump.broken {
        let part = format!("file entry {}", broken.number);
        let Some((said, access)) = of_broken(broken, today) else {
            rights.told.silent.push(part);
            continue;
        };
        let name = broken.value.get("full_name").and_then(Value::as_str);
        let name = name.map_or_else(|| part.clone(), |name| key(name, 0));
        rights.told.notes.push(note(Some(part), said, &access));
        if let Access::Restricted(restriction) = access {
            rights.files.push((name, restriction));
        }
    }
    rights
}

fn of_record(dump: &Dump<'_>, today: Date) -> Option<(String, Access)> {
    match dump.collections {
        Collections::WithRestrictions { restricted: Some(restricted), .. } => {
            if restricted.is_empty() {
                return Some((String::new(), Access::Open));
            }
            let said = Value::Object(restricted.clone()).to_string();
            Some((said, of_collections(restricted, today)))
        }
        _ => None,
    }
}

/// What is said of a file that cannot be read, unless it is nothing; where that cannot be read
/// either, the file is nobody's.
fn of_broken(broken: &Broken<'_>, today: Date) -> Option<(String, Access)> {
    let member = |key: &str| broken.value.get(key).filter(|value| !value.is_null());
    let (status, hidden) = (member("status"), member("hidden"));
    match (broken.value, status.map(Value::as_str), hidden.map(Value::as_bool)) {
        (Value::Object(object), None | Some(Some(_)), None | Some(Some(_))) => {
            let status = status.and_then(Value::as_str).unwrap_or_default();
            let hidden = hidden.and_then(Value::as_bool).unwrap_or_default();
            of_words((status, hidden), object, today)
        }
        _ => {
            let said = status.map(ToString::to_string).unwrap_or_default();
            let mistake = Some(broken.error.message.clone());
            Some((said, Access::Restricted(Restriction { mistake, ..Restriction::default() })))
        }
    }
}

/// What is said of a file, unless it is nothing.
pub(super) fn of_file(file: &File<'_>, today: Date) -> Option<(String, Access)> {
    of_words((file.status, file.hidden), file.object, today)
}

fn of_words(
    (status, hidden): (&str, bool),
    object: &Map<String, Value>,
    today: Date,
) -> Option<(String, Access)> {
    let access = of_status(status, today);
    if !hidden && !has_hidden_flag(object) {
        let is_said = !status.trim().is_empty();
        return is_said.then(|| (status.to_owned(), access));
    }
    let said = format!("hidden {status}").trim_end().to_owned();
    // What is shown to nobody is nobody's, whatever its status says.
    let access = match access {
        Access::Deleted => Access::Deleted,
        _ => Access::Restricted(Restriction::default()),
    };
    Some((said, access))
}

/// Whether a file is shown to nobody.
pub(super) fn is_hidden(file: &File<'_>) -> bool {
    file.hidden || has_hidden_flag(file.object)
}

fn has_hidden_flag(object: &Map<String, Value>) -> bool {
    let flags = object.get("flags").and_then(Value::as_array).into_iter().flatten();
    let mut flags = flags.filter_map(Value::as_str);
    flags.any(|flag| flag.eq_ignore_ascii_case("hidden"))
}

fn note(part: Option<String>, said: String, access: &Access) -> AccessNote {
    let (outcome, rights) = match access {
        Access::Open => (AccessOutcome::Open, json!({})),
        Access::Deleted => (AccessOutcome::Deleted, json!({})),
        Access::Restricted(restriction) => {
            let outcome = match restriction {
                Restriction { mistake: Some(_), .. } => AccessOutcome::NotUnderstood,
                Restriction { lost, .. } if !lost.is_empty() => AccessOutcome::InPart,
                Restriction { until: Some(_), .. } => AccessOutcome::Embargo,
                _ => AccessOutcome::Restricted,
            };
            (outcome, told(restriction))
        }
    };
    AccessNote { part, said, outcome, rights: rights.to_string() }
}

fn told(restriction: &Restriction) -> Value {
    let mut told = Map::new();
    let readers = readers(restriction);
    if !readers.is_empty() {
        told.insert("read".to_owned(), json!(readers));
    }
    if let Some(until) = restriction.until {
        told.insert("until".to_owned(), json!(until.to_string()));
    }
    if !restriction.lost.is_empty() {
        told.insert("lost".to_owned(), json!(restriction.lost));
    }
    if let Some(mistake) = &restriction.mistake {
        told.insert("mistake".to_owned(), json!(mistake));
    }
    Value::Object(told)
}

/// Addresses and groups as they are; roles and users of the old site say that they are such, for
/// nobody must get in by being called the same.
fn readers(restriction: &Restriction) -> Vec<String> {
    let Restriction { emails, groups, roles, users, .. } = restriction;
    let mut readers: Vec<String> = emails.iter().chain(groups).cloned().collect();
    readers.extend(roles.iter().map(|role| format!("role:{role}")));
    readers.extend(users.iter().map(|user| format!("user:{user}")));
    readers.sort_unstable();
    readers.dedup();
    readers
}

impl Rights {
    /// Whether everybody may see everything.
    pub(super) fn are_open(&self) -> bool {
        self.record.is_none() && self.files.is_empty()
    }

    /// Puts them into a record (canonical JSON); false when it is none that can have them. What the
    /// crosswalk has closed stays closed.
    #[must_use]
    pub(super) fn set(&self, json: &mut Vec<u8>) -> bool {
        if self.are_open() {
            return true;
        }
        let before = json_member(json, "access").map(serde_json::from_slice::<Value>);
        let before = before.and_then(Result::ok).unwrap_or(Value::Null);
        let closed = |key: &str| {
            !before.is_null() && before.get(key).and_then(Value::as_str) != Some("public")
        };
        let word = |is_closed: bool| if is_closed { "restricted" } else { "public" };
        let record = self.record.is_some() || closed("record");
        let files = record || !self.files.is_empty() || closed("files");
        let mut access = Map::new();
        access.insert("record".to_owned(), json!(word(record)));
        access.insert("files".to_owned(), json!(word(files)));
        let by_crosswalk = closed("record") || closed("files");
        let all = || self.record.iter().chain(self.files.iter().map(|(_, file)| file));
        if !by_crosswalk && all().all(|restriction| restriction.until.is_some()) {
            let until = all().filter_map(|restriction| restriction.until).max();
            if let Some(until) = until {
                let embargo = json!({ "active": true, "until": until.to_string() });
                access.insert("embargo".to_owned(), embargo);
            }
        }
        let mut explicit = Map::new();
        if let Some(restriction) = &self.record {
            explicit.insert("read".to_owned(), json!(readers(restriction)));
        }
        let mut by_file = Map::new();
        for (key, restriction) in &self.files {
            // Of versions that say different things, nobody may see all but who may see each.
            let mut readers = readers(restriction);
            if let Some(others) = by_file.get(key).and_then(Value::as_array) {
                readers.retain(|reader| others.contains(&json!(reader)));
            }
            by_file.insert(key.clone(), json!(readers));
        }
        if !by_file.is_empty() {
            explicit.insert("files".to_owned(), Value::Object(by_file));
        }
        set_json_member(json, "access", &canonical_json(&Value::Object(access)))
            && set_json_member(json, "_access", &canonical_json(&Value::Object(explicit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Locator;
    use jiff::civil::date;

    const TODAY: Date = date(2026, 6, 1);

    // The record with the rights of this dump's, and the outcomes of what was said.
    fn record(dump: &Value, before: &Value) -> (Value, String) {
        let dump = Dump::read(dump, &mut Vec::new()).unwrap();
        let place = Locator {
            file: "dump.json".into(),
            number: 1,
            byte: 0,
            control_number: None,
            part: None,
        };
        let rights = rights(&dump, &Names::of(&dump, &place), TODAY, false);
        let mut json = canonical_json(before);
        assert!(rights.set(&mut json));
        let outcomes: Vec<&str> =
            rights.told.notes.iter().map(|note| note.outcome.as_str()).collect();
        (serde_json::from_slice(&json).unwrap(), outcomes.join(" "))
    }

    fn file(name: &str, status: &str, hidden: bool) -> Value {
        json!({ "bibdocid": 1, "version": 1, "full_name": name, "full_path": "/a;1", "size": 1,
                "checksum": "", "status": status, "hidden": hidden })
    }

    fn of_files(files: &[Value], before: &Value) -> (Value, String) {
        record(&json!({ "recid": 7, "record": [], "files": files }), before)
    }

    #[test]
    fn a_record_without_rules_is_left_alone() {
        let before = json!({ "id": "7" });
        assert_eq!(of_files(&[file("a.pdf", "", false)], &before), (before, String::new()));
    }

    #[test]
    fn one_closed_file_closes_all_of_them_and_its_readers_are_named() {
        let files = [
            file("a.pdf", "", false),
            file("b.pdf", "firerole: allow group \"board\"\nallow email \"B@b.org\"", false),
            file("c.pdf", "DELETED", false),
        ];
        let (record, outcomes) = of_files(&files, &json!({ "id": "7" }));
        assert_eq!(record["access"], json!({ "record": "public", "files": "restricted" }));
        assert_eq!(record["_access"], json!({ "files": { "b.pdf": ["b@b.org", "board"] } }));
        assert_eq!(outcomes, "restricted deleted");
    }

    #[test]
    fn an_embargo_is_one_only_when_all_that_is_closed_opens() {
        let embargo = |date: &str| format!("firerole: deny until '{date}'\nallow any");
        let (early, late) = (embargo("2030-01-01"), embargo("2031-01-01"));
        let files = [file("a.pdf", &early, false), file("b.pdf", &late, false)];
        let (record, outcomes) = of_files(&files, &json!({}));
        assert_eq!(record["access"]["embargo"], json!({ "active": true, "until": "2031-01-01" }));
        assert_eq!(outcomes, "embargo embargo");
        let files = [file("a.pdf", &early, false), file("b.pdf", "restricted", false)];
        assert_eq!(of_files(&files, &json!({})).0["access"].get("embargo"), None);
        let by_crosswalk = json!({ "access": { "record": "restricted", "files": "public" } });
        let (record, _) = of_files(&[file("a.pdf", &early, false)], &by_crosswalk);
        assert_eq!(record["access"], json!({ "record": "restricted", "files": "restricted" }));
    }

    #[test]
    fn what_is_hidden_or_not_understood_is_nobodys() {
        let files = [
            file("a.pdf", "firerole: allow group 'board'", true),
            file("b.pdf", "firerole: let them in", false),
            file("c.pdf", "firerole: allow email /b.org$/", false),
            file("d.pdf", "firerole: allow any", false),
        ];
        let (record, outcomes) = of_files(&files, &json!({}));
        assert_eq!(
            record["_access"],
            json!({ "files": { "a.pdf": [], "b.pdf": [], "c.pdf": [] } })
        );
        assert_eq!(outcomes, "restricted not_understood in_part open");
    }

    #[test]
    fn who_may_see_not_every_version_may_see_none() {
        let files = [
            file("a.pdf", "firerole: allow group 'board', 'press'", false),
            file("a.pdf", "role: board", false),
        ];
        let (record, _) = of_files(&files, &json!({}));
        assert_eq!(record["_access"], json!({ "files": { "a.pdf": [] } }));
    }

    #[test]
    fn a_record_of_a_restricted_collection_is_closed_and_so_are_its_files() {
        let dump = json!({
            "recid": 7, "record": [], "files": [],
            "collections": { "all": ["Board"], "restricted": { "Board": {
                "fireroles": ["allow group 'board'"], "users": ["Ada@b.org"],
            } } },
        });
        let (record, outcomes) = record(&dump, &json!({}));
        assert_eq!(record["access"], json!({ "record": "restricted", "files": "restricted" }));
        assert_eq!(record["_access"], json!({ "read": ["ada@b.org", "board"] }));
        assert_eq!(outcomes, "restricted");
    }
}
