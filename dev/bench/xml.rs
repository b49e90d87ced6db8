//! MARCXML beside a bare event loop of quick-xml over the same bytes.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use quick_xml::Reader;
use quick_xml::events::Event;
use windrow::formats::{Cut, ReadOptions, SourceRecord, by_name};

use crate::bare::cpu_time;

/// Reads `file` (MARCXML, not compressed) in memory: events only, then cut and read into records;
/// says the megabytes per second of CPU time of each, the best of five.
pub fn compare(file: &Path) -> Result<()> {
    let bytes = std::fs::read(file)?;
    let mut best = [Duration::MAX; 3];
    let (mut events, mut records, mut odd) = (0, 0, 0);
    for _ in 0..5 {
        let begun = cpu_time();
        events = bare(&bytes)?;
        let bared = cpu_time();
        cut(&bytes, |_| Ok(()))?;
        let cut_alone = cpu_time();
        (records, odd) = read(&bytes)?;
        let times = [bared - begun, cut_alone - bared, cpu_time() - cut_alone];
        for (best, time) in best.iter_mut().zip(times) {
            *best = time.min(*best);
        }
    }
    let rate = |time: Duration| bytes.len() as f64 / 1e6 / time.as_secs_f64().max(1e-9);
    let [bare, cut, read] = best.map(rate);
    super::say(&format!("events  {bare:8.0} MB/s, {events} events"))?;
    super::say(&format!("cut     {cut:8.0} MB/s"))?;
    super::say(&format!("read    {read:8.0} MB/s, {records} records, {odd} of them odd"))?;
    super::say(&format!(
        "        reading has {:.0} % of the event loop's rate",
        100.0 * read / bare
    ))
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
