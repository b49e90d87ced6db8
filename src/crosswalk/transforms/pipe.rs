//! Pipes: `nfc | trim_isbd | rstrip(',')` compiled into steps.

use std::collections::HashMap;
use std::sync::Arc;

use super::settled::{Looks, looks};
use super::{Argument, Part, Step, TRANSFORMS};
use crate::crosswalk::table::{Miss, Table, TableEntry};
use crate::yaml::suggest;

/// Steps in the order in which they are applied.
#[derive(Debug)]
pub struct Pipe {
    /// The steps.
    pub steps: Vec<Step>,
    /// The transform names, for messages; as long as `steps`.
    pub names: Vec<String>,
    /// So many steps at the front leave a settled text as it is (`settled::looks`).
    pub settled: usize,
    /// They do so to a text beyond ASCII too .
    pub beyond_ascii: bool,
    /// It can be tried on a borrowed text ([`Pipe::part_of`]).
    pub quick: bool,
    /// So many steps are applied value by value; the next one, if any, is a [`Step::List`].
    pub each: usize,
}

impl Default for Pipe {
    fn default() -> Pipe {
        let (steps, names) = (Vec::new(), Vec::new());
        Pipe { steps, names, settled: 0, beyond_ascii: true, quick: true, each: 0 }
    }
}

/// So deep do named pipes stand in each other.
const DEEPEST: usize = 8;

/// Transforms that leave a settled text as it is.
const SETTLED: &[&str] = &["collapse_ws", "nfc", "nfkc", "trim"];

impl Pipe {
    /// Where the steps from `from` on that are applied value by value end.
    #[must_use]
    pub fn end(&self, from: usize) -> usize {
        if from <= self.each {
            return self.each;
        }
        let rest = self.steps.get(from..).unwrap_or_default();
        let is_list = |step: &Step| matches!(step, Step::List(_));
        rest.iter().position(is_list).map_or(self.steps.len(), |n| from + n)
    }

    /// What it makes of a text, and whether that surely holds nothing that JSON escapes; as far as
    /// that is told without making a new text.
    #[inline(always)]
    pub fn part_of<'v>(&'v self, text: &'v str) -> (Part<'v>, bool) {
        let (mut at, mut plain) = (0, false);
        if self.settled > 0
            && let Looks { settled: true, plain: is_plain } = looks(text, self.beyond_ascii)
        {
            (at, plain) = (self.settled, is_plain);
        }
        let whole = text.as_bytes().as_ptr_range();
        let mut text = text;
        for step in self.steps.get(at..).unwrap_or_default() {
            match step.part_of(text) {
                Part::Text(part) => text = part,
                other => return (other, false),
            }
        }
        (Part::Text(text), plain && whole.contains(&text.as_ptr()))
    }

    /// Whether it has steps over all values of a rule.
    #[must_use]
    pub fn has_lists(&self) -> bool {
        self.each < self.steps.len()
    }

    /// The first transform that can fail.
    #[must_use]
    pub fn fallible(&self) -> Option<&str> {
        let n = self.steps.iter().position(Step::can_fail)?;
        self.names.get(n).map(String::as_str)
    }
}

/// What pipes can name: the tables and the named pipes of a crosswalk.
#[derive(Debug, Default)]
pub struct PipeContext {
    /// Tables by name.
    pub tables: HashMap<String, Arc<Table>>,
    /// Named pipes by name, as text.
    pub pipes: HashMap<String, String>,
}

/// What is wrong with a pipe, and where (in bytes).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipeError {
    /// A diagnostic code.
    pub code: &'static str,
    /// Offset into the text.
    pub at: usize,
    /// Length of what is wrong.
    pub length: usize,
    /// What was found and what was expected.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Compiles a pipe; all its mistakes at once.
///
/// # Errors
/// At least one [`PipeError`].
pub fn parse_pipe(text: &str, context: &PipeContext) -> Result<Pipe, Vec<PipeError>> {
    let mut pipe = Pipe::default();
    let mut errors = Vec::new();
    parse_into(text, context, 0, &mut pipe, &mut errors);
    let leaves_settled = |name: &&String| SETTLED.contains(&name.as_str());
    pipe.settled = pipe.names.iter().take_while(leaves_settled).count();
    pipe.beyond_ascii = !pipe.names.iter().take(pipe.settled).any(|name| name == "nfkc");
    let is_each = |step: &&Step| !matches!(step, Step::List(_));
    pipe.each = pipe.steps.iter().take_while(is_each).count();
    pipe.quick = pipe.steps.iter().all(Step::is_quick);
    if errors.is_empty() { Ok(pipe) } else { Err(errors) }
}

