//! Chains: which fields of a MARC record each step of a plan may want.

use super::plan::Selector;
use super::selector::{Indicator, TagPattern};
use crate::formats::marc21::Tag;

/// What the steps of a plan read of a record's fields, so that those are sorted out once: each
/// step that names fields has a chain, into which all come that it may want.
#[derive(Debug, Default)]
pub struct Chains {
    wanted: Vec<Wanted>,
    len: u16,
}

/// What one selector wants.
#[derive(Debug)]
struct Wanted {
    link: Link,
    tag: TagPattern,
    indicators: [Indicator; 2],
}

/// A field's way into a chain.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    /// The chain.
    pub chain: u16,
    /// Which of the step's selectors wants it.
    pub selector: u16,
}

impl Chains {
    /// A chain for a step with these selectors, if any of them names fields.
    pub fn add(&mut self, from: &[(Selector, String)]) -> Option<u16> {
        let chain = self.len;
        let before = self.wanted.len();
        for ((selector, _), n) in from.iter().zip(0..) {
            let Selector::Marc(selector) = selector else { continue };
            let Some(tag) = &selector.tag else { continue };
            let link = Link { chain, selector: n };
            let wanted = Wanted { link, tag: tag.clone(), indicators: selector.indicators };
            self.wanted.push(wanted);
        }
        (self.wanted.len() > before).then(|| {
            self.len += 1;
            chain
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// The chains for fields with this tag and these indicators, where they are known; whether a
    /// field passes the conditions is still to be seen.
    pub fn of(
        &self,
        tag: Tag,
        indicators: [Option<char>; 2],
    ) -> impl DoubleEndedIterator<Item = Link> {
        let fits = move |wanted: &&Wanted| {
            let [first, second] = wanted.indicators;
            let [found_first, found_second] = indicators;
            wanted.tag.matches(tag)
                && found_first.is_none_or(|found| first.matches(found))
                && found_second.is_none_or(|found| second.matches(found))
        };
        self.wanted.iter().filter(fits).map(|wanted| wanted.link)
    }
}
