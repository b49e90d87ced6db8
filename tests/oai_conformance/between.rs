//! One windrow harvests another through a proxy that spoils many of the answers.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::endpoint_on_stores::Server;
use crate::harvest::double::{Answer, Double, Request};
use crate::support::{Folder, end, project};

use super::http;
use super::site::{NOW, record, records};

/// Asks the server behind it and hands on what came, or something worse. What is asked a third time
/// comes as it is.
fn proxy(address: String, seed: usize) -> Double {
    let number = AtomicUsize::new(seed);
    Double::new(move |request: &Request| {
        let pairs = request.arguments.iter();
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let answer = Answer::xml(http::get(&address, &query, "").body);
        if request.before % 3 == 2 {
            return answer;
        }
        spoiled(answer, number.fetch_add(7, Ordering::Relaxed) % 11)
    })
}

fn spoiled(mut answer: Answer, how: usize) -> Answer {
    let half = answer.body.len() / 2;
    match how {
        0 => Answer::status(503, "Overloaded").header("Retry-After", "0"),
        1 => Answer::status(500, "Oops"),
        2 => Answer::status(429, "Too many"),
        3 => Answer::status(200, "Please log in"),
        4 => {
            // The connection ends in mid-answer.
            answer.announced = Some(answer.body.len());
            answer.body.truncate(half);
            answer
        }
        5 => {
            answer.body.truncate(half);
            answer
        }
        6 => Answer::xml([b"<br/>Notice: undefined index\n".as_slice(), &answer.body].concat()),
        7 => {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(&answer.body).unwrap();
            Answer::xml(gzip.finish().unwrap())
        }
        8 => Answer::xml(Vec::new()),
        _ => answer,
    }
}

/// Title by identifier of what lives, and the identifiers of tombstones with no title.
fn held(folder: &Folder, start: &str) -> BTreeMap<String, String> {
    let text = folder.text(
        "select group_concat(o.pid_value || '=' || coalesce(json_extract(m.json, \
         '$.metadata.title'), ''), char(10)) from windrow_oai o join records_metadata m on m.id = o.id",
    );
    let pairs = text.lines().map(|line| line.trim_start_matches(start).split_once('=').unwrap());
    pairs.map(|(name, title)| (name.to_owned(), title.to_owned())).collect()
}

#[test]
fn what_a_hostile_proxy_does_is_made_good() {
    for seed in 0..3 {
        let (first, second) = (Folder::new(), Folder::new());
        let name = |n: usize| format!("row{n}");
        let lines: String = (0..90).map(|n| record(&name(n), &format!("Row {n}"), "hay")).collect();
        records(&first, "1600000000", &["create"], &lines);
        let server = Server::start(&first, 10);
        let between = proxy(server.address.clone(), seed);
        second.write(
            "pipeline.yaml",
            format!(
                "pipeline: twin\nsource:\n  type: oai-pmh\n  url: {}\n  retries: 6\n  \
                 first_wait: 0.01\n  longest_wait: 2\n  idle_timeout: 1\ncrosswalk: {}\n",
                between.url(),
                project("crosswalks/oai_dc-to-record.yaml").display()
            ),
        );
        let harvest = || {
            let ended = end(second.windrow(&["run", "pipeline.yaml"]).env("NO_PROXY", "*"));
            assert_eq!(ended.status, Some(0), "seed {seed}: {}", ended.stderr);
        };
        harvest();
        assert_eq!(held(&second, "oai:example.org:"), held(&first, ""), "seed {seed}");
        for n in (0..90).step_by(9) {
            let (changed, gone) = (name(n), name(n + 1));
            records(&first, NOW, &["update", &changed], &record(&changed, "New", "hay"));
            records(&first, NOW, &["delete", &gone], "");
        }
        harvest();
        assert_eq!(held(&second, "oai:example.org:"), held(&first, ""), "seed {seed}");
        let repeated = between.requests().iter().filter(|request| request.before > 0).count();
        assert!(repeated >= 5, "{repeated} requests repeated: little was spoilt");
    }
}
