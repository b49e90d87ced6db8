//! Pipelines that run at their times: by a clock that the test moves, in one process and in two.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::TransactionBehavior;
use windrow::pipeline::Timetable;

use super::changed;
use super::double::{Answer, Double, Request};
use super::repository::Repository;
use super::windows::AtOnce;
use crate::private_postgres::{Database, Server};
use crate::support::{Ended, Folder, Process, end, project, read, value};

/// 2026-02-01T00:00:00Z
const MIDNIGHT: i64 = 1_769_904_000;
const DAY: i64 = 86_400;

fn pipeline(folder: &Folder, name: &str, url: &str, keys: &str) {
    std::fs::create_dir_all(folder.path("endpoints")).unwrap();
    let crosswalk = project("crosswalks/oai_dc-to-record.yaml");
    folder.write(
        &format!("endpoints/{name}.yaml"),
        format!(
            "pipeline: {name}\nsource: {{ type: oai-pmh, url: {url}, retries: 1, first_wait: 0.01 }}\n\
             crosswalk: {}\n{keys}",
            crosswalk.display()
        ),
    );
}

fn at(folder: &Folder, second: i64, options: &[&str]) -> Command {
    let mut command = folder.windrow(&["schedule", "endpoints"]);
    command.args(options).env("SOURCE_DATE_EPOCH", second.to_string()).env("NO_PROXY", "*");
    command
}

fn once(folder: &Folder, second: i64) -> Ended {
    end(&mut at(folder, second, &["--once"]))
}

fn lists(double: &Double) -> usize {
    double.requests().iter().filter(|request| request.is_list()).count()
}

fn slow(request: &Request, mut answer: Answer) -> Answer {
    if request.is_list() {
        answer.pause = Some(Duration::from_millis(50));
    }
    answer
}

