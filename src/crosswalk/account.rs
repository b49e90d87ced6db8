//! The loss account: what became of every value that the source had.
//!
//! Per record each value is in one state; counters by place and state with the first samples are
//! kept per worker and merged when a batch is committed. A place is tag, indicators and subfield
//! of MARC, or the path of a value in XML or JSON, positions left out.

mod problems;

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasherDefault;

use serde::{Deserialize, Serialize};

use super::hasher::KeyHasher;
pub use super::steps::PathStep;
use super::steps::Steps;
use crate::formats::marc21::{CONTROL_VALUE, Field, Tag};
use problems::add_problems;
pub use problems::{Problem, ProblemCase, ProblemCounter, ProblemReport, Problems};

/// What became of a value, from worst to best; a value read twice is in the better state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// No rule reads it.
    Unmapped,
    /// Only looked at, by a condition or a binding.
    Read,
    /// Its rule let it go: another value or field was taken, or its object was skipped.
    Dropped,
    /// Left out on purpose, with a reason in the crosswalk.
    Ignored,
    /// A transform failed on it and the policy skipped it.
    Failed,
    /// It reached the output.
    Mapped,
}

impl State {
    /// All of them, in order.
    pub const ALL: [State; 6] = [
        State::Unmapped,
        State::Read,
        State::Dropped,
        State::Ignored,
        State::Failed,
        State::Mapped,
    ];

    /// Whether samples are of use: the value did not reach the output, and nobody said so.
    fn is_loss(self) -> bool {
        matches!(self, State::Unmapped | State::Failed | State::Dropped)
    }
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

impl Counter {
    fn add(&mut self, other: Counter) {
        self.records += other.records;
        self.values += other.values;
        self.bytes += other.bytes;
        add_samples(&mut self.samples, other.samples);
    }
}

/// So many classes of fields are remembered as recent ones, a power of 2.
const RECENT: usize = 1024;
const SAMPLES: usize = 3;
const CLIP: usize = 80;

/// A field's tag and indicators in one number: fields that share it are one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct ClassKey(u64);

impl ClassKey {
    fn new(field: Field<'_>) -> ClassKey {
        let [a, b, c] = field.tag().0;
        let [first, second] = field.indicators().map(ascii);
        ClassKey(u64::from_be_bytes([0, 0, 0, a, b, c, first, second]))
    }

    /// Its place among the recent ones: the highest bits of a product are mixed of all.
    fn place(self) -> usize {
        let mixed = self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - RECENT.ilog2());
        usize::try_from(mixed).unwrap_or(0)
    }

    /// `653 1_ $9`
    fn name(self, code: u8) -> String {
        let [_, _, _, a, b, c, first, second] = self.0.to_be_bytes();
        let mut name: String = [a, b, c].into_iter().map(char::from).collect();
        let shown = |byte: u8| match byte {
            b' ' => '_',
            FOREIGN => '?',
            byte => char::from(byte),
        };
        if char::from(code) != CONTROL_VALUE {
            name.extend([' ', shown(first), shown(second), ' ', '$', shown(code)]);
        }
        name
    }
}

/// Any character outside ASCII, which MARC does not allow in these places; shown as `?`.
const FOREIGN: u8 = 0xFF;

fn ascii(c: char) -> u8 {
    u8::try_from(c).ok().filter(u8::is_ascii).unwrap_or(FOREIGN)
}

/// The values of one subfield in one state.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    values: u64,
    bytes: u64,
    records: u64,
    /// The serial of the record that was counted last, so that a record counts once.
    last: u64,
}

/// One subfield of a class: a tally for each [`State`], in its order, and its samples.
#[derive(Debug, Default)]
struct Line {
    code: u8,
    tallies: [Tally; State::ALL.len()],
    samples: Vec<(State, String, String)>,
}

/// Fields with the same tag and indicators, or values with the same path.
#[derive(Debug)]
pub struct Class {
    name: ClassName,
    /// For each subfield code the number of its line and 1; 0 for none. A path has one line, of
    /// code 0.
    numbers: [u8; 256],
    lines: Vec<Line>,
    /// The classes one step further down a path.
    below: Steps,
}

