//! Merged records: their recids lead to those that stand in their place, once these are there.

use jiff::Timestamp;

use super::{Redirect, Store, StoreError};
use crate::record::{Pid, PidChange, PidName, PidStatus, PidTarget};

const PAGE: u32 = 1000;

/// Makes the redirects of a source that can be made; the others, each with why not, stay open.
///
/// # Errors
/// Those of the store. What was made stays made, and the next call goes on.
pub async fn make_redirects(
    store: &dyn Store,
    source_name: &str,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let (mut open, mut after) = (Vec::new(), String::new());
    loop {
        let redirects = store.open_redirects(source_name, &after, PAGE).await?;
        let Some(last) = redirects.last() else { return Ok(open) };
        after.clone_from(&last.from);
        for redirect in &redirects {
            match make(store, redirect, now).await? {
                None => store.close_redirect(source_name, &redirect.from).await?,
                Some(obstacle) => {
                    let Redirect { from, to, place } = redirect;
                    open.push(format!("{place}: recid:{from} leads to recid:{to}, but {obstacle}"));
                }
            }
        }
    }
}

/// Makes one; or why not.
async fn make(
    store: &dyn Store,
    redirect: &Redirect,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let (from, to) = match (PidName::recid(&*redirect.from), PidName::recid(&*redirect.to)) {
        (Ok(from), Ok(to)) => (from, to),
        (Err(error), _) | (_, Err(error)) => return Ok(Some(error.to_string())),
    };
    match store.pid(&to).await?.map(|pid| pid.status) {
        None => return Ok(Some(format!("there is no {to}"))),
        Some(PidStatus::New | PidStatus::Reserved) => {
            return Ok(Some(format!("{to} names no record")));
        }
        Some(_) => {}
    }
    let Some(pid) = store.pid(&from).await? else {
        let target = PidTarget::Pid(to);
        let pid = Pid { name: from, status: PidStatus::Redirected, target };
        return told(store.create_pid(&pid, now).await.map(|()| None));
    };
    if let PidTarget::Record(id) = pid.target {
        match store.record_by_id(id).await {
            Ok(record) if record.json.is_some() => {
                return Ok(Some(format!("{from} names a record that is live")));
            }
            // A tombstone, or one that was deleted for good.
            Ok(_) | Err(StoreError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    // What was deleted, or only kept, resolves again; then it can lead on.
    let is_asleep = matches!(pid.status, PidStatus::Deleted | PidStatus::New | PidStatus::Reserved);
    if is_asleep {
        store.change_pid(&from, &PidChange::Sync(PidStatus::Registered), now).await?;
    }
    let refused = told(store.change_pid(&from, &PidChange::Redirect(to), now).await)?;
    if is_asleep && refused.is_some() {
        store.change_pid(&from, &PidChange::Sync(pid.status), now).await?;
    }
    Ok(refused)
}

// A redirect that would close a circle is left open, with that reason.
fn told(made: Result<Option<Pid>, StoreError>) -> Result<Option<String>, StoreError> {
    match made {
        Ok(_) => Ok(None),
        Err(StoreError::Pid(error)) => Ok(Some(error.to_string())),
        Err(error) => Err(error),
    }
}
