//! What a run may lose before it counts as failed: `limits` of a pipeline.

use thiserror::Error;

use crate::crosswalk::account::{AccountReport, State};

/// The limits of a pipeline; without any, a run may lose what it likes, and says so.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limits {
    /// `limits.unmapped_values`: so many of a hundred values, of records that the crosswalk
    /// mapped, may be read by no rule.
    pub unmapped_values: Option<f64>,
}

/// A run lost more than its pipeline allows.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{share} of the values are unmapped ({unmapped} of {values}), limits.unmapped_values allows \
     {limit}; most are of {most}"
)]
pub struct Overstepped {
    share: String,
    unmapped: u64,
    values: u64,
    limit: String,
    most: String,
}

impl Limits {
    /// Whether an account keeps within the limits; just so many is within.
    ///
    /// # Errors
    /// [`Overstepped`], which names the fields that most unmapped values are of.
    #[expect(clippy::cast_precision_loss, reason = "values of a run are fewer than 2^52")]
    pub fn check(&self, account: &AccountReport) -> Result<(), Overstepped> {
        let Some(limit) = self.unmapped_values else { return Ok(()) };
        let unmapped = account.total(State::Unmapped).0;
        let values: u64 = State::ALL.iter().map(|state| account.total(*state).0).sum();
        if unmapped as f64 * 100.0 <= limit * values as f64 {
            return Ok(());
        }
        Err(Overstepped {
            share: format!("{:.2} %", unmapped as f64 * 100.0 / values as f64),
            unmapped,
            values,
            limit: format!("{limit} %"),
            most: most_unmapped(account),
        })
    }
}

/// `2%`, `0.5 %`: from 0 to 100.
pub fn percent(text: &str) -> Option<f64> {
    let number: f64 = text.strip_suffix('%')?.trim_end().parse().ok()?;
    (0.0..=100.0).contains(&number).then_some(number)
}

/// The three fields with most unmapped values: `653 1_ $9 (1200), 909 __ $a (80)`.
fn most_unmapped(account: &AccountReport) -> String {
    let unmapped = |states: &std::collections::BTreeMap<_, crate::crosswalk::account::Counter>| {
        states.get(&State::Unmapped).map(|counter| counter.values)
    };
    let mut fields: Vec<(u64, &String)> = account
        .fields
        .iter()
        .filter_map(|(name, states)| Some((unmapped(states)?, name)))
        .collect();
    fields.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    let named = fields.iter().take(3).map(|(values, name)| format!("{name} ({values})"));
    named.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_number_and_a_sign() {
        for (text, expected) in
            [("2%", Some(2.0)), ("0.5 %", Some(0.5)), ("0%", Some(0.0)), ("100%", Some(100.0))]
        {
            assert_eq!(percent(text), expected, "{text}");
        }
        for text in ["2", "", "%", "-1%", "101%", "NaN%", "inf%", "two%", "2%%"] {
            assert_eq!(percent(text), None, "{text}");
        }
    }

    #[test]
    fn just_so_many_is_within_the_limit() {
        let mut account = AccountReport::default();
        let mut add = |name: &str, state, values| {
            let line = account.fields.entry(name.to_owned()).or_default();
            line.entry(state).or_default().values = values;
        };
        add("245 00 $a", State::Mapped, 98);
        add("909 __ $a", State::Unmapped, 2);
        let limits = |share| Limits { unmapped_values: Some(share) };
        assert_eq!(Limits::default().check(&account), Ok(()));
        assert_eq!(limits(2.0).check(&account), Ok(()));
        let message = limits(1.5).check(&account).unwrap_err().to_string();
        assert_eq!(
            message,
            "2.00 % of the values are unmapped (2 of 100), limits.unmapped_values allows 1.5 %; \
             most are of 909 __ $a (2)"
        );
        assert_eq!(limits(0.0).check(&AccountReport::default()), Ok(()));
    }
}
