//! What the verbs on single records and PIDs share: tasks from a file, an outcome line for each.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use serde_json::{Map, Value, json};

use super::{Failure, Outcome, talk, usage};
use crate::record::PidName;
use crate::records::{Name, RecordsError, read_value};

/// Where tasks come from.
#[derive(Debug, Clone, clap::Args)]
pub struct Lines {
    /// A task a line, as JSON, from a file or `-` (stdin); the outcome of each is a line, and the
    /// exit status is 1 when some failed
    #[arg(long, value_name = "FILE")]
    pub lines: Option<PathBuf>,
}

/// One JSON value of an input, and where it stands.
pub struct Task {
    /// From 1.
    pub line: u64,
    /// What it says, or why it is no JSON.
    pub value: Result<Value, RecordsError>,
}

/// Opens a file; `-` is stdin.
pub fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(BufReader::new(std::io::stdin())));
    }
    let file = std::fs::File::open(path);
    let file = file.with_context(|| format!("cannot read {}", path.display())).map_err(usage)?;
    Ok(Box::new(BufReader::new(file)))
}

/// Reads the one JSON value that a file is.
pub fn read_one(path: &Path) -> Result<Value, Failure> {
    let mut text = String::new();
    open(path)?
        .read_to_string(&mut text)
        .with_context(|| format!("cannot read {}", path.display()))?;
    read_value(&text).map_err(|error| failed(&error))
}

/// Gives every task of a file of JSON lines to `take`; empty lines are none.
pub async fn each_line(
    path: &Path,
    mut take: impl AsyncFnMut(Task) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for (at, line) in open(path)?.lines().enumerate() {
        let line = line.with_context(|| format!("cannot read {}", path.display()))?;
        if !line.trim().is_empty() {
            take(Task { line: at as u64 + 1, value: read_value(&line) }).await?;
        }
    }
    Ok(())
}

/// Gives every value of a file to `take`: JSON lines, one value over many lines, or the elements
/// of an array.
pub async fn each_value(
    path: &Path,
    mut take: impl AsyncFnMut(Task) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut input = open(path)?;
    let mut first = String::new();
    while first.trim().is_empty() {
        let unread = || format!("cannot read {}", path.display());
        if input.read_line(&mut first).with_context(unread)? == 0 {
            return Ok(());
        }
    }
    let opens_more = || {
        let truncated = |error: &RecordsError| error.code() == "json.truncated";
        read_value(&first).as_ref().err().is_some_and(truncated)
    };
    if opens_more() {
        input
            .read_to_string(&mut first)
            .with_context(|| format!("cannot read {}", path.display()))?;
    }
    match read_value(&first) {
        Ok(Value::Array(values)) => {
            for (at, value) in values.into_iter().enumerate() {
                take(Task { line: at as u64 + 1, value: Ok(value) }).await?;
            }
        }
        value => take(Task { line: 1, value }).await?,
    }
    for (at, line) in input.lines().enumerate() {
        let line = line.with_context(|| format!("cannot read {}", path.display()))?;
        if !line.trim().is_empty() {
            take(Task { line: at as u64 + 2, value: read_value(&line) }).await?;
        }
    }
    Ok(())
}

/// Codes of errors that are the store's, not a task's: the next task would meet them, too.
const ENDING: [&str; 6] = ["away", "contended", "damaged", "failed", "full", "read_only"];

/// Prints outcomes and counts those that failed.
#[derive(Default)]
pub struct Outcomes {
    done: u64,
    failed: u64,
}

impl Outcomes {
    /// Prints what came of a task: a line of what it made, or of why it failed. What fails for
    /// reasons of the store itself ends the command.
    pub fn note(
        &mut self,
        line: u64,
        name: Option<&str>,
        result: Result<Value, RecordsError>,
    ) -> Result<(), Failure> {
        let printed = match result {
            Ok(value) => {
                self.done += 1;
                value
            }
            Err(error) if ENDING.contains(&error.code()) => return Err(failed(&error)),
            Err(error) => {
                self.failed += 1;
                let mut told = Map::new();
                told.insert("line".to_owned(), line.into());
                if let Some(name) = name {
                    told.insert("pid".to_owned(), name.into());
                }
                let code = error.code();
                told.insert(
                    "error".to_owned(),
                    json!({"code": code, "message": error.to_string()}),
                );
                Value::Object(told)
            }
        };
        print(&printed)
    }

    /// How the command ends.
    pub fn end(self) -> Outcome {
        if self.failed == 0 {
            return Outcome::Clean;
        }
        talk(format_args!("{} done, {} failed", self.done, self.failed));
        Outcome::Quarantined
    }
}

/// Prints a line of JSON.
pub fn print(value: &Value) -> Result<(), Failure> {
    writeln!(std::io::stdout().lock(), "{value}")?;
    Ok(())
}

/// The failure that an error of a single task is.
pub fn failed(error: &RecordsError) -> Failure {
    let told = anyhow!("{error} [{}]", error.code());
    match error {
        RecordsError::Store(error) if error.is_transient() => Failure::TryLater(told),
        _ => Failure::Failed(told),
    }
}

/// What a record is asked for by: a UUID, `TYPE:VALUE`, or the value of a recid.
pub fn record_name(text: &str) -> Result<Name, String> {
    match text.parse() {
        Ok(uuid) => Ok(Name::Uuid(uuid)),
        Err(_) => pid_name(text).map(Name::Pid),
    }
}

/// A PID: `TYPE:VALUE`, or the value of a recid.
pub fn pid_name(text: &str) -> Result<PidName, String> {
    text.parse().map_err(|error: crate::record::PidNameError| error.to_string())
}

/// Members of a task, of which none is one that the verb does not know.
pub struct Members(Map<String, Value>);

impl Members {
    /// The members of a task, which may be these.
    pub fn of(value: Value, known: &[&str]) -> Result<Members, RecordsError> {
        let Value::Object(members) = value else {
            return Err(wrong("a task is a JSON object"));
        };
        match members.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => {
                Err(wrong(format!("unknown member {key:?}, expected {}", known.join(", "))))
            }
            None => Ok(Members(members)),
        }
    }

    /// A member as it is.
    pub fn take(&mut self, key: &str) -> Option<Value> {
        self.0.remove(key)
    }

    /// A member that must be there.
    pub fn required(&mut self, key: &str) -> Result<Value, RecordsError> {
        self.take(key).ok_or_else(|| wrong(format!("the task has no {key:?}")))
    }

    /// A text.
    pub fn text(&mut self, key: &str) -> Result<Option<String>, RecordsError> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong(format!("{key:?} is {other}, expected a text"))),
        }
    }

    /// A whole number.
    pub fn number(&mut self, key: &str) -> Result<Option<i64>, RecordsError> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => match value.as_i64() {
                Some(number) => Ok(Some(number)),
                None => Err(wrong(format!("{key:?} is {value}, expected a whole number"))),
            },
        }
    }
}

/// The error of a task that says what no task says.
pub fn wrong(message: impl Into<String>) -> RecordsError {
    RecordsError::Json { code: "task", message: message.into() }
}
