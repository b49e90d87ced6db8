//! `windrow pids`: persistent identifiers, JSON in and out.

use std::sync::Arc;

use anyhow::anyhow;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::batch::{
    Lines, Members, Outcomes, Task, each_line, failed, pid_name, print, record_name, wrong,
};
use super::{Failure, Outcome, StoreArguments, clock, configuration, runtime, usage};
use crate::record::{Pid, PidChange, PidName, PidStatus, PidTarget};
use crate::records::{Name, PidRules, Records, RecordsError};
use crate::store::{Store, StoreError};
use crate::validate::Registry;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    store: StoreArguments,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Print PIDs as they are, a line each
    Get {
        /// TYPE:VALUE, or the value of a recid
        #[arg(required = true, value_name = "PID", value_parser = pid_name)]
        pids: Vec<PidName>,
    },
    /// Make a PID; without a name, the next recid
    Create {
        /// TYPE:VALUE, or the value of a recid
        #[arg(value_name = "PID", value_parser = pid_name)]
        pid: Option<PidName>,
        /// N new, K reserved, R registered, D deleted
        #[arg(long, default_value = "K", value_parser = status)]
        status: PidStatus,
        /// The record it names: UUID or PID
        #[arg(long, value_parser = record_name)]
        record: Option<Name>,
        #[command(flatten)]
        lines: Lines,
    },
    /// Follow PIDs to their records
    Resolve {
        /// TYPE:VALUE, or the value of a recid
        #[arg(required = true, value_name = "PID", value_parser = pid_name)]
        pids: Vec<PidName>,
    },
    /// Let a PID name a record
    Assign {
        /// TYPE:VALUE, or the value of a recid
        #[arg(value_name = "PID", required_unless_present = "lines", value_parser = pid_name)]
        pid: Option<PidName>,
        /// UUID or PID
        #[arg(value_name = "RECORD", required_unless_present = "lines", value_parser = record_name)]
        record: Option<Name>,
        /// Even if it names another one
        #[arg(long)]
        overwrite: bool,
        #[command(flatten)]
        lines: Lines,
    },
    /// Let PIDs name nothing
    Unassign(Which),
    /// Let a PID lead to another one
    Redirect {
        /// TYPE:VALUE, or the value of a recid
        #[arg(value_name = "PID", required_unless_present = "lines", value_parser = pid_name)]
        pid: Option<PidName>,
        /// Where to
        #[arg(value_name = "PID", required_unless_present = "lines", value_parser = pid_name)]
        to: Option<PidName>,
        #[command(flatten)]
        lines: Lines,
    },
    /// Keep PIDs for records to come
    Reserve(Which),
    /// Make PIDs resolve
    Register(Which),
    /// Delete PIDs; new ones are removed, others become tombstones
    Delete(Which),
    /// Print the PIDs of a record, a line each
    Of {
        /// UUID or PID
        #[arg(value_name = "RECORD", value_parser = record_name)]
        record: Name,
    },
}

#[derive(Debug, clap::Args)]
struct Which {
    /// TYPE:VALUE, or the value of a recid
    #[arg(value_name = "PID", required_unless_present = "lines", value_parser = pid_name)]
    pids: Vec<PidName>,
    #[command(flatten)]
    lines: Lines,
}

/// What is to be done, before a line says the rest.
#[derive(Clone, Copy)]
enum Kind {
    Create,
    Assign,
    Unassign,
    Redirect,
    Reserve,
    Register,
    Delete,
}

/// What is to be done to a PID.
enum Deed {
    Create { status: PidStatus, record: Option<Name> },
    Assign { record: Name, overwrite: bool },
    Change(PidChange),
}

struct Desk {
    store: Arc<dyn Store>,
    records: Records,
    now: Timestamp,
}

pub fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    let now = clock()?.now();
    let schemas = Registry::load(None).map_err(configuration)?;
    runtime()?.block_on(async {
        let store = arguments.store.open_existing().await?;
        let records = Records::new(Arc::clone(&store), schemas, None, PidRules::default());
        Desk { store, records, now }.work(arguments.verb).await
    })
}

