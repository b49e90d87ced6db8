//! What only PostgreSQL can do, or refuses to.

#![cfg(unix)]

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use windrow::store::{ItemContent, QuarantineQuery, Store, StoreError};

use crate::private_postgres::{Database, database};
use crate::store_records::{at, batch, id, load, load_record, new_record, run, update};
use crate::support::{Folder, count, dump, end};

async fn open(database: &Database) -> Arc<dyn Store> {
    windrow::store::open(&database.url).await.unwrap()
}

/// The tables and columns, indexes and constraints that match a condition.
fn catalog(database: &Database, condition: &str) -> Vec<String> {
    database.texts(&format!(
        "select format('%s.%s %s %s %s %s', table_name, column_name, data_type, is_nullable, \
             column_default, ordinal_position) from information_schema.columns \
             where table_schema = 'public' and table_name {condition} \
         union all select indexdef from pg_indexes \
             where schemaname = 'public' and tablename {condition} \
         order by 1"
    ))
}

/// Invenio's tables as an older Invenio made them, with one record and its revision.
const OLDER: &str = r#"
    create table "transaction" (issued_at timestamp, id serial primary key, remote_addr varchar(50));
    create table records_metadata (created timestamp not null, updated timestamp not null,
        id uuid primary key, json json, version_id integer not null);
    create table records_metadata_version (created timestamp, updated timestamp, id uuid not null,
        json json, version_id integer, transaction_id integer not null,
        end_transaction_id integer, operation_type smallint not null,
        primary key (id, transaction_id));
    create table pidstore_pid (created timestamp not null, updated timestamp not null,
        id serial primary key, pid_type varchar(6) not null, pid_value varchar(255) not null,
        pid_provider varchar(8), status char(1) not null, object_type varchar(3),
        object_uuid uuid);
    create unique index uidx_type_pid on pidstore_pid (pid_type, pid_value);
    create table pidstore_recid (recid serial primary key);
    create table pidstore_redirect (created timestamp not null, updated timestamp not null,
        id uuid primary key, pid_id integer not null references pidstore_pid (id));
    create table oaiserver_set (created timestamp not null, updated timestamp not null,
        id serial primary key, spec varchar(255) not null unique, name varchar(255),
        description text, search_pattern text, system_created boolean not null default false);
    insert into "transaction" (issued_at) values ('2020-01-02 03:04:05');
    insert into records_metadata values ('2020-01-01 00:00:00.25', '2020-01-02 03:04:05.5',
        '00000000-0000-0000-0000-000000000001', '{"title": "Theirs", "b": 1, "a": "\u00e9"}', 1);
    insert into records_metadata_version select *, 1, null, 0 from records_metadata;
    insert into pidstore_pid (created, updated, pid_type, pid_value, status, object_type, object_uuid)
        select created, updated, 'recid', '1', 'R', 'rec', id from records_metadata;
    insert into pidstore_recid values (1);
"#;

