//! XML records and what they come wrapped in: OAI-PMH records, METS, a metadata format's root.
//!
//! A record is kept whole, as its file has it: the `<record>` of an OAI-PMH answer with header and
//! metadata, or the metadata alone. [`header`] reads the one, [`find`] finds the other in it.
//! <https://www.openarchives.org/OAI/openarchivesprotocol.html>

use super::{
    Cut, DecodeError, EncodeError, Framing, MAX_RECORD_BYTES, Policy, ReadOptions, SourceRecord,
    WriteOptions,
};
use crate::record::Warning;
use crate::xml::cut::{OutermostCutter, Records};
use crate::xml::reader::XmlError;
use crate::xml::tree::{Element, Tree};
use crate::xml::{Options, encoding};

/// The namespace of OAI-PMH 2.0.
pub const OAI_NAMESPACE: &str = "http://www.openarchives.org/OAI/2.0/";
/// The namespace of the fifteen elements of Dublin Core.
pub const DC_NAMESPACE: &str = "http://purl.org/dc/elements/1.1/";
/// The namespace of the terms of Dublin Core.
pub const DCTERMS_NAMESPACE: &str = "http://purl.org/dc/terms/";

/// What stands before records that have no collection of their own standard.
pub(super) const OPEN: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<records>\n";
/// What stands behind them.
pub(super) const CLOSE: &str = "\n</records>\n";

/// The header of a record of OAI-PMH.
#[derive(Debug, Clone, Copy)]
pub struct Header<'t>(Element<'t>);

/// The header that the record came with, if it came by OAI-PMH.
///
/// Files are found in which nobody declares the namespace of OAI-PMH: none is as good.
#[must_use]
pub fn header(tree: &Tree) -> Option<Header<'_>> {
    let root = tree.root().filter(|root| is_oai(*root, "record"))?;
    root.elements().find(|element| is_oai(*element, "header")).map(Header)
}

impl<'t> Header<'t> {
    /// The header's element.
    #[must_use]
    pub fn element(self) -> Element<'t> {
        self.0
    }

    /// `<identifier>`
    #[must_use]
    pub fn identifier(self) -> Option<Element<'t>> {
        self.all("identifier").next()
    }

    /// `<datestamp>`
    #[must_use]
    pub fn datestamp(self) -> Option<Element<'t>> {
        self.all("datestamp").next()
    }

    /// Each `<setSpec>`
    pub fn set_specs(self) -> impl Iterator<Item = Element<'t>> {
        self.all("setSpec")
    }

    /// Whether the record is deleted, and so has no metadata.
    #[must_use]
    pub fn is_deleted(self) -> bool {
        self.0.attribute("", "status").is_some_and(|status| status.value() == "deleted")
    }

    fn all(self, name: &'static str) -> impl Iterator<Item = Element<'t>> {
        self.0.elements().filter(move |element| is_oai(*element, name))
    }
}

fn is_oai(element: Element<'_>, local: &str) -> bool {
    element.is_local(local) && matches!(element.namespace(), OAI_NAMESPACE | "")
}

/// The identifier that messages name a record by: of its header, else the first `<identifier>` or
/// `<recordIdentifier>` of its metadata.
#[must_use]
pub fn identifier(tree: &Tree) -> Option<&str> {
    let of_header = header(tree).and_then(Header::identifier);
    let is_identifier =
        |element: &Element<'_>| matches!(element.local(), "identifier" | "recordIdentifier");
    let element = match of_header {
        Some(element) => element,
        None => tree.root()?.descendants().find(is_identifier)?,
    };
    element.only_text().map(str::trim).filter(|text| !text.is_empty())
}

/// How a metadata format is known in XML.
pub(super) struct Shape {
    /// Its name in [`super::FORMATS`].
    pub name: &'static str,
    /// The code of a record without its root: an error in reading and in writing.
    pub no_root: &'static str,
    /// The code of a warning: its root, but not in its namespace.
    pub namespace: &'static str,
    /// How messages name the root.
    pub root: &'static str,
    /// Whether an element is the root, whatever its namespace.
    pub is_root: fn(Element<'_>) -> bool,
    /// Whether a root is in the namespace that it should be in.
    pub is_bound: fn(Element<'_>) -> bool,
}

impl Shape {
    /// The root of the metadata in a record.
    pub(super) fn find<'t>(&self, tree: &'t Tree) -> Option<Element<'t>> {
        tree.root()?.descendants().find(|element| (self.is_root)(*element))
    }

    /// Reads one record, which must hold this format's root unless it is deleted.
    pub(super) fn decode(
        &self,
        bytes: &[u8],
        options: &ReadOptions,
        record: &mut SourceRecord,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), DecodeError> {
        let tree = record.xml_mut();
        let before = warnings.len();
        self.read(bytes, options, tree, warnings).map_err(|mut error| {
            warnings.truncate(before);
            error.control_number = identifier(tree).map(str::to_owned);
            error
        })
    }

