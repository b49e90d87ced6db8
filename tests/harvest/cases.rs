//! Each way of endpoints to be wrong, and the exact outcome.

use std::io::Write;
use std::time::{Duration, Instant};

use super::double::{Answer, Double, Request};
use super::repository::{Repository, error};
use super::{Harvested, changed, command, harvest};
use crate::support::Folder;

/// One record broken or odd, of three on one page.
fn odd_title(title: &'static str) -> Double {
    let mut repository = Repository::new(3, 10);
    repository.records[1].title = title.to_owned();
    changed(repository, |_, answer| answer)
}

fn once(verb: &'static str, trouble: impl Fn() -> Answer + Send + Sync + 'static) -> Double {
    changed(Repository::new(3, 10), move |request, answer| {
        if request.is(verb) && request.before == 0 { trouble() } else { answer }
    })
}

pub fn of_list(
    count: usize,
    page: usize,
    change: impl Fn(&Request, Answer) -> Answer + Send + Sync + 'static,
) -> Double {
    changed(Repository::new(count, page), move |request, answer| {
        if request.is_list() { change(request, answer) } else { answer }
    })
}

/// A list whose tokens are the answer's own.
pub fn of_own_list(answer: impl Fn(&Request, Answer) -> Answer + Send + Sync + 'static) -> Double {
    let repository = Repository::new(1, 1);
    Double::new(move |request| match request.is_list() {
        false => repository.answer(request),
        true => {
            let first = Request {
                arguments: vec![("verb".into(), "ListRecords".into())],
                ..request.clone()
            };
            answer(request, repository.answer(&first))
        }
    })
}

#[track_caller]
pub fn expect(found: &Harvested, status: i32, count: usize, codes: &[(&str, u64)]) {
    let codes: Vec<_> = codes.iter().map(|(code, count)| ((*code).to_owned(), *count)).collect();
    let numbers: Vec<usize> = (1..=count).collect();
    let stderr = &found.stderr;
    assert_eq!((found.status, found.numbers()), (status, numbers), "{stderr}");
    assert_eq!(found.codes().into_iter().collect::<Vec<_>>(), codes, "{stderr}");
}

fn title(found: &Harvested, at: usize) -> String {
    let metadata = found.records[at]["metadata"].as_str().unwrap();
    let inside = metadata.split_once("<dc:title>").unwrap().1;
    inside.split_once("</dc:title>").unwrap().0.to_owned()
}

#[test]
fn a_whole_list_comes_whole() {
    let found = harvest(&of_list(3, 10, |_, answer| answer), &[]);
    expect(&found, 0, 3, &[]);
    assert_eq!(found.report["complete"], true);
    assert_eq!(found.report["next_from"], "2026-01-31T23:59:59Z");
    let found = harvest(&of_list(10, 3, |_, answer| answer), &[]);
    expect(&found, 0, 10, &[]);
    assert_eq!(found.report["windows"][0]["complete_list_size"], 10);
    assert_eq!(found.report["pages"], 4);
    assert_eq!(found.records[9]["set_specs"][0], "meadow");
    let by_post = harvest(
        &of_list(5, 2, |request, answer| {
            if request.method == "POST" { answer } else { Answer::status(405, "POST only") }
        }),
        &["--post"],
    );
    assert_eq!(by_post.status, 0, "{}", by_post.stderr);
    assert_eq!(by_post.records.len(), 5);
}

