//! What a dump has beside records: users, communities and the like, told by the keys they have.

use serde_json::{Map, Value};

/// A thing of a dump: what it is and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThingName {
    /// The dumper's word: `users`, `communities`, …
    pub kind: &'static str,
    /// Unique among those of its kind.
    pub key: String,
}

/// Keys that all things of a kind have, by which they are told; the first that fits counts.
const SHAPES: &[(&str, &[&str], &[&str])] = &[
    // kind, keys that it has, keys that make its name
    ("communities", &["id", "id_user", "title", "description"], &["id"]),
    ("featured", &["id_community", "start_date"], &["id", "id_community", "start_date"]),
    ("clients", &["client_id", "client_secret"], &["client_id"]),
    ("tokens", &["client_id", "user_id", "access_token"], &["id"]),
    ("remotetokens", &["id_remote_account", "token_type"], &["id_remote_account", "token_type"]),
    ("remoteaccounts", &["id", "user_id", "client_id", "extra_data"], &["id"]),
    ("userexts", &["id", "method", "id_user"], &["method", "id"]),
    ("access", &["id", "name", "roles"], &["id"]),
    // An address may have changed between two dumps, and neither is lost.
    ("users", &["id", "email"], &["id", "email"]),
];

/// The keys that hold secrets, in whatever thing and however deep.
pub const SECRETS: &[&str] = &[
    "access_token",
    "api_key",
    "client_secret",
    "password",
    "password_salt",
    "private_key",
    "refresh_token",
    "secret",
    "token",
];

/// What `value` is; `None` for what is in no known shape.
#[must_use]
pub fn thing_name(value: &Value) -> Option<ThingName> {
    let object = value.as_object()?;
    if let Some(key) = deposit_key(object) {
        return Some(ThingName { kind: "deposit", key });
    }
    SHAPES.iter().find_map(|(kind, keys, names)| {
        if !keys.iter().all(|key| object.contains_key(*key)) {
            return None;
        }
        let parts: Option<Vec<String>> = names.iter().map(|key| text(object.get(*key)?)).collect();
        parts.map(|parts| ThingName { kind, key: parts.join(":") })
    })
}

/// The comments of records, which are one object for all of them: recid to comments.
#[must_use]
pub fn comments(value: &Value) -> Option<&Map<String, Value>> {
    let object = value.as_object().filter(|object| !object.is_empty())?;
    let is_of_record = |(recid, comments): (&String, &Value)| {
        let is_comment = |comment: &Value| comment.get("comment_id").is_some();
        recid.bytes().all(|byte| byte.is_ascii_digit())
            && comments.as_array().is_some_and(|comments| comments.iter().all(is_comment))
    };
    object.iter().all(is_of_record).then_some(object)
}

/// Whether it is one version of a file, dumped without its record.
#[must_use]
pub fn is_file(value: &Value) -> bool {
    ["bibdocid", "full_name", "recid"].iter().all(|key| value.get(key).is_some())
}

/// Replaces secrets by the word "redacted"; what is empty stays so.
pub fn redact(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let is_secret = SECRETS.iter().any(|secret| key.eq_ignore_ascii_case(secret));
                match value {
                    value if is_secret && !is_empty(value) => *value = "redacted".into(),
                    value => redact(value),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(redact),
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

// Its number stands within: `{"_p": {"id": 7}}`; without one its first package has another.
fn deposit_key(object: &Map<String, Value>) -> Option<String> {
    if !["drafts", "sips", "type"].iter().all(|key| object.contains_key(*key)) {
        return None;
    }
    let number = object.get("_p").and_then(|own| text(own.get("id")?));
    number.or_else(|| text(object.get("sips")?.get(0)?.get("id")?))
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn things_are_told_by_their_keys() {
        let name =
            |value: Value| thing_name(&value).map(|name| format!("{} {}", name.kind, name.key));
        let user = json!({"id": 7, "email": "ada@example.org", "password": "x"});
        assert_eq!(name(user).as_deref(), Some("users 7:ada@example.org"));
        let token = json!({"id": 1, "client_id": "c", "user_id": 7, "access_token": "x"});
        assert_eq!(name(token).as_deref(), Some("tokens 1"));
        let deposit = json!({"type": "upload", "drafts": {}, "sips": [], "_p": {"id": 5}});
        assert_eq!(name(deposit).as_deref(), Some("deposit 5"));
        let ext = json!({"id": "0000", "method": "orcid", "id_user": 7});
        assert_eq!(name(ext).as_deref(), Some("userexts orcid:0000"));
        assert_eq!(name(json!({"metadata": {}})), None);
        assert_eq!(name(json!({"id": null, "email": "nobody@example.org"})), None);
    }

    #[test]
    fn secrets_are_redacted_however_deep() {
        let mut value = json!({"a": [{"Password": "x", "token": ""}], "extra_data": {"token": 7}});
        redact(&mut value);
        let expected = json!({"a": [{"Password": "redacted", "token": ""}],
                              "extra_data": {"token": "redacted"}});
        assert_eq!(value, expected);
    }
}
