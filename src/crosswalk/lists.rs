//! The end of a pipe: its steps over all values of a rule, from its first list transform on.

use super::account::State;
use super::plan::Step;
use super::run::{Found, Origins, Outcome, Run};
use super::shape::Quoting;
use super::transforms::{List, Step as Transform};
use super::values::{Sink, position};

impl<'r> Run<'r> {
    /// Applies what stands in the pipe from its first list transform on; `false` drops the object.
    pub(super) fn finish_lists(
        &mut self,
        step: &'r Step,
        values: &mut Vec<Found<'r>>,
    ) -> Outcome<bool> {
        let mut at = step.pipe.each;
        while let Some(Transform::List(list)) = step.pipe.steps.get(at) {
            self.list(*list, values);
            at += 1;
            let gathered = std::mem::take(values);
            for found in gathered {
                let mut sink = Sink::list(values);
                if !self.emit(step, at, found, &mut sink)? {
                    return Ok(false);
                }
            }
            at = step.pipe.end(at);
        }
        Ok(true)
    }

    fn list(&mut self, list: List, values: &mut Vec<Found<'r>>) {
        let numbers = values.iter().all(|value| value.quoting == Quoting::Raw);
        let texts: Vec<&str> = values.iter().map(|value| value.text.as_ref()).collect();
        let order = list.order(&texts, numbers);
        let mut all: Vec<Option<Found<'r>>> = values.drain(..).map(Some).collect();
        values.extend(order.into_iter().filter_map(|n| all.get_mut(n)?.take()));
        for left in all.into_iter().flatten() {
            // A double reaches the output with the value that stays.
            let same =
                values.iter_mut().find(|kept| list == List::Unique && kept.text == left.text);
            match same {
                Some(kept) => kept.origins = self.together([kept.origins, left.origins]),
                None => self.mark(left.origins, State::Dropped),
            }
        }
    }

    /// The values that these come from, as those of one.
    pub(super) fn together(&mut self, all: impl IntoIterator<Item = Origins>) -> Origins {
        let start = position(self.memory.origins.len());
        for origins in all {
            match origins {
                Origins::None => {}
                Origins::Span(from, to) => self.memory.origins.extend(from..to),
                Origins::One(value) => self.memory.origins.push(value),
                Origins::Many(from, to) => {
                    self.memory.origins.extend_from_within(from as usize..to as usize);
                }
            }
        }
        Origins::Many(start, position(self.memory.origins.len()))
    }
}
