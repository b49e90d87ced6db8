//! Regular expressions behind a quick look at bytes, which decides most texts.

use std::borrow::Cow;

use regex::Regex;
use regex_syntax::hir::literal::{ExtractKind, Extractor, Literal};
use regex_syntax::hir::{Hir, HirKind, Look};

/// A regular expression that is asked only where a quick look does not decide.
#[derive(Debug)]
pub struct Pattern {
    regex: Regex,
    look: QuickLook,
}

#[derive(Debug, PartialEq, Eq)]
enum QuickLook {
    /// Says nothing.
    None,
    /// A text that matches begins with one of these; their first bytes.
    Begins(Vec<Vec<u8>>, ByteSet),
    /// A text matches when it begins with one of these; their first bytes.
    Decides(Vec<Vec<u8>>, ByteSet),
    /// A text matches when it holds this, upper or lower case.
    Holds(Vec<u8>),
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// What is wrong with it, in a line.
    pub fn new(pattern: &str) -> Result<Pattern, String> {
        let regex = compiled(pattern)?;
        Ok(Pattern { regex, look: QuickLook::new(pattern) })
    }

    /// Whether it matches anywhere in `text`.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        match &self.look {
            QuickLook::None => self.regex.is_match(text),
            QuickLook::Begins(..) => self.look.may_match(text) && self.regex.is_match(text),
            QuickLook::Holds(_) | QuickLook::Decides(..) => self.look.may_match(text),
        }
    }

    /// Every match replaced by `with`, in which `$1` and the like stand for groups.
    #[must_use]
    pub fn replace_all<'t>(&self, text: &'t str, with: &str) -> Cow<'t, str> {
        if let QuickLook::Decides(words, firsts) = &self.look
            && !with.contains('$')
        {
            // It matches once, at the start, by the first of these that stands there.
            let bytes = text.as_bytes();
            let may = bytes.first().is_some_and(|first| firsts.contains(*first));
            let word = words.iter().filter(|_| may).find(|word| bytes.starts_with(word));
            return match word.and_then(|word| text.get(word.len()..)) {
                None => text.into(),
                Some(rest) if with.is_empty() => rest.into(),
                Some(rest) => [with, rest].concat().into(),
            };
        }
        if self.look.may_match(text) { self.regex.replace_all(text, with) } else { text.into() }
    }
}

/// Compiles a regular expression.
///
/// # Errors
/// What is wrong with it, in a line.
pub fn compiled(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| {
        let text = error.to_string();
        // The crate draws a picture of the place; the reason stands in the last line.
        let reason = text.lines().last().unwrap_or_default().trim();
        let reason = reason.strip_prefix("error: ").unwrap_or(reason);
        format!("`{pattern}` is no regular expression: {reason}")
    })
}

impl QuickLook {
    fn new(pattern: &str) -> QuickLook {
        let Ok(hir) = regex_syntax::parse(pattern) else { return QuickLook::None };
        let mut extractor = Extractor::new();
        extractor.kind(ExtractKind::Prefix).limit_class(64).limit_total(256);
        let literals = extractor.extract(&hir);
        let Some(literals) = literals.literals().filter(|literals| !literals.is_empty()) else {
            return QuickLook::None;
        };
        let words: Vec<Vec<u8>> =
            literals.iter().map(|literal| literal.as_bytes().to_ascii_lowercase()).collect();
        let (Some(word), look) = (words.first(), hir.properties().look_set()) else {
            return QuickLook::None;
        };
        // All spellings of one word: each letter has two.
        let letters = word.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
        let spellings = u32::try_from(letters).ok().and_then(|n| 1_usize.checked_shl(n));
        let same = words.iter().all(|other| other == word && other.is_ascii());
        let exact = literals.iter().all(Literal::is_exact);
        if same && exact && look.is_empty() && !word.is_empty() && spellings == Some(words.len()) {
            return QuickLook::Holds(word.clone());
        }
        if hir.properties().look_set_prefix().contains(Look::Start) {
            let begins: Vec<Vec<u8>> =
                literals.iter().map(|literal| literal.as_bytes().to_vec()).collect();
            let firsts = begins.iter().filter_map(|word| word.first().copied()).collect();
            if begins.iter().any(Vec::is_empty) {
                return QuickLook::None;
            }
            return match exact && is_start_and_literals(&hir) {
                true => QuickLook::Decides(begins, firsts),
                false => QuickLook::Begins(begins, firsts),
            };
        }
        QuickLook::None
    }

