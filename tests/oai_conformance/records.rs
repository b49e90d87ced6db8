//! Records, their dates, their sets, their ends: P10 to P22.

use std::collections::{BTreeMap, BTreeSet};

use crate::endpoint_on_stores::Server;
use crate::oai_endpoint::client::{Client, all, codes};
use crate::support::Folder;

use super::site::{Header, NOW, Site, attribute, headers, headers_of, record, records};

/// Metadata of all records, by format: what stands between the tags.
fn metadata(site: &Site, prefix: &str) -> Vec<String> {
    let pages = site.client().pages("ListRecords", &format!("metadataPrefix={prefix}"));
    pages.iter().flat_map(|page| all(page, "metadata")).collect()
}

pub fn own_namespaces(site: &Site) {
    let formats = site.client().get("verb=ListMetadataFormats");
    let namespaces = all(&formats, "metadataNamespace");
    let schemas = all(&formats, "schema");
    let formats = site.prefixes().into_iter().zip(namespaces).zip(schemas);
    for ((prefix, namespace), schema) in formats {
        for metadata in metadata(site, &prefix) {
            let element = metadata.trim_start().trim_start_matches('<');
            let name = element.split([' ', '>']).next().unwrap();
            let declares = match name.split_once(':') {
                Some((own, _)) => format!("xmlns:{own}"),
                None => "xmlns".to_owned(),
            };
            let declared = attribute(&metadata, name, &declares);
            assert_eq!(declared.as_deref(), Some(namespace.as_str()), "{prefix}: {metadata}");
            let location = attribute(&metadata, name, "xsi:schemaLocation");
            let location =
                location.unwrap_or_else(|| panic!("{prefix} names no schema: {metadata}"));
            let words: Vec<&str> = location.split_whitespace().collect();
            let pair = [namespace.as_str(), schema.as_str()];
            assert!(words.chunks(2).any(|found| found == pair), "{prefix}: {location}");
            let xsi = attribute(&metadata, name, "xmlns:xsi");
            let instance = "http://www.w3.org/2001/XMLSchema-instance";
            assert!(xsi.is_none_or(|xsi| xsi == instance), "{prefix}: {metadata}");
        }
    }
}

pub fn granularity(site: &Site) {
    let identify = site.client().get("verb=Identify");
    assert_eq!(all(&identify, "granularity"), ["YYYY-MM-DDThh:mm:ssZ"]);
    let stamps = site.headers.iter().map(|header| header.datestamp.clone());
    for stamp in stamps.chain(all(&identify, "earliestDatestamp")) {
        let form: String =
            stamp.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
        assert_eq!(form, "9999-99-99T99:99:99Z");
    }
}

pub fn bounds(site: &Site) {
    let address = &site.server.address;
    let in_range = |from: &str, until: &str| -> Vec<Header> {
        let is_in = |header: &&Header| {
            let stamp = header.datestamp.as_str();
            // A day stands for all its seconds.
            (from..).contains(&stamp) && (stamp <= until || stamp.starts_with(until))
        };
        site.headers.iter().filter(is_in).cloned().collect()
    };
    let stamps: BTreeSet<&str> =
        site.headers.iter().map(|header| header.datestamp.as_str()).collect();
    let days: BTreeSet<&str> =
        stamps.iter().map(|stamp| stamp.split_once('T').unwrap().0).collect();
    assert!(days.len() >= 3, "{days:?}");
    for ends in [&stamps, &days] {
        for from in ends {
            for until in ends.iter().filter(|until| *until >= from) {
                let query = format!("metadataPrefix=oai_dc&from={from}&until={until}");
                let expected = in_range(from, until);
                for verb in ["ListIdentifiers", "ListRecords"] {
                    assert_eq!(headers(address, verb, &query), expected, "{verb} {query}");
                }
            }
            let only_from =
                headers(address, "ListIdentifiers", &format!("metadataPrefix=oai_dc&from={from}"));
            assert_eq!(only_from, in_range(from, "9999"), "from {from}");
            let only_until =
                headers(address, "ListIdentifiers", &format!("metadataPrefix=oai_dc&until={from}"));
            assert_eq!(only_until, in_range("0000", from), "until {from}");
        }
    }
}

