//! `windrow serve` as a site sets it up: its configuration, its limits, what it tells operators.

use std::io::{BufRead, Read, Write};
use std::net::TcpStream;

use crate::endpoint_on_stores::{Server, quickstart_store};
use crate::oai_endpoint::client::{all, codes, token};
use crate::support::{Folder, end, project};

const LIST: &str = "verb=ListRecords&metadataPrefix=oai_dc";

/// A store of the quickstart records, and a server that reads this `windrow.yaml`.
fn site(yaml: &str) -> (Folder, Server) {
    let folder = Folder::new();
    quickstart_store(&folder);
    let server = served(&folder, yaml, &[]);
    (folder, server)
}

fn served(folder: &Folder, yaml: &str, arguments: &[&str]) -> Server {
    folder.write("windrow.yaml", yaml);
    let mut command = folder.windrow(&["serve", "--listen", "127.0.0.1:0"]);
    command.args(arguments);
    Server::run(command)
}

/// Status, head and bytes of the answer to one GET.
fn get(server: &Server, path: &str, headers: &str) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap().to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head, answer[end + 4..].to_vec())
}

/// The value of a header.
fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
fn every_mistake_of_a_site_is_told_with_its_place() {
    let folder = Folder::new();
    quickstart_store(&folder);
    folder.write("key", "too short");
    folder.write(
        "windrow.yaml",
        "serve:\n  page_sise: 10\n  listen: nowhere\n  complete_list_size: guess\n  \
         token_keys: [ { file: key } ]\n  formats: [ oai_dk, { prefix: x } ]\n  \
         descriptions: { xml: \"<a>\" }\n  limits: { idle: soon }\n",
    );
    let ended = end(&mut folder.windrow(&["serve", "--listen", "127.0.0.1:0"]));
    assert_eq!(ended.status, Some(78), "{}", ended.stderr);
    for (line, message) in [
        (2, "did you mean `page_size`?"),
        (3, "listen is `nowhere`"),
        (4, "known: `exact`, `absent`"),
        (5, "a token key has 9 characters"),
        (6, "did you mean `oai_dc`?"),
        (6, "a format has no `namespace`"),
        (7, "xml is not well-formed"),
        (8, "idle is text"),
    ] {
        assert!(ended.stderr.contains(message), "{message} is not in\n{}", ended.stderr);
        assert!(ended.stderr.contains(&format!("windrow.yaml:{line}:")), "line {line}");
    }
}

#[test]
fn what_a_site_says_is_what_the_endpoint_says() {
    let crosswalk = project("crosswalks/record-to-mods.yaml");
    let yaml = format!(
        "serve:\n  repository_name: Hay & Straw\n  repository_id: hay.example\n  \
         admin_emails: [a@hay.example, b@hay.example]\n  base_url: https://hay.example/oai\n  \
         page_size: 7\n  complete_list_size: absent\n  deleted_record: transient\n  \
         compression: [gzip]\n  \
         formats: [oai_dc, {{ prefix: mods_3, namespace: 'http://www.loc.gov/mods/v3', \
         schema: 'http://www.loc.gov/standards/mods/v3/mods-3-8.xsd', crosswalk: {} }}]\n  \
         descriptions:\n    friends: [https://straw.example/oai]\n    \
         branding: {{ url: 'https://hay.example/icon.png', title: Hay, width: 16, height: 16 }}\n",
        crosswalk.display()
    );
    let folder = Folder::new();
    quickstart_store(&folder);
    let server = served(&folder, &yaml, &["--page-size", "9", "--admin-email", "c@hay.example"]);
    let mut client = server.client();
    let identify = client.get("verb=Identify");
    for (name, expected) in [
        ("repositoryName", &["Hay &amp; Straw"][..]),
        ("baseURL", &["https://hay.example/oai", "https://straw.example/oai"]),
        ("adminEmail", &["c@hay.example"]),
        ("deletedRecord", &["transient"]),
        ("compression", &["gzip"]),
        ("repositoryIdentifier", &["hay.example"]),
        ("url", &["https://hay.example/icon.png"]),
    ] {
        assert_eq!(all(&identify, name), expected, "{name}");
    }
    let formats = client.get("verb=ListMetadataFormats");
    assert_eq!(all(&formats, "metadataPrefix"), ["oai_dc", "mods_3"]);
    let mods = client.get("verb=ListRecords&metadataPrefix=mods_3");
    assert_eq!(mods.matches("<mods xmlns=").count(), 9);
    let page = client.get(LIST);
    assert_eq!(page.matches("<record>").count(), 9);
    assert!(!page.contains("completeListSize") && token(&page).is_some(), "{page}");
}

