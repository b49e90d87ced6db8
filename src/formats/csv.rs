//! Tables: comma-separated values (RFC 4180) and tab-separated values, with a row of names.
//!
//! A row is an object of texts; a name that stands twice has a list of them. Each raw record is
//! the row of names and one row, so that it can be read alone.
//! <https://www.rfc-editor.org/rfc/rfc4180>

mod column;
mod scan;

pub use column::{Column, columns_of};

use csv::{ByteRecord, ReaderBuilder};
use serde_json::{Map, Value};

use super::framing::TextFraming;
use super::text::{read_utf8, without_mark};
use super::{
    DecodeError, Format, Model, Policy, ReadOptions, Reading, SourceRecord, WriteOptions, Writing,
};
use crate::record::Warning;
use scan::{CsvScan, TsvScan};

/// The row of [`crate::formats::FORMATS`] for commas.
pub const FORMAT: Format = Format {
    name: "csv",
    title: "CSV",
    media_type: "text/csv",
    extensions: &["csv"],
    model: Model::Json,
    reading: Some(Reading {
        sniff: |first_bytes| scan::looks_like_table(first_bytes, b",;"),
        framing: TextFraming::<CsvScan>::boxed,
        decode: |bytes, options, record, warnings| decode(b',', bytes, options, record, warnings),
    }),
    writing: Some(Writing {
        open: |options| open(b',', options),
        between: "",
        close: "",
        encode: |record, options, out, warnings| {
            column::write(b',', record.json()?, options, out, warnings)
        },
    }),
};

/// The row of [`crate::formats::FORMATS`] for tabs.
pub const FORMAT_TSV: Format = Format {
    name: "tsv",
    title: "TSV",
    media_type: "text/tab-separated-values",
    extensions: &["tsv"],
    model: Model::Json,
    reading: Some(Reading {
        sniff: |first_bytes| scan::looks_like_table(first_bytes, b"\t"),
        framing: TextFraming::<TsvScan>::boxed,
        decode: |bytes, options, record, warnings| decode(b'\t', bytes, options, record, warnings),
    }),
    writing: Some(Writing {
        open: |options| open(b'\t', options),
        between: "",
        close: "",
        encode: |record, options, out, warnings| {
            column::write(b'\t', record.json()?, options, out, warnings)
        },
    }),
};

/// Whether a format is written as a table, which needs [`WriteOptions::columns`].
#[must_use]
pub fn is_table(format: &Format) -> bool {
    [FORMAT.name, FORMAT_TSV.name].contains(&format.name)
}

fn open(delimiter: u8, options: &WriteOptions) -> String {
    let names = options.columns.iter().map(|column| column.name.as_str());
    String::from_utf8(column::row(delimiter, names)).unwrap_or_default()
}

fn decode(
    usual: u8,
    bytes: &[u8],
    options: &ReadOptions,
    record: &mut SourceRecord,
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    let before = warnings.len();
    let value = read(usual, bytes, options, warnings);
    *record = SourceRecord::Json(value.inspect_err(|_| warnings.truncate(before))?);
    Ok(())
}

/// Reads a row of names and one row, separated by `usual` or, with a warning (`csv.delimiter`),
/// by what separates the names.
///
/// An empty cell is an empty text; a column without a name is called `column_3`.
///
/// # Errors
/// `csv.utf8`; `csv.columns` when the row has another number of cells than the row of names:
/// with [`Policy::Repair`], too few are filled up and too many dropped if they are empty;
/// `csv.rows` for what is no two rows.
pub fn read(
    usual: u8,
    bytes: &[u8],
    options: &ReadOptions,
    warnings: &mut Vec<Warning>,
) -> Result<Value, DecodeError> {
    let text = read_utf8(without_mark(bytes), "csv.utf8", options, warnings)?;
    let delimiter = scan::delimiter(text.as_bytes(), usual);
    if delimiter != usual {
        let message = format!(
            "the names are separated by {:?}, expected {:?}",
            char::from(delimiter),
            char::from(usual)
        );
        warnings.push(Warning::new("csv.delimiter", message));
    }
    if let Some(offset) = scan::text_behind_quotes(text.as_bytes(), delimiter) {
        let message = format!("byte {offset}: text behind the closing quotation mark of a cell");
        warnings.push(Warning::new("csv.quote", message));
    }
    let reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let rows: Vec<ByteRecord> = reader
        .into_byte_records()
        .collect::<Result<_, _>>()
        .map_err(|error| DecodeError::new("csv.rows", error.to_string()))?;
    let [names, cells] = rows.as_slice() else {
        let message = format!("found {} rows, expected a row of names and one more", rows.len());
        return Err(DecodeError::new("csv.rows", message));
    };
    check_columns(names, cells, options.policy, warnings)?;
    Ok(object(names, cells))
}

fn check_columns(
    names: &ByteRecord,
    cells: &ByteRecord,
    policy: Policy,
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    if names.len() == cells.len() {
        return Ok(());
    }
    let message = format!("found {} cells, expected {}", cells.len(), names.len());
    let no_loss = cells.iter().skip(names.len()).all(<[u8]>::is_empty);
    if policy != Policy::Repair || !no_loss {
        return Err(DecodeError::new("csv.columns", message));
    }
    warnings.push(Warning::new("csv.columns", message));
    Ok(())
}

fn object(names: &ByteRecord, cells: &ByteRecord) -> Value {
    let mut object = Map::new();
    for (index, name) in names.iter().enumerate() {
        // Both rows come from one text that is UTF-8, cut at ASCII.
        let name = String::from_utf8_lossy(name.trim_ascii());
        let name = if name.is_empty() { format!("column_{}", index + 1) } else { name.into() };
        let cell = String::from_utf8_lossy(cells.get(index).unwrap_or_default());
        match object.get_mut(&name) {
            None => {
                object.insert(name, Value::from(cell));
            }
            Some(Value::Array(cells)) => cells.push(cell.into()),
            Some(first) => *first = Value::from(vec![first.take(), cell.into()]),
        }
    }
    Value::Object(object)
}
