//! `windrow files location list | create | set-default`.

use std::path::Path;

use serde_json::json;

use super::super::batch::print;
use super::super::{Failure, Outcome, configuration};
use super::Desk;
use crate::files::BlobStore;
use crate::store::Location;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Print all locations, a line of JSON each
    List,
    /// Make a location
    Create {
        /// Its name, at most 20 characters
        name: String,
        /// A folder that is there, or s3://BUCKET/PREFIX
        uri: String,
        /// Make it the default
        #[arg(long)]
        default: bool,
    },
    /// Make a location the default
    SetDefault {
        /// Its name
        name: String,
    },
}

pub(super) async fn run(desk: &Desk, verb: Verb) -> Result<Outcome, Failure> {
    match verb {
        Verb::List => {
            for location in desk.store.locations().await? {
                show(&location)?;
            }
        }
        Verb::Create { name, uri, default } => {
            let uri = match uri.contains("://") {
                true => uri,
                // Whoever reads it stands elsewhere.
                false => std::path::absolute(Path::new(&uri))?.display().to_string(),
            };
            let (tried, access) = (uri.clone(), desk.access.clone());
            let opened = tokio::task::spawn_blocking(move || BlobStore::open(&tried, &access));
            opened.await?.map_err(configuration)?;
            show(&desk.store.make_location(&name, &uri, default, desk.now).await?)?;
        }
        Verb::SetDefault { name } => desk.store.set_default_location(&name, desk.now).await?,
    }
    Ok(Outcome::Clean)
}

fn show(location: &Location) -> Result<(), Failure> {
    print(&json!({
        "name": location.name,
        "uri": location.uri,
        "default": location.is_default,
    }))
}
