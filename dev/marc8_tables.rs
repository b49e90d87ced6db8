//! Makes `src/formats/marc21/marc8/{sets,eacc}.bin` from the Library of Congress's code tables.
//!
//! `cargo run --example marc8_tables -- codetables.xml[.gz] FOLDER`. The tables in XML are at
//! <https://www.loc.gov/marc/specifications/codetables.xml>; the binary forms are described in
//! `src/formats/marc21/marc8/sets.rs`.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use quick_xml::Reader;
use quick_xml::events::Event;

/// The final bytes of the sets of one byte, in the order of `sets.bin`.
const SETS: &[u8; 10] = b"Egbp2NQ34S";
/// The final byte of the set of three bytes.
const EACC: u8 = b'1';

/// Both tables, as the files hold them.
pub(crate) struct Tables {
    /// For each of [`SETS`] 94 numbers of 16 bits, for the bytes 21 to 7E; 0 is no character.
    pub(crate) sets: Vec<u8>,
    /// The number of rows; rows of 16 bytes; characters of 3 bytes.
    pub(crate) eacc: Vec<u8>,
    /// The combining characters of all sets.
    pub(crate) combining: Vec<char>,
}

pub(crate) fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = arguments.as_slice() else {
        bail!("usage: marc8_tables CODETABLES.XML[.GZ] FOLDER");
    };
    let tables = tables(&read(Path::new(from))?)?;
    let is_unknown = |c: &&char| !windrow::formats::marc21::marc8::is_mark(**c);
    let unknown: Vec<&char> = tables.combining.iter().filter(is_unknown).collect();
    ensure!(unknown.is_empty(), "is_mark does not know {unknown:?}");
    let folder = Path::new(to);
    std::fs::write(folder.join("sets.bin"), tables.sets)?;
    std::fs::write(folder.join("eacc.bin"), tables.eacc)?;
    Ok(())
}

/// The text of the code tables.
pub(crate) fn read(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut text = String::new();
    match path.extension().is_some_and(|extension| extension == "gz") {
        true => flate2::read::GzDecoder::new(&*bytes).read_to_string(&mut text)?,
        false => (&*bytes).read_to_string(&mut text)?,
    };
    Ok(text)
}

/// The tables from the text of the code tables.
pub(crate) fn tables(xml: &str) -> Result<Tables> {
    let mut sets = vec![0_u16; SETS.len() * 94];
    let mut eacc: BTreeMap<u32, u32> = BTreeMap::new();
    let mut combining = Vec::new();
    for code in codes(xml)? {
        if code.is_combining {
            ensure!(code.set != EACC, "a combining character in EACC");
            combining.push(char::from_u32(code.ucs).context("no character")?);
        }
        if code.set == EACC {
            eacc.insert(code.marc, code.ucs);
        } else if code.set == b'B' {
            ensure!(code.marc == code.ucs, "ASCII is itself");
        } else if !(0x80..0xA0).contains(&code.marc) {
            let set = SETS.iter().position(|&set| set == code.set).context("a set not known")?;
            let at = usize::try_from(code.marc & 0x7F)?.checked_sub(0x21).context("a control")?;
            *sets.get_mut(set * 94 + at).context("beyond the set")? = u16::try_from(code.ucs)?;
        }
    }
    combining.sort_unstable();
    combining.dedup();
    let sets = sets.iter().flat_map(|ucs| ucs.to_le_bytes()).collect();
    Ok(Tables { sets, eacc: pack(&eacc)?, combining })
}

// A row holds the characters that have their first two bytes in common: those bytes, the number
// of the first character, and a bit for each third byte from 20 on that has one.
fn pack(eacc: &BTreeMap<u32, u32>) -> Result<Vec<u8>> {
    let mut rows: BTreeMap<u16, (u16, u128)> = BTreeMap::new();
    let mut characters = Vec::new();
    for (number, (marc, ucs)) in eacc.iter().enumerate() {
        let bit = (marc & 0xFF).checked_sub(0x20).filter(|&bit| bit < 96).context("no third")?;
        let row = rows.entry(u16::try_from(marc >> 8)?).or_insert((u16::try_from(number)?, 0));
        row.1 |= 1 << bit;
        characters.extend_from_slice(ucs.to_le_bytes().get(..3).unwrap_or_default());
    }
    let mut out = u16::try_from(rows.len())?.to_le_bytes().to_vec();
    for (key, (first, bits)) in rows {
        out.extend_from_slice(&key.to_le_bytes());
        out.extend_from_slice(&first.to_le_bytes());
        out.extend_from_slice(bits.to_le_bytes().get(..12).unwrap_or_default());
    }
    out.extend_from_slice(&characters);
    Ok(out)
}

#[derive(Default)]
struct Code {
    set: u8,
    marc: u32,
    ucs: u32,
    is_combining: bool,
}

fn codes(xml: &str) -> Result<Vec<Code>> {
    let mut reader = Reader::from_str(xml);
    let mut codes = Vec::new();
    let (mut set, mut code, mut text) = (0, Code::default(), String::new());
    loop {
        match reader.read_event()? {
            Event::Start(start) => {
                text.clear();
                if start.name().as_ref() == "characterSet" {
                    let iso = start.try_get_attribute("ISOcode")?.context("no ISOcode")?;
                    set = u8::from_str_radix(&iso.value, 16)?;
                } else if start.name().as_ref() == "code" {
                    code = Code { set, ..Code::default() };
                }
            }
            Event::Text(part) => text.push_str(&part),
            Event::End(end) => match end.name().as_ref() {
                "marc" => code.marc = u32::from_str_radix(text.trim(), 16)?,
                "ucs" if !text.trim().is_empty() => {
                    code.ucs = u32::from_str_radix(text.trim(), 16)?;
                }
                // The second half of a double mark has no character but this.
                "alt" if code.ucs == 0 => code.ucs = u32::from_str_radix(text.trim(), 16)?,
                "isCombining" => code.is_combining = text.trim() == "true",
                "code" => codes.push(std::mem::take(&mut code)),
                _ => {}
            },
            Event::Eof => return Ok(codes),
            _ => {}
        }
    }
}
