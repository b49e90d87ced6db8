//! Transforms: a closed, typed library, one row each in [`TRANSFORMS`].

mod dates;
mod language;
mod names;
mod pipe;
mod table;
mod text;

pub use pipe::{Pipe, PipeContext, PipeError, parse_pipe};
pub use table::{Argument, Row, TRANSFORMS};

use std::borrow::Cow;
use std::sync::Arc;

use regex::Regex;

use super::table::{Miss, Table};

/// What one transform makes of one value.
#[derive(Debug)]
pub enum Step {
    /// Always gives a value.
    Total(fn(&str) -> Cow<'_, str>),
    /// May fail, with a stable code.
    Fallible(fn(&str) -> Result<Cow<'_, str>, &'static str>),
    /// `rstrip(chars)`
    Rstrip(String),
    /// `prefix(text)`
    Prefix(String),
    /// `suffix(text)`
    Suffix(String),
    /// `replace(regex, text)`
    Replace(Regex, String),
    /// `keep(regex)`: only values that match.
    Keep(Regex),
    /// `drop(regex)`: only values that do not.
    Drop(Regex),
    /// `split(separator)`: one value becomes many.
    Split(String),
    /// `chunks(n)`: pieces of n characters.
    Chunks(usize),
    /// `slice(from)` or `slice(from, to)`: characters, the end exclusive.
    Slice(usize, Option<usize>),
    /// `truncate(n)`
    Truncate(usize),
    /// `nonfiling(n)`
    Nonfiling(usize),
    /// `lookup(table)`
    Lookup(Arc<Table>),
    /// `int`: the output is a number, not text.
    Int,
}

/// A value on its way through a pipe.
#[derive(Debug, Clone)]
pub struct Piped<'v> {
    /// Its text; of a number, its digits.
    pub text: Cow<'v, str>,
    /// Whether it is written to JSON as it stands (a number) and not as a string.
    pub raw: bool,
}

fn total<'v>(text: Cow<'v, str>, transform: impl Fn(&str) -> Cow<'_, str>) -> Cow<'v, str> {
    match text {
        Cow::Borrowed(text) => transform(text),
        Cow::Owned(text) => {
            let changed = match transform(&text) {
                Cow::Borrowed(same) if same.len() == text.len() => None,
                other => Some(other.into_owned()),
            };
            Cow::Owned(changed.unwrap_or(text))
        }
    }
}

fn fallible<'v>(
    text: Cow<'v, str>,
    transform: fn(&str) -> Result<Cow<'_, str>, &'static str>,
) -> Result<Cow<'v, str>, &'static str> {
    match text {
        Cow::Borrowed(text) => transform(text),
        Cow::Owned(text) => transform(&text).map(|changed| Cow::Owned(changed.into_owned())),
    }
}

impl Step {
    /// Applies the transform; `out` gets what becomes of the value: nothing, one value or many.
    ///
    /// # Errors
    /// The code of the failure.
    pub fn apply<'v>(
        &'v self,
        value: Piped<'v>,
        out: &mut dyn FnMut(Piped<'v>),
    ) -> Result<(), &'static str> {
        let Piped { text, raw } = value;
        let text = match self {
            Step::Total(transform) => total(text, *transform),
            Step::Fallible(transform) => fallible(text, *transform)?,
            Step::Rstrip(characters) => total(text, |text| text::rstrip(text, characters)),
            Step::Prefix(front) => total(text, |text| text::prefix(text, front)),
            Step::Suffix(end) => total(text, |text| text::suffix(text, end)),
            Step::Slice(from, to) => total(text, |text| text::slice(text, *from, *to)),
            Step::Truncate(length) => total(text, |text| text::truncate(text, *length)),
            Step::Nonfiling(count) => total(text, |text| text::nonfiling(text, *count)),
            Step::Replace(regex, with) => {
                if regex.is_match(&text) {
                    Cow::Owned(regex.replace_all(&text, with.as_str()).into_owned())
                } else {
                    text
                }
            }
            Step::Keep(regex) if !regex.is_match(&text) => return Ok(()),
            Step::Drop(regex) if regex.is_match(&text) => return Ok(()),
            Step::Keep(_) | Step::Drop(_) => text,
            Step::Split(separator) => {
                for (start, piece) in pieces(&text, separator) {
                    out(Piped { text: cut(text.clone(), start, start + piece), raw });
                }
                return Ok(());
            }
            Step::Chunks(size) => {
                let bounds: Vec<usize> =
                    text.char_indices().step_by((*size).max(1)).map(|(at, _)| at).collect();
                for (n, start) in bounds.iter().enumerate() {
                    let end = bounds.get(n + 1).copied().unwrap_or(text.len());
                    out(Piped { text: cut(text.clone(), *start, end), raw });
                }
                return Ok(());
            }
            Step::Lookup(table) => match (table.get(&text), table.miss) {
                (Some(found), _) => Cow::Borrowed(found),
                (None, Miss::Keep) => text,
                (None, Miss::Null) => return Ok(()),
                (None, Miss::Error) => return Err("lookup.miss"),
            },
            Step::Int => {
                let digits = text.trim();
                let number: i64 = digits.parse().map_err(|_| "int.shape")?;
                out(Piped { text: Cow::Owned(number.to_string()), raw: true });
                return Ok(());
            }
        };
        out(Piped { text, raw });
        Ok(())
    }

    /// Whether it can fail and so needs an `on_error` in force.
    #[must_use]
    pub fn can_fail(&self) -> bool {
        match self {
            Step::Fallible(_) | Step::Int => true,
            Step::Lookup(table) => table.miss == Miss::Error,
            _ => false,
        }
    }
}

fn cut(text: Cow<'_, str>, start: usize, end: usize) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(start..end).unwrap_or("")),
        Cow::Owned(text) => Cow::Owned(text.get(start..end).unwrap_or("").to_owned()),
    }
}

/// Offset and length of the non-empty pieces between separators.
fn pieces(text: &str, separator: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    for piece in text.split(separator) {
        if !piece.trim().is_empty() {
            found.push((at, piece.len()));
        }
        at += piece.len() + separator.len();
    }
    found
}
