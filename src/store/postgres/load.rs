//! Bulk load: a batch with its ledger, source and quarantine rows and its checkpoint, at once.
//!
//! Deadlocks, rows that others wrote first, lost connections and restarts of the server lead to
//! another attempt. Every attempt writes the batch's token into the checkpoint, so that a commit
//! whose answer was lost is found done and not counted twice.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, query, query_scalar};
use uuid::Uuid;

use super::patience::Patience;
use super::sets::SetNumbers;
use super::{
    PostgresStore, access, file_rows, files, lookup, projection, redirects, settling, things, write,
};
use crate::record::{Locator, PidName, Rejection, Stage};
use crate::store::change::Change;
use crate::store::columns::{control_number, kinds_text, part, signed};
use crate::store::extension::{self, Transaction};
use crate::store::filing::Filing;
use crate::store::plan::{Plan, plan_with};
use crate::store::{
    Checkpoint, Counts, Kinds, LoadBatch, LoadOutcome, LoadRecord, Quarantined, REVISIONS,
    StoreError, single,
};

// The key of windrow_ledger must fit into a third of a page.
const SOURCE_ID_BYTES: usize = 2000;

const CHECKPOINT: &str = "\
    insert into windrow_split as s (run_id, split, lane, token, fingerprint, records, done, \
        account, read, created, updated, unchanged, deleted, skipped, quarantined, kinds) \
    select r.id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $17 \
    from windrow_run r where r.id = $1 and r.attempt = coalesce($16, r.attempt) \
    on conflict (run_id, split, lane) do update set token = excluded.token, \
        fingerprint = excluded.fingerprint, records = excluded.records, done = excluded.done, \
        account = excluded.account, kinds = excluded.kinds, read = s.read + excluded.read, \
        created = s.created + excluded.created, updated = s.updated + excluded.updated, \
        unchanged = s.unchanged + excluded.unchanged, deleted = s.deleted + excluded.deleted, \
        skipped = s.skipped + excluded.skipped, \
        quarantined = s.quarantined + excluded.quarantined \
    where s.token <> excluded.token";

const QUARANTINE: &str = "\
    insert into windrow_quarantine (source_name, file, number, run_id, stage, rule, code, message, \
        locator, zstd, part, byte, format, control_number) \
    select $1, file, number, $2, stage, rule, code, message, locator, zstd, part, byte, $13, control \
    from unnest($3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], \
        $9::text[], $10::bytea[], $11::text[], $12::bigint[], $14::text[]) \
        as u (file, number, stage, rule, code, message, locator, zstd, part, byte, control) \
    on conflict (source_name, file, number, part, control_number) do update \
    set run_id = excluded.run_id, stage = excluded.stage, rule = excluded.rule, code = excluded.code, \
        message = excluded.message, locator = excluded.locator, zstd = excluded.zstd, \
        byte = excluded.byte, format = excluded.format";

// Of a row whose control number is not known, the place has to do.
const RELEASE: &str = "\
    delete from windrow_quarantine q \
    where source_name = $1 and file = $2 and number = any($3) and exists ( \
        select 1 from unnest($3::bigint[], $4::text[], $5::text[]) as r (number, control, part) \
        where r.number = q.number and q.control_number in ('', r.control) \
            and coalesce(r.part, q.part) = q.part) \
    and not exists ( \
        select 1 from unnest($6::bigint[], $7::text[], $8::text[]) as u (number, control, part) \
        where u.number = q.number and u.control = q.control_number and u.part = q.part)";

/// Loads a batch in one transaction; after an error nothing of it remains.
pub(super) async fn load(
    store: &PostgresStore,
    mut batch: LoadBatch,
) -> Result<LoadOutcome, StoreError> {
    let mut patience = Patience::default();
    let mut commit = Commit { token: Uuid::new_v4(), outcome: None };
    let mut refused: Option<Refused> = None;
    loop {
        match attempt(store, &batch, refused.as_ref(), &mut commit).await {
            Ok(outcome) => return Ok(outcome),
            Err(error @ StoreError::Unstorable { .. }) if refused.is_none() => {
                match sieve(store, &batch.records).await {
                    Ok(found) if found.is_empty() => return Err(error),
                    Ok(found) => refused = Some(take_out(&mut batch.records, &found)),
                    Err(error) => patience.wait(error).await?,
                }
            }
            Err(error) => {
                patience.wait(error).await?;
                while let Err(error) = store.keep_running().await {
                    patience.wait(error).await?;
                }
            }
        }
    }
}

/// Writes what goes with current revisions that are written, and tells the extensions.
pub(super) async fn write_behind(
    connection: &mut PgConnection,
    store: &PostgresStore,
    plan: &mut Plan,
    now: Timestamp,
) -> Result<SetNumbers, StoreError> {
    write::behind(connection, &store.tables, plan, now).await?;
    tell(connection, store, &mut plan.changes, &plan.set_names, now).await
}

