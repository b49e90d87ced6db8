//! `windrow things list | export`: what dumps had beside records, with secrets redacted.

use std::io::Write;

use serde_json::Value;

use super::{Failure, Outcome, StoreArguments, runtime_of_one_thread};
use crate::formats::invenio_v1::redact;
use crate::store::StoredThing;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// One line a thing: its kind, its name, its source, where it stood
    List {
        #[command(flatten)]
        store: StoreArguments,
        /// Only things of this kind: users, communities, access, …
        #[arg(long, value_name = "KIND")]
        kind: Option<String>,
    },
    /// JSON lines, each a thing as it came; passwords, tokens and the like are "redacted"
    Export {
        #[command(flatten)]
        store: StoreArguments,
        /// Only things of this kind
        #[arg(long, value_name = "KIND")]
        kind: Option<String>,
        /// With passwords, tokens and the like
        #[arg(long)]
        secrets: bool,
    },
}

const PAGE: u32 = 1000;

pub fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    let (store, kind, form) = match arguments.verb {
        Verb::List { store, kind } => (store, kind, None),
        Verb::Export { store, kind, secrets } => (store, kind, Some(secrets)),
    };
    runtime_of_one_thread()?.block_on(async {
        let store = store.open_existing().await?;
        let mut out = std::io::stdout().lock();
        let (mut source_name, mut last_kind, mut key) =
            (String::new(), String::new(), String::new());
        loop {
            let after = (source_name.as_str(), last_kind.as_str(), key.as_str());
            let things = store.things(kind.as_deref(), after, PAGE).await?;
            let Some(last) = things.last() else { return Ok(Outcome::Clean) };
            let place = (last.source_name.clone(), last.kind.clone(), last.key.clone());
            for thing in &things {
                match form {
                    None => writeln!(
                        out,
                        "{}\t{}\t{}\t{}",
                        thing.kind, thing.key, thing.source_name, thing.locator
                    )?,
                    Some(secrets) => export(thing, secrets, &mut out)?,
                }
            }
            (source_name, last_kind, key) = place;
        }
    })
}

fn export(thing: &StoredThing, secrets: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let mut json: Value = serde_json::from_slice(&thing.json)?;
    if !secrets {
        redact(&mut json);
    }
    let line = serde_json::json!({
        "kind": thing.kind, "key": thing.key, "source": thing.source_name, "json": json,
    });
    writeln!(out, "{line}")?;
    Ok(())
}
