//! Datestamps of OAI-PMH: UTC, to the day or to the second.

use std::fmt;

use jiff::civil::{DateTime, date};
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

/// How fine a datestamp is (OAI-PMH 2.0 §3.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granularity {
    /// `YYYY-MM-DD`
    Day,
    /// `YYYY-MM-DDThh:mm:ssZ`
    Second,
}

/// Second 0. Datestamps are counted from here and not made of [`Timestamp`], which ends a day before
/// the year 9999 does: harvesters ask until 9999-12-31.
const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);

/// A moment in UTC, in whole seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Datestamp(i64);

/// A text that is no datestamp.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("datestamp is {0:?}, expected YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ")]
pub struct DatestampError(pub String);

impl Datestamp {
    /// From seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn from_second(second: i64) -> Datestamp {
        Datestamp(second)
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn as_second(self) -> i64 {
        self.0
    }

    /// Reads exactly `YYYY-MM-DD` or `YYYY-MM-DDThh:mm:ssZ`, nothing else.
    ///
    /// # Errors
    /// [`DatestampError`] for any other shape and for days that do not exist.
    pub fn parse(text: &str) -> Result<(Datestamp, Granularity), DatestampError> {
        let shape: String =
            text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        let (full, granularity) = match shape.as_str() {
            "0000-00-00" => (format!("{text}T00:00:00"), Granularity::Day),
            "0000-00-00T00:00:00Z" => (text.trim_end_matches('Z').to_owned(), Granularity::Second),
            _ => return Err(DatestampError(text.to_owned())),
        };
        let moment: DateTime = full.parse().map_err(|_| DatestampError(text.to_owned()))?;
        Ok((Datestamp(moment.duration_since(EPOCH).as_secs()), granularity))
    }

    /// The last second of the granule that starts here: what an inclusive `until` covers.
    #[must_use]
    pub fn end_of(self, granularity: Granularity) -> Datestamp {
        match granularity {
            Granularity::Day => Datestamp(self.0 + 86_399),
            Granularity::Second => self,
        }
    }
}

impl From<Timestamp> for Datestamp {
    fn from(timestamp: Timestamp) -> Datestamp {
        Datestamp(timestamp.as_second())
    }
}

impl fmt::Display for Datestamp {
    /// `2026-01-31T12:00:00Z`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match EPOCH.checked_add(SignedDuration::from_secs(self.0)) {
            Ok(moment) => write!(f, "{}", moment.strftime("%Y-%m-%dT%H:%M:%SZ")),
            Err(_) => f.write_str("0001-01-01T00:00:00Z"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_shapes_are_datestamps() {
        assert_eq!(
            Datestamp::parse("1970-01-02"),
            Ok((Datestamp::from_second(86_400), Granularity::Day))
        );
        assert_eq!(
            Datestamp::parse("1970-01-02T00:00:01Z"),
            Ok((Datestamp::from_second(86_401), Granularity::Second))
        );
        for bad in
            ["", "1970", "1970-01-32", "1970-01-02T00:00:01", "1970-01-02T00:00Z", "02-01-1970"]
        {
            assert!(Datestamp::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_datestamp_prints_to_the_second() {
        assert_eq!(Datestamp::from_second(86_401).to_string(), "1970-01-02T00:00:01Z");
        for text in ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z"] {
            assert_eq!(Datestamp::parse(text).unwrap().0.to_string(), text);
        }
        let (last_day, granularity) = Datestamp::parse("9999-12-31").unwrap();
        assert_eq!(last_day.end_of(granularity).to_string(), "9999-12-31T23:59:59Z");
        assert_eq!(Datestamp::from_second(i64::MAX).to_string(), "0001-01-01T00:00:00Z");
    }
}
