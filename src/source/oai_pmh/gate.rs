//! A gate for each host: whoever asks it passes here, so that it is never asked too much at once.
//!
//! All clients of this process that ask the same host share its gate, and the politest of them
//! says how fast. A host that asks to be left alone is asked by nobody until then, and after that
//! by one first.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// The gates of all hosts that are being asked, or are not to be asked.
static GATES: LazyLock<Mutex<HashMap<String, Arc<Gate>>>> = LazyLock::new(Mutex::default);

/// How one client wants to ask.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manners {
    /// Requests under way at most.
    pub at_once: usize,
    /// Time between the starts of two requests, at least.
    pub pause: Duration,
}

/// A client's place at a gate.
#[derive(Debug)]
pub(super) struct Seat {
    gate: Arc<Gate>,
    number: u64,
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Ticket {
    gate: Arc<Gate>,
    /// How often the gate had been closed when it was given.
    closings: u64,
}

#[derive(Debug)]
struct Gate {
    state: Mutex<State>,
    /// Something may have changed for whoever waits first.
    changed: Notify,
    /// Those who wait pass in the order in which they came.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    /// Of each client, by its number.
    manners: HashMap<u64, Manners>,
    numbers: u64,
    under_way: usize,
    latest: Option<Instant>,
    /// Nobody is let in before.
    closed: Option<Instant>,
    closings: u64,
    /// It was closed, and nobody who came in since has come back.
    careful: bool,
}

enum Answer {
    Come(u64),
    Wait(Instant),
    Full,
}

impl Seat {
    /// A place at the gate of `host`.
    pub(super) fn take(host: &str, manners: Manners) -> Seat {
        let mut gates = lock(&GATES);
        let now = Instant::now();
        gates.retain(|_, gate| {
            Arc::strong_count(gate) > 1
                || lock(&gate.state).closed.is_some_and(|closed| closed > now)
        });
        let gate = gates.entry(host.to_owned()).or_insert_with(|| {
            Arc::new(Gate {
                state: Mutex::new(State {
                    manners: HashMap::new(),
                    numbers: 0,
                    under_way: 0,
                    latest: None,
                    closed: None,
                    closings: 0,
                    careful: false,
                }),
                changed: Notify::new(),
                turn: tokio::sync::Mutex::new(()),
            })
        });
        let gate = Arc::clone(gate);
        let mut state = lock(&gate.state);
        state.numbers += 1;
        let number = state.numbers;
        state.manners.insert(number, manners);
        drop(state);
        Seat { gate, number }
    }

