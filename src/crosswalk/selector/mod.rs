//! Selectors: the words by which a rule names what it reads, one grammar a source format.

mod json;
mod marc;
mod xml;

pub use json::{JsonPath, JsonVisit};
pub use marc::{Indicator, MarcSelector, Operand, Subfields, TagPattern};
pub use xml::{Namespaces, Visit, XmlNode, XmlPath};

/// What is wrong with a selector, and where in its text (in bytes).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectorError {
    /// Offset into the selector.
    pub at: usize,
    /// What was found and what was expected.
    pub message: String,
}

impl SelectorError {
    fn new(at: usize, message: impl Into<String>) -> SelectorError {
        SelectorError { at, message: message.into() }
    }
}

/// A reader over the characters of a selector.
struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    fn new(text: &'t str) -> Cursor<'t> {
        Cursor { text, at: 0 }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn skip_spaces(&mut self) {
        while self.eat(" ") {}
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or("")
    }

    fn expect(&mut self, token: &str) -> Result<(), SelectorError> {
        if self.eat(token) { Ok(()) } else { Err(self.unexpected(&format!("`{token}`"))) }
    }

    fn unexpected(&self, expected: &str) -> SelectorError {
        let found = self.peek().map_or("the end".to_owned(), |c| format!("`{c}`"));
        SelectorError::new(self.at, format!("found {found}, expected {expected}"))
    }

    fn number(&mut self) -> Result<usize, SelectorError> {
        let at = self.at;
        let digits = self.take_while(|c| c.is_ascii_digit());
        digits.parse().map_err(|_| SelectorError::new(at, "expected a number"))
    }

    /// A text in single or double quotes, the opening quote being next.
    fn quoted(&mut self) -> Result<String, SelectorError> {
        let start = self.at;
        let quote = self.next();
        let mut text = String::new();
        while let Some(c) = self.next() {
            if Some(c) == quote {
                return Ok(text);
            }
            text.push(c);
        }
        Err(SelectorError::new(start, "a quote that is not closed"))
    }
}
