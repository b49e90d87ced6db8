//! YAML nodes with their places, read by a strict YAML 1.2 parser.

use std::collections::HashMap;
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle};

use super::{Diagnostic, Diagnostics, SourceText};

/// A range of bytes in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// The file's number among those that are read together; 0 is the first.
    pub file: u16,
    /// First byte.
    pub start: usize,
    /// End (exclusive).
    pub end: usize,
}

/// One entry of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key's text.
    pub key: String,
    /// The key's place.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`, unquoted.
    Bool(bool),
    /// A whole number, unquoted.
    Int(i64),
    /// Any other scalar.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in file order.
    Map(Vec<Entry>),
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

impl Node {
    /// The value as JSON, for expectations and constants.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::from(*value),
            Kind::Int(value) => Value::from(*value),
            Kind::Text(text) => Value::from(text.as_str()),
            Kind::List(items) => items.iter().map(Node::to_json).collect(),
            Kind::Map(entries) => {
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect()
            }
        }
    }

    /// The word for its kind in messages.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "a boolean",
            Kind::Int(_) => "a number",
            Kind::Text(_) => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }
}

/// Reads one document.
///
/// # Errors
/// [`Diagnostics`] for a syntax error (the first; nothing after it is known), for duplicate keys,
/// keys that are not text, and more than one document.
pub fn parse(source: &Arc<SourceText>) -> Result<Node, Diagnostics> {
    parse_file(source, 0)
}

/// Reads one document of several that belong together; its spans have this file number.
///
/// # Errors
/// Those of [`parse`].
pub fn parse_file(source: &Arc<SourceText>, file: u16) -> Result<Node, Diagnostics> {
    let mut builder = Builder {
        source: Arc::clone(source),
        file,
        problems: Vec::new(),
        open: Vec::new(),
        anchors: HashMap::new(),
        roots: Vec::new(),
    };
    for event in Parser::new_from_str(&source.text) {
        match event {
            Ok((event, span)) => builder.take(event, builder.span(&span)),
            Err(error) => {
                let at = error.marker().byte_offset().unwrap_or(source.text.len());
                builder.problem("E0001", Span { file, start: at, end: at + 1 }, error.info());
                break;
            }
        }
    }
    if builder.roots.len() > 1 {
        let span = builder.roots.last().map_or_else(Span::default, |node| node.span);
        builder.problem("E0002", span, "a second document, expected one a file".to_owned());
    }
    if !builder.problems.is_empty() {
        return Err(Diagnostics(builder.problems));
    }
    Ok(builder.roots.pop().unwrap_or(Node { span: Span::default(), kind: Kind::Null }))
}

enum Open {
    List { span: Span, anchor: usize, items: Vec<Node> },
    Map { span: Span, anchor: usize, entries: Vec<Entry>, key: Option<(String, Span)> },
}

struct Builder {
    source: Arc<SourceText>,
    file: u16,
    problems: Vec<Diagnostic>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    roots: Vec<Node>,
}

impl Builder {
    fn span(&self, span: &granit_parser::Span) -> Span {
        let start = span.start.byte_offset().unwrap_or(0);
        let end = span.end.byte_offset().unwrap_or(start).min(self.source.text.len());
        Span { file: self.file, start, end: end.max(start) }
    }

    fn problem(&mut self, code: &'static str, span: Span, message: String) {
        let source = Arc::clone(&self.source);
        self.problems.push(Diagnostic { code, message, source, span, hint: None });
    }

