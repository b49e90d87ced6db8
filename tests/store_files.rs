//! What every keeper promises of files: buckets, versions, heads, and what records say of them.

use std::collections::HashSet;

use jiff::Timestamp;
use uuid::Uuid;
use windrow::record::{FileCopy, FileInstance, FileOrder, FilePlace};
use windrow::store::{
    BYTES, DueQuery, FILES, KindCounts, LoadOutcome, LoadRecord, Location, ObjectVersion, Store,
    StoreError,
};

use crate::store_records::{
    at, batch, id, load, load_record, new_record, on_every_keeper, run, update,
};

on_every_keeper! {
    files_come_with_their_record
    loading_files_twice_changes_nothing
    new_files_alone_are_a_revision
    a_list_of_files_only_adds
    the_highest_version_is_the_head
    a_version_that_was_deleted_becomes_a_delete_marker
    one_file_on_two_records_is_stored_once
    one_place_in_one_batch_is_one_instance
    new_metadata_keep_the_files
    what_others_noted_beside_a_file_stays
    a_tombstone_deletes_its_bucket_and_comes_back_with_it
    revisions_before_the_last_know_no_later_files
    files_without_a_record_are_counted
    tags_that_change_are_written
    restricted_files_are_marked
    single_files_are_put_and_deleted
    a_location_is_made_once
    one_location_is_the_default
    checks_go_round_by_the_oldest
    uris_are_known_exactly
}

fn order(source_id: &str, key: &str, version: u64, second: i64) -> FileOrder {
    FileOrder {
        source_id: source_id.to_owned(),
        part: format!("file {key} version {version}"),
        alone: None,
        key: key.to_owned(),
        place: FilePlace::Path(format!("/old/{source_id}")),
        size: None,
        md5: None,
        mimetype: Some("application/pdf".to_owned()),
        version,
        created: at(second),
        restricted: false,
        deleted: false,
        tags: Vec::new(),
    }
}

pub fn instance(name: &str) -> FileInstance {
    FileInstance {
        id: id(name),
        uri: format!("/data/{name}"),
        size: name.len() as u64 * 10,
        md5: Some([7; 16]),
        sha256: Some([9; 32]),
    }
}

/// A copy of version `version` of `key`, of bytes of their own.
fn copy(source_id: &str, key: &str, version: u64, second: i64) -> FileCopy {
    FileCopy { order: order(source_id, key, version, second), instance: Some(instance(source_id)) }
}

fn with(mut record: LoadRecord, copies: Vec<FileCopy>) -> LoadRecord {
    record.copies = copies;
    record
}

fn one(name: &str, title: Option<&str>, copies: Vec<FileCopy>) -> LoadRecord {
    with(load_record(1, name, title, &[]), copies)
}

async fn home(store: &dyn Store) -> Location {
    store.make_location("local", "/data", true, at(1)).await.unwrap()
}

async fn load_files(store: &dyn Store, second: i64, records: Vec<LoadRecord>) -> LoadOutcome {
    let location = home(store).await;
    let mut batch = batch(run(store).await, second, records);
    batch.location = Some(location.id);
    let outcome = store.load(batch).await.unwrap();
    assert!(outcome.counts.balance(), "{:?}", outcome.counts);
    outcome
}

fn fates(outcome: &LoadOutcome) -> KindCounts {
    outcome.kinds.clone().of(FILES).clone()
}

/// Versions and bytes that are new.
fn files(outcome: &LoadOutcome) -> [u64; 2] {
    [FILES, BYTES].map(|kind| outcome.kinds.clone().of(kind).loaded)
}

async fn objects(store: &dyn Store, name: &str) -> Vec<ObjectVersion> {
    let bucket = store.bucket(id(name)).await.unwrap().unwrap();
    let objects = store.objects(bucket.id).await.unwrap();
    let size: u64 = objects.iter().filter_map(|o| o.instance.as_ref()).map(|file| file.size).sum();
    assert_eq!(bucket.size, size, "a bucket has the size of all its versions");
    objects
}

/// `key version-tag`, with a star for the head and `-` for a delete marker.
fn shape(objects: &[ObjectVersion]) -> Vec<String> {
    let shape = |object: &ObjectVersion| {
        let version = object.tags.get("version").map_or("?", String::as_str);
        let gone = if object.instance.is_none() { "-" } else { "" };
        let head = if object.is_head { "*" } else { "" };
        format!("{} {version}{gone}{head}", object.key)
    };
    objects.iter().map(shape).collect()
}

