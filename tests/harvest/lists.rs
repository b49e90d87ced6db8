//! Lists that end wrongly: circles, lost and dead tokens, too much at once.

use super::cases::{expect, of_list, of_own_list};
use super::double::{Answer, Request};
use super::harvest;
use super::repository::{Repository, envelope, error};

#[test]
fn tokens_are_opaque_and_circles_are_left() {
    let circle = |request: &Request, answer: Answer| match request.argument("resumptionToken") {
        None => answer,
        Some(_) => Repository::new(6, 2).answer(&Request {
            arguments: vec![("verb".into(), "ListRecords".into())],
            ..request.clone()
        }),
    };
    let found = harvest(&of_list(6, 2, circle), &[]);
    assert_eq!((found.status, found.numbers()), (2, vec![1, 2]), "{}", found.stderr);
    assert!(found.stderr.contains("in a circle"), "{}", found.stderr);
    let twice = |request: &Request, answer: Answer| match request.argument("resumptionToken") {
        None => answer.replace("<resumptionToken", "<x:y xmlns:x=\"urn:x\"/><resumptionToken"),
        Some(_) => answer
            .replace("Hay 3", "Hay 1")
            .replace("meadow.example:3", "meadow.example:1")
            .replace("2026-01-01T03", "2026-01-01T01"),
    };
    let found = harvest(&of_list(4, 2, twice), &[]);
    assert_eq!((found.status, found.numbers()), (0, vec![1, 2, 4]), "{}", found.stderr);
    assert_eq!(found.report["duplicates"], 1);
}

#[test]
fn empty_pages_and_lost_tokens_are_noticed() {
    let empty = |request: &Request, answer: Answer| {
        let is_second =
            request.argument("resumptionToken").is_some_and(|token| token.contains(",2,"));
        if !is_second {
            return answer;
        }
        let text = answer.text();
        let (head, rest) = text.split_once("<record>").unwrap();
        let token = rest.split_once("<resumptionToken").unwrap().1;
        Answer::xml(format!("{head}<resumptionToken{token}"))
    };
    // Two records are lost by the endpoint itself: the size tells.
    let found = harvest(&of_list(6, 2, empty), &[]);
    assert_eq!(found.numbers(), [1, 2, 5, 6]);
    assert_eq!(found.codes().into_keys().collect::<Vec<_>>(), ["oai.empty_page", "oai.short_list"]);
    let lost = |request: &Request, answer: Answer| match request.argument("resumptionToken") {
        None => answer,
        Some(_) => {
            let text = answer.text();
            let (head, rest) = text.split_once("<resumptionToken").unwrap();
            Answer::xml(head.to_owned() + rest.split_at(rest.find("</ListRecords>").unwrap()).1)
        }
    };
    let found = harvest(&of_list(6, 2, lost), &[]);
    assert_eq!((found.status, found.numbers()), (2, vec![1, 2, 3, 4]), "{}", found.stderr);
    assert!(found.stderr.contains("4 records came, completeListSize is 6"), "{}", found.stderr);
    let nothing = harvest(&of_list(3, 3, |_, _| envelope("ListRecords", "")), &[]);
    assert_eq!(nothing.status, 2);
    assert!(nothing.stderr.contains("the list is empty"), "{}", nothing.stderr);
}

#[test]
fn a_list_of_empty_pages_is_left_after_a_hundred() {
    // One page with a record, then tokens without end, each another.
    let endless = |request: &Request, answer: Answer| {
        let number = match request.argument("resumptionToken") {
            None => 0,
            Some(token) => token.parse::<u32>().unwrap(),
        };
        let record = match number {
            0 => answer
                .text()
                .split_once("<record>")
                .unwrap()
                .1
                .split_once("</record>")
                .map_or(String::new(), |(record, _)| format!("<record>{record}</record>")),
            _ => String::new(),
        };
        let next = number + 1;
        envelope("ListRecords", &format!("{record}<resumptionToken>{next}</resumptionToken>"))
    };
    let double = of_own_list(endless);
    let found = harvest(&double, &[]);
    assert_eq!((found.status, found.numbers()), (2, vec![1]), "{}", found.stderr);
    assert!(found.stderr.contains("100 pages without records"), "{}", found.stderr);
    assert_eq!(found.codes(), [("oai.empty_page".to_owned(), 101)].into());
    assert_eq!(double.requests().iter().filter(|request| request.is_list()).count(), 102);
}

#[test]
fn an_empty_page_in_between_is_passed_over() {
    let list = |request: &Request, answer: Answer| {
        let text = answer.text();
        let (_, record) = text.split_once("<record>").unwrap();
        let record = record.split_once("</record>").unwrap().0.to_owned();
        let record =
            |number: &str| format!("<record>{record}</record>").replace("meadow.example:1", number);
        let (records, token) = match request.argument("resumptionToken") {
            None => (record("meadow.example:1"), "second"),
            Some("second") => (String::new(), "third"),
            _ => (record("meadow.example:2"), ""),
        };
        envelope("ListRecords", &format!("{records}<resumptionToken>{token}</resumptionToken>"))
    };
    expect(&harvest(&of_own_list(list), &[]), 0, 2, &[("oai.empty_page", 1)]);
}

#[test]
fn a_dead_token_costs_no_record() {
    let dead = |request: &Request, answer: Answer| match request.argument("resumptionToken") {
        Some(_) => error("badResumptionToken", "Expired"),
        None => answer,
    };
    let found = harvest(&of_list(10, 3, dead), &[]);
    assert_eq!((found.status, found.numbers()), (0, (1..=10).collect()), "{}", found.stderr);
    assert!(found.report["duplicates"].as_u64().unwrap() > 0);
    // Dead once, alive after the list is begun again.
    let once = |request: &Request, answer: Answer| {
        let is_second = request.argument("resumptionToken").is_some();
        if is_second && request.before == 0 {
            error("badResumptionToken", "Expired")
        } else {
            answer
        }
    };
    let found = harvest(&of_list(5, 3, once), &[]);
    expect(&found, 0, 5, &[("oai.restart", 1)]);
}

#[test]
fn too_much_at_once_is_asked_for_in_parts() {
    let narrow = |request: &Request, answer: Answer| {
        let count = answer.text().matches("<record>").count();
        if count > 2
            || (request.argument("from").is_none() && request.argument("resumptionToken").is_none())
        {
            Answer::status(413, "Too large")
        } else {
            answer
        }
    };
    expect(&harvest(&of_list(9, 9, narrow), &[]), 0, 9, &[]);
    let many = |request: &Request, answer: Answer| match answer.text().matches("<record>").count() {
        0..=2 => answer,
        _ => error("badArgument", &format!("Too many results for {}", request.method)),
    };
    // `badArgument` may also mean that seconds are not taken: the words decide.
    expect(&harvest(&of_list(9, 9, many), &[]), 0, 9, &[]);
}
