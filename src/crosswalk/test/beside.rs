//! Tests beside a crosswalk: `NAME.test.yaml`, and `NAME.test/`, a folder for each case.
//!
//! A case has `input.*`, whose first record is mapped, and `expected.*`, all that must come of it,
//! or `expected.yaml`, what must come of it. In `todo.txt` stands why it fails so far; it turns red
//! when it passes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::crosswalk::syntax::{InlineTest, Spanned, TestInput, read_expectation, read_tests};
use crate::yaml::{Diagnostics, SourceText, Span};

/// Why the tests beside a crosswalk cannot be run.
#[derive(Debug, Error)]
pub enum BesideError {
    /// A file or folder cannot be read.
    #[error("cannot read {path}: {reason}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        reason: std::io::Error,
    },
    /// A folder is no case.
    #[error("{path}: {what}")]
    Case {
        /// The folder.
        path: PathBuf,
        /// What is missing or too much.
        what: String,
    },
    /// A file has mistakes.
    #[error("{0}")]
    Invalid(Diagnostics),
}

/// A test, and where it stands.
#[derive(Debug)]
pub struct Placed {
    /// The test.
    pub test: InlineTest,
    /// `FILE:LINE`, or the folder of the case.
    pub place: String,
    /// What the paths in it are relative to.
    pub folder: PathBuf,
    /// Why it fails so far.
    pub todo: Option<String>,
}

/// The tests beside the crosswalk of this path; none where there are no such files.
///
/// # Errors
/// [`BesideError`]
pub fn beside(crosswalk: &Path) -> Result<Vec<Placed>, BesideError> {
    let mut found = Vec::new();
    let file = crosswalk.with_extension("test.yaml");
    if file.is_file() {
        let source = source(&file)?;
        for test in read_tests(&source).map_err(BesideError::Invalid)? {
            let line = source.line_column(test.span.start).0;
            let place = format!("{}:{line}", source.name);
            let folder = file.parent().unwrap_or(Path::new("")).to_owned();
            found.push(Placed { test, place, folder, todo: None });
        }
    }
    let folder = crosswalk.with_extension("test");
    if folder.is_dir() {
        for case in entries(&folder)?.into_iter().filter(|entry| entry.is_dir()) {
            found.push(case_of(case)?);
        }
    }
    Ok(found)
}

fn case_of(folder: PathBuf) -> Result<Placed, BesideError> {
    let wrong = |what: &str| BesideError::Case { path: folder.clone(), what: what.to_owned() };
    let (mut input, mut whole, mut partial, mut todo) = (None, None, None, None);
    for path in entries(&folder)? {
        let name = path.file_name().map_or_else(Default::default, |name| name.to_string_lossy());
        let place = match &*name {
            "todo.txt" => &mut todo,
            "expected.yaml" => &mut partial,
            name if name.starts_with("input.") => &mut input,
            name if name.starts_with("expected.") => &mut whole,
            other => return Err(wrong(&format!("`{other}` is no part of a case"))),
        };
        if place.replace(path.clone()).is_some() {
            return Err(wrong(&format!("`{name}` is there beside another one")));
        }
    }
    let Some(input) = input else { return Err(wrong("has no `input.*`")) };
    if whole.is_none() && partial.is_none() {
        return Err(wrong("has neither `expected.*` nor `expected.yaml`"));
    }
    let span = Span { file: 0, start: 0, end: 0 };
    let name = input.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let input = TestInput::File(Spanned { value: name, span }, None);
    let mut test = match &partial {
        None => InlineTest { input, ..InlineTest::default() },
        Some(path) => read_expectation(&source(path)?, input).map_err(BesideError::Invalid)?,
    };
    if test.name.is_empty() {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        test.name = name.replace(['_', '-'], " ");
    }
    if let Some(path) = &whole {
        // JSON as a value, anything else as its text.
        let text = text(path)?;
        let value = serde_json::from_str(&text);
        test.exact = Some(value.unwrap_or(serde_json::Value::String(text)));
    }
    let todo = todo.as_deref().map(text).transpose()?.map(|reason| reason.trim().to_owned());
    Ok(Placed { test, place: folder.display().to_string(), folder, todo })
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, BesideError> {
    let error = |reason| BesideError::Read { path: folder.to_owned(), reason };
    let entries = std::fs::read_dir(folder).map_err(error)?;
    let mut found = Vec::new();
    for entry in entries {
        found.push(entry.map_err(error)?.path());
    }
    found.sort();
    Ok(found)
}

fn text(path: &Path) -> Result<String, BesideError> {
    let error = |reason| BesideError::Read { path: path.to_owned(), reason };
    std::fs::read_to_string(path).map_err(error)
}

fn source(path: &Path) -> Result<Arc<SourceText>, BesideError> {
    Ok(Arc::new(SourceText { name: path.display().to_string(), text: text(path)? }))
}
