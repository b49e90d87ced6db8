//! What `ignore` leaves out on purpose, remembered by tag and indicators.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::account::KeyHasher;
use super::plan::Plan;
use super::selector::{MarcSelector, Subfields};
use crate::formats::marc21::Field;

/// The subfields of one field that are left out.
#[derive(Debug, Clone, Default)]
pub(super) struct Ignored {
    all: bool,
    some: Vec<Subfields>,
}

impl Ignored {
    /// Whether a subfield of this code is among them.
    pub fn covers(&self, code: char) -> bool {
        self.all || self.some.iter().any(|subfields| subfields.contains(code))
    }

    fn of(plan: &Plan, field: Field<'_>) -> Ignored {
        let mut ignored = Ignored::default();
        for selector in &plan.ignore {
            let tag = selector.tag.as_ref();
            if tag.is_some_and(|tag| tag.matches(field.tag())) && selector.accepts(field) {
                match &selector.subfields {
                    Subfields::Whole => ignored.all = true,
                    some => ignored.some.push(some.clone()),
                }
            }
        }
        ignored
    }
}

/// Remembers what is left out of fields with the same tag and indicators, where no condition of
/// a selector looks at more than that.
#[derive(Debug, Default)]
pub(super) struct IgnoreCache {
    /// `None` where a condition decides field by field.
    known: HashMap<u64, Option<Ignored>, BuildHasherDefault<KeyHasher>>,
    other: Ignored,
}

impl IgnoreCache {
    /// What is left out of `field`.
    pub fn of(&mut self, plan: &Plan, field: Field<'_>) -> &Ignored {
        let [first, second] = field.indicators().map(|c| u8::try_from(c).ok());
        let [a, b, c] = field.tag().0;
        let key = match (first, second) {
            (Some(first), Some(second)) => u64::from_be_bytes([0, 0, 0, a, b, c, first, second]),
            // Indicators outside of Latin 1, which MARC does not have: not worth remembering.
            _ => u64::MAX,
        };
        let conditional = |selector: &&MarcSelector| {
            !selector.conditions.is_empty()
                && selector.tag.as_ref().is_some_and(|tag| tag.matches(field.tag()))
        };
        let known = self.known.entry(key).or_insert_with(|| {
            let by_field = key == u64::MAX || plan.ignore.iter().any(|s| conditional(&s));
            (!by_field).then(|| Ignored::of(plan, field))
        });
        match known {
            Some(ignored) => ignored,
            None => {
                self.other = Ignored::of(plan, field);
                &self.other
            }
        }
    }
}