#[derive(Debug)]
enum ClassName {
    Field(ClassKey),
    Path(String),
}

impl Class {
    #[inline]
    fn line(&mut self, code: char) -> Option<&mut Line> {
        let code = ascii(code);
        let number = match self.numbers.get(usize::from(code)) {
            Some(0) | None => self.new_line(code),
            Some(number) => *number,
        };
        self.lines.get_mut(usize::from(number) - 1)
    }

    #[cold]
    fn new_line(&mut self, code: u8) -> u8 {
        self.lines.push(Line { code, ..Line::default() });
        // 256 codes at most: 128 of ASCII, and one for all others.
        let number = u8::try_from(self.lines.len()).unwrap_or(u8::MAX);
        if let Some(place) = self.numbers.get_mut(usize::from(code)) {
            *place = number;
        }
        number
    }

    /// Counts one value of the record with this serial, of so many bytes. `true`: a sample is
    /// wanted.
    #[inline]
    pub fn count(&mut self, serial: u64, code: char, bytes: usize, state: State) -> bool {
        let Some(line) = self.line(code) else { return false };
        let Some(tally) = line.tallies.get_mut(state as usize) else { return false };
        tally.values += 1;
        tally.bytes += bytes as u64;
        tally.records += u64::from(tally.last != serial);
        tally.last = serial;
        tally.values <= SAMPLES as u64 && state.is_loss()
    }

    /// Keeps a value that was counted just now, and the record's identifier, as a sample.
    pub fn sample(&mut self, code: char, state: State, id: &str, value: &str) {
        if let Some(line) = self.line(code) {
            line.samples.push((state, id.to_owned(), clip(value)));
        }
    }

    /// Its name, with a subfield code or [`PATH_VALUE`].
    #[must_use]
    pub fn name(&self, code: char) -> String {
        self.name.of(ascii(code))
    }
}

impl ClassName {
    /// As the account shows it.
    fn of(&self, code: u8) -> String {
        match self {
            ClassName::Field(key) => key.name(code),
            ClassName::Path(path) => path.clone(),
        }
    }
}

/// The number of a class of fields or values.
pub type ClassNumber = usize;

/// The code under which the values of a path are counted.
pub const PATH_VALUE: char = '\0';
/// More names than this in one place are keys, not names: the others are counted as one, `*`.
const MAX_NAMES: usize = 500;

/// The counters of one worker's records.
#[derive(Debug, Default)]
pub struct Account {
    classes: Vec<Class>,
    /// The classes of fields.
    fields: HashMap<ClassKey, ClassNumber, BuildHasherDefault<KeyHasher>>,
    /// Those that were asked for last, each at the place that its key leads to.
    recent: Vec<(ClassKey, ClassNumber)>,
    /// The classes of the first steps of paths.
    top: Steps,
    /// What policies dealt with.
    pub problems: Problems,
    warnings: BTreeMap<String, u64>,
    serial: u64,
}

impl Account {
    /// Begins the next record.
    pub fn next_record(&mut self) {
        self.serial += 1;
        self.problems.next_record();
    }

    /// The class of a field; it stays the same for all records of this account.
    #[inline]
    pub fn class(&mut self, field: Field<'_>) -> ClassNumber {
        let key = ClassKey::new(field);
        match self.recent.get(key.place()) {
            Some((known, number)) if *known == key => *number,
            _ => self.look_up(key),
        }
    }

    #[cold]
    fn look_up(&mut self, key: ClassKey) -> ClassNumber {
        let number = match self.fields.get(&key) {
            Some(number) => *number,
            None => {
                let number = self.add(ClassName::Field(key));
                self.fields.insert(key, number);
                number
            }
        };
        self.recent.resize(RECENT, (ClassKey(0), 0));
        if let Some(place) = self.recent.get_mut(key.place()) {
            *place = (key, number);
        }
        number
    }

