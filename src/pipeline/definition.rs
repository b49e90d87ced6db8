//! A pipeline's file: what is read, mapped by what, and how it is loaded.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::files::{self, FileRules};
use super::harvest::{self, HarvestSource, format_of_prefix};
use super::limits::{Limits, percent};
use super::migrate::{self, Migration, Revisions};
use super::names::short_name;
use super::schedule::{self, Schedule};
use crate::crosswalk::{Crosswalk, CrosswalkError};
use crate::formats::{Encoding, FORMATS, Format, Model, Policy, ReadOptions, invenio_v1};
use crate::record::content_hash;
use crate::records::PidRules;
use crate::source::oai_pmh::JournalReader;
use crate::source::{BatchLimit, DumpReader, RecordReader, SourceError, expand};
use crate::validate::{SchemaValidator, ValidateError};
use crate::yaml::{Checker, Diagnostics, Fields, Kind, Node, SourceText, parse};

/// Where `created`, `updated` and the OAI datestamp of a record come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datestamps {
    /// The moment of loading: what a harvest needs.
    Now,
    /// The source's own (MARC 005): what a migration needs. Records without one get now.
    Preserve,
}

/// A pipeline, ready to run: its crosswalk compiled, its schema loaded, its files found.
pub struct Definition {
    /// `pipeline:`
    pub name: String,
    /// `source.name`: with the source's identifier it makes a record's identity.
    pub source_name: String,
    /// `source` with `type: oai-pmh`; its files are the pages that it has harvested.
    pub harvest: Option<HarvestSource>,
    /// `source` with `type: invenio-v1`.
    pub migration: Option<Migration>,
    /// The files, each with the name that messages and checkpoints use.
    pub files: Vec<(PathBuf, String)>,
    /// `files`: where the files of records go, and how.
    pub file_rules: Option<FileRules>,
    /// `source.format`; `None` tells it from the first bytes.
    pub format: Option<&'static Format>,
    /// `source.policy`: how hard reading tries with what breaks its standard; `source.encoding`.
    pub reading: ReadOptions,
    /// The crosswalk.
    pub crosswalk: Crosswalk,
    /// The schema that every record is checked against.
    pub schema: Option<SchemaValidator>,
    /// It is the one that the crosswalk writes for: what is valid by the way it is made need not
    /// be checked again.
    pub schema_is_the_crosswalks: bool,
    /// `load.datestamps`
    pub datestamps: Datestamps,
    /// `load.keep_source`
    pub keep_source: bool,
    /// `load.pids`: the PIDs that records get beside their recid.
    pub pids: PidRules,
    /// `load.lanes`: loaders at once; `None` leaves it to the store.
    pub lanes: Option<usize>,
    /// `limits`
    pub limits: Limits,
    /// `schedule`, `timezone` and `jitter`
    pub schedule: Option<Schedule>,
    /// `batch`
    pub batch: BatchLimit,
    /// `in_flight_bytes`: raw bytes between reader and store at most.
    pub in_flight_bytes: usize,
    /// Hash of the pipeline's file and its crosswalk: a run with another one is not resumed.
    pub hash: String,
}

/// Why a pipeline cannot run: found before the first record.
#[derive(Debug, Error)]
pub enum DefinitionError {
    /// The file cannot be read.
    #[error("cannot read pipeline {path}: {reason}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: std::io::Error,
    },
    /// The file or its crosswalk has mistakes.
    #[error("{0}")]
    Invalid(Diagnostics),
    /// The crosswalk cannot be read.
    #[error("{file}:{line}: {reason}")]
    Crosswalk {
        /// The pipeline's file.
        file: String,
        /// The line that names the crosswalk.
        line: usize,
        /// Why not.
        reason: CrosswalkError,
    },
    /// The crosswalk writes something else than JSON, of which records are.
    #[error("{file}:{line}: {crosswalk} does not write JSON, of which records are")]
    Model {
        /// The pipeline's file.
        file: String,
        /// The line that names the crosswalk.
        line: usize,
        /// The crosswalk's name.
        crosswalk: String,
    },
    /// The schema cannot be used.
    #[error("{file}:{line}: {reason}")]
    Schema {
        /// The pipeline's file.
        file: String,
        /// The line that names the schema, or the crosswalk that does.
        line: usize,
        /// Why not.
        reason: ValidateError,
    },
    /// The files that were given in place of the source's cannot be found.
    #[error("{0}")]
    Files(SourceError),
    /// Files were given to a pipeline that harvests.
    #[error("the pipeline harvests, and reads no other files")]
    Harvested,
    /// The source's files cannot be found.
    #[error("{file}:{line}: {reason}")]
    Source {
        /// The pipeline's file.
        file: String,
        /// The line that names them.
        line: usize,
        /// What is missing.
        reason: SourceError,
    },
}

