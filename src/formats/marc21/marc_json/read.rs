//! Reading one record of MARC-in-JSON, token by token, in its own order.

use std::borrow::Cow;

use super::mirrored;
use crate::formats::DecodeError;
use crate::formats::marc21::{Marc, Tag, leader};
use crate::json::reader::{JsonError, Reader, Token};
use crate::record::Warning;

/// A record that is being read, and what is odd about it.
pub(super) struct Record<'j, 'r> {
    pub json: Reader<'j>,
    pub marc: &'r mut Marc,
    pub warnings: &'r mut Vec<Warning>,
}

/// Reads one object into `marc`, which is cleared first.
///
/// Values that are no texts are read as they are written, with a warning.
///
/// # Errors
/// The codes of [`JsonError`], and `marc_json.leader`, `.record`, `.field`, `.tag`,
/// `.indicators`, `.code`, `.value` where content would be lost: with the control number, when it
/// was read before.
pub fn read(text: &str, marc: &mut Marc, warnings: &mut Vec<Warning>) -> Result<(), DecodeError> {
    let warnings_before = warnings.len();
    marc.clear();
    let mut record = Record { json: Reader::new(text), marc, warnings };
    record.read().map_err(|mut error| {
        warnings.truncate(warnings_before);
        error.control_number = marc.control_number().map(str::to_owned);
        error
    })
}

impl From<JsonError> for DecodeError {
    fn from(error: JsonError) -> DecodeError {
        DecodeError::new(error.code, error.message)
    }
}

