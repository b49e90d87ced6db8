//! Text transforms: none of them fails, each borrows where nothing changes.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick, is_nfkc_quick};

/// Without white space at both ends: `" a b "` becomes `"a b"`.
#[must_use]
pub fn trim(value: &str) -> Cow<'_, str> {
    Cow::Borrowed(trimmed(value))
}

/// `str::trim`, quick where there is nothing to trim, or one space at the end.
#[inline]
pub(crate) fn trimmed(value: &str) -> &str {
    let solid = |byte: &u8| (0x21..0x7F).contains(byte);
    match value.as_bytes() {
        [first, .., last] if solid(first) && solid(last) => value,
        [first, .., before, b' '] if solid(first) && solid(before) => {
            value.get(..value.len() - 1).unwrap_or_default()
        }
        [only] if solid(only) => value,
        _ => value.trim(),
    }
}

/// Unicode normalization form C: `e` and a combining acute accent become `é`.
#[must_use]
pub fn nfc(value: &str) -> Cow<'_, str> {
    if value.is_ascii() || is_nfc_quick(value.chars()) == IsNormalized::Yes {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.nfc().collect())
}

/// Unicode normalization form KC: also `ﬁ` becomes `fi`, `①` becomes `1`.
#[must_use]
pub fn nfkc(value: &str) -> Cow<'_, str> {
    if value.is_ascii() || is_nfkc_quick(value.chars()) == IsNormalized::Yes {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.nfkc().collect())
}

/// In lower case: `"ISBN"` becomes `"isbn"`.
#[must_use]
pub fn lower(value: &str) -> Cow<'_, str> {
    let changes = if value.is_ascii() {
        value.bytes().any(|byte| byte.is_ascii_uppercase())
    } else {
        value.chars().any(|c| !c.to_lowercase().eq([c]))
    };
    if changes { Cow::Owned(value.to_lowercase()) } else { Cow::Borrowed(value) }
}

/// In upper case: `"isbn"` becomes `"ISBN"`.
#[must_use]
pub fn upper(value: &str) -> Cow<'_, str> {
    let changes = if value.is_ascii() {
        value.bytes().any(|byte| byte.is_ascii_lowercase())
    } else {
        value.chars().any(|c| !c.to_uppercase().eq([c]))
    };
    if changes { Cow::Owned(value.to_uppercase()) } else { Cow::Borrowed(value) }
}

/// Trimmed, and each run of white space within one space: `" a \n b"` becomes `"a b"`.
#[must_use]
pub fn collapse_ws(value: &str) -> Cow<'_, str> {
    let trimmed = trimmed(value);
    // One pass without branches: ASCII, no white space but single spaces.
    let bytes = trimmed.as_bytes();
    let pairs = bytes.iter().zip(bytes.get(1..).unwrap_or_default());
    let odd = pairs
        .fold(false, |odd, (a, b)| odd | (*a < b' ') | (*a > 0x7E) | (*a == b' ' && *b == b' '));
    if !odd && bytes.last().is_none_or(|last| (b' '..0x7F).contains(last)) {
        return Cow::Borrowed(trimmed);
    }
    let mut after_space = false;
    let collapsed = trimmed.chars().all(|c| {
        let fits = !c.is_whitespace() || (c == ' ' && !after_space);
        after_space = c == ' ';
        fits
    });
    if collapsed {
        return Cow::Borrowed(trimmed);
    }
    let mut text = String::with_capacity(trimmed.len());
    for word in trimmed.split_whitespace() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    Cow::Owned(text)
}

/// Without HTML tags and comments, references resolved: `"<p>a &amp; b</p>"` becomes `"a & b"`.
///
/// A `<` that opens no tag stays; a tag that breaks lines leaves a space.
#[must_use]
pub fn strip_html(value: &str) -> Cow<'_, str> {
    if memchr::memchr2(b'<', b'&', value.as_bytes()).is_none() {
        return Cow::Borrowed(value);
    }
    let mut text = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find(['<', '&']) {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        text.push_str(before);
        rest = match tag(from) {
            Some((name, after)) => {
                if BREAKING.contains(&&*name.to_ascii_lowercase()) && !text.ends_with(' ') {
                    text.push(' ');
                }
                after
            }
            None => match reference(from) {
                Some((character, after)) => {
                    text.push(character);
                    after
                }
                None => {
                    let after = from.get(1..).unwrap_or_default();
                    text.push_str(from.get(..1).unwrap_or_default());
                    after
                }
            },
        };
    }
    text.push_str(rest);
    let trimmed = text.trim();
    if trimmed.len() == text.len() { Cow::Owned(text) } else { Cow::Owned(trimmed.to_owned()) }
}

