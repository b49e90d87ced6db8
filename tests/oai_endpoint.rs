//! The OAI-PMH endpoint, over a real loopback socket, as a harvester sees it.

#![cfg(test)]

pub mod client;
mod memory_store;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use client::{Client, all, codes, pieces, token};
use jiff::Timestamp;
use memory_store::MemoryStore;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use windrow::record::Clock;
use windrow::serializers::Serializer;
use windrow::server::{ServerConfig, ServerState, serve};
use windrow::store::{Item, ItemContent, Store};
use windrow::xml::writer::Writer;

/// A server on a free port; it ends with the value.
pub struct Endpoint {
    address: String,
    /// Where it runs, for what works on its store.
    pub runtime: Runtime,
}

impl Endpoint {
    fn new(store: Arc<dyn Store>, page_size: u32) -> Endpoint {
        let clock = Clock::Fixed(Timestamp::from_second(1_600_000_000).unwrap());
        Endpoint::start(Endpoint::runtime(), store, page_size, clock)
    }

    /// Over a store that the runtime has opened.
    pub fn start(
        runtime: Runtime,
        store: Arc<dyn Store>,
        page_size: u32,
        clock: Clock,
    ) -> Endpoint {
        let state = ServerState {
            store,
            serializers: Arc::new(serializers()),
            config: ServerConfig {
                repository_name: "Test & \"more\"".to_owned(),
                base_url: "http://localhost/oai".to_owned(),
                repository_identifier: "example.org".to_owned(),
                admin_emails: vec!["admin@example.org".to_owned()],
                page_size,
                ..ServerConfig::default()
            },
            clock,
            token_keys: vec![[7; 32]],
            lost_lines: Arc::default(),
        };
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        runtime.spawn(serve(listener, state, std::future::pending()));
        Endpoint { address, runtime }
    }

    pub fn runtime() -> Runtime {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().unwrap()
    }

    fn with_items(count: u32, page_size: u32) -> Endpoint {
        Endpoint::new(Arc::new(MemoryStore::with_items(count)), page_size)
    }

    pub fn client(&self) -> Client {
        Client::new(&self.address)
    }
}

/// Titles that hold "broken" cannot be written as oai_dc.
fn serializers() -> Vec<Serializer> {
    let oai_dc = Serializer::new(
        "oai_dc",
        "http://www.openarchives.org/OAI/2.0/oai_dc/",
        "http://www.openarchives.org/OAI/2.0/oai_dc.xsd",
        ItemContent::Json,
        write_oai_dc,
    );
    let marc21 = Serializer::new(
        "marc21",
        "http://www.loc.gov/MARC21/slim",
        "http://www.loc.gov/standards/marcxml/schema/MARC21slim.xsd",
        ItemContent::Source,
        write_marc21,
    );
    vec![oai_dc, marc21]
}

fn write_oai_dc(item: &Item) -> Result<String, String> {
    let json = item.json.as_deref().unwrap_or_default();
    let json: serde_json::Value = serde_json::from_slice(json).map_err(|e| e.to_string())?;
    let title = json.get("title").and_then(|title| title.as_str()).unwrap_or_default();
    if title.contains("broken") {
        return Err("title is broken".to_owned());
    }
    let mut writer = Writer::fragment();
    let attributes = [
        ("xmlns:oai_dc", "http://www.openarchives.org/OAI/2.0/oai_dc/"),
        ("xmlns:dc", "http://purl.org/dc/elements/1.1/"),
    ];
    writer.open("oai_dc:dc", &attributes);
    writer.leaf("dc:title", &[], title);
    Ok(writer.finish())
}

fn write_marc21(item: &Item) -> Result<String, String> {
    let source = item.source.as_ref().ok_or("no source")?;
    let mut writer = Writer::fragment();
    writer.open("record", &[("xmlns", "http://www.loc.gov/MARC21/slim")]);
    writer.leaf("leader", &[], "00000nam a2200000 a 4500");
    writer.leaf("controlfield", &[("tag", "001")], &String::from_utf8_lossy(&source.bytes));
    Ok(writer.finish())
}

// --- what must hold of any endpoint with some thousand items at most, oai_dc and example.org ---

