//! JSON Schema 2020-12: a schema file compiled once, records checked as bytes.

use std::fmt;
use std::path::Path;

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;
use thiserror::Error;

use super::shortcut::Shortcut;
use crate::record::{ContentHash, canonical_json, content_hash};

/// More violations than these are not collected from one record.
pub const MAX_VIOLATIONS: usize = 20;

/// A message quotes what it found; a longer one is clipped to so many characters.
const MAX_MESSAGE_CHARS: usize = 300;

/// Why a schema cannot be used.
#[derive(Debug, Error)]
pub enum ValidateError {
    /// The file cannot be read.
    #[error("cannot read schema {file}: {source}")]
    Read {
        /// The file's path.
        file: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is not JSON.
    #[error("{file}:{line}:{column}: schema is not JSON: {message}")]
    Syntax {
        /// The file's path.
        file: String,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What was found and expected.
        message: String,
    },
    /// The JSON is no usable JSON Schema: a wrong keyword, or a reference that leads nowhere.
    #[error("schema {file} does not compile, at {path:?}: {message}")]
    Compile {
        /// The file's path.
        file: String,
        /// JSON pointer into the schema.
        path: String,
        /// What was found and expected.
        message: String,
    },
}

impl ValidateError {
    /// A stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            ValidateError::Read { .. } => "schema.read",
            ValidateError::Syntax { .. } => "schema.syntax",
            ValidateError::Compile { .. } => "schema.compile",
        }
    }
}

/// One way in which a record does not fit its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer to the place, `/metadata/creators/0/role`; empty for the whole record.
    pub path: String,
    /// What was found and expected.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "/" } else { &self.path };
        write!(f, "{path}: {}", self.message)
    }
}

/// A compiled schema, to be shared by all threads.
#[derive(Debug)]
pub struct SchemaValidator {
    validator: Validator,
    shortcut: Option<Shortcut>,
    hash: ContentHash,
}

impl SchemaValidator {
    /// Reads and compiles a schema file. Nothing is fetched from elsewhere.
    ///
    /// # Errors
    /// [`ValidateError`], which names the file, and line and column when it is not JSON.
    pub fn load(path: &Path) -> Result<SchemaValidator, ValidateError> {
        let file = path.display().to_string();
        match std::fs::read(path) {
            Ok(bytes) => SchemaValidator::from_json(&file, &bytes),
            Err(source) => Err(ValidateError::Read { file, source }),
        }
    }

    /// Compiles a schema; `file` is what errors call it.
    ///
    /// # Errors
    /// [`ValidateError::Syntax`] and [`ValidateError::Compile`].
    pub fn from_json(file: &str, bytes: &[u8]) -> Result<SchemaValidator, ValidateError> {
        let schema = SchemaValidator::parse(file, bytes)?;
        let mut validator = SchemaValidator::compile(file, &schema, [])?;
        validator.hash = content_hash(bytes);
        Ok(validator)
    }

    /// Reads a schema.
    pub(super) fn parse(file: &str, bytes: &[u8]) -> Result<Value, ValidateError> {
        serde_json::from_slice(bytes).map_err(|error| ValidateError::Syntax {
            file: file.to_owned(),
            line: error.line(),
            column: error.column(),
            message: without_position(&error),
        })
    }

    /// Compiles a schema that may refer to others, which have these names.
    pub(super) fn compile<'s>(
        file: &str,
        schema: &Value,
        others: impl IntoIterator<Item = (&'s str, &'s Value)>,
    ) -> Result<SchemaValidator, ValidateError> {
        let broken = |path: String, message: String| ValidateError::Compile {
            file: file.to_owned(),
            path,
            message: clip(&message),
        };
        let registry = jsonschema::Registry::new()
            .extend(others)
            .and_then(jsonschema::RegistryBuilder::prepare)
            .map_err(|error| broken(String::new(), error.to_string()))?;
        // The linear-time regex engine: a schema can be anyone's, and so can the data.
        let validator = jsonschema::options()
            .with_registry(&registry)
            .with_pattern_options(PatternOptions::regex())
            .should_validate_formats(true)
            .should_ignore_unknown_formats(false)
            .offline()
            .build(schema)
            .map_err(|error| broken(error.instance_path().to_string(), error.to_string()))?;
        let shortcut = Shortcut::compile(schema);
        let hash = content_hash(&canonical_json(schema));
        Ok(SchemaValidator { validator, shortcut, hash })
    }

    /// Hash of the schema's bytes.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        self.hash
    }

    /// Checks one record, as JSON text; at most [`MAX_VIOLATIONS`] are told.
    ///
    /// # Errors
    /// Every violation; one with an empty path when the bytes are not JSON (RFC 8259) or nest
    /// deeper than 128.
    pub fn check(&self, json: &[u8]) -> Result<(), Vec<Violation>> {
        if let (Some(shortcut), Ok(text)) = (&self.shortcut, simdutf8::basic::from_utf8(json))
            && shortcut.is_surely_valid(text)
        {
            return Ok(());
        }
        let value: Value = serde_json::from_slice(json).map_err(|error| {
            vec![Violation { path: String::new(), message: format!("not JSON: {error}") }]
        })?;
        self.check_value(&value)
    }

    /// Checks one record; at most [`MAX_VIOLATIONS`] are told.
    ///
    /// # Errors
    /// Every violation.
    pub fn check_value(&self, value: &Value) -> Result<(), Vec<Violation>> {
        let violations: Vec<Violation> = self
            .validator
            .iter_errors(value)
            .take(MAX_VIOLATIONS)
            .map(|error| Violation {
                path: error.instance_path().to_string(),
                message: clip(&error.to_string()),
            })
            .collect();
        if violations.is_empty() { Ok(()) } else { Err(violations) }
    }
}

