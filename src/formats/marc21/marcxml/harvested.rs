//! MARCXML in the metadata of an OAI-PMH record, which a harvest keeps whole.

use super::NAMES;
use crate::formats::Cut;
use crate::xml::cut::Cutter;

/// The MARCXML in the metadata of an OAI-PMH record, to be understood alone.
pub(super) fn record(text: &str) -> Option<String> {
    let cut = Cutter::new(NAMES).cut(text.as_bytes(), true);
    let Cut::Record { start, end, insert, damage: None, .. } = cut else { return None };
    let before = text.get(..start)?;
    if !(before.contains("header>") && before.contains("metadata")) {
        return None;
    }
    let found = text.get(start..end)?.as_bytes();
    let mut inside = Vec::with_capacity(found.len() + 64);
    match insert {
        Some(insert) => insert.copy(found, &mut inside),
        None => inside.extend_from_slice(found),
    }
    String::from_utf8(inside).ok()
}
