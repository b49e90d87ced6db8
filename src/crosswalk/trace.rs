//! Where each value of an output comes from: the rule, its place in the source, every step of the
//! pipe.

use super::plan::Step;

/// What became of one record, value by value.
#[derive(Debug, Default)]
pub struct Trace {
    /// The values that were written, in the order of the rules.
    pub lines: Vec<TraceLine>,
    /// The objects that are being built.
    path: Vec<String>,
    /// What pipes made of values, until those are written.
    pipes: Vec<Vec<TraceStep>>,
}

/// One value of the output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceLine {
    /// Its path: `metadata.creators[0].person_or_org.name`.
    pub path: String,
    /// The rule or item that wrote it.
    pub rule: String,
    /// Its number in [`super::Plan::labels`], which say where it stands.
    pub number: usize,
    /// Where the value stands in the source; empty for constants.
    pub places: Vec<String>,
    /// What the pipe made of it, step by step; the first has no name and is what was found.
    pub steps: Vec<TraceStep>,
    /// The value.
    pub value: String,
}

/// One step of a pipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceStep {
    /// The transform.
    pub name: String,
    /// What it made of the value.
    pub value: String,
}

impl Trace {
    /// An object is being built: `to`, and its number in a list.
    pub(super) fn enter(&mut self, to: &str, at: Option<usize>) {
        self.path.push(at.map_or(to.to_owned(), |at| format!("{to}[{at}]")));
    }

    /// It is built, or given up.
    pub(super) fn leave(&mut self) {
        self.path.pop();
    }

    /// A value enters a pipe.
    pub(super) fn begin(&mut self, value: &str) {
        self.pipes.push(vec![TraceStep { name: String::new(), value: value.to_owned() }]);
    }

    /// A step of a pipe has made this of the value.
    pub(super) fn step(&mut self, name: &str, value: &str) {
        if let Some(steps) = self.pipes.last_mut() {
            steps.push(TraceStep { name: name.to_owned(), value: value.to_owned() });
        }
    }

    /// A value is written to `to`, inside the objects that are being built.
    pub(super) fn write(&mut self, to: &str, step: &Step, places: Vec<String>, value: &str) {
        let comes_of = |steps: &Vec<TraceStep>| steps.last().is_some_and(|s| s.value == value);
        let steps = self.pipes.iter().rposition(comes_of).map(|n| self.pipes.swap_remove(n));
        // The text of an element has the path of the element.
        let own = Some(to).filter(|to| *to != ".");
        let path: Vec<&str> = self.path.iter().map(String::as_str).chain(own).collect();
        self.lines.push(TraceLine {
            path: path.join("."),
            rule: step.label.clone(),
            number: step.number,
            places,
            steps: steps.unwrap_or_default(),
            value: value.to_owned(),
        });
    }
}
