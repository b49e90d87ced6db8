//! What only the SQLite keeper promises: its file, its tables, its life after a kill.

use std::fmt::Write as _;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use windrow::store::{ItemContent, StoreError};

use crate::store_records::{Folder, at, id, load, load_record, new_record, run, sqlite, update};

// As Invenio's own models make them (SQLAlchemy's spelling, a table of accounts beside them).
const INVENIO: &str = include_str!("../fixtures/store/invenio.sql");

fn dump(path: &Path, sql: &str) -> String {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let mut rows = statement.query([]).unwrap();
    let mut text = String::new();
    while let Some(row) = rows.next().unwrap() {
        for column in 0..columns {
            match row.get_ref(column).unwrap() {
                ValueRef::Text(value) => text.push_str(&String::from_utf8_lossy(value)),
                other => write!(text, "{other:?}").unwrap(),
            }
            text.push('|');
        }
        text.push('\n');
    }
    text
}

fn tables(path: &Path) -> Vec<String> {
    dump(path, "select name from sqlite_master where type = 'table' order by name")
        .lines()
        .map(|line| line.trim_end_matches('|').to_owned())
        .collect()
}

/// Everything that a load may write but the books of the run.
fn contents(path: &Path) -> String {
    tables(path)
        .iter()
        .filter(|table| !["windrow_run", "windrow_split"].contains(&table.as_str()))
        .map(|table| format!("{table}\n{}", dump(path, &format!("select * from \"{table}\""))))
        .collect()
}

#[tokio::test]
async fn loading_twice_writes_no_row_beside_the_checkpoint() {
    let folder = Folder::new();
    let path = folder.path().join("store.db");
    let store = sqlite(&folder).await;
    let records = || {
        let sets = &["a:b", "c"];
        (1..=100).map(|n| load_record(n, &n.to_string(), Some("One"), sets)).collect::<Vec<_>>()
    };
    load(&*store, 10, records()).await;
    let before = contents(&path);
    assert!(before.contains("records_metadata_version"));
    load(&*store, 20, records()).await;
    assert_eq!(contents(&path), before);
}

#[cfg(unix)]
#[tokio::test]
async fn a_pipeline_runs_once_at_a_time_and_leaves_no_file() {
    let folder = Folder::new();
    let locks = || {
        let names = std::fs::read_dir(folder.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains("-run-")).count()
    };
    let (one, other) = (sqlite(&folder).await, sqlite(&folder).await);
    let begun = one.begin_run("a", "v1", false, at(1)).await.unwrap();
    let running = other.begin_run("a", "v1", false, at(1)).await;
    assert!(matches!(running, Err(StoreError::Running(_))), "{running:?}");
    other.begin_run("b", "v1", false, at(1)).await.unwrap();
    assert_eq!(locks(), 2);
    one.end_run(begun.id, windrow::store::RunState::Done, "{}", at(2)).await.unwrap();
    other.begin_run("a", "v1", false, at(3)).await.unwrap();
    assert_eq!(locks(), 2);
    drop((one, other));
    assert_eq!(locks(), 0);
}

#[tokio::test]
async fn a_claim_outlasts_the_run_within_it() {
    let folder = Folder::new();
    let (one, other) = (sqlite(&folder).await, sqlite(&folder).await);
    crate::store_records::a_claim_outlasts_the_run_within_it(&*one, &*other).await;
}

#[tokio::test]
async fn a_generation_ends_with_what_others_commit_and_not_with_a_response_date() {
    let folder = Folder::new();
    let store = sqlite(&folder).await;
    assert_eq!(store.generation().await.unwrap(), None, "nobody has asked for a responseDate");
    store.settled(at(10)).await.unwrap();
    let first = store.generation().await.unwrap();
    assert!(first.is_some());
    for second in 11..15 {
        store.settled(at(second)).await.unwrap();
        assert_eq!(store.generation().await.unwrap(), first);
    }
    load(&*store, 20, vec![load_record(1, "1", Some("One"), &[])]).await;
    let loaded = store.generation().await.unwrap();
    assert_ne!(loaded, first);
    let other = Connection::open(folder.path().join("store.db")).unwrap();
    other.execute("update records_metadata set version_id = 7", []).unwrap();
    let changed = store.generation().await.unwrap();
    assert!(changed != loaded && changed != first);
    assert_eq!(store.generation().await.unwrap(), changed);
}

