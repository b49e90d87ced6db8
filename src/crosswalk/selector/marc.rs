//! MARC selectors: `245$a$n$p`, `0247_{$2=doi}$a`, `008/35-37`, `~$a`.
//!
//! ```text
//! marc  = [ "~" ] subs [ slice ] | field *cond [ subs ] [ slice ]
//! field = ( 3tagchar | "LDR" ) [ 2indchar ] [ "[" occ "]" ]
//! ```

use regex::Regex;

use super::super::codes::CodeSet;
use super::super::transforms::pattern::compiled;
use super::{Cursor, SelectorError};
use crate::formats::marc21::{CONTROL_VALUE, Field, Tag};

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

/// What the right side of a test says.
#[derive(Debug, Clone)]
pub enum Literal {
    /// `$a`: there is a value.
    Exists,
    /// `=` or `in [...]`: one of these.
    OneOf(Vec<String>),
    /// `!=`: none of these.
    NoneOf(Vec<String>),
    /// `~`: matches this regular expression.
    Matches(Regex),
    /// `^=`: begins with this.
    StartsWith(String),
}

/// The left side of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// Any of these subfields.
    Subfields(Subfields),
    /// `ind1` or `ind2` (0 or 1); a blank reads as `_`.
    Indicator(usize),
}

/// One test of a condition: `{$2=doi}`, `{!$t}`, `{ind1 in [_, 3]}`.
#[derive(Debug, Clone)]
pub struct Test {
    /// Whether the outcome is turned round.
    pub negated: bool,
    /// What is looked at.
    pub operand: Operand,
    /// What it is compared with.
    pub literal: Literal,
}

impl Test {
    /// Whether `field` passes.
    #[must_use]
    pub fn passes(&self, field: Field<'_>) -> bool {
        let holds = |value: &str| match &self.literal {
            Literal::Exists => true,
            Literal::OneOf(words) => words.iter().any(|word| word == value),
            Literal::NoneOf(words) => !words.iter().any(|word| word == value),
            Literal::Matches(regex) => regex.is_match(value),
            Literal::StartsWith(start) => value.starts_with(start.as_str()),
        };
        let found = match &self.operand {
            Operand::Indicator(n) => {
                let c = field.indicators().get(*n).copied().filter(|c| *c != ' ').unwrap_or('_');
                holds(c.encode_utf8(&mut [0; 4]))
            }
            Operand::Subfields(subfields) => {
                let codes = subfields.codes();
                let mut values = field.subfields_of(|code| codes.contains(code));
                match self.literal {
                    Literal::Exists => field.outline().any(|(code, ..)| codes.contains(code)),
                    // `!=` says that no value is that one, also when there is no value at all.
                    Literal::NoneOf(_) => values.all(|subfield| holds(subfield.value)),
                    _ => values.any(|subfield| holds(subfield.value)),
                }
            }
        };
        found != self.negated
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
        let mut selector = MarcSelector {
            tag: None,
            leader: false,
            linked: cursor.eat("~"),
            indicators: [Indicator::Any; 2],
            occurrence: None,
            conditions: Vec::new(),
            subfields: Subfields::Whole,
            codes: CodeSet::default(),
            slice: None,
        };
        let absolute = cursor.peek() != Some('$');
        if absolute && selector.linked {
            return Err(cursor.unexpected("`$` after `~`"));
        }
        if absolute {
            selector.parse_field(&mut cursor)?;
        }
        if cursor.peek() == Some('$') {
            selector.subfields = parse_subfields(&mut cursor)?;
        }
        selector.codes = selector.subfields.codes();
        if cursor.eat("/") {
            let first = cursor.number()?;
            let last = if cursor.eat("-") { cursor.number()? } else { first };
            if last < first {
                return Err(SelectorError::new(cursor.at, "a slice that ends before it begins"));
            }
            selector.slice = Some(Slice { first, last });
        }
        if cursor.peek().is_some() {
            return Err(cursor.unexpected("the end of the selector"));
        }
        Ok(selector)
    }