/// Tags after which a line begins; sorted.
const BREAKING: &[&str] =
    &["br", "dd", "div", "dt", "h1", "h2", "h3", "h4", "li", "ol", "p", "td", "title", "tr", "ul"];

/// The name of the tag that `text` begins with (without its namespace prefix), and what follows.
fn tag(text: &str) -> Option<(&str, &str)> {
    if let Some(comment) = text.strip_prefix("<!--") {
        return comment.split_once("-->").map(|(_, after)| ("", after));
    }
    let inner = text.strip_prefix('<')?;
    let name = inner.strip_prefix('/').unwrap_or(inner);
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let (inside, after) = name.split_once('>')?;
    if inside.contains('<') {
        return None;
    }
    let name = inside.split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or_default();
    Some((name.rsplit(':').next().unwrap_or_default(), after))
}

/// The character that the reference at the front of `text` stands for, and what follows.
fn reference(text: &str) -> Option<(char, &str)> {
    let (name, after) = text.strip_prefix('&')?.split_once(';')?;
    let character = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code).filter(|c| !c.is_control())?
        }
    };
    Some((character, after))
}

/// Without any of these characters, and white space, at the end: `rstrip("a--", "-")` is `"a"`.
#[must_use]
pub fn rstrip<'a>(value: &'a str, characters: &str) -> Cow<'a, str> {
    Cow::Borrowed(value.trim_end_matches(|c: char| c.is_whitespace() || characters.contains(c)))
}

/// With a text in front: `prefix("1", "arXiv:")` is `"arXiv:1"`. What is empty stays empty.
#[must_use]
pub fn prefix<'a>(value: &'a str, front: &str) -> Cow<'a, str> {
    if value.is_empty() { Cow::Borrowed(value) } else { Cow::Owned([front, value].concat()) }
}

/// With a text at the end: `suffix("12", " p.")` is `"12 p."`. What is empty stays empty.
#[must_use]
pub fn suffix<'a>(value: &'a str, end: &str) -> Cow<'a, str> {
    if value.is_empty() { Cow::Borrowed(value) } else { Cow::Owned([value, end].concat()) }
}

/// Characters `start` up to `end` (exclusive, from 0; `None` is the end of the text).
///
/// What lies outside of the text is left out: `slice("abc", 1, Some(9))` is `"bc"`.
#[must_use]
pub fn slice(value: &str, start: usize, end: Option<usize>) -> Cow<'_, str> {
    let from = byte_of(value, start);
    let to = end.map_or(value.len(), |end| byte_of(value, end));
    Cow::Borrowed(value.get(from..to).unwrap_or_default())
}

/// The first `length` characters.
#[must_use]
pub fn truncate(value: &str, length: usize) -> Cow<'_, str> {
    slice(value, 0, Some(length))
}

/// Without the first `count` characters, which do not count in sorting: `nonfiling("The End", 4)`
/// is `"End"`. A count that leaves nothing is taken for a mistake, and nothing is removed.
#[must_use]
pub fn nonfiling(value: &str, count: usize) -> Cow<'_, str> {
    let rest = value.get(byte_of(value, count)..).unwrap_or_default();
    Cow::Borrowed(if rest.trim().is_empty() { value } else { rest })
}

/// Words in lower case between hyphens: `"Open Access"` and `"OpenAccess"` are `"open-access"`.
#[must_use]
pub fn kebab(value: &str) -> Cow<'_, str> {
    let is_done = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if !value.is_empty() && value.bytes().all(is_done) {
        return Cow::Borrowed(value);
    }
    let mut text = String::with_capacity(value.len() + 4);
    for (begins, c) in words(value) {
        if begins && !text.is_empty() {
            text.push('-');
        }
        text.extend(c.to_lowercase());
    }
    Cow::Owned(text)
}

/// Words joined, each with a capital: `"open access"` is `"OpenAccess"`.
#[must_use]
pub fn pascal(value: &str) -> Cow<'_, str> {
    let mut text = String::with_capacity(value.len());
    for (begins, c) in words(value) {
        if begins {
            text.extend(c.to_uppercase());
        } else {
            text.extend(c.to_lowercase());
        }
    }
    if text == value { Cow::Borrowed(value) } else { Cow::Owned(text) }
}

