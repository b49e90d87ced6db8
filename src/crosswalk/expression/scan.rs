//! What can be told of an expression before it runs: unknown filters, what in it can fail.

use super::built_in::{BUILT_IN, LIST_FILTERS, METHODS, TESTS};
use super::{ExpressionError, Form};
use crate::crosswalk::transforms::{PipeContext, TRANSFORMS, parse_pipe};
use crate::yaml::suggest;

/// So many words and signs may an expression have: compiling goes down into it.
const MAX_TOKENS: usize = 2_000;

/// What a scan finds.
pub(super) struct Findings {
    /// What can fail: the name of a transform or a sign.
    pub fallible: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'t> {
    Name(&'t str),
    Number,
    Quoted,
    Sign(char),
    /// The beginning of `{% … %}`, `{{ … }}`.
    Statement,
    Print,
}

/// Looks over the words of an expression.
///
/// # Errors
/// Unknown filters and tests, and statements that have no place in an expression.
pub(super) fn scan(
    text: &str,
    form: Form,
    context: &PipeContext,
) -> Result<Findings, Vec<ExpressionError>> {
    let tokens = tokens(text, form);
    if let Some((at, _)) = tokens.get(MAX_TOKENS) {
        let message = format!("an expression of more than {MAX_TOKENS} words and signs");
        let error = ExpressionError { code: "E0209", at: *at, length: 1, message, hint: None };
        return Err(vec![error]);
    }
    let mut errors = Vec::new();
    let mut fallible = None;
    let at = |n: usize| tokens.get(n).map(|(_, token)| *token);
    for (n, (place, token)) in tokens.iter().enumerate() {
        let before = n.checked_sub(1).and_then(at);
        let error = |code, word: &str, message, hint| ExpressionError {
            code,
            at: *place,
            length: word.len(),
            message,
            hint,
        };
        let found: Option<&str> = match (before, token) {
            (Some(Token::Statement), Token::Name(word)) if !STATEMENTS.contains(word) => {
                let message = format!("`{word}` is no statement of expressions");
                let hint = "there are `if`, `elif`, `else`, `endif` and `set`, and no loops";
                errors.push(error("E0209", word, message, Some(hint.to_owned())));
                None
            }
            (Some(Token::Sign('|')), Token::Name(name)) => match filter(name, context) {
                Filter::Total => None,
                Filter::Fallible => Some(name),
                Filter::Unknown(near) => {
                    errors.push(error("E0203", name, format!("unknown transform `{name}`"), near));
                    None
                }
            },
            (Some(Token::Name("is")), Token::Name("not")) => None,
            (Some(Token::Name("is" | "not")), Token::Name(name))
                if is_test(&tokens, n) && !TESTS.contains(name) =>
            {
                let hint = suggest(name, TESTS.iter().copied())
                    .map(|near| format!("did you mean `{near}`?"));
                errors.push(error("E0203", name, format!("unknown test `{name}`"), hint));
                None
            }
            (Some(Token::Sign('.')), Token::Name(name)) if at(n + 1) == Some(Token::Sign('(')) => {
                if METHODS.contains(name) {
                    None
                } else {
                    let hint = suggest(name, METHODS.iter().copied())
                        .map(|near| format!("did you mean `{near}`?"));
                    let message = format!("unknown method `{name}`");
                    errors.push(error("E0203", name, message, hint));
                    None
                }
            }
            (_, Token::Name(name)) if at(n + 1) == Some(Token::Sign('(')) => {
                if !KEYWORDS.contains(name) && !is_test(&tokens, n) {
                    let hint = Some(format!("transforms stand behind a bar: `value | {name}`"));
                    errors.push(error("E0203", name, format!("unknown function `{name}`"), hint));
                }
                None
            }
            (_, Token::Sign(sign @ ('+' | '-' | '*' | '/' | '%' | '<' | '>'))) => {
                text.get(*place..*place + sign.len_utf8())
            }
            // A slice; in `{…}` it stands behind a key.
            (_, Token::Sign(':')) if !in_braces(&tokens, n) => Some(":"),
            (_, Token::Name("in")) if !is_list(at(n + 1)) => Some("in"),
            _ => None,
        };
        if fallible.is_none() {
            fallible = found.map(str::to_owned);
        }
    }
    if errors.is_empty() { Ok(Findings { fallible }) } else { Err(errors) }
}

/// The names that stand in an expression and that nothing in it sets.
pub(super) fn names(text: &str, form: Form) -> Vec<String> {
    let tokens = tokens(text, form);
    let at = |n: Option<usize>| n.and_then(|n| tokens.get(n)).map(|(_, token)| *token);
    let mut set: Vec<&str> = Vec::new();
    let mut found: Vec<String> = Vec::new();
    for (n, (_, token)) in tokens.iter().enumerate() {
        let Token::Name(name) = token else { continue };
        let before = at(n.checked_sub(1));
        let is_argument =
            at(Some(n + 1)) == Some(Token::Sign('=')) && at(Some(n + 2)) != Some(Token::Sign('='));
        match before {
            Some(Token::Name("set")) => set.push(name),
            Some(Token::Sign('.' | '|') | Token::Statement) => {}
            _ if is_argument || is_test(&tokens, n) => {}
            _ if KEYWORDS.contains(name) || LITERALS.contains(name) || set.contains(name) => {}
            _ => found.push((*name).to_owned()),
        }
    }
    found
}

/// Where a name stands first.
pub(super) fn place_of(text: &str, form: Form, name: &str) -> Option<usize> {
    let tokens = tokens(text, form);
    let mut before = None;
    for (place, token) in tokens {
        if token == Token::Name(name) && !matches!(before, Some(Token::Sign('.' | '|'))) {
            return Some(place);
        }
        before = Some(token);
    }
    None
}

const STATEMENTS: &[&str] = &["elif", "else", "endif", "if", "set"];
const KEYWORDS: &[&str] = &["and", "else", "if", "in", "is", "not", "or"];
const LITERALS: &[&str] = &["False", "None", "True", "false", "none", "true"];

enum Filter {
    Total,
    Fallible,
    Unknown(Option<String>),
}

fn filter(name: &str, context: &PipeContext) -> Filter {
    if LIST_FILTERS.contains(&name) || BUILT_IN.contains(&name) {
        return match name {
            "abs" | "map" | "max" | "min" | "reject" | "rejectattr" | "reverse" | "round"
            | "select" | "selectattr" | "sort" | "sum" | "unique" | "items" | "first" | "last"
            | "length" => Filter::Fallible,
            _ => Filter::Total,
        };
    }
    if context.pipes.contains_key(name) {
        return match parse_pipe(name, context) {
            Ok(pipe) if pipe.fallible().is_none() => Filter::Total,
            _ => Filter::Fallible,
        };
    }
    match TRANSFORMS.iter().find(|row| row.name == name) {
        None => {
            let known = TRANSFORMS.iter().map(|row| row.name).chain(BUILT_IN.iter().copied());
            let known = known.chain(context.pipes.keys().map(String::as_str));
            Filter::Unknown(suggest(name, known).map(|near| format!("did you mean `{near}`?")))
        }
        // With arguments it may not take them.
        Some(row) => match (row.build)(&[]) {
            Ok(step) if !step.can_fail() => Filter::Total,
            _ => Filter::Fallible,
        },
    }
}

/// Whether the name at a place is behind `is` or `is not`.
fn is_test(tokens: &[(usize, Token<'_>)], n: usize) -> bool {
    let back = |by: usize| n.checked_sub(by).and_then(|n| tokens.get(n)).map(|(_, token)| *token);
    match back(1) {
        Some(Token::Name("is")) => true,
        Some(Token::Name("not")) => back(2) == Some(Token::Name("is")),
        _ => false,
    }
}

fn is_list(token: Option<Token<'_>>) -> bool {
    matches!(token, Some(Token::Quoted | Token::Sign('[' | '(')))
}

/// Whether the innermost bracket around a token is `{`.
fn in_braces(tokens: &[(usize, Token<'_>)], n: usize) -> bool {
    let mut depth = 0_usize;
    for (_, token) in tokens.iter().take(n).rev() {
        match token {
            Token::Sign(')' | ']' | '}') => depth += 1,
            Token::Sign('(' | '[' | '{') if depth > 0 => depth -= 1,
            Token::Sign(open @ ('(' | '[' | '{')) => return *open == '{',
            _ => {}
        }
    }
    false
}

/// The tokens of what is code: all of a condition, what stands in `{{ … }}` and `{% … %}`.
fn tokens(text: &str, form: Form) -> Vec<(usize, Token<'_>)> {
    let mut found = Vec::new();
    if form == Form::Condition {
        code(text, 0, None, &mut found);
        return found;
    }
    let mut at = 0;
    while let Some(start) = text.get(at..).and_then(|rest| rest.find('{')).map(|n| n + at) {
        let mut inner = start + 2;
        let open = text.get(start..inner).unwrap_or_default();
        at = match open {
            "{#" => {
                let rest = text.get(inner..).unwrap_or_default();
                rest.find("#}").map_or(text.len(), |end| inner + end + 2)
            }
            "{{" | "{%" => {
                let (token, close) = match open {
                    "{{" => (Token::Print, "}}"),
                    _ => (Token::Statement, "%}"),
                };
                found.push((start, token));
                if text.get(inner..).is_some_and(|rest| rest.starts_with(['-', '+'])) {
                    inner += 1;
                }
                code(text, inner, Some(close), &mut found)
            }
            _ => start + 1,
        };
    }
    found
}

/// Reads tokens up to `close`; the place behind it.
fn code<'t>(
    text: &'t str,
    from: usize,
    close: Option<&str>,
    found: &mut Vec<(usize, Token<'t>)>,
) -> usize {
    let mut at = from;
    let mut depth = 0_usize;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if let Some(close) = close.filter(|close| depth == 0 && rest.starts_with(*close)) {
            return at + close.len();
        }
        let first = rest.chars().next().unwrap_or(' ');
        let length = |of: &dyn Fn(char) -> bool| rest.find(|c| !of(c)).unwrap_or(rest.len());
        let (token, length) = match first {
            c if c.is_whitespace() => (None, c.len_utf8()),
            '\'' | '"' => {
                let inner = rest.get(1..).unwrap_or_default();
                (Some(Token::Quoted), inner.find(first).map_or(rest.len(), |end| end + 2))
            }
            c if c.is_ascii_digit() => {
                (Some(Token::Number), length(&|c| c.is_ascii_digit() || c == '_'))
            }
            c if c.is_alphabetic() || c == '_' => {
                let length = length(&|c| c.is_alphanumeric() || c == '_');
                (rest.get(..length).map(Token::Name), length)
            }
            c => (Some(Token::Sign(c)), c.len_utf8()),
        };
        match token {
            Some(Token::Sign('{' | '(' | '[')) => depth += 1,
            Some(Token::Sign('}' | ')' | ']')) => depth = depth.saturating_sub(1),
            // White space control is no minus.
            Some(Token::Sign('-' | '+'))
                if close.is_some_and(|close| {
                    rest.get(1..).is_some_and(|rest| rest.starts_with(close))
                }) =>
            {
                at += 1;
                continue;
            }
            _ => {}
        }
        found.extend(token.map(|token| (at, token)));
        at += length;
    }
    at
}
