//! When a pipeline runs: a pattern of cron, in a time zone, and a delay of the pipeline's own.

use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

use super::period::{EXPECTED, period};
use crate::record::content_hash;
use crate::yaml::{Checker, Fields};

/// `schedule`, `timezone` and `jitter` of a pipeline.
///
/// A time that a clock passes over (02:30 of the night in which it goes forward) is served right
/// behind the gap, one that it shows twice is served once; a pattern that is not of fixed times
/// (`*/15 * * * *`) leaves the gap out and runs in both hours.
#[derive(Debug, Clone)]
pub struct Schedule {
    pattern: Cron,
    zone: TimeZone,
    jitter: Duration,
}

impl Schedule {
    /// A schedule of five fields of cron, or a name such as `@daily`.
    ///
    /// # Errors
    /// What is wrong with the pattern.
    pub fn new(pattern: &str, zone: TimeZone, jitter: Duration) -> Result<Schedule, String> {
        let parser =
            CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let pattern = parser.parse(pattern).map_err(|error| error.to_string())?;
        Ok(Schedule { pattern, zone, jitter })
    }

    /// The first scheduled time behind `after`; `None` when there is none.
    #[must_use]
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let after = Timestamp::from_second(after.as_second()).ok()?.to_zoned(self.zone.clone());
        let next: Zoned = self.pattern.find_next_occurrence(&after, false).ok()?;
        Some(next.timestamp())
    }

    /// The latest scheduled time behind `after` that is not behind `now`: of many that were
    /// missed, the one that is caught up.
    #[must_use]
    pub fn latest(&self, after: Timestamp, now: Timestamp) -> Option<Timestamp> {
        // Forward only, so that the same times are found whatever the direction of the clock;
        // what is found in a short stretch spares the long ones.
        for days in [2, 40, 400, 4000] {
            let stretch = SignedDuration::from_hours(days * 24);
            let from = now.checked_sub(stretch).map_or(after, |begin| begin.max(after));
            let mut latest = None;
            while let Some(next) = self.next(latest.unwrap_or(from)).filter(|next| *next <= now) {
                latest = Some(next);
            }
            if latest.is_some() || from == after {
                return latest;
            }
        }
        None
    }

    /// How much later than its times the pipeline of this name runs: always the same, between 0
    /// and `jitter`.
    #[must_use]
    pub fn delay(&self, pipeline: &str) -> SignedDuration {
        let hash = content_hash(pipeline.as_bytes());
        let number = hash.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let seconds = number % (self.jitter.as_secs() + 1);
        SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(0))
    }

    /// The time as the schedule's zone shows it.
    #[must_use]
    pub fn shown(&self, time: Timestamp) -> String {
        time.to_zoned(self.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }
}

