//! The file as it is written: keys and their values with places, before anything is resolved.

mod extends;
mod json_schema;
pub mod keys;
mod read;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use json_schema::json_schema;
pub use read::{read, read_expectation, read_tests};

use crate::yaml::{SourceText, Span};

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

/// What to do with a value that is missing or fails.
#[derive(Debug, Clone, PartialEq)]
pub enum Policy {
    /// Goes on without the value.
    Ok,
    /// Goes on without the value and counts a warning.
    Warn,
    /// Drops the value; inside `map`, the object. Counted; with `true`, as a warning too.
    Skip(bool),
    /// Keeps the value as it was before the transform that failed.
    Keep,
    /// Holds the whole record.
    Quarantine,
    /// Stops the run.
    Fail,
    /// Takes this value instead.
    Default(String),
}

impl Policy {
    /// Its word.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Policy::Ok => "ok",
            Policy::Warn => "warn",
            Policy::Skip(_) => "skip",
            Policy::Keep => "keep",
            Policy::Quarantine => "quarantine",
            Policy::Fail => "fail",
            Policy::Default(_) => "default",
        }
    }
}

/// Which of several values.
#[derive(Debug, Clone, PartialEq)]
pub enum Take {
    /// The first.
    First,
    /// The last.
    Last,
    /// The first of the first selector that has any.
    FirstMatch,
    /// The one with the most characters.
    Longest,
    /// The smallest as text: of ISO dates, the earliest.
    Earliest,
    /// All of them.
    All,
    /// All, joined by a separator.
    AllJoined(String),
}

/// A rule, an item of `map`, a `let` binding: one shape for all.
#[derive(Debug, Clone, Default)]
pub struct Rule {
    /// Its name; items have none.
    pub id: String,
    /// Its place.
    pub span: Span,
    /// Target path.
    pub to: Option<Spanned<String>>,
    /// Selectors.
    pub from: Vec<Spanned<String>>,
    /// A constant instead of a selector.
    pub constant: Option<Spanned<serde_json::Value>>,
    /// An expression instead of a selector.
    pub expression: Option<Spanned<String>>,
    /// Condition.
    pub when: Option<Spanned<String>>,
    /// Bindings, in order.
    pub lets: Vec<(Spanned<String>, Rule)>,
    /// Cases, in order.
    pub cases: Vec<Case>,
    /// Items of the object that is built.
    pub map: Vec<Rule>,
    /// Further items, added to those of the case.
    pub set: Vec<Rule>,
    /// Which of several values.
    pub take: Option<Take>,
    /// Joins the subfields of one field.
    pub join: Option<String>,
    /// Values in the order in which the rule lists them, not the record's.
    pub listed: bool,
    /// The 880 that is linked to a field counts as a further field; where that is said.
    pub linked: Option<Span>,
    /// Transforms.
    pub pipe: Option<Spanned<String>>,
    /// Value when there is none.
    pub default: Option<Spanned<String>>,
    /// Policy for no value.
    pub on_missing: Option<Policy>,
    /// Policy for a failed transform.
    pub on_error: Option<Policy>,
    /// Leaves out repeated values.
    pub unique: Option<bool>,
    /// Attributes of the XML element, each a rule for its value.
    pub attrs: Vec<(Spanned<String>, Rule)>,
    /// Indicators of the MARC field, `_` for a blank.
    pub ind: Vec<Spanned<String>>,
    /// The MARC field in another script.
    pub linked_880: Option<Box<Linked880>>,
}

/// The 880 that is written beside a MARC field.
#[derive(Debug, Clone, Default)]
pub struct Linked880 {
    /// Its items.
    pub map: Vec<Rule>,
    /// What `$6` says about the script.
    pub script: Option<Rule>,
}

/// One case of a rule.
#[derive(Debug, Clone, Default)]
pub struct Case {
    /// Its place.
    pub span: Span,
    /// Condition; `None` is `else`.
    pub when: Option<Spanned<String>>,
    /// Target path.
    pub to: Option<Spanned<String>>,
    /// Items; empty takes the rule's.
    pub map: Vec<Rule>,
}

/// A table's declaration.
#[derive(Debug, Clone)]
pub struct TableDeclaration {
    /// Its name.
    pub name: Spanned<String>,
    /// File, relative to the crosswalk; or inline entries.
    pub content: TableContent,
    /// Key folding, as written.
    pub fold: Vec<Spanned<String>>,
    /// What a missing key becomes, as written.
    pub miss: Option<Spanned<String>>,
}

/// Where a table's entries are.
#[derive(Debug, Clone)]
pub enum TableContent {
    /// In a CSV or TSV file.
    File {
        /// Path, relative to the crosswalk.
        path: Spanned<String>,
        /// Key column.
        key: String,
        /// Value column.
        value: String,
    },
    /// In the crosswalk.
    Inline(Vec<(String, String)>),
    /// Another table of the crosswalk, keys and values exchanged.
    Inverse {
        /// That table.
        of: Spanned<String>,
        /// Which key a value leads back to, where several have it: value and key.
        pick: Vec<(String, String)>,
    },
}

