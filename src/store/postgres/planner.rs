//! What PostgreSQL's planner needs to know to find a few rows by their keys.

use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::{Executor, PgConnection};

// Writers look up a few rows by keys. Without statistics, as in a database that was empty a
// minute ago, the planner would rather read the whole table; and compiling a plan takes longer
// than running it. A plan that was made for tables that were empty is kept for as long, though it
// gets dearer with each batch. And each statement has to see what was committed before it.
pub(super) const WRITING: &str = "set enable_seqscan = off; set jit = off; \
    set plan_cache_mode = force_custom_plan; \
    set default_transaction_isolation = 'read committed'";

/// After so many records of a process.
const STEPS: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];

// Columns that are the same in all rows, or nearly: where nobody has counted, the planner takes
// one in two hundred for a match, and reads all rows of a source for each batch.
const COUNT: &str = "\
    analyze (skip_locked) \
    records_metadata (id), \
    records_metadata_version (id, transaction_id, end_transaction_id), \
    pidstore_pid (pid_type, pid_value, object_type, object_uuid), \
    windrow_ledger (source_name, source_id), \
    windrow_access (source_name, source_id), \
    windrow_oai (id, datestamp), \
    windrow_oai_set (set_id, datestamp, id)";

/// How much this process has written, for a server that has not counted yet: its own process for
/// that comes by once a minute.
#[derive(Debug, Default)]
pub(super) struct Statistics {
    written: AtomicU64,
}

impl Statistics {
    /// Notes records that were written, and has the tables counted at each of the steps. That it
    /// fails costs nothing but time.
    pub(super) async fn note(&self, connection: &mut PgConnection, records: u64) {
        let before = self.written.fetch_add(records, Ordering::Relaxed);
        if STEPS.iter().any(|&step| before < step && before + records >= step)
            && let Err(error) = connection.execute(COUNT).await
        {
            tracing::warn!(%error, "the tables were not counted: loading may be slow");
        }
    }
}
