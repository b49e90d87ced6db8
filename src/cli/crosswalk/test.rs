//! `windrow crosswalk test`: the tests that crosswalks carry, and the rules that none of them uses.

use std::io::Write;
use std::path::PathBuf;

use super::load;
use crate::cli::{Failure, Outcome, configuration};
use crate::crosswalk::{Crosswalk, TestReport};

pub fn run(files: &[PathBuf], complete: bool) -> Result<Outcome, Failure> {
    let mut out = std::io::stdout().lock();
    let mut counts = Counts::default();
    for crosswalk in load(files)? {
        let report = crosswalk.test().map_err(configuration)?;
        show(&mut out, &report, &mut counts)?;
        coverage(&mut out, &crosswalk, &report, &mut counts)?;
    }
    let Counts { passed, failed, unused } = counts;
    writeln!(out, "{passed} passed, {failed} failed, {unused} rules and cases not used")?;
    let clean = failed == 0 && (unused == 0 || !complete);
    Ok(if clean { Outcome::Clean } else { Outcome::Quarantined })
}

#[derive(Default)]
struct Counts {
    passed: usize,
    failed: usize,
    unused: usize,
}

fn show(out: &mut impl Write, report: &TestReport, counts: &mut Counts) -> std::io::Result<()> {
    for outcome in &report.outcomes {
        let place = &outcome.place;
        if outcome.failures.is_empty() {
            counts.passed += 1;
            writeln!(out, "ok      {place}  {}", outcome.name)?;
        } else {
            counts.failed += 1;
            writeln!(out, "FAILED  {place}  {}", outcome.name)?;
        }
        for line in outcome.failures.iter().chain(&outcome.notes) {
            writeln!(out, "        {line}")?;
        }
    }
    Ok(())
}

fn coverage(
    out: &mut impl Write,
    crosswalk: &Crosswalk,
    report: &TestReport,
    counts: &mut Counts,
) -> std::io::Result<()> {
    // Of what a crosswalk extends, its own tests are the judge.
    let labels = crosswalk.plan().labels.iter().zip(&report.uses);
    let labels: Vec<_> = labels.filter(|(label, _)| label.own).collect();
    let unused: Vec<_> = labels.iter().filter(|(_, uses)| **uses == 0).collect();
    for (label, _) in &unused {
        writeln!(out, "unused  {}  {}", label.place, label.name)?;
    }
    let used = labels.len() - unused.len();
    writeln!(out, "{}: {used} of {} rules, items and cases used", crosswalk.name(), labels.len())?;
    counts.unused += unused.len();
    Ok(())
}
