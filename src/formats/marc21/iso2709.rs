//! ISO 2709: the transmission format of MARC 21 and UNIMARC, read and written.
//!
//! Never panics on foreign bytes and loses none: what is odd becomes a [`Warning`], what would
//! lose content a [`DecodeError`].
//! <https://www.loc.gov/marc/specifications/specrecstruc.html>

mod coding;
mod controls;
mod directory;
mod fields;
mod framing;
mod write;

pub use framing::{Iso2709Framing, looks_like_iso2709};
pub use write::{WriteError, write};

use super::{Leader, Marc};
use crate::formats::{
    DecodeError, EncodeError, Format, Model, ReadOptions, Reading, SourceRecord, WriteOptions,
    Writing,
};
use crate::record::Warning;
use coding::Coding;
use fields::Source;

/// Field terminator.
const FT: u8 = 0x1E;
/// Record terminator.
const RT: u8 = 0x1D;
/// Subfield delimiter.
const US: u8 = 0x1F;
const ESC: u8 = 0x1B;

/// The row of [`crate::formats::FORMATS`].
pub const FORMAT: Format = Format {
    name: "iso2709",
    title: "MARC 21 in ISO 2709",
    media_type: "application/marc",
    extensions: &["mrc", "marc"],
    model: Model::Marc,
    reading: Some(Reading {
        sniff: looks_like_iso2709,
        framing: || Box::new(Iso2709Framing::default()),
        decode: |bytes, options, record, warnings| {
            read_as(Family::Marc21, bytes, options, record.marc_mut(), warnings)
        },
    }),
    writing: Some(Writing { open: |_| String::new(), between: "", close: "", encode }),
};

/// The row of UNIMARC: the same frame, but field 100 says how its characters are coded. Nothing
/// tells it from MARC 21, so it has to be named.
/// <https://www.ifla.org/g/unimarc-rg/unimarc-bibliographic-3rd-edition-with-updates/>
pub const UNIMARC: Format = Format {
    name: "unimarc",
    title: "UNIMARC in ISO 2709",
    media_type: "application/octet-stream",
    extensions: &[],
    model: Model::Marc,
    reading: Some(Reading {
        sniff: |_| false,
        framing: || Box::new(Iso2709Framing::default()),
        decode: |bytes, options, record, warnings| {
            read_as(Family::Unimarc, bytes, options, record.marc_mut(), warnings)
        },
    }),
    writing: None,
};

/// Where a record says how its characters are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// leader/09
    Marc21,
    /// 100$a/26-29
    Unimarc,
}

fn encode(
    record: &SourceRecord,
    _: &WriteOptions,
    out: &mut Vec<u8>,
    _: &mut Vec<Warning>,
) -> Result<(), EncodeError> {
    let bytes =
        write(record.marc()?).map_err(|error| EncodeError::new(error.code(), error.to_string()))?;
    out.extend_from_slice(&bytes);
    Ok(())
}

/// Reads one record of MARC 21 as [`read_as`] does, without options.
///
/// # Errors
/// Those of [`read_as`].
pub fn read(bytes: &[u8], marc: &mut Marc, warnings: &mut Vec<Warning>) -> Result<(), DecodeError> {
    read_as(Family::Marc21, bytes, &ReadOptions::default(), marc, warnings)
}

/// Reads one record into `marc`, which is cleared first; its text becomes Unicode, its leader
/// stays as it is.
///
/// The lengths in leader and directory count bytes; a record whose directory is wrong is read by
/// its field terminators when there are as many fields as entries.
///
/// # Errors
/// `iso2709.leader` (too short or not ASCII), `iso2709.utf8`, `unimarc.charset`,
/// `iso2709.directory`, `iso2709.tag`, `iso2709.before_delimiter`: with the record's control
/// number when it could be found.
pub fn read_as(
    family: Family,
    bytes: &[u8],
    options: &ReadOptions,
    marc: &mut Marc,
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    let warnings_before = warnings.len();
    read_record(family, bytes, options, marc, warnings).map_err(|mut error| {
        warnings.truncate(warnings_before);
        error.control_number = directory::control_number(bytes);
        error
    })
}

