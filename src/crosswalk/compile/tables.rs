//! Compiling what a crosswalk brings along: tables and its target's schema.

use std::sync::Arc;

use super::Compiler;
use crate::crosswalk::schema_paths::SchemaPaths;
use crate::crosswalk::syntax::{Spanned, TableContent, TableDeclaration};
use crate::crosswalk::table::{Fold, Miss, Table, read_columns};

impl Compiler<'_> {
    pub(super) fn read(&mut self, path: &Spanned<String>, code: &'static str) -> Option<String> {
        let full = self.file.resolve(path);
        match std::fs::read_to_string(&full) {
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

    pub(super) fn load_tables(&mut self, declarations: &[TableDeclaration]) {
        for declaration in declarations {
            let name = &declaration.name;
            let mut fold = Vec::new();
            for word in &declaration.fold {
                match Fold::NAMES.iter().find(|(known, _)| *known == word.value) {
                    Some((_, known)) => fold.push(*known),
                    None => {
                        let known = Fold::NAMES.iter().map(|(known, _)| *known);
                        self.check.unknown("E0106", word.span, "fold", &word.value, known);
                    }
                }
            }
            let mut miss = Miss::Error;
            if let Some(word) = &declaration.miss {
                match Miss::NAMES.iter().find(|(known, _)| *known == word.value) {
                    Some((_, known)) => miss = *known,
                    None => {
                        let known = Miss::NAMES.iter().map(|(known, _)| *known);
                        self.check.unknown("E0106", word.span, "miss", &word.value, known);
                    }
                }
            }
            let entries = match &declaration.content {
                TableContent::Inline(entries) => entries.clone(),
                TableContent::File { path, key, value } => {
                    let tabs = path.value.rsplit('.').next() == Some("tsv");
                    let delimiter = if tabs { b'\t' } else { b',' };
                    let text = self.read(path, "E0401");
                    match text.map(|text| read_columns(&text, delimiter, key, value)) {
                        Some(Ok(entries)) => entries,
                        Some(Err(message)) => {
                            let message = format!("table {} {message}", path.value);
                            self.check.error("E0401", path.span, message);
                            Vec::new()
                        }
                        None => Vec::new(),
                    }
                }
            };
            let table = Table::new(entries, fold, miss).unwrap_or_else(|doubles| {
                let doubles = doubles.join(", ");
                let message = format!("table `{}` has keys with two values: {doubles}", name.value);
                self.check.error("E0403", name.span, message);
                Table::new([], Vec::new(), miss).unwrap_or_else(|_| unreachable!("empty table"))
            });
            self.context.tables.insert(name.value.clone(), Arc::new(table));
        }
    }
}
