//! PIDs: read, minted, changed by the rules of [`Pid::changed`], resolved step by step.

use jiff::Timestamp;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row, query, query_scalar};
use uuid::Uuid;

use super::PostgresStore;
use super::moment::Moment;
use super::write::raise_recids;
use crate::record::{Pid, PidChange, PidError, PidName, PidStatus, PidTarget};
use crate::store::columns::minted;
use crate::store::{StoreError, single};

/// The lock that who takes a number from the sequence of recids holds.
const RECIDS: i64 = 0x7769_6e64_726f_7701;

// A redirected PID's object_uuid is a row of pidstore_redirect, of which the PID it leads to is
// the second half of the row here.
macro_rules! pids {
    ($where:literal) => {
        concat!(
            "select p.pid_type, p.pid_value, p.status, p.object_uuid, t.pid_type, t.pid_value, \
             p.id::bigint from pidstore_pid p \
             left join pidstore_redirect r on p.status = 'M' and r.id = p.object_uuid \
             left join pidstore_pid t on t.id = r.pid_id where ",
            $where
        )
    };
}

/// One PID.
pub(super) async fn one(
    connection: &mut PgConnection,
    name: &PidName,
) -> Result<Option<Pid>, StoreError> {
    Ok(row(connection, name).await?.map(|(pid, _)| pid))
}

/// The PIDs that name a record, by type and value.
pub(super) async fn of_record(
    connection: &mut PgConnection,
    id: Uuid,
) -> Result<Vec<Pid>, StoreError> {
    let sql =
        pids!("p.object_type = 'rec' and p.object_uuid = $1 order by p.pid_type, p.pid_value");
    query(sql).bind(id).fetch_all(connection).await?.iter().map(pid).collect()
}

