//! Where the rows of a table end, and what its first row tells.

use crate::formats::MAX_RECORD_BYTES;
use crate::formats::framing::{Found, Scan, line_end};
use crate::formats::text::{from_windows_1252, without_mark};

/// Rows of comma-separated values.
#[derive(Debug, Default)]
pub(super) struct CsvScan(Rows);

/// Rows of tab-separated values.
#[derive(Debug, Default)]
pub(super) struct TsvScan(Rows);

impl Scan for CsvScan {
    const TRIMS: bool = false;

    fn scan(&mut self, bytes: &[u8], at: &mut usize, at_end: bool) -> Option<Found> {
        self.0.scan(b',', bytes, at, at_end)
    }
}

impl Scan for TsvScan {
    const TRIMS: bool = false;

    fn scan(&mut self, bytes: &[u8], at: &mut usize, at_end: bool) -> Option<Found> {
        self.0.scan(b'\t', bytes, at, at_end)
    }
}

#[derive(Debug, Default)]
struct Rows {
    /// The row of names with its line break, and what separates its cells.
    header: Option<(String, u8)>,
    state: State,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    CellBegins,
    Plain,
    Quoted,
    /// A quotation mark within a quoted cell: its end, or the first of two.
    QuoteInQuoted,
    /// Text behind the end of a quoted cell.
    Behind,
}

impl State {
    fn after(self, byte: u8, delimiter: u8) -> State {
        match (self, byte) {
            (State::Quoted, b'"') => State::QuoteInQuoted,
            (State::Quoted, _) => State::Quoted,
            (State::QuoteInQuoted, b'"') => State::Quoted,
            (_, byte) if byte == delimiter || byte == b'\n' || byte == b'\r' => State::CellBegins,
            (State::CellBegins, b'"') => State::Quoted,
            (State::QuoteInQuoted | State::Behind, _) => State::Behind,
            _ => State::Plain,
        }
    }
}

impl Rows {
    fn scan(&mut self, usual: u8, bytes: &[u8], at: &mut usize, at_end: bool) -> Option<Found> {
        let delimiter = match &self.header {
            Some((_, delimiter)) => *delimiter,
            None => {
                // The first line tells; it may still be on its way.
                line_end(bytes, 0, at_end)?;
                delimiter(without_mark(bytes), usual)
            }
        };
        if *at == 0 && self.header.is_none() {
            *at = bytes.len() - without_mark(bytes).len();
        }
        while let Some(&byte) = bytes.get(*at) {
            if *at > MAX_RECORD_BYTES && self.state == State::Quoted {
                return self.unclosed(bytes);
            }
            *at += 1;
            let ends = byte == b'\n' && self.state != State::Quoted;
            self.state = self.state.after(byte, delimiter);
            if ends {
                return Some(self.row(bytes, *at, delimiter));
            }
        }
        if !at_end || bytes.is_empty() {
            return None;
        }
        if self.state == State::Quoted {
            return self.unclosed(bytes);
        }
        Some(self.row(bytes, bytes.len(), delimiter))
    }

    fn row(&mut self, bytes: &[u8], end: usize, delimiter: u8) -> Found {
        self.state = State::CellBegins;
        let row = without_mark(bytes.get(..end).unwrap_or_default());
        if row.trim_ascii_end().is_empty() && !row.contains(&b'\t') {
            return Found::between(end);
        }
        let Some((names, _)) = &self.header else {
            let text = std::str::from_utf8(row);
            let is_text = text.is_ok();
            let names = text.map_or_else(|_| from_windows_1252(row), str::to_owned);
            self.header = Some((format!("{}\n", names.trim_end_matches(['\r', '\n'])), delimiter));
            let message = "the row of names is not UTF-8, read as Windows-1252";
            // Said once, and the rows can still be read.
            let damaged = || Found::damaged(end, "csv.utf8", message);
            return if is_text { Found::between(end) } else { damaged() };
        };
        Found { insert: Some(names.clone()), ..Found::record(end) }
    }

    // A quotation mark that nothing closes swallows the rest: only its line is given up.
    fn unclosed(&mut self, bytes: &[u8]) -> Option<Found> {
        self.state = State::CellBegins;
        // Without its names no row can be read.
        self.header.get_or_insert((String::new(), b','));
        let end = line_end(bytes, 0, true)?;
        let message = "a quotation mark is not closed, read up to the line's end";
        Some(Found::damaged(end, "csv.quote", message))
    }
}

/// What separates the names of a table's first row: what is usual, if it occurs, or else a
/// semicolon, tab or comma that does.
pub(super) fn delimiter(bytes: &[u8], usual: u8) -> u8 {
    // Never farther than the first line, whatever is quoted: more may be on its way.
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let occurs = |delimiter: &u8| {
        let mut is_quoted = false;
        line.iter().any(|byte| {
            is_quoted ^= *byte == b'"';
            !is_quoted && byte == delimiter
        })
    };
    [usual, b';', b'\t', b','].into_iter().find(|delimiter| occurs(delimiter)).unwrap_or(usual)
}

/// Where text stands between a cell's closing quotation mark and its end.
pub(super) fn text_behind_quotes(bytes: &[u8], delimiter: u8) -> Option<usize> {
    let mut state = State::CellBegins;
    bytes.iter().position(|byte| {
        state = state.after(*byte, delimiter);
        state == State::Behind
    })
}

/// Whether a file that begins so is a table: two rows of as many cells, separated by one of
/// these, the first of them distinct names that begin with a letter.
pub(super) fn looks_like_table(first_bytes: &[u8], delimiters: &[u8]) -> bool {
    const ENOUGH: usize = 64 * 1024;
    let bytes = without_mark(first_bytes);
    let Some(bytes) = bytes.get(..bytes.len().min(ENOUGH)).filter(|bytes| !bytes.contains(&0))
    else {
        return false;
    };
    let Some(&usual) = delimiters.first() else { return false };
    let delimiter = delimiter(bytes, usual);
    if !delimiters.contains(&delimiter) {
        return false;
    }
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(bytes);
    let mut rows = reader.byte_records();
    let (Some(Ok(names)), Some(Ok(cells))) = (rows.next(), rows.next()) else {
        return false;
    };
    let mut distinct: Vec<&[u8]> = names.iter().collect();
    distinct.sort_unstable();
    distinct.dedup();
    names.len() > 1
        && names.len() == cells.len()
        && distinct.len() == names.len()
        && names.iter().all(is_name)
}

fn is_name(cell: &[u8]) -> bool {
    let Ok(cell) = std::str::from_utf8(cell) else { return false };
    let cell = cell.trim();
    let begins = cell.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let odd = ['{', '}', '<', '>', '=', '"', '\\'];
    begins && cell.len() <= 64 && !cell.contains(odd) && !cell.contains(char::is_control)
}
