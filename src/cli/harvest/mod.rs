//! `windrow harvest`: ask an OAI-PMH endpoint, and take all that it has.

mod endpoint;
mod lists;
mod records;
mod replay;

pub use endpoint::EndpointArguments;

use super::{Failure, Outcome};
use crate::oai::ListVerb;
use crate::source::oai_pmh::HarvestError;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// What the endpoint says of itself
    Identify(lists::Arguments),
    /// The sets of the endpoint
    Sets(lists::Arguments),
    /// The metadata formats of the endpoint, or of one of its items
    Formats(lists::FormatArguments),
    /// Headers of records, one JSON object a line
    Identifiers(records::Arguments),
    /// Records, one JSON object a line
    Records(records::Arguments),
    /// One record, as a JSON object
    Get(lists::GetArguments),
    /// The records of a journal, one JSON object a line, without asking the endpoint
    Replay(replay::Arguments),
}

pub fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    match arguments.verb {
        Verb::Identify(arguments) => lists::identify(arguments),
        Verb::Sets(arguments) => lists::sets(arguments),
        Verb::Formats(arguments) => lists::formats(arguments),
        Verb::Identifiers(arguments) => records::run(arguments, ListVerb::ListIdentifiers),
        Verb::Records(arguments) => records::run(arguments, ListVerb::ListRecords),
        Verb::Get(arguments) => lists::get(arguments),
        Verb::Replay(arguments) => replay::run(&arguments),
    }
}

/// What a harvest's error means for the exit status.
pub fn failure(error: HarvestError) -> Failure {
    match error {
        HarvestError::Configuration(_) => Failure::Configuration(error.into()),
        HarvestError::TryLater(_) | HarvestError::Busy(_) | HarvestError::Halted => {
            Failure::TryLater(error.into())
        }
        // As it is, so that a closed pipe is known as one.
        HarvestError::Sink(error) => error.into(),
        error => error.into(),
    }
}
