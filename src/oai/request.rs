//! Requests: a verb and its arguments, checked strictly (§3.1.1, §4).

use super::identifier::is_uri;
use super::{ErrorCode, OaiError};
use crate::record::{Datestamp, Granularity, SetSpec};

/// A request with more arguments than this is refused whole: an answer that named every bad one
/// would be many times larger than the request.
pub const MAX_ARGUMENTS: usize = 32;

/// The verbs whose answers are lists of items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListVerb {
    /// Headers only.
    ListIdentifiers,
    /// Whole records.
    ListRecords,
}

impl ListVerb {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ListVerb::ListIdentifiers => "ListIdentifiers",
            ListVerb::ListRecords => "ListRecords",
        }
    }

    /// The verb of this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<ListVerb> {
        [ListVerb::ListIdentifiers, ListVerb::ListRecords]
            .into_iter()
            .find(|verb| verb.as_str() == word)
    }
}

/// What a list shall hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The format, of legal characters; whether it is offered is not known here.
    pub metadata_prefix: String,
    /// Only this set and the sets below it.
    pub set_spec: Option<SetSpec>,
    /// Only records not older than this.
    pub from: Option<Datestamp>,
    /// Only records not newer than this, inclusive: the last second of a day that was asked for.
    pub until: Option<Datestamp>,
}

/// Where a list begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListStart {
    /// At its first item.
    Selection(Selection),
    /// After the position that this text of a [`super::ResumptionToken`] holds; not opened yet.
    Token(String),
}

/// A request of legal form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// §4.2
    Identify,
    /// §4.4
    ListMetadataFormats {
        /// Only the formats of this item; a URI.
        identifier: Option<String>,
    },
    /// §4.6
    ListSets {
        /// The text of a resumptionToken.
        token: Option<String>,
    },
    /// §4.1
    GetRecord {
        /// A URI.
        identifier: String,
        /// The format, of legal characters.
        metadata_prefix: String,
    },
    /// §4.3 and §4.5
    List {
        /// Which of the two.
        verb: ListVerb,
        /// Where it begins.
        start: ListStart,
    },
}

impl Request {
    /// The word on the wire.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self {
            Request::Identify => "Identify",
            Request::ListMetadataFormats { .. } => "ListMetadataFormats",
            Request::ListSets { .. } => "ListSets",
            Request::GetRecord { .. } => "GetRecord",
            Request::List { verb, .. } => verb.as_str(),
        }
    }

    /// Reads the decoded (name, value) pairs of a query or form.
    ///
    /// # Errors
    /// One `badVerb`, or a `badArgument` for each thing that is wrong with the arguments.
    pub fn parse(pairs: &[(String, String)]) -> Result<Request, Vec<OaiError>> {
        if pairs.len() > MAX_ARGUMENTS {
            let found = pairs.len();
            return Err(vec![bad_argument(format!(
                "request has {found} arguments, expected at most {MAX_ARGUMENTS}"
            ))]);
        }
        let verb = read_verb(pairs).map_err(|error| vec![error])?;
        let mut arguments = Arguments { pairs, errors: Vec::new() };
        arguments.check_names(verb);
        let request = arguments.read(verb.name);
        match request {
            Some(request) if arguments.errors.is_empty() => Ok(request),
            _ => Err(arguments.errors),
        }
    }
}

/// A verb and the arguments it takes.
struct VerbRow {
    name: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
    resumable: bool,
}

const TOKEN: &str = "resumptionToken";

static VERBS: &[VerbRow] = &[
    VerbRow {
        name: "GetRecord",
        required: &["identifier", "metadataPrefix"],
        optional: &[],
        resumable: false,
    },
    VerbRow { name: "Identify", required: &[], optional: &[], resumable: false },
    VerbRow {
        name: "ListIdentifiers",
        required: &["metadataPrefix"],
        optional: &["from", "until", "set"],
        resumable: true,
    },
    VerbRow {
        name: "ListMetadataFormats",
        required: &[],
        optional: &["identifier"],
        resumable: false,
    },
    VerbRow {
        name: "ListRecords",
        required: &["metadataPrefix"],
        optional: &["from", "until", "set"],
        resumable: true,
    },
    VerbRow { name: "ListSets", required: &[], optional: &[], resumable: true },
];

