//! What transforms keep of a value: all, what it means, or a part.

/// What a transform keeps of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// All of it stands in what comes out.
    All,
    /// What it means, in a normal form.
    Meaning,
    /// Part of it.
    Part,
}

/// Those that put a text beside the value.
const ALL: &[&str] = &["prefix", "suffix"];

/// Those that write one meaning in one way, or take a value apart without loss.
const MEANING: &[&str] = &[
    "arxiv",
    "bcp47",
    "chunks",
    "collapse_ws",
    "doi",
    "float",
    "handle",
    "int",
    "invert_name",
    "isbn10",
    "isbn13",
    "isni",
    "iso_date",
    "issn",
    "lang2",
    "lang3",
    "nfc",
    "nfkc",
    "normalize_id",
    "orcid",
    "ror",
    "rstrip",
    "sort",
    "split",
    "trim",
    "trim_isbd",
    "unique",
    "url",
    "url_or_path",
    "urn",
];

impl Keeps {
    /// What the transform of this name keeps; a lookup does better in a table that is one to one.
    #[must_use]
    pub fn of(name: &str) -> Keeps {
        if ALL.contains(&name) {
            Keeps::All
        } else if MEANING.binary_search(&name).is_ok() {
            Keeps::Meaning
        } else {
            Keeps::Part
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crosswalk::transforms::TRANSFORMS;

    #[test]
    fn every_name_is_that_of_a_transform_and_the_list_is_sorted() {
        assert!(MEANING.is_sorted());
        for name in ALL.iter().chain(MEANING) {
            assert!(TRANSFORMS.iter().any(|row| row.name == *name), "{name}");
        }
        assert_eq!((Keeps::of("prefix"), Keeps::of("doi")), (Keeps::All, Keeps::Meaning));
        assert_eq!(Keeps::of("truncate"), Keeps::Part);
    }
}
