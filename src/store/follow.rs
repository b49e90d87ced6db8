//! How far the OAI projection has followed what others do: Invenio's changes, sets' patterns.
//!
//! Two ways lead over the records. A *sweep* looks at each of them once, in order of their UUIDs:
//! at first, and whenever the search patterns have changed. *Passes* look at revisions behind a
//! watermark, in order of Invenio's transactions. Transactions commit in any order; so the
//! watermark rises only to a transaction's number when nobody who has drawn a smaller one was
//! still at work as the pass began.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::StoreError;
use super::listing::Patterns;

/// What a step of following came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Followed {
    /// Records that it looked at.
    pub seen: u64,
    /// Items that it changed.
    pub changed: u64,
    /// Whether another step would find more to do at once.
    pub more: bool,
    /// How far the sweep over all records has come, from 0 to 1; 1 when there is none to do.
    pub share: f64,
}

/// Where following stands, as it is kept in `windrow_setting`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The patterns that the sweep puts in force, as [`super::listing::Patterns::text`] has them.
    patterns: String,
    /// The sweep goes on behind this record; `None` when it is done.
    sweep: Option<Id>,
    /// All revisions up to this transaction were looked at.
    watermark: i64,
    /// The pass goes on behind this revision (transaction, record); `None` before one.
    pass: Option<(i64, Id)>,
    /// The watermark to come.
    next: Option<Next>,
    /// Transactions that were at work when the sweep began: when they are through, there is
    /// another sweep, for what it may have missed of them.
    unsure: Vec<String>,
}

/// A UUID as it is kept.
type Id = (u64, u64);

const FIRST: Id = (0, 0);

/// The watermark to come, and who has to be through before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Next {
    watermark: i64,
    at_work: Vec<String>,
}

/// What to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stretch {
    /// Records behind this one, by UUID.
    Records(Uuid),
    /// Revisions behind this one, by transaction and record.
    Revisions(i64, Uuid),
}

impl Place {
    /// At the beginning. `last` is the largest number of a transaction, `at_work` are those that
    /// may have drawn a smaller one; asked for in this order.
    pub(super) fn start(patterns: String, last: i64, at_work: Vec<String>) -> Place {
        let (sweep, unsure) = (Some(FIRST), at_work);
        Place { patterns, sweep, watermark: last, pass: None, next: None, unsure }
    }

    /// Whether it was kept, with these patterns.
    pub(super) fn is_kept(kept: Option<&str>, patterns: &str) -> bool {
        let kept = kept.and_then(|kept| serde_json::from_str::<Place>(kept).ok());
        kept.is_some_and(|place| place.patterns == patterns)
    }

    /// Where it was kept, unless the patterns are others now: then at the beginning.
    pub(super) fn read(
        kept: Option<&str>,
        patterns: String,
        last: i64,
        at_work: Vec<String>,
    ) -> Place {
        let kept = kept.and_then(|kept| serde_json::from_str::<Place>(kept).ok());
        match kept.filter(|place| place.patterns == patterns) {
            Some(place) => place,
            None => Place::start(patterns, last, at_work),
        }
    }

