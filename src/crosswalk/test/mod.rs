//! The tests of a crosswalk, in it and beside it: an input, and what must come of it.

mod beside;
mod compare;
mod corpus;
mod roundtrip;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::Crosswalk;
use super::account::{Account, AccountReport, State};
use super::plan::Input;
use super::run::Held;
use super::runner::Runner;
use super::syntax::{InlineTest, TestInput};
use crate::formats::SourceRecord;
use crate::formats::envelope::OAI_NAMESPACE;
use crate::formats::marc21::{Marc, line, marcxml};
use crate::xml::Options;
use crate::xml::tree::Tree;
use crate::xml::writer::{push_attribute_value, push_text};

pub use beside::{BesideError, Placed, beside};
use compare::compare;
pub use roundtrip::{RoundtripError, RoundtripReport, decoded, roundtrip};

/// How one test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestOutcome {
    /// Its sentence.
    pub name: String,
    /// Where it stands: `FILE:LINE`, or the folder of a case.
    pub place: String,
    /// What differs; empty when it passed.
    pub failures: Vec<String>,
    /// What is worth knowing though it passed.
    pub notes: Vec<String>,
    /// The record that was written; empty when none was.
    pub output: Vec<u8>,
}

/// How the tests of a crosswalk ended.
#[derive(Debug)]
pub struct TestReport {
    /// Each test, in file order.
    pub outcomes: Vec<TestOutcome>,
    /// How often each of [`super::Plan::labels`] was used in them.
    pub uses: Vec<u64>,
}

/// Runs the tests of a crosswalk, and those that stand beside it.
pub(super) fn run(crosswalk: &Crosswalk, folder: &Path, beside: &[Placed]) -> TestReport {
    let file = &crosswalk.file;
    let mut uses = vec![0; crosswalk.plan.labels.len()];
    let mut outcomes = Vec::new();
    let within = file.tests.iter().map(|case| {
        let line = file.source.line_column(case.span.start).0;
        (case, format!("{}:{line}", file.source.name), folder, &None)
    });
    let beside = beside
        .iter()
        .map(|placed| (&placed.test, placed.place.clone(), &*placed.folder, &placed.todo));
    for (case, place, folder, todo) in within.chain(beside) {
        let mut test = Test {
            crosswalk,
            folder,
            case,
            uses: &mut uses,
            failures: Vec::new(),
            notes: Vec::new(),
            output: Vec::new(),
        };
        test.run();
        let Test { mut failures, mut notes, output, .. } = test;
        if let Some(reason) = todo {
            notes.push(format!("todo: {reason}"));
            if failures.is_empty() {
                failures.push("passes: take todo.txt away".to_owned());
            } else {
                notes.append(&mut failures);
            }
        }
        outcomes.push(TestOutcome { name: case.name.clone(), place, failures, notes, output });
    }
    TestReport { outcomes, uses }
}

struct Test<'t> {
    crosswalk: &'t Crosswalk,
    folder: &'t Path,
    case: &'t InlineTest,
    uses: &'t mut Vec<u64>,
    failures: Vec<String>,
    notes: Vec<String>,
    output: Vec<u8>,
}

