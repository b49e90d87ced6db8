//! Random histories, harvested: by tokens, and by polling while they happen.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use windrow::oai::oai_identifier;
use windrow::record::Clock;
use windrow::store::{
    Change, Extension, Item, ItemContent, ItemQuery, Store, StoreError, Transaction, standard,
};

use crate::oai_endpoint::Endpoint;
use crate::oai_endpoint::client::{all, codes, pieces};
use crate::store_records::{Folder, at, id, new_record, update};

const RECORDS: usize = 12;
const SETS: [&str; 4] = ["a", "a:b", "a:b:c", "d"];

/// A record gets a title, or goes, so many seconds after the change before.
#[derive(Debug, Clone)]
struct Step {
    record: usize,
    title: Option<u8>,
    sets: Vec<usize>,
    later: i64,
}

/// What is asked for: seconds from the beginning, a set.
#[derive(Debug, Clone)]
struct Wish {
    from: Option<i64>,
    until: Option<i64>,
    set: Option<usize>,
    page_size: u32,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let title = prop_oneof![1 => Just(None), 3 => (0_u8..5).prop_map(Some)];
    let sets = proptest::collection::vec(0..SETS.len(), 0..3);
    let step = (0..RECORDS, title, sets, 0_i64..3);
    let step = step.prop_map(|(record, title, sets, later)| Step { record, title, sets, later });
    proptest::collection::vec(step, 1..40)
}

fn wishes() -> impl Strategy<Value = Vec<Wish>> {
    let bound = || proptest::option::of(0_i64..60);
    let wish = (bound(), bound(), proptest::option::of(0..SETS.len()), 1_u32..9);
    let wish = wish.prop_map(|(from, until, set, page_size)| Wish { from, until, set, page_size });
    proptest::collection::vec(wish, 3)
}

/// Does one step; a deletion of what is not there does nothing.
async fn act(store: &dyn Store, step: &Step, now: Timestamp) -> Result<(), StoreError> {
    let name = format!("r{}", step.record);
    let title = step.title.map(|title| format!("Title {title}"));
    let sets: Vec<&str> = step.sets.iter().map(|set| SETS[*set]).collect();
    let record = new_record(&name, title.as_deref(), &sets);
    let found = match store.record_by_id(id(&name)).await {
        Ok(stored) => update(store, &record, stored.revision_id, now).await.map(drop),
        Err(StoreError::NotFound(_)) if title.is_none() => Ok(()),
        Err(StoreError::NotFound(_)) => store.create(&record, now).await.map(drop),
        Err(error) => Err(error),
    };
    match found {
        // Two tombstones in a row are one; another writer was faster.
        Err(StoreError::Deleted(_) | StoreError::Stale { .. } | StoreError::IdTaken(_)) => Ok(()),
        other => other,
    }
}

async fn items(store: &dyn Store) -> Vec<Item> {
    let query = ItemQuery {
        after: None,
        from: None,
        until: None,
        set_spec: None,
        limit: 10_000,
        content: ItemContent::Json,
    };
    store.items(&query).await.unwrap()
}

fn is_in(item: &Item, set: &str) -> bool {
    let below = format!("{set}:");
    item.header.set_specs.iter().any(|spec| {
        let spec = spec.as_str();
        spec == set || spec.starts_with(&below)
    })
}

const BEGIN: i64 = 1_500_000_000;