/// Makes a PID.
pub(super) async fn create(
    store: &PostgresStore,
    new: &Pid,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut connection = store.writers.acquire().await?;
    let mut transaction = connection.begin().await?;
    if row(&mut transaction, &new.name).await?.is_some() {
        return Err(StoreError::PidExists(new.name.clone()));
    }
    let now = Moment(now);
    // Made without a target and then changed, so that there is one place that knows targets.
    let status =
        if new.status == PidStatus::Redirected { PidStatus::Registered } else { new.status };
    let id: i64 = query_scalar(
        "insert into pidstore_pid (pid_type, pid_value, status, created, updated) \
         values ($1, $2, $3, $4, $4) returning id::bigint",
    )
    .bind(new.name.pid_type())
    .bind(new.name.pid_value())
    .bind(status.as_str())
    .bind(now)
    .fetch_one(&mut *transaction)
    .await?;
    let made = Pid { status, target: PidTarget::Nothing, name: new.name.clone() };
    write(&mut transaction, id, &made, Some(new), now).await?;
    if let Some(number) = minted(new.name.pid_value()).filter(|_| new.name.pid_type() == "recid") {
        query("insert into pidstore_recid (recid) values ($1) on conflict (recid) do nothing")
            .bind(number)
            .execute(&mut *transaction)
            .await?;
        raise_recids(&mut transaction, number).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Changes a PID; `None` when that removes it.
pub(super) async fn change(
    store: &PostgresStore,
    name: &PidName,
    change: &PidChange,
    now: Timestamp,
) -> Result<Option<Pid>, StoreError> {
    let mut connection = store.writers.acquire().await?;
    let mut transaction = connection.begin().await?;
    let (before, id) = locked(&mut transaction, name)
        .await?
        .ok_or_else(|| StoreError::NotFound(format!("PID {name}")))?;
    let after = before.changed(change)?;
    if after.as_ref() != Some(&before) {
        write(&mut transaction, id, &before, after.as_ref(), Moment(now)).await?;
    }
    transaction.commit().await?;
    Ok(after)
}

/// The next number that no recid has.
pub(super) async fn next_recid(store: &PostgresStore) -> Result<i64, StoreError> {
    let mut connection = store.writers.acquire().await?;
    let mut transaction = connection.begin().await?;
    query("select pg_advisory_xact_lock($1)").bind(RECIDS).execute(&mut *transaction).await?;
    loop {
        // Somebody may have made PIDs without telling the sequence.
        let number: i64 = query_scalar(
            "insert into pidstore_recid (recid) \
             select coalesce(max(recid), 0) + 1 from pidstore_recid returning recid::bigint",
        )
        .fetch_one(&mut *transaction)
        .await?;
        let is_taken: bool = query_scalar(
            "select exists(select 1 from pidstore_pid where pid_type = 'recid' and pid_value = $1)",
        )
        .bind(number.to_string())
        .fetch_one(&mut *transaction)
        .await?;
        if !is_taken {
            raise_recids(&mut transaction, number).await?;
            transaction.commit().await?;
            return Ok(number);
        }
    }
}

/// Brings a row from what it is to what it shall be; `None` removes it.
async fn write(
    connection: &mut PgConnection,
    id: i64,
    before: &Pid,
    after: Option<&Pid>,
    now: Moment,
) -> Result<(), StoreError> {
    if let Some(from) = after.is_none().then_some(leading_to(connection, id).await?).flatten() {
        let (name, from) = (before.name.clone(), from);
        return Err(PidError::Destination { name, from }.into());
    }
    let redirect: Option<Uuid> = query_scalar(
        "select r.id from pidstore_redirect r join pidstore_pid p on p.object_uuid = r.id \
         where p.id = $1 and p.status = 'M'",
    )
    .bind(id)
    .fetch_optional(&mut *connection)
    .await?;
    let (object_type, object_uuid) = match after.map(|pid| &pid.target) {
        None | Some(PidTarget::Nothing) => (None, None),
        Some(PidTarget::Record(record)) => {
            let is_there: bool =
                query_scalar("select exists(select 1 from records_metadata where id = $1)")
                    .bind(record)
                    .fetch_one(&mut *connection)
                    .await?;
            if !is_there && before.target != PidTarget::Record(*record) {
                return Err(StoreError::NotFound(format!("record {record}")));
            }
            (Some("rec"), Some(*record))
        }
        Some(PidTarget::Pid(to)) => {
            (None, Some(lead(connection, &before.name, to, redirect, now).await?))
        }
    };
    match after {
        None => query("delete from pidstore_pid where id = $1").bind(id),
        Some(pid) => query(
            "update pidstore_pid set status = $2, object_type = $3, object_uuid = $4, \
             updated = $5 where id = $1",
        )
        .bind(id)
        .bind(pid.status.as_str())
        .bind(object_type)
        .bind(object_uuid)
        .bind(now),
    }
    .execute(&mut *connection)
    .await?;
    if let Some(unused) = redirect.filter(|redirect| object_uuid != Some(*redirect)) {
        query("delete from pidstore_redirect where id = $1")
            .bind(unused)
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Makes the row that leads to another PID, or turns the one that is there.
async fn lead(
    connection: &mut PgConnection,
    name: &PidName,
    to: &PidName,
    redirect: Option<Uuid>,
    now: Moment,
) -> Result<Uuid, StoreError> {
    let mut next = to.clone();
    let mut to_id = None;
    // What is there has no circles: the walk ends, or comes back to where it shall not. Its rows
    // are locked, so that no two changes close a circle together.
    loop {
        let (pid, id) = locked(connection, &next)
            .await?
            .ok_or_else(|| StoreError::NotFound(format!("PID {next}")))?;
        to_id = to_id.or(Some(id));
        match pid.target {
            PidTarget::Pid(further) if further == *name || further == *to => {
                let (name, through) = (name.clone(), to.clone());
                return Err(PidError::Circle { name, through }.into());
            }
            PidTarget::Pid(further) => next = further,
            _ => break,
        }
    }
    let redirect_id = redirect.unwrap_or_else(Uuid::new_v4);
    query(
        "insert into pidstore_redirect (id, pid_id, created, updated) values ($1, $2, $3, $3) \
         on conflict (id) do update set pid_id = excluded.pid_id, updated = excluded.updated",
    )
    .bind(redirect_id)
    .bind(to_id)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(redirect_id)
}

/// A PID that redirects to this one.
async fn leading_to(connection: &mut PgConnection, id: i64) -> Result<Option<PidName>, StoreError> {
    let row = query(
        "select p.pid_type, p.pid_value from pidstore_redirect r \
         join pidstore_pid p on p.object_uuid = r.id and p.status = 'M' where r.pid_id = $1 limit 1",
    )
    .bind(id)
    .fetch_optional(connection)
    .await?;
    row.map(|row| Ok(PidName::stored(row.try_get(0)?, row.try_get(1)?))).transpose()
}

/// The PID, which nobody else changes before this transaction ends.
async fn locked(
    connection: &mut PgConnection,
    name: &PidName,
) -> Result<Option<(Pid, i64)>, StoreError> {
    query("select 1 from pidstore_pid where pid_type = $1 and pid_value = $2 for update")
        .bind(name.pid_type())
        .bind(name.pid_value())
        .execute(&mut *connection)
        .await?;
    row(connection, name).await
}

async fn row(
    connection: &mut PgConnection,
    name: &PidName,
) -> Result<Option<(Pid, i64)>, StoreError> {
    let row = query(pids!("p.pid_type = $1 and p.pid_value = $2"))
        .bind(name.pid_type())
        .bind(name.pid_value())
        .fetch_optional(connection)
        .await?;
    row.map(|row| Ok((pid(&row)?, row.try_get(6)?))).transpose()
}

fn pid(row: &PgRow) -> Result<Pid, StoreError> {
    let name = PidName::stored(row.try_get(0)?, row.try_get(1)?);
    let leads_to = (row.try_get(4)?, row.try_get(5)?);
    single::pid(name, row.try_get(2)?, row.try_get(3)?, leads_to)
}
