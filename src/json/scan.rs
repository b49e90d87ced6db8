//! Following one JSON object to its end, a piece at a time, forgiving what is broken.
//!
//! Only brackets, texts and line breaks are looked at; whether the rest is JSON is for the reader
//! to say. A text ends at its line's end at the latest, as JSON demands.

use memchr::memchr3;

/// Arrays and objects may be nested so deep.
const MAX_DEPTH: u32 = 128;

/// An object that has begun and not ended yet.
#[derive(Debug)]
pub(super) struct Object {
    /// Where it begins; `None` when its bytes are no longer wanted.
    pub start: Option<usize>,
    /// Why it cannot be whole, when that has shown.
    pub damage: Option<&'static str>,
    /// A later line that begins with `{`: there it ends if it turns out broken.
    pub line: Option<usize>,
    depth: u32,
    /// The innermost open brackets, a bit each, the innermost last: 1 is an object.
    kinds: u128,
    /// Where the text begins that is open.
    text: Option<usize>,
    escaped: bool,
    /// A text was ended by its line's end; its quote may still come.
    unclosed: bool,
    /// The last byte outside of texts that is no white space.
    last: u8,
    line_begins: bool,
    /// How many keys of the path lead to where we are.
    matched: usize,
    /// The key at hand is the next of the path.
    is_next: bool,
}

/// What came of following an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It ends before this offset.
    Closed(usize),
    /// Another begins at this offset, so it is broken.
    Broken(usize),
    /// The array that the path leads to begins before this offset.
    Array(usize),
    /// All bytes are used up.
    Open,
}

impl Object {
    pub fn new(start: usize) -> Object {
        Object {
            start: Some(start),
            damage: None,
            line: None,
            depth: 0,
            kinds: 0,
            text: None,
            escaped: false,
            unclosed: false,
            last: b':',
            line_begins: false,
            matched: 0,
            is_next: false,
        }
    }

    /// Its bytes up to here are dropped.
    pub fn forget(&mut self) {
        self.start = None;
        self.line = None;
        self.text = self.text.map(|_| 0);
        self.matched = usize::MAX;
    }

    /// The first `bytes` bytes are dropped.
    pub fn shift(&mut self, bytes: usize) {
        for offset in [&mut self.start, &mut self.line, &mut self.text] {
            *offset = offset.map(|offset| offset.saturating_sub(bytes));
        }
    }

    /// Goes on at `*at`, which is left behind what was looked at.
    pub fn follow(&mut self, bytes: &[u8], at: &mut usize, path: &[&str]) -> Step {
        while let Some(&byte) = bytes.get(*at) {
            if self.text.is_some() {
                self.follow_text(bytes, at, path);
                continue;
            }
            let here = *at;
            *at += 1;
            match byte {
                b' ' | b'\t' => {}
                b'\n' | b'\r' => {
                    self.line_begins = true;
                    continue;
                }
                b'"' => self.text = Some(here),
                b'{' | b'[' => {
                    if byte == b'{' && self.line_begins && self.depth > 0 {
                        if self.damage.is_some() || !matches!(self.last, b',' | b'[' | b':') {
                            self.damage.get_or_insert("json.truncated");
                            return Step::Broken(here);
                        }
                        self.line = self.line.or(Some(here));
                    }
                    if self.open(byte, path) {
                        return Step::Array(*at);
                    }
                }
                b'}' | b']' if self.close(byte) => return Step::Closed(*at),
                _ => {}
            }
            self.line_begins = false;
            if !matches!(byte, b' ' | b'\t') {
                self.last = byte;
            }
        }
        Step::Open
    }

    fn follow_text(&mut self, bytes: &[u8], at: &mut usize, path: &[&str]) {
        if std::mem::take(&mut self.unclosed)
            && matches!(bytes.get(*at), Some(b',' | b':' | b'}' | b']' | b'\n' | b'\r'))
        {
            self.text = None;
            return;
        }
        if std::mem::take(&mut self.escaped) && bytes.get(*at) != Some(&b'\n') {
            *at += 1;
        }
        let rest = bytes.get(*at..).unwrap_or_default();
        let Some(offset) = memchr3(b'"', b'\\', b'\n', rest) else {
            *at = bytes.len();
            return;
        };
        *at += offset + 1;
        match rest.get(offset) {
            Some(b'\\') => self.escaped = true,
            Some(b'"') => {
                let start = self.text.take().unwrap_or_default();
                self.end_key(bytes.get(start + 1..*at - 1).unwrap_or_default(), path);
                self.last = b'"';
            }
            _ => {
                self.text = None;
                self.unclosed = true;
                self.line_begins = true;
                self.last = b'"';
                self.damage.get_or_insert("json.syntax");
            }
        }
    }

    // `last` is still what stands before the text.
    fn end_key(&mut self, text: &[u8], path: &[&str]) {
        let is_key = self.kinds & 1 == 1 && matches!(self.last, b'{' | b'"' | b',');
        let next = path.get(self.matched).map(|key| key.as_bytes());
        let here = usize::try_from(self.depth).unwrap_or(usize::MAX);
        self.is_next = is_key && here == self.matched.saturating_add(1) && next == Some(text);
    }

    // Answers whether this is the array that the path leads to.
    fn open(&mut self, bracket: u8, path: &[&str]) -> bool {
        let leads_on = std::mem::take(&mut self.is_next);
        let is_object = bracket == b'{';
        if leads_on && !is_object && self.matched + 1 == path.len() {
            return true;
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            self.damage.get_or_insert("json.depth");
        } else {
            self.kinds = self.kinds << 1 | u128::from(is_object);
        }
        if leads_on && is_object {
            self.matched += 1;
        }
        false
    }

    // Answers whether the object is closed. Of brackets that do not match, those in between count
    // as closed: an object ends with its own bracket.
    fn close(&mut self, bracket: u8) -> bool {
        let is_object = bracket == b'}';
        if self.depth <= MAX_DEPTH && (self.kinds & 1 == 1) != is_object {
            self.damage.get_or_insert("json.syntax");
            if !is_object {
                return false;
            }
            while self.depth > 1 && self.kinds & 1 == 0 {
                self.pop();
            }
        }
        self.pop();
        self.depth == 0
    }

    fn pop(&mut self) {
        if self.depth <= MAX_DEPTH {
            self.kinds >>= 1;
        }
        self.depth = self.depth.saturating_sub(1);
        let here = usize::try_from(self.depth).unwrap_or(usize::MAX);
        if self.matched != usize::MAX {
            self.matched = self.matched.min(here.saturating_sub(1));
        }
    }
}