fn read_verb(pairs: &[(String, String)]) -> Result<&'static VerbRow, OaiError> {
    let bad_verb = |message: String| OaiError::new(ErrorCode::BadVerb, message);
    let mut verbs = pairs.iter().filter(|(name, _)| name == "verb").map(|(_, value)| value);
    let Some(word) = verbs.next() else {
        return Err(bad_verb("verb is missing".to_owned()));
    };
    if verbs.next().is_some() {
        return Err(bad_verb("verb is given more than once".to_owned()));
    }
    VERBS
        .iter()
        .find(|row| row.name == word)
        .ok_or_else(|| bad_verb(format!("verb is {}, expected one of the six", quoted(word))))
}

/// The arguments of one request, and what is wrong with them.
struct Arguments<'p> {
    pairs: &'p [(String, String)],
    errors: Vec<OaiError>,
}

impl<'p> Arguments<'p> {
    fn bad(&mut self, message: String) {
        self.errors.push(bad_argument(message));
    }

    fn value(&self, name: &str) -> Option<&'p str> {
        self.pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.as_str())
    }

    /// Unknown, repeated, missing and exclusive arguments.
    fn check_names(&mut self, verb: &VerbRow) {
        for (i, (name, _)) in self.pairs.iter().enumerate() {
            if name == "verb" {
                continue;
            }
            let repeated = |pair: &(String, String)| pair.0 == *name;
            if self.pairs.iter().take(i).any(repeated) {
                self.bad(format!("{} is given more than once", quoted(name)));
                continue;
            }
            let word = name.as_str();
            let known = verb.required.contains(&word)
                || verb.optional.contains(&word)
                || (verb.resumable && word == TOKEN);
            if !known {
                self.bad(format!("{} is no argument of {}", quoted(name), verb.name));
            }
        }
        if verb.resumable && self.value(TOKEN).is_some() {
            if self.pairs.iter().any(|(name, _)| name != "verb" && name != TOKEN) {
                self.bad(format!("{TOKEN} is exclusive, but there are other arguments"));
            }
            return;
        }
        for name in verb.required {
            if self.value(name).is_none() {
                self.bad(format!("{name} is missing"));
            }
        }
    }

    fn read(&mut self, verb: &str) -> Option<Request> {
        let token = self.value(TOKEN).map(str::to_owned);
        match verb {
            "Identify" => Some(Request::Identify),
            "ListSets" => Some(Request::ListSets { token }),
            "ListMetadataFormats" => {
                Some(Request::ListMetadataFormats { identifier: self.identifier() })
            }
            "GetRecord" => {
                let (identifier, metadata_prefix) = (self.identifier(), self.metadata_prefix());
                Some(Request::GetRecord {
                    identifier: identifier?,
                    metadata_prefix: metadata_prefix?,
                })
            }
            list => {
                let verb = ListVerb::from_word(list)?;
                let selection = self.selection();
                let start = match token {
                    Some(token) => ListStart::Token(token),
                    None => ListStart::Selection(selection?),
                };
                Some(Request::List { verb, start })
            }
        }
    }

    fn identifier(&mut self) -> Option<String> {
        let text = self.value("identifier")?;
        if is_uri(text) {
            return Some(text.to_owned());
        }
        self.bad(format!("identifier is {}, expected a URI", quoted(text)));
        None
    }

    fn metadata_prefix(&mut self) -> Option<String> {
        let text = self.value("metadataPrefix")?;
        // The characters of a metadataPrefix are those of one part of a setSpec.
        if !text.contains(':') && text.parse::<SetSpec>().is_ok() {
            return Some(text.to_owned());
        }
        self.bad(format!(
            "metadataPrefix is {}, expected letters, digits and -_.!~*'()",
            quoted(text)
        ));
        None
    }

    fn selection(&mut self) -> Option<Selection> {
        let metadata_prefix = self.metadata_prefix();
        let set_spec = match self.value("set").map(str::parse) {
            None => None,
            Some(Ok(set_spec)) => Some(set_spec),
            Some(Err(_)) => {
                let found = quoted(self.value("set").unwrap_or_default());
                self.bad(format!("set is {found}, expected a setSpec"));
                None
            }
        };
        let from = self.datestamp("from");
        let until = self.datestamp("until");
        if let (Some((_, from)), Some((_, until))) = (from, until)
            && from != until
        {
            self.bad("from and until have different granularities".to_owned());
        }
        let from = from.map(|(datestamp, _)| datestamp);
        let until = until.map(|(datestamp, granularity)| datestamp.end_of(granularity));
        if let (Some(from), Some(until)) = (from, until)
            && from > until
        {
            self.bad("from is later than until".to_owned());
        }
        Some(Selection { metadata_prefix: metadata_prefix?, set_spec, from, until })
    }

    fn datestamp(&mut self, name: &str) -> Option<(Datestamp, Granularity)> {
        let text = self.value(name)?;
        // A leap second is read as the second before it, and XML Schema has no year 0: neither
        // could be given back as an attribute of the request element.
        let is_exact = |datestamp: Datestamp| {
            !text.starts_with("0000") && datestamp.to_string().starts_with(text)
        };
        match Datestamp::parse(text) {
            Ok((datestamp, granularity)) if is_exact(datestamp) => Some((datestamp, granularity)),
            _ => {
                self.bad(format!(
                    "{name} is {}, expected YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ",
                    quoted(text)
                ));
                None
            }
        }
    }
}

