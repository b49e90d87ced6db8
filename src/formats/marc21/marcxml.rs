//! MARCXML, read in any namespace or none, written in MARC 21's own.
//!
//! <https://www.loc.gov/standards/marcxml/>

mod harvested;
mod plain;

use crate::formats::{
    Cut, DecodeError, EncodeError, Format, Framing, MAX_RECORD_BYTES, Model, Policy, ReadOptions,
    Reading, SourceRecord, WriteOptions, Writing, envelope,
};
use crate::record::Warning;
use crate::xml::cut::{Cutter, Names};
use crate::xml::reader::{Element, Reader, Token};
use crate::xml::writer::push_attribute_value;
use crate::xml::{self, encoding};

use super::{CONTROL_VALUE, Leader, Marc, Tag, leader};

/// The namespace that [`write()`] declares.
pub const NAMESPACE: &str = "http://www.loc.gov/MARC21/slim";

const NAMES: Names = Names {
    record: "record",
    content: &["leader", "controlfield", "datafield", "subfield"],
    max_bytes: MAX_RECORD_BYTES,
};

/// The row of [`crate::formats::FORMATS`].
pub const FORMAT: Format = Format {
    name: "marcxml",
    title: "MARCXML",
    media_type: "application/marcxml+xml",
    extensions: &["xml", "marcxml"],
    model: Model::Marc,
    reading: Some(Reading {
        sniff: looks_like_marcxml,
        framing: || Box::new(MarcxmlFraming::default()),
        decode,
    }),
    writing: Some(Writing {
        open: |_| {
            let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
            format!("{declaration}\n<collection xmlns=\"{NAMESPACE}\">\n")
        },
        between: "\n",
        close: "\n</collection>\n",
        encode,
    }),
};

/// Whether a file that begins so is MARCXML.
#[must_use]
pub fn looks_like_marcxml(first_bytes: &[u8]) -> bool {
    let first_bytes = first_bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(first_bytes);
    let marks: [&[u8]; 5] =
        [b"MARC21/slim", b"marcxchange", b"controlfield", b"datafield", b"<collection"];
    first_bytes.trim_ascii_start().starts_with(b"<")
        && marks.iter().any(|mark| memchr::memmem::find(first_bytes, mark).is_some())
        && envelope::sniff(first_bytes).is_none()
}

/// Cuts at `<record>`, whatever its prefix.
#[derive(Debug)]
pub struct MarcxmlFraming(Cutter);

impl Default for MarcxmlFraming {
    fn default() -> MarcxmlFraming {
        MarcxmlFraming(Cutter::new(NAMES))
    }
}

impl Framing for MarcxmlFraming {
    fn cut(&mut self, bytes: &[u8], at_end: bool) -> Cut {
        self.0.cut(bytes, at_end)
    }
}

fn decode(
    bytes: &[u8],
    options: &ReadOptions,
    record: &mut SourceRecord,
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    let marc = record.marc_mut();
    let options = xml::Options { repair: options.policy == Policy::Repair };
    let text = encoding::text(bytes, options, warnings)?;
    match read_with(&text, options, marc, warnings) {
        Err(error) if error.code == "marcxml.element" => match harvested::record(&text) {
            Some(inside) => read_with(&inside, options, marc, warnings),
            None => Err(error),
        },
        read => read,
    }
}

fn encode(
    record: &SourceRecord,
    _: &WriteOptions,
    out: &mut Vec<u8>,
    warnings: &mut Vec<Warning>,
) -> Result<(), EncodeError> {
    let marc = record.marc()?;
    let mut text = String::with_capacity(2 * marc.text().len() + 1024);
    let replaced = write(marc, &mut text);
    out.extend_from_slice(text.as_bytes());
    if replaced > 0 {
        let message = format!("{replaced} characters that XML cannot carry, replaced by U+FFFD");
        warnings.push(Warning::new("xml.control_character", message));
    }
    Ok(())
}

/// Reads one `<record>` into `marc`, which is cleared first.
///
/// # Errors
/// The codes of [`xml::reader::XmlError`], and `marcxml.leader`, `.tag`, `.indicators`, `.code`, `.element`,
/// `.text` where content would be lost: with the control number, when it was read before.
pub fn read(text: &str, marc: &mut Marc, warnings: &mut Vec<Warning>) -> Result<(), DecodeError> {
    read_with(text, xml::Options::default(), marc, warnings)
}

