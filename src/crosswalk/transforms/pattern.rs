//! Regular expressions behind a quick look at bytes, which decides most texts.

use std::borrow::Cow;

use regex::Regex;
use regex_syntax::hir::Look;
use regex_syntax::hir::literal::{ExtractKind, Extractor, Literal};

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
    /// A text that matches begins with one of these.
    Begins(Vec<Vec<u8>>),
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
            QuickLook::Holds(word) => holds(text.as_bytes(), word),
            look => look.may_match(text) && self.regex.is_match(text),
        }
    }

    /// Every match replaced by `with`, in which `$1` and the like stand for groups.
    #[must_use]
    pub fn replace_all<'t>(&self, text: &'t str, with: &str) -> Cow<'t, str> {
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
        extractor.kind(ExtractKind::Prefix).limit_total(256);
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
            let begins = literals.iter().map(|literal| literal.as_bytes().to_vec());
            return QuickLook::Begins(begins.collect());
        }
        QuickLook::None
    }

    fn may_match(&self, text: &str) -> bool {
        match self {
            QuickLook::None => true,
            QuickLook::Begins(words) => words.iter().any(|word| text.as_bytes().starts_with(word)),
            QuickLook::Holds(word) => holds(text.as_bytes(), word),
        }
    }
}

/// Whether `word`, which is in lower case, stands in `text` in any case.
fn holds(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quick_look_is_had_where_the_pattern_gives_one() {
        assert_eq!(QuickLook::new("(?i)orcid"), QuickLook::Holds(b"orcid".to_vec()));
        assert_eq!(QuickLook::new("orcid"), QuickLook::None);
        assert_eq!(QuickLook::new("^(?i)a$"), QuickLook::Begins(vec![b"A".into(), b"a".into()]));
        assert_eq!(QuickLook::new("[a-z]+"), QuickLook::None);
        assert_eq!(QuickLook::new("a?b"), QuickLook::None);
    }

    #[test]
    fn it_decides_as_the_regular_expression_does() {
        let patterns = [
            "(?i)orcid",
            "^https?://id\\.loc\\.gov/",
            "^[a-z]",
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
