//! How values stand in SQLite, and inserts of many rows at once.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use sqlx::error::BoxDynError;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments, AssertSqlSafe, query_with};

use crate::record::push_json_string;
use crate::store::StoreError;

/// Text that is bound more than once without being copied for it.
pub(super) type Text = Arc<str>;

// Every statement is a trip to sqlx's worker thread, and every other text of SQL is prepared
// anew: few sizes, each cached, the largest where more rows gained nothing.
const CHUNKS: [usize; 4] = [64, 16, 4, 1];

/// An insert of many rows: `head` up to `values`, one `row` of placeholders, what follows.
pub(super) struct Insert {
    pub(super) head: &'static str,
    pub(super) row: &'static str,
    pub(super) tail: &'static str,
}

impl Insert {
    /// Inserts `rows` in order; `bind` gives the values of one.
    pub(super) async fn all<T: Send>(
        &self,
        connection: &mut SqliteConnection,
        rows: Vec<T>,
        mut bind: impl FnMut(&mut SqliteArguments, T) -> Result<(), BoxDynError> + Send,
    ) -> Result<(), StoreError> {
        let mut rows = rows.into_iter();
        while let Some(&size) = CHUNKS.iter().find(|&&size| size <= rows.len()) {
            let mut arguments = SqliteArguments::default();
            arguments.reserve(size * self.row.len() / 2, 0);
            for row in rows.by_ref().take(size) {
                bind(&mut arguments, row).map_err(sqlx::Error::Encode)?;
            }
            query_with(AssertSqlSafe(self.text(size)), arguments).execute(&mut *connection).await?;
        }
        Ok(())
    }

    fn text(&self, rows: usize) -> String {
        let length = self.head.len() + rows * (self.row.len() + 1) + self.tail.len();
        let mut sql = String::with_capacity(length);
        sql.push_str(self.head);
        for i in 0..rows {
            if i > 0 {
                sql.push(',');
            }
            sql.push_str(self.row);
        }
        sql.push_str(self.tail);
        sql
    }
}

/// `YYYY-MM-DD HH:MM:SS.ffffff` in UTC, as SQLAlchemy writes it.
pub(super) fn timestamp_text(timestamp: Timestamp) -> Text {
    timestamp.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string().into()
}

/// [`timestamp_text`] of many, of which most are the same: formatted once, shared after that.
#[derive(Debug, Default)]
pub(super) struct TimestampTexts {
    last: Option<(Timestamp, Text)>,
}

impl TimestampTexts {
    /// The text of a timestamp.
    pub(super) fn of(&mut self, timestamp: Timestamp) -> Text {
        match &self.last {
            Some((last, text)) if *last == timestamp => Text::clone(text),
            _ => {
                let text = timestamp_text(timestamp);
                self.last = Some((timestamp, Text::clone(&text)));
                text
            }
        }
    }
}

/// Reads what [`timestamp_text`] writes, with or without the fraction.
pub(super) fn parse_timestamp(text: &str) -> Result<Timestamp, StoreError> {
    let damaged = |error| StoreError::Damaged(format!("timestamp is {text:?}: {error}"));
    let moment: DateTime = text.parse().map_err(damaged)?;
    TimeZone::UTC.to_timestamp(moment).map_err(damaged)
}

/// A JSON array of strings, for `json_each(?)`.
pub(super) fn json_array<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Text, StoreError> {
    let mut json = vec![b'['];
    for text in texts {
        if json.len() > 1 {
            json.push(b',');
        }
        push_json_string(text, &mut json);
    }
    json.push(b']');
    let json = String::from_utf8(json).map_err(|error| StoreError::Failed(error.to_string()))?;
    Ok(json.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_stands_as_sqlalchemy_writes_it() {
        let timestamp: Timestamp = "2020-02-29T23:59:58.000123Z".parse().unwrap();
        let text = timestamp_text(timestamp);
        assert_eq!(&*text, "2020-02-29 23:59:58.000123");
        assert_eq!(parse_timestamp(&text).unwrap(), timestamp);
        assert_eq!(
            parse_timestamp("2020-02-29 23:59:58").unwrap(),
            "2020-02-29T23:59:58Z".parse().unwrap()
        );
        assert!(parse_timestamp("yesterday").is_err());
    }

    #[test]
    fn an_insert_repeats_its_row() {
        let insert = Insert { head: "insert into t values ", row: "(?,?)", tail: " returning 1" };
        assert_eq!(insert.text(2), "insert into t values (?,?),(?,?) returning 1");
    }
}
