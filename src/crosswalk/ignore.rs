//! What `ignore` leaves out on purpose, remembered by class of field.

use super::account::ClassNumber;
use super::codes::CodeSet;
use super::plan::Plan;
use super::selector::Subfields;
use crate::formats::marc21::Field;

/// The subfields of one field that are left out.
fn ignored(plan: &Plan, field: Field<'_>) -> CodeSet {
    // Linkage is read through the field it links to.
    let linkage: CodeSet = ['6', '8'].into_iter().collect();
    let selectors = plan.ignore.iter().filter(|selector| {
        let tag = selector.tag.as_ref();
        tag.is_some_and(|tag| tag.matches(field.tag())) && selector.accepts(field)
    });
    selectors.fold(linkage, |codes, selector| match &selector.subfields {
        Subfields::Whole => CodeSet::ALL,
        some => codes.union(some.codes()),
    })
}

/// Remembers what is left out of the fields of a class, where no condition of a selector looks
/// at more than that.
#[derive(Debug, Default)]
pub(super) struct IgnoreCache(Vec<Known>);

#[derive(Debug, Clone, Copy)]
enum Known {
    NotYet,
    ByField,
    Always(CodeSet),
}

impl IgnoreCache {
    /// What is left out of `field`, which is of this class.
    pub fn of(&mut self, plan: &Plan, class: ClassNumber, field: Field<'_>) -> CodeSet {
        match self.0.get(class) {
            Some(Known::Always(codes)) => *codes,
            Some(Known::ByField) => ignored(plan, field),
            Some(Known::NotYet) | None => self.learn(plan, class, field),
        }
    }

    #[cold]
    fn learn(&mut self, plan: &Plan, class: ClassNumber, field: Field<'_>) -> CodeSet {
        let codes = ignored(plan, field);
        let conditional = plan.ignore.iter().any(|selector| {
            !selector.conditions.is_empty()
                && selector.tag.as_ref().is_some_and(|tag| tag.matches(field.tag()))
        });
        // All indicators beyond ASCII share a class.
        let odd = field.indicators().iter().any(|c| !c.is_ascii());
        if self.0.len() <= class {
            self.0.resize(class + 1, Known::NotYet);
        }
        if let Some(known) = self.0.get_mut(class) {
            *known = if conditional || odd { Known::ByField } else { Known::Always(codes) };
        }
        codes
    }
}
