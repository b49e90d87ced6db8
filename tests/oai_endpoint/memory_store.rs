//! A store of items in memory, in order of (datestamp, id); it can only be read.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;
use windrow::record::FileCopy;
use windrow::record::{Datestamp, Pid, PidChange, PidName, SetSpec};
use windrow::store::{
    AccessQuery, AccessRow, Followed, Item, ItemContent, ItemHeader, ItemQuery, LoadBatch,
    LoadOutcome, NewRecord, OutboxRow, QuarantineEntry, QuarantineQuery, RecordChange, Redirect,
    Run, RunState, RunSummary, ScheduleEntry, Set, SourceBytes, SplitState, Store, StoreError,
    StoredRecord, StoredThing,
};
use windrow::store::{Bucket, DueQuery, FileStore, Location, ObjectVersion, StoredInstance};

/// Second 0 of the items' datestamps: 2020-01-01T00:00:00Z.
pub const FIRST_SECOND: i64 = 1_577_836_800;

#[derive(Default)]
pub struct MemoryStore {
    pub items: Vec<Item>,
    pub sets: Vec<Set>,
    pub is_down: AtomicBool,
    /// How many lists it has read.
    pub lists: AtomicUsize,
    /// The list that it fails to read, counted from 1; 0 is none.
    pub fails_at: usize,
}

impl MemoryStore {
    /// `count` items, ten to a datestamp, datestamps six hours apart; every seventh deleted, every
    /// third in a, fifth in a:b, eleventh in c; every second has source bytes.
    pub fn with_items(count: u32) -> MemoryStore {
        let mut items: Vec<Item> = (0..count).map(item).collect();
        items.sort_by_key(|item| (item.header.datestamp, item.header.id));
        let set = |spec: &str, description: Option<&str>| Set {
            spec: spec.parse().unwrap(),
            name: format!("Set <{spec}>"),
            description: description.map(str::to_owned),
        };
        let sets = vec![set("a", Some("A & all below")), set("a:b", None), set("c", None)];
        MemoryStore { items, sets, ..MemoryStore::default() }
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.is_down.load(Ordering::Relaxed) {
            return Err(StoreError::Failed("password is secret".to_owned()));
        }
        Ok(())
    }

    fn matching(&self, query: &ItemQuery) -> impl Iterator<Item = &Item> {
        let (from, until) = (query.from, query.until);
        let set_spec = query.set_spec.clone();
        self.items.iter().filter(move |item| {
            let header = &item.header;
            from.is_none_or(|from| header.datestamp >= from)
                && until.is_none_or(|until| header.datestamp <= until)
                && set_spec.as_ref().is_none_or(|set_spec| is_in(header, set_spec))
        })
    }
}

fn item(number: u32) -> Item {
    let deleted = number % 7 == 6;
    let mut set_specs: Vec<SetSpec> = Vec::new();
    for (every, spec) in [(3, "a"), (5, "a:b"), (11, "c")] {
        if number.is_multiple_of(every) {
            set_specs.push(spec.parse().unwrap());
        }
    }
    // Ids in another order than numbers.
    let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, &number.to_be_bytes());
    // One identifier needs escaping in a URI, one in XML.
    let pid_value = match number {
        8 => "8 eight/é".to_owned(),
        9 => "9&nine".to_owned(),
        other => other.to_string(),
    };
    let datestamp = Datestamp::from_second(FIRST_SECOND + i64::from(number / 10) * 21_600);
    let json = format!("{{\"title\":\"Title {number} & <more>\"}}").into_bytes();
    let source = SourceBytes { format: "iso2709".to_owned(), bytes: number.to_string().into() };
    Item {
        header: ItemHeader { id, pid_value, datestamp, deleted, set_specs },
        state: String::new(),
        json: (!deleted).then_some(json),
        source: (!deleted && number.is_multiple_of(2)).then_some(source),
        origin: None,
    }
}

fn is_in(header: &ItemHeader, set_spec: &SetSpec) -> bool {
    let below = format!("{set_spec}:");
    header.set_specs.iter().any(|spec| spec == set_spec || spec.as_str().starts_with(&below))
}

