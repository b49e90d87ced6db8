//! The schemas that records may name: of a folder and embedded ones. None is ever fetched.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use thiserror::Error;

use super::{SchemaValidator, ValidateError, Violation};

/// Those that come with the program, by their `$id`.
const EMBEDDED: [(&str, &str); 1] = [(
    "local://records/record-v1.0.0.json",
    include_str!("../../crosswalks/schemas/record-v1.0.0.json"),
)];

/// Schemas by name: their `$id`, and for those of a folder `local://PATH`, relative to it.
#[derive(Debug)]
pub struct Registry {
    documents: BTreeMap<String, Arc<Value>>,
    compiled: Mutex<HashMap<String, Arc<SchemaValidator>>>,
}

/// Why a record cannot be judged by what it names, or does not fit it.
#[derive(Debug, Error)]
pub enum JudgementError {
    /// No schema has this name.
    #[error("schema {name:?} is unknown, expected one of {}", known.join(", "))]
    Unknown {
        /// What the record names.
        name: String,
        /// What it could have named.
        known: Vec<String>,
    },
    /// `$schema` is neither a name nor a schema.
    #[error("$schema is {0}, expected a schema's name or a schema")]
    Shape(String),
    /// The schema itself is none, or refers to one that is unknown.
    #[error("{0}")]
    Schema(#[from] ValidateError),
    /// The record does not fit.
    #[error("{}", violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid {
        /// In what.
        violations: Vec<Violation>,
    },
}

impl JudgementError {
    /// A stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            JudgementError::Unknown { .. } => "schema.unknown",
            JudgementError::Shape(_) => "schema.shape",
            JudgementError::Schema(error) => error.code(),
            JudgementError::Invalid { .. } => "schema",
        }
    }
}

impl Registry {
    /// The embedded schemas, and those of a folder and of the folders in it (`*.json`).
    ///
    /// # Errors
    /// [`ValidateError::Read`] and [`ValidateError::Syntax`], for the folder's files.
    pub fn load(folder: Option<&Path>) -> Result<Registry, ValidateError> {
        let mut documents = BTreeMap::new();
        for (name, text) in EMBEDDED {
            add(&mut documents, name, text.as_bytes(), None)?;
        }
        if let Some(folder) = folder {
            let mut folders = vec![folder.to_owned()];
            while let Some(next) = folders.pop() {
                let unread =
                    |source| ValidateError::Read { file: next.display().to_string(), source };
                for entry in std::fs::read_dir(&next).map_err(unread)? {
                    let path = entry.map_err(unread)?.path();
                    if path.is_dir() {
                        folders.push(path);
                    } else if path.extension().is_some_and(|extension| extension == "json") {
                        let local = path.strip_prefix(folder).unwrap_or(&path);
                        let parts: Vec<_> =
                            local.iter().map(|part| part.to_string_lossy()).collect();
                        let name = format!("local://{}", parts.join("/"));
                        let file = path.display().to_string();
                        let bytes = std::fs::read(&path)
                            .map_err(|source| ValidateError::Read { file: file.clone(), source })?;
                        add(&mut documents, &name, &bytes, Some(&file))?;
                    }
                }
            }
        }
        Ok(Registry { documents, compiled: Mutex::default() })
    }

    /// The names of all schemas.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.documents.keys().map(String::as_str).collect()
    }

    /// Judges a record by the schema that its `$schema` is or names; one without is not judged.
    ///
    /// # Errors
    /// [`JudgementError`].
    pub fn judge(&self, record: &Value) -> Result<(), JudgementError> {
        match record.get("$schema") {
            None => Ok(()),
            Some(Value::String(name)) => self.judge_by(name, record),
            Some(schema @ Value::Object(_)) => verdict(&self.compile("$schema", schema)?, record),
            Some(other) => Err(JudgementError::Shape(other.to_string())),
        }
    }

    /// Judges a record by the schema of this name.
    ///
    /// # Errors
    /// [`JudgementError`].
    pub fn judge_by(&self, name: &str, record: &Value) -> Result<(), JudgementError> {
        verdict(&*self.validator(name)?, record)
    }

    fn validator(&self, name: &str) -> Result<Arc<SchemaValidator>, JudgementError> {
        // An empty fragment names the document itself.
        let name = name.strip_suffix('#').unwrap_or(name);
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(validator) = compiled.get(name) {
            return Ok(Arc::clone(validator));
        }
        let Some(document) = self.documents.get(name) else {
            let known = self.documents.keys().cloned().collect();
            return Err(JudgementError::Unknown { name: name.to_owned(), known });
        };
        let validator = Arc::new(self.compile(name, document)?);
        compiled.insert(name.to_owned(), Arc::clone(&validator));
        Ok(validator)
    }

    fn compile(&self, name: &str, schema: &Value) -> Result<SchemaValidator, ValidateError> {
        let others = self.documents.iter().map(|(name, document)| (name.as_str(), &**document));
        SchemaValidator::compile(name, schema, others)
    }
}

