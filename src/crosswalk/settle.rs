//! The end of a record: every value of the source counted in its final state.

use super::account::State;
use super::run::{Held, Run};
use super::syntax::Unmapped;
use super::transforms::text;

impl Run<'_> {
    /// Counts every value of the record in its final state.
    pub(super) fn settle(&mut self) -> Result<(), Held> {
        let Some(input) = &self.input else { return Ok(()) };
        let states = &mut self.memory.states;
        states.clear();
        states.resize(input.marc.value_count(), State::Unmapped);
        for (value, state) in &self.memory.marks {
            if let Some(known) = states.get_mut(*value as usize) {
                *known = (*known).max(*state);
            }
        }
        let mut lost = None;
        for (field, class) in input.marc.fields().zip(input.classes().iter().copied()) {
            let ignored = self.memory.ignored.of(self.plan, class, field);
            for (code, index, length) in field.outline() {
                let mut state = states.get(index).copied().unwrap_or(State::Unmapped);
                let value = || input.marc.value(index).unwrap_or_default();
                // Nothing is lost with a blank.
                let free = || ignored.contains(code) || text::trimmed(value()).is_empty();
                if state == State::Unmapped && free() {
                    state = State::Ignored;
                }
                if state == State::Unmapped && self.plan.unmapped == Unmapped::Quarantine {
                    lost.get_or_insert_with(|| format!("{}${code}", field.tag()));
                }
                let wants_sample = self.account.count(class, code, length, state);
                if wants_sample {
                    self.account.sample(class, code, state, self.id, value());
                }
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