/// Every request of fixtures/oai/bad_requests.tsv gets its errors, by GET and by POST.
pub fn check_bad_requests(client: &mut Client) {
    let cases = include_str!("../fixtures/oai/bad_requests.tsv");
    for case in cases.lines().filter(|line| !line.starts_with('#')) {
        let (query, expected) = case.split_once('\t').unwrap();
        let answer = client.get(query);
        assert_eq!(codes(&answer).join(" "), expected, "{query}");
        assert_eq!(client.post(query), answer, "{query}");
        let is_wrong = expected.contains("badVerb") || expected.contains("badArgument");
        assert_eq!(answer.contains("<request>"), is_wrong, "{query}");
    }
}

/// As [`check_lists`] of a format that every record has: every page says how long the list is.
pub fn check_whole_lists(client: &mut Client, query: &str) -> Vec<String> {
    let records = check_lists(client, query);
    let first = client.get(&format!("verb=ListRecords&{query}"));
    let size = format!("completeListSize=\"{}\"", records.len());
    assert_eq!(first.contains(&size), first.contains("<resumptionToken"), "{query}");
    records
}

/// The two lists hold the same headers, once each, and no page is without its token's rules.
pub fn check_lists(client: &mut Client, query: &str) -> Vec<String> {
    let pages = client.pages("ListRecords", query);
    let mut records = Vec::new();
    let last = pages.len() - 1;
    for (number, page) in pages.iter().enumerate() {
        let has_token_element = page.contains("<resumptionToken ");
        assert_eq!(has_token_element, last > 0, "page {number} of {query}");
        if has_token_element {
            let cursor = format!("cursor=\"{}\"", records.len());
            assert!(page.contains(&cursor), "page {number} of {query} has another {cursor}");
        }
        for record in pieces(page, "record").iter().filter(|record| record.contains("<header")) {
            assert_ne!(record.contains("status=\"deleted\""), record.contains("<metadata>"));
            records.extend(all(record, "identifier"));
        }
    }
    if last > 0 {
        let size = format!("completeListSize=\"{}\"", records.len());
        let is_right = |page: &String| page.contains(&size) || !page.contains("completeListSize");
        assert!(pages.iter().all(is_right), "{query} is no list of {size}");
    }
    assert_eq!(client.identifiers("ListIdentifiers", query), records, "{query}");
    let unique: BTreeSet<&String> = records.iter().collect();
    assert_eq!(unique.len(), records.len(), "{query} has doubles");
    records
}

/// A set's list has the items of the sets below it; headers name the sets.
pub fn check_sets(client: &mut Client) {
    let specs = all(&client.get("verb=ListSets"), "setSpec");
    for spec in &specs {
        let pages = client.pages("ListIdentifiers", &format!("metadataPrefix=oai_dc&set={spec}"));
        for page in &pages {
            for header in pieces(page, "header") {
                let below = format!("{spec}:");
                let is_in = |of: &String| of == spec || of.starts_with(&below);
                assert!(all(header, "setSpec").iter().any(is_in), "{header} is not in {spec}");
            }
        }
    }
}

/// Every record is found by its own datestamp, to the second and to the day, bounds included.
pub fn check_dates(client: &mut Client) {
    let page = client.get("verb=ListIdentifiers&metadataPrefix=oai_dc");
    let headers = pieces(&page, "header");
    let header = headers.first().unwrap();
    let identifier = &all(header, "identifier")[0];
    let second = all(header, "datestamp").remove(0);
    let day = second.split_once('T').unwrap().0;
    for stamp in [second.as_str(), day] {
        let query = format!("metadataPrefix=oai_dc&from={stamp}&until={stamp}");
        assert!(client.identifiers("ListIdentifiers", &query).contains(identifier), "{query}");
    }
}

/// A token gives the same page again, leads on for its own verb only, and cannot be changed.
pub fn check_tokens(client: &mut Client) {
    let first = client.get("verb=ListRecords&metadataPrefix=oai_dc");
    let token = token(&first).expect("a list of more than one page");
    let query = format!("verb=ListRecords&resumptionToken={token}");
    let second = client.get(&query);
    assert_eq!(codes(&second), [""; 0]);
    assert_eq!(client.get(&query), second);
    assert_eq!(client.post(&query), second);
    let other = client.get(&format!("verb=ListIdentifiers&resumptionToken={token}"));
    assert_eq!(codes(&other), ["badResumptionToken"]);
    let chars: Vec<char> = token.chars().collect();
    for at in (0..chars.len()).step_by(9) {
        let mut changed = chars.clone();
        changed[at] = if changed[at] == 'A' { 'B' } else { 'A' };
        let changed: String = changed.into_iter().collect();
        let answer = client.get(&format!("verb=ListRecords&resumptionToken={changed}"));
        assert_eq!(codes(&answer), ["badResumptionToken"], "{changed}");
    }
}

