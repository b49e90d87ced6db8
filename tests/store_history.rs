//! Records that come with their past: revisions by date, tombstones, parts that are held.

use windrow::record::{Datestamp, PidName, PidStatus, PidTarget, content_hash};
use windrow::store::{
    Brings, EarlierRevision, ItemContent, LoadOutcome, LoadRecord, QuarantineEntry,
    QuarantineQuery, REDIRECTS, RESERVED, REVISIONS, Redirect, Store, make_redirects,
};

use crate::store_records::{
    at, batch, id, load, load_record, new_record, on_every_keeper, rejected, run,
};

on_every_keeper! {
    a_history_is_loaded_with_its_dates_and_once_only
    a_deleted_record_that_comes_with_its_past_is_a_tombstone
    a_part_of_a_record_is_held_by_itself
    a_number_alone_is_kept_until_its_record_comes
    files_alone_are_of_a_record_that_is_there
    a_merged_record_leads_to_the_one_that_stands_in_its_place
}

/// A record whose revisions have these titles at these seconds; without a title it is deleted.
fn with_history(number: u64, name: &str, revisions: &[(i64, Option<&str>)]) -> LoadRecord {
    let (last, earlier) = revisions.split_last().unwrap();
    let mut record = load_record(number, name, last.1, &[]);
    record.stamps = Some((at(revisions[0].0), at(last.0)));
    let earlier = earlier.iter().enumerate().map(|(index, (second, title))| EarlierRevision {
        number: index + 1,
        json: new_record(name, *title, &[]).json,
        updated: at(*second),
    });
    record.history = Some(earlier.collect());
    record
}

/// Revisions of the outcome: loaded, unchanged, skipped, quarantined.
fn revisions_of(outcome: &LoadOutcome) -> [u64; 4] {
    let kinds: Vec<_> = outcome.kinds.iter().filter(|(kind, _)| *kind == REVISIONS).collect();
    let [(_, counts)] = kinds[..] else { return [0; 4] };
    [counts.loaded, counts.unchanged, counts.skipped, counts.quarantined]
}

async fn dates_of(store: &dyn Store, name: &str) -> Vec<(i64, bool)> {
    let revisions = store.revisions(id(name)).await.unwrap();
    revisions.iter().map(|r| (r.updated.as_second(), r.json.is_some())).collect()
}

