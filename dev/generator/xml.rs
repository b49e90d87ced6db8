//! Invented records of OAI-PMH harvests: unqualified Dublin Core and DataCite 4.6.

use std::fmt::Write;

use super::{
    INSTITUTES, LANGUAGES, PUBLISHERS, Random, SENTENCES, TITLE_ENDS, TITLE_HEADS, TOPICS, below,
    orcid_digits,
};

/// What stands before the records of a harvest.
pub const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<OAI-PMH xmlns=\"http://www.openarchives.org/OAI/2.0/\"><ListRecords>\n";
/// What stands after them.
pub const TAIL: &str = "</ListRecords></OAI-PMH>\n";

const OAI_DC: &str = "<oai_dc:dc xmlns:oai_dc=\"http://www.openarchives.org/OAI/2.0/oai_dc/\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\">";
const DATACITE: &str = "<resource xmlns=\"http://datacite.org/schema/kernel-4\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"http://datacite.org/schema/kernel-4 http://schema.datacite.org/meta/kernel-4.6/metadata.xsd\">";

/// Record `n` (from 0) in Dublin Core, with its OAI header: 16 elements, 1.2 kB.
pub fn oai_dc(seed: u64, n: u64) -> String {
    let mut build = Build { out: String::new(), random: Random::new(seed ^ 0xDC, n), n };
    build.open();
    build.out.push_str(OAI_DC);
    let title = build.title();
    build.text("dc:title", "", &title);
    for _ in 0..2 {
        let (family, given) = build.name();
        build.text("dc:creator", "", &format!("{family}, {given}"));
    }
    for _ in 0..3 {
        let topic = build.random.pick(TOPICS);
        build.text("dc:subject", "", topic);
    }
    let summary = build.sentences(3);
    build.text("dc:description", "", &summary);
    let publisher = build.random.pick(PUBLISHERS);
    build.text("dc:publisher", "", publisher);
    let (date, language) = (build.date(), build.language());
    build.text("dc:date", "", &date);
    build.text("dc:type", "", "info:eu-repo/semantics/article");
    build.text("dc:type", "", "Text");
    build.text("dc:format", "", "application/pdf");
    build.text("dc:identifier", "", &format!("https://doi.org/10.5555/windrow.{}", n + 1));
    build.text("dc:identifier", "", &format!("https://records.example.org/{}", n + 1));
    build.text("dc:language", "", language);
    build.text("dc:rights", "", "https://creativecommons.org/licenses/by/4.0/");
    build.out.push_str("</oai_dc:dc>");
    build.close()
}

/// Record `n` (from 0) in DataCite 4.6, with its OAI header: 2.5 kB.
pub fn datacite(seed: u64, n: u64) -> String {
    let mut build = Build { out: String::new(), random: Random::new(seed ^ 0xDA7A, n), n };
    build.open();
    build.out.push_str(DATACITE);
    let doi = format!("10.5555/windrow.{}", n + 1);
    build.text("identifier", " identifierType=\"DOI\"", &doi);
    build.within("creators", |build| {
        build.creator();
        build.creator();
    });
    let title = build.title();
    build.within("titles", |build| build.text("title", " xml:lang=\"en\"", &title));
    let publisher = build.random.pick(PUBLISHERS);
    build.text("publisher", "", publisher);
    let (date, language) = (build.date(), build.language());
    build.text("publicationYear", "", date.get(..4).unwrap_or_default());
    build.text("resourceType", " resourceTypeGeneral=\"Dataset\"", "Measurements");
    build.within("subjects", |build| {
        for _ in 0..3 {
            let topic = build.random.pick(TOPICS);
            build.text("subject", "", topic);
        }
    });
    let (family, given) = build.name();
    build.within("contributors", |build| {
        let _ = write!(build.out, "<contributor contributorType=\"DataCurator\">");
        build.text("contributorName", "", &format!("{family}, {given}"));
        build.out.push_str("</contributor>");
    });
    build.within("dates", |build| {
        build.text("date", " dateType=\"Issued\"", &date);
        build.text("date", " dateType=\"Updated\"", "2024-02-29");
    });
    build.text("language", "", language);
    build.within("relatedIdentifiers", |build| {
        let kind = " relatedIdentifierType=\"DOI\" relationType=\"IsSupplementTo\"";
        let other = format!("10.5555/journal.{}", build.random.digits(6));
        build.text("relatedIdentifier", kind, &other);
    });
    build.within("sizes", |build| build.text("size", "", "4 MB"));
    build.within("formats", |build| build.text("format", "", "text/csv"));
    build.text("version", "", "1.0");
    build.within("rightsList", |build| {
        let link = " rightsURI=\"https://creativecommons.org/licenses/by/4.0/\" rightsIdentifier=\"CC-BY-4.0\"";
        build.text("rights", link, "Creative Commons Attribution 4.0 International");
    });
    let summary = build.sentences(3);
    build.within("descriptions", |build| {
        build.text("description", " descriptionType=\"Abstract\"", &summary);
    });
    build.within("fundingReferences", |build| {
        build.within("fundingReference", |build| {
            let (funder, number) = (build.random.pick(INSTITUTES), build.random.digits(6));
            build.text("funderName", "", funder);
            build.text("awardNumber", "", &number);
        });
    });
    build.out.push_str("</resource>");
    build.close()
}

