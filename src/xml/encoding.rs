//! The text of a record's bytes: in the encoding that its XML declaration names, UTF-8 without.
//!
//! Records are cut out of their document before they are decoded, which is right for every
//! encoding in which `<`, `>` and `&` are these bytes and no part of others. UTF-16, UTF-32,
//! ISO-2022-JP and EBCDIC are not, and are refused.
//! <https://encoding.spec.whatwg.org/>

use std::borrow::Cow;
use std::fmt::Write;

use encoding_rs::{Encoding, ISO_2022_JP, REPLACEMENT, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::Options;
use super::reader::XmlError;
use super::token::attributes;
use crate::record::Warning;

/// So many of the bytes that are mended are shown.
const SHOWN_BYTES: usize = 8;

/// The text of one record, which may begin with a byte order mark or an XML declaration.
///
/// Bytes that are no UTF-8 are read as Windows-1252 by [`Options::repair`]: warning `xml.utf8`,
/// with the offset and value of the first. A document of bytes that says it is UTF-16 is read as
/// UTF-8: warning `xml.encoding`.
///
/// # Errors
/// `xml.utf8` with the offset of the first byte that is no UTF-8; `xml.encoding` when the
/// declared encoding is unknown, refused, or not that of the bytes.
pub fn text<'b>(
    bytes: &'b [u8],
    options: Options,
    warnings: &mut Vec<Warning>,
) -> Result<Cow<'b, str>, XmlError> {
    let (encoding, bytes) = match bytes.strip_prefix(b"\xEF\xBB\xBF") {
        Some(rest) => (UTF_8, rest),
        None => (declared(bytes, warnings)?, bytes),
    };
    if encoding == UTF_8 {
        return match simdutf8::compat::from_utf8(bytes) {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(_) if options.repair => Ok(Cow::Owned(mend(bytes, warnings))),
            Err(error) => {
                let message = format!("byte {} is not UTF-8", error.valid_up_to());
                Err(XmlError::new("xml.utf8", message))
            }
        };
    }
    if encoding == WINDOWS_1252 && !label(bytes).is_some_and(|label| label.ends_with("1252")) {
        return Ok(latin1(bytes, options, warnings));
    }
    let (text, broken) = encoding.decode_without_bom_handling(bytes);
    if broken {
        let message = format!("bytes that are not {}", encoding.name());
        if !options.repair {
            return Err(XmlError::new("xml.encoding", message));
        }
        warnings.push(Warning::new("xml.encoding", format!("{message} are read as U+FFFD")));
    }
    Ok(text)
}

/// The encoding that an XML declaration names, with its quotes taken off.
pub(super) fn label(declaration: &[u8]) -> Option<&str> {
    let inside = declaration.strip_prefix(b"<?xml")?;
    let end = memchr::memmem::find(inside, b"?>")?;
    let (_, value) = attributes(inside.get(..end)?).find(|(name, _)| *name == b"encoding")?;
    Some(std::str::from_utf8(value).ok()?.trim_matches(['"', '\'']).trim())
}

fn declared(bytes: &[u8], warnings: &mut Vec<Warning>) -> Result<&'static Encoding, XmlError> {
    let Some(label) = label(bytes) else { return Ok(UTF_8) };
    let encoding = Encoding::for_label(label.as_bytes());
    if encoding == Some(UTF_16LE) || encoding == Some(UTF_16BE) {
        let message = format!("declares encoding {label}, is not; read as UTF-8");
        warnings.push(Warning::new("xml.encoding", message));
        return Ok(UTF_8);
    }
    let ascii_is_ascii =
        |encoding: &&Encoding| *encoding != ISO_2022_JP && *encoding != REPLACEMENT;
    encoding.filter(ascii_is_ascii).ok_or_else(|| {
        let message = format!("encoding {label:?} is not one that is read");
        XmlError::new("xml.encoding", message)
    })
}

// ISO 8859-1, in which 80 to 9F are control characters. The web takes the name for Windows-1252;
// XML does not.
fn latin1<'b>(bytes: &'b [u8], options: Options, warnings: &mut Vec<Warning>) -> Cow<'b, str> {
    let is_control = |byte: &u8| (0x80..0xA0).contains(byte);
    let Some(first) = bytes.iter().position(is_control).filter(|_| options.repair) else {
        return encoding_rs::mem::decode_latin1(bytes);
    };
    let message = format!("byte {first} is a control character, read as Windows-1252");
    warnings.push(Warning::new("xml.encoding", message));
    WINDOWS_1252.decode_without_bom_handling(bytes).0
}