// --- the same over the store in memory, and what only it can show -----------------------------

#[test]
fn every_bad_request_gets_all_its_errors_by_get_and_by_post() {
    check_bad_requests(&mut Endpoint::with_items(250, 100).client());
}

#[test]
fn pages_of_every_size_make_one_list() {
    let store = Arc::new(MemoryStore::with_items(250));
    let listed = |keep: &dyn Fn(&Item) -> bool| -> Vec<String> {
        let kept = store.items.iter().filter(|item| keep(item));
        kept.map(|item| windrow::oai::oai_identifier("example.org", &item.header.pid_value))
            .map(|identifier| identifier.replace('&', "&amp;"))
            .collect()
    };
    let everything = listed(&|_| true);
    let with_source = listed(&|item| item.header.deleted || item.source.is_some());
    let in_a = listed(&|item| item.header.set_specs.iter().any(|s| s.as_str().starts_with('a')));
    for page_size in [1, 2, 3, 4, 5, 6, 7, 249, 250, 251] {
        let endpoint = Endpoint::new(store.clone(), page_size);
        let mut client = endpoint.client();
        assert_eq!(check_whole_lists(&mut client, "metadataPrefix=oai_dc"), everything);
        assert_eq!(check_lists(&mut client, "metadataPrefix=marc21"), with_source);
        assert_eq!(check_whole_lists(&mut client, "metadataPrefix=oai_dc&set=a"), in_a);
    }
}

#[test]
fn sets_dates_and_tokens_keep_their_promises() {
    let endpoint = Endpoint::with_items(250, 30);
    let mut client = endpoint.client();
    check_sets(&mut client);
    check_dates(&mut client);
    check_tokens(&mut client);
}

#[test]
fn days_and_seconds_select_with_both_bounds_included() {
    let endpoint = Endpoint::with_items(250, 1000);
    let mut client = endpoint.client();
    let mut count = |dates: &str| {
        client.identifiers("ListIdentifiers", &format!("metadataPrefix=oai_dc&{dates}")).len()
    };
    // Ten items every six hours.
    assert_eq!(count("until=2020-01-01"), 40);
    assert_eq!(count("from=2020-01-02&until=2020-01-03"), 80);
    assert_eq!(count("from=2020-01-01T06:00:00Z&until=2020-01-01T12:00:00Z"), 20);
    assert_eq!(count("from=2020-01-01T06:00:01Z&until=2020-01-01T12:00:00Z"), 10);
    assert_eq!(count("from=1970-01-01"), 250);
    assert_eq!(count("from=2020-01-01T06:00:01Z&until=2020-01-01T11:59:59Z"), 0);
}

#[test]
fn the_repository_describes_itself() {
    let endpoint = Endpoint::with_items(250, 100);
    let mut client = endpoint.client();
    let identify = client.get("verb=Identify");
    assert_eq!(client.post("verb=Identify"), identify);
    assert_eq!(all(&identify, "earliestDatestamp"), ["2020-01-01T00:00:00Z"]);
    assert_eq!(all(&identify, "responseDate"), ["2020-09-13T12:26:40Z"]);
    assert_eq!(all(&identify, "repositoryIdentifier"), ["example.org"]);
    assert_eq!(all(&identify, "deletedRecord"), ["persistent"]);
    assert_eq!(all(&client.get("verb=ListSets"), "setSpec"), ["a", "a:b", "c"]);
}

#[test]
fn an_item_has_the_formats_it_can_be_written_in() {
    let endpoint = Endpoint::with_items(250, 100);
    let mut client = endpoint.client();
    let mut formats = |identifier: &str| {
        let query = format!("verb=ListMetadataFormats{identifier}");
        all(&client.get(&query), "metadataPrefix")
    };
    assert_eq!(formats(""), ["oai_dc", "marc21"]);
    assert_eq!(formats("&identifier=oai:example.org:2"), ["oai_dc", "marc21"]);
    assert_eq!(formats("&identifier=oai:example.org:1"), ["oai_dc"]);
    assert_eq!(formats("&identifier=oai:example.org:13"), ["oai_dc", "marc21"]);
    let query = "verb=GetRecord&metadataPrefix=marc21&identifier=oai:example.org:";
    assert_eq!(codes(&client.get(&format!("{query}1"))), ["cannotDisseminateFormat"]);
    assert!(client.get(&format!("{query}2")).contains("<leader>"));
}

