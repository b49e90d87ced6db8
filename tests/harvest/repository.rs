//! A small repository that keeps the protocol, page by page.

use super::double::{Answer, Request};

/// Six records of six days, three on a page unless told otherwise.
#[derive(Clone)]
pub struct Repository {
    pub records: Vec<Kept>,
    pub page: usize,
    pub granularity: &'static str,
    pub deletions: &'static str,
    pub complete_list_size: bool,
    /// Between `before` and `after` stands a token's number.
    pub token: (&'static str, &'static str),
    /// The sets that the record of a number is in.
    pub sets_of: fn(usize) -> &'static [&'static str],
    /// Whether ListSets names them.
    pub lists_sets: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    pub number: usize,
    /// In seconds since 1970.
    pub stamp: i64,
    pub deleted: bool,
    pub title: String,
}

pub const RESPONSE_DATE: &str = "2026-02-01T00:00:00Z";
/// 2026-01-01
const FIRST: i64 = 1_767_225_600;

impl Repository {
    pub fn new(count: usize, page: usize) -> Repository {
        let kept = |number| Kept {
            number,
            stamp: FIRST + number as i64 * 3600,
            deleted: false,
            title: format!("Hay {number}"),
        };
        Repository {
            records: (1..=count).map(kept).collect(),
            page,
            granularity: "YYYY-MM-DDThh:mm:ssZ",
            deletions: "persistent",
            complete_list_size: true,
            token: ("page ", "+/%&="),
            sets_of: |_| &["meadow"],
            lists_sets: false,
        }
    }

    pub fn answer(&self, request: &Request) -> Answer {
        let verb = request.argument("verb").unwrap_or_default().to_owned();
        match verb.as_str() {
            "Identify" => self.identify(),
            "GetRecord" => {
                let identifier = request.argument("identifier").unwrap();
                let kept = self.records.iter().find(|kept| identifier == self.identifier(kept));
                match kept {
                    Some(kept) => envelope(&verb, &self.record(kept)),
                    None => error("idDoesNotExist", "No such item"),
                }
            }
            "ListSets" if self.lists_sets => {
                let set = |spec: &&str| format!("<set><setSpec>{spec}</setSpec><setName/></set>");
                envelope(&verb, &self.sets().iter().map(set).collect::<String>())
            }
            "ListSets" => error("noSetHierarchy", "No sets"),
            "ListMetadataFormats" => envelope(
                &verb,
                "<metadataFormat><metadataPrefix>oai_dc</metadataPrefix><schema>http://s.example\
                 </schema><metadataNamespace>urn:dc</metadataNamespace></metadataFormat>",
            ),
            _ => self.list(request, &verb),
        }
    }

