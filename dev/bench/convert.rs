//! Converting beside `yaz-marcdump` (Debian: `yaz`), the same file in the same run.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use windrow::formats::{ReadOptions, WriteOptions, by_name};
use windrow::pipeline::{self, Conversion, Inputs, Output, Progress};

use super::{Stopwatch, say};

/// Our format, and what yaz calls it.
const TARGETS: [(&str, &str); 2] = [("marcxml", "marcxml"), ("marc_json", "json")];

/// ISO 2709 to MARCXML and to MARC-in-JSON: yaz, then windrow with one worker, then with one a
/// core. Nobody's output is kept.
///
/// # Errors
/// When a record is rejected or a process fails.
pub fn convert(file: &Path) -> Result<()> {
    for (format, of_yaz) in TARGETS {
        say(&format!("{format}:"))?;
        let one = windrow(file, format, 1)?;
        windrow(file, format, 0)?;
        match yaz(file, of_yaz, one.records)? {
            None => say("ignored: no yaz-marcdump (Debian: apt-get install yaz)")?,
            Some(rate) => {
                let ratio = one.rate / rate;
                say(&format!("        {ratio:.1} times yaz's records/s of CPU with one worker"))?;
            }
        }
    }
    Ok(())
}

struct Measured {
    records: u64,
    /// Records per second of CPU time, that of reader and writer included.
    rate: f64,
}

fn windrow(file: &Path, format: &str, threads: usize) -> Result<Measured> {
    let conversion = Conversion {
        to: by_name(format).with_context(|| format!("no format {format}"))?,
        reading: ReadOptions::default(),
        writing: WriteOptions::default(),
        crosswalk: None,
        schema: None,
        limit: None,
        threads,
    };
    let inputs = Inputs::new(vec![(Some(file.to_owned()), "bench".to_owned())], None);
    let mut output = Output::stream(Box::new(std::fs::File::create("/dev/null")?));
    let clock = Stopwatch::start();
    let (converted, result) =
        pipeline::convert(&conversion, inputs, &mut output, None, &Progress::default());
    result?;
    output.commit()?;
    if converted.rejected > 0 {
        bail!("{:?}", converted.findings.rejections);
    }
    let name = if threads == 1 { "one" } else { "all" };
    let rate = clock.stop(name, converted.read)?;
    Ok(Measured { records: converted.read, rate })
}

// yaz says nothing of how many records it read: those that we did.
fn yaz(file: &Path, format: &str, records: u64) -> Result<Option<f64>> {
    let mut command = Command::new("yaz-marcdump");
    command.args(["-i", "marc", "-o", format]).arg(file).stdout(Stdio::null());
    let clock = Stopwatch::start();
    match command.status() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
        Ok(status) if !status.success() => bail!("yaz-marcdump ended with {status}"),
        Ok(_) => clock.stop("yaz", records).map(Some),
    }
}