impl Desk {
    async fn work(&self, verb: Verb) -> Result<Outcome, Failure> {
        match verb {
            Verb::Get { pids } => {
                self.print_each(&pids, async |name| {
                    let pid = self.store.pid(name).await?;
                    Ok(told(&pid.ok_or_else(|| StoreError::NotFound(format!("PID {name}")))?))
                })
                .await
            }
            Verb::Resolve { pids } => {
                self.print_each(&pids, async |name| self.resolved(name).await).await
            }
            Verb::Create { pid, status, record, lines } => match (pid, lines.lines.is_some()) {
                (None, true) => self.lines(Kind::Create, lines).await,
                (Some(_), true) => Err(usage(anyhow!("expected a PID or --lines, not both"))),
                (Some(pid), false) => self.one(&pid, Deed::Create { status, record }).await,
                (None, false) => {
                    let number = self.store.next_recid().await?;
                    let pid = PidName::recid(number.to_string())?;
                    self.one(&pid, Deed::Create { status, record }).await
                }
            },
            Verb::Assign { pid, record, overwrite, lines } => match (pid, record) {
                (Some(pid), Some(record)) => {
                    self.one(&pid, Deed::Assign { record, overwrite }).await
                }
                _ => self.lines(Kind::Assign, lines).await,
            },
            Verb::Redirect { pid, to, lines } => match (pid, to) {
                (Some(pid), Some(to)) => {
                    self.one(&pid, Deed::Change(PidChange::Redirect(to))).await
                }
                _ => self.lines(Kind::Redirect, lines).await,
            },
            Verb::Unassign(which) => self.each(Kind::Unassign, which).await,
            Verb::Reserve(which) => self.each(Kind::Reserve, which).await,
            Verb::Register(which) => self.each(Kind::Register, which).await,
            Verb::Delete(which) => self.each(Kind::Delete, which).await,
            Verb::Of { record } => {
                let id = self.record(&record).await.map_err(|error| failed(&error))?;
                for pid in self.store.pids(id).await? {
                    print(&told(&pid))?;
                }
                Ok(Outcome::Clean)
            }
        }
    }

    async fn print_each(
        &self,
        names: &[PidName],
        mut deed: impl AsyncFnMut(&PidName) -> Result<Value, RecordsError>,
    ) -> Result<Outcome, Failure> {
        let mut outcomes = Outcomes::default();
        for (line, name) in (1..).zip(names) {
            let done = deed(name).await;
            if let ([_], Err(error)) = (names, &done) {
                return Err(failed(error));
            }
            outcomes.note(line, Some(&name.to_string()), done)?;
        }
        Ok(outcomes.end())
    }

    async fn each(&self, kind: Kind, which: Which) -> Result<Outcome, Failure> {
        if which.lines.lines.is_some() {
            return self.lines(kind, which.lines).await;
        }
        self.print_each(&which.pids, async |name| self.deed(name, plain(kind)).await).await
    }

    async fn one(&self, name: &PidName, deed: Deed) -> Result<Outcome, Failure> {
        let done = self.deed(name, deed).await.map_err(|error| failed(&error))?;
        print(&done)?;
        Ok(Outcome::Clean)
    }

    async fn lines(&self, kind: Kind, lines: Lines) -> Result<Outcome, Failure> {
        let Some(path) = lines.lines else {
            return Err(usage(anyhow!("expected a PID, or --lines FILE")));
        };
        let mut outcomes = Outcomes::default();
        each_line(&path, async |Task { line, value }| {
            let mut named = None;
            let done = async {
                let (name, deed) = task(kind, value?)?;
                named = Some(name.to_string());
                self.deed(&name, deed).await
            }
            .await;
            outcomes.note(line, named.as_deref(), done)
        })
        .await?;
        Ok(outcomes.end())
    }

