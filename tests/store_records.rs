//! Records, batches and folders for tests of the store.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use jiff::Timestamp;
use uuid::Uuid;
use windrow::record::{Locator, Origin, Rejection, Stage, content_hash};
use windrow::store::{
    AccessTold, Brings, Checkpoint, CopyBytes, Kinds, LoadBatch, LoadOutcome, LoadRecord,
    Membership, NewRecord, Quarantined, RecordChange, SourceCopy, Store, StoreError, StoredRecord,
};

/// A folder for one test, gone with it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("windrow-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn url(&self) -> String {
        format!("sqlite:{}", self.0.join("store.db").display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub fn id(name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
}

pub fn membership(spec: &str) -> Membership {
    Membership { spec: spec.parse().unwrap(), name: format!("Set {spec}") }
}

/// `title` becomes the content; without one the record is a deletion.
pub fn new_record(name: &str, title: Option<&str>, sets: &[&str]) -> NewRecord {
    NewRecord {
        id: id(name),
        pid_value: name.to_owned(),
        pids: Vec::new(),
        json: title.map(|title| format!(r#"{{"title":"{title}"}}"#).into_bytes()),
        memberships: sets.iter().map(|spec| membership(spec)).collect(),
    }
}

pub fn locator(number: u64) -> Locator {
    Locator {
        file: "dump.mrc".into(),
        number,
        byte: number * 100,
        control_number: None,
        part: None,
    }
}

pub fn load_record(number: u64, name: &str, title: Option<&str>, sets: &[&str]) -> LoadRecord {
    let record = new_record(name, title, sets);
    let raw = format!("raw {name} {title:?}");
    LoadRecord {
        source_id: name.to_owned(),
        hash: content_hash(record.json.as_deref().unwrap_or_default()),
        record,
        source: SourceCopy {
            format: "marc21",
            locator: locator(number).to_string(),
            hash: content_hash(raw.as_bytes()),
            bytes: CopyBytes::Zstd(zstd::encode_all(raw.as_bytes(), 1).unwrap()),
            origin: None,
        },
        locator: locator(number),
        stamps: None,
        history: None,
        files: Vec::new(),
        access: AccessTold::default(),
        held: Vec::new(),
        kinds: Kinds::default(),
        raw: None,
        brings: Brings::Revision,
        merged_into: None,
        things: Vec::new(),
        copies: Vec::new(),
    }
}

pub fn batch(run_id: i64, second: i64, records: Vec<LoadRecord>) -> LoadBatch {
    LoadBatch {
        run_id,
        source_name: "catalog".to_owned(),
        now: at(second),
        keep_source: true,
        format: Some("marc21"),
        location: None,
        checkpoint: Checkpoint {
            split: "dump.mrc".to_owned(),
            lane: 0,
            fingerprint: "1 2".to_owned(),
            records: records.len() as u64,
            done: false,
            skipped: 0,
            account: "{}".to_owned(),
            kinds: Kinds::default(),
        },
        records,
        quarantined: Vec::new(),
    }
}

/// Of a record that was harvested from a harvester.
pub fn origin() -> Origin {
    let earlier = Origin {
        base_url: "http://orchard.example/oai".to_owned(),
        identifier: "oai:orchard.example:7".to_owned(),
        datestamp: "2001-02-03".to_owned(),
        metadata_namespace: "urn:hay".to_owned(),
        harvest_date: "2002-03-04T05:06:07Z".to_owned(),
        altered: true,
        earlier: None,
    };
    Origin {
        base_url: "http://meadow.example/oai".to_owned(),
        altered: false,
        earlier: Some(Box::new(earlier.clone())),
        ..earlier
    }
}

pub fn rejected(number: u64, message: &str) -> Quarantined {
    Quarantined {
        rejection: Rejection {
            stage: Stage::Decode,
            rule: None,
            code: "truncated".to_owned(),
            message: message.to_owned(),
            locator: locator(number),
        },
        bytes: CopyBytes::Plain(b"torn".to_vec()),
    }
}

pub async fn run(store: &dyn Store) -> i64 {
    store.begin_run("catalog", "v1", false, at(1)).await.unwrap().id
}

pub async fn load(store: &dyn Store, second: i64, records: Vec<LoadRecord>) -> LoadOutcome {
    let run_id = run(store).await;
    let outcome = store.load(batch(run_id, second, records)).await.unwrap();
    assert!(outcome.counts.balance(), "{:?}", outcome.counts);
    outcome
}

/// Writes a record as a new revision of what is there.
pub async fn update(
    store: &dyn Store,
    record: &NewRecord,
    expected_revision: i64,
    now: Timestamp,
) -> Result<StoredRecord, StoreError> {
    let joins = record.json.is_some() || !record.memberships.is_empty();
    let change = RecordChange {
        json: record.json.clone(),
        memberships: joins.then(|| record.memberships.clone()),
        pids: record.pids.clone(),
        reverts: false,
        expected_revision,
    };
    store.change(record.id, &change, now).await
}

/// A store of its own for tests of one keeper.
pub async fn sqlite(folder: &Folder) -> Arc<dyn Store> {
    windrow::store::open(&folder.url()).await.unwrap()
}

/// Runs laws, functions over `&dyn Store`, on every keeper; a keeper is one module here.
macro_rules! on_every_keeper {
    ($($law:ident)*) => {
        mod on_sqlite {
            $(
                #[tokio::test]
                async fn $law() {
                    let folder = crate::store_records::Folder::new();
                    let store = windrow::store::open(&folder.url()).await.unwrap();
                    super::$law(&*store).await;
                }
            )*
        }

        #[cfg(unix)]
        mod on_postgres {
            $(
                #[tokio::test]
                async fn $law() {
                    let Some(database) = crate::private_postgres::database() else { return };
                    let store = windrow::store::open(&database.url).await.unwrap();
                    super::$law(&*store).await;
                }
            )*
        }
    };
}
pub(crate) use on_every_keeper;

/// Two processes have `one` and `other`, of one database.
pub async fn a_claim_outlasts_the_run_within_it(one: &dyn Store, other: &dyn Store) {
    let is_free = async || match other.claim("meadow").await {
        Ok(()) => {
            other.release("meadow").await;
            true
        }
        Err(StoreError::Running(_)) => false,
        Err(error) => panic!("{error}"),
    };
    one.claim("meadow").await.unwrap();
    one.claim("meadow").await.unwrap();
    let run = one.begin_run("meadow", "v1", false, at(1)).await.unwrap();
    one.end_run(run.id, windrow::store::RunState::Done, "{}", at(2)).await.unwrap();
    assert!(!is_free().await, "who claimed it has yet to note what it loaded");
    one.release("meadow").await;
    assert!(!is_free().await);
    one.release("meadow").await;
    assert!(is_free().await);
}
