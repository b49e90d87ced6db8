//! What a dump has beside records, on its way into the store: users, communities and the like.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::formats::invenio_v1::{comments, thing_name};
use crate::pipeline::worker::{Bench, Stop, record_uuid};
use crate::record::{ContentHash, Locator, Warning};
use crate::store::{AccessTold, Brings, Kinds, LoadRecord, Membership, NewRecord, Thing};

/// The things that `value` is; `None` when it is none of a known shape.
pub(super) fn load(
    bench: &mut Bench<'_>,
    value: &Value,
    bytes: &[u8],
    locator: &Locator,
    warnings: &mut Vec<Warning>,
) -> Result<Option<LoadRecord>, Stop> {
    let mut things = Vec::new();
    if let Some(name) = thing_name(value) {
        let mut thing = thing(bench, name.kind, name.key, bytes, locator)?;
        if name.kind == "communities" {
            thing.set = set(bench, value, warnings);
        }
        things.push(thing);
    } else if let Some(comments) = comments(value) {
        for (recid, comments) in comments {
            let json = serde_json::json!({ (recid.as_str()): comments }).to_string();
            things.push(thing(bench, "comments", recid.clone(), json.as_bytes(), locator)?);
        }
    }
    let Some(first) = things.first() else { return Ok(None) };
    // The same thing always goes the same way, as records do.
    let id = record_uuid(&bench.definition.source_name, &format!("{} {}", first.kind, first.key));
    let (pids, memberships) = (Vec::new(), Vec::new());
    Ok(Some(LoadRecord {
        source_id: String::new(),
        record: NewRecord { id, pid_value: String::new(), pids, memberships, json: None },
        hash: ContentHash::default(),
        source: bench.source_copy(bench.format, bytes, locator)?,
        raw: None,
        locator: locator.clone(),
        stamps: None,
        history: None,
        merged_into: None,
        brings: Brings::Things,
        files: Vec::new(),
        access: AccessTold::default(),
        copies: Vec::new(),
        held: Vec::new(),
        kinds: Kinds::default(),
        things,
    }))
}

fn thing(
    bench: &mut Bench<'_>,
    kind: &str,
    key: String,
    bytes: &[u8],
    locator: &Locator,
) -> Result<Thing, Stop> {
    let hash: ContentHash = Sha256::digest(bytes).into();
    let zstd = bench.compress(bytes)?;
    let locator = locator.to_string();
    Ok(Thing { kind: kind.to_owned(), key, hash, zstd, locator, set: None })
}

/// The OAI set that a community is.
fn set(
    bench: &Bench<'_>,
    value: &Value,
    warnings: &mut Vec<Warning>,
) -> Option<(Membership, String)> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    let migration = bench.definition.migration.as_ref()?;
    let spec = migration.community_sets.replace("{id}", text("id"));
    match spec.parse() {
        Ok(spec) => {
            let name = text("title").to_owned();
            Some((Membership { spec, name }, text("description").to_owned()))
        }
        Err(error) => {
            let message = format!("{spec} is no setSpec: {error}");
            warnings.push(Warning::new("invenio_v1.community_set", message));
            None
        }
    }
}
