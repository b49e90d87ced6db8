//! `windrow records`: single records and their revisions, JSON in and out.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::batch::{
    Lines, Members, Outcomes, Task, each_line, each_value, failed, print, read_one, record_name,
    wrong,
};
use super::{Failure, Outcome, StoreArguments, clock, configuration, runtime, usage};
use crate::crosswalk::differences;
use crate::records::{Name, PidRules, Records, RecordsError, value};
use crate::store::{Store, StoreError, StoredRecord};
use crate::validate::Registry;
use crate::yaml::{Checker, Diagnostics, SourceText, parse};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    store: StoreArguments,
    /// A folder of JSON Schemas that records may name in `$schema`; nothing is fetched
    #[arg(long, global = true, value_name = "FOLDER")]
    schemas: Option<PathBuf>,
    /// Judge every record by this schema: its `$id`, or local://PATH in the folder
    #[arg(long, global = true, value_name = "NAME")]
    schema: Option<String>,
    /// The PIDs that records get beside their recid: a YAML list as `load.pids` of pipelines
    #[arg(long, global = true, value_name = "FILE")]
    pids: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Print records with their revision and PIDs, a line each
    Get {
        /// UUIDs, or PIDs: TYPE:VALUE, or the value of a recid
        #[arg(required = true, value_name = "RECORD", value_parser = record_name)]
        records: Vec<Name>,
        /// This revision; counted from the end when negative
        #[arg(long, value_name = "N", allow_negative_numbers = true)]
        revision: Option<i64>,
        /// Tombstones too, whatever the status of the PID
        #[arg(long)]
        with_deleted: bool,
        /// Nothing but the record itself
        #[arg(long)]
        content: bool,
    },
    /// Create records; one without `id` gets the next recid
    Create {
        /// JSON lines, one record, or an array of records
        #[arg(default_value = "-", value_name = "FILE")]
        file: PathBuf,
        /// The record's UUID, when it is one record
        #[arg(long)]
        uuid: Option<Uuid>,
    },
    /// Replace the content of a record
    Update(Change),
    /// Change a record by a JSON Patch (RFC 6902)
    Patch(Change),
    /// Make tombstones of records; their revisions stay
    Delete {
        #[command(flatten)]
        which: Which,
        /// Remove them for good; what they were stays in their history
        #[arg(long)]
        force: bool,
    },
    /// Give tombstones their last content again
    Undelete(Which),
    /// Give a record the content of an earlier revision again, as a new one
    Revert {
        /// UUID or PID
        #[arg(value_name = "RECORD", required_unless_present = "lines", value_parser = record_name)]
        record: Option<Name>,
        /// The earlier revision; counted from the end when negative
        #[arg(
            value_name = "REVISION",
            required_unless_present = "lines",
            allow_negative_numbers = true
        )]
        to: Option<i64>,
        /// Fail unless the record is at this revision
        #[arg(long, value_name = "N")]
        expect_revision: Option<i64>,
        #[command(flatten)]
        lines: Lines,
    },
    /// Print all revisions of a record, a line each
    Revisions {
        /// UUID or PID
        #[arg(value_name = "RECORD", value_parser = record_name)]
        record: Name,
    },
    /// Print what each revision of a record changed, a line each
    History {
        /// UUID or PID
        #[arg(value_name = "RECORD", value_parser = record_name)]
        record: Name,
    },
}

#[derive(Debug, clap::Args)]
struct Change {
    /// UUID or PID
    #[arg(value_name = "RECORD", required_unless_present = "lines", value_parser = record_name)]
    record: Option<Name>,
    /// The new content, or the patch
    #[arg(default_value = "-", value_name = "FILE")]
    file: PathBuf,
    /// Fail unless the record is at this revision
    #[arg(long, value_name = "N")]
    expect_revision: Option<i64>,
    #[command(flatten)]
    lines: Lines,
}

#[derive(Debug, clap::Args)]
struct Which {
    /// UUIDs or PIDs
    #[arg(value_name = "RECORD", required_unless_present = "lines", value_parser = record_name)]
    records: Vec<Name>,
    /// Fail unless the record is at this revision
    #[arg(long, value_name = "N")]
    expect_revision: Option<i64>,
    #[command(flatten)]
    lines: Lines,
}

