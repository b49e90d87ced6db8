//! Rows on their way through `copy … from stdin (format binary)`, into columns as they are found.
//!
//! The format: <https://www.postgresql.org/docs/current/sql-copy.html>

use jiff::Timestamp;
use sqlx::postgres::PgConnection;
use sqlx::query_as;
use uuid::Uuid;

use super::moment::micros;
use crate::store::StoreError;

// What is sent in one piece.
const PIECE: usize = 256 * 1024;

/// A column's type, as far as its values can be written in more than one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Int2,
    Int4,
    Int8,
    Json,
    Jsonb,
    /// Texts, UUIDs, bytes, booleans and timestamps, with or without a time zone: always UTC.
    Plain,
}

impl Kind {
    /// By the name in `pg_type`.
    pub(super) fn of(name: &str) -> Kind {
        match name {
            "int2" => Kind::Int2,
            "int4" => Kind::Int4,
            "int8" => Kind::Int8,
            "json" => Kind::Json,
            "jsonb" => Kind::Jsonb,
            _ => Kind::Plain,
        }
    }
}

/// A table and those of its columns that rows are copied into.
#[derive(Debug)]
pub(super) struct Target {
    statement: String,
    kinds: Vec<Kind>,
}

impl Target {
    /// Looks up the columns' types.
    pub(super) async fn find(
        connection: &mut PgConnection,
        table: &str,
        columns: &[&str],
    ) -> Result<Target, StoreError> {
        let types: Vec<(String, String)> = query_as(
            "select a.attname::text, t.typname::text from pg_attribute a \
             join pg_type t on t.oid = a.atttypid \
             where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped",
        )
        .bind(table)
        .fetch_all(connection)
        .await?;
        let kind = |column: &&str| {
            let found = types.iter().find(|(name, _)| name == column);
            let missing = || StoreError::Damaged(format!("{table} has no column {column}"));
            found.map(|(_, name)| Kind::of(name)).ok_or_else(missing)
        };
        let kinds = columns.iter().map(kind).collect::<Result<_, _>>()?;
        let columns = columns.join(", ");
        let statement = format!("copy {table} ({columns}) from stdin (format binary)");
        Ok(Target { statement, kinds })
    }

    /// The type of a column, by its place.
    pub(super) fn kind(&self, column: usize) -> Option<Kind> {
        self.kinds.get(column).copied()
    }

    /// Rows for this table, none yet.
    pub(super) fn rows(&self) -> Rows<'_> {
        let mut buffer = b"PGCOPY\n\xFF\r\n\0".to_vec();
        // No flags, no extension of the header.
        buffer.extend_from_slice(&[0; 8]);
        Rows { target: self, column: 0, buffer, is_empty: true }
    }
}

/// Rows that are written value by value, in the order of the target's columns.
pub(super) struct Rows<'t> {
    target: &'t Target,
    column: usize,
    buffer: Vec<u8>,
    is_empty: bool,
}

impl Rows<'_> {
    /// Begins the next row.
    pub(super) fn begin(&mut self) -> &mut Self {
        let columns = i16::try_from(self.target.kinds.len()).unwrap_or(i16::MAX);
        self.buffer.extend_from_slice(&columns.to_be_bytes());
        self.column = 0;
        self.is_empty = false;
        self
    }

    pub(super) fn uuid(&mut self, id: Uuid) -> &mut Self {
        self.bytes(id.as_bytes())
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    pub(super) fn bool(&mut self, value: bool) -> &mut Self {
        self.bytes(&[u8::from(value)])
    }

    pub(super) fn timestamp(&mut self, timestamp: Timestamp) -> &mut Self {
        self.bytes(&micros(timestamp).to_be_bytes())
    }

    /// A number, as wide as its column.
    pub(super) fn number(&mut self, number: i64) -> &mut Self {
        // A number that is too large for an old, narrow column is refused by the server, which
        // finds more bytes than it expects.
        match self.kind() {
            Some(Kind::Int2) if let Ok(number) = i16::try_from(number) => {
                self.bytes(&number.to_be_bytes())
            }
            Some(Kind::Int4) if let Ok(number) = i32::try_from(number) => {
                self.bytes(&number.to_be_bytes())
            }
            _ => self.bytes(&number.to_be_bytes()),
        }
    }

    /// JSON, or null.
    pub(super) fn json(&mut self, json: Option<&str>) -> &mut Self {
        let Some(json) = json else { return self.null() };
        match self.kind() {
            Some(Kind::Jsonb) => {
                self.length(json.len() + 1);
                // The version of jsonb's form on the wire.
                self.buffer.push(1);
                self.buffer.extend_from_slice(json.as_bytes());
                self
            }
            _ => self.text(json),
        }
    }

    pub(super) fn null(&mut self) -> &mut Self {
        self.buffer.extend_from_slice(&(-1_i32).to_be_bytes());
        self.column += 1;
        self
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.length(bytes.len());
        self.buffer.extend_from_slice(bytes);
        self
    }

    fn length(&mut self, length: usize) {
        let length = i32::try_from(length).unwrap_or(i32::MAX);
        self.buffer.extend_from_slice(&length.to_be_bytes());
        self.column += 1;
    }

    fn kind(&self) -> Option<Kind> {
        self.target.kind(self.column)
    }

    /// Copies all rows into their table.
    pub(super) async fn send(mut self, connection: &mut PgConnection) -> Result<(), StoreError> {
        if self.is_empty {
            return Ok(());
        }
        self.buffer.extend_from_slice(&(-1_i16).to_be_bytes());
        let mut copy = connection.copy_in_raw(&self.target.statement).await?;
        for piece in self.buffer.chunks(PIECE) {
            copy.send(piece).await?;
        }
        copy.finish().await?;
        Ok(())
    }
}