#[test]
fn every_format_of_the_table_is_what_its_schema_says() {
    let (_folder, server) = site("serve: { page_size: 1000, repository_id: example.org }\n");
    let mut client = server.client();
    let prefixes = all(&client.get("verb=ListMetadataFormats"), "metadataPrefix");
    assert_eq!(prefixes, ["datacite", "marc21", "mods", "oai_datacite", "oai_dc"]);
    for prefix in prefixes {
        // Listed are those that have the format, in both lists; the client checks them all.
        let query = format!("metadataPrefix={prefix}");
        let records = client.get(&format!("verb=ListRecords&{query}"));
        let headers = client.get(&format!("verb=ListIdentifiers&{query}"));
        assert_eq!(all(&records, "identifier"), all(&headers, "identifier"), "{prefix}");
        if codes(&records) == ["noRecordsMatch"] {
            assert!(prefix.contains("datacite"), "{prefix}");
            continue;
        }
        let identifier = &all(&headers, "identifier")[0];
        let query = format!("verb=ListMetadataFormats&identifier={identifier}");
        assert!(all(&client.get(&query), "metadataPrefix").contains(&prefix), "{prefix}");
    }
}

#[test]
fn what_is_about_every_record_stands_beside_it() {
    let (_folder, server) = site(
        "serve:\n  about:\n    rights: https://creativecommons.org/publicdomain/zero/1.0/\n    \
         xml: ['<n:note xmlns:n=\"urn:n\">&lt;</n:note>']\n",
    );
    let (_, _, body) = get(&server, &format!("/oai?{LIST}"), "");
    let body = String::from_utf8(body).unwrap();
    let records = body.matches("<record>").count();
    let about = "<about><rights xmlns=\"http://www.openarchives.org/OAI/2.0/rights/\"";
    assert_eq!((records, body.matches(about).count()), (100, 100));
    let note = "</metadata><about><rights";
    assert_eq!(body.matches(note).count(), 100);
    assert_eq!(body.matches("<about><n:note xmlns:n=\"urn:n\">&lt;</n:note></about>").count(), 100);
}

#[test]
fn a_token_of_an_older_key_leads_on_until_the_key_is_taken_away() {
    let folder = Folder::new();
    quickstart_store(&folder);
    for key in ["old", "new"] {
        folder.write(key, format!("{key} key of the meadow"));
    }
    let keys =
        |keys: &str| format!("serve: {{ token_keys: [{keys}], repository_id: a.example }}\n");
    let (old, new) = ("{ file: old }", "{ file: new }");
    let first = served(&folder, &keys(old), &[]).client().get(LIST);
    let query = format!("verb=ListRecords&resumptionToken={}", token(&first).unwrap());
    let ask = |yaml: String| codes(&served(&folder, &yaml, &[]).client().get(&query));
    assert_eq!(ask(keys(old)), [""; 0]);
    assert_eq!(ask(keys(&format!("{new}, {old}"))), [""; 0]);
    assert_eq!(ask(keys(new)), ["badResumptionToken"]);
    assert_eq!(ask("serve: { repository_id: a.example }\n".to_owned()), ["badResumptionToken"]);
}

#[test]
fn a_request_for_another_host_is_refused() {
    let (_folder, server) = site("serve: { hosts: [hay.example, \"[::1]\"] }\n");
    let status = |host: &str| get(&server, "/oai?verb=Identify", host).0;
    assert_eq!(status("Host: hay.example\r\n"), 200);
    assert_eq!(status("Host: Hay.Example:8080\r\n"), 200);
    assert_eq!(status("Host: [::1]:8080\r\n"), 200);
    assert_eq!(status("Host: straw.example\r\n"), 421);
    assert_eq!(status("Host: hay.example.straw.example\r\n"), 421);
    assert_eq!(status(""), 421);
    assert_eq!(get(&server, "/health", "").0, 200);
    // What a client says of hosts is never written.
    let (_, _, body) = get(&server, "/oai?verb=Identify", "Host: hay.example\r\n");
    let identify = String::from_utf8(body).unwrap();
    assert_eq!(all(&identify, "baseURL"), [format!("http://{}/oai", server.address)]);
}

