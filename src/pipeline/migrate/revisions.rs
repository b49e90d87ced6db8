//! The revisions of a record: MARCXML to JSON, the last one the record, the others its past.

use jiff::Timestamp;

use super::times::Times;
use super::{Parts, Revisions};
use crate::formats::SourceRecord;
use crate::formats::invenio_v1::{Dump, Revision};
use crate::formats::marc21::{Tag, marcxml};
use crate::pipeline::definition::Datestamps;
use crate::pipeline::worker::{Bench, Stop, rejected};
use crate::record::{Locator, PidName, Stage, Warning, set_json_member};
use crate::store::{CopyBytes, EarlierRevision, NewRecord, Quarantined};

/// A record with its past.
pub(super) struct History {
    /// Its last revision; the JSON is still on the bench.
    pub(super) record: NewRecord,
    /// created and updated, if the source's are kept.
    pub(super) stamps: Option<(Timestamp, Timestamp)>,
    /// Oldest first.
    pub(super) earlier: Vec<EarlierRevision>,
    /// The last revision as it came.
    pub(super) marcxml: String,
    /// The recid of the record that stands in its place.
    pub(super) merged_into: Option<String>,
}

/// One revision, its number from 1 as the dump has it, and its date.
struct Dated<'r, 'v> {
    number: usize,
    date: Timestamp,
    revision: &'r Revision<'v>,
}

/// Maps all revisions that are wanted.
///
/// # Errors
/// The last one is held, and so is the record; of an earlier one the record is no worse.
pub(super) fn history(
    bench: &mut Bench<'_>,
    dump: &Dump<'_>,
    locator: &Locator,
    times: &mut Times,
    parts: &mut Parts,
    warnings: &mut Vec<Warning>,
) -> Result<History, Stop> {
    let mut dated = dates(bench, dump, locator, times, parts)?;
    // The dumper sorts them; a merge of two dumps may not have.
    if !dated.is_sorted_by_key(|revision| revision.date) {
        let message = "revisions are not in the order of their dates";
        warnings.push(Warning::new("invenio_v1.order", message));
        dated.sort_by_key(|revision| revision.date);
    }
    let Some(last) = dated.pop() else {
        let message = "the record has no revision, expected at least one";
        return Err(rejected(Stage::Decode, None, "invenio_v1.no_revision", message, locator));
    };
    let first = dated.first().map_or(last.date, |first| first.date);
    let created = dump.creation_date.map(|date| times.read(date)).transpose();
    let created = created.unwrap_or_else(|message| {
        warnings.push(Warning::new("invenio_v1.creation_date", message));
        None
    });
    let migration = bench.definition.migration.as_ref();
    if migration.is_some_and(|migration| migration.revisions == Revisions::Latest) {
        parts.skipped_revisions += dated.len() as u64;
        dated.clear();
    }
    let recid = dump.recid.to_string();
    let mut earlier = Vec::with_capacity(dated.len());
    for revision in &dated {
        match earlier_revision(bench, revision, &recid, locator, warnings) {
            Ok(revision) => earlier.push(revision),
            Err(stop) => hold(bench, dump, revision.number, stop, parts)?,
        }
    }
    let (record, merged_into) = last_revision(bench, &last, &recid, locator, warnings)?;
    // All revisions of a record are of that record.
    let id = serde_json::to_vec(&record.pid_value).unwrap_or_default();
    for revision in &mut earlier {
        if let Some(json) = &mut revision.json {
            let _is_object = set_json_member(json, "id", &id);
        }
    }
    let stamps = (bench.definition.datestamps == Datestamps::Preserve)
        .then(|| (created.unwrap_or(first), last.date));
    let marcxml = last.revision.marcxml.unwrap_or_default().to_owned();
    Ok(History { record, stamps, earlier, marcxml, merged_into })
}

fn dates<'r, 'v>(
    bench: &mut Bench<'_>,
    dump: &'r Dump<'v>,
    locator: &Locator,
    times: &mut Times,
    parts: &mut Parts,
) -> Result<Vec<Dated<'r, 'v>>, Stop> {
    let mut dated = Vec::with_capacity(dump.revisions.len());
    for (index, revision) in dump.revisions.iter().enumerate() {
        let number = index + 1;
        match times.read(revision.modification_datetime) {
            Ok(date) => dated.push(Dated { number, date, revision }),
            Err(message) => {
                let is_last = number == dump.revisions.len();
                let part = part(number);
                let place = if is_last { locator.clone() } else { locator.part(part) };
                let stop = rejected(Stage::Decode, None, "invenio_v1.time", message, &place);
                if is_last {
                    return Err(stop);
                }
                hold(bench, dump, number, stop, parts)?;
            }
        }
    }
    Ok(dated)
}

/// What messages call a revision.
fn part(number: usize) -> String {
    format!("revision {number}")
}

