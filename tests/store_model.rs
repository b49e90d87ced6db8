//! Random sequences of operations on a store, beside a model in memory that is too simple to err.

mod model;

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use windrow::record::{Pid, PidChange, PidName, PidStatus, PidTarget};
use windrow::store::{ItemContent, NewRecord, RecordChange, Store, StoreError, StoredRecord};

use crate::store_records::{Folder, at, id, load, load_record};
use model::{Model, json, pid_name, record_name};

/// Few records and few PIDs, so that operations meet.
const RECORDS: usize = 3;
const PIDS: usize = 4;

/// One thing that is done to a store. Records and PIDs by number, titles are made of numbers.
#[derive(Debug, Clone)]
enum Step {
    Create { record: usize, title: u8, pids: Vec<usize> },
    Change { record: usize, title: Option<u8>, pids: Vec<usize>, behind: i64 },
    Erase { record: usize, behind: i64 },
    Load { records: Vec<(usize, Option<u8>)> },
    MakePid { pid: usize, status: PidStatus, record: Option<usize> },
    ChangePid { pid: usize, change: Turn },
}

#[derive(Debug, Clone)]
enum Turn {
    Reserve,
    Register,
    Delete,
    Unassign,
    Assign { record: usize, overwrite: bool },
    Redirect { to: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let record = 0..RECORDS;
    let pids = || proptest::collection::vec(0..PIDS, 0..3);
    let behind = prop_oneof![8 => Just(0_i64), 1 => Just(1_i64), 1 => Just(-1_i64)];
    let title = || prop_oneof![1 => Just(None), 3 => (0_u8..3).prop_map(Some)];
    let status = prop_oneof![
        Just(PidStatus::New),
        Just(PidStatus::Reserved),
        Just(PidStatus::Registered),
        Just(PidStatus::Deleted)
    ];
    let turn = prop_oneof![
        Just(Turn::Reserve),
        Just(Turn::Register),
        Just(Turn::Delete),
        Just(Turn::Unassign),
        (record.clone(), any::<bool>())
            .prop_map(|(record, overwrite)| Turn::Assign { record, overwrite }),
        (0..PIDS).prop_map(|to| Turn::Redirect { to }),
        (0..PIDS).prop_map(|to| Turn::Redirect { to }),
    ];
    let step = prop_oneof![
        3 => (record.clone(), 0_u8..3, pids())
            .prop_map(|(record, title, pids)| Step::Create { record, title, pids }),
        4 => (record.clone(), title(), pids(), behind.clone()).prop_map(
            |(record, title, pids, behind)| Step::Change { record, title, pids, behind }
        ),
        1 => (record.clone(), behind).prop_map(|(record, behind)| Step::Erase { record, behind }),
        3 => proptest::collection::vec((record.clone(), title()), 1..4)
            .prop_map(|records| Step::Load { records }),
        3 => (0..PIDS, status, proptest::option::of(record))
            .prop_map(|(pid, status, record)| Step::MakePid { pid, status, record }),
        5 => (0..PIDS, turn).prop_map(|(pid, change)| Step::ChangePid { pid, change }),
    ];
    proptest::collection::vec(step, 1..25)
}

fn told<T>(result: Result<T, StoreError>) -> Result<(), String> {
    result.map(drop).map_err(|error| error.code().to_owned())
}

fn same<T: std::fmt::Debug + PartialEq>(
    found: &T,
    expected: &T,
    what: &str,
) -> Result<(), TestCaseError> {
    prop_assert!(found == expected, "{what}: found {found:?}, expected {expected:?}");
    Ok(())
}

/// Does a step to both; they must agree on how it ends.
async fn step(
    store: &dyn Store,
    model: &mut Model,
    second: i64,
    step: &Step,
) -> Result<(), TestCaseError> {
    let expected_revision = |model: &Model, record: usize, behind: i64| {
        if model.past.contains_key(&record) { model.revision(record) - behind } else { 0 }
    };
    let names = |pids: &[usize]| pids.iter().map(|pid| pid_name(*pid)).collect::<Vec<_>>();
    let (found, expected) = match step {
        Step::Create { record, title, pids } => {
            let new = NewRecord {
                id: id(&record_name(*record)),
                pid_value: record_name(*record),
                pids: names(pids),
                json: Some(json(*title)),
                memberships: Vec::new(),
            };
            let found = told(store.create(&new, at(second)).await);
            (found, model.create(*record, *title, &names(pids)))
        }
        Step::Change { record, title, pids, behind } => {
            let change = RecordChange {
                json: title.map(json),
                memberships: None,
                pids: names(pids),
                reverts: false,
                expected_revision: expected_revision(model, *record, *behind),
            };
            let found = store.change(id(&record_name(*record)), &change, at(second)).await;
            (told(found), model.change(*record, *title, &names(pids), *behind != 0))
        }
        Step::Erase { record, behind } => {
            let revision = expected_revision(model, *record, *behind);
            let found = store.erase(id(&record_name(*record)), revision, at(second)).await;
            (told(found), model.erase(*record, *behind != 0))
        }
        Step::Load { records } => {
            let batch = (1..)
                .zip(records)
                .map(|(number, (record, title))| {
                    let title = title.map(|title| title.to_string());
                    load_record(number, &record_name(*record), title.as_deref(), &[])
                })
                .collect();
            let counts = load(store, second, batch).await.counts;
            let fates = [
                ("created", counts.created),
                ("updated", counts.updated),
                ("deleted", counts.deleted),
                ("unchanged", counts.unchanged),
                ("quarantined", counts.quarantined),
            ];
            let found: BTreeMap<&str, u64> = fates.into_iter().filter(|(_, n)| *n > 0).collect();
            return same(&found, &model.load_all(records), "fates");
        }
        Step::MakePid { pid, status, record } => {
            let target =
                record.map_or(PidTarget::Nothing, |r| PidTarget::Record(id(&record_name(r))));
            let new = Pid { name: pid_name(*pid), status: *status, target };
            let found = told(store.create_pid(&new, at(second)).await);
            (found, model.make_pid(&pid_name(*pid), *status, *record))
        }
        Step::ChangePid { pid, change } => {
            let turn = match change {
                Turn::Reserve => PidChange::Reserve,
                Turn::Register => PidChange::Register,
                Turn::Delete => PidChange::Delete,
                Turn::Unassign => PidChange::Unassign,
                Turn::Assign { record, overwrite } => {
                    PidChange::Assign { record: id(&record_name(*record)), overwrite: *overwrite }
                }
                Turn::Redirect { to } => PidChange::Redirect(pid_name(*to)),
            };
            let found = told(store.change_pid(&pid_name(*pid), &turn, at(second)).await);
            (found, model.change_pid(&pid_name(*pid), change))
        }
    };
    same(&found, &expected.map_err(str::to_owned), "outcome")
}

/// Everything that the store tells must be what the model says.
async fn compare(store: &dyn Store, model: &Model) -> Result<(), TestCaseError> {
    for record in 0..RECORDS {
        let id = id(&record_name(record));
        let contents = |revisions: &[StoredRecord]| {
            revisions.iter().map(|revision| revision.json.clone()).collect::<Vec<_>>()
        };
        let found = store.revisions(id).await.map(|revisions| contents(&revisions)).ok();
        let expected = model.past.get(&record);
        let expected =
            expected.map(|past| past.iter().map(|title| title.map(json)).collect::<Vec<_>>());
        same(&found, &expected, "revisions")?;
        let found = store.record_by_id(id).await.ok().map(|r| (r.revision_id, r.json));
        let current = || (model.revision(record), model.past[&record].last().unwrap().map(json));
        same(&found, &model.is_there(record).then(current), "current revision")?;
        let item = store.item(&record_name(record), ItemContent::Json).await.unwrap();
        if let Some(item) = item.filter(|item| item.header.id == id) {
            same(&item.header.deleted, &!model.is_live(record), "header")?;
        }
    }
    let names: Vec<PidName> = (0..PIDS).map(pid_name).chain((0..RECORDS).map(Model::own)).collect();
    for name in &names {
        let found = store.pid(name).await.unwrap();
        let expected = model.pids.get(name).map(|pid| Pid {
            name: name.clone(),
            status: pid.status.to_string().parse().unwrap(),
            target: match (&pid.to, pid.record) {
                (Some(to), _) => PidTarget::Pid(to.clone()),
                (None, Some(record)) => PidTarget::Record(id(&record_name(record))),
                (None, None) => PidTarget::Nothing,
            },
        });
        same(&found, &expected, "PID")?;
        let mut last = name.clone();
        while let Some(to) = model.pids.get(&last).and_then(|pid| pid.to.clone()) {
            last = to;
        }
        let record = model.pids.get(&last).and_then(|pid| pid.record);
        let expected = record.filter(|record| model.is_there(*record));
        let found = store.record(name.pid_type(), name.pid_value()).await.ok();
        let expected = expected.map(|record| id(&record_name(record)));
        same(&found.map(|record| record.id), &expected, "resolution")?;
    }
    Ok(())
}

/// Runs `cases` sequences, each on a store that `open` makes.
fn hold_beside_model(cases: u32, open: impl Fn(&tokio::runtime::Runtime) -> Option<Opened>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&steps(), |steps| {
        let Some(opened) = open(&runtime) else { return Ok(()) };
        runtime.block_on(async {
            let mut model = Model::default();
            for (second, this) in (10..).zip(&steps) {
                step(&*opened.store, &mut model, second, this).await?;
                compare(&*opened.store, &model).await?;
            }
            Ok(())
        })
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// A store, and what goes when it goes.
struct Opened {
    store: std::sync::Arc<dyn Store>,
    _place: Box<dyn std::any::Any>,
}

fn cases(default: u32) -> u32 {
    let set = std::env::var("WINDROW_MODEL_CASES").ok().and_then(|cases| cases.parse().ok());
    set.unwrap_or(default)
}

#[test]
fn sqlite_does_what_the_model_does() {
    hold_beside_model(cases(60), |runtime| {
        let folder = Folder::new();
        let store = runtime.block_on(windrow::store::open(&folder.url())).unwrap();
        Some(Opened { store, _place: Box::new(folder) })
    });
}

#[cfg(unix)]
#[test]
fn postgres_does_what_the_model_does() {
    hold_beside_model(cases(20), |runtime| {
        let database = crate::private_postgres::database()?;
        let store = runtime.block_on(windrow::store::open(&database.url)).unwrap();
        Some(Opened { store, _place: Box::new(database) })
    });
}
