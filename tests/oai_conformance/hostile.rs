//! Requests that mean no good: invented arguments, floods, broken bytes, forged tokens, idlers.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::endpoint_on_stores::Server;
use crate::oai_endpoint::client::{Client, codes, token};
use crate::support::Folder;

use super::http;
use super::site::{record, records};

/// A value, and whether it is of legal form for its argument.
type Value = (String, bool);
type Arguments = Vec<(String, Value)>;

/// 40 records of one set, on pages of 10.
fn small(folder: &Folder) -> Server {
    let lines: String = (0..40).map(|n| record(&format!("row{n}"), "Row", "hay")).collect();
    records(folder, "1600000000", &["create"], &lines);
    Server::start(folder, 10)
}

/// One request is still served as it should be.
fn still_serves(server: &Server) {
    let begun = Instant::now();
    let reply = http::get(&server.address, "verb=ListRecords&metadataPrefix=oai_dc", "");
    assert_eq!(reply.status, 200);
    assert_eq!(reply.text().matches("<record>").count(), 10);
    assert!(begun.elapsed() < Duration::from_secs(10));
}

fn value(name: &'static str) -> BoxedStrategy<Value> {
    let legal: &[&str] = match name {
        "verb" => &[
            "Identify",
            "ListSets",
            "ListMetadataFormats",
            "GetRecord",
            "ListIdentifiers",
            "ListRecords",
        ],
        "metadataPrefix" => &["oai_dc", "oai_dc", "none", "a.b-c!"],
        "identifier" => &["oai:example.org:row1", "oai:example.org:none", "urn:x:y"],
        "set" => &["hay", "none", "hay:none"],
        "from" | "until" => {
            &["2020-09-13", "2020-09-13T12:26:40Z", "1999-01-01", "2999-12-31T00:00:00Z"]
        }
        _ => &["junk"],
    };
    let legal = prop::sample::select(legal).prop_map(|text| (text.to_owned(), true));
    // Neither a space nor a quote is legal in any of them.
    let illegal = (".{0,6}", "[ \"]").prop_map(|(rest, odd)| (format!("{rest}{odd}"), false));
    let is_token = name == "resumptionToken";
    prop_oneof![9 => legal, 1 => illegal]
        .prop_map(move |(text, fits)| (text, fits || is_token))
        .boxed()
}

fn arguments() -> impl Strategy<Value = Arguments> {
    let names = ["metadataPrefix", "identifier", "set", "from", "until", "resumptionToken", "junk"];
    let argument = prop::sample::select(names.to_vec())
        .prop_flat_map(|name| value(name).prop_map(move |value| (name.to_owned(), value)));
    let prefix =
        value("metadataPrefix").prop_map(|value| vec![("metadataPrefix".to_owned(), value)]);
    let verb = value("verb").prop_map(|value| ("verb".to_owned(), value));
    let first = prop_oneof![2 => prefix, 1 => Just(Vec::new())];
    (first, prop::collection::vec(argument, 0..4), prop::collection::vec(verb, 1..=1), any::<u8>())
        .prop_map(|(first, others, verb, doubled)| {
            let doubled = (doubled == 0).then(|| verb[0].clone());
            first.into_iter().chain(others).chain(verb).chain(doubled).collect()
        })
}

