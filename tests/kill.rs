//! Runs that are killed at any moment and gone on with end as an undisturbed run does.

#![cfg(unix)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::quickstart::generator::write;
use crate::support::{
    Ended, Folder, assert_same_rows, brief_record, count, dump, end, kill_when, read, rows, value,
    windrow,
};

const ROUNDS: u64 = 24;

/// What may differ from an undisturbed run, since it describes the attempt and not the records.
pub const OF_THE_ATTEMPT: &[&str] = &[
    // How often the run was started.
    "windrow_run.attempt",
    // Compared apart, without the two below.
    "windrow_run.report",
    // Random, once per store.
    "windrow_setting",
];

/// The same, inside a report.
const OF_THE_ATTEMPT_IN_REPORTS: &[&str] = &["attempt", "seconds"];

/// What a second run may write: that it was there, and that it met the same rejections.
const OF_A_SECOND_RUN: &[&str] = &["windrow_run", "windrow_split", "windrow_quarantine.run_id"];

/// 4,700 records as ISO 2709 and 500 as MARCXML: among them damaged ones, some that come twice
/// and some that change, within a batch, within a file and across the files.
pub fn write_dumps(folder: &Folder) {
    let mut books = Vec::new();
    for n in 0..4700 {
        let mut bytes = write::iso2709(&match n % 50 {
            // The same record again: one of this batch, one of long ago.
            17 => brief_record(1, n - 3),
            27 if n > 1000 => brief_record(1, n - 1000),
            // The same identifier, other content.
            37 => brief_record(2, n - 5),
            47 if n > 1000 => brief_record(3, n - 1001),
            _ => brief_record(1, n),
        })
        .unwrap();
        match n % 97 {
            // Letters in the directory.
            60 => bytes[24 + 12 + 3..24 + 12 + 7].copy_from_slice(b"oops"),
            // The second half is gone, the length leads into the next record.
            90 => drop(bytes.drain(bytes.len() / 2..bytes.len() - 1)),
            _ => {}
        }
        books.extend(bytes);
    }
    folder.write("books.mrc", books);
    let mut theses = write::XML_HEAD.to_owned();
    for n in 0..500 {
        // Every other one has the identifier of a book.
        theses += &write::marcxml(&brief_record(4, if n % 2 == 0 { n } else { 10_000 + n }));
    }
    folder.write("theses.xml", theses + write::XML_TAIL);
    folder.brief_pipeline("[books.mrc, theses.xml]");
}

/// A number that follows from the seed and a count, evenly spread in 0..1.
pub fn random(seed: u64, number: u64) -> f64 {
    let mut z = seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) % 1_000_000) as f64 / 1e6
}

pub fn seed() -> u64 {
    let given = std::env::var("WINDROW_TEST_SEED").ok().map(|seed| seed.parse().unwrap());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64;
    let seed = given.unwrap_or_else(now);
    eprintln!("WINDROW_TEST_SEED={seed}");
    seed
}

/// The dumps, and a store for each round.
struct Rounds {
    dumps: Folder,
    pace: Duration,
    seed: u64,
    killed: AtomicU64,
}

impl Rounds {
    /// Starts a run and ends it after `share` of the time that a run takes; `None` when it was
    /// killed.
    fn attempt(&self, store: &Folder, share: Option<f64>) -> Option<Ended> {
        let pipeline = self.dumps.path("pipeline.yaml");
        let mut command = windrow();
        command.arg("run").arg(pipeline).arg("--json").arg("--store");
        command.arg(format!("sqlite:{}", store.store().display()));
        let Some(share) = share else { return Some(end(&mut command)) };
        let ended = kill_when(&mut command, || true, self.pace.mul_f64(share));
        self.killed.fetch_add(u64::from(ended.is_none()), Ordering::Relaxed);
        ended
    }

    /// Kills a run once at the round's moment and up to twice more, and lets it end.
    fn round(&self, round: u64) -> (Folder, Value) {
        let random = |number: u64| random(self.seed, round * 100 + number);
        let mut share = (round as f64 + random(0)) / ROUNDS as f64;
        let store = loop {
            let store = Folder::new();
            // Killed behind its end the run is done, and there is nothing to go on with.
            if self.attempt(&store, Some(share)).is_none() && report_of_done(&store).is_none() {
                break store;
            }
            share *= 0.9;
        };
        let at = progress(&store);
        for again in 1..=(random(1) * 3.0) as u64 {
            if let Some(ended) = self.attempt(&store, Some(random(1 + again) * (1.0 - share))) {
                return (store, ended.report(1));
            }
            if let Some(report) = report_of_done(&store) {
                return (store, report);
            }
        }
        let ended = self.attempt(&store, None).unwrap();
        let report = ended.report(1);
        eprintln!("round {round}: killed first behind record {at}, attempt {}", report["attempt"]);
        (store, report)
    }
}