// A process that runs for ever, once it has said or asked something.
fn started(command: &mut Command) -> Process {
    Process(command.stderr(Stdio::piped()).spawn().unwrap())
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn terminate(child: &Child) {
    send("-TERM", child);
}

fn send(signal: &str, child: &Child) {
    let killed = Command::new("kill").arg(signal).arg(child.id().to_string()).status();
    assert!(killed.unwrap().success());
}

#[test]
fn what_is_due_runs_once_however_often_it_was_missed() {
    let folder = Folder::new();
    let double = changed(Repository::new(5, 3), |_, answer| answer);
    pipeline(&folder, "meadow", &double.url(), "schedule: 0 3 * * *\ntimezone: Europe/Berlin\n");
    pipeline(&folder, "orchard", &double.url(), "schedule: '@weekly'\n");
    pipeline(&folder, "by_hand", &double.url(), "");
    let first = once(&folder, MIDNIGHT);
    assert_eq!((first.status, lists(&double)), (Some(0), 0), "{}", first.stderr);
    let early = once(&folder, MIDNIGHT + 7199);
    assert_eq!((early.status, lists(&double)), (Some(0), 0), "{}", early.stderr);
    let due = once(&folder, MIDNIGHT + 7200);
    assert_eq!(due.status, Some(0), "{}", due.stderr);
    assert!(
        due.stderr.starts_with("meadow: clean: 5 read, 5 created, 0 updated"),
        "{}",
        due.stderr
    );
    assert_eq!((due.stderr.lines().count(), lists(&double)), (1, 2));
    assert_eq!(once(&folder, MIDNIGHT + 7201).stderr, "");
    // Five nights and a week are missed: each pipeline runs once.
    let late = once(&folder, MIDNIGHT + 5 * DAY + 3 * DAY);
    // The orchard has the same identifiers, which are the meadow's already.
    assert_eq!(late.status, Some(1), "{}", late.stderr);
    let mut names: Vec<&str> =
        late.stderr.lines().map(|line| line.split_once(':').unwrap().0).collect();
    names.sort_unstable();
    assert_eq!(names, ["meadow", "orchard"]);
    let runs = end(&mut folder.windrow(&["runs", "list"])).stdout;
    assert!(
        runs.contains("2026-02-01T02:00:00Z") && runs.contains("2026-02-08T02:00:00Z"),
        "{runs}"
    );
    let shown = end(&mut folder.windrow(&["runs", "show", "1"])).stdout;
    assert!(shown.contains("scheduled: 2026-02-01T02:00:00Z"), "{shown}");
    let list = end(&mut at(&folder, MIDNIGHT + 8 * DAY, &["--list"]));
    let meadow = list.stdout.lines().find(|line| line.contains("meadow")).unwrap();
    let cells: Vec<&str> = meadow.split_whitespace().take(4).collect();
    let expected = ["meadow", "2026-02-09T03:00:00+01:00", "2026-02-09T01:00:00+01:00", "clean"];
    assert_eq!(cells, expected);
    assert!(!list.stdout.contains("by_hand"), "{}", list.stdout);
}

#[test]
fn a_list_says_what_is_due_and_makes_no_store() {
    let folder = Folder::new();
    pipeline(&folder, "meadow", "http://127.0.0.1:1/oai", "schedule: 0 3 * * *\njitter: 2 hours\n");
    let list = || end(&mut at(&folder, MIDNIGHT, &["--list"]));
    let first = list();
    assert_eq!(first.status, Some(0), "{}", first.stderr);
    let next = first.stdout.lines().nth(1).unwrap().split_whitespace().nth(1).unwrap().to_owned();
    let due = next.parse::<jiff::Timestamp>().unwrap().as_second();
    assert!(
        (3 * 3600..=5 * 3600).contains(&(due - MIDNIGHT)) && !folder.store().exists(),
        "{next}"
    );
    // Its delay is its own, and always the same.
    assert_eq!(list().stdout, first.stdout);
    assert_eq!(once(&folder, MIDNIGHT).status, Some(0));
    assert_eq!(once(&folder, due - 1).stderr, "");
    let down = once(&folder, due);
    assert_eq!(down.status, Some(2), "{}", down.stderr);
    assert!(down.stderr.contains("\nmeadow: failed: "), "{}", down.stderr);
    let list = end(&mut at(&folder, due, &["--list"])).stdout;
    assert!(list.contains("failed"), "{list}");
}

#[test]
fn a_broken_file_does_not_stop_the_others() {
    let folder = Folder::new();
    let double = changed(Repository::new(2, 3), |_, answer| answer);
    pipeline(&folder, "meadow", &double.url(), "schedule: '@daily'\n");
    pipeline(&folder, "orchard", &double.url(), "shedule: '@daily'\n");
    let first = once(&folder, MIDNIGHT);
    assert_eq!(first.status, Some(78));
    assert!(first.stderr.contains("did you mean `schedule`?"), "{}", first.stderr);
    let second = once(&folder, MIDNIGHT + DAY);
    assert_eq!(second.status, Some(78));
    assert!(second.stderr.contains("meadow: clean: 2 read"), "{}", second.stderr);
}

#[test]
fn the_worst_outcome_is_the_exit_status() {
    let folder = Folder::new();
    let good = changed(Repository::new(2, 3), |_, answer| answer);
    let gone = Double::new(|_| Answer::status(404, "Gone"));
    let later = changed(Repository::new(2, 3), |request, answer| match request.is_list() {
        true => Answer::status(503, "Busy").header("Retry-After", "86400"),
        false => answer,
    });
    pipeline(&folder, "good", &good.url(), "schedule: '@daily'\n");
    pipeline(&folder, "later", &later.url(), "schedule: '@daily'\n");
    once(&folder, MIDNIGHT);
    assert_eq!(once(&folder, MIDNIGHT + DAY).status, Some(75));
    pipeline(&folder, "gone", &gone.url(), "schedule: '@daily'\n");
    once(&folder, MIDNIGHT + DAY);
    let ended = once(&folder, MIDNIGHT + 2 * DAY);
    assert_eq!(ended.status, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("1 of 3 runs: failed"), "{}", ended.stderr);
}

#[test]
fn pipelines_of_one_host_take_turns_and_those_of_others_do_not() {
    let at_once = [(); 2].map(|()| Arc::new(AtOnce::default()));
    let both = Arc::new(AtOnce::default());
    let double = |at: usize| {
        let (own, both) = (Arc::clone(&at_once[at]), Arc::clone(&both));
        changed(Repository::new(30, 5), move |_, answer| {
            own.pass_with(&both);
            answer
        })
    };
    let doubles = [double(0), double(1)];
    let folder = Folder::new();
    for number in 0..6 {
        let url = doubles[number % 2].url();
        pipeline(&folder, &format!("meadow{number}"), &url, "schedule: '@daily'\n");
    }
    once(&folder, MIDNIGHT);
    let ended = end(&mut at(&folder, MIDNIGHT + DAY, &["--once", "--jobs", "6"]));
    // All six have the same PIDs: the first one has them, the others are held back.
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 6);
    assert_eq!([at_once[0].most(), at_once[1].most(), both.most()], [1, 1, 2]);
    let live = "select count(*) from windrow_oai where not deleted";
    assert_eq!(value::<i64>(&folder.store(), live), 30);
}

