//! Records of Invenio v1 on their way: all revisions mapped, each with its date, and their files.

mod access;
mod file_names;
mod files;
mod keys;
mod revisions;
mod things;
mod times;

pub(super) use keys::{KEYS, read};
pub use keys::{Mark, Migration, Revisions};

use jiff::tz::TimeZone;

use super::definition::Datestamps;
use super::worker::{Bench, Stop, Worked, record_uuid, rejected};
use serde_json::Value;

use crate::formats::invenio_v1::{Dump, is_file};
use crate::formats::marc21::marcxml;
use crate::formats::{Policy, SourceRecord, json_lines};
use crate::record::{ContentHash, Locator, RawRecord, Stage, Warning, content_hash};
use crate::store::{
    AccessTold, Brings, FILES, Kinds, LoadRecord, NewRecord, Quarantined, REDIRECTS, RESERVED,
    REVISIONS,
};
use file_names::Names;
use times::Times;
use uuid::Uuid;

/// What came of the parts of a record: they count only once it is known what becomes of it.
#[derive(Default)]
struct Parts {
    revisions: u64,
    skipped_revisions: u64,
    held_revisions: u64,
    files: u64,
    skipped_files: u64,
    held_files: u64,
    /// It was merged into another record.
    merged: bool,
    held: Vec<Quarantined>,
}

/// Works on one record of a dump.
pub(super) fn record(
    bench: &mut Bench<'_>,
    raw: &RawRecord,
    bytes: &[u8],
    locator: &mut Locator,
    worked: &mut Worked,
    warnings: &mut Vec<Warning>,
) -> Result<LoadRecord, Stop> {
    if let Some(damage) = &raw.damage {
        return Err(rejected(Stage::Decode, None, damage.code, &damage.message, locator));
    }
    let mut decoded = SourceRecord::default();
    let reading = &bench.definition.reading;
    if let Err(error) = json_lines::FORMAT.read(bytes, reading, &mut decoded, warnings) {
        locator.control_number = error.control_number;
        return Err(rejected(Stage::Decode, None, error.code, error.message, locator));
    }
    let SourceRecord::Json(mut value) = decoded else {
        return Err(Stop::Failed(format!("{locator}: a dump of Invenio v1 is not read as JSON")));
    };
    if is_file(&value) {
        // Dumped without its record, which stays as it is.
        let recid = value.get("recid").cloned().unwrap_or_default();
        value = serde_json::json!({ "recid": recid, "record": [], "files": [value] });
    }
    if value.get("recid").is_none() {
        return other(bench, &value, bytes, locator, worked, warnings);
    }
    let before = warnings.len();
    let dump = Dump::read(&value, warnings).map_err(|error| {
        locator.control_number.clone_from(&error.control_number);
        rejected(Stage::Decode, None, error.code, error.message, locator)
    })?;
    if reading.policy == Policy::Strict
        && let Some(first) = warnings.get(before)
    {
        return Err(rejected(Stage::Decode, None, first.code, &first.message, locator));
    }
    locator.control_number = Some(dump.recid.to_string());
    let mut parts = Parts {
        revisions: dump.revisions.len() as u64,
        files: (dump.files.len() + dump.broken.len()) as u64,
        ..Parts::default()
    };
    let made = load_record(bench, &dump, bytes, locator, &mut parts, warnings);
    let is_held = made.is_err();
    for note in made.iter().flat_map(|record| &record.access.notes) {
        *worked.access.entry(note.outcome.as_str()).or_default() += 1;
    }
    if parts.revisions > 0 {
        let counts = worked.kinds.of(REVISIONS);
        counts.read += parts.revisions;
        counts.skipped += if is_held { 0 } else { parts.skipped_revisions };
        counts.quarantined += if is_held { parts.revisions } else { parts.held_revisions };
    }
    if parts.merged {
        let counts = worked.kinds.of(REDIRECTS);
        counts.read += 1;
        counts.quarantined += u64::from(is_held);
    }
    if dump.revisions.is_empty() && parts.files == 0 {
        let counts = worked.kinds.of(RESERVED);
        counts.read += 1;
        counts.quarantined += u64::from(is_held);
    }
    if parts.files > 0 {
        let counts = worked.kinds.of(FILES);
        counts.read += parts.files;
        counts.skipped += if is_held { 0 } else { parts.skipped_files };
        counts.quarantined += if is_held { parts.files } else { parts.held_files };
    }
    made.map(|record| LoadRecord { held: parts.held, ..record })
}

/// What is no record: things that are kept, or what is in no known shape.
fn other(
    bench: &mut Bench<'_>,
    value: &Value,
    bytes: &[u8],
    locator: &Locator,
    worked: &mut Worked,
    warnings: &mut Vec<Warning>,
) -> Result<LoadRecord, Stop> {
    let Some(record) = things::load(bench, value, bytes, locator, warnings)? else {
        let keys = value.as_object().map(|object| object.keys().take(8).cloned().collect());
        let keys: Vec<String> = keys.unwrap_or_default();
        let message = format!(
            "neither a record nor another thing of a dump, its keys are: {}",
            keys.join(", ")
        );
        return Err(rejected(Stage::Decode, None, "invenio_v1.unknown_shape", message, locator));
    };
    for thing in &record.things {
        worked.kinds.of(&thing.kind).read += 1;
    }
    Ok(record)
}