fn read_with(
    text: &str,
    options: xml::Options,
    marc: &mut Marc,
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    marc.clear();
    if let Some(has_leader) = plain::push_plain(text, marc) {
        if !has_leader {
            warnings.push(no_leader());
        }
        return Ok(());
    }
    read_whole(text, options, marc, warnings)
}

// Reads any record, whatever is odd about it.
fn read_whole(
    text: &str,
    options: xml::Options,
    marc: &mut Marc,
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    let warnings_before = warnings.len();
    marc.clear();
    read_record(text, options, marc, warnings).map_err(|mut error| {
        warnings.truncate(warnings_before);
        error.control_number = marc.control_number().map(str::to_owned);
        error
    })
}

fn read_record(
    text: &str,
    options: xml::Options,
    marc: &mut Marc,
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    let mut reader = Reader::with(text, options);
    let mut value = String::new();
    let mut has_leader = false;
    loop {
        match reader.next()? {
            Token::Eof => break,
            Token::End => {}
            Token::Text(text) => expect_blank(&text)?,
            Token::Char(c) => expect_blank(c.encode_utf8(&mut [0; 4]))?,
            Token::Start(element) => match (reader.depth(), known_name(element.name(), warnings)) {
                (1, "record") => {}
                (2, "leader") if !has_leader => {
                    read_value(&mut reader, &mut value)?;
                    has_leader = read_leader(&value, marc, warnings)?;
                }
                (2, "controlfield") => {
                    let tag = read_tag(&element, options, warnings)?;
                    if !tag.is_control() {
                        let message = format!("control field has tag {tag}, expected 00x");
                        warnings.push(Warning::new("marcxml.control_tag", message));
                    }
                    read_value(&mut reader, &mut value)?;
                    marc.push_control(tag, &value);
                }
                (2, "datafield") => {
                    let tag = read_tag(&element, options, warnings)?;
                    let first = read_indicator(&element, "ind1", tag, warnings)?;
                    let second = read_indicator(&element, "ind2", tag, warnings)?;
                    marc.push_data(tag, [first, second]);
                    read_subfields(&mut reader, &mut value, tag, marc, warnings)?;
                }
                (2, "header") if element.attribute("status")?.as_deref() == Some("deleted") => {
                    has_leader = true;
                    read_deleted(&mut reader, &mut value, marc)?;
                }
                (2, _) => pass_empty(&mut reader, &element, warnings)?,
                (_, name) => return Err(unexpected(name, "record")),
            },
        }
    }
    if !has_leader {
        warnings.push(no_leader());
    }
    reader.warn(warnings);
    if reader.bare_ampersands() > 0 {
        let message = format!("{} ampersands are not escaped", reader.bare_ampersands());
        warnings.push(Warning::new("marcxml.ampersand", message));
    }
    if marc.is_empty() {
        warnings.push(Warning::new("marcxml.no_fields", "the record has no fields"));
    }
    if marc.text().contains(|c: char| c < ' ' && !matches!(c, '\t' | '\n' | '\r')) {
        let message = "control characters that XML does not allow";
        warnings.push(Warning::new("marcxml.control_character", message));
    }
    Ok(())
}

fn no_leader() -> Warning {
    Warning::new("marcxml.no_leader", "the record has no leader")
}

fn read_subfields(
    reader: &mut Reader<'_>,
    value: &mut String,
    tag: Tag,
    marc: &mut Marc,
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    loop {
        match reader.next()? {
            Token::End | Token::Eof => return Ok(()),
            Token::Text(text) => expect_blank(&text)?,
            Token::Char(c) => expect_blank(c.encode_utf8(&mut [0; 4]))?,
            Token::Start(element) if known_name(element.name(), warnings) == "subfield" => {
                let code = element.attribute("code")?.unwrap_or_default();
                let Some(code) = only_char(&code) else {
                    let message =
                        format!("{tag} has subfield code {code:?}, expected one character");
                    return Err(DecodeError::new("marcxml.code", message));
                };
                read_value(reader, value)?;
                marc.push_subfield(code, value);
            }
            Token::Start(element) => return Err(unexpected(element.name(), "subfield")),
        }
    }
}

