//! A pull reader over one JSON text: tokens with resolved escapes, limits, and where it broke.
//!
//! Numbers are given as they are written, so none is too large. Keys come in their order, as
//! often as they stand there. <https://www.rfc-editor.org/rfc/rfc8259>

use std::borrow::Cow;

use thiserror::Error;

/// Arrays and objects may be nested so deep.
const MAX_DEPTH: u32 = 128;

/// Why a text could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct JsonError {
    /// `json.syntax`, `json.depth`, `json.truncated`, `json.number` or `json.text`.
    pub code: &'static str,
    /// What was found and what was expected.
    pub message: String,
}

/// What comes next in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token<'j> {
    /// `{`
    BeginObject,
    /// `}`
    EndObject,
    /// `[`
    BeginArray,
    /// `]`
    EndArray,
    /// The key of the value that comes next.
    Key(Cow<'j, str>),
    /// A text.
    Text(Cow<'j, str>),
    /// A number, as it is written.
    Number(&'j str),
    /// `true` or `false`.
    Bool(bool),
    /// `null`
    Null,
    /// The text is over, everything closed.
    Eof,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    /// A value or the end of the array, a key or the end of the object.
    First,
    Key,
    /// A comma, or the end of what is open, or of the text.
    Next,
}

/// Reads one text from memory.
#[derive(Debug)]
pub struct Reader<'j> {
    text: &'j str,
    at: usize,
    depth: u32,
    /// The open brackets, a bit each, the innermost last: 1 is an object.
    kinds: u128,
    expect: Expect,
    lone_surrogates: usize,
    bare_controls: usize,
}

impl<'j> Reader<'j> {
    /// A reader at the beginning of `text`.
    #[must_use]
    pub fn new(text: &'j str) -> Reader<'j> {
        Reader {
            text,
            at: 0,
            depth: 0,
            kinds: 0,
            expect: Expect::Value,
            lone_surrogates: 0,
            bare_controls: 0,
        }
    }

    /// Bytes read so far.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.at
    }

    /// How many halves of a surrogate pair were found alone; each is given as U+FFFD.
    #[must_use]
    pub fn lone_surrogates(&self) -> usize {
        self.lone_surrogates
    }

    /// How many control characters stood in texts without an escape; they are kept.
    #[must_use]
    pub fn bare_controls(&self) -> usize {
        self.bare_controls
    }

    /// The next token.
    ///
    /// # Errors
    /// Anything that is not JSON, too many levels, an end before everything is closed.
    #[expect(
        clippy::should_implement_trait,
        reason = "a token borrows from the text, not from self"
    )]
    pub fn next(&mut self) -> Result<Token<'j>, JsonError> {
        let mut byte = self.skip_space();
        let in_object = self.kinds & 1 == 1;
        if self.expect == Expect::Next {
            match byte {
                None if self.depth == 0 => return Ok(Token::Eof),
                Some(b',') if self.depth > 0 => {
                    self.at += 1;
                    self.expect = if in_object { Expect::Key } else { Expect::Value };
                    byte = self.skip_space();
                }
                Some(b'}') if in_object => return Ok(self.close(Token::EndObject)),
                Some(b']') if self.depth > 0 && !in_object => {
                    return Ok(self.close(Token::EndArray));
                }
                _ if self.depth == 0 => return Err(self.unexpected("the end")),
                _ => return Err(self.unexpected("a comma or the end")),
            }
        }
        match (byte, self.expect) {
            (Some(b'}'), Expect::First) if in_object => Ok(self.close(Token::EndObject)),
            (Some(b']'), Expect::First) if !in_object => Ok(self.close(Token::EndArray)),
            (Some(b'"'), Expect::Key) => self.key(),
            (Some(b'"'), Expect::First) if in_object => self.key(),
            (_, Expect::Key) => Err(self.unexpected("a key")),
            (_, Expect::First) if in_object => Err(self.unexpected("a key or }")),
            _ => self.value(byte),
        }
    }

    /// Passes over the next value, whatever it is, and gives it as it is written.
    ///
    /// # Errors
    /// Those of [`Reader::next`].
    pub fn skip_value(&mut self) -> Result<&'j str, JsonError> {
        self.skip_space();
        let (start, depth) = (self.at, self.depth);
        loop {
            self.next()?;
            if self.depth <= depth {
                return Ok(self.text.get(start..self.at).unwrap_or_default());
            }
        }
    }

    fn value(&mut self, byte: Option<u8>) -> Result<Token<'j>, JsonError> {
        let token = match byte {
            Some(b'{') => return self.open(Token::BeginObject),
            Some(b'[') => return self.open(Token::BeginArray),
            Some(b'"') => Token::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word("true", Token::Bool(true))?,
            Some(b'f') => self.word("false", Token::Bool(false))?,
            Some(b'n') => self.word("null", Token::Null)?,
            _ => return Err(self.unexpected("a value")),
        };
        self.expect = Expect::Next;
        Ok(token)
    }

    fn open(&mut self, token: Token<'j>) -> Result<Token<'j>, JsonError> {
        if self.depth == MAX_DEPTH {
            let message = format!("nested more than {MAX_DEPTH} levels deep at byte {}", self.at);
            return Err(JsonError { code: "json.depth", message });
        }
        self.at += 1;
        self.depth += 1;
        self.kinds = self.kinds << 1 | u128::from(token == Token::BeginObject);
        self.expect = Expect::First;
        Ok(token)
    }

    fn close(&mut self, token: Token<'j>) -> Token<'j> {
        self.at += 1;
        self.depth -= 1;
        self.kinds >>= 1;
        self.expect = Expect::Next;
        token
    }

    fn key(&mut self) -> Result<Token<'j>, JsonError> {
        let key = self.string()?;
        if self.skip_space() != Some(b':') {
            return Err(self.unexpected("a colon"));
        }
        self.at += 1;
        self.expect = Expect::Value;
        Ok(Token::Key(key))
    }

    fn word(&mut self, word: &str, token: Token<'j>) -> Result<Token<'j>, JsonError> {
        if !self.rest().starts_with(word) {
            return Err(self.unexpected(word));
        }
        self.at += word.len();
        Ok(token)
    }

    fn number(&mut self) -> Result<Token<'j>, JsonError> {
        let rest = self.rest();
        let is_part = |byte: u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let length = rest.bytes().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        let number = rest.get(..length).unwrap_or_default();
        if number.parse::<f64>().is_err() {
            return Err(self.unexpected("a number"));
        }
        self.at += length;
        Ok(Token::Number(number))
    }

    // The text whose quote is next.
    fn string(&mut self) -> Result<Cow<'j, str>, JsonError> {
        self.at += 1;
        let begin = self.at;
        let bytes = self.text.as_bytes();
        self.at += plain_length(bytes.get(begin..).unwrap_or_default());
        if bytes.get(self.at) == Some(&b'"') {
            let text = self.text.get(begin..self.at).unwrap_or_default();
            self.at += 1;
            return Ok(Cow::Borrowed(text));
        }
        self.string_from(begin)
    }

    // The same of a text with something in it that is not plain; it begins there.
    #[cold]
    fn string_from(&mut self, mut begin: usize) -> Result<Cow<'j, str>, JsonError> {
        let (bytes, mut resolved) = (self.text.as_bytes(), String::new());
        loop {
            self.at += plain_length(bytes.get(self.at..).unwrap_or_default());
            let Some(&byte) = bytes.get(self.at) else {
                let message = format!("the text that ends at byte {} is not closed", bytes.len());
                return Err(JsonError { code: "json.truncated", message });
            };
            let piece = self.text.get(begin..self.at).unwrap_or_default();
            self.at += 1;
            match byte {
                b'"' if resolved.is_empty() => return Ok(Cow::Borrowed(piece)),
                b'"' => {
                    resolved.push_str(piece);
                    return Ok(Cow::Owned(resolved));
                }
                b'\\' => {
                    resolved.push_str(piece);
                    resolved.push(self.escape()?);
                    begin = self.at;
                }
                _ => self.bare_controls += 1,
            }
        }
    }

    // Behind a backslash.
    fn escape(&mut self) -> Result<char, JsonError> {
        let found = match self.rest().as_bytes().first() {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{C}',
            Some(&byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'u') => return self.unicode(),
            _ => return Err(self.unexpected("an escape")),
        };
        self.at += 1;
        Ok(found)
    }

    // At `u` and four digits, of a pair the first.
    fn unicode(&mut self) -> Result<char, JsonError> {
        let Some(unit) = code_unit(self.rest()) else {
            return Err(self.unexpected("\\u and four hexadecimal digits"));
        };
        self.at += 5;
        if let Some(found) = char::from_u32(unit) {
            return Ok(found);
        }
        let low = self.rest().strip_prefix('\\').and_then(code_unit);
        let low = low.filter(|low| (0xDC00..0xE000).contains(low));
        if let Some(low) = low.filter(|_| unit < 0xDC00) {
            self.at += 6;
            let found = 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
            return Ok(char::from_u32(found).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        self.lone_surrogates += 1;
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn skip_space(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    fn rest(&self) -> &'j str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn unexpected(&self, expected: &str) -> JsonError {
        let Some(found) = self.rest().chars().next() else {
            let message = format!("the text ends at byte {}, expected {expected}", self.at);
            return JsonError { code: "json.truncated", message };
        };
        let message = format!("found {found:?} at byte {}, expected {expected}", self.at);
        JsonError { code: "json.syntax", message }
    }
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);

/// How many bytes stand before the first quote, backslash or control character.
pub(super) fn plain_length(bytes: &[u8]) -> usize {
    // The high bit of each byte that is zero; above the first one it may be wrong.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let mut at = 0;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*chunk);
        let controls = word.wrapping_sub(ONES * u64::from(b' ')) & !word;
        let quotes = zeros(word ^ (ONES * u64::from(b'"')));
        let ends = (controls | quotes | zeros(word ^ (ONES * u64::from(b'\\')))) & HIGHS;
        if ends != 0 {
            return at + ends.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    let is_end = |byte: &u8| matches!(byte, b'"' | b'\\') || *byte < b' ';
    at + rest.iter().position(is_end).unwrap_or(rest.len())
}

fn code_unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix('u')?.get(..4)?;
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u32::from_str_radix(digits, 16).ok().filter(|_| all_digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text as JSON again, from its tokens.
    fn echo(text: &str) -> Result<String, &'static str> {
        let (mut reader, mut out) = (Reader::new(text), String::new());
        let mut separate = false;
        loop {
            let token = reader.next().map_err(|error| error.code)?;
            let closes = matches!(token, Token::EndObject | Token::EndArray | Token::Eof);
            if separate && !closes {
                out.push(',');
            }
            separate = !matches!(token, Token::BeginObject | Token::BeginArray | Token::Key(_));
            match token {
                Token::BeginObject => out.push('{'),
                Token::EndObject => out.push('}'),
                Token::BeginArray => out.push('['),
                Token::EndArray => out.push(']'),
                Token::Key(key) => out.push_str(&format!("{}:", serde_json::json!(key))),
                Token::Text(text) => out.push_str(&serde_json::json!(text).to_string()),
                Token::Number(number) => out.push_str(number),
                Token::Bool(bool) => out.push_str(&bool.to_string()),
                Token::Null => out.push_str("null"),
                Token::Eof => return Ok(out),
            }
        }
    }

    #[test]
    fn tokens_are_the_text() {
        let text = r#" {"a" : [1, -2.5e+3, 123456789012345678901234567890], "a": {}, "": [] , "b": [true, null, "\u00e9\ud83d\ude00\"\n"]} "#;
        let expected = r#"{"a":[1,-2.5e+3,123456789012345678901234567890],"a":{},"":[],"b":[true,null,"é😀\"\n"]}"#;
        assert_eq!(echo(text).as_deref(), Ok(expected));
        let mut reader = Reader::new(r#""\ud83dx\udc00""#);
        assert_eq!(reader.next(), Ok(Token::Text("\u{FFFD}x\u{FFFD}".into())));
        assert_eq!(reader.lone_surrogates(), 2);
        let mut reader = Reader::new("\"a\nb\"");
        assert_eq!(reader.next(), Ok(Token::Text("a\nb".into())));
        assert_eq!(reader.bare_controls(), 1);
        let mut reader = Reader::new(r#"{"a": {"b": [1, {}]}, "c": 2}"#);
        reader.next().unwrap();
        reader.next().unwrap();
        assert_eq!(reader.skip_value(), Ok(r#"{"b": [1, {}]}"#));
        assert_eq!(reader.next(), Ok(Token::Key("c".into())));
        assert_eq!(reader.skip_value(), Ok("2"));
    }

    #[test]
    fn what_is_no_json_is_an_error() {
        for text in
            ["{a:1}", "[1,]", "{\"a\":1,}", "1 2", "[1}", "+1", "'a'", "\"\\x\"", "[]]", "tru"]
        {
            assert_eq!(echo(text), Err("json.syntax"), "{text}");
        }
        for text in ["", "{", "[1", "\"a", "{\"a\"", "{\"a\":"] {
            assert_eq!(echo(text), Err("json.truncated"), "{text}");
        }
        assert!(echo(&format!("{}{}", "[".repeat(128), "]".repeat(128))).is_ok());
        assert_eq!(echo(&"[".repeat(10_000)), Err("json.depth"));
    }

    #[test]
    fn a_text_is_passed_over_up_to_what_ends_it() {
        for end in ['"', '\\', '\n', '\0', '\u{1F}'] {
            for before in 0..20 {
                let text =
                    format!("{}{end}é\"", "é !~\u{7F}".repeat(4).get(..before * 2).unwrap_or("!"));
                let length = text.len() - end.len_utf8() - "é\"".len();
                assert_eq!(plain_length(text.as_bytes()), length, "{text:?}");
            }
        }
        assert_eq!(plain_length("é ü and more than a word".as_bytes()), 26);
    }

    proptest::proptest! {
        #[test]
        fn it_agrees_with_another_reader(text in "[\\[\\]{}:,\"a1\\\\ untrl.e-]{0,24}") {
            // Numbers with leading zeros and the like are let through.
            if let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) {
                let again = echo(&text).map(|text| serde_json::from_str(&text).unwrap());
                proptest::prop_assert_eq!(again, Ok(value));
            } else {
                let _ = echo(&text);
            }
        }
    }
}