/// Reads the three keys of a pipeline.
pub(super) fn read(check: &mut Checker, fields: Fields<'_>) -> Option<Schedule> {
    let Some(node) = fields.get("schedule") else {
        for key in ["timezone", "jitter"] {
            if let Some(node) = fields.get(key) {
                let message = format!("{key} is of use with `schedule` only");
                check.error("E0102", node.span, message);
            }
        }
        return None;
    };
    let zone = fields.get("timezone").and_then(|node| {
        let name = check.text(node, "timezone")?;
        let zone = TimeZone::get(&name);
        if zone.is_err() {
            let expected = "expected a name such as Europe/Berlin";
            check.error("E0103", node.span, format!("timezone is `{name}`, {expected}"));
        }
        zone.ok()
    });
    let jitter = fields.get("jitter").and_then(|node| {
        let text = check.text(node, "jitter")?;
        let jitter = period(&text);
        if jitter.is_none() {
            check.error("E0103", node.span, format!("jitter is `{text}`, {EXPECTED}"));
        }
        jitter
    });
    let pattern = check.text(node, "schedule")?;
    match Schedule::new(&pattern, zone.unwrap_or(TimeZone::UTC), jitter.unwrap_or_default()) {
        Ok(schedule) if schedule.next(Timestamp::now()).is_none() => {
            check.error("E0103", node.span, format!("schedule is `{pattern}`, which never comes"));
            None
        }
        Ok(schedule) => Some(schedule),
        Err(reason) => {
            let expected = "expected minute, hour, day, month and weekday, as \"0 3 * * *\"";
            check.error(
                "E0103",
                node.span,
                format!("schedule is `{pattern}`, {expected}: {reason}"),
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    fn daily(pattern: &str, zone: &str) -> Schedule {
        Schedule::new(pattern, TimeZone::get(zone).unwrap(), Duration::ZERO).unwrap()
    }

    // Every time between two moments.
    fn times(schedule: &Schedule, from: &str, until: &str) -> Vec<String> {
        let until = at(until);
        let next = |time: &Timestamp| schedule.next(*time);
        let times = std::iter::successors(schedule.next(at(from)), next);
        times.take_while(|time| *time <= until).map(|time| schedule.shown(time)).collect()
    }

    #[test]
    fn a_time_that_the_clock_passes_over_is_served_behind_the_gap() {
        let schedule = daily("30 2 * * *", "Europe/Berlin");
        assert_eq!(
            times(&schedule, "2026-03-27T12:00:00Z", "2026-03-30T12:00:00Z"),
            ["2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]
        );
        let quarters = daily("*/30 * * * *", "Europe/Berlin");
        assert_eq!(
            times(&quarters, "2026-03-29T00:20:00Z", "2026-03-29T01:35:00Z"),
            ["2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"]
        );
    }

    #[test]
    fn a_time_that_the_clock_shows_twice_is_served_once() {
        let schedule = daily("30 2 * * *", "Europe/Berlin");
        let found = times(&schedule, "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z");
        assert_eq!(found, ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]);
        // Whoever looks behind the second 02:30 finds the first.
        let first = at("2026-10-25T00:30:00Z");
        let look = |after: &str| schedule.latest(at(after), at("2026-10-25T03:00:00Z"));
        assert_eq!(look("2026-10-24T12:00:00Z"), Some(first));
        assert_eq!(look("2026-10-25T00:30:00Z"), None);
        let halves = daily("*/30 * * * *", "Europe/Berlin");
        let found = times(&halves, "2026-10-25T00:20:00Z", "2026-10-25T01:40:00Z");
        assert_eq!(
            found,
            ["2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T02:30:00+01:00"]
        );
    }

    #[test]
    fn of_many_missed_times_the_latest_is_caught_up() {
        let schedule = daily("0 3 * * *", "UTC");
        let latest = |after: &str, now: &str| schedule.latest(at(after), at(now));
        let (served, now) = ("2026-01-01T03:00:00Z", "2026-01-09T02:59:59Z");
        assert_eq!(latest(served, now), Some(at("2026-01-08T03:00:00Z")));
        assert_eq!(latest("2026-01-08T03:00:00Z", now), None);
        assert_eq!(latest("1990-01-01T00:00:00Z", now), Some(at("2026-01-08T03:00:00Z")));
        let yearly = daily("0 3 1 2 *", "UTC");
        let found = yearly.latest(at("2020-01-01T00:00:00Z"), at("2026-01-09T00:00:00Z"));
        assert_eq!(found, Some(at("2025-02-01T03:00:00Z")));
    }

    #[test]
    fn a_pipeline_has_one_delay_and_others_have_others() {
        let hour = Duration::from_secs(3600);
        let schedule = Schedule::new("@daily", TimeZone::UTC, hour).unwrap();
        let delays: Vec<i64> =
            (0..200).map(|number| schedule.delay(&format!("meadow {number}")).as_secs()).collect();
        assert!(delays.iter().all(|delay| (0..=3600).contains(delay)));
        let early = delays.iter().filter(|delay| **delay < 1800).count();
        assert!((60..140).contains(&early), "{early}");
        assert_eq!(schedule.delay("meadow 7").as_secs(), delays[7]);
        assert_eq!(daily("@daily", "UTC").delay("meadow"), SignedDuration::ZERO);
    }

    #[test]
    fn patterns_that_are_none_are_refused() {
        for pattern in ["", "3", "* * * *", "61 * * * *", "0 0 3 * * *", "hay"] {
            assert!(Schedule::new(pattern, TimeZone::UTC, Duration::ZERO).is_err(), "{pattern}");
        }
    }
}
