//! What surrounds the records of an answer: envelope, errors, resumptionToken.

use std::borrow::Cow;

use super::{Continuation, Page, PageError, PageFault, SHOWN_CHARS, text};
use crate::oai::NAMESPACE;
use crate::record::{Datestamp, Granularity, Warning};
use crate::xml::Options;
use crate::xml::reader::{Element, Reader, Token, XmlError};
use crate::xml::tree::Tree;

const ROOT: &str = "OAI-PMH";
// The envelope holds nothing that could be lost by mending it.
const MENDING: Options = Options { repair: true };

/// Reads the bytes of an answer from which the records were taken.
pub(super) fn read(bytes: &[u8], page: &mut Page) -> Result<(), PageError> {
    let text = text(bytes, MENDING, &mut page.warnings)
        .map_err(|error| PageError::Encoding(error.to_string()))?;
    let envelope = envelope(&text, page)?;
    let mut reading = Reading { page, path: Vec::new(), text: String::new(), token: None };
    match reading.all(envelope) {
        Ok(()) => Ok(()),
        Err(error) if reading.page.cut_short.is_some() => {
            // It breaks off anyway; the page says so.
            drop(error);
            Ok(())
        }
        Err(error) if error.code == "xml.doctype" => Err(PageError::Doctype),
        Err(error) => Err(PageError::Malformed(error.to_string())),
    }
}

/// Reads an answer that is no list of records, whole.
pub(super) fn read_tree(bytes: &[u8], page: &mut Page) -> Result<Tree, PageError> {
    read(bytes, page)?;
    let mut warnings = Vec::new();
    let text = text(bytes, MENDING, &mut warnings)
        .map_err(|error| PageError::Encoding(error.to_string()))?;
    let mut tree = Tree::default();
    tree.read(envelope(&text, &mut Page::default())?, MENDING, &mut warnings)
        .map_err(|error| PageError::Malformed(error.to_string()))?;
    Ok(tree)
}

/// Why a document with a document type declaration is not read.
pub(super) fn refused(bytes: &[u8]) -> PageError {
    let text = String::from_utf8_lossy(bytes);
    match foreign(&text) {
        html @ PageError::Html { .. } => html,
        _ => PageError::Doctype,
    }
}

// From the root's start tag to its end tag.
fn envelope<'t>(text: &'t str, page: &mut Page) -> Result<&'t str, PageError> {
    let trimmed = text.trim_start_matches('\u{FEFF}').trim();
    if trimmed.is_empty() && page.records.is_empty() {
        return Err(PageError::Empty);
    }
    let Some(start) = root_start(trimmed) else { return Err(foreign(trimmed)) };
    let (before, rest) = trimmed.split_at_checked(start).unwrap_or(("", trimmed));
    if !is_prolog(before) {
        let message = format!("{} bytes before the document are passed over", before.len());
        page.warnings.push(Warning::new("oai.junk_before", message));
    }
    let Some(end) = root_end(rest) else {
        page.cut_short = Some("the document ends before </OAI-PMH>".to_owned());
        return Ok(rest);
    };
    let (envelope, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
    if !is_prolog(behind) {
        let message = format!("{} bytes behind the document are passed over", behind.len());
        page.warnings.push(Warning::new("oai.junk_behind", message));
    }
    Ok(envelope)
}

// Where `<OAI-PMH` or `<prefix:OAI-PMH` begins.
fn root_start(text: &str) -> Option<usize> {
    text.match_indices(ROOT).find_map(|(at, _)| {
        let before = text.get(..at)?;
        let start = before.rfind('<')?;
        is_prefix(before.get(start + 1..)?).then_some(start)
    })
}

// Behind `</OAI-PMH>` or `</prefix:OAI-PMH>`, the last one.
fn root_end(text: &str) -> Option<usize> {
    text.rmatch_indices(ROOT).find_map(|(at, _)| {
        let before = text.get(..at)?;
        let prefix = before.get(before.rfind("</")? + 2..)?;
        let behind = text.get(at + ROOT.len()..)?;
        let close = behind.find('>')?;
        (is_prefix(prefix) && behind.get(..close)?.trim().is_empty())
            .then_some(at + ROOT.len() + close + 1)
    })
}

fn is_prefix(text: &str) -> bool {
    text.is_empty()
        || text.strip_suffix(':').is_some_and(|prefix| {
            prefix.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
        })
}

