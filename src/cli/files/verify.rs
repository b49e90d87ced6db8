//! `windrow files verify`: bytes are read again and compared with their checksums.
//!
//! Those that were never checked come first, then those checked longest ago; each result is noted,
//! so that a run that ends early is gone on with by the next one.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::super::batch::print;
use super::super::{Failure, Outcome, talk};
use super::Desk;
use crate::files::{self, Access, Expected, FilesError, sum_of};
use crate::record::from_hex;
use crate::store::{DueQuery, StoredInstance};

/// So many results are noted at once.
const PAGE: usize = 100;
/// So many are looked up at once: finding out whose turn it is costs a look at all.
const DUE: u32 = 10_000;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only so many, or such a share of all: those checked longest ago
    #[arg(long, value_name = "N|N%", value_parser = sample)]
    sample: Option<Sample>,
    /// Read no faster: 50MB/s
    #[arg(long, value_name = "RATE", value_parser = rate)]
    rate: Option<u64>,
    /// Read so many at once
    #[arg(long, value_name = "N", default_value_t = 4)]
    parallel: usize,
    /// Print a report as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy)]
enum Sample {
    Number(u64),
    Percent(f64),
}

fn sample(text: &str) -> Result<Sample, String> {
    let wrong = || format!("{text:?} is neither a number nor a share such as 5%");
    match text.strip_suffix('%') {
        None => text.parse().map(Sample::Number).map_err(|_| wrong()),
        Some(share) => match share.trim().parse() {
            Ok(share) if (0.0..=100.0).contains(&share) => Ok(Sample::Percent(share)),
            _ => Err(wrong()),
        },
    }
}

/// Bytes in a second.
fn rate(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no rate such as 50MB/s");
    let text = text.strip_suffix("/s").unwrap_or(text);
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(at).ok_or_else(wrong)?;
    let unit = match unit.trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(unit).filter(|rate| *rate > 0).ok_or_else(wrong)
}

/// What the bytes of an instance should be.
pub(super) fn expected_of(instance: &StoredInstance) -> Expected {
    let md5 = instance.checksum.as_deref().and_then(|checksum| checksum.strip_prefix("md5:"));
    Expected {
        size: Some(instance.size),
        md5: md5.and_then(from_hex),
        sha256: instance.sha256,
        most: 0,
    }
}

pub(super) async fn run(desk: &Desk, arguments: &Arguments) -> Result<Outcome, Failure> {
    let begun = Instant::now();
    let (files, _) = desk.store.count_instances().await?;
    let mut left = match arguments.sample {
        None => files,
        Some(Sample::Number(number)) => number.min(files),
        Some(Sample::Percent(share)) => share_of(files, share),
    };
    let pace = arguments.rate.map(|rate| Arc::new(Pace::new(rate)));
    // What this run has noted is the youngest: as many as there are, and none comes twice.
    let before = desk.now + SignedDuration::from_secs(1);
    let mut due = DueQuery { before, after: None, limit: DUE };
    let (mut checked, mut bytes, mut failures) = (0, 0, Vec::new());
    while left > 0 {
        due.limit = u32::try_from(left).unwrap_or(DUE).min(DUE);
        let mut found = desk.store.due_instances(&due).await?;
        let Some(last) = found.last() else { break };
        due.after = Some((last.last_check_at, last.id));
        left = left.saturating_sub(found.len() as u64);
        while !found.is_empty() {
            let page = found.drain(..PAGE.min(found.len())).collect();
            let page = check(page, &desk.access, pace.as_ref(), arguments.parallel).await?;
            let mut checks = Vec::with_capacity(page.len());
            let mut wrong = Vec::new();
            for (instance, outcome) in page {
                checked += 1;
                bytes += instance.size;
                checks.push((instance.id, noted(&outcome)));
                wrong.extend(outcome.err().map(|error| (instance, error)));
            }
            failures.append(&mut tell(desk, wrong, arguments.json).await?);
            desk.store.note_checks(&checks, desk.now).await?;
        }
    }
    let (failed, seconds) = (failures.len(), begun.elapsed().as_secs_f64());
    if arguments.json {
        print(&json!({
            "checked": checked, "failed": failed, "bytes": bytes, "files": files,
            "seconds": seconds, "failures": failures,
        }))?;
    } else {
        talk(format_args!(
            "{checked} of {files} files ({bytes} bytes) in {seconds:.1} s, {failed} of them wrong"
        ));
    }
    Ok(if failed == 0 { Outcome::Clean } else { Outcome::Quarantined })
}

