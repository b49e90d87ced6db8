//! Problems that policies dealt with: the first of each kind in full, all of them counted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::clip;

/// So many cases of one rule and code are told in full.
const CASES: usize = 100;

/// A problem as it happens.
#[derive(Debug)]
pub struct Problem<'p> {
    /// The rule, with the item's path behind it.
    pub rule: &'p str,
    /// File and line of the rule.
    pub at: &'p str,
    /// `missing`, or the code of the transform that failed.
    pub code: &'static str,
    /// What was done: `skip`, `keep`, `default`, `warn`.
    pub policy: &'static str,
    /// The record's identifier.
    pub record: &'p str,
    /// Where in the record: `020[0] $a`.
    pub place: String,
    /// What was found.
    pub value: &'p str,
}

/// One case of a problem.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemCase {
    /// `dump.mrc #12 (byte 88213) ocm123`; without a file, the record's identifier.
    pub record: String,
    /// Where in the record: `020[0] $a`; where nothing was found, the rule's selectors.
    pub place: String,
    /// What was found, clipped.
    pub value: String,
}

/// The problems of one rule and one code.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemCounter {
    /// How often.
    pub count: u64,
    /// File and line of the rule.
    #[serde(default)]
    pub at: String,
    /// What was done: `skip`, `keep`, `default`, `warn`.
    #[serde(default)]
    pub policy: String,
    /// The first of them.
    #[serde(default)]
    pub cases: Vec<ProblemCase>,
}

impl ProblemCounter {
    fn add(&mut self, other: ProblemCounter) {
        self.count += other.count;
        if self.at.is_empty() {
            (self.at, self.policy) = (other.at, other.policy);
        }
        let room = CASES.saturating_sub(self.cases.len());
        self.cases.extend(other.cases.into_iter().take(room));
    }
}

/// Rule → code → its problems.
pub type ProblemReport = BTreeMap<String, BTreeMap<String, ProblemCounter>>;

/// The problems of one worker's records.
#[derive(Debug, Default)]
pub struct Problems {
    found: ProblemReport,
    /// Cases of the record at hand whose place among the records is not known yet: rule and code.
    unplaced: Vec<(String, String)>,
}

impl Problems {
    /// Counts one.
    pub fn add(&mut self, problem: Problem<'_>) {
        let Problem { rule, at, code, policy, record, place, value } = problem;
        let codes = self.found.entry(rule.to_owned()).or_default();
        let counter = codes.entry(code.to_owned()).or_default();
        if counter.count == 0 {
            (counter.at, counter.policy) = (at.to_owned(), policy.to_owned());
        }
        counter.count += 1;
        if counter.cases.len() < CASES {
            let (record, value) = (record.to_owned(), clip(value));
            counter.cases.push(ProblemCase { record, place, value });
            self.unplaced.push((rule.to_owned(), code.to_owned()));
        }
    }

    /// Forgets which cases have no place yet: those of another record follow.
    pub fn next_record(&mut self) {
        self.unplaced.clear();
    }

    /// Says where the record stands whose problems were added last.
    pub fn locate(&mut self, place: impl Fn() -> String) {
        if self.unplaced.is_empty() {
            return;
        }
        let place = place();
        let mut placed: BTreeMap<(String, String), usize> = BTreeMap::new();
        for key in self.unplaced.drain(..) {
            *placed.entry(key).or_default() += 1;
        }
        for ((rule, code), count) in placed {
            let codes = self.found.get_mut(&rule);
            let cases = codes.and_then(|codes| codes.get_mut(&code)).map(|found| &mut found.cases);
            for case in cases.into_iter().flatten().rev().take(count) {
                case.record.clone_from(&place);
            }
        }
    }

    /// Adds them to a report and empties them.
    pub fn drain_into(&mut self, report: &mut ProblemReport) {
        self.unplaced.clear();
        add_problems(report, std::mem::take(&mut self.found));
    }
}

/// Adds the problems of a later part to those of an earlier one.
pub fn add_problems(report: &mut ProblemReport, later: ProblemReport) {
    for (rule, codes) in later {
        let line = report.entry(rule).or_default();
        for (code, counter) in codes {
            line.entry(code).or_default().add(counter);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(record: &'static str, value: &'static str) -> Problem<'static> {
        Problem {
            rule: "isbn",
            at: "brief.yaml:7",
            code: "isbn13.checksum",
            policy: "skip",
            record,
            place: "020[0] $a".to_owned(),
            value,
        }
    }

    #[test]
    fn the_first_cases_are_told_in_full_and_all_are_counted() {
        let (mut problems, mut report) = (Problems::default(), ProblemReport::default());
        for batch in ["a", "b"] {
            for _ in 0..70 {
                problems.next_record();
                problems.add(problem("1", "x"));
                problems.add(problem("1", "y"));
                problems.locate(|| format!("{batch}.mrc #1 (byte 0) 1"));
            }
            problems.drain_into(&mut report);
        }
        let counter = &report["isbn"]["isbn13.checksum"];
        assert_eq!((counter.count, counter.cases.len()), (280, CASES));
        assert_eq!((counter.at.as_str(), counter.policy.as_str()), ("brief.yaml:7", "skip"));
        assert!(counter.cases.iter().all(|case| case.record == "a.mrc #1 (byte 0) 1"));
        assert_eq!((counter.cases[0].value.as_str(), counter.cases[1].value.as_str()), ("x", "y"));
    }

    #[test]
    fn a_place_belongs_to_the_record_at_hand() {
        let mut problems = Problems::default();
        problems.add(problem("1", "x"));
        problems.next_record();
        problems.add(problem("2", "y"));
        problems.locate(|| "a.mrc #2 (byte 9) 2".to_owned());
        problems.locate(|| "another".to_owned());
        let mut report = ProblemReport::default();
        problems.drain_into(&mut report);
        let records = report["isbn"]["isbn13.checksum"].cases.iter().map(|case| &*case.record);
        assert_eq!(records.collect::<Vec<_>>(), ["1", "a.mrc #2 (byte 9) 2"]);
    }
}
