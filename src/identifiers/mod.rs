//! Identifiers by their standards: recognized, checked by their check digits, normalized.
//!
//! Each function takes the identifier as sources write it (bare, with a prefix, as a URL) and
//! returns its normal form, borrowed where nothing had to change.

pub mod recid;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use thiserror::Error;

/// Why a text is not the identifier it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected {expected} [{code}]")]
pub struct IdentifierError {
    /// A stable code: the scheme and what is wrong, `isbn13.checksum`.
    pub code: &'static str,
    /// What would have been right.
    pub expected: &'static str,
}

/// A normalized identifier, or why there is none.
pub type Normalized<'a> = Result<Cow<'a, str>, IdentifierError>;

const fn wrong<T>(code: &'static str, expected: &'static str) -> Result<T, IdentifierError> {
    Err(IdentifierError { code, expected })
}

/// DOI: `10.5281/zenodo.1`, in lower case, since DOIs are compared without regard to case.
///
/// # Errors
/// `doi.shape` when it is not `10.` registrant `/` suffix.
pub fn doi(value: &str) -> Normalized<'_> {
    let bare = strip(value, &["doi.org/", "dx.doi.org/", "info:doi/", "doi:", "doi "]);
    let is_registrant = |text: &str| {
        text.len() >= 4 && text.split('.').all(|part| !part.is_empty() && is_digits(part))
    };
    let valid = bare
        .strip_prefix("10.")
        .and_then(|rest| rest.split_once('/'))
        .is_some_and(|(registrant, suffix)| is_registrant(registrant) && is_graphic(suffix));
    if valid { Ok(lower(bare)) } else { wrong("doi.shape", "10.NNNN/suffix") }
}

/// ISBN-13 without hyphens (ISO 2108); an ISBN-10 is converted, what follows the number left off.
///
/// # Errors
/// `isbn13.shape`, `isbn13.checksum`, and `isbn13.prefix` when it begins with neither 978 nor 979.
pub fn isbn13(value: &str) -> Normalized<'_> {
    if let Some(digits) = plain_isbn13(value) {
        return Ok(Cow::Borrowed(digits));
    }
    let Some(digits) = isbn_characters(value) else {
        return wrong("isbn13.shape", "10 or 13 digits");
    };
    if digits.len() == 10 {
        if isbn10_check(&digits) != digits.chars().last() {
            return wrong("isbn13.checksum", "an ISBN-10 with a right check digit");
        }
        let mut converted = format!("978{}", digits.get(..9).unwrap_or_default());
        converted.extend(ean_check(&converted));
        return Ok(Cow::Owned(converted));
    }
    if !is_digits(&digits) {
        return wrong("isbn13.shape", "13 digits");
    }
    if !digits.starts_with("978") && !digits.starts_with("979") {
        return wrong("isbn13.prefix", "978 or 979 in front");
    }
    if ean_check(&digits) != digits.chars().last() {
        return wrong("isbn13.checksum", "an ISBN-13 with a right check digit");
    }
    Ok(digits)
}

/// Nearly every ISBN-13: digits without hyphens in front, and nothing or a qualifier behind.
fn plain_isbn13(value: &str) -> Option<&str> {
    let (digits, rest) = value.split_at_checked(13)?;
    let is_alone = rest.as_bytes().first().is_none_or(|byte| b" (:;,/".contains(byte));
    let is_prefixed = digits.starts_with("978") || digits.starts_with("979");
    if !is_alone || !is_prefixed || !is_digits(digits) {
        return None;
    }
    // With its check digit the weighted sum is a multiple of ten (ISO 2108).
    let weights = [1, 3].into_iter().cycle();
    let sum: u32 = digits.bytes().zip(weights).map(|(d, w)| u32::from(d - b'0') * w).sum();
    sum.is_multiple_of(10).then_some(digits)
}

