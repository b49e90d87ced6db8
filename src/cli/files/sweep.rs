//! `windrow files sweep`: bytes in the locations that no file needs.

use std::collections::{BTreeSet, HashSet};
use std::io::Write;
use std::time::{Duration, SystemTime};

use anyhow::anyhow;
use jiff::SignedDuration;
use thiserror::Error;

use super::super::{Failure, Outcome, talk};
use super::Desk;
use crate::files::{BlobStore, FilesError, Found};
use crate::store::{Store, StoreError};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only this location
    #[arg(long, value_name = "NAME")]
    location: Option<String>,
    /// Only what is older: a load that runs has bytes there that the store does not know yet
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = age)]
    older_than: Duration,
    /// Remove what is found; without it, it is only listed
    #[arg(long)]
    remove: bool,
}

fn age(text: &str) -> Result<Duration, String> {
    let duration: SignedDuration = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    Duration::try_from(duration)
        .map_err(|_| "expected a time such as 1h, not before now".to_owned())
}

/// How much it was.
#[derive(Default)]
struct Swept {
    files: u64,
    bytes: u64,
}

/// Why nothing more is looked at.
#[derive(Debug, Error)]
enum Stop {
    #[error(transparent)]
    Files(#[from] FilesError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Out(#[from] std::io::Error),
}

pub(super) async fn run(desk: Desk, arguments: Arguments) -> Result<Outcome, Failure> {
    if arguments.remove {
        claim(&*desk.store).await?;
    }
    let Swept { files, bytes } = sweep(desk, arguments).await?;
    talk(format_args!("{files} files of {bytes} bytes that no record needs"));
    Ok(Outcome::Clean)
}

/// Keeps all pipelines that ever ran from running while this process does: a load has bytes that
/// the store does not know yet, and may find some that are old.
async fn claim(store: &dyn Store) -> Result<(), Failure> {
    let runs = store.runs(u32::MAX).await?;
    let pipelines: BTreeSet<String> = runs.into_iter().map(|run| run.pipeline).collect();
    for pipeline in pipelines {
        match store.claim(&pipeline).await {
            Err(error @ StoreError::Running(_)) => return Err(Failure::TryLater(error.into())),
            claimed => claimed?,
        }
    }
    Ok(())
}

async fn sweep(desk: Desk, arguments: Arguments) -> Result<Swept, Failure> {
    let mut locations = desk.store.locations().await?;
    if let Some(name) = &arguments.location {
        locations.retain(|location| location.name == *name);
        if locations.is_empty() {
            return Err(anyhow!("there is no location {name}").into());
        }
    }
    let swept = tokio::task::spawn_blocking(move || -> Result<Swept, Stop> {
        let mut all = Swept::default();
        for location in locations {
            let blobs = BlobStore::open(&location.uri, &desk.access)?;
            blobs.walk(|found| page(&desk, &arguments, &blobs, found, &mut all))?;
        }
        Ok(all)
    });
    Ok(swept.await??)
}

fn page(
    desk: &Desk,
    arguments: &Arguments,
    blobs: &BlobStore,
    mut found: Vec<Found>,
    all: &mut Swept,
) -> Result<(), Stop> {
    let now = SystemTime::now();
    found.retain(|found| {
        // What is of the future is young.
        now.duration_since(found.modified).is_ok_and(|age| age >= arguments.older_than)
    });
    let whole = found.iter().filter(|found| !found.is_part);
    let uris: Vec<String> = whole.flat_map(Found::names).collect();
    let known = match uris.is_empty() {
        true => Vec::new(),
        false => {
            let asked = desk.store.instances_at(&uris);
            desk.access.runtime.block_on(asked)?
        }
    };
    let known: HashSet<String> = known.into_iter().map(|known| known.uri).collect();
    found.retain(|found| !found.names().iter().any(|name| known.contains(name)));
    let mut out = std::io::stdout().lock();
    for found in found {
        let kind = if found.is_part { "unfinished" } else { "unknown" };
        writeln!(out, "{kind}\t{}\t{}", found.size, found.uri)?;
        all.files += 1;
        all.bytes += found.size;
        if arguments.remove {
            blobs.remove(&found)?;
        }
    }
    Ok(())
}
