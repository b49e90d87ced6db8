//! MARC selectors: `245$a$n$p`, `0247_{$2=doi}$a`, `008/35-37`, `~$a`.
//!
//! ```text
//! marc  = [ "~" ] subs [ slice ] | field *cond [ subs ] [ slice ]
//! field = ( 3tagchar | "LDR" ) [ 2indchar ] [ "[" occ "]" ]
//! ```

mod condition;

use std::ops::Range;

use super::super::codes::CodeSet;
use super::{Cursor, SelectorError};
use crate::formats::marc21::{CONTROL_VALUE, Field, Marc, Tag};
use condition::parse_alternatives;
pub use condition::{Operand, Test};

/// The tags a selector names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagPattern {
    /// One tag.
    Exact(Tag),
    /// For each of the three characters the ones allowed; empty allows any.
    Class([Vec<u8>; 3]),
}

impl TagPattern {
    /// Whether `tag` is one of them.
    #[must_use]
    pub fn matches(&self, tag: Tag) -> bool {
        match self {
            TagPattern::Exact(exact) => *exact == tag,
            TagPattern::Class(classes) => classes
                .iter()
                .zip(tag.0)
                .all(|(class, byte)| class.is_empty() || class.contains(&byte)),
        }
    }
}

/// What an indicator must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indicator {
    /// Anything (`.` or left out).
    Any,
    /// This character; `_` is written for a blank.
    Is(char),
}

impl Indicator {
    /// Whether an indicator is one of those that are meant.
    #[must_use]
    pub fn matches(self, found: char) -> bool {
        match self {
            Indicator::Any => true,
            Indicator::Is(c) => c == found,
        }
    }
}

/// Which occurrences of the matching fields, from 0; `#` is the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occurrence {
    /// `[n]` is `Range(n, n)`, `[n-m]` inclusive.
    Range(usize, usize),
    /// `[#]` is `FromEnd(0)`, `[#-2]` the last three.
    FromEnd(usize),
}

impl Occurrence {
    /// Which of so many are meant.
    #[must_use]
    pub fn range(self, all: usize) -> Range<usize> {
        match self {
            Occurrence::Range(first, last) => first.min(all)..last.saturating_add(1).min(all),
            Occurrence::FromEnd(back) => all.saturating_sub(back + 1)..all,
        }
    }
}

/// Which subfields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subfields {
    /// None named: the control field's value, or the field as a whole.
    Whole,
    /// `$a$b`: the codes as listed, and as a set.
    Listed(Vec<char>, CodeSet),
    /// `$*` or `$*!05`: these; `$6` and `$8` are never among them.
    AllBut(CodeSet),
}

impl Subfields {
    /// The codes that are meant.
    #[must_use]
    pub fn codes(&self) -> CodeSet {
        match self {
            Subfields::Whole => CodeSet::default().with(CONTROL_VALUE),
            Subfields::Listed(_, codes) | Subfields::AllBut(codes) => *codes,
        }
    }

    /// Whether a subfield of this code is meant.
    #[must_use]
    pub fn contains(&self, code: char) -> bool {
        self.codes().contains(code)
    }
}

/// Character positions, both inclusive, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// First character.
    pub first: usize,
    /// Last character.
    pub last: usize,
}

impl Slice {
    /// The slice of `text`; shorter when the text is.
    #[must_use]
    pub fn of(self, text: &str) -> &str {
        if text.is_ascii() {
            let end = self.last.saturating_add(1).min(text.len());
            return text.get(self.first.min(end)..end).unwrap_or("");
        }
        let at = |n: usize| text.char_indices().nth(n).map_or(text.len(), |(i, _)| i);
        text.get(at(self.first)..at(self.last.saturating_add(1))).unwrap_or("")
    }
}

/// A parsed MARC selector.
#[derive(Debug, Clone)]
pub struct MarcSelector {
    /// The tags; `None` in a selector relative to the current field (`$a`).
    pub tag: Option<TagPattern>,
    /// `LDR`: the leader instead of a field.
    pub leader: bool,
    /// `~$a`: read the 880 that is linked to the current field.
    pub linked: bool,
    /// Both indicators.
    pub indicators: [Indicator; 2],
    /// Which of the matching fields.
    pub occurrence: Option<Occurrence>,
    /// All groups must pass; in a group one test must.
    pub conditions: Vec<Vec<Test>>,
    /// Which subfields.
    pub subfields: Subfields,
    /// Their codes.
    pub codes: CodeSet,
    /// Which characters of each value.
    pub slice: Option<Slice>,
}

