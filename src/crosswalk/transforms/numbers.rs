//! Numbers: texts that are written to JSON without quotes.

/// A whole number as JSON writes it: `" 007"` is `7`.
#[must_use]
pub fn int(value: &str) -> Option<String> {
    value.trim().parse::<i64>().ok().map(|number| number.to_string())
}

/// A number as JSON writes it, whole where it is: `"+1.50"` is `1.5`, `"7"` is `7`.
#[must_use]
pub fn float(value: &str) -> Option<String> {
    if let Some(whole) = int(value) {
        return Some(whole);
    }
    let number: f64 = value.trim().parse().ok()?;
    // Neither infinite nor "not a number", which JSON has no words for.
    serde_json::Number::from_f64(number).map(|number| number.to_string())
}

/// Whether a text may stand in JSON as a number, as it is.
#[must_use]
pub fn is_number(text: &str) -> bool {
    float(text).is_some_and(|number| number == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_json_has_them() {
        for (text, number) in [
            (" 42 ", Some("42")),
            ("007", Some("7")),
            ("-1.50", Some("-1.5")),
            (".5", Some("0.5")),
            ("1e3", Some("1000.0")),
            ("inf", None),
            ("NaN", None),
            ("1e999", None),
            ("1,5", None),
            ("", None),
        ] {
            assert_eq!(float(text).as_deref(), number, "{text}");
        }
        assert_eq!(int("1.5"), None);
        assert!(is_number("1.5") && is_number("-7"));
        assert!(!is_number("007") && !is_number("+1") && !is_number("1 ") && !is_number("x"));
    }
}
