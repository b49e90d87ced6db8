//! Templates that need no interpreter: `"{{ a | nfc }} : {{ b or 'x' }}"`.

use std::borrow::Cow;

use super::built_in::LIST_FILTERS;
use super::interpreted::{BETWEEN, outcome_of_json};
use super::{Failure, Given, Outcome};
use crate::crosswalk::condition::Condition;
use crate::crosswalk::transforms::{Applied, Pipe, PipeContext, parse_pipe};

/// Texts and holes, in order.
#[derive(Debug)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug)]
enum Part {
    Text(String),
    Hole(Hole),
}

/// `then if condition else otherwise`
#[derive(Debug)]
struct Hole {
    then: Choice,
    when: Option<Condition>,
    otherwise: Choice,
}

/// `a or b`: the first that has a value.
type Choice = Vec<Term>;

/// A name with members behind dots, or a word; and transforms.
#[derive(Debug)]
struct Term {
    source: Source,
    pipe: Pipe,
}

#[derive(Debug)]
enum Source {
    Name(String),
    Word(String),
}

impl Template {
    /// Reads a template; `None` when it holds what needs an interpreter, or a mistake.
    pub(super) fn parse(text: &str, context: &PipeContext) -> Option<Template> {
        if text.contains("{%") || text.contains("{#") {
            return None;
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("{{") {
            let (before, inner) = (rest.get(..start)?, rest.get(start + 2..)?);
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let (end, ..) = outside_quotes(inner, &["}}"])?;
            parts.push(Part::Hole(Hole::parse(inner.get(..end)?, context)?));
            rest = inner.get(end + 2..)?;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Some(Template(parts))
    }

    pub(super) fn reads(&self) -> Vec<String> {
        let mut reads = Vec::new();
        for hole in self.holes() {
            for term in hole.then.iter().chain(&hole.otherwise) {
                if let Source::Name(name) = &term.source {
                    reads.push(name.clone());
                }
            }
            let mut names = Vec::new();
            hole.when.iter().for_each(|when| when.names(&mut names));
            reads.extend(names.into_iter().map(str::to_owned));
        }
        reads.sort();
        reads.dedup();
        reads
    }

    pub(super) fn fallible(&self) -> Option<&str> {
        let mut terms = self.holes().flat_map(|hole| hole.then.iter().chain(&hole.otherwise));
        terms.find_map(|term| term.pipe.fallible())
    }

    fn holes(&self) -> impl Iterator<Item = &Hole> {
        self.0.iter().filter_map(|part| match part {
            Part::Hole(hole) => Some(hole),
            Part::Text(_) => None,
        })
    }

    pub(super) fn evaluate<'v>(
        &'v self,
        given: &dyn Fn(&str) -> Option<Given<'v>>,
    ) -> Result<Outcome<'v>, Failure> {
        if let [Part::Hole(hole)] = self.0.as_slice() {
            let found = hole.evaluate(given)?;
            return Ok(found.unwrap_or(Outcome::Nothing));
        }
        let mut whole = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => whole.push_str(text),
                Part::Hole(hole) => match hole.evaluate(given)? {
                    Some(Outcome::Text(text)) => whole.push_str(&text),
                    Some(Outcome::Json(text)) => whole.push_str(&text),
                    Some(Outcome::Texts(texts)) => whole.push_str(&texts.join(BETWEEN)),
                    _ => return Ok(Outcome::Nothing),
                },
            }
        }
        Ok(Outcome::Text(Cow::Owned(whole)))
    }
}

impl Hole {
    fn parse(text: &str, context: &PipeContext) -> Option<Hole> {
        // White space control, and escapes that the interpreter knows.
        if text.starts_with(['-', '+']) || text.ends_with(['-', '+']) {
            return None;
        }
        let Some((at, _)) = outside_quotes(text, &[" if "]) else {
            return Some(Hole { then: choice(text, context)?, when: None, otherwise: Vec::new() });
        };
        let (then, behind) = (text.get(..at)?, text.get(at + 4..)?);
        let (condition, otherwise) = match outside_quotes(behind, &[" else "]) {
            None => (behind, Vec::new()),
            Some((at, _)) => (behind.get(..at)?, choice(behind.get(at + 6..)?, context)?),
        };
        let when = Condition::parse(condition).ok()?;
        Some(Hole { then: choice(then, context)?, when: Some(when), otherwise })
    }

    fn evaluate<'v>(
        &'v self,
        given: &dyn Fn(&str) -> Option<Given<'v>>,
    ) -> Result<Option<Outcome<'v>>, Failure> {
        let value = |name: &str| named(name, given).and_then(Given::text);
        let holds = self.when.as_ref().is_none_or(|when| when.holds(&value));
        for term in if holds { &self.then } else { &self.otherwise } {
            if let Some(found) = term.evaluate(given)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

fn choice(text: &str, context: &PipeContext) -> Option<Choice> {
    let mut terms = Vec::new();
    let mut rest = text;
    while let Some((at, _)) = outside_quotes(rest, &[" or "]) {
        terms.push(Term::parse(rest.get(..at)?, context)?);
        rest = rest.get(at + 4..)?;
    }
    terms.push(Term::parse(rest, context)?);
    Some(terms)
}

fn named<'v>(path: &str, given: &dyn Fn(&str) -> Option<Given<'v>>) -> Option<Given<'v>> {
    let mut names = path.split('.');
    let first = given(names.next()?)?;
    names.try_fold(first, Given::member)
}