#[test]
fn a_pipeline_that_another_process_runs_is_left_to_it() {
    let folder = Folder::new();
    let double = changed(Repository::new(40, 2), slow);
    pipeline(&folder, "meadow", &double.url(), "schedule: '@daily'\n");
    once(&folder, MIDNIGHT);
    let mut first = started(&mut at(&folder, MIDNIGHT + DAY, &[]));
    until("a list", || lists(&double) > 1);
    let second = once(&folder, MIDNIGHT + DAY);
    assert_eq!(second.status, Some(75), "{}", second.stderr);
    assert!(second.stderr.contains("is being run by another process"), "{}", second.stderr);
    let mut lines = BufReader::new(first.0.stderr.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    assert!(line.starts_with("meadow: clean: 40 read, 40 created"), "{line}");
    assert_eq!(lists(&double), 20);
    // It has been served: neither runs it again.
    assert_eq!(once(&folder, MIDNIGHT + DAY).stderr, "");
    terminate(&first.0);
    assert!(first.0.wait().unwrap().success());
}

#[test]
fn a_schedule_that_is_stopped_ends_at_a_page_and_goes_on_there() {
    for round in 0..4 {
        let folder = Folder::new();
        let double = changed(Repository::new(40, 2), slow);
        pipeline(&folder, "meadow", &double.url(), "schedule: '@daily'\n");
        once(&folder, MIDNIGHT);
        let mut process = started(&mut at(&folder, MIDNIGHT + DAY, &[]));
        until("a list", || lists(&double) > 1 + round * 4);
        terminate(&process.0);
        assert_eq!(process.0.wait().unwrap().code(), Some(0));
        let said: Vec<String> =
            BufReader::new(process.0.stderr.take().unwrap()).lines().map(Result::unwrap).collect();
        assert_eq!(said[1], "meadow: stopped, and goes on from there the next time");
        let asked = lists(&double);
        assert!(asked < 20, "it was at its end already");
        // It is still due, and no page that came is asked for again.
        let ended = once(&folder, MIDNIGHT + DAY + 60);
        assert!(ended.stderr.starts_with("meadow: clean: 40 read, 40 created"), "{}", ended.stderr);
        assert!(lists(&double) <= 21, "{} requests, {asked} before", lists(&double));
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    for (first, second) in [("-TERM", "-TERM"), ("-INT", "-INT"), ("-TERM", "-INT")] {
        let folder = Folder::new();
        let double = changed(Repository::new(4, 2), slow);
        pipeline(&folder, "meadow", &double.url(), "schedule: '@daily'\n");
        once(&folder, MIDNIGHT);
        let mut process = started(&mut at(&folder, MIDNIGHT + DAY, &[]));
        until("a list", || lists(&double) > 0);
        // The load waits for another writer, and a signal for the load.
        let mut other = read(&folder.store()).unwrap();
        let writes = other.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        let state = folder.path("endpoints/journal/meadow/state.json");
        until("the end of the harvest", || {
            std::fs::read_to_string(&state).is_ok_and(|state| state.contains("\"running\": false"))
        });
        send(first, &process.0);
        let mut lines = BufReader::new(process.0.stderr.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        assert_eq!(line, "stopping; once more stops at once");
        assert!(process.0.try_wait().unwrap().is_none(), "one signal waits for the page");
        send(second, &process.0);
        assert_eq!(process.0.wait().unwrap().code(), Some(75));
        let line = lines.next().unwrap().unwrap();
        assert!(line.ends_with("stopped at once; what runs goes on from its page"), "{line}");
        drop(writes);
    }
}

#[test]
fn a_schedule_outlasts_a_server_that_is_restarted() {
    let Some(server) = Server::start_or_say() else { return };
    let database = server.database();
    let url = database.url.clone();
    let folder = Folder::on(database);
    let double = changed(Repository::new(40, 2), slow);
    pipeline(&folder, "meadow", &double.url(), "schedule: '@daily'\n");
    once(&folder, MIDNIGHT);
    let mut process = started(&mut at(&folder, MIDNIGHT + DAY, &[]));
    let mut lines = BufReader::new(process.0.stderr.take().unwrap()).lines();
    let mut said = move |what: &str| loop {
        let line = lines.next().expect("it goes on").unwrap();
        if line.contains(what) {
            return line;
        }
    };
    // In the midst of a run.
    until("a list", || lists(&double) > 2);
    server.kill();
    until("the last list", || lists(&double) >= 20);
    server.start();
    let line = said("meadow: ");
    assert!(line.starts_with("meadow: clean: 40 read, 40 created"), "{line}");
    // Between two runs.
    server.kill();
    said("tried again");
    server.start();
    let database = Database { url };
    database.execute("update windrow_schedule set served = served - 86400");
    assert!(said("meadow: ").starts_with("meadow: clean: "));
    let live = "select count(*)::text from windrow_oai where not deleted";
    assert_eq!(database.text(live), "40");
    assert!(process.0.try_wait().unwrap().is_none());
    terminate(&process.0);
    assert_eq!(process.0.wait().unwrap().code(), Some(0));
}

#[test]
fn files_that_come_change_and_go_are_noticed() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("endpoints")).unwrap();
    let mut timetable = Timetable::new(vec![folder.path("endpoints"), folder.path("straw.yaml")]);
    let names = |timetable: &Timetable| -> Vec<String> {
        timetable.planned().map(|planned| planned.name.clone()).collect()
    };
    assert!(timetable.look()[0].ends_with("there is no such file or folder"));
    assert!(timetable.look().is_empty() && timetable.is_empty());
    let url = "http://127.0.0.1:1/oai";
    pipeline(&folder, "meadow", url, "schedule: '@daily'\n");
    folder.write("endpoints/.meadow.yaml", "hidden");
    folder.write("endpoints/notes.txt", "no pipeline");
    assert!(timetable.look().is_empty());
    assert_eq!(names(&timetable), ["meadow"]);
    pipeline(&folder, "meadow", url, "schedule: '@daily'\nshedule: 1\n");
    pipeline(&folder, "orchard", url, "schedule: '@hourly'\n");
    let news = timetable.look();
    assert_eq!((news.len(), names(&timetable)), (1, vec!["orchard".to_owned()]));
    assert!(news[0].contains("meadow.yaml:5:1"), "{news:?}");
    assert!(timetable.look().is_empty(), "a mistake is told once");
    // A copy that was not renamed inside is no second pipeline.
    std::fs::copy(folder.path("endpoints/orchard.yaml"), folder.path("endpoints/pasture.yaml"))
        .unwrap();
    let news = timetable.look();
    assert!(news[0].contains("its name is that of"), "{news:?}");
    assert!(timetable.look().is_empty());
    std::fs::remove_file(folder.path("endpoints/orchard.yaml")).unwrap();
    std::fs::remove_file(folder.path("endpoints/meadow.yaml")).unwrap();
    timetable.look();
    assert_eq!((timetable.len(), names(&timetable)), (1, vec!["orchard".to_owned()]));
}

#[test]
fn who_has_no_schedule_is_told_so() {
    let folder = Folder::new();
    pipeline(&folder, "by_hand", "http://127.0.0.1:1/oai", "");
    let ended = once(&folder, MIDNIGHT);
    assert_eq!(ended.status, Some(78));
    assert!(ended.stderr.contains("none of 1 files is a pipeline with a schedule"));
    assert!(!folder.store().exists());
}