    async fn deed(&self, name: &PidName, deed: Deed) -> Result<Value, RecordsError> {
        let change = match deed {
            Deed::Create { status, record } => {
                let target = match record {
                    Some(record) => PidTarget::Record(self.record(&record).await?),
                    None => PidTarget::Nothing,
                };
                let pid = Pid { name: name.clone(), status, target };
                self.store.create_pid(&pid, self.now).await?;
                return Ok(told(&pid));
            }
            Deed::Assign { record, overwrite } => {
                PidChange::Assign { record: self.record(&record).await?, overwrite }
            }
            Deed::Change(change) => change,
        };
        Ok(match self.store.change_pid(name, &change, self.now).await? {
            Some(pid) => told(&pid),
            None => json!({"pid": name.to_string(), "removed": true}),
        })
    }

    async fn resolved(&self, name: &PidName) -> Result<Value, RecordsError> {
        let resolution = self.records.resolve(name).await?;
        let path: Vec<Value> =
            resolution.path.iter().map(|pid| pid.name.to_string().into()).collect();
        Ok(json!({
            "pid": name.to_string(),
            "path": path,
            "uuid": resolution.record.to_string(),
        }))
    }

    async fn record(&self, name: &Name) -> Result<uuid::Uuid, RecordsError> {
        Ok(self.records.get_with_deleted(name).await?.id)
    }
}

/// A deed that its kind says all of.
fn plain(kind: Kind) -> Deed {
    Deed::Change(match kind {
        Kind::Reserve => PidChange::Reserve,
        Kind::Register => PidChange::Register,
        Kind::Delete => PidChange::Delete,
        _ => PidChange::Unassign,
    })
}

/// What a line says.
fn task(kind: Kind, value: Value) -> Result<(PidName, Deed), RecordsError> {
    let known: &[&str] = match kind {
        Kind::Create => &["pid", "status", "record"],
        Kind::Assign => &["pid", "record", "overwrite"],
        Kind::Redirect => &["pid", "to"],
        _ => &["pid"],
    };
    let mut members = Members::of(value, known)?;
    let text = |members: &mut Members, key: &str| match members.text(key)? {
        Some(text) => Ok(text),
        None => Err(wrong(format!("the task has no {key:?}"))),
    };
    let pid = pid_name(&text(&mut members, "pid")?).map_err(wrong)?;
    let deed = match kind {
        Kind::Create => {
            let letter = members.text("status")?;
            let record = members.text("record")?;
            Deed::Create {
                status: status(letter.as_deref().unwrap_or("K")).map_err(wrong)?,
                record: record.map(|name| record_name(&name)).transpose().map_err(wrong)?,
            }
        }
        Kind::Assign => Deed::Assign {
            record: record_name(&text(&mut members, "record")?).map_err(wrong)?,
            overwrite: match members.take("overwrite") {
                None => false,
                Some(Value::Bool(overwrite)) => overwrite,
                Some(other) => {
                    return Err(wrong(format!("\"overwrite\" is {other}, expected true or false")));
                }
            },
        },
        Kind::Redirect => {
            let to = pid_name(&text(&mut members, "to")?).map_err(wrong)?;
            Deed::Change(PidChange::Redirect(to))
        }
        other => plain(other),
    };
    Ok((pid, deed))
}

/// A status that a PID can be made with.
fn status(letter: &str) -> Result<PidStatus, String> {
    match letter.parse()? {
        PidStatus::Redirected => Err("a PID is redirected by `windrow pids redirect`".to_owned()),
        status => Ok(status),
    }
}

fn told(pid: &Pid) -> Value {
    let mut told = Map::new();
    told.insert("pid".to_owned(), pid.name.to_string().into());
    told.insert("status".to_owned(), pid.status.as_str().into());
    match &pid.target {
        PidTarget::Nothing => {}
        PidTarget::Record(record) => {
            told.insert("uuid".to_owned(), record.to_string().into());
        }
        PidTarget::Pid(to) => {
            told.insert("to".to_owned(), to.to_string().into());
        }
    }
    Value::Object(told)
}
