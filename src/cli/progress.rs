//! How far the work has come: a bar on a terminal, else a line every few seconds.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

use super::talk;
use crate::pipeline::Progress;

/// Shows progress on stderr until it is dropped.
pub struct Watcher {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Begins to show.
    #[must_use]
    pub fn new(progress: Arc<Progress>) -> Watcher {
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::spawn(move || watch(&progress, &stopped));
        Watcher { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A bar that broke off is no reason to stop the work.
            let _ended = thread.join();
        }
    }
}

fn watch(progress: &Progress, stopped: &mpsc::Receiver<()>) {
    let terminal = std::io::stderr().is_terminal();
    let bar = if terminal { bar() } else { ProgressBar::hidden() };
    let begun = Instant::now();
    let tick = Duration::from_millis(if terminal { 100 } else { 5000 });
    // The bar's end clears it.
    while stopped.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (records, quarantined) = (load(&progress.records), load(&progress.quarantined));
        let (bytes, total) = (load(&progress.bytes), load(&progress.total_bytes));
        let rate = rate(records, begun.elapsed());
        if terminal {
            // Nobody knows how much will come from a pipe.
            bar.set_length(total.max(bytes));
            bar.set_position(bytes);
            bar.set_message(format!("{records} records, {rate}/s, {quarantined} held back"));
        } else {
            let of_total = if total > 0 { format!(" of {total}") } else { String::new() };
            talk(format_args!(
                "{records} records, {rate}/s, {bytes}{of_total} bytes, {quarantined} held back"
            ));
        }
    }
}

fn bar() -> ProgressBar {
    let template = "{bar:30} {bytes}/{total_bytes} {msg}, {eta} left";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style).with_finish(ProgressFinish::AndClear)
}

fn rate(records: u64, elapsed: Duration) -> u64 {
    let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    records.saturating_mul(1000) / milliseconds
}