/// Gives changes that are written their datestamps, and tells the extensions.
pub(super) async fn tell(
    connection: &mut PgConnection,
    store: &PostgresStore,
    changes: &mut [Change],
    set_names: &HashMap<String, String>,
    now: Timestamp,
) -> Result<SetNumbers, StoreError> {
    let mut sets = SetNumbers::new(store.known_sets());
    if changes.is_empty() {
        return Ok(sets);
    }
    settling::stamp(connection, changes, now).await?;
    let transaction = projection::Transaction {
        connection,
        tables: &store.tables,
        sets: &mut sets,
        patterns: &store.patterns,
        set_names,
        now,
    };
    extension::tell(&store.extensions, changes, &mut Transaction::Postgres(transaction)).await?;
    Ok(sets)
}

/// What has been sent to be committed under a token.
struct Commit {
    token: Uuid,
    /// Of the last attempt that came as far as its commit.
    outcome: Option<LoadOutcome>,
}

async fn attempt(
    store: &PostgresStore,
    batch: &LoadBatch,
    refused: Option<&Refused>,
    commit: &mut Commit,
) -> Result<LoadOutcome, StoreError> {
    let mut connection = store.writers.acquire().await?;
    let mut transaction = connection.begin().await?;
    let lookup =
        lookup::of_batch(&mut transaction, &batch.source_name, &batch.records, batch.keep_source)
            .await?;
    let now = single::floor(batch.now);
    let mut records = batch.records.clone();
    let mut filing = Filing::of(&mut records, batch.location, now);
    filing.resolve(&lookup);
    let mut plan = plan_with(records, lookup, batch.keep_source, now, &store.extensions);
    files::plan(&mut transaction, &mut plan, filing, &store.extensions).await?;
    write::current(&mut transaction, &store.tables, &plan.changes).await?;
    file_rows::write(&mut transaction, &plan.files, now).await?;
    write::ledger(&mut transaction, &store.tables, &batch.source_name, &plan.ledger).await?;
    access::write(&mut transaction, &batch.source_name, &plan.access).await?;
    let refused_records = refused.map(|refused| refused.records.as_slice()).unwrap_or_default();
    let refused_parts = refused.map(|refused| refused.parts.as_slice()).unwrap_or_default();
    if let Some(refused) = refused {
        plan.kinds.add(&refused.kinds);
    }
    let records = batch.quarantined.iter().chain(refused_records).chain(&plan.rejected);
    let parts = refused_parts.iter().chain(&plan.refused).chain(&plan.held);
    let quarantined: Vec<&Quarantined> = records.chain(parts).collect();
    let mut counts = std::mem::take(&mut plan.counts);
    counts.quarantined += (batch.quarantined.len() + refused_records.len()) as u64;
    counts.skipped += batch.checkpoint.skipped;
    counts.read = counts.created
        + counts.updated
        + counts.unchanged
        + counts.deleted
        + counts.skipped
        + counts.quarantined;
    let written = counts.created + counts.updated + counts.deleted;
    release(&mut transaction, batch, &quarantined).await?;
    quarantine(&mut transaction, batch, &quarantined).await?;
    // Last: who is stamped holds settled moments back, and soon commits.
    redirects::reserve(&mut transaction, &plan.reserved, now).await?;
    let noted = redirects::note(&mut transaction, &batch.source_name, &plan.redirects).await?;
    plan.kinds.add_redirects(plan.redirects.len() as u64, noted);
    things::keep(&mut transaction, &batch.source_name, &plan.things, now, &mut plan.kinds).await?;
    let sets = write_behind(&mut transaction, store, &mut plan, now).await?;
    let attempt = store.attempt_of(batch.run_id);
    let checkpoint = (&batch.checkpoint, commit.token, attempt);
    let told = (&counts, &plan.kinds);
    if !write_checkpoint(&mut transaction, batch.run_id, checkpoint, told).await? {
        // Dropping the transaction rolls back what this attempt wrote on top of it.
        return commit.outcome.take().ok_or_else(|| taken_over(batch.run_id));
    }
    let parts = refused_parts.iter().chain(&plan.refused);
    let by_store = refused_records.iter().chain(&plan.rejected).chain(parts);
    let rejections = by_store.map(|rejected| rejected.rejection.clone()).collect();
    commit.outcome = Some(LoadOutcome { counts, rejections, kinds: plan.kinds });
    transaction.commit().await?;
    store.learn_sets(sets);
    store.statistics.note(&mut connection, written).await;
    commit.outcome.take().ok_or_else(|| taken_over(batch.run_id))
}

fn taken_over(run_id: i64) -> StoreError {
    StoreError::Failed(format!("run {run_id} is not there, or another process has taken it over"))
}

