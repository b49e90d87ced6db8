//! Transforms: a closed, typed library, one row each in [`TRANSFORMS`].

mod build;
mod countries;
mod dates;
mod derived;
mod endings;
mod keeps;
mod language;
mod list;
mod names;
pub(super) mod numbers;
pub(super) mod pattern;
mod pipe;
pub(super) mod settled;
mod table;
pub(super) mod text;

pub use build::Argument;
pub use keeps::Keeps;
pub use list::List;
pub use pipe::{Pipe, PipeContext, PipeError, parse_pipe};
pub use table::{Family, Row, TRANSFORMS};

use std::borrow::Cow;
use std::sync::Arc;

use uuid::Uuid;

use super::table::{Miss, Table};
use pattern::Pattern;

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
    Replace(Pattern, String),
    /// `keep(regex)`: only values that match.
    Keep(Pattern),
    /// `drop(regex)`: only values that do not.
    Drop(Pattern),
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
    /// `lookup_prefix(table)`
    LookupPrefix(Arc<Table>),
    /// `int`, `float`: the output is a number, not text; the code when it is none.
    Number(fn(&str) -> Option<String>, &'static str),
    /// `uuid5(namespace)`
    Uuid5(Uuid),
    /// `unique`, `sort`, `first`, `last`: over all values of a rule, once they are gathered.
    List(List),
}

/// What becomes of a value.
#[derive(Debug)]
pub enum Applied<'v> {
    /// Another value, or the same.
    One(Cow<'v, str>),
    /// A number: written to JSON as it stands, not as a string.
    Number(String),
    /// Nothing.
    None,
    /// Several values.
    Many(Vec<Cow<'v, str>>),
    /// A failure: its code, and the value as it was.
    Failed(&'static str, Cow<'v, str>),
}

/// What becomes of a text that is only borrowed.
#[derive(Debug)]
pub enum Part<'v> {
    /// A part of it, or a text of the plan.
    Text(&'v str),
    /// Nothing.
    Nothing,
    /// A new text, a failure: for [`Step::apply`] to tell.
    Other,
}

#[inline]
fn total<'v>(text: Cow<'v, str>, transform: impl Fn(&str) -> Cow<'_, str>) -> Applied<'v> {
    Applied::One(match text {
        Cow::Borrowed(text) => transform(text),
        Cow::Owned(text) => {
            let changed = match transform(&text) {
                Cow::Borrowed(same) if same.len() == text.len() => None,
                other => Some(other.into_owned()),
            };
            Cow::Owned(changed.unwrap_or(text))
        }
    })
}

fn fallible<'v>(
    text: Cow<'v, str>,
    transform: fn(&str) -> Result<Cow<'_, str>, &'static str>,
) -> Applied<'v> {
    match text {
        Cow::Borrowed(text) => match transform(text) {
            Ok(changed) => Applied::One(changed),
            Err(code) => Applied::Failed(code, Cow::Borrowed(text)),
        },
        Cow::Owned(text) => match transform(&text).map(Cow::into_owned) {
            Ok(changed) => Applied::One(Cow::Owned(changed)),
            Err(code) => Applied::Failed(code, Cow::Owned(text)),
        },
    }
}

impl Step {
    /// Applies the transform to one value.
    #[inline(always)]
    pub fn apply<'v>(&'v self, text: Cow<'v, str>) -> Applied<'v> {
        match self {
            Step::Total(transform) => total(text, *transform),
            Step::Fallible(transform) => fallible(text, *transform),
            Step::Rstrip(characters) => total(text, |text| text::rstrip(text, characters)),
            Step::Prefix(front) => total(text, |text| text::prefix(text, front)),
            Step::Suffix(end) => total(text, |text| text::suffix(text, end)),
            Step::Slice(from, to) => total(text, |text| text::slice(text, *from, *to)),
            Step::Truncate(length) => total(text, |text| text::truncate(text, *length)),
            Step::Nonfiling(count) => total(text, |text| text::nonfiling(text, *count)),
            Step::Replace(regex, with) => total(text, |text| regex.replace_all(text, with)),
            Step::Keep(regex) if !regex.is_match(&text) => Applied::None,
            Step::Drop(regex) if regex.is_match(&text) => Applied::None,
            Step::Keep(_) | Step::Drop(_) => Applied::One(text),
            Step::Split(separator) => Applied::Many(match text {
                Cow::Borrowed(text) => pieces(text, separator).map(Cow::Borrowed).collect(),
                Cow::Owned(text) => {
                    pieces(&text, separator).map(|piece| Cow::Owned(piece.to_owned())).collect()
                }
            }),
            Step::Chunks(size) => chunks(text, *size),
            Step::Lookup(table) => looked_up(table.get(&text), table.miss, text),
            Step::LookupPrefix(table) => looked_up(table.get_prefix(&text), table.miss, text),
            Step::Number(number, code) => match number(&text) {
                Some(number) => Applied::Number(number),
                None => Applied::Failed(code, text),
            },
            Step::Uuid5(namespace) => Applied::One(Cow::Owned(derived::uuid5(&text, namespace))),
            // Of one value it leaves that value.
            Step::List(_) => Applied::One(text),
        }
    }

