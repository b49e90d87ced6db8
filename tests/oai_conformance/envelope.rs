//! Requests one by one, and what is around every answer: P1 to P9, P23, P29.

use std::collections::BTreeMap;
use std::io::Read;

use crate::oai_endpoint::client::{Client, all, codes, token};

use super::http;
use super::site::{Site, attribute};

const BASE: &str = "http://www.openarchives.org/OAI/2.0/";

/// Each row of the table by GET and by POST: the answer, and the arguments that `request` repeats.
pub fn requests(site: &Site) {
    let mut client = site.client();
    let first = client.get("verb=ListRecords&metadataPrefix=oai_dc");
    let live = site.first(false);
    let (deleted, second) = (&site.first(true).identifier, &live.datestamp);
    let (year, rest) = second.split_once('-').unwrap();
    let year_before = format!("{}-{rest}", year.parse::<u32>().unwrap() - 1);
    let encoded: String = live.identifier.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let token = token(&first).unwrap();
    let values = [
        ("{live}", live.identifier.as_str()),
        ("{LIVE}", &encoded),
        ("{deleted}", deleted),
        ("{none}", "oai:example.org:none"),
        ("{second}", second),
        ("{day}", second.split_once('T').unwrap().0),
        ("{year before}", &year_before),
        ("{set}", "hay"),
        ("{token}", &token),
    ];
    let mut wrong = Vec::new();
    let table = include_str!("../../fixtures/oai/conformance.tsv");
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('\t').collect();
        let [rule, request, expected] = cells[..] else { panic!("three cells: {line}") };
        let filled = |text: String, (name, value): &(&str, &str)| text.replace(name, value);
        let query = values.iter().fold(request.to_owned(), filled);
        assert!(!query.contains('{'), "{request}");
        if let Err(found) = ask(site, &mut client, &query, expected) {
            wrong.push(format!("{rule} {request}: {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn ask(site: &Site, client: &mut Client, query: &str, expected: &str) -> Result<(), String> {
    let answer = client.get(query);
    if client.post(query) != answer {
        return Err("POST gives another answer".to_owned());
    }
    let mut found = codes(&answer);
    let mut wanted: Vec<&str> = expected.split(' ').collect();
    let is_element = expected.starts_with(|c: char| c.is_ascii_uppercase());
    if is_element && answer.contains(&format!("<{expected}>")) {
        wanted.clear();
    }
    found.sort_unstable();
    wanted.sort_unstable();
    if found != wanted {
        return Err(format!("expected {expected}, found {found:?}"));
    }
    if answer.contains("\"></error>") || answer.contains("\"/></error>") {
        return Err("an error says nothing".to_owned());
    }
    // P9: the base URL, and the arguments exactly, but none when verb or arguments were wrong.
    let is_wrong = wanted.iter().any(|code| ["badVerb", "badArgument"].contains(code));
    let (attributes, url) = request_element(&answer);
    let given: BTreeMap<String, String> = match is_wrong {
        true => BTreeMap::new(),
        false => form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
    };
    if url != format!("http://{}/oai", site.server.address) || attributes != given {
        return Err(format!("expected the arguments {given:?}, found {attributes:?} of {url}"));
    }
    Ok(())
}

/// The attributes of `request`, and what stands in it.
fn request_element(answer: &str) -> (BTreeMap<String, String>, String) {
    let (_, rest) = answer.split_once("<request").unwrap();
    let (head, rest) = rest.split_once('>').unwrap();
    let (url, _) = rest.split_once("</request>").unwrap();
    let mut attributes = BTreeMap::new();
    let mut pieces = head.split('"');
    while let (Some(name), Some(value)) = (pieces.next(), pieces.next()) {
        let name = name.trim().trim_end_matches('=').to_owned();
        assert!(attributes.insert(name, unescaped(value)).is_none(), "{head}");
    }
    (attributes, url.to_owned())
}

fn unescaped(text: &str) -> String {
    let entities =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    entities
        .iter()
        .fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

/// Requests of every kind.
const KINDS: [&str; 8] = [
    "verb=Identify",
    "verb=ListSets",
    "verb=ListMetadataFormats",
    "verb=ListIdentifiers&metadataPrefix=oai_dc",
    "verb=ListRecords&metadataPrefix=oai_dc",
    "verb=ListRecords&metadataPrefix=marc21",
    "verb=GetRecord&metadataPrefix=oai_dc&identifier=oai:example.org:hay1",
    "verb=junk",
];

pub fn text(site: &Site) {
    for query in KINDS {
        let reply = http::get(&site.server.address, query, "");
        assert_eq!(reply.field("content-type"), Some("text/xml; charset=utf-8"), "{query}");
        let text = reply.text();
        assert!(!text.contains("<!DOCTYPE") && !text.contains("<![CDATA["), "{query}");
        for rest in text.split('&').skip(1) {
            let entity = rest.split_once(';').map_or("", |(name, _)| name);
            let known = ["amp", "lt", "gt", "quot", "apos"].contains(&entity);
            assert!(known || entity.starts_with('#'), "{query}: &{entity};");
        }
        assert!(reply.field("content-length").is_none_or(|n| n == reply.body.len().to_string()));
    }
}

pub fn flow_control(site: &Site) {
    for query in KINDS {
        let reply = http::get(&site.server.address, query, "");
        assert_eq!(reply.status, 200, "{query}");
        let head = http::exchange(
            &site.server.address,
            format!("GET /oai?{query} HTTP/1.0\r\n\r\n").as_bytes(),
        );
        assert_eq!(head.unwrap().body, reply.body, "{query} by HTTP/1.0");
    }
}

pub fn compression(site: &Site) {
    let address = &site.server.address;
    let list = "verb=ListRecords&metadataPrefix=oai_dc";
    let plain = http::get(address, list, "");
    assert_eq!(plain.field("content-encoding"), None);
    let listed = all(&site.client().get("verb=Identify"), "compression");
    assert!(!listed.contains(&"identity".to_owned()), "{listed:?}");
    for encoding in ["gzip", "zstd", "br", "deflate", "compress"] {
        let field = |value: &str| format!("Accept-Encoding: {value}\r\n");
        let reply = http::get(address, list, &field(encoding));
        let used = reply.field("content-encoding").map(str::to_owned);
        let is_listed = listed.contains(&encoding.to_owned());
        assert_eq!(used.as_deref(), is_listed.then_some(encoding), "Identify lists {listed:?}");
        let unpacked = match encoding {
            "gzip" if is_listed => {
                let mut bytes = Vec::new();
                flate2::read::GzDecoder::new(&reply.body[..]).read_to_end(&mut bytes).unwrap();
                bytes
            }
            "zstd" if is_listed => zstd::decode_all(&reply.body[..]).unwrap(),
            _ if is_listed => plain.body.clone(),
            _ => reply.body.clone(),
        };
        assert!(unpacked == plain.body, "{encoding} gives other bytes");
        if is_listed {
            assert!(reply.body.len() * 2 < plain.body.len(), "{encoding}");
            assert!(reply.field("vary").is_some_and(|vary| vary.contains("accept-encoding")));
        }
        let refused = http::get(address, list, &field(&format!("{encoding};q=0, identity")));
        assert_eq!(refused.field("content-encoding"), None, "{encoding} was refused");
    }
}

pub fn root(site: &Site) {
    let mut client = site.client();
    for query in KINDS {
        let answer = client.get(query);
        let body = answer.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
        let body = body.unwrap_or_else(|| panic!("{answer}")).trim_start();
        assert!(body.starts_with("<OAI-PMH "), "{query}");
        assert_eq!(attribute(body, "OAI-PMH", "xmlns").as_deref(), Some(BASE), "{query}");
        let location = attribute(body, "OAI-PMH", "xsi:schemaLocation").unwrap();
        let mut pair = location.split_whitespace();
        let schema = format!("{BASE}OAI-PMH.xsd");
        assert_eq!((pair.next(), pair.next()), (Some(BASE), Some(schema.as_str())), "{query}");
    }
}

pub fn response_date(site: &Site) {
    let mut client = site.client();
    for query in KINDS {
        let dates = all(&client.get(query), "responseDate");
        let [date] = &dates[..] else { panic!("{dates:?}") };
        let form: String = date.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
        assert_eq!(form, "9999-99-99T99:99:99Z", "{query}");
        // The server's clock stands still at this second.
        assert!(date.as_str() <= "2023-11-14T22:13:20Z", "{query}: {date}");
        assert!(site.headers.iter().all(|header| header.datestamp <= *date), "{query}: {date}");
    }
}

pub fn identify(site: &Site) {
    let answer = site.client().get("verb=Identify");
    let base_url = format!("http://{}/oai", site.server.address);
    let once = ["repositoryName", "baseURL", "protocolVersion", "earliestDatestamp"];
    for name in once.into_iter().chain(["deletedRecord", "granularity"]) {
        assert_eq!(all(&answer, name).len(), 1, "{name}");
    }
    assert_eq!(all(&answer, "baseURL"), [base_url]);
    assert_eq!(all(&answer, "protocolVersion"), ["2.0"]);
    assert_eq!(all(&answer, "adminEmail"), ["admin@example.org"]);
    assert_eq!(all(&answer, "deletedRecord"), ["persistent"]);
    assert!(answer.matches("<oai-identifier").count() <= 1);
}
