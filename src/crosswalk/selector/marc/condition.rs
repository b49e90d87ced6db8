//! Conditions of MARC selectors: `{$2=doi}`, `{ind1 in [_, 3]}`, `{008/35-37=eng}`.

use regex::Regex;

use super::{Cursor, MarcSelector, SelectorError, Slice, Subfields, TagPattern, parse_subfields};
use crate::crosswalk::transforms::pattern::compiled;
use crate::formats::marc21::Field;

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

impl Literal {
    fn holds(&self, value: &str) -> bool {
        match self {
            Literal::Exists => true,
            Literal::OneOf(words) => words.iter().any(|word| word == value),
            Literal::NoneOf(words) => !words.iter().any(|word| word == value),
            Literal::Matches(regex) => regex.is_match(value),
            Literal::StartsWith(start) => value.starts_with(start.as_str()),
        }
    }
}

/// The left side of a test.
#[derive(Debug, Clone)]
pub enum Operand {
    /// Any of these subfields of the field itself, or characters of them.
    Subfields(Subfields, Option<Slice>),
    /// `ind1` or `ind2` (0 or 1); a blank reads as `_`.
    Indicator(usize),
    /// Values anywhere in the record: `008/35-37`, `LDR/06`, `041$a`.
    Record(Box<MarcSelector>),
}

/// One test of a condition: `{$2=doi}`, `{!$t}`, `{ind1 in [_, 3]}`, `{LDR/06=e}`.
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
        let found = match &self.operand {
            Operand::Indicator(n) => {
                let c = field.indicators().get(*n).copied().filter(|c| *c != ' ').unwrap_or('_');
                self.literal.holds(c.encode_utf8(&mut [0; 4]))
            }
            Operand::Subfields(subfields, slice) => self.subfields_pass(field, subfields, *slice),
            Operand::Record(selector) => self.record_passes(field, selector),
        };
        found != self.negated
    }

    fn subfields_pass(
        &self,
        field: Field<'_>,
        subfields: &Subfields,
        slice: Option<Slice>,
    ) -> bool {
        let codes = subfields.codes();
        let cut = |value| slice.map_or(value, |slice: Slice| slice.of(value));
        let mut values = field.subfields_of(|code| codes.contains(code));
        match self.literal {
            Literal::Exists if slice.is_none() => {
                field.outline().any(|(code, ..)| codes.contains(code))
            }
            Literal::Exists => values.any(|subfield| !cut(subfield.value).is_empty()),
            // `!=` says that no value is that one, also when there is no value at all.
            Literal::NoneOf(_) => values.all(|subfield| self.literal.holds(cut(subfield.value))),
            _ => values.any(|subfield| self.literal.holds(cut(subfield.value))),
        }
    }

    fn record_passes(&self, field: Field<'_>, selector: &MarcSelector) -> bool {
        let none_of = matches!(self.literal, Literal::NoneOf(_));
        let mut found = none_of;
        selector.visit(field.record(), &mut |_, value| match none_of {
            true => found &= self.literal.holds(value),
            false => found |= self.literal.holds(value),
        });
        found
    }
}

/// Reads what stands between braces and bars: one of these tests must pass.
pub(super) fn parse_alternatives(cursor: &mut Cursor<'_>) -> Result<Vec<Test>, SelectorError> {
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
    let at = cursor.at;
    let operand = if cursor.eat("ind1") {
        Operand::Indicator(0)
    } else if cursor.eat("ind2") {
        Operand::Indicator(1)
    } else {
        let selector = MarcSelector::parse_operand(cursor)?;
        match selector.tag.is_none() && !selector.leader {
            true => Operand::Subfields(selector.subfields, selector.slice),
            false => Operand::Record(Box::new(selector)),
        }
    };
    cursor.skip_spaces();
    let literal = parse_literal(cursor)?;
    if let (Operand::Record(selector), false) = (&operand, matches!(literal, Literal::Exists))
        && let (Some(TagPattern::Exact(tag)), Subfields::Whole) =
            (&selector.tag, &selector.subfields)
        && !tag.is_control()
    {
        let message = format!("`{tag}` is a whole field, expected subfields to compare");
        return Err(SelectorError::new(at, message));
    }
    Ok(Test { negated, operand, literal })
}

