//! One JSON text to a value: strict about grammar, limited in depth, and silent about no loss.
//!
//! What `serde_json` would do without a word is said here: keys that stand twice, lone
//! surrogates, numbers that no 64 bits hold. <https://www.rfc-editor.org/rfc/rfc8259>

use std::fmt;

use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

use super::reader::{JsonError, plain_length};
use crate::record::Warning;

/// Objects and arrays may be nested so deep.
pub const MAX_DEPTH: usize = 128;

/// So many warnings are given about one text; the rest is counted (`json.more`).
const MOST_WARNINGS: usize = 100;

/// What is done with a text that breaks the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// It is an error.
    Refuse,
    /// What is most likely meant is read, with a warning: the last of two values of one key,
    /// commas too many or missing between members, escapes that are none, `NaN` as null.
    Mend,
}

/// Reads the one JSON value that `text` is; a byte order mark before it is passed over.
///
/// Numbers are kept exactly or, with a warning, as text (`json.number`: integers beyond 64 bits,
/// beyond the range of a double) or rounded (`json.precision`: more digits than a double has).
/// A lone surrogate becomes U+FFFD (`json.surrogate`), a bare control character in a string is
/// kept (`json.control_character`), a key that stands twice with one value is one
/// (`json.duplicate_key`).
///
/// # Errors
/// `json.syntax`, `.truncated`, `.depth`, `.duplicate_key`, `.comma`, `.escape`, `.number`,
/// `.trailing`; with [`Broken::Mend`] fewer of them.
pub fn parse(text: &str, broken: Broken, warnings: &mut Vec<Warning>) -> Result<Value, JsonError> {
    let at = if text.starts_with('\u{FEFF}') { '\u{FEFF}'.len_utf8() } else { 0 };
    let mut parser = Parser { text, at, broken, warnings, given: 0, controls: 0, control: 0 };
    let value = parser.value(0, &Path::Root)?;
    parser.skip_white();
    if parser.at < text.len() {
        return Err(parser.expected("json.trailing", "nothing behind the value"));
    }
    parser.count();
    Ok(value)
}

