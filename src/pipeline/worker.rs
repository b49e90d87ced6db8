//! What is done to one batch: decode, crosswalk, validate; pure, in parallel with other batches.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::definition::{Datestamps, Definition};
use super::harvest::HarvestSource;
use super::migrate;
use crate::crosswalk::Runner;
use crate::crosswalk::account::AccountReport;
use crate::formats::marc21::{Marc, Tag};
use crate::formats::{Format, Policy, SourceRecord};
use crate::oai::provenance;
use crate::record::{
    ContentHash, Locator, Origin, PidName, RawBatch, RawHeader, RawRecord, Rejection, Stage,
    Warning, content_hash,
};
use crate::records::memberships;
use crate::store::{
    AccessTold, Brings, CopyBytes, Kinds, LoadRecord, NewRecord, Quarantined, SourceCopy,
    ZSTD_LEVEL,
};
use crate::xml::Options;
use crate::xml::tree::Tree;

/// A batch that has been worked on.
#[derive(Default)]
pub(super) struct Worked {
    /// The format of its records; none when it has none.
    pub format: Option<&'static str>,
    /// Raw records it had.
    pub read: u64,
    /// Records that passed every stage, in source order.
    pub records: Vec<LoadRecord>,
    /// Records that did not.
    pub quarantined: Vec<Quarantined>,
    /// What became of every value.
    pub account: AccountReport,
    /// Parts of these records, and what became of those that the store never gets.
    pub kinds: Kinds,
    /// Rules of access by what became of them.
    pub access: BTreeMap<&'static str, u64>,
    /// A policy said `fail`: the run stops before this batch.
    pub failure: Option<String>,
}

impl Worked {
    fn new(format: &'static Format) -> Worked {
        Worked { format: Some(format.name), ..Worked::default() }
    }
}

/// The namespace of the UUIDs that are made of a source's name and a record's identifier.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f1a_35f2_73b8_5d1c_9b41_1f6e_0d9a_4c27);

/// The UUID of a record: always the same for the same identifier in the same source.
pub(super) fn record_uuid(source_name: &str, source_id: &str) -> Uuid {
    // The unit separator cannot be part of a name, so that no two pairs make the same text.
    Uuid::new_v5(&NAMESPACE, format!("{source_name}\u{1F}{source_id}").as_bytes())
}

/// The parts of a record that the store needs beside it.
#[derive(Deserialize)]
pub(super) struct Keys<'j> {
    #[serde(borrow)]
    pub(super) id: Cow<'j, str>,
    #[serde(borrow, default)]
    collections: Vec<Cow<'j, str>>,
    #[serde(default)]
    pub(super) deleted: bool,
}

/// Where one record after another is worked on, memory reused.
pub(super) struct Bench<'d> {
    pub(super) definition: &'d Definition,
    pub(super) format: &'static Format,
    /// The moment of the load, on which rules of access depend.
    pub(super) now: Timestamp,
    runner: Runner<'d>,
    /// The record at hand, decoded.
    pub(super) source: SourceRecord,
    /// What the crosswalk made of it.
    pub(super) json: Vec<u8>,
    compressor: zstd::bulk::Compressor<'static>,
    packing: Packing,
    /// Of the endpoint, when records are harvested.
    base_url: Option<String>,
    /// A harvested record, when its own model is not XML.
    tree: Tree,
}

/// Whether a worker packs the bytes that the store may keep of each record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// Beside the store: nearly all will be written.
    Here,
    /// The store does, where it has to: hardly any will be.
    InStore,
}

/// Works on a batch of records of `format`.
pub(super) fn work(
    definition: &Definition,
    format: &'static Format,
    batch: &RawBatch,
    packing: Packing,
    now: Timestamp,
) -> Result<Worked, String> {
    let mut bench = Bench::new(definition, format, packing, now)?;
    let mut worked = Worked { read: batch.records.len() as u64, ..Worked::new(format) };
    let mut warnings = Vec::new();
    for (number, raw) in batch.records.iter().enumerate() {
        let bytes = batch.bytes(raw);
        let mut locator = batch.locator(raw);
        let made = match batch.headers.get(number) {
            None if definition.migration.is_some() => {
                migrate::record(&mut bench, raw, bytes, &mut locator, &mut worked, &mut warnings)
            }
            Some(header) if header.deleted => bench.tombstone(header, bytes, &mut locator),
            header => bench.record(raw, bytes, &mut locator, &mut warnings).map(|mut record| {
                if let Some(header) = header {
                    bench.rename(&mut record, &header.identifier);
                    record.source.origin = bench.origin(header, bytes, &mut warnings).map(Box::new);
                }
                record
            }),
        };
        match made {
            Ok(record) => worked.records.push(record),
            Err(Stop::Rejected(rejection)) => {
                let bytes = CopyBytes::Zstd(bench.compress(bytes)?);
                worked.quarantined.push(Quarantined { rejection: *rejection, bytes });
            }
            Err(Stop::Failed(message)) => {
                worked.failure = Some(message);
                break;
            }
        }
        bench.count(&mut warnings);
    }
    bench.runner.account.drain_into(&mut worked.account);
    Ok(worked)
}