/// Says whose the files are that are wrong; as JSON for the report, else as lines at once.
async fn tell(
    desk: &Desk,
    wrong: Vec<(StoredInstance, FilesError)>,
    json: bool,
) -> Result<Vec<Value>, Failure> {
    if wrong.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = wrong.iter().map(|(instance, _)| instance.id).collect();
    let mut users: HashMap<Uuid, Vec<String>> = HashMap::new();
    for (id, recid, key) in desk.store.users_of(&ids).await? {
        users.entry(id).or_default().push(format!("recid:{recid} {key}"));
    }
    let mut told = Vec::with_capacity(wrong.len());
    for (instance, error) in wrong {
        let users = users.remove(&instance.id).unwrap_or_default();
        if !json {
            let mut out = io::stdout().lock();
            writeln!(out, "{}\t{}\t{error}", users.join(", "), instance.uri)?;
        }
        told.push(json!({
            "file_id": instance.id.to_string(), "uri": instance.uri, "files": users,
            "code": error.code(), "message": error.to_string(),
        }));
    }
    Ok(told)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a count, rounded up"
)]
fn share_of(files: u64, share: f64) -> u64 {
    (files as f64 * share / 100.0).ceil() as u64
}

/// What Invenio notes: agreed, differs, or could not be read.
fn noted(outcome: &Result<(), FilesError>) -> Option<bool> {
    match outcome {
        Ok(()) => Some(true),
        Err(FilesError::Size { .. } | FilesError::Checksum { .. }) => Some(false),
        Err(_) => None,
    }
}

type Checked = (StoredInstance, Result<(), FilesError>);

async fn check(
    page: Vec<StoredInstance>,
    access: &Access,
    pace: Option<&Arc<Pace>>,
    parallel: usize,
) -> Result<Vec<Checked>, Failure> {
    let mut checked = Vec::with_capacity(page.len());
    let mut jobs = JoinSet::new();
    for instance in page {
        while jobs.len() >= parallel.max(1) {
            checked.extend(jobs.join_next().await.transpose()?);
        }
        let (access, pace) = (access.clone(), pace.cloned());
        jobs.spawn_blocking(move || {
            let outcome = files::open(&instance.uri, &access).and_then(|bytes| {
                let mut bytes = Paced { bytes, pace };
                let expected = expected_of(&instance);
                sum_of(&mut bytes, (&instance.uri, &expected)).map(drop)
            });
            (instance, outcome)
        });
    }
    while let Some(done) = jobs.join_next().await {
        checked.push(done?);
    }
    Ok(checked)
}

/// When the next bytes may be read, by all readers together.
struct Pace {
    rate: u64,
    next: Mutex<Instant>,
}

impl Pace {
    fn new(rate: u64) -> Pace {
        Pace { rate, next: Mutex::new(Instant::now()) }
    }

    fn wait(&self, bytes: usize) {
        let nanos = (bytes as u128 * 1_000_000_000) / u128::from(self.rate.max(1));
        let took = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let wait = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let begin = (*next).max(now);
            *next = begin + took;
            begin.duration_since(now)
        };
        std::thread::sleep(wait);
    }
}

struct Paced {
    bytes: files::Bytes,
    pace: Option<Arc<Pace>>,
}

impl Read for Paced {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.bytes.read(buffer)?;
        if let Some(pace) = &self.pace {
            pace.wait(length);
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_samples_are_read() {
        assert_eq!(rate("50MB/s"), Ok(50_000_000));
        assert_eq!(rate("1kB"), Ok(1000));
        for wrong in ["", "0", "MB/s", "5 miles", "-1"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
        assert!(matches!(sample("7"), Ok(Sample::Number(7))));
        assert!(matches!(sample("7.5%"), Ok(Sample::Percent(share)) if share == 7.5));
        assert!(sample("101%").is_err() && sample("x").is_err());
        assert_eq!(share_of(5, 40.0), 2);
        assert_eq!(share_of(5, 41.0), 3);
    }
}
