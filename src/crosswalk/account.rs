//! The loss account: what became of every value that the source had.
//!
//! Per record each value is in one state; counters by (tag, indicators, subfield, state) with the
//! first samples are kept per worker and merged when a batch is committed.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use serde::{Deserialize, Serialize};

use crate::formats::marc21::{CONTROL_VALUE, Field};

/// What became of a value, from worst to best; a value read twice is in the better state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// No rule reads it.
    Unmapped,
    /// Left out on purpose, with a reason in the crosswalk.
    Ignored,
    /// Only looked at, by a condition or a binding.
    Read,
    /// Its rule let it go: another value was taken, or its object was skipped.
    Dropped,
    /// A transform failed on it and the policy skipped it.
    Failed,
    /// It reached the output.
    Mapped,
}

/// One line of the account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// Records that have such values.
    pub records: u64,
    /// Such values.
    pub values: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The first of them: record and value, clipped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<(String, String)>,
}

/// A problem that a policy dealt with, counted by rule and code.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemCounter {
    /// How often.
    pub count: u64,
    /// The first of them: record and value, clipped.
    pub samples: Vec<(String, String)>,
}

const SAMPLES: usize = 3;
const CLIP: usize = 80;

/// Tag, indicators, code and state in one number: the key of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key(u64);

/// The part of a [`Key`] that all values of a field have in common.
#[derive(Debug, Clone, Copy)]
pub struct FieldKey(u64);

impl FieldKey {
    /// The key of a field.
    #[must_use]
    pub fn new(field: Field<'_>) -> FieldKey {
        let [a, b, c] = field.tag().0;
        let [first, second] = field.indicators().map(ascii);
        FieldKey(u64::from_be_bytes([0, a, b, c, first, second, 0, 0]))
    }
}

/// A character outside ASCII, which MARC does not allow in these places, is counted as `?`.
fn ascii(c: char) -> u8 {
    u8::try_from(c).ok().filter(u8::is_ascii).unwrap_or(b'?')
}

impl Key {
    fn new(field: FieldKey, code: char, state: State) -> Key {
        Key(field.0 | u64::from(ascii(code)) << 8 | state as u64)
    }

    /// `653 1_ $9`, and the state.
    fn name(self) -> (String, State) {
        let [_, a, b, c, first, second, code, state] = self.0.to_be_bytes();
        let state = match state {
            0 => State::Unmapped,
            1 => State::Ignored,
            2 => State::Read,
            3 => State::Dropped,
            4 => State::Failed,
            _ => State::Mapped,
        };
        let mut name: String = [a, b, c].into_iter().map(char::from).collect();
        if char::from(code) != CONTROL_VALUE {
            let blank = |byte: u8| if byte == b' ' { '_' } else { char::from(byte) };
            name.extend([' ', blank(first), blank(second), ' ', '$', char::from(code)]);
        }
        (name, state)
    }
}