/// What is to be done to a record that is there.
enum Deed {
    Update(Value),
    Patch(Value),
    Delete,
    Erase,
    Undelete,
    Revert(i64),
}

/// The kind of a deed, before a line says the rest.
#[derive(Clone, Copy)]
enum Kind {
    Update,
    Patch,
    Delete,
    Erase,
    Undelete,
    Revert,
}

struct Desk {
    store: Arc<dyn Store>,
    records: Records,
    now: Timestamp,
}

pub fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    let Arguments { verb, store, schemas, schema, pids } = arguments;
    let now = clock()?.now();
    let schemas = Registry::load(schemas.as_deref()).map_err(configuration)?;
    if let Some(name) = schema.as_deref().filter(|name| !schemas.names().contains(name)) {
        let known = schemas.names().join(", ");
        return Err(usage(anyhow!("schema {name:?} is unknown, expected one of {known}")));
    }
    let rules = pids.map_or_else(|| Ok(PidRules::default()), |file| read_rules(&file))?;
    runtime()?.block_on(async {
        let store = match &verb {
            Verb::Create { .. } => store.open().await?,
            _ => store.open_existing().await?,
        };
        let records = Records::new(Arc::clone(&store), schemas, schema, rules);
        Desk { store, records, now }.work(verb).await
    })
}

fn read_rules(path: &std::path::Path) -> Result<PidRules, Failure> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read {}", path.display()))
        .map_err(configuration)?;
    let source = Arc::new(SourceText { name: path.display().to_string(), text });
    let read = || -> Result<PidRules, Diagnostics> {
        let root = parse(&source)?;
        let mut check = Checker::new(&source);
        let rules = PidRules::read(&mut check, &root, false);
        check.finish(rules)
    };
    read().map_err(configuration)
}

impl Desk {
    async fn work(&self, verb: Verb) -> Result<Outcome, Failure> {
        match verb {
            Verb::Get { records, revision, with_deleted, content } => {
                let mut outcomes = Outcomes::default();
                let is_one = records.len() == 1;
                for (line, name) in (1..).zip(&records) {
                    let found = self.get(name, revision, with_deleted, content).await;
                    if let (true, Err(error)) = (is_one, &found) {
                        return Err(failed(error));
                    }
                    outcomes.note(line, Some(&shown(name)), found)?;
                }
                Ok(outcomes.end())
            }
            Verb::Create { file, uuid } => self.create(&file, uuid).await,
            Verb::Update(change) => self.change(Kind::Update, change).await,
            Verb::Patch(change) => self.change(Kind::Patch, change).await,
            Verb::Delete { which, force } => {
                self.each(if force { Kind::Erase } else { Kind::Delete }, which).await
            }
            Verb::Undelete(which) => self.each(Kind::Undelete, which).await,
            Verb::Revert { record, to, expect_revision, lines } => match (record, to) {
                (Some(record), Some(to)) => {
                    self.one(&record, expect_revision, Deed::Revert(to)).await
                }
                _ => self.lines(Kind::Revert, lines).await,
            },
            Verb::Revisions { record } => self.revisions(&record).await,
            Verb::History { record } => self.history(&record).await,
        }
    }

    async fn get(
        &self,
        name: &Name,
        revision: Option<i64>,
        with_deleted: bool,
        content: bool,
    ) -> Result<Value, RecordsError> {
        let mut record = if with_deleted {
            self.records.get_with_deleted(name).await?
        } else {
            self.records.get(name).await?
        };
        if let Some(revision) = revision {
            record = self.records.revision(record.id, revision).await?;
        }
        if content {
            Ok(value(&record)?.unwrap_or_default())
        } else {
            self.told(&record, true).await
        }
    }

