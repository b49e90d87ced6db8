//! Target paths against the target's JSON Schema: a misspelled path is found before it is used.

use serde_json::Value;

use crate::yaml::suggest;

/// A schema whose properties can be followed.
#[derive(Debug)]
pub struct SchemaPaths {
    schema: Value,
}

/// A place in a schema.
#[derive(Debug, Clone, Copy)]
pub struct Place<'s> {
    schema: &'s Value,
    here: &'s Value,
}

/// A path that the schema does not have.
#[derive(Debug, PartialEq, Eq)]
pub struct PathError {
    /// What is not there.
    pub message: String,
    /// The nearest name that is.
    pub hint: Option<String>,
}

impl SchemaPaths {
    /// Takes over a schema.
    #[must_use]
    pub fn new(schema: Value) -> SchemaPaths {
        SchemaPaths { schema }
    }

    /// The record as a whole.
    #[must_use]
    pub fn root(&self) -> Place<'_> {
        Place { schema: &self.schema, here: &self.schema }
    }
}

impl<'s> Place<'s> {
    /// Where `metadata.creators[]` leads from here; `[]` is the list's item.
    ///
    /// # Errors
    /// [`PathError`] when the schema closes an object that lacks a name, or says list where the
    /// path says value or the other way round. What a schema leaves open is allowed.
    pub fn follow(self, path: &str) -> Result<Place<'s>, PathError> {
        let (names, many) = match path.strip_suffix("[]") {
            Some(names) => (names, true),
            None => (path, false),
        };
        let mut here = self.resolve(self.here);
        for name in names.split('.') {
            let properties = here.get("properties").and_then(Value::as_object);
            let closed = here.get("additionalProperties") == Some(&Value::Bool(false));
            here = match properties.and_then(|properties| properties.get(name)) {
                Some(below) => self.resolve(below),
                None if closed => {
                    let known = properties.into_iter().flat_map(|p| p.keys()).map(String::as_str);
                    let hint = suggest(name, known).map(|near| format!("did you mean `{near}`?"));
                    let message = format!("`{path}` is not in the target's schema");
                    return Err(PathError { message, hint });
                }
                None => return Ok(Place { schema: self.schema, here: &Value::Null }),
            };
        }
        let is_list = here.get("type").map(|kind| kind == "array");
        match (is_list, many) {
            (Some(true), false) => Err(PathError {
                message: format!("`{path}` is a list in the target's schema"),
                hint: Some(format!("write `{path}[]`")),
            }),
            (Some(false), true) => Err(PathError {
                message: format!("`{names}` is no list in the target's schema"),
                hint: Some(format!("write `{names}`")),
            }),
            (_, true) => {
                let item = here.get("items").map_or(&Value::Null, |items| self.resolve(items));
                Ok(Place { schema: self.schema, here: item })
            }
            (_, false) => Ok(Place { schema: self.schema, here }),
        }
    }

    /// The schema here, references followed.
    #[must_use]
    pub fn node(self) -> &'s Value {
        self.resolve(self.here)
    }

    /// Where names lead from here, be it a list or not; `None` where the schema does not say.
    #[must_use]
    pub fn at(self, path: &str) -> Option<Place<'s>> {
        let here = path.split('.').try_fold(self.node(), |here, name| {
            Some(self.resolve(here.get("properties")?.get(name)?))
        });
        here.map(|here| Place { schema: self.schema, here })
    }

    /// Follows `$ref` to a place in the same schema.
    fn resolve(self, mut node: &'s Value) -> &'s Value {
        for _ in 0..16 {
            let Some(pointer) = node.get("$ref").and_then(Value::as_str) else { return node };
            match pointer.strip_prefix('#').and_then(|pointer| self.schema.pointer(pointer)) {
                Some(target) => node = target,
                None => return &Value::Null,
            }
        }
        node
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_followed_through_refs_and_lists() {
        let schema = SchemaPaths::new(serde_json::json!({
            "properties": {
                "metadata": {"$ref": "#/$defs/metadata"},
                "open": {"type": "object"}
            },
            "additionalProperties": false,
            "$defs": {"metadata": {
                "type": "object",
                "properties": {"titles": {"type": "array", "items": {
                    "type": "object",
                    "properties": {"title": {"type": "string"}},
                    "additionalProperties": false
                }}},
                "additionalProperties": false
            }}
        }));
        let titles = schema.root().follow("metadata.titles[]").unwrap();
        assert!(titles.follow("title").is_ok());
        let error = titles.follow("titel").unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("did you mean `title`?"));
        assert!(schema.root().follow("metadata.titles").is_err());
        assert!(titles.follow("title[]").is_err());
        assert!(schema.root().follow("open.whatever").is_ok());
        assert!(schema.root().follow("metdata.titles[]").is_err());
    }
}