struct Build {
    out: String,
    random: Random,
    n: u64,
}

impl Build {
    fn open(&mut self) {
        let n = self.n + 1;
        let _ = write!(
            self.out,
            "<record><header><identifier>oai:records.example.org:{n}</identifier><datestamp>2024-03-01T00:00:00Z</datestamp><setSpec>hay</setSpec></header><metadata>"
        );
    }

    fn close(mut self) -> String {
        self.out.push_str("</metadata></record>\n");
        self.out
    }

    fn text(&mut self, name: &str, attributes: &str, value: &str) {
        let value = value.replace('&', "&amp;").replace('<', "&lt;");
        let _ = write!(self.out, "<{name}{attributes}>{value}</{name}>");
    }

    fn within(&mut self, name: &str, inner: impl FnOnce(&mut Build)) {
        let _ = write!(self.out, "<{name}>");
        inner(self);
        let _ = write!(self.out, "</{name}>");
    }

    fn title(&mut self) -> String {
        let (head, topic) = (self.random.pick(TITLE_HEADS), self.random.pick(TOPICS));
        format!("{head} {topic}: {}", self.random.pick(TITLE_ENDS))
    }

    fn name(&mut self) -> (&'static str, String) {
        let (family, given) = (self.random.pick(super::FAMILY), self.random.pick(super::GIVEN));
        let initial = char::from(b'A' + below(&mut self.random, 26) as u8);
        (family, format!("{given} {initial}."))
    }

    fn date(&mut self) -> String {
        let (month, day) = (1 + self.random.next() % 12, 1 + self.random.next() % 28);
        format!("{}-{month:02}-{day:02}", 1980 + self.n % 45)
    }

    fn language(&self) -> &'static str {
        LANGUAGES[(self.n % LANGUAGES.len() as u64) as usize]
    }

    fn sentences(&mut self, count: usize) -> String {
        (0..count).map(|_| self.random.pick(SENTENCES)).collect::<Vec<_>>().join(" ")
    }

    fn creator(&mut self) {
        let (family, given) = self.name();
        let digits = orcid_digits(&mut self.random);
        let institute = self.random.pick(INSTITUTES);
        self.within("creator", |build| {
            build.text("creatorName", " nameType=\"Personal\"", &format!("{family}, {given}"));
            build.text("givenName", "", &given);
            build.text("familyName", "", family);
            let scheme = " nameIdentifierScheme=\"ORCID\" schemeURI=\"https://orcid.org\"";
            build.text("nameIdentifier", scheme, &format!("https://orcid.org/{digits}"));
            build.text("affiliation", "", institute);
        });
    }
}