const KEYS: &[&str] = &[
    "pipeline",
    "note",
    "source",
    "crosswalk",
    "validate",
    "load",
    "files",
    "limits",
    "schedule",
    "timezone",
    "jitter",
    "batch",
    "in_flight_bytes",
];
const DUMP_KEYS: &[&str] = &["type", "name", "paths", "format", "policy", "encoding"];
const MEBIBYTE: usize = 1024 * 1024;

struct Written {
    name: String,
    source_name: String,
    harvest: Option<HarvestSource>,
    migration: Option<Migration>,
    paths: Vec<String>,
    paths_line: usize,
    format: Option<&'static Format>,
    reading: ReadOptions,
    crosswalk: String,
    crosswalk_line: usize,
    schema: Option<String>,
    schema_line: usize,
    datestamps: Datestamps,
    keep_source: bool,
    pids: PidRules,
    lanes: Option<usize>,
    file_rules: Option<FileRules>,
    limits: Limits,
    schedule: Option<Schedule>,
    batch: BatchLimit,
    in_flight_bytes: usize,
}

impl Definition {
    /// Reads a pipeline's file and all that it names; paths are relative to the file.
    ///
    /// # Errors
    /// [`DefinitionError`], with every mistake of one file at once.
    pub fn load(path: &Path) -> Result<Definition, DefinitionError> {
        Definition::load_for(path, &[])
    }

    /// The same, with these files and globs in place of `source.paths`, if there are any.
    ///
    /// # Errors
    /// As [`Definition::load`]; [`DefinitionError::Files`].
    pub fn load_for(path: &Path, files: &[String]) -> Result<Definition, DefinitionError> {
        let text = std::fs::read_to_string(path)
            .map_err(|reason| DefinitionError::Read { path: path.to_owned(), reason })?;
        let name = path.display().to_string();
        let source = Arc::new(SourceText { name: name.clone(), text });
        let folder = path.parent().unwrap_or(Path::new(""));
        let written = read(&source, folder).map_err(DefinitionError::Invalid)?;
        let crosswalk =
            Crosswalk::load(&folder.join(&written.crosswalk)).map_err(|reason| match reason {
                CrosswalkError::Invalid(mistakes) => DefinitionError::Invalid(mistakes),
                reason @ CrosswalkError::Read { .. } => {
                    let (file, line) = (name.clone(), written.crosswalk_line);
                    DefinitionError::Crosswalk { file, line, reason }
                }
            })?;
        if crosswalk.plan().output.model != Model::Json {
            let (file, line) = (name, written.crosswalk_line);
            let crosswalk = crosswalk.name().to_owned();
            return Err(DefinitionError::Model { file, line, crosswalk });
        }
        let (schema, line) = match written.schema {
            Some(schema) => (Some(folder.join(schema)), written.schema_line),
            None => (crosswalk.schema().map(Path::to_owned), written.crosswalk_line),
        };
        let schema_is_the_crosswalks = schema.as_deref() == crosswalk.schema();
        let schema = schema.map(|schema| SchemaValidator::load(&schema)).transpose();
        let schema = schema.map_err(|reason| {
            let file = name.clone();
            DefinitionError::Schema { file, line, reason }
        })?;
        let found =
            match written.harvest {
                Some(_) if !files.is_empty() => return Err(DefinitionError::Harvested),
                Some(_) => Vec::new(),
                None if !files.is_empty() => {
                    expand(files, Path::new("")).map_err(DefinitionError::Files)?
                }
                None => expand(&written.paths, folder).map_err(|reason| {
                    DefinitionError::Source { file: name, line: written.paths_line, reason }
                })?,
            };
        // Relative to the pipeline, wherever the command was called: checkpoints and quarantine
        // know a file by this name.
        let name = |file: &Path| short_name(file.strip_prefix(folder).unwrap_or(file));
        let given = if files.is_empty() { Vec::new() } else { found.clone() };
        let files = found.into_iter().map(|file| (file.clone(), name(&file))).collect();
        let mut hashed = source.text.clone().into_bytes();
        // A run of other files is another run.
        for file in given {
            hashed.extend_from_slice(format!("{}\n", file.display()).as_bytes());
        }
        hashed.extend_from_slice(&crosswalk.hash());
        for redirect in written.migration.iter().flat_map(|migration| &migration.redirects) {
            hashed.extend_from_slice(format!("{} {}\n", redirect.from, redirect.to).as_bytes());
        }
        if let Some(schema) = &schema {
            hashed.extend_from_slice(&schema.hash());
        }
        let hash: String = content_hash(&hashed).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Definition {
            name: written.name,
            source_name: written.source_name,
            harvest: written.harvest,
            migration: written.migration,
            files,
            format: written.format,
            reading: written.reading,
            crosswalk,
            schema,
            schema_is_the_crosswalks,
            datestamps: written.datestamps,
            keep_source: written.keep_source,
            pids: written.pids,
            lanes: written.lanes,
            file_rules: written.file_rules,
            limits: written.limits,
            schedule: written.schedule,
            batch: written.batch,
            in_flight_bytes: written.in_flight_bytes,
            hash,
        })
    }

    /// Opens one of the files.
    ///
    /// # Errors
    /// [`SourceError`]
    pub fn open(&self, path: &Path, name: &str) -> Result<RecordReader, SourceError> {
        match (&self.harvest, self.format) {
            (Some(harvest), Some(format)) => {
                let policy = harvest.endpoint.policy;
                let journal = JournalReader::open(path, name, format, policy)?;
                Ok(RecordReader::Journal(Box::new(journal)))
            }
            _ => {
                let dump = DumpReader::open(path, name, self.format)?;
                Ok(RecordReader::Dump(Box::new(dump)))
            }
        }
    }
}