    fn parse_field(&mut self, cursor: &mut Cursor<'_>) -> Result<(), SelectorError> {
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
        while cursor.eat("{") {
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

fn parse_alternatives(cursor: &mut Cursor<'_>) -> Result<Vec<Test>, SelectorError> {
    let mut tests = Vec::new();
    loop {
        cursor.skip_spaces();
        tests.push(parse_test(cursor)?);
        cursor.skip_spaces();
        if !cursor.eat("|") {
            return Ok(tests);
        }
    }
}

fn parse_test(cursor: &mut Cursor<'_>) -> Result<Test, SelectorError> {
    let negated = cursor.eat("!");
    let operand = if cursor.eat("ind1") {
        Operand::Indicator(0)
    } else if cursor.eat("ind2") {
        Operand::Indicator(1)
    } else if cursor.peek() == Some('$') {
        Operand::Subfields(parse_subfields(cursor)?)
    } else {
        return Err(cursor.unexpected("`$`, `ind1` or `ind2`"));
    };
    cursor.skip_spaces();
    let literal = if cursor.eat("!=") {
        Literal::NoneOf(vec![parse_word(cursor)?])
    } else if cursor.eat("^=") {
        Literal::StartsWith(parse_word(cursor)?)
    } else if cursor.eat("=") {
        Literal::OneOf(vec![parse_word(cursor)?])
    } else if cursor.eat("~") {
        let at = cursor.at;
        let pattern = parse_word(cursor)?;
        let regex = compiled(&pattern).map_err(|reason| SelectorError::new(at, reason))?;
        Literal::Matches(regex)
    } else if cursor.eat("in") {
        cursor.skip_spaces();
        cursor.expect("[")?;
        let mut words = Vec::new();
        loop {
            cursor.skip_spaces();
            words.push(parse_word(cursor)?);
            cursor.skip_spaces();
            if !cursor.eat(",") {
                break;
            }
        }
        cursor.expect("]")?;
        Literal::OneOf(words)
    } else {
        Literal::Exists
    };
    Ok(Test { negated, operand, literal })
}

/// A literal: quoted, or bare up to `,`, `|`, `]` or `}`.
fn parse_word(cursor: &mut Cursor<'_>) -> Result<String, SelectorError> {
    cursor.skip_spaces();
    if matches!(cursor.peek(), Some('\'' | '"')) {
        return cursor.quoted();
    }
    let at = cursor.at;
    let word = cursor.take_while(|c| !",|]}".contains(c)).trim_end();
    if word.is_empty() {
        return Err(SelectorError::new(at, "expected a word to compare with"));
    }
    Ok(word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::marc21::Marc;

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
        for (text, at) in [("24$a", 2), ("245$", 4), ("245{$a", 6), ("008/9-3", 7), ("2451$a", 4)] {
            let error = MarcSelector::parse(text).expect_err(text);
            assert_eq!(error.at, at, "{text}: {}", error.message);
        }
    }

    #[test]
    fn conditions_look_at_subfields_and_indicators() {
        let mut marc = Marc::default();
        marc.push_data(Tag(*b"024"), ['7', ' ']);
        marc.push_subfield('a', "10.5072/x");
        marc.push_subfield('2', "doi");
        let field = marc.field(0).unwrap();
        for (selector, accepted) in [
            ("024{$2=doi}$a", true),
            ("024{$2=urn|$2=doi}$a", true),
            ("024{$2=urn}$a", false),
            ("024{!$2}$a", false),
            ("024{$2!=urn}$a", true),
            ("024{$x!=urn}$a", true),
            ("024{$a~^10\\.}$a", true),
            ("024{$a^=10.}$a", true),
            ("024{ind2 in [_, 3],$2=doi}$a", true),
            ("024{ind1 in [_, 3]}$a", false),
        ] {
            assert_eq!(parse(selector).accepts(field), accepted, "{selector}");
        }
    }
}
