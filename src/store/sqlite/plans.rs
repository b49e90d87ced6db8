//! How SQLite finds what is asked for: by keys, never by a look at a whole table.
//!
//! UUIDs of Invenio's tables are `binary(16)`, which has the affinity of numbers; those of windrow's
//! are blobs. Where the two meet, the key of the blob is used only if a plus stands before the other.

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row, query};

use super::{files, follow, items, lookup, records, things, write};
use crate::store::{ItemContent, ItemQuery};

async fn looks(connection: &mut SqliteConnection, sql: &str) -> Vec<String> {
    let plan = query(AssertSqlSafe(format!("explain query plan {sql}")));
    let rows = plan.fetch_all(connection).await.unwrap();
    let looks = rows.iter().map(|row| row.get::<String, _>(3));
    // What a statement brings with it, and what it has just found, is gone through.
    let is_own = |look: &String| {
        let (_, of) = look.split_at("SCAN ".len());
        ["j VIRTUAL TABLE", "json_each", "c", "lines", "CONSTANT ROW", "chain"]
            .iter()
            .any(|own| of.starts_with(own) && !of.starts_with("cross"))
    };
    looks.filter(|look| look.starts_with("SCAN ") && !is_own(look)).collect()
}

#[tokio::test]
async fn no_statement_goes_through_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    drop(super::open("sqlite:store.db", &path, crate::store::standard().into()).await.unwrap());
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    // Not `write::REMOVE_PIDS`: Invenio has no index of redirects by where they lead.
    let mut statements: Vec<&str> = vec![
        files::AT,
        files::HELD,
        files::OBJECTS,
        files::TAGS,
        files::URIS,
        follow::CURRENT,
        follow::GONE,
        follow::RECORDS,
        follow::REVISIONS,
        lookup::ACCESS,
        lookup::DATES,
        lookup::FURTHER_PIDS,
        lookup::LEDGER,
        lookup::PIDS,
        lookup::RECORDS,
        records::BY_ID,
        records::BY_PID,
        records::LISTED_AS,
        records::REVISIONS,
        things::ONE,
        write::DELETE_PIDS,
        write::END_VERSIONS,
        write::FORGET_SOURCES,
        write::REGISTER_PIDS,
    ];
    for content in [ItemContent::Header, ItemContent::Json, ItemContent::Source] {
        statements.push(items::one_sql(content));
        for set_spec in [None, Some("a".parse().unwrap())] {
            let (after, from, until, limit) = (None, None, None, 1);
            let asked = ItemQuery { after, from, until, set_spec, limit, content };
            statements.extend([items::list_sql(&asked), items::fingerprint_sql(&asked)]);
        }
    }
    for sql in statements {
        assert_eq!(looks(&mut connection, sql).await, [""; 0], "{sql}");
    }
    let whole = "select pid_value from windrow_oai where sets = 'a'";
    assert_eq!(looks(&mut connection, whole).await.len(), 1, "the check sees one that does");
}