async fn json(store: &dyn Store, name: &str) -> serde_json::Value {
    let record = store.record("recid", name).await.unwrap();
    serde_json::from_slice(&record.json.unwrap()).unwrap()
}

/// `key size` of what the record says of its files, after a look at the rest.
async fn told(store: &dyn Store, name: &str) -> Vec<String> {
    let json = json(store, name).await;
    let bucket = store.bucket(id(name)).await.unwrap().unwrap();
    assert_eq!(json["_bucket"], bucket.id.to_string());
    let heads: Vec<ObjectVersion> = objects(store, name)
        .await
        .into_iter()
        .filter(|object| object.is_head && object.instance.is_some())
        .collect();
    let files = json["_files"].as_array().unwrap();
    assert_eq!(files.len(), heads.len());
    for (file, head) in files.iter().zip(&heads) {
        let instance = head.instance.as_ref().unwrap();
        assert_eq!(file["bucket"], bucket.id.to_string());
        assert_eq!(file["key"], head.key);
        assert_eq!(file["version_id"], head.version_id.to_string());
        assert_eq!(file["file_id"], instance.id.to_string());
        assert_eq!(file["size"], instance.size);
        assert_eq!(file["checksum"], instance.checksum.clone().unwrap());
    }
    let line = |file: &serde_json::Value| {
        format!("{} {} {}", file["key"].as_str().unwrap(), file["size"], file["type"])
    };
    files.iter().map(line).collect()
}

async fn files_come_with_their_record(store: &dyn Store) {
    let copies = vec![copy("b", "b.PDF", 1, 5), copy("aa", "a.pdf", 1, 4)];
    let outcome = load_files(store, 10, vec![one("7", Some("One"), copies)]).await;
    assert_eq!(outcome.counts.created, 1);
    assert_eq!(files(&outcome), [2, 30]);
    assert_eq!(told(store, "7").await, ["a.pdf 20 \"pdf\"", "b.PDF 10 \"pdf\""]);
    assert_eq!(json(store, "7").await["title"], "One");
    assert_eq!(store.revisions(id("7")).await.unwrap().len(), 1);
    let objects = objects(store, "7").await;
    assert_eq!(shape(&objects), ["a.pdf 1*", "b.PDF 1*"]);
    assert_eq!(objects[0].created, at(4));
    assert_eq!(objects[0].mimetype.as_deref(), Some("application/pdf"));
    let file = objects[0].instance.as_ref().unwrap();
    assert_eq!((file.id, file.uri.as_str()), (id("aa"), "/data/aa"));
    assert_eq!(file.checksum.as_deref(), Some("md5:07070707070707070707070707070707"));
    assert_eq!(objects[0].tags["sha256"], "09".repeat(32));
    let bucket = store.bucket(id("7")).await.unwrap().unwrap();
    assert!(!bucket.deleted && !bucket.locked);
}

async fn loading_files_twice_changes_nothing(store: &dyn Store) {
    let records = || {
        let copies = |n: u64| {
            let name = format!("file-{n}");
            vec![copy(&name, "a.pdf", 1, 4), copy(&format!("{name}+"), "a.pdf", 2, 5)]
        };
        (1..=40).map(move |n| with(load_record(n, &n.to_string(), Some("One"), &[]), copies(n)))
    };
    let first = load_files(store, 10, records().collect()).await;
    assert_eq!((first.counts.created, files(&first)[0]), (40, 80));
    let before = (json(store, "1").await, objects(store, "1").await);
    let second = load_files(store, 20, records().collect()).await;
    assert_eq!((second.counts.unchanged, fates(&second).unchanged), (40, 80));
    assert_eq!((json(store, "1").await, objects(store, "1").await), before);
    assert_eq!(store.revisions(id("1")).await.unwrap().len(), 1);
    // Twice in one batch, too.
    let both = records().chain(records()).collect();
    let third = load_files(store, 30, both).await;
    assert_eq!((third.counts.unchanged, fates(&third).unchanged), (80, 160));
    assert_eq!(store.count_instances().await.unwrap().0, 80);
}

