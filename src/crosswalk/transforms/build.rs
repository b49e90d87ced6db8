//! How rows are made: what a transform takes as arguments, checked before the first record.

use std::sync::Arc;

use uuid::Uuid;

use super::pattern::Pattern;
use super::{List, Step};
use crate::crosswalk::table::Table;

/// An argument in a pipe.
#[derive(Debug, Clone)]
pub enum Argument {
    /// `'text'`
    Text(String),
    /// `3`
    Number(usize),
    /// A table's name, or `{'a': b}`.
    Table(Arc<Table>),
}

/// A step, or what is wrong with the arguments.
pub type Build = Result<Step, String>;

pub fn none(arguments: &[Argument], step: Step) -> Build {
    if arguments.is_empty() { Ok(step) } else { Err("takes no argument".to_owned()) }
}

pub fn list(arguments: &[Argument], list: List) -> Build {
    none(arguments, Step::List(list))
}

pub fn one_text(arguments: &[Argument], make: impl FnOnce(String) -> Step) -> Build {
    match arguments {
        [Argument::Text(text)] => Ok(make(text.clone())),
        _ => Err("takes one quoted text".to_owned()),
    }
}

pub fn one_number(arguments: &[Argument], make: impl FnOnce(usize) -> Step) -> Build {
    match arguments {
        [Argument::Number(number)] => Ok(make(*number)),
        _ => Err("takes one number".to_owned()),
    }
}

pub fn one_pattern(arguments: &[Argument], make: impl FnOnce(Pattern) -> Step) -> Build {
    match arguments {
        [Argument::Text(pattern)] => Ok(make(Pattern::new(pattern)?)),
        _ => Err("takes one quoted regular expression".to_owned()),
    }
}

pub fn one_table(arguments: &[Argument], make: impl FnOnce(Arc<Table>) -> Step) -> Build {
    match arguments {
        [Argument::Table(table)] => Ok(make(Arc::clone(table))),
        _ => Err("takes the name of a table, or {'key': value}".to_owned()),
    }
}

/// A number, or the text of an indicator: a digit, or what a blank is written as.
pub fn nonfiling(arguments: &[Argument]) -> Build {
    match arguments {
        [Argument::Number(count)] => Ok(Step::Nonfiling(*count)),
        [Argument::Text(indicator)] => match (indicator.trim(), indicator.trim().parse()) {
            ("" | "_" | "#" | "\\" | "|", _) => Ok(Step::Nonfiling(0)),
            (_, Ok(count)) => Ok(Step::Nonfiling(count)),
            _ => Err("takes a number, or an indicator that is one".to_owned()),
        },
        _ => Err("takes one number".to_owned()),
    }
}

pub fn replace(arguments: &[Argument]) -> Build {
    match arguments {
        [Argument::Text(pattern), Argument::Text(with)] => {
            Ok(Step::Replace(Pattern::new(pattern)?, with.clone()))
        }
        _ => Err("takes a quoted regular expression and a quoted text".to_owned()),
    }
}

pub fn slice(arguments: &[Argument]) -> Build {
    match arguments {
        [Argument::Number(from)] => Ok(Step::Slice(*from, None)),
        [Argument::Number(from), Argument::Number(to)] if from <= to => {
            Ok(Step::Slice(*from, Some(*to)))
        }
        _ => Err("takes one or two numbers, the second not below the first".to_owned()),
    }
}

pub fn split(arguments: &[Argument]) -> Build {
    match arguments {
        [Argument::Text(separator)] if !separator.is_empty() => Ok(Step::Split(separator.clone())),
        _ => Err("takes one quoted text that is not empty".to_owned()),
    }
}

pub fn uuid5(arguments: &[Argument]) -> Build {
    let [Argument::Text(name)] = arguments else {
        return Err("takes one quoted text".to_owned());
    };
    let namespace = match name.as_str() {
        "dns" => Ok(Uuid::NAMESPACE_DNS),
        "oid" => Ok(Uuid::NAMESPACE_OID),
        "url" => Ok(Uuid::NAMESPACE_URL),
        "x500" => Ok(Uuid::NAMESPACE_X500),
        other => Uuid::parse_str(other),
    };
    let wrong = || format!("`{name}` is no namespace: 'dns', 'oid', 'url', 'x500' or a UUID");
    namespace.map(Step::Uuid5).map_err(|_| wrong())
}