    async fn create(&self, file: &std::path::Path, uuid: Option<Uuid>) -> Result<Outcome, Failure> {
        let mut outcomes = Outcomes::default();
        let mut uuid = uuid;
        let is_given = uuid.is_some();
        each_value(file, async |Task { line, value }| {
            if is_given && uuid.is_none() {
                return Err(usage(anyhow!("--uuid is for one record, there are more")));
            }
            let id = uuid.take();
            let made = async {
                let made = self.records.create(value?, id, self.now).await?;
                self.told(&made, false).await
            };
            outcomes.note(line, None, made.await)
        })
        .await?;
        Ok(outcomes.end())
    }

    async fn change(&self, kind: Kind, change: Change) -> Result<Outcome, Failure> {
        let Some(record) = change.record else { return self.lines(kind, change.lines).await };
        let content = read_one(&change.file)?;
        let deed = match kind {
            Kind::Patch => Deed::Patch(content),
            _ => Deed::Update(content),
        };
        self.one(&record, change.expect_revision, deed).await
    }

    async fn each(&self, kind: Kind, which: Which) -> Result<Outcome, Failure> {
        let deed = || match kind {
            Kind::Erase => Deed::Erase,
            Kind::Undelete => Deed::Undelete,
            _ => Deed::Delete,
        };
        if which.lines.lines.is_some() {
            return self.lines(kind, which.lines).await;
        }
        if let [record] = which.records.as_slice() {
            return self.one(record, which.expect_revision, deed()).await;
        }
        let mut outcomes = Outcomes::default();
        for (line, record) in (1..).zip(&which.records) {
            let done = self.deed(record, which.expect_revision, deed()).await;
            outcomes.note(line, Some(&shown(record)), done)?;
        }
        Ok(outcomes.end())
    }

    async fn one(
        &self,
        record: &Name,
        expected: Option<i64>,
        deed: Deed,
    ) -> Result<Outcome, Failure> {
        let done = self.deed(record, expected, deed).await.map_err(|error| failed(&error))?;
        print(&done)?;
        Ok(Outcome::Clean)
    }

    async fn lines(&self, kind: Kind, lines: Lines) -> Result<Outcome, Failure> {
        let Some(path) = lines.lines else {
            return Err(usage(anyhow!("expected a record, or --lines FILE")));
        };
        let mut outcomes = Outcomes::default();
        each_line(&path, async |Task { line, value }| {
            let mut named = None;
            let done = async {
                let (record, expected, deed) = task(kind, value?)?;
                named = Some(shown(&record));
                self.deed(&record, expected, deed).await
            }
            .await;
            outcomes.note(line, named.as_deref(), done)
        })
        .await?;
        Ok(outcomes.end())
    }

    async fn deed(
        &self,
        name: &Name,
        expected: Option<i64>,
        deed: Deed,
    ) -> Result<Value, RecordsError> {
        let record = match deed {
            Deed::Update(_) | Deed::Patch(_) => self.records.get(name).await?,
            _ => self.records.get_with_deleted(name).await?,
        };
        if let Some(expected) = expected.filter(|expected| *expected != record.revision_id) {
            let (id, found) = (record.id, record.revision_id);
            return Err(StoreError::Stale { id, found, expected }.into());
        }
        let changed = match deed {
            Deed::Update(json) => self.records.update(&record, &json, self.now).await?,
            Deed::Patch(patch) => self.records.patch(&record, &patch, self.now).await?,
            Deed::Delete => self.records.delete(&record, self.now).await?,
            Deed::Undelete => self.records.undelete(&record, self.now).await?,
            Deed::Revert(to) => self.records.revert(&record, to, self.now).await?,
            Deed::Erase => {
                self.records.erase(&record, self.now).await?;
                return Ok(json!({"uuid": record.id.to_string(), "erased": true}));
            }
        };
        self.told(&changed, false).await
    }

    async fn revisions(&self, name: &Name) -> Result<Outcome, Failure> {
        for revision in self.past(name).await.map_err(|error| failed(&error))? {
            let told = self.told(&revision, true).await.map_err(|error| failed(&error))?;
            print(&told)?;
        }
        Ok(Outcome::Clean)
    }