pub fn earliest(site: &Site) {
    let earliest = all(&site.client().get("verb=Identify"), "earliestDatestamp").remove(0);
    let first = site.headers.iter().map(|header| &header.datestamp).min().unwrap();
    assert_eq!(&earliest, first);
}

/// A store of one record in a folder of its own, on the keeper of the site.
fn beside(site: &Site) -> (Folder, Server) {
    let folder = (site.another_folder)();
    records(&folder, "1600000000", &["create"], &record("one", "One", "hay"));
    let server = Server::start(&folder, 10);
    (folder, server)
}

fn only_header(server: &Server) -> Header {
    let mut all = headers(&server.address, "ListIdentifiers", "metadataPrefix=oai_dc");
    assert_eq!(all.len(), 1);
    all.remove(0)
}

pub fn changes_are_newer(site: &Site) {
    let (folder, server) = beside(site);
    let mut last = only_header(&server);
    assert_eq!(last.datestamp, "2020-09-13T12:26:40Z");
    let deeds: [(&[&str], String, bool); 4] = [
        (&["update", "one"], record("one", "Two", "hay"), false),
        (&["delete", "one"], String::new(), true),
        (&["undelete", "one"], String::new(), false),
        (&["delete", "one"], String::new(), true),
    ];
    for (deed, stdin, deleted) in deeds {
        // A harvester that asks from the last responseDate on sees each change.
        let seen = Client::new(&server.address).get("verb=ListRecords&metadataPrefix=oai_dc");
        let since = all(&seen, "responseDate").remove(0);
        records(&folder, NOW, deed, &stdin);
        let query = format!("metadataPrefix=oai_dc&from={since}");
        let news = headers(&server.address, "ListRecords", &query);
        let [now] = &news[..] else { panic!("{deed:?}: {news:?} from {since} on") };
        assert!(now.datestamp >= last.datestamp, "{deed:?}: {now:?}");
        assert_eq!((now.deleted, &now.identifier), (deleted, &last.identifier), "{deed:?}");
        last = now.clone();
    }
}

pub fn membership_is_news(site: &Site) {
    let (folder, server) = beside(site);
    let before = only_header(&server);
    records(&folder, NOW, &["update", "one"], &record("one", "One", "straw"));
    let after = only_header(&server);
    assert!(after.datestamp > before.datestamp);
    assert_eq!(after.sets, BTreeSet::from(["straw".to_owned()]));
    let since = format!("metadataPrefix=oai_dc&set=straw&from={}", after.datestamp);
    assert_eq!(headers(&server.address, "ListRecords", &since), [after]);
    let old = "verb=ListRecords&metadataPrefix=oai_dc&set=hay";
    let mut client = Client::new(&server.address);
    assert_eq!(codes(&client.get(old)), ["noRecordsMatch"]);
}

pub fn identifiers(site: &Site) {
    let unique: BTreeSet<&String> = site.headers.iter().map(|header| &header.identifier).collect();
    assert_eq!(unique.len(), site.headers.len());
    let mut client = site.client();
    let identify = client.get("verb=Identify");
    let of = |name: &str| all(&identify, name).remove(0);
    let start = format!("{}:{}:", of("scheme"), of("repositoryIdentifier"));
    assert_eq!(of("delimiter"), ":");
    assert!(unique.iter().all(|identifier| identifier.starts_with(&start)), "{start}");
    assert!(unique.contains(&of("sampleIdentifier")), "{}", of("sampleIdentifier"));
}

pub fn oai_dc_for_all(site: &Site) {
    let address = &site.server.address;
    let prefixes = site.prefixes();
    assert!(prefixes.contains(&"oai_dc".to_owned()), "{prefixes:?}");
    assert_eq!(headers(address, "ListRecords", "metadataPrefix=oai_dc"), site.headers);
    assert_eq!(metadata(site, "oai_dc").len(), site.headers.iter().filter(|h| !h.deleted).count());
    let mut client = site.client();
    for prefix in &prefixes {
        let query = format!("metadataPrefix={prefix}");
        let list = headers(address, "ListIdentifiers", &query);
        let known: BTreeSet<&String> = site.headers.iter().map(|h| &h.identifier).collect();
        assert!(list.iter().all(|header| known.contains(&header.identifier)), "{prefix}");
        let listed: BTreeSet<String> = list.into_iter().map(|header| header.identifier).collect();
        for header in site.headers.iter().filter(|header| !header.deleted).step_by(11) {
            let identifier = &header.identifier;
            let formats = client.get(&format!("verb=ListMetadataFormats&identifier={identifier}"));
            let has = all(&formats, "metadataPrefix").contains(prefix);
            let get = format!("verb=GetRecord&metadataPrefix={prefix}&identifier={identifier}");
            let answer = client.get(&get);
            let given = codes(&answer).is_empty();
            assert!(given || codes(&answer) == ["cannotDisseminateFormat"], "{get}");
            assert_eq!(
                (has, given),
                (listed.contains(identifier), has),
                "{prefix} of {identifier}"
            );
        }
    }
}

