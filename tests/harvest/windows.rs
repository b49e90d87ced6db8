//! Windows side by side, a host that wants to be left alone, and windows that only sets make small.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::double::{Answer, Double, Request};
use super::repository::{Repository, error};
use super::{changed, command, harvest};
use crate::support::{Folder, windrow};

/// How many requests were under way at once, at most.
#[derive(Default)]
pub struct AtOnce {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl AtOnce {
    /// A request that takes its time.
    pub fn pass(&self) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(10));
        self.now.fetch_sub(1, Ordering::SeqCst);
    }

    /// The same, counted twice.
    pub fn pass_with(&self, other: &AtOnce) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        other.pass();
        self.now.fetch_sub(1, Ordering::SeqCst);
    }

    pub fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

/// One record a day.
fn spread(count: usize, page: usize) -> Repository {
    let mut repository = Repository::new(count, page);
    for kept in &mut repository.records {
        kept.stamp = 1_767_225_600 + 86_400 * kept.number as i64;
    }
    repository
}

#[test]
fn windows_are_asked_for_side_by_side_and_nothing_is_lost() {
    let at_once = Arc::new(AtOnce::default());
    let counted = Arc::clone(&at_once);
    let double = changed(spread(300, 10), move |_, answer| {
        counted.pass();
        answer
    });
    let found = harvest(&double, &["--windows", "3"]);
    assert_eq!((found.status, found.numbers()), (0, (1..=300).collect()), "{}", found.stderr);
    assert_eq!(at_once.most(), 3);
    let windows = found.report["windows"].as_array().unwrap();
    assert_eq!(windows.len(), 12);
    assert!(windows.iter().all(|window| window["standing"] == "complete"), "{windows:?}");
    assert_eq!((&windows[0]["from"], &windows[11]["until"]), (&().into(), &().into()));
    assert_eq!((&found.report["duplicates"], &found.report["records"]), (&0.into(), &300.into()));
}

#[test]
fn a_harvest_of_several_windows_is_killed_and_goes_on() {
    for round in 0..5 {
        let double = changed(spread(300, 5), |request, mut answer| {
            if request.is_list() {
                // The whole takes longer than all who are killed live: none is killed when it is
                // through, so that the next would begin another harvest.
                answer.pause = Some(Duration::from_millis(40));
            }
            answer
        });
        let folder = Folder::new();
        let journal = folder.path("journal");
        let mut kills = 0;
        loop {
            let mut command = command(&folder, "records", &double.url(), &["--windows", "4"]);
            command.arg("--journal").arg(&journal).stderr(Stdio::null());
            let mut child = command.spawn().unwrap();
            if kills < 3 {
                std::thread::sleep(Duration::from_millis(50 + round * 19 + kills * 23));
                child.kill().unwrap();
            }
            match child.wait().unwrap().code() {
                Some(status) => break assert_eq!(status, 0),
                None => kills += 1,
            }
        }
        let output = windrow().args(["harvest", "replay"]).arg(&journal).output().unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        let unique: BTreeSet<&str> = lines.lines().collect();
        assert_eq!((lines.lines().count(), unique.len()), (300, 300), "round {round}");
        // Only what was under way is asked for again.
        let lists = double.requests().iter().filter(|request| request.is_list()).count();
        let pages = 60 + 16;
        assert!(lists <= pages + 4 * kills as usize, "{lists} requests after {kills} kills");
    }
}

#[test]
fn who_asks_to_be_left_alone_is_left_alone_by_all_windows() {
    let came: Arc<Mutex<Vec<(Instant, bool)>>> = Arc::default();
    let log = Arc::clone(&came);
    let double = changed(spread(300, 10), move |request, answer| {
        std::thread::sleep(Duration::from_millis(20));
        let mut log = log.lock().unwrap();
        let is_list = request.is_list();
        let refused = is_list && log.iter().filter(|(_, refused)| *refused).count() == 0;
        if is_list {
            log.push((Instant::now(), refused));
        }
        match refused {
            true => Answer::status(503, "Busy").header("Retry-After", "1"),
            false => answer,
        }
    });
    let found = harvest(&double, &["--windows", "4"]);
    assert_eq!((found.status, found.numbers()), (0, (1..=300).collect()), "{}", found.stderr);
    let came = came.lock().unwrap();
    let closed = came.iter().find(|(_, refused)| *refused).unwrap().0;
    let later = came.iter().filter(|(time, _)| *time > closed).map(|(time, _)| *time - closed);
    let later: Vec<Duration> = later.collect();
    // What was under way comes to its end; nothing else until the second is over.
    let early = later.iter().filter(|time| **time < Duration::from_millis(950)).count();
    assert!(early <= 6, "{later:?}");
    assert!(later.iter().filter(|time| **time < Duration::from_millis(400)).count() == early);
    // Then one comes alone.
    let opened: Vec<&Duration> = later.iter().skip(early).collect();
    assert!(*opened[1] - *opened[0] >= Duration::from_millis(18), "{opened:?}");
}

