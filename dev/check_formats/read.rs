//! What this program reads of each record of the files named on stdin, as JSON lines.
//!
//! `{"file": …, "number": …, "byte": …, "length": …}` with `"record"` (MARC-in-JSON) or
//! `"rejected"` (a code); of a file that is not read at all `{"file": …, "rejected": …}`.

use std::io::{BufRead, BufWriter, Write};
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};
use windrow::formats::marc21::marc_json;
use windrow::formats::{ReadOptions, SourceRecord};
use windrow::source::{BatchLimit, DumpReader};

fn main() -> Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    for file in std::io::stdin().lock().lines() {
        read(&file?, &mut out)?;
    }
    Ok(out.flush()?)
}

fn read(file: &str, out: &mut impl Write) -> Result<()> {
    let mut dump = match DumpReader::open(Path::new(file), file, None) {
        Ok(dump) => dump,
        Err(error) => {
            let line = json!({ "file": file, "rejected": "unread", "message": error.to_string() });
            return Ok(writeln!(out, "{line}")?);
        }
    };
    let mut record = SourceRecord::default();
    while let Some(batch) = dump.read_batch(BatchLimit { records: 1000, bytes: 1 << 22 })? {
        for raw in &batch.records {
            let bytes = batch.bytes(raw);
            let mut warnings = Vec::new();
            let result = match &raw.damage {
                Some(damage) => Err(damage.code),
                None => dump
                    .format()
                    .read(bytes, &ReadOptions::default(), &mut record, &mut warnings)
                    .map_err(|error| error.code),
            };
            let (key, value) = match result {
                Ok(()) => {
                    let mut text = Vec::new();
                    marc_json::write(record.marc()?, &mut text);
                    ("record", serde_json::from_slice::<Value>(&text)?)
                }
                Err(code) => ("rejected", json!(code)),
            };
            let line = json!({
                "file": file, "number": raw.number, "byte": raw.byte, "length": bytes.len(),
                "warnings": warnings.iter().map(|warning| warning.code).collect::<Vec<_>>(),
                key: value,
            });
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}
