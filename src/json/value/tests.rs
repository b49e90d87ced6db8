//! What foreign JSON becomes.

use super::*;

#[track_caller]
fn check(text: &str, broken: Broken, expected: Result<&str, &str>, codes: &[&str]) {
    let mut warnings = Vec::new();
    let found = parse(text, broken, &mut warnings);
    let found = found.map(|value| value.to_string()).map_err(|error| error.code);
    assert_eq!(found.as_deref().map_err(|code| *code), expected, "{text}");
    let found: Vec<_> = warnings.iter().map(|warning| warning.code).collect();
    assert_eq!(found, codes, "{text}");
}

#[test]
fn numbers_are_kept_or_told() {
    for number in ["0", "-1", "18446744073709551615", "-9223372036854775808", "1.5", "-0.0"] {
        check(number, Broken::Refuse, Ok(number), &[]);
    }
    check("0.30000000000000004", Broken::Refuse, Ok("0.30000000000000004"), &[]);
    check("1.10E+2", Broken::Refuse, Ok("110.0"), &[]);
    let text = ["json.number"];
    check("18446744073709551616", Broken::Refuse, Ok("\"18446744073709551616\""), &text);
    check("1e400", Broken::Refuse, Ok("\"1e400\""), &text);
    check("1e-400", Broken::Refuse, Ok("\"1e-400\""), &text);
    check("0.12345678901234567890", Broken::Refuse, Ok("0.12345678901234568"), &["json.precision"]);
    check("01", Broken::Refuse, Err("json.trailing"), &[]);
    check("-", Broken::Refuse, Err("json.number"), &[]);
}

#[test]
fn what_is_broken_is_refused_or_mended() {
    for (text, code, mended) in [
        ("{\"a\": 1, \"a\": 2}", "json.duplicate_key", "{\"a\":2}"),
        ("[1, 2,]", "json.comma", "[1,2]"),
        ("{\"a\": 1 \"b\": 2}", "json.comma", "{\"a\":1,\"b\":2}"),
        ("\"\\d\"", "json.escape", "\"\\\\d\""),
        ("[NaN]", "json.number", "[null]"),
    ] {
        check(text, Broken::Refuse, Err(code), &[]);
        check(text, Broken::Mend, Ok(mended), &[code]);
    }
    check("{\"a\": 1, \"a\": 1}", Broken::Refuse, Ok("{\"a\":1}"), &["json.duplicate_key"]);
    check("\"a\tb\nc\"", Broken::Refuse, Ok("\"a\\tb\\nc\""), &["json.control_character"]);
    for broken in ["", "{", "[1", "\"a", "{\"a\"", "{\"a\":", "[1,", "\"\\"] {
        check(broken, Broken::Mend, Err("json.truncated"), &[]);
    }
    check("nul", Broken::Mend, Err("json.syntax"), &[]);
    check("{1: 2}", Broken::Mend, Err("json.syntax"), &[]);
    check("1 2", Broken::Mend, Err("json.trailing"), &[]);
}

#[test]
fn halves_of_characters_are_told() {
    check("\"\\ud83d\\ude00\"", Broken::Refuse, Ok("\"😀\""), &[]);
    check(
        "\"\\ud83dx\\ude00\"",
        Broken::Refuse,
        Ok("\"\u{FFFD}x\u{FFFD}\""),
        &["json.surrogate"; 2],
    );
    let many = format!("\"{}\"", "\\ud800".repeat(130));
    let mut warnings = Vec::new();
    assert!(parse(&many, Broken::Refuse, &mut warnings).is_ok());
    assert_eq!(warnings.len(), MOST_WARNINGS + 1);
    assert_eq!(
        warnings.last().map(|warning| warning.message.as_str()),
        Some("and 30 more warnings")
    );
}

#[test]
fn depth_has_a_limit() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    check(&deep(MAX_DEPTH), Broken::Refuse, Ok(&deep(MAX_DEPTH)), &[]);
    check(&deep(MAX_DEPTH + 1), Broken::Refuse, Err("json.depth"), &[]);
    check(&"[".repeat(100_000), Broken::Refuse, Err("json.depth"), &[]);
}

#[test]
fn a_place_is_named_by_its_path() {
    let mut warnings = Vec::new();
    let text = "\u{FEFF}{\"a\": [{\"b\": 1, \"b\": 2}]}";
    let error = parse(text, Broken::Refuse, &mut warnings).unwrap_err();
    assert_eq!(error.message, "byte 19: a[0].b stands twice, first 1, then 2");
}

proptest::proptest! {
    #[test]
    fn what_serde_json_reads_is_read_the_same(text in "[\\[\\]{}\":,a0-9.e+ \\\\un-]{0,16}") {
        let mut warnings = Vec::new();
        let theirs = serde_json::from_str::<Value>(&text).ok();
        let ours = parse(&text, Broken::Refuse, &mut warnings).ok();
        if warnings.is_empty() {
            proptest::prop_assert_eq!(ours, theirs);
        }
    }
}
