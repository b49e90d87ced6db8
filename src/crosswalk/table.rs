//! Lookup tables: CSV, TSV or inline; every key once, found by its folded form.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasherDefault;

use super::hasher::KeyHasher;
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

/// One entry, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableEntry {
    /// The key, as it is written.
    pub key: String,
    /// Its value.
    pub value: String,
    /// The line of the file, from 1; `None` for what stands in the crosswalk.
    pub line: Option<u64>,
}

impl TableEntry {
    /// An entry that stands in the crosswalk.
    #[must_use]
    pub fn inline(key: String, value: String) -> TableEntry {
        TableEntry { key, value, line: None }
    }
}

/// A key with two values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Double {
    /// Where it stands first.
    pub first: TableEntry,
    /// Where it stands again, with another value.
    pub again: TableEntry,
}

impl fmt::Display for Double {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Double { first, again } = self;
        let place = |entry: &TableEntry| match entry.line {
            Some(line) => format!(" in line {line}"),
            None => String::new(),
        };
        write!(f, "`{}` is `{}`{} and ", first.key, first.value, place(first))?;
        if again.key != first.key {
            write!(f, "`{}` is ", again.key)?;
        }
        write!(f, "`{}`{}", again.value, place(again))
    }
}

/// A loaded table.
#[derive(Debug, Clone)]
pub struct Table {
    values: HashMap<String, String, BuildHasherDefault<KeyHasher>>,
    fold: Vec<Fold>,
    /// Bytes of the longest key.
    longest: usize,
    /// What a missing key becomes.
    pub miss: Miss,
}

impl Table {
    /// A table of these entries.
    ///
    /// # Errors
    /// The keys that are the same after folding but have different values.
    pub fn new(
        entries: impl IntoIterator<Item = TableEntry>,
        fold: Vec<Fold>,
        miss: Miss,
    ) -> Result<Table, Vec<Double>> {
        let mut table = Table::empty(fold, miss);
        let mut known: HashMap<String, TableEntry> = HashMap::new();
        let mut doubles = Vec::new();
        for entry in entries {
            let folded = table.folded(&entry.key).into_owned();
            match known.get(&folded) {
                Some(first) if first.value != entry.value => {
                    doubles.push(Double { first: first.clone(), again: entry });
                }
                Some(_) => {}
                None => {
                    table.longest = table.longest.max(folded.len());
                    table.values.insert(folded.clone(), entry.value.clone());
                    known.insert(folded, entry);
                }
            }
        }
        if doubles.is_empty() { Ok(table) } else { Err(doubles) }
    }

    /// A table without entries.
    #[must_use]
    pub fn empty(fold: Vec<Fold>, miss: Miss) -> Table {
        Table { values: HashMap::default(), fold, longest: 0, miss }
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        // Most keys are folded already: one look is enough.
        if let Some(value) = self.values.get(key) {
            return Some(value);
        }
        // Folding leaves those as they are.
        if key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            return None;
        }
        let folded = self.folded(key);
        if folded == key { None } else { self.values.get(folded.as_ref()).map(String::as_str) }
    }

    /// Whether each value leads back to one key, and every key has a value.
    #[must_use]
    pub fn is_one_to_one(&self) -> bool {
        let mut values: Vec<&str> = self.values.values().map(String::as_str).collect();
        values.sort_unstable();
        values.windows(2).all(|pair| pair.first() != pair.get(1)) && self.miss != Miss::Null
    }

    /// The value of the longest key that `text` begins with.
    #[must_use]
    pub fn get_prefix(&self, text: &str) -> Option<&str> {
        let folded = self.folded(text);
        let longest = self.longest.min(folded.len());
        (1..=longest).rev().find_map(|end| self.values.get(folded.get(..end)?).map(String::as_str))
    }

    fn folded<'t>(&self, key: &'t str) -> Cow<'t, str> {
        self.fold.iter().fold(Cow::Borrowed(key), |key, fold| fold.apply(key))
    }
}

