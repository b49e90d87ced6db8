//! MARCXML beside a bare event loop of quick-xml over the same bytes.

use std::path::Path;

use anyhow::{Context, Result, bail};
use quick_xml::Reader;
use quick_xml::events::Event;
use windrow::formats::{Cut, ReadOptions, SourceRecord, by_name};

use crate::bare::cpu_time;

/// So many bytes are read for each figure.
const MEASURED: usize = 200_000_000;

/// Reads `file` (MARCXML, not compressed) in memory: events only, then cut and read into records;
/// says the megabytes per second of CPU time of each.
pub fn compare(file: &Path) -> Result<()> {
    let bytes = std::fs::read(file)?;
    // The clock of CPU time ticks a hundred times a second.
    let rounds = (MEASURED / bytes.len().max(1)).max(1);
    let (mut events, mut records, mut odd) = (0, 0, 0);
    let bare = rate(&bytes, rounds, || {
        events = bare(&bytes)?;
        Ok(())
    })?;
    let cut = rate(&bytes, rounds, || cut(&bytes, |_| Ok(())))?;
    let read = rate(&bytes, rounds, || {
        (records, odd) = read(&bytes)?;
        Ok(())
    })?;
    super::say(&format!("events  {bare:8.0} MB/s, {events} events"))?;
    super::say(&format!("cut     {cut:8.0} MB/s"))?;
    super::say(&format!("read    {read:8.0} MB/s, {records} records, {odd} of them odd"))?;
    super::say(&format!(
        "        reading has {:.0} % of the event loop's rate",
        100.0 * read / bare
    ))
}

/// Megabytes per second of CPU time.
fn rate(bytes: &[u8], rounds: usize, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let begun = cpu_time();
    for _ in 0..rounds {
        work()?;
    }
    let seconds = (cpu_time() - begun).as_secs_f64().max(0.005);
    Ok(bytes.len() as f64 * rounds as f64 / 1e6 / seconds)
}

fn bare(bytes: &[u8]) -> Result<u64> {
    let mut reader = Reader::from_str(std::str::from_utf8(bytes)?);
    let mut events = 0;
    while !matches!(reader.read_event()?, Event::Eof) {
        events += 1;
    }
    Ok(events)
}

fn read(bytes: &[u8]) -> Result<(u64, u64)> {
    let format = by_name("marcxml").context("no marcxml")?;
    let (mut record, mut warnings) = (SourceRecord::default(), Vec::new());
    let (mut records, mut odd) = (0, 0);
    cut(bytes, |bytes| {
        records += 1;
        let result = format.read(bytes, &ReadOptions::default(), &mut record, &mut warnings);
        odd += u64::from(result.is_err() || !warnings.is_empty());
        warnings.clear();
        Ok(())
    })?;
    Ok((records, odd))
}

fn cut(bytes: &[u8], mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let format = by_name("marcxml").context("no marcxml")?;
    let mut framing = (format.reading.as_ref().context("not read")?.framing)();
    let mut from = 0;
    loop {
        let rest = bytes.get(from..).unwrap_or_default();
        match framing.cut(rest, true) {
            Cut::Record { start, end, next, .. } => {
                take(rest.get(start..end).unwrap_or_default())?;
                from += next;
            }
            Cut::End => return Ok(()),
            Cut::More { .. } => bail!("more was asked for at the end"),
        }
    }
}
