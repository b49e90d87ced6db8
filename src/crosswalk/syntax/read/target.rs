//! Reading what only targets in MARC have: indicators, and fields in another script.

use super::{rule, shaped, texts};
use crate::crosswalk::syntax::{Linked880, Spanned, keys};
use crate::yaml::{Checker, Fields};

/// `ind: ["1", _]`, `ind: ["{{ 1 if creators else 0 }}", "0"]`
pub fn indicators(check: &mut Checker, fields: Fields<'_>) -> Vec<Spanned<String>> {
    let Some(node) = fields.get("ind") else { return Vec::new() };
    let found = texts(check, Some(node), "an indicator");
    let is_indicator = |text: &str| {
        let is_sign = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
        text.contains("{{") || (text.len() == 1 && text.bytes().all(is_sign))
    };
    if found.len() != 2 || !found.iter().all(|text| is_indicator(&text.value)) {
        let message = "`ind` is two indicators, each a letter, a digit, `_` or an expression";
        check.error("E0103", node.span, message);
    }
    found
}

/// `linked_880: { map: […], script: … }`
pub fn linked_880(check: &mut Checker, fields: Fields<'_>) -> Option<Box<Linked880>> {
    let linked = shaped(check, fields.get("linked_880")?, &keys::LINKED_880);
    let map = check.required(linked, "map", "linked_880")?;
    let items = check.list(map, "map");
    let map = items.iter().filter_map(|node| rule(check, node, "an item")).collect();
    let script = linked.get("script").and_then(|node| rule(check, node, "the script"));
    Some(Box::new(Linked880 { map, script }))
}
