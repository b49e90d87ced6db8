//! What a rule does to the values that it writes: told by the rule alone, without a record.

use std::fmt;

use super::plan::{Body, Plan, Selector, Step};
use super::syntax::Take;
use super::transforms::{Keeps, Step as Transform};

/// Whether what a rule writes leads back to what it read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The value itself, or with a text around it.
    Exact,
    /// The same in a normal form: another spelling may come back.
    Canonical,
    /// Part of what it said is gone.
    Lossy,
}

impl Class {
    /// All of them, in order.
    pub const ALL: [Class; 3] = [Class::Exact, Class::Canonical, Class::Lossy];
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Class::Exact => "exact",
            Class::Canonical => "canonical",
            Class::Lossy => "lossy",
        })
    }
}

/// A rule with its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classified {
    /// Its id.
    pub rule: String,
    /// File and line.
    pub place: String,
    /// The worst of what it and its items do.
    pub class: Class,
    /// What makes it so: transforms, `join`, `take: longest`, `value`; each once.
    pub why: Vec<String>,
}

impl Plan {
    /// The class of each rule, in file order.
    ///
    /// Which values a rule reads, and that it takes the first of several, is no matter of this: the
    /// account of a run counts what is dropped.
    #[must_use]
    pub fn classes(&self) -> Vec<Classified> {
        let rules = self.rules.iter().chain(&self.tombstone);
        let classified = rules.map(|rule| {
            let mut found = Vec::new();
            reasons(rule, &mut found);
            let class = found.iter().map(|(class, _)| *class).max().unwrap_or(Class::Exact);
            let mut why: Vec<String> = Vec::new();
            for (_, reason) in found.into_iter().filter(|(of, _)| *of == class) {
                if !why.contains(&reason) && class != Class::Exact {
                    why.push(reason);
                }
            }
            let place = self.labels.get(rule.number).map_or("", |label| label.place.as_str());
            Classified { rule: rule.label.clone(), place: place.to_owned(), class, why }
        });
        classified.collect()
    }
}

/// What a step and all in it do, each with its class.
fn reasons(step: &Step, found: &mut Vec<(Class, String)>) {
    for (transform, name) in step.pipe.steps.iter().zip(&step.pipe.names) {
        found.push((class_of(transform, name), name.clone()));
    }
    if step.join.is_some() {
        found.push((Class::Lossy, "join".to_owned()));
    }
    let take = match &step.take {
        Take::Last => Some("take: last"),
        Take::Longest => Some("take: longest"),
        Take::Earliest => Some("take: earliest"),
        Take::AllJoined(_) => Some("take: all_joined"),
        Take::First | Take::FirstMatch | Take::All => None,
    };
    found.extend(take.map(|take| (Class::Lossy, take.to_owned())));
    if step.from.iter().any(|(selector, _)| matches!(selector, Selector::Expression(_))) {
        found.push((Class::Lossy, "value".to_owned()));
    }
    match &step.body {
        Body::Binding | Body::Leaf(_) => {}
        Body::Each(inner) => reasons(inner, found),
        Body::Cases(cases) => {
            let objects = cases.iter().flat_map(|case| {
                let linked = case.linked_880.as_ref().map(|linked| &linked.object);
                case.object.iter().chain(linked)
            });
            for item in objects.flat_map(|object| &object.items) {
                reasons(item, found);
            }
        }
    }
}

fn class_of(transform: &Transform, name: &str) -> Class {
    match transform {
        Transform::Lookup(table) if table.is_one_to_one() => Class::Canonical,
        _ => match Keeps::of(name) {
            Keeps::All => Class::Exact,
            Keeps::Meaning => Class::Canonical,
            Keeps::Part => Class::Lossy,
        },
    }
}
