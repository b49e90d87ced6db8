//! The log of a server: lines that a thread of its own writes to stderr, so that nobody waits.
//!
//! Whoever reads the log may be slow, or stop to read: then lines wait, up to a limit, and what
//! comes behind it is lost, counted and told of.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Bytes of lines that may wait: those of some 5,000 requests.
const MOST_WAITING: usize = 1 << 20;
/// So long the end of the program waits for what is left.
const PATIENCE: Duration = Duration::from_secs(1);

enum Message {
    Line(Vec<u8>),
    /// All before it is written.
    Mark(Sender<()>),
}

/// Where lines are put; what it is cloned into puts them to the same place.
#[derive(Debug, Clone)]
pub struct Log {
    sender: Sender<Message>,
    waiting: Arc<AtomicUsize>,
    lost: Arc<AtomicU64>,
}

impl Log {
    /// Starts the thread that writes to `out`.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<Log> {
        let (sender, receiver) = channel();
        let log = Log { sender, waiting: Arc::default(), lost: Arc::default() };
        let (waiting, lost) = (Arc::clone(&log.waiting), Arc::clone(&log.lost));
        let writing = move || write(&receiver, out, &waiting, &lost);
        std::thread::Builder::new().name("log".to_owned()).spawn(writing)?;
        Ok(log)
    }

    /// Lines that nobody will see.
    pub fn lost(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.lost)
    }

    /// Waits until all is written, but not for long.
    pub fn finish(&self) {
        let (mark, reached) = channel();
        if self.sender.send(Message::Mark(mark)).is_ok() {
            let _in_time = reached.recv_timeout(PATIENCE);
        }
    }
}

// One event comes in one piece.
impl Write for &Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let waiting = self.waiting.fetch_add(line.len(), Ordering::Relaxed);
        let is_full = waiting > 0 && waiting.saturating_add(line.len()) > MOST_WAITING;
        if is_full || self.sender.send(Message::Line(line.to_vec())).is_err() {
            self.waiting.fetch_sub(line.len(), Ordering::Relaxed);
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'l> MakeWriter<'l> for Log {
    type Writer = &'l Log;

    fn make_writer(&'l self) -> &'l Log {
        self
    }
}

/// stderr without its lock: who waits to write there stops nobody else.
#[cfg(unix)]
pub fn stderr() -> Box<dyn Write + Send> {
    use std::os::fd::AsFd;
    match io::stderr().as_fd().try_clone_to_owned() {
        Ok(stderr) => Box::new(std::fs::File::from(stderr)),
        Err(_) => Box::new(io::stderr()),
    }
}

#[cfg(not(unix))]
pub fn stderr() -> Box<dyn Write + Send> {
    Box::new(io::stderr())
}

fn write(
    receiver: &Receiver<Message>,
    mut out: impl Write,
    waiting: &AtomicUsize,
    lost: &AtomicU64,
) {
    let mut told = 0;
    while let Ok(message) = receiver.recv() {
        match message {
            Message::Line(line) => {
                // Whoever reads the log may go away: that is no reason to stop.
                let _written = out.write_all(&line);
                waiting.fetch_sub(line.len(), Ordering::Relaxed);
            }
            Message::Mark(mark) => drop(mark.send(())),
        }
        let now = lost.load(Ordering::Relaxed);
        // Behind the last line that waited, where the lost ones would stand.
        if now > told && waiting.load(Ordering::Relaxed) == 0 {
            let _written =
                writeln!(out, "{} lines of the log are lost: it was not read", now - told);
            told = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Takes nothing until it is let.
    #[derive(Clone, Default)]
    struct Slow {
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_does_not_fit_is_lost_counted_and_told_and_the_rest_is_written_in_order() {
        let slow = Slow::default();
        let log = Log::start(slow.clone()).unwrap();
        let mut line = vec![b'a'; 100_000];
        line.push(b'\n');
        let held = slow.written.lock().unwrap();
        for _ in 0..20 {
            (&log).write_all(&line).unwrap();
        }
        let lost = log.lost().load(Ordering::Relaxed);
        assert_eq!(lost, 10, "ten lines fit into the limit");
        // Nobody waits for long at the end, either.
        log.finish();
        drop(held);
        log.finish();
        let written = String::from_utf8(slow.written.lock().unwrap().clone()).unwrap();
        let lines: Vec<&str> = written.lines().collect();
        assert_eq!(lines.len(), 11);
        assert_eq!(lines[10], "10 lines of the log are lost: it was not read");
        (&log).write_all(b"more\n").unwrap();
        log.finish();
        assert!(slow.written.lock().unwrap().ends_with(b"read\nmore\n"));
    }
}
