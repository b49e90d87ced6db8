//! Records of Invenio v1 on their way: all revisions mapped, each with its date, and their files.

mod files;
mod keys;
mod revisions;
mod times;

pub(super) use keys::{KEYS, read};
pub use keys::{Migration, Revisions};

use super::worker::{Bench, Stop, Worked, record_uuid, rejected};
use crate::formats::SourceRecord;
use crate::formats::invenio_v1::Dump;
use crate::record::{Locator, RawRecord, Stage, Warning, content_hash};
use crate::store::{FILES, LoadRecord, Quarantined, REVISIONS};
use times::Times;

/// What came of the parts of a record: they count only once it is known what becomes of it.
#[derive(Default)]
struct Parts {
    revisions: u64,
    skipped_revisions: u64,
    held_revisions: u64,
    files: u64,
    skipped_files: u64,
    held_files: u64,
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
    if let Err(error) = bench.format.read(bytes, &bench.definition.reading, &mut decoded, warnings)
    {
        locator.control_number = error.control_number;
        return Err(rejected(Stage::Decode, None, error.code, error.message, locator));
    }
    let SourceRecord::Json(value) = &decoded else {
        return Err(Stop::Failed(format!("{locator}: a dump of Invenio v1 is not read as JSON")));
    };
    // It was checked when it was read, and what is odd about it was told then.
    let dump = Dump::read(value, &mut Vec::new())
        .map_err(|error| rejected(Stage::Decode, None, error.code, error.message, locator))?;
    locator.control_number = Some(dump.recid.to_string());
    let mut parts = Parts {
        revisions: dump.revisions.len() as u64,
        files: dump.files.len() as u64,
        ..Parts::default()
    };
    let made = load_record(bench, &dump, bytes, locator, &mut parts, warnings);
    let is_held = made.is_err();
    if parts.revisions > 0 {
        let counts = worked.kinds.of(REVISIONS);
        counts.read += parts.revisions;
        counts.skipped += if is_held { 0 } else { parts.skipped_revisions };
        counts.quarantined += if is_held { parts.revisions } else { parts.held_revisions };
    }
    if parts.files > 0 {
        let counts = worked.kinds.of(FILES);
        counts.read += parts.files;
        counts.skipped += if is_held { 0 } else { parts.skipped_files };
        counts.quarantined += if is_held { parts.files } else { parts.held_files };
    }
    made.map(|record| LoadRecord { held: parts.held, ..record })
}

fn load_record(
    bench: &mut Bench<'_>,
    dump: &Dump<'_>,
    bytes: &[u8],
    locator: &Locator,
    parts: &mut Parts,
    warnings: &mut Vec<Warning>,
) -> Result<LoadRecord, Stop> {
    let zone = bench.definition.migration.as_ref().and_then(|migration| migration.zone.clone());
    let mut times = Times::new(zone);
    let history = revisions::history(bench, dump, locator, &mut times, parts, warnings)?;
    let source_id = dump.recid.to_string();
    let mut record = history.record;
    record.id = record_uuid(&bench.definition.source_name, &source_id);
    let files = files::orders(bench, dump, locator, &mut times, parts, warnings)?;
    warnings.append(&mut times.warnings);
    Ok(LoadRecord {
        source_id,
        hash: content_hash(&bench.json),
        record,
        source: bench.source_copy(bytes, locator)?,
        locator: locator.clone(),
        stamps: history.stamps,
        history: Some(history.earlier),
        files,
        held: Vec::new(),
    })
}