#[test]
fn a_client_that_asks_too_often_is_sent_away_for_a_while() {
    let (_folder, server) =
        site("serve: { trusted_proxies: 1, limits: { requests_per_minute: 5 } }\n");
    let ask = |client: &str| {
        // The first address is what the client says itself; the proxy has added the second.
        let forwarded = format!("X-Forwarded-For: 203.0.113.1, {client}\r\n");
        get(&server, "/oai?verb=Identify", &forwarded)
    };
    let mut statuses: Vec<u16> = (0..6).map(|_| ask("192.0.2.1").0).collect();
    assert_eq!(statuses.pop(), Some(503));
    assert_eq!(statuses, [200; 5]);
    let (_, head, _) = ask("192.0.2.1");
    let seconds: u64 = header(&head, "retry-after").unwrap().parse().unwrap();
    assert!((1..=13).contains(&seconds), "{head}");
    assert_eq!(ask("192.0.2.2").0, 200);
}

#[test]
fn answers_are_compressed_for_whoever_takes_that() {
    let (_folder, server) = site("serve: {}\n");
    let (_, head, plain) = get(&server, &format!("/oai?{LIST}"), "");
    assert_eq!(header(&head, "content-encoding"), None);
    assert_eq!(header(&head, "content-length"), Some(plain.len().to_string().as_str()));
    for encoding in ["gzip", "zstd", "br"] {
        let accept = format!("Accept-Encoding: {encoding}\r\n");
        let (status, head, packed) = get(&server, &format!("/oai?{LIST}"), &accept);
        assert_eq!((status, header(&head, "content-encoding")), (200, Some(encoding)));
        assert!(packed.len() < plain.len() / 2, "{encoding}: {}", packed.len());
        // An error is short: it is not worth it.
        let (_, head, _) = get(&server, "/oai?verb=junk", &accept);
        assert_eq!(header(&head, "content-encoding"), None);
    }
}

#[test]
fn a_record_that_is_known_is_not_sent_again() {
    let (_folder, server) = site("serve: { repository_id: example.org }\n");
    let path = "/oai?verb=GetRecord&metadataPrefix=oai_dc&identifier=oai:example.org:wr00000001";
    let (status, head, _) = get(&server, path, "");
    let etag = header(&head, "etag").unwrap().to_owned();
    assert_eq!(status, 200);
    let known = |etag: &str| get(&server, path, &format!("If-None-Match: {etag}\r\n"));
    // The head was lowered, the weak mark with it.
    let etag = etag.replacen('w', "W", 1);
    let (status, _, body) = known(&etag);
    assert_eq!((status, body.len()), (304, 0));
    assert_eq!(known("\"another\"").0, 200);
}

#[test]
fn a_log_that_nobody_reads_stops_no_answer_and_what_is_lost_is_told() {
    let folder = Folder::new();
    quickstart_store(&folder);
    let (server, log) = Server::with_log(folder.windrow(&["serve", "--listen", "127.0.0.1:0"]));
    // Of each request its path is logged: far more than a pipe and the limit hold.
    let path = format!("/{}", "hay".repeat(5000));
    for _ in 0..150 {
        assert_eq!(get(&server, &path, "").0, 404);
    }
    let metrics = String::from_utf8(get(&server, "/metrics", "").2).unwrap();
    let lost: usize = metrics
        .lines()
        .find_map(|line| line.strip_prefix("windrow_log_lines_lost_total "))
        .unwrap()
        .parse()
        .unwrap();
    assert!((30..150).contains(&lost), "{lost}");
    // Each line is in the log, or among those that it says are lost.
    let reading = std::thread::spawn(move || log.lines().collect::<Vec<_>>());
    let told = format!("{lost} lines of the log are lost: it was not read");
    assert!(server.end().success());
    let lines: Vec<String> = reading.join().unwrap().into_iter().map(Result::unwrap).collect();
    let logged = lines.iter().filter(|line| line.contains(&path)).count();
    assert_eq!(logged + lost, 150);
    assert!(lines.contains(&told), "{:?}", lines.last());
}

