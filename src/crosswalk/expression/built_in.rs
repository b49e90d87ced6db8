//! What expressions can call: filters, tests and methods, none of which reaches outside.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::{Object, Rest, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior, filters, tests};

use super::interpreted::{BETWEEN, outcome};
use super::native::piped;
use super::{Failure, Outcome};
use crate::crosswalk::table::Table;
use crate::crosswalk::transforms::{Argument, Pipe, PipeContext, Row, TRANSFORMS, parse_pipe};

/// Instructions of the interpreter that one evaluation may take; a long expression takes fifty.
pub(super) const FUEL: u64 = 1_000;

/// Filters over lists, which win over transforms of the same name.
pub(super) const LIST_FILTERS: &[&str] = &["first", "last", "sort", "unique"];

/// Further filters that are no transforms.
pub(super) const BUILT_IN: &[&str] = &[
    "abs",
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

/// A table that a filter takes as an argument.
#[derive(Debug)]
pub(super) struct TableValue(pub Arc<Table>);

impl Object for TableValue {}

/// A value that is printed and is not there.
#[derive(Debug, thiserror::Error)]
#[error("a value that is not there")]
pub(super) struct Missing;

/// A transform that failed.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.message)]
pub(super) struct Failed(pub Failure);

/// An environment without templates, with all that expressions of a crosswalk can call.
pub(super) fn environment(context: &PipeContext) -> Environment<'static> {
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
