//! Records that an endpoint forgets without a word, and lists that prove nothing.

use serde_json::{Value, json};

use super::double::{Answer, Request};
use super::pipeline::{LIVE, Night};
use super::repository::{Kept, Repository};
use crate::private_postgres::database;
use crate::support::{Ended, Folder, end};

const DAY: i64 = 86_400;

fn forgetful(count: usize) -> Repository {
    Repository { deletions: "no", ..Repository::new(count, 50) }
}

fn run_on_day(night: &Night, day: i64, options: &[&str]) -> Ended {
    let mut command = night.folder.windrow(&["run", "pipeline.yaml", "--json"]);
    command.env("SOURCE_DATE_EPOCH", (1_700_000_000 + day * DAY).to_string());
    end(command.args(options))
}

fn forget(night: &Night, numbers: &[usize]) {
    let mut repository = night.repository.lock().unwrap();
    repository.records.retain(|kept| !numbers.contains(&kept.number));
}

fn counts(report: &Value) -> Value {
    let of = |key: &str| report["reconciled"][key].clone();
    json!([of("listed"), of("live"), of("missing"), of("still_there"), of("deleted")])
}

fn comparisons(night: &Night) -> usize {
    let requests = night.double.requests();
    requests.iter().filter(|request| request.is("ListIdentifiers")).count()
}

#[test]
fn what_an_endpoint_forgot_is_deleted_after_so_many_days() {
    let on =
        |folder| Night::on(folder, forgetful(200), "  reconcile: 7 days\n", |_, answer| answer);
    forgets_and_finds_again(&on(Folder::new()));
    let Some(database) = database() else { return };
    forgets_and_finds_again(&on(Folder::on(database)));
}

fn forgets_and_finds_again(night: &Night) {
    let report = run_on_day(night, 0, &[]).report(0);
    assert_eq!(counts(&report), json!([200, 0, 0, 0, 0]));
    forget(night, &[7]);
    let before = comparisons(night);
    let report = run_on_day(night, 6, &[]).report(0);
    assert_eq!((report.get("reconciled"), comparisons(night)), (None, before));
    assert_eq!(night.rows(LIVE), "200 of 200");
    let report = run_on_day(night, 7, &[]).report(0);
    assert_eq!(counts(&report), json!([199, 200, 1, 0, 1]));
    assert_eq!(report["counts"]["deleted"], 1);
    assert_eq!(report["reconciled"]["sample"], json!(["oai:meadow.example:7"]));
    assert_eq!(night.rows(LIVE), "199 of 200");
    // The journal knows it, too.
    run_on_day(night, 7, &["--replay"]).report(0);
    assert_eq!(night.rows(LIVE), "199 of 200");
    let kept = Kept { number: 7, stamp: 1_769_904_000, deleted: false, title: "Back".into() };
    night.repository.lock().unwrap().records.push(kept);
    run_on_day(night, 8, &[]).report(0);
    assert_eq!(night.rows(LIVE), "200 of 200");
}

#[test]
fn when_more_are_missing_than_max_delete_none_is_deleted() {
    let night = Night::with(forgetful(200), "  reconcile: 7 days\n", |_, answer| answer);
    run_on_day(&night, 0, &[]).report(0);
    forget(&night, &[7, 8, 9]);
    // It is told every night, until somebody has looked.
    for day in [7, 8] {
        let ended = run_on_day(&night, day, &[]);
        let report = ended.report(2);
        assert_eq!(counts(&report), json!([197, 200, 3, 0, 0]));
        let told = "nothing was deleted: 3 of 200 records are not listed any more, max_delete \
                    allows 1 %; the first are oai:meadow.example:7, oai:meadow.example:8, \
                    oai:meadow.example:9";
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
        assert_eq!(night.rows(LIVE), "200 of 200");
    }
    let path = night.folder.path("pipeline.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("7 days\n", "7 days\n  max_delete: 3\n")).unwrap();
    let report = run_on_day(&night, 9, &[]).report(0);
    assert_eq!(counts(&report), json!([197, 200, 3, 0, 3]));
    assert_eq!(night.rows(LIVE), "197 of 200");
}

// Of a list of identifiers, whose second page is the last.
fn cut_list(keeps_token: bool) -> impl Fn(&Request, Answer) -> Answer + Send + Sync + 'static {
    move |request, answer| {
        let is_second = request.argument("resumptionToken").is_some();
        if !request.is("ListIdentifiers") || !is_second {
            return answer;
        }
        let text = answer.text();
        let (head, rest) = text.split_once("<resumptionToken").unwrap();
        let token = if keeps_token { "<resumptionToken/>" } else { "" };
        let end = rest.find("</ListIdentifiers>").unwrap();
        Answer::xml(format!("{head}{token}{}", rest.split_at(end).1))
    }
}