/// ISBN-10 without hyphens; an ISBN-13 that begins with 978 is converted.
///
/// # Errors
/// `isbn10.shape`, `isbn10.checksum`, and `isbn10.prefix` for an ISBN-13 that has no ISBN-10.
pub fn isbn10(value: &str) -> Normalized<'_> {
    let Some(digits) = isbn_characters(value) else {
        return wrong("isbn10.shape", "10 or 13 digits");
    };
    if digits.len() == 10 {
        return match isbn10_check(&digits) {
            check if check == digits.chars().last() => Ok(digits),
            _ => wrong("isbn10.checksum", "an ISBN-10 with a right check digit"),
        };
    }
    if !is_digits(&digits) || ean_check(&digits) != digits.chars().last() {
        return wrong("isbn10.checksum", "an ISBN-13 with a right check digit");
    }
    let Some(core) = digits.strip_prefix("978").and_then(|rest| rest.get(..9)) else {
        return wrong("isbn10.prefix", "978 in front");
    };
    let mut converted = core.to_owned();
    converted.extend(isbn10_check(core));
    Ok(Cow::Owned(converted))
}

/// ISSN with its hyphen: `2049-3630` (ISO 3297).
///
/// # Errors
/// `issn.shape`, `issn.checksum`.
pub fn issn(value: &str) -> Normalized<'_> {
    let bare = strip(value, &["portal.issn.org/resource/issn/", "urn:issn:", "issn:", "issn "]);
    let token = bare.split_whitespace().next().unwrap_or_default();
    let digits = compact(token);
    if !has_shape(&digits, 8) {
        return wrong("issn.shape", "NNNN-NNNC");
    }
    if weighted_check(&digits, 8) != digits.chars().last() {
        return wrong("issn.checksum", "an ISSN with a right check digit");
    }
    Ok(grouped(token, &digits))
}

/// ORCID iD as four groups: `0000-0002-1825-0097`.
///
/// # Errors
/// `orcid.shape`, `orcid.checksum` (ISO 7064 MOD 11-2).
pub fn orcid(value: &str) -> Normalized<'_> {
    let bare = strip(value, &["orcid.org/", "(orcid)", "orcid:", "orcid "]).trim_end_matches('/');
    if is_plain_orcid(bare) {
        return Ok(Cow::Borrowed(bare));
    }
    let digits = compact(bare);
    if !has_shape(&digits, 16) {
        return wrong("orcid.shape", "NNNN-NNNN-NNNN-NNNC");
    }
    if mod_11_2_check(&digits) != digits.chars().last() {
        return wrong("orcid.checksum", "an ORCID iD with a right check digit");
    }
    Ok(grouped(bare, &digits))
}

/// `NNNN-NNNN-NNNN-NNNC` with a right check character, as nearly all ORCIDs are written.
fn is_plain_orcid(text: &str) -> bool {
    let Some((check, front)) = text.as_bytes().split_last() else { return false };
    let mut total = 0_u32;
    let shape = front.len() == 18
        && front.iter().enumerate().all(|(n, byte)| match n {
            4 | 9 | 14 => *byte == b'-',
            _ => {
                total = (total + u32::from(byte.wrapping_sub(b'0'))) * 2 % 11;
                byte.is_ascii_digit()
            }
        });
    let expected = (12 - total) % 11;
    let found = if *check == b'X' { 10 } else { u32::from(check.wrapping_sub(b'0')) };
    shape && found == expected && (check.is_ascii_digit() || *check == b'X')
}

/// ISNI as 16 characters without spaces (ISO 27729).
///
/// # Errors
/// `isni.shape`, `isni.checksum` (ISO 7064 MOD 11-2).
pub fn isni(value: &str) -> Normalized<'_> {
    let bare = strip(value, &["isni.org/isni/", "isni.org/", "(isni)", "isni:", "isni "]);
    let digits = compact(bare);
    if !has_shape(&digits, 16) {
        return wrong("isni.shape", "16 digits");
    }
    if mod_11_2_check(&digits) != digits.chars().last() {
        return wrong("isni.checksum", "an ISNI with a right check digit");
    }
    Ok(digits)
}

