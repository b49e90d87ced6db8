//! An examination of an endpoint: what of the protocol it keeps, and what a harvester will suffer.
//!
//! Each check asks one thing and gives one finding. The protocol's sections are those of
//! <https://www.openarchives.org/OAI/openarchivesprotocol.html>.

use super::client::{Client, Reply};
use super::window::text;
use crate::oai::page::{Catalog, Deletions, Page, PageRecord, Repository};
use crate::record::{Datestamp, Granularity};
use crate::xml::Options;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// As the protocol says.
    Good,
    /// Allowed, and troublesome.
    Awkward,
    /// Against the protocol.
    Wrong,
}

impl Grade {
    /// The word of reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Grade::Good => "good",
            Grade::Awkward => "awkward",
            Grade::Wrong => "wrong",
        }
    }
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub grade: Grade,
    /// What was looked at.
    pub check: &'static str,
    /// What was found.
    pub message: String,
}

/// Examines the endpoint of `client` with a few dozen requests, none of them repeated.
pub async fn examine(client: &Client, prefix: &str) -> Vec<Finding> {
    let mut doctor = Doctor { client, prefix, findings: Vec::new() };
    let Some(repository) = doctor.identify().await else { return doctor.findings };
    doctor.formats().await;
    doctor.sets().await;
    if let Some((page, reply)) = doctor.first_page().await {
        doctor.page(&page, &reply, &repository);
        doctor.tokens(&page).await;
        if let Some(record) = page.records.iter().find(|record| record.damage.is_none()) {
            doctor.record(record, &repository).await;
        }
    }
    doctor.refusals(&repository).await;
    doctor.findings
}

struct Doctor<'d> {
    client: &'d Client,
    prefix: &'d str,
    findings: Vec<Finding>,
}

