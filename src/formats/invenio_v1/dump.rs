//! A record of the dump, typed: what a migration asks of it, checked when it is read.

use serde_json::{Map, Value};

use crate::formats::DecodeError;
use crate::json::value::clip;
use crate::record::Warning;

const RECORD_KEYS: &[&str] = &["collections", "creation_date", "files", "recid", "record"];
const REVISION_KEYS: &[&str] = &["json", "marcxml", "modification_datetime"];
const FILE_KEYS: &[&str] = &[
    "bibdocid",
    "checksum",
    "comment",
    "copyright",
    "creation_date",
    "description",
    "encoding",
    "etag",
    "flags",
    "format",
    "full_name",
    "full_path",
    "hidden",
    "license",
    "magic",
    "mime",
    "modification_date",
    "name",
    "path",
    "recid",
    "recids_doctype",
    "size",
    "status",
    "subformat",
    "superformat",
    "type",
    "url",
    "version",
];

/// One record of a dump.
#[derive(Debug, Clone, PartialEq)]
pub struct Dump<'v> {
    /// The record's number.
    pub recid: u64,
    /// When the record was made, `YYYY-MM-DD HH:MM:SS` without a zone, where the dump says so.
    pub creation_date: Option<&'v str>,
    /// Oldest first; none when nothing but the number is left, or nothing but files changed.
    pub revisions: Vec<Revision<'v>>,
    /// All versions of all files; some only, if the dump was made for changes since a date.
    pub files: Vec<File<'v>>,
    /// Entries among the files that make no file.
    pub broken: Vec<Broken<'v>>,
    /// The collections that the record was in when it was dumped.
    pub collections: Collections<'v>,
    /// The same as it stands in the dump; null when it does not say.
    pub collections_value: &'v Value,
}

/// An entry among the files of a record that cannot be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Broken<'v> {
    /// Its number in the list, from 1.
    pub number: usize,
    /// What stands there.
    pub value: &'v Value,
    /// What is wrong with it: `invenio_v1.type`.
    pub error: DecodeError,
}

/// One revision of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Revision<'v> {
    /// When it was made: ISO 8601 with a zone.
    pub modification_datetime: &'v str,
    /// The record as MARCXML, without namespace and often without leader.
    pub marcxml: Option<&'v str>,
    /// The record as JSON, when the dump was made `--with-json`.
    pub json: Option<&'v Value>,
}

/// One version of a file in one format.
#[derive(Debug, Clone, PartialEq)]
pub struct File<'v> {
    /// The number of the document whose version this is.
    pub bibdocid: u64,
    /// From 1.
    pub version: u64,
    /// Name with extension: the key in the record's bucket.
    pub full_name: &'v str,
    /// Where the bytes lie on the host that was dumped.
    pub full_path: &'v str,
    /// In bytes.
    pub size: u64,
    /// MD5, in hexadecimal without a prefix.
    pub checksum: &'v str,
    /// Empty for a file that is open; `restricted`, `DELETED`, or who may see it.
    pub status: &'v str,
    /// Whether it is shown to no one.
    pub hidden: bool,
    /// All keys.
    pub object: &'v Map<String, Value>,
    /// The entry as it stands in the list.
    pub value: &'v Value,
}

/// Collections, in the three shapes that dumps have them in.
#[derive(Debug, Clone, PartialEq)]
pub enum Collections<'v> {
    /// The dump does not say.
    Unknown,
    /// Their names.
    Names(Vec<&'v str>),
    /// Their names, and who may see those that are restricted.
    WithRestrictions {
        /// All of them.
        names: Vec<&'v str>,
        /// By name: `fireroles` and `users`.
        restricted: Option<&'v Map<String, Value>>,
    },
}

impl<'v> Dump<'v> {
    /// The record that `value` holds; warns once of the keys that no dump is known to have
    /// (`invenio_v1.unknown_key`).
    ///
    /// # Errors
    /// `invenio_v1.recid` for what is no record; `invenio_v1.type` names the key whose value is
    /// missing or of another type. Of a file that is [`Broken::error`].
    pub fn read(value: &'v Value, warnings: &mut Vec<Warning>) -> Result<Dump<'v>, DecodeError> {
        let mut unknown = Vec::new();
        let control_number = || {
            value
                .get("recid")
                .map(|recid| recid.as_str().map_or_else(|| recid.to_string(), str::to_owned))
        };
        let mut dump = Dump::of(value, &mut unknown, warnings).map_err(|mut error| {
            error.control_number = control_number();
            error
        })?;
        for broken in &mut dump.broken {
            broken.error.control_number = control_number();
        }
        if !unknown.is_empty() {
            unknown.sort_unstable();
            unknown.dedup();
            let message = format!("keys of no meaning: {}", unknown.join(", "));
            warnings.push(Warning::new("invenio_v1.unknown_key", message));
        }
        Ok(dump)
    }

    fn of(
        value: &'v Value,
        unknown: &mut Vec<String>,
        warnings: &mut Vec<Warning>,
    ) -> Result<Dump<'v>, DecodeError> {
        let record = Keys::of(value, String::new())?;
        let recid = match record.get("recid") {
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => {
                let message = "recid is a text, expected a number";
                warnings.push(Warning::new("invenio_v1.recid", message));
                text.parse().ok()
            }
            _ => None,
        };
        let Some(recid) = recid else {
            let message = "no number `recid`, expected a record of Invenio v1";
            return Err(DecodeError::new("invenio_v1.recid", message));
        };
        record.note_unknown(RECORD_KEYS, unknown);
        let mut revisions = Vec::new();
        for (index, value) in record.list("record")?.iter().enumerate() {
            let revision = Keys::of(value, format!("record[{index}]"))?;
            revision.note_unknown(REVISION_KEYS, unknown);
            revisions.push(Revision {
                modification_datetime: revision.text("modification_datetime")?,
                marcxml: revision.optional_text("marcxml")?,
                json: revision.get("json"),
            });
        }
        let (mut files, mut broken) = (Vec::new(), Vec::new());
        for (index, value) in record.list("files")?.iter().enumerate() {
            let read = Keys::of(value, format!("files[{index}]")).and_then(|file| {
                file.note_unknown(FILE_KEYS, unknown);
                File::of(&file, value)
            });
            match read {
                Ok(file) => files.push(file),
                Err(error) => broken.push(Broken { number: index + 1, value, error }),
            }
        }
        Ok(Dump {
            recid,
            creation_date: record.optional_text("creation_date")?,
            revisions,
            files,
            broken,
            collections: Collections::of(&record)?,
            collections_value: record.get("collections").unwrap_or(&Value::Null),
        })
    }
}