impl MarcSelector {
    /// Reads a selector.
    ///
    /// # Errors
    /// [`SelectorError`] with the offset of the first character that does not fit.
    pub fn parse(text: &str) -> Result<MarcSelector, SelectorError> {
        let mut cursor = Cursor::new(text);
        let mut selector = MarcSelector { linked: cursor.eat("~"), ..MarcSelector::new() };
        let absolute = cursor.peek() != Some('$');
        if absolute && selector.linked {
            return Err(cursor.unexpected("`$` after `~`"));
        }
        if absolute {
            selector.parse_tag_and_place(&mut cursor)?;
            selector.parse_conditions(&mut cursor)?;
        }
        if cursor.peek() == Some('$') {
            selector.subfields = parse_subfields(&mut cursor)?;
        }
        selector.codes = selector.subfields.codes();
        selector.parse_slice(&mut cursor)?;
        if cursor.peek().is_some() {
            return Err(cursor.unexpected("the end of the selector"));
        }
        Ok(selector)
    }

    fn new() -> MarcSelector {
        MarcSelector {
            tag: None,
            leader: false,
            linked: false,
            indicators: [Indicator::Any; 2],
            occurrence: None,
            conditions: Vec::new(),
            subfields: Subfields::Whole,
            codes: CodeSet::default(),
            slice: None,
        }
    }

    fn parse_tag_and_place(&mut self, cursor: &mut Cursor<'_>) -> Result<(), SelectorError> {
        if cursor.eat("LDR") {
            self.leader = true;
            return Ok(());
        }
        self.tag = Some(parse_tag(cursor)?);
        let is_indicator = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        if cursor.peek().is_some_and(is_indicator) {
            for indicator in &mut self.indicators {
                let Some(c) = cursor.peek().filter(|c| is_indicator(*c)) else {
                    return Err(cursor.unexpected("a second indicator (`_` blank, `.` any)"));
                };
                cursor.next();
                *indicator = match c {
                    '.' => Indicator::Any,
                    '_' => Indicator::Is(' '),
                    other => Indicator::Is(other),
                };
            }
        }
        if cursor.eat("[") {
            self.occurrence = Some(parse_occurrence(cursor)?);
            cursor.expect("]")?;
        }
        Ok(())
    }

    fn parse_conditions(&mut self, cursor: &mut Cursor<'_>) -> Result<(), SelectorError> {
        while !self.leader && cursor.eat("{") {
            loop {
                self.conditions.push(parse_alternatives(cursor)?);
                if !cursor.eat(",") {
                    break;
                }
            }
            cursor.expect("}")?;
        }
        Ok(())
    }

    fn parse_slice(&mut self, cursor: &mut Cursor<'_>) -> Result<(), SelectorError> {
        if !cursor.eat("/") {
            return Ok(());
        }
        let first = cursor.number()?;
        let last = if cursor.eat("-") { cursor.number()? } else { first };
        if last < first {
            return Err(SelectorError::new(cursor.at, "a slice that ends before it begins"));
        }
        self.slice = Some(Slice { first, last });
        Ok(())
    }

    /// Whether it means fields as a whole.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.subfields == Subfields::Whole && self.slice.is_none()
    }

    /// Whether `field` has the indicators and passes the conditions; its tag is known to match.
    #[inline]
    #[must_use]
    pub fn accepts(&self, field: Field<'_>) -> bool {
        let [first, second] = self.indicators;
        let [found_first, found_second] = field.indicators();
        first.matches(found_first)
            && second.matches(found_second)
            && self.conditions.iter().all(|tests| tests.iter().any(|test| test.passes(field)))
    }

    /// Calls `found` with each value in the record, and its position; a data field of which no
    /// subfields are named is a value without text. 880s are no more than what they are.
    pub fn visit(&self, record: &Marc, found: &mut dyn FnMut(Option<usize>, &str)) {
        let cut = |value| self.slice.map_or(value, |slice: Slice| slice.of(value));
        if self.leader {
            return found(None, cut(record.leader().as_str()));
        }
        let Some(tag) = &self.tag else { return };
        let matching = record.fields().filter(|field| tag.matches(field.tag()));
        let matching = matching.filter(|field| self.accepts(*field));
        let range = self.occurrence.map_or(0..usize::MAX, |occurrence| {
            let all = matching.clone().count();
            occurrence.range(all)
        });
        for (_, field) in matching.enumerate().filter(|(n, _)| range.contains(n)) {
            if self.subfields == Subfields::Whole && !field.tag().is_control() {
                found(None, "");
            }
            for subfield in field.subfields_of(|code| self.codes.contains(code)) {
                found(Some(subfield.index), cut(subfield.value));
            }
        }
    }
}

