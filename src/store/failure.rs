//! What the databases' errors mean for whoever asked.

use sqlx::postgres::PgDatabaseError;

use super::StoreError;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        match error {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                StoreError::Damaged(error.to_string())
            }
            // "no longer there": the server was stopped, or what leads to it broke.
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => StoreError::Away(error.to_string()),
            sqlx::Error::Database(error) => {
                let message = error.to_string();
                let code = error.code().unwrap_or_default();
                match error.try_downcast_ref::<PgDatabaseError>() {
                    Some(error) => of_postgres(&code, with_detail(error)),
                    None => of_sqlite(&code, message),
                }
            }
            other => StoreError::Failed(other.to_string()),
        }
    }
}

/// By SQLSTATE: <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn of_postgres(code: &str, message: String) -> StoreError {
    match (code, code.get(..2).unwrap_or_default()) {
        // Serialization, deadlock, lock not available; and a unique key: someone else was faster,
        // and the next look at the database shows their row.
        ("40001" | "40P01" | "55P03" | "23505", _) => StoreError::Contended(message),
        // Shut down, crashed, not yet up, no connection free.
        ("57P01" | "57P02" | "57P03" | "53300", _) | (_, "08") => StoreError::Away(message),
        ("53100", _) => StoreError::Full(message),
        ("25006", _) => StoreError::ReadOnly(message),
        // Data exceptions and limits of the program.
        (_, "22" | "54") => StoreError::Unstorable { code: code.to_owned(), message },
        _ => StoreError::Failed(message),
    }
}

/// By SQLite's primary result code: <https://www.sqlite.org/rescode.html>
fn of_sqlite(code: &str, message: String) -> StoreError {
    match code.parse::<u32>().unwrap_or(0) & 0xff {
        5 | 6 => StoreError::Contended(message),
        8 => StoreError::ReadOnly(message),
        13 => StoreError::Full(message),
        _ => StoreError::Failed(message),
    }
}

fn with_detail(error: &PgDatabaseError) -> String {
    match error.detail() {
        Some(detail) => format!("{} ({detail})", error.message()),
        None => error.message().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_told_from_what_stays() {
        for code in ["40001", "40P01", "08006", "57P01", "57P03", "53300"] {
            assert!(of_postgres(code, String::new()).is_transient(), "{code}");
        }
        for code in ["53100", "25006", "22P05", "42P01", "28P01", "XX000", ""] {
            assert!(!of_postgres(code, String::new()).is_transient(), "{code}");
        }
        // SQLITE_BUSY_SNAPSHOT and SQLITE_IOERR_WRITE are extended codes.
        assert!(of_sqlite("517", String::new()).is_transient());
        assert!(!of_sqlite("778", String::new()).is_transient());
        assert!(matches!(of_sqlite("13", String::new()), StoreError::Full(_)));
    }
}
