//! No missed update: what ties the datestamps of items to the responseDates that were given out.
//!
//! Each keeper remembers the latest responseDate that may have been given (`response_date` in
//! `windrow_setting`). An item that is written gets a datestamp that is not before it, and a
//! responseDate is given only when all that may be stamped before it can be seen.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::StoreError;
use super::change::Change;
use crate::record::Datestamp;

/// What a writer has to know, in seconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moments {
    /// The moment of the change, not after the clock of the store.
    pub(super) now: i64,
    /// The latest responseDate that may have been given out, if any was.
    pub(super) given: Option<i64>,
}

impl Moments {
    /// The datestamp of what the source stamped `stamp`: that very stamp, unless a harvester could
    /// have asked for it already, or it is still to come; then the moment of the change.
    pub(super) fn datestamp(self, stamp: i64) -> i64 {
        let Moments { now, given } = self;
        let is_open = given.is_none_or(|given| stamp >= given);
        if is_open && stamp <= now { stamp } else { given.map_or(now, |given| given.max(now)) }
    }

    /// Gives all changes their datestamps.
    pub(super) fn stamp(self, changes: &mut [Change]) {
        for change in changes {
            change.datestamp = self.datestamp(change.datestamp);
        }
    }

    /// The first datestamp that [`Moments::stamp`] would give; later moments never give earlier
    /// ones.
    pub(super) fn earliest(self, changes: &[Change]) -> i64 {
        let datestamps = changes.iter().map(|change| self.datestamp(change.datestamp));
        datestamps.min().unwrap_or(self.now)
    }
}

/// What is known to be settled: of everything stamped before, all can be seen.
#[derive(Debug, Default)]
pub(super) struct Settled {
    last: Mutex<Option<i64>>,
    turn: tokio::sync::Mutex<()>,
}

impl Settled {
    /// The latest settled moment up to `now`. What was settled once stays so; `look` asks the
    /// database for more, by one caller at a time.
    ///
    /// # Errors
    /// Those of `look`.
    pub(super) async fn up_to(
        &self,
        now: Timestamp,
        look: impl AsyncFnOnce(i64) -> Result<i64, StoreError>,
    ) -> Result<Datestamp, StoreError> {
        let now = Datestamp::from(now).as_second();
        let before = self.last();
        if before.is_some_and(|last| last >= now) {
            return Ok(Datestamp::from_second(now));
        }
        let _turn = match (self.turn.try_lock(), before) {
            (Ok(turn), _) => turn,
            (Err(_), Some(last)) => return Ok(Datestamp::from_second(last)),
            (Err(_), None) => self.turn.lock().await,
        };
        let found = look(now).await?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = last.map_or(found, |last| last.max(found));
        *last = Some(latest);
        Ok(Datestamp::from_second(latest.min(now)))
    }

    fn last(&self) -> Option<i64> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datestamp_is_the_stamp_as_long_as_nobody_could_have_asked_for_it() {
        let cases = [
            (None, 50, 100, 50),
            (None, 100, 100, 100),
            (None, 150, 100, 100),
            (Some(40), 50, 100, 50),
            (Some(50), 50, 100, 50),
            (Some(51), 50, 100, 100),
            (Some(120), 100, 100, 120),
            (Some(120), 150, 100, 120),
        ];
        for (given, stamp, now, expected) in cases {
            let found = Moments { now, given }.datestamp(stamp);
            assert_eq!(found, expected, "{given:?} {stamp} {now}");
        }
    }

    #[test]
    fn a_later_look_never_gives_an_earlier_datestamp() {
        let moments = [None, Some(1), Some(2), Some(3), Some(4), Some(5)];
        for stamp in 0..6 {
            for now in 0..6 {
                let stamps = moments.map(|given| Moments { now, given }.datestamp(stamp));
                assert!(stamps.is_sorted(), "{stamp} {now}: {stamps:?}");
                let open = stamps.iter().zip(moments);
                assert!(open.clone().all(|(stamp, given)| given.is_none_or(|g| *stamp >= g)));
            }
        }
    }
}
