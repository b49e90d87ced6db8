//! What windrow does in a second: reading, mapping with validation, the whole load, converting.
//!
//! `cargo run --release --example bench` runs all parts, each in a process of its own, on 100,000
//! generated records; `bench read|map|load|convert FILE` runs one part (`dev/bench/README.md`).

#[path = "bench/bare.rs"]
mod bare;
#[path = "bench/convert.rs"]
mod convert;
#[path = "generator/mod.rs"]
mod generator;
#[path = "bench/xml.rs"]
mod xml;

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use windrow::crosswalk::{Crosswalk, Runner};
use windrow::formats::{ReadOptions, SourceRecord, WriteOptions, by_name};
use windrow::pipeline::{self, Definition, Options, Progress};
use windrow::record::Clock;
use windrow::source::{BatchLimit, DumpReader};
use windrow::validate::SchemaValidator;

use bare::{Bare, Indexes};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What is generated, and the parts that run on it.
const KINDS: [(&str, &[&str]); 3] =
    [("marc", &["read", "map", "load", "convert"]), ("oai_dc", &["map"]), ("datacite", &["map"])];
/// The crosswalk of each format that is mapped.
const CROSSWALKS: [(&str, &str); 3] = [
    ("iso2709", "marc21-to-record"),
    ("oai_dc", "oai_dc-to-record"),
    ("datacite_xml", "datacite-xml-to-record"),
];

const LIMIT: BatchLimit = BatchLimit { records: 1000, bytes: 4 << 20 };

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => all(100_000),
        ["all", count] => all(count.parse()?),
        ["generate", count, file] => generate(count.parse()?, Path::new(file), "marc"),
        ["generate", count, file, kind] => generate(count.parse()?, Path::new(file), kind),
        ["read", file] => read(Path::new(file)),
        ["marcxml", file] => marcxml(Path::new(file)),
        ["map", file] => map(Path::new(file)),
        ["load", file] => load(Path::new(file)),
        ["xml", file] => xml::compare(Path::new(file)),
        ["convert", file] => convert::convert(Path::new(file)),
        _ => bail!(
            "usage: bench [all COUNT | generate COUNT FILE [KIND] | read FILE | marcxml FILE | map FILE \
             | load FILE | xml FILE | convert FILE]"
        ),
    }
}

fn all(count: u64) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("windrow-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    for (kind, parts) in KINDS {
        let file = folder.join(format!("{kind}.records"));
        generate(count, &file, kind)?;
        let size = std::fs::metadata(&file)?.len();
        say(&format!("{kind}: {count} records, {} bytes each on average", size / count.max(1)))?;
        for part in parts {
            let status = Command::new(std::env::current_exe()?).arg(part).arg(&file).status()?;
            if !status.success() {
                bail!("bench {part} failed");
            }
        }
        std::fs::remove_file(&file)?;
    }
    std::fs::remove_dir_all(&folder).context("cannot remove the benchmark's folder")
}

fn generate(count: u64, path: &Path, kind: &str) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, std::fs::File::create(path)?);
    let one = match kind {
        "marc" => {
            for n in 0..count {
                let marc = generator::record(1, n);
                let bytes = generator::write::iso2709(&marc).context("a record of 99,999 bytes")?;
                out.write_all(&bytes)?;
            }
            return Ok(out.flush()?);
        }
        "marcxml" => {
            out.write_all(generator::write::XML_HEAD.as_bytes())?;
            for n in 0..count {
                out.write_all(generator::write::marcxml(&generator::record(1, n)).as_bytes())?;
            }
            out.write_all(generator::write::XML_TAIL.as_bytes())?;
            return Ok(out.flush()?);
        }
        "oai_dc" => generator::xml::oai_dc,
        "datacite" => generator::xml::datacite,
        _ => bail!("no kind {kind}, expected one of marc, marcxml, oai_dc, datacite"),
    };
    out.write_all(generator::xml::HEAD.as_bytes())?;
    for n in 0..count {
        out.write_all(one(1, n).as_bytes())?;
    }
    out.write_all(generator::xml::TAIL.as_bytes())?;
    Ok(out.flush()?)
}

/// Reading alone: cut and decoded.
fn read(file: &Path) -> Result<()> {
    let clock = Stopwatch::start();
    let (mut records, mut values) = (0_u64, 0_usize);
    each(file, |source| {
        records += 1;
        if let SourceRecord::Marc(marc) = source {
            values += marc.value_count();
        }
        Ok(())
    })?;
    clock.stop("read", records)?;
    say(&format!("        {values} values"))
}

/// Read and written to stdout as MARCXML, warnings and all: what `yaz-marcdump -o marcxml` does.
fn marcxml(file: &Path) -> Result<()> {
    let mut dump = DumpReader::open(file, "bench", None)?;
    let format = dump.format();
    let writing = by_name("marcxml").and_then(|format| format.writing.as_ref());
    let writing = writing.context("MARCXML is not written")?;
    let options = WriteOptions::default();
    let (mut source, mut warnings) = (SourceRecord::default(), Vec::new());
    let mut stdout = std::io::stdout().lock();
    let mut out = (writing.open)(&options).into_bytes();
    while let Some(batch) = dump.read_batch(LIMIT)? {
        for raw in &batch.records {
            format.read(batch.bytes(raw), &ReadOptions::default(), &mut source, &mut warnings)?;
            (writing.encode)(&source, &options, &mut out, &mut warnings)?;
        }
        stdout.write_all(&out)?;
        out.clear();
        warnings.clear();
    }
    stdout.write_all(writing.close.as_bytes())?;
    Ok(())
}

