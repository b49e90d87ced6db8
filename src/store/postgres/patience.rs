//! How long a failed attempt is followed by another one.

use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::store::StoreError;

/// So long a server may be away.
const AWAY: Duration = Duration::from_secs(120);
/// So often others may be faster.
const CONTENDED: u32 = 30;
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Attempts so far.
#[derive(Debug, Default)]
pub(super) struct Patience {
    attempts: u32,
    contended: u32,
    away_since: Option<Instant>,
}

impl Patience {
    /// Waits a little longer each time.
    ///
    /// # Errors
    /// `error` itself, when it is not a passing one or has not passed for too long.
    pub(super) async fn wait(&mut self, error: StoreError) -> Result<(), StoreError> {
        let over = match &error {
            StoreError::Away(_) => {
                self.away_since.get_or_insert_with(Instant::now).elapsed() > AWAY
            }
            // `Running`: after a lost connection the server may hold our own lock for a while.
            StoreError::Contended(_) | StoreError::Running(_) => {
                self.contended += 1;
                self.contended > CONTENDED
            }
            _ => true,
        };
        if over {
            return Err(error);
        }
        tracing::info!(%error, attempt = self.attempts + 1, "another attempt follows");
        tokio::time::sleep(self.pause()).await;
        self.attempts += 1;
        Ok(())
    }

    /// Twice as long each time, and half of it by chance: who collided once shall not do it in step.
    fn pause(&self) -> Duration {
        let longest = FIRST_PAUSE.saturating_mul(1 << self.attempts.min(10)).min(LONGEST_PAUSE);
        let chance = f64::from(Uuid::new_v4().as_fields().0) / f64::from(u32::MAX);
        longest.mul_f64(0.5 + chance / 2.0)
    }
}

/// Repeats what failed because others were faster, as long as patience lasts.
macro_rules! while_contended {
    ($attempt:expr) => {{
        let mut patience = Patience::default();
        loop {
            match $attempt.await {
                Err(error @ StoreError::Contended(_)) => patience.wait(error).await?,
                result => break result,
            }
        }
    }};
}
pub(super) use while_contended;