/// ROR id, bare and in lower case: `01ggx4157`.
///
/// # Errors
/// `ror.shape`, `ror.checksum` (ISO 7064 MOD 97-10 over Crockford's base 32).
pub fn ror(value: &str) -> Normalized<'_> {
    const ALPHABET: &str = "0123456789abcdefghjkmnpqrstvwxyz";
    let bare = lower(strip(value, &["ror.org/", "ror:"]).trim_end_matches('/'));
    let Some((core, check)) = bare.split_at_checked(7).filter(|_| bare.len() == 9) else {
        return wrong("ror.shape", "0, six letters or digits, two digits");
    };
    let number = core.chars().try_fold(0_u64, |number, c| {
        Some(number * 32 + ALPHABET.find(c).and_then(|digit| u64::try_from(digit).ok())?)
    });
    let (Some(number), true, true) = (number, core.starts_with('0'), is_digits(check)) else {
        return wrong("ror.shape", "0, six letters or digits, two digits");
    };
    if check.parse() != Ok(98 - number * 100 % 97) {
        return wrong("ror.checksum", "a ROR id with right check digits");
    }
    Ok(bare)
}

/// arXiv identifier: `arXiv:1501.00001v2`, `arXiv:hep-th/9901001`; a trailing `[class]` is left off.
///
/// # Errors
/// `arxiv.shape`.
pub fn arxiv(value: &str) -> Normalized<'_> {
    let prefixes = ["arxiv.org/abs/", "arxiv.org/pdf/", "10.48550/arxiv.", "arxiv:", "arxiv "];
    let bare = strip(value, &prefixes).trim_end_matches(".pdf");
    let bare = bare.split_whitespace().next().unwrap_or_default();
    let (number, version) = bare.rsplit_once('v').unwrap_or((bare, "1"));
    let new = number.split_once('.').is_some_and(|(month, serial)| {
        month.len() == 4 && is_digits(month) && matches!(serial.len(), 4 | 5) && is_digits(serial)
    });
    let old = number.split_once('/').is_some_and(|(archive, serial)| {
        let is_archive = |c: char| c.is_ascii_alphabetic() || c == '-' || c == '.';
        !archive.is_empty()
            && archive.chars().all(is_archive)
            && serial.len() == 7
            && is_digits(serial)
    });
    if !(new || old) || !is_digits(version) {
        return wrong("arxiv.shape", "arXiv:YYMM.NNNNN or arXiv:archive/YYMMNNN");
    }
    match value.strip_prefix("arXiv:") {
        Some(rest) if rest == bare => Ok(Cow::Borrowed(value)),
        _ => Ok(Cow::Owned(format!("arXiv:{bare}"))),
    }
}

/// Handle: `20.500.12345/678`, its prefix and suffix as they are.
///
/// # Errors
/// `handle.shape`.
pub fn handle(value: &str) -> Normalized<'_> {
    let bare = strip(value, &["hdl.handle.net/", "info:hdl/", "hdl:", "handle:"]);
    let valid = bare.split_once('/').is_some_and(|(prefix, suffix)| {
        prefix.split('.').all(|part| !part.is_empty() && is_digits(part)) && is_graphic(suffix)
    });
    if valid { Ok(Cow::Borrowed(bare)) } else { wrong("handle.shape", "NNNN/suffix") }
}

/// URL with scheme http, https or ftp, a host and no white space.
///
/// # Errors
/// `url.shape`.
pub fn url(value: &str) -> Normalized<'_> {
    let bare = value.trim();
    if is_plain_url(bare) {
        return Ok(Cow::Borrowed(bare));
    }
    let host = bare.split_once("://").and_then(|(scheme, rest)| {
        let known = ["http", "https", "ftp"].iter().any(|name| scheme.eq_ignore_ascii_case(name));
        known.then(|| rest.split(['/', '?', '#']).next().unwrap_or_default())
    });
    let valid =
        host.is_some_and(|host| host.starts_with(|c: char| c.is_alphanumeric() || c == '['));
    let clean = !bare.contains(|c: char| c.is_whitespace() || c.is_control() || "<>\"".contains(c));
    if valid && clean { Ok(Cow::Borrowed(bare)) } else { wrong("url.shape", "http://host/path") }
}

/// Nearly every URL: http or https, ASCII without white space and quotes.
fn is_plain_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest else { return false };
    let odd = |byte: u8| !(b'!'..=b'~').contains(&byte) || matches!(byte, b'<' | b'>' | b'"');
    rest.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !rest.bytes().fold(false, |found, byte| found | odd(byte))
}

