//! How often each pipeline is claimed: a run that ends within a claim lets go of nothing.

use std::collections::BTreeMap;

/// Claims of this process, by pipeline.
#[derive(Debug, Default)]
pub(super) struct Claims(BTreeMap<String, u32>);

impl Claims {
    /// One more.
    pub(super) fn add(&mut self, pipeline: &str) {
        *self.0.entry(pipeline.to_owned()).or_default() += 1;
    }

    /// One less; whether none is left.
    pub(super) fn take(&mut self, pipeline: &str) -> bool {
        match self.0.get_mut(pipeline) {
            Some(claims) if *claims > 1 => {
                *claims -= 1;
                false
            }
            _ => {
                self.0.remove(pipeline);
                true
            }
        }
    }

    /// Whether there is any.
    pub(super) fn has(&self, pipeline: &str) -> bool {
        self.0.contains_key(pipeline)
    }
}
