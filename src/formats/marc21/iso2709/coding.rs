//! How the characters of a record are coded: what it says, what its bytes say, what the user says.

use std::ops::Range;

use memchr::{memchr, memmem};

use super::{ESC, FT, Family, RT, US, directory};
use crate::formats::marc21::encoding::Encoding;
use crate::formats::marc21::marc8::{self, Decoder, Fault, FaultKind, Set};
use crate::formats::marc21::{CONTROL_VALUE, Leader, Marc, Place};
use crate::formats::{DecodeError, Policy, ReadOptions};
use crate::record::Warning;

/// How a record's bytes become text.
pub(super) enum Coding<'b> {
    /// The whole record is UTF-8.
    Utf8(&'b str),
    /// Each value is decoded for itself.
    Values(Values),
}

/// A coding that is not UTF-8.
pub(super) enum Values {
    /// MARC-8, or what UNIMARC has in its place.
    Sets(Decoder),
    /// One byte is one character.
    Bytes(Encoding),
    /// UTF-8 with some bytes of Windows-1252 in it.
    Mixed,
}

/// Chooses the coding of a record.
///
/// # Errors
/// `iso2709.utf8` when it should be UTF-8 and is not, and the policy is not to repair;
/// `unimarc.charset` when it is none of those that are known.
pub(super) fn choose<'b>(
    family: Family,
    bytes: &'b [u8],
    leader: Leader,
    options: &ReadOptions,
    warnings: &mut Vec<Warning>,
) -> Result<Coding<'b>, DecodeError> {
    let sets = |g0, g1| {
        let decoder = Decoder::new(g0, g1);
        let repairs = options.policy == Policy::Repair;
        Coding::Values(Values::Sets(if repairs { decoder.repairing() } else { decoder }))
    };
    let marc8 = || sets(Set::Ascii, Set::Ansel);
    match options.encoding {
        None => {}
        Some(Encoding::Utf8) => return utf8(bytes, "the encoding is \"utf-8\"", options, warnings),
        Some(Encoding::Marc8) => return Ok(marc8()),
        Some(Encoding::Iso5426) => {
            return Ok(sets(Set::Ascii, Set::Iso5426));
        }
        Some(encoding) => return Ok(Coding::Values(Values::Bytes(encoding))),
    }
    if family == Family::Unimarc {
        return match unimarc(bytes, leader, options, warnings)? {
            Unimarc::Utf8(coding) => Ok(coding),
            Unimarc::Sets(g0, g1) => Ok(sets(g0, g1)),
        };
    }
    if leader.coding_scheme() == b'a' {
        return utf8(bytes, "leader/09 is 'a'", options, warnings);
    }
    if memchr(ESC, bytes).is_some() {
        return Ok(marc8());
    }
    // leader/09 lies often enough: what is valid UTF-8 beyond ASCII is hardly ever anything else.
    match simdutf8::compat::from_utf8(bytes) {
        Ok(text) if !text.is_ascii() => {
            let scheme = char::from(leader.coding_scheme());
            let message = format!("leader/09 is {scheme:?}, but the record is UTF-8");
            warnings.push(Warning::new("iso2709.encoding_mislabeled", message));
            Ok(Coding::Utf8(text))
        }
        Ok(text) if memmem::find(bytes, b"&#x").is_none() => Ok(Coding::Utf8(text)),
        _ => Ok(marc8()),
    }
}

fn utf8<'b>(
    bytes: &'b [u8],
    claim: &str,
    options: &ReadOptions,
    warnings: &mut Vec<Warning>,
) -> Result<Coding<'b>, DecodeError> {
    let offset = match simdutf8::compat::from_utf8(bytes) {
        Ok(text) => {
            if let Some(offset) = memchr(ESC, bytes) {
                let message = format!("ESC at byte {offset} of a record that says it is UTF-8");
                warnings.push(Warning::new("iso2709.escape", message));
            }
            return Ok(Coding::Utf8(text));
        }
        Err(error) => error.valid_up_to(),
    };
    let (values, name) = guess(bytes);
    let found = bytes.get(offset..).unwrap_or_default();
    let found: Vec<String> = found.iter().take(4).map(|byte| format!("{byte:02X}")).collect();
    let found = found.join(" ");
    let more = bytes.utf8_chunks().filter(|chunk| !chunk.invalid().is_empty()).count() - 1;
    if options.policy != Policy::Repair {
        let message = format!(
            "{claim}, but byte {offset} is not UTF-8 ({found}), nor are {more} more pieces; it looks like {name}"
        );
        return Err(DecodeError::new("iso2709.utf8", message));
    }
    let message = format!(
        "{claim}, but byte {offset} is not UTF-8 ({found}), nor are {more} more pieces; the record is read as {name}"
    );
    warnings.push(Warning::new("iso2709.encoding_repaired", message));
    Ok(Coding::Values(values))
}

// What a record most likely is that is not UTF-8 as a whole. MARC-8 must make sense, since
// Windows-1252 always does.
fn guess(bytes: &[u8]) -> (Values, &'static str) {
    let is_partly_utf8 = bytes.utf8_chunks().any(|chunk| !chunk.valid().is_ascii());
    if is_partly_utf8 {
        return (Values::Mixed, "UTF-8 with bytes of windows-1252 in it");
    }
    let data = bytes.get(24..).unwrap_or_default();
    if marc8::is_plausible(data.split(|byte| matches!(*byte, FT | RT | US))) {
        return (Values::Sets(Decoder::default()), "marc-8");
    }
    (Values::Bytes(Encoding::Windows1252), "windows-1252")
}

