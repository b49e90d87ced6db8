//! Steps of paths of values, and what they lead to, as the account counts them.

/// One step of a path: `/dc:title`, `/@xml:lang`, `.title`, `[]`.
#[derive(Debug, Clone, Copy)]
pub struct PathStep<'s> {
    /// What parts it from the step before.
    pub sign: &'static str,
    /// Prefix, or nothing.
    pub prefix: &'s str,
    /// The name.
    pub name: &'s str,
}

/// The numbers of the places one step below a place.
#[derive(Debug, Default)]
pub(super) struct Steps {
    names: Vec<(Box<str>, usize)>,
    /// Where the latest was found.
    latest: usize,
}

impl Steps {
    // Values come again, or in the order in which they came before, mostly.
    #[inline]
    pub(super) fn find(&mut self, step: PathStep<'_>) -> Option<usize> {
        let is = |at: &usize| self.names.get(*at).is_some_and(|(name, _)| step.is(name));
        let near = [self.latest, self.latest + 1].into_iter().find(is);
        self.latest = near.or_else(|| (0..self.names.len()).find(is))?;
        self.names.get(self.latest).map(|(_, number)| *number)
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn push(&mut self, name: String, number: usize) {
        self.names.push((name.into(), number));
    }
}

impl PathStep<'_> {
    fn is(&self, written: &str) -> bool {
        // Most others differ in length already.
        let colon = usize::from(!self.prefix.is_empty());
        let length = self.sign.len() + self.prefix.len() + colon + self.name.len();
        if written.len() != length || !written.ends_with(self.name) {
            return false;
        }
        let Some(rest) = written.strip_prefix(self.sign) else { return false };
        self.prefix.is_empty()
            || rest.strip_prefix(self.prefix).is_some_and(|rest| rest.starts_with(':'))
    }
}
