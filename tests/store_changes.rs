//! What every keeper promises of single records: revisions, tombstones, erasure, extensions.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use windrow::store::{
    Change, Draft, Extension, ItemContent, ItemQuery, RecordChange, Refusal, Store, StoreError,
    StoredRecord, Transaction, standard,
};

use crate::store_records::{
    at, id, load, load_record, membership, new_record, on_every_keeper, origin,
};

/// A change to this content, or a deletion.
pub fn change(title: Option<&str>, expected_revision: i64) -> RecordChange {
    RecordChange {
        json: title.map(|title| format!(r#"{{"title":"{title}"}}"#).into_bytes()),
        memberships: None,
        pids: Vec::new(),
        reverts: false,
        expected_revision,
    }
}

fn title(record: &StoredRecord) -> Option<String> {
    let json = record.json.as_deref()?;
    let json: serde_json::Value = serde_json::from_slice(json).unwrap();
    Some(json["title"].as_str().unwrap().to_owned())
}

async fn status(store: &dyn Store, name: &str) -> &'static str {
    store.pid(&name.parse().unwrap()).await.unwrap().map_or("-", |pid| pid.status.as_str())
}

on_every_keeper! {
    a_record_is_found_by_its_uuid_too
    a_change_leaves_sets_as_they_are_unless_it_names_others
    only_a_change_of_the_revision_at_hand_is_written
    a_tombstone_takes_its_pids_with_it_and_brings_them_back
    what_is_deleted_is_not_deleted_again
    an_erased_record_leaves_its_past_its_pids_and_its_header
    an_erased_record_is_not_loaded_again
    a_uuid_is_never_given_twice
    the_states_of_items_are_the_fingerprint_of_their_list
    a_record_brings_all_its_pids_or_nothing
    a_load_brings_several_pids_and_names_both_sides_of_a_conflict
    the_outbox_holds_what_changed_in_order
    a_failed_change_leaves_nothing
}

async fn a_record_is_found_by_its_uuid_too(store: &dyn Store) {
    let created = store.create(&new_record("7", Some("One"), &[]), at(10)).await.unwrap();
    assert_eq!(store.record_by_id(id("7")).await.unwrap(), created);
    assert!(matches!(store.record_by_id(id("8")).await, Err(StoreError::NotFound(_))));
}

async fn a_change_leaves_sets_as_they_are_unless_it_names_others(store: &dyn Store) {
    store.create(&new_record("7", Some("One"), &["a"]), at(10)).await.unwrap();
    store.change(id("7"), &change(Some("Two"), 0), at(20)).await.unwrap();
    let sets = async || {
        let item = store.item("7", ItemContent::Header).await.unwrap().unwrap();
        item.header.set_specs.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(sets().await, ["a"]);
    let moved = RecordChange { memberships: Some(vec![membership("b")]), ..change(Some("3"), 1) };
    store.change(id("7"), &moved, at(30)).await.unwrap();
    assert_eq!(sets().await, ["b"]);
    let out = RecordChange { memberships: Some(Vec::new()), ..change(Some("3"), 2) };
    store.change(id("7"), &out, at(40)).await.unwrap();
    assert!(sets().await.is_empty());
}

async fn only_a_change_of_the_revision_at_hand_is_written(store: &dyn Store) {
    store.create(&new_record("7", Some("One"), &[]), at(10)).await.unwrap();
    for expected in [-1, 1, 7] {
        let stale = store.change(id("7"), &change(Some("Two"), expected), at(20)).await;
        assert!(matches!(stale, Err(StoreError::Stale { found: 0, .. })), "{stale:?}");
        let stale = store.erase(id("7"), expected, at(20)).await;
        assert!(matches!(stale, Err(StoreError::Stale { found: 0, .. })), "{stale:?}");
    }
    let missing = store.change(id("8"), &change(Some("Two"), 0), at(20)).await;
    assert!(matches!(missing, Err(StoreError::NotFound(_))));
    assert_eq!(store.revisions(id("7")).await.unwrap().len(), 1);
}

async fn a_tombstone_takes_its_pids_with_it_and_brings_them_back(store: &dyn Store) {
    let mut record = new_record("7", Some("One"), &[]);
    record.pids = vec!["doi:10.1/a".parse().unwrap()];
    store.create(&record, at(10)).await.unwrap();
    let unknown = windrow::record::Pid {
        name: "oai:oai:x:7".parse().unwrap(),
        status: windrow::record::PidStatus::New,
        target: windrow::record::PidTarget::Record(id("7")),
    };
    store.create_pid(&unknown, at(10)).await.unwrap();
    let tombstone = store.change(id("7"), &change(None, 0), at(20)).await.unwrap();
    assert_eq!((tombstone.revision_id, title(&tombstone)), (1, None));
    assert_eq!(status(store, "recid:7").await, "D");
    assert_eq!(status(store, "doi:10.1/a").await, "D");
    assert_eq!(status(store, "oai:oai:x:7").await, "-", "nobody knew of it");
    assert_eq!(store.record("doi", "10.1/a").await.unwrap(), tombstone);
    store.change(id("7"), &change(Some("Two"), 1), at(30)).await.unwrap();
    assert_eq!(status(store, "recid:7").await, "R");
    assert_eq!(status(store, "doi:10.1/a").await, "R");
}

async fn what_is_deleted_is_not_deleted_again(store: &dyn Store) {
    store.create(&new_record("7", Some("One"), &[]), at(10)).await.unwrap();
    store.change(id("7"), &change(None, 0), at(20)).await.unwrap();
    let again = store.change(id("7"), &change(None, 1), at(30)).await;
    assert!(matches!(again, Err(StoreError::Deleted(_))));
}

async fn an_erased_record_leaves_its_past_its_pids_and_its_header(store: &dyn Store) {
    for name in ["live", "dead"] {
        store.create(&new_record(name, Some("One"), &["a"]), at(10)).await.unwrap();
    }
    store.change(id("dead"), &change(None, 0), at(20)).await.unwrap();
    store.erase(id("live"), 0, at(30)).await.unwrap();
    store.erase(id("dead"), 1, at(30)).await.unwrap();
    for (name, titles) in
        [("live", vec![Some("One"), None]), ("dead", vec![Some("One"), None, None])]
    {
        assert!(matches!(store.record_by_id(id(name)).await, Err(StoreError::NotFound(_))));
        assert!(matches!(store.record("recid", name).await, Err(StoreError::NotFound(_))));
        let revisions = store.revisions(id(name)).await.unwrap();
        let found: Vec<_> = revisions.iter().map(title).collect();
        assert_eq!(found, titles.iter().map(|t| t.map(str::to_owned)).collect::<Vec<_>>());
        assert_eq!(status(store, &format!("recid:{name}")).await, "D");
        let item = store.item(name, ItemContent::Json).await.unwrap().unwrap();
        assert!(item.header.deleted && item.json.is_none());
        assert_eq!(item.header.datestamp.as_second(), 30);
    }
    let gone = store.erase(id("live"), 1, at(40)).await;
    assert!(matches!(gone, Err(StoreError::NotFound(_))));
}

async fn an_erased_record_is_not_loaded_again(store: &dyn Store) {
    load(store, 10, vec![load_record(1, "7", Some("One"), &[])]).await;
    store.erase(id("7"), 0, at(20)).await.unwrap();
    let same = load(store, 30, vec![load_record(1, "7", Some("One"), &[])]).await;
    assert_eq!(same.counts.unchanged, 1);
    let other = load(store, 30, vec![load_record(1, "7", Some("Two"), &[])]).await;
    assert_eq!((other.counts.quarantined, other.rejections[0].code.as_str()), (1, "erased"));
    let deleted = load(store, 40, vec![load_record(1, "7", None, &[])]).await;
    assert_eq!(deleted.counts.unchanged, 1, "the source agrees");
}

async fn a_uuid_is_never_given_twice(store: &dyn Store) {
    store.create(&new_record("7", Some("One"), &[]), at(10)).await.unwrap();
    let mut second = new_record("7", Some("Two"), &[]);
    second.pid_value = "8".to_owned();
    for step in ["live", "deleted", "erased"] {
        let taken = store.create(&second, at(20)).await;
        assert!(matches!(taken, Err(StoreError::IdTaken(_))), "{step}: {taken:?}");
        match step {
            "live" => drop(store.change(id("7"), &change(None, 0), at(20)).await.unwrap()),
            "deleted" => store.erase(id("7"), 1, at(20)).await.unwrap(),
            _ => {}
        }
    }
    assert_eq!(status(store, "recid:8").await, "-");
}

async fn a_record_brings_all_its_pids_or_nothing(store: &dyn Store) {
    let doi = || vec!["doi:10.1/a".parse().unwrap()];
    let mut one = new_record("7", Some("One"), &[]);
    one.pids = doi();
    store.create(&one, at(10)).await.unwrap();
    let mut two = new_record("8", Some("Two"), &[]);
    two.pids = doi();
    let taken = store.create(&two, at(20)).await.unwrap_err();
    assert_eq!(taken.code(), "pid_taken");
    assert!(taken.to_string().contains("doi:10.1/a"), "{taken}");
    assert_eq!(status(store, "recid:8").await, "-");
    assert!(matches!(store.record_by_id(id("8")).await, Err(StoreError::NotFound(_))));
    two.pids.clear();
    store.create(&two, at(30)).await.unwrap();
    let theft = RecordChange { pids: doi(), ..change(Some("Two"), 0) };
    assert_eq!(store.change(id("8"), &theft, at(40)).await.unwrap_err().code(), "pid_taken");
    let more = RecordChange {
        pids: vec!["doi:10.1/b".parse().unwrap(), "doi:10.1/b".parse().unwrap()],
        ..change(Some("Two"), 0)
    };
    store.change(id("8"), &more, at(40)).await.unwrap();
    let again = RecordChange { expected_revision: 1, ..more };
    store.change(id("8"), &again, at(50)).await.unwrap();
    let names = store.pids(id("8")).await.unwrap();
    let names: Vec<_> = names.iter().map(|pid| pid.name.to_string()).collect();
    assert_eq!(names, ["doi:10.1/b", "recid:8"]);
}

async fn a_load_brings_several_pids_and_names_both_sides_of_a_conflict(store: &dyn Store) {
    let record = |number: u64, name: &str, title: &str, dois: &[&str]| {
        let mut record = load_record(number, name, Some(title), &[]);
        record.record.pids = dois.iter().map(|doi| doi.parse().unwrap()).collect();
        record
    };
    let first = vec![
        record(1, "7", "One", &["doi:10.1/a", "doi:10.1/b"]),
        record(2, "8", "Two", &["doi:10.1/b"]),
        record(3, "9", "Three", &["doi:10.1/c"]),
    ];
    let outcome = load(store, 10, first).await;
    assert_eq!((outcome.counts.created, outcome.counts.quarantined), (2, 1));
    let second = vec![
        record(2, "8", "Two", &["doi:10.1/c"]),
        record(1, "7", "One again", &["doi:10.1/a", "doi:10.1/d"]),
    ];
    let later = load(store, 20, second).await;
    assert_eq!((later.counts.updated, later.counts.quarantined), (1, 1));
    for (rejection, doi, owner) in
        [(&outcome.rejections[0], "doi:10.1/b", "7"), (&later.rejections[0], "doi:10.1/c", "9")]
    {
        assert_eq!(rejection.code, "pid_taken");
        for part in [doi, &id(owner).to_string(), &format!("recid:{owner}"), "recid:8"] {
            assert!(rejection.message.contains(part), "{part} in {}", rejection.message);
        }
    }
    assert_eq!(status(store, "recid:8").await, "-");
    for doi in ["a", "b", "d"] {
        let found = store.record("doi", &format!("10.1/{doi}")).await.unwrap();
        assert_eq!(found.id, id("7"), "what a record no longer says stays its PID");
    }
}

async fn the_outbox_holds_what_changed_in_order(store: &dyn Store) {
    store.create(&new_record("7", Some("One"), &[]), at(10)).await.unwrap();
    let batch = vec![
        load_record(1, "8", Some("One"), &[]),
        load_record(1, "8", Some("Two"), &[]),
        load_record(2, "9", Some("One"), &[]),
    ];
    load(store, 20, batch).await;
    load(store, 20, vec![load_record(2, "9", Some("One"), &[])]).await;
    store.change(id("7"), &change(None, 0), at(30)).await.unwrap();
    store.erase(id("9"), 0, at(40)).await.unwrap();
    let rows = store.outbox(10).await.unwrap();
    let found: Vec<_> = rows.iter().map(|row| (row.record_id, row.revision_id, row.live)).collect();
    let expected = [
        (id("7"), 0, true),
        (id("8"), 1, true),
        (id("9"), 0, true),
        (id("7"), 1, false),
        (id("9"), 1, false),
    ];
    assert_eq!(found, expected);
    assert!(rows.is_sorted_by_key(|row| row.number));
    store.clear_outbox(rows[2].number).await.unwrap();
    assert_eq!(store.outbox(10).await.unwrap(), rows[3..]);
    assert_eq!(store.outbox(1).await.unwrap(), rows[3..4]);
    store.clear_outbox(rows[4].number).await.unwrap();
    store.change(id("7"), &change(Some("Two"), 1), at(50)).await.unwrap();
    assert!(store.outbox(10).await.unwrap()[0].number > rows[4].number, "no number twice");
}

async fn a_failed_change_leaves_nothing(store: &dyn Store) {
    let mut record = new_record("7", Some("One"), &["new"]);
    record.json = Some(vec![b'"', 0xFF, b'"']);
    assert_eq!(store.create(&record, at(10)).await.unwrap_err().code(), "json_not_utf8");
    record.json = Some(b"{}".to_vec());
    record.pid_value = String::new();
    assert_eq!(store.create(&record, at(10)).await.unwrap_err().code(), "pid_empty");
    assert!(store.sets().await.unwrap().is_empty());
    assert!(store.outbox(1).await.unwrap().is_empty());
}

/// Writes down what it is told, and refuses what is called so.
#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

#[async_trait]
impl Extension for Diary {
    fn before(&self, draft: Draft<'_>) -> Result<(), Refusal> {
        self.0.lock().unwrap().push(format!("before {}", draft.event.as_str()));
        match draft.json {
            Some(json) if json.contains("Refused") => {
                Err(Refusal { code: "bad_title".to_owned(), message: "it is refused".to_owned() })
            }
            _ => Ok(()),
        }
    }

    async fn after(&self, changes: &[Change], _: &mut Transaction<'_>) -> Result<(), StoreError> {
        let mut diary = self.0.lock().unwrap();
        let events = changes.iter().flat_map(|change| &change.revisions);
        diary.extend(events.map(|revision| format!("after {}", revision.event.as_str())));
        let fails = changes.iter().any(|change| change.pid_value == "unlucky");
        if fails { Err(StoreError::Failed("no room in the diary".to_owned())) } else { Ok(()) }
    }
}

async fn told(store: &dyn Store, diary: &Diary) {
    let took = async |expected: &[&str]| {
        let written = std::mem::take(&mut *diary.0.lock().unwrap());
        assert_eq!(written, expected);
    };
    store.create(&new_record("7", Some("One"), &[]), at(10)).await.unwrap();
    took(&["before insert", "after insert"]).await;
    store.change(id("7"), &change(Some("Two"), 0), at(20)).await.unwrap();
    took(&["before update", "after update"]).await;
    let back = RecordChange { reverts: true, ..change(Some("One"), 1) };
    store.change(id("7"), &back, at(20)).await.unwrap();
    took(&["before revert", "after revert"]).await;
    store.change(id("7"), &change(None, 2), at(30)).await.unwrap();
    took(&["before delete", "after delete"]).await;
    store.change(id("7"), &change(Some("Two"), 3), at(40)).await.unwrap();
    took(&["before undelete", "after undelete"]).await;
    store.erase(id("7"), 4, at(50)).await.unwrap();
    took(&["before erase", "after erase"]).await;
    let refused = store.create(&new_record("8", Some("Refused"), &[]), at(60)).await.unwrap_err();
    assert_eq!(refused.code(), "bad_title");
    took(&["before insert"]).await;
    let outcome = load(
        store,
        70,
        vec![
            load_record(1, "1", Some("One"), &[]),
            load_record(2, "2", Some("Refused"), &[]),
            load_record(3, "1", None, &[]),
            load_record(4, "1", Some("Two"), &[]),
            load_record(5, "1", Some("Refused"), &[]),
        ],
    )
    .await;
    assert_eq!((outcome.counts.created, outcome.counts.quarantined), (1, 2));
    assert_eq!(outcome.rejections[0].code, "bad_title");
    let before = ["before insert", "before insert", "before delete", "before undelete"];
    let after = ["before update", "after insert", "after delete", "after undelete"];
    took(&[before, after].concat()).await;
    let unlucky = new_record("unlucky", Some("One"), &["new"]);
    assert_eq!(store.create(&unlucky, at(80)).await.unwrap_err().code(), "failed");
    assert!(store.item("unlucky", ItemContent::Header).await.unwrap().is_none());
    assert!(store.sets().await.unwrap().is_empty(), "all of it was rolled back");
}

/// The standard extensions and a diary.
fn with_diary() -> (Arc<Diary>, Vec<Arc<dyn Extension>>) {
    let diary = Arc::new(Diary::default());
    let mut extensions = standard();
    extensions.push(Arc::clone(&diary) as Arc<dyn Extension>);
    (diary, extensions)
}

#[tokio::test]
async fn sqlite_tells_extensions_of_single_records_and_of_loads_alike() {
    let folder = crate::store_records::Folder::new();
    let (diary, extensions) = with_diary();
    let store = windrow::store::open_with(&folder.url(), extensions).await.unwrap();
    told(&*store, &diary).await;
}

#[cfg(unix)]
#[tokio::test]
async fn postgres_tells_extensions_of_single_records_and_of_loads_alike() {
    let Some(database) = crate::private_postgres::database() else { return };
    let (diary, extensions) = with_diary();
    let store = windrow::store::open_with(&database.url, extensions).await.unwrap();
    told(&*store, &diary).await;
}

async fn the_states_of_items_are_the_fingerprint_of_their_list(store: &dyn Store) {
    let mut harvested = load_record(1, "7", Some("One"), &["a"]);
    harvested.source.origin = Some(Box::new(origin()));
    let others = [("8", Some("Two")), ("9", Some("Three"))];
    let others = others.map(|(name, title)| load_record(2, name, title, &["a"]));
    load(store, 10, [vec![harvested], others.to_vec()].concat()).await;
    load(store, 20, vec![load_record(3, "9", None, &[])]).await;
    for content in [ItemContent::Header, ItemContent::Json, ItemContent::Source] {
        for set_spec in [None, Some("a".parse().unwrap())] {
            let (after, from, until, limit) = (None, None, None, 10);
            let query = ItemQuery { after, from, until, set_spec, limit, content };
            let items = store.items(&query).await.unwrap();
            assert_eq!(items.len(), 3);
            let states: Vec<&str> = items.iter().map(|item| item.state.as_str()).collect();
            assert_eq!(store.fingerprint(&query).await.unwrap(), Some(states.join("\n")));
        }
    }
}
