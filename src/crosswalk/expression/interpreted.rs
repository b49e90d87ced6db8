//! Expressions that run in minijinja, shut in: no files, no loops as statements, fuel.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::{Object, Rest, Serde, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior, filters, tests};

use super::native::piped;
use super::scan;
use super::{ExpressionError, Failure, Form, Given, Outcome};
use crate::crosswalk::table::Table;
use crate::crosswalk::transforms::{Argument, Pipe, PipeContext, Row, TRANSFORMS, parse_pipe};

/// Instructions of the interpreter that one evaluation may take; a long expression takes fifty.
const FUEL: u64 = 1_000;

/// Filters over lists, which win over transforms of the same name.
pub(super) const LIST_FILTERS: &[&str] = &["first", "last", "sort", "unique"];

/// Further filters that are no transforms.
pub(super) const BUILT_IN: &[&str] = &[
    "abs",
    "basename",
    "default",
    "items",
    "join",
    "length",
    "list",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "reverse",
    "round",
    "select",
    "selectattr",
    "string",
    "sum",
];

/// Methods of texts.
pub(super) const METHODS: &[&str] = &["endswith", "lower", "startswith", "strip", "upper"];

/// What can stand behind `is`.
pub(super) const TESTS: &[&str] = &[
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "even",
    "ge",
    "gt",
    "in",
    "integer",
    "le",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sequence",
    "startingwith",
    "string",
    "undefined",
];

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

/// A table that a filter takes as an argument.
#[derive(Debug)]
struct TableValue(Arc<Table>);

impl Object for TableValue {}

/// A value that is printed and is not there.
#[derive(Debug, thiserror::Error)]
#[error("a value that is not there")]
struct Missing;

/// A transform that failed.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.message)]
struct Failed(Failure);

fn environment(context: &PipeContext) -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_fuel(Some(FUEL));
    environment.set_debug(true);
    environment.set_formatter(print);
    environment.set_unknown_method_callback(method);
    for row in TRANSFORMS.iter().filter(|row| !LIST_FILTERS.contains(&row.name)) {
        add_transform(&mut environment, row);
    }
    for name in context.pipes.keys() {
        // Mistakes in named pipes are reported where these stand.
        if let Ok(pipe) = parse_pipe(name, context) {
            environment.add_filter(name.clone(), move |value: &Value| transformed(&pipe, value));
        }
    }
    add_built_in(&mut environment);
    environment
}

fn add_built_in(environment: &mut Environment<'static>) {
    environment.add_filter("abs", filters::abs);
    environment.add_filter("basename", |path: &str| basename(path).to_owned());
    environment.add_filter("default", |value: &Value, other: &Value| match value.is_true() {
        true => value.clone(),
        false => other.clone(),
    });
    environment.add_filter("first", filters::first);
    environment.add_filter("items", filters::items);
    environment.add_filter("join", filters::join);
    environment.add_filter("last", filters::last);
    environment.add_filter("length", filters::length);
    environment.add_filter("list", filters::list);
    environment.add_filter("map", filters::map);
    environment.add_filter("max", filters::max);
    environment.add_filter("min", filters::min);
    environment.add_filter("reject", filters::reject);
    environment.add_filter("rejectattr", filters::rejectattr);
    environment.add_filter("reverse", filters::reverse);
    environment.add_filter("round", filters::round);
    environment.add_filter("select", filters::select);
    environment.add_filter("selectattr", filters::selectattr);
    environment.add_filter("sort", filters::sort);
    environment.add_filter("string", filters::string);
    environment.add_filter("sum", filters::sum);
    environment.add_filter("unique", filters::unique);
    environment.add_test("defined", tests::is_defined);
    environment.add_test("divisibleby", tests::is_divisibleby);
    environment.add_test("endingwith", tests::is_endingwith);
    environment.add_test("eq", tests::is_eq);
    environment.add_test("even", tests::is_even);
    environment.add_test("ge", tests::is_ge);
    environment.add_test("gt", tests::is_gt);
    environment.add_test("in", tests::is_in);
    environment.add_test("integer", tests::is_integer);
    environment.add_test("le", tests::is_le);
    environment.add_test("lt", tests::is_lt);
    environment.add_test("mapping", tests::is_mapping);
    environment.add_test("ne", tests::is_ne);
    environment.add_test("none", tests::is_none);
    environment.add_test("number", tests::is_number);
    environment.add_test("odd", tests::is_odd);
    environment.add_test("sequence", tests::is_sequence);
    environment.add_test("startingwith", tests::is_startingwith);
    environment.add_test("string", tests::is_string);
    environment.add_test("undefined", tests::is_undefined);
}

/// Pipes of one step by their arguments, made when first called for.
type Made = Mutex<HashMap<String, Arc<Pipe>>>;

