//! The directory of an ISO 2709 record: where each field is, even when it does not say so.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter};

use super::FT;
use crate::formats::DecodeError;
use crate::formats::marc21::Leader;
use crate::record::Warning;

/// A field's tag and its bounds in the record, without the terminator.
pub(super) type Located = ([u8; 3], (usize, usize));

/// One entry: tag, length of the field with its terminator, start from the base address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub tag: [u8; 3],
    pub length: usize,
    pub start: usize,
}

impl Entry {
    #[inline]
    pub(super) fn parse(bytes: &[u8; 12]) -> Option<Entry> {
        let [t0, t1, t2, first, digits @ ..] = *bytes;
        // Four digits of length and five of start: the first one, and eight at one look.
        let (first, rest) = (usize::from(first.wrapping_sub(b'0')), eight_digits(digits)?);
        let length = 1000 * first + rest / 100_000;
        (first < 10).then_some(Entry { tag: [t0, t1, t2], length, start: rest % 100_000 })
    }
}

/// The value of eight ASCII digits.
#[inline]
fn eight_digits(digits: [u8; 8]) -> Option<usize> {
    const SIXES: u64 = u64::from_ne_bytes([6; 8]);
    const HIGH_HALVES: u64 = u64::from_ne_bytes([0xF0; 8]);
    const ZEROS: u64 = u64::from_ne_bytes([b'0'; 8]);
    let word = u64::from_le_bytes(digits);
    // 0x30 to 0x39: the high half is 3, and still is with 6 more.
    let are_digits =
        (word | word.wrapping_add(SIXES)) & HIGH_HALVES == ZEROS && word & HIGH_HALVES == ZEROS;
    // The first digit is the lowest byte. Neighbors become numbers of two digits, of four, of eight.
    let pairs = word.wrapping_sub(ZEROS);
    let pairs = (pairs.wrapping_mul(10).wrapping_add(pairs >> 8)) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs.wrapping_mul(100).wrapping_add(pairs >> 16)) & 0x0000_FFFF_0000_FFFF;
    let eight = fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xFFFF_FFFF;
    usize::try_from(eight).ok().filter(|_| are_digits)
}

/// The value of ASCII digits, at most nine.
#[inline]
pub(super) fn number(digits: &[u8]) -> Option<usize> {
    // Without a branch for each digit: this runs twice for every field.
    let mut value = 0;
    let mut all_digits = true;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        all_digits &= digit < 10;
        value = value * 10 + usize::from(digit);
    }
    all_digits.then_some(value)
}

/// The base address of data: behind the first field terminator, whatever the leader says.
pub(super) fn base(
    body: &[u8],
    leader: &Leader,
    warnings: &mut Vec<Warning>,
) -> Result<usize, DecodeError> {
    let after_leader = body.get(24..).unwrap_or_default();
    let Some(length) = memchr(FT, after_leader) else {
        return Err(DecodeError::new(
            "iso2709.directory",
            "no field terminator, expected one behind the directory",
        ));
    };
    let base = 24 + length + 1;
    let stated = leader.0.get(12..17).unwrap_or_default();
    if number(stated) != Some(base) {
        let stated = String::from_utf8_lossy(stated);
        let message = format!("leader/12-16 is {stated:?}, the directory ends at {base}");
        warnings.push(Warning::new("iso2709.base_address", message));
    }
    Ok(base)
}