/// An entry of `ignore`.
#[derive(Debug, Clone)]
pub struct Ignore {
    /// Selectors.
    pub from: Vec<Spanned<String>>,
}

/// What becomes of what no rule reads.
#[derive(Debug, Clone, PartialEq)]
pub enum Unmapped {
    /// It is counted.
    Report,
    /// The record is held.
    Quarantine,
    /// It is kept at this path of the output.
    Keep(Spanned<String>),
}

/// One test.
#[derive(Debug, Clone, Default)]
pub struct InlineTest {
    /// Its sentence.
    pub name: String,
    /// Its place.
    pub span: Span,
    /// Line MARC or JSON.
    pub input: TestInput,
    /// Path → expected value; other paths are free.
    pub expect: Vec<(Spanned<String>, serde_json::Value)>,
    /// The whole output.
    pub exact: Option<serde_json::Value>,
    /// What no rule reads, exactly: `650$9`.
    pub unmapped: Option<Vec<String>>,
    /// Rule and code that hold the record.
    pub quarantine: Option<(String, String)>,
    /// Rules and codes of the problems that policies dealt with, exactly.
    pub report: Option<Vec<ExpectedProblem>>,
    /// The OAI-PMH header: `identifier`, `datestamp`, `set_spec`.
    pub header: Vec<(String, String)>,
    /// Records there and back.
    pub roundtrip: Option<Roundtrip>,
}

/// The input of a test.
#[derive(Debug, Clone, Default)]
pub enum TestInput {
    /// Line MARC.
    Marc(String),
    /// A JSON document, or a row of a table.
    Json(serde_json::Value),
    /// An XML element.
    Xml(String),
    /// A record of a file, relative to the crosswalk: the first, or the one of this identifier.
    File(Spanned<String>, Option<String>),
    /// No input of its own: a test of records there and back.
    #[default]
    None,
}

/// Records there and back: through this crosswalk and one that leads back.
#[derive(Debug, Clone)]
pub struct Roundtrip {
    /// The crosswalk that leads back, relative to this one.
    pub with: Spanned<String>,
    /// Files of records, relative to the crosswalk; `*` in a name stands for any characters.
    pub corpus: Vec<Spanned<String>>,
    /// Paths of the source that may differ, positions left out.
    pub modulo: Vec<String>,
}

/// A problem that a test expects: of this rule, of this code.
pub type ExpectedProblem = (String, String);

/// A crosswalk file.
#[derive(Debug, Clone)]
pub struct File {
    /// The text it was read from.
    pub source: Arc<SourceText>,
    /// By file number the folder of each file that was read, its own first.
    pub folders: Vec<PathBuf>,
    /// `crosswalk:`
    pub name: String,
    /// `from.format`: `marc21`, `xml`, `json` or `csv`.
    pub from_format: Spanned<String>,
    /// `from.record`: the element that is the record.
    pub from_record: Option<Spanned<String>>,
    /// `from.ns`: each prefix with the namespaces that it stands for.
    pub from_namespaces: Vec<(String, Vec<String>)>,
    /// `to.format`: `json`, `xml`, `marc21`, or a format that is written.
    pub to_format: Spanned<String>,
    /// `to.schema`: JSON Schema, relative to the crosswalk.
    pub to_schema: Option<Spanned<String>>,
    /// `to.record`: the root element.
    pub to_record: Option<Spanned<String>>,
    /// `to.ns`: prefix and namespace.
    pub to_namespaces: Vec<(String, String)>,
    /// `to.schema_location`: the value of `xsi:schemaLocation`.
    pub to_schema_location: Option<String>,
    /// `to.leader`: the leader of a MARC record for which no rule gives one.
    pub to_leader: Option<Spanned<String>>,
    /// `to.sort`: `tag` for MARC fields in the order of their tags.
    pub to_sort: Option<Spanned<String>>,
    /// `to.punctuate`: `isbd` for punctuation between subfields.
    pub to_punctuate: Option<Spanned<String>>,
    /// `defaults.on_error`
    pub on_error: Option<Policy>,
    /// `defaults.unique`
    pub unique: bool,
    /// `tables:`
    pub tables: Vec<TableDeclaration>,
    /// `pipes:`
    pub pipes: Vec<(Spanned<String>, Spanned<String>)>,
    /// `rules:`
    pub rules: Vec<Rule>,
    /// `tombstone:`: rules for a deleted record that has nothing else to say.
    pub tombstone: Vec<Rule>,
    /// `ignore:`
    pub ignore: Vec<Ignore>,
    /// `unmapped:`
    pub unmapped: Unmapped,
    /// `tests:`
    pub tests: Vec<InlineTest>,
}

impl File {
    /// A path as the file that says it means it.
    #[must_use]
    pub fn resolve(&self, path: &Spanned<String>) -> PathBuf {
        let folder = self.folders.get(usize::from(path.span.file));
        folder.map_or(Path::new(""), PathBuf::as_path).join(&path.value)
    }
}
