//! Sets of subfield codes, one bit for each code of ASCII.

/// A set of subfield codes; the codes beyond ASCII are in it all together or not at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CodeSet {
    low: u64,
    high: u64,
    others: bool,
}

impl CodeSet {
    /// Every code there is.
    pub const ALL: CodeSet = CodeSet { low: u64::MAX, high: u64::MAX, others: true };

    /// Whether `code` is in the set.
    #[inline]
    #[must_use]
    pub fn contains(self, code: char) -> bool {
        let code = u32::from(code);
        let half = if code & 64 == 0 { self.low } else { self.high };
        if code < 128 { half >> (code % 64) & 1 == 1 } else { self.others }
    }

    /// The set with `code`; a code beyond ASCII brings all of those.
    #[inline]
    #[must_use]
    pub fn with(mut self, code: char) -> CodeSet {
        let code = u32::from(code);
        let (bit, upper) = (u64::from(code < 128) << (code % 64), u64::from(code & 64 != 0));
        self.low |= bit & upper.wrapping_sub(1);
        self.high |= bit & upper.wrapping_neg();
        self.others |= code >= 128;
        self
    }

    /// The codes that are not in the set.
    #[must_use]
    pub fn complement(self) -> CodeSet {
        CodeSet { low: !self.low, high: !self.high, others: !self.others }
    }

    /// The codes of both sets.
    #[must_use]
    pub fn union(self, other: CodeSet) -> CodeSet {
        CodeSet {
            low: self.low | other.low,
            high: self.high | other.high,
            others: self.others | other.others,
        }
    }

    /// Whether the sets have a code in common.
    #[must_use]
    pub fn meets(self, other: CodeSet) -> bool {
        (self.low & other.low) | (self.high & other.high) != 0 || (self.others && other.others)
    }
}

impl FromIterator<char> for CodeSet {
    fn from_iter<I: IntoIterator<Item = char>>(codes: I) -> CodeSet {
        codes.into_iter().fold(CodeSet::default(), CodeSet::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set: CodeSet = ['\0', '6', 'a', '~'].into_iter().collect();
        assert!(['\0', '6', 'a', '~'].into_iter().all(|code| set.contains(code)));
        assert!(!['8', 'b', '\u{7f}', 'é'].into_iter().any(|code| set.contains(code)));
        assert!(set.complement().contains('é') && !set.complement().contains('a'));
        assert!(set.meets(CodeSet::default().with('a')) && !set.meets(set.complement()));
        assert_eq!(set.union(set.complement()), CodeSet::ALL);
    }
}
