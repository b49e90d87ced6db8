//! Values as the columns of every keeper hold them.

use std::cell::RefCell;

use zstd::bulk::Decompressor;
use zstd::zstd_safe::get_frame_content_size;

use super::{Kinds, StoreError};
use crate::record::{Locator, Origin, SetSpec};

/// A count; the integers of databases have a sign.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A count as it was before [`signed`].
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The part of a record that a place names; empty for all of it, since a key has no nulls.
pub(super) fn part(locator: &Locator) -> String {
    locator.part.clone().unwrap_or_default()
}

/// The control number of a place; empty for none, since a key has no nulls.
pub(super) fn control_number(locator: &Locator) -> String {
    locator.control_number.clone().unwrap_or_default()
}

/// The kinds of a split so far with those of a batch, as JSON.
pub(super) fn kinds_text(mut before: Kinds, batch: &Kinds) -> Result<String, StoreError> {
    before.add(batch);
    serde_json::to_string(&before).map_err(|error| StoreError::Failed(error.to_string()))
}

/// What [`kinds_text`] wrote.
pub(super) fn kinds(text: &str) -> Result<Kinds, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Damaged(format!("kinds: {error}")))
}

thread_local! {
    // A context takes longer to make than a record to unpack.
    static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Records are smaller; a frame that is larger, or does not say, is read piece by piece.
const AT_ONCE: u64 = 4 * 1024 * 1024;

/// The bytes in one zstd frame.
pub(super) fn decompress(zstd: &[u8]) -> Result<Vec<u8>, StoreError> {
    let size = get_frame_content_size(zstd).ok().flatten().filter(|size| *size <= AT_ONCE);
    let bytes = match size.and_then(|size| usize::try_from(size).ok()) {
        Some(size) => UNPACKER.with_borrow_mut(|unpacker| match unpacker {
            Some(unpacker) => unpacker.decompress(zstd, size),
            none => none.insert(Decompressor::new()?).decompress(zstd, size),
        }),
        None => zstd::decode_all(zstd),
    };
    bytes.map_err(|error| StoreError::Damaged(format!("source bytes: {error}")))
}

/// Where a record was harvested, as `windrow_origin` has it.
pub(super) fn origin(json: &str) -> Result<Origin, StoreError> {
    let damaged = |error| StoreError::Damaged(format!("windrow_origin: {error}"));
    serde_json::from_str(json).map_err(damaged)
}

/// [`origin`], the other way.
pub(super) fn origin_json(origin: &Origin) -> Result<String, StoreError> {
    serde_json::to_string(origin).map_err(|error| StoreError::Failed(format!("origin: {error}")))
}

/// The number of a recid that Invenio would mint itself: `007` is a recid, but no number of its
/// sequence.
pub(super) fn minted(recid: &str) -> Option<i64> {
    recid.parse().ok().filter(|number: &i64| *number > 0 && number.to_string() == recid)
}

/// A setSpec of `oaiserver_set`.
pub(super) fn set_spec(text: &str) -> Result<SetSpec, StoreError> {
    text.parse().map_err(|error| StoreError::Damaged(format!("oaiserver_set: {error}")))
}

/// setSpecs with spaces between them, in any order and more than once: each once, in order.
pub(super) fn set_specs(sets: &str) -> Result<Vec<SetSpec>, StoreError> {
    let mut specs: Vec<&str> = sets.split_whitespace().collect();
    specs.sort_unstable();
    specs.dedup();
    specs.into_iter().map(set_spec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_any_size_is_read_and_a_broken_one_is_told_of() {
        for size in [0, 1, 100_000, 5_000_000] {
            let bytes = vec![b'a'; size];
            let frame = zstd::bulk::compress(&bytes, 3).unwrap();
            assert!(decompress(&frame).unwrap() == bytes, "{size}");
            // Written by and by, it does not say how large it is.
            assert!(decompress(&zstd::encode_all(&*bytes, 3).unwrap()).unwrap() == bytes, "{size}");
            assert!(decompress(&frame[..frame.len() - 1]).is_err(), "{size}");
        }
        assert!(decompress(b"no frame").is_err());
    }
}
