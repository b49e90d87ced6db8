//! Reading nodes with complaints: every accessor reports what it did not expect and goes on.

use std::sync::Arc;

use super::{Diagnostic, Diagnostics, Entry, Kind, Node, SourceText, Span};

/// So many words are told where none is like the one that was found.
const FEW: usize = 12;

/// Collects the mistakes of one file, or of several that are read together.
pub struct Checker {
    /// By the number that spans have.
    sources: Vec<Arc<SourceText>>,
    problems: Vec<Diagnostic>,
}

/// A mapping whose keys have been checked.
#[derive(Clone, Copy)]
pub struct Fields<'n> {
    /// The mapping's place.
    pub span: Span,
    entries: &'n [Entry],
}

impl<'n> Fields<'n> {
    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// All entries in file order.
    #[must_use]
    pub fn entries(&self) -> &'n [Entry] {
        self.entries
    }
}

/// The candidate that `word` is most likely a misspelling of.
#[must_use]
pub fn suggest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let worth = word.chars().count().div_ceil(3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= worth)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

impl Checker {
    /// A checker of this file.
    #[must_use]
    pub fn new(source: &Arc<SourceText>) -> Checker {
        Checker { sources: vec![Arc::clone(source)], problems: Vec::new() }
    }

    /// Takes in another file; its number, for [`super::parse_file`].
    pub fn add(&mut self, source: &Arc<SourceText>) -> u16 {
        self.sources.push(Arc::clone(source));
        u16::try_from(self.sources.len() - 1).unwrap_or(u16::MAX)
    }

    /// All files, the first one first.
    #[must_use]
    pub fn sources(&self) -> &[Arc<SourceText>] {
        &self.sources
    }

    /// The text from the start of a span on.
    #[must_use]
    pub fn text_from(&self, span: Span) -> &str {
        let source = self.sources.get(usize::from(span.file));
        source.and_then(|source| source.text.get(span.start..)).unwrap_or_default()
    }

    /// Notes the mistakes that another reading found.
    pub fn absorb(&mut self, mistakes: Diagnostics) {
        self.problems.extend(mistakes.0);
    }

    /// Notes a mistake.
    pub fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>) {
        self.error_with_hint(code, span, message, None);
    }

    /// Notes a mistake and what to do about it.
    pub fn error_with_hint(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        let source = self.sources.get(usize::from(span.file)).or(self.sources.first());
        let Some(source) = source.map(Arc::clone) else { return };
        self.problems.push(Diagnostic { code, message: message.into(), source, span, hint });
    }

    /// Notes a word that is none of the known ones, with the nearest as a suggestion, or with all
    /// of them where they are few.
    pub fn unknown<'c>(
        &mut self,
        code: &'static str,
        span: Span,
        what: &str,
        word: &str,
        known: impl IntoIterator<Item = &'c str>,
    ) {
        let known: Vec<&str> = known.into_iter().collect();
        let hint = match suggest(word, known.iter().copied()) {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None if (1..=FEW).contains(&known.len()) => {
                Some(format!("known: `{}`", known.join("`, `")))
            }
            None => None,
        };
        self.error_with_hint(code, span, format!("unknown {what} `{word}`"), hint);
    }

    /// The line in which a span begins, from 1.
    #[must_use]
    pub fn line(&self, span: Span) -> usize {
        let source = self.sources.get(usize::from(span.file));
        source.map_or(1, |source| source.line_column(span.start).0)
    }

    /// Whether anything was noted so far.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Everything that was noted, file by file in the order of the file.
    pub fn finish<T>(mut self, value: T) -> Result<T, Diagnostics> {
        if self.problems.is_empty() {
            return Ok(value);
        }
        self.problems.sort_by_key(|problem| (problem.span.file, problem.span.start));
        Err(Diagnostics(self.problems))
    }

    /// A mapping with only these keys; anything else is noted and reads as empty.
    pub fn fields<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> Fields<'n> {
        let fields = self.mapping(node, what);
        for entry in fields.entries {
            if !known.contains(&entry.key.as_str()) {
                self.unknown("E0101", entry.key_span, "key", &entry.key, known.iter().copied());
            }
        }
        fields
    }

    /// A mapping with any keys.
    pub fn mapping<'n>(&mut self, node: &'n Node, what: &str) -> Fields<'n> {
        match &node.kind {
            Kind::Map(entries) => Fields { span: node.span, entries },
            _ => {
                self.wrong_type(node, what, "a mapping");
                Fields { span: node.span, entries: &[] }
            }
        }
    }

    /// A key that must be there.
    pub fn required<'n>(&mut self, fields: Fields<'n>, key: &str, what: &str) -> Option<&'n Node> {
        let node = fields.get(key);
        if node.is_none() {
            self.error("E0102", fields.span, format!("{what} has no `{key}`"));
        }
        node
    }

    /// Text; a number or boolean counts as the text it is written as.
    pub fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        match &node.kind {
            Kind::Text(text) => Some(text.clone()),
            Kind::Int(number) => Some(number.to_string()),
            Kind::Bool(value) => Some(value.to_string()),
            _ => {
                self.wrong_type(node, what, "text");
                None
            }
        }
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        match node.kind {
            Kind::Bool(value) => Some(value),
            _ => {
                self.wrong_type(node, what, "true or false");
                None
            }
        }
    }

    /// A whole number, 0 or more.
    pub fn number(&mut self, node: &Node, what: &str) -> Option<u64> {
        match node.kind {
            Kind::Int(number) if number >= 0 => number.try_into().ok(),
            _ => {
                self.wrong_type(node, what, "a whole number, 0 or more");
                None
            }
        }
    }

    /// A list.
    pub fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.kind {
            Kind::List(items) => items,
            _ => {
                self.wrong_type(node, what, "a list");
                &[]
            }
        }
    }

    /// A list, or one thing that stands for a list of itself.
    #[must_use]
    pub fn one_or_many<'n>(&self, node: &'n Node) -> &'n [Node] {
        match &node.kind {
            Kind::List(items) => items,
            _ => std::slice::from_ref(node),
        }
    }

    fn wrong_type(&mut self, node: &Node, what: &str, expected: &str) {
        let found = node.kind_name();
        self.error("E0103", node.span, format!("{what} is {found}, expected {expected}"));
    }
}