async fn new_files_alone_are_a_revision(store: &dyn Store) {
    load(store, 10, vec![load_record(1, "7", Some("One"), &["a"])]).await;
    let update = |title| with(load_record(1, "7", title, &["a"]), vec![copy("a", "a.pdf", 1, 4)]);
    let outcome = load_files(store, 20, vec![update(Some("One"))]).await;
    assert_eq!((outcome.counts.updated, outcome.counts.unchanged), (1, 0));
    let revisions = store.revisions(id("7")).await.unwrap();
    assert_eq!(revisions.iter().map(|r| r.updated).collect::<Vec<_>>(), [at(10), at(20)]);
    assert_eq!(told(store, "7").await, ["a.pdf 10 \"pdf\""]);
    let item = store.item("7", windrow::store::ItemContent::Header).await.unwrap().unwrap();
    assert_eq!(item.header.datestamp, windrow::record::Datestamp::from_second(20));
    assert_eq!(item.header.set_specs.len(), 1, "it stays in its sets");
    // Of a migration, it is dated as the file is, and never before the revision it follows.
    let mut record = update(Some("One"));
    record.copies = vec![copy("b", "b.pdf", 1, 15)];
    record.stamps = Some((at(1), at(2)));
    load_files(store, 30, vec![record]).await;
    assert_eq!(store.record("recid", "7").await.unwrap().updated, at(20));
}

async fn a_list_of_files_only_adds(store: &dyn Store) {
    let first = vec![copy("a", "a.pdf", 1, 4), copy("b", "b.pdf", 1, 4)];
    load_files(store, 10, vec![one("7", Some("One"), first)]).await;
    load_files(store, 20, vec![one("7", Some("Two"), vec![copy("a2", "a.pdf", 2, 8)])]).await;
    assert_eq!(told(store, "7").await, ["a.pdf 20 \"pdf\"", "b.pdf 10 \"pdf\""]);
    assert_eq!(shape(&objects(store, "7").await), ["a.pdf 2*", "a.pdf 1", "b.pdf 1*"]);
    assert_eq!(store.revisions(id("7")).await.unwrap().len(), 2);
}

async fn the_highest_version_is_the_head(store: &dyn Store) {
    // In any order, and whatever their dates say.
    let copies = vec![copy("v10", "a", 10, 4), copy("v9", "a", 9, 5), copy("v2", "a", 2, 6)];
    load_files(store, 10, vec![one("7", Some("One"), copies)]).await;
    assert_eq!(shape(&objects(store, "7").await), ["a 2", "a 9", "a 10*"]);
    load_files(store, 20, vec![one("7", Some("One"), vec![copy("v3", "a", 3, 7)])]).await;
    assert_eq!(shape(&objects(store, "7").await), ["a 3", "a 2", "a 9", "a 10*"]);
    load_files(store, 30, vec![one("7", Some("One"), vec![copy("v11", "a", 11, 1)])]).await;
    assert_eq!(shape(&objects(store, "7").await), ["a 3", "a 2", "a 9", "a 10", "a 11*"]);
}

async fn a_version_that_was_deleted_becomes_a_delete_marker(store: &dyn Store) {
    let deleted = |version| {
        let mut order = order("v2", "a.pdf", version, 6);
        order.deleted = true;
        FileCopy { order, instance: None }
    };
    let copies = vec![copy("v1", "a.pdf", 1, 4), deleted(2)];
    load_files(store, 10, vec![one("7", Some("One"), copies)]).await;
    assert_eq!(shape(&objects(store, "7").await), ["a.pdf 2-*", "a.pdf 1"]);
    assert_eq!(told(store, "7").await, [""; 0]);
    // One that was there and is deleted now keeps its bytes behind the marker.
    let copies = vec![copy("v2", "b.pdf", 2, 6)];
    load_files(store, 20, vec![one("8", Some("One"), copies)]).await;
    let mut marker = deleted(2);
    marker.order.key = "b.pdf".to_owned();
    let outcome = load_files(store, 30, vec![one("8", Some("One"), vec![marker])]).await;
    assert_eq!((outcome.counts.updated, files(&outcome)[0]), (1, 1));
    assert_eq!(shape(&objects(store, "8").await), ["b.pdf 2-*", "b.pdf 2"]);
}