impl Doctor<'_> {
    fn find(&mut self, grade: Grade, check: &'static str, message: impl Into<String>) {
        self.findings.push(Finding { grade, check, message: message.into() });
    }

    // Good when it holds, else of the grade that is given.
    fn expect(&mut self, holds: bool, grade: Grade, check: &'static str, message: String) {
        self.find(if holds { Grade::Good } else { grade }, check, message);
    }

    async fn ask(&mut self, check: &'static str, arguments: &[(&str, &str)]) -> Option<Reply> {
        match self.client.ask(arguments).await {
            Ok(reply) => Some(reply),
            Err(fault) => {
                self.find(Grade::Wrong, check, format!("no answer: {}", fault.reason()));
                None
            }
        }
    }

    async fn identify(&mut self) -> Option<Repository> {
        const CHECK: &str = "Identify";
        let reply = self.ask(CHECK, &[("verb", "Identify")]).await?;
        let catalog = match Catalog::read(&reply.body) {
            Ok(catalog) => catalog,
            Err(error) => {
                let message = format!("HTTP {}: {error}", reply.status);
                self.find(Grade::Wrong, CHECK, message);
                return None;
            }
        };
        let Some(repository) = catalog.repository else {
            self.find(Grade::Wrong, CHECK, "the answer holds no Identify");
            return None;
        };
        let kind = reply.content_type.clone().unwrap_or_default();
        let is_xml = kind.trim_start().to_ascii_lowercase().starts_with("text/xml");
        self.expect(is_xml, Grade::Wrong, "Content-Type (§3.1.1.2)", format!("{kind:?}"));
        let has_date = catalog.response_date.is_some();
        let date = if has_date { "is there" } else { "is missing, or no datestamp" };
        self.expect(has_date, Grade::Wrong, "responseDate (§3.2)", date.to_owned());
        for warning in &catalog.warnings {
            self.find(Grade::Wrong, CHECK, format!("{} [{}]", warning.message, warning.code));
        }
        self.identity(&repository);
        Some(repository)
    }

    fn identity(&mut self, repository: &Repository) {
        let asked = self.client.endpoint().url.clone();
        let url = &repository.base_url;
        self.expect(
            *url == asked,
            Grade::Awkward,
            "baseURL (§4.2)",
            format!("{url}, asked {asked}"),
        );
        let version = &repository.protocol_version;
        self.expect(version == "2.0", Grade::Wrong, "protocolVersion (§4.2)", version.clone());
        let emails = repository.admin_emails.join(", ");
        let is_address = repository
            .admin_emails
            .iter()
            .any(|email| email.split_once('@').is_some_and(|(_, host)| host.contains('.')));
        self.expect(is_address, Grade::Wrong, "adminEmail (§4.2)", emails);
        let earliest = repository.earliest_text.clone();
        let now = Datestamp::from(jiff::Timestamp::now());
        let is_past = repository.earliest.is_some_and(|earliest| earliest <= now);
        self.expect(is_past, Grade::Wrong, "earliestDatestamp (§4.2)", earliest);
        let granularity = match repository.granularity {
            Some(granularity) => format!("{granularity:?}").to_lowercase(),
            None => "neither of the two".to_owned(),
        };
        let known = repository.granularity.is_some();
        self.expect(known, Grade::Wrong, "granularity (§3.3.1)", granularity);
        let (grade, message) = match repository.deletions {
            Some(Deletions::Persistent) => (Grade::Good, "persistent"),
            Some(Deletions::Transient) => (Grade::Awkward, "transient: some may be missed"),
            Some(Deletions::No) => (Grade::Awkward, "no: lists must be compared to see them"),
            None => (Grade::Wrong, "none of the three words"),
        };
        self.find(grade, "deletedRecord (§2.5.1)", message);
    }

    async fn formats(&mut self) {
        const CHECK: &str = "ListMetadataFormats (§4.4)";
        let arguments = [("verb", "ListMetadataFormats")];
        let Some(reply) = self.ask(CHECK, &arguments).await else { return };
        match Catalog::read(&reply.body) {
            Ok(catalog) => {
                let prefixes: Vec<&str> =
                    catalog.formats.iter().map(|format| format.prefix.as_str()).collect();
                let has_dc = prefixes.contains(&"oai_dc");
                self.expect(has_dc, Grade::Wrong, CHECK, prefixes.join(", "));
            }
            Err(error) => self.find(Grade::Wrong, CHECK, error.to_string()),
        }
    }

    async fn sets(&mut self) {
        const CHECK: &str = "ListSets (§4.6)";
        let Some(reply) = self.ask(CHECK, &[("verb", "ListSets")]).await else { return };
        match Catalog::read(&reply.body) {
            Ok(catalog) => {
                let message = match catalog.errors.first() {
                    Some(error) => error.code.clone(),
                    None => format!("{} on the first page", catalog.sets.len()),
                };
                let none = catalog.errors.iter().any(|error| error.code == "noSetHierarchy");
                self.expect(none || !catalog.sets.is_empty(), Grade::Wrong, CHECK, message);
            }
            Err(error) => self.find(Grade::Wrong, CHECK, error.to_string()),
        }
    }

    async fn first_page(&mut self) -> Option<(Page, Reply)> {
        const CHECK: &str = "ListRecords (§4.5)";
        let prefix = self.prefix;
        let arguments = [("verb", "ListRecords"), ("metadataPrefix", prefix)];
        let reply = self.ask(CHECK, &arguments).await?;
        match read(&reply) {
            Ok(page) if page.records.is_empty() => {
                let errors: Vec<&str> =
                    page.errors.iter().map(|error| error.code.as_str()).collect();
                let message = format!("no records in {prefix}: {}", errors.join(", "));
                self.find(Grade::Awkward, CHECK, message);
                None
            }
            Ok(page) => Some((page, reply)),
            Err(message) => {
                self.find(Grade::Wrong, CHECK, message);
                None
            }
        }
    }

    fn page(&mut self, page: &Page, reply: &Reply, repository: &Repository) {
        let (count, bytes) = (page.records.len(), reply.body.len());
        let fair = count >= 50 || page.token.is_none();
        self.expect(fair, Grade::Awkward, "page size", format!("{count} records, {bytes} bytes"));
        for warning in page.warnings.iter().chain(&reply.warnings) {
            let message = format!("{} [{}]", warning.message, warning.code);
            self.find(Grade::Wrong, "first page", message);
        }
        let odd = |record: &&PageRecord| record.damage.is_some() || !record.warnings.is_empty();
        let odd: Vec<&PageRecord> = page.records.iter().filter(odd).collect();
        let first = odd.first().map_or("all are well-formed".to_owned(), |record| {
            let message = match (&record.damage, record.warnings.first()) {
                (Some((code, message)), _) => format!("{message} [{code}]"),
                (None, Some(warning)) => format!("{} [{}]", warning.message, warning.code),
                (None, None) => String::new(),
            };
            format!("{} of {count} are not, first {}: {message}", odd.len(), record.identifier)
        });
        self.expect(odd.is_empty(), Grade::Wrong, "records", first);
        let stamps = |record: &&PageRecord| {
            let parsed = Datestamp::parse(&record.datestamp).ok();
            parsed.map(|(_, granularity)| granularity) != repository.granularity
        };
        let wrong: Vec<&PageRecord> = page.records.iter().filter(stamps).collect();
        let message =
            wrong.first().map_or("all in the granularity of Identify".to_owned(), |record| {
                format!("{} of {count} are not, first {:?}", wrong.len(), record.datestamp)
            });
        self.expect(wrong.is_empty(), Grade::Wrong, "datestamps (§3.3.1)", message);
    }

    async fn tokens(&mut self, first: &Page) {
        const CHECK: &str = "resumptionToken (§3.5)";
        let token = first.token.as_ref().map(|token| token.text.as_str()).unwrap_or_default();
        if token.is_empty() {
            let one_page = first.token.is_none();
            let message = "a list of one page".to_owned();
            self.expect(one_page, Grade::Wrong, CHECK, message);
            return;
        }
        let arguments = [("verb", "ListRecords"), ("resumptionToken", token)];
        let Some(reply) = self.ask(CHECK, &arguments).await else { return };
        let second = match read(&reply) {
            Ok(second) => second,
            Err(message) => return self.find(Grade::Wrong, CHECK, message),
        };
        let identifiers = |page: &Page| -> Vec<String> {
            page.records.iter().map(|record| record.identifier.clone()).collect()
        };
        let goes_on = !second.records.is_empty() && identifiers(&second) != identifiers(first);
        let message = format!("{} records on the second page", second.records.len());
        self.expect(goes_on, Grade::Wrong, CHECK, message);
        let Some(reply) = self.ask(CHECK, &arguments).await else { return };
        let again = read(&reply).unwrap_or_default();
        let same = identifiers(&again) == identifiers(&second);
        let message = if same { "gives the same page again" } else { "gives another page again" };
        self.expect(same, Grade::Wrong, "token, repeated (§3.5)", message.to_owned());
        let has_size = first.token.as_ref().is_some_and(|token| token.complete_list_size.is_some());
        let message = if has_size { "is there" } else { "missing: a short list cannot be told" };
        self.expect(has_size, Grade::Awkward, "completeListSize", message.to_owned());
    }

    async fn record(&mut self, record: &PageRecord, repository: &Repository) {
        const CHECK: &str = "GetRecord (§4.1)";
        let (prefix, identifier) = (self.prefix, record.identifier.as_str());
        let arguments =
            [("verb", "GetRecord"), ("identifier", identifier), ("metadataPrefix", prefix)];
        if let Some(reply) = self.ask(CHECK, &arguments).await {
            let page = read(&reply).unwrap_or_default();
            let same = page.records.iter().any(|other| other.identifier == identifier);
            self.expect(same, Grade::Wrong, CHECK, identifier.to_owned());
        }
        let (Ok((stamp, _)), Some(granularity)) =
            (Datestamp::parse(&record.datestamp), repository.granularity)
        else {
            return;
        };
        let stamp = text(stamp, granularity);
        let arguments = [
            ("verb", "ListIdentifiers"),
            ("metadataPrefix", prefix),
            ("from", stamp.as_str()),
            ("until", stamp.as_str()),
        ];
        const SELECTIVE: &str = "from and until (§2.7.1)";
        let Some(reply) = self.ask(SELECTIVE, &arguments).await else { return };
        let page = read(&reply).unwrap_or_default();
        let found = page.records.iter().any(|other| other.identifier == identifier);
        let more = page.token.is_some_and(|token| !token.text.is_empty());
        let message = format!("{} records of {stamp}", page.records.len());
        self.expect(found || more, Grade::Wrong, SELECTIVE, message);
    }

    // Requests that must be refused, with the right code and with HTTP 200 (§3.6).
    async fn refusals(&mut self, repository: &Repository) {
        let prefix = self.prefix;
        let list = |more: &[(&'static str, &'static str)]| {
            let mut arguments = vec![("verb", "ListRecords"), ("metadataPrefix", prefix)];
            arguments.extend_from_slice(more);
            arguments
        };
        let mut requests = vec![
            ("no verb (§3.6)", Vec::new(), "badVerb"),
            ("an unknown verb (§3.6)", vec![("verb", "ListHay")], "badVerb"),
            ("no metadataPrefix (§3.6)", vec![("verb", "ListRecords")], "badArgument"),
            ("an unknown argument (§3.6)", list(&[("hay", "1")]), "badArgument"),
            ("a date that is none (§3.6)", list(&[("from", "junk")]), "badArgument"),
            (
                "an unknown format (§3.6)",
                vec![("verb", "ListRecords"), ("metadataPrefix", "windrow_unknown")],
                "cannotDisseminateFormat",
            ),
            (
                "an unknown item (§3.6)",
                vec![
                    ("verb", "GetRecord"),
                    ("identifier", "oai:windrow.invalid:0"),
                    ("metadataPrefix", prefix),
                ],
                "idDoesNotExist",
            ),
            (
                "a foreign token (§3.5)",
                vec![("verb", "ListRecords"), ("resumptionToken", "windrow-junk")],
                "badResumptionToken",
            ),
        ];
        if repository.granularity == Some(Granularity::Second) {
            let mixed = list(&[("from", "2001-01-01"), ("until", "2002-01-01T00:00:00Z")]);
            requests.push(("two granularities (§3.3.1)", mixed, "badArgument"));
        }
        for (check, arguments, code) in requests {
            let Some(reply) = self.ask(check, &arguments).await else { continue };
            let page = read(&reply).unwrap_or_default();
            let has_code = page.errors.iter().any(|error| error.code == code);
            let codes: Vec<&str> = page.errors.iter().map(|error| error.code.as_str()).collect();
            let codes = if codes.is_empty() { "no error".to_owned() } else { codes.join(", ") };
            let message = format!("{codes} with HTTP {}, expected {code}", reply.status);
            self.expect(has_code && reply.status == 200, Grade::Wrong, check, message);
        }
    }
}

fn read(reply: &Reply) -> Result<Page, String> {
    let page = Page::read(&reply.body, None, Options { repair: true });
    let page = page.map_err(|error| format!("HTTP {}: {error}", reply.status))?;
    match &page.cut_short {
        None => Ok(page),
        Some(reason) => Err(reason.clone()),
    }
}