fn read_record(
    family: Family,
    bytes: &[u8],
    options: &ReadOptions,
    marc: &mut Marc,
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    let leader = read_leader(family, bytes, warnings)?;
    let coding = coding::choose(family, bytes, leader, options, warnings)?;
    let before_controls = warnings.len();
    let body = bytes.strip_suffix(&[RT]).unwrap_or(bytes);
    if body.len() == bytes.len() {
        warnings.push(Warning::new("iso2709.terminator", "the record has no record terminator"));
    }
    let base = directory::base(body, &leader, warnings)?;
    let entries = body.get(24..base - 1).unwrap_or_default();
    let (entries, []) = entries.as_chunks::<12>() else {
        return Err(DecodeError::new(
            "iso2709.directory",
            format!("the directory has {} bytes, expected a multiple of 12", entries.len()),
        ));
    };

    let text = match &coding {
        Coding::Utf8(text) => Some(*text),
        Coding::Values(_) => None,
    };
    let source = Source { body, text, policy: options.policy };
    let begin = |marc: &mut Marc| {
        marc.clear();
        marc.set_leader(leader);
        marc.set_text(text.unwrap_or_default());
    };
    begin(marc);
    let is_plain = fields::push_plain(marc, base, body, entries);
    if !is_plain || leader.0.iter().any(u8::is_ascii_control) {
        report_controls(bytes, before_controls, warnings);
    }
    if !is_plain {
        begin(marc);
        let warnings_before = warnings.len();
        if !fields::push_contiguous(marc, source, base, entries, warnings)? {
            warnings.truncate(warnings_before);
            let located = directory::locate(entries, body, base, warnings)?;
            begin(marc);
            for (tag, bounds) in located {
                fields::push_field(marc, tag, source, bounds, warnings)?;
            }
        }
    }
    if let Coding::Values(values) = coding {
        values.decode(bytes, marc, warnings);
    }
    Ok(())
}

fn read_leader(
    family: Family,
    bytes: &[u8],
    warnings: &mut Vec<Warning>,
) -> Result<Leader, DecodeError> {
    let Some(leader) = bytes.first_chunk::<24>() else {
        return Err(DecodeError::new(
            "iso2709.leader",
            format!("the record has {} bytes, expected at least the 24 of a leader", bytes.len()),
        ));
    };
    if !leader.is_ascii() {
        return Err(DecodeError::new(
            "iso2709.leader",
            format!("leader is {:?}, expected ASCII", String::from_utf8_lossy(leader)),
        ));
    }
    let leader = Leader(*leader);
    let text = leader.as_str();
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    if part(0, 5).parse() != Ok(bytes.len()) {
        warnings.push(Warning::new(
            "iso2709.length",
            format!("leader/00-04 is {:?}, the record has {} bytes", part(0, 5), bytes.len()),
        ));
    }
    if part(10, 12) != "22" {
        let message = format!("leader/10-11 is {:?}, expected \"22\"", part(10, 12));
        warnings.push(Warning::new("iso2709.counts", message));
    }
    let map = match family {
        Family::Marc21 => "4500",
        // The last byte is blank there, or the 0 of MARC 21.
        Family::Unimarc => "450",
    };
    if !part(20, 24).starts_with(map) {
        let message = format!("leader/20-23 is {:?}, expected {map:?}", part(20, 24));
        warnings.push(Warning::new("iso2709.entry_map", message));
    }
    Ok(leader)
}

// They stay in the record; XML cannot carry them, and its writer will say so again. ESC is the
// coding's own affair.
fn report_controls(bytes: &[u8], at: usize, warnings: &mut Vec<Warning>) {
    let is_odd = |&byte: &u8| byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r' | ESC | RT..=US);
    let count = bytes.iter().filter(|byte| is_odd(byte)).count();
    let first = bytes.iter().enumerate().find(|(_, byte)| is_odd(byte));
    if let Some((offset, byte)) = first {
        let message = format!("{count} control characters, the first {byte:02X} at byte {offset}");
        warnings.insert(at.min(warnings.len()), Warning::new("iso2709.control", message));
    }
}
