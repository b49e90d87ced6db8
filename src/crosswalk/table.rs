//! Lookup tables: CSV, TSV or inline; every key once, found by its folded form.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::account::KeyHasher;
use super::transforms::text;

/// How keys are made alike before they are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// Lower case.
    Lower,
    /// No white space at either end.
    Trim,
    /// No full stop, comma, colon or semicolon at the end.
    RstripDot,
}

impl Fold {
    /// The words of the language.
    pub const NAMES: &'static [(&'static str, Fold)] =
        &[("lower", Fold::Lower), ("rstrip_dot", Fold::RstripDot), ("trim", Fold::Trim)];

    fn apply<'t>(self, text: Cow<'t, str>) -> Cow<'t, str> {
        let fold: fn(&str) -> Cow<'_, str> = match self {
            Fold::Lower => text::lower,
            Fold::Trim => text::trim,
            Fold::RstripDot => {
                |text| Cow::Borrowed(text.trim_end().trim_end_matches(['.', ',', ':', ';']))
            }
        };
        match text {
            Cow::Borrowed(text) => fold(text),
            Cow::Owned(text) => Cow::Owned(fold(&text).into_owned()),
        }
    }
}

/// What a key that is not there becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Miss {
    /// An error, `lookup.miss`, handled by `on_error`.
    Error,
    /// No value.
    Null,
    /// The value as it was.
    Keep,
}

impl Miss {
    /// The words of the language.
    pub const NAMES: &'static [(&'static str, Miss)] =
        &[("error", Miss::Error), ("keep", Miss::Keep), ("null", Miss::Null)];
}

/// A loaded table.
#[derive(Debug, Clone)]
pub struct Table {
    values: HashMap<String, String, BuildHasherDefault<KeyHasher>>,
    fold: Vec<Fold>,
    /// What a missing key becomes.
    pub miss: Miss,
}

impl Table {
    /// A table of these entries.
    ///
    /// # Errors
    /// The keys that are the same after folding but have different values.
    pub fn new(
        entries: impl IntoIterator<Item = (String, String)>,
        fold: Vec<Fold>,
        miss: Miss,
    ) -> Result<Table, Vec<String>> {
        let mut table = Table { values: HashMap::default(), fold, miss };
        let mut doubles = Vec::new();
        for (key, value) in entries {
            let folded = table.folded(&key).into_owned();
            match table.values.get(&folded) {
                Some(first) if *first != value => doubles.push(key),
                _ => {
                    table.values.insert(folded, value);
                }
            }
        }
        if doubles.is_empty() { Ok(table) } else { Err(doubles) }
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        // Most keys are folded already: one look is enough.
        if let Some(value) = self.values.get(key) {
            return Some(value);
        }
        let folded = self.folded(key);
        if folded == key { None } else { self.values.get(folded.as_ref()).map(String::as_str) }
    }

    fn folded<'t>(&self, key: &'t str) -> Cow<'t, str> {
        self.fold.iter().fold(Cow::Borrowed(key), |key, fold| fold.apply(key))
    }
}

/// Two columns of a CSV or TSV text with a header row.
///
/// # Errors
/// A message that names the missing column or the broken row.
pub fn read_columns(
    text: &str,
    delimiter: u8,
    key: &str,
    value: &str,
) -> Result<Vec<(String, String)>, String> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|error| error.to_string())?.clone();
    let column = |name: &str| {
        headers.iter().position(|header| header == name).ok_or_else(|| {
            let known: Vec<_> = headers.iter().collect();
            format!("has no column `{name}`, only {}", known.join(", "))
        })
    };
    let (key, value) = (column(key)?, column(value)?);
    let mut entries = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| error.to_string())?;
        let cell = |n: usize| row.get(n).unwrap_or("").to_owned();
        // An empty value says that the standard has no counterpart: the key is as good as missing.
        if !cell(key).is_empty() && !cell(value).is_empty() {
            entries.push((cell(key), cell(value)));
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_by_their_folded_form() {
        let entries = vec![("ed".to_owned(), "editor".to_owned())];
        let table =
            Table::new(entries, vec![Fold::Lower, Fold::Trim, Fold::RstripDot], Miss::Error);
        let table = table.unwrap();
        for key in ["ed", "Ed.", " ED.", "ed,"] {
            assert_eq!(table.get(key), Some("editor"), "{key}");
        }
        assert_eq!(table.get("editor"), None);
    }

    #[test]
    fn the_same_key_with_two_values_is_refused() {
        let entries = [("A", "1"), ("a", "2"), ("b", "3"), ("B", "3")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()));
        let doubles = Table::new(entries, vec![Fold::Lower], Miss::Error).unwrap_err();
        assert_eq!(doubles, ["a"]);
    }

    #[test]
    fn a_missing_column_is_named() {
        let message = read_columns("a,b\n1,2\n", b',', "a", "c").unwrap_err();
        assert_eq!(message, "has no column `c`, only a, b");
    }
}