fn verdict(validator: &SchemaValidator, record: &Value) -> Result<(), JudgementError> {
    match validator.check_value(record) {
        Ok(()) => Ok(()),
        Err(violations) => Err(JudgementError::Invalid { violations }),
    }
}

/// Notes a schema under its own name and under the one that its place gives it.
fn add(
    documents: &mut BTreeMap<String, Arc<Value>>,
    name: &str,
    bytes: &[u8],
    file: Option<&str>,
) -> Result<(), ValidateError> {
    let document = Arc::new(SchemaValidator::parse(file.unwrap_or(name), bytes)?);
    for key in ["$id", "id"] {
        if let Some(Value::String(own)) = document.get(key) {
            documents.insert(own.trim_end_matches('#').to_owned(), Arc::clone(&document));
        }
    }
    documents.insert(name.to_owned(), document);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn code(registry: &Registry, record: &Value) -> &'static str {
        registry.judge(record).map_or_else(|error| error.code(), |()| "fits")
    }

    #[test]
    fn a_record_is_judged_by_what_it_names_or_carries() {
        let registry = Registry::load(None).unwrap();
        let named = |title: Value| {
            let name = "local://records/record-v1.0.0.json";
            json!({"$schema": name, "id": "1", "metadata": {"title": title}})
        };
        assert_eq!(code(&registry, &named(json!("T"))), "fits");
        assert_eq!(code(&registry, &named(json!(1))), "schema");
        assert_eq!(code(&registry, &json!({"any": "thing"})), "fits");
        assert_eq!(code(&registry, &json!({"$schema": "https://example.org/x"})), "schema.unknown");
        assert_eq!(code(&registry, &json!({"$schema": 1})), "schema.shape");
        let own = json!({"required": ["title"]});
        assert_eq!(code(&registry, &json!({"$schema": own, "title": ""})), "fits");
        assert_eq!(code(&registry, &json!({"$schema": own})), "schema");
        let far = json!({"$ref": "https://example.org/far.json"});
        assert_eq!(code(&registry, &json!({"$schema": far})), "schema.compile");
        let unknown = registry.judge(&json!({"$schema": "x"})).unwrap_err().to_string();
        assert!(unknown.contains("\"x\"") && unknown.contains("record-v1.0.0.json"), "{unknown}");
    }

    #[test]
    fn schemas_of_a_folder_refer_to_each_other_by_name_and_by_place() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, schema: Value| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, schema.to_string()).unwrap();
        };
        write("parts/date.json", json!({"type": "string", "format": "date"}));
        write(
            "book.json",
            json!({
                "$id": "https://example.org/schemas/book.json",
                "properties": {"date": {"$ref": "local://parts/date.json"}},
            }),
        );
        write(
            "old.json",
            json!({
                "$schema": "http://json-schema.org/draft-04/schema#",
                "properties": {"book": {"$ref": "https://example.org/schemas/book.json"},
                    "pages": {"minimum": 0, "exclusiveMinimum": true}},
            }),
        );
        write("notes.txt", json!("not read"));
        let registry = Registry::load(Some(folder.path())).unwrap();
        let book = |name: &str, date: &str| json!({"$schema": name, "date": date});
        for name in ["local://book.json", "https://example.org/schemas/book.json"] {
            assert_eq!(code(&registry, &book(name, "2020-02-29")), "fits", "{name}");
            assert_eq!(code(&registry, &book(name, "2021-02-29")), "schema", "formats count");
        }
        let old = |pages: u32, date: &str| json!({"$schema": "local://old.json", "pages": pages, "book": {"date": date}});
        assert_eq!(code(&registry, &old(1, "2020-02-29")), "fits");
        assert_eq!(code(&registry, &old(0, "2020-02-29")), "schema", "draft 4");
        assert_eq!(code(&registry, &old(1, "May")), "schema");
        write("broken.json", json!({"$ref": "local://nowhere.json"}));
        let registry = Registry::load(Some(folder.path())).unwrap();
        assert_eq!(code(&registry, &json!({"$schema": "local://broken.json"})), "schema.compile");
        std::fs::write(folder.path().join("torn.json"), "{").unwrap();
        assert_eq!(Registry::load(Some(folder.path())).unwrap_err().code(), "schema.syntax");
    }
}
