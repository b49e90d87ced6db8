//! What `ignore` leaves out on purpose, remembered by tag and indicators.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::account::KeyHasher;
use super::plan::Plan;
use super::selector::Subfields;
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

/// Remembers what is left out of fields with the same tag and indicators, as long as no
/// condition of a selector looks at more than that.
#[derive(Debug)]
pub(super) struct IgnoreCache {
    known: HashMap<u64, Ignored, BuildHasherDefault<KeyHasher>>,
    other: Ignored,
    conditional: bool,
}

impl IgnoreCache {
    /// An empty cache for this plan.
    pub fn new(plan: &Plan) -> IgnoreCache {
        let conditional = plan.ignore.iter().any(|selector| !selector.conditions.is_empty());
        IgnoreCache { known: HashMap::default(), other: Ignored::default(), conditional }
    }

    /// What is left out of `field`.
    pub fn of(&mut self, plan: &Plan, field: Field<'_>) -> &Ignored {
        let [first, second] = field.indicators().map(|c| u8::try_from(c).ok());
        let (false, Some(first), Some(second)) = (self.conditional, first, second) else {
            self.other = Ignored::of(plan, field);
            return &self.other;
        };
        let [a, b, c] = field.tag().0;
        let key = u64::from_be_bytes([0, 0, 0, a, b, c, first, second]);
        self.known.entry(key).or_insert_with(|| Ignored::of(plan, field))
    }
}
