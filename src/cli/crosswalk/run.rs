//! `windrow crosswalk run FILE DUMP…`: map records and print what comes out.

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::Instant;

use super::{Dumps, load_one};
use crate::cli::{Failure, Outcome};
use crate::crosswalk::{Crosswalk, Runner};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The crosswalk
    file: PathBuf,
    #[command(flatten)]
    dumps: Dumps,
    /// Print no records but the time that each rule takes
    #[arg(long)]
    profile: bool,
}

pub fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let crosswalk = load_one(&arguments.file)?;
    let mut records = arguments.dumps.records()?;
    let mut runner = Runner::new(crosswalk.plan());
    if arguments.profile {
        runner.measure();
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut json = Vec::new();
    let (mut mapped, mut held) = (0_u64, 0_u64);
    let start = Instant::now();
    while let Some((source, locator)) = records.read()? {
        let result =
            source.map_err(|rejection| (rejection.to_string(), false)).and_then(|source| {
                runner.run(source, &mut json).map_err(|held| {
                    // What no rule is the reason for is held by none, and stops nothing.
                    let (rule, fatal) = match held.rule.as_str() {
                        "" => (String::new(), false),
                        rule => (format!(", rule {rule}"), held.fatal),
                    };
                    (format!("{locator}: {} [{}{rule}]", held.message, held.code), fatal)
                })
            });
        match result {
            Ok(()) => {
                mapped += 1;
                if !arguments.profile {
                    json.push(b'\n');
                    out.write_all(&json)?;
                }
            }
            Err((message, true)) => {
                out.flush()?;
                return Err(anyhow::anyhow!("{message}").into());
            }
            Err((message, false)) => {
                held += 1;
                writeln!(std::io::stderr(), "{message}")?;
            }
        }
    }
    if arguments.profile {
        let seconds = start.elapsed().as_secs_f64();
        profile(&mut out, &crosswalk, &runner, mapped + held, seconds)?;
    }
    out.flush()?;
    let all = mapped + held;
    writeln!(std::io::stderr(), "{all} records = {mapped} mapped + {held} held")?;
    Ok(if held == 0 { Outcome::Clean } else { Outcome::Quarantined })
}

/// Time per rule, the most expensive first.
fn profile(
    out: &mut impl Write,
    crosswalk: &Crosswalk,
    runner: &Runner<'_>,
    records: u64,
    seconds: f64,
) -> std::io::Result<()> {
    let plan = crosswalk.plan();
    let mut rows: Vec<_> = plan.rules.iter().zip(runner.times()).collect();
    rows.sort_by_key(|(_, time)| std::cmp::Reverse(**time));
    let all: f64 = rows.iter().map(|(_, time)| time.as_secs_f64()).sum();
    writeln!(out, "{:>9} {:>6} {:>9}  rule", "ns/record", "part", "uses")?;
    for (rule, time) in rows {
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let per_record = time.as_secs_f64() * 1e9 / records.max(1) as f64;
        let part = time.as_secs_f64() * 100.0 / all.max(f64::MIN_POSITIVE);
        let uses = runner.uses().get(rule.number).copied().unwrap_or(0);
        let place = plan.labels.get(rule.number).map_or("", |label| label.place.as_str());
        writeln!(out, "{per_record:>9.0} {part:>5.1}% {uses:>9}  {} ({place})", rule.label)?;
    }
    writeln!(out, "all rules {all:.3} s of {seconds:.3} s, reading, measuring and writing included")
}