/// Following tokens gives exactly what was asked for, once each, in both lists.
fn tokens_deliver(url: &str, steps: &[Step], wishes: &[Wish]) -> Result<(), TestCaseError> {
    let runtime = Endpoint::runtime();
    let store = runtime.block_on(windrow::store::open(url)).unwrap();
    let mut second = BEGIN;
    let listed = runtime.block_on(async {
        for step in steps {
            second += step.later;
            act(&*store, step, at(second)).await.unwrap();
        }
        items(&*store).await
    });
    let page_size = wishes.first().map_or(1, |wish| wish.page_size);
    let endpoint = Endpoint::start(runtime, store, page_size, Clock::Fixed(at(second + 100)));
    let mut client = endpoint.client();
    for wish in wishes {
        let holds = |item: &&Item| {
            let second = item.header.datestamp.as_second() - BEGIN;
            wish.from.is_none_or(|from| second >= from)
                && wish.until.is_none_or(|until| second <= until)
                && wish.set.is_none_or(|set| is_in(item, SETS[set]))
        };
        let expected: Vec<String> = listed
            .iter()
            .filter(holds)
            .map(|item| oai_identifier("example.org", &item.header.pid_value))
            .collect();
        let mut query = "metadataPrefix=oai_dc".to_owned();
        let moment = |second: i64| at(BEGIN + second).to_string();
        if let Some(from) = wish.from {
            query.push_str(&format!("&from={}", moment(from)));
        }
        if let Some(until) = wish.until {
            query.push_str(&format!("&until={}", moment(until)));
        }
        if let Some(set) = wish.set {
            query.push_str(&format!("&set={}", SETS[set]));
        }
        if wish.from.zip(wish.until).is_some_and(|(from, until)| from > until) {
            let answer = client.get(&format!("verb=ListRecords&{query}"));
            prop_assert_eq!(codes(&answer), ["badArgument"]);
            continue;
        }
        prop_assert_eq!(&client.identifiers("ListRecords", &query), &expected);
        prop_assert_eq!(&client.identifiers("ListIdentifiers", &query), &expected);
    }
    Ok(())
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

#[test]
fn tokens_deliver_exactly_the_selection_on_sqlite() {
    let given = (steps(), wishes());
    let test = |(steps, wishes): (Vec<Step>, Vec<Wish>)| {
        let folder = Folder::new();
        tokens_deliver(&folder.url(), &steps, &wishes)
    };
    runner(12).run(&given, test).unwrap();
}

#[cfg(unix)]
#[test]
fn tokens_deliver_exactly_the_selection_on_postgres() {
    let given = (steps(), wishes());
    let test = |(steps, wishes): (Vec<Step>, Vec<Wish>)| {
        let Some(database) = crate::private_postgres::database() else { return Ok(()) };
        tokens_deliver(&database.url, &steps, &wishes)
    };
    runner(4).run(&given, test).unwrap();
}

/// What a harvester holds of a record, or the store of an item: its title, `None` for a tombstone.
type Holding = BTreeMap<String, Option<String>>;

fn take(page: &str, holding: &mut Holding) {
    for record in pieces(page, "record") {
        let identifier = all(record, "identifier").remove(0);
        holding.insert(identifier, all(record, "dc:title").pop());
    }
}

/// Lets transactions commit late.
struct Late;

#[async_trait]
impl Extension for Late {
    async fn after(&self, _: &[Change], _: &mut Transaction<'_>) -> Result<(), StoreError> {
        tokio::time::sleep(Duration::from_millis(120)).await;
        Ok(())
    }
}

/// Three writers at once whose transactions reach over the ends of seconds, and a harvester that
/// asks each time from where it was answered last: when all are done it holds every record. None is
/// written twice, so one that is missed stays missed.
fn polling_misses_nothing(url: &str) {
    const EACH: usize = 18;
    let runtime = Endpoint::runtime();
    let mut extensions = standard();
    extensions.push(Arc::new(Late));
    let store = runtime.block_on(windrow::store::open_with(url, extensions)).unwrap();
    let endpoint = Endpoint::start(runtime, Arc::clone(&store), 3, Clock::System);
    let writing = Arc::new(AtomicUsize::new(3));
    for writer in 0..3_usize {
        let (store, writing) = (Arc::clone(&store), Arc::clone(&writing));
        endpoint.runtime.spawn(async move {
            for n in 0..EACH {
                let (record, title) = (n * 3 + writer, Some((n % 5) as u8));
                let step = Step { record, title, sets: vec![n % SETS.len()], later: 0 };
                act(&*store, &step, Timestamp::now()).await.unwrap();
            }
            writing.fetch_sub(1, Ordering::SeqCst);
        });
    }
    let mut client = endpoint.client();
    let mut holding = Holding::new();
    let mut from = None;
    loop {
        // What is written after this is looked for once more.
        let is_last = writing.load(Ordering::SeqCst) == 0;
        let from_argument = from.map(|from| format!("&from={from}")).unwrap_or_default();
        let query = format!("metadataPrefix=oai_dc{from_argument}");
        let pages = client.pages("ListRecords", &query);
        for page in &pages {
            take(page, &mut holding);
        }
        from = all(pages.last().unwrap(), "responseDate").pop();
        if is_last {
            break;
        }
    }
    let stored: Holding = endpoint
        .runtime
        .block_on(items(&*store))
        .into_iter()
        .map(|item| {
            let json: Option<serde_json::Value> =
                item.json.map(|json| serde_json::from_slice(&json).unwrap());
            let title = json.map(|json| json["title"].as_str().unwrap().to_owned());
            (oai_identifier("example.org", &item.header.pid_value), title)
        })
        .collect();
    assert_eq!(stored.len(), 3 * EACH);
    assert_eq!(holding, stored);
}

#[test]
fn polling_from_the_last_response_date_misses_nothing_on_sqlite() {
    polling_misses_nothing(&Folder::new().url());
}

#[cfg(unix)]
#[test]
fn polling_from_the_last_response_date_misses_nothing_on_postgres() {
    let Some(database) = crate::private_postgres::database() else { return };
    polling_misses_nothing(&database.url);
}