async fn one_file_on_two_records_is_stored_once(store: &dyn Store) {
    let shared = || vec![copy("bibdoc-1", "a.pdf", 1, 4)];
    let records = vec![
        with(load_record(1, "7", Some("One"), &[]), shared()),
        with(load_record(2, "8", Some("Two"), &[]), shared()),
    ];
    load_files(store, 10, records).await;
    load_files(store, 20, vec![one("9", Some("Three"), shared())]).await;
    assert_eq!(store.count_instances().await.unwrap(), (1, 80));
    let versions: HashSet<Uuid> = [objects(store, "7").await, objects(store, "8").await]
        .iter()
        .map(|objects| objects[0].version_id)
        .collect();
    assert_eq!(versions.len(), 2);
    let many = (20..30).map(|n| {
        let name = n.to_string();
        let record = load_record(n, &name, Some("Of many"), &[]);
        with(record, vec![copy("bibdoc-2", "b.pdf", 1, 4)])
    });
    load_files(store, 20, many.collect()).await;
    let users = store.users_of(&[id("bibdoc-1"), id("bibdoc-2"), id("nobody")]).await.unwrap();
    let of = |name: &str| -> Vec<String> {
        let users = users.iter().filter(|(instance, ..)| *instance == id(name));
        users.map(|(_, recid, key)| format!("{recid} {key}")).collect()
    };
    assert_eq!(of("bibdoc-1"), ["7 a.pdf", "8 a.pdf", "9 a.pdf"]);
    assert_eq!(of("bibdoc-2"), ["20", "21", "22", "23", "24"].map(|n| format!("{n} b.pdf")));
    // The same bytes under another UUID: whoever was there first keeps the name.
    let mut other = copy("other", "b.pdf", 1, 4);
    other.instance.as_mut().unwrap().uri = "/data/bibdoc-1".to_owned();
    load_files(store, 30, vec![one("9", Some("Three"), vec![other])]).await;
    assert_eq!(store.count_instances().await.unwrap().0, 2);
}

async fn one_place_in_one_batch_is_one_instance(store: &dyn Store) {
    let mut copies = vec![copy("a", "a.pdf", 1, 4), copy("b", "b.pdf", 1, 4)];
    copies[1].instance.as_mut().unwrap().uri = "/data/a".to_owned();
    load_files(store, 10, vec![one("7", Some("One"), copies)]).await;
    assert_eq!(store.count_instances().await.unwrap().0, 1);
    let files: HashSet<Uuid> =
        objects(store, "7").await.into_iter().map(|object| object.instance.unwrap().id).collect();
    assert_eq!(files.len(), 1);
}

async fn new_metadata_keep_the_files(store: &dyn Store) {
    load_files(store, 10, vec![one("7", Some("One"), vec![copy("a", "a.pdf", 1, 4)])]).await;
    let records = vec![
        load_record(1, "7", Some("Two"), &[]),
        load_record(2, "7", Some("Three"), &[]),
        load_record(3, "8", Some("Other"), &[]),
    ];
    load(store, 20, records).await;
    assert_eq!(told(store, "7").await, ["a.pdf 10 \"pdf\""]);
    assert_eq!(json(store, "7").await["title"], "Three");
    for revision in store.revisions(id("7")).await.unwrap() {
        let json = String::from_utf8(revision.json.unwrap()).unwrap();
        assert!(json.contains("\"_files\":[{"), "{json}");
    }
    assert_eq!(json(store, "8").await, serde_json::json!({"title": "Other"}));
    assert_eq!(store.bucket(id("8")).await.unwrap(), None);
}

async fn what_others_noted_beside_a_file_stays(store: &dyn Store) {
    load_files(store, 10, vec![one("7", Some("One"), vec![copy("a", "a.pdf", 1, 4)])]).await;
    let mut noted = json(store, "7").await;
    noted["_files"][0]["caption"] = "The meadow".into();
    let mut record = new_record("7", Some("One"), &[]);
    record.json = Some(windrow::record::canonical_json(&noted));
    update(store, &record, 0, at(15)).await.unwrap();
    load_files(store, 20, vec![one("7", Some("One"), vec![copy("a2", "a.pdf", 2, 5)])]).await;
    let json = json(store, "7").await;
    assert_eq!(json["_files"][0]["caption"], "The meadow");
    assert_eq!(json["_files"][0]["size"], 20);
}

