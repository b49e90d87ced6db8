//! A harvest with a journal: killed at any moment it goes on, and the next one takes what is new.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::double::{Double, Request};
use super::repository::{Kept, Repository};
use super::{changed, command};
use crate::support::{Folder, windrow};

fn replay(folder: &Folder, options: &[&str]) -> Vec<Value> {
    let output = windrow()
        .args(["harvest", "replay"])
        .arg(folder.path("journal"))
        .args(options)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn identifiers(records: &[Value]) -> Vec<String> {
    records.iter().map(|record| record["identifier"].as_str().unwrap().to_owned()).collect()
}

fn into_journal(folder: &Folder, double: &Double) -> Command {
    let mut command = command(folder, "records", &double.url(), &[]);
    command.arg("--journal").arg(folder.path("journal"));
    command
}

#[test]
fn a_killed_harvest_goes_on_and_loses_and_doubles_nothing() {
    for round in 0..8 {
        let double = changed(Repository::new(300, 5), |request, mut answer| {
            if request.is_list() {
                // The whole takes longer than all who are killed live: none is killed when it is
                // through.
                answer.pause = Some(Duration::from_millis(12));
            }
            answer
        });
        let folder = Folder::new();
        let mut kills = 0;
        let ended = loop {
            let mut child = into_journal(&folder, &double).stderr(Stdio::null()).spawn().unwrap();
            if kills < 3 {
                std::thread::sleep(Duration::from_millis(60 + round * 17 + kills * 31));
                child.kill().unwrap();
            }
            let status = child.wait().unwrap();
            if status.code().is_some() {
                break status;
            }
            kills += 1;
        };
        assert!(ended.success());
        let all = identifiers(&replay(&folder, &[]));
        let unique: BTreeSet<_> = all.iter().collect();
        assert_eq!((all.len(), unique.len()), (300, 300), "round {round}, {kills} kills");
        // Pages that were journaled were not asked for again, but for the one that was under way.
        let lists = double.requests().iter().filter(|request| request.is_list()).count();
        assert!(lists <= 60 + kills as usize, "{lists} requests after {kills} kills");
    }
}

#[test]
fn the_next_harvest_takes_what_is_new_and_what_is_gone() {
    let repository = Arc::new(Mutex::new(Repository::new(10, 4)));
    let kept = Arc::clone(&repository);
    let double = Double::new(move |request| kept.lock().unwrap().answer(request));
    let folder = Folder::new();
    let run = || assert!(into_journal(&folder, &double).output().unwrap().status.success());
    run();
    assert_eq!(replay(&folder, &[]).len(), 10);
    {
        let mut repository = repository.lock().unwrap();
        // The endpoint's clock stands at its responseDate.
        let now = 1_769_904_000;
        repository.records.push(Kept {
            number: 11,
            stamp: now,
            deleted: false,
            title: "New".into(),
        });
        repository.records[2] =
            Kept { number: 3, stamp: now + 5, deleted: true, title: String::new() };
    }
    run();
    let from = |request: &Request| request.argument("from").map(str::to_owned);
    let lists: Vec<_> = double.requests().into_iter().filter(Request::is_list).collect();
    assert_eq!(from(&lists[0]), None);
    // One granule before the responseDate of the run before.
    assert_eq!(from(lists.last().unwrap()).as_deref(), Some("2026-01-31T23:59:59Z"));
    let second = replay(&folder, &["--run", "2"]);
    assert_eq!(identifiers(&second), ["oai:meadow.example:3", "oai:meadow.example:11"]);
    assert_eq!(second[0]["deleted"], true);
    run();
    assert_eq!(replay(&folder, &["--run", "3"]).len(), 2);
    let journal = folder.path("journal");
    let other = command(&folder, "records", "http://straw.example/oai", &[])
        .arg("--journal")
        .arg(&journal)
        .output()
        .unwrap();
    assert_eq!(other.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&other.stderr).contains("it is of http://127.0.0.1"));
}

#[test]
fn what_could_not_be_had_is_asked_for_again_the_next_time() {
    let broken = Arc::new(Mutex::new(true));
    let is_broken = Arc::clone(&broken);
    let double = changed(Repository::new(6, 3), move |_, answer| {
        match answer.text().find("<dc:title>Hay 4<") {
            Some(at) if *is_broken.lock().unwrap() => {
                super::Answer { announced: Some(at), body: answer.body[..at].to_vec(), ..answer }
            }
            _ => answer,
        }
    });
    let folder = Folder::new();
    let run = || into_journal(&folder, &double).output().unwrap();
    assert_eq!(run().status.code(), Some(2));
    let first: BTreeSet<_> = identifiers(&replay(&folder, &[])).into_iter().collect();
    assert_eq!(first.len(), 5);
    *broken.lock().unwrap() = false;
    let output = run();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(identifiers(&replay(&folder, &["--run", "2"])), ["oai:meadow.example:4"]);
}

#[test]
fn a_short_list_is_short_also_for_who_goes_on_with_it() {
    let double = changed(Repository::new(6, 2), |request, answer| {
        match request.argument("resumptionToken") {
            None => answer,
            Some(_) => {
                let text = answer.text();
                let (head, rest) = text.split_once("<resumptionToken").unwrap();
                let end = rest.find("</ListRecords>").unwrap();
                super::Answer::xml(head.to_owned() + rest.split_at(end).1)
            }
        }
    });
    let folder = Folder::new();
    let run = || into_journal(&folder, &double).output().unwrap();
    assert_eq!(run().status.code(), Some(2));
    // As if it had been killed behind the last page, before it noted how the window ended.
    let path = folder.path("journal").join("state.json");
    let state = std::fs::read_to_string(&path).unwrap();
    assert!(state.contains("\"running\": false"), "{state}");
    std::fs::write(&path, state.replace("\"running\": false", "\"running\": true")).unwrap();
    let output = run();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("4 records came, completeListSize is 6"), "{stderr}");
}

#[test]
fn a_record_that_was_had_alone_is_in_the_journal() {
    let double = changed(Repository::new(3, 3), |request, answer| match request.is_list() {
        true => answer.replace("Hay 2</dc:title>", "Hay 2</dc:oops>"),
        false => answer,
    });
    let folder = Folder::new();
    assert!(into_journal(&folder, &double).output().unwrap().status.success());
    let records = replay(&folder, &[]);
    assert_eq!(records.len(), 3);
    assert!(records[1]["metadata"].as_str().unwrap().contains("Hay 2"));
    let identifiers = command(&folder, "identifiers", &double.url(), &["--journal", "x"]);
    assert_eq!({ identifiers }.output().unwrap().status.code(), Some(64));
}
