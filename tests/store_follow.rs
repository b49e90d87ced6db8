//! The OAI projection follows what Invenio writes, search patterns of sets, and who may see what.

use windrow::record::SetSpec;
use windrow::store::{Item, ItemContent, ItemQuery, Store, StoreError};

use crate::store_records::{Folder, at, id, load, load_record, new_record, update};

/// A store, and how others write to its database.
struct World {
    store: std::sync::Arc<dyn Store>,
    execute: Box<dyn Fn(&str)>,
    is_postgres: bool,
}

impl World {
    async fn on_sqlite(folder: &Folder, before: &str) -> World {
        let path = folder.path().join("store.db");
        let execute = move |sql: &str| {
            let connection = rusqlite::Connection::open(&path).unwrap();
            connection.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
            connection.execute_batch(sql).unwrap();
        };
        execute(before);
        let store = windrow::store::open(&folder.url()).await.unwrap();
        World { store, execute: Box::new(execute), is_postgres: false }
    }

    /// A record as Invenio writes it: the current revision, its version and its transaction.
    fn invenio(&self, name: &str, version: u32, json: Option<&str>, second: i64) -> String {
        let uuid = match self.is_postgres {
            true => format!("'{}'", id(name)),
            false => format!("x'{}'", id(name).simple()),
        };
        let json = json.map_or("null".to_owned(), |json| format!("'{json}'"));
        let moment = at(second).strftime("'%Y-%m-%d %H:%M:%S'").to_string();
        let current = match version {
            1 => format!(
                "insert into records_metadata (id, json, version_id, created, updated) \
                 values ({uuid}, {json}, 1, {moment}, {moment}); \
                 insert into pidstore_pid \
                 (pid_type, pid_value, status, object_type, object_uuid, created, updated) \
                 values ('recid', '{name}', 'R', 'rec', {uuid}, {moment}, {moment});"
            ),
            _ => format!(
                "update records_metadata set json = {json}, version_id = {version}, \
                 updated = {moment} where id = {uuid};"
            ),
        };
        let next = match self.is_postgres {
            true => {
                "insert into \"transaction\" (id, issued_at) \
                     values (nextval('transaction_id_seq'), now());"
            }
            false => "insert into \"transaction\" (issued_at) values ('2020-01-01 00:00:00');",
        };
        format!(
            "{next} {current} insert into records_metadata_version (id, json, version_id, \
             created, updated, transaction_id, operation_type) select {uuid}, {json}, {version}, \
             {moment}, {moment}, max(id), 1 from \"transaction\";"
        )
    }

    fn write(&self, name: &str, version: u32, json: Option<&str>, second: i64) {
        (self.execute)(&self.invenio(name, version, json, second));
    }

    /// Follows to the end, two records at a time.
    async fn follow(&self, second: i64) -> u64 {
        let mut changed = 0;
        loop {
            let step = self.store.follow(at(second), 2).await.unwrap();
            changed += step.changed;
            if !step.more {
                assert!((step.share - 1.0).abs() < f64::EPSILON);
                return changed;
            }
        }
    }

    async fn item(&self, name: &str) -> Option<Item> {
        self.store.item(name, ItemContent::Json).await.unwrap()
    }

    /// Datestamp, whether deleted, sets.
    async fn listed(&self, name: &str) -> Option<(i64, bool, String)> {
        let header = self.item(name).await?.header;
        let sets: Vec<&str> = header.set_specs.iter().map(SetSpec::as_str).collect();
        Some((header.datestamp.as_second(), header.deleted, sets.join(" ")))
    }

    async fn members(&self, spec: &str) -> Vec<String> {
        let items = self.store.items(&of_set(spec)).await.unwrap();
        let mut names: Vec<String> = items.into_iter().map(|item| item.header.pid_value).collect();
        names.sort_unstable();
        names
    }
}

fn of_set(spec: &str) -> ItemQuery {
    let (after, from, until, content) = (None, None, None, ItemContent::Header);
    ItemQuery { after, from, until, set_spec: Some(spec.parse().unwrap()), limit: 1000, content }
}

fn live(datestamp: i64, sets: &str) -> Option<(i64, bool, String)> {
    Some((datestamp, false, sets.to_owned()))
}