impl<'j> Record<'j, '_> {
    fn read(&mut self) -> Result<(), DecodeError> {
        if self.json.next()? != Token::BeginObject {
            return Err(self.error("marc_json.record", "no object, expected one"));
        }
        let mut has_leader = false;
        while let Some(key) = self.next_key()? {
            match &*key {
                "leader" if !has_leader => has_leader = self.leader()?,
                "fields" => self.each("fields", Record::field)?,
                "controlfield" => self.each("controlfield", mirrored::control_field)?,
                "datafield" => self.each("datafield", mirrored::data_field)?,
                _ => self.pass_over(&key)?,
            }
        }
        if self.json.next()? != Token::Eof {
            return Err(self.error("marc_json.record", "something behind the record"));
        }
        if !has_leader {
            self.warn("marc_json.no_leader", "the record has no leader");
        }
        if self.marc.is_empty() {
            self.warn("marc_json.no_fields", "the record has no fields");
        }
        if self.json.lone_surrogates() > 0 {
            let found = self.json.lone_surrogates();
            let message = format!("{found} halves of surrogate pairs, replaced by U+FFFD");
            self.warn("json.surrogate", message);
        }
        if self.json.bare_controls() > 0 {
            let found = self.json.bare_controls();
            let message = format!("{found} control characters that are not escaped, kept");
            self.warn("json.control_character", message);
        }
        Ok(())
    }

    // Answers whether there was one at all.
    fn leader(&mut self) -> Result<bool, DecodeError> {
        let text = self.text("leader")?;
        let found = leader::from_text(&text)
            .map_err(|message| DecodeError::new("marc_json.leader", message))?;
        let Some((leader, short)) = found else { return Ok(false) };
        self.marc.set_leader(leader);
        if let Some(message) = short {
            self.warn("marc_json.leader", message);
        }
        Ok(true)
    }

    // One object of `fields`, within its braces.
    fn field(&mut self) -> Result<(), DecodeError> {
        let mut keys = 0;
        while let Some(key) = self.next_key()? {
            keys += 1;
            let tag = self.tag(&key)?;
            match self.json.next()? {
                Token::BeginObject => self.data_field(tag)?,
                token => {
                    let Some(value) = self.as_text(token, &key)? else {
                        return Err(self.error("marc_json.field", "an array as a field"));
                    };
                    self.push_control(tag, &value);
                }
            }
        }
        if keys != 1 {
            self.warn("marc_json.field", format!("{keys} fields in one object, expected one"));
        }
        Ok(())
    }

    fn data_field(&mut self, tag: Tag) -> Result<(), DecodeError> {
        self.marc.push_data(tag, [' ', ' ']);
        let mut indicators = [None; 2];
        while let Some(key) = self.next_key()? {
            match (&*key, &mut indicators) {
                ("ind1", [slot @ None, _]) | ("ind2", [_, slot @ None]) => {
                    *slot = Some(self.indicator(tag, &key)?);
                }
                ("subfields", _) => self.each("subfields", Record::subfields)?,
                _ => self.pass_over(&key)?,
            }
        }
        self.set_indicators(tag, indicators);
        if tag.is_control() {
            let message = format!("control field {tag} has subfields");
            self.warn("marc_json.control_subfields", message);
        }
        Ok(())
    }

    fn subfields(&mut self) -> Result<(), DecodeError> {
        while let Some(key) = self.next_key()? {
            let code = self.code(&key)?;
            let value = self.text(&key)?;
            self.marc.push_subfield(code, &value);
        }
        Ok(())
    }

    pub fn set_indicators(&mut self, tag: Tag, indicators: [Option<char>; 2]) {
        self.marc.set_last_field(tag, indicators.map(|indicator| indicator.unwrap_or(' ')));
        if indicators.contains(&None) {
            self.warn("marc_json.indicators", format!("{tag} has not two indicators"));
        }
    }

    pub fn push_control(&mut self, tag: Tag, value: &str) {
        if !tag.is_control() {
            let message = format!("{tag} is a text, expected indicators and subfields");
            self.warn("marc_json.control_tag", message);
        }
        self.marc.push_control(tag, value);
    }

    pub fn tag(&self, tag: &str) -> Result<Tag, DecodeError> {
        let as_tag = Tag::new(tag.as_bytes());
        as_tag.ok_or_else(|| {
            let message = format!("tag is {tag:?}, expected three characters of printable ASCII");
            DecodeError::new("marc_json.tag", message)
        })
    }

    pub fn code(&self, code: &str) -> Result<char, DecodeError> {
        only_char(code).ok_or_else(|| {
            let message = format!("subfield code is {code:?}, expected one character");
            DecodeError::new("marc_json.code", message)
        })
    }

    /// The value of `ind1` or `ind2`.
    pub fn indicator(&mut self, tag: Tag, name: &str) -> Result<char, DecodeError> {
        let value = self.text(name)?;
        if value.trim().is_empty() {
            return Ok(' ');
        }
        only_char(&value).ok_or_else(|| {
            let message = format!("{tag} has {name} {value:?}, expected one character");
            DecodeError::new("marc_json.indicators", message)
        })
    }

    /// The next key of the object that is open; `None` at its end.
    pub fn next_key(&mut self) -> Result<Option<Cow<'j, str>>, DecodeError> {
        match self.json.next()? {
            Token::Key(key) => Ok(Some(key)),
            _ => Ok(None),
        }
    }

    /// Reads each object of the array that is the next value; one object alone is taken, too.
    pub fn each(
        &mut self,
        name: &str,
        read: impl Fn(&mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        match self.json.next()? {
            Token::BeginArray => {}
            Token::BeginObject => {
                self.warn("marc_json.no_array", format!("{name} is an object, expected an array"));
                return read(self);
            }
            _ => return Err(self.error("marc_json.value", &format!("{name} is no array"))),
        }
        loop {
            match self.json.next()? {
                Token::BeginObject => read(self)?,
                Token::EndArray => return Ok(()),
                _ => {
                    let message = format!("a value in {name}, expected objects");
                    return Err(self.error("marc_json.value", &message));
                }
            }
        }
    }

    /// The next value as text.
    pub fn text(&mut self, key: &str) -> Result<Cow<'j, str>, DecodeError> {
        let token = self.json.next()?;
        let text = self.as_text(token, key)?;
        let message = || format!("the value of {key:?} is an array or an object, expected a text");
        text.ok_or_else(|| self.error("marc_json.value", &message()))
    }

    fn as_text(
        &mut self,
        token: Token<'j>,
        key: &str,
    ) -> Result<Option<Cow<'j, str>>, DecodeError> {
        let found = match token {
            Token::Text(text) => return Ok(Some(text)),
            Token::Number(number) => number,
            Token::Bool(true) => "true",
            Token::Bool(false) => "false",
            Token::Null => "",
            _ => return Ok(None),
        };
        let found_as = if found.is_empty() { "null" } else { found };
        let message = format!("the value of {key:?} is {found_as}, expected a text");
        self.warn("marc_json.value", message);
        Ok(Some(Cow::Borrowed(found)))
    }

    /// Leaves out a key that has no place here, and says so.
    pub fn pass_over(&mut self, key: &str) -> Result<(), DecodeError> {
        let value = self.json.skip_value()?;
        let clipped: String = value.chars().take(40).collect();
        let message = format!("passed over {key:?} with {clipped}");
        self.warn("marc_json.key", message);
        Ok(())
    }

    pub fn warn(&mut self, code: &'static str, message: impl Into<String>) {
        self.warnings.push(Warning::new(code, message));
    }

    pub fn error(&self, code: &'static str, found: &str) -> DecodeError {
        DecodeError::new(code, format!("{found}, before byte {}", self.json.offset()))
    }
}

fn only_char(text: &str) -> Option<char> {
    let mut chars = text.chars();
    chars.next().filter(|_| chars.next().is_none())
}
