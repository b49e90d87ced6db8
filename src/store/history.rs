//! Which revisions of a record with a history the store lacks.

use jiff::Timestamp;

use super::{EarlierRevision, LoadRecord, single::floor};

/// What becomes of one revision of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The store lacks it: it is written.
    New,
    /// The store has one of its date, and later ones.
    Known,
    /// The store has one of its date, and none is later; or dates say nothing, since the moment
    /// of loading is what is stamped.
    Current,
    /// The store lacks it and has later ones: there is no place for it any more.
    Late,
}

/// What becomes of a record's revisions.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arrivals {
    /// Of the earlier ones, oldest first.
    pub(super) earlier: Vec<Arrival>,
    /// Of the last one, by its date alone.
    pub(super) last: Arrival,
}

/// Tells them by their dates from those that the store has; `known` is `None` for a record that
/// it does not have.
pub(super) fn arrivals(
    earlier: &[EarlierRevision],
    record: &LoadRecord,
    known: Option<&[Timestamp]>,
) -> Arrivals {
    let Some(known) = known else {
        return Arrivals { earlier: vec![Arrival::New; earlier.len()], last: Arrival::New };
    };
    let current = known.iter().max().copied();
    // Revisions of the same moment occur: each of the store answers for one of the source.
    let mut left = known.to_vec();
    let mut arrival = |date: Timestamp| {
        let date = floor(date);
        let is_latest = current.is_none_or(|current| date >= current);
        match (left.iter().position(|known| *known == date), is_latest) {
            (Some(at), is_latest) => {
                left.swap_remove(at);
                if is_latest { Arrival::Current } else { Arrival::Known }
            }
            (None, true) => Arrival::New,
            (None, false) => Arrival::Late,
        }
    };
    let earlier: Vec<Arrival> = earlier.iter().map(|revision| arrival(revision.updated)).collect();
    let last = record.stamps.map_or(Arrival::Current, |(_, updated)| arrival(updated));
    Arrivals { earlier, last }
}