pub fn deletions(site: &Site) {
    let mut client = site.client();
    assert_eq!(all(&client.get("verb=Identify"), "deletedRecord"), ["persistent"]);
    let expected: Vec<&Header> = site.headers.iter().filter(|header| header.deleted).collect();
    for prefix in site.prefixes() {
        for verb in ["ListRecords", "ListIdentifiers"] {
            let list = headers(&site.server.address, verb, &format!("metadataPrefix={prefix}"));
            let found: Vec<&Header> = list.iter().filter(|header| header.deleted).collect();
            assert_eq!(found, expected, "{verb} {prefix}");
        }
        for header in expected.iter().step_by(4) {
            let query = format!("metadataPrefix={prefix}&identifier={}", header.identifier);
            let answer = client.get(&format!("verb=GetRecord&{query}"));
            assert_eq!(headers_of(&answer), [(*header).clone()], "{query}");
            assert!(!answer.contains("<metadata") && !answer.contains("<about"), "{answer}");
        }
    }
}

pub fn set_specs(site: &Site) {
    let specs = all(&site.client().get("verb=ListSets"), "setSpec");
    let unique: BTreeSet<&String> = specs.iter().collect();
    assert_eq!(unique.len(), specs.len());
    let fits = |part: &str| {
        let legal = |c: char| c.is_ascii_alphanumeric() || "-_.!~*'()".contains(c);
        !part.is_empty() && part.chars().all(legal)
    };
    assert!(specs.iter().all(|spec| spec.split(':').all(fits)), "{specs:?}");
    let named: BTreeSet<&String> = site.headers.iter().flat_map(|header| &header.sets).collect();
    assert!(named.is_subset(&unique), "headers name {named:?}, ListSets {unique:?}");
}

pub fn members(site: &Site) {
    let mut client = site.client();
    let specs = all(&client.get("verb=ListSets"), "setSpec");
    for spec in ["hay", "hay:meadow", "hay:meadow:wet", "hay:orchard", "straw"] {
        assert!(specs.contains(&spec.to_owned()), "{specs:?}");
    }
    for spec in &specs {
        let below = format!("{spec}:");
        let is_in =
            |header: &&Header| header.sets.iter().any(|set| set == spec || set.starts_with(&below));
        let expected: Vec<Header> = site.headers.iter().filter(is_in).cloned().collect();
        let query = format!("metadataPrefix=oai_dc&set={spec}");
        for verb in ["ListIdentifiers", "ListRecords"] {
            if expected.is_empty() {
                let answer = client.get(&format!("verb={verb}&{query}"));
                assert_eq!(codes(&answer), ["noRecordsMatch"], "{spec}");
                continue;
            }
            assert_eq!(headers(&site.server.address, verb, &query), expected, "{verb} of {spec}");
        }
    }
    let by_identifier: BTreeMap<&String, &Header> =
        site.headers.iter().map(|header| (&header.identifier, header)).collect();
    for (identifier, header) in by_identifier.iter().step_by(9) {
        let query = format!("verb=GetRecord&metadataPrefix=oai_dc&identifier={identifier}");
        assert_eq!(headers_of(&client.get(&query)), [(*header).clone()]);
    }
}

pub fn no_sets(site: &Site) {
    let mut client = Client::new(&site.empty.address);
    for query in [
        "verb=ListSets",
        "verb=ListIdentifiers&metadataPrefix=oai_dc&set=hay",
        "verb=ListRecords&metadataPrefix=oai_dc&set=hay",
    ] {
        assert_eq!(codes(&client.get(query)), ["noSetHierarchy"], "{query}");
    }
}
