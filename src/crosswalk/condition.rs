//! Conditions: the part of `when` that compiles natively, `role in ['author'] and not x == 'y'`.
//!
//! A name is a `let` binding, `value`, `tag`, `ind1`, `ind2` or, over JSON, a path from the
//! current value. A blank indicator reads as `_`.

/// A parsed condition over names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// `name`: there is a value and it is not empty.
    Present(String),
    /// `name == 'a'` and `name in ['a', 'b']`
    OneOf(String, Vec<String>),
    /// `name == other`: both have the same value, or both have none.
    Same(String, String),
    /// `not …`
    Not(Box<Condition>),
    /// `… and …`
    All(Vec<Condition>),
    /// `… or …`
    Any(Vec<Condition>),
}

/// What is wrong with a condition, and where (in bytes).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionError {
    /// Offset into the text.
    pub at: usize,
    /// What was found and what was expected.
    pub message: String,
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// [`ConditionError`] with the offset of the first token that does not fit.
    pub fn parse(text: &str) -> Result<Condition, ConditionError> {
        let mut parser = Parser { tokens: tokens(text)?, next: 0, end: text.len() };
        let condition = parser.any()?;
        match parser.peek() {
            None => Ok(condition),
            Some(_) => Err(parser.unexpected("`and`, `or` or the end")),
        }
    }

    /// Decides, asking `value` for the value of each name.
    pub fn holds<'v>(&self, value: &dyn Fn(&str) -> Option<std::borrow::Cow<'v, str>>) -> bool {
        match self {
            Condition::Present(name) => value(name).is_some_and(|found| !found.is_empty()),
            Condition::OneOf(name, words) => {
                value(name).is_some_and(|found| words.iter().any(|word| *word == found))
            }
            Condition::Same(name, other) => value(name) == value(other),
            Condition::Not(inner) => !inner.holds(value),
            Condition::All(parts) => parts.iter().all(|part| part.holds(value)),
            Condition::Any(parts) => parts.iter().any(|part| part.holds(value)),
        }
    }

    /// Every name it reads.
    pub fn names<'c>(&'c self, out: &mut Vec<&'c str>) {
        match self {
            Condition::Present(name) | Condition::OneOf(name, _) => out.push(name),
            Condition::Same(name, other) => out.extend([name.as_str(), other.as_str()]),
            Condition::Not(inner) => inner.names(out),
            Condition::All(parts) | Condition::Any(parts) => {
                parts.iter().for_each(|part| part.names(out));
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Name(String),
    Text(String),
    Sign(&'static str),
}

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, ConditionError> {
    const SIGNS: &[&str] = &["==", "!=", "(", ")", "[", "]", ","];
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next().unwrap_or(' ');
        if first.is_whitespace() {
            at += first.len_utf8();
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            found.push((at, Token::Sign(sign)));
            at += sign.len();
        } else if first == '\'' || first == '"' {
            let inner = rest.get(1..).unwrap_or("");
            let Some(length) = inner.find(first) else {
                return Err(ConditionError { at, message: "a quote that is not closed".into() });
            };
            found.push((at, Token::Text(inner.get(..length).unwrap_or("").to_owned())));
            at += length + 2;
        } else if first.is_alphanumeric() || first == '_' {
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))
                .unwrap_or(rest.len());
            found.push((at, Token::Name(rest.get(..end).unwrap_or("").to_owned())));
            at += end;
        } else {
            let message = format!("`{first}` has no meaning in a condition");
            return Err(ConditionError { at, message });
        }
    }
    Ok(found)
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    next: usize,
    end: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    fn unexpected(&self, expected: &str) -> ConditionError {
        let (at, found) = match self.tokens.get(self.next) {
            None => (self.end, "the end".to_owned()),
            Some((at, Token::Name(name))) => (*at, format!("`{name}`")),
            Some((at, Token::Text(text))) => (*at, format!("'{text}'")),
            Some((at, Token::Sign(sign))) => (*at, format!("`{sign}`")),
        };
        ConditionError { at, message: format!("found {found}, expected {expected}") }
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Name(name)) if name == word);
        self.next += usize::from(found);
        found
    }

    fn eat_sign(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(sign)) if *sign == wanted);
        self.next += usize::from(found);
        found
    }

    fn any(&mut self) -> Result<Condition, ConditionError> {
        let mut parts = vec![self.all()?];
        while self.eat_word("or") {
            parts.push(self.all()?);
        }
        Ok(single_or(parts, Condition::Any))
    }

    fn all(&mut self) -> Result<Condition, ConditionError> {
        let mut parts = vec![self.one()?];
        while self.eat_word("and") {
            parts.push(self.one()?);
        }
        Ok(single_or(parts, Condition::All))
    }

    fn one(&mut self) -> Result<Condition, ConditionError> {
        if self.eat_word("not") {
            return Ok(Condition::Not(Box::new(self.one()?)));
        }
        if self.eat_sign("(") {
            let inner = self.any()?;
            return if self.eat_sign(")") { Ok(inner) } else { Err(self.unexpected("`)`")) };
        }
        let Some(Token::Name(name)) = self.peek().cloned() else {
            return Err(self.unexpected("a name, `not` or `(`"));
        };
        self.next += 1;
        if self.eat_sign("==") {
            return self.equal(name);
        }
        if self.eat_sign("!=") {
            return Ok(Condition::Not(Box::new(self.equal(name)?)));
        }
        let negated = self.eat_word("not");
        if self.eat_word("in") {
            let within = Condition::OneOf(name, self.words()?);
            return Ok(if negated { Condition::Not(Box::new(within)) } else { within });
        }
        if negated { Err(self.unexpected("`in`")) } else { Ok(Condition::Present(name)) }
    }

    fn equal(&mut self, name: String) -> Result<Condition, ConditionError> {
        let words = ["false", "none", "not", "null", "true"];
        match self.peek().cloned() {
            Some(Token::Name(other)) if !words.contains(&other.to_lowercase().as_str()) => {
                self.next += 1;
                Ok(Condition::Same(name, other))
            }
            _ => Ok(Condition::OneOf(name, vec![self.literal()?])),
        }
    }

    fn words(&mut self) -> Result<Vec<String>, ConditionError> {
        if !self.eat_sign("[") {
            return Err(self.unexpected("`[`"));
        }
        let mut words = vec![self.literal()?];
        while self.eat_sign(",") {
            words.push(self.literal()?);
        }
        if self.eat_sign("]") { Ok(words) } else { Err(self.unexpected("`,` or `]`")) }
    }

    fn literal(&mut self) -> Result<String, ConditionError> {
        match self.peek().cloned() {
            Some(Token::Text(text)) => {
                self.next += 1;
                Ok(text)
            }
            _ => Err(self.unexpected("a quoted text")),
        }
    }
}