    fn take(&mut self, event: Event<'_>, span: Span) {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let kind = scalar(&text, style);
                self.close(Node { span, kind }, anchor);
            }
            Event::SequenceStart(_, anchor, _) => {
                self.open.push(Open::List { span, anchor, items: Vec::new() });
            }
            Event::MappingStart(_, anchor, _) => {
                self.open.push(Open::Map { span, anchor, entries: Vec::new(), key: None });
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { span: start, anchor, items }) => {
                    let span = Span { start: start.start, ..span };
                    self.close(Node { span, kind: Kind::List(items) }, anchor);
                }
                Some(Open::Map { span: start, anchor, entries, .. }) => {
                    let span = Span { start: start.start, ..span };
                    self.close(Node { span, kind: Kind::Map(entries) }, anchor);
                }
                None => {}
            },
            Event::Alias(id) => match self.anchors.get(&id).cloned() {
                Some(node) => self.close(node, 0),
                None => self.problem("E0001", span, "an alias inside its own anchor".to_owned()),
            },
            _ => {}
        }
    }

    /// A node is whole: it becomes a list item, a mapping's key or value, or the root.
    fn close(&mut self, node: Node, anchor: usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.roots.push(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, .. }) => match key.take() {
                Some((key, key_span)) => entries.push(Entry { key, key_span, value: node }),
                None => {
                    let span = node.span;
                    let text = match node.kind {
                        Kind::Text(text) => text,
                        Kind::Int(number) => number.to_string(),
                        Kind::Bool(value) => value.to_string(),
                        _ => {
                            *key = Some((String::new(), span));
                            let found = node.kind_name();
                            return self.problem(
                                "E0003",
                                span,
                                format!("a key is {found}, expected text"),
                            );
                        }
                    };
                    // A plain number or boolean keeps its spelling: the key `00` is not `0`.
                    let spelled = self.source.text.get(span.start..span.end).unwrap_or(&text);
                    let text = if spelled.chars().all(|c| c.is_ascii_alphanumeric()) {
                        spelled.to_owned()
                    } else {
                        text
                    };
                    let double = entries.iter().any(|entry| entry.key == text);
                    *key = Some((text.clone(), span));
                    if double {
                        self.problem("E0004", span, format!("`{text}` stands here twice"));
                    }
                }
            },
        }
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Kind {
    if style != ScalarStyle::Plain {
        return Kind::Text(text.to_owned());
    }
    match text {
        "" | "~" | "null" => Kind::Null,
        "true" => Kind::Bool(true),
        "false" => Kind::Bool(false),
        _ => {
            // 007 and +1 are not how one writes a number that is meant as one.
            let digits = text.strip_prefix('-').unwrap_or(text);
            let plain = digits == "0" || !digits.starts_with(['0', '+']);
            match text.parse() {
                Ok(number) if plain => Kind::Int(number),
                _ => Kind::Text(text.to_owned()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Node, Diagnostics> {
        parse(&Arc::new(SourceText { name: "x.yaml".to_owned(), text: text.to_owned() }))
    }

    #[test]
    fn only_true_and_false_are_booleans_and_codes_stay_text() {
        let node = read("{a: no, b: true, c: 007, d: 7, e: '7', f: on, g: ~}").unwrap();
        let expected =
            serde_json::json!({"a":"no","b":true,"c":"007","d":7,"e":"7","f":"on","g":null});
        assert_eq!(node.to_json(), expected);
    }

    #[test]
    fn an_alias_repeats_its_anchor() {
        let node = read("a: &x [1, 2]\nb: *x\n").unwrap();
        assert_eq!(node.to_json(), serde_json::json!({"a":[1,2],"b":[1,2]}));
    }

    #[test]
    fn duplicate_keys_and_broken_syntax_are_shown_with_their_line() {
        let problems = read("a: 1\nb: 2\na: 3\n").unwrap_err();
        assert_eq!(problems.0.len(), 1);
        assert_eq!(problems.0[0].code, "E0004");
        assert_eq!(problems.0[0].source.line_column(problems.0[0].span.start), (3, 1));
        let broken = read("a: [1, 2\nb: 3\n").unwrap_err();
        assert_eq!(broken.0[0].code, "E0001");
    }

    #[test]
    fn a_span_covers_the_scalar() {
        let source = Arc::new(SourceText {
            name: "x".to_owned(),
            text: "é: { key: \"some text\" }\n".to_owned(),
        });
        let node = parse(&source).unwrap();
        let Kind::Map(entries) = &node.kind else { panic!("{node:?}") };
        let Kind::Map(inner) = &entries[0].value.kind else { panic!("{node:?}") };
        let span = inner[0].value.span;
        assert_eq!(source.text.get(span.start..span.end), Some("\"some text\""));
    }
}