// White space, comments and processing instructions may stand around a root.
fn is_prolog(mut text: &str) -> bool {
    loop {
        text = text.trim_start();
        let behind = if text.starts_with("<!--") {
            text.split_once("-->")
        } else if text.starts_with("<?") {
            text.split_once("?>")
        } else {
            return text.is_empty();
        };
        let Some((_, rest)) = behind else { return false };
        text = rest;
    }
}

fn foreign(text: &str) -> PageError {
    let lower: String = text.chars().take(4096).collect::<String>().to_ascii_lowercase();
    if lower.contains("<html") || lower.contains("<!doctype html") {
        let behind = lower.find("<title").and_then(|at| text.get(at..)?.split_once('>'));
        let title = behind.map_or("", |(_, rest)| rest.split('<').next().unwrap_or_default());
        let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
        return PageError::Html { title: title.chars().take(SHOWN_CHARS).collect() };
    }
    PageError::Foreign { found: text.chars().take(SHOWN_CHARS).collect() }
}

struct Reading<'p> {
    page: &'p mut Page,
    /// Local names of the open elements.
    path: Vec<String>,
    /// The text of the innermost element, so far.
    text: String,
    /// The token whose element is open.
    token: Option<Continuation>,
}

impl Reading<'_> {
    fn all(&mut self, envelope: &str) -> Result<(), XmlError> {
        let mut reader = Reader::with(envelope, MENDING);
        loop {
            match reader.next()? {
                Token::Start(element) => self.open(&element)?,
                Token::End => self.close(),
                Token::Text(text) => self.text.push_str(&text),
                Token::Char(c) => self.text.push(c),
                Token::Eof => return Ok(()),
            }
        }
    }

    fn open(&mut self, element: &Element<'_>) -> Result<(), XmlError> {
        self.text.clear();
        let name = element.name();
        match (self.path.len(), name) {
            (0, ROOT) => self.root(element)?,
            (1, "responseDate" | "request") => {}
            (1, "error") => {
                let code = element.attribute("code")?.unwrap_or_default().into_owned();
                self.page.errors.push(PageFault { code, message: String::new() });
            }
            (1, verb) => self.page.verb = Some(verb.to_owned()),
            (_, "resumptionToken") => {
                let number = |name: &str| -> Result<Option<u64>, XmlError> {
                    Ok(element.attribute(name)?.and_then(|value| value.trim().parse().ok()))
                };
                self.token = Some(Continuation {
                    text: String::new(),
                    cursor: number("cursor")?,
                    complete_list_size: number("completeListSize")?,
                    expires: element.attribute("expirationDate")?.map(Cow::into_owned),
                });
            }
            _ => {}
        }
        self.path.push(name.to_owned());
        Ok(())
    }

    fn root(&mut self, element: &Element<'_>) -> Result<(), XmlError> {
        if element.declares(NAMESPACE)? {
            return Ok(());
        }
        let message = format!("the document does not declare {NAMESPACE}");
        self.page.warnings.push(Warning::new("oai.namespace", message));
        Ok(())
    }

    fn close(&mut self) {
        let name = self.path.pop().unwrap_or_default();
        let text = std::mem::take(&mut self.text);
        let text = text.trim();
        match (self.path.len(), name.as_str()) {
            (1, "responseDate") => self.response_date(text),
            (1, "error") => {
                if let Some(error) = self.page.errors.last_mut() {
                    text.clone_into(&mut error.message);
                }
            }
            (_, "resumptionToken") => {
                if let Some(mut token) = self.token.take() {
                    text.clone_into(&mut token.text);
                    self.page.token = Some(token);
                }
            }
            _ => {}
        }
    }

    fn response_date(&mut self, text: &str) {
        match Datestamp::parse(text) {
            Ok((datestamp, Granularity::Second)) => self.page.response_date = Some(datestamp),
            _ => {
                // With an offset, or a fraction, it still is one moment.
                let moment = text.parse::<jiff::Timestamp>().ok();
                self.page.response_date = moment.map(Datestamp::from);
                let message = format!("responseDate is {text:?}, expected YYYY-MM-DDThh:mm:ssZ");
                self.page.warnings.push(Warning::new("oai.response_date", message));
            }
        }
    }
}
