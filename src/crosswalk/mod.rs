//! Crosswalks: how one source record becomes one target record, as data.
//!
//! A file is read ([`syntax`]), compiled into a [`plan`](Plan) with all its mistakes reported at
//! once, and run over records by a [`Runner`], which accounts for every value of the source.
//! `crosswalk` knows no store and no file of records; it reads its own tables and schema.

pub mod account;
pub mod transforms;

mod chains;
mod class;
mod codes;
mod compile;
mod condition;
mod difference;
mod expression;
mod hasher;
mod ignore;
mod input;
mod known;
mod lists;
mod objects;
mod plan;
mod run;
mod runner;
mod schema_paths;
mod selector;
mod settle;
mod shape;
mod shipped;
mod steps;
mod straight;
mod syntax;
mod table;
mod target;
mod test;
mod trace;
mod values;
mod way;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

pub use class::{Class, Classified};
pub use difference::{as_json, differences, without_positions};
pub use plan::{Input, Label, Plan};
pub use run::Held;
pub use runner::Runner;
pub use selector::{JsonPath, SelectorError};
pub use syntax::{json_schema, keys};
pub use target::Output;
pub use test::{
    BesideError, RoundtripError, RoundtripReport, TestOutcome, TestReport, decoded, roundtrip,
};
pub use trace::{Trace, TraceLine, TraceStep};

use crate::record::ContentHash;
use crate::yaml::{Diagnostics, SourceText};

/// A crosswalk that cannot be used.
#[derive(Debug, Error)]
pub enum CrosswalkError {
    /// The file cannot be read.
    #[error("cannot read crosswalk {path}: {reason}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: std::io::Error,
    },
    /// The file has mistakes.
    #[error("{0}")]
    Invalid(Diagnostics),
}

/// A crosswalk, compiled.
#[derive(Debug)]
pub struct Crosswalk {
    file: syntax::File,
    plan: Plan,
    schema: Option<PathBuf>,
    folder: PathBuf,
    /// The file that it was loaded from.
    path: Option<PathBuf>,
}

impl Crosswalk {
    /// Reads and compiles a file with its tables and its target's schema.
    ///
    /// # Errors
    /// [`CrosswalkError`]: all mistakes of the file in one.
    pub fn load(path: &Path) -> Result<Crosswalk, CrosswalkError> {
        let text = shipped::read_to_string(path)
            .map_err(|reason| CrosswalkError::Read { path: path.to_owned(), reason })?;
        let name = path.display().to_string();
        let folder = path.parent().unwrap_or(Path::new(""));
        let crosswalk = Crosswalk::parse(name, text, folder).map_err(CrosswalkError::Invalid)?;
        Ok(Crosswalk { path: Some(path.to_owned()), ..crosswalk })
    }

    /// The crosswalk of this name that the program brings along.
    ///
    /// # Errors
    /// [`CrosswalkError::Read`] when there is none.
    pub fn built_in(name: &str) -> Result<Crosswalk, CrosswalkError> {
        Crosswalk::load(&Path::new(shipped::FOLDER).join(name))
    }

    /// Compiles a text; `folder` is where its tables, its schema and what it extends stand.
    ///
    /// # Errors
    /// All mistakes of the text and of what it extends.
    pub fn parse(name: String, text: String, folder: &Path) -> Result<Crosswalk, Diagnostics> {
        let source = Arc::new(SourceText { name, text });
        let (file, check) = syntax::read(&source, folder)?;
        let plan = compile::compile(&file, check)?;
        let schema = file.to_schema.as_ref().map(|schema| file.resolve(schema));
        Ok(Crosswalk { file, plan, schema, folder: folder.to_owned(), path: None })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.file.name
    }

    /// The compiled plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The JSON Schema of what it writes.
    #[must_use]
    pub fn schema(&self) -> Option<&Path> {
        self.schema.as_deref()
    }

    /// Hash of the file, what it extends, its tables and its schema: it changes when what it writes may change.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        self.plan.hash
    }

    /// Reads the tests that stand beside the file.
    ///
    /// # Errors
    /// [`BesideError`]: they cannot be read.
    pub fn check_tests(&self) -> Result<(), BesideError> {
        self.beside().map(drop)
    }

    fn beside(&self) -> Result<Vec<test::Placed>, BesideError> {
        self.path.as_deref().map_or(Ok(Vec::new()), test::beside)
    }

    /// Runs the tests in the file and those beside it: `NAME.test.yaml`, `NAME.test/`.
    ///
    /// # Errors
    /// [`BesideError`]: those beside it cannot be read.
    pub fn test(&self) -> Result<TestReport, BesideError> {
        Ok(test::run(self, &self.folder, &self.beside()?))
    }
}
