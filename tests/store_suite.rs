//! What every keeper promises: one suite over `&dyn Store`, run on each of them.

use jiff::Timestamp;
use windrow::record::{Datestamp, SetSpec};
use windrow::store::{
    CopyBytes, Counts, Item, ItemContent, ItemQuery, QuarantineQuery, RunState, ScheduleEntry,
    Store, StoreError,
};

use crate::store_records::{
    at, batch, id, load, load_record, new_record, on_every_keeper, origin, rejected, run, update,
};

/// All items, read `limit` at a time.
async fn pages(store: &dyn Store, mut query: ItemQuery, limit: u32) -> Vec<Item> {
    query.limit = limit;
    let mut all = Vec::new();
    loop {
        let page = store.items(&query).await.unwrap();
        let Some(last) = page.last() else { return all };
        query.after = Some((last.header.datestamp, last.header.id));
        all.extend(page);
    }
}

fn everything() -> ItemQuery {
    ItemQuery {
        after: None,
        from: None,
        until: None,
        set_spec: None,
        limit: 1000,
        content: ItemContent::Header,
    }
}

fn of_source(name: &str) -> QuarantineQuery {
    QuarantineQuery { source_name: Some(name.to_owned()), ..QuarantineQuery::first(10) }
}

fn of_set(spec: &str) -> ItemQuery {
    ItemQuery { set_spec: Some(spec.parse().unwrap()), ..everything() }
}

fn names(items: &[Item]) -> Vec<&str> {
    let mut names: Vec<_> = items.iter().map(|item| item.header.pid_value.as_str()).collect();
    names.sort_unstable();
    names
}

on_every_keeper! {
    a_created_record_is_found_by_its_pid
    a_record_is_answered_as_it_is_read_back
    an_update_is_a_new_revision_and_a_stale_one_is_refused
    a_deleted_record_becomes_a_tombstone_and_comes_back_with_new_content
    a_pid_names_one_record_only
    loading_twice_changes_nothing
    several_revisions_of_a_record_in_one_batch_are_kept_in_order
    a_source_deletes_and_brings_back
    dates_of_the_source_are_kept
    a_record_whose_pid_is_taken_goes_to_quarantine_and_the_others_go_on
    a_change_of_sets_alone_is_a_change
    source_bytes_that_change_alone_are_kept_and_move_the_datestamp
    counts_of_a_split_add_up_batch_by_batch
    an_interrupted_run_goes_on_unless_its_definition_changed
    a_failed_batch_leaves_nothing
    paging_gives_one_list
    a_set_holds_what_is_in_the_sets_below_it
    a_list_of_source_bytes_has_the_json_of_all_and_the_bytes_of_those_that_have_them
    a_set_is_listed_once_with_its_first_name
    what_is_live_of_a_source_is_listed_page_by_page
    a_schedule_is_remembered
    a_claimed_pipeline_is_released
}

async fn a_record_is_answered_as_it_is_read_back(store: &dyn Store) {
    // No column holds nanoseconds.
    let now = Timestamp::from_nanosecond(10_123_456_789).unwrap();
    let created = store.create(&new_record("7", Some("One"), &[]), now).await.unwrap();
    assert_eq!(created.updated.to_string(), "1970-01-01T00:00:10.123456Z");
    assert_eq!(store.record("recid", "7").await.unwrap(), created);
}