enum Unimarc<'b> {
    Utf8(Coding<'b>),
    Sets(Set, Set),
}

// 100$a/26-27 is the set of G0, 28-29 that of G1; blank is the default.
fn unimarc<'b>(
    bytes: &'b [u8],
    leader: Leader,
    options: &ReadOptions,
    warnings: &mut Vec<Warning>,
) -> Result<Unimarc<'b>, DecodeError> {
    let codes = directory::field(bytes, *b"100").and_then(|field| {
        let start = memmem::find(field, &[US, b'a'])? + 2;
        field.get(start + 26..start + 30)?.first_chunk::<4>()
    });
    let stated = codes.map(|codes| String::from_utf8_lossy(codes).into_owned());
    match codes {
        Some([b'5', b'0', ..]) => {
            return utf8(bytes, "100$a/26-27 is \"50\"", options, warnings).map(Unimarc::Utf8);
        }
        None if leader.coding_scheme() == b'a' => {
            return utf8(bytes, "leader/09 is 'a'", options, warnings).map(Unimarc::Utf8);
        }
        _ => {}
    }
    if memchr(ESC, bytes).is_none()
        && let Ok(text) = simdutf8::compat::from_utf8(bytes)
    {
        if !text.is_ascii() {
            let stated = stated.unwrap_or_default();
            let message = format!("100$a/26-29 is {stated:?}, but the record is UTF-8");
            warnings.push(Warning::new("iso2709.encoding_mislabeled", message));
        }
        return Ok(Unimarc::Utf8(Coding::Utf8(text)));
    }
    let [a, b, c, d] = codes.copied().unwrap_or(*b"    ");
    match (unimarc_set([a, b], Set::Ascii), unimarc_set([c, d], Set::Iso5426)) {
        (Some(g0), Some(g1)) => Ok(Unimarc::Sets(g0, g1)),
        _ => {
            let stated = stated.unwrap_or_default();
            let message = format!(
                "100$a/26-29 is {stated:?}, expected \"50\" or sets of 01 to 05; \
                 name the encoding, if you know it"
            );
            Err(DecodeError::new("unimarc.charset", message))
        }
    }
}

fn unimarc_set(code: [u8; 2], default: Set) -> Option<Set> {
    match &code {
        b"  " | b"||" => Some(default),
        b"01" => Some(Set::Ascii),
        b"02" => Some(Set::Cyrillic),
        b"03" => Some(Set::Iso5426),
        b"04" => Some(Set::ExtendedCyrillic),
        b"05" => Some(Set::Greek),
        _ => None,
    }
}

impl Values {
    /// Makes text of `marc`'s values, whose bounds are of `bytes`.
    pub(super) fn decode(self, bytes: &[u8], marc: &mut Marc, warnings: &mut Vec<Warning>) {
        let value = |range: Range<usize>| bytes.get(range).unwrap_or_default();
        match self {
            Values::Bytes(encoding) => marc.decode_values(|_, range, out| {
                out.extend(value(range).iter().map(|&byte| encoding.character(byte)));
            }),
            Values::Mixed => marc.decode_values(|_, range, out| {
                for chunk in value(range).utf8_chunks() {
                    out.push_str(chunk.valid());
                    let invalid = chunk.invalid().iter();
                    out.extend(invalid.map(|&byte| Encoding::Windows1252.character(byte)));
                }
            }),
            Values::Sets(mut decoder) => {
                let mut faults = Vec::new();
                marc.decode_values(|place, range, out| {
                    let start = range.start;
                    decoder.decode(value(range), out, &mut faults);
                    if !faults.is_empty() {
                        report(place, start, &faults, warnings);
                        faults.clear();
                    }
                });
            }
        }
    }
}

/// So many bytes of one value are listed.
const LISTED: usize = 8;

// One warning for each kind.
#[cold]
fn report(place: Place, start: usize, faults: &[Fault], warnings: &mut Vec<Warning>) {
    for (kind, code, what) in [
        (FaultKind::Escape, "marc8.escape", "ESC that designates no set, now U+FFFD"),
        (FaultKind::Undefined, "marc8.undefined", "no character of the set, now U+FFFD"),
        (FaultKind::Repaired, "marc8.repaired", "no character of the set, read as ASCII"),
        (FaultKind::Mark, "marc8.mark", "marks without a base, kept"),
    ] {
        let mut of_kind = faults.iter().filter(|fault| fault.kind == kind);
        let shown = |fault: &Fault| format!("{fault} at byte {}", start + fault.offset);
        let mut list: Vec<String> = of_kind.by_ref().take(LISTED).map(shown).collect();
        let more = of_kind.count();
        if list.is_empty() {
            continue;
        }
        if more > 0 {
            list.push(format!("{more} more"));
        }
        let tag = place.tag;
        let place = match place.code {
            CONTROL_VALUE => tag.to_string(),
            code => format!("{tag}${code}"),
        };
        warnings.push(Warning::new(code, format!("{place} has {what}: {}", list.join(", "))));
    }
}
