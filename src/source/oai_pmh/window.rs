//! Windows: the part of a list that is asked for at once, and how it is halved.

use serde::{Deserialize, Serialize};

use crate::record::{Datestamp, Granularity};

/// A part of a list: from, until (both inclusive), set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Window {
    /// In seconds since 1970, not older.
    pub from: Option<i64>,
    /// In seconds since 1970, not newer: the last second of the last granule.
    pub until: Option<i64>,
    /// A setSpec.
    pub set: Option<String>,
}

impl Window {
    /// The two halves, when it has more than one granule between `earliest` and `latest`, which
    /// stand in for what it does not bound itself.
    #[must_use]
    pub fn halves(
        &self,
        earliest: Option<i64>,
        latest: i64,
        granularity: Granularity,
    ) -> Option<[Window; 2]> {
        let granule = seconds(granularity);
        let from = self.from.or(earliest)?.div_euclid(granule);
        let until = self.until.unwrap_or(latest).div_euclid(granule);
        if from >= until {
            return None;
        }
        let middle = from + (until - from) / 2;
        let half = |from: i64, until: Option<i64>| Window {
            from: Some(from * granule),
            until,
            set: self.set.clone(),
        };
        // The second half stays open where the whole was: what changes meanwhile is in it.
        Some([half(from, Some((middle + 1) * granule - 1)), half(middle + 1, self.until)])
    }

    /// The arguments that ask for it.
    #[must_use]
    pub fn arguments(&self, granularity: Granularity) -> Vec<(&'static str, String)> {
        let mut arguments = Vec::new();
        let text = |second| text(Datestamp::from_second(second), granularity);
        arguments.extend(self.from.map(|from| ("from", text(from))));
        arguments.extend(self.until.map(|until| ("until", text(until))));
        arguments.extend(self.set.clone().map(|set| ("set", set)));
        arguments
    }
}

impl std::fmt::Display for Window {
    /// `from 2026-01-01T00:00:00Z until 2026-01-31T23:59:59Z of set a:b`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stamp = |second: i64| Datestamp::from_second(second).to_string();
        let parts = [
            self.from.map(|from| format!("from {}", stamp(from))),
            self.until.map(|until| format!("until {}", stamp(until))),
            self.set.as_ref().map(|set| format!("of set {set}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { f.write_str("the whole list") } else { f.write_str(&parts.join(" ")) }
    }
}

/// A window in up to `count` parts of whole days, as long as each other, between `earliest` and
/// `latest` where it has no bounds itself; the first and the last are as open as it is.
#[must_use]
pub fn parts(window: &Window, count: usize, earliest: Option<i64>, latest: i64) -> Vec<Window> {
    let day = seconds(Granularity::Day);
    let whole = || vec![window.clone()];
    let Some(from) = window.from.or(earliest) else { return whole() };
    let (first, last) = (from.div_euclid(day), window.until.unwrap_or(latest).div_euclid(day));
    let count = i64::try_from(count).unwrap_or(i64::MAX).min(last - first + 1);
    if count < 2 {
        return whole();
    }
    let begin = |part: i64| (first + (last - first + 1) * part / count) * day;
    (0..count)
        .map(|part| Window {
            from: if part == 0 { window.from } else { Some(begin(part)) },
            until: if part == count - 1 { window.until } else { Some(begin(part + 1) - 1) },
            set: window.set.clone(),
        })
        .collect()
}

/// A datestamp as an endpoint of this granularity takes it.
#[must_use]
pub fn text(datestamp: Datestamp, granularity: Granularity) -> String {
    let text = datestamp.to_string();
    match granularity {
        Granularity::Second => text,
        Granularity::Day => text.split('T').next().unwrap_or_default().to_owned(),
    }
}

/// The seconds of a granule.
#[must_use]
pub fn seconds(granularity: Granularity) -> i64 {
    match granularity {
        Granularity::Day => 86_400,
        Granularity::Second => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_cover_the_window_and_do_not_overlap() {
        let window = Window { from: Some(100), until: Some(104), set: Some("a".into()) };
        let [first, second] = window.halves(None, 0, Granularity::Second).unwrap();
        assert_eq!((first.from, first.until), (Some(100), Some(102)));
        assert_eq!((second.from, second.until, &second.set), (Some(103), Some(104), &window.set));
        let open = Window::default();
        assert_eq!(open.halves(None, 1000, Granularity::Second), None);
        let [first, second] = open.halves(Some(0), 86_400 * 3 + 5, Granularity::Day).unwrap();
        assert_eq!((first.from, first.until), (Some(0), Some(2 * 86_400 - 1)));
        assert_eq!((second.from, second.until), (Some(2 * 86_400), None));
        assert_eq!(open.halves(Some(0), 86_399, Granularity::Day), None);
    }

    #[test]
    fn parts_cover_the_window_and_do_not_overlap() {
        let day = 86_400;
        let open = Window::default();
        assert_eq!(parts(&open, 4, None, 100 * day), vec![open.clone()]);
        assert_eq!(parts(&open, 4, Some(5), day - 1), vec![open.clone()]);
        let four = parts(&open, 4, Some(5), 9 * day + 7);
        assert_eq!(four.len(), 4);
        assert_eq!((four[0].from, four[3].until), (None, None));
        for pair in four.windows(2) {
            assert_eq!(pair[0].until.unwrap() + 1, pair[1].from.unwrap());
            assert_eq!(pair[1].from.unwrap() % day, 0);
        }
        let bounded = Window { from: Some(30), until: Some(3 * day), set: Some("a".into()) };
        let days = parts(&bounded, 9, None, 0);
        assert_eq!((days.len(), days[0].from, days[3].until), (4, Some(30), Some(3 * day)));
    }

    #[test]
    fn a_window_can_be_halved_down_to_its_granules() {
        let mut waiting = vec![Window { from: Some(7), until: Some(30), set: None }];
        let mut granules = Vec::new();
        while let Some(window) = waiting.pop() {
            match window.halves(None, 0, Granularity::Second) {
                Some(halves) => waiting.extend(halves),
                None => granules.push((window.from.unwrap(), window.until.unwrap())),
            }
        }
        granules.sort_unstable();
        assert_eq!(granules, (7..=30).map(|second| (second, second)).collect::<Vec<_>>());
    }

    #[test]
    fn arguments_are_in_the_granularity_of_the_endpoint() {
        let window = Window { from: Some(86_400), until: Some(2 * 86_400 - 1), set: None };
        let day = [("from", "1970-01-02".to_owned()), ("until", "1970-01-02".to_owned())];
        assert_eq!(window.arguments(Granularity::Day), day);
        let [_, (_, until)] = window.arguments(Granularity::Second).try_into().unwrap();
        assert_eq!(until, "1970-01-02T23:59:59Z");
        assert_eq!(Window::default().to_string(), "the whole list");
    }
}