async fn a_created_record_is_found_by_its_pid(store: &dyn Store) {
    store.ping().await.unwrap();
    let created = store.create(&new_record("7", Some("One"), &["a"]), at(10)).await.unwrap();
    assert_eq!((created.revision_id, created.created, created.updated), (0, at(10), at(10)));
    assert_eq!(store.record("recid", "7").await.unwrap(), created);
    assert_eq!(store.revisions(id("7")).await.unwrap(), [created]);
    let item = store.item("7", ItemContent::Json).await.unwrap().unwrap();
    assert_eq!(item.json.as_deref(), Some(&br#"{"title":"One"}"#[..]));
    assert_eq!(item.header.set_specs, ["a".parse::<SetSpec>().unwrap()]);
    assert_eq!(store.item("8", ItemContent::Json).await.unwrap(), None);
    assert!(matches!(store.record("recid", "8").await, Err(StoreError::NotFound(_))));
    assert!(matches!(store.revisions(id("8")).await, Err(StoreError::NotFound(_))));
}

async fn an_update_is_a_new_revision_and_a_stale_one_is_refused(store: &dyn Store) {
    store.create(&new_record("7", Some("One"), &[]), at(10)).await.unwrap();
    let updated = update(store, &new_record("7", Some("Two"), &[]), 0, at(20)).await.unwrap();
    assert_eq!((updated.revision_id, updated.created, updated.updated), (1, at(10), at(20)));
    let stale = update(store, &new_record("7", Some("Three"), &[]), 0, at(30)).await;
    assert!(matches!(stale, Err(StoreError::Stale { found: 1, expected: 0, .. })));
    let missing = update(store, &new_record("8", Some("Three"), &[]), 0, at(30)).await;
    assert!(matches!(missing, Err(StoreError::NotFound(_))));
    assert_eq!(store.record("recid", "7").await.unwrap(), updated);
    let revisions = store.revisions(id("7")).await.unwrap();
    assert_eq!(revisions.iter().map(|r| r.updated).collect::<Vec<_>>(), [at(10), at(20)]);
}

async fn a_deleted_record_becomes_a_tombstone_and_comes_back_with_new_content(store: &dyn Store) {
    store.create(&new_record("7", Some("One"), &["a"]), at(10)).await.unwrap();
    let tombstone = update(store, &new_record("7", None, &[]), 0, at(20)).await.unwrap();
    assert_eq!((tombstone.revision_id, &tombstone.json), (1, &None));
    assert_eq!(store.record("recid", "7").await.unwrap(), tombstone);
    let item = store.item("7", ItemContent::Json).await.unwrap().unwrap();
    assert!(item.header.deleted && item.json.is_none());
    assert_eq!(names(&store.items(&of_set("a")).await.unwrap()), ["7"]);
    let again = update(store, &new_record("7", None, &[]), 1, at(30)).await;
    assert!(matches!(again, Err(StoreError::NotFound(_) | StoreError::Deleted(_))));
    update(store, &new_record("7", Some("Two"), &["a"]), 1, at(40)).await.unwrap();
    assert_eq!(store.revisions(id("7")).await.unwrap().len(), 3);
    assert!(!store.item("7", ItemContent::Header).await.unwrap().unwrap().header.deleted);
}

async fn a_pid_names_one_record_only(store: &dyn Store) {
    store.create(&new_record("7", Some("One"), &[]), at(10)).await.unwrap();
    let mut other = new_record("8", Some("Two"), &[]);
    other.pid_value = "7".to_owned();
    assert!(matches!(store.create(&other, at(20)).await, Err(StoreError::PidTaken(_))));
    let mut same_id = new_record("7", Some("Two"), &[]);
    same_id.pid_value = "8".to_owned();
    let taken = store.create(&same_id, at(20)).await;
    assert!(matches!(taken, Err(StoreError::PidTaken(_) | StoreError::IdTaken(_))));
    assert_eq!(store.count_items(&everything()).await.unwrap(), 1);
}

async fn loading_twice_changes_nothing(store: &dyn Store) {
    let records = || {
        (1..=150).map(|n| load_record(n, &n.to_string(), Some("One"), &["a:b"])).collect::<Vec<_>>()
    };
    let first = load(store, 10, records()).await;
    assert_eq!((first.counts.read, first.counts.created), (150, 150));
    let before = store.items(&everything()).await.unwrap();
    let second = load(store, 20, records()).await;
    assert_eq!((second.counts.read, second.counts.unchanged), (150, 150));
    assert_eq!(store.items(&everything()).await.unwrap(), before);
    assert_eq!(store.revisions(id("1")).await.unwrap().len(), 1);
    // Repeated in one batch, too.
    let twice = load(store, 30, records().into_iter().chain(records()).collect()).await;
    assert_eq!(twice.counts.unchanged, 300);
}

async fn several_revisions_of_a_record_in_one_batch_are_kept_in_order(store: &dyn Store) {
    let records = vec![
        load_record(1, "7", Some("One"), &["a"]),
        load_record(2, "8", Some("Other"), &[]),
        load_record(3, "7", Some("Two"), &["b"]),
        load_record(4, "7", Some("Two"), &["b"]),
        load_record(5, "7", None, &[]),
        load_record(6, "7", Some("One"), &["c"]),
    ];
    let counts = load(store, 10, records).await.counts;
    assert_eq!(
        counts,
        Counts { read: 6, created: 2, updated: 2, unchanged: 1, deleted: 1, ..Counts::default() }
    );
    let revisions = store.revisions(id("7")).await.unwrap();
    let titles: Vec<_> = revisions
        .iter()
        .map(|r| r.json.as_ref().map(|json| String::from_utf8_lossy(json).into_owned()))
        .collect();
    let title = |title: &str| Some(format!(r#"{{"title":"{title}"}}"#));
    assert_eq!(titles, [title("One"), title("Two"), None, title("One")]);
    assert_eq!(revisions.iter().map(|r| r.revision_id).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(names(&store.items(&of_set("c")).await.unwrap()), ["7"]);
    assert_eq!(store.count_items(&of_set("a")).await.unwrap(), 0);
    assert_eq!(store.count_items(&everything()).await.unwrap(), 2);
}

async fn a_source_deletes_and_brings_back(store: &dyn Store) {
    let unknown = load(store, 5, vec![load_record(1, "7", None, &[])]).await;
    assert_eq!(unknown.counts.unchanged, 1);
    assert_eq!(store.count_items(&everything()).await.unwrap(), 0);
    load(store, 10, vec![load_record(1, "7", Some("One"), &["a"])]).await;
    for (second, deleted, unchanged) in [(20, 1, 0), (30, 0, 1)] {
        let counts = load(store, second, vec![load_record(1, "7", None, &[])]).await.counts;
        assert_eq!((counts.deleted, counts.unchanged), (deleted, unchanged));
        let item = store.item("7", ItemContent::Source).await.unwrap().unwrap();
        assert!(item.header.deleted && item.source.is_none());
        assert_eq!(item.header.datestamp, Datestamp::from_second(20));
    }
    let counts = load(store, 40, vec![load_record(1, "7", Some("One"), &["a"])]).await.counts;
    assert_eq!(counts.updated, 1);
    let item = store.item("7", ItemContent::Source).await.unwrap().unwrap();
    assert_eq!(item.source.unwrap().bytes, br#"raw 7 Some("One")"#);
    assert_eq!(store.revisions(id("7")).await.unwrap().len(), 3);
}

async fn dates_of_the_source_are_kept(store: &dyn Store) {
    let mut record = load_record(1, "7", Some("One"), &[]);
    let updated: Timestamp = "2001-02-03T04:05:06.789Z".parse().unwrap();
    record.stamps = Some((at(1000), updated));
    load(store, 2_000_000_000, vec![record]).await;
    let stored = store.record("recid", "7").await.unwrap();
    assert_eq!((stored.created, stored.updated), (at(1000), updated));
    let earliest = store.earliest_datestamp().await.unwrap().unwrap();
    assert_eq!(earliest.to_string(), "2001-02-03T04:05:06Z");
}

async fn a_record_whose_pid_is_taken_goes_to_quarantine_and_the_others_go_on(store: &dyn Store) {
    let mut thief = load_record(2, "8", Some("Two"), &[]);
    thief.record.pid_value = "7".to_owned();
    let records = vec![
        load_record(1, "7", Some("One"), &[]),
        thief.clone(),
        thief,
        load_record(3, "9", Some("Three"), &[]),
    ];
    let outcome = load(store, 10, records).await;
    assert_eq!((outcome.counts.created, outcome.counts.quarantined), (2, 2));
    assert_eq!(outcome.rejections[0].code, "pid_taken");
    let entries = store.quarantine(&of_source("catalog")).await.unwrap();
    assert_eq!(entries.len(), 1, "one place in the source, one row");
    assert_eq!((entries[0].stage.as_str(), entries[0].code.as_str()), ("load", "pid_taken"));
    assert_eq!(entries[0].bytes, br#"raw 8 Some("Two")"#);
    assert_eq!(store.record("recid", "7").await.unwrap().id, id("7"));
}

async fn a_change_of_sets_alone_is_a_change(store: &dyn Store) {
    load(store, 10, vec![load_record(1, "7", Some("One"), &["a"])]).await;
    let moved = load(store, 20, vec![load_record(1, "7", Some("One"), &["b"])]).await;
    assert_eq!(moved.counts.updated, 1);
    assert_eq!(store.count_items(&of_set("a")).await.unwrap(), 0);
    assert_eq!(store.count_items(&of_set("b")).await.unwrap(), 1);
}

async fn source_bytes_that_change_alone_are_kept_and_move_the_datestamp(store: &dyn Store) {
    let with_bytes = |bytes: &str| {
        let mut record = load_record(1, "7", Some("One"), &["a"]);
        record.source.hash = windrow::record::content_hash(bytes.as_bytes());
        record.source.bytes = CopyBytes::Plain(bytes.as_bytes().to_vec());
        record
    };
    let source = async || store.item("7", ItemContent::Source).await.unwrap().unwrap();
    let mut harvested = with_bytes("first");
    harvested.source.origin = Some(Box::new(origin()));
    load(store, 10, vec![harvested]).await;
    for content in [ItemContent::Json, ItemContent::Source] {
        let item = store.item("7", content).await.unwrap().unwrap();
        assert_eq!(item.origin, Some(origin()));
    }
    let counts = load(store, 20, vec![with_bytes("first"), with_bytes("second")]).await.counts;
    assert_eq!(counts.unchanged, 2);
    let item = source().await;
    assert_eq!(item.source.unwrap().bytes, b"second");
    assert_eq!(item.origin, None, "these bytes were not harvested");
    assert_eq!(item.header.datestamp, Datestamp::from_second(20));
    assert!(!item.header.deleted);
    assert_eq!(names(&store.items(&of_set("a")).await.unwrap()), ["7"]);
    let record = store.record("recid", "7").await.unwrap();
    assert_eq!((record.revision_id, record.updated), (0, at(10)), "the record is what it was");
    load(store, 30, vec![with_bytes("second")]).await;
    assert_eq!(source().await.header.datestamp, Datestamp::from_second(20));
    let unkept = |bytes| {
        let mut unkept = batch(1, 40, vec![with_bytes(bytes)]);
        unkept.keep_source = false;
        unkept
    };
    let mut third = unkept("third");
    third.run_id = run(store).await;
    store.load(third).await.unwrap();
    assert_eq!(source().await.source.unwrap().bytes, b"second", "nobody wants them kept");
    // Then the content as well, in one batch with bytes of its own.
    let mut changed = load_record(1, "7", Some("Two"), &["a"]);
    changed.source = with_bytes("fourth").source;
    let mut again = changed.clone();
    again.source = with_bytes("fifth").source;
    let counts = load(store, 50, vec![changed, again]).await.counts;
    assert_eq!((counts.updated, counts.unchanged), (1, 1));
    assert_eq!(source().await.source.unwrap().bytes, b"fifth");
    assert_eq!(store.revisions(id("7")).await.unwrap().len(), 2);
    assert!(store.record("recid", "7").await.is_ok());
}

async fn counts_of_a_split_add_up_batch_by_batch(store: &dyn Store) {
    let run_id = run(store).await;
    let mut first = batch(run_id, 10, vec![load_record(1, "7", Some("One"), &[])]);
    first.checkpoint.skipped = 2;
    let mut second = batch(run_id, 20, vec![load_record(1, "7", Some("Two"), &[])]);
    second.quarantined = vec![rejected(5, "torn")];
    second.checkpoint.done = true;
    second.checkpoint.account = r#"{"lost":1}"#.to_owned();
    second.checkpoint.records = 5;
    store.load(first).await.unwrap();
    store.load(second.clone()).await.unwrap();
    let splits = store.splits(run_id).await.unwrap();
    second.checkpoint.skipped = 2;
    assert_eq!(splits.len(), 1);
    assert_eq!(splits[0].checkpoint, second.checkpoint);
    let counts =
        Counts { read: 5, created: 1, updated: 1, skipped: 2, quarantined: 1, ..Counts::default() };
    assert_eq!(splits[0].counts, counts);
    store.reset_split(run_id, "dump.mrc").await.unwrap();
    assert!(store.splits(run_id).await.unwrap().is_empty());
}

async fn an_interrupted_run_goes_on_unless_its_definition_changed(store: &dyn Store) {
    let first = store.begin_run("catalog", "v1", false, at(10)).await.unwrap();
    store.load(batch(first.id, 10, vec![load_record(1, "7", Some("One"), &[])])).await.unwrap();
    let other = store.begin_run("theses", "v1", false, at(10)).await.unwrap();
    assert_ne!(other.id, first.id);
    let resumed = store.begin_run("catalog", "v1", false, at(20)).await.unwrap();
    assert_eq!((resumed.id, resumed.attempt, resumed.splits.len()), (first.id, 2, 1));
    let changed = store.begin_run("catalog", "v2", false, at(30)).await.unwrap();
    assert_eq!((changed.attempt, changed.splits.len()), (1, 0));
    let fresh = store.begin_run("catalog", "v2", true, at(40)).await.unwrap();
    assert_ne!(fresh.id, changed.id);
    store.end_run(fresh.id, RunState::Done, r#"{"read":1}"#, at(50)).await.unwrap();
    let next = store.begin_run("catalog", "v2", false, at(60)).await.unwrap();
    assert_ne!(next.id, fresh.id, "what is done is not resumed");
    let states: Vec<_> = store.runs(10).await.unwrap();
    let states: Vec<_> = states.iter().map(|run| (run.id, run.state.as_str())).collect();
    assert_eq!(
        states,
        [
            (next.id, "running"),
            (fresh.id, "done"),
            (changed.id, "abandoned"),
            (other.id, "running"),
            (first.id, "abandoned"),
        ]
    );
    let missing = store.end_run(99, RunState::Done, "{}", at(70)).await;
    assert!(matches!(missing, Err(StoreError::NotFound(_))));
}

async fn a_failed_batch_leaves_nothing(store: &dyn Store) {
    let no_such_run = 99;
    let records = || vec![load_record(1, "7", Some("One"), &["new:set"])];
    assert!(store.load(batch(no_such_run, 10, records())).await.is_err());
    assert_eq!(store.count_items(&everything()).await.unwrap(), 0);
    assert!(store.sets().await.unwrap().is_empty());
    assert_eq!(load(store, 20, records()).await.counts.created, 1);
    assert_eq!(store.sets().await.unwrap().len(), 1);
    assert_eq!(store.count_items(&of_set("new")).await.unwrap(), 1);
}

async fn paging_gives_one_list(store: &dyn Store) {
    // Many share a datestamp: the id decides there.
    for second in 0..5 {
        let numbers = second * 20..second * 20 + 20;
        let sets = |n: u64| if n.is_multiple_of(3) { &["a:b"][..] } else { &["c"][..] };
        let records =
            numbers.map(|n| load_record(n, &n.to_string(), Some("One"), sets(n))).collect();
        load(store, 100 + i64::try_from(second).unwrap() / 2, records).await;
    }
    load(store, 200, vec![load_record(3, "3", None, &[])]).await;
    for mut query in [everything(), of_set("a"), of_set("a:b"), of_set("c"), of_set("none")] {
        for content in [ItemContent::Header, ItemContent::Json, ItemContent::Source] {
            query.content = content;
            let whole = store.items(&query).await.unwrap();
            assert_eq!(whole.len() as u64, store.count_items(&query).await.unwrap());
            let position = |item: &Item| (item.header.datestamp, item.header.id);
            assert!(whole.is_sorted_by(|a, b| position(a) < position(b)));
            for limit in [1, 7, 100] {
                assert_eq!(pages(store, query.clone(), limit).await, whole);
            }
        }
    }
    assert_eq!(store.count_items(&of_set("a")).await.unwrap(), 34);
    let window = ItemQuery {
        from: Some(Datestamp::from_second(101)),
        until: Some(Datestamp::from_second(101)),
        ..everything()
    };
    assert_eq!(pages(store, window.clone(), 7).await.len(), 40);
    assert_eq!(store.count_items(&window).await.unwrap(), 40);
    let late = ItemQuery { from: Some(Datestamp::from_second(102)), ..of_set("a:b") };
    assert_eq!(
        names(&store.items(&late).await.unwrap()),
        ["3", "81", "84", "87", "90", "93", "96", "99"]
    );
}

async fn a_set_holds_what_is_in_the_sets_below_it(store: &dyn Store) {
    let records = vec![
        load_record(1, "1", Some("One"), &["a:b:c", "a:b"]),
        load_record(2, "2", Some("Two"), &["a"]),
        load_record(3, "3", Some("Three"), &["ab"]),
    ];
    load(store, 10, records).await;
    for (spec, expected) in
        [("a", &["1", "2"][..]), ("a:b", &["1"]), ("a:b:c", &["1"]), ("ab", &["3"]), ("b", &[])]
    {
        assert_eq!(names(&store.items(&of_set(spec)).await.unwrap()), expected, "{spec}");
    }
    let item = store.item("1", ItemContent::Header).await.unwrap().unwrap();
    let specs: Vec<_> = item.header.set_specs.iter().map(SetSpec::as_str).collect();
    assert_eq!(specs, ["a:b", "a:b:c"]);
}

async fn a_list_of_source_bytes_has_the_json_of_all_and_the_bytes_of_those_that_have_them(
    store: &dyn Store,
) {
    store.create(&new_record("1", Some("By hand"), &["a"]), at(10)).await.unwrap();
    store.create(&new_record("2", Some("By hand"), &["a"]), at(10)).await.unwrap();
    update(store, &new_record("2", None, &[]), 0, at(10)).await.unwrap();
    load(store, 20, vec![load_record(3, "3", Some("Loaded"), &["a"])]).await;
    for query in [everything(), of_set("a")] {
        let query = ItemQuery { content: ItemContent::Source, ..query };
        let mut items = store.items(&query).await.unwrap();
        items.sort_by(|a, b| a.header.pid_value.cmp(&b.header.pid_value));
        assert_eq!(names(&items), ["1", "2", "3"]);
        assert_eq!(store.count_items(&query).await.unwrap(), 3);
        let has = |item: &Item| (item.json.is_some(), item.source.is_some());
        let found: Vec<_> = items.iter().map(has).collect();
        assert_eq!(found, [(true, false), (false, false), (true, true)]);
        assert_eq!(items[2].source.as_ref().unwrap().format, "marc21");
    }
    let run_id = run(store).await;
    let mut unkept = batch(run_id, 30, vec![load_record(3, "3", Some("Unkept"), &["a"])]);
    unkept.keep_source = false;
    store.load(unkept).await.unwrap();
    let sources = ItemQuery { content: ItemContent::Source, ..everything() };
    let items = store.items(&sources).await.unwrap();
    assert!(items.iter().all(|item| item.source.is_none()));
}

async fn a_set_is_listed_once_with_its_first_name(store: &dyn Store) {
    load(store, 10, vec![load_record(1, "1", Some("One"), &["b", "a:b"])]).await;
    let mut renamed = load_record(2, "2", Some("Two"), &["b"]);
    renamed.record.memberships[0].name = "Another name".to_owned();
    load(store, 20, vec![renamed]).await;
    let sets = store.sets().await.unwrap();
    let sets: Vec<_> = sets.iter().map(|set| (set.spec.as_str(), set.name.as_str())).collect();
    assert_eq!(sets, [("a:b", "Set a:b"), ("b", "Set b")]);
}

async fn what_is_live_of_a_source_is_listed_page_by_page(store: &dyn Store) {
    let records = ["1", "2", "3", "4"].map(|name| load_record(1, name, Some("One"), &[]));
    load(store, 10, records.to_vec()).await;
    load(store, 20, vec![load_record(1, "2", None, &[])]).await;
    let first = store.live_source_ids("catalog", "", 2).await.unwrap();
    assert_eq!(first, ["1", "3"]);
    assert_eq!(store.live_source_ids("catalog", "3", 2).await.unwrap(), ["4"]);
    assert!(store.live_source_ids("other", "", 2).await.unwrap().is_empty());
}

async fn a_schedule_is_remembered(store: &dyn Store) {
    assert!(store.schedule().await.unwrap().is_empty());
    let mut entry =
        ScheduleEntry { pipeline: "meadow".into(), served: 10, ..ScheduleEntry::default() };
    store.note_schedule(&entry).await.unwrap();
    let other = ScheduleEntry { pipeline: "hay".into(), served: 5, ..ScheduleEntry::default() };
    store.note_schedule(&other).await.unwrap();
    entry = ScheduleEntry {
        served: 20,
        next: Some(30),
        started: Some(21),
        finished: Some(22),
        outcome: Some("failed".into()),
        message: Some("the harvest is not complete".into()),
        run_id: Some(7),
        ..entry
    };
    store.note_schedule(&entry).await.unwrap();
    assert_eq!(store.schedule().await.unwrap(), [other, entry]);
}

async fn a_claimed_pipeline_is_released(store: &dyn Store) {
    store.claim("meadow").await.unwrap();
    store.claim("meadow").await.unwrap();
    store.release("meadow").await;
    store.release("meadow").await;
    store.claim("meadow").await.unwrap();
    let run = store.begin_run("meadow", "definition", false, at(10)).await.unwrap();
    store.end_run(run.id, RunState::Done, "{}", at(20)).await.unwrap();
    store.release("meadow").await;
}