/// The beginning of a value as it stands in a message.
#[must_use]
pub fn clip(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

// Where a value stands; a list on the stack that costs nothing until it is shown.
enum Path<'p> {
    Root,
    Key(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Key(Path::Root, key) => f.write_str(key),
            Path::Key(parent, key) => write!(f, "{parent}.{key}"),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

struct Parser<'t, 'w> {
    text: &'t str,
    at: usize,
    broken: Broken,
    warnings: &'w mut Vec<Warning>,
    /// Warnings so far, those that are only counted among them.
    given: usize,
    controls: usize,
    /// The offset of the first of them.
    control: usize,
}

impl<'t> Parser<'t, '_> {
    fn value(&mut self, depth: usize, path: &Path<'_>) -> Result<Value, JsonError> {
        self.skip_white();
        match self.peek() {
            Some(b'{') => self.object(depth, path),
            Some(b'[') => self.array(depth, path),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') if !self.rest().starts_with("-I") => self.number(path),
            _ => self.word(),
        }
    }

    fn object(&mut self, depth: usize, path: &Path<'_>) -> Result<Value, JsonError> {
        let mut members = Map::new();
        let mut goes_on = self.opens(b'}', depth)?;
        while goes_on {
            if self.peek() != Some(b'"') {
                return Err(self.expected("json.syntax", "a key in quotation marks"));
            }
            let key_at = self.at;
            let key = self.string()?;
            self.skip_white();
            if self.peek() != Some(b':') {
                return Err(self.expected("json.syntax", "a colon"));
            }
            self.at += 1;
            let value = self.value(depth + 1, &Path::Key(path, &key))?;
            match members.entry(key) {
                Entry::Vacant(entry) => {
                    entry.insert(value);
                }
                Entry::Occupied(mut entry) => {
                    let place = Path::Key(path, entry.key()).to_string();
                    self.duplicate(key_at, &place, entry.get(), &value)?;
                    entry.insert(value);
                }
            }
            goes_on = self.goes_on(b'}')?;
        }
        Ok(Value::Object(members))
    }

    fn duplicate(
        &mut self,
        at: usize,
        place: &str,
        first: &Value,
        last: &Value,
    ) -> Result<(), JsonError> {
        let first_text = clip(&first.to_string());
        if first == last {
            let message = format!("byte {at}: {place} stands twice, both times {first_text}");
            self.warn("json.duplicate_key", message);
            return Ok(());
        }
        let last_text = clip(&last.to_string());
        let message = format!("{place} stands twice, first {first_text}, then {last_text}");
        self.mend("json.duplicate_key", at, &message)
    }

    fn array(&mut self, depth: usize, path: &Path<'_>) -> Result<Value, JsonError> {
        let mut elements = Vec::new();
        let mut goes_on = self.opens(b']', depth)?;
        while goes_on {
            elements.push(self.value(depth + 1, &Path::Index(path, elements.len()))?);
            goes_on = self.goes_on(b']')?;
        }
        Ok(Value::Array(elements))
    }

    // Passes the bracket; whether a member follows.
    fn opens(&mut self, close: u8, depth: usize) -> Result<bool, JsonError> {
        if depth >= MAX_DEPTH {
            let message =
                format!("byte {}: nested deeper than {MAX_DEPTH} objects and arrays", self.at);
            return Err(JsonError { code: "json.depth", message });
        }
        self.at += 1;
        self.skip_white();
        let closed = self.peek() == Some(close);
        self.at += usize::from(closed);
        Ok(!closed)
    }

    // Passes what stands behind a member; whether another follows.
    fn goes_on(&mut self, close: u8) -> Result<bool, JsonError> {
        self.skip_white();
        let at = self.at;
        match self.peek() {
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            Some(b',') => {
                self.at += 1;
                self.skip_white();
                if self.peek() != Some(close) {
                    return Ok(true);
                }
                self.mend("json.comma", at, "a comma behind the last member")?;
                self.at += 1;
                Ok(false)
            }
            Some(b'"' | b'{' | b'[') => {
                self.mend("json.comma", at, "no comma between two members")?;
                Ok(true)
            }
            _ => Err(self.expected("json.syntax", &format!("a comma or {:?}", char::from(close)))),
        }
    }

    fn string(&mut self) -> Result<String, JsonError> {
        let mut out = String::new();
        let open = self.at;
        self.at += 1;
        loop {
            let rest = self.rest();
            let length = plain_length(rest.as_bytes());
            let piece = rest.get(..length).unwrap_or_default();
            match out.is_empty() {
                true => out = String::from(piece),
                false => out.push_str(piece),
            }
            self.at += length;
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape(&mut out)?,
                // Only ASCII comes here: each byte is one character.
                Some(byte) => {
                    if self.controls == 0 {
                        self.control = self.at;
                    }
                    self.controls += 1;
                    out.push(char::from(byte));
                    self.at += 1;
                }
                None => {
                    let message = format!("byte {open}: the string has no end");
                    return Err(JsonError { code: "json.truncated", message });
                }
            }
        }
        self.at += 1;
        Ok(out)
    }

    fn escape(&mut self, out: &mut String) -> Result<(), JsonError> {
        let at = self.at;
        let rest = self.rest();
        let Some(code) = rest.chars().nth(1) else {
            self.at = self.text.len();
            return Ok(());
        };
        self.at += 1 + code.len_utf8();
        let c = match code {
            '"' | '\\' | '/' => code,
            'b' => '\u{8}',
            'f' => '\u{C}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => match hex4(rest.get(2..6)) {
                Some(unit) => {
                    self.at += 4;
                    self.unit(at, unit)
                }
                None => return self.no_escape(at, code, out),
            },
            _ => return self.no_escape(at, code, out),
        };
        out.push(c);
        Ok(())
    }

    // The character that a UTF-16 code unit is, or begins.
    fn unit(&mut self, at: usize, unit: u32) -> char {
        if let Some(c) = char::from_u32(unit) {
            return c;
        }
        let low = self.rest().strip_prefix("\\u").and_then(|rest| hex4(rest.get(..4)));
        if let (0xD800..0xDC00, Some(low @ 0xDC00..0xE000)) = (unit, low) {
            let code = 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
            if let Some(c) = char::from_u32(code) {
                self.at += 6;
                return c;
            }
        }
        let message = format!("byte {at}: \\u{unit:04x} is half a character, read as U+FFFD");
        self.warn("json.surrogate", message);
        char::REPLACEMENT_CHARACTER
    }

    fn no_escape(&mut self, at: usize, code: char, out: &mut String) -> Result<(), JsonError> {
        self.mend("json.escape", at, &format!("\\{code} is no escape"))?;
        out.extend(['\\', code]);
        Ok(())
    }

    fn number(&mut self, path: &Path<'_>) -> Result<Value, JsonError> {
        let at = self.at;
        let token = number_token(self.rest());
        self.at += token.len();
        if token.is_empty() {
            return Err(self.expected("json.number", "a number"));
        }
        let (value, problem) = exactly(token);
        if let Some((code, what)) = problem {
            let message = format!("byte {at}: {path} is {}, {what}", clip(token));
            self.warn(code, message);
        }
        Ok(value)
    }

    fn word(&mut self) -> Result<Value, JsonError> {
        let words = [("null", Value::Null), ("true", true.into()), ("false", false.into())];
        for (word, value) in words {
            if self.rest().starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        for word in ["NaN", "Infinity", "-Infinity"] {
            if self.rest().starts_with(word) {
                self.mend("json.number", self.at, &format!("{word} is no number of JSON"))?;
                self.at += word.len();
                return Ok(Value::Null);
            }
        }
        Err(self.expected("json.syntax", "a value"))
    }

    fn count(&mut self) {
        if self.controls > 0 {
            let message = format!(
                "byte {}: {} control characters in strings are not escaped",
                self.control, self.controls
            );
            self.warnings.push(Warning::new("json.control_character", message));
        }
        if let Some(more) = self.given.checked_sub(MOST_WARNINGS).filter(|more| *more > 0) {
            let message = format!("and {more} more warnings");
            self.warnings.push(Warning::new("json.more", message));
        }
    }

    fn warn(&mut self, code: &'static str, message: String) {
        self.given += 1;
        if self.given <= MOST_WARNINGS {
            self.warnings.push(Warning::new(code, message));
        }
    }

    fn mend(&mut self, code: &'static str, at: usize, message: &str) -> Result<(), JsonError> {
        let message = format!("byte {at}: {message}");
        if self.broken == Broken::Refuse {
            return Err(JsonError { code, message });
        }
        self.warn(code, message);
        Ok(())
    }

    fn expected(&self, code: &'static str, expected: &str) -> JsonError {
        let Some(found) = self.rest().chars().next() else {
            let message = format!("byte {}: the text ends, expected {expected}", self.at);
            return JsonError { code: "json.truncated", message };
        };
        let message = format!("byte {}: found {found:?}, expected {expected}", self.at);
        JsonError { code, message }
    }

    fn skip_white(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

fn hex4(digits: Option<&str>) -> Option<u32> {
    let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u32::from_str_radix(digits, 16).ok()
}

// The number at the front of the text, empty when there is none: RFC 8259, section 6.
fn number_token(text: &str) -> &str {
    let bytes = text.as_bytes();
    let digits =
        |from: usize| bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = usize::from(bytes.first() == Some(&b'-'));
    let whole = digits(end);
    if whole == 0 {
        return "";
    }
    end += if bytes.get(end) == Some(&b'0') { 1 } else { whole };
    if bytes.get(end) == Some(&b'.') && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
    }
    if let Some(b'e' | b'E') = bytes.get(end) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    text.get(..end).unwrap_or_default()
}

// The value of a number, and what is to be said about it.
fn exactly(token: &str) -> (Value, Option<(&'static str, &'static str)>) {
    let as_text = (Value::from(token), Some(("json.number", "kept as text: no 64 bits hold it")));
    if !token.contains(['.', 'e', 'E']) && token != "-0" {
        let signed = token.parse::<i64>().map(Value::from);
        return match signed.or_else(|_| token.parse::<u64>().map(Value::from)) {
            Ok(value) => (value, None),
            Err(_) => as_text,
        };
    }
    let double = token.parse::<f64>().unwrap_or(f64::NAN);
    let Some(number) = Number::from_f64(double) else {
        return as_text;
    };
    // Fifteen digits always come back as they were.
    let short = token.len() <= 16 && !token.contains(['e', 'E']);
    if short || is_kept(token, double) {
        return (Value::Number(number), None);
    }
    if double == 0.0 {
        return as_text;
    }
    (Value::Number(number), Some(("json.precision", "more digits than a double has, rounded")))
}

// Whether the double, written with as many digits or as few as it needs, is the number again.
fn is_kept(token: &str, double: f64) -> bool {
    const MOST_DIGITS: usize = 40;
    let number = decimal(token);
    let digits = number.0.len();
    number == decimal(&format!("{double:e}"))
        || (1..=MOST_DIGITS).contains(&digits)
            && number == decimal(&format!("{double:.*e}", digits - 1))
}

// Significant digits and power of ten: equal for equal numbers, however they are written.
fn decimal(token: &str) -> (String, i64) {
    let token = token.trim_start_matches('-');
    let (mantissa, exponent) = token.split_once(['e', 'E']).unwrap_or((token, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let kept = digits.trim_start_matches('0').trim_end_matches('0');
    if kept.is_empty() {
        return (String::new(), 0);
    }
    let cut = digits.len() - digits.trim_end_matches('0').len();
    let shift = i64::try_from(cut).unwrap_or(0) - i64::try_from(fraction.len()).unwrap_or(0);
    let exponent = exponent.trim_start_matches('+').parse::<i64>().unwrap_or(i64::MAX);
    (kept.to_owned(), exponent.saturating_add(shift))
}

#[cfg(test)]
mod tests;
