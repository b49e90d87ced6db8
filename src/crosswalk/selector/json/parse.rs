//! Reading a JSON selector.

use regex::Regex;
use serde_json::Value;

use super::filter::{Operand, Relation, Test};
use super::{JsonPath, Slice, Step};
use crate::crosswalk::selector::{Cursor, SelectorError};

/// Filters may stand so deep in one another.
const MAX_DEPTH: usize = 16;

pub(super) fn parse(text: &str) -> Result<JsonPath, SelectorError> {
    let mut parser = Parser { cursor: Cursor::new(text), depth: 0 };
    if text == "." {
        return Ok(JsonPath { absolute: false, steps: Vec::new() });
    }
    let absolute = parser.cursor.eat("$");
    let mut steps = Vec::new();
    if !absolute && !parser.cursor.rest().starts_with(['[', '.']) {
        steps.push(parser.dotted()?);
    }
    parser.steps(&mut steps)?;
    match parser.cursor.peek() {
        None => Ok(JsonPath { absolute, steps }),
        Some(_) => Err(parser.cursor.unexpected("`.`, `[` or the end of the path")),
    }
}

struct Parser<'t> {
    cursor: Cursor<'t>,
    depth: usize,
}

impl Parser<'_> {
    fn steps(&mut self, steps: &mut Vec<Step>) -> Result<(), SelectorError> {
        loop {
            let below = self.cursor.eat("..");
            if below {
                steps.push(Step::Descendants);
            }
            if self.cursor.eat("[") {
                steps.push(self.bracket()?);
            } else if below || self.cursor.eat(".") {
                steps.push(self.dotted()?);
            } else {
                return Ok(());
            }
        }
    }

    fn dotted(&mut self) -> Result<Step, SelectorError> {
        if self.cursor.eat("*") {
            return Ok(Step::All);
        }
        let of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ':');
        match self.cursor.take_while(of_name) {
            "" => Err(self.cursor.unexpected("a name")),
            name => Ok(Step::Name(name.to_owned())),
        }
    }

    /// What stands in brackets, the opening one being behind.
    fn bracket(&mut self) -> Result<Step, SelectorError> {
        let mut steps = Vec::new();
        loop {
            self.cursor.skip_spaces();
            steps.push(self.choice()?);
            self.cursor.skip_spaces();
            if !self.cursor.eat(",") {
                break;
            }
        }
        self.cursor.expect("]")?;
        Ok(if steps.len() == 1 { steps.swap_remove(0) } else { Step::Several(steps) })
    }

    fn choice(&mut self) -> Result<Step, SelectorError> {
        match self.cursor.peek() {
            Some('*') => {
                self.cursor.next();
                Ok(Step::All)
            }
            Some('\'' | '"') => Ok(Step::Name(self.text()?)),
            Some('?') => {
                self.cursor.next();
                Ok(Step::Where(self.any()?))
            }
            _ => self.index_or_slice(),
        }
    }

    fn index_or_slice(&mut self) -> Result<Step, SelectorError> {
        let start = self.optional_integer()?;
        if !self.cursor.eat(":") {
            let expected = "a number, a quoted name, `*`, `?` or `:`";
            return start.map(Step::Index).ok_or_else(|| self.cursor.unexpected(expected));
        }
        let end = self.optional_integer()?;
        let at = self.cursor.at;
        let step = if self.cursor.eat(":") { self.optional_integer()? } else { None };
        if step == Some(0) {
            return Err(SelectorError::new(at + 1, "a slice in steps of 0"));
        }
        Ok(Step::Slice(Slice { start, end, step: step.unwrap_or(1) }))
    }

    fn optional_integer(&mut self) -> Result<Option<i64>, SelectorError> {
        self.cursor.skip_spaces();
        let negative = self.cursor.eat("-");
        if !negative && !self.cursor.peek().is_some_and(|c| c.is_ascii_digit()) {
            return Ok(None);
        }
        let number = i64::try_from(self.cursor.number()?).unwrap_or(i64::MAX);
        self.cursor.skip_spaces();
        Ok(Some(if negative { -number } else { number }))
    }

    fn any(&mut self) -> Result<Test, SelectorError> {
        if self.depth == MAX_DEPTH {
            let message = format!("brackets in brackets, more than {MAX_DEPTH} deep");
            return Err(SelectorError::new(self.cursor.at, message));
        }
        self.depth += 1;
        let mut tests = vec![self.all()?];
        while self.cursor.eat("||") {
            tests.push(self.all()?);
        }
        self.depth -= 1;
        Ok(if tests.len() == 1 { tests.swap_remove(0) } else { Test::Any(tests) })
    }

    fn all(&mut self) -> Result<Test, SelectorError> {
        let mut tests = vec![self.one()?];
        while self.cursor.eat("&&") {
            tests.push(self.one()?);
        }
        Ok(if tests.len() == 1 { tests.swap_remove(0) } else { Test::All(tests) })
    }

    fn one(&mut self) -> Result<Test, SelectorError> {
        self.cursor.skip_spaces();
        let negated = self.cursor.eat("!");
        self.cursor.skip_spaces();
        let test = if self.cursor.eat("(") {
            let inner = self.any()?;
            self.cursor.expect(")")?;
            inner
        } else if self.cursor.eat("match(") {
            self.pattern(true)?
        } else if self.cursor.eat("search(") {
            self.pattern(false)?
        } else {
            self.comparison()?
        };
        self.cursor.skip_spaces();
        Ok(if negated { Test::Not(Box::new(test)) } else { test })
    }

    /// `@.a, 're')`
    fn pattern(&mut self, whole: bool) -> Result<Test, SelectorError> {
        let path = self.argument(true)?;
        self.cursor.expect(",")?;
        self.cursor.skip_spaces();
        let at = self.cursor.at;
        if !matches!(self.cursor.peek(), Some('\'' | '"')) {
            return Err(self.cursor.unexpected("a quoted regular expression"));
        }
        let pattern = self.text()?;
        let anchored = if whole { format!("^(?:{pattern})$") } else { pattern };
        let regex = Regex::new(&anchored).map_err(|error| {
            let error = error.to_string();
            let reason = error.lines().last().unwrap_or_default();
            SelectorError::new(at, format!("regular expression: {reason}"))
        })?;
        self.cursor.skip_spaces();
        self.cursor.expect(")")?;
        Ok(Test::Matches(path, regex))
    }

    fn comparison(&mut self) -> Result<Test, SelectorError> {
        const RELATIONS: [(&str, Relation); 6] = [
            ("==", Relation::Equal),
            ("!=", Relation::Other),
            ("<=", Relation::LessOrEqual),
            (">=", Relation::GreaterOrEqual),
            ("<", Relation::Less),
            (">", Relation::Greater),
        ];
        let at = self.cursor.at;
        let left = self.operand()?;
        self.cursor.skip_spaces();
        let found = RELATIONS.iter().find(|(sign, _)| self.cursor.eat(sign));
        let Some((_, relation)) = found else {
            return match left {
                Operand::Path(path) => Ok(Test::Exists(path)),
                _ => Err(self.cursor.unexpected("a comparison")),
            };
        };
        self.one_value(at, &left)?;
        self.cursor.skip_spaces();
        let at = self.cursor.at;
        let right = self.operand()?;
        self.one_value(at, &right)?;
        Ok(Test::Compare(left, *relation, right))
    }

    fn one_value(&self, at: usize, operand: &Operand) -> Result<(), SelectorError> {
        match operand {
            Operand::Path(path) if !path.is_singular() => {
                let message = "a comparison takes one value, and this path can lead to many";
                Err(SelectorError::new(at, message))
            }
            _ => Ok(()),
        }
    }

    fn operand(&mut self) -> Result<Operand, SelectorError> {
        for (word, value) in
            [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)]
        {
            if self.cursor.eat(word) {
                return Ok(Operand::Literal(value));
            }
        }
        if self.cursor.eat("length(") {
            let path = self.argument(true)?;
            self.cursor.expect(")")?;
            return Ok(Operand::Length(path));
        }
        if self.cursor.eat("count(") {
            let path = self.argument(false)?;
            self.cursor.expect(")")?;
            return Ok(Operand::Count(path));
        }
        match self.cursor.peek() {
            Some('\'' | '"') => Ok(Operand::Literal(Value::String(self.text()?))),
            Some('-' | '0'..='9') => {
                let at = self.cursor.at;
                let digits = self.cursor.take_while(|c| c.is_ascii_digit() || "-+.eE".contains(c));
                let number =
                    digits.parse().map_err(|_| SelectorError::new(at, "expected a number"))?;
                Ok(Operand::Literal(Value::Number(number)))
            }
            _ => self.inner_path().map(Operand::Path),
        }
    }

    fn argument(&mut self, single: bool) -> Result<JsonPath, SelectorError> {
        self.cursor.skip_spaces();
        let at = self.cursor.at;
        let path = self.inner_path()?;
        self.cursor.skip_spaces();
        if single && !path.is_singular() {
            let message = "the function takes one value, and this path can lead to many";
            return Err(SelectorError::new(at, message));
        }
        Ok(path)
    }

    fn inner_path(&mut self) -> Result<JsonPath, SelectorError> {
        let absolute = self.cursor.eat("$");
        if !absolute && !self.cursor.eat("@") {
            return Err(self.cursor.unexpected("`@`, `$`, `(`, `!`, a function or a literal"));
        }
        let mut steps = Vec::new();
        self.steps(&mut steps)?;
        Ok(JsonPath { absolute, steps })
    }

    /// A text in quotes, the opening quote being next. What a backslash has no meaning before
    /// keeps it, as regular expressions want.
    fn text(&mut self) -> Result<String, SelectorError> {
        let start = self.cursor.at;
        let quote = self.cursor.next();
        let mut text = String::new();
        while let Some(c) = self.cursor.next() {
            if Some(c) == quote {
                return Ok(text);
            }
            if c != '\\' {
                text.push(c);
                continue;
            }
            match self.cursor.next() {
                Some(c @ ('\\' | '\'' | '"' | '/')) => text.push(c),
                Some(c) => text.extend(['\\', c]),
                None => break,
            }
        }
        Err(SelectorError::new(start, "a quote that is not closed"))
    }
}