fn add_transform(environment: &mut Environment<'static>, row: &'static Row) {
    let made = Made::default();
    environment.add_filter(row.name, move |value: &Value, arguments: Rest<Value>| {
        let key = format!("{arguments:?}");
        let known = made.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let pipe = match known {
            Some(pipe) => pipe,
            None => {
                let pipe = Arc::new(one_step(row, &arguments)?);
                let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
                made.insert(key, Arc::clone(&pipe));
                pipe
            }
        };
        transformed(&pipe, value)
    });
}

fn one_step(row: &'static Row, arguments: &[Value]) -> Result<Pipe, Error> {
    let invalid = |message: String| {
        let message = format!("`{}`: {message}, its signature is `{}`", row.name, row.signature);
        Error::new(ErrorKind::InvalidOperation, message)
    };
    let mut taken = Vec::new();
    for argument in arguments {
        taken.push(if let Some(text) = argument.as_str() {
            Argument::Text(text.to_owned())
        } else if let Some(table) = argument.downcast_object_ref::<TableValue>() {
            Argument::Table(Arc::clone(&table.0))
        } else if let Some(number) = argument.as_usize() {
            Argument::Number(number)
        } else {
            return Err(invalid(format!("{argument} is no argument")));
        });
    }
    let step = (row.build)(&taken).map_err(invalid)?;
    Ok(Pipe { steps: vec![step], names: vec![row.name.to_owned()], ..Pipe::default() })
}

/// What a pipe makes of a value: of nothing nothing, of a list each.
fn transformed(pipe: &Pipe, value: &Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(Value::UNDEFINED),
        ValueKind::Seq | ValueKind::Iterable => {
            let mut all = Vec::new();
            for value in value.try_iter()? {
                let made = transformed(pipe, &value)?;
                match made.kind() {
                    ValueKind::Undefined => {}
                    ValueKind::Seq => all.extend(made.try_iter()?),
                    _ => all.push(made),
                }
            }
            Ok(Value::from(all))
        }
        _ => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            match piped(pipe, Cow::Owned(text)) {
                Err(failure) => {
                    let error = Error::new(ErrorKind::InvalidOperation, failure.message.clone());
                    Err(error.with_source(Failed(failure)))
                }
                Ok(None | Some(Outcome::Nothing)) => Ok(Value::UNDEFINED),
                Ok(Some(Outcome::Text(text))) => Ok(Value::from(text.as_ref())),
                Ok(Some(Outcome::Texts(texts))) => Ok(Value::from(texts)),
                Ok(Some(Outcome::Json(number))) => Ok(match number.parse::<i64>() {
                    Ok(number) => Value::from(number),
                    Err(_) => number.parse::<f64>().map_or(Value::UNDEFINED, Value::from),
                }),
            }
        }
    }
}

/// Prints a value into a text: one that is not there leaves no text at all.
fn print(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let missing = || {
        let message = "a value that is not there";
        Error::new(ErrorKind::UndefinedError, message).with_source(Missing)
    };
    let text = match outcome(value) {
        Ok(Outcome::Text(text)) => text,
        Ok(Outcome::Json(text)) => Cow::Owned(text),
        Ok(Outcome::Texts(texts)) => Cow::Owned(texts.join(BETWEEN)),
        // A text that is empty is there all the same: `{{ '' if … }}`.
        Ok(Outcome::Nothing) if value.as_str().is_some() => Cow::Borrowed(""),
        Ok(Outcome::Nothing) => return Err(missing()),
        Err(failure) => return Err(Error::new(ErrorKind::InvalidOperation, failure.message)),
    };
    out.write_str(&text).map_err(|_| Error::new(ErrorKind::WriteFailure, "no room"))
}

fn method(
    _: &mut State<'_, '_>,
    value: &Value,
    name: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    let text = match (value.as_str(), value.kind()) {
        (Some(text), _) => text,
        (None, ValueKind::Undefined | ValueKind::None) => return Ok(Value::UNDEFINED),
        _ => return Err(Error::new(ErrorKind::UnknownMethod, format!("`{name}` is of texts"))),
    };
    let word = arguments.first().and_then(Value::as_str);
    match (name, word) {
        ("endswith", Some(word)) => Ok(Value::from(text.ends_with(word))),
        ("startswith", Some(word)) => Ok(Value::from(text.starts_with(word))),
        ("strip", None) => Ok(Value::from(text.trim())),
        ("lower", None) => Ok(Value::from(text.to_lowercase())),
        ("upper", None) => Ok(Value::from(text.to_uppercase())),
        _ => {
            let message = format!("`{name}` takes other arguments");
            Err(Error::new(ErrorKind::InvalidOperation, message))
        }
    }
}

/// What stands behind the last slash of a path or an address, without query.
fn basename(path: &str) -> &str {
    let path = path.split(['?', '#']).next().unwrap_or(path).trim_end_matches('/');
    path.rsplit('/').next().unwrap_or(path)
}

/// The value that a single expression makes.
fn outcome<'v>(value: &Value) -> Result<Outcome<'v>, Failure> {
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