    /// Waits until a request may begin.
    ///
    /// # Errors
    /// The time that is left when the host is not to be asked for longer than `patience`.
    pub(super) async fn enter(&self, patience: Duration) -> Result<Ticket, Duration> {
        let _turn = self.gate.turn.lock().await;
        loop {
            let mut changed = pin!(self.gate.changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            match self.gate.answer(patience)? {
                Answer::Come(closings) => {
                    return Ok(Ticket { gate: Arc::clone(&self.gate), closings });
                }
                Answer::Wait(moment) => tokio::select! {
                    () = sleep_until(moment) => {}
                    () = changed => {}
                },
                Answer::Full => changed.await,
            }
        }
    }

    /// Lets nobody in before `wait` is over, and then one alone.
    pub(super) fn close(&self, wait: Duration) {
        let mut state = lock(&self.gate.state);
        // A host that says a million years means for good.
        let end = Instant::now() + wait.min(Duration::from_secs(366 * 86_400));
        state.closed = Some(state.closed.map_or(end, |closed| closed.max(end)));
        state.careful = true;
        state.closings += 1;
        drop(state);
        self.gate.changed.notify_one();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        lock(&self.gate.state).manners.remove(&self.number);
        self.gate.changed.notify_one();
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = lock(&self.gate.state);
        state.under_way = state.under_way.saturating_sub(1);
        state.careful &= self.closings != state.closings;
        drop(state);
        self.gate.changed.notify_one();
    }
}

impl Gate {
    // Whether one more may come now; then it counts as under way.
    fn answer(&self, patience: Duration) -> Result<Answer, Duration> {
        let mut state = lock(&self.state);
        let now = Instant::now();
        if let Some(closed) = state.closed.filter(|closed| *closed > now) {
            let left = closed - now;
            return if left > patience { Err(left) } else { Ok(Answer::Wait(closed)) };
        }
        let politest = state.manners.values().map(|manners| manners.at_once).min();
        let at_once = if state.careful { 1 } else { politest.unwrap_or(1).max(1) };
        if state.under_way >= at_once {
            return Ok(Answer::Full);
        }
        let pause = state.manners.values().map(|manners| manners.pause).max().unwrap_or_default();
        if let Some(next) = state.latest.map(|latest| latest + pause).filter(|next| *next > now) {
            return Ok(Answer::Wait(next));
        }
        state.under_way += 1;
        state.latest = Some(now);
        Ok(Answer::Come(state.closings))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Duration = Duration::ZERO;
    const LONG: Duration = Duration::from_secs(1000);

    fn seat(host: &str, at_once: usize, pause: u64) -> Seat {
        Seat::take(host, Manners { at_once, pause: Duration::from_secs(pause) })
    }

    async fn passes(seat: &Seat) -> Option<Ticket> {
        tokio::time::timeout(NONE, seat.enter(LONG)).await.ok().map(Result::unwrap)
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
    }

    #[test]
    fn the_politest_says_how_many_ask_a_host_at_once() {
        runtime().block_on(async {
            let bold = seat("hay.example:1", 3, 0);
            let tickets = [passes(&bold).await.unwrap(), passes(&bold).await.unwrap()];
            let polite = seat("hay.example:1", 1, 0);
            assert!(passes(&bold).await.is_none() && passes(&polite).await.is_none());
            assert!(passes(&seat("straw.example", 1, 0)).await.is_some());
            drop(tickets);
            let one = passes(&polite).await.unwrap();
            assert!(passes(&bold).await.is_none());
            drop(polite);
            assert!(passes(&bold).await.is_some());
            drop(one);
        });
    }

    #[test]
    fn a_gate_that_is_closed_is_closed_for_all_and_opens_for_one_first() {
        runtime().block_on(async {
            let (first, second) = (seat("hay.example:2", 3, 0), seat("hay.example:2", 3, 0));
            let (ticket, under_way) = (passes(&first).await.unwrap(), passes(&second).await);
            first.close(Duration::from_millis(30));
            drop((ticket, under_way));
            assert!(passes(&second).await.is_none());
            let late = second.enter(Duration::from_millis(1)).await;
            assert!(late.unwrap_err() > Duration::from_millis(1));
            let alone = second.enter(LONG).await.unwrap();
            assert!(passes(&first).await.is_none());
            drop(alone);
            drop((first, second));
            let (first, second) = (seat("hay.example:2", 3, 0), seat("hay.example:2", 3, 0));
            let both = (passes(&first).await, passes(&second).await);
            assert!(both.0.is_some() && both.1.is_some());
        });
    }

    #[test]
    fn a_gate_stays_closed_when_nobody_waits_at_it() {
        runtime().block_on(async {
            seat("hay.example:4", 1, 0).close(LONG);
            let left = seat("hay.example:4", 1, 0).enter(Duration::from_secs(60)).await;
            assert!(left.unwrap_err() > Duration::from_secs(900));
        });
    }

    #[test]
    fn a_pause_is_kept_by_all() {
        runtime().block_on(async {
            let (first, second) = (seat("hay.example:3", 9, 0), seat("hay.example:3", 9, 100));
            assert!(passes(&first).await.is_some());
            assert!(passes(&first).await.is_none() && passes(&second).await.is_none());
        });
    }
}
