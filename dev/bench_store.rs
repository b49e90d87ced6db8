//! How fast the store loads: 100,000 records by `Store::load`, then the same rows by a bare loop.
//!
//! `cargo run --release --example bench_store [RECORDS] [FOLDER]`

#[path = "bench/bare.rs"]
mod bare;

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use jiff::Timestamp;
use uuid::Uuid;
use windrow::record::{Locator, content_hash};
use windrow::store::{
    Checkpoint, LoadBatch, LoadRecord, Membership, NewRecord, SourceCopy, Store, open,
};

const BATCH: u64 = 1000;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let records = arguments.next().map_or(Ok(100_000), |records| records.parse())?;
    let folder = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("windrow-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let (loaded, bared) = (folder.join("loaded.db"), folder.join("bare.db"));
    let store = open(&format!("sqlite:{}", loaded.display())).await?;
    let first = load_all(&*store, records).await?;
    let rate = |seconds: f64| records as f64 / seconds;
    println!("load    {:.2} s, {:.2} s CPU, {:.0} records/s", first.0, first.1, rate(first.0));
    let again = load_all(&*store, records).await?;
    println!("again   {:.2} s, {:.2} s CPU, {:.0} records/s", again.0, again.1, rate(again.0));
    drop(store);
    let bare = bare::bare_load(&loaded, &bared)?;
    let (wall, cpu) = (bare.wall.as_secs_f64(), bare.cpu.as_secs_f64());
    println!(
        "bare    {wall:.2} s, {cpu:.2} s CPU, {:.0} records/s, {} rows",
        rate(wall),
        bare.rows
    );
    println!("        {} of {records} records", bare.records);
    println!("ratio   {:.0} % of the bare rate", 100.0 * wall / first.0);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

// Seconds in `Store::load` (the making of records left out), wall and processor.
async fn load_all(store: &dyn Store, records: u64) -> Result<(f64, f64), Box<dyn Error>> {
    let now = Timestamp::from_second(1_800_000_000)?;
    let run = store.begin_run("bench", "1", true, now).await?;
    let (mut wall, mut cpu) = (0.0, 0.0);
    for first in (0..records).step_by(usize::try_from(BATCH)?) {
        let batch = LoadBatch {
            run_id: run.id,
            source_name: "bench".to_owned(),
            now,
            keep_source: true,
            records: (first..records.min(first + BATCH)).map(record).collect::<Result<_, _>>()?,
            quarantined: Vec::new(),
            checkpoint: Checkpoint {
                split: "bench".to_owned(),
                fingerprint: String::new(),
                records: first,
                done: false,
                skipped: 0,
                account: "{}".to_owned(),
            },
        };
        let (started, used) = (Instant::now(), bare::cpu_time());
        store.load(batch).await?;
        wall += started.elapsed().as_secs_f64();
        cpu += (bare::cpu_time() - used).as_secs_f64();
    }
    Ok((wall, cpu))
}

// 1.3 kB of JSON, 1 kB of source bytes that look compressed.
fn record(number: u64) -> Result<LoadRecord, Box<dyn Error>> {
    let source_id = format!("ocm{number:08}");
    let abstract_of =
        "the wheat is cut and gathered in long rows before it is taken in; ".repeat(17);
    let json = format!(
        r#"{{"control_number":"{number}","metadata":{{"description":"{abstract_of}","title":"Record {number} of the benchmark","publisher":"Windrow Press","subjects":["harvest","grain","rows"]}}}}"#
    );
    let mut noise = number;
    let mut random = || {
        noise =
            noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        noise.to_be_bytes()
    };
    let zstd = (0..125).flat_map(|_| random()).collect();
    let hash = content_hash(json.as_bytes());
    let locator = Locator {
        file: "bench.mrc".into(),
        number: number + 1,
        byte: number * 1500,
        control_number: Some(source_id.clone()),
    };
    let spec = if number.is_multiple_of(2) { "books:printed" } else { "theses" };
    Ok(LoadRecord {
        record: NewRecord {
            id: Uuid::new_v5(&Uuid::NAMESPACE_OID, source_id.as_bytes()),
            pid_value: (number + 1).to_string(),
            json: Some(json.into_bytes()),
            memberships: vec![Membership { spec: spec.parse()?, name: spec.to_owned() }],
        },
        source: SourceCopy { format: "marc21", locator: locator.to_string(), hash, zstd },
        source_id,
        hash,
        locator,
        stamps: None,
    })
}
