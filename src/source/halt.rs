//! The wish that work should end: whoever works looks, and stops at its next page or batch.

use tokio::sync::watch;

/// Asks for the end; dropping it asks for nothing.
#[derive(Debug)]
pub struct Switch(watch::Sender<bool>);

/// Whether the end was asked for.
#[derive(Debug, Clone)]
pub struct Halt(watch::Receiver<bool>);

impl Switch {
    /// Asks for the end.
    pub fn turn(&self) {
        self.0.send_replace(true);
    }
}

impl Halt {
    /// One that a switch turns.
    #[must_use]
    pub fn with_switch() -> (Switch, Halt) {
        let (sender, receiver) = watch::channel(false);
        (Switch(sender), Halt(receiver))
    }

    /// One that nobody turns.
    #[must_use]
    pub fn never() -> Halt {
        Halt::with_switch().1
    }

    /// Whether the end was asked for.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the end is asked for.
    pub async fn asked(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|asked| *asked).await.is_err() {
            // Nobody can ask any more.
            std::future::pending::<()>().await;
        }
    }
}