fn clip(message: &str) -> String {
    match message.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", message.get(..end).unwrap_or_default()),
        None => message.to_owned(),
    }
}

/// The message without the " at line 1 column 2" that the fields tell already.
fn without_position(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rfind(" at line ") {
        Some(at) => message.get(..at).unwrap_or_default().to_owned(),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record_schema() -> SchemaValidator {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/crosswalks/schemas/record-v1.0.0.json");
        SchemaValidator::load(Path::new(path)).unwrap()
    }

    const FULL: &str = r#"{"collections":["Books","Theses"],"id":"1","metadata":{
        "additional_descriptions":[{"description":"Series; 4","type":{"id":"series-information"}}],
        "additional_titles":[{"title":"Other","type":{"id":"subtitle"},"lang":{"id":"deu"}}],
        "contributors":[{"person_or_org":{"name":"Acme","type":"organizational"},
          "role":{"id":"sponsor"}}],
        "creators":[{"affiliations":[{"name":"CERN"}],"person_or_org":{"family_name":"Doe",
          "given_name":"Jane","identifiers":[{"identifier":"0000-0002-1825-0097",
          "scheme":"orcid"}],"name":"Doe, Jane","type":"personal"},"role":{"id":"author"}}],
        "dates":[{"date":"1999/2001","type":{"id":"other"}}],"description":"About",
        "identifiers":[{"identifier":"10.1/x","scheme":"doi"}],"languages":[{"id":"eng"}],
        "publication_date":"1999-05","publisher":"P",
        "related_identifiers":[{"identifier":"1","relation_type":{"id":"ispartof"}}],
        "resource_type":{"id":"publication-book"},"rights":[{"link":"https://x.org/a"}],
        "sizes":["3 p."],"subjects":[{"subject":"Physics","scheme":"lcsh"}],
        "title":"T \u00e9","version":"2nd ed."}}"#;

    #[test]
    fn a_record_with_every_field_is_valid_the_long_way_and_the_short_way() {
        assert_eq!(record_schema().check(FULL.as_bytes()), Ok(()));
        let value: Value = serde_json::from_str(FULL).unwrap();
        let canonical = String::from_utf8(canonical_json(&value)).unwrap();
        assert!(record_schema().shortcut.unwrap().is_surely_valid(&canonical));
    }

    #[test]
    fn every_violation_is_told_with_its_place() {
        let json = br#"{"id":"","metadata":{"title":"T","languages":[{"id":"en"}],"x":1,
            "creators":[{"person_or_org":{"name":"A","type":"robot"}}],
            "rights":[{"link":"not a link"}]}}"#;
        let violations = record_schema().check(json).unwrap_err();
        let mut paths: Vec<_> = violations.iter().map(|violation| &*violation.path).collect();
        paths.sort_unstable();
        assert_eq!(
            paths,
            [
                "/id",
                "/metadata",
                "/metadata/creators/0/person_or_org/type",
                "/metadata/languages/0/id",
                "/metadata/rights/0/link"
            ]
        );
    }

    #[test]
    fn publication_dates_are_edtf() {
        let schema = record_schema();
        let valid = |date: &str| {
            let json =
                format!(r#"{{"id":"1","metadata":{{"title":"T","publication_date":"{date}"}}}}"#);
            schema.check(json.as_bytes()).is_ok()
        };
        for good in ["1999", "1999?", "19XX", "199X~", "1999/2001", "1999/..", "2001-02-03"] {
            assert!(valid(good), "{good}");
        }
        for bad in ["", "99", "c1999", "[1999]", "1999-", "May 1999", "2001-2-3"] {
            assert!(!valid(bad), "{bad}");
        }
    }

    #[test]
    fn violations_are_capped_and_messages_clipped() {
        let names: Vec<String> = (0..99).map(|n| format!(r#"{{"id":"{n}"}}"#)).collect();
        let long = "x".repeat(5000);
        let json = format!(
            r#"{{"id":"1","metadata":{{"title":["{long}"],"languages":[{}]}}}}"#,
            names.join(",")
        );
        let violations = record_schema().check(json.as_bytes()).unwrap_err();
        assert_eq!(violations.len(), MAX_VIOLATIONS);
        assert!(violations.iter().all(|violation| violation.message.chars().count() <= 301));
    }

    #[test]
    fn what_is_not_json_is_one_violation_of_the_whole() {
        let violations = record_schema().check(b"{\"id\":").unwrap_err();
        assert_eq!(violations.len(), 1);
        assert_eq!(violations[0].path, "");
    }

    #[test]
    fn a_schema_that_cannot_be_used_is_an_error_that_names_the_file() {
        let code = |bytes: &[u8]| {
            let error = SchemaValidator::from_json("s.json", bytes).unwrap_err();
            (error.code(), error.to_string())
        };
        let (syntax, message) = code(b"{\n  \"type\": }");
        assert_eq!(syntax, "schema.syntax");
        assert!(message.starts_with("s.json:2:11: "), "{message}");
        for bad in [
            &br#"{"type": "strnig"}"#[..],
            br##"{"$ref": "#/$defs/missing"}"##,
            br#"{"$ref": "https://example.org/other.json"}"#,
            br#"{"pattern": "("}"#,
        ] {
            let (compile, message) = code(bad);
            assert_eq!(compile, "schema.compile", "{message}");
        }
        let missing = SchemaValidator::load(Path::new("no-such-schema.json")).unwrap_err();
        assert_eq!(missing.code(), "schema.read");
        assert!(missing.to_string().contains("no-such-schema.json"));
    }
}
