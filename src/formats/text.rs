//! The text of a record: UTF-8 or, by policy, what its bytes most likely meant.

use std::borrow::Cow;
use std::fmt::Write;

use super::{DecodeError, Policy, ReadOptions};
use crate::record::Warning;

/// The record's bytes as text.
///
/// With [`Policy::Repair`] each byte that is no UTF-8 is read as Windows-1252, which agrees with
/// Latin-1 wherever that has a character; the warning has the first offset and byte.
///
/// # Errors
/// `code` at the first such byte, with any other policy.
pub fn read_utf8<'b>(
    bytes: &'b [u8],
    code: &'static str,
    options: &ReadOptions,
    warnings: &mut Vec<Warning>,
) -> Result<Cow<'b, str>, DecodeError> {
    let error = match simdutf8::compat::from_utf8(bytes) {
        Ok(text) => return Ok(Cow::Borrowed(text)),
        Err(error) => error,
    };
    let at = error.valid_up_to();
    if options.policy != Policy::Repair {
        return Err(DecodeError::new(code, format!("byte {at} is not UTF-8")));
    }
    let mut text = String::with_capacity(bytes.len() + 16);
    let (mut count, mut found) = (0_usize, String::new());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push(windows_1252(*byte));
            if count < 8 {
                let _infallible = write!(found, " {byte:02x}");
            }
            count += 1;
        }
    }
    let message = format!("byte {at}: {count} bytes are not UTF-8, read as Windows-1252:{found}");
    warnings.push(Warning::new(code, message));
    Ok(Cow::Owned(text))
}

/// The bytes without the byte order marks before them: files that were joined have several.
#[must_use]
pub fn without_mark(mut bytes: &[u8]) -> &[u8] {
    while let Some(rest) = bytes.strip_prefix(b"\xEF\xBB\xBF") {
        bytes = rest;
    }
    bytes
}

/// Bytes that are no UTF-8 as the text they most likely are; ASCII is itself.
#[must_use]
pub fn from_windows_1252(bytes: &[u8]) -> String {
    bytes.iter().copied().map(windows_1252).collect()
}

// <https://encoding.spec.whatwg.org/index-windows-1252.txt>; what it leaves open is Latin-1's.
fn windows_1252(byte: u8) -> char {
    const FROM_80: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8D}Ž\u{8F}\u{90}‘’“”•–—˜™š›œ\u{9D}žŸ";
    let index = usize::from(byte).checked_sub(0x80);
    index.and_then(|index| FROM_80.chars().nth(index)).unwrap_or(char::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_refused_or_read_as_most_likely_meant() {
        let read = |policy| {
            let mut warnings = Vec::new();
            let options = ReadOptions { policy, ..ReadOptions::default() };
            let text = read_utf8(b"na\xEFve \x93\xC3\xA9", "t.utf8", &options, &mut warnings);
            (text.map(Cow::into_owned).map_err(|error| error.message), warnings.len())
        };
        assert_eq!(read(Policy::Tolerant), (Err("byte 2 is not UTF-8".to_owned()), 0));
        assert_eq!(read(Policy::Repair), (Ok("naïve “é".to_owned()), 1));
    }
}
