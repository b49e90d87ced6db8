//! While the server runs, what others write into the store is taken in: Invenio, changed sets.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Shared;
use crate::store::StoreError;

/// Records looked at in one transaction.
const STEP: u32 = 1000;

/// How long the store is left alone between two steps.
const BREATH: Duration = Duration::from_millis(20);

/// How long the store is left alone when there was nothing more to do.
const PAUSE: Duration = Duration::from_secs(5);

/// How long the store is left alone when it could not follow.
const REST: Duration = Duration::from_secs(30);

/// So long nobody is let in at first: what is taken in by then is there from the first answer on.
const FIRST: Duration = Duration::from_secs(3);

/// Begins to follow; what takes long goes on beside the answers.
pub(super) async fn begin(shared: &Arc<Shared>) -> tokio::task::JoinHandle<()> {
    let caught_up = tokio::time::timeout(FIRST, catch_up(shared)).await.is_ok();
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        if !caught_up {
            catch_up(&shared).await;
        }
        loop {
            let is_behind = shared.is_behind.load(Ordering::Relaxed);
            tokio::time::sleep(if is_behind { REST } else { PAUSE }).await;
            catch_up(&shared).await;
        }
    })
}

/// Steps until there is nothing more to do, or the store cannot.
async fn catch_up(shared: &Shared) {
    let mut told = 0;
    loop {
        match shared.state.store.follow(shared.state.clock.now(), STEP).await {
            Ok(step) => {
                shared.is_behind.store(false, Ordering::Relaxed);
                let percent = percent(step.share);
                shared.followed.store(percent, Ordering::Relaxed);
                if percent / 10 != told / 10 && percent < 100 {
                    tracing::info!(percent, "records that others have written are taken in");
                    told = percent;
                }
                if !step.more {
                    return;
                }
                // Others write, too.
                tokio::time::sleep(BREATH).await;
            }
            // Another process is at it, or writes.
            Err(StoreError::Contended(_)) => return,
            Err(error) => {
                shared.is_behind.store(true, Ordering::Relaxed);
                tracing::error!(code = error.code(), %error, "what is listed may be out of date");
                return;
            }
        }
    }
}

/// 0 to 100; 100 only when nothing is left.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is between 0 and 100 by then"
)]
fn percent(share: f64) -> u64 {
    (share.clamp(0.0, 1.0) * 100.0).floor() as u64
}