    /// Whether [`Step::part_of`] is worth a try.
    fn is_quick(&self) -> bool {
        !matches!(
            self,
            Step::Prefix(_)
                | Step::Suffix(_)
                | Step::Split(_)
                | Step::Number(..)
                | Step::Uuid5(_)
                | Step::List(_)
        )
    }

    /// What [`Step::apply`] would make of a text, without making one.
    #[inline]
    fn part_of<'v>(&'v self, text: &'v str) -> Part<'v> {
        let changed = match self {
            Step::Total(transform) => transform(text),
            Step::Fallible(transform) => match transform(text) {
                Ok(changed) => changed,
                Err(_) => return Part::Other,
            },
            Step::Rstrip(characters) => text::rstrip(text, characters),
            Step::Slice(from, to) => text::slice(text, *from, *to),
            Step::Truncate(length) => text::truncate(text, *length),
            Step::Nonfiling(count) => text::nonfiling(text, *count),
            Step::Replace(regex, with) => regex.replace_all(text, with),
            Step::Keep(regex) if !regex.is_match(text) => return Part::Nothing,
            Step::Drop(regex) if regex.is_match(text) => return Part::Nothing,
            Step::Keep(_) | Step::Drop(_) => return Part::Text(text),
            // What has so few bytes has no more characters.
            Step::Chunks(size) if text.len() <= *size => return Part::Text(text),
            Step::Lookup(table) => return found_in(table.get(text), table.miss, text),
            Step::LookupPrefix(table) => return found_in(table.get_prefix(text), table.miss, text),
            _ => return Part::Other,
        };
        match changed {
            Cow::Borrowed(part) => Part::Text(part),
            Cow::Owned(_) => Part::Other,
        }
    }

    /// Whether it can fail and so needs an `on_error` in force.
    #[must_use]
    pub fn can_fail(&self) -> bool {
        match self {
            Step::Fallible(_) | Step::Number(..) => true,
            Step::Lookup(table) | Step::LookupPrefix(table) => table.miss == Miss::Error,
            _ => false,
        }
    }
}

fn looked_up<'v>(found: Option<&'v str>, miss: Miss, text: Cow<'v, str>) -> Applied<'v> {
    match (found, miss) {
        (Some(found), _) => Applied::One(Cow::Borrowed(found)),
        (None, Miss::Keep) => Applied::One(text),
        (None, Miss::Null) => Applied::None,
        (None, Miss::Error) => Applied::Failed("lookup.miss", text),
    }
}

fn found_in<'v>(found: Option<&'v str>, miss: Miss, text: &'v str) -> Part<'v> {
    match (found, miss) {
        (Some(found), _) => Part::Text(found),
        (None, Miss::Keep) => Part::Text(text),
        (None, Miss::Null) => Part::Nothing,
        (None, Miss::Error) => Part::Other,
    }
}

/// The pieces between separators that are not blank.
fn pieces<'t>(text: &'t str, separator: &str) -> impl Iterator<Item = &'t str> {
    text.split(separator).filter(|piece| !piece.trim().is_empty())
}

/// Pieces of `size` characters.
fn chunks(text: Cow<'_, str>, size: usize) -> Applied<'_> {
    if text.chars().nth(size).is_none() {
        return Applied::One(text);
    }
    let starts = text.char_indices().step_by(size.max(1)).map(|(at, _)| at);
    let bounds: Vec<usize> = starts.chain([text.len()]).collect();
    let ranges = bounds.iter().zip(bounds.iter().skip(1));
    let piece = |(from, to): (&usize, &usize)| text.get(*from..*to).unwrap_or("").to_owned();
    Applied::Many(ranges.map(|range| Cow::Owned(piece(range))).collect())
}