/// What the database does not hold whatever is done, with its reasons (code and message): records
/// by their place in the batch, and earlier revisions by that and their own.
#[derive(Default)]
struct Sieved {
    records: HashMap<usize, (String, String)>,
    revisions: HashMap<(usize, usize), (String, String)>,
}

/// What was taken out of a batch.
#[derive(Default)]
struct Refused {
    records: Vec<Quarantined>,
    parts: Vec<Quarantined>,
    kinds: Kinds,
}

impl Sieved {
    fn is_empty(&self) -> bool {
        self.records.is_empty() && self.revisions.is_empty()
    }
}

async fn sieve(store: &PostgresStore, records: &[LoadRecord]) -> Result<Sieved, StoreError> {
    let mut connection = store.writers.acquire().await?;
    let mut sieved = Sieved::default();
    let found = &mut sieved.records;
    for (at, record) in records.iter().enumerate() {
        let json = record.record.json.as_deref().map(String::from_utf8_lossy);
        let mut texts = vec![record.source_id.as_str(), record.record.pid_value.as_str()];
        texts.extend(record.record.pids.iter().map(PidName::pid_value));
        for membership in &record.record.memberships {
            texts.extend([membership.spec.as_str(), membership.name.as_str()]);
        }
        for order in record.copies.iter().map(|copy| &copy.order) {
            texts.extend([order.key.as_str(), order.mimetype.as_deref().unwrap_or_default()]);
            texts.extend(order.tags.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]));
        }
        let tried = query("select $1::text::jsonb is null, $2::text[]").bind(json).bind(texts);
        match tried.execute(&mut *connection).await.map_err(StoreError::from) {
            Ok(_) if record.source_id.len() > SOURCE_ID_BYTES => {
                let length = record.source_id.len();
                let message =
                    format!("source id has {length} bytes, expected at most {SOURCE_ID_BYTES}");
                found.insert(at, ("source_id_too_long".to_owned(), message));
            }
            Ok(_) => {}
            Err(StoreError::Unstorable { code, message }) => {
                found.insert(at, unstorable(&code, &message, "record"));
            }
            Err(error) => return Err(error),
        }
        for (number, revision) in record.history.iter().flatten().enumerate() {
            let json = revision.json.as_deref().map(String::from_utf8_lossy);
            let tried = query("select $1::text::jsonb is null").bind(json);
            match tried.execute(&mut *connection).await.map_err(StoreError::from) {
                Ok(_) => {}
                Err(StoreError::Unstorable { code, message }) => {
                    let reason = unstorable(&code, &message, "revision");
                    sieved.revisions.insert((at, number), reason);
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(sieved)
}

fn unstorable(code: &str, message: &str, what: &str) -> (String, String) {
    let code = match code {
        // \u0000 in JSON; the character itself in another text.
        "22P05" | "22021" => "nul",
        _ => "refused",
    };
    (code.to_owned(), format!("PostgreSQL cannot hold the {what}: {message}"))
}

fn take_out(records: &mut Vec<LoadRecord>, sieved: &Sieved) -> Refused {
    let mut kept = Vec::with_capacity(records.len());
    let mut refused = Refused::default();
    let hold = |(code, message): &(String, String), locator: Locator, record: &LoadRecord| {
        let (stage, code, message) = (Stage::Load, code.clone(), message.clone());
        let rejection = Rejection { stage, rule: None, code, message, locator };
        Quarantined { rejection, bytes: record.raw_bytes() }
    };
    for (at, mut record) in std::mem::take(records).into_iter().enumerate() {
        if let Some(reason) = sieved.records.get(&at) {
            refused.kinds.hold(&record);
            refused.records.push(hold(reason, record.locator.clone(), &record));
            refused.parts.append(&mut record.held);
            continue;
        }
        let earlier = record.history.take().map(|earlier| {
            let mut stored = Vec::with_capacity(earlier.len());
            for (number, revision) in earlier.into_iter().enumerate() {
                let Some(reason) = sieved.revisions.get(&(at, number)) else {
                    stored.push(revision);
                    continue;
                };
                let locator = record.locator.part(format!("revision {}", revision.number));
                refused.kinds.of(REVISIONS).quarantined += 1;
                refused.parts.push(hold(reason, locator, &record));
            }
            stored
        });
        kept.push(LoadRecord { history: earlier, ..record });
    }
    *records = kept;
    refused
}

/// Takes records and parts out of quarantine that have got through this time.
async fn release(
    connection: &mut PgConnection,
    batch: &LoadBatch,
    quarantined: &[&Quarantined],
) -> Result<(), StoreError> {
    // A record whose place names a part is that part alone, taken out of quarantine.
    let mut places: HashMap<&Arc<str>, Vec<&Locator>> = HashMap::new();
    let loaded = batch.records.iter().map(|record| &record.locator);
    let held = quarantined.iter().map(|held| &held.rejection.locator);
    for locator in loaded.chain(held.clone()) {
        places.entry(&locator.file).or_default().push(locator);
    }
    for (file, places) in places {
        let waiting: bool = query_scalar(
            "select exists(select 1 from windrow_quarantine where source_name = $1 and file = $2)",
        )
        .bind(&batch.source_name)
        .bind(text(file))
        .fetch_one(&mut *connection)
        .await?;
        if !waiting {
            continue;
        }
        let stopped: Vec<&Locator> = held.clone().filter(|held| held.file == *file).collect();
        let numbers = |of: &[&Locator]| -> Vec<i64> {
            of.iter().map(|locator| signed(locator.number)).collect()
        };
        let controls = |of: &[&Locator]| -> Vec<String> {
            of.iter().map(|locator| text(&control_number(locator))).collect()
        };
        let parts: Vec<Option<String>> =
            places.iter().map(|locator| locator.part.as_deref().map(text)).collect();
        let stopped_parts: Vec<String> =
            stopped.iter().map(|locator| text(&part(locator))).collect();
        query(RELEASE)
            .bind(&batch.source_name)
            .bind(text(file))
            .bind(numbers(&places))
            .bind(controls(&places))
            .bind(parts)
            .bind(numbers(&stopped))
            .bind(controls(&stopped))
            .bind(stopped_parts)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn quarantine(
    connection: &mut PgConnection,
    batch: &LoadBatch,
    quarantined: &[&Quarantined],
) -> Result<(), StoreError> {
    // One row for each place: the last reason counts.
    let mut rows: HashMap<_, &Quarantined> = HashMap::new();
    let mut order = Vec::new();
    for quarantined in quarantined {
        let locator = &quarantined.rejection.locator;
        let place = (&locator.file, locator.number, part(locator), control_number(locator));
        if rows.insert(place.clone(), quarantined).is_none() {
            order.push(place);
        }
    }
    let rows: Vec<&Quarantined> =
        order.iter().filter_map(|place| rows.get(place).copied()).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let texts = |of: &dyn Fn(&Rejection) -> String| -> Vec<String> {
        rows.iter().map(|row| text(&of(&row.rejection))).collect()
    };
    let rules: Vec<Option<String>> =
        rows.iter().map(|row| row.rejection.rule.as_deref().map(text)).collect();
    let numbers: Vec<i64> = rows.iter().map(|row| signed(row.rejection.locator.number)).collect();
    let zstd = rows.iter().map(|row| row.bytes.zstd()).collect::<Result<Vec<_>, _>>()?;
    let bytes: Vec<i64> = rows.iter().map(|row| signed(row.rejection.locator.byte)).collect();
    query(QUARANTINE)
        .bind(&batch.source_name)
        .bind(batch.run_id)
        .bind(texts(&|rejection| rejection.locator.file.to_string()))
        .bind(numbers)
        .bind(texts(&|rejection| rejection.stage.as_str().to_owned()))
        .bind(rules)
        .bind(texts(&|rejection| rejection.code.clone()))
        .bind(texts(&|rejection| rejection.message.clone()))
        .bind(texts(&|rejection| rejection.locator.to_string()))
        .bind(zstd.iter().map(AsRef::as_ref).collect::<Vec<&[u8]>>())
        .bind(texts(&|rejection| part(&rejection.locator)))
        .bind(bytes)
        .bind(batch.format)
        .bind(texts(&|rejection| control_number(&rejection.locator)))
        .execute(connection)
        .await?;
    Ok(())
}

/// A text without U+0000, which PostgreSQL's texts cannot hold.
fn text(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

/// False when the batch of this token is committed already, or the run is not ours any more.
async fn write_checkpoint(
    connection: &mut PgConnection,
    run_id: i64,
    (checkpoint, token, attempt): (&Checkpoint, Uuid, Option<i64>),
    (counts, kinds): (&Counts, &Kinds),
) -> Result<bool, StoreError> {
    let kinds = kinds_text(checkpoint.kinds.clone(), kinds)?;
    let written = query(CHECKPOINT)
        .bind(run_id)
        .bind(&checkpoint.split)
        .bind(i64::from(checkpoint.lane))
        .bind(token)
        .bind(&checkpoint.fingerprint)
        .bind(signed(checkpoint.records))
        .bind(checkpoint.done)
        .bind(text(&checkpoint.account))
        .bind(signed(counts.read))
        .bind(signed(counts.created))
        .bind(signed(counts.updated))
        .bind(signed(counts.unchanged))
        .bind(signed(counts.deleted))
        .bind(signed(counts.skipped))
        .bind(signed(counts.quarantined))
        .bind(attempt)
        .bind(kinds)
        .execute(connection)
        .await?;
    Ok(written.rows_affected() == 1)
}
