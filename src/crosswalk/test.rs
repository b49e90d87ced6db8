//! The tests inside a crosswalk: an input, and what must come of it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::account::{Account, AccountReport, State};
use super::plan::Plan;
use super::run::Runner;
use super::selector::JsonPath;
use super::syntax::{InlineTest, TestInput};
use crate::formats::SourceRecord;
use crate::formats::marc21::line;
use crate::yaml::SourceText;

/// How one inline test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestOutcome {
    /// Its sentence.
    pub name: String,
    /// The line of the file where it stands.
    pub line: usize,
    /// What differs; empty when it passed.
    pub failures: Vec<String>,
}

pub(super) fn run(plan: &Plan, source: &SourceText, case: &InlineTest) -> TestOutcome {
    let mut failures = Vec::new();
    check(plan, case, &mut failures);
    let line = source.line_column(case.span.start).0;
    TestOutcome { name: case.name.clone(), line, failures }
}

fn check(plan: &Plan, case: &InlineTest, failures: &mut Vec<String>) {
    let source = match &case.input {
        TestInput::Json(value) => SourceRecord::Json(value.clone()),
        TestInput::Marc(text) => match line::read(text) {
            Ok(marc) => SourceRecord::Marc(marc),
            Err(error) => return failures.push(format!("input: {error}")),
        },
    };
    let mut runner = Runner::new(plan);
    let mut out = Vec::new();
    let result = runner.run(&source, &mut out);
    match (&result, &case.quarantine) {
        (Ok(()), Some((rule, code))) => {
            failures.push(format!("expected to be held by {rule} ({code}), went through"));
        }
        (Err(held), None) => {
            failures.push(format!("held by {} ({}): {}", held.rule, held.code, held.message));
        }
        (Err(held), Some((rule, code))) if held.rule != *rule || held.code != *code => {
            failures.push(format!(
                "expected to be held by {rule} ({code}), was by {} ({})",
                held.rule, held.code
            ));
        }
        _ => {}
    }
    if result.is_err() {
        return;
    }
    compare(plan, case, &plan.output.shown(&out), failures);
    if let Some(expected) = &case.unmapped {
        let found = unmapped(&mut runner.account);
        let expected: BTreeSet<String> = expected.iter().cloned().collect();
        for place in found.difference(&expected) {
            failures.push(format!("unmapped: {place} is lost and not listed"));
        }
        for place in expected.difference(&found) {
            failures.push(format!("unmapped: {place} is listed and not lost"));
        }
    }
}

fn compare(plan: &Plan, case: &InlineTest, output: &Value, failures: &mut Vec<String>) {
    for (path, expected) in &case.expect {
        let Ok(selector) = JsonPath::parse(&path.value) else {
            failures.push(format!("{}: is no path", path.value));
            continue;
        };
        let mut found = Vec::new();
        selector.select(output, output, &mut |value| found.push(value.clone()));
        let found = if found.len() == 1 { found.pop() } else { None };
        let found = found.unwrap_or(Value::Null);
        if found != *expected {
            failures.push(format!("{}: expected {expected}, found {found}", path.value));
        }
    }
    if let Some(exact) = &case.exact
        && !plan.output.is_same(exact, output)
    {
        failures.push(format!("expected exactly {exact}, found {output}"));
    }
}

/// `650$9`, without indicators.
fn unmapped(account: &mut Account) -> BTreeSet<String> {
    let mut report = AccountReport::default();
    account.drain_into(&mut report);
    report
        .fields
        .iter()
        .filter(|(_, states)| states.contains_key(&State::Unmapped))
        .map(|(name, _)| match name.split_once('$') {
            Some((field, code)) => format!("{}${code}", field.get(..3).unwrap_or(field)),
            None => name.clone(),
        })
        .collect()
}