impl MarcSelector {
    /// Reads the left side of a test; it has no condition of its own.
    fn parse_operand(cursor: &mut Cursor<'_>) -> Result<MarcSelector, SelectorError> {
        let mut selector = MarcSelector::new();
        let start = cursor.at;
        if cursor.peek() == Some('$') {
            selector.subfields = parse_subfields(cursor)?;
        } else {
            selector.parse_tag_and_place(cursor).map_err(|error| match error.at == start {
                true => cursor.unexpected("`$`, `ind1`, `ind2`, `LDR` or a tag"),
                false => error,
            })?;
            if cursor.peek() == Some('$') {
                selector.subfields = parse_subfields(cursor)?;
            }
        }
        selector.codes = selector.subfields.codes();
        selector.parse_slice(cursor)?;
        Ok(selector)
    }
}

fn parse_literal(cursor: &mut Cursor<'_>) -> Result<Literal, SelectorError> {
    if cursor.eat("!=") {
        return Ok(Literal::NoneOf(vec![parse_word(cursor)?]));
    }
    if cursor.eat("^=") {
        return Ok(Literal::StartsWith(parse_word(cursor)?));
    }
    if cursor.eat("=") {
        return Ok(Literal::OneOf(vec![parse_word(cursor)?]));
    }
    if cursor.eat("~") {
        let at = cursor.at;
        let pattern = parse_word(cursor)?;
        let regex = compiled(&pattern).map_err(|reason| SelectorError::new(at, reason))?;
        return Ok(Literal::Matches(regex));
    }
    if !cursor.eat("in") {
        return Ok(Literal::Exists);
    }
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
    Ok(Literal::OneOf(words))
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
    use crate::formats::marc21::{Leader, Marc, Tag};

    fn parse(text: &str) -> MarcSelector {
        MarcSelector::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"))
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
            ("024{$a/0-1=10}$a", true),
            ("024{$a/40}$a", false),
            ("024{ind2 in [_, 3],$2=doi}$a", true),
            ("024{ind1 in [_, 3]}$a", false),
        ] {
            assert_eq!(parse(selector).accepts(field), accepted, "{selector}");
        }
    }

    #[test]
    fn conditions_look_at_other_fields_of_the_record() {
        let mut marc = Marc::default();
        marc.set_leader(Leader(*b"00000nam a2200000 a 4500"));
        marc.push_control(Tag(*b"008"), "990101s1999    xx                  eng  ");
        marc.push_data(Tag(*b"041"), ['1', ' ']);
        marc.push_subfield('a', "eng");
        marc.push_subfield('h', "fre");
        marc.push_data(Tag(*b"500"), [' ', ' ']);
        marc.push_subfield('a', "a note");
        let field = marc.field(2).unwrap();
        for (selector, accepted) in [
            ("500{008/35-37=eng}$a", true),
            ("500{008/35-37=fre}$a", false),
            ("500{LDR/06=a,LDR/07 in [m, s]}$a", true),
            ("500{LDR/06=e}$a", false),
            ("500{0411_$h=fre}$a", true),
            ("500{0410_$h=fre}$a", false),
            ("500{041$a$h!=ger}$a", true),
            ("500{041$a$h!=fre}$a", false),
            ("500{041[1]$a}$a", false),
            ("500{041}$a", true),
            ("500{!041|$a=x}$a", false),
            ("500{100|$a=a note}$a", true),
        ] {
            assert_eq!(parse(selector).accepts(field), accepted, "{selector}");
        }
    }

    #[test]
    fn a_mistake_in_a_condition_is_placed() {
        for (text, at, message) in [
            ("245{$a", 6, "found the end, expected `}`"),
            ("245{?}", 4, "found `?`, expected `$`, `ind1`, `ind2`, `LDR` or a tag"),
            ("245{04=x}", 6, "found `=`, expected a tag of three letters or digits, or `$`"),
            ("245{041=x}", 4, "`041` is a whole field, expected subfields to compare"),
            ("245{041{$a}$h}", 7, "found `{`, expected `}`"),
        ] {
            let error = MarcSelector::parse(text).expect_err(text);
            assert_eq!((error.at, error.message.as_str()), (at, message), "{text}");
        }
    }
}
