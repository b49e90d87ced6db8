//! Lengths of time as people write them: `30 days`, `1 hour`.

use std::time::Duration;

const UNITS: &[(&str, u64)] =
    &[("second", 1), ("minute", 60), ("hour", 3600), ("day", 86_400), ("week", 604_800)];

/// What a period looks like, for messages.
pub const EXPECTED: &str = "expected a number and seconds, minutes, hours, days or weeks";

/// Reads `N UNIT`, with or without the plural's `s`.
#[must_use]
pub fn period(text: &str) -> Option<Duration> {
    let (number, unit) = text.trim().split_once(' ')?;
    let unit = unit.trim().strip_suffix('s').unwrap_or(unit.trim());
    let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let number: u64 = number.parse().ok()?;
    number.checked_mul(*seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_a_number_and_a_unit() {
        for (text, seconds) in
            [("1 day", 86_400), ("30 days", 2_592_000), ("0 seconds", 0), ("2  hours", 7200)]
        {
            assert_eq!(period(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "1",
            "day",
            "1day",
            "-1 day",
            "1 fortnight",
            "1.5 days",
            "99999999999999999999 days",
        ] {
            assert_eq!(period(text), None, "{text}");
        }
    }
}