/// A quick hasher for the keys of crosswalks and records, which nobody chooses to collide.
#[derive(Debug, Default)]
pub struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let word = chunk.iter().fold(0, |word, byte| (word << 8) | u64::from(*byte));
            self.write_u64(word);
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(u64::from(byte));
    }

    fn write_u64(&mut self, number: u64) {
        // Multiply by an odd number near 2^64 / φ and bring the well-mixed high bits down.
        let mixed = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

#[derive(Debug, Clone, Default)]
struct Entry {
    counter: Counter,
    /// The serial of the record that was counted last, so that a record counts once.
    last: u64,
}

/// The counters of one worker's records.
#[derive(Debug, Default)]
pub struct Account {
    fields: HashMap<Key, Entry, BuildHasherDefault<KeyHasher>>,
    problems: BTreeMap<(String, String), ProblemCounter>,
    warnings: BTreeMap<String, u64>,
    serial: u64,
}

impl Account {
    /// Begins the next record.
    pub fn next_record(&mut self) {
        self.serial += 1;
    }

    /// Counts one value of the record at hand.
    pub fn count(&mut self, field: FieldKey, code: char, value: &str, state: State, id: &str) {
        let serial = self.serial;
        let entry = self.fields.entry(Key::new(field, code, state)).or_default();
        entry.counter.values += 1;
        entry.counter.bytes += value.len() as u64;
        if entry.last != serial {
            entry.last = serial;
            entry.counter.records += 1;
        }
        let wanted = matches!(state, State::Unmapped | State::Failed | State::Dropped);
        if wanted && entry.counter.samples.len() < SAMPLES {
            entry.counter.samples.push((id.to_owned(), clip(value)));
        }
    }

    /// Counts a problem that a policy dealt with.
    pub fn problem(&mut self, rule: &str, code: &str, id: &str, value: &str) {
        let key = (rule.to_owned(), code.to_owned());
        let problem = self.problems.entry(key).or_default();
        problem.count += 1;
        if problem.samples.len() < SAMPLES {
            problem.samples.push((id.to_owned(), clip(value)));
        }
    }

    /// Counts a warning of a reader.
    pub fn warning(&mut self, code: &str) {
        match self.warnings.get_mut(code) {
            Some(count) => *count += 1,
            None => {
                self.warnings.insert(code.to_owned(), 1);
            }
        }
    }

    /// Adds the counters to a report and empties them.
    pub fn drain_into(&mut self, report: &mut AccountReport) {
        for (key, entry) in self.fields.drain() {
            let (name, state) = key.name();
            let line = report.fields.entry(name).or_default().entry(state).or_default();
            line.records += entry.counter.records;
            line.values += entry.counter.values;
            line.bytes += entry.counter.bytes;
            add_samples(&mut line.samples, entry.counter.samples);
        }
        for ((rule, code), problem) in std::mem::take(&mut self.problems) {
            let line = report.problems.entry(rule).or_default().entry(code).or_default();
            line.count += problem.count;
            add_samples(&mut line.samples, problem.samples);
        }
        for (code, count) in std::mem::take(&mut self.warnings) {
            *report.warnings.entry(code).or_default() += count;
        }
        self.serial = 0;
    }
}

/// The account of a run, for people and programs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountReport {
    /// `653 1_ $9` → state → counter.
    pub fields: BTreeMap<String, BTreeMap<State, Counter>>,
    /// Rule → code → how often a policy dealt with it.
    pub problems: BTreeMap<String, BTreeMap<String, ProblemCounter>>,
    /// Reader's warnings by code.
    pub warnings: BTreeMap<String, u64>,
}

impl AccountReport {
    /// Adds another account to this one, which came first.
    pub fn add(&mut self, other: AccountReport) {
        for (name, states) in other.fields {
            let line = self.fields.entry(name).or_default();
            for (state, counter) in states {
                let sum = line.entry(state).or_default();
                sum.records += counter.records;
                sum.values += counter.values;
                sum.bytes += counter.bytes;
                add_samples(&mut sum.samples, counter.samples);
            }
        }
        for (rule, codes) in other.problems {
            let line = self.problems.entry(rule).or_default();
            for (code, problem) in codes {
                let sum = line.entry(code).or_default();
                sum.count += problem.count;
                add_samples(&mut sum.samples, problem.samples);
            }
        }
        for (code, count) in other.warnings {
            *self.warnings.entry(code).or_default() += count;
        }
    }

    /// Values in this state, and their bytes.
    #[must_use]
    pub fn total(&self, state: State) -> (u64, u64) {
        self.fields
            .values()
            .filter_map(|states| states.get(&state))
            .fold((0, 0), |(values, bytes), line| (values + line.values, bytes + line.bytes))
    }

    /// Part of the values, and of their bytes, that reached the output or were left out on
    /// purpose, in per cent; 100 when there were none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
    pub fn coverage(&self) -> (f64, f64) {
        use State::{Dropped, Failed, Ignored, Mapped, Read, Unmapped};
        let sum = |states: &[State]| {
            states
                .iter()
                .map(|state| self.total(*state))
                .fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
        };
        let kept = sum(&[Mapped, Ignored, Read]);
        let all = sum(&[Mapped, Ignored, Read, Dropped, Failed, Unmapped]);
        let percent = |part: u64, whole: u64| match whole {
            0 => 100.0,
            _ => part as f64 * 100.0 / whole as f64,
        };
        (percent(kept.0, all.0), percent(kept.1, all.1))
    }
}

fn add_samples(to: &mut Vec<(String, String)>, from: Vec<(String, String)>) {
    let room = SAMPLES.saturating_sub(to.len());
    to.extend(from.into_iter().take(room));
}

fn clip(value: &str) -> String {
    match value.char_indices().nth(CLIP) {
        Some((end, _)) => format!("{}…", value.get(..end).unwrap_or(value)),
        None => value.to_owned(),
    }
}
