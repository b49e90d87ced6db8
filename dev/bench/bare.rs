//! The floor under a load: the very rows of a loaded store, inserted by a bare loop.
//!
//! What the store writes in a batch, a loop of prepared statements writes again, record by
//! record, one transaction per 1,000 records, into a new database of the same schema.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::types::Value;
use rusqlite::{Connection, Result, params_from_iter};

/// Records in a transaction.
const BATCH: usize = 1000;

// Each table with the record its rows belong to.
const TABLES: [(&str, &str); 8] = [
    ("records_metadata", "select id, t.* from records_metadata t order by rowid"),
    ("records_metadata_version", "select id, t.* from records_metadata_version t order by rowid"),
    ("pidstore_pid", "select object_uuid, t.* from pidstore_pid t order by id"),
    (
        "pidstore_recid",
        "select p.object_uuid, t.* from pidstore_pid p join pidstore_recid t \
         on p.pid_type = 'recid' and p.pid_value = cast(t.recid as text) order by p.id",
    ),
    (
        "windrow_source",
        "select o.id, t.* from windrow_oai o join windrow_source t on t.id = o.source",
    ),
    ("windrow_oai", "select id, t.* from windrow_oai t"),
    ("windrow_oai_set", "select id, t.* from windrow_oai_set t"),
    ("windrow_ledger", "select record_id, t.* from windrow_ledger t"),
];

/// What the bare loop did.
#[derive(Debug, Clone, Copy)]
pub struct Bare {
    /// Records inserted.
    pub records: usize,
    /// Rows of all tables inserted for them.
    pub rows: usize,
    /// From the first `begin` to the last `commit`.
    pub wall: Duration,
    /// Processor time of this process meanwhile.
    pub cpu: Duration,
}

/// When indexes are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indexes {
    /// With the tables, as in a store.
    Before,
    /// When the rows are there; keys of tables stay.
    After,
}

/// Inserts the records of the store `from` into a new database `to`, with the pragmas of the
/// store.
///
/// # Errors
/// What SQLite says.
pub fn bare_load(from: &Path, to: &Path, indexes: Indexes) -> Result<Bare> {
    let source = Connection::open(from)?;
    let records = rows_by_record(&source)?;
    let target = Connection::open(to)?;
    target.execute_batch(
        "pragma journal_mode = wal; pragma temp_store = memory; pragma synchronous = normal; pragma foreign_keys = on; \
         pragma cache_size = -65536;",
    )?;
    copy_schema(&source, &target, "type != 'index'")?;
    if indexes == Indexes::Before {
        copy_schema(&source, &target, "type = 'index'")?;
    }
    target.execute_batch("pragma wal_checkpoint(truncate)")?;
    let mut inserts = Vec::new();
    for (table, _) in TABLES {
        let columns = source.prepare(&format!("select * from {table}"))?.column_count();
        let values = vec!["?"; columns].join(",");
        inserts.push(target.prepare(&format!("insert into {table} values ({values})"))?);
    }
    let (started, cpu) = (Instant::now(), cpu_time());
    let mut rows = 0;
    for batch in records.chunks(BATCH) {
        target.execute_batch("begin immediate")?;
        for (table, values) in batch.iter().flatten() {
            if let Some(insert) = inserts.get_mut(*table) {
                insert.execute(params_from_iter(values))?;
                rows += 1;
            }
        }
        target.execute_batch("commit")?;
    }
    if indexes == Indexes::After {
        copy_schema(&source, &target, "type = 'index'")?;
    }
    let (wall, cpu) = (started.elapsed(), cpu_time().saturating_sub(cpu));
    Ok(Bare { records: records.len(), rows, wall, cpu })
}

/// Processor time that this process and its children that ended have used so far, in steps of
/// 10 ms; zero where `/proc` is missing.
pub fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the process may hold spaces; behind its bracket user time is the 12th field.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

type Rows = Vec<(usize, Vec<Value>)>;

// In the order in which the records were inserted.
fn rows_by_record(source: &Connection) -> Result<Vec<Rows>> {
    let mut records: Vec<Rows> = Vec::new();
    let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
    for (number, (_, sql)) in TABLES.iter().enumerate() {
        let mut statement = source.prepare(sql)?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let id: Vec<u8> = row.get(0)?;
            let place = *places.entry(id).or_insert(records.len());
            if place == records.len() {
                records.push(Vec::with_capacity(TABLES.len()));
            }
            let values = (1..columns).map(|column| row.get(column)).collect::<Result<_>>()?;
            if let Some(record) = records.get_mut(place) {
                record.push((number, values));
            }
        }
    }
    Ok(records)
}

// The parts of it that `which` names.
fn copy_schema(source: &Connection, target: &Connection, which: &str) -> Result<()> {
    let mut statement = source.prepare(&format!(
        "select sql from sqlite_master where sql is not null and name not like 'sqlite%' \
         and {which} order by type = 'index', rowid"
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        target.execute_batch(&row.get::<_, String>(0)?)?;
    }
    Ok(())
}
