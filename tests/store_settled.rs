//! No update is missed by who asks from the last responseDate, whatever commits late.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use uuid::Uuid;
use windrow::record::Datestamp;
use windrow::store::{
    Change, Extension, Item, ItemContent, ItemQuery, Store, StoreError, Transaction, standard,
};

use crate::store_records::{Folder, at, batch, id, load, load_record, new_record, update};

/// Holds transactions that change a record called `slow…` until it is told; others for a moment.
struct Gate {
    reached: Semaphore,
    open: Semaphore,
    dawdles: AtomicBool,
}

impl Gate {
    fn new() -> Arc<Gate> {
        let closed = || Semaphore::new(0);
        Arc::new(Gate { reached: closed(), open: closed(), dawdles: AtomicBool::new(false) })
    }

    fn extensions(self: &Arc<Gate>) -> Vec<Arc<dyn Extension>> {
        let mut extensions = standard();
        extensions.push(Arc::clone(self) as Arc<dyn Extension>);
        extensions
    }
}

#[async_trait]
impl Extension for Gate {
    async fn after(&self, changes: &[Change], _: &mut Transaction<'_>) -> Result<(), StoreError> {
        if changes.iter().any(|change| change.pid_value.starts_with("slow")) {
            self.reached.add_permits(1);
            self.open.acquire().await.unwrap().forget();
        }
        if self.dawdles.load(Ordering::Relaxed) {
            let [chance, ..] = *Uuid::new_v4().as_bytes();
            tokio::time::sleep(Duration::from_millis(u64::from(chance % 8))).await;
        }
        Ok(())
    }
}

fn second(datestamp: Datestamp) -> i64 {
    datestamp.as_second()
}

async fn datestamp(store: &dyn Store, name: &str) -> i64 {
    second(store.item(name, ItemContent::Header).await.unwrap().unwrap().header.datestamp)
}

/// What a harvester gets that asks for everything from one moment to another, page by page.
async fn harvest(store: &dyn Store, from: Option<Datestamp>, until: Datestamp) -> Vec<Item> {
    let (after, set_spec, content) = (None, None, ItemContent::Json);
    let mut query = ItemQuery { after, from, until: Some(until), set_spec, limit: 7, content };
    let mut all = Vec::new();
    loop {
        let page = store.items(&query).await.unwrap();
        let Some(last) = page.last() else { return all };
        query.after = Some((last.header.datestamp, last.header.id));
        all.extend(page);
    }
}

async fn late_commits(writer: Arc<dyn Store>, reader: Arc<dyn Store>, gate: Arc<Gate>) {
    // Nobody has asked yet: dates of the source are kept, but for those still to come.
    let mut old = load_record(1, "old", Some("One"), &["a"]);
    old.stamps = Some((at(10), at(50)));
    let mut future = load_record(2, "future", Some("One"), &[]);
    future.stamps = Some((at(10), at(5000)));
    load(&*writer, 80, vec![old.clone(), future]).await;
    assert_eq!((datestamp(&*reader, "old").await, datestamp(&*reader, "future").await), (50, 80));
    assert_eq!(second(reader.settled(at(90)).await.unwrap()), 90);

    for (name, begun, asked) in [("slow1", 100, 110), ("slow2", 105, 120)] {
        let creating = tokio::spawn({
            let writer = Arc::clone(&writer);
            let record = new_record(name, Some("One"), &["a"]);
            async move { writer.create(&record, at(begun)).await }
        });
        gate.reached.acquire().await.unwrap().forget();
        let given = reader.settled(at(asked)).await.unwrap();
        assert!(harvest(&*reader, None, given).await.iter().all(|i| i.header.pid_value != name));
        gate.open.add_permits(1);
        creating.await.unwrap().unwrap();
        let found = harvest(&*reader, Some(given), Datestamp::from_second(asked)).await;
        let found = found.iter().find(|item| item.header.pid_value == name);
        let found = second(found.expect("the harvest goes on without it").header.datestamp);
        assert!(found >= begun && found <= asked, "{found}");
        assert_eq!(second(reader.settled(at(asked)).await.unwrap()), asked, "all is committed");
    }
    // Writers whose clock is behind, and dates of the source that are.
    writer.create(&new_record("late", Some("One"), &[]), at(95)).await.unwrap();
    old.stamps = Some((at(10), at(60)));
    old.record.json = Some(b"{}".to_vec());
    old.hash = [1; 32];
    load(&*writer, 115, vec![old]).await;
    let late = [datestamp(&*reader, "late").await, datestamp(&*reader, "old").await];
    assert_eq!(late, [120, 120]);
    let stored = reader.record("recid", "old").await.unwrap();
    assert_eq!((stored.created, stored.updated), (at(10), at(60)), "the record keeps its dates");
    assert_eq!(second(reader.settled(at(i64::from(u32::MAX))).await.unwrap()) >> 33, 0);
}

