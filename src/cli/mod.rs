//! The command line: one verb a file. The only room that talks to a terminal.
//!
//! stdout is data, stderr is talk; progress bars only on a terminal.

mod access;
mod audit;
mod batch;
mod convert;
mod crosswalk;
mod doctor;
mod files;
mod harvest;
mod log;
mod pids;
mod progress;
mod quarantine;
mod records;
mod run;
mod runs;
mod schedule;
mod serve;
mod show;
mod things;
mod validate;

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use clap::{Parser, Subcommand};
use jiff::Timestamp;

use crate::record::Clock;
use crate::store::{self, Store};

/// Takes bibliographic metadata in, rakes it into one shape, stores it and gives it out.
#[derive(Debug, Parser)]
#[command(name = "windrow", version, about, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Load what a pipeline says; an interrupted run goes on where it stopped
    Run(run::Arguments),
    /// Harvest an OAI-PMH endpoint, or ask it what it has
    Harvest(Box<harvest::Arguments>),
    /// Examine an OAI-PMH endpoint, or those of a folder of pipelines, and tell what is wrong
    Doctor(Box<doctor::Arguments>),
    /// Run pipelines at their times
    Schedule(schedule::Arguments),
    /// Convert records of one format into another
    Convert(convert::Arguments),
    /// Serve OAI-PMH at /oai, and /health
    Serve(Box<serve::Arguments>),
    /// Check, test, try and compare crosswalks
    Crosswalk(crosswalk::Arguments),
    /// Check a pipeline and all it names, before the first record
    Validate(validate::Arguments),
    /// Compare what a pipeline reads with what the store has of it; nothing is written
    Audit(audit::Arguments),
    /// Look at records that were held back
    Quarantine(quarantine::Arguments),
    /// List rules of who may see records and files, and what became of them
    Access(access::Arguments),
    /// Look at the reports of runs
    Runs(runs::Arguments),
    /// Get, create, change and delete single records
    Records(records::Arguments),
    /// Get, make and change persistent identifiers
    Pids(pids::Arguments),
    /// List and export what dumps had beside records: users, communities and the like
    Things(things::Arguments),
    /// List, get and put files of records; verify and sweep what keeps them
    Files(files::Arguments),
}

/// How a command ended when it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Clean,
    /// Done, but records were rejected or are in quarantine, or a test did not pass.
    Quarantined,
}

/// Why a command failed; `main` makes an exit status of it.
#[derive(Debug)]
pub enum Failure {
    /// The work could not be done.
    Failed(anyhow::Error),
    /// Something outside is not ready.
    TryLater(anyhow::Error),
    /// A file of the user's, or a setting, is wrong.
    Configuration(anyhow::Error),
    /// The command asks for what cannot be.
    Usage(anyhow::Error),
}

impl Outcome {
    /// The word of it, where runs are listed.
    fn word(self) -> &'static str {
        match self {
            Outcome::Clean => "clean",
            Outcome::Quarantined => "quarantined",
        }
    }
}

impl Failure {
    fn error(&self) -> &anyhow::Error {
        let (Failure::Failed(error)
        | Failure::TryLater(error)
        | Failure::Configuration(error)
        | Failure::Usage(error)) = self;
        error
    }

    /// The word of it, where runs are listed.
    fn word(&self) -> &'static str {
        match self {
            Failure::Failed(_) | Failure::Usage(_) => "failed",
            Failure::TryLater(_) => "try later",
            Failure::Configuration(_) => "configuration",
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::Failed(error.into())
    }
}

/// Marks an error as one of configuration.
fn configuration(error: impl Into<anyhow::Error>) -> Failure {
    Failure::Configuration(error.into())
}

/// Marks an error as one of usage.
fn usage(error: impl Into<anyhow::Error>) -> Failure {
    Failure::Usage(error.into())
}

/// Prints the error chain to stderr.
pub fn complain(failure: &Failure) {
    let text = format!("{:#}", failure.error());
    // Reports on files begin with their own `error[…]`.
    let prefix = if text.starts_with("error") { "" } else { "windrow: " };
    talk(format_args!("{prefix}{text}"));
}