#[test]
fn a_server_whose_log_nobody_reads_can_be_ended() {
    let folder = Folder::new();
    quickstart_store(&folder);
    let (server, log) = Server::with_log(folder.windrow(&["serve", "--listen", "127.0.0.1:0"]));
    let path = format!("/{}", "hay".repeat(5000));
    for _ in 0..10 {
        assert_eq!(get(&server, &path, "").0, 404);
    }
    assert!(server.end().success());
    drop(log);
}

#[test]
fn the_metrics_count_what_was_asked_and_given() {
    let (_folder, server) = site("serve: { page_size: 30 }\n");
    let mut client = server.client();
    client.get(LIST);
    client.get(LIST);
    client.get("verb=junk");
    let (status, _, body) = get(&server, "/metrics", "");
    let metrics = String::from_utf8(body).unwrap();
    assert_eq!(status, 200);
    for line in [
        "windrow_requests_total{verb=\"ListRecords\",status=\"200\",outcome=\"ok\"} 2",
        "windrow_requests_total{verb=\"\",status=\"200\",outcome=\"badVerb\"} 1",
        "windrow_request_seconds_count{verb=\"ListRecords\"} 2",
        "windrow_records_out_total 60",
        "windrow_records_left_out_total 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
}

#[test]
fn a_head_that_never_ends_is_cut_off() {
    let (_folder, server) = site("serve: { limits: { idle: 1 } }\n");
    // A query of a megabyte.
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let request = format!("GET /oai?verb={} HTTP/1.1\r\n\r\n", "a".repeat(1 << 20));
    let _broken_off = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _broken_off = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    // A head that comes a byte at a time ends with the connection.
    let mut slow = TcpStream::connect(&server.address).unwrap();
    slow.write_all(b"GET /oai?verb=Identify HT").unwrap();
    let mut answer = Vec::new();
    slow.read_to_end(&mut answer).unwrap();
    assert!(!String::from_utf8_lossy(&answer).contains("Identify"));
    assert_eq!(get(&server, "/oai?verb=Identify", "").0, 200);
}

#[test]
fn a_form_that_is_announced_too_large_or_never_comes_is_not_waited_for() {
    let (_folder, server) = site("serve: { limits: { idle: 1 } }\n");
    for (length, status) in [("9223372036854775807", "413"), ("10", "400")] {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        let head = format!("POST /oai HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\nverb");
        stream.write_all(head.as_bytes()).unwrap();
        let mut status_line = [0; 12];
        stream.read_exact(&mut status_line).unwrap();
        assert_eq!(String::from_utf8_lossy(&status_line), format!("HTTP/1.1 {status}"));
    }
}

#[test]
fn deleted_records_are_hidden_where_the_site_says_no() {
    let folder = Folder::new();
    quickstart_store(&folder);
    let pid = "wr00000001";
    let ended = end(&mut folder.windrow(&["records", "delete", pid]));
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let identifiers = |policy: &str| {
        let yaml = format!("serve: {{ deleted_record: '{policy}', repository_id: example.org }}\n");
        let server = served(&folder, &yaml, &[]);
        let mut client = server.client();
        let query =
            format!("verb=GetRecord&metadataPrefix=oai_dc&identifier=oai:example.org:{pid}");
        let one = client.get(&query);
        assert_eq!(codes(&one) == ["idDoesNotExist"], policy == "no", "{one}");
        let records = client.identifiers("ListRecords", "metadataPrefix=oai_dc");
        assert_eq!(client.identifiers("ListIdentifiers", "metadataPrefix=oai_dc"), records);
        records
    };
    assert_eq!(identifiers("persistent").len(), 260);
    let shown = identifiers("no");
    assert_eq!(shown.len(), 259);
    assert!(!shown.contains(&format!("oai:example.org:{pid}")));
}