/// Why a record goes no further.
pub(super) enum Stop {
    Rejected(Box<Rejection>),
    Failed(String),
}

impl From<String> for Stop {
    fn from(message: String) -> Stop {
        Stop::Failed(message)
    }
}

/// A record, or a part of one, that is held.
pub(super) fn rejected(
    stage: Stage,
    rule: Option<String>,
    code: impl Into<String>,
    message: impl Into<String>,
    locator: &Locator,
) -> Stop {
    let (code, message, locator) = (code.into(), message.into(), locator.clone());
    Stop::Rejected(Box::new(Rejection { stage, rule, code, message, locator }))
}

impl<'d> Bench<'d> {
    fn new(
        definition: &'d Definition,
        format: &'static Format,
        packing: Packing,
        now: Timestamp,
    ) -> Result<Bench<'d>, String> {
        let compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL)
            .map_err(|error| format!("cannot compress: {error}"))?;
        Ok(Bench {
            definition,
            format,
            now,
            runner: Runner::new(definition.crosswalk.plan()),
            source: SourceRecord::default(),
            json: Vec::with_capacity(4096),
            compressor,
            base_url: definition.harvest.as_ref().map(HarvestSource::base_url),
            tree: Tree::default(),
            packing: if definition.keep_source { packing } else { Packing::InStore },
        })
    }

    fn count(&mut self, warnings: &mut Vec<Warning>) {
        for warning in warnings.drain(..) {
            self.runner.account.warning(warning.code);
        }
    }

    fn record(
        &mut self,
        raw: &RawRecord,
        bytes: &[u8],
        locator: &mut Locator,
        warnings: &mut Vec<Warning>,
    ) -> Result<LoadRecord, Stop> {
        if let Some(damage) = &raw.damage {
            return Err(rejected(Stage::Decode, None, damage.code, &damage.message, locator));
        }
        let reading = &self.definition.reading;
        if let Err(error) = self.format.read(bytes, reading, &mut self.source, warnings) {
            locator.control_number = error.control_number;
            return Err(rejected(Stage::Decode, None, error.code, error.message, locator));
        }
        locator.control_number = self.source.control_number().map(str::to_owned);
        self.map(locator)?;
        let stamps = match (self.definition.datestamps, &self.source) {
            (Datestamps::Preserve, SourceRecord::Marc(marc)) => stamps(marc),
            _ => None,
        };
        let record = self.new_record(locator, warnings)?;
        Ok(LoadRecord {
            source_id: record.pid_value.clone(),
            record,
            hash: content_hash(&self.json),
            source: self.source_copy(self.format, bytes, locator)?,
            locator: locator.clone(),
            stamps,
            history: None,
            files: Vec::new(),
            access: AccessTold::default(),
            copies: Vec::new(),
            held: Vec::new(),
            kinds: Kinds::default(),
            raw: None,
            brings: Brings::Revision,
            merged_into: None,
            things: Vec::new(),
        })
    }

    /// Maps the record at hand and checks what comes of it.
    pub(super) fn map(&mut self, locator: &Locator) -> Result<(), Stop> {
        let mapped = self.runner.run(&self.source, &mut self.json);
        self.runner.locate(locator);
        if let Err(held) = mapped {
            if held.fatal {
                let (rule, code, message) = (held.rule, held.code, held.message);
                return Err(Stop::Failed(format!("{locator}: {message} [{code}, rule {rule}]")));
            }
            let rule = Some(held.rule).filter(|rule| !rule.is_empty());
            return Err(rejected(Stage::Crosswalk, rule, held.code, held.message, locator));
        }
        let is_known = self.definition.schema_is_the_crosswalks && self.runner.is_surely_valid();
        if let Some(schema) = self.definition.schema.as_ref().filter(|_| !is_known)
            && let Err(violations) = schema.check(&self.json)
        {
            let texts: Vec<String> =
                violations.iter().map(|v| format!("{}: {}", v.path, v.message)).collect();
            return Err(rejected(Stage::Validate, None, "schema", texts.join("; "), locator));
        }
        Ok(())
    }

    /// What the store needs beside the record that was mapped.
    pub(super) fn keys(&self, locator: &Locator) -> Result<Keys<'_>, Stop> {
        serde_json::from_slice(&self.json).map_err(|error| {
            let message = format!("the record has no usable `id`: {error}");
            rejected(Stage::Validate, None, "identity", message, locator)
        })
    }

    /// The record that was mapped, as the store takes it.
    pub(super) fn new_record(
        &self,
        locator: &Locator,
        warnings: &mut Vec<Warning>,
    ) -> Result<NewRecord, Stop> {
        let keys = self.keys(locator)?;
        let pids = self.pids(&keys.id, warnings).map_err(|error| {
            let message = format!("PIDs cannot be read from the record: {error}");
            rejected(Stage::Validate, None, "identity", message, locator)
        })?;
        Ok(NewRecord {
            id: record_uuid(&self.definition.source_name, &keys.id),
            pid_value: keys.id.to_string(),
            pids,
            memberships: memberships(keys.collections.iter().map(|name| &**name)),
            // What its source has withdrawn becomes a tombstone.
            json: (!keys.deleted).then(|| self.json.clone()),
        })
    }

    // What an endpoint has deleted: its metadata are gone, its identifier says which it was.
    fn tombstone(
        &mut self,
        header: &RawHeader,
        bytes: &[u8],
        locator: &mut Locator,
    ) -> Result<LoadRecord, Stop> {
        locator.control_number = Some(header.identifier.clone());
        let record = NewRecord {
            id: record_uuid(&self.definition.source_name, &header.identifier),
            pid_value: header.identifier.clone(),
            pids: Vec::new(),
            memberships: Vec::new(),
            json: None,
        };
        Ok(LoadRecord {
            source_id: header.identifier.clone(),
            record,
            hash: ContentHash::default(),
            source: self.source_copy(self.format, bytes, locator)?,
            locator: locator.clone(),
            stamps: None,
            history: None,
            files: Vec::new(),
            access: AccessTold::default(),
            copies: Vec::new(),
            held: Vec::new(),
            kinds: Kinds::default(),
            raw: None,
            brings: Brings::Revision,
            merged_into: None,
            things: Vec::new(),
        })
    }

    // A harvested record is the one that its endpoint calls so, whatever its `id` becomes.
    fn rename(&self, record: &mut LoadRecord, identifier: &str) {
        record.record.id = record_uuid(&self.definition.source_name, identifier);
        identifier.clone_into(&mut record.source_id);
    }

    // Where the record came from, of which its source bytes are kept.
    fn origin(
        &mut self,
        header: &RawHeader,
        bytes: &[u8],
        warnings: &mut Vec<Warning>,
    ) -> Option<Origin> {
        let harvested = header.harvested.filter(|_| self.definition.keep_source)?;
        let tree = match &self.source {
            SourceRecord::Xml(tree) => tree,
            _ => {
                let text = std::str::from_utf8(bytes).ok()?;
                let options = Options { repair: self.definition.reading.policy == Policy::Repair };
                // What is odd about it was told when it was read.
                self.tree.read(text, options, &mut Vec::new()).ok()?;
                &self.tree
            }
        };
        provenance::read(tree, self.base_url.as_deref()?, harvested, warnings)
    }

    /// The record's PIDs beside its recid; what can be none is a warning.
    fn pids(
        &self,
        recid: &str,
        warnings: &mut Vec<Warning>,
    ) -> Result<Vec<PidName>, serde_json::Error> {
        let rules = &self.definition.pids;
        if rules.further.is_empty() {
            return Ok(Vec::new());
        }
        let json = if rules.reads_the_record() { self.json.as_slice() } else { b"null" };
        let (pids, errors) = rules.pids(recid, &serde_json::from_slice(json)?);
        warnings.extend(errors.iter().map(|error| Warning::new(error.code(), error.to_string())));
        Ok(pids)
    }

    /// The bytes of a record as they are kept.
    pub(super) fn source_copy(
        &mut self,
        format: &Format,
        bytes: &[u8],
        locator: &Locator,
    ) -> Result<SourceCopy, String> {
        let hash: ContentHash = Sha256::digest(bytes).into();
        let bytes = match self.packing {
            Packing::Here => CopyBytes::Zstd(self.compress(bytes)?),
            Packing::InStore => CopyBytes::Plain(bytes.to_vec()),
        };
        Ok(SourceCopy {
            format: format.name,
            locator: locator.to_string(),
            hash,
            bytes,
            origin: None,
        })
    }

    /// One zstd frame.
    pub(super) fn compress(&mut self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        self.compressor.compress(bytes).map_err(|error| format!("cannot compress: {error}"))
    }
}