#[tokio::test]
async fn revisions_are_valid_from_transaction_to_transaction() {
    let folder = Folder::new();
    let path = folder.path().join("store.db");
    let store = sqlite(&folder).await;
    let two = vec![
        load_record(1, "7", Some("One"), &[]),
        load_record(2, "7", Some("Two"), &[]),
        load_record(3, "8", Some("Other"), &[]),
    ];
    load(&*store, 10, two).await;
    load(&*store, 20, vec![load_record(1, "7", None, &[])]).await;
    let versions = dump(
        &path,
        "select version_id, transaction_id, end_transaction_id, operation_type, json is null \
         from records_metadata_version order by id = x'00', id, version_id",
    );
    let mut lines: Vec<_> = versions.lines().collect();
    lines.sort_unstable();
    let expected = [
        "Integer(1)|Integer(1)|Integer(2)|Integer(0)|Integer(0)|",
        "Integer(1)|Integer(1)|Null|Integer(0)|Integer(0)|",
        "Integer(2)|Integer(2)|Integer(3)|Integer(1)|Integer(0)|",
        "Integer(3)|Integer(3)|Null|Integer(1)|Integer(1)|",
    ];
    assert_eq!(lines, expected);
    assert_eq!(
        dump(&path, "select id, issued_at from \"transaction\" where id = 3"),
        "Integer(3)|1970-01-01 00:00:20.000000|\n"
    );
    assert_eq!(
        dump(&path, "select pid_value, status from pidstore_pid order by pid_value"),
        "7|D|\n8|R|\n"
    );
    assert_eq!(dump(&path, "select recid from pidstore_recid"), "Integer(7)|\nInteger(8)|\n");
    load(&*store, 30, vec![load_record(1, "7", Some("Three"), &[])]).await;
    assert_eq!(dump(&path, "select status from pidstore_pid where pid_value = '7'"), "R|\n");
}

#[tokio::test]
async fn a_redirected_pid_leads_to_its_record_and_a_reserved_one_is_taken_up() {
    let folder = Folder::new();
    let store = sqlite(&folder).await;
    store.create(&new_record("7", Some("One"), &[]), at(10)).await.unwrap();
    let connection = Connection::open(folder.path().join("store.db")).unwrap();
    connection
        .execute_batch(
            "insert into pidstore_redirect values (x'0102', 1, '2020-01-01', '2020-01-01');
             insert into pidstore_pid (pid_type, pid_value, status, object_uuid, created, updated)
             values ('recid', '6', 'M', x'0102', '2020-01-01', '2020-01-01'),
                    ('recid', '9', 'K', null, '2020-01-01', '2020-01-01');",
        )
        .unwrap();
    assert_eq!(store.record("recid", "6").await.unwrap().id, id("7"));
    let counts = load(&*store, 20, vec![load_record(1, "9", Some("Nine"), &[])]).await.counts;
    assert_eq!(counts.created, 1);
    assert_eq!(store.record("recid", "9").await.unwrap().id, id("9"));
}

#[tokio::test]
async fn the_token_key_is_made_once() {
    let (folder, other) = (Folder::new(), Folder::new());
    let key = sqlite(&folder).await.token_key().await.unwrap();
    assert_eq!(sqlite(&folder).await.token_key().await.unwrap(), key);
    assert_ne!(sqlite(&other).await.token_key().await.unwrap(), key);
}

