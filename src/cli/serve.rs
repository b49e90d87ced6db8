//! `windrow serve`: the store's OAI-PMH endpoint.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, anyhow};

use super::{Failure, Outcome, StoreArguments, clock, configuration, runtime, talk};
use crate::record::Clock;
use crate::serializers::serializers;
use crate::server::{ServerConfig, ServerState, serve};
use crate::store::Store;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
    /// Address and port to listen on
    #[arg(long, value_name = "ADDR", env = "WINDROW_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The URL that harvesters use; without it, the address listened on
    #[arg(long, value_name = "URL", env = "WINDROW_BASE_URL")]
    base_url: Option<String>,
    /// The repository's name for people
    #[arg(long, value_name = "TEXT", env = "WINDROW_REPOSITORY_NAME", default_value = "windrow")]
    repository_name: String,
    /// The repository's domain name, as in oai:DOMAIN:1
    #[arg(
        long,
        value_name = "DOMAIN",
        env = "WINDROW_REPOSITORY_ID",
        default_value = "localhost.localdomain"
    )]
    repository_id: String,
    /// Address of those who run it; may be repeated
    #[arg(
        long = "admin-email",
        value_name = "ADDRESS",
        env = "WINDROW_ADMIN_EMAIL",
        value_delimiter = ',',
        default_value = "admin@localhost.localdomain"
    )]
    admin_emails: Vec<String>,
    /// Items on a page of a list
    #[arg(long, value_name = "N", env = "WINDROW_PAGE_SIZE", default_value_t = 100)]
    page_size: u32,
    /// A folder whose record-to-oai_dc.yaml replaces the one that is built in
    #[arg(long, value_name = "FOLDER", env = "WINDROW_CROSSWALKS")]
    crosswalks: Option<PathBuf>,
}

pub fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    let clock = clock()?;
    let serializers = serializers(arguments.crosswalks.as_deref()).map_err(configuration)?;
    runtime()?.block_on(async {
        let store = arguments.store.open_existing().await?;
        let token_key = store.token_key().await?;
        follow(&*store, clock).await;
        let listener = tokio::net::TcpListener::bind(arguments.listen).await.map_err(|error| {
            let message = anyhow!("cannot listen on {}: {error}", arguments.listen);
            match error.kind() {
                std::io::ErrorKind::AddrInUse => Failure::TryLater(message),
                _ => Failure::Configuration(message),
            }
        })?;
        let address = listener.local_addr().context("no address to listen on")?;
        let config = ServerConfig {
            repository_name: arguments.repository_name,
            base_url: arguments.base_url.unwrap_or_else(|| format!("http://{address}/oai")),
            repository_identifier: arguments.repository_id,
            admin_emails: arguments.admin_emails,
            page_size: arguments.page_size,
        };
        config.check().map_err(configuration)?;
        let serializers = Arc::new(serializers);
        let state = ServerState { store, serializers, config, clock, token_key };
        talk(format_args!("OAI-PMH at http://{address}/oai, health at http://{address}/health"));
        serve(listener, state, shutdown()).await?;
        Ok(Outcome::Clean)
    })
}

/// Brings what others have written into what is listed, to its end. What cannot be followed does
/// not keep the rest from being served.
async fn follow(store: &dyn Store, clock: Clock) {
    loop {
        match store.follow(clock.now(), 10_000).await {
            Ok(step) if step.more => {}
            Ok(_) => return,
            Err(error) => {
                talk(format_args!("windrow: what is listed may not be up to date: {error}"));
                return;
            }
        }
    }
}

/// Resolves when the process is asked to end.
async fn shutdown() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _interrupted = interrupt.await;
}