    // Of all records, in order.
    fn sets(&self) -> Vec<&'static str> {
        let sets = self.records.iter().flat_map(|kept| (self.sets_of)(kept.number)).copied();
        std::collections::BTreeSet::from_iter(sets).into_iter().collect()
    }

    fn identify(&self) -> Answer {
        let (granularity, deletions) = (self.granularity, self.deletions);
        envelope(
            "Identify",
            &format!(
                "<repositoryName>Meadow</repositoryName><baseURL>http://meadow.example/oai</baseURL>\
                 <protocolVersion>2.0</protocolVersion><adminEmail>a@meadow.example</adminEmail>\
                 <earliestDatestamp>2026-01-01T00:00:00Z</earliestDatestamp>\
                 <deletedRecord>{deletions}</deletedRecord><granularity>{granularity}</granularity>"
            ),
        )
    }

    fn list(&self, request: &Request, verb: &str) -> Answer {
        // A token holds the arguments and the position, as many do.
        let sets = self.sets();
        let (from, until, start, set) = match request.argument("resumptionToken") {
            None => {
                let set = request.argument("set");
                let set = set.map_or(0, |set| 1 + sets.iter().position(|s| *s == set).unwrap());
                (bound(request, "from"), bound(request, "until"), 0, set)
            }
            Some(token) => {
                let inside = token.strip_prefix(self.token.0);
                let inside = inside.and_then(|rest| rest.strip_suffix(self.token.1));
                let Some(inside) = inside else {
                    return error("badResumptionToken", &format!("not mine: {token}"));
                };
                let parts: Vec<i64> = inside.split(',').map(|part| part.parse().unwrap()).collect();
                (parts[0], parts[1], parts[2] as usize, parts[3] as usize)
            }
        };
        let until = if until == 0 { i64::MAX } else { until };
        let is_in = |kept: &&Kept| set == 0 || (self.sets_of)(kept.number).contains(&sets[set - 1]);
        let in_time = |kept: &&Kept| (from..=until).contains(&kept.stamp);
        let all: Vec<&Kept> = self.records.iter().filter(in_time).filter(is_in).collect();
        if all.is_empty() {
            return error("noRecordsMatch", "Nothing");
        }
        let mut inside = String::new();
        for kept in all.iter().skip(start).take(self.page) {
            match verb {
                "ListIdentifiers" => inside += &self.header(kept),
                _ => inside += &self.record(kept),
            }
        }
        let next = start + self.page;
        let size = match self.complete_list_size {
            true => format!(" completeListSize=\"{}\" cursor=\"{start}\"", all.len()),
            false => String::new(),
        };
        if next < all.len() {
            let (before, after) = self.token;
            let until = if until == i64::MAX { 0 } else { until };
            let after = after.replace('&', "&amp;");
            inside += &format!(
                "<resumptionToken{size}>{before}{from},{until},{next},{set}{after}</resumptionToken>"
            );
        } else if start > 0 {
            inside += &format!("<resumptionToken{size}/>");
        }
        envelope(verb, &inside)
    }

    pub fn identifier(&self, kept: &Kept) -> String {
        format!("oai:meadow.example:{}", kept.number)
    }

    fn header(&self, kept: &Kept) -> String {
        let stamp = jiff::Timestamp::from_second(kept.stamp).unwrap().to_string();
        let stamp = match self.granularity.len() {
            10 => stamp.split('T').next().unwrap().to_owned(),
            _ => stamp,
        };
        let status = if kept.deleted { " status=\"deleted\"" } else { "" };
        format!(
            "<header{status}><identifier>{}</identifier><datestamp>{stamp}</datestamp>\
             {}</header>",
            self.identifier(kept),
            (self.sets_of)(kept.number)
                .iter()
                .map(|spec| format!("<setSpec>{spec}</setSpec>"))
                .collect::<String>()
        )
    }

    pub fn record(&self, kept: &Kept) -> String {
        let metadata = match kept.deleted {
            true => String::new(),
            false => format!(
                "<metadata><oai_dc:dc xmlns:oai_dc=\"http://www.openarchives.org/OAI/2.0/oai_dc/\" \
                 xmlns:dc=\"http://purl.org/dc/elements/1.1/\"><dc:title>{}</dc:title></oai_dc:dc>\
                 </metadata>",
                kept.title
            ),
        };
        format!("<record>{}{metadata}</record>", self.header(kept))
    }
}

fn bound(request: &Request, name: &str) -> i64 {
    request.argument(name).map_or(0, |text| match text.len() {
        10 => {
            let day: jiff::Timestamp = format!("{text}T00:00:00Z").parse().unwrap();
            day.as_second() + if name == "until" { 86_399 } else { 0 }
        }
        _ => text.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_second),
    })
}

pub fn envelope(verb: &str, inside: &str) -> Answer {
    document(&format!("<{verb}>{inside}</{verb}>"))
}

pub fn error(code: &str, message: &str) -> Answer {
    document(&format!("<error code=\"{code}\">{message}</error>"))
}

fn document(inside: &str) -> Answer {
    Answer::xml(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <OAI-PMH xmlns=\"http://www.openarchives.org/OAI/2.0/\">\
         <responseDate>{RESPONSE_DATE}</responseDate>\
         <request>http://meadow.example/oai</request>{inside}</OAI-PMH>"
    ))
}