#[tokio::test]
async fn what_is_committed_outlives_a_kill_and_what_is_not_is_gone() {
    let (folder, after) = (Folder::new(), Folder::new());
    let store = sqlite(&folder).await;
    load(&*store, 10, vec![load_record(1, "7", Some("One"), &["a"])]).await;
    // A second writer stands in the middle of a transaction; then the machine stops: what is
    // on disk is all there is.
    let writer = Connection::open(folder.path().join("store.db")).unwrap();
    writer.execute_batch("begin immediate; delete from records_metadata;").unwrap();
    for name in ["store.db", "store.db-wal"] {
        std::fs::copy(folder.path().join(name), after.path().join(name)).unwrap();
    }
    drop(store);
    let store = sqlite(&after).await;
    let interrupted = run(&*store).await;
    assert_eq!(store.splits(interrupted).await.unwrap().len(), 1, "the run goes on");
    assert!(store.item("7", ItemContent::Json).await.unwrap().unwrap().json.is_some());
    let again = load(&*store, 20, vec![load_record(1, "7", Some("One"), &["a"])]).await;
    assert_eq!(again.counts.unchanged, 1);
}

#[tokio::test]
async fn what_an_earlier_windrow_has_listed_is_never_dated_back() {
    let folder = Folder::new();
    let store = sqlite(&folder).await;
    load(&*store, 10, vec![load_record(1, "7", Some("One"), &[])]).await;
    drop(store);
    Connection::open(folder.path().join("store.db"))
        .unwrap()
        .execute_batch(
            "drop table windrow_schedule; drop table windrow_origin; \
             alter table windrow_split drop column kinds; \
             drop table windrow_redirect; drop table windrow_thing; drop table windrow_file; \
             drop table windrow_access; \
             alter table windrow_quarantine drop column format; \
             alter table windrow_quarantine drop column byte; \
             alter table windrow_oai drop column version; \
             alter table windrow_oai drop column matched; \
             alter table windrow_ledger drop column source; \
             delete from windrow_setting where name in ('followed', 'response_date'); \
             update windrow_setting set value = 2 where name = 'schema_version'",
        )
        .unwrap();
    let store = sqlite(&folder).await;
    let mut record = load_record(1, "7", Some("Two"), &[]);
    record.stamps = Some((at(5), at(6)));
    load(&*store, 20, vec![record]).await;
    let item = store.item("7", ItemContent::Header).await.unwrap().unwrap();
    assert!(item.header.datestamp.as_second() > 1_700_000_000, "{}", item.header.datestamp);
}

#[tokio::test]
async fn a_store_of_a_newer_windrow_is_refused() {
    let folder = Folder::new();
    drop(sqlite(&folder).await);
    Connection::open(folder.path().join("store.db"))
        .unwrap()
        .execute("update windrow_setting set value = 99 where name = 'schema_version'", [])
        .unwrap();
    let refused = windrow::store::open(&folder.url()).await;
    assert!(matches!(refused.err(), Some(StoreError::NewerSchema { found: 99, known: 12 })));
}

#[tokio::test]
async fn what_cannot_be_opened_says_why() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("text.db"), "no database, but long enough ".repeat(200))
        .unwrap();
    let path = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    let cases = [
        (path("missing/store.db"), "missing does not exist"),
        (path("text.db"), "not a database"),
        ("sqlite::memory:".to_owned(), "expected sqlite:PATH"),
        ("mysql://me:secret@host/db".to_owned(), "expected sqlite:PATH"),
        ("windrow.db".to_owned(), "expected sqlite:PATH"),
    ];
    for (url, expected) in cases {
        let message = windrow::store::open(&url).await.err().unwrap().to_string();
        assert!(message.contains(expected), "{url}: {message}");
        assert!(!message.contains("secret"), "{message}");
    }
}

