//! Timestamps as PostgreSQL sends them: microseconds since 2000, in UTC.

use jiff::Timestamp;
use sqlx::Postgres;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef};
use sqlx::{Decode, Encode, Type};

use crate::store::single::floor;

const TIMESTAMP: Oid = Oid(1114);
const TIMESTAMPTZ: Oid = Oid(1184);
const TIMESTAMPTZ_ARRAY: Oid = Oid(1185);

/// From 1970 to 2000.
const EPOCH: i64 = 946_684_800_000_000;

/// A timestamp in a statement or an answer. Columns without a time zone are in UTC, as every
/// session is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment(pub(super) Timestamp);

/// Microseconds since 2000; what is finer is cut off.
pub(super) fn micros(timestamp: Timestamp) -> i64 {
    floor(timestamp).as_microsecond() - EPOCH
}

impl Type<Postgres> for Moment {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ)
    }

    fn compatible(found: &PgTypeInfo) -> bool {
        found.oid().is_some_and(|oid| oid == TIMESTAMP || oid == TIMESTAMPTZ)
    }
}

impl PgHasArrayType for Moment {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ_ARRAY)
    }
}

impl Encode<'_, Postgres> for Moment {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&micros(self.0).to_be_bytes());
        Ok(IsNull::No)
    }
}

impl Decode<'_, Postgres> for Moment {
    fn decode(value: PgValueRef<'_>) -> Result<Moment, BoxDynError> {
        let bytes: [u8; 8] = value.as_bytes()?.try_into()?;
        let micros = i64::from_be_bytes(bytes).checked_add(EPOCH).ok_or("timestamp is infinite")?;
        Ok(Moment(Timestamp::from_microsecond(micros)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_counted_from_2000() {
        let timestamp: Timestamp = "2000-01-01T00:00:01.0000029Z".parse().unwrap();
        assert_eq!(micros(timestamp), 1_000_002);
        let early: Timestamp = "1969-12-31T23:59:59.9999999Z".parse().unwrap();
        assert_eq!(micros(early), -EPOCH - 1);
        assert_eq!(floor(early).to_string(), "1969-12-31T23:59:59.999999Z");
    }
}