/// URN (RFC 8141): `urn:nbn:de:101:1-2019`, `urn` and the namespace in lower case.
///
/// # Errors
/// `urn.shape`.
pub fn urn(value: &str) -> Normalized<'_> {
    let bare = value.trim();
    let mut parts = bare.splitn(3, ':');
    let (Some(scheme), Some(namespace), Some(specific)) =
        (parts.next(), parts.next(), parts.next())
    else {
        return wrong("urn.shape", "urn:namespace:specific");
    };
    let is_namespace = (2..=32).contains(&namespace.len())
        && namespace.starts_with(|c: char| c.is_ascii_alphanumeric())
        && namespace.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !scheme.eq_ignore_ascii_case("urn") || !is_namespace || !is_graphic(specific) {
        return wrong("urn.shape", "urn:namespace:specific");
    }
    if !scheme.contains(is_upper) && !namespace.contains(is_upper) {
        return Ok(Cow::Borrowed(bare));
    }
    Ok(Cow::Owned(format!("urn:{}:{specific}", namespace.to_ascii_lowercase())))
}

type Normalize = fn(&str) -> Normalized<'_>;

/// Every scheme, the most specific first.
const SCHEMES: &[(&str, Normalize)] = &[
    ("doi", doi),
    ("handle", handle),
    ("arxiv", arxiv),
    ("orcid", orcid),
    ("isni", isni),
    ("ror", ror),
    ("isbn", isbn13),
    ("issn", issn),
    ("urn", urn),
    ("url", url),
];

/// The scheme whose shape and check digits the value has; `None` when there is none.
///
/// Sixteen bare digits are an ORCID iD within the ranges that ORCID was given, else an ISNI.
#[must_use]
pub fn id_scheme(value: &str) -> Option<&'static str> {
    recognize(value).map(|(scheme, _)| scheme)
}

/// The value in the normal form of the scheme that [`id_scheme`] finds.
///
/// # Errors
/// `id.unknown` when there is none.
pub fn normalize_id(value: &str) -> Normalized<'_> {
    match recognize(value) {
        Some((_, normal)) => Ok(normal),
        None => wrong("id.unknown", "an identifier of a known scheme"),
    }
}

fn recognize(value: &str) -> Option<(&'static str, Cow<'_, str>)> {
    SCHEMES.iter().find_map(|&(scheme, normalize)| {
        let normal = normalize(value).ok()?;
        (scheme != "orcid" || is_in_orcid_range(&normal)).then_some((scheme, normal))
    })
}

// ISNI's blocks for ORCID: 0000-0001-5000-0007 to 0000-0003-5000-0001, and from 0009-0000-0000-0000.
fn is_in_orcid_range(orcid: &str) -> bool {
    ("0000-0001-5000-0007"..="0000-0003-5000-0001").contains(&orcid)
        || ("0009-0000-0000-0000"..="0009-0010-0000-0000").contains(&orcid)
}

/// The value without white space around it and without the first of these prefixes it has, in any
/// case and with or without `http(s)://` and `www.` in front.
fn strip<'a>(value: &'a str, prefixes: &[&str]) -> &'a str {
    let bare = match value.as_bytes() {
        [b'!'..=b'~', .., b'!'..=b'~'] => value,
        _ => value.trim(),
    };
    // Most values have no prefix at all, which their first byte tells.
    let first = bare.as_bytes().first().map_or(0, u8::to_ascii_lowercase);
    let begins = |prefix: &&str| prefix.as_bytes().first() == Some(&first);
    if !matches!(first, b'h' | b'w') && !prefixes.iter().any(begins) {
        return bare;
    }
    let after = |text: &'a str, prefix: &str| {
        let (front, rest) = text.split_at_checked(prefix.len())?;
        front.eq_ignore_ascii_case(prefix).then_some(rest)
    };
    let path = after(bare, "https://").or_else(|| after(bare, "http://")).unwrap_or(bare);
    let path = after(path, "www.").unwrap_or(path);
    prefixes.iter().find_map(|prefix| after(path, prefix)).map_or(bare, str::trim_start)
}