/// The report of the store's run, once that is done.
fn report_of_done(store: &Folder) -> Option<Value> {
    let sql = "select report from windrow_run where state = 'done'";
    let report: String = read(&store.store()).ok()?.query_row(sql, [], |row| row.get(0)).ok()?;
    Some(serde_json::from_str(&report).unwrap())
}

/// Records behind the checkpoints of a store that may not be there yet.
fn progress(store: &Folder) -> i64 {
    let connection = read(&store.store());
    let sum = connection.and_then(|connection| {
        let sql = "select coalesce(sum(records), 0) from windrow_split";
        connection.query_row(sql, [], |row| row.get(0))
    });
    sum.unwrap_or(-1)
}

pub fn without_attempt(report: &Value) -> Value {
    let mut report = report.clone();
    for key in OF_THE_ATTEMPT_IN_REPORTS {
        assert!(report.as_object_mut().unwrap().remove(*key).is_some(), "{key}");
    }
    report
}

#[test]
fn a_run_that_is_killed_and_gone_on_with_ends_as_an_undisturbed_one() {
    let dumps = Folder::new();
    write_dumps(&dumps);
    let mut rounds =
        Rounds { dumps, pace: Duration::ZERO, seed: seed(), killed: AtomicU64::new(0) };
    let undisturbed = Folder::new();
    let begun = Instant::now();
    let report = rounds.attempt(&undisturbed, None).unwrap().report(1);
    rounds.pace = begun.elapsed();
    assert_eq!(count(&report, "read"), 5200);
    for fate in ["created", "updated", "unchanged", "quarantined"] {
        assert!(count(&report, fate) > 40, "{fate}: {}", report["counts"]);
    }
    let expected = rows(&undisturbed.store(), OF_THE_ATTEMPT);
    let stored = |store: &Folder| -> Value {
        let text: String = value(&store.store(), "select report from windrow_run");
        without_attempt(&serde_json::from_str(&text).unwrap())
    };
    assert_eq!(stored(&undisturbed), without_attempt(&report));

    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let round = next.fetch_add(1, Ordering::Relaxed);
                    if round >= ROUNDS {
                        break;
                    }
                    let (store, found) = rounds.round(round);
                    let what = format!("round {round} of seed {}", rounds.seed);
                    assert_eq!(without_attempt(&found), without_attempt(&report), "{what}");
                    assert_eq!(stored(&store), without_attempt(&report), "{what}");
                    assert_same_rows(&rows(&store.store(), OF_THE_ATTEMPT), &expected, &what);
                }
            });
        }
    });
    let killed = rounds.killed.load(Ordering::Relaxed);
    eprintln!("{killed} kills in {ROUNDS} rounds, {:?} in all", begun.elapsed());
    assert!(killed >= ROUNDS);
}

#[test]
fn a_second_run_of_the_same_dump_writes_nothing() {
    let folder = Folder::new();
    let mut books = dump(1, 0..1000);
    books.extend(dump(1, 300..350));
    books.extend_from_slice(b"00026no record at all\x1E\x1D");
    folder.write("books.mrc", books);
    folder.brief_pipeline("[books.mrc]");
    let first = folder.run(&[]).report(1);
    assert_eq!((count(&first, "created"), count(&first, "unchanged")), (1000, 50));
    let before = rows(&folder.store(), OF_A_SECOND_RUN);
    let transactions = "select count(*) from \"transaction\"";
    let transactions_before: i64 = value(&folder.store(), transactions);

    // A day later, so that a touched `updated` would show.
    let mut command = folder.windrow(&["run", "pipeline.yaml", "--json"]);
    let second = end(command.env("SOURCE_DATE_EPOCH", "1700086400")).report(1);
    assert_eq!(count(&second, "unchanged"), 1050);
    assert_eq!(count(&second, "quarantined"), count(&first, "quarantined"));
    assert_eq!(count(&second, "read"), count(&first, "read"));
    assert_same_rows(&rows(&folder.store(), OF_A_SECOND_RUN), &before, "second run");
    assert_eq!(value::<i64>(&folder.store(), transactions), transactions_before);
}