    /// As it is kept.
    pub(super) fn text(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// What a step came to that has just passed `seen` records and listed `changed` of them anew.
    ///
    /// # Errors
    /// [`StoreError::Pattern`] when nothing is left to do and a pattern is none.
    pub(super) fn followed(
        &self,
        seen: usize,
        changed: usize,
        patterns: &Patterns,
    ) -> Result<Followed, StoreError> {
        let more = self.sweep.is_some() || self.pass.is_some();
        if !more {
            patterns.check()?;
        }
        let share = self.share();
        Ok(Followed { seen: seen as u64, changed: changed as u64, more, share })
    }

    /// What is next; `last` and `at_work` as for [`Place::start`].
    pub(super) fn stretch(&mut self, last: i64, at_work: &[String]) -> Stretch {
        if let Some(record) = self.sweep {
            return Stretch::Records(uuid(record));
        }
        if !self.unsure.is_empty() {
            self.unsure.retain(|one| at_work.contains(one));
            if self.unsure.is_empty() {
                self.sweep = Some(FIRST);
                return Stretch::Records(Uuid::nil());
            }
        }
        if let Some((transaction, record)) = self.pass {
            return Stretch::Revisions(transaction, uuid(record));
        }
        let next =
            self.next.get_or_insert_with(|| Next { watermark: last, at_work: at_work.to_vec() });
        next.at_work.retain(|one| at_work.contains(one));
        Stretch::Revisions(self.watermark, Uuid::max())
    }

    /// Goes on behind what was looked at; `end` says that there was no more of it.
    pub(super) fn passed(&mut self, stretch: Stretch, reached: Option<(i64, Uuid)>, end: bool) {
        match stretch {
            Stretch::Records(_) => {
                self.sweep = reached.map(|(_, id)| id.as_u64_pair()).filter(|_| !end);
            }
            Stretch::Revisions(..) if !end => {
                self.pass = reached.map(|(transaction, id)| (transaction, id.as_u64_pair()));
            }
            Stretch::Revisions(..) => {
                self.pass = None;
                if let Some(next) = self.next.take_if(|next| next.at_work.is_empty()) {
                    self.watermark = self.watermark.max(next.watermark);
                }
            }
        }
    }

    /// How far the sweep has come: UUIDs are spread evenly.
    fn share(&self) -> f64 {
        let begin = |id: Id| f64::from(uuid(id).as_fields().0) / f64::from(u32::MAX);
        self.sweep.map_or(1.0, begin)
    }
}

fn uuid((high, low): Id) -> Uuid {
    Uuid::from_u64_pair(high, low)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[test]
    fn the_watermark_waits_for_who_was_at_work() {
        let mut place = Place::start(String::new(), 5, Vec::new());
        assert_eq!(place.stretch(5, &[]), Stretch::Records(id(0)));
        place.passed(Stretch::Records(id(0)), Some((0, id(9))), false);
        assert_eq!(place.stretch(5, &[]), Stretch::Records(id(9)));
        place.passed(Stretch::Records(id(9)), None, true);
        let late = ["3/7".to_owned()];
        // Transaction 8 is through, 7 is not.
        let stretch = place.stretch(8, &late);
        assert_eq!(stretch, Stretch::Revisions(5, Uuid::max()));
        place.passed(stretch, Some((8, id(1))), true);
        assert_eq!(place.watermark, 5);
        // Others come and go; 7 is through as the pass begins, so it is seen by it.
        let stretch = place.stretch(12, &["4/1".to_owned()]);
        assert_eq!(stretch, Stretch::Revisions(5, Uuid::max()));
        place.passed(stretch, Some((10, id(1))), false);
        assert_eq!(place.stretch(12, &[]), Stretch::Revisions(10, id(1)));
        place.passed(Stretch::Revisions(10, id(1)), None, true);
        assert_eq!(place.watermark, 8, "what was the last number when 7 was at work");
    }

    #[test]
    fn a_sweep_that_began_beside_others_is_made_again() {
        let mut place = Place::start(String::new(), 5, vec!["3/7".to_owned()]);
        let stretch = place.stretch(5, &["3/7".to_owned()]);
        place.passed(stretch, None, true);
        let stretch = place.stretch(5, &["3/7".to_owned()]);
        assert_eq!(stretch, Stretch::Revisions(5, Uuid::max()), "meanwhile what is new");
        place.passed(stretch, None, true);
        let stretch = place.stretch(5, &[]);
        assert_eq!(stretch, Stretch::Records(id(0)));
        place.passed(stretch, None, true);
        assert_eq!(place.stretch(5, &[]), Stretch::Revisions(5, Uuid::max()));
    }
}