/// The letters and digits, each with whether a word begins there: after anything else, or with a
/// capital after a small letter or digit.
fn words(value: &str) -> impl Iterator<Item = (bool, char)> {
    let mut before = None;
    value.chars().filter_map(move |c| {
        let previous = before.replace(c);
        let begins = match previous {
            Some(p) if p.is_alphanumeric() => c.is_uppercase() && !p.is_uppercase(),
            _ => true,
        };
        c.is_alphanumeric().then_some((begins, c))
    })
}

/// The byte at which character `index` begins, or the length of the text.
fn byte_of(value: &str, index: usize) -> usize {
    if value.is_ascii() {
        return index.min(value.len());
    }
    value.char_indices().nth(index).map_or(value.len(), |(byte, _)| byte)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::endings::trim_isbd;
    use super::*;

    pub fn check(transform: impl Fn(&str) -> Cow<'_, str>, cases: &[(&str, &str)]) {
        for (value, expected) in cases {
            assert_eq!(transform(value), *expected, "{value:?}");
            let again = transform(expected);
            assert_eq!(again, *expected, "a second time: {value:?}");
        }
    }

    #[test]
    fn white_space_case_and_normal_forms() {
        check(trim, &[(" a b\t", "a b"), ("\u{a0}x\u{3000}", "x")]);
        check(collapse_ws, &[("a  b\n c ", "a b c"), ("a b", "a b"), ("a\tb", "a b"), ("  ", "")]);
        check(nfc, &[("e\u{301}", "é"), ("abc", "abc"), ("Жизнь", "Жизнь")]);
        check(nfkc, &[("ﬁn ①", "fin 1")]);
        check(lower, &[("ABC", "abc"), ("ÉCOLE", "école"), ("物理", "物理")]);
        check(upper, &[("abc", "ABC"), ("straße", "STRASSE")]);
    }

    #[test]
    fn html_goes_and_comparisons_stay() {
        check(
            strip_html,
            &[
                ("<p>One</p><p>two</p>", "One two"),
                ("a<sub>2</sub>b", "a2b"),
                ("<jats:p>text</jats:p>", "text"),
                ("a <!-- note -->b", "a b"),
                ("x < y and y > z", "x < y and y > z"),
                ("5<6", "5<6"),
                ("R&amp;D &#233;&#xe9; &unknown; & co", "R&D éé &unknown; & co"),
                ("<unclosed", "<unclosed"),
                ("&#0;", "&#0;"),
            ],
        );
    }

    #[test]
    fn cutting_counts_characters() {
        assert_eq!(slice("物理学", 1, Some(2)), "理");
        assert_eq!(slice("abc", 2, None), "c");
        assert_eq!(slice("abc", 5, Some(2)), "");
        assert_eq!(truncate("éa", 1), "é");
        assert_eq!(truncate("éa", 9), "éa");
        assert_eq!(nonfiling("The End", 4), "End");
        assert_eq!(nonfiling("L'été", 2), "été");
        assert_eq!(nonfiling("The", 4), "The");
        assert_eq!(rstrip("a -, ", ",-"), "a");
        assert_eq!(prefix("1", "no. "), "no. 1");
        assert_eq!(suffix("", "."), "");
    }

    #[test]
    fn words_become_kebab_and_pascal() {
        check(
            kebab,
            &[("Open Access", "open-access"), ("OpenAccess", "open-access"), ("a/b  c", "a-b-c")],
        );
        check(pascal, &[("open access", "OpenAccess"), ("is-part-of", "IsPartOf")]);
        assert_eq!(kebab("Été 2001!"), "été-2001");
    }

    #[test]
    fn what_does_not_change_is_borrowed() {
        for transform in [trim, nfc, nfkc, lower, collapse_ws, strip_html, trim_isbd, kebab] {
            assert!(matches!(transform("plain"), Cow::Borrowed("plain")));
        }
    }

    #[test]
    fn the_tags_that_break_lines_are_sorted() {
        assert!(BREAKING.is_sorted());
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_a_transform_panic(text in "(?s).{0,30}", html in "[<>&;#a-p/! é.-]{0,30}") {
            for value in [&text, &html] {
                for transform in
                    [trim, nfc, nfkc, lower, upper, collapse_ws, strip_html, trim_isbd, kebab, pascal]
                {
                    let _ = transform(value);
                }
                let _ = nonfiling(value, 3);
                let _ = slice(value, 2, Some(5));
            }
        }
    }
}