// Holds one revision by itself, with bytes that are a dump of it alone.
fn hold(
    bench: &mut Bench<'_>,
    dump: &Dump<'_>,
    number: usize,
    stop: Stop,
    parts: &mut Parts,
) -> Result<(), Stop> {
    let Stop::Rejected(rejection) = stop else { return Err(stop) };
    let revision = dump.revisions.get(number.saturating_sub(1));
    let alone = serde_json::json!({
        "recid": dump.recid,
        "record": revision.map(|revision| serde_json::json!({
            "modification_datetime": revision.modification_datetime,
            "marcxml": revision.marcxml,
            "json": revision.json,
        })).into_iter().collect::<Vec<_>>(),
        "files": [],
    });
    let bytes = CopyBytes::Zstd(bench.compress(alone.to_string().as_bytes())?);
    parts.held_revisions += 1;
    parts.held.push(Quarantined { rejection: *rejection, bytes });
    Ok(())
}

fn earlier_revision(
    bench: &mut Bench<'_>,
    dated: &Dated<'_, '_>,
    recid: &str,
    locator: &Locator,
    warnings: &mut Vec<Warning>,
) -> Result<EarlierRevision, Stop> {
    let locator = locator.part(part(dated.number));
    let is_deleted = read_marc(bench, dated.revision, recid, &locator, warnings)?.deleted;
    let mapped = bench.map(&locator).and_then(|()| Ok(bench.keys(&locator)?.deleted));
    let json = match mapped {
        Ok(deleted) => (!deleted && !is_deleted).then(|| bench.json.clone()),
        // What was deleted then has often lost what a record must have.
        Err(Stop::Rejected(_)) if is_deleted => None,
        Err(stop) => return Err(stop),
    };
    Ok(EarlierRevision { number: dated.number, json, updated: dated.date })
}

fn last_revision(
    bench: &mut Bench<'_>,
    dated: &Dated<'_, '_>,
    recid: &str,
    locator: &Locator,
    warnings: &mut Vec<Warning>,
) -> Result<(NewRecord, Option<String>), Stop> {
    let Marks { deleted: is_deleted, into } =
        read_marc(bench, dated.revision, recid, locator, warnings)?;
    let mapped = bench.map(locator).and_then(|()| bench.new_record(locator, warnings));
    let mut record = match mapped {
        Ok(record) => record,
        Err(Stop::Rejected(_)) if is_deleted => {
            let message = "what is left of a deleted record cannot be mapped";
            warnings.push(Warning::new("invenio_v1.deleted_unmapped", message));
            NewRecord {
                id: uuid::Uuid::nil(),
                pid_value: recid.to_owned(),
                pids: Vec::<PidName>::new(),
                json: None,
                memberships: Vec::new(),
            }
        }
        Err(stop) => return Err(stop),
    };
    if is_deleted {
        record.json = None;
    }
    let is_gone = record.json.is_none();
    if let Some(into) = into.as_ref().filter(|_| !is_gone) {
        let message = format!("merged into {into}, but not deleted");
        warnings.push(Warning::new("invenio_v1.merged_live", message));
    }
    if record.pid_value != recid {
        let message = format!("`id` is {}, the dump says {recid}", record.pid_value);
        warnings.push(Warning::new("invenio_v1.other_id", message));
    }
    Ok((record, into.filter(|_| is_gone)))
}

/// What a revision says of the record's end.
#[derive(Default)]
struct Marks {
    deleted: bool,
    into: Option<String>,
}

/// Puts a revision on the bench; what it says of the record's end.
fn read_marc(
    bench: &mut Bench<'_>,
    revision: &Revision<'_>,
    recid: &str,
    locator: &Locator,
    warnings: &mut Vec<Warning>,
) -> Result<Marks, Stop> {
    let Some(xml) = revision.marcxml.filter(|xml| !xml.trim().is_empty()) else {
        let message = "the revision has no MARCXML";
        return Err(rejected(Stage::Decode, None, "invenio_v1.no_marcxml", message, locator));
    };
    let reading = &bench.definition.reading;
    marcxml::FORMAT
        .read(xml.as_bytes(), reading, &mut bench.source, warnings)
        .map_err(|error| rejected(Stage::Decode, None, error.code, error.message, locator))?;
    let SourceRecord::Marc(marc) = &mut bench.source else { return Ok(Marks::default()) };
    match marc.control_number() {
        None => {
            let message = format!("no 001, {recid} by the dump");
            warnings.push(Warning::new("invenio_v1.no_001", message));
            marc.push_control(Tag(*b"001"), recid);
        }
        Some(found) if found.trim() != recid => {
            let message = format!("001 is {found}, {recid} by the dump");
            warnings.push(Warning::new("invenio_v1.other_001", message));
        }
        Some(_) => {}
    }
    let Some(migration) = &bench.definition.migration else { return Ok(Marks::default()) };
    Ok(Marks {
        deleted: migration.deleted.iter().any(|mark| mark.find(marc).is_some()),
        into: migration.merged.iter().find_map(|mark| mark.find(marc)).map(str::to_owned),
    })
}
