//! Times of a dump: with a zone or, in local time, without one.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::record::Warning;

/// Reads times; what names no zone is of the pipeline's.
pub(super) struct Times {
    zone: Option<TimeZone>,
    /// What was odd about them, once for each.
    pub(super) warnings: Vec<Warning>,
}

impl Times {
    pub(super) fn new(zone: Option<TimeZone>) -> Times {
        Times { zone, warnings: Vec::new() }
    }

    /// A time, `2014-10-13T08:27:47+00:00` or `2014-10-13 08:27:47`, to the microsecond.
    ///
    /// # Errors
    /// What was found and expected.
    pub(super) fn read(&mut self, text: &str) -> Result<Timestamp, String> {
        let trimmed = text.trim();
        if let Ok(time) = trimmed.parse::<Timestamp>() {
            return Ok(time);
        }
        let local: DateTime = trimmed
            .parse()
            .map_err(|_| format!("time is {text:?}, expected such as 2014-10-13 08:27:47"))?;
        let zone = match &self.zone {
            Some(zone) => zone.clone(),
            None => {
                let message = format!("{text} names no zone, taken as UTC");
                self.warnings.push(Warning::new("invenio_v1.no_zone", message));
                TimeZone::UTC
            }
        };
        let out_of_range = |error: jiff::Error| format!("time is {text:?}: {error}");
        // A time that the clock showed twice is the first of both, one that it left out the next.
        zone.to_ambiguous_timestamp(local).compatible().map_err(out_of_range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_a_zone_is_of_the_given_one() {
        let mut times = Times::new(Some(TimeZone::get("Europe/Zurich").unwrap()));
        let found = |times: &mut Times, text: &str| times.read(text).map(|time| time.to_string());
        let summer = "2014-07-13 08:27:47";
        assert_eq!(found(&mut times, summer).as_deref(), Ok("2014-07-13T06:27:47Z"));
        let zoned = "2014-07-13T08:27:47+00:00";
        assert_eq!(found(&mut times, zoned).as_deref(), Ok("2014-07-13T08:27:47Z"));
        assert!(times.warnings.is_empty());
        let mut times = Times::new(None);
        assert_eq!(found(&mut times, summer).as_deref(), Ok("2014-07-13T08:27:47Z"));
        assert_eq!(times.warnings.len(), 1);
        assert!(times.read("").is_err() && times.read("yesterday").is_err());
    }
}