impl Term {
    fn parse(text: &str, context: &PipeContext) -> Option<Term> {
        let (source, pipe) = match outside_quotes(text, &["|"]) {
            None => (text, Pipe::default()),
            Some((at, _)) => (text.get(..at)?, parse_pipe(text.get(at + 1..)?, context).ok()?),
        };
        // Of all values at once there are several only in the interpreter.
        if pipe.names.iter().any(|name| LIST_FILTERS.contains(&name.as_str())) {
            return None;
        }
        let source = source.trim();
        let quoted = |quote: char| source.strip_prefix(quote)?.strip_suffix(quote);
        if let Some(word) = quoted('\'').or_else(|| quoted('"')) {
            return Some(Term { source: Source::Word(word.to_owned()), pipe });
        }
        const WORDS: [&str; 10] =
            ["and", "else", "false", "if", "in", "is", "none", "not", "or", "true"];
        let is_name = |part: &str| {
            let begins = part.starts_with(|c: char| c.is_alphabetic() || c == '_');
            begins && part.chars().all(|c| c.is_alphanumeric() || c == '_')
        };
        let is_word = WORDS.contains(&source.to_lowercase().as_str());
        if is_word || !source.split('.').all(is_name) {
            return None;
        }
        Some(Term { source: Source::Name(source.to_owned()), pipe })
    }

    fn evaluate<'v>(
        &'v self,
        given: &dyn Fn(&str) -> Option<Given<'v>>,
    ) -> Result<Option<Outcome<'v>>, Failure> {
        let text = match &self.source {
            // A word is there even if it is empty: `{{ a or '' }}`.
            Source::Word(word) if self.pipe.steps.is_empty() => {
                return Ok(Some(Outcome::Text(Cow::Borrowed(word))));
            }
            Source::Word(word) => Cow::Borrowed(word.as_str()),
            Source::Name(path) => match named(path, given) {
                Some(Given::Json(value)) if self.pipe.steps.is_empty() => return Ok(json(value)),
                Some(value) => match value.text() {
                    Some(text) => text,
                    None => return Ok(None),
                },
                None => return Ok(None),
            },
        };
        piped(&self.pipe, text)
    }
}

/// A text and whether it is a number, which is written as it stands.
type Piece<'v> = (Cow<'v, str>, bool);

/// What a pipe makes of a text; `None` when there is nothing left.
pub(super) fn piped<'v>(
    pipe: &'v Pipe,
    text: Cow<'v, str>,
) -> Result<Option<Outcome<'v>>, Failure> {
    let mut pieces = Vec::new();
    let several = apply(pipe, 0, (text, false), &mut pieces)?;
    if several {
        let texts: Vec<_> = pieces.into_iter().map(|(text, _)| text.into_owned()).collect();
        return Ok((!texts.is_empty()).then_some(Outcome::Texts(texts)));
    }
    Ok(pieces.pop().map(|(text, is_number)| match is_number {
        true => Outcome::Json(text.into_owned()),
        false => Outcome::Text(text),
    }))
}

// Whether a step on the way has made several values of one.
fn apply<'v>(
    pipe: &'v Pipe,
    from: usize,
    (mut text, mut is_number): Piece<'v>,
    pieces: &mut Vec<Piece<'v>>,
) -> Result<bool, Failure> {
    for (n, step) in pipe.steps.iter().enumerate().skip(from) {
        match step.apply(text) {
            Applied::One(changed) => {
                is_number = is_number && changed.parse::<f64>().is_ok();
                text = changed;
            }
            Applied::Number(digits) => (text, is_number) = (Cow::Owned(digits), true),
            Applied::None => return Ok(false),
            Applied::Many(texts) => {
                for text in texts {
                    apply(pipe, n + 1, (text, false), pieces)?;
                }
                return Ok(true);
            }
            Applied::Failed(code, value) => {
                let name = pipe.names.get(n).map_or("?", String::as_str);
                return Err(Failure { code, message: format!("{name} cannot take {value:?}") });
            }
        }
    }
    if !text.is_empty() {
        pieces.push((text, is_number));
    }
    Ok(false)
}

fn json(value: Cow<'_, serde_json::Value>) -> Option<Outcome<'_>> {
    use serde_json::Value;
    match value {
        Cow::Borrowed(Value::String(text)) if !text.is_empty() => {
            Some(Outcome::Text(Cow::Borrowed(text)))
        }
        Cow::Owned(Value::String(text)) if !text.is_empty() => {
            Some(Outcome::Text(Cow::Owned(text)))
        }
        value => outcome_of_json(&value),
    }
}

/// The first of some signs that stands outside of quotes and brackets: its place and number.
fn outside_quotes(text: &str, signs: &[&str]) -> Option<(usize, usize)> {
    let mut quote = None;
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => continue,
            (None, '\'' | '"') => quote = Some(c),
            _ => {}
        }
        if quote.is_none() && depth == 0 {
            let rest = text.get(at..)?;
            if let Some(found) = signs.iter().position(|sign| rest.starts_with(sign)) {
                return Some((at, found));
            }
        }
        match (quote, c) {
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}