    fn may_match(&self, text: &str) -> bool {
        match self {
            QuickLook::None => true,
            QuickLook::Begins(words, firsts) | QuickLook::Decides(words, firsts) => {
                let text = text.as_bytes();
                let is_word = |first: &u8, word: &[u8]| match word {
                    [only] => only == first,
                    _ => text.starts_with(word),
                };
                text.first().is_some_and(|first| {
                    firsts.contains(*first) && words.iter().any(|word| is_word(first, word))
                })
            }
            QuickLook::Holds(word) => holds(text.as_bytes(), word),
        }
    }
}

/// Whether a pattern is the start of the text and then nothing that looks around.
fn is_start_and_literals(hir: &Hir) -> bool {
    let HirKind::Concat(parts) = hir.kind() else { return false };
    let Some((first, rest)) = parts.split_first() else { return false };
    matches!(first.kind(), HirKind::Look(Look::Start))
        && rest.iter().all(|part| part.properties().look_set().is_empty())
}

/// Whether `word`, which is in lower case, stands in `text` in any case.
fn holds(text: &[u8], word: &[u8]) -> bool {
    let Some((first, rest)) = word.split_first() else { return true };
    memchr::memchr2_iter(*first, first.to_ascii_uppercase(), text).any(|at| {
        let here = text.get(at + 1..at + word.len());
        here.is_some_and(|here| here.eq_ignore_ascii_case(rest))
    })
}

/// A set of bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct ByteSet([u64; 4]);

impl ByteSet {
    fn contains(self, byte: u8) -> bool {
        let quarter = self.0.get(usize::from(byte / 64)).copied().unwrap_or(0);
        quarter >> (byte % 64) & 1 == 1
    }
}

impl FromIterator<u8> for ByteSet {
    fn from_iter<I: IntoIterator<Item = u8>>(bytes: I) -> ByteSet {
        let mut set = ByteSet::default();
        for byte in bytes {
            if let Some(quarter) = set.0.get_mut(usize::from(byte / 64)) {
                *quarter |= 1 << (byte % 64);
            }
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quick_look_is_had_where_the_pattern_gives_one() {
        assert_eq!(QuickLook::new("(?i)orcid"), QuickLook::Holds(b"orcid".to_vec()));
        assert_eq!(QuickLook::new("orcid"), QuickLook::None);
        let spelled = vec![b"A".to_vec(), b"a".to_vec()];
        let firsts: ByteSet = b"Aa".iter().copied().collect();
        assert_eq!(QuickLook::new("^(?i)a$"), QuickLook::Begins(spelled.clone(), firsts));
        assert_eq!(QuickLook::new("^(?i)a"), QuickLook::Decides(spelled, firsts));
        assert!(matches!(QuickLook::new("^[a-z]"), QuickLook::Decides(..)));
        assert!(matches!(QuickLook::new("^[a-z]+x"), QuickLook::Begins(..)));
        assert_eq!(QuickLook::new("[a-z]+"), QuickLook::None);
        assert_eq!(QuickLook::new("a?b"), QuickLook::None);
    }

    #[test]
    fn it_decides_as_the_regular_expression_does() {
        let patterns = [
            "(?i)orcid",
            "^https?://id\\.loc\\.gov/",
            "^[a-z]",
            "^[a-z]b?",
            "^[a-z]?b?",
            "^(a|ab)",
            "^(ab|a)",
            "^ab??",
            "^https?://",
            "^(a|)b",
            "^a\\b",
            "^(?m:^)a",
            "(?i)^or",
            "^",
            "(?i)k",
            "^a|b",
            "x|y",
            "^$",
            "",
            "(?i)straße",
            "^(ab|ac)d",
            "a*",
            "\\bab",
            "(?m)^b",
            "7",
        ];
        let texts = [
            "",
            "a",
            "b",
            "ORCID",
            "(OrCiD)0000",
            "http://id.loc.gov/x",
            "https://id.loc.gov/",
            "K",
            "\u{212A}",
            "abd",
            "acd",
            "x\nb",
            "xab",
            "ab",
            "7",
            "STRASSE",
            "STRAßE",
            "1y",
        ];
        for pattern in patterns {
            let quick = Pattern::new(pattern).unwrap();
            for text in texts {
                let slow = quick.regex.is_match(text);
                assert_eq!(quick.is_match(text), slow, "{pattern:?} on {text:?}");
                let replaced = quick.regex.replace_all(text, "-");
                assert_eq!(quick.replace_all(text, "-"), replaced, "{pattern:?} on {text:?}");
            }
        }
    }
}