fn single_or(mut parts: Vec<Condition>, make: fn(Vec<Condition>) -> Condition) -> Condition {
    match parts.len() {
        1 => parts.swap_remove(0),
        _ => make(parts),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    #[test]
    fn conditions_decide() {
        let value = |name: &str| match name {
            "role" => Some(Cow::Borrowed("author")),
            "ind1" => Some(Cow::Borrowed("_")),
            "empty" => Some(Cow::Borrowed("")),
            _ => None,
        };
        for (text, expected) in [
            ("role == 'author'", true),
            ("role != \"author\"", false),
            ("role in ['editor', 'author']", true),
            ("role not in ['editor']", true),
            ("not role == 'author' or ind1 == '_'", true),
            ("role == 'author' and (empty or missing)", false),
            ("missing != 'x'", true),
            ("role", true),
            ("role == role and role != ind1", true),
            ("missing == other", true),
            ("empty", false),
        ] {
            assert_eq!(Condition::parse(text).unwrap().holds(&value), expected, "{text}");
        }
    }

    #[test]
    fn a_mistake_is_placed() {
        for (text, at) in [("role = 'x'", 5), ("role ==", 7), ("(role", 5), ("a == 3", 5), ("", 0)]
        {
            assert_eq!(Condition::parse(text).expect_err(text).at, at, "{text}");
        }
    }
}
