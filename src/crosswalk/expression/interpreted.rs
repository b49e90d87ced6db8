//! Expressions that run in minijinja, shut in: no files, no loops as statements, fuel.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind};

use super::built_in::{FUEL, Failed, Missing, TableValue, environment};
use super::scan;
use super::{ExpressionError, Failure, Form, Given, Outcome};
use crate::crosswalk::table::Table;
use crate::crosswalk::transforms::PipeContext;

/// What stands between the values of a list that is put into a text.
pub(super) const BETWEEN: &str = "; ";

/// The name of the one template of an environment, and of what a single expression makes.
const NAME: &str = "expression";
const RESULT: &str = "result_";

/// A template, or an expression wrapped into one, with all that it can call.
pub(super) struct Program {
    environment: Environment<'static>,
    /// Whether the value of a single expression is wanted, not a text.
    single: bool,
    names: Vec<String>,
    reads: Vec<String>,
    tables: Vec<(String, Arc<Table>)>,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program").field("reads", &self.reads).finish_non_exhaustive()
    }
}

impl Program {
    pub(super) fn compile(
        text: &str,
        form: Form,
        context: &PipeContext,
    ) -> Result<Program, Vec<ExpressionError>> {
        let inner = match form {
            Form::Condition => Some((text, 0)),
            Form::Template => single(text),
        };
        let mut environment = environment(context);
        if let Some((inner, offset)) = inner {
            let open = format!("{{% set {RESULT} = (");
            let source = format!("{open}{}) %}}", doubled(inner));
            match environment.add_template_owned(NAME, source) {
                Ok(()) => {
                    let written = scan::names(text, form);
                    return Ok(Program::new(environment, true, written, context));
                }
                Err(error) if form == Form::Condition => {
                    return Err(vec![mistake(&error, inner, open.len(), offset)]);
                }
                // Two prints, not one: a template after all.
                Err(_) => {}
            }
        }
        match environment.add_template_owned(NAME, doubled(text)) {
            Ok(()) => Ok(Program::new(environment, false, scan::names(text, form), context)),
            Err(error) => Err(vec![mistake(&error, text, 0, 0)]),
        }
    }

    // The interpreter overlooks names in some places, of slices for example.
    fn new(
        environment: Environment<'static>,
        single: bool,
        mut names: Vec<String>,
        context: &PipeContext,
    ) -> Program {
        let undeclared = |nested| {
            let template = environment.get_template(NAME);
            template.map(|template| template.undeclared_variables(nested)).unwrap_or_default()
        };
        names.extend(undeclared(false));
        names.sort();
        names.dedup();
        let (tables, names): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| context.tables.contains_key(name));
        let nested = undeclared(true);
        let mut reads: Vec<String> =
            nested.into_iter().filter(|read| !tables.contains(read)).collect();
        let first = |read: &String| read.split('.').next().map(str::to_owned);
        let known: Vec<_> = reads.iter().filter_map(first).collect();
        reads.extend(names.iter().filter(|name| !known.contains(name)).cloned());
        reads.sort();
        let tables = tables
            .into_iter()
            .filter_map(|name| Some((name.clone(), Arc::clone(context.tables.get(&name)?))))
            .collect();
        Program { environment, single, names, reads, tables }
    }

    pub(super) fn reads(&self) -> Vec<String> {
        self.reads.clone()
    }

    pub(super) fn evaluate<'v>(
        &self,
        given: &dyn Fn(&str) -> Option<Given<'v>>,
    ) -> Result<Outcome<'v>, Failure> {
        if self.single {
            return outcome(&self.value(given)?);
        }
        let template = self.environment.get_template(NAME).map_err(|error| failure(&error))?;
        match template.render(self.context(given)) {
            Ok(text) if text.is_empty() => Ok(Outcome::Nothing),
            Ok(text) => Ok(Outcome::Text(Cow::Owned(text))),
            Err(error) if cause::<Missing>(&error).is_some() => Ok(Outcome::Nothing),
            Err(error) => Err(failure(&error)),
        }
    }

    pub(super) fn holds<'v>(
        &self,
        given: &dyn Fn(&str) -> Option<Given<'v>>,
    ) -> Result<bool, Failure> {
        self.value(given).map(|value| value.is_true())
    }

    fn value<'v>(&self, given: &dyn Fn(&str) -> Option<Given<'v>>) -> Result<Value, Failure> {
        let template = self.environment.get_template(NAME).map_err(|error| failure(&error))?;
        let rendered = template.render_captured(self.context(given));
        let rendered = rendered.map_err(|error| failure(&error))?;
        Ok(rendered.state().lookup(RESULT).unwrap_or_default())
    }

    fn context<'v>(&self, given: &dyn Fn(&str) -> Option<Given<'v>>) -> Value {
        let mut context: BTreeMap<&str, Value> = BTreeMap::new();
        for (name, table) in &self.tables {
            context.insert(name, Value::from_object(TableValue(Arc::clone(table))));
        }
        for name in &self.names {
            let value = match given(name) {
                None => continue,
                Some(Given::Text(text)) => Value::from(text.as_ref()),
                Some(Given::Json(json)) => Value::from(Serde(json.as_ref())),
            };
            context.insert(name, value);
        }
        Value::from(context)
    }
}

