//! MARC-8, the character coding of MARC 21 before Unicode, and its relative in UNIMARC: read.
//!
//! Sets of characters are designated as G0 (bytes 21 to 7E) or G1 (A1 to FE) by escape sequences;
//! marks stand before their base. The text is Unicode with marks behind their base, in their own
//! order and not composed; `&#x….;` is the character it names.
//! <https://www.loc.gov/marc/specifications/speccharmarc8.html>

mod sets;

pub use sets::{Set, eacc, is_mark};

use std::fmt;

const ESC: u8 = 0x1B;
const JOINER: char = '\u{200D}';
const NON_JOINER: char = '\u{200C}';

/// What was wrong with some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// An escape sequence that designates nothing; U+FFFD stands for its ESC.
    Escape,
    /// Bytes that are no character of the set; U+FFFD stands for them.
    Undefined,
    /// Bytes that are no character of the set and are read as ASCII.
    Repaired,
    /// Marks without a base behind them; they stand where they stood.
    Mark,
}

/// Bytes that have no meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// What was wrong.
    pub kind: FaultKind,
    /// Where in the bytes that were decoded.
    pub offset: usize,
    /// The bytes, of which `length` count: the first three at most.
    bytes: [u8; 3],
    length: u8,
}

impl Fault {
    fn new(kind: FaultKind, bytes: &[u8], (offset, length): (usize, usize)) -> Fault {
        let mut kept = [0; 3];
        let mut count = 0;
        let found = bytes.get(offset..).unwrap_or_default();
        for (slot, byte) in kept.iter_mut().zip(found.iter().take(length)) {
            *slot = *byte;
            count += 1;
        }
        Fault { kind, offset, bytes: kept, length: count }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// The bytes in hexadecimal.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.bytes().iter().enumerate() {
            write!(f, "{}{byte:02X}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

/// Decodes values, one after the other.
#[derive(Debug, Clone)]
pub struct Decoder {
    initial: (Set, Set),
    repairs: bool,
    g0: Set,
    g1: Set,
    /// Marks whose base has not come yet, and where the first stood.
    marks: String,
    first_mark: usize,
    /// The second half of the double mark that was read.
    second_half: Option<char>,
}

impl Default for Decoder {
    /// MARC-8: ASCII and ANSEL.
    fn default() -> Decoder {
        Decoder::new(Set::Ascii, Set::Ansel)
    }
}

impl Decoder {
    /// A decoder that begins each value with these sets as G0 and G1.
    #[must_use]
    pub fn new(g0: Set, g1: Set) -> Decoder {
        Decoder {
            initial: (g0, g1),
            repairs: false,
            g0,
            g1,
            marks: String::new(),
            first_mark: 0,
            second_half: None,
        }
    }

    /// The decoder that reads as ASCII what is no character of a set but stands where only the
    /// escape sequence back to ASCII is missing.
    #[must_use]
    pub fn repairing(self) -> Decoder {
        Decoder { repairs: true, ..self }
    }

    /// Adds the text of one value (a subfield's, or a control field's). Each begins with the first
    /// sets again, whatever was designated before it: so the standard has it, and systems that
    /// forget to return to ASCII rely on it.
    pub fn decode(&mut self, bytes: &[u8], out: &mut String, faults: &mut Vec<Fault>) {
        (self.g0, self.g1) = self.initial;
        self.second_half = None;
        let mut at = 0;
        while at < bytes.len() {
            at += match self.step(bytes, at, out) {
                Ok(length) => length,
                Err((kind, length)) => {
                    faults.push(self.mend(kind, bytes, (at, length), out));
                    length
                }
            };
        }
        if !self.marks.is_empty() {
            let place = (self.first_mark, bytes.len() - self.first_mark);
            faults.push(Fault::new(FaultKind::Mark, bytes, place));
            out.push_str(&self.marks);
            self.marks.clear();
        }
    }

    // Takes one escape sequence, one character or some of ASCII: answers how many bytes.
    fn step(
        &mut self,
        bytes: &[u8],
        at: usize,
        out: &mut String,
    ) -> Result<usize, (FaultKind, usize)> {
        let rest = bytes.get(at..).unwrap_or_default();
        let byte = rest.first().copied().unwrap_or_default();
        let set = if byte < 0x80 { self.g0 } else { self.g1 };
        match byte {
            ESC => {
                let (designated, length) = designation(rest).ok_or((FaultKind::Escape, 1))?;
                match designated {
                    Designation::G0(set) => self.g0 = set,
                    Designation::G1(set) => self.g1 = set,
                }
                return Ok(length);
            }
            0x21..0x7F if set == Set::Ascii => return Ok(self.ascii(rest, out)),
            0x7F if set == Set::Eacc && triple(rest).is_some() => {}
            ..0x21 | 0x7F => return Ok(self.push(char::from(byte), out)),
            0x80..=0x9F => {
                let c = control(byte).ok_or((FaultKind::Undefined, 1))?;
                return Ok(self.push(c, out));
            }
            _ => {}
        }
        if set == Set::Eacc {
            let c = three_bytes(rest).map_err(|length| (FaultKind::Undefined, length))?;
            return Ok(self.push(c, out) + 2);
        }
        match set.character(byte & 0x7F) {
            Some(mark) if is_mark(mark) => Ok(self.mark(mark, at)),
            Some(c) => Ok(self.push(c, out)),
            None => Err((FaultKind::Undefined, 1)),
        }
    }

    // Puts something in the place of bytes that have no meaning.
    fn mend(
        &mut self,
        kind: FaultKind,
        bytes: &[u8],
        (offset, length): (usize, usize),
        out: &mut String,
    ) -> Fault {
        let found = bytes.get(offset..offset + length).unwrap_or_default();
        // Three bytes are a character of EACC that nobody knows, not text.
        let is_ascii = length < 3 && found.iter().all(|byte| (b' '..0x7F).contains(byte));
        if self.repairs && kind == FaultKind::Undefined && is_ascii {
            for &byte in found {
                self.push(char::from(byte), out);
            }
            return Fault::new(FaultKind::Repaired, bytes, (offset, length));
        }
        self.push(char::REPLACEMENT_CHARACTER, out);
        // What follows ESC tells what was meant.
        let shown = if kind == FaultKind::Escape { 3 } else { length };
        Fault::new(kind, bytes, (offset, shown))
    }

    // Bytes of ASCII up to what may be something else; at least one.
    fn ascii(&mut self, rest: &[u8], out: &mut String) -> usize {
        if rest.starts_with(b"&#x")
            && let Some((c, length)) = reference(rest)
        {
            self.push(c, out);
            return length;
        }
        if !self.marks.is_empty() {
            return self.push(char::from(rest.first().copied().unwrap_or(b' ')), out);
        }
        let is_other = |&byte: &u8| !(b' '..0x7F).contains(&byte) || byte == b'&';
        let length = 1 + rest.iter().skip(1).position(is_other).unwrap_or(rest.len() - 1);
        let run = rest.get(..length).unwrap_or_default();
        out.push_str(std::str::from_utf8(run).unwrap_or_default());
        length
    }

    // Answers 1, the length of what most characters are made from.
    fn push(&mut self, c: char, out: &mut String) -> usize {
        out.push(c);
        if !self.marks.is_empty() {
            out.push_str(&self.marks);
            self.marks.clear();
        }
        1
    }

    // A double mark spans two bases: its first half says all, the second is only its end.
    fn mark(&mut self, mark: char, at: usize) -> usize {
        if self.second_half == Some(mark) {
            self.second_half = None;
            return 1;
        }
        match mark {
            '\u{361}' => self.second_half = Some('\u{FE21}'),
            '\u{360}' => self.second_half = Some('\u{FE23}'),
            _ => {}
        }
        if self.marks.is_empty() {
            self.first_mark = at;
        }
        self.marks.push(mark);
        1
    }
}

/// Whether these values read as MARC-8 and hardly as anything else: every byte is a character,
/// and there are escape sequences, or every mark makes one letter with its base.
#[must_use]
pub fn is_plausible<'b>(values: impl Iterator<Item = &'b [u8]>) -> bool {
    let mut decoder = Decoder::default();
    let (mut text, mut faults) = (String::new(), Vec::new());
    let (mut has_escapes, mut composes) = (false, true);
    for value in values {
        text.clear();
        decoder.decode(value, &mut text, &mut faults);
        has_escapes |= value.contains(&ESC);
        composes &= is_composed(&text);
        if !faults.is_empty() {
            return false;
        }
    }
    has_escapes || composes
}

fn is_composed(text: &str) -> bool {
    let mut base = None;
    text.chars().all(|c| match c {
        '\u{360}' | '\u{361}' => true,
        mark if is_mark(mark) => {
            base = base.and_then(|base| unicode_normalization::char::compose(base, mark));
            base.is_some()
        }
        _ => {
            base = Some(c);
            true
        }
    })
}

enum Designation {
    G0(Set),
    G1(Set),
}

// ISO 2022: ESC, `$` for several bytes, `(` or `,` for G0, `)` or `-` for G1, the final byte;
// and the shorter forms that MARC-8 adds for a few sets.
fn designation(bytes: &[u8]) -> Option<(Designation, usize)> {
    let rest = bytes.get(1..)?;
    match *rest {
        [b's', ..] => return Some((Designation::G0(Set::Ascii), 2)),
        [b'g', ..] => return Some((Designation::G0(Set::GreekSymbols), 2)),
        [b'b', ..] => return Some((Designation::G0(Set::Subscript), 2)),
        [b'p', ..] => return Some((Designation::G0(Set::Superscript), 2)),
        [b'$', b'1', ..] => return Some((Designation::G0(Set::Eacc), 3)),
        _ => {}
    }
    let (intermediate, set, length) = match *rest {
        [b'$', intermediate, b'1', ..] => (intermediate, Set::Eacc, 4),
        [intermediate, b'!', b'E', ..] => (intermediate, Set::Ansel, 4),
        [intermediate, last, ..] => (intermediate, Set::by_final(last)?, 3),
        _ => return None,
    };
    match intermediate {
        b'(' | b',' => Some((Designation::G0(set), length)),
        b')' | b'-' => Some((Designation::G1(set), length)),
        _ => None,
    }
}

// The controls of ISO 6630 that MARC-8 has, and its two joiners.
fn control(byte: u8) -> Option<char> {
    match byte {
        0x88 => Some('\u{98}'),
        0x89 => Some('\u{9C}'),
        0x8D => Some(JOINER),
        0x8E => Some(NON_JOINER),
        _ => None,
    }
}

// A character of EACC, or the number of bytes that are none: usually three, but where a byte is
// lost or too many, as many as it takes to be back in step.
fn three_bytes(rest: &[u8]) -> Result<char, usize> {
    if let Some(c) = triple(rest) {
        return Ok(c);
    }
    let half = rest.first().map_or(0, |first| first & 0x80);
    let is_graphic = |byte: u8| byte & 0x80 == half && (0x21..0x7F).contains(&(byte & 0x7F));
    let graphic = rest.iter().take(3).take_while(|&&byte| is_graphic(byte)).count();
    let is_in_step = |&length: &usize| {
        let next = rest.get(length..).unwrap_or_default();
        next.first().is_none_or(|&byte| !is_graphic(byte)) || triple(next).is_some()
    };
    let back = [3, 1, 2].into_iter().filter(|&length| length <= graphic).find(is_in_step);
    Err(back.unwrap_or(graphic.max(1)))
}

fn triple(bytes: &[u8]) -> Option<char> {
    let &[first, second, third] = bytes.first_chunk::<3>()?;
    let is_one = first & 0x80 == second & 0x80 && first & 0x80 == third & 0x80;
    is_one.then(|| eacc([first & 0x7F, second & 0x7F, third & 0x7F]))?
}

// `&#x`, up to six hexadecimal digits, `;`
fn reference(bytes: &[u8]) -> Option<(char, usize)> {
    let digits = bytes.get(3..)?;
    let length = digits.iter().take(7).position(|&byte| byte == b';')?;
    let digits = std::str::from_utf8(digits.get(..length)?).ok()?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = u32::from_str_radix(digits, 16).ok().filter(|_| is_number)?;
    Some((char::from_u32(number)?, 3 + length + 1))
}