// Some programs write dataField and the like.
fn known_name<'n>(name: &'n str, warnings: &mut Vec<Warning>) -> &'n str {
    let names = ["subfield", "datafield", "controlfield", "leader"];
    if names.contains(&name) {
        return name;
    }
    let Some(known) = names.into_iter().find(|known| known.eq_ignore_ascii_case(name)) else {
        return name;
    };
    let message = format!("found element {name}, read as {known}");
    warnings.push(Warning::new("marcxml.case", message));
    known
}

// The text of an element that has just begun, up to its end.
fn read_value(reader: &mut Reader<'_>, value: &mut String) -> Result<(), DecodeError> {
    value.clear();
    loop {
        match reader.next()? {
            Token::Text(text) => value.push_str(&text),
            Token::Char(c) => value.push(c),
            Token::End | Token::Eof => return Ok(()),
            Token::Start(element) => return Err(unexpected(element.name(), "text only")),
        }
    }
}

// The header of a record that OAI-PMH says is deleted, which has no metadata: a record without data
// fields, of the status `d`, whose number is the identifier.
fn read_deleted(
    reader: &mut Reader<'_>,
    value: &mut String,
    marc: &mut Marc,
) -> Result<(), DecodeError> {
    marc.set_leader(Leader(*b"00000dam a2200000 a 4500"));
    loop {
        match reader.next()? {
            Token::End if reader.depth() == 1 => return Ok(()),
            Token::Eof => return Ok(()),
            Token::Start(element) if element.name() == "identifier" => {
                read_value(reader, value)?;
                marc.push_control(Tag(*b"001"), value.trim());
            }
            _ => {}
        }
    }
}

// An element that has no place in a record, which is harmless while there is no text in it.
fn pass_empty(
    reader: &mut Reader<'_>,
    element: &Element<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    let unexpected = unexpected(element.name(), "leader, controlfield or datafield");
    while reader.depth() > 1 {
        match reader.next()? {
            Token::Text(text) if !text.trim().is_empty() => return Err(unexpected),
            Token::Char(_) => return Err(unexpected),
            _ => {}
        }
    }
    warnings.push(Warning::new(unexpected.code, unexpected.message));
    Ok(())
}

fn unexpected(name: &str, expected: &str) -> DecodeError {
    DecodeError::new("marcxml.element", format!("found element {name}, expected {expected}"))
}

fn expect_blank(text: &str) -> Result<(), DecodeError> {
    if text.trim().is_empty() {
        return Ok(());
    }
    let text: String = text.trim().chars().take(40).collect();
    let message = format!("found text {text:?} between the fields, expected none");
    Err(DecodeError::new("marcxml.text", message))
}

fn read_tag(
    element: &Element<'_>,
    options: xml::Options,
    warnings: &mut Vec<Warning>,
) -> Result<Tag, DecodeError> {
    let tag = element.attribute("tag")?.unwrap_or_default();
    if let Some(tag) = Tag::new(tag.as_bytes()) {
        return Ok(tag);
    }
    let message = format!("tag is {tag:?}, expected three characters of printable ASCII");
    let is_number = !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_digit());
    // Spreadsheets and the like drop leading zeros.
    let filled = format!("{tag:0>3}");
    match Tag::new(filled.as_bytes()).filter(|_| options.repair && is_number) {
        Some(tag) => {
            warnings.push(Warning::new("marcxml.tag", message));
            Ok(tag)
        }
        None => Err(DecodeError::new("marcxml.tag", message)),
    }
}

fn only_char(text: &str) -> Option<char> {
    let mut chars = text.chars();
    chars.next().filter(|_| chars.next().is_none())
}

fn read_indicator(
    element: &Element<'_>,
    name: &str,
    tag: Tag,
    warnings: &mut Vec<Warning>,
) -> Result<char, DecodeError> {
    let Some(value) = element.attribute(name)? else {
        warnings.push(Warning::new("marcxml.indicators", format!("{tag} has no {name}")));
        return Ok(' ');
    };
    if value.trim().is_empty() {
        return Ok(' ');
    }
    let message = || format!("{tag} has {name} {value:?}, expected one character");
    if let Some(indicator) = only_char(&value) {
        return Ok(indicator);
    }
    let Some(indicator) = only_char(value.trim()) else {
        return Err(DecodeError::new("marcxml.indicators", message()));
    };
    warnings.push(Warning::new("marcxml.indicators", message()));
    Ok(indicator)
}