#[test]
fn tombstones_headers_and_single_records_come_too() {
    let mut repository = Repository::new(3, 2);
    repository.records[2].deleted = true;
    let double = changed(repository, |_, answer| answer);
    let found = harvest(&double, &[]);
    expect(&found, 0, 3, &[]);
    assert_eq!(found.records[2]["deleted"], true);
    assert!(found.records[2].get("metadata").is_none());
    let folder = Folder::new();
    let run = |verb: &str, options: &[&str]| {
        let mut command = crate::support::windrow();
        command.args(["harvest", verb, &double.url()]).args(options);
        let output = command.current_dir(folder.path("")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(run("identifiers", &[]).lines().count(), 3);
    assert!(run("get", &["oai:meadow.example:2"]).contains("Hay 2"));
    assert!(run("identify", &[]).contains("deletedRecord: persistent\n"));
    assert!(run("identify", &["--json"]).contains("\"granularity\":\"YYYY-MM-DDThh:mm:ssZ\""));
    assert!(run("formats", &[]).contains("oai_dc"));
    assert_eq!(run("sets", &["--json"]), "");
}

#[test]
fn errors_of_oai_pmh_count_with_any_status() {
    for status in [404, 422, 500, 502] {
        let nothing = move |_: &Request, _| Answer { status, ..error("noRecordsMatch", "Nothing") };
        expect(&harvest(&of_list(3, 3, nothing), &[]), 0, 0, &[("oai.status", 1)]);
    }
    let refused = |_: &Request, _| error("cannotDisseminateFormat", "No such format");
    let found = harvest(&of_list(3, 3, refused), &[]);
    assert_eq!(found.status, 2);
    assert!(found.stderr.contains("cannotDisseminateFormat: No such format"), "{}", found.stderr);
}

#[test]
fn what_is_wrong_in_a_record_is_mended_and_counted() {
    let found = harvest(&odd_title("Kühe\u{3}Heu"), &[]);
    expect(&found, 0, 3, &[("oai.control_character", 1)]);
    assert_eq!(title(&found, 1), "Kühe Heu");
    let found = harvest(&odd_title("Kühe&#x3;Heu"), &[]);
    expect(&found, 0, 3, &[("oai.control_character", 1)]);
    assert_eq!(title(&found, 1), "Kühe Heu");
    let found = harvest(&odd_title("Kühe&nbsp;und Heu"), &[]);
    expect(&found, 0, 3, &[("xml.entity", 1)]);
    assert_eq!(title(&found, 1), "Kühe\u{A0}und Heu");
    let found = harvest(&odd_title("Kühe & Heu"), &[]);
    expect(&found, 0, 3, &[("xml.ampersand", 1)]);
    assert_eq!(title(&found, 1), "Kühe &amp; Heu");
    let latin = of_list(3, 10, |_, answer| {
        let body = answer.replace("Hay 2", "H?y 2").body;
        let at = body.windows(5).position(|bytes| bytes == b"H?y 2").unwrap();
        let mut body = body;
        body[at + 1] = 0xE4;
        Answer::xml(body)
    });
    let found = harvest(&latin, &[]);
    expect(&found, 0, 3, &[("xml.utf8", 1)]);
    assert_eq!(title(&found, 1), "Häy 2");
    // Whoever wants no guesses gets none, and whoever wants no oddities.
    let found = harvest(&odd_title("Kühe&nbsp;und Heu"), &["--policy", "tolerant"]);
    assert_eq!((found.status, found.numbers()), (1, vec![1, 3]), "{}", found.stderr);
    let found = harvest(&odd_title("Kühe & Heu"), &["--policy", "strict"]);
    assert_eq!((found.status, found.numbers()), (1, vec![1, 3]), "{}", found.stderr);
}

#[test]
fn namespaces_and_junk_around_the_document_cost_nothing() {
    let prefixed = |_: &Request, answer: Answer| {
        let names = [
            "OAI-PMH",
            "responseDate",
            "request",
            "ListRecords",
            "record",
            "header",
            "identifier",
            "datestamp",
            "setSpec",
            "metadata",
            "resumptionToken",
        ];
        let mut text = answer.text().replace("<OAI-PMH xmlns=", "<OAI-PMH xmlns:o=");
        for name in names {
            for end in [">", " ", "/"] {
                text = text.replace(&format!("<{name}{end}"), &format!("<o:{name}{end}"));
            }
            text = text.replace(&format!("</{name}>"), &format!("</o:{name}>"));
        }
        Answer::xml(text)
    };
    expect(&harvest(&of_list(5, 3, prefixed), &[]), 0, 5, &[]);
    let none = |_: &Request, answer: Answer| {
        answer.replace(" xmlns=\"http://www.openarchives.org/OAI/2.0/\"", "")
    };
    expect(&harvest(&of_list(3, 3, none), &[]), 0, 3, &[("oai.namespace", 1)]);
    let trailing = |_: &Request, answer: Answer| {
        Answer::xml(answer.text() + "\n<br />\n<b>Warning</b>: Cannot modify header")
    };
    expect(&harvest(&of_list(3, 3, trailing), &[]), 0, 3, &[("oai.junk_behind", 1)]);
    let leading = |_: &Request, answer: Answer| Answer::xml("\n\n  ".to_owned() + &answer.text());
    expect(&harvest(&of_list(3, 3, leading), &[]), 0, 3, &[]);
    let notice =
        |_: &Request, answer: Answer| Answer::xml("Notice: x\n".to_owned() + &answer.text());
    expect(&harvest(&of_list(3, 3, notice), &[]), 0, 3, &[("oai.junk_before", 1)]);
    let bom = |_: &Request, answer: Answer| Answer::xml("\u{FEFF}".to_owned() + &answer.text());
    expect(&harvest(&of_list(3, 3, bom), &[]), 0, 3, &[]);
    let kind = |_: &Request, mut answer: Answer| {
        answer.headers = vec![("Content-Type", "text/html; charset=iso-8859-1".to_owned())];
        answer
    };
    expect(&harvest(&of_list(3, 3, kind), &[]), 0, 3, &[]);
}

#[test]
fn a_failing_server_is_asked_again() {
    let wait = |status: u16, after: &'static str| {
        once("ListRecords", move || Answer::status(status, "Busy").header("Retry-After", after))
    };
    expect(&harvest(&wait(503, "0"), &[]), 0, 3, &[]);
    expect(&harvest(&wait(503, "Wed, 21 Oct 2015 07:28:00 GMT"), &[]), 0, 3, &[]);
    expect(&harvest(&wait(429, "1"), &[]), 0, 3, &[]);
    for status in [500, 502, 503, 504, 408] {
        let found = harvest(&once("ListRecords", move || Answer::status(status, "Down")), &[]);
        expect(&found, 0, 3, &[]);
        assert_eq!(found.report["retries"], 1);
    }
    let html = harvest(&once("ListRecords", || Answer::status(200, "Maintenance")), &[]);
    expect(&html, 0, 3, &[]);
    let always = |_: &Request, _| Answer::status(200, "Log in");
    let found = harvest(&of_list(3, 3, always), &[]);
    assert_eq!((found.status, found.records.len()), (2, 0));
    assert!(found.stderr.contains("web page titled \"Log in\""), "{}", found.stderr);
    let later = |_: &Request, _| Answer::status(503, "Night").header("Retry-After", "86400");
    let found = harvest(&of_list(3, 3, later), &[]);
    assert_eq!(found.status, 75, "{}", found.stderr);
    assert!(found.stderr.contains("come back in 86400 seconds"), "{}", found.stderr);
    let gone = harvest(&of_list(3, 3, |_, _| Answer::status(404, "Not here")), &[]);
    assert_eq!(gone.status, 2);
    assert!(gone.stderr.contains("HTTP 404"), "{}", gone.stderr);
    let url = of_list(1, 1, |_, answer| answer).url();
    let folder = Folder::new();
    let output = command(&folder, "records", &url, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_wait_that_is_asked_for_is_kept() {
    let begun = Instant::now();
    let double = once("Identify", || Answer::status(503, "Busy").header("Retry-After", "1"));
    expect(&harvest(&double, &[]), 0, 3, &[]);
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[test]
fn redirects_are_followed_with_all_arguments() {
    for (status, options) in [(302, &[][..]), (301, &[]), (307, &["--post"]), (302, &["--post"])] {
        let double = changed(Repository::new(5, 2), move |request, answer| {
            if request.path == "/new" {
                return answer;
            }
            Answer::status(status, "Moved").header("Location", "/new")
        });
        expect(&harvest(&double, options), 0, 5, &[]);
    }
    let circle = of_list(3, 3, |_, _| Answer::status(302, "Moved").header("Location", "/oai"));
    let found = harvest(&circle, &[]);
    assert_eq!(found.status, 2);
    assert!(found.stderr.contains("more than 8 redirects"), "{}", found.stderr);
}

#[test]
fn packed_answers_are_unpacked_announced_or_not() {
    let gzip = |body: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    };
    let silent = move |_: &Request, answer: Answer| Answer::xml(gzip(&answer.body));
    expect(&harvest(&of_list(3, 3, silent), &[]), 0, 3, &[("http.encoding", 1)]);
    let said = move |_: &Request, answer: Answer| {
        Answer::xml(gzip(&answer.body)).header("Content-Encoding", "gzip")
    };
    expect(&harvest(&of_list(5, 3, said), &[]), 0, 5, &[]);
    let cut = move |request: &Request, answer: Answer| {
        let mut packed = gzip(&answer.body);
        if request.before == 0 {
            packed.truncate(packed.len() - 20);
        }
        Answer::xml(packed).header("Content-Encoding", "gzip")
    };
    let found = harvest(&of_list(3, 3, cut), &[]);
    assert_eq!((found.status, found.numbers().len()), (0, 3), "{}", found.stderr);
}

#[test]
fn an_answer_that_breaks_off_is_asked_for_again_and_then_for_less() {
    let short =
        |_: &Request, answer: Answer| Answer { announced: Some(answer.body.len() + 100), ..answer };
    let found = harvest(&of_list(3, 3, short), &[]);
    expect(&found, 0, 3, &[("http.length", 1)]);
    let half = |request: &Request, answer: Answer| match request.before {
        0 => Answer {
            announced: Some(answer.body.len()),
            body: answer.body[..700].to_vec(),
            ..answer
        },
        _ => answer,
    };
    expect(&harvest(&of_list(3, 3, half), &[]), 0, 3, &[]);
    // Record 4 makes the server break off, always: all others are had.
    let poisoned = |_: &Request, answer: Answer| match answer.text().find("<dc:title>Hay 4<") {
        Some(at) => {
            Answer { announced: Some(at + 12), body: answer.body[..at + 12].to_vec(), ..answer }
        }
        None => answer,
    };
    let double = changed(Repository::new(6, 3), poisoned);
    let found = harvest(&double, &["--retries", "1"]);
    assert_eq!((found.status, found.numbers()), (2, vec![1, 2, 3, 5, 6]), "{}", found.stderr);
    // With GetRecord it is had after all, and the window is still one that was never whole.
    let found = harvest(&of_list(6, 3, poisoned), &["--retries", "1"]);
    assert_eq!((found.status, found.numbers().len()), (2, 6), "{}", found.stderr);
    let open: Vec<_> = found.report["windows"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|window| window["standing"] == "open")
        .collect();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0]["from"], open[0]["until"]);
}

#[test]
fn a_connection_that_does_not_come_is_not_waited_for() {
    // Somebody listens, and TLS never begins.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/oai", mute.local_addr().unwrap());
    let folder = Folder::new();
    let limits = ["--connect-timeout", "0.2", "--timeout", "60", "--retries", "1"];
    let begun = Instant::now();
    let output = command(&folder, "records", &url, &limits).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("no connection within 0.2 seconds"), "{stderr}");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[test]
fn endless_and_slow_answers_are_not_waited_for() {
    let slow = |request: &Request, mut answer: Answer| {
        answer.pause = (request.before == 0).then_some(Duration::from_secs(2));
        answer
    };
    let found = harvest(&of_list(3, 3, slow), &[]);
    expect(&found, 0, 3, &[]);
    assert_eq!(found.report["retries"], 1);
    let late = |request: &Request, answer: Answer| {
        std::thread::sleep(Duration::from_millis(if request.before == 0 { 2500 } else { 0 }));
        answer
    };
    let found = harvest(&of_list(3, 3, late), &["--timeout", "1.2"]);
    expect(&found, 0, 3, &[]);
    assert_eq!(found.report["retries"], 1);
    // It never rests for long, and never ends.
    let endless = ["--idle-timeout", "5", "--whole-timeout", "1.2", "--retries", "1"];
    let found = harvest(&of_list(3, 3, slow), &endless);
    expect(&found, 0, 3, &[]);
    assert_eq!(found.report["retries"], 1);
    let large = harvest(&of_list(60, 30, |_, answer| answer), &["--max-bytes", "9000"]);
    // The pages of 30 are too large, those of narrower windows are not.
    expect(&large, 0, 60, &[]);
}

#[test]
fn a_broken_record_is_had_alone_or_named() {
    let in_list =
        |_: &Request, answer: Answer| answer.replace("Hay 2</dc:title>", "Hay 2</dc:oops>");
    expect(&harvest(&of_list(3, 3, in_list), &[]), 0, 3, &[("oai.alone", 1)]);
    let always = changed(Repository::new(3, 3), |request, answer| {
        match request.is_list() || request.is("GetRecord") {
            true if answer.text().contains("Hay 2") => {
                answer.replace("Hay 2</dc:title>", "Hay 2</dc:oops>")
            }
            _ => answer,
        }
    });
    let found = harvest(&always, &[]);
    assert_eq!((found.status, found.numbers()), (1, vec![1, 3]), "{}", found.stderr);
    assert_eq!(found.report["broken_records"][0]["identifier"], "oai:meadow.example:2");
    assert_eq!(found.report["broken_records"][0]["code"], "xml.syntax");
    let bare = |_: &Request, answer: Answer| {
        let text = answer.text();
        let (before, rest) = text.split_once("<metadata>").unwrap();
        Answer::xml(before.to_owned() + rest.split_once("</metadata>").unwrap().1)
    };
    let found = harvest(&of_list(3, 3, bare), &[]);
    expect(&found, 0, 3, &[("oai.no_metadata", 1)]);
}

#[test]
fn dates_are_asked_for_as_the_endpoint_takes_them() {
    let days = |request: &Request, answer: Answer| match request.argument("from") {
        Some(from) if from.len() > 10 => error("badArgument", "Granularity is days"),
        _ => answer,
    };
    let found = harvest(&of_list(3, 3, days), &["--from", "2026-01-01"]);
    assert_eq!((found.status, found.numbers()), (0, vec![1, 2, 3]), "{}", found.stderr);
    assert_eq!(found.codes()["oai.granularity"], 1);
    let mut repository = Repository::new(30, 10);
    repository.granularity = "YYYY-MM-DD";
    let double = changed(repository, |_, answer| answer);
    let found = harvest(&double, &["--from", "2026-01-02T01:00:00Z", "--until", "2026-01-02"]);
    assert_eq!((found.status, found.numbers()), (0, (24..=30).collect()), "{}", found.stderr);
    let list = double.requests().into_iter().find(Request::is_list).unwrap();
    assert_eq!(list.argument("from"), Some("2026-01-02"));
    assert_eq!(list.argument("until"), Some("2026-01-02"));
    let local = |_: &Request, answer: Answer| {
        answer.replace("2026-02-01T00:00:00Z", "2026-02-01T01:00:00+01:00")
    };
    let found = harvest(&of_list(3, 3, local), &[]);
    expect(&found, 0, 3, &[("oai.response_date", 1)]);
    assert_eq!(found.report["next_from"], "2026-01-31T23:59:59Z");
    let future = changed(Repository::new(3, 3), |request, answer| match request.is("Identify") {
        true => answer.replace("<earliestDatestamp>2026", "<earliestDatestamp>2126"),
        false => answer,
    });
    expect(&harvest(&future, &[]), 0, 3, &[("oai.earliest", 1)]);
    let silent = changed(Repository::new(3, 3), |request, answer| match request.is("Identify") {
        true => Answer::status(404, "No Identify"),
        false => answer,
    });
    let found = harvest(&silent, &[]);
    assert_eq!((found.status, found.numbers()), (0, vec![1, 2, 3]), "{}", found.stderr);
}

#[test]
fn document_type_declarations_are_refused() {
    let entity = |_: &Request, answer: Answer| {
        let text = answer.text().replacen(
            "?>",
            "?><!DOCTYPE o [<!ENTITY e SYSTEM \"file:///etc/hostname\">]>",
            1,
        );
        Answer::xml(text.replace("Hay 2", "&e;"))
    };
    let found = harvest(&of_list(3, 3, entity), &[]);
    assert_eq!((found.status, found.records.len()), (2, 0));
    assert!(found.stderr.contains("document type declaration"), "{}", found.stderr);
}

#[test]
fn who_asks_is_said_and_secrets_are_not() {
    let double = of_list(1, 1, |request, answer| match request.header("authorization") {
        Some("Basic cmFrZTpzZWNyZXQ=") => answer,
        _ => Answer::status(401, "Who?"),
    });
    let folder = Folder::new();
    let options = ["--user", "rake", "--contact", "rake@hay.example", "--header", "X-Key: k3y"];
    let mut command = command(&folder, "records", &double.url(), &options);
    let output =
        command.env("WINDROW_PASSWORD", "secret").env("WINDROW_LOG", "trace").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stderr).into_owned()
        + &std::fs::read_to_string(folder.path("report.json")).unwrap();
    assert!(!said.contains("secret") && !said.contains("k3y"), "{said}");
    let list = double.requests().into_iter().find(Request::is_list).unwrap();
    assert_eq!(list.header("from"), Some("rake@hay.example"));
    assert_eq!(list.header("x-key"), Some("k3y"));
    assert!(list.header("user-agent").unwrap().starts_with("windrow/"));
    let found = harvest(&double, &[]);
    assert!(found.stderr.contains("HTTP 401"), "{}", found.stderr);
}

#[test]
fn credentials_stay_with_the_host_that_was_named() {
    let other = of_list(3, 3, |_, answer| answer);
    let target = other.url().replace("127.0.0.1", "localhost");
    let double =
        Double::new(move |_| Answer::status(302, "Moved").header("Location", target.as_str()));
    let folder = Folder::new();
    let options = ["--user", "rake", "--header", "X-Key: k3y"];
    let mut command = command(&folder, "records", &double.url(), &options);
    let output = command.env("WINDROW_PASSWORD", "secret").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let is_secret = |request: &Request| {
        request.header("authorization").is_some() || request.header("x-key").is_some()
    };
    assert!(double.requests().iter().all(is_secret));
    assert!(!other.requests().is_empty() && !other.requests().iter().any(is_secret));
}