/// Finds the fields of a record whose entries do not simply follow one another.
///
/// # Errors
/// `iso2709.directory` when some content would belong to no field, or to the wrong one.
pub(super) fn locate(
    entries: &[[u8; 12]],
    body: &[u8],
    base: usize,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Located>, DecodeError> {
    if let Some(located) = by_entries(entries, body, base) {
        let message = "the entries of the directory are not in the order of the fields";
        warnings.push(Warning::new("iso2709.directory_order", message));
        return Ok(located);
    }
    let fields = by_terminators(body, base);
    let entries = &without_empty(entries, fields.len(), warnings)[..];
    if fields.len() != entries.len() {
        return Err(DecodeError::new(
            "iso2709.directory",
            format!(
                "the directory has {} entries that do not agree with the {} fields found",
                entries.len(),
                fields.len()
            ),
        ));
    }
    // Starts of 100,000 and more do not fit into an entry: then their order says nothing.
    if body.len() < 100_000 && !is_ascending(entries) {
        let message = "the entries of the directory are neither right nor in the order of fields";
        return Err(DecodeError::new("iso2709.directory", message));
    }
    let message = "lengths or starts are wrong in the directory; read by field terminators";
    warnings.push(Warning::new("iso2709.directory", message));
    let tags = entries.iter().map(|[t0, t1, t2, ..]| [*t0, *t1, *t2]);
    Ok(tags.zip(fields).collect())
}

// An entry of length 0 has no field, not even a terminator; when there are too many entries, it is
// one of those.
fn without_empty<'e>(
    entries: &'e [[u8; 12]],
    fields: usize,
    warnings: &mut Vec<Warning>,
) -> Cow<'e, [[u8; 12]]> {
    let is_empty = |entry: &&[u8; 12]| Entry::parse(entry).is_some_and(|entry| entry.length == 0);
    let empty = entries.iter().filter(is_empty);
    if entries.len() <= fields || entries.len() - empty.clone().count() != fields {
        return Cow::Borrowed(entries);
    }
    for [t0, t1, t2, ..] in empty {
        let tag = String::from_utf8_lossy(&[*t0, *t1, *t2]).into_owned();
        let message = format!("the entry of {tag} has length 0000; there is no such field");
        warnings.push(Warning::new("iso2709.empty_entry", message));
    }
    entries.iter().filter(|entry| !is_empty(entry)).copied().collect()
}

// Right as they stand, in any order: each ends with a terminator, together they are the data.
fn by_entries(entries: &[[u8; 12]], body: &[u8], base: usize) -> Option<Vec<Located>> {
    let mut located = Vec::with_capacity(entries.len());
    for entry in entries {
        let entry = Entry::parse(entry)?;
        let start = base + entry.start;
        let end = start + entry.length.checked_sub(1)?;
        (body.get(end) == Some(&FT)).then_some(())?;
        located.push((entry.tag, (start, end)));
    }
    let mut bounds: Vec<_> = located.iter().map(|&(_, bounds)| bounds).collect();
    bounds.sort_unstable();
    let mut at = base;
    for (start, end) in bounds {
        (start == at).then_some(())?;
        at = end + 1;
    }
    (at == body.len()).then_some(located)
}

fn by_terminators(body: &[u8], base: usize) -> Vec<(usize, usize)> {
    let data = body.get(base..).unwrap_or_default();
    let mut fields = Vec::new();
    let mut start = base;
    for end in memchr_iter(FT, data) {
        fields.push((start, base + end));
        start = base + end + 1;
    }
    if start < body.len() {
        fields.push((start, body.len()));
    }
    fields
}

fn is_ascending(entries: &[[u8; 12]]) -> bool {
    let starts = entries.iter().filter_map(Entry::parse).map(|entry| entry.start);
    starts.is_sorted()
}

/// Field 001 of a record that could not be read, found by position.
pub(super) fn control_number(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(field(bytes, *b"001")?).ok()?.trim();
    (!text.is_empty() && text.len() <= 100 && !text.contains(char::is_control))
        .then(|| text.to_owned())
}

/// The first field with this tag, found by position.
pub(super) fn field(bytes: &[u8], tag: [u8; 3]) -> Option<&[u8]> {
    let after_leader = bytes.get(24..)?;
    let (entries, _) = after_leader.get(..memchr(FT, after_leader)?)?.as_chunks::<12>();
    let position = entries.iter().position(|entry| entry.starts_with(&tag))?;
    after_leader.split(|&byte| byte == FT).nth(position + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn eight_digits_are_read_as_one_by_one(digits in "[0-9]{8}|[/-:]{8}|[0-9]{3}[ -~][0-9]{4}") {
            let digits: [u8; 8] = digits.as_bytes().try_into().unwrap();
            proptest::prop_assert_eq!(eight_digits(digits), number(&digits));
        }
    }
}