/// Read, mapped by the crosswalk of its format and validated, to JSON bytes; one thread.
fn map(file: &Path) -> Result<()> {
    let format = DumpReader::open(file, "bench", None)?.format().name;
    let (_, name) = CROSSWALKS
        .into_iter()
        .find(|(name, _)| *name == format)
        .with_context(|| format!("no crosswalk for {format}"))?;
    let crosswalk = Crosswalk::load(&repository().join(format!("crosswalks/{name}.yaml")))?;
    let schema = SchemaValidator::load(crosswalk.schema().context("no schema")?)?;
    let mut runner = Runner::new(crosswalk.plan());
    let mut json = Vec::new();
    let (mut records, mut bytes, mut proven) = (0_u64, 0_usize, 0_u64);
    let clock = Stopwatch::start();
    each(file, |source| {
        if let Err(held) = runner.run(source, &mut json) {
            bail!("held by {}: {}", held.rule, held.message);
        }
        // As a pipeline does: what is valid by the way it was made is not checked again.
        if runner.is_surely_valid() {
            proven += 1;
        } else if let Err(violations) = schema.check(&json) {
            bail!("invalid: {violations:?}");
        }
        records += 1;
        bytes += json.len();
        Ok(())
    })?;
    clock.stop("map", records)?;
    let average = bytes as u64 / records.max(1);
    say(&format!(
        "        {average} bytes of JSON each on average, {proven} valid as they were made"
    ))
}

/// The whole pipeline into SQLite, again with nothing changed, and the same rows by a bare loop.
fn load(file: &Path) -> Result<()> {
    let folder = file.parent().context("the file stands in no folder")?;
    let pipeline = folder.join("bench.yaml");
    let crosswalk = repository().join("crosswalks/marc21-to-record.yaml");
    let text = format!(
        "pipeline: bench\nsource: {{ paths: {:?} }}\ncrosswalk: {:?}\n",
        file.file_name().unwrap_or_default(),
        crosswalk
    );
    std::fs::write(&pipeline, text)?;
    let (loaded, bared) = (folder.join("loaded.db"), folder.join("bare.db"));
    let mut seconds = Vec::new();
    for name in ["load", "again"] {
        let definition = Arc::new(Definition::load(&pipeline)?);
        let clock = Stopwatch::start();
        let runtime = tokio::runtime::Runtime::new()?;
        let report = runtime.block_on(async {
            let store = windrow::store::open(&format!("sqlite:{}", loaded.display())).await?;
            let options = Options { fresh: true, ..Options::new(Some(store), Clock::System) };
            Ok::<_, anyhow::Error>(
                pipeline::run(definition, options, Arc::new(Progress::default())).await?,
            )
        })?;
        clock.stop(name, report.counts.read)?;
        seconds.push(report.seconds);
    }
    let bare = bare::bare_load(&loaded, &bared, Indexes::Before)?;
    tell("bare", &bare)?;
    let after = bare::bare_load(&loaded, &folder.join("after.db"), Indexes::After)?;
    tell("after", &after)?;
    let first = seconds.first().copied().unwrap_or(f64::INFINITY);
    let ratio = 100.0 * bare.wall.as_secs_f64() / first;
    say(&format!("        the load has {ratio:.0} % of the bare loop's rate"))?;
    let faster = first / seconds.get(1).copied().unwrap_or(f64::INFINITY);
    say(&format!("        the same again is {faster:.2} times as fast"))?;
    let saved = 100.0 * (bare.wall.as_secs_f64() - after.wall.as_secs_f64()) / first;
    say(&format!("        indexes made afterwards would save {saved:.0} % of the load"))?;
    Ok(())
}

fn tell(name: &str, bare: &Bare) -> Result<()> {
    say(&format!(
        "{name:7} {:6.2} s  {:6.2} s CPU  {:9.0} records/s, {} rows",
        bare.wall.as_secs_f64(),
        bare.cpu.as_secs_f64(),
        bare.records as f64 / bare.wall.as_secs_f64(),
        bare.rows
    ))
}

fn each(file: &Path, mut take: impl FnMut(&SourceRecord) -> Result<()>) -> Result<()> {
    let mut dump = DumpReader::open(file, "bench", None)?;
    let format = dump.format();
    let mut source = SourceRecord::default();
    let mut warnings = Vec::new();
    while let Some(batch) = dump.read_batch(LIMIT)? {
        for raw in &batch.records {
            format.read(batch.bytes(raw), &ReadOptions::default(), &mut source, &mut warnings)?;
            take(&source)?;
        }
    }
    if !warnings.is_empty() {
        bail!("the generator's records have {} warnings", warnings.len());
    }
    Ok(())
}

struct Stopwatch {
    wall: Instant,
    cpu: Duration,
}

impl Stopwatch {
    fn start() -> Stopwatch {
        Stopwatch { wall: Instant::now(), cpu: bare::cpu_time() }
    }

    /// Prints what was measured; answers records per second of CPU time.
    fn stop(self, name: &str, records: u64) -> Result<f64> {
        let (wall, cpu) = (self.wall.elapsed(), bare::cpu_time().saturating_sub(self.cpu));
        let rate = |time: Duration| records as f64 / time.as_secs_f64().max(1e-9);
        say(&format!(
            "{name:7} {:6.2} s  {:6.2} s CPU  {:9.0} records/s  {:9.0} records/s of CPU, {} MiB peak",
            wall.as_secs_f64(),
            cpu.as_secs_f64(),
            rate(wall),
            rate(cpu),
            peak_mebibytes()?
        ))?;
        Ok(rate(cpu))
    }
}

/// The process's largest resident set so far.
fn peak_mebibytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).context("no VmHWM")?;
    let kibibytes: u64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(kibibytes / 1024)
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn say(line: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
