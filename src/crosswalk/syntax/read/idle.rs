//! Keys that would do nothing where they stand: a mistake, since whoever wrote them meant something.

use crate::yaml::{Checker, Fields, Kind, Node};

/// What has no meaning for a fixed value.
const OF_VALUES: [&str; 7] = ["pipe", "take", "join", "order", "linked", "default", "on_missing"];
/// What has no meaning for a binding, which is one value and is written nowhere.
const OF_TARGETS: [&str; 11] = [
    "to",
    "when",
    "let",
    "cases",
    "map",
    "set",
    "on_missing",
    "unique",
    "attrs",
    "ind",
    "linked_880",
];

/// Notes keys of a rule or item that do nothing beside its other keys.
pub fn idle_keys(check: &mut Checker, fields: Fields<'_>) {
    let has = |key: &str| fields.get(key).is_some();
    if has("const") {
        idle(check, fields, &OF_VALUES, "beside `const`");
    }
    if has("map") || has("cases") {
        let place = "beside `map` or `cases`: it is for a value";
        idle(check, fields, &["default"], place);
        if fields.get("on_missing").is_some_and(|policy| holds(policy, "default")) {
            idle(check, fields, &["on_missing"], place);
        }
    } else {
        idle(check, fields, &["set"], "without `map` or `cases`");
    }
}

/// Notes keys of a binding that do nothing.
pub fn idle_keys_of_binding(check: &mut Checker, fields: Fields<'_>) {
    idle(check, fields, &OF_TARGETS, "in `let`");
}

/// Notes cases behind one that always holds.
pub fn unreachable_cases(check: &mut Checker, cases: &[Node]) {
    let first = cases.iter().position(|case| holds(case, "else"));
    for case in cases.iter().skip(first.map_or(cases.len(), |at| at + 1)) {
        check.error("E0416", case.span, "no field comes here: a case before always holds");
    }
}

fn idle(check: &mut Checker, fields: Fields<'_>, keys: &[&str], place: &str) {
    for entry in fields.entries().iter().filter(|entry| keys.contains(&entry.key.as_str())) {
        let message = format!("`{}` does nothing {place}", entry.key);
        check.error("E0416", entry.key_span, message);
    }
}

fn holds(node: &Node, key: &str) -> bool {
    let Kind::Map(entries) = &node.kind else { return false };
    entries.iter().any(|entry| entry.key == key)
}
