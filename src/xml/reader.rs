//! A pull reader over one small document: local names, resolved text, limits.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use thiserror::Error;

/// Elements may be nested so deep.
const MAX_DEPTH: usize = 64;

/// Why a document could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct XmlError {
    /// `xml.syntax`, `xml.entity`, `xml.doctype`, `xml.depth` or `xml.truncated`.
    pub code: &'static str,
    /// What was found and what was expected.
    pub message: String,
}

impl XmlError {
    fn new(code: &'static str, message: impl Into<String>) -> XmlError {
        XmlError { code, message: message.into() }
    }
}

/// A start tag.
#[derive(Debug)]
pub struct Element<'x>(BytesStart<'x>);

impl Element<'_> {
    /// Its name without prefix.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.local_name().into_inner()
    }

    /// The value of the attribute with this name (prefix included), if it is there.
    ///
    /// # Errors
    /// `xml.syntax` and `xml.entity`.
    pub fn attribute(&self, name: &str) -> Result<Option<Cow<'_, str>>, XmlError> {
        for attribute in self.0.attributes() {
            let attribute = attribute.map_err(|error| syntax(0, &error))?;
            if attribute.key.as_ref() == name {
                let value = attribute.normalized_value(XmlVersion::Implicit1_0);
                return value
                    .map(Some)
                    .map_err(|error| XmlError::new("xml.entity", error.to_string()));
            }
        }
        Ok(None)
    }
}

/// What comes next in a document.
#[derive(Debug)]
pub enum Token<'x> {
    /// An element begins.
    Start(Element<'x>),
    /// The element that began last ends.
    End,
    /// Text, in as many pieces as there are references and CDATA sections.
    Text(Cow<'x, str>),
    /// A character reference.
    Char(char),
    /// The document is over, every element closed.
    Eof,
}

/// Reads one document from memory.
pub struct Reader<'x> {
    inner: quick_xml::Reader<&'x [u8]>,
    depth: usize,
    seen_root: bool,
    bare_ampersands: usize,
}

impl<'x> Reader<'x> {
    /// A reader at the beginning of `text`.
    #[must_use]
    pub fn new(text: &'x str) -> Reader<'x> {
        let mut inner = quick_xml::Reader::from_str(text);
        let config = inner.config_mut();
        config.expand_empty_elements = true;
        config.allow_dangling_amp = true;
        Reader { inner, depth: 0, seen_root: false, bare_ampersands: 0 }
    }

    /// How many elements are open.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// How many `&` were found that begin no reference; they are given as text.
    #[must_use]
    pub fn bare_ampersands(&self) -> usize {
        self.bare_ampersands
    }

    /// The next token; comments and processing instructions are passed over.
    ///
    /// # Errors
    /// Anything ill-formed, a document type declaration, an unknown entity, too many levels, an
    /// end before the root is closed.
    #[expect(
        clippy::should_implement_trait,
        reason = "a token borrows from the text, not from self"
    )]
    pub fn next(&mut self) -> Result<Token<'x>, XmlError> {
        loop {
            let position = self.inner.buffer_position();
            let event = self.inner.read_event().map_err(|error| syntax(position, &error))?;
            match event {
                Event::Start(start) => return self.open(start),
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(Token::End);
                }
                Event::Text(text) => {
                    self.bare_ampersands += text.matches('&').count();
                    return Ok(Token::Text(text.xml10_content()));
                }
                Event::CData(text) => return Ok(Token::Text(text.xml10_content())),
                Event::GeneralRef(reference) => return resolve(&reference).map(Token::Char),
                Event::DocType(_) => {
                    let message = "a document type declaration, expected none";
                    return Err(XmlError::new("xml.doctype", message));
                }
                Event::Eof if self.depth > 0 => {
                    let message = format!("the document ends with {} elements open", self.depth);
                    return Err(XmlError::new("xml.truncated", message));
                }
                Event::Eof if !self.seen_root => {
                    return Err(XmlError::new("xml.syntax", "no element, expected one"));
                }
                Event::Eof => return Ok(Token::Eof),
                Event::Empty(_) | Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
            }
        }
    }

    fn open(&mut self, start: BytesStart<'x>) -> Result<Token<'x>, XmlError> {
        if self.depth == 0 && self.seen_root {
            return Err(XmlError::new("xml.syntax", "a second root element, expected one"));
        }
        if self.depth == MAX_DEPTH {
            let message = format!("elements are nested more than {MAX_DEPTH} levels deep");
            return Err(XmlError::new("xml.depth", message));
        }
        self.seen_root = true;
        self.depth += 1;
        Ok(Token::Start(Element(start)))
    }
}

fn syntax(position: u64, error: &dyn std::error::Error) -> XmlError {
    XmlError::new("xml.syntax", format!("not well-formed near byte {position}: {error}"))
}

fn resolve(reference: &quick_xml::events::BytesRef<'_>) -> Result<char, XmlError> {
    let unknown =
        || XmlError::new("xml.entity", format!("entity &{}; is not declared", &**reference));
    match &**reference {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        _ => reference.resolve_char_ref().ok().flatten().ok_or_else(unknown),
    }
}