#[tokio::test]
async fn an_older_invenio_database_gets_windrow_tables_only_and_is_written_in_its_own_types() {
    let Some(database) = database() else { return };
    database.execute(OLDER);
    // It had no files; what it had stays as it was.
    let had = "!~ '^(windrow_|files_|records_buckets)'";
    let before = catalog(&database, had);
    let store = open(&database).await;
    assert_eq!(catalog(&database, had), before);
    assert!(!catalog(&database, "like 'windrow%'").is_empty());
    let theirs = store.record("recid", "1").await.unwrap();
    assert_eq!(theirs.created.to_string(), "2020-01-01T00:00:00.25Z");
    let json = String::from_utf8(theirs.json.unwrap()).unwrap();
    assert_eq!(json, r#"{"a":"é","b":1,"title":"Theirs"}"#);
    while store.follow(at(1_600_000_000), 100).await.unwrap().more {}
    let item = store.item("1", ItemContent::Header).await.unwrap().unwrap();
    assert_eq!(item.header.datestamp.to_string(), "2020-01-02T03:04:05Z");

    load(&*store, 1_600_000_000, vec![load_record(1, "7", Some("Ours"), &["a"])]).await;
    load(&*store, 1_600_000_001, vec![load_record(1, "7", Some("Changed"), &["a"])]).await;
    let ours = store.revisions(id("7")).await.unwrap();
    assert_eq!(
        ours.iter().map(|r| r.updated).collect::<Vec<_>>(),
        [at(1_600_000_000), at(1_600_000_001)]
    );
    let updated = database.text("select updated::text from records_metadata where version_id = 2");
    assert_eq!(updated, "2020-09-13 12:26:41", "in UTC");
    let chain = "select string_agg(format('%s-%s', transaction_id, end_transaction_id), ' ' \
                 order by transaction_id) from records_metadata_version where version_id > 0 \
                 and id <> '00000000-0000-0000-0000-000000000001'";
    assert_eq!(database.text(chain), "2-3 3-");
    assert_eq!(catalog(&database, had), before);
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let Some(database) = database() else { return };
    open(&database).await;
    database.execute("update windrow_setting set value = 99 where name = 'schema_version'");
    let refused = windrow::store::open(&database.url).await.err();
    assert!(matches!(refused, Some(StoreError::NewerSchema { found: 99, .. })), "{refused:?}");
}

#[tokio::test]
async fn an_empty_database_is_no_store_for_who_reads_and_stays_empty() {
    let Some(database) = database() else { return };
    let refused = windrow::store::open_existing(&database.url).await.err().unwrap();
    assert!(refused.to_string().contains("there is no store"), "{refused}");
    assert_eq!(catalog(&database, "<> ''"), Vec::<String>::new());
    open(&database).await;
    windrow::store::open_existing(&database.url).await.unwrap();
}

#[tokio::test]
async fn many_open_an_empty_database_at_once() {
    let Some(database) = database() else { return };
    let opened = (0..6).map(|_| {
        let url = database.url.clone();
        tokio::spawn(async move { windrow::store::open(&url).await.map(drop) })
    });
    for opened in opened.collect::<Vec<_>>() {
        opened.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn what_cannot_be_opened_says_why_and_never_shows_the_password() {
    let cases = [
        ("postgresql://me:secret@127.0.0.1:1/db", "me@127.0.0.1:1/db: "),
        ("postgres://me:p@secret@127.0.0.1:1/db?password=secret", "me@127.0.0.1:1/db: "),
        ("postgresql://me@127.0.0.1:1/db?pasword=secret", "unknown parameter pasword"),
        ("postgresql://me:secret@127.0.0.1:port/db", "port"),
    ];
    for (url, expected) in cases {
        let message = windrow::store::open(url).await.err().unwrap().to_string();
        assert!(message.contains(expected), "{url}: {message}");
        assert!(!message.contains("secret"), "{message}");
    }
}

#[tokio::test]
async fn what_postgresql_cannot_hold_goes_to_quarantine_and_the_others_go_on() {
    let Some(database) = database() else { return };
    let store = open(&database).await;
    let mut nul_in_json = load_record(2, "2", Some("x"), &[]);
    nul_in_json.record.json = Some(br#"{"title":"a\u0000b"}"#.to_vec());
    let mut nul_in_id = load_record(3, "3", Some("x"), &[]);
    nul_in_id.source_id = "3\0".to_owned();
    let mut endless = load_record(4, "4", Some("x"), &[]);
    endless.record.json = Some(br#"{"number":1e999999}"#.to_vec());
    let mut long = load_record(5, "5", Some("x"), &[]);
    long.source_id = "n".repeat(5000);
    let mut records = vec![load_record(1, "1", Some("One"), &["a"])];
    records.extend([nul_in_json, nul_in_id, endless, long]);
    records.push(load_record(6, "6", Some("Six"), &["a"]));
    let outcome = load(&*store, 10, records).await;
    assert_eq!((outcome.counts.created, outcome.counts.quarantined), (2, 4));
    let codes: Vec<_> = outcome.rejections.iter().map(|rejection| &*rejection.code).collect();
    assert_eq!(codes, ["nul", "nul", "refused", "source_id_too_long"]);
    let entries = store.quarantine(&QuarantineQuery::first(10)).await.unwrap();
    assert_eq!(entries.len(), 4);
    assert_eq!(entries[0].bytes, br#"raw 2 Some("x")"#);
    // Single records are refused, with the reason.
    let mut single = new_record("7", Some("x"), &[]);
    single.json = Some(br#"{"title":"a\u0000b"}"#.to_vec());
    let refused = store.create(&single, at(20)).await.err().unwrap();
    assert!(matches!(refused, StoreError::Unstorable { .. }), "{refused}");
    // A message with the character itself, which no text holds, is kept with another in its place.
    let mut held = crate::store_records::rejected(9, "a\0b");
    held.rejection.rule = Some("r\0".to_owned());
    let mut torn = batch(run(&*store).await, 10, Vec::new());
    torn.quarantined = vec![held];
    store.load(torn).await.unwrap();
    let entries = store.quarantine(&QuarantineQuery::first(10)).await.unwrap();
    assert_eq!(entries[4].message, "a\u{FFFD}b");
}

#[tokio::test]
async fn json_comes_back_canonical() {
    let Some(database) = database() else { return };
    let store = open(&database).await;
    let json = r#"{"a":[1.10,12345678901234567890123],"aaa":{"é":"\n\u0001\"\\"},"b":null}"#;
    let mut record = new_record("7", None, &[]);
    record.json = Some(json.as_bytes().to_vec());
    store.create(&record, at(10)).await.unwrap();
    let stored = store.record("recid", "7").await.unwrap().json.unwrap();
    assert_eq!(String::from_utf8(stored).unwrap(), json);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_writers_on_the_same_records_lose_no_update() {
    const RECORDS: u32 = 100;
    const TURNS: u32 = 3;
    let Some(database) = database() else { return };
    // Two processes' worth of connections.
    let stores = [open(&database).await, open(&database).await];
    for n in 0..RECORDS {
        stores[0].create(&new_record(&n.to_string(), Some("0"), &["a"]), at(10)).await.unwrap();
    }
    let stale = Arc::new(AtomicU32::new(0));
    let writers = (0..8_u32).map(|writer| {
        let (store, stale) = (Arc::clone(&stores[writer as usize % 2]), Arc::clone(&stale));
        tokio::spawn(async move {
            for turn in 0..RECORDS * TURNS {
                // Half of them from the other end, so that they meet.
                let n = if writer < 4 { turn % RECORDS } else { RECORDS - 1 - turn % RECORDS };
                loop {
                    let found = store.record("recid", &n.to_string()).await.unwrap();
                    let json = String::from_utf8(found.json.unwrap()).unwrap();
                    let count: u32 = json.split('"').nth(3).unwrap().parse().unwrap();
                    let sets = if count.is_multiple_of(2) { ["b"] } else { ["a"] };
                    let next = new_record(&n.to_string(), Some(&(count + 1).to_string()), &sets);
                    match update(&*store, &next, found.revision_id, at(20)).await {
                        Ok(_) => break,
                        Err(StoreError::Stale { .. }) => stale.fetch_add(1, Ordering::Relaxed),
                        Err(error) => panic!("{error}"),
                    };
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    for n in 0..RECORDS {
        let found = stores[0].record("recid", &n.to_string()).await.unwrap();
        let json = format!(r#"{{"title":"{}"}}"#, 8 * TURNS);
        assert_eq!(String::from_utf8(found.json.unwrap()).unwrap(), json);
        assert_eq!(found.revision_id, i64::from(8 * TURNS));
    }
    eprintln!("{} stale updates of {}", stale.load(Ordering::Relaxed), RECORDS * TURNS * 8);
    assert!(stale.load(Ordering::Relaxed) > 0, "the writers never met");
}

#[tokio::test]
async fn lanes_that_make_the_same_sets_and_pids_do_not_lock_up() {
    let Some(database) = database() else { return };
    let (one, other) = (open(&database).await, open(&database).await);
    let run_id = run(&*one).await;
    let sets = |from: usize| (0..12).map(move |n| format!("s{}:t{}", (n + from) % 5, n));
    let records = |lane: u64| -> Vec<_> {
        (0..60)
            .map(|n| {
                // The two lanes want the same PIDs, in opposite order, for different records.
                let n = if lane == 0 { n } else { 59 - n };
                let specs: Vec<String> = sets(n as usize).collect();
                let specs: Vec<&str> = specs.iter().map(String::as_str).collect();
                let name = format!("{lane}-{n}");
                let mut record = load_record(lane * 100 + n, &name, Some("x"), &specs);
                record.record.pid_value = n.to_string();
                record
            })
            .collect()
    };
    let load = |store: Arc<dyn Store>, lane: u32| {
        let mut share = batch(run_id, 10, records(u64::from(lane)));
        share.checkpoint.lane = lane;
        tokio::spawn(async move { store.load(share).await.unwrap().counts })
    };
    let (first, second) = (load(one, 0), load(other, 1));
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    assert_eq!(first.created + second.created, 60, "{first:?} {second:?}");
    assert_eq!(first.quarantined + second.quarantined, 60, "{first:?} {second:?}");
}

fn pipeline(folder: &Folder, lanes: u32, records: u64) {
    folder.write("dump.mrc", dump(1, 0..records));
    folder.brief_pipeline("dump.mrc");
    let mut text = std::fs::read_to_string(folder.path("pipeline.yaml")).unwrap();
    text += &format!("load: {{ lanes: {lanes} }}\n");
    folder.write("pipeline.yaml", text);
}

/// A trigger that fails with a SQLSTATE when the ledger gets its n-th row.
fn fail_at(row: u32, sqlstate: &str) -> String {
    format!(
        "create sequence if not exists test_rows;
         create or replace function test_fail() returns trigger language plpgsql as $$ begin
             if nextval('test_rows') = {row} then
                 raise exception 'made to fail' using errcode = '{sqlstate}';
             end if;
             return new;
         end $$;
         create or replace trigger test_fail before insert on windrow_ledger
         for each row execute function test_fail();"
    )
}

#[test]
fn what_passes_is_tried_again_and_what_stays_ends_the_run_with_its_checkpoint() {
    let Some(database) = database() else { return };
    let folder = Folder::on(database);
    let database = |sql: &str| {
        Database { url: folder.url() }.execute(sql);
    };
    pipeline(&folder, 3, 900);
    assert_eq!(folder.run(&["--dry-run"]).report(0)["counts"]["created"], 900);
    folder.run(&["--limit", "1"]).report(0);
    // A deadlock, and much later a full disk.
    database(&fail_at(200, "40P01"));
    database("alter sequence test_rows restart; create sequence test_full");
    let full = folder.run(&[]).report(0);
    assert_eq!((count(&full, "created"), count(&full, "unchanged")), (899, 1));

    pipeline(&folder, 3, 1800);
    database(&fail_at(500, "53100"));
    database("alter sequence test_rows restart");
    let ended = folder.run(&[]);
    assert_eq!(ended.status, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("disk is full"), "{}", ended.stderr);
    let report = folder.run(&[]).report(0);
    assert_eq!((&report["attempt"], count(&report, "read")), (&2.into(), 1800));
    assert_eq!((count(&report, "created"), count(&report, "unchanged")), (900, 900));

    pipeline(&folder, 2, 1900);
    let name = folder.text("select current_database()::text");
    database(&format!("alter database {name} set default_transaction_read_only = on"));
    let ended = folder.run(&[]);
    assert_eq!(ended.status, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("read-only"), "{}", ended.stderr);
}

#[test]
fn too_many_lanes_are_a_mistake_of_the_pipeline() {
    let folder = Folder::new();
    pipeline(&folder, 2, 10);
    let ended = folder.run(&[]);
    assert_eq!(ended.status, Some(78), "{}", ended.stderr);
    assert!(ended.stderr.contains("load.lanes is 2, expected at most 1"), "{}", ended.stderr);
}

/// Stands between windrow and the server, and breaks off every third time when it has seen a
/// commit go through, before its answer is passed on.
fn commits_are_lost(socket: &std::path::Path, server: std::path::PathBuf) -> Arc<AtomicU32> {
    let listener = UnixListener::bind(socket).unwrap();
    let (lost, commits) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let counter = Arc::clone(&lost);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, mut server) = (client.unwrap(), UnixStream::connect(&server).unwrap());
            let (commits, lost) = (Arc::clone(&commits), Arc::clone(&lost));
            let (mut back, mut front) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut back, &mut front));
            std::thread::spawn(move || {
                let mut buffer = vec![0; 1 << 16];
                while let Ok(read @ 1..) = client.read(&mut buffer) {
                    let bytes = &buffer[..read];
                    let commit = bytes.windows(7).any(|window| window == b"COMMIT\0");
                    if commit && commits.fetch_add(1, Ordering::Relaxed) % 3 == 1 {
                        // Nothing that the server answers reaches the client.
                        client.shutdown(std::net::Shutdown::Both).unwrap();
                        server.write_all(bytes).unwrap();
                        lost.fetch_add(1, Ordering::Relaxed);
                        return;
                    }
                    if server.write_all(bytes).is_err() {
                        return;
                    }
                }
                let _closed = server.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    counter
}

#[test]
fn a_commit_whose_answer_is_lost_is_not_counted_twice() {
    let Some(database) = database() else { return };
    let folder = Folder::new();
    pipeline(&folder, 2, 1500);
    let host = database.url.split("host=").nth(1).unwrap().split('&').next().unwrap();
    let real = std::path::Path::new(host).join(".s.PGSQL.5432");
    let lost = commits_are_lost(&folder.path(".s.PGSQL.5432"), real);
    let url = database.url.replace(host, folder.path("").to_str().unwrap());
    // The first commits make the tables: they shall be there.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    drop(runtime.block_on(windrow::store::open(&database.url)).unwrap());
    for fate in ["created", "unchanged"] {
        let mut command = folder.windrow(&["run", "pipeline.yaml", "--json"]);
        let report = end(command.env("WINDROW_STORE", &url)).report(0);
        assert_eq!((count(&report, "read"), count(&report, fate)), (1500, 1500));
    }
    assert!(lost.load(Ordering::Relaxed) >= 5, "{lost:?}");
    assert_eq!(database.text("select sum(read)::text from windrow_split"), "3000");
}

#[tokio::test]
async fn a_claim_outlasts_the_run_within_it() {
    let Some(database) = database() else { return };
    let one = windrow::store::open(&database.url).await.unwrap();
    let other = windrow::store::open(&database.url).await.unwrap();
    crate::store_records::a_claim_outlasts_the_run_within_it(&*one, &*other).await;
}

/// What a load looks at does not grow with what is there, in a database that was empty a moment ago.
#[tokio::test]
async fn rows_are_found_by_their_keys_before_the_server_has_counted_them() {
    const RECORDS: usize = 4000;
    let Some(database) = database() else { return };
    let counted = || -> usize {
        let counted = "select sum(idx_tup_read)::text from pg_stat_user_indexes \
             where relname in ('windrow_ledger', 'pidstore_pid', 'records_metadata', \
                 'records_metadata_version', 'windrow_oai', 'windrow_oai_set')";
        database.text(counted).parse().unwrap()
    };
    // A server tells what a connection has counted up to a second later, and when that ends.
    let looked_at = |least: usize| -> usize {
        let mut readings = (0, usize::MAX);
        for _ in 0..30 {
            std::thread::sleep(std::time::Duration::from_millis(1100));
            readings = (counted(), readings.0);
            if readings.0 == readings.1 && readings.0 >= least {
                break;
            }
        }
        readings.0
    };
    let names: Vec<String> = (0..RECORDS).map(|n| n.to_string()).collect();
    let load_all = async |title: Option<&str>| {
        let store = open(&database).await;
        for some in names.chunks(20) {
            let records = some.iter().map(|name| {
                let n = name.parse().unwrap();
                load_record(n, name, title, &["a"])
            });
            load(&*store, 10, records.collect()).await;
        }
    };
    let mut before = 0;
    for (title, most) in [(Some("One"), 16), (Some("One"), 18), (Some("Two"), 32), (None, 50)] {
        load_all(title).await;
        before = looked_at(before);
        assert!(before <= most * RECORDS, "{before} rows up to {title:?}");
    }
    assert!(before >= 10 * RECORDS, "only {before} rows were counted");
}