async fn a_history_is_loaded_with_its_dates_and_once_only(store: &dyn Store) {
    let three = [(10, Some("One")), (20, Some("Two")), (30, Some("Two"))];
    let outcome = load(store, 1000, vec![with_history(1, "7", &three)]).await;
    assert_eq!((outcome.counts.created, revisions_of(&outcome)), (1, [3, 0, 0, 0]));
    let all = [(10, true), (20, true), (30, true)];
    assert_eq!(dates_of(store, "7").await, all);
    let revisions = store.revisions(id("7")).await.unwrap();
    assert_eq!(revisions[0].json.as_deref(), Some(&br#"{"title":"One"}"#[..]));
    assert!(revisions.iter().all(|revision| revision.created == at(10)));
    let item = store.item("7", ItemContent::Header).await.unwrap().unwrap();
    assert_eq!(item.header.datestamp, Datestamp::from(at(30)));
    // Again: nothing is new.
    let outcome = load(store, 2000, vec![with_history(1, "7", &three)]).await;
    assert_eq!((outcome.counts.unchanged, revisions_of(&outcome)), (1, [0, 3, 0, 0]));
    // What a later dump brings, with and without what was there; the content need not differ.
    let later = [(30, Some("Two")), (40, Some("Three")), (50, Some("Two"))];
    let outcome = load(store, 3000, vec![with_history(1, "7", &later)]).await;
    assert_eq!((outcome.counts.updated, revisions_of(&outcome)), (1, [2, 1, 0, 0]));
    // One that comes too late has no place any more.
    let late = [(15, Some("Late")), (50, Some("Two"))];
    let outcome = load(store, 4000, vec![with_history(1, "7", &late)]).await;
    assert_eq!((outcome.counts.unchanged, revisions_of(&outcome)), (1, [0, 1, 0, 1]));
    assert_eq!(outcome.rejections[0].code, "revision_late");
    // An older dump takes nothing back.
    let outcome = load(store, 4500, vec![with_history(1, "7", &three)]).await;
    assert_eq!((outcome.counts.unchanged, revisions_of(&outcome)), (1, [0, 3, 0, 0]));
    // Another revision of the same moment is none to choose from.
    let other = [(40, Some("Three")), (50, Some("Fifty"))];
    let outcome = load(store, 4600, vec![with_history(1, "7", &other)]).await;
    assert_eq!((outcome.counts.quarantined, revisions_of(&outcome)), (1, [0, 0, 0, 2]));
    assert_eq!(outcome.rejections[0].code, "revision_conflict");
    // What a better crosswalk makes of the same revision is a new one of the same date.
    let mut better = with_history(1, "7", &later);
    better.record.json = new_record("7", Some("Better"), &[]).json;
    better.hash = content_hash(better.record.json.as_deref().unwrap());
    let outcome = load(store, 4700, vec![better]).await;
    assert_eq!((outcome.counts.updated, revisions_of(&outcome)), (1, [1, 2, 0, 0]));
    assert_eq!(
        dates_of(store, "7").await,
        [&all[..], &[(40, true), (50, true), (50, true)]].concat()
    );
    // The same record twice in a batch.
    let twice = vec![with_history(1, "8", &three), with_history(2, "8", &later)];
    let outcome = load(store, 5000, twice).await;
    assert_eq!((outcome.counts.created, outcome.counts.updated), (1, 1));
    assert_eq!(revisions_of(&outcome), [5, 1, 0, 0]);
    assert_eq!(dates_of(store, "8").await.len(), 5);
}

async fn a_deleted_record_that_comes_with_its_past_is_a_tombstone(store: &dyn Store) {
    let gone = [(10, Some("One")), (20, None), (30, Some("Two")), (40, None)];
    let outcome = load(store, 1000, vec![with_history(1, "7", &gone)]).await;
    assert_eq!((outcome.counts.deleted, revisions_of(&outcome)), (1, [4, 0, 0, 0]));
    let states = [(10, true), (20, false), (30, true), (40, false)];
    assert_eq!(dates_of(store, "7").await, states);
    assert_eq!(store.record("recid", "7").await.unwrap().json, None);
    let pid = store.pid(&PidName::recid("7").unwrap()).await.unwrap().unwrap();
    assert_eq!(pid.status, PidStatus::Deleted);
    assert!(store.item("7", ItemContent::Header).await.unwrap().unwrap().header.deleted);
    let outcome = load(store, 2000, vec![with_history(1, "7", &gone)]).await;
    assert_eq!((outcome.counts.unchanged, revisions_of(&outcome)), (1, [0, 4, 0, 0]));
    // Nothing but the deletion is known of it.
    let outcome = load(store, 3000, vec![with_history(1, "8", &[(10, None)])]).await;
    assert_eq!((outcome.counts.deleted, revisions_of(&outcome)), (1, [1, 0, 0, 0]));
    assert!(store.item("8", ItemContent::Header).await.unwrap().unwrap().header.deleted);
}

async fn a_part_of_a_record_is_held_by_itself(store: &dyn Store) {
    let part = |number: u64, part: &str| {
        let mut held = rejected(number, "no sense in it");
        held.rejection.locator.part = Some(part.to_owned());
        held
    };
    let parts = |entries: Vec<QuarantineEntry>| -> Vec<Option<String>> {
        entries.into_iter().map(|entry| entry.part).collect()
    };
    let mut record = load_record(1, "7", Some("One"), &[]);
    record.held = vec![part(1, "revision 1"), part(1, "revision 2")];
    let outcome = load(store, 1000, vec![record]).await;
    assert_eq!((outcome.counts.read, outcome.counts.created), (1, 1));
    let entries = store.quarantine(&QuarantineQuery::first(10)).await.unwrap();
    assert_eq!(entries[1].locator, "dump.mrc #1 (byte 100), revision 2");
    let number = entries[1].id;
    assert_eq!(parts(entries), [Some("revision 1".to_owned()), Some("revision 2".to_owned())]);
    // One of them gets through, the other one keeps its number.
    let mut record = load_record(1, "7", Some("One"), &[]);
    record.held = vec![part(1, "revision 2")];
    load(store, 2000, vec![record]).await;
    let entries = store.quarantine(&QuarantineQuery::first(10)).await.unwrap();
    assert_eq!((entries.len(), entries[0].id), (1, number));
    // All of the record is held: its parts are no matter of their own.
    let run_id = run(store).await;
    let mut whole = batch(run_id, 3000, Vec::new());
    whole.quarantined = vec![rejected(1, "torn")];
    store.load(whole).await.unwrap();
    assert_eq!(parts(store.quarantine(&QuarantineQuery::first(10)).await.unwrap()), [None]);
    load(store, 4000, vec![load_record(1, "7", Some("One"), &[])]).await;
    assert!(store.quarantine(&QuarantineQuery::first(10)).await.unwrap().is_empty());
}

fn bare(number: u64, name: &str, brings: Brings) -> LoadRecord {
    LoadRecord { brings, ..load_record(number, name, None, &[]) }
}

/// loaded, unchanged, skipped and quarantined of a kind.
fn of_kind(outcome: &LoadOutcome, kind: &str) -> [u64; 4] {
    let found = outcome.kinds.iter().find(|(name, _)| *name == kind);
    found.map_or([0; 4], |(_, c)| [c.loaded, c.unchanged, c.skipped, c.quarantined])
}

async fn status_of(store: &dyn Store, recid: &str) -> Option<PidStatus> {
    store.pid(&PidName::recid(recid).unwrap()).await.unwrap().map(|pid| pid.status)
}

async fn a_number_alone_is_kept_until_its_record_comes(store: &dyn Store) {
    let numbers = vec![bare(1, "7", Brings::Number), bare(2, "7", Brings::Number)];
    let outcome = load(store, 10, numbers).await;
    assert_eq!((outcome.counts.skipped, of_kind(&outcome, RESERVED)), (2, [1, 1, 0, 0]));
    assert_eq!(status_of(store, "7").await, Some(PidStatus::Reserved));
    assert!(store.next_recid().await.unwrap() > 7);
    let outcome = load(store, 20, vec![bare(1, "7", Brings::Number)]).await;
    assert_eq!(of_kind(&outcome, RESERVED), [0, 1, 0, 0]);
    let outcome = load(store, 30, vec![load_record(1, "7", Some("One"), &[])]).await;
    assert_eq!(outcome.counts.created, 1);
    assert_eq!(status_of(store, "7").await, Some(PidStatus::Registered));
    load(store, 40, vec![bare(1, "7", Brings::Number)]).await;
    assert_eq!(status_of(store, "7").await, Some(PidStatus::Registered));
}

async fn files_alone_are_of_a_record_that_is_there(store: &dyn Store) {
    let records = vec![load_record(1, "7", Some("One"), &[]), bare(2, "7", Brings::Files)];
    let outcome = load(store, 10, records).await;
    assert_eq!((outcome.counts.created, outcome.counts.unchanged), (1, 1));
    let files = vec![bare(2, "7", Brings::Files), bare(3, "8", Brings::Files)];
    let outcome = load(store, 20, files).await;
    assert_eq!((outcome.counts.unchanged, outcome.counts.quarantined), (1, 1));
    assert_eq!(outcome.rejections[0].code, "no_record");
    assert_eq!(store.revisions(id("7")).await.unwrap().len(), 1);
}

async fn a_merged_record_leads_to_the_one_that_stands_in_its_place(store: &dyn Store) {
    let merged = |number: u64, name: &str, into: &str| LoadRecord {
        merged_into: Some(into.to_owned()),
        ..with_history(number, name, &[(10, Some("One")), (20, None)])
    };
    // The one that it leads to comes later, or never.
    let outcome = load(store, 1000, vec![merged(1, "7", "9"), merged(2, "8", "99")]).await;
    assert_eq!((outcome.counts.deleted, of_kind(&outcome, REDIRECTS)), (2, [2, 0, 0, 0]));
    let open = make_redirects(store, "catalog", at(2000)).await.unwrap();
    assert_eq!(open.len(), 2);
    load(store, 3000, vec![load_record(3, "9", Some("Nine"), &[])]).await;
    let open = make_redirects(store, "catalog", at(4000)).await.unwrap();
    assert_eq!(open.len(), 1, "{open:?}");
    assert!(open[0].ends_with("recid:8 leads to recid:99, but there is no recid:99"), "{open:?}");
    let pid = store.pid(&PidName::recid("7").unwrap()).await.unwrap().unwrap();
    assert_eq!(pid.status, PidStatus::Redirected);
    assert_eq!(pid.target, PidTarget::Pid(PidName::recid("9").unwrap()));
    assert_eq!(store.record("recid", "7").await.unwrap().id, id("9"));
    assert_eq!(store.record_by_id(id("7")).await.unwrap().json, None);
    // It is listed, and asked for, as deleted.
    let item = store.item("7", ItemContent::Source).await.unwrap().unwrap();
    assert_eq!((item.header.id, item.header.deleted, item.json), (id("7"), true, None));
    // Again: nothing is new.
    let outcome = load(store, 5000, vec![merged(1, "7", "9")]).await;
    assert_eq!((outcome.counts.unchanged, of_kind(&outcome, REDIRECTS)), (1, [0, 1, 0, 0]));
    assert_eq!(make_redirects(store, "catalog", at(6000)).await.unwrap().len(), 1);
    // A circle is left open, and so is a record that is live; what nobody had leads on at once.
    let redirect = |from: &str, to: &str| Redirect {
        from: from.to_owned(),
        to: to.to_owned(),
        place: "map.json".to_owned(),
    };
    let map = [redirect("9", "7"), redirect("1000", "9")];
    assert_eq!(store.note_redirects("catalog", &map).await.unwrap(), 2);
    assert_eq!(store.note_redirects("catalog", &map).await.unwrap(), 0);
    let open = make_redirects(store, "catalog", at(7000)).await.unwrap();
    assert_eq!(open.len(), 2, "{open:?}");
    assert_eq!(
        open[1],
        "map.json: recid:9 leads to recid:7, but recid:9 names a record that is live"
    );
    assert_eq!(store.record("recid", "1000").await.unwrap().id, id("9"));
}