// Answers whether there was one at all.
fn read_leader(
    text: &str,
    marc: &mut Marc,
    warnings: &mut Vec<Warning>,
) -> Result<bool, DecodeError> {
    let found =
        leader::from_text(text).map_err(|message| DecodeError::new("marcxml.leader", message))?;
    let Some((leader, short)) = found else { return Ok(false) };
    marc.set_leader(leader);
    if let Some(message) = short {
        warnings.push(Warning::new("marcxml.leader", message));
    }
    Ok(true)
}

/// Writes a record as one `<record>` element that declares its namespace.
///
/// leader/10-11 and 20-23, which describe ISO 2709 only, are written as the schema wants them.
/// Answers how many characters XML cannot carry were replaced by U+FFFD.
pub fn write(marc: &Marc, out: &mut String) -> usize {
    let mut replaced = 0;
    out.extend(["<record xmlns=\"", NAMESPACE, "\"><leader>"]);
    let leader = marc.leader().as_str();
    let part = |from, to| leader.get(from..to).unwrap_or_default();
    for part in [part(0, 10), "22", part(12, 20), "4500"] {
        replaced += push_escaped(part, out);
    }
    out.push_str("</leader>");
    for field in marc.fields() {
        let mut subfields = field.subfields().peekable();
        if let Some(value) = subfields.next_if(|first| first.code == CONTROL_VALUE) {
            out.push_str("<controlfield tag=\"");
            replaced += push_tag(field.tag(), out);
            out.push_str("\">");
            replaced += push_escaped(value.value, out);
            out.push_str("</controlfield>");
            continue;
        }
        out.push_str("<datafield tag=\"");
        replaced += push_tag(field.tag(), out);
        for (name, indicator) in ["\" ind1=\"", "\" ind2=\""].into_iter().zip(field.indicators()) {
            out.push_str(name);
            replaced += push_char(indicator, out);
        }
        out.push_str("\">");
        for subfield in subfields {
            out.push_str("<subfield code=\"");
            replaced += push_char(subfield.code, out);
            out.push_str("\">");
            replaced += push_escaped(subfield.value, out);
            out.push_str("</subfield>");
        }
        out.push_str("</datafield>");
    }
    out.push_str("</record>");
    replaced
}

fn push_tag(tag: Tag, out: &mut String) -> usize {
    push_escaped(tag.as_str(), out)
}

fn push_char(c: char, out: &mut String) -> usize {
    if c.is_ascii_alphanumeric() || c == ' ' {
        out.push(c);
        return 0;
    }
    push_escaped(c.encode_utf8(&mut [0; 4]), out)
}

// For text and attributes alike; answers how many characters were replaced.
fn push_escaped(text: &str, out: &mut String) -> usize {
    push_attribute_value(out, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn the_plain_way_finds_what_the_whole_reader_finds(
            words in proptest::collection::vec(proptest::sample::select(vec![
                "<record xmlns=\"x\">", "</record>", "<m:record>", "<leader>00000nam a2200000 a 4500</leader>",
                "<controlfield tag=\"001\">", "</controlfield>", "<datafield tag=\"245\" ind1=\"1\" ind2=\" \">",
                "<datafield ind1=\"&amp;\" tag=\"24\" ind2=\"\">", "</datafield>", "<subfield code=\"a\">", "</subfield>",
                "text &amp; é", "&lt;&#65;", " ", "\n", "\r", "<!-- x -->", "<", "\u{1}", "<subfield code=\"b\">x</subfield>",
            ]), 0..12),
            whole: bool,
        ) {
            let inside = words.concat();
            let text = if whole {
                format!("<record><leader>00000nam a2200000 a 4500</leader><controlfield tag=\"001\">1</controlfield>{inside}</record>")
            } else {
                inside
            };
            let mut plain = Marc::default();
            if let Some(has_leader) = plain::push_plain(&text, &mut plain) {
                let (mut marc, mut warnings) = (Marc::default(), Vec::new());
                read_whole(&text, xml::Options::default(), &mut marc, &mut warnings).unwrap();
                proptest::prop_assert_eq!(marc, plain);
                let expected = if has_leader { vec![] } else { vec![no_leader()] };
                proptest::prop_assert_eq!(warnings, expected);
            }
        }
    }
}
