//! The `windrow` command: parse, run, print the error chain, exit status.

use std::process::ExitCode;

use clap::Parser;
use windrow::cli::{Cli, Failure, Outcome, complain};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let usage = error.use_stderr();
            // Nothing is left to do when even the help cannot be printed.
            let _printed = error.print();
            return ExitCode::from(if usage { 64 } else { 0 });
        }
    };
    let result = cli.run();
    if let Err(failure) = &result {
        complain(failure);
    }
    ExitCode::from(match result {
        Ok(Outcome::Clean) => 0,
        Ok(Outcome::Quarantined) => 1,
        Err(Failure::Failed(_)) => 2,
        Err(Failure::Usage(_)) => 64,
        Err(Failure::TryLater(_)) => 75,
        Err(Failure::Configuration(_)) => 78,
    })
}
