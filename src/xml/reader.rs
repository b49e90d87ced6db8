//! A pull reader over one small document: local names, resolved text, limits.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use thiserror::Error;

use super::Options;
use super::entity::{Meaning, meaning};
use crate::record::Warning;

/// Elements may be nested so deep.
pub const MAX_DEPTH: usize = 64;
/// So many kinds of repaired references are told apart.
const MAX_REPAIRED: usize = 32;
/// So many characters of a reference are shown.
const SHOWN_CHARS: usize = 40;

/// Why a document could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct XmlError {
    /// `xml.syntax`, `xml.entity`, `xml.doctype`, `xml.depth` or `xml.truncated`; of a tree also
    /// `xml.attributes`, `xml.nodes`, `xml.name` or `xml.text_size`; of bytes `xml.utf8` or
    /// `xml.encoding`.
    pub code: &'static str,
    /// What was found and what was expected.
    pub message: String,
}

impl XmlError {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> XmlError {
        XmlError { code, message: message.into() }
    }
}

/// A start tag.
#[derive(Debug)]
pub struct Element<'x>(pub(super) BytesStart<'x>);

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

    /// Whether the element binds its own prefix, or the default, to `namespace`.
    ///
    /// # Errors
    /// Those of [`Element::attribute`].
    pub fn declares(&self, namespace: &str) -> Result<bool, XmlError> {
        let declaration = match self.0.name().prefix() {
            Some(prefix) => format!("xmlns:{}", prefix.into_inner()),
            None => "xmlns".to_owned(),
        };
        Ok(self.attribute(&declaration)?.is_some_and(|value| value.trim() == namespace))
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
    source: &'x str,
    inner: quick_xml::Reader<&'x [u8]>,
    depth: usize,
    seen_root: bool,
    bare_ampersands: usize,
    options: Options,
    repaired: Vec<Repaired>,
}

// References of one name that were read as what they most likely mean.
struct Repaired {
    name: String,
    read_as: char,
    byte: u64,
    count: usize,
}

impl<'x> Reader<'x> {
    /// A reader at the beginning of `text`, which mends nothing.
    #[must_use]
    pub fn new(text: &'x str) -> Reader<'x> {
        Reader::with(text, Options::default())
    }

    /// A reader at the beginning of `text`; [`Reader::warn`] says what it mended.
    #[must_use]
    pub fn with(text: &'x str, options: Options) -> Reader<'x> {
        let mut inner = quick_xml::Reader::from_str(text);
        let config = inner.config_mut();
        config.expand_empty_elements = true;
        config.allow_dangling_amp = true;
        Reader {
            source: text,
            inner,
            depth: 0,
            seen_root: false,
            bare_ampersands: 0,
            options,
            repaired: Vec::new(),
        }
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

    /// Adds a warning `xml.entity` for each kind of reference that was mended so far.
    pub fn warn(&self, warnings: &mut Vec<Warning>) {
        for Repaired { name, read_as, byte, count } in &self.repaired {
            let read_as = u32::from(*read_as);
            let message =
                format!("&{name}; is read as U+{read_as:04X}, {count} times, first at byte {byte}");
            warnings.push(Warning::new("xml.entity", message));
        }
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
                Event::GeneralRef(name) if is_name(&name) => {
                    return self.resolve(&name, position).map(Token::Char);
                }
                // A bare ampersand, and a semicolon somewhere behind it.
                Event::GeneralRef(_) => {
                    self.bare_ampersands += 1;
                    return Ok(Token::Text(self.since(position)));
                }
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

    /// Appends an attribute's raw value to `out` as XML 1.0 §3.3.3 normalizes it: white space
    /// becomes spaces, references what they stand for; bare ampersands are counted.
    pub(super) fn normalize(&mut self, raw: &str, out: &mut String) -> Result<(), XmlError> {
        let position = self.inner.buffer_position();
        let mut rest = raw;
        while let Some(at) = rest.find(['&', '\t', '\n', '\r']) {
            let (before, found) = rest.split_at_checked(at).unwrap_or((rest, ""));
            out.push_str(before);
            rest = found.get(1..).unwrap_or_default();
            if found.starts_with('&') {
                let name = rest.split_once(';').map(|(name, _)| name).filter(|name| is_name(name));
                if let Some(name) = name {
                    out.push(self.resolve(name, position)?);
                    rest = rest.get(name.len() + 1..).unwrap_or_default();
                } else {
                    self.bare_ampersands += 1;
                    out.push('&');
                }
                continue;
            }
            if found.starts_with("\r\n") {
                rest = rest.get(1..).unwrap_or_default();
            }
            out.push(' ');
        }
        out.push_str(rest);
        Ok(())
    }

    // What was read from a position on, line ends normalized.
    fn since(&self, position: u64) -> Cow<'x, str> {
        let offset = |position| usize::try_from(position).unwrap_or(usize::MAX);
        let range = offset(position)..offset(self.inner.buffer_position());
        let text = self.source.get(range).unwrap_or_default();
        if !text.contains('\r') {
            return Cow::Borrowed(text);
        }
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    }

    fn resolve(&mut self, name: &str, byte: u64) -> Result<char, XmlError> {
        let read_as = match meaning(name) {
            Meaning::Char(c) => return Ok(c),
            Meaning::Likely(c) if self.options.repair => c,
            Meaning::Likely(_) | Meaning::Unknown => {
                let name: String = name.chars().take(SHOWN_CHARS).collect();
                let what = if name.starts_with('#') { "no character" } else { "not declared" };
                let message = format!("entity &{name}; is {what}");
                return Err(XmlError::new("xml.entity", message));
            }
        };
        let name: String = name.chars().take(SHOWN_CHARS).collect();
        if let Some(known) = self.repaired.iter_mut().find(|repaired| repaired.name == name) {
            known.count += 1;
        } else if self.repaired.len() < MAX_REPAIRED {
            self.repaired.push(Repaired { name, read_as, byte, count: 1 });
        } else {
            return Err(XmlError::new("xml.entity", "too many kinds of undeclared entities"));
        }
        Ok(read_as)
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

// Whether `&name;` is meant as a reference, not as two marks with text between.
fn is_name(name: &str) -> bool {
    let name = name.strip_prefix('#').unwrap_or(name);
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