fn bad_argument(message: String) -> OaiError {
    OaiError::new(ErrorCode::BadArgument, message)
}

/// Foreign text as a message shows it: in quotes, its first 80 characters.
fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(80).collect();
    if shown.len() == text.len() { format!("{shown:?}") } else { format!("{shown:?}…") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<Request, Vec<OaiError>> {
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Request::parse(&pairs)
    }

    fn codes(query: &str) -> Vec<&'static str> {
        parse(query).unwrap_err().iter().map(OaiError::code).collect()
    }

    #[test]
    fn a_list_covers_the_whole_of_its_last_day() {
        let request = parse("verb=ListRecords&metadataPrefix=p&from=1970-01-02&until=1970-01-02");
        let selection = Selection {
            metadata_prefix: "p".to_owned(),
            set_spec: None,
            from: Some(Datestamp::from_second(86_400)),
            until: Some(Datestamp::from_second(2 * 86_400 - 1)),
        };
        let start = ListStart::Selection(selection);
        assert_eq!(request, Ok(Request::List { verb: ListVerb::ListRecords, start }));
    }

    #[test]
    fn every_wrong_argument_is_named() {
        let query = "verb=ListRecords&from=junk&until=2020-02-30&set=a::b&x=1&x=2&y=%22";
        // prefix missing, from, until, set, x unknown, x repeated, y unknown
        assert_eq!(codes(query), ["badArgument"; 7]);
        let two = "verb=ListRecords&metadataPrefix=p&from=2021-01-01T00:00:00Z&until=2020-01-01";
        assert_eq!(codes(two), ["badArgument"; 2]);
    }

    #[test]
    fn a_verb_is_one_of_six_and_stands_once() {
        for query in ["", "verb=", "verb=junk", "verb=Identify&verb=Identify", "Verb=Identify"] {
            assert_eq!(codes(query), ["badVerb"], "{query}");
        }
    }

    #[test]
    fn a_token_stands_alone() {
        assert!(parse("verb=ListRecords&resumptionToken=t").is_ok());
        assert!(parse("verb=ListSets&resumptionToken=t").is_ok());
        let with_prefix = "verb=ListRecords&resumptionToken=t&metadataPrefix=p";
        assert_eq!(codes(with_prefix), ["badArgument"]);
        assert_eq!(codes("verb=Identify&resumptionToken=t"), ["badArgument"]);
    }

    #[test]
    fn a_date_that_xml_schema_does_not_know_is_refused() {
        for date in ["0000-01-01", "2016-12-31T23:59:60Z", "2016-12-31T24:00:00Z", "2016-13-01"] {
            let query = format!("verb=ListIdentifiers&metadataPrefix=p&from={date}");
            assert_eq!(codes(&query), ["badArgument"], "{date}");
        }
    }

    #[test]
    fn a_flood_of_arguments_gets_one_short_answer() {
        assert_eq!(codes(&"a=1&".repeat(1000)), ["badArgument"]);
    }

    proptest::proptest! {
        #[test]
        fn no_request_panics(pairs in proptest::collection::vec(("verb|from|set|.*", ".*"), 0..5)) {
            let _ = Request::parse(&pairs);
        }
    }
}