    /// The class of the values one step below a class, or at the top.
    pub fn below(&mut self, class: Option<ClassNumber>, step: PathStep<'_>) -> ClassNumber {
        let names = match class.and_then(|class| self.classes.get_mut(class)) {
            Some(Class { name: ClassName::Path(_), below, .. }) => below,
            _ => &mut self.top,
        };
        match names.find(step) {
            Some(number) => number,
            None => self.new_below(class, step),
        }
    }

    #[cold]
    fn new_below(&mut self, class: Option<ClassNumber>, step: PathStep<'_>) -> ClassNumber {
        let (path, names) = match class.and_then(|class| self.classes.get_mut(class)) {
            Some(Class { name: ClassName::Path(path), below, .. }) => (path.as_str(), below),
            _ => ("", &mut self.top),
        };
        let step = if names.len() < MAX_NAMES { step } else { PathStep { name: "*", ..step } };
        if let Some(number) = names.find(step) {
            return number;
        }
        let colon = if step.prefix.is_empty() { "" } else { ":" };
        let own = [step.sign, step.prefix, colon, step.name].concat();
        // What stands at the top needs no sign that parts it from what is above.
        let shown = if path.is_empty() { own.trim_start_matches(['.', '/']) } else { &own };
        let path = [path, shown].concat();
        let number = self.add(ClassName::Path(path));
        let names = match class.and_then(|class| self.classes.get_mut(class)) {
            Some(class) => &mut class.below,
            None => &mut self.top,
        };
        names.push(own, number);
        number
    }

    fn add(&mut self, name: ClassName) -> ClassNumber {
        self.classes.push(Class {
            name,
            numbers: [0; 256],
            lines: Vec::new(),
            below: Steps::default(),
        });
        self.classes.len() - 1
    }

    /// Tag and indicators of a class of fields; those beyond ASCII share a class.
    #[must_use]
    pub fn heading(&self, class: ClassNumber) -> Option<(Tag, [Option<char>; 2])> {
        let ClassName::Field(key) = self.classes.get(class)?.name else { return None };
        let [_, _, _, a, b, c, first, second] = key.0.to_be_bytes();
        let known = |byte: u8| (byte != FOREIGN).then_some(char::from(byte));
        Some((Tag([a, b, c]), [known(first), known(second)]))
    }

    /// A class to count in, and the serial of the record at hand.
    #[inline]
    pub fn counting(&mut self, class: ClassNumber) -> Option<(&mut Class, u64)> {
        let serial = self.serial;
        self.classes.get_mut(class).map(|class| (class, serial))
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
        for Class { name, lines, .. } in &mut self.classes {
            for Line { code, tallies, samples } in lines {
                for (state, tally) in State::ALL.into_iter().zip(tallies) {
                    let Tally { values, bytes, records, .. } = std::mem::take(tally);
                    if values == 0 {
                        continue;
                    }
                    let of_state = samples.iter().filter(|(of, ..)| *of == state);
                    let samples = of_state.map(|(_, id, value)| (id.clone(), value.clone()));
                    let samples = samples.collect();
                    let fields = report.fields.entry(name.of(*code)).or_default();
                    let counter = Counter { records, values, bytes, samples };
                    fields.entry(state).or_default().add(counter);
                }
                samples.clear();
            }
        }
        self.problems.drain_into(&mut report.problems);
        for (code, count) in std::mem::take(&mut self.warnings) {
            *report.warnings.entry(code).or_default() += count;
        }
        self.serial = 0;
    }
}

/// The account of a run, for people and programs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountReport {
    /// `653 1_ $9`, `creators/creator/@type` or `metadata.titles[].title` → state → counter.
    pub fields: BTreeMap<String, BTreeMap<State, Counter>>,
    /// Rule → code → how often a policy dealt with it, and the first cases.
    pub problems: ProblemReport,
    /// Reader's warnings by code.
    pub warnings: BTreeMap<String, u64>,
}

impl AccountReport {
    /// Adds another account to this one, which came first.
    pub fn add(&mut self, other: AccountReport) {
        for (name, states) in other.fields {
            let line = self.fields.entry(name).or_default();
            for (state, counter) in states {
                line.entry(state).or_default().add(counter);
            }
        }
        add_problems(&mut self.problems, other.problems);
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
