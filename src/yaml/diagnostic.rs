//! Mistakes in files that people write, shown with the line they are in.

use std::fmt;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::Span;

/// A file's name and text, shared by all that points into it.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceText {
    /// The name that messages show.
    pub name: String,
    /// Its whole text.
    pub text: String,
}

impl SourceText {
    /// Line and column (in characters) of a byte offset, both from 1.
    #[must_use]
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, column)
    }
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable code, `E0203`.
    pub code: &'static str,
    /// What was found and what was expected.
    pub message: String,
    /// The file it is in.
    pub source: Arc<SourceText>,
    /// Where in the file.
    pub span: Span,
    /// What to do about it: ``did you mean `trim_isbd`?``
    pub hint: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.source.text.len();
        let span = self.span.start.min(end)..self.span.end.min(end).max(self.span.start.min(end));
        let annotation = AnnotationKind::Primary.span(span);
        let annotation = match &self.hint {
            Some(hint) => annotation.label(hint.as_str()),
            None => annotation,
        };
        let snippet =
            Snippet::source(&self.source.text).path(&self.source.name).annotation(annotation);
        let report = &[Level::ERROR.primary_title(&self.message).id(self.code).element(snippet)];
        f.write_str(&Renderer::plain().render(report))
    }
}

/// All mistakes of one reading, in the order they were found. As an error it is never empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in &self.0 {
            writeln!(f, "{diagnostic}")?;
        }
        let plural = if self.0.len() == 1 { "" } else { "s" };
        write!(f, "{} error{plural}", self.0.len())
    }
}

impl std::error::Error for Diagnostics {}