fn dead(datestamp: i64, sets: &str) -> Option<(i64, bool, String)> {
    Some((datestamp, true, sets.to_owned()))
}

const OPEN: &str = r#"{"title":"Open","access":{"record":"public"}}"#;
const CLOSED: &str = r#"{"title":"Closed","access":{"record":"restricted"}}"#;

async fn what_invenio_writes_is_listed(world: World) {
    load(&*world.store, 10, vec![load_record(1, "ours", Some("One"), &["a"])]).await;
    for n in 0..5 {
        world.write(&format!("t{n}"), 1, Some(OPEN), 50);
    }
    world.write("closed", 1, Some(CLOSED), 50);
    assert_eq!(world.listed("t0").await, None);
    assert_eq!(world.follow(100).await, 5);
    assert_eq!(world.listed("t4").await, live(50, ""), "nobody has asked before");
    assert_eq!(world.listed("closed").await, None);
    assert_eq!(world.follow(110).await, 0, "nothing is done twice");

    assert_eq!(world.store.settled(at(120)).await.unwrap().as_second(), 120);
    world.write("t0", 2, Some(r#"{"title":"Two"}"#), 60);
    world.write("t1", 2, None, 60);
    world.write("t2", 2, Some(CLOSED), 60);
    world.write("ours", 2, Some(r#"{"title":"Theirs"}"#), 60);
    world.write("late", 1, Some(OPEN), 60);
    assert_eq!(world.follow(130).await, 5);
    assert_eq!(world.listed("t0").await, live(130, ""), "as of when it can be seen");
    assert_eq!(world.item("t0").await.unwrap().json.unwrap(), br#"{"title":"Two"}"#);
    assert_eq!(world.listed("t1").await, dead(130, ""));
    assert_eq!(world.listed("t2").await, dead(130, ""));
    assert_eq!(world.item("t2").await.unwrap().json, None);
    assert_eq!(world.listed("ours").await, live(130, "a"));
    assert_eq!(world.listed("late").await, live(130, ""));
    // Twice between two looks, and back again.
    world.write("t1", 3, Some(OPEN), 140);
    world.write("t1", 4, Some(OPEN), 141);
    world.write("t2", 3, Some(OPEN), 142);
    assert_eq!(world.follow(150).await, 2);
    assert_eq!(world.listed("t1").await, live(141, ""));
    // On SQLite the step that listed the first has moved the latest responseDate on.
    let latest = if world.is_postgres { 142 } else { 150 };
    assert_eq!(world.listed("t2").await, live(latest, ""));
    // Removed for good.
    let uuid = if world.is_postgres { "'{}'" } else { "x'{}'" };
    let hex = uuid.replace("{}", &id("t3").simple().to_string());
    world.write("t3", 2, Some(OPEN), 160);
    (world.execute)(&format!("delete from records_metadata where id = {hex}"));
    assert_eq!(world.follow(170).await, 1);
    assert_eq!(world.listed("t3").await, dead(170, ""));
    assert_eq!(world.follow(180).await, 0);
    let rows = world.store.outbox(100).await.unwrap();
    assert!(rows.iter().any(|row| row.record_id == id("late") && row.live), "the index is told");
}

async fn what_was_there_before_is_swept_in(world: World) {
    assert_eq!(world.listed("1").await, None);
    let first = world.store.follow(at(2_000_000_000), 2).await.unwrap();
    assert!(first.more && first.share < 1.0, "{first:?}");
    world.follow(2_000_000_000).await;
    for n in 1..8 {
        assert_eq!(world.listed(&n.to_string()).await, live(1000 + n, ""), "{n}");
    }
    assert_eq!(world.listed("closed").await, None);
}

async fn a_search_pattern_makes_a_set(world: World) {
    let titled = |n: u64, name: &str, title: &str| load_record(n, name, Some(title), &["own"]);
    let records =
        vec![titled(1, "1", "An Apple"), titled(2, "2", "A Pear"), titled(3, "3", "Plum")];
    load(&*world.store, 10, records).await;
    let set = |spec: &str, pattern: &str| {
        let falsehood = if world.is_postgres { "false" } else { "0" };
        (world.execute)(&format!(
            "insert into oaiserver_set (spec, name, search_pattern, system_created, created, updated) \
             values ('{spec}', '{spec}', '{pattern}', {falsehood}, '2020-01-01', '2020-01-01') \
             on conflict (spec) do update set search_pattern = excluded.search_pattern"
        ));
    };
    set("fruit:apple", "title:(apple OR pear)");
    assert_eq!(world.follow(20).await, 2);
    assert_eq!(world.listed("1").await, live(20, "fruit:apple own"), "its sets have changed");
    assert_eq!(world.listed("3").await, live(10, "own"));
    assert_eq!(world.members("fruit").await, ["1", "2"]);
    assert_eq!(world.follow(21).await, 0);
    // Whoever changes a record puts it where it belongs, in the same transaction.
    load(&*world.store, 30, vec![titled(3, "3", "Apple plum"), titled(4, "4", "Apple")]).await;
    update(&*world.store, &new_record("1", Some("Nut"), &["own"]), 0, at(31)).await.unwrap();
    assert_eq!(world.members("fruit:apple").await, ["2", "3", "4"]);
    assert_eq!(world.listed("1").await, live(31, "own"));
    // A tombstone stays where it was, so that harvesters of the set are told.
    load(&*world.store, 40, vec![load_record(4, "4", None, &[])]).await;
    assert_eq!(world.listed("4").await, dead(40, "fruit:apple own"));
    set("fruit:apple", "title:pear");
    assert_eq!(world.follow(50).await, 1);
    assert_eq!(world.members("fruit:apple").await, ["2", "4"]);
    assert_eq!(world.listed("3").await, live(50, "own"));
    // One that is none is told, and changes nothing.
    set("fruit:apple", "title:/pear.*/");
    let told = loop {
        match world.store.follow(at(60), 100).await {
            Ok(step) => assert!(step.more, "in silence"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(told.contains("fruit:apple") && told.contains("/pattern/"), "{told}");
    let refused = world.store.items(&of_set("fruit:apple")).await.unwrap_err();
    assert!(matches!(refused, StoreError::Pattern { .. }), "{refused}");
    assert!(world.store.count_items(&of_set("fruit:apple")).await.is_err());
    assert_eq!(world.listed("2").await, live(10 + 10, "fruit:apple own"));
    set("fruit:apple", "");
    assert_eq!(world.follow(70).await, 1);
    assert_eq!(world.listed("2").await, live(70, "own"));
}

async fn what_not_everybody_may_see_is_not_listed(world: World) {
    let store = &*world.store;
    let record = |n: u64, name: &str, json: &str| {
        let mut record = load_record(n, name, Some("x"), &["a"]);
        record.record.json = Some(json.as_bytes().to_vec());
        record.hash = windrow::record::content_hash(json.as_bytes());
        record
    };
    load(store, 10, vec![record(1, "1", CLOSED), record(2, "2", OPEN)]).await;
    assert_eq!((world.listed("1").await, world.members("a").await), (None, vec!["2".to_owned()]));
    assert!(store.record("recid", "1").await.is_ok(), "it is there for who may see it");
    load(store, 20, vec![record(1, "1", OPEN), record(2, "2", CLOSED)]).await;
    assert_eq!(world.listed("1").await, live(20, "a"));
    assert_eq!(world.listed("2").await, dead(20, "a"), "who has it is told to forget it");
    for content in [ItemContent::Json, ItemContent::Source] {
        let item = store.item("2", content).await.unwrap().unwrap();
        assert_eq!((item.json, item.source), (None, None));
        let items = store.items(&ItemQuery { content, ..of_set("a") }).await.unwrap();
        let closed = items.iter().find(|item| item.header.pid_value == "2").unwrap();
        assert_eq!((&closed.json, &closed.source), (&None, &None));
    }
    // Never seen, never heard of.
    store.create(&new_closed("3"), at(30)).await.unwrap();
    let gone = windrow::store::RecordChange {
        json: None,
        memberships: None,
        pids: Vec::new(),
        reverts: false,
        expected_revision: 0,
    };
    store.change(id("3"), &gone, at(31)).await.unwrap();
    assert_eq!(world.listed("3").await, None);
}

fn new_closed(name: &str) -> windrow::store::NewRecord {
    let mut record = new_record(name, Some("x"), &[]);
    record.json = Some(CLOSED.as_bytes().to_vec());
    record
}

/// Records that Invenio wrote before windrow came.
fn earlier(world: &World) -> String {
    let record = |n: i64| world.invenio(&n.to_string(), 1, Some(OPEN), 1000 + n);
    let open: String = (1..8).map(record).collect();
    open + &world.invenio("closed", 1, Some(CLOSED), 1000)
}

macro_rules! in_every_world {
    ($($law:ident)*) => { $(
        mod $law {
            #[tokio::test]
            async fn on_sqlite() {
                let folder = super::Folder::new();
                super::$law(super::World::on_sqlite(&folder, "").await).await;
            }

            #[cfg(unix)]
            #[tokio::test]
            async fn on_postgres() {
                let Some(database) = crate::private_postgres::database() else { return };
                let store = windrow::store::open(&database.url).await.unwrap();
                let execute = Box::new(move |sql: &str| database.execute(sql));
                super::$law(super::World { store, execute, is_postgres: true }).await;
            }
        }
    )* };
}

in_every_world! {
    what_invenio_writes_is_listed
    a_search_pattern_makes_a_set
    what_not_everybody_may_see_is_not_listed
}

#[tokio::test]
async fn what_was_there_before_is_swept_in_on_sqlite() {
    let folder = Folder::new();
    drop(World::on_sqlite(&folder, "").await);
    let world = World::on_sqlite(&folder, FORGET).await;
    (world.execute)(&earlier(&world));
    drop(world);
    what_was_there_before_is_swept_in(World::on_sqlite(&folder, "").await).await;
}

/// A store of which it is not known how far it has followed.
const FORGET: &str = "delete from windrow_setting where name = 'followed'";

#[cfg(unix)]
#[tokio::test]
async fn what_was_there_before_is_swept_in_on_postgres() {
    let Some(database) = crate::private_postgres::database() else { return };
    let store = windrow::store::open(&database.url).await.unwrap();
    let execute = Box::new(move |sql: &str| database.execute(sql));
    let world = World { store, execute, is_postgres: true };
    (world.execute)(FORGET);
    (world.execute)(&earlier(&world));
    what_was_there_before_is_swept_in(world).await;
}

#[cfg(unix)]
#[tokio::test]
async fn what_commits_late_is_followed_and_what_never_commits_holds_nothing_up() {
    use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

    let Some(database) = crate::private_postgres::database() else { return };
    let store = windrow::store::open(&database.url).await.unwrap();
    let url = database.url.clone();
    let execute = Box::new(move |sql: &str| database.execute(sql));
    let world = World { store, execute, is_postgres: true };
    world.write("1", 1, Some(OPEN), 50);
    // Two that have drawn their numbers and are not through; one more behind them is.
    let mut held = Vec::new();
    for name in ["slow", "lost"] {
        let mut connection = PgConnection::connect(&url).await.unwrap();
        connection.execute("begin").await.unwrap();
        let sql = world.invenio(name, 1, Some(OPEN), 40);
        // Its own transaction, not the last one that can be seen.
        let sql =
            sql.replace("max(id), 1 from \"transaction\"", "currval('transaction_id_seq'), 1");
        connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.unwrap();
        held.push(connection);
    }
    world.write("2", 1, Some(OPEN), 60);
    assert_eq!(world.follow(100).await, 2);
    assert_eq!(world.follow(101).await, 0);
    world.write("3", 1, Some(OPEN), 70);
    assert_eq!(world.follow(102).await, 1);
    let mut lost = held.pop().unwrap();
    lost.execute("rollback").await.unwrap();
    held.pop().unwrap().execute("commit").await.unwrap();
    assert_eq!(world.follow(103).await, 1);
    assert!(world.listed("slow").await.is_some() && world.listed("lost").await.is_none());
    world.follow(104).await;
    let kept = "select value::json ->> 'watermark' from windrow_setting where name = 'followed'";
    let database = crate::private_postgres::Database { url };
    let last = database.text("select max(id)::text from \"transaction\"");
    assert_eq!(database.text(kept), last, "the next look begins behind all of it");
}