fn parse_tag(cursor: &mut Cursor<'_>) -> Result<TagPattern, SelectorError> {
    let mut classes: [Vec<u8>; 3] = Default::default();
    for class in &mut classes {
        match cursor.peek() {
            Some('.') => {
                cursor.next();
            }
            Some('[') => {
                cursor.next();
                class.extend(cursor.take_while(|c| c.is_ascii_alphanumeric()).bytes());
                cursor.expect("]")?;
                if class.is_empty() {
                    return Err(SelectorError::new(cursor.at, "an empty class of tag characters"));
                }
            }
            Some(c) if c.is_ascii_alphanumeric() => {
                class.extend(cursor.take_while_one());
            }
            _ => return Err(cursor.unexpected("a tag of three letters or digits, or `$`")),
        }
    }
    let exact: Vec<u8> = classes.iter().filter(|c| c.len() == 1).flatten().copied().collect();
    match <[u8; 3]>::try_from(exact) {
        Ok(tag) => Ok(TagPattern::Exact(Tag(tag))),
        Err(_) => Ok(TagPattern::Class(classes)),
    }
}

impl Cursor<'_> {
    fn take_while_one(&mut self) -> Option<u8> {
        self.next().and_then(|c| u8::try_from(c).ok())
    }
}

fn parse_occurrence(cursor: &mut Cursor<'_>) -> Result<Occurrence, SelectorError> {
    if cursor.eat("#") {
        let back = if cursor.eat("-") { cursor.number()? } else { 0 };
        return Ok(Occurrence::FromEnd(back));
    }
    let first = cursor.number()?;
    if !cursor.eat("-") {
        return Ok(Occurrence::Range(first, first));
    }
    if cursor.eat("#") {
        return Ok(Occurrence::Range(first, usize::MAX));
    }
    Ok(Occurrence::Range(first, cursor.number()?))
}

fn parse_subfields(cursor: &mut Cursor<'_>) -> Result<Subfields, SelectorError> {
    let mut codes = Vec::new();
    while cursor.eat("$") {
        match cursor.next() {
            Some('*') => {
                let mut but: CodeSet = ['6', '8'].into_iter().collect();
                if cursor.eat("!") {
                    let codes = cursor.take_while(|c| c.is_ascii_alphanumeric()).chars();
                    but = codes.fold(but, CodeSet::with);
                }
                return Ok(Subfields::AllBut(but.complement()));
            }
            Some(code) if code.is_ascii_graphic() => codes.push(code),
            _ => return Err(SelectorError::new(cursor.at, "expected a subfield code after `$`")),
        }
    }
    let set = codes.iter().copied().collect();
    Ok(Subfields::Listed(codes, set))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> MarcSelector {
        MarcSelector::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"))
    }

    #[test]
    fn the_grammar_reads_tags_indicators_occurrences_conditions_and_slices() {
        assert_eq!(
            parse("245$a$n").subfields,
            Subfields::Listed(vec!['a', 'n'], ['a', 'n'].into_iter().collect())
        );
        assert_eq!(parse("0247_").indicators, [Indicator::Is('7'), Indicator::Is(' ')]);
        assert_eq!(parse("264.1$c").indicators, [Indicator::Any, Indicator::Is('1')]);
        assert_eq!(parse("650[0-2]$a").occurrence, Some(Occurrence::Range(0, 2)));
        assert_eq!(parse("650[#]$a").occurrence, Some(Occurrence::FromEnd(0)));
        assert_eq!(parse("008/35-37").slice, Some(Slice { first: 35, last: 37 }));
        let others: CodeSet = ['0', '5', '6', '8'].into_iter().collect();
        assert_eq!(parse("$*!05").subfields, Subfields::AllBut(others.complement()));
        assert!(parse("~$a").linked);
        assert!(parse("LDR/06").leader);
        assert!(parse("1[01]0").tag.is_some_and(|tag| tag.matches(Tag(*b"110"))));
        assert!(parse("6..").tag.is_some_and(|tag| tag.matches(Tag(*b"651"))));
        assert_eq!(parse("FFT").tag, Some(TagPattern::Exact(Tag(*b"FFT"))));
    }

    #[test]
    fn a_mistake_is_placed() {
        for (text, at) in [("24$a", 2), ("245$", 4), ("008/9-3", 7), ("2451$a", 4), ("LDR{$a}", 3)]
        {
            let error = MarcSelector::parse(text).expect_err(text);
            assert_eq!(error.at, at, "{text}: {}", error.message);
        }
    }
}