fn parse_into(
    text: &str,
    context: &PipeContext,
    depth: usize,
    pipe: &mut Pipe,
    errors: &mut Vec<PipeError>,
) {
    for (at, call) in calls(text) {
        let name_end = call.find('(').unwrap_or(call.len());
        let name = call.get(..name_end).unwrap_or("").trim();
        let error = |code, message, hint| PipeError { code, at, length: name.len(), message, hint };
        if let Some(named) = context.pipes.get(name) {
            // Its own mistakes are told where it stands.
            let mut inner = Vec::new();
            if depth < DEEPEST {
                parse_into(named, context, depth + 1, pipe, &mut inner);
            }
            if depth == DEEPEST || inner.iter().any(|error| error.code == "E0204") {
                errors.push(error(
                    "E0204",
                    format!("the pipe `{name}` leads back to itself"),
                    None,
                ));
            }
            continue;
        }
        let Some(row) = TRANSFORMS.iter().find(|row| row.name == name) else {
            let known = TRANSFORMS.iter().map(|row| row.name);
            let known = known.chain(context.pipes.keys().map(String::as_str));
            let hint = suggest(name, known).map(|near| format!("did you mean `{near}`?"));
            errors.push(error("E0203", format!("unknown transform `{name}`"), hint));
            continue;
        };
        let arguments = match arguments(call.get(name_end..).unwrap_or(""), context) {
            Ok(arguments) => arguments,
            Err(message) => {
                errors.push(error("E0205", format!("`{name}`: {message}"), None));
                continue;
            }
        };
        match (row.build)(&arguments) {
            Ok(step) => {
                pipe.steps.push(step);
                pipe.names.push(name.to_owned());
            }
            Err(message) => {
                let hint = Some(format!("its signature is `{}`", row.signature));
                errors.push(error("E0205", format!("`{name}`: {message}"), hint));
            }
        }
    }
}

/// The calls between the bars, each with its offset; bars in quotes or brackets do not count.
fn calls(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut depth = 0_usize;
    let mut quote = None;
    for (at, c) in text.char_indices().chain([(text.len(), '|')]) {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '{' | '[') => depth += 1,
            (None, ')' | '}' | ']') => depth = depth.saturating_sub(1),
            (None, '|') if depth == 0 || at == text.len() => {
                let piece = text.get(start..at).unwrap_or("");
                let lead = piece.len() - piece.trim_start().len();
                found.push((start + lead, piece.trim()));
                start = at + 1;
            }
            _ => {}
        }
    }
    found
}

/// The arguments of `(…)`, or none when there is no bracket.
fn arguments(text: &str, context: &PipeContext) -> Result<Vec<Argument>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let inner = text
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
        .ok_or("a bracket that is not closed")?;
    split_outside_quotes(inner).into_iter().map(|argument| value(argument, context)).collect()
}

fn value(text: &str, context: &PipeContext) -> Result<Argument, String> {
    if let Some(quoted) = unquote(text) {
        return Ok(Argument::Text(quoted.to_owned()));
    }
    if let Ok(number) = text.parse::<usize>() {
        return Ok(Argument::Number(number));
    }
    if let Some(inner) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        let mut entries = Vec::new();
        for entry in split_outside_quotes(inner) {
            let (key, value) = entry.split_once(':').ok_or("an entry without `:`")?;
            let bare = |part: &str| unquote(part.trim()).unwrap_or(part.trim()).to_owned();
            entries.push((bare(key), bare(value)));
        }
        let entries = entries.into_iter().map(|(key, value)| TableEntry::inline(key, value));
        let table = Table::new(entries, Vec::new(), Miss::Error).map_err(|doubles| {
            doubles.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        })?;
        return Ok(Argument::Table(Arc::new(table)));
    }
    if let Some(table) = context.tables.get(text) {
        return Ok(Argument::Table(Arc::clone(table)));
    }
    if text.is_empty() {
        return Err("an argument is empty".to_owned());
    }
    match suggest(text, context.tables.keys().map(String::as_str)) {
        Some(near) => Err(format!("there is no table `{text}`, did you mean `{near}`?")),
        None => Err(format!("`{text}` is no table, and a text stands in quotes")),
    }
}

fn unquote(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|c| *c == '\'' || *c == '"')?;
    text.strip_prefix(quote)?.strip_suffix(quote)
}

fn split_outside_quotes(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut quote = None;
    let mut depth = 0_usize;
    let mut start = 0;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '{') => depth += 1,
            (None, '}') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                parts.push(text.get(start..at).unwrap_or("").trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    let last = text.get(start..).unwrap_or("").trim();
    if !last.is_empty() {
        parts.push(last);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_of_a_pipe_is_found_with_its_place() {
        let context = PipeContext::default();
        let errors = parse_pipe("nfc | trim_isb | lookup(x) | slice('a')", &context).unwrap_err();
        let found: Vec<_> = errors.iter().map(|error| (error.code, error.at)).collect();
        assert_eq!(found, [("E0203", 6), ("E0205", 17), ("E0205", 29)]);
        assert_eq!(errors[0].hint.as_deref(), Some("did you mean `trim_isbd`?"));
    }

    #[test]
    fn bars_and_commas_in_quotes_are_text() {
        let pipe = parse_pipe("keep('a|b') | rstrip(', ')", &PipeContext::default()).unwrap();
        assert_eq!(pipe.names, ["keep", "rstrip"]);
    }
}