/// Writers and a harvester at once, by a clock that goes on a second with every step.
async fn poll(writers: Vec<Arc<dyn Store>>, reader: Arc<dyn Store>, gate: Arc<Gate>) {
    const STEPS: i64 = 40;
    const RECORDS: i64 = 9;
    gate.dawdles.store(true, Ordering::Relaxed);
    let clock = Arc::new(AtomicI64::new(1000));
    let tick = |clock: &AtomicI64| at(clock.fetch_add(1, Ordering::SeqCst));
    let mut tasks = Vec::new();
    for (number, store) in (0..).zip(writers) {
        let clock = Arc::clone(&clock);
        tasks.push(tokio::spawn(async move {
            let run = store.begin_run(&format!("of {number}"), "v1", false, at(1)).await.unwrap();
            for step in 0..STEPS {
                // Each writer has records of its own, so that none is stale.
                let name = format!("{number}-{}", (step * 7 + step / 5) % RECORDS);
                let title = (step % 5 != 4).then(|| format!("{step}"));
                let sets: &[&str] = if step % 3 == 0 { &["a:b"] } else { &["c"] };
                let now = tick(&clock);
                if step % 2 == 0 {
                    let mut record = load_record(1, &name, title.as_deref(), sets);
                    // A few come with dates of their own.
                    record.stamps = (step % 8 == 0).then(|| (at(1), at(900 + step)));
                    store.load(batch(run.id, now.as_second(), vec![record])).await.unwrap();
                    continue;
                }
                let record = new_record(&name, title.as_deref(), sets);
                match store.record_by_id(id(&name)).await {
                    Ok(found) => drop(update(&*store, &record, found.revision_id, now).await),
                    Err(_) => drop(store.create(&record, now).await),
                }
            }
        }));
    }
    let mut copy = BTreeMap::new();
    let mut from = None;
    loop {
        let is_last = tasks.iter().all(tokio::task::JoinHandle::is_finished);
        let until = reader.settled(tick(&clock)).await.unwrap();
        for item in harvest(&*reader, from, until).await {
            copy.insert(item.header.id, item);
        }
        from = Some(until);
        if is_last {
            break;
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    let all = harvest(&*reader, None, Datestamp::from_second(i64::MAX)).await;
    let all: BTreeMap<_, _> = all.into_iter().map(|item| (item.header.id, item)).collect();
    let missed: Vec<_> = all.iter().filter(|(id, item)| copy.get(id) != Some(item)).collect();
    assert!(missed.is_empty(), "{} of {} missed: {missed:?}", missed.len(), all.len());
    assert!(all.len() > 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_shows_late_commits_to_who_asks_from_the_last_answer() {
    let folder = Folder::new();
    let gate = Gate::new();
    let writer = windrow::store::open_with(&folder.url(), gate.extensions()).await.unwrap();
    let reader = windrow::store::open(&folder.url()).await.unwrap();
    late_commits(writer, reader, gate).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_misses_no_update_in_polls_while_others_write() {
    let folder = Folder::new();
    let gate = Gate::new();
    let writer = windrow::store::open_with(&folder.url(), gate.extensions()).await.unwrap();
    let other = windrow::store::open_with(&folder.url(), gate.extensions()).await.unwrap();
    let reader = windrow::store::open(&folder.url()).await.unwrap();
    poll(vec![Arc::clone(&writer), other, writer], reader, gate).await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_shows_late_commits_to_who_asks_from_the_last_answer() {
    let Some(database) = crate::private_postgres::database() else { return };
    let gate = Gate::new();
    let writer = windrow::store::open_with(&database.url, gate.extensions()).await.unwrap();
    let reader = windrow::store::open(&database.url).await.unwrap();
    late_commits(writer, reader, gate).await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_shows_an_index_no_change_before_an_earlier_one_that_commits_late() {
    let Some(database) = crate::private_postgres::database() else { return };
    let gate = Gate::new();
    let store = windrow::store::open_with(&database.url, gate.extensions()).await.unwrap();
    store.create(&new_record("first", Some("One"), &[]), at(10)).await.unwrap();
    let creating = tokio::spawn({
        let (store, record) = (Arc::clone(&store), new_record("slow", Some("One"), &[]));
        async move { store.create(&record, at(10)).await }
    });
    gate.reached.acquire().await.unwrap().forget();
    store.create(&new_record("quick", Some("One"), &[]), at(10)).await.unwrap();
    let read = async || {
        let rows = store.outbox(10).await.unwrap();
        rows.iter().map(|row| row.record_id).collect::<Vec<_>>()
    };
    assert_eq!(read().await, [id("first")]);
    gate.open.add_permits(1);
    creating.await.unwrap().unwrap();
    assert_eq!(read().await, [id("first"), id("slow"), id("quick")]);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_misses_no_update_in_polls_while_others_write() {
    let Some(database) = crate::private_postgres::database() else { return };
    let gate = Gate::new();
    let mut writers = Vec::new();
    for _ in 0..4 {
        let store = windrow::store::open_with(&database.url, gate.extensions()).await.unwrap();
        writers.push(store);
    }
    let reader = windrow::store::open(&database.url).await.unwrap();
    poll(writers, reader, gate).await;
}
