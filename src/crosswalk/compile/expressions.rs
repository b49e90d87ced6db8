//! Conditions, expressions and defaults: their names resolved, their mistakes placed.

use super::{Compiler, Scope};
use crate::crosswalk::condition::Condition;
use crate::crosswalk::expression::{self, Expression, ExpressionError, Form};
use crate::crosswalk::plan::{Fallback, FieldTest, Input, When};
use crate::crosswalk::syntax::Spanned;
use crate::formats::{Model, by_name};

/// Names that stand for something everywhere.
const BUILT_IN: [&str; 3] = ["value", "header", "record"];
/// Names that stand for something in a field of MARC.
const OF_FIELDS: [&str; 3] = ["tag", "ind1", "ind2"];

impl Compiler<'_> {
    /// A condition; `has_policy` says that an `on_error` is in force.
    pub(super) fn condition(
        &mut self,
        when: &Spanned<String>,
        scope: &Scope<'_>,
        has_policy: bool,
    ) -> Option<When> {
        let condition = match Condition::parse(&when.value) {
            Ok(condition) if !reads_whole(&condition) => condition,
            parsed => {
                let mut errors = match self.compiled(&when.value, Form::Condition, scope) {
                    Ok(expression) => {
                        self.must_have_policy(when, &expression, has_policy);
                        return Some(When::Expression(Box::new(expression)));
                    }
                    Err(errors) => errors,
                };
                // The mistake that is met later is the one that was made.
                if let (Err(native), [error]) = (parsed, errors.as_mut_slice())
                    && error.code == "E0206"
                    && native.at >= error.at
                {
                    (error.at, error.length, error.message) = (native.at, 1, native.message);
                }
                self.report(when, errors);
                return None;
            }
        };
        if matches!(self.input, Input::Marc) {
            let mut names = Vec::new();
            condition.names(&mut names);
            let known = self.names(scope);
            for name in names.iter().filter(|name| !known.iter().any(|known| known == *name)) {
                let at = when.value.find(name).unwrap_or(0);
                let span = self.inside(when.span, at, name.len());
                self.check.unknown("E0207", span, "name", name, known.iter().map(String::as_str));
            }
        }
        Some(match FieldTest::of(&condition, &scope.bindings) {
            Some(test) => {
                self.known += 1;
                When::Field(test, condition, self.known - 1)
            }
            None => When::Native(condition),
        })
    }

    /// An expression, its mistakes reported.
    pub(super) fn expression(
        &mut self,
        text: &Spanned<String>,
        form: Form,
        scope: &Scope<'_>,
        has_policy: bool,
    ) -> Option<Expression> {
        match self.compiled(&text.value, form, scope) {
            Ok(expression) => {
                self.must_have_policy(text, &expression, has_policy);
                Some(expression)
            }
            Err(errors) => {
                self.report(text, errors);
                None
            }
        }
    }

    /// What stands in for a missing value: an expression when it has `{{` or `{%` in it.
    pub(super) fn fallback(
        &mut self,
        text: &Spanned<String>,
        scope: &Scope<'_>,
        has_policy: bool,
    ) -> Option<Fallback> {
        if !text.value.contains("{{") && !text.value.contains("{%") {
            return Some(Fallback::Text(text.value.clone()));
        }
        let expression = self.expression(text, Form::Template, scope, has_policy)?;
        Some(Fallback::Expression(Box::new(expression)))
    }

    fn compiled(
        &mut self,
        text: &str,
        form: Form,
        scope: &Scope<'_>,
    ) -> Result<Expression, Vec<ExpressionError>> {
        let known = self.names(scope);
        let names: Vec<&str> = known.iter().map(String::as_str).collect();
        let members = !matches!(self.input, Input::Marc);
        let context = expression::Scope { names: &names, members, pipes: &self.context };
        let expression = Expression::compile(text, form, context)?;
        let is_bound = scope.bindings.iter().any(|name| name == "record");
        self.reads_record |= !is_bound && expression.names().any(|name| name == "record");
        Ok(expression)
    }

    fn names(&self, scope: &Scope<'_>) -> Vec<String> {
        let of_fields = OF_FIELDS.iter().filter(|_| matches!(self.input, Input::Marc));
        // The output so far is JSON.
        let is_json = match self.file.to_format.value.as_str() {
            "json" => true,
            name => by_name(name).is_some_and(|format| format.model == Model::Json),
        };
        let built_in = BUILT_IN.iter().filter(|name| is_json || **name != "record");
        let all = built_in.chain(of_fields).map(|name| (*name).to_owned());
        scope.bindings.iter().cloned().chain(all).collect()
    }

    fn must_have_policy(
        &mut self,
        text: &Spanned<String>,
        expression: &Expression,
        has_policy: bool,
    ) {
        let Some(fallible) = expression.fallible().filter(|_| !has_policy) else { return };
        self.without_policy(text, fallible);
    }

    fn report(&mut self, text: &Spanned<String>, errors: Vec<ExpressionError>) {
        for error in errors {
            let span = self.inside(text.span, error.at, error.length);
            self.check.error_with_hint(error.code, span, error.message, error.hint);
        }
    }
}

/// Whether a condition reads what has members: the interpreter knows them.
fn reads_whole(condition: &Condition) -> bool {
    let mut names = Vec::new();
    condition.names(&mut names);
    names.iter().any(|name| matches!(name.split('.').next(), Some("record" | "header")))
}