fn read(source: &Arc<SourceText>, folder: &Path) -> Result<Written, Diagnostics> {
    let root = parse(source)?;
    let mut check = Checker::new(source);
    let fields = check.fields(&root, "a pipeline", KEYS);
    let empty = Node { span: fields.span, kind: Kind::Map(Vec::new()) };
    let name = required_text(&mut check, fields, "pipeline", "the pipeline");
    let from = check.required(fields, "source", "the pipeline").unwrap_or(&empty);
    let (word, keys) = source_type(&mut check, from);
    let is_harvest = word == "oai-pmh";
    let from = check.fields(from, "source", keys);
    let line = |fields: Fields<'_>, key: &str| {
        fields.get(key).map_or(1, |node| source.line_column(node.span.start).0)
    };
    let mut paths = Vec::new();
    // Without a source, that is the one mistake.
    let node = fields
        .get("source")
        .filter(|_| !is_harvest)
        .and_then(|_| check.required(from, "paths", "the source"));
    if let Some(node) = node {
        for item in check.one_or_many(node) {
            paths.extend(check.text(item, "a path"));
        }
    }
    let load = fields.get("load").unwrap_or(&empty);
    let load = check.fields(load, "load", &["datestamps", "keep_source", "lanes", "pids"]);
    let batch = fields.get("batch").unwrap_or(&empty);
    let batch = check.fields(batch, "batch", &["records", "bytes"]);
    let source_name = optional_text(&mut check, from, "name").unwrap_or_else(|| name.clone());
    let harvest = is_harvest.then(|| harvest::read(&mut check, from, folder, &source_name));
    let migration = (word == "invenio-v1").then(|| migrate::read(&mut check, from, folder));
    let written = Written {
        source_name,
        name,
        paths,
        paths_line: line(from, "paths"),
        format: match &migration {
            Some(_) => Some(&invenio_v1::FORMAT),
            None => format(&mut check, from, harvest.as_ref()),
        },
        reading: ReadOptions {
            policy: match &harvest {
                Some(harvest) => harvest.endpoint.policy,
                None => policy(&mut check, from).unwrap_or_default(),
            },
            encoding: encoding(&mut check, from),
        },
        harvest,
        crosswalk: required_text(&mut check, fields, "crosswalk", "the pipeline"),
        crosswalk_line: line(fields, "crosswalk"),
        schema: optional_text(&mut check, fields, "validate"),
        schema_line: line(fields, "validate"),
        datestamps: datestamps(&mut check, load, migration.as_ref()),
        migration,
        keep_source: load
            .get("keep_source")
            .and_then(|node| check.boolean(node, "keep_source"))
            .unwrap_or(true),
        pids: load.get("pids").map_or_else(PidRules::default, |node| {
            // A record that is loaded again must get the same PIDs again.
            PidRules::read(&mut check, node, true)
        }),
        lanes: load.get("lanes").map(|_| number(&mut check, load, "lanes", 1)),
        file_rules: fields.get("files").map(|node| files::read(&mut check, node, folder)),
        limits: limits(&mut check, fields),
        schedule: schedule::read(&mut check, fields),
        batch: BatchLimit {
            records: number(&mut check, batch, "records", 1000),
            bytes: number(&mut check, batch, "bytes", 4 * MEBIBYTE),
        },
        in_flight_bytes: number(&mut check, fields, "in_flight_bytes", 8 * MEBIBYTE),
    };
    check.finish(written)
}

