//! What expressions and conditions give: names resolved, failures left to the policies.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Node, Source};
use crate::crosswalk::account::{ClassNumber, State};
use crate::crosswalk::expression::{Expression, Failure, Given, Outcome as Evaluated};
use crate::crosswalk::known::Known;
use crate::crosswalk::plan::{Fallback, FieldTest, Step, When};
use crate::crosswalk::run::{Found, Held, Origins, Outcome, Run};
use crate::crosswalk::shape::Quoting;
use crate::crosswalk::syntax::Policy;
use crate::crosswalk::values::{Sink, position};
use crate::formats::envelope;
use crate::formats::marc21::Field;
use crate::xml::tree::Element;

impl<'r> Run<'r> {
    /// Whether a condition holds; none always does.
    pub(in crate::crosswalk) fn holds(
        &mut self,
        step: &'r Step,
        when: Option<&'r When>,
        node: &Node<'r>,
    ) -> Outcome<bool> {
        let (holds, names) = match when {
            None => return Ok(true),
            Some(When::Field(test, _, number)) if let Some(field) = self.plain_field(node) => {
                return Ok(self.field_holds(test, *number, field));
            }
            Some(When::Native(condition) | When::Field(_, condition, _)) => {
                let named = |name: &str| self.named(name, node).map(|found| found.text);
                let mut names = Vec::new();
                // The values of MARC are marked where bindings read them.
                if !matches!(self.source, Source::Marc(_)) {
                    condition.names(&mut names);
                }
                (condition.holds(&named), names)
            }
            Some(When::Expression(expression)) => {
                let given = |name: &str| self.given(name, node);
                let holds = match expression.holds(&given) {
                    Ok(holds) => holds,
                    Err(failure) => {
                        self.failure(step, &failure, Origins::None)?;
                        false
                    }
                };
                (holds, expression.reads().iter().map(String::as_str).collect())
            }
        };
        for name in names {
            if let Some(found) = self.named(name, node) {
                self.mark(found.origins, State::Read);
            }
        }
        Ok(holds)
    }

    fn field_holds(&mut self, test: &FieldTest, number: usize, field: Field<'r>) -> bool {
        let Some(class) = self.class_of(field) else { return test.holds(field) };
        self.memory.known.holds(class, number).unwrap_or_else(|| {
            let holds = test.holds(field);
            self.memory.known.put(class, number, Known::Holds(holds));
            holds
        })
    }

    /// The class of a field, where all fields of it have the same tag and indicators.
    #[inline]
    pub(in crate::crosswalk) fn class_of(&self, field: Field<'r>) -> Option<ClassNumber> {
        let input = self.marc().filter(|input| !input.has_strays())?;
        let [first, second] = field.indicators();
        let class = input.classes().get(field.index()).copied();
        class.filter(|_| first.is_ascii() && second.is_ascii())
    }

