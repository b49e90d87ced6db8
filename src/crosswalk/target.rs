//! Targets: what `to` of a crosswalk says about the records that are written.
//!
//! A crosswalk writes JSON, an XML element, or a MARC record as MARCXML; `to.format` names the
//! format that these bytes are meant for, which must be one of that model.

mod check;
mod dress;
mod isbd;
mod linked;

use super::shape::{Buffers, Shape, Syntax};
use super::syntax::keys::{self, words};
use super::syntax::{File, Spanned};
use crate::formats::marc21::{Leader, Marc, marcxml};
use crate::formats::{DecodeError, FORMATS, Format, Model, SourceRecord, by_name, csv};
use crate::record::Warning;
use crate::xml;
use crate::xml::writer::push_attribute_value;
use crate::yaml::Checker;

pub(super) use check::check;
pub(super) use dress::{Dressed, dressed, extra_items, nodes_of, of_each};
pub use linked::Linked;

/// What a plan writes.
#[derive(Debug)]
pub struct Output {
    /// JSON, XML or MARC.
    pub model: Model,
    /// The format that `to.format` names, unless it names a model only.
    pub format: Option<&'static Format>,
    /// The columns of a table, by name and path, in the order of the rules.
    pub columns: Vec<csv::Column>,
    /// Fields of a MARC record stand in the order of their tags.
    pub by_tag: bool,
    /// Subfields of a MARC record are set off by punctuation.
    punctuates: bool,
    /// What stands before and behind a record.
    envelope: (String, String),
    /// The leader of a MARC record for which no rule gives one.
    leader: String,
}

impl Output {
    /// Reads `to` of a file; mistakes go to `check`.
    pub(super) fn of(file: &File, check: &mut Checker) -> Output {
        let (model, format) = model(file, check);
        let mut is_said = |given: &Option<Spanned<String>>, what, known| match given {
            Some(word) if words(known).any(|known| known == word.value) => true,
            Some(word) => {
                check.unknown("E0106", word.span, what, &word.value, words(known));
                false
            }
            None => false,
        };
        let by_tag = is_said(&file.to_sort, "order of a target", keys::SORTS);
        let punctuates = is_said(&file.to_punctuate, "punctuation", keys::PUNCTUATIONS);
        let leader = match &file.to_leader {
            Some(leader) if leader.value.len() == 24 && leader.value.is_ascii() => {
                leader.value.clone()
            }
            other => {
                if let Some(leader) = other {
                    let message = "a leader has 24 characters of ASCII";
                    check.error("E0103", leader.span, message);
                }
                Leader::DEFAULT.as_str().to_owned()
            }
        };
        let envelope = match model {
            Model::Json => <(String, String)>::default(),
            Model::Xml => xml_envelope(file, check),
            Model::Marc => {
                (format!("<record xmlns=\"{}\"", marcxml::NAMESPACE), "</record>".to_owned())
            }
        };
        let columns = match format {
            Some(format) if csv::is_table(format) => columns(file),
            _ => Vec::new(),
        };
        Output { model, format, columns, by_tag, punctuates, envelope, leader }
    }

    /// The syntax of its target paths.
    #[must_use]
    pub fn syntax(&self) -> Syntax {
        match self.model {
            Model::Json => Syntax::Json,
            Model::Xml => Syntax::Xml,
            Model::Marc => Syntax::Marc,
        }
    }

    /// Whether what is written can be written in `to`: every format of its model, unless
    /// `to.format` says what it is.
    #[must_use]
    pub fn leads_to(&self, to: &Format) -> bool {
        self.model == to.model && self.format.is_none_or(|format| format.leads_to(to))
    }

