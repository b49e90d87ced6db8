//! The end of a text: ISBD punctuation goes, the dot of an abbreviation stays.

use std::borrow::Cow;

use super::text::trimmed;

/// Without ISBD punctuation (`/ : ; , = .`) and white space at the end: `"Title :"` becomes
/// `"Title"`.
///
/// The dot of an initial (`Smith, J.`), of a known abbreviation (`2nd ed.`) and `...` stay, and
/// so does the slash of a URL.
#[must_use]
pub fn trim_isbd(value: &str) -> Cow<'_, str> {
    let mut text = trimmed(value);
    while let [before @ .., last] = text.as_bytes() {
        let strip = match last {
            b':' | b';' | b',' | b'=' => true,
            b'/' => !holds_url(before),
            b'.' => !before.ends_with(b"..") && !ends_in_abbreviation(before),
            _ => false,
        };
        if !strip {
            break;
        }
        text = trimmed(text.get(..before.len()).unwrap_or_default());
    }
    Cow::Borrowed(text)
}

/// Abbreviations that keep their dot, in lower case; sorted.
const ABBREVIATIONS: &[&str] = &[
    "abt", "al", "approx", "arr", "assn", "assoc", "aufl", "ausg", "bd", "bearb", "bros", "bull",
    "bur", "ca", "cf", "chap", "cie", "co", "col", "comm", "comp", "conf", "corp", "corr", "dept",
    "diss", "div", "dr", "ed", "eds", "engl", "enl", "erw", "esq", "est", "etc", "facsim", "fasc",
    "fig", "fl", "fr", "gov", "govt", "hrsg", "ill", "illus", "inc", "inst", "intl", "jahrg", "jr",
    "lfg", "lib", "ltd", "ltda", "mfg", "mr", "mrs", "ms", "mss", "mt", "nachdr", "natl", "no",
    "nos", "nr", "op", "orig", "pp", "pref", "print", "proc", "prof", "prov", "pseud", "pt", "pts",
    "pty", "publ", "repr", "rept", "rev", "ser", "sr", "st", "ste", "suppl", "tech", "trans",
    "transl", "univ", "verb", "verl", "vol", "vols",
];

/// Whether `://` stands in a text that ends in a slash, which is left off here.
fn holds_url(before_slash: &[u8]) -> bool {
    memchr::memchr_iter(b':', before_slash)
        .any(|at| matches!(before_slash.get(at + 1..), Some([b'/'] | [b'/', b'/', ..])))
}

fn ends_in_abbreviation(before_dot: &[u8]) -> bool {
    let is_break = |byte: &u8| {
        matches!(
            byte,
            b' ' | b'-' | b'.' | b',' | b'(' | b'[' | b'/' | b'&' | b'\'' | b'\t'..=b'\r'
        )
    };
    let from = before_dot.iter().rposition(is_break).map_or(0, |at| at + 1);
    let word = before_dot.get(from..).unwrap_or_default();
    match word {
        [] => false,
        [only] => only.is_ascii_alphabetic(),
        _ if word.is_ascii() => is_abbreviation(word),
        _ => std::str::from_utf8(word).is_ok_and(ends_in_letter_or_abbreviation),
    }
}

fn is_abbreviation(word: &[u8]) -> bool {
    word.len() <= 8 && ABBREVIATION_KEYS.binary_search(&key(word)).is_ok()
}

/// The first eight bytes of a word in lower case, as one number: such keys sort as the words do.
const fn key(word: &[u8]) -> u64 {
    let mut key = 0;
    let mut rest = word;
    let mut n = 0;
    while n < 8 {
        key <<= 8;
        if let [byte, after @ ..] = rest {
            key |= byte.to_ascii_lowercase() as u64;
            rest = after;
        }
        n += 1;
    }
    key
}

#[expect(clippy::indexing_slicing, reason = "a constant, as long as the list that it is made of")]
static ABBREVIATION_KEYS: [u64; ABBREVIATIONS.len()] = {
    let mut keys = [0; ABBREVIATIONS.len()];
    let mut n = 0;
    while n < keys.len() {
        keys[n] = key(ABBREVIATIONS[n].as_bytes());
        n += 1;
    }
    keys
};

/// As [`ends_in_abbreviation`], of a text beyond ASCII, in which breaks may be beyond it too.
fn ends_in_letter_or_abbreviation(text: &str) -> bool {
    let is_break = |c: char| c.is_whitespace() || c == '’';
    let word = text.rsplit(is_break).next().unwrap_or_default();
    let mut characters = word.chars();
    match (characters.next(), characters.next()) {
        (Some(only), None) => only.is_alphabetic(),
        (Some(_), Some(_)) => is_abbreviation(word.as_bytes()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::lower;
    use super::super::text::tests::check;
    use super::*;

    #[test]
    fn isbd_punctuation_goes_and_abbreviations_stay() {
        check(
            trim_isbd,
            &[
                ("Title :", "Title"),
                ("Title /", "Title"),
                ("Title /. ,", "Title"),
                (" Title = ; ", "Title"),
                ("A title.", "A title"),
                ("Smith, J.", "Smith, J."),
                ("Smith, J.,", "Smith, J."),
                ("Smith, J.-P.", "Smith, J.-P."),
                ("Müller, É.", "Müller, É."),
                ("2nd ed.", "2nd ed."),
                ("2nd ed. ;", "2nd ed."),
                ("King, Martin Luther, Jr.", "King, Martin Luther, Jr."),
                ("Acme Inc. :", "Acme Inc."),
                ("And then...", "And then..."),
                ("And then... /", "And then..."),
                ("1950-2001.", "1950-2001"),
                ("(1950).", "(1950)"),
                ("https://example.org/", "https://example.org/"),
                ("物理 /", "物理"),
                ("/", ""),
                ("", ""),
            ],
        );
    }

    #[test]
    fn the_abbreviations_are_sorted_short_and_in_lower_case() {
        assert!(ABBREVIATIONS.is_sorted() && ABBREVIATION_KEYS.is_sorted());
        assert!(ABBREVIATIONS.iter().all(|word| word.len() <= 8 && lower(word) == *word));
    }

    proptest::proptest! {
        #[test]
        fn isbd_punctuation_is_taken_byte_by_byte_as_it_is_character_by_character(
            text in "(ed|Ed|vol|a|É|\\PC{0,3}|物|x:/|http://|[ -~]{0,6})([ ’.,;:=/\u{b}\u{a0}-]{0,4}|(J|dr|univ|Éd)[./ ]{1,3})",
        ) {
            proptest::prop_assert_eq!(trim_isbd(&text), by_characters(&text), "{:?}", text);
        }
    }

    /// [`trim_isbd`], without any haste.
    fn by_characters(value: &str) -> &str {
        let mut text = value.trim();
        while let Some(last) = text.chars().last() {
            let before = text.strip_suffix(last).unwrap();
            let is_break = |c: char| c.is_whitespace() || "-.,([/&'’".contains(c);
            let word = before.rsplit(is_break).next().unwrap();
            let letter = word.chars().count() == 1 && word.chars().all(char::is_alphabetic);
            let known = ABBREVIATIONS.iter().any(|known| known.eq_ignore_ascii_case(word));
            let strip = match last {
                ':' | ';' | ',' | '=' => true,
                '/' => !text.contains("://"),
                '.' => !before.ends_with("..") && !letter && !known,
                _ => false,
            };
            if !strip {
                break;
            }
            text = before.trim_end();
        }
        text
    }
}
