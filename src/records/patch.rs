//! JSON Patch (RFC 6902) on a record: all of it or nothing.
//!
//! The `json-patch` crate does the operations. Done here is what it leaves open: numbers are
//! equal when their values are (§4.6), and a patch cannot make a record grow without bounds.

use json_patch::{Patch, PatchOperation, patch_unsafe};
use serde_json::Value;
use thiserror::Error;

use crate::json::value::MAX_DEPTH;

/// All `copy` operations of a patch may copy so many values.
const MOST_COPIED: usize = 1_000_000;

/// Why a patch was not applied.
#[derive(Debug, Error)]
pub enum PatchError {
    /// It is no list of operations of RFC 6902.
    #[error("not a JSON Patch: {0}")]
    Syntax(String),
    /// An operation cannot be done.
    #[error("operation {number} of the patch ({verb} {path:?}): {reason}")]
    Operation {
        /// From 1.
        number: usize,
        /// `add`, `remove`, `replace`, `move`, `copy` or `test`.
        verb: &'static str,
        /// Its `path`.
        path: String,
        /// What was found and expected.
        reason: String,
    },
    /// The record would be nested too deep, or would be too large.
    #[error("operation {0} of the patch makes the record too large or too deep")]
    TooLarge(usize),
}

impl PatchError {
    /// A stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            PatchError::Syntax(_) => "patch.syntax",
            PatchError::Operation { verb: "test", .. } => "patch.test",
            PatchError::Operation { .. } => "patch.operation",
            PatchError::TooLarge(_) => "patch.too_large",
        }
    }
}

/// The record after a patch; the one before stays as it is.
///
/// # Errors
/// [`PatchError`]; nothing is applied then.
pub fn patched(record: &Value, patch: &Value) -> Result<Value, PatchError> {
    // The crate reads through members that an operation has no use for; so does the standard.
    let Patch(operations) = serde_json::from_value(patch.clone())
        .map_err(|error| PatchError::Syntax(error.to_string()))?;
    let mut record = record.clone();
    let mut copied = 0;
    for (at, operation) in operations.iter().enumerate() {
        let number = at + 1;
        let failed = |reason: String| PatchError::Operation {
            number,
            verb: verb(operation),
            path: operation.path().to_string(),
            reason,
        };
        match operation {
            PatchOperation::Test(test) => {
                let found = record.pointer(test.path.as_str());
                let found = found.ok_or_else(|| failed("there is nothing".to_owned()))?;
                if !is_equal(found, &test.value) {
                    return Err(failed("the value is another one".to_owned()));
                }
                continue;
            }
            PatchOperation::Copy(copy) => {
                copied += record.pointer(copy.from.as_str()).map_or(0, size);
                if copied > MOST_COPIED {
                    return Err(PatchError::TooLarge(number));
                }
            }
            _ => {}
        }
        patch_unsafe(&mut record, std::slice::from_ref(operation))
            .map_err(|error| failed(error.kind.to_string()))?;
        if depth(&record) >= MAX_DEPTH {
            return Err(PatchError::TooLarge(number));
        }
    }
    Ok(record)
}

fn verb(operation: &PatchOperation) -> &'static str {
    match operation {
        PatchOperation::Add(_) => "add",
        PatchOperation::Remove(_) => "remove",
        PatchOperation::Replace(_) => "replace",
        PatchOperation::Move(_) => "move",
        PatchOperation::Copy(_) => "copy",
        PatchOperation::Test(_) => "test",
    }
}

/// Equal as §4.6 has it: 1, 1.0 and 1e0 are one number.
fn is_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || (one.is_f64() != other.is_f64() && one.as_f64() == other.as_f64())
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| is_equal(a, b))
        }
        (Value::Object(one), Value::Object(other)) => {
            let same = |(key, value): (&String, &Value)| {
                other.get(key).is_some_and(|other| is_equal(value, other))
            };
            one.len() == other.len() && one.iter().all(same)
        }
        _ => one == other,
    }
}

/// How many values a value is.
fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
