//! Reading a tree from text, with limits.

use super::{AttributeRow, Builder, NO_NAMESPACE, Span, Tree, bound};
use crate::record::Warning;
use crate::xml::Options;
use crate::xml::reader::{Element, Reader, Token, XmlError};

/// An element may have so many attributes, declarations of namespaces among them.
pub const MAX_ATTRIBUTES: usize = 256;
/// A record may have so many elements, attributes and texts.
pub const MAX_NODES: u32 = 1 << 20;
/// A text or an attribute may have so many bytes.
pub const MAX_TEXT_BYTES: usize = 8 * 1024 * 1024;

/// Prefixes that are left undeclared when a record is copied out of its document by hand, and
/// what they mean wherever they are declared.
const USUAL_PREFIXES: [(&str, &str); 8] = [
    ("dc", "http://purl.org/dc/elements/1.1/"),
    ("dcterms", "http://purl.org/dc/terms/"),
    ("marc", "http://www.loc.gov/MARC21/slim"),
    ("mods", "http://www.loc.gov/mods/v3"),
    ("oai", "http://www.openarchives.org/OAI/2.0/"),
    ("oai_dc", "http://www.openarchives.org/OAI/2.0/oai_dc/"),
    ("xlink", "http://www.w3.org/1999/xlink"),
    ("xsi", super::XSI_NAMESPACE),
];

impl Tree {
    /// Reads the document `text` in place of what was here.
    ///
    /// Warnings: `xml.ampersand` (bare ones, kept), `xml.control_character` (kept), `xml.prefix`
    /// (bound to no namespace; with [`Options::repair`] to its usual one), `xml.entity` (mended).
    ///
    /// # Errors
    /// Those of [`Reader::next`]; `xml.attributes`, `xml.nodes` and `xml.text_size` over the
    /// limits; `xml.name`, `xml.text` outside of the root. What was read before is in the tree.
    pub fn read(
        &mut self,
        text: &str,
        options: Options,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), XmlError> {
        self.clear();
        self.text.push_str(text);
        if self.read_plain(text).is_some() {
            return Ok(());
        }
        self.clear();
        self.text.push_str(text);
        let mut filling = Filling {
            source: text,
            reader: Reader::with(text, options),
            builder: Builder::behind_source(self),
            options,
            unbound: Vec::new(),
        };
        let result = filling.run();
        let Filling { reader, builder, unbound, .. } = filling;
        builder.finish();
        result?;
        if reader.bare_ampersands() > 0 {
            let message = format!("{} ampersands are not escaped", reader.bare_ampersands());
            warnings.push(Warning::new("xml.ampersand", message));
        }
        reader.warn(warnings);
        for (prefix, namespace) in unbound {
            let message = match namespace {
                None => format!("prefix {prefix} is bound to no namespace"),
                Some(usual) => format!("prefix {prefix} is bound to no namespace, read as {usual}"),
            };
            warnings.push(Warning::new("xml.prefix", message));
        }
        self.warn_of_control_characters(text.len(), warnings);
        Ok(())
    }

    fn warn_of_control_characters(&self, source_length: usize, warnings: &mut Vec<Warning>) {
        let is_control = |byte: &u8| *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
        // Block by block without a branch, which is many times faster than byte by byte.
        let mut blocks = self.text.as_bytes().chunks(64);
        let found = |block: &[u8]| block.iter().fold(false, |found, byte| found | is_control(byte));
        let Some(block) = blocks.position(found) else { return };
        let rest = self.text.as_bytes().get(block * 64..).unwrap_or_default();
        let first = rest.iter().position(is_control).unwrap_or_default() + block * 64;
        let count = rest.iter().filter(|byte| is_control(byte)).count();
        let place = match first < source_length {
            true => format!("the first at byte {first}"),
            false => "by reference".to_owned(),
        };
        let message = format!("{count} control characters that XML does not allow, {place}");
        warnings.push(Warning::new("xml.control_character", message));
    }
}

struct Filling<'x, 't> {
    source: &'x str,
    reader: Reader<'x>,
    builder: Builder<'t>,
    options: Options,
    /// Prefixes that are bound to no namespace, and the one they were given.
    unbound: Vec<(String, Option<&'static str>)>,
}

impl<'x> Filling<'x, '_> {
    fn run(&mut self) -> Result<(), XmlError> {
        loop {
            match self.reader.next()? {
                Token::Start(element) => self.start(&element)?,
                Token::End => self.builder.close(),
                Token::Text(text) => self.text(&text)?,
                Token::Char(c) => self.text(c.encode_utf8(&mut [0; 4]))?,
                Token::Eof => return Ok(()),
            }
        }
    }

    fn text(&mut self, text: &str) -> Result<(), XmlError> {
        if self.builder.depth() == 0 {
            if text.trim().is_empty() {
                return Ok(());
            }
            return Err(XmlError::new("xml.text", "text outside of the root element"));
        }
        match self.span(text) {
            Some(span) => self.builder.append_span(span),
            None => self.builder.append(text),
        }
        self.check_length(self.builder.text_length())
    }

    fn check_length(&self, length: usize) -> Result<(), XmlError> {
        if length <= MAX_TEXT_BYTES {
            return Ok(());
        }
        let message = format!("a text of more than {MAX_TEXT_BYTES} bytes");
        Err(XmlError::new("xml.text_size", message))
    }

    // Where a part of the source stands in it, and so in the tree.
    fn span(&self, part: &str) -> Option<Span> {
        let start = (part.as_ptr() as usize).checked_sub(self.source.as_ptr() as usize)?;
        let end = start + part.len();
        (end <= self.source.len()).then(|| Span { start: bound(start), end: bound(end) })
    }