    /// The field at hand, if it counts as one of its own tag.
    fn plain_field(&self, node: &Node<'r>) -> Option<Field<'r>> {
        let field = self.field_of(node)?;
        self.marc().filter(|input| !input.has_strays()).map(|_| field)
    }

    /// The values of an expression, which come from all that it reads, into the sink.
    pub(super) fn evaluate(
        &mut self,
        step: &'r Step,
        expression: &'r Expression,
        node: &Node<'r>,
        sink: &mut Sink<'_, 'r>,
    ) -> Outcome<bool> {
        let origins = self.origins(expression, node);
        let value = |text, quoting| Found { text, quoting, origins };
        let evaluated = expression.evaluate(&|name| self.given(name, node));
        if evaluated.is_ok() {
            // Unless something of it is written, which counts for more.
            self.mark(origins, State::Dropped);
        }
        match evaluated {
            Ok(Evaluated::Nothing) => Ok(true),
            Ok(Evaluated::Text(text)) => self.emit(step, 0, value(text, Quoting::Escaped), sink),
            Ok(Evaluated::Json(text)) => {
                self.emit(step, 0, value(Cow::Owned(text), Quoting::Raw), sink)
            }
            Ok(Evaluated::Texts(texts)) => {
                for text in texts {
                    if !self.emit(step, 0, value(Cow::Owned(text), Quoting::Escaped), sink)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Err(failure) => {
                self.mark(origins, State::Failed);
                self.failure(step, &failure, origins)?;
                match &step.on_error {
                    Policy::Default(text) => self.emit(step, 0, Found::of(text), sink),
                    _ => Ok(!step.error_drops_object),
                }
            }
        }
    }

    /// What stands in for a value that is missing, if it is there.
    pub(in crate::crosswalk) fn fallback(
        &mut self,
        step: &'r Step,
        fallback: &'r Fallback,
        node: &Node<'r>,
    ) -> Outcome<Option<Found<'r>>> {
        let expression = match fallback {
            Fallback::Text(text) => return Ok(Some(Found::of(text))),
            Fallback::Expression(expression) => expression,
        };
        let origins = self.origins(expression, node);
        match expression.evaluate(&|name| self.given(name, node)) {
            Ok(Evaluated::Nothing) => Ok(None),
            Ok(Evaluated::Text(text)) => Ok(Some(Found { origins, ..Found::of(text) })),
            Ok(Evaluated::Json(text)) => {
                Ok(Some(Found { text: Cow::Owned(text), quoting: Quoting::Raw, origins }))
            }
            Ok(Evaluated::Texts(texts)) => {
                let text = Cow::Owned(texts.join("; "));
                Ok(Some(Found { origins, ..Found::of(text) }))
            }
            Err(failure) => {
                self.failure(step, &failure, origins)?;
                match &step.on_error {
                    Policy::Default(text) => Ok(Some(Found::of(text))),
                    _ => Ok(None),
                }
            }
        }
    }

    /// Counts a failure, or holds the record for it.
    fn failure(&mut self, step: &Step, failure: &Failure, origins: Origins) -> Outcome<()> {
        let fatal = step.on_error == Policy::Fail;
        if fatal || step.on_error == Policy::Quarantine {
            return Err(Box::new(Held {
                rule: step.label.clone(),
                code: failure.code.to_owned(),
                message: format!("{}{}", failure.message, self.at(origins)),
                fatal,
            }));
        }
        self.problem(step, &step.on_error, failure.code, (origins, &failure.message));
        Ok(())
    }

    /// The values of the record that an expression reads.
    fn origins(&mut self, expression: &Expression, node: &Node<'r>) -> Origins {
        let start = position(self.memory.origins.len());
        for read in expression.reads() {
            match self.named(read, node).map_or(Origins::None, |found| found.origins) {
                Origins::None => {}
                Origins::One(value) => self.memory.origins.push(value),
                Origins::Span(from, to) => self.memory.origins.extend(from..to),
                Origins::Many(from, to) => {
                    self.memory.origins.extend_from_within(from as usize..to as usize);
                }
            }
        }
        Origins::Many(start, position(self.memory.origins.len()))
    }

    /// The value of a name in an expression.
    fn given(&self, name: &str, node: &Node<'r>) -> Option<Given<'r>> {
        let is_bound = self.bindings.iter().any(|(bound, _)| *bound == name);
        match name {
            "record" if !is_bound => self.output.clone().map(|json| Given::Json(Cow::Owned(json))),
            "header" if !is_bound => self.header().map(|json| Given::Json(Cow::Owned(json))),
            _ => {
                let found = self.named(name, node)?;
                let is_json = found.quoting == Quoting::Raw;
                let json = is_json.then(|| serde_json::from_str::<Value>(&found.text).ok());
                Some(match json.flatten() {
                    Some(json) => Given::Json(Cow::Owned(json)),
                    None => Given::Text(found.text),
                })
            }
        }
    }

    /// The header that the record came with by OAI-PMH: `identifier`, `datestamp`, `setSpec` (a
    /// list) and `status`.
    fn header(&self) -> Option<Value> {
        let header = envelope::header(self.xml()?.tree)?;
        let text = |element: Element<'_>| Value::String(element.text().trim().to_owned());
        let mut members = Map::new();
        let parts = [("identifier", header.identifier()), ("datestamp", header.datestamp())];
        for (name, part) in parts {
            members.extend(part.map(|element| (name.to_owned(), text(element))));
        }
        let sets: Vec<Value> = header.set_specs().map(text).collect();
        members.insert("setSpec".to_owned(), Value::Array(sets));
        if header.is_deleted() {
            members.insert("status".to_owned(), Value::String("deleted".to_owned()));
        }
        Some(Value::Object(members))
    }
}