/// The value that a single expression makes.
pub(super) fn outcome<'v>(value: &Value) -> Result<Outcome<'v>, Failure> {
    if let Some(text) = value.as_str() {
        let text = text.to_owned();
        return Ok(if text.is_empty() { Outcome::Nothing } else { Outcome::Text(text.into()) });
    }
    let invalid = |error: &dyn std::fmt::Display| Failure {
        code: "expression.invalid",
        message: error.to_string(),
    };
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(Outcome::Nothing),
        _ => {
            let json = serde_json::to_value(value).map_err(|error| invalid(&error))?;
            Ok(outcome_of_json(&json).unwrap_or(Outcome::Nothing))
        }
    }
}

/// The value that JSON is; `None` of null and of what is empty.
pub(super) fn outcome_of_json<'v>(value: &serde_json::Value) -> Option<Outcome<'v>> {
    use serde_json::Value as Json;
    let text = |json: &Json| match json {
        Json::String(text) => text.clone(),
        json => canonical(json),
    };
    match value {
        Json::Null => None,
        Json::String(text) if text.is_empty() => None,
        Json::String(text) => Some(Outcome::Text(Cow::Owned(text.clone()))),
        Json::Array(items) => {
            let texts: Vec<String> =
                items.iter().filter(|item| !item.is_null()).map(text).collect();
            (!texts.is_empty()).then_some(Outcome::Texts(texts))
        }
        json => Some(Outcome::Json(canonical(json))),
    }
}

fn canonical(json: &serde_json::Value) -> String {
    String::from_utf8(crate::record::canonical_json(json)).unwrap_or_default()
}

fn cause<T: std::error::Error + 'static>(error: &Error) -> Option<&T> {
    let mut at: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = at {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        at = error.source();
    }
    None
}

fn failure(error: &Error) -> Failure {
    if let Some(Failed(failure)) = cause(error) {
        return failure.clone();
    }
    let message = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    match error.kind() {
        ErrorKind::OutOfFuel => {
            let message = format!("more than {FUEL} instructions");
            Failure { code: "expression.fuel", message }
        }
        _ => Failure { code: "expression.invalid", message },
    }
}

/// The inside of a template that is nothing but `{{ … }}`, and where it stands.
fn single(text: &str) -> Option<(&str, usize)> {
    let lead = text.len() - text.trim_start().len();
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let is_plain = !inner.starts_with(['-', '+']) && !inner.ends_with(['-', '+']);
    is_plain.then_some((inner, lead + 2))
}

/// With the backslashes in quotes doubled, for they mean themselves.
fn doubled(text: &str) -> String {
    text.replace('\\', "\\\\")
}

/// A mistake at its place in `text`, which stands behind `before` bytes and, in the expression,
/// behind `offset` bytes.
fn mistake(error: &Error, text: &str, before: usize, offset: usize) -> ExpressionError {
    let place = error.range().map_or(0, |range| range.start.saturating_sub(before));
    // Of the bytes before it each doubled backslash is one too many.
    let mut at = 0;
    let mut seen = 0;
    for c in text.chars() {
        if seen >= place {
            break;
        }
        seen += if c == '\\' { 2 } else { c.len_utf8() };
        at += c.len_utf8();
    }
    let length = error.range().map_or(1, |range| range.len());
    let message = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let length = length.min(text.len().saturating_sub(at)).max(1);
    ExpressionError { code: "E0206", at: at + offset, length, message, hint: None }
}