async fn a_tombstone_deletes_its_bucket_and_comes_back_with_it(store: &dyn Store) {
    load_files(store, 10, vec![one("7", Some("One"), vec![copy("a", "a.pdf", 1, 4)])]).await;
    let is_deleted = async || store.bucket(id("7")).await.unwrap().unwrap().deleted;
    load(store, 20, vec![load_record(1, "7", None, &[])]).await;
    assert!(is_deleted().await);
    // A tombstone has files all the same.
    load_files(store, 25, vec![one("7", None, vec![copy("b", "b.pdf", 1, 4)])]).await;
    assert!(is_deleted().await);
    assert_eq!(shape(&objects(store, "7").await), ["a.pdf 1*", "b.pdf 1*"]);
    load(store, 30, vec![load_record(1, "7", Some("One"), &[])]).await;
    assert!(!is_deleted().await);
    assert_eq!(told(store, "7").await, ["a.pdf 10 \"pdf\"", "b.pdf 10 \"pdf\""]);
}

async fn revisions_before_the_last_know_no_later_files(store: &dyn Store) {
    let records = vec![
        load_record(1, "7", Some("One"), &[]),
        with(load_record(2, "7", Some("Two"), &[]), vec![copy("a", "a.pdf", 1, 4)]),
    ];
    load_files(store, 10, records).await;
    let revisions = store.revisions(id("7")).await.unwrap();
    assert_eq!(revisions[0].json.as_deref(), Some(&br#"{"title":"One"}"#[..]));
    assert_eq!(told(store, "7").await, ["a.pdf 10 \"pdf\""]);
}

async fn files_without_a_record_are_counted(store: &dyn Store) {
    let mut taken = one("8", Some("Two"), vec![copy("a", "a.pdf", 1, 4)]);
    taken.locator.number = 2;
    taken.record.pid_value = "7".to_owned();
    let records = vec![load_record(1, "7", Some("One"), &[]), taken];
    let outcome = load_files(store, 10, records).await;
    assert_eq!((outcome.counts.quarantined, fates(&outcome).quarantined), (1, 1));
    let outcome = load_files(store, 20, vec![one("9", None, vec![copy("a", "a.pdf", 1, 4)])]).await;
    assert_eq!((outcome.counts.unchanged, fates(&outcome).skipped), (1, 1));
    assert_eq!(store.count_instances().await.unwrap(), (0, 0));
}

async fn tags_that_change_are_written(store: &dyn Store) {
    let tagged = |value: &str| {
        let mut copy = copy("a", "a.pdf", 1, 4);
        copy.order.tags = vec![("doctype".to_owned(), value.to_owned())];
        vec![one("7", Some("One"), vec![copy])]
    };
    load_files(store, 10, tagged("Main")).await;
    let outcome = load_files(store, 20, tagged("Additional")).await;
    assert_eq!((outcome.counts.unchanged, fates(&outcome).unchanged), (1, 1));
    assert_eq!(objects(store, "7").await[0].tags["doctype"], "Additional");
}

async fn restricted_files_are_marked(store: &dyn Store) {
    let mut closed = copy("a", "a.pdf", 1, 4);
    closed.order.restricted = true;
    load_files(store, 10, vec![one("7", Some("One"), vec![closed, copy("b", "b", 1, 4)])]).await;
    let objects = objects(store, "7").await;
    assert_eq!(objects[0].tags["restricted"], "true");
    assert!(!objects[1].tags.contains_key("restricted"));
}

async fn single_files_are_put_and_deleted(store: &dyn Store) {
    let location = home(store).await;
    let put = |name: &str, second: i64, deleted: bool| {
        let mut order = order(name, "a.pdf", 0, second);
        order.deleted = deleted;
        vec![FileCopy { order, instance: (!deleted).then(|| instance(name)) }]
    };
    let missing = store.put_files(id("7"), location.id, put("one", 20, false), at(20)).await;
    assert!(matches!(missing, Err(StoreError::NotFound(_))));
    load_files(store, 10, vec![one("7", Some("One"), vec![copy("v5", "a.pdf", 5, 4)])]).await;
    let record = store.put_files(id("7"), location.id, put("one", 20, false), at(20)).await;
    assert_eq!(record.unwrap().revision_id, 1);
    assert_eq!(shape(&objects(store, "7").await), ["a.pdf ?*", "a.pdf 5"]);
    store.put_files(id("7"), location.id, put("two", 30, true), at(30)).await.unwrap();
    assert_eq!(told(store, "7").await, [""; 0]);
    // What was put here outlasts what the source knew before.
    load_files(store, 40, vec![one("7", Some("One"), vec![copy("v6", "a.pdf", 6, 5)])]).await;
    assert_eq!(shape(&objects(store, "7").await), ["a.pdf ?-*", "a.pdf ?", "a.pdf 6", "a.pdf 5"]);
    update(store, &new_record("7", None, &[]), 3, at(50)).await.unwrap();
    let gone = store.put_files(id("7"), location.id, put("three", 60, false), at(60)).await;
    assert!(matches!(gone, Err(StoreError::Deleted(_))), "{gone:?}");
}

async fn a_location_is_made_once(store: &dyn Store) {
    let made = store.make_location("archive", "/archive", false, at(1)).await.unwrap();
    assert!(made.is_default, "the first one is");
    let again = store.make_location("archive", "/archive", false, at(2)).await.unwrap();
    assert_eq!(again, made);
    let other = store.make_location("archive", "/elsewhere", false, at(2)).await;
    assert!(matches!(other, Err(StoreError::Refused { .. })));
    for (name, uri) in [("", "/a"), (&*"n".repeat(21), "/a"), ("a", ""), ("a", &*"u".repeat(256))] {
        let refused = store.make_location(name, uri, false, at(2)).await;
        assert!(matches!(refused, Err(StoreError::Refused { .. })), "{name} {uri}");
    }
    assert_eq!(store.locations().await.unwrap(), [made]);
}

async fn one_location_is_the_default(store: &dyn Store) {
    for (name, is_default) in [("a", false), ("b", false), ("c", true)] {
        store.make_location(name, &format!("/{name}"), is_default, at(1)).await.unwrap();
    }
    let default = async || {
        let locations = store.locations().await.unwrap();
        let names = locations.iter().filter(|l| l.is_default).map(|l| l.name.clone());
        names.collect::<Vec<_>>()
    };
    assert_eq!(default().await, ["c"]);
    store.set_default_location("b", at(2)).await.unwrap();
    assert_eq!(default().await, ["b"]);
    let missing = store.set_default_location("d", at(2)).await;
    assert!(matches!(missing, Err(StoreError::NotFound(_))));
    assert_eq!(default().await, ["b"]);
}

async fn checks_go_round_by_the_oldest(store: &dyn Store) {
    let copies = ["a", "b", "c", "d", "e"].map(|name| copy(name, name, 1, 4)).to_vec();
    load_files(store, 10, vec![one("7", Some("One"), copies)]).await;
    let due = async |before: Timestamp, limit: u32| {
        let mut query = DueQuery { before, after: None, limit };
        let mut all = Vec::new();
        loop {
            let page = store.due_instances(&query).await.unwrap();
            let Some(last) = page.last() else { return all };
            query.after = Some((last.last_check_at, last.id));
            all.extend(page);
        }
    };
    assert_eq!(due(at(100), 2).await.len(), 5);
    store.note_checks(&[(id("c"), Some(true)), (id("a"), Some(false))], at(50)).await.unwrap();
    store.note_checks(&[(id("e"), None)], at(40)).await.unwrap();
    let all = due(at(100), 2).await;
    let checks: Vec<_> = all.iter().map(|file| (file.last_check_at, file.last_check)).collect();
    assert_eq!(checks[..3], [(None, None), (None, None), (Some(at(40)), None)]);
    assert_eq!(checks[3].0, Some(at(50)));
    assert_eq!(all[2].id, id("e"));
    assert_eq!(due(at(50), 10).await.len(), 3);
}

async fn uris_are_known_exactly(store: &dyn Store) {
    load_files(store, 10, vec![one("7", Some("One"), vec![copy("a", "a", 1, 4)])]).await;
    let asked = ["/data/a", "/data/b", "/data/"].map(str::to_owned);
    let known = store.instances_at(&asked).await.unwrap();
    let known: Vec<_> = known.iter().map(|file| (file.uri.as_str(), file.sha256)).collect();
    assert_eq!(known, [("/data/a", Some([9; 32]))]);
    assert!(store.instances_at(&[]).await.unwrap().is_empty());
}