    /// Writes a whole record: canonical JSON, an XML element, or `<record>` of MARCXML.
    pub(super) fn write(&self, shape: &Shape, buffers: &Buffers, out: &mut Vec<u8>) {
        let (open, close) = &self.envelope;
        let whole = out.len();
        out.extend_from_slice(open.as_bytes());
        let start = out.len();
        shape.stitch(buffers, out);
        if self.model == Model::Marc && !shape.has_leader(buffers) {
            let leader = format!("><leader>{}</leader>", self.leader);
            out.splice(start..=start, leader.into_bytes());
        }
        out.extend_from_slice(close.as_bytes());
        if self.punctuates {
            punctuate(out, whole);
        }
    }

    /// Reads back what a run has written, to be written in any format of the same model.
    ///
    /// # Errors
    /// Those of the readers of XML and MARCXML: a value has no place where a rule put it.
    pub fn read_back(
        &self,
        bytes: &[u8],
        record: &mut SourceRecord,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), DecodeError> {
        let text = || String::from_utf8_lossy(bytes);
        match self.model {
            Model::Json => {
                let value = serde_json::from_slice(bytes);
                let value = value.map_err(|e| DecodeError::new("json.syntax", e.to_string()))?;
                *record = SourceRecord::Json(value);
            }
            Model::Xml => {
                let read = record.xml_mut().read(&text(), xml::Options::default(), warnings);
                read.map_err(|error| DecodeError::new(error.code, error.message))?;
            }
            Model::Marc => marcxml::read(&text(), record.marc_mut(), warnings)?,
        }
        Ok(())
    }
}

/// Sets off the subfields of the record that begins at `start`; one that nobody can read stays.
fn punctuate(out: &mut Vec<u8>, start: usize) {
    let text = String::from_utf8_lossy(out.get(start..).unwrap_or_default());
    let (mut marc, mut punctuated) = (Marc::default(), String::new());
    if marcxml::read(&text, &mut marc, &mut Vec::new()).is_ok() {
        marcxml::write(&isbd::punctuated(&marc), &mut punctuated);
        out.truncate(start);
        out.extend_from_slice(punctuated.as_bytes());
    }
}

fn model(file: &File, check: &mut Checker) -> (Model, Option<&'static Format>) {
    let word = file.to_format.value.as_str();
    match word {
        // The reader has said that nothing stands there.
        "json" | "" => return (Model::Json, None),
        "xml" => return (Model::Xml, None),
        "marc21" => return (Model::Marc, by_name("iso2709")),
        _ => {}
    }
    match by_name(word).filter(|format| format.writing.is_some()) {
        Some(format) => (format.model, Some(format)),
        None => {
            let written = FORMATS.iter().filter(|format| format.writing.is_some());
            let known = words(keys::TARGETS).chain(written.map(|format| format.name));
            check.unknown("E0106", file.to_format.span, "target format", word, known);
            (Model::Json, None)
        }
    }
}

fn xml_envelope(file: &File, check: &mut Checker) -> (String, String) {
    let Some(root) = &file.to_record else {
        let message = "a crosswalk to XML names its root element in `to.record`";
        check.error("E0102", file.to_format.span, message);
        return Default::default();
    };
    let mut open = format!("<{}", root.value);
    let mut push = |name: &str, value: &str| {
        open.extend([" ", name, "=\""]);
        push_attribute_value(&mut open, value);
        open.push('"');
    };
    for (prefix, namespace) in &file.to_namespaces {
        let colon = if prefix.is_empty() { "" } else { ":" };
        push(&format!("xmlns{colon}{prefix}"), namespace);
    }
    if let Some(location) = &file.to_schema_location {
        push("xmlns:xsi", xml::tree::XSI_NAMESPACE);
        push("xsi:schemaLocation", location);
    }
    (open, format!("</{}>", root.value))
}

fn columns(file: &File) -> Vec<csv::Column> {
    let mut paths: Vec<&str> = Vec::new();
    for to in file.rules.iter().filter_map(|rule| rule.to.as_ref()) {
        if !paths.contains(&to.value.as_str()) {
            paths.push(&to.value);
        }
    }
    let column = |path: &&str| csv::Column::new(path.trim_end_matches("[]"), path);
    paths.iter().filter_map(column).collect()
}