    async fn history(&self, name: &Name) -> Result<Outcome, Failure> {
        let mut before: Option<Value> = None;
        for (at, revision) in (0..).zip(self.past(name).await.map_err(|error| failed(&error))?) {
            let after = value(&revision).map_err(|error| failed(&error))?;
            let event = match (&before, &after) {
                _ if at == 0 => "insert",
                (_, None) => "delete",
                (None, Some(_)) => "undelete",
                (Some(_), Some(_)) => "update",
            };
            let mut changed = Vec::new();
            if let (Some(before), Some(after)) = (&before, &after) {
                differences("", Some(before), Some(after), &mut |path, _, _| {
                    changed.push(Value::from(path));
                });
            }
            changed.dedup();
            print(&json!({
                "revision": revision.revision_id,
                "updated": revision.updated.to_string(),
                "event": event,
                "changed": changed,
            }))?;
            before = after;
        }
        Ok(Outcome::Clean)
    }

    /// The revisions of a record, which may be gone: then its PID still knows its UUID.
    async fn past(&self, name: &Name) -> Result<Vec<StoredRecord>, RecordsError> {
        let id = match name {
            Name::Uuid(id) => *id,
            Name::Pid(pid) => match self.records.resolve(pid).await {
                Ok(resolution) => resolution.record,
                Err(RecordsError::PidDeleted { record: Some(record), .. }) => record,
                Err(error) => return Err(error),
            },
        };
        Ok(self.store.revisions(id).await?)
    }

    /// A record as it is told; `pid` is its recid, or the first of its PIDs.
    async fn told(&self, record: &StoredRecord, with_content: bool) -> Result<Value, RecordsError> {
        let pids = self.store.pids(record.id).await?;
        let recid = pids.iter().find(|pid| pid.name.pid_type() == "recid").or(pids.first());
        let mut told = Map::new();
        if let Some(pid) = recid {
            told.insert("pid".to_owned(), pid.name.to_string().into());
        }
        told.insert("uuid".to_owned(), record.id.to_string().into());
        told.insert("revision".to_owned(), record.revision_id.into());
        told.insert("created".to_owned(), record.created.to_string().into());
        told.insert("updated".to_owned(), record.updated.to_string().into());
        told.insert("deleted".to_owned(), record.json.is_none().into());
        let names: Vec<Value> = pids.iter().map(|pid| pid.name.to_string().into()).collect();
        told.insert("pids".to_owned(), names.into());
        if with_content {
            told.insert("record".to_owned(), value(record)?.unwrap_or_default());
        }
        Ok(Value::Object(told))
    }
}

/// What a line says; what `records get` prints can be a line of `records update`.
fn task(kind: Kind, value: Value) -> Result<(Name, Option<i64>, Deed), RecordsError> {
    let printed = ["created", "updated", "deleted", "pids"];
    let own: &[&str] = match kind {
        Kind::Update => &["pid", "uuid", "revision", "record"],
        Kind::Patch => &["pid", "uuid", "revision", "patch"],
        Kind::Revert => &["pid", "uuid", "revision", "to"],
        Kind::Delete | Kind::Erase | Kind::Undelete => &["pid", "uuid", "revision"],
    };
    let known: Vec<&str> = own.iter().chain(&printed).copied().collect();
    let mut members = Members::of(value, &known)?;
    let (pid, uuid) = (members.text("pid")?, members.text("uuid")?);
    // A UUID is the record itself, whatever its PIDs say by now.
    let name = uuid.or(pid).ok_or_else(|| wrong("the task has neither \"pid\" nor \"uuid\""))?;
    let name = record_name(&name).map_err(wrong)?;
    let expected = members.number("revision")?;
    let deed = match kind {
        Kind::Update => Deed::Update(members.required("record")?),
        Kind::Patch => Deed::Patch(members.required("patch")?),
        Kind::Delete => Deed::Delete,
        Kind::Erase => Deed::Erase,
        Kind::Undelete => Deed::Undelete,
        Kind::Revert => {
            let to = members.number("to")?;
            Deed::Revert(to.ok_or_else(|| wrong("the task has no \"to\""))?)
        }
    };
    Ok((name, expected, deed))
}

fn shown(name: &Name) -> String {
    match name {
        Name::Uuid(id) => id.to_string(),
        Name::Pid(name) => name.to_string(),
    }
}