fn load_record(
    bench: &mut Bench<'_>,
    dump: &Dump<'_>,
    bytes: &[u8],
    locator: &Locator,
    parts: &mut Parts,
    warnings: &mut Vec<Warning>,
) -> Result<LoadRecord, Stop> {
    let migration = bench.definition.migration.as_ref();
    let zone = migration.and_then(|migration| migration.zone.clone());
    let close_unknown = migration.is_some_and(|migration| migration.close_unknown);
    let today = bench.now.to_zoned(zone.clone().unwrap_or(TimeZone::UTC)).date();
    let names = Names::of(dump, locator);
    let rights = access::rights(dump, &names, today, close_unknown);
    let mut times = Times::new(zone);
    let source_id = dump.recid.to_string();
    let id = record_uuid(&bench.definition.source_name, &source_id);
    let mut made = if dump.revisions.is_empty() {
        bare(bench, dump, bytes, locator, id)?
    } else {
        with_revisions(bench, dump, bytes, locator, &mut times, parts, warnings)?
    };
    if made.history.is_some() && !rights.told.of_record {
        warnings.push(no_collections(close_unknown));
    }
    // Of all revisions: whoever goes back to an old one must not open it.
    let earlier = made.history.iter_mut().flatten();
    let jsons = earlier.filter_map(|revision| revision.json.as_mut());
    for json in jsons.chain(&mut made.record.json) {
        if !rights.set(json) {
            let message = "the record is no object that could say who may see it";
            return Err(rejected(Stage::Validate, None, "access", message, locator));
        }
    }
    if let Some(json) = &made.record.json {
        made.hash = content_hash(json);
    }
    let files =
        files::orders(bench, dump, today, (locator, &names), (&mut times, parts), warnings)?;
    warnings.append(&mut times.warnings);
    let record = NewRecord { id, ..made.record };
    let newest = files.iter().map(|order| order.created).max();
    let newest = newest.filter(|_| bench.definition.datestamps == Datestamps::Preserve);
    let stamps = made.stamps.or(newest.map(|newest| (newest, newest)));
    Ok(LoadRecord { source_id, record, files, stamps, access: rights.told, ..made })
}

fn no_collections(close_unknown: bool) -> Warning {
    let becomes = if close_unknown { "nobody's" } else { "open" };
    let message = format!(
        "the dump does not tell which collections are restricted (it does when it is made with \
         --with-collections): by these, the record is {becomes}"
    );
    Warning::new("invenio_v1.no_collections", message)
}

/// A record with its past; its source bytes are its last revision.
fn with_revisions(
    bench: &mut Bench<'_>,
    dump: &Dump<'_>,
    bytes: &[u8],
    locator: &Locator,
    times: &mut Times,
    parts: &mut Parts,
    warnings: &mut Vec<Warning>,
) -> Result<LoadRecord, Stop> {
    let history = revisions::history(bench, dump, locator, times, parts, warnings)?;
    parts.merged = history.merged_into.is_some();
    Ok(LoadRecord {
        hash: content_hash(&bench.json),
        source: bench.source_copy(&marcxml::FORMAT, history.marcxml.as_bytes(), locator)?,
        raw: Some(bench.compress(bytes)?),
        locator: locator.clone(),
        stamps: history.stamps,
        history: Some(history.earlier),
        merged_into: history.merged_into,
        things: Vec::new(),
        brings: Brings::Revision,
        source_id: String::new(),
        record: history.record,
        files: Vec::new(),
        access: AccessTold::default(),
        copies: Vec::new(),
        held: Vec::new(),
        kinds: Kinds::default(),
    })
}

/// A record without revisions: its number, and perhaps files that were changed alone.
fn bare(
    bench: &mut Bench<'_>,
    dump: &Dump<'_>,
    bytes: &[u8],
    locator: &Locator,
    id: Uuid,
) -> Result<LoadRecord, Stop> {
    let pid_value = dump.recid.to_string();
    let (pids, memberships) = (Vec::new(), Vec::new());
    let has_files = !dump.files.is_empty() || !dump.broken.is_empty();
    Ok(LoadRecord {
        hash: ContentHash::default(),
        source: bench.source_copy(bench.format, bytes, locator)?,
        raw: None,
        locator: locator.clone(),
        stamps: None,
        history: None,
        merged_into: None,
        things: Vec::new(),
        brings: if has_files { Brings::Files } else { Brings::Number },
        source_id: String::new(),
        record: NewRecord { id, pid_value, pids, memberships, json: None },
        files: Vec::new(),
        access: AccessTold::default(),
        copies: Vec::new(),
        held: Vec::new(),
        kinds: Kinds::default(),
    })
}
