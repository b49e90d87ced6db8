//! JSON Patch, case by case: every operation, every error, every edge of RFC 6902 and RFC 6901.

use serde_json::{Value, json};
use windrow::records::patched;

use crate::support::project;

#[test]
fn every_case_ends_as_the_standard_has_it() {
    let text = std::fs::read_to_string(project("fixtures/json_patch/cases.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(cases.len() >= 100, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let before = case["record"].clone();
        let found = patched(&before, &case["patch"]);
        assert_eq!(before, case["record"], "the record itself is not touched");
        let told = match &found {
            Ok(record) => record.to_string(),
            Err(error) => format!("{} ({error})", error.code()),
        };
        let as_expected = match (&found, case.get("error")) {
            (Ok(record), None) => *record == case["expected"],
            (Err(error), Some(code)) => error.code() == code,
            _ => false,
        };
        if !as_expected {
            wrong.push(format!("{}: {told}", case["case"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_error_names_the_operation() {
    let patch = json!([{"op": "add", "path": "/b", "value": 1}, {"op": "remove", "path": "/c~1d"}]);
    let error = patched(&json!({"a": 1}), &patch).unwrap_err().to_string();
    assert!(error.contains("operation 2") && error.contains("remove \"/c~1d\""), "{error}");
}

#[test]
fn a_patch_that_doubles_a_record_again_and_again_is_stopped() {
    let mut patch = Vec::new();
    for n in 0..64 {
        patch.push(json!({"op": "copy", "from": "", "path": format!("/{n}")}));
    }
    let error = patched(&json!({"a": [1, 2, 3]}), &Value::from(patch)).unwrap_err();
    assert_eq!(error.code(), "patch.too_large");
}

#[test]
fn a_record_does_not_get_deeper_than_it_can_be_read() {
    let mut patch = vec![json!({"op": "add", "path": "/a", "value": {}})];
    for n in 1..200 {
        let path = "/a".repeat(n + 1);
        patch.push(json!({"op": "add", "path": path, "value": {}}));
    }
    let error = patched(&json!({}), &Value::from(patch.clone())).unwrap_err();
    assert_eq!(error.code(), "patch.too_large");
    patch.truncate(126);
    let deep = patched(&json!({}), &Value::from(patch)).unwrap().to_string();
    assert!(serde_json::from_str::<Value>(&deep).is_ok());
}
