//! Keys made of values: hashes, UUIDs, slugs, names of files.

use std::borrow::Cow;
use std::fmt::Write;

use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use uuid::Uuid;

/// SHA-256 of the text's UTF-8, 64 hexadecimal digits in lower case.
#[must_use]
pub fn sha256(value: &str) -> Cow<'_, str> {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(value.as_bytes()) {
        // Writing to a String does not fail.
        let _written = write!(text, "{byte:02x}");
    }
    Cow::Owned(text)
}

/// UUID of version 5 (RFC 9562): the same name in the same namespace is the same UUID.
#[must_use]
pub fn uuid5(value: &str, namespace: &Uuid) -> String {
    Uuid::new_v5(namespace, value.as_bytes()).to_string()
}

/// For addresses and file names: letters and digits in lower case without accents, hyphens
/// between: `"Les Misérables, 1"` is `"les-miserables-1"`. Other scripts stay as they are.
#[must_use]
pub fn slug(value: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if value.bytes().all(plain) {
        return Cow::Borrowed(value);
    }
    let mut text = String::with_capacity(value.len());
    let mut gap = false;
    // Accents of Latin, Greek and Cyrillic go; the marks of other scripts are part of the letter.
    let is_accent = |c: &char| ('\u{300}'..='\u{36F}').contains(c);
    for c in value.nfkd().filter(|c| !is_accent(c)).nfc() {
        // Apostrophes stand inside words.
        if matches!(c, '\'' | '’' | 'ʼ') {
            continue;
        }
        if !c.is_alphanumeric() && !is_combining_mark(c) {
            gap = true;
            continue;
        }
        if gap && !text.is_empty() {
            text.push('-');
        }
        gap = false;
        text.extend(c.to_lowercase());
    }
    Cow::Owned(text)
}

/// The last part of a path or URL, without query and fragment: `"https://example.org/a/b.pdf?x=1"`
/// is `"b.pdf"`. What ends in a slash is named by the part before.
#[must_use]
pub fn basename(value: &str) -> Cow<'_, str> {
    let bare = value.trim();
    let path =
        if bare.contains("://") { bare.split(['?', '#']).next().unwrap_or("") } else { bare };
    let path = path.trim_end_matches('/');
    Cow::Borrowed(path.rsplit(['/', '\\']).next().unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_standards() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256(""), empty);
        let uuid = uuid5("www.example.com", &Uuid::NAMESPACE_DNS);
        assert_eq!(uuid, "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    }

    #[test]
    fn slugs_have_no_accents_and_single_hyphens() {
        for (value, expected) in [
            ("Les Misérables, 1", "les-miserables-1"),
            ("  L'été -- à Évian! ", "lete-a-evian"),
            ("物理学 入門", "物理学-入門"),
            ("ガラス", "ガラス"),
            ("한국", "한국"),
            ("a_b.c", "a-b-c"),
            ("!", ""),
            ("abc1", "abc1"),
        ] {
            assert_eq!(slug(value), expected, "{value}");
            assert_eq!(slug(expected), expected, "a second time: {value}");
        }
    }

    #[test]
    fn files_are_named_by_the_end_of_their_path() {
        for (value, expected) in [
            ("https://example.org/a/b.pdf?x=1#y", "b.pdf"),
            ("/afs/a b/c.tif", "c.tif"),
            ("C:\\scans\\1.tif", "1.tif"),
            ("report #1.pdf", "report #1.pdf"),
            ("https://example.org/a/", "a"),
            ("", ""),
        ] {
            assert_eq!(basename(value), expected, "{value}");
        }
    }
}
