//! The end of a record: every value of the source counted in its final state.

use super::account::{FieldKey, State};
use super::run::{Held, Run};
use super::syntax::Unmapped;
use super::transforms::text;

impl Run<'_> {
    /// Counts every value of the record in its final state.
    pub(super) fn settle(&mut self) -> Result<(), Held> {
        let Some(input) = &self.input else { return Ok(()) };
        let mut states = vec![State::Unmapped; input.marc.value_count()];
        for (value, state) in &self.marks {
            if let Some(known) = states.get_mut(*value as usize) {
                *known = (*known).max(*state);
            }
        }
        let mut lost = None;
        for field in input.marc.fields() {
            let ignored = self.ignored.of(self.plan, field);
            let key = FieldKey::new(field);
            for subfield in field.subfields() {
                let mut state = states.get(subfield.index).copied().unwrap_or(State::Unmapped);
                // Linkage is read through the field it links to; nothing is lost with a blank.
                let free = || {
                    matches!(subfield.code, '6' | '8') || text::trimmed(subfield.value).is_empty()
                };
                if state < State::Read && (ignored.covers(subfield.code) || free()) {
                    state = State::Ignored;
                }
                if state == State::Unmapped && self.plan.unmapped == Unmapped::Quarantine {
                    lost.get_or_insert_with(|| format!("{}${}", field.tag(), subfield.code));
                }
                self.account.count(key, subfield.code, subfield.value, state, self.id);
            }
        }
        match lost {
            None => Ok(()),
            Some(place) => Err(Held {
                rule: "unmapped".to_owned(),
                code: "unmapped".to_owned(),
                message: format!("no rule reads {place}"),
                fatal: false,
            }),
        }
    }
}