#[test]
fn a_deleted_record_is_a_header_with_a_status() {
    let endpoint = Endpoint::with_items(250, 100);
    let mut client = endpoint.client();
    for prefix in ["oai_dc", "marc21"] {
        let query = format!("verb=GetRecord&metadataPrefix={prefix}&identifier=oai:example.org:13");
        let answer = client.get(&query);
        assert!(answer.contains("<header status=\"deleted\">"), "{answer}");
        assert!(!answer.contains("<metadata>"), "{answer}");
    }
}

#[test]
fn an_odd_identifier_leads_to_its_record() {
    let endpoint = Endpoint::with_items(250, 100);
    let mut client = endpoint.client();
    for (encoded, title) in [("8%2520eight/%25C3%25A9", "Title 8 &amp;"), ("9%26nine", "Title 9 ")]
    {
        let query = "verb=GetRecord&metadataPrefix=oai_dc&identifier=oai:example.org:";
        let answer = client.get(&format!("{query}{encoded}"));
        assert!(answer.contains(title), "{answer}");
    }
}

#[test]
fn an_empty_repository_answers_in_the_protocol() {
    let endpoint = Endpoint::new(Arc::new(MemoryStore::default()), 100);
    let mut client = endpoint.client();
    let identify = client.get("verb=Identify");
    assert_eq!(all(&identify, "earliestDatestamp"), ["2020-09-13T12:26:40Z"]);
    let list = "verb=ListRecords&metadataPrefix=oai_dc";
    assert_eq!(codes(&client.get(list)), ["noRecordsMatch"]);
    assert_eq!(codes(&client.get(&format!("{list}&set=a"))), ["noSetHierarchy"]);
    assert_eq!(codes(&client.get("verb=ListSets")), ["noSetHierarchy"]);
}

#[test]
fn a_token_whose_list_has_since_ended_ends_the_harvest() {
    let first =
        Endpoint::with_items(250, 100).client().get("verb=ListRecords&metadataPrefix=oai_dc");
    let query = format!("verb=ListRecords&resumptionToken={}", token(&first).unwrap());
    let answer = Endpoint::with_items(20, 100).client().get(&query);
    assert_eq!(codes(&answer), ["noRecordsMatch"]);
}