#[test]
fn a_list_that_is_not_whole_deletes_nothing() {
    for keeps_token in [false, true] {
        let keys = "  reconcile: 7 days\n  max_delete: 100%\n";
        let night = Night::with(forgetful(200), keys, cut_list(keeps_token));
        let ended = run_on_day(&night, 0, &[]);
        let report = ended.report(2);
        assert_eq!(report["reconciled"]["deleted"], 0);
        assert!(ended.stderr.contains("identifiers is not whole"), "{}", ended.stderr);
        assert!(ended.stderr.contains("100 records came, completeListSize is 200"));
        run_on_day(&night, 1, &[]).report(2);
        assert_eq!(night.rows(LIVE), "200 of 200");
    }
    let refused = |request: &Request, answer: Answer| match request.is("ListIdentifiers") {
        true => super::repository::error("badArgument", "not today"),
        false => answer,
    };
    let night = Night::with(forgetful(20), "  reconcile: 7 days\n  max_delete: 100%\n", refused);
    let ended = run_on_day(&night, 0, &[]);
    assert!(ended.stderr.contains("not today"), "{}", ended.stderr);
    assert_eq!((ended.status, night.rows(LIVE)), (Some(2), "20 of 20".to_owned()));
}

#[test]
fn what_came_is_loaded_though_identifiers_cannot_be_asked_for() {
    let later = |request: &Request, answer: Answer| match request.is("ListIdentifiers") {
        true => Answer::status(503, "Night").header("Retry-After", "86400"),
        false => answer,
    };
    let night = Night::with(forgetful(20), "  reconcile: 7 days\n", later);
    let ended = run_on_day(&night, 0, &[]);
    assert_eq!((ended.status, night.rows(LIVE)), (Some(2), "20 of 20".to_owned()));
    assert!(ended.stderr.contains("nothing was deleted"), "{}", ended.stderr);
}

#[test]
fn a_record_that_only_the_list_passes_over_stays() {
    let passes = |request: &Request, answer: Answer| match request.is("ListIdentifiers") {
        true if answer.text().contains("meadow.example:7<") => {
            answer.replace("meadow.example:7<", "meadow.example:8<")
        }
        _ => answer,
    };
    let night = Night::with(forgetful(200), "  reconcile: 1 day\n", passes);
    run_on_day(&night, 0, &[]).report(0);
    let report = run_on_day(&night, 1, &[]).report(0);
    assert_eq!(counts(&report), json!([199, 200, 1, 1, 0]));
    assert_eq!(night.rows(LIVE), "200 of 200");
}

#[test]
fn an_endpoint_that_tells_of_its_deletions_is_believed() {
    let night = Night::with(Repository::new(9, 4), "  reconcile: 1 day\n", |_, answer| answer);
    run_on_day(&night, 0, &[]).report(0);
    forget(&night, &[7]);
    let report = run_on_day(&night, 2, &[]).report(0);
    assert_eq!((report.get("reconciled"), comparisons(&night)), (None, 0));
    assert_eq!(night.rows(LIVE), "9 of 9");
}

#[test]
fn a_record_that_left_the_sets_is_gone_from_them() {
    let sets_of = |number: usize| -> &'static [&'static str] {
        if number.is_multiple_of(2) { &["even"] } else { &["odd", "odd:very"] }
    };
    let repository = Repository { sets_of, lists_sets: true, ..forgetful(9) };
    let keys = "  sets: [odd, even]\n  reconcile: 1 day\n  max_delete: 3\n";
    let night = Night::with(repository, keys, |_, answer| answer);
    run_on_day(&night, 0, &[]).report(0);
    night.repository.lock().unwrap().sets_of = |number| match number {
        4 => &["hay"],
        number if number.is_multiple_of(2) => &["even"],
        _ => &["odd", "odd:very"],
    };
    forget(&night, &[3]);
    let report = run_on_day(&night, 1, &[]).report(0);
    assert_eq!(counts(&report), json!([7, 9, 2, 0, 2]));
    assert_eq!(night.rows(LIVE), "7 of 9");
    run_on_day(&night, 1, &["--replay"]).report(0);
    assert_eq!(night.rows(LIVE), "7 of 9");
}