    fn start(&mut self, element: &Element<'x>) -> Result<(), XmlError> {
        if self.builder.tree.len() >= MAX_NODES {
            let message = format!("more than {MAX_NODES} elements, attributes and texts");
            return Err(XmlError::new("xml.nodes", message));
        }
        let name = element.0.name().into_inner();
        let (span, prefix) = self.name(name)?;
        self.builder.open_row(span, span.start + prefix_length(prefix));
        let first = self.builder.tree.attributes.len();
        self.attributes(element)?;
        // Declarations count for the tag they stand in, wherever they stand in it.
        let namespace = self.resolve(prefix);
        self.builder.set_namespace(namespace);
        for number in first..self.builder.tree.attributes.len() {
            self.resolve_attribute(first, number)?;
        }
        Ok(())
    }

    // The attributes as rows without namespace, the declarations as bindings.
    fn attributes(&mut self, element: &Element<'x>) -> Result<(), XmlError> {
        let mut attributes = element.0.attributes();
        let attributes = attributes.with_checks(false);
        for (number, attribute) in attributes.enumerate() {
            let attribute = attribute.map_err(|error| {
                XmlError::new("xml.syntax", format!("not well-formed: {error}"))
            })?;
            if number == MAX_ATTRIBUTES {
                let message = format!("an element with more than {MAX_ATTRIBUTES} attributes");
                return Err(XmlError::new("xml.attributes", message));
            }
            let value = self.value(&attribute.value)?;
            let key = attribute.key.into_inner();
            if let Some(prefix) = key.strip_prefix("xmlns") {
                let declared = match prefix.strip_prefix(':') {
                    None => prefix.is_empty().then_some(prefix),
                    prefix => prefix,
                };
                if let Some(prefix) = declared.and_then(|prefix| self.span(prefix)) {
                    self.builder.declare_value(prefix, value);
                    continue;
                }
            }
            let (name, prefix) = self.name(key)?;
            let local = name.start + prefix_length(prefix);
            let row = AttributeRow::new(self.builder.tree, name, local, value);
            self.builder.attribute_row(row);
        }
        Ok(())
    }

    fn value(&mut self, raw: &str) -> Result<Span, XmlError> {
        let is_plain = |byte: u8| !matches!(byte, b'&' | b'\t' | b'\n' | b'\r');
        if raw.bytes().all(is_plain)
            && let Some(span) = self.span(raw)
        {
            self.check_length(raw.len())?;
            return Ok(span);
        }
        let start = bound(self.builder.tree.text.len());
        self.reader.normalize(raw, &mut self.builder.tree.text)?;
        let end = bound(self.builder.tree.text.len());
        self.check_length((end - start) as usize)?;
        Ok(Span { start, end })
    }

    // A name's place, and its prefix.
    fn name(&self, name: &'x str) -> Result<(Span, &'x str), XmlError> {
        let prefix = match name.split_once(':') {
            Some((prefix, local)) if is_name(prefix) && is_name(local) => Some(prefix),
            None if is_name(name) => Some(""),
            _ => None,
        };
        prefix.and_then(|prefix| Some((self.span(name)?, prefix))).ok_or_else(|| {
            let name: String = name.chars().take(40).collect();
            XmlError::new("xml.name", format!("{name:?} is no name of an element or attribute"))
        })
    }

    fn resolve_attribute(&mut self, first: usize, number: usize) -> Result<(), XmlError> {
        let tree = &*self.builder.tree;
        let Some(row) = tree.attributes.get(number).copied() else { return Ok(()) };
        let namespace = if row.local == row.name.start {
            NO_NAMESPACE
        } else {
            let prefix = row.name.start as usize..row.local as usize - 1;
            self.resolve(self.source.get(prefix).unwrap_or_default())
        };
        let tree = &mut *self.builder.tree;
        if let Some(row) = tree.attributes.get_mut(number) {
            row.namespace = namespace;
        }
        let local = |row: &AttributeRow| tree.slice(Span { start: row.local, end: row.name.end });
        let before = tree.attributes.get(first..number).unwrap_or_default();
        let is_same =
            |other: &AttributeRow| other.namespace == namespace && local(other) == local(&row);
        // Two prefixes that are both unbound are two names all the same.
        let is_twice = |other: &AttributeRow| {
            let bound = namespace != NO_NAMESPACE;
            is_same(other) && (bound || tree.slice(other.name) == tree.slice(row.name))
        };
        if before.iter().any(is_twice) {
            let message = format!("attribute {} stands twice", tree.slice(row.name));
            return Err(XmlError::new("xml.syntax", message));
        }
        Ok(())
    }

    fn resolve(&mut self, prefix: &str) -> u32 {
        if let Some(namespace) = self.builder.resolve(prefix) {
            return namespace;
        }
        let usual = USUAL_PREFIXES.iter().find(|(usual, _)| *usual == prefix);
        let usual = usual.map(|(_, namespace)| *namespace).filter(|_| self.options.repair);
        if !self.unbound.iter().any(|(known, _)| known == prefix) {
            self.unbound.push((prefix.to_owned(), usual));
        }
        usual.map_or(NO_NAMESPACE, |namespace| self.builder.namespace(namespace))
    }
}

// With its colon.
fn prefix_length(prefix: &str) -> u32 {
    if prefix.is_empty() { 0 } else { bound(prefix.len() + 1) }
}

// Any character beyond ASCII is taken for one of names (XML 1.0 §2.3).
fn is_name(name: &str) -> bool {
    let starts = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_' || *byte >= 0x80;
    let goes_on = |byte: &u8| starts(byte) || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    let mut bytes = name.as_bytes().iter();
    bytes.next().is_some_and(starts) && bytes.all(goes_on)
}