/// `source.type`, and the keys of such a source.
fn source_type(check: &mut Checker, from: &Node) -> (String, &'static [&'static str]) {
    let kind = check.mapping(from, "source").get("type");
    let word = kind.and_then(|kind| check.text(kind, "type")).unwrap_or_default();
    let keys = match (word.as_str(), kind) {
        ("oai-pmh", _) => harvest::KEYS,
        ("invenio-v1", _) => migrate::KEYS,
        ("dump", _) | (_, None) => DUMP_KEYS,
        (_, Some(kind)) => {
            let known = ["dump", "invenio-v1", "oai-pmh"];
            check.unknown("E0106", kind.span, "source type", &word, known);
            DUMP_KEYS
        }
    };
    (word, keys)
}

fn required_text(check: &mut Checker, fields: Fields<'_>, key: &str, what: &str) -> String {
    let node = check.required(fields, key, what);
    node.and_then(|node| check.text(node, key)).unwrap_or_default()
}

fn optional_text(check: &mut Checker, fields: Fields<'_>, key: &str) -> Option<String> {
    fields.get(key).and_then(|node| check.text(node, key))
}

fn number(check: &mut Checker, fields: Fields<'_>, key: &str, default: usize) -> usize {
    let Some(node) = fields.get(key) else { return default };
    match check.number(node, key).and_then(|number| usize::try_from(number).ok()) {
        Some(0) => {
            check.error("E0103", node.span, format!("{key} is 0, expected at least 1"));
            default
        }
        Some(number) => number,
        None => default,
    }
}

fn limits(check: &mut Checker, fields: Fields<'_>) -> Limits {
    let Some(node) = fields.get("limits") else { return Limits::default() };
    let fields = check.fields(node, "limits", &["unmapped_values"]);
    let Some(node) = fields.get("unmapped_values") else { return Limits::default() };
    let text = check.text(node, "unmapped_values").unwrap_or_default();
    let unmapped_values = percent(&text);
    if unmapped_values.is_none() {
        let expected = "expected a share such as 2%";
        check.error("E0103", node.span, format!("unmapped_values is `{text}`, {expected}"));
    }
    Limits { unmapped_values }
}

fn format(
    check: &mut Checker,
    fields: Fields<'_>,
    harvest: Option<&HarvestSource>,
) -> Option<&'static Format> {
    let Some(node) = fields.get("format") else {
        let prefix = &harvest?.prefix;
        let format = format_of_prefix(prefix);
        if format.is_none() {
            let message = format!("no format is known for metadata_prefix {prefix}; give `format`");
            check.error("E0102", fields.span, message);
        }
        return format;
    };
    let word = check.text(node, "format")?;
    let readable = || FORMATS.iter().filter(|format| format.reading.is_some());
    let format = readable().find(|format| format.name == word);
    if format.is_none() {
        check.unknown("E0106", node.span, "format", &word, readable().map(|format| format.name));
    }
    format
}

/// `policy`, if it is given.
pub(super) fn policy(check: &mut Checker, fields: Fields<'_>) -> Option<Policy> {
    let node = fields.get("policy")?;
    match check.text(node, "policy")?.as_str() {
        "strict" => Some(Policy::Strict),
        "tolerant" => Some(Policy::Tolerant),
        "repair" => Some(Policy::Repair),
        other => {
            let known = ["strict", "tolerant", "repair"];
            check.unknown("E0106", node.span, "policy", other, known);
            None
        }
    }
}

fn encoding(check: &mut Checker, fields: Fields<'_>) -> Option<Encoding> {
    let node = fields.get("encoding")?;
    let word = check.text(node, "encoding")?;
    let encoding = Encoding::by_name(&word);
    if encoding.is_none() {
        let known = Encoding::ALL.iter().map(|encoding| encoding.name());
        check.unknown("E0106", node.span, "encoding", &word, known);
    }
    encoding
}

fn datestamps(
    check: &mut Checker,
    fields: Fields<'_>,
    migration: Option<&Migration>,
) -> Datestamps {
    let Some(node) = fields.get("datestamps") else {
        // A history has its dates, and a migration moves no datestamp.
        return migration.map_or(Datestamps::Now, |_| Datestamps::Preserve);
    };
    match check.text(node, "datestamps").as_deref() {
        Some("now") if migration.is_some_and(|it| it.revisions == Revisions::All) => {
            let message = "datestamps: now is of use with `revisions: latest` only";
            check.error("E0102", node.span, message.to_owned());
            Datestamps::Now
        }
        Some("now") | None => Datestamps::Now,
        Some("preserve") => Datestamps::Preserve,
        Some(other) => {
            check.unknown("E0106", node.span, "datestamps", other, ["now", "preserve"]);
            Datestamps::Now
        }
    }
}