/// The codes that an answer must have, and those that it may have: written from the protocol, not
/// from the server.
fn verdict(arguments: &Arguments) -> (BTreeSet<&'static str>, BTreeSet<&'static str>) {
    let only = |code| (BTreeSet::from([code]), BTreeSet::new());
    let mut given: BTreeMap<&str, &Value> = BTreeMap::new();
    let mut is_repeated = false;
    for (name, value) in arguments {
        is_repeated |= given.insert(name, value).is_some() && name != "verb";
    }
    let (verb, is_verb) = given.remove("verb").unwrap();
    if !is_verb || arguments.iter().filter(|(name, _)| name == "verb").count() > 1 {
        return only("badVerb");
    }
    let (required, optional): (&[&str], &[&str]) = match verb.as_str() {
        "Identify" => (&[], &[]),
        "ListSets" => (&[], &["resumptionToken"]),
        "ListMetadataFormats" => (&[], &["identifier"]),
        "GetRecord" => (&["identifier", "metadataPrefix"], &[]),
        _ => (&["metadataPrefix"], &["from", "until", "set", "resumptionToken"]),
    };
    let is_known = |name: &&str| required.contains(name) || optional.contains(name);
    let resumes = optional.contains(&"resumptionToken") && given.contains_key("resumptionToken");
    let complete = match resumes {
        true => given.len() == 1,
        false => required.iter().all(|name| given.contains_key(name)),
    };
    let fits = given.values().all(|(_, fits)| *fits);
    if is_repeated || !complete || !fits || !given.keys().all(is_known) {
        return only("badArgument");
    }
    if let (Some((from, _)), Some((until, _))) = (given.get("from"), given.get("until"))
        && (from.len() != until.len() || from > until)
    {
        return only("badArgument");
    }
    if resumes {
        return only("badResumptionToken");
    }
    let is = |name: &str, known: &str| given.get(name).is_none_or(|(text, _)| text == known);
    let mut must = BTreeSet::new();
    if !is("metadataPrefix", "oai_dc") {
        must.insert("cannotDisseminateFormat");
    }
    if !is("identifier", "oai:example.org:row1") {
        must.insert("idDoesNotExist");
    }
    let selects = ["from", "until", "set"].iter().any(|name| given.contains_key(name));
    let may = if selects { BTreeSet::from(["noRecordsMatch"]) } else { BTreeSet::new() };
    (must, may)
}

#[test]
fn invented_arguments_get_the_errors_that_the_protocol_has_for_them() {
    let folder = Folder::new();
    let server = small(&folder);
    let client = RefCell::new(Client::new(&server.address));
    let config = Config { cases: 600, failure_persistence: None, ..Config::default() };
    let checked = TestRunner::new(config).run(&arguments(), |arguments| {
        let pairs = arguments.iter().map(|(name, (value, _))| (name, value));
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let answer = client.borrow_mut().get(&query);
        let answers = codes(&answer);
        let found: BTreeSet<&str> = answers.iter().map(String::as_str).collect();
        let (must, may) = verdict(&arguments);
        prop_assert!(found.is_superset(&must), "{query}: {found:?} without {must:?}");
        let allowed: BTreeSet<&str> = must.union(&may).copied().collect();
        prop_assert!(found.is_subset(&allowed), "{query}: {found:?}, expected {allowed:?}");
        prop_assert_eq!(client.borrow_mut().post(&query), answer);
        Ok(())
    });
    checked.unwrap();
}

#[test]
fn no_query_at_all_makes_an_answer_invalid() {
    let folder = Folder::new();
    let server = small(&folder);
    let client = RefCell::new(Client::new(&server.address));
    let pieces = prop::sample::select(
        &[
            "verb=",
            "ListRecords",
            "GetRecord",
            "&",
            "=",
            "%",
            "%00",
            "%ff",
            "%C3",
            "%ED%A0%80",
            "%0D%0A",
            "metadataPrefix",
            "oai_dc",
            "identifier=",
            "oai:",
            "from=",
            "2020-09-13",
            "-",
            "T00:00:00Z",
            "resumptionToken",
            "set=",
            "hay",
            ":",
            "+",
            ";",
            "?",
            "%3C",
            "%3E",
            "'",
            "]]%3E",
            "--",
            "{",
            "\\",
        ][..],
    );
    let query = prop::collection::vec(pieces, 0..14).prop_map(|pieces| pieces.concat());
    let config = Config { cases: 600, failure_persistence: None, ..Config::default() };
    let checked = TestRunner::new(config).run(&query, |query| {
        // The client checks status, type and, at its end, schema.
        let answer = client.borrow_mut().get(&query);
        prop_assert!(answer.contains("</OAI-PMH>"));
        Ok(())
    });
    checked.unwrap();
}