/// The entries with key and value exchanged, each value once: what the inverse table holds.
///
/// `pick` says which key a value leads back to where several have it; without it, the key that is
/// written as the value.
///
/// # Errors
/// The values that several keys have and `pick` does not choose for; and what `pick` names that
/// the table does not hold.
pub fn inverted(
    entries: &[TableEntry],
    pick: &[(String, String)],
) -> Result<Vec<TableEntry>, InverseError> {
    let mut keys: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for TableEntry { key, value, .. } in entries {
        let place = *places.entry(value).or_insert(keys.len());
        match keys.get_mut(place) {
            Some((_, keys)) if keys.contains(&key.as_str()) => {}
            Some((_, keys)) => keys.push(key),
            None => keys.push((value, vec![key])),
        }
    }
    let stray = |(value, key): &&(String, String)| {
        let keys = places.get(value.as_str()).and_then(|place| keys.get(*place));
        !keys.is_some_and(|(_, keys)| keys.contains(&key.as_str()))
    };
    if let Some((value, key)) = pick.iter().find(stray) {
        return Err(InverseError::Stray(value.clone(), key.clone()));
    }
    let mut inverse = Vec::with_capacity(keys.len());
    let mut open = Vec::new();
    for (value, keys) in keys {
        let chosen = pick.iter().find(|(picked, _)| picked == value).map(|(_, key)| key.as_str());
        let chosen = chosen.or_else(|| keys.iter().copied().find(|key| *key == value));
        match (chosen, keys.as_slice()) {
            (Some(key), _) | (None, &[key]) => {
                inverse.push(TableEntry::inline(value.to_owned(), key.to_owned()));
            }
            (None, keys) => {
                let keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
                open.push(format!("`{value}` is the value of {}", keys.join(", ")));
            }
        }
    }
    if open.is_empty() { Ok(inverse) } else { Err(InverseError::Several(open)) }
}

/// Why a table has no inverse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InverseError {
    /// Values that several keys have, a sentence each.
    Several(Vec<String>),
    /// A pick whose value and key do not stand together in the table.
    Stray(String, String),
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
) -> Result<Vec<TableEntry>, String> {
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
            let line = row.position().map(csv::Position::line);
            entries.push(TableEntry { key: cell(key), value: cell(value), line });
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(pairs: &[(&str, &str)]) -> Vec<TableEntry> {
        let entry = |(key, value): &(&str, &str)| {
            TableEntry::inline((*key).to_owned(), (*value).to_owned())
        };
        pairs.iter().map(entry).collect()
    }

    #[test]
    fn keys_are_found_by_their_folded_form() {
        let fold = vec![Fold::Lower, Fold::Trim, Fold::RstripDot];
        let table = Table::new(entries(&[("ed", "editor")]), fold, Miss::Error).unwrap();
        for key in ["ed", "Ed.", " ED.", "ed,"] {
            assert_eq!(table.get(key), Some("editor"), "{key}");
        }
        assert_eq!(table.get("editor"), None);
    }

    #[test]
    fn the_longest_key_that_a_text_begins_with_is_found() {
        let pairs = entries(&[("5", "science"), ("51", "mathematics"), ("é", "e")]);
        let table = Table::new(pairs, vec![Fold::Lower], Miss::Error).unwrap();
        for (text, value) in [
            ("512.7", Some("mathematics")),
            ("53", Some("science")),
            ("5", Some("science")),
            ("É1", Some("e")),
            ("15", None),
            ("", None),
        ] {
            assert_eq!(table.get_prefix(text), value, "{text}");
        }
    }

    #[test]
    fn the_same_key_with_two_values_is_refused() {
        let pairs = entries(&[("A", "1"), ("a", "2"), ("b", "3"), ("B", "3")]);
        let doubles = Table::new(pairs, vec![Fold::Lower], Miss::Error).unwrap_err();
        let said: Vec<_> = doubles.iter().map(ToString::to_string).collect();
        assert_eq!(said, ["`A` is `1` and `a` is `2`"]);
        let pairs = read_columns("k,v\nx,1\n\"y\n\",1\nx,2\n", b',', "k", "v").unwrap();
        let doubles = Table::new(pairs, Vec::new(), Miss::Error).unwrap_err();
        assert_eq!(doubles[0].to_string(), "`x` is `1` in line 2 and `2` in line 5");
    }

    #[test]
    fn an_inverse_asks_which_of_several_keys_is_meant() {
        let table = entries(&[("a", "1"), ("b", "2"), ("c", "1"), ("a", "1")]);
        let pick = |value: &str, key: &str| vec![(value.to_owned(), key.to_owned())];
        let several = InverseError::Several(vec!["`1` is the value of `a`, `c`".to_owned()]);
        assert_eq!(inverted(&table, &[]), Err(several));
        let inverse = inverted(&table, &pick("1", "c")).unwrap();
        assert_eq!(inverse, entries(&[("1", "c"), ("2", "b")]));
        let codes = entries(&[("scr", "hrv"), ("hrv", "hrv")]);
        assert_eq!(inverted(&codes, &[]).unwrap(), entries(&[("hrv", "hrv")]));
        let stray = InverseError::Stray("1".to_owned(), "b".to_owned());
        assert_eq!(inverted(&table, &pick("1", "b")), Err(stray));
        assert!(inverted(&table, &pick("3", "a")).is_err());
    }

    #[test]
    fn a_missing_column_is_named() {
        let message = read_columns("a,b\n1,2\n", b',', "a", "c").unwrap_err();
        assert_eq!(message, "has no column `c`, only a, b");
    }
}
