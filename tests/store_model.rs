//! Random sequences of operations on a store, beside a model in memory that is too simple to err.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use windrow::record::{Pid, PidChange, PidName, PidStatus, PidTarget};
use windrow::store::{ItemContent, NewRecord, RecordChange, Store, StoreError, StoredRecord};

use crate::store_records::{Folder, at, id, load, load_record};

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

fn record_name(record: usize) -> String {
    format!("r{record}")
}

/// The last PIDs are recids that no record brings itself.
fn pid_name(pid: usize) -> PidName {
    let text = if pid % 2 == 0 { format!("doi:10.1/{pid}") } else { format!("recid:x{pid}") };
    text.parse().unwrap()
}

fn json(title: u8) -> Vec<u8> {
    format!(r#"{{"title":"{title}"}}"#).into_bytes()
}

/// A PID of the model: its status, and what it leads to.
#[derive(Debug, Clone, PartialEq)]
struct ModelPid {
    status: char,
    record: Option<usize>,
    to: Option<PidName>,
}

/// What a store should hold.
#[derive(Debug, Default)]
struct Model {
    /// Every revision that a record ever had, with a title or without.
    past: BTreeMap<usize, Vec<Option<u8>>>,
    /// Whether the record is still there.
    there: BTreeMap<usize, bool>,
    /// What a source last said of a record.
    loaded: BTreeMap<usize, Option<u8>>,
    pids: BTreeMap<PidName, ModelPid>,
}

type Told = Result<(), &'static str>;

impl Model {
    fn is_there(&self, record: usize) -> bool {
        self.there.get(&record) == Some(&true)
    }

    fn is_live(&self, record: usize) -> bool {
        self.is_there(record) && self.past[&record].last().unwrap().is_some()
    }

    fn revision(&self, record: usize) -> i64 {
        i64::try_from(self.past[&record].len()).unwrap() - 1
    }

    fn is_free(&self, name: &PidName, record: usize) -> bool {
        match self.pids.get(name) {
            None => true,
            Some(pid) if pid.status == 'M' => false,
            Some(pid) => match pid.record {
                Some(owner) => owner == record,
                None => pid.status != 'D',
            },
        }
    }

    fn take(&mut self, name: &PidName, record: usize, live: bool) {
        let has_it = self.pids.get(name).is_some_and(|pid| pid.record == Some(record));
        if !has_it {
            let status = if live { 'R' } else { 'D' };
            let pid = ModelPid { status, record: Some(record), to: None };
            self.pids.insert(name.clone(), pid);
        }
    }

    fn led_to(&self, name: &PidName) -> bool {
        self.pids.values().any(|pid| pid.to.as_ref() == Some(name))
    }

    /// What a record's death or return means for its PIDs.
    fn turn_pids(&mut self, record: usize, live: bool) {
        let led_to: Vec<PidName> =
            self.pids.keys().filter(|name| self.led_to(name)).cloned().collect();
        self.pids.retain(|name, pid| {
            let is_unknown = pid.record == Some(record) && pid.status == 'N';
            live || !is_unknown || led_to.contains(name)
        });
        for pid in self.pids.values_mut().filter(|pid| pid.record == Some(record)) {
            match (live, pid.status) {
                (false, _) => pid.status = 'D',
                (true, 'D') => pid.status = 'R',
                (true, _) => {}
            }
        }
    }

    fn own(record: usize) -> PidName {
        PidName::recid(record_name(record)).unwrap()
    }

    fn create(&mut self, record: usize, title: u8, pids: &[PidName]) -> Told {
        if self.past.contains_key(&record) {
            return Err("id_taken");
        }
        let names: Vec<PidName> = [Model::own(record)].into_iter().chain(pids.to_vec()).collect();
        if names.iter().any(|name| !self.is_free(name, record)) {
            return Err("pid_taken");
        }
        self.past.insert(record, vec![Some(title)]);
        self.there.insert(record, true);
        names.iter().for_each(|name| self.take(name, record, true));
        Ok(())
    }

    fn change(&mut self, record: usize, title: Option<u8>, pids: &[PidName], stale: bool) -> Told {
        match () {
            () if !self.is_there(record) => return Err("not_found"),
            () if stale => return Err("stale"),
            () if !self.is_live(record) && title.is_none() => return Err("deleted"),
            () => {}
        }
        if pids.iter().any(|name| !self.is_free(name, record)) {
            return Err("pid_taken");
        }
        // PIDs are taken first: what was new goes with the record if it goes.
        self.past.get_mut(&record).unwrap().push(title);
        let was_live = self.past[&record].iter().rev().nth(1).unwrap().is_some();
        pids.iter().for_each(|name| self.take(name, record, title.is_some()));
        if was_live != title.is_some() {
            self.turn_pids(record, title.is_some());
        }
        Ok(())
    }

    fn erase(&mut self, record: usize, stale: bool) -> Told {
        if !self.is_there(record) {
            return Err("not_found");
        }
        if stale {
            return Err("stale");
        }
        let was_live = self.is_live(record);
        self.past.get_mut(&record).unwrap().push(None);
        self.there.insert(record, false);
        if was_live {
            self.turn_pids(record, false);
        }
        Ok(())
    }

    /// What a source's record meets with.
    fn load(&mut self, record: usize, title: Option<u8>) -> &'static str {
        let known = self.loaded.get(&record).copied();
        if known == Some(title) || (title.is_none() && !self.is_live(record)) {
            return "unchanged";
        }
        let erased = self.past.contains_key(&record) && !self.is_there(record);
        if erased || !self.is_free(&Model::own(record), record) {
            return "quarantined";
        }
        let fate = match (self.is_there(record), title) {
            (_, None) => "deleted",
            (false, Some(_)) => "created",
            (true, Some(_)) => "updated",
        };
        self.past.entry(record).or_default().push(title);
        self.there.insert(record, true);
        self.loaded.insert(record, title);
        fate
    }

    /// Loads a batch. For PIDs only counts what it comes to in the end.
    fn load_all(&mut self, records: &[(usize, Option<u8>)]) -> BTreeMap<&'static str, u64> {
        let were_live: Vec<Option<bool>> =
            (0..RECORDS).map(|r| self.is_there(r).then(|| self.is_live(r))).collect();
        let mut fates = BTreeMap::new();
        for (record, title) in records {
            *fates.entry(self.load(*record, *title)).or_insert(0) += 1;
        }
        for (record, was_live) in were_live.into_iter().enumerate() {
            let live = self.is_live(record);
            match was_live {
                None if self.is_there(record) => self.take(&Model::own(record), record, live),
                Some(was_live) if was_live != live => self.turn_pids(record, live),
                _ => {}
            }
        }
        fates
    }

    fn make_pid(&mut self, name: &PidName, status: PidStatus, record: Option<usize>) -> Told {
        if self.pids.contains_key(name) {
            return Err("pid_exists");
        }
        if record.is_some_and(|record| !self.is_there(record)) {
            return Err("not_found");
        }
        let status = status.as_str().chars().next().unwrap();
        self.pids.insert(name.clone(), ModelPid { status, record, to: None });
        Ok(())
    }

    fn change_pid(&mut self, name: &PidName, turn: &Turn) -> Told {
        let Some(pid) = self.pids.get(name).cloned() else { return Err("not_found") };
        let mut after = pid.clone();
        match (turn, pid.status) {
            (Turn::Reserve, 'N' | 'K') => after.status = 'K',
            (Turn::Register, 'N' | 'K') => after.status = 'R',
            (Turn::Reserve | Turn::Register, _) => return Err("pid_status"),
            (Turn::Delete, 'N') => {
                if self.led_to(name) {
                    return Err("pid_destination");
                }
                self.pids.remove(name);
                return Ok(());
            }
            (Turn::Delete, _) => (after.status, after.to) = ('D', None),
            (Turn::Unassign, status) => {
                let status = if status == 'M' { 'R' } else { status };
                after = ModelPid { status, record: None, to: None };
            }
            (Turn::Assign { .. }, 'D' | 'M') => return Err("pid_status"),
            (Turn::Assign { record, overwrite }, _) => {
                if pid.record.is_some_and(|owner| owner != *record) && !overwrite {
                    return Err("pid_assigned");
                }
                if !self.is_there(*record) && pid.record != Some(*record) {
                    return Err("not_found");
                }
                after.record = Some(*record);
            }
            (Turn::Redirect { to }, 'R' | 'M') => {
                let to = pid_name(*to);
                let mut next = Some(to.clone());
                while let Some(on_the_way) = next {
                    if on_the_way == *name {
                        return Err("pid_circle");
                    }
                    let Some(pid) = self.pids.get(&on_the_way) else { return Err("not_found") };
                    next = pid.to.clone();
                }
                after = ModelPid { status: 'M', record: None, to: Some(to) };
            }
            (Turn::Redirect { .. }, _) => return Err("pid_status"),
        }
        self.pids.insert(name.clone(), after);
        Ok(())
    }
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