#[tokio::test]
async fn an_invenio_database_gets_windrow_tables_only_and_its_records_are_listed() {
    let folder = Folder::new();
    let path = folder.path().join("store.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(INVENIO).unwrap();
    drop(connection);
    let theirs = "select * from sqlite_master where name not like 'windrow%' \
                  and tbl_name not like 'windrow%' order by name";
    // rootpage tells where a table begins in the file: that stays, too.
    let before = dump(&path, theirs);
    let store = sqlite(&folder).await;
    assert_eq!(dump(&path, theirs), before);
    assert!(tables(&path).iter().any(|table| table == "windrow_ledger"));
    while store.follow(at(1_600_000_000), 100).await.unwrap().more {}
    let item = store.item("1", ItemContent::Json).await.unwrap().unwrap();
    assert_eq!(item.header.datestamp.to_string(), "2020-01-02T00:00:00Z");
    assert_eq!(item.json.as_deref(), Some(&br#"{"title":"Of Invenio"}"#[..]));
    let counts = load(&*store, 10, vec![load_record(1, "2", Some("Ours"), &["a"])]).await.counts;
    assert_eq!(counts.created, 1);
    let revised = update(&*store, &invenios(item.header.id), 0, at(20)).await.unwrap();
    assert_eq!(revised.revision_id, 1);
}

fn invenios(id: uuid::Uuid) -> windrow::store::NewRecord {
    windrow::store::NewRecord {
        id,
        pid_value: "1".to_owned(),
        pids: Vec::new(),
        json: Some(b"{}".to_vec()),
        memberships: Vec::new(),
    }
}

#[tokio::test]
async fn our_own_tables_have_the_columns_and_indexes_of_invenio() {
    let (ours, theirs) = (Folder::new(), Folder::new());
    drop(sqlite(&ours).await);
    let connection = Connection::open(theirs.path().join("store.db")).unwrap();
    connection.execute_batch(INVENIO).unwrap();
    drop(connection);
    // Types without case; the foreign key to Invenio's accounts is left out on purpose.
    let shape = "select m.name, c.name, upper(c.type), c.\"notnull\", c.pk \
                 from sqlite_master m, pragma_table_info(m.name) c \
                 where m.type = 'table' and m.name not like 'windrow%' \
                 and m.name <> 'accounts_user' order by 1, c.cid";
    let indexes = "select m.tbl_name, m.name, i.name, l.\"unique\" from sqlite_master m, \
                   pragma_index_info(m.name) i, pragma_index_list(m.tbl_name) l \
                   where m.type = 'index' and l.name = m.name and m.name not like 'windrow%' \
                   and m.tbl_name not like 'windrow%' order by 1, 2, i.seqno";
    for sql in [shape, indexes] {
        let (ours, theirs) = (ours.path().join("store.db"), theirs.path().join("store.db"));
        assert_eq!(dump(&ours, sql), dump(&theirs, sql));
    }
}

#[tokio::test]
async fn lists_and_bulk_statements_use_their_indexes() {
    let folder = Folder::new();
    drop(sqlite(&folder).await);
    let path = folder.path().join("store.db");
    let plan = |sql: &str| dump(&path, &format!("explain query plan {sql}"));
    let all = plan(
        "select 1 from windrow_oai o left join records_metadata m on m.id = o.id \
         where (o.datestamp, o.id) > (1, x'01') and o.datestamp <= 3 \
         and (1 or o.deleted or o.source is not null) order by o.datestamp, o.id limit 6",
    );
    assert!(all.contains("SEARCH o USING INDEX windrow_oai_datestamp"), "{all}");
    assert!(!all.contains("TEMP B-TREE"), "{all}");
    let of_set = plan(
        "select 1 from windrow_oai_set s cross join windrow_oai o on o.id = s.id \
         where s.set_id = (select id from windrow_set where spec = 'a') \
         and (s.datestamp, s.id) > (1, x'01') and s.datestamp <= 3 \
         order by s.datestamp, s.id limit 6",
    );
    assert!(of_set.contains("SEARCH s USING PRIMARY KEY (set_id=? AND (datestamp"), "{of_set}");
    assert!(!of_set.contains("TEMP B-TREE"), "{of_set}");
    let left = plan(
        "delete from windrow_oai_set where (set_id, datestamp, id) in (values (1,2,3),(4,5,6))",
    );
    assert!(left.contains("SEARCH windrow_oai_set USING PRIMARY KEY"), "{left}");
    let ended = plan(
        "update records_metadata_version set end_transaction_id = 1 \
         where +end_transaction_id is null and id in (select unhex(value) from json_each('[]'))",
    );
    assert!(ended.contains("sqlite_autoindex_records_metadata_version_1 (id=?)"), "{ended}");
    let pids = plan(
        "update pidstore_pid set status = 'D', updated = 1 where object_type = 'rec' \
         and object_uuid in (select unhex(value) from json_each('[]')) and +status <> 'D'",
    );
    assert!(pids.contains("idx_object (object_type=? AND object_uuid=?)"), "{pids}");
}
