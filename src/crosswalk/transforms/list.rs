//! List transforms: over all values of a rule, once they are gathered.

use std::collections::HashSet;

/// What is made of all values of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// Each value once, where it stands first.
    Unique,
    /// In the order of their characters; numbers by their size.
    Sort,
    /// The first only.
    First,
    /// The last only.
    Last,
}

impl List {
    /// The numbers of the values that stay, in their new order; `numbers` says that all of them
    /// are numbers.
    #[must_use]
    pub fn order(self, values: &[&str], numbers: bool) -> Vec<usize> {
        let mut order: Vec<usize> = (0..values.len()).collect();
        let text = |n: usize| values.get(n).copied().unwrap_or_default();
        match self {
            List::Unique => {
                let mut seen = HashSet::with_capacity(values.len());
                order.retain(|n| seen.insert(text(*n)));
            }
            List::Sort if numbers => {
                let size = |n: usize| text(n).parse().unwrap_or(f64::NAN);
                order.sort_by(|a, b| size(*a).total_cmp(&size(*b)));
            }
            List::Sort => order.sort_by_key(|n| text(*n)),
            List::First => order.truncate(1),
            List::Last => order = order.split_off(values.len().saturating_sub(1)),
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_transform_says_what_stays_and_in_which_order() {
        assert_eq!(List::Unique.order(&["b", "a", "b", "a"], false), [0, 1]);
        assert_eq!(List::Sort.order(&["b", "a", "b"], false), [1, 0, 2]);
        assert_eq!(List::Sort.order(&["10", "9", "-1.5"], true), [2, 1, 0]);
        assert_eq!(List::Sort.order(&["10", "9"], false), [0, 1]);
        assert_eq!(List::Last.order(&["a", "b"], false), [1]);
        for list in [List::Unique, List::Sort, List::First, List::Last] {
            assert!(list.order(&[], true).is_empty());
        }
    }
}