// Only what is no UTF-8 is taken for Windows-1252: files put together from several sources have
// both.
fn mend(bytes: &[u8], warnings: &mut Vec<Warning>) -> String {
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 8);
    let (mut first, mut count, mut shown) = (None, 0, String::new());
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        at += chunk.valid().len();
        if !chunk.invalid().is_empty() {
            first.get_or_insert(at);
            count += chunk.invalid().len();
            text.push_str(&WINDOWS_1252.decode_without_bom_handling(chunk.invalid()).0);
        }
        for byte in chunk.invalid().iter().take(SHOWN_BYTES.saturating_sub(shown.len() / 3)) {
            let _infallible = write!(shown, " {byte:02X}");
        }
        at += chunk.invalid().len();
    }
    let first = first.unwrap_or_default();
    let message = format!(
        "{count} bytes are not UTF-8, read as Windows-1252; the first at byte {first}:{shown}"
    );
    warnings.push(Warning::new("xml.utf8", message));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], repair: bool) -> (Result<String, &'static str>, Vec<Warning>) {
        let mut warnings = Vec::new();
        let text = text(bytes, Options { repair }, &mut warnings);
        (text.map(Cow::into_owned).map_err(|error| error.code), warnings)
    }

    #[test]
    fn the_declared_encoding_is_decoded() {
        let latin = b"<?xml version='1.0' encoding = 'iso-8859-1'?><a>K\xFChe</a>";
        assert!(read(latin, false).0.unwrap().ends_with("<a>Kühe</a>"));
        let control = b"<?xml version='1.0' encoding='iso-8859-1'?><a>\x8C</a>";
        assert!(read(control, false).0.unwrap().ends_with("<a>\u{8C}</a>"));
        let (repaired, warnings) = read(control, true);
        assert!(repaired.unwrap().ends_with("<a>Œ</a>"));
        assert_eq!(warnings[0].code, "xml.encoding");
        let cyrillic = b"<?xml version=\"1.0\" encoding=\"windows-1251\"?><a>\xD1\xE5\xED\xEE</a>";
        assert!(read(cyrillic, false).0.unwrap().ends_with("<a>Сено</a>"));
        let marked = b"\xEF\xBB\xBF<?xml version='1.0' encoding='iso-8859-1'?><a>\xC3\xBC</a>";
        assert!(read(marked, false).0.unwrap().ends_with("<a>ü</a>"));
    }

    #[test]
    fn an_encoding_that_cannot_be_cut_is_refused_and_a_false_one_told() {
        let unknown = b"<?xml version='1.0' encoding='ebcdic-cp-us'?><a/>";
        assert_eq!(read(unknown, false).0, Err("xml.encoding"));
        let stateful = b"<?xml version='1.0' encoding='iso-2022-jp'?><a/>";
        assert_eq!(read(stateful, true).0, Err("xml.encoding"));
        let (text, warnings) = read(b"<?xml version='1.0' encoding='utf-16'?><a/>", false);
        assert!(text.is_ok());
        assert_eq!(warnings[0].code, "xml.encoding");
        let broken = b"<?xml version='1.0' encoding='euc-jp'?><a>\xFF</a>";
        assert_eq!(read(broken, false).0, Err("xml.encoding"));
        assert!(read(broken, true).0.unwrap().ends_with("<a>\u{FFFD}</a>"));
    }

    #[test]
    fn bytes_that_are_no_utf8_are_an_error_or_windows_1252_by_repair() {
        assert_eq!(read(b"<a>\xC3\xBC K\xFChe</a>", false).0, Err("xml.utf8"));
        let (text, warnings) = read(b"<a>\xC3\xBC K\xFChe \x93Heu\x94</a>", true);
        assert_eq!(text.unwrap(), "<a>ü Kühe “Heu”</a>");
        let expected = "3 bytes are not UTF-8, read as Windows-1252; the first at byte 7: FC 93 94";
        assert_eq!(warnings, [Warning::new("xml.utf8", expected)]);
    }
}
