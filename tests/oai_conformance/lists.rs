//! Lists and their tokens: P24 to P28.

use std::collections::{BTreeMap, BTreeSet};

use crate::endpoint_on_stores::Server;
use crate::oai_endpoint::client::{Client, all, codes, token};

use super::site::{Header, NOW, PAGE_SIZE, Site, attribute, headers_of, record, records};

const LISTS: [(&str, &str); 4] = [
    ("ListIdentifiers", "metadataPrefix=oai_dc"),
    ("ListRecords", "metadataPrefix=oai_dc"),
    ("ListRecords", "metadataPrefix=marc21"),
    ("ListRecords", "metadataPrefix=oai_dc&set=hay"),
];

pub fn ends(site: &Site) {
    let total = site.headers.len() as u32;
    // More pages, two of them, and the whole list on one, to the record.
    for page_size in [PAGE_SIZE, total - 1, total, total + 1] {
        let server = Server::start(&site.folder, page_size);
        let mut client = Client::new(&server.address);
        for verb in ["ListIdentifiers", "ListRecords"] {
            let pages = client.pages(verb, "metadataPrefix=oai_dc");
            assert_eq!(pages.len() as u32, total.div_ceil(page_size), "{verb} by {page_size}");
            let last = pages.len() - 1;
            for (number, page) in pages.iter().enumerate() {
                let elements = page.matches("<resumptionToken").count();
                assert_eq!(elements, usize::from(last > 0), "page {number} of {last}");
                let leads_on = token(page).is_some_and(|token| !token.is_empty());
                assert_eq!(leads_on, number < last, "page {number} of {last}");
                let given = headers_of(page).len() as u32;
                assert!(given == page_size || (number == last && given > 0), "page {number}");
            }
        }
    }
}

pub fn attributes(site: &Site) {
    let mut client = site.client();
    for (verb, query) in LISTS {
        let pages = client.pages(verb, query);
        let total: usize = pages.iter().map(|page| headers_of(page).len()).sum();
        assert!(pages.len() > 1 || total <= PAGE_SIZE as usize);
        let mut given = 0;
        for page in pages.iter().filter(|page| page.contains("<resumptionToken")) {
            let of = |name: &str| attribute(page, "resumptionToken", name);
            assert!(of("cursor").is_none_or(|cursor| cursor == given.to_string()), "{query}");
            let size = of("completeListSize");
            assert!(size.is_none_or(|size| size == total.to_string()), "{verb} {query}");
            let expires = of("expirationDate");
            assert!(expires.is_none_or(|date| date > all(page, "responseDate")[0]), "{query}");
            given += headers_of(page).len();
        }
    }
}

pub fn again(site: &Site) {
    let mut client = site.client();
    for (verb, query) in LISTS {
        let pages = client.pages(verb, query);
        for (number, page) in pages.iter().enumerate() {
            let Some(token) = token(page).filter(|token| !token.is_empty()) else { continue };
            let request = format!("verb={verb}&resumptionToken={token}");
            for _ in 0..2 {
                assert_eq!(client.get(&request), pages[number + 1], "behind page {number}");
            }
            assert_eq!(client.post(&request), pages[number + 1], "behind page {number}");
        }
    }
}

pub fn nothing(site: &Site) {
    let mut client = Client::new(&site.empty.address);
    for verb in ["ListIdentifiers", "ListRecords"] {
        let answer = client.get(&format!("verb={verb}&metadataPrefix=oai_dc"));
        assert_eq!(codes(&answer), ["noRecordsMatch"], "{verb}");
    }
    let identify = client.get("verb=Identify");
    assert_eq!(all(&identify, "earliestDatestamp").len(), 1);
    assert!(
        all(&client.get("verb=ListMetadataFormats"), "metadataPrefix").contains(&"oai_dc".into())
    );
}

/// What a token led to has all got newer than the list's end.
pub fn token_to_nowhere(site: &Site) {
    let folder = (site.another_folder)();
    let lines: String = (0..30).map(|n| record(&format!("row{n}"), "Row", "hay")).collect();
    records(&folder, "1600000000", &["create"], &lines);
    let server = Server::start(&folder, 10);
    let mut client = Client::new(&server.address);
    let first = client.get("verb=ListRecords&metadataPrefix=oai_dc&until=2020-12-31");
    let token = token(&first).unwrap();
    let names: Vec<String> = (0..30).map(|n| format!("row{n}")).collect();
    let mut delete = vec!["delete"];
    delete.extend(names.iter().map(String::as_str));
    records(&folder, NOW, &delete, "");
    let answer = client.get(&format!("verb=ListRecords&resumptionToken={token}"));
    assert_eq!(codes(&answer), ["noRecordsMatch"]);
}

/// Pages of ten while records behind and before them change, vanish and come.
pub fn while_others_change(site: &Site) {
    let folder = (site.another_folder)();
    let name = |n: usize| format!("row{n:03}");
    let lines: String = (0..120).map(|n| record(&name(n), "Row", "hay")).collect();
    // All in one second: only their UUIDs tell them apart.
    records(&folder, "1600000000", &["create"], &lines);
    let server = Server::start(&folder, 10);
    let mut client = Client::new(&server.address);
    let mut page = client.get("verb=ListRecords&metadataPrefix=oai_dc");
    let mut listed: Vec<Header> = headers_of(&page);
    let mut touched = BTreeSet::new();
    for round in 0.. {
        let Some(token) = token(&page).filter(|token| !token.is_empty()) else { break };
        assert!(round < 40, "the list does not end");
        let request = format!("verb=ListRecords&resumptionToken={token}");
        let unchanged = client.get(&request);
        // Two that change, one that goes, in the first rounds; one that is new.
        if round < 8 {
            let (one, two, gone) = (name(round), name(119 - round), name(50 + round));
            records(&folder, NOW, &["update", &one], &record(&one, "Changed", "hay"));
            records(&folder, NOW, &["update", &two], &record(&two, "Changed", "straw"));
            records(&folder, NOW, &["delete", &gone], "");
            records(&folder, NOW, &["create"], &record(&format!("new{round}"), "New", "hay"));
            touched.extend([one, two, gone]);
        }
        page = client.get(&request);
        let is_touched = |header: &Header| {
            let (_, local) = header.identifier.rsplit_once(':').unwrap();
            touched.contains(local) || local.starts_with("new")
        };
        let still: Vec<Header> =
            headers_of(&unchanged).into_iter().filter(|header| !is_touched(header)).collect();
        let now = headers_of(&page);
        assert!(still.iter().all(|header| now.contains(header)), "round {round}: {still:?}");
        listed.extend(now);
    }
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for header in &listed {
        *count.entry(header.identifier.clone()).or_default() += 1;
    }
    for n in 0..120 {
        let identifier = format!("oai:example.org:{}", name(n));
        let times = count.get(&identifier).copied().unwrap_or(0);
        let fits = if touched.contains(&name(n)) { times >= 1 } else { times == 1 };
        assert!(fits, "{identifier} came {times} times");
    }
    // What was changed on the way stands at the end as it is now.
    let now = headers_of(&client.pages("ListRecords", "metadataPrefix=oai_dc").concat());
    for header in now {
        assert!(listed.contains(&header), "{header:?} never came");
    }
}
