//! Queries asked of one JSON document: the part of the query string syntax that sets are described
//! with.
//!
//! - `path.to.field:word`, `:"some words"`, `:wor*`, and each without a field, of all texts. The
//!   path goes through arrays, and ends at a value or at whatever is below it.
//! - A value matches when it is the word, or has it (or the words, one after the other); case does
//!   not count. Numbers match by their value, `true` and `false` by their name.
//! - `:[a TO b]`, `:{a TO b}` without the ends, `*` for an open end, `:>a`, `:>=a`, `:<a`, `:<=a`:
//!   of numbers by value, of other texts in their order; `[2020 TO 2021]` has all of 2021.
//! - `_exists_:path` and `path:*`, `*` for every document.
//! - `a OR b`, `a AND b`, `NOT a` (also `||`, `&&`, `!`, `-a`, `+a`), `(…)`, `path:(a OR b)`. AND
//!   binds closer than OR. Of clauses side by side one must match, and each that has a `+` and
//!   none that has a `-` or NOT.
//! - A backslash takes the meaning from the sign behind it.
//!
//! What the syntax has beyond that (`/patterns/`, `~`, `^`, `?`, `*` but at the end) is an error.

mod ask;
mod parse;

use serde_json::Value;
use thiserror::Error;

/// A query, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query(Node);

/// A text that is no query, or one beyond what is understood here.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message} at character {character}")]
pub struct QueryError {
    /// What was found, and what was expected.
    pub message: String,
    /// Where, from 1.
    pub character: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Every,
    /// The path leads to something that is not null.
    Exists(Path),
    Matches(Option<Path>, Test),
    Not(Box<Node>),
    All(Vec<Node>),
    Any(Vec<Node>),
}

/// The names from a document down to a field.
type Path = Vec<String>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    /// Words one after the other, in lower case; the last may only begin a word.
    Words {
        whole: String,
        words: Vec<String>,
        begins: bool,
    },
    Range {
        low: Option<Bound>,
        high: Option<Bound>,
    },
}

/// An end of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bound {
    text: String,
    included: bool,
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// [`QueryError`] says what is not understood, and where.
    pub fn parse(text: &str) -> Result<Query, QueryError> {
        parse::query(text).map(Query)
    }

    /// Whether a document matches.
    #[must_use]
    pub fn matches(&self, document: &Value) -> bool {
        ask::matches(&self.0, document)
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_matches_what_it_says() {
        let document = json!({
            "metadata": {
                "title": "The Open Windrow: a study",
                "creators": [{"name": "Ngô, Thị"}, {"name": "Smith"}],
                "publication_date": "2021-05-03",
                "pages": 120,
                "open": true,
                "doi": "10.1234/Abc-5",
                "nothing": null,
            },
            "collections": ["theses", "maps and plans"],
        });
        let cases = [
            ("windrow", true),
            ("metadata.title:windrow", true),
            ("metadata.title:WINDROW", true),
            ("metadata.title:wind", false),
            ("metadata.title:wind*", true),
            ("metadata.title:open\\ wind*", true),
            ("collections:windrow", false),
            ("collections:theses", true),
            ("collections:maps", true),
            ("collections:\"and plans\"", true),
            ("collections:\"plans and\"", false),
            ("metadata.creators.name:ngô", true),
            ("metadata.creators:smith", true),
            ("metadata.doi:\"10.1234/abc-5\"", true),
            ("metadata.doi:10.1234/abc-5", true),
            ("metadata.doi:10.1234*", true),
            ("metadata.pages:120", true),
            ("metadata.pages:120.0", true),
            ("metadata.pages:[100 TO 200]", true),
            ("metadata.pages:{120 TO *}", false),
            ("metadata.pages:>=120", true),
            ("metadata.pages:<120", false),
            ("metadata.open:true", true),
            ("metadata.publication_date:[2020 TO 2021]", true),
            ("metadata.publication_date:[2020 TO 2021}", false),
            ("metadata.publication_date:{2021 TO 2022]", false),
            ("metadata.publication_date:[2021-05-03 TO *]", true),
            ("_exists_:metadata.doi", true),
            ("_exists_:metadata.nothing", false),
            ("metadata.doi:*", true),
            ("*", true),
            ("*:*", true),
            ("", true),
            ("theses AND windrow", true),
            ("theses && absent", false),
            ("absent OR theses", true),
            ("absent theses", true),
            ("+absent theses", false),
            ("+theses absent", true),
            ("theses -windrow", false),
            ("theses NOT absent", true),
            ("NOT absent", true),
            ("NOT theses", false),
            ("absent OR theses AND absent", false),
            ("(absent OR theses) AND windrow", true),
            ("collections:(absent OR theses)", true),
            ("collections:(absent OR windrow)", false),
            ("collections:(+maps +plans)", true),
            ("not", false),
        ];
        for (text, expected) in cases {
            let query = Query::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(query.matches(&document), expected, "{text}: {query:?}");
        }
    }

    #[test]
    fn what_is_not_understood_is_an_error_that_says_where() {
        let cases = [
            ("a AND", 6),
            ("OR a", 1),
            ("(a", 3),
            ("a)", 2),
            ("title:", 7),
            ("title:\"a", 7),
            ("/a.*/", 1),
            ("a~2", 2),
            ("a^2", 2),
            ("a?c", 2),
            ("a*c", 2),
            ("*c", 1),
            ("a:b:c", 4),
            ("a:[1 2]", 6),
            ("a:[1 TO 2", 10),
            ("a:---", 3),
            ("tit*:x", 4),
            ("a AND OR b", 7),
            ("a\\", 2),
            (":x", 1),
            ("a..b:x", 1),
            ("\u{e9}\u{e9} /x/", 4),
        ];
        for (text, character) in cases {
            let error = Query::parse(text).expect_err(text);
            assert_eq!(error.character, character, "{text}: {error}");
        }
        let deep = format!("{}a{}", "(".repeat(1000), ")".repeat(1000));
        assert!(Query::parse(&deep).is_err());
    }
}