#[test]
fn floods_are_refused_and_the_next_request_is_served() {
    let folder = Folder::new();
    let server = small(&folder);
    let megabyte = "x".repeat(1 << 20);
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let post = |body: &str, length: usize| {
        format!(
            "POST /oai HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{form}Content-Length: {length}\r\n\r\n{body}"
        )
    };
    let get = |query: &str, fields: &str| {
        format!("GET /oai?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{fields}\r\n")
    };
    let floods = [
        ("a long query", get(&format!("verb=Identify&x={megabyte}"), "")),
        ("many arguments", get(&format!("verb=Identify{}", "&a=1".repeat(1 << 18)), "")),
        ("a long token", get(&format!("verb=ListRecords&resumptionToken={megabyte}"), "")),
        ("a long head", get("verb=Identify", &format!("X-Flood: {megabyte}\r\n"))),
        ("many fields", get("verb=Identify", &"X-Flood: 1\r\n".repeat(10_000))),
        ("a long form", post(&format!("verb=Identify&x={megabyte}"), megabyte.len() + 16)),
        ("a form of endless length", post("verb=Identify", usize::MAX / 2)),
    ];
    for (what, flood) in floods {
        // Closing the connection is an answer, too; waiting for more is not.
        let begun = Instant::now();
        let reply = http::exchange(&server.address, flood.as_bytes());
        let status = reply.map_or(400, |reply| reply.status);
        assert!((400..500).contains(&status), "{what}: {status}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}: {:?}", begun.elapsed());
        still_serves(&server);
    }
    // What fits is answered in the protocol.
    let long = format!("verb=Identify&x={}", "x".repeat(20_000));
    assert_eq!(codes(&Client::new(&server.address).get(&long)), ["badArgument"]);
    let many = format!("verb=Identify{}", "&a=1".repeat(2000));
    assert_eq!(codes(&Client::new(&server.address).get(&many)), ["badArgument"]);
}

#[test]
fn bytes_that_are_no_http_cost_only_their_sender() {
    let folder = Folder::new();
    let server = small(&folder);
    let broken: [&[u8]; 9] = [
        b"\r\n\r\n",
        b"\0\0\0\0",
        b"GET\r\n\r\n",
        b"GET /oai?verb=Identify\r\n\r\n",
        b"GET /oai?verb=\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /oai?verb=Identify HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET /oai?verb=Identify HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\nConnection: close\r\n\r\n",
        b"POST /oai HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ];
    for bytes in broken {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        still_serves(&server);
    }
    let raw = b"GET /oai?verb=\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let status = http::exchange(&server.address, raw).map_or(400, |reply| reply.status);
    assert!(status == 400 || status == 200, "{status}");
}

#[test]
fn a_token_is_good_as_it_was_given_and_where_it_was_given() {
    let (folder, other) = (Folder::new(), Folder::new());
    let (server, elsewhere) = (small(&folder), small(&other));
    let list = "verb=ListRecords&metadataPrefix=oai_dc";
    let mut client = Client::new(&server.address);
    let given = token(&client.get(list)).unwrap();
    let foreign = token(&Client::new(&elsewhere.address).get(list)).unwrap();
    let mut forged = vec![
        foreign,
        given.clone() + "A",
        given.clone() + &given,
        given.to_uppercase(),
        given.chars().rev().collect(),
        format!("%20{given}"),
        format!("{given}%20"),
        format!("{given}%3D"),
        "A".repeat(given.len()),
    ];
    let characters: Vec<char> = given.chars().collect();
    forged.extend((0..characters.len()).step_by(5).map(|end| characters[..end].iter().collect()));
    for at in 0..characters.len() {
        let mut changed = characters.clone();
        changed[at] = if changed[at] == 'A' { 'B' } else { 'A' };
        forged.push(changed.into_iter().collect());
    }
    for token in forged {
        let answer = client.get(&format!("verb=ListRecords&resumptionToken={token}"));
        assert_eq!(codes(&answer), ["badResumptionToken"], "{token}");
    }
    let answer = client.get(&format!("verb=ListRecords&resumptionToken={given}"));
    assert_eq!(codes(&answer), [""; 0]);
}

#[test]
fn a_thousand_idle_connections_keep_nobody_waiting() {
    let folder = Folder::new();
    let server = small(&folder);
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let open_files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = open_files.and_then(|line| line.split_whitespace().next()?.parse().ok());
    let count = soft.unwrap_or(256_usize).saturating_sub(150).min(1000);
    if count < 1000 {
        eprintln!("{count} connections only: this process may not open more files");
    }
    let halves: [&[u8]; 4] =
        [b"", b"G", b"GET /oai?verb=Identify HTTP/1.1\r\nHost: x\r\n", b"GET /oai?verb=Ident"];
    let mut idle: Vec<TcpStream> = Vec::with_capacity(count);
    for number in 0..count {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        stream.write_all(halves[number % halves.len()]).unwrap();
        idle.push(stream);
    }
    for _ in 0..20 {
        still_serves(&server);
    }
    drop(idle);
    still_serves(&server);
}
