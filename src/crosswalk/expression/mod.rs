//! Expressions: templates `"{{ title }} : {{ subtitle }}"` and conditions `x | length > 3`.
//!
//! What needs no interpreter compiles natively: texts with names in between, pipes on them, `or`
//! and `if … else`. Everything else runs in minijinja, with a limit on its instructions, no loops
//! as statements, no files and no functions but filters. A name that nobody knows is a mistake of
//! the file; a name without a value makes no text: a template that prints one gives no value.
//! A backslash in quotes is a backslash.
//! <https://docs.rs/minijinja/latest/minijinja/syntax/>

mod built_in;
mod interpreted;
mod native;
mod scan;

use std::borrow::Cow;

use serde_json::Value;

use super::transforms::{PipeContext, PipeError};
use crate::yaml::suggest;
use interpreted::Program;
use native::Template;

/// What is wrong with an expression, in the shape of mistakes in pipes.
pub type ExpressionError = PipeError;

/// How an expression is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text with `{{ … }}` in it.
    Template,
    /// What could stand in `{{ … }}`, asked whether it is true.
    Condition,
}

/// What an expression can refer to.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'c> {
    /// The names that are known here.
    pub names: &'c [&'c str],
    /// Other names may be members of the current value, which nobody knows beforehand.
    pub members: bool,
    /// Tables and named pipes.
    pub pipes: &'c PipeContext,
}

/// The value of a name.
#[derive(Debug, Clone)]
pub enum Given<'v> {
    /// Text.
    Text(Cow<'v, str>),
    /// Anything that JSON can say.
    Json(Cow<'v, Value>),
}

/// What a template gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<'v> {
    /// No value.
    Nothing,
    /// A text.
    Text(Cow<'v, str>),
    /// JSON: of a template that is one `{{ … }}`, a number, a truth value or an object.
    Json(String),
    /// Texts: of a template that is one `{{ … }}`, a list.
    Texts(Vec<String>),
}

/// Why an expression gives no value, for `on_error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The code of the transform that failed, `expression.fuel` or `expression.invalid`.
    pub code: &'static str,
    /// What was found.
    pub message: String,
}

/// A compiled expression.
#[derive(Debug)]
pub struct Expression {
    body: Body,
    reads: Vec<String>,
    fallible: Option<String>,
}

#[derive(Debug)]
enum Body {
    Native(Template),
    Interpreted(Box<Program>),
}

impl Expression {
    /// Compiles a text.
    ///
    /// # Errors
    /// At least one [`ExpressionError`]: `E0206` for what is no expression, `E0207` for a name and
    /// `E0203` for a filter that nobody knows, `E0209` for statements that have no place here.
    pub fn compile(
        text: &str,
        form: Form,
        scope: Scope<'_>,
    ) -> Result<Expression, Vec<ExpressionError>> {
        let native = match form {
            Form::Template => Template::parse(text, scope.pipes),
            Form::Condition => None,
        };
        let expression = match native {
            Some(template) => Expression {
                reads: template.reads(),
                fallible: template.fallible().map(str::to_owned),
                body: Body::Native(template),
            },
            None => {
                let findings = scan::scan(text, form, scope.pipes)?;
                let program = Program::compile(text, form, scope.pipes)?;
                Expression {
                    reads: program.reads(),
                    fallible: findings.fallible,
                    body: Body::Interpreted(Box::new(program)),
                }
            }
        };
        let unknown: Vec<_> = match scope.members {
            true => Vec::new(),
            false => expression.names().filter(|name| !scope.names.contains(name)).collect(),
        };
        let errors: Vec<_> = unknown
            .into_iter()
            .map(|name| ExpressionError {
                code: "E0207",
                at: scan::place_of(text, form, name).unwrap_or(0),
                length: name.len(),
                message: format!("unknown name `{name}`"),
                hint: suggest(name, scope.names.iter().copied())
                    .map(|near| format!("did you mean `{near}`?")),
            })
            .collect();
        if errors.is_empty() { Ok(expression) } else { Err(errors) }
    }

    /// What it reads: names, with the names of members behind dots as far as they are known.
    #[must_use]
    pub fn reads(&self) -> &[String] {
        &self.reads
    }

    /// The names that [`Expression::reads`] begin with; some may stand twice.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.reads.iter().map(|read| read.split('.').next().unwrap_or(read))
    }

    /// What in it can fail: a transform, or another word of it; `None` when nothing can.
    #[must_use]
    pub fn fallible(&self) -> Option<&str> {
        self.fallible.as_deref()
    }

    /// Evaluates a template, asking `given` for the value of each name.
    ///
    /// # Errors
    /// [`Failure`], only where [`Expression::fallible`] says so.
    pub fn evaluate<'v>(
        &'v self,
        given: &dyn Fn(&str) -> Option<Given<'v>>,
    ) -> Result<Outcome<'v>, Failure> {
        match &self.body {
            Body::Native(template) => template.evaluate(given),
            Body::Interpreted(program) => program.evaluate(given),
        }
    }

    /// Decides a condition, asking `given` for the value of each name.
    ///
    /// # Errors
    /// [`Failure`], only where [`Expression::fallible`] says so.
    pub fn holds<'v>(&'v self, given: &dyn Fn(&str) -> Option<Given<'v>>) -> Result<bool, Failure> {
        match &self.body {
            Body::Native(template) => {
                template.evaluate(given).map(|outcome| outcome != Outcome::Nothing)
            }
            Body::Interpreted(program) => program.holds(given),
        }
    }
}

impl<'v> Given<'v> {
    /// The text of a value that is a text or a number; empty, null, false and lists have none.
    fn text(self) -> Option<Cow<'v, str>> {
        let text = match self {
            Given::Text(text) => text,
            Given::Json(Cow::Borrowed(Value::String(text))) => Cow::Borrowed(text.as_str()),
            Given::Json(Cow::Owned(Value::String(text))) => Cow::Owned(text),
            Given::Json(value) => match value.as_ref() {
                Value::Number(number) => Cow::Owned(number.to_string()),
                Value::Bool(true) => Cow::Borrowed("true"),
                _ => return None,
            },
        };
        (!text.is_empty()).then_some(text)
    }

    fn member(self, name: &str) -> Option<Given<'v>> {
        match self {
            Given::Text(_) => None,
            Given::Json(Cow::Borrowed(value)) => {
                value.get(name).map(|member| Given::Json(Cow::Borrowed(member)))
            }
            Given::Json(Cow::Owned(mut value)) => {
                value.get_mut(name).map(|member| Given::Json(Cow::Owned(member.take())))
            }
        }
    }
}

#[cfg(test)]
mod tests;
