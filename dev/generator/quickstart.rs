//! The files of `fixtures/quickstart` and `fixtures/damaged`, byte for byte, uncompressed.

use windrow::formats::marc21::Marc;

use super::{record, record_of, write};

/// The series that the quickstart records are from.
const SEED: u64 = 2709;

/// 201 records of books as ISO 2709; the last repeats #11.
///
/// `None` never happens: the records are short.
pub fn books() -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for n in (0..200).chain([10]) {
        out.extend(write::iso2709(&record(SEED, n))?);
    }
    Some(out)
}

/// Eight records of books as ISO 2709, four of them damaged: #2, #4, #6 and #8.
///
/// `None` never happens: the records are short.
pub fn damaged() -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for n in 2001..2009 {
        let mut bytes = write::iso2709(&record(SEED, n))?;
        match n {
            // The directory's third entry has letters where the field's length belongs.
            2002 => bytes.get_mut(24 + 24 + 3..24 + 24 + 7)?.copy_from_slice(b"oops"),
            // Half of the record is gone, its terminator is not: the leader's length leads into
            // the next record.
            2004 => drop(bytes.drain(bytes.len() / 2..bytes.len() - 1)),
            2006 => bytes = write::iso2709(&without_title(n))?,
            // The file ends in mid-record.
            2008 => bytes.truncate(700),
            _ => {}
        }
        out.extend_from_slice(&bytes);
    }
    Some(out)
}

/// 60 theses as a MARCXML collection.
pub fn theses() -> String {
    let records: String =
        (1000..1060).map(|n| write::marcxml(&record_of(SEED, n, "THESIS"))).collect();
    [write::XML_HEAD, &records, write::XML_TAIL].concat()
}

fn without_title(n: u64) -> Marc {
    let full = record(SEED, n);
    let mut marc = Marc::default();
    marc.set_leader(*full.leader());
    for field in full.fields().filter(|field| field.tag().to_string() != "245") {
        if field.tag().is_control() {
            marc.push_control(field.tag(), field.value());
            continue;
        }
        marc.push_data(field.tag(), field.indicators());
        for subfield in field.subfields() {
            marc.push_subfield(subfield.code, subfield.value);
        }
    }
    marc
}
