//! What is held, and what was said of access: kept, listed, taken out.

use windrow::record::Stage;
use windrow::store::{
    AccessNote, AccessOutcome, AccessQuery, AccessTold, QuarantineQuery, Store, StoreError,
};

use crate::store_records::{batch, load, load_record, on_every_keeper, rejected, run};

on_every_keeper! {
    what_was_quarantined_is_updated_in_place_and_released_when_it_gets_through
    what_is_held_is_not_released_by_another_record_at_its_place
    the_quarantine_is_listed_by_what_is_asked_for_and_dismissed_by_number
    rules_of_access_are_kept_with_the_record_that_was_written
}

fn of_source(name: &str) -> QuarantineQuery {
    QuarantineQuery { source_name: Some(name.to_owned()), ..QuarantineQuery::first(10) }
}

async fn what_was_quarantined_is_updated_in_place_and_released_when_it_gets_through(
    store: &dyn Store,
) {
    let run_id = run(store).await;
    for message in ["first", "second"] {
        let mut torn = batch(run_id, 10, Vec::new());
        torn.quarantined = vec![rejected(1, message), rejected(2, message)];
        assert_eq!(store.load(torn).await.unwrap().counts.quarantined, 2);
        let entries = store.quarantine(&QuarantineQuery::first(10)).await.unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!((entries[0].id, entries[0].message.as_str()), (1, message));
        assert_eq!(entries[0].bytes, b"torn");
    }
    load(store, 20, vec![load_record(1, "7", Some("One"), &[])]).await;
    assert_eq!(store.quarantine(&QuarantineQuery::first(10)).await.unwrap().len(), 1);
    assert_eq!(store.quarantine(&of_source("elsewhere")).await.unwrap().len(), 0);
    let second = store.quarantine_entry(2).await.unwrap();
    assert_eq!(second.locator, "dump.mrc #2 (byte 200)");
    let place = (second.file.as_str(), second.number, second.byte, second.format.as_deref());
    assert_eq!(place, ("dump.mrc", 2, 200, Some("marc21")));
    assert!(matches!(store.quarantine_entry(1).await, Err(StoreError::NotFound(_))));
}

// A dump is written anew under its old name, and other records stand in it.
async fn what_is_held_is_not_released_by_another_record_at_its_place(store: &dyn Store) {
    let run_id = run(store).await;
    let held = |number: u64, control_number: Option<&str>, part: Option<&str>| {
        let mut held = rejected(number, "torn");
        held.rejection.locator.control_number = control_number.map(str::to_owned);
        held.rejection.locator.part = part.map(str::to_owned);
        held
    };
    let listed = async || -> Vec<String> {
        let entries = store.quarantine(&QuarantineQuery::first(10)).await.unwrap();
        entries.into_iter().map(|entry| entry.locator.split_once(") ").unwrap().1.into()).collect()
    };
    let mut torn = batch(run_id, 10, Vec::new());
    torn.quarantined = vec![
        held(1, Some("7"), None),
        held(1, Some("7"), Some("revision 1")),
        held(2, Some("8"), None),
    ];
    store.load(torn).await.unwrap();
    assert_eq!(listed().await, ["7", "7, revision 1", "8"]);

    let loaded = |number: u64, control_number: &str| {
        let mut record = load_record(number, control_number, Some("One"), &[]);
        record.locator.control_number = Some(control_number.to_owned());
        record
    };
    let mut other = batch(run_id, 20, vec![loaded(1, "9")]);
    other.quarantined = vec![held(2, Some("10"), None)];
    store.load(other).await.unwrap();
    assert_eq!(listed().await, ["7", "7, revision 1", "8", "10"]);

    // Where the number of the first could not be read, the place has to do.
    let mut unread = batch(run_id, 30, Vec::new());
    unread.quarantined = vec![held(3, None, None)];
    store.load(unread).await.unwrap();
    load(store, 40, vec![loaded(1, "7"), loaded(2, "8"), loaded(3, "11")]).await;
    assert_eq!(listed().await, ["10"]);
}

async fn the_quarantine_is_listed_by_what_is_asked_for_and_dismissed_by_number(store: &dyn Store) {
    let run_id = run(store).await;
    let mut torn = batch(run_id, 10, Vec::new());
    let mut late = rejected(3, "late");
    late.rejection.stage = Stage::Validate;
    late.rejection.code = "schema".to_owned();
    torn.quarantined = vec![rejected(1, "torn"), rejected(2, "torn"), late];
    store.load(torn).await.unwrap();
    let listed = async |query: QuarantineQuery| -> Vec<u64> {
        let entries = store.quarantine(&query).await.unwrap();
        entries.iter().map(|entry| entry.number).collect()
    };
    let all = QuarantineQuery::first(10);
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(listed(QuarantineQuery { code: text("truncated"), ..all.clone() }).await, [1, 2]);
    assert_eq!(listed(QuarantineQuery { stage: text("validate"), ..all.clone() }).await, [3]);
    let elsewhere = QuarantineQuery { file: text("other"), ..all.clone() };
    assert!(listed(elsewhere).await.is_empty());
    assert_eq!(listed(QuarantineQuery { after: 1, limit: 1, ..all.clone() }).await, [2]);
    assert_eq!(store.dismiss(&[1, 3, 99]).await.unwrap(), 2);
    assert_eq!(listed(all).await, [2]);
}

async fn rules_of_access_are_kept_with_the_record_that_was_written(store: &dyn Store) {
    let note = |part: Option<&str>, outcome: AccessOutcome| AccessNote {
        part: part.map(str::to_owned),
        said: "firerole:\u{0}allow any".to_owned(),
        outcome,
        rights: "{}".to_owned(),
    };
    let with = |title: &str, notes: &[AccessNote], silent: &[&str]| {
        let mut record = load_record(1, "7", Some(title), &[]);
        record.history = Some(Vec::new());
        let silent = silent.iter().map(|part| (*part).to_owned()).collect();
        record.access = AccessTold { notes: notes.to_vec(), silent, of_record: true };
        record
    };
    let listed = async |outcome: Option<AccessOutcome>| -> Vec<(Option<String>, String)> {
        let query = AccessQuery { outcome, limit: 10, ..AccessQuery::default() };
        let rows = store.access(&query).await.unwrap();
        assert!(rows.iter().all(|row| (&*row.source_name, &*row.source_id) == ("catalog", "7")));
        rows.into_iter().map(|row| (row.part, row.outcome)).collect()
    };
    let (open, closed) = (AccessOutcome::Open, AccessOutcome::NotUnderstood);
    let notes = [note(None, open), note(Some("file a.pdf version 1"), closed)];
    load(store, 10, vec![with("One", &notes, &[])]).await;
    let file = (Some("file a.pdf version 1".to_owned()), "not_understood".to_owned());
    assert_eq!(listed(None).await, [(None, "open".to_owned()), file.clone()]);
    assert_eq!(listed(Some(closed)).await, [file]);
    // What is not written changes none; what is has its own in place of those before.
    load(store, 20, vec![with("One", &[], &[])]).await;
    assert_eq!(listed(None).await.len(), 2);
    // A list of files need not be whole.
    load(store, 30, vec![with("Two", &[], &[])]).await;
    assert_eq!(
        listed(None).await,
        [(Some("file a.pdf version 1".to_owned()), "not_understood".to_owned())]
    );
    load(store, 40, vec![with("Three", &notes[..1], &["file a.pdf version 1"])]).await;
    assert_eq!(listed(None).await, [(None, "open".to_owned())]);
}