fn is_upper(c: char) -> bool {
    c.is_ascii_uppercase()
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_graphic(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

fn lower(text: &str) -> Cow<'_, str> {
    if text.contains(char::is_uppercase) {
        Cow::Owned(text.to_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

/// Without spaces and hyphens of any kind, x in upper case; what holds other letters or signs, and
/// so has no shape of digits, stays as it is.
fn compact(text: &str) -> Cow<'_, str> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || byte == b'X';
    let is_part = |byte: u8| is_digit(byte) || matches!(byte, b'x' | b' ' | b'-' | 0x80..);
    if text.bytes().all(is_digit) || !text.bytes().all(is_part) {
        return Cow::Borrowed(text);
    }
    let is_filler = |c: char| c == ' ' || c == '-' || ('\u{2010}'..='\u{2015}').contains(&c);
    let mut kept = String::with_capacity(text.len());
    kept.extend(text.chars().filter(|&c| !is_filler(c)).map(|c| c.to_ascii_uppercase()));
    Cow::Owned(kept)
}

/// So many characters, digits all but the last, which may be X.
fn has_shape(digits: &str, length: usize) -> bool {
    digits.len() == length
        && digits
            .split_at_checked(length - 1)
            .is_some_and(|(front, last)| is_digits(front) && (is_digits(last) || last == "X"))
}

/// The digits in groups of four; `written` itself when it has them so.
fn grouped<'a>(written: &'a str, digits: &str) -> Cow<'a, str> {
    let mut text = String::with_capacity(19);
    for (n, c) in digits.chars().enumerate() {
        if n > 0 && n % 4 == 0 {
            text.push('-');
        }
        text.push(c);
    }
    if text == written { Cow::Borrowed(written) } else { Cow::Owned(text) }
}

/// The 10 or 13 characters of an ISBN, which a qualifier like `(pbk)` may follow.
fn isbn_characters(value: &str) -> Option<Cow<'_, str>> {
    let prefixes = ["urn:isbn:", "isbn-13:", "isbn-10:", "isbn-13 ", "isbn-10 ", "isbn:", "isbn "];
    let bare = strip(value, &prefixes);
    let is_isbn = |digits: &str| has_shape(digits, 10) || has_shape(digits, 13);
    let token = bare.split(|c: char| c.is_whitespace() || "(:;,/".contains(c)).next()?;
    let digits = compact(token);
    if is_isbn(&digits) {
        return Some(digits);
    }
    // Groups may be set apart by spaces: 978 3 16 148410 0.
    let is_part = |c: char| {
        c.is_ascii_digit() || matches!(c, 'X' | 'x' | ' ' | '-' | '\u{2010}'..='\u{2015}')
    };
    let end = bare.find(|c| !is_part(c)).unwrap_or(bare.len());
    Some(compact(bare.get(..end)?)).filter(|digits| is_isbn(digits))
}

fn values(digits: &str) -> impl Iterator<Item = u32> {
    digits.chars().map(|c| if c == 'X' { 10 } else { c.to_digit(10).unwrap_or(0) })
}

fn check_character(value: u32) -> Option<char> {
    if value == 10 { Some('X') } else { char::from_digit(value, 10) }
}

/// The check digit for the first 12 digits (EAN-13).
fn ean_check(digits: &str) -> Option<char> {
    let sum: u32 =
        values(digits).take(12).zip([1, 3].into_iter().cycle()).map(|(d, w)| d * w).sum();
    check_character((10 - sum % 10) % 10)
}

fn isbn10_check(digits: &str) -> Option<char> {
    weighted_check(digits, 10)
}

/// The check character for the first `length - 1` digits with weights `length` down to 2, mod 11.
fn weighted_check(digits: &str, length: usize) -> Option<char> {
    let weights = (2..=u32::try_from(length).ok()?).rev();
    let sum: u32 = values(digits).zip(weights).map(|(digit, weight)| digit * weight).sum();
    check_character((11 - sum % 11) % 11)
}

/// The check character for the first 15 digits (ISO 7064 MOD 11-2).
fn mod_11_2_check(digits: &str) -> Option<char> {
    let total = values(digits).take(15).fold(0, |total, digit| (total + digit) * 2 % 11);
    check_character((12 - total) % 11)
}
