//! Reading what is given as JSON without losing a word of it.

use serde_json::Value;

use super::RecordsError;
use crate::json::value::{Broken, parse};

/// Reads a JSON value; what `serde_json` would change without a word is an error.
///
/// # Errors
/// [`RecordsError::Json`].
pub fn read_value(text: &str) -> Result<Value, RecordsError> {
    let mut warnings = Vec::new();
    let value = parse(text.trim(), Broken::Refuse, &mut warnings)
        .map_err(|error| RecordsError::Json { code: error.code, message: error.message })?;
    match warnings.into_iter().next() {
        Some(warning) => Err(RecordsError::Json { code: warning.code, message: warning.message }),
        None => Ok(value),
    }
}

/// Reads a record: a JSON object.
///
/// # Errors
/// [`RecordsError::Json`] and [`RecordsError::NotAnObject`].
pub fn read_record(text: &str) -> Result<Value, RecordsError> {
    let value = read_value(text)?;
    if value.is_object() { Ok(value) } else { Err(RecordsError::NotAnObject) }
}
