//! Loading what a crosswalk brings along: its target's schema; tables, their entries read, folded,
//! inverted where asked for, every mistake placed.

use std::collections::HashMap;
use std::sync::Arc;

use super::Compiler;
use crate::crosswalk::schema_paths::SchemaPaths;
use crate::crosswalk::shipped;
use crate::crosswalk::syntax::{Spanned, TableContent, TableDeclaration};
use crate::crosswalk::table::{
    Fold, InverseError, Miss, Table, TableEntry, inverted, read_columns,
};

impl Compiler<'_> {
    pub(super) fn read(&mut self, path: &Spanned<String>, code: &'static str) -> Option<String> {
        let full = self.file.resolve(path);
        match shipped::read_to_string(&full) {
            Ok(text) => {
                self.texts.push_str(&text);
                Some(text)
            }
            Err(error) => {
                let message = format!("cannot read {}: {error}", full.display());
                self.check.error(code, path.span, message);
                None
            }
        }
    }

    pub(super) fn load_schema(&mut self, path: &Spanned<String>) -> Option<SchemaPaths> {
        let text = self.read(path, "E0402")?;
        match serde_json::from_str(&text) {
            Ok(schema) => Some(SchemaPaths::new(schema)),
            Err(error) => {
                let message = format!("{} is no JSON Schema: {error}", path.value);
                self.check.error("E0402", path.span, message);
                None
            }
        }
    }

    /// Loads every table that the file declares; an inverse after the table it is of, wherever
    /// that stands.
    pub(super) fn load_tables(&mut self, declarations: &[TableDeclaration]) {
        let mut loaded = HashMap::new();
        for declaration in declarations {
            let entries = match &declaration.content {
                TableContent::Inline(entries) => {
                    let entry = |(key, value): &(String, String)| {
                        TableEntry::inline(key.clone(), value.clone())
                    };
                    entries.iter().map(entry).collect()
                }
                TableContent::File { path, key, value } => self.entries(path, key, value),
                TableContent::Inverse { .. } => continue,
            };
            self.add_table(declaration, &entries);
            loaded.insert(declaration.name.value.as_str(), entries);
        }
        for declaration in declarations {
            let TableContent::Inverse { of, pick } = &declaration.content else { continue };
            let entries = match loaded.get(of.value.as_str()) {
                Some(entries) => self.inverse(of, entries, pick),
                None if declarations.iter().any(|other| other.name.value == of.value) => {
                    let message = format!("table `{}` is an inverse itself", of.value);
                    self.check.error("E0404", of.span, message);
                    Vec::new()
                }
                None => {
                    self.check.unknown(
                        "E0404",
                        of.span,
                        "table",
                        &of.value,
                        loaded.keys().copied(),
                    );
                    Vec::new()
                }
            };
            self.add_table(declaration, &entries);
        }
    }

    fn entries(&mut self, path: &Spanned<String>, key: &str, value: &str) -> Vec<TableEntry> {
        let tabs = path.value.rsplit('.').next() == Some("tsv");
        let delimiter = if tabs { b'\t' } else { b',' };
        match self.read(path, "E0401").map(|text| read_columns(&text, delimiter, key, value)) {
            Some(Ok(entries)) => entries,
            Some(Err(message)) => {
                self.check.error("E0401", path.span, format!("table {} {message}", path.value));
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    fn inverse(
        &mut self,
        of: &Spanned<String>,
        entries: &[TableEntry],
        pick: &[(String, String)],
    ) -> Vec<TableEntry> {
        let (message, hint) = match inverted(entries, pick) {
            Ok(entries) => return entries,
            Err(InverseError::Several(values)) => (
                format!("table `{}` has no inverse: {}", of.value, listed(&values)),
                Some("choose with `pick: { value: key }`".to_owned()),
            ),
            Err(InverseError::Stray(value, key)) => {
                let message = format!("table `{}` has no key `{key}` of value `{value}`", of.value);
                (message, Some("`pick` is written { value: key }".to_owned()))
            }
        };
        self.check.error_with_hint("E0404", of.span, message, hint);
        Vec::new()
    }

    fn add_table(&mut self, declaration: &TableDeclaration, entries: &[TableEntry]) {
        let name = &declaration.name;
        let fold = declaration.fold.iter().filter_map(|word| self.word("fold", word, Fold::NAMES));
        let fold = fold.collect::<Vec<_>>();
        let miss = declaration.miss.as_ref().and_then(|word| self.word("miss", word, Miss::NAMES));
        let miss = miss.unwrap_or(Miss::Error);
        let table = Table::new(entries.iter().cloned(), fold, miss).unwrap_or_else(|doubles| {
            let doubles: Vec<_> = doubles.iter().map(ToString::to_string).collect();
            let message = format!("table `{}` has keys twice: {}", name.value, listed(&doubles));
            self.check.error("E0403", name.span, message);
            Table::empty(Vec::new(), miss)
        });
        self.context.tables.insert(name.value.clone(), Arc::new(table));
    }

    /// What a word of the language means.
    fn word<T: Copy>(
        &mut self,
        what: &str,
        word: &Spanned<String>,
        known: &[(&'static str, T)],
    ) -> Option<T> {
        let found = known.iter().find(|(name, _)| *name == word.value).map(|(_, value)| *value);
        if found.is_none() {
            let names = known.iter().map(|(name, _)| *name);
            self.check.unknown("E0106", word.span, what, &word.value, names);
        }
        found
    }
}

/// The first few, and how many more.
fn listed(sentences: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = sentences.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    match sentences.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}