    fn read(
        &self,
        bytes: &[u8],
        options: &ReadOptions,
        tree: &mut Tree,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), DecodeError> {
        let options = Options { repair: options.policy == Policy::Repair };
        let text = encoding::text(bytes, options, warnings)?;
        tree.read(&text, options, warnings)?;
        match self.find(tree) {
            Some(root) if (self.is_bound)(root) => {}
            Some(root) => {
                let message = format!("found {}, expected {}", shown(root), self.root);
                warnings.push(Warning::new(self.namespace, message));
            }
            None if header(tree).is_some_and(Header::is_deleted) => {}
            None => {
                let message = format!("no element {} in the record", self.root);
                return Err(DecodeError::new(self.no_root, message));
            }
        }
        Ok(())
    }

    /// The root of the record that is to be written: none of a deleted one.
    pub(super) fn root_to_write<'r>(
        &self,
        record: &'r SourceRecord,
    ) -> Result<(&'r Tree, Option<Element<'r>>), EncodeError> {
        let tree = record.xml()?;
        let root = self.find(tree);
        if root.is_none() && !header(tree).is_some_and(Header::is_deleted) {
            let found = tree.root().map_or("nothing".to_owned(), shown);
            let message = format!("found {found}, expected an element {} in it", self.root);
            return Err(EncodeError::new(self.no_root, message));
        }
        Ok((tree, root))
    }

    /// Writes one record as it is.
    pub(super) fn encode(
        &self,
        record: &SourceRecord,
        _: &WriteOptions,
        out: &mut Vec<u8>,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), EncodeError> {
        let (tree, _) = self.root_to_write(record)?;
        write(tree, out, warnings);
        Ok(())
    }
}

/// Appends a tree to bytes.
pub(super) fn write(tree: &Tree, out: &mut Vec<u8>, warnings: &mut Vec<Warning>) {
    let mut text = String::new();
    let replaced = tree.write(&mut text);
    out.extend_from_slice(text.as_bytes());
    if replaced > 0 {
        let message = format!("{replaced} characters that XML cannot carry, replaced by U+FFFD");
        warnings.push(Warning::new("xml.control_character", message));
    }
}

fn shown(element: Element<'_>) -> String {
    let name = element.name();
    let local: String = name.local.chars().take(40).collect();
    match name.namespace {
        "" => format!("<{local}> in no namespace"),
        namespace => format!("<{local}> in {}", namespace.chars().take(80).collect::<String>()),
    }
}

impl From<XmlError> for DecodeError {
    fn from(error: XmlError) -> DecodeError {
        DecodeError::new(error.code, error.message)
    }
}

/// Cuts at the outermost elements of some names.
pub(super) struct RecordFraming(OutermostCutter);

impl RecordFraming {
    pub(super) fn boxed(names: &'static [&'static str]) -> Box<dyn Framing> {
        let records = Records { names, max_bytes: MAX_RECORD_BYTES };
        Box::new(RecordFraming(OutermostCutter::new(records)))
    }
}

impl Framing for RecordFraming {
    fn cut(&mut self, bytes: &[u8], at_end: bool) -> Cut {
        self.0.cut(bytes, at_end)
    }
}

/// Which of the formats that are told by a root element begins in a file that begins so: the
/// first such element decides, whatever it is wrapped in.
#[must_use]
pub fn sniff(first_bytes: &[u8]) -> Option<&'static str> {
    let text = first_bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(first_bytes).trim_ascii_start();
    if !text.starts_with(b"<") {
        return None;
    }
    let mut rest = text;
    let mut in_record = false;
    while let Some(start) = memchr::memchr(b'<', rest) {
        rest = rest.get(start..)?;
        if let Some(skipped) = passed_over(rest) {
            rest = rest.get(skipped?..)?;
            continue;
        }
        rest = rest.get(1..)?;
        let is_end = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'>' | b'/' | b'<');
        let name = rest.get(..rest.iter().position(is_end)?)?;
        let (prefix, local) = match name.iter().position(|byte| *byte == b':') {
            Some(colon) => (name.get(..colon)?, name.get(colon + 1..)?),
            None => (&b""[..], name),
        };
        match local {
            b"dc" | b"simpledc" => return Some("oai_dc"),
            b"qualifieddc" | b"qdc" | b"dcterms" => return Some("dcterms"),
            b"mods" | b"modsCollection" => return Some("mods"),
            b"oai_datacite" => return Some("datacite_xml"),
            b"resource" => {
                // Its namespace may be declared further out.
                let behind = text.len() - rest.len() + memchr::memchr(b'>', rest)?;
                let mut marks =
                    [&b"datacite.org/schema/kernel"[..], b"datacite.org/meta/"].into_iter();
                let until = text.get(..behind)?;
                let told = marks.any(|mark| memchr::memmem::find(until, mark).is_some());
                return told.then_some("datacite_xml");
            }
            b"record" | b"metadata" => in_record = true,
            b"leader" | b"controlfield" | b"datafield" | b"html" | b"HTML" | b"RDF" => return None,
            _ if in_record && matches!(prefix, b"dc" | b"dcterms") => return Some("dcterms"),
            _ => {}
        }
    }
    None
}

// Behind a comment, a declaration or an instruction; `Some(None)` when it does not end.
fn passed_over(rest: &[u8]) -> Option<Option<usize>> {
    let end = |mark: &[u8]| memchr::memmem::find(rest, mark).map(|end| end + mark.len());
    match rest.get(1..)? {
        [b'!', b'-', b'-', ..] => Some(end(b"-->")),
        [b'!' | b'/', ..] => Some(end(b">")),
        [b'?', ..] => Some(end(b"?>")),
        _ => None,
    }
}