/// Thirty records of one day.
fn one_day(sets_of: fn(usize) -> &'static [&'static str]) -> Repository {
    let mut repository = Repository::new(30, 10);
    for kept in &mut repository.records {
        kept.stamp = 1_767_225_600 + 10 * 86_400;
    }
    Repository { granularity: "YYYY-MM-DD", sets_of, lists_sets: true, ..repository }
}

fn sets_of(number: usize) -> &'static [&'static str] {
    match number {
        30 => &[],
        number if number % 3 == 0 => &["a", "a:b", "c"],
        number if number % 3 == 1 => &["a"],
        _ => &["c"],
    }
}

fn without_set(request: &Request) -> bool {
    request.argument("set").is_none()
        && request.argument("resumptionToken").is_none_or(|token| token.contains(",0+"))
}

fn too_many(repository: Repository, refused: &'static [&'static str]) -> Double {
    changed(repository, move |request, answer| {
        let is_refused = refused.iter().any(|verb| request.is(verb));
        match is_refused && without_set(request) && answer.text().contains("<header>") {
            true => error("badArgument", "Too many results"),
            false => answer,
        }
    })
}

#[test]
fn a_day_that_is_too_much_is_asked_for_set_by_set_and_what_no_set_has_alone() {
    let double = too_many(one_day(sets_of), &["ListRecords"]);
    let found = harvest(&double, &[]);
    assert_eq!((found.status, found.numbers()), (0, (1..=30).collect()), "{}", found.stderr);
    assert_eq!(found.codes(), [("oai.no_set".to_owned(), 1)].into());
    assert_eq!(found.report["duplicates"], 9);
    let requests = double.requests();
    let alone = requests.iter().filter(|request| request.is("GetRecord"));
    let alone: Vec<_> = alone.filter_map(|request| request.argument("identifier")).collect();
    assert_eq!(alone, ["oai:meadow.example:30"]);
    let sets = requests.iter().filter_map(|request| request.argument("set"));
    assert_eq!(BTreeSet::from_iter(sets), ["a", "c"].into());
}

#[test]
fn a_window_whose_sets_prove_nothing_stays_open() {
    let double = too_many(one_day(sets_of), &["ListRecords", "ListIdentifiers"]);
    let found = harvest(&double, &[]);
    assert_eq!((found.status, found.numbers()), (2, (1..=29).collect()), "{}", found.stderr);
    assert!(found.stderr.contains("records in no set may be missing"), "{}", found.stderr);
    // Without sets there is nothing to be done.
    let double = too_many(Repository { lists_sets: false, ..one_day(sets_of) }, &["ListRecords"]);
    let found = harvest(&double, &[]);
    assert_eq!((found.status, found.numbers().len()), (2, 0), "{}", found.stderr);
    assert!(found.stderr.contains("Too many results"), "{}", found.stderr);
}

#[test]
fn a_size_that_the_endpoint_told_is_proof_enough() {
    let all = |number: usize| -> &'static [&'static str] {
        if number.is_multiple_of(2) { &["a"] } else { &["c"] }
    };
    // Tokens of the list without a set are dead; those of sets are alive.
    let double = changed(one_day(all), |request, answer| {
        match request.argument("resumptionToken").is_some() && without_set(request) {
            true => error("badResumptionToken", "Expired"),
            false => answer,
        }
    });
    let found = harvest(&double, &[]);
    assert_eq!((found.status, found.numbers()), (0, (1..=30).collect()), "{}", found.stderr);
    assert!(!double.requests().iter().any(|request| request.is("ListIdentifiers")));
}

#[test]
fn a_window_that_is_split_by_set_is_killed_and_goes_on() {
    for round in 0..4 {
        let double = too_many(one_day(sets_of), &["ListRecords"]);
        let folder = Folder::new();
        let journal = folder.path("journal");
        let mut kills = 0;
        loop {
            let mut command = command(&folder, "records", &double.url(), &["--pause", "0.05"]);
            command.arg("--journal").arg(&journal).stderr(Stdio::null());
            let mut child = command.spawn().unwrap();
            if kills < 2 {
                std::thread::sleep(Duration::from_millis(700 + round * 110 + kills * 130));
                child.kill().unwrap();
            }
            match child.wait().unwrap().code() {
                Some(status) => break assert_eq!(status, 0),
                None => kills += 1,
            }
        }
        let output = windrow().args(["harvest", "replay"]).arg(&journal).output().unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        let unique: BTreeSet<&str> = lines.lines().collect();
        assert_eq!((lines.lines().count(), unique.len()), (30, 30), "round {round}, {kills} kills");
    }
}