impl<'v> File<'v> {
    fn of(file: &Keys<'v>, value: &'v Value) -> Result<File<'v>, DecodeError> {
        Ok(File {
            bibdocid: file.number("bibdocid")?,
            version: file.number("version")?,
            full_name: file.text("full_name")?,
            full_path: file.text("full_path")?,
            size: file.number("size")?,
            checksum: file.text("checksum")?,
            status: file.optional_text("status")?.unwrap_or_default(),
            hidden: match file.get("hidden") {
                None => false,
                Some(Value::Bool(hidden)) => *hidden,
                Some(other) => return Err(file.wrong("hidden", "true or false", Some(other))),
            },
            object: file.object,
            value,
        })
    }
}

impl<'v> Collections<'v> {
    fn of(record: &Keys<'v>) -> Result<Collections<'v>, DecodeError> {
        match record.get("collections") {
            None => Ok(Collections::Unknown),
            Some(Value::Object(object)) => {
                let keys = Keys { object, path: "collections".to_owned() };
                let names = keys.texts("all")?;
                let restricted = match keys.get("restricted") {
                    None => None,
                    Some(Value::Object(restricted)) => Some(restricted),
                    other => return Err(keys.wrong("restricted", "an object", other)),
                };
                Ok(Collections::WithRestrictions { names, restricted })
            }
            Some(_) => Ok(Collections::Names(record.texts("collections")?)),
        }
    }
}

// An object, and where it stands.
struct Keys<'v> {
    object: &'v Map<String, Value>,
    path: String,
}

impl<'v> Keys<'v> {
    fn of(value: &'v Value, path: String) -> Result<Keys<'v>, DecodeError> {
        match value {
            Value::Object(object) => Ok(Keys { object, path }),
            other => Err(wrong(&path, "an object", Some(other))),
        }
    }

    // Null is as good as absent.
    fn get(&self, key: &str) -> Option<&'v Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    fn place(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn wrong(&self, key: &str, expected: &str, found: Option<&Value>) -> DecodeError {
        wrong(&self.place(key), expected, found)
    }

    fn optional_text(&self, key: &str) -> Result<Option<&'v str>, DecodeError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            other => Err(self.wrong(key, "a text", other)),
        }
    }

    fn text(&self, key: &str) -> Result<&'v str, DecodeError> {
        self.optional_text(key)?.ok_or_else(|| self.wrong(key, "a text", None))
    }

    fn number(&self, key: &str) -> Result<u64, DecodeError> {
        let number = self.get(key).and_then(Value::as_u64);
        number.ok_or_else(|| self.wrong(key, "a number", self.get(key)))
    }

    fn list(&self, key: &str) -> Result<&'v [Value], DecodeError> {
        match self.get(key) {
            None => Ok(&[]),
            Some(Value::Array(list)) => Ok(list),
            other => Err(self.wrong(key, "a list", other)),
        }
    }

    fn texts(&self, key: &str) -> Result<Vec<&'v str>, DecodeError> {
        let text = |(index, value): (usize, &'v Value)| {
            let place = || format!("{}[{index}]", self.place(key));
            value.as_str().ok_or_else(|| wrong(&place(), "a text", Some(value)))
        };
        self.list(key)?.iter().enumerate().map(text).collect()
    }

    fn note_unknown(&self, known: &[&str], unknown: &mut Vec<String>) {
        let (path, _) = self.path.split_once('[').unwrap_or((&self.path, ""));
        for key in self.object.keys().filter(|key| !known.contains(&key.as_str())) {
            unknown.push(if path.is_empty() { key.clone() } else { format!("{path}[].{key}") });
        }
    }
}

fn wrong(place: &str, expected: &str, found: Option<&Value>) -> DecodeError {
    let found = found.map_or("nothing".to_owned(), |found| clip(&found.to_string()));
    let message = format!("{place} is {found}, expected {expected}");
    DecodeError::new("invenio_v1.type", message)
}
