//! Columns: which value of a record goes into which cell of its row.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::formats::{EncodeError, WriteOptions};
use crate::record::Warning;

/// Values of one cell are joined with it.
const SEPARATOR: &str = "|";

/// A column of a table that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// What stands in the row of names.
    pub name: String,
    path: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
    All,
}

impl Column {
    /// A column of this name for the values at `path`: keys joined by dots, `[]` for all elements
    /// of a list, `[0]` for one: `creators[].name`, `titles[0].title`. `None` for no such path.
    #[must_use]
    pub fn new(name: &str, path: &str) -> Option<Column> {
        let mut steps = Vec::new();
        for part in path.split('.') {
            let (key, mut rest) = part.split_at(part.find('[').unwrap_or(part.len()));
            if key.is_empty() || key.contains(']') {
                return None;
            }
            steps.push(Step::Key(key.to_owned()));
            while let Some((index, behind)) =
                rest.strip_prefix('[').and_then(|rest| rest.split_once(']'))
            {
                let all = index.is_empty().then_some(Step::All);
                steps.push(all.or_else(|| index.parse().ok().map(Step::Index))?);
                rest = behind;
            }
            if !rest.is_empty() {
                return None;
            }
        }
        Some(Column { name: name.to_owned(), path: steps })
    }
}

/// Columns for all values of these records, each named by its path, in the order of first
/// occurrence: what a table can be opened with when no columns are given.
#[must_use]
pub fn columns_of<'v>(records: impl IntoIterator<Item = &'v Value>) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for record in records {
        for_each_value(record, &mut Vec::new(), &mut |path, _| {
            let general = |step: &Step| match step {
                Step::Index(_) => Step::All,
                other => other.clone(),
            };
            let path: Vec<Step> = path.iter().map(general).collect();
            if !path.is_empty() && !columns.iter().any(|column| column.path == path) {
                columns.push(Column { name: shown(&path), path });
            }
        });
    }
    columns
}

/// Writes one row, its line break included.
///
/// Lists are joined by `|`. Warns of values that no column takes (`csv.dropped`), and of a `|`
/// within values that are joined (`csv.separator`).
pub(super) fn write(
    delimiter: u8,
    record: &Value,
    options: &WriteOptions,
    out: &mut Vec<u8>,
    warnings: &mut Vec<Warning>,
) -> Result<(), EncodeError> {
    let columns = &options.columns;
    if columns.is_empty() {
        let message = "a table has no columns, expected a name and a path for each";
        return Err(EncodeError::new("csv.no_columns", message));
    }
    let mut cells = vec![Vec::new(); columns.len()];
    let mut ambiguous = BTreeSet::new();
    let (mut dropped, mut first_dropped) = (0_usize, String::new());
    for_each_value(record, &mut Vec::new(), &mut |path, text| {
        let mut taken = false;
        for (column, cell) in
            columns.iter().zip(&mut cells).filter(|(column, _)| fits(&column.path, path))
        {
            taken = true;
            if text.contains(SEPARATOR) && column.path.contains(&Step::All) {
                ambiguous.insert(column.name.as_str());
            }
            cell.push(text.clone());
        }
        if !taken {
            if dropped == 0 {
                first_dropped = shown(path);
            }
            dropped += 1;
        }
    });
    for name in ambiguous {
        let message = format!("{name}: {SEPARATOR} within a value of a list");
        warnings.push(Warning::new("csv.separator", message));
    }
    if dropped > 0 {
        let message = format!("{dropped} values have no column, the first is {first_dropped}");
        warnings.push(Warning::new("csv.dropped", message));
    }
    let cells: Vec<String> = cells.into_iter().map(|values| values.join(SEPARATOR)).collect();
    out.extend(row(delimiter, cells.iter().map(String::as_str)));
    Ok(())
}

/// One row of cells, quoted where needed, with a line break; nothing without cells.
pub(super) fn row<'c>(delimiter: u8, cells: impl Iterator<Item = &'c str>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
    let cells: Vec<&str> = cells.collect();
    if !cells.is_empty() {
        // Nothing can fail that writes to memory.
        let _infallible = writer.write_record(cells);
    }
    writer.into_inner().unwrap_or_default()
}

// Calls with every scalar that is not null and with its path.
fn for_each_value(value: &Value, path: &mut Vec<Step>, call: &mut dyn FnMut(&[Step], String)) {
    match value {
        Value::Null => {}
        Value::Object(object) => {
            for (key, value) in object {
                path.push(Step::Key(key.clone()));
                for_each_value(value, path, call);
                path.pop();
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                path.push(Step::Index(index));
                for_each_value(value, path, call);
                path.pop();
            }
        }
        Value::String(text) => call(path, text.clone()),
        scalar => call(path, scalar.to_string()),
    }
}

fn fits(wanted: &[Step], path: &[Step]) -> bool {
    let fits = |(wanted, step): (&Step, &Step)| {
        wanted == step || (*wanted == Step::All && matches!(step, Step::Index(_)))
    };
    wanted.len() == path.len() && wanted.iter().zip(path).all(fits)
}

fn shown(path: &[Step]) -> String {
    let mut shown = String::new();
    for step in path {
        match step {
            Step::Key(key) if shown.is_empty() => shown.push_str(key),
            Step::Key(key) => shown.extend([".", key]),
            Step::Index(index) => shown.push_str(&format!("[{index}]")),
            Step::All => shown.push_str("[]"),
        }
    }
    shown
}