/// created and updated of a record by its 005, `19940223151047.0` in UTC.
fn stamps(marc: &Marc) -> Option<(Timestamp, Timestamp)> {
    let field = marc.fields().find(|field| field.tag() == Tag(*b"005"))?;
    let digits = field.value().trim().get(..14)?;
    let moment = DateTime::strptime("%Y%m%d%H%M%S", digits).ok()?;
    let stamp = moment.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some((stamp, stamp))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_identifier_in_the_same_source_is_the_same_record() {
        assert_eq!(record_uuid("a", "1"), record_uuid("a", "1"));
        assert_ne!(record_uuid("a", "1"), record_uuid("b", "1"));
        assert_ne!(record_uuid("a1", "1"), record_uuid("a", "11"));
        // What is in databases already must not change.
        assert_eq!(record_uuid("a", "1").get_version_num(), 5);
    }

    #[test]
    fn field_005_is_the_time_of_change() {
        let mut marc = Marc::default();
        marc.push_control(Tag(*b"005"), "19940223151047.0");
        let (created, updated) = stamps(&marc).unwrap();
        assert_eq!(created, updated);
        assert_eq!(updated.to_string(), "1994-02-23T15:10:47Z");
        marc.clear();
        marc.push_control(Tag(*b"005"), "1994022");
        assert_eq!(stamps(&marc), None);
    }
}
