//! JSON selectors: a subset of RFC 9535, `$.metadata.creators[*].person_or_org.name`.
//!
//! Beyond it, a path without `$` begins at the current value, names may hold `-` and `:`, and
//! null is no value that a path leads to.
//! <https://www.rfc-editor.org/rfc/rfc9535>

mod filter;
mod parse;

use super::SelectorError;
use crate::json::tree::{Branch, Kind};
use filter::Test;

/// One step of a path.
#[derive(Debug, Clone)]
enum Step {
    /// `.name`, `['any name']`
    Name(String),
    /// `[n]`, from the end when negative.
    Index(i64),
    /// `.*`, `[*]`: every item of an array, every member of an object.
    All,
    /// `[a:b:c]`
    Slice(Slice),
    /// `[?…]`: items or members that pass.
    Where(Test),
    /// `['a', 'b']`, `[0, -1]`: what one of these gives, in this order.
    Several(Vec<Step>),
    /// `..`: the value and everything in it.
    Descendants,
}

/// `[start:end:step]`, the end exclusive; what is left out is `None` (a step of 1).
#[derive(Debug, Clone, Copy)]
struct Slice {
    start: Option<i64>,
    end: Option<i64>,
    step: i64,
}

/// What a [`JsonPath`] comes upon.
#[derive(Debug, Clone, Copy)]
pub enum JsonVisit<'v> {
    /// The path leads here.
    Found(Branch<'v>),
    /// A filter compared this on the way, and passed.
    Read(Branch<'v>),
}

/// A parsed path.
#[derive(Debug, Clone)]
pub struct JsonPath {
    /// Begins with `$`: from the root, not from the current value.
    pub absolute: bool,
    steps: Vec<Step>,
}

impl JsonPath {
    /// Reads a path.
    ///
    /// # Errors
    /// [`SelectorError`] with the offset of the first character that does not fit.
    pub fn parse(text: &str) -> Result<JsonPath, SelectorError> {
        parse::parse(text)
    }

    /// The member of this name of the record, whatever characters are in it.
    #[must_use]
    pub fn column(name: &str) -> JsonPath {
        JsonPath { absolute: true, steps: vec![Step::Name(name.to_owned())] }
    }

    /// Calls `found` with every value the path leads to but null, in document order.
    pub fn select<'v>(
        &self,
        root: Branch<'v>,
        current: Branch<'v>,
        found: &mut dyn FnMut(Branch<'v>),
    ) {
        self.visit(root, current, &mut |visit| {
            if let JsonVisit::Found(value) = visit {
                found(value);
            }
        });
    }

    /// As [`JsonPath::select`], and tells also what filters compared in the values that passed.
    pub fn visit<'v>(
        &self,
        root: Branch<'v>,
        current: Branch<'v>,
        visit: &mut dyn FnMut(JsonVisit<'v>),
    ) {
        let start = if self.absolute { root } else { current };
        walk(&self.steps, root, start, &mut |met| match met {
            JsonVisit::Found(value) if matches!(value.kind(), Kind::Null) => {}
            met => visit(met),
        });
    }

    /// The member without which, at the place where the path begins, it leads nowhere; `None`
    /// when that cannot be said.
    #[must_use]
    pub fn first_name(&self) -> Option<&str> {
        match self.steps.first() {
            Some(Step::Name(name)) => Some(name),
            _ => None,
        }
    }

    /// Whether it leads to one value at most.
    fn is_singular(&self) -> bool {
        self.steps.iter().all(|step| matches!(step, Step::Name(_) | Step::Index(_)))
    }

    /// The value it leads to, null too, when it [`JsonPath::is_singular`].
    fn value<'v>(&self, root: Branch<'v>, current: Branch<'v>) -> Option<Branch<'v>> {
        let start = if self.absolute { root } else { current };
        self.steps.iter().try_fold(start, |value, step| step.of(value))
    }
}

fn walk<'v>(
    steps: &[Step],
    root: Branch<'v>,
    mut value: Branch<'v>,
    visit: &mut dyn FnMut(JsonVisit<'v>),
) {
    let mut rest = steps;
    let step = loop {
        match rest.split_first() {
            None => return visit(JsonVisit::Found(value)),
            Some((step @ (Step::Name(_) | Step::Index(_)), behind)) => {
                let Some(inner) = step.of(value) else { return };
                (value, rest) = (inner, behind);
            }
            Some((step, behind)) => {
                rest = behind;
                break step;
            }
        }
    };
    match step {
        Step::All => inside(value, &mut |item| walk(rest, root, item, visit)),
        Step::Slice(slice) => {
            slice.of(&items(value), &mut |item| walk(rest, root, item, visit));
        }
        Step::Where(test) => inside(value, &mut |item| {
            if test.passes(root, item) {
                test.reads(root, item, visit);
                walk(rest, root, item, visit);
            }
        }),
        Step::Several(steps) => {
            for step in steps {
                walk(std::slice::from_ref(step), root, value, &mut |met| match met {
                    JsonVisit::Found(item) => walk(rest, root, item, visit),
                    JsonVisit::Read(_) => visit(met),
                });
            }
        }
        Step::Descendants => {
            walk(rest, root, value, visit);
            inside(value, &mut |item| descend(rest, root, item, visit));
        }
        Step::Name(_) | Step::Index(_) => {}
    }
}

fn descend<'v>(
    rest: &[Step],
    root: Branch<'v>,
    value: Branch<'v>,
    visit: &mut dyn FnMut(JsonVisit<'v>),
) {
    walk(rest, root, value, visit);
    inside(value, &mut |item| descend(rest, root, item, visit));
}

/// The items of an array, the members of an object by their names.
fn inside<'v>(value: Branch<'v>, found: &mut dyn FnMut(Branch<'v>)) {
    value.visit(&mut |_, item| found(item));
}

fn items(value: Branch<'_>) -> Vec<Branch<'_>> {
    match value.kind() {
        Kind::Array => value.children().collect(),
        _ => Vec::new(),
    }
}

impl Step {
    fn of<'v>(&self, value: Branch<'v>) -> Option<Branch<'v>> {
        match self {
            Step::Name(name) => value.get(name),
            Step::Index(n) if matches!(value.kind(), Kind::Array) => {
                let from_end = || position(*n, value.children().count());
                let n = usize::try_from(*n).ok().or_else(from_end)?;
                value.children().nth(n)
            }
            _ => None,
        }
    }
}

/// The place of a negative index.
fn position(n: i64, length: usize) -> Option<usize> {
    length.checked_sub(usize::try_from(n.unsigned_abs()).ok()?)
}

impl Slice {
    // RFC 9535, 2.3.4.2.2
    fn of<'v>(self, items: &[Branch<'v>], found: &mut dyn FnMut(Branch<'v>)) {
        let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
        let place = |n: i64| if n >= 0 { n } else { n.saturating_add(length) };
        let (lowest, highest) = if self.step > 0 { (0, length) } else { (-1, length - 1) };
        let (first, last) = if self.step > 0 { (0, length) } else { (length - 1, -1) };
        let start = self.start.map_or(first, place).clamp(lowest, highest);
        let end = self.end.map_or(last, place).clamp(lowest, highest);
        let mut at = start;
        while self.step > 0 && at < end || self.step < 0 && at > end {
            if let Some(item) = usize::try_from(at).ok().and_then(|at| items.get(at)) {
                found(*item);
            }
            at = at.saturating_add(self.step);
        }
    }
}

#[cfg(test)]
mod tests;