impl Test<'_> {
    fn run(&mut self) {
        if let Some(wanted) = &self.case.roundtrip {
            let mut ways = Vec::new();
            for pattern in &wanted.corpus {
                let files = corpus::files(self.folder, &pattern.value);
                if files.is_empty() {
                    self.failures.push(format!("roundtrip: there is no file {}", pattern.value));
                }
                ways.extend(files);
            }
            let back = Crosswalk::load(&self.folder.join(&wanted.with.value));
            let report = match back {
                Ok(back) => roundtrip(self.crosswalk, &back, &ways),
                Err(error) => return self.failures.push(format!("roundtrip: {error}")),
            };
            match report {
                Ok(report) => {
                    self.add_uses(&report.uses);
                    self.failures.extend(report.unexpected(&wanted.modulo));
                    self.notes.push(report.to_string());
                }
                Err(error) => self.failures.push(format!("roundtrip: {error}")),
            }
        }
        match self.input() {
            Ok(Some(source)) => self.check(&source),
            Ok(None) => {}
            Err(message) => self.failures.push(format!("input: {message}")),
        }
    }

    fn add_uses(&mut self, uses: &[u64]) {
        self.uses.iter_mut().zip(uses).for_each(|(sum, count)| *sum += count);
    }

    fn input(&self) -> Result<Option<SourceRecord>, String> {
        Ok(Some(match &self.case.input {
            TestInput::None => return Ok(None),
            TestInput::Json(value) => SourceRecord::Json(value.clone()),
            TestInput::Marc(text) => {
                SourceRecord::Marc(line::read(text).map_err(|error| error.to_string())?)
            }
            TestInput::Xml(text) if matches!(self.crosswalk.plan.input, Input::Marc) => {
                let mut marc = Marc::default();
                let read = marcxml::read(text.trim(), &mut marc, &mut Vec::new());
                read.map_err(|error| error.to_string())?;
                SourceRecord::Marc(marc)
            }
            TestInput::Xml(text) => SourceRecord::Xml(self.tree(text)?),
            TestInput::File(path, id) => {
                corpus::record(&self.folder.join(&path.value), id.as_deref())?
            }
        }))
    }

    /// The record, in what it comes in by OAI-PMH if the test gives a header.
    fn tree(&self, text: &str) -> Result<Tree, String> {
        let mut whole = String::new();
        if !self.case.header.is_empty() {
            whole.push_str(&format!("<record xmlns=\"{OAI_NAMESPACE}\"><header"));
            let (status, elements): (Vec<_>, Vec<_>) =
                self.case.header.iter().partition(|(name, _)| name == "status");
            for (_, status) in status {
                whole.push_str(" status=\"");
                push_attribute_value(&mut whole, status);
                whole.push('"');
            }
            whole.push('>');
            for (name, value) in elements {
                let name = if name == "set_spec" { "setSpec" } else { name.as_str() };
                whole.push_str(&format!("<{name}>"));
                push_text(&mut whole, value);
                whole.push_str(&format!("</{name}>"));
            }
            whole.push_str("</header><metadata>");
        }
        whole.push_str(text);
        if !self.case.header.is_empty() {
            whole.push_str("</metadata></record>");
        }
        let (mut tree, mut warnings) = (Tree::default(), Vec::new());
        tree.read(&whole, Options::default(), &mut warnings).map_err(|error| error.to_string())?;
        match warnings.first() {
            None => Ok(tree),
            Some(warning) => Err(warning.message.clone()),
        }
    }

    fn check(&mut self, source: &SourceRecord) {
        let plan = &self.crosswalk.plan;
        let mut runner = Runner::new(plan);
        let mut out = Vec::new();
        let result = runner.run(source, &mut out);
        self.add_uses(runner.uses());
        self.check_held(&result);
        let report = report(&mut runner.account);
        if let Some(expected) = &self.case.report {
            self.check_problems(expected, &report);
        }
        if result.is_err() {
            return;
        }
        compare(self.crosswalk, self.case, &out, &mut self.failures);
        self.output.clone_from(&out);
        if let Some(expected) = &self.case.unmapped {
            let found = unmapped(&plan.input, &report);
            let expected: BTreeSet<String> = expected.iter().cloned().collect();
            for place in found.difference(&expected) {
                self.failures.push(format!("unmapped: {place} is lost and not listed"));
            }
            for place in expected.difference(&found) {
                self.failures.push(format!("unmapped: {place} is listed and not lost"));
            }
        }
    }

    fn check_held(&mut self, result: &Result<(), Held>) {
        let failure = match (result, &self.case.quarantine) {
            (Ok(()), Some((rule, code))) => {
                format!("expected to be held by {rule} ({code}), went through")
            }
            (Err(held), None) => {
                format!("held by {} ({}): {}", held.rule, held.code, held.message)
            }
            (Err(held), Some((rule, code))) if held.rule != *rule || held.code != *code => {
                format!(
                    "expected to be held by {rule} ({code}), was by {} ({}): {}",
                    held.rule, held.code, held.message
                )
            }
            _ => return,
        };
        self.failures.push(failure);
    }

    fn check_problems(&mut self, expected: &[(String, String)], report: &AccountReport) {
        let found: BTreeSet<(String, String)> = report
            .problems
            .iter()
            .flat_map(|(rule, codes)| codes.keys().map(|code| (rule.clone(), code.clone())))
            .collect();
        let expected: BTreeSet<(String, String)> = expected.iter().cloned().collect();
        for (rule, code) in found.difference(&expected) {
            self.failures.push(format!("report: {code} of {rule} is not expected"));
        }
        for (rule, code) in expected.difference(&found) {
            self.failures.push(format!("report: {code} of {rule} did not happen"));
        }
    }
}

fn report(account: &mut Account) -> AccountReport {
    let mut report = AccountReport::default();
    account.drain_into(&mut report);
    report
}

/// What no rule reads: `650$9`, without indicators, or a path.
fn unmapped(input: &Input, report: &AccountReport) -> BTreeSet<String> {
    let lost = report.fields.iter().filter(|(_, states)| states.contains_key(&State::Unmapped));
    lost.map(|(name, _)| match name.rsplit_once(" $") {
        Some((field, code)) if matches!(input, Input::Marc) => {
            format!("{}${code}", field.get(..3).unwrap_or(field))
        }
        _ => name.clone(),
    })
    .collect()
}

/// A JSON value as people read it in a message.
fn shown(value: &Value) -> String {
    value.to_string()
}