/// A line to stderr; a closed stderr is nobody's concern.
fn talk(line: std::fmt::Arguments<'_>) {
    let _written = writeln!(std::io::stderr().lock(), "{line}");
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Failure`], by the meaning of exit statuses.
    pub fn run(self) -> Result<Outcome, Failure> {
        match self.dispatch() {
            // Whoever read our output has had enough: `windrow quarantine list | head`.
            Err(Failure::Failed(error)) if is_broken_pipe(&error) => Ok(Outcome::Clean),
            other => other,
        }
    }

    fn dispatch(self) -> Result<Outcome, Failure> {
        if !matches!(self.verb, Verb::Serve(_)) {
            log_to(std::io::stderr, "warn");
        }
        match self.verb {
            Verb::Run(arguments) => run::run(&arguments),
            Verb::Harvest(arguments) => harvest::run(*arguments),
            Verb::Doctor(arguments) => doctor::run(*arguments),
            Verb::Schedule(arguments) => schedule::run(arguments),
            Verb::Convert(arguments) => convert::run(&arguments),
            Verb::Serve(arguments) => serve::run(&arguments),
            Verb::Crosswalk(arguments) => crosswalk::run(arguments),
            Verb::Validate(arguments) => validate::run(&arguments),
            Verb::Audit(arguments) => audit::run(&arguments),
            Verb::Quarantine(arguments) => quarantine::run(arguments),
            Verb::Access(arguments) => access::run(arguments),
            Verb::Runs(arguments) => runs::run(arguments),
            Verb::Records(arguments) => records::run(arguments),
            Verb::Pids(arguments) => pids::run(arguments),
            Verb::Things(arguments) => things::run(arguments),
            Verb::Files(arguments) => files::run(arguments),
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.root_cause().downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn log_to<W>(writer: W, default: &str)
where
    W: for<'w> tracing_subscriber::fmt::MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = tracing_subscriber::EnvFilter::try_from_env("WINDROW_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    // Whoever reads the log may go away: that is no reason to stop.
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).log_internal_errors(false);
    // A second call, in tests, finds a logger in place.
    let _set = subscriber.with_writer(writer).try_init();
}

/// The store that is used when none is named.
const DEFAULT_STORE: &str = "sqlite:windrow.db";

/// Where the records are.
#[derive(Debug, Clone, clap::Args)]
struct StoreArguments {
    /// The store: sqlite:PATH or postgresql://USER@HOST/DATABASE
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "WINDROW_STORE",
        default_value = DEFAULT_STORE
    )]
    store: String,
}

impl StoreArguments {
    /// A store that was named elsewhere, if it was.
    fn of(store: Option<String>) -> StoreArguments {
        StoreArguments { store: store.unwrap_or_else(|| DEFAULT_STORE.to_owned()) }
    }

    /// Opens the store, making it when it is not there.
    async fn open(&self) -> Result<Arc<dyn Store>, Failure> {
        store::open(&self.store).await.map_err(configuration)
    }

    /// Whether there is one already, as far as that can be told without asking.
    fn exists(&self) -> bool {
        self.store.strip_prefix("sqlite:").is_none_or(|path| Path::new(path).exists())
    }

    /// Opens a store that must be there already.
    async fn open_existing(&self) -> Result<Arc<dyn Store>, Failure> {
        store::open_existing(&self.store).await.map_err(configuration)
    }
}

/// The clock: the machine's, or the one that `SOURCE_DATE_EPOCH` stops.
fn clock() -> Result<Clock, Failure> {
    let Ok(text) = std::env::var("SOURCE_DATE_EPOCH") else { return Ok(Clock::System) };
    let second: i64 = text
        .parse()
        .with_context(|| format!("SOURCE_DATE_EPOCH is {text:?}, expected seconds since 1970"))
        .map_err(configuration)?;
    Timestamp::from_second(second)
        .map(Clock::Fixed)
        .context("SOURCE_DATE_EPOCH is out of range")
        .map_err(configuration)
}

/// Whether the process is asked to end. What it was asked before [`Signals::next`] counts, too.
struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// Listens from now on; must be called in a runtime.
    fn listen() -> Result<Signals, Failure> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let interrupt = signal(SignalKind::interrupt()).context("cannot listen to SIGINT")?;
            let terminate = signal(SignalKind::terminate()).context("cannot listen to SIGTERM")?;
            Ok(Signals { interrupt, terminate })
        }
        #[cfg(not(unix))]
        Ok(Signals {})
    }

    /// Resolves when the process is asked once more.
    async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(not(unix))]
        let _interrupted = tokio::signal::ctrl_c().await;
    }
}

/// For one task after another: nothing is handed from thread to thread.
fn runtime_of_one_thread() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.context("cannot start the async runtime")?)
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    Ok(runtime.context("cannot start the async runtime")?)
}
