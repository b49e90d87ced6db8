//! Reads JSON text (RFC 8259) onto a tape.

use super::{Kind, Slot, TapeError};

/// Arrays and objects inside each other, at most.
const MAX_DEPTH: usize = 128;

pub(super) const REPEATED_KEY: &str = "repeated key";

/// An offset or count within a document, which is shorter than 4 GiB.
pub(super) fn offset(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

pub(super) struct Reader<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    slots: &'t mut Vec<Slot>,
    unescaped: &'t mut String,
}

impl<'t> Reader<'t> {
    pub(super) fn new(
        text: &'t str,
        slots: &'t mut Vec<Slot>,
        unescaped: &'t mut String,
    ) -> Reader<'t> {
        Reader { text, bytes: text.as_bytes(), at: 0, slots, unescaped }
    }

    pub(super) fn document(mut self) -> Result<(), TapeError> {
        self.value(0)?;
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.error("text after the document")),
        }
    }

    fn error(&self, reason: &'static str) -> TapeError {
        TapeError { reason, byte: self.at }
    }

    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The next byte that is not white space, which it stays at.
    fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.byte() {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    /// Puts down a slot; of arrays and objects `next` is filled in when they end.
    fn push(&mut self, kind: Kind, start: usize, end: usize) -> usize {
        let index = self.slots.len();
        let (start, end) = (offset(start), offset(end));
        self.slots.push(Slot { kind, start, end, next: offset(index + 1) });
        index
    }

    fn value(&mut self, depth: usize) -> Result<(), TapeError> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'{') => self.container(Kind::Object, b'}', depth),
            Some(b'[') => self.container(Kind::Array, b']', depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal(Kind::True, b"true"),
            Some(b'f') => self.literal(Kind::False, b"false"),
            Some(b'n') => self.literal(Kind::Null, b"null"),
            _ => Err(self.error("expected a value")),
        }
    }

    fn literal(&mut self, kind: Kind, word: &[u8]) -> Result<(), TapeError> {
        let end = self.at + word.len();
        if self.bytes.get(self.at..end) != Some(word) {
            return Err(self.error("expected true, false or null"));
        }
        self.push(kind, self.at, end);
        self.at = end;
        Ok(())
    }

    fn container(&mut self, kind: Kind, close: u8, depth: usize) -> Result<(), TapeError> {
        if depth + 1 >= MAX_DEPTH {
            return Err(self.error("nested deeper than 128"));
        }
        let index = self.push(kind, 0, 0);
        self.at += 1;
        let mut count = 0;
        if self.peek() == Some(close) {
            self.at += 1;
        } else {
            loop {
                if kind == Kind::Object {
                    self.key()?;
                }
                self.value(depth + 1)?;
                count += 1;
                let next = self.peek();
                if next != Some(b',') && next != Some(close) {
                    return Err(self.error("expected a comma or the end"));
                }
                self.at += 1;
                if next == Some(close) {
                    break;
                }
            }
        }
        let next = offset(self.slots.len());
        if let Some(slot) = self.slots.get_mut(index) {
            (slot.start, slot.next) = (count, next);
        }
        if kind == Kind::Object { self.refuse_repeated_keys(index, count) } else { Ok(()) }
    }

    fn key(&mut self) -> Result<(), TapeError> {
        if self.peek() != Some(b'"') {
            return Err(self.error("expected a key"));
        }
        self.string()?;
        if self.peek() != Some(b':') {
            return Err(self.error("expected a colon"));
        }
        self.at += 1;
        Ok(())
    }

    // Canonical JSON has its keys in ascending order: then one pass is proof enough.
    fn refuse_repeated_keys(&self, object: usize, count: u32) -> Result<(), TapeError> {
        if count < 2 {
            return Ok(());
        }
        if self.keys(object).zip(self.keys(object).skip(1)).all(|(a, b)| a < b) {
            return Ok(());
        }
        let mut keys: Vec<&str> = self.keys(object).collect();
        keys.sort_unstable();
        let repeated = keys.iter().zip(keys.iter().skip(1)).any(|(a, b)| a == b);
        if repeated { Err(self.error(REPEATED_KEY)) } else { Ok(()) }
    }

    fn keys(&self, object: usize) -> impl Iterator<Item = &str> {
        let mut at = object + 1;
        std::iter::from_fn(move || {
            let key = self.slots.get(at)?;
            at = self.slots.get(at + 1)?.next as usize;
            let text = if key.kind == Kind::Escaped { &*self.unescaped } else { self.text };
            text.get(key.start as usize..key.end as usize)
        })
    }

    fn number(&mut self) -> Result<(), TapeError> {
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        let mut whole = true;
        if self.byte() == Some(b'.') {
            whole = false;
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            whole = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.digits()?;
        }
        // What fits into no f64 is not JSON to serde_json either.
        let digits = self.text.get(start..self.at).unwrap_or_default();
        let doubtful = !whole || digits.len() > 300;
        if doubtful && !digits.parse::<f64>().is_ok_and(f64::is_finite) {
            return Err(self.error("number out of range"));
        }
        self.push(Kind::Number, start, self.at);
        Ok(())
    }

    fn digits(&mut self) -> Result<(), TapeError> {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(self.error("expected a digit")) } else { Ok(()) }
    }

    /// Moves on to the next byte of a string that needs attention: `"`, `\` or a control character.
    fn skip_plain(&mut self) -> Result<u8, TapeError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let special = |&byte: &u8| byte == b'"' || byte == b'\\' || byte < 0x20;
        match rest.iter().position(special) {
            Some(length) => self.at += length,
            None => return Err(self.error("string without end")),
        }
        match self.byte() {
            Some(byte) if byte >= 0x20 => Ok(byte),
            _ => Err(self.error("control character in a string")),
        }
    }

    fn string(&mut self) -> Result<(), TapeError> {
        self.at += 1;
        let start = self.at;
        if self.skip_plain()? == b'"' {
            self.push(Kind::String, start, self.at);
            self.at += 1;
            return Ok(());
        }
        let unescaped_start = self.unescaped.len();
        let mut plain = start;
        loop {
            let special = self.skip_plain()?;
            self.unescaped.push_str(self.text.get(plain..self.at).unwrap_or_default());
            self.at += 1;
            if special == b'"' {
                break;
            }
            let character = self.escape()?;
            self.unescaped.push(character);
            plain = self.at;
        }
        self.push(Kind::Escaped, unescaped_start, self.unescaped.len());
        Ok(())
    }

    /// What stands after a backslash.
    fn escape(&mut self) -> Result<char, TapeError> {
        let character = match self.byte() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape();
            }
            _ => return Err(self.error("unknown escape")),
        };
        self.at += 1;
        Ok(character)
    }

    fn unicode_escape(&mut self) -> Result<char, TapeError> {
        let mut code = self.hex()?;
        if (0xD800..0xDC00).contains(&code) && self.bytes.get(self.at..self.at + 2) == Some(b"\\u")
        {
            self.at += 2;
            let low = self.hex()?;
            if !(0xDC00..0xE000).contains(&low) {
                return Err(self.error("half a surrogate pair"));
            }
            code = 0x1_0000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
        char::from_u32(code).ok_or_else(|| self.error("half a surrogate pair"))
    }

    fn hex(&mut self) -> Result<u32, TapeError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.byte().and_then(|byte| char::from(byte).to_digit(16));
            code = code * 16 + digit.ok_or_else(|| self.error("expected four hex digits"))?;
            self.at += 1;
        }
        Ok(code)
    }
}
