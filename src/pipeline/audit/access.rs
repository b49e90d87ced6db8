//! Whether a record in the store lets in more readers than its source does.

use serde_json::Value;

/// What is more open in the store than in the source, if anything is. To be more closed there is
/// no difference: a later dump may have said so, and a file that came alone.
pub(super) fn opened(source: &Value, store: &Value) -> Option<String> {
    for what in ["record", "files"] {
        let is_closed = |record: &Value| {
            record.pointer(&format!("/access/{what}")).is_some_and(|word| word == "restricted")
        };
        if is_closed(source) && !is_closed(store) {
            return Some(format!("access.{what} is restricted in the source and not in the store"));
        }
    }
    let embargo = |record: &Value| {
        let until = record.pointer("/access/embargo/until");
        until.and_then(Value::as_str).map(str::to_owned)
    };
    let is_restricted = |what: &str| {
        source.pointer(&format!("/access/{what}")).is_some_and(|word| word == "restricted")
    };
    let is_closed = is_restricted("record") || is_restricted("files");
    match (embargo(source), embargo(store)) {
        (None, Some(until)) if is_closed => {
            return Some(format!("it opens on {until} in the store, and never in the source"));
        }
        (Some(one), Some(other)) if other < one => {
            return Some(format!("it opens on {one} in the source, and on {other} in the store"));
        }
        _ => {}
    }
    if let Some(reader) = stranger(source.pointer("/_access/read"), store.pointer("/_access/read"))
    {
        return Some(format!("{reader} may read the record in the store, and not in the source"));
    }
    let files =
        |record: &Value| record.pointer("/_access/files").and_then(Value::as_object).cloned();
    let ours = files(store).unwrap_or_default();
    files(source).into_iter().flatten().find_map(|(key, readers)| {
        let reader = stranger(Some(&readers), ours.get(&key))?;
        Some(format!("{reader} may read {key} in the store, and not in the source"))
    })
}

/// Who is among the readers of the store and not among those of the source, which names some.
fn stranger(source: Option<&Value>, store: Option<&Value>) -> Option<String> {
    let source = source?.as_array()?;
    let reader = store?.as_array()?.iter().find(|reader| !source.contains(reader))?;
    Some(reader.as_str().unwrap_or("?").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_more_closed_in_the_store_is_no_difference() {
        let open = json!({});
        let closed = json!({ "access": { "record": "restricted", "files": "restricted" },
                             "_access": { "read": ["ada"], "files": { "a.pdf": ["ada", "bo"] } } });
        let mut other = closed.clone();
        assert_eq!(opened(&open, &closed), None);
        assert_eq!(opened(&closed, &closed), None);
        let told = |source: &Value, store: &Value| opened(source, store).unwrap_or_default();
        assert!(told(&closed, &open).starts_with("access.record is restricted"));
        other["_access"]["files"]["a.pdf"] = json!(["ada"]);
        assert_eq!(opened(&closed, &other), None);
        assert_eq!(told(&other, &closed), "bo may read a.pdf in the store, and not in the source");
        other["_access"]["read"] = json!(["ada", "eve"]);
        assert!(told(&closed, &other).starts_with("eve may read the record"));
        let until = |date: &str| {
            let mut record = closed.clone();
            record["access"]["embargo"] = json!({ "active": true, "until": date });
            record
        };
        let (early, late) = (until("2030-01-01"), until("2031-01-01"));
        assert_eq!((opened(&early, &late), opened(&early, &closed)), (None, None));
        assert!(told(&late, &early).starts_with("it opens on 2031-01-01 in the source"));
        assert!(told(&closed, &early).starts_with("it opens on 2030-01-01 in the store"));
    }
}