fn cut(item: &Item, content: ItemContent) -> Item {
    Item {
        header: item.header.clone(),
        state: String::new(),
        json: item.json.clone().filter(|_| content != ItemContent::Header),
        source: item.source.clone().filter(|_| content == ItemContent::Source),
        origin: None,
    }
}

fn read_only<T>() -> Result<T, StoreError> {
    Err(StoreError::Failed("this store can only be read".to_owned()))
}

#[async_trait]
impl FileStore for MemoryStore {
    async fn locations(&self) -> Result<Vec<Location>, StoreError> {
        read_only()
    }
    async fn make_location(
        &self,
        _: &str,
        _: &str,
        _: bool,
        _: Timestamp,
    ) -> Result<Location, StoreError> {
        read_only()
    }
    async fn set_default_location(&self, _: &str, _: Timestamp) -> Result<(), StoreError> {
        read_only()
    }
    async fn bucket(&self, _: Uuid) -> Result<Option<Bucket>, StoreError> {
        read_only()
    }
    async fn objects(&self, _: Uuid) -> Result<Vec<ObjectVersion>, StoreError> {
        read_only()
    }
    async fn put_files(
        &self,
        _: Uuid,
        _: i64,
        _: Vec<FileCopy>,
        _: Timestamp,
    ) -> Result<StoredRecord, StoreError> {
        read_only()
    }
    async fn due_instances(&self, _: &DueQuery) -> Result<Vec<StoredInstance>, StoreError> {
        read_only()
    }
    async fn count_instances(&self) -> Result<(u64, u64), StoreError> {
        read_only()
    }
    async fn note_checks(
        &self,
        _: &[(Uuid, Option<bool>)],
        _: Timestamp,
    ) -> Result<(), StoreError> {
        read_only()
    }
    async fn instances_at(&self, _: &[String]) -> Result<Vec<StoredInstance>, StoreError> {
        read_only()
    }
    async fn users_of(&self, _: &[Uuid]) -> Result<Vec<(Uuid, String, String)>, StoreError> {
        read_only()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn begin_run(&self, _: &str, _: &str, _: bool, _: Timestamp) -> Result<Run, StoreError> {
        read_only()
    }
    async fn reset_split(&self, _: i64, _: &str) -> Result<(), StoreError> {
        read_only()
    }
    async fn load(&self, _: LoadBatch) -> Result<LoadOutcome, StoreError> {
        read_only()
    }
    async fn end_run(&self, _: i64, _: RunState, _: &str, _: Timestamp) -> Result<(), StoreError> {
        read_only()
    }
    async fn splits(&self, _: i64) -> Result<Vec<SplitState>, StoreError> {
        read_only()
    }
    async fn runs(&self, _: u32) -> Result<Vec<RunSummary>, StoreError> {
        read_only()
    }
    async fn quarantine(&self, _: &QuarantineQuery) -> Result<Vec<QuarantineEntry>, StoreError> {
        read_only()
    }
    async fn dismiss(&self, _: &[i64]) -> Result<u64, StoreError> {
        read_only()
    }
    async fn access(&self, _: &AccessQuery) -> Result<Vec<AccessRow>, StoreError> {
        read_only()
    }
    async fn quarantine_entry(&self, _: i64) -> Result<QuarantineEntry, StoreError> {
        read_only()
    }
    async fn live_source_ids(&self, _: &str, _: &str, _: u32) -> Result<Vec<String>, StoreError> {
        read_only()
    }
    async fn claim(&self, _: &str) -> Result<(), StoreError> {
        read_only()
    }
    async fn release(&self, _: &str) {}
    async fn schedule(&self) -> Result<Vec<ScheduleEntry>, StoreError> {
        read_only()
    }
    async fn note_schedule(&self, _: &ScheduleEntry) -> Result<(), StoreError> {
        read_only()
    }
    async fn note_redirects(&self, _: &str, _: &[Redirect]) -> Result<u64, StoreError> {
        read_only()
    }
    async fn open_redirects(&self, _: &str, _: &str, _: u32) -> Result<Vec<Redirect>, StoreError> {
        read_only()
    }
    async fn close_redirect(&self, _: &str, _: &str) -> Result<(), StoreError> {
        read_only()
    }
    async fn things(
        &self,
        _: Option<&str>,
        _: (&str, &str, &str),
        _: u32,
    ) -> Result<Vec<StoredThing>, StoreError> {
        read_only()
    }
    async fn thing(&self, _: &str, _: &str, _: &str) -> Result<Option<StoredThing>, StoreError> {
        read_only()
    }
    async fn create(&self, _: &NewRecord, _: Timestamp) -> Result<StoredRecord, StoreError> {
        read_only()
    }
    async fn change(
        &self,
        _: Uuid,
        _: &RecordChange,
        _: Timestamp,
    ) -> Result<StoredRecord, StoreError> {
        read_only()
    }
    async fn erase(&self, _: Uuid, _: i64, _: Timestamp) -> Result<(), StoreError> {
        read_only()
    }
    async fn record_by_id(&self, _: Uuid) -> Result<StoredRecord, StoreError> {
        read_only()
    }
    async fn pid(&self, _: &PidName) -> Result<Option<Pid>, StoreError> {
        read_only()
    }
    async fn pids(&self, _: Uuid) -> Result<Vec<Pid>, StoreError> {
        read_only()
    }
    async fn create_pid(&self, _: &Pid, _: Timestamp) -> Result<(), StoreError> {
        read_only()
    }
    async fn change_pid(
        &self,
        _: &PidName,
        _: &PidChange,
        _: Timestamp,
    ) -> Result<Option<Pid>, StoreError> {
        read_only()
    }
    async fn next_recid(&self) -> Result<i64, StoreError> {
        read_only()
    }
    async fn outbox(&self, _: u32) -> Result<Vec<OutboxRow>, StoreError> {
        read_only()
    }
    async fn clear_outbox(&self, _: i64) -> Result<(), StoreError> {
        read_only()
    }
    async fn record(&self, _: &str, _: &str) -> Result<StoredRecord, StoreError> {
        read_only()
    }
    async fn revisions(&self, _: Uuid) -> Result<Vec<StoredRecord>, StoreError> {
        read_only()
    }

    async fn items(&self, query: &ItemQuery) -> Result<Vec<Item>, StoreError> {
        self.check()?;
        if self.lists.fetch_add(1, Ordering::Relaxed) + 1 == self.fails_at {
            return Err(StoreError::Away("password is secret".to_owned()));
        }
        let is_after = |item: &&Item| {
            query.after.is_none_or(|after| (item.header.datestamp, item.header.id) > after)
        };
        let items = self.matching(query).filter(is_after).take(query.limit as usize);
        Ok(items.map(|item| cut(item, query.content)).collect())
    }

    async fn count_items(&self, query: &ItemQuery) -> Result<u64, StoreError> {
        self.check()?;
        Ok(self.matching(query).count() as u64)
    }

    async fn item(
        &self,
        pid_value: &str,
        content: ItemContent,
    ) -> Result<Option<Item>, StoreError> {
        self.check()?;
        let item = self.items.iter().find(|item| item.header.pid_value == pid_value);
        Ok(item.map(|item| cut(item, content)))
    }

    async fn sets(&self) -> Result<Vec<Set>, StoreError> {
        self.check()?;
        Ok(self.sets.clone())
    }

    async fn settled(&self, now: Timestamp) -> Result<Datestamp, StoreError> {
        self.check()?;
        Ok(now.into())
    }

    async fn follow(&self, _: Timestamp, _: u32) -> Result<Followed, StoreError> {
        Ok(Followed { seen: 0, changed: 0, more: false, share: 1.0 })
    }

    async fn earliest_datestamp(&self) -> Result<Option<Datestamp>, StoreError> {
        self.check()?;
        Ok(self.items.first().map(|item| item.header.datestamp))
    }

    async fn token_key(&self) -> Result<[u8; 32], StoreError> {
        Ok([7; 32])
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.check()
    }
}