#[test]
fn a_record_that_cannot_be_written_hides_no_other_and_is_told_of() {
    let mut store = MemoryStore::with_items(50);
    for item in &mut store.items {
        // All of the first pages, and one later on.
        let number: u32 = item.header.pid_value.parse().unwrap_or(8);
        if !item.header.deleted && (number < 10 || number == 21) {
            item.json = Some(br#"{"title":"broken"}"#.to_vec());
        }
    }
    for item in store.items.iter_mut().take(10) {
        item.header.deleted = false;
        item.json = Some(br#"{"title":"broken"}"#.to_vec());
    }
    let endpoint = Endpoint::new(Arc::new(store), 4);
    let mut client = endpoint.client();
    let ok = client.send("GET /health HTTP/1.1", "", "");
    assert_eq!((ok.status, ok.body.as_str()), (200, r#"{"status":"ok"}"#));

    let pages = client.pages("ListRecords", "metadataPrefix=oai_dc");
    let records: usize = pages.iter().map(|page| all(page, "identifier").len()).sum();
    assert_eq!(records, 39);
    let told: usize = pages.iter().map(|page| page.matches("is left out").count()).sum();
    assert_eq!(told, 11);
    assert!(pages.iter().any(|page| page.contains("<!-- oai:example.org:21 is left out")));
    assert!(pages.iter().all(|page| page.contains("completeListSize=\"50\"")));
    let listed = client.identifiers("ListIdentifiers", "metadataPrefix=oai_dc");
    assert_eq!(listed.len(), 50);
    let query = "verb=GetRecord&metadataPrefix=oai_dc&identifier=oai:example.org:21";
    assert_eq!(codes(&client.get(query)), ["cannotDisseminateFormat"]);
    let health = client.send("GET /health HTTP/1.1", "", "");
    assert_eq!(health.status, 200);
    assert_eq!(health.body, r#"{"status":"degraded","left_out":12}"#);
}

#[test]
fn a_store_that_fails_is_a_503_that_keeps_its_reason() {
    let store = Arc::new(MemoryStore::with_items(10));
    store.is_down.store(true, Ordering::Relaxed);
    let endpoint = Endpoint::new(store, 100);
    let client = endpoint.client();
    for path in ["/oai?verb=ListRecords&metadataPrefix=oai_dc", "/oai?verb=Identify", "/health"] {
        let reply = client.send(&format!("GET {path} HTTP/1.1"), "", "");
        assert_eq!(reply.status, 503);
        assert!(reply.head.contains("retry-after: 60"), "{}", reply.head);
        assert!(!reply.body.contains("secret"), "{}", reply.body);
    }
}

#[test]
fn a_page_that_fails_halfway_breaks_off() {
    // A page of 1000 is read in chunks of 100.
    let store = MemoryStore { fails_at: 3, ..MemoryStore::with_items(1000) };
    let endpoint = Endpoint::new(Arc::new(store), 1000);
    let mut stream = std::net::TcpStream::connect(&endpoint.address).unwrap();
    let request = "GET /oai?verb=ListRecords&metadataPrefix=oai_dc HTTP/1.1\r\nHost: a\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(answer.matches("<record>").count(), 200);
    assert!(!answer.contains("</ListRecords>") && !answer.contains("secret"));
    // Without its last chunk no client takes it for whole.
    assert!(!answer.ends_with("\r\n0\r\n\r\n"));
    assert_eq!(endpoint.client().pages("ListRecords", "metadataPrefix=oai_dc").len(), 1);
}

#[test]
fn a_form_is_taken_only_as_a_form_of_bounded_size() {
    let endpoint = Endpoint::with_items(10, 100);
    let client = endpoint.client();
    let post = |headers: &str, body: &str| client.send("POST /oai HTTP/1.1", headers, body);
    let json = post("Content-Type: application/json\r\n", "verb=Identify");
    assert_eq!(json.status, 415);
    let bare = post("", "verb=Identify");
    assert_eq!(bare.status, 200);
    let flood = post("", &"a".repeat(64 * 1024 + 1));
    assert_eq!(flood.status, 413);
    let parameters = post("", &"a=1&".repeat(16 * 1024));
    assert_eq!(codes(&parameters.body), ["badArgument"]);
}

#[test]
fn no_argument_can_make_an_answer_invalid() {
    let endpoint = Endpoint::with_items(30, 10);
    let mut client = endpoint.client();
    let values = [
        "",
        "%00",
        "%22",
        "%3C%26",
        "%0A%0D%09",
        "%F0%9F%98%80",
        "%FF",
        "%ED%A0%80",
        "%EF%BF%BF",
        "a://b:x",
        "a://b@c@d",
        "a://:",
        "a://:80",
        "a://b:",
        "a://@",
        "a://u@",
        "a://u:p@b",
        "a://b:99999999999",
        "a:///",
        "a://b:80/c",
        "x:%5B",
        "1:",
        "oai:%25zz",
        "oai:example.org:%2500",
        "urn:a%23b%23c",
        "a+b",
        "a//b",
        "urn:%25",
        "//",
        "2020-01-01",
        "2020-01-01T00:00:60Z",
        "9999-12-31",
        "-001-01-01",
        "a:b:c",
        "~!*'()",
        "%C3%A9",
        "--%3E",
        "%5D%5D%3E",
    ];
    let requests = [
        "verb=GetRecord&metadataPrefix=oai_dc&identifier=",
        "verb=GetRecord&identifier=oai:example.org:1&metadataPrefix=",
        "verb=ListMetadataFormats&identifier=",
        "verb=ListIdentifiers&metadataPrefix=oai_dc&set=",
        "verb=ListIdentifiers&metadataPrefix=oai_dc&from=",
        "verb=ListIdentifiers&metadataPrefix=oai_dc&until=",
        "verb=ListIdentifiers&metadataPrefix=",
        "verb=ListRecords&resumptionToken=",
        "verb=Identify&x=",
        "verb=",
    ];
    for request in requests {
        for value in values {
            // The client checks every answer against the schema at its end.
            client.get(&format!("{request}{value}"));
        }
    }
}
