//! Writes invented records, the same for the same seed: `cargo run --example generate`.

#[path = "generator/mod.rs"]
mod generator;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};

use generator::{invenio_v1, quickstart, record, write, xml};

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Iso2709,
    Marcxml,
    OaiDc,
    DataciteXml,
    /// A dump of Invenio v1 with its files; the output is a folder.
    InvenioV1,
}

/// Writes invented records, the same for the same seed.
#[derive(Parser)]
struct Arguments {
    /// How many records.
    #[arg(long, default_value_t = 1000)]
    count: u64,
    /// Which series of records.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How they are written.
    #[arg(long, value_enum, default_value = "iso2709")]
    format: Format,
    /// The file to write.
    #[arg(short, long, required_unless_present = "fixtures")]
    output: Option<PathBuf>,
    /// Of a dump of Invenio v1: revisions of each record.
    #[arg(long, default_value_t = 3)]
    revisions: u64,
    /// Of a dump of Invenio v1: files of each record.
    #[arg(long, default_value_t = 2)]
    files: u64,
    /// Of a dump of Invenio v1: bytes of each file.
    #[arg(long, default_value_t = 1000)]
    file_bytes: usize,
    /// Of a dump of Invenio v1: every record is an odd one, each kind in turn.
    #[arg(long)]
    odd: bool,
    /// Write quickstart/ and damaged/ into this directory instead.
    #[arg(long)]
    fixtures: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(directory) = &arguments.fixtures {
        return write_fixtures(directory);
    }
    let path = arguments.output.context("no --output")?;
    if matches!(arguments.format, Format::InvenioV1) {
        let shape = invenio_v1::Shape {
            seed: arguments.seed,
            records: arguments.count,
            revisions: arguments.revisions,
            files: arguments.files,
            file_bytes: arguments.file_bytes,
            odd: arguments.odd,
        };
        return Ok(invenio_v1::write_dump(&path, &shape)?);
    }
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let numbers = 0..arguments.count;
    match arguments.format {
        Format::Iso2709 => {
            for n in numbers {
                let marc = record(arguments.seed, n);
                out.write_all(&write::iso2709(&marc).context("a record of 99,999 bytes")?)?;
            }
        }
        Format::Marcxml => {
            out.write_all(write::XML_HEAD.as_bytes())?;
            for n in numbers {
                out.write_all(write::marcxml(&record(arguments.seed, n)).as_bytes())?;
            }
            out.write_all(write::XML_TAIL.as_bytes())?;
        }
        Format::OaiDc | Format::DataciteXml => {
            let is_dublin_core = matches!(arguments.format, Format::OaiDc);
            let one = if is_dublin_core { xml::oai_dc } else { xml::datacite };
            out.write_all(xml::HEAD.as_bytes())?;
            for n in numbers {
                out.write_all(one(arguments.seed, n).as_bytes())?;
            }
            out.write_all(xml::TAIL.as_bytes())?;
        }
        Format::InvenioV1 => {}
    }
    Ok(out.flush()?)
}

fn write_fixtures(directory: &Path) -> Result<()> {
    let books = quickstart::books().context("a record of 99,999 bytes")?;
    let file = File::create(directory.join("quickstart/books.mrc.gz"))?;
    let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::best());
    gzip.write_all(&books)?;
    gzip.finish()?;
    let theses = zstd::encode_all(quickstart::theses().as_bytes(), 19)?;
    std::fs::write(directory.join("quickstart/theses.xml.zst"), theses)?;
    let damaged = quickstart::damaged().context("a record of 99,999 bytes")?;
    Ok(std::fs::write(directory.join("damaged/books.mrc"), damaged)?)
}
