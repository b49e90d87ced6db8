//! `windrow serve`: the store's OAI-PMH endpoint.

mod containers;
mod site;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::{Context, anyhow};

use super::log::{Log, stderr};
use super::{
    Failure, Outcome, Signals, StoreArguments, clock, configuration, log_to, runtime, talk,
};
use crate::server::{ServerState, serve};
use crate::yaml::SourceText;
use site::Site;

/// The file that is read when there is one and none is named.
const CONFIGURATION: &str = "windrow.yaml";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The site's configuration; without it, windrow.yaml where there is one
    #[arg(long, value_name = "FILE", env = "WINDROW_CONFIG")]
    config: Option<PathBuf>,
    /// The store: sqlite:PATH or postgresql://USER@HOST/DATABASE [default: sqlite:windrow.db]
    #[arg(long, value_name = "URL", env = "WINDROW_STORE")]
    store: Option<String>,
    /// Address and port to listen on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", env = "WINDROW_LISTEN")]
    listen: Option<SocketAddr>,
    /// The URL that harvesters use; without it, the address listened on
    #[arg(long, value_name = "URL", env = "WINDROW_BASE_URL")]
    base_url: Option<String>,
    /// The repository's name for people [default: windrow]
    #[arg(long, value_name = "TEXT", env = "WINDROW_REPOSITORY_NAME")]
    repository_name: Option<String>,
    /// The repository's domain name, as in oai:DOMAIN:1 [default: localhost.localdomain]
    #[arg(long, value_name = "DOMAIN", env = "WINDROW_REPOSITORY_ID")]
    repository_id: Option<String>,
    /// Address of those who run it; may be repeated [default: admin@localhost.localdomain]
    #[arg(
        long = "admin-email",
        value_name = "ADDRESS",
        env = "WINDROW_ADMIN_EMAIL",
        value_delimiter = ','
    )]
    admin_emails: Vec<String>,
    /// Items on a page of a list [default: 100]
    #[arg(long, value_name = "N", env = "WINDROW_PAGE_SIZE")]
    page_size: Option<u32>,
    /// A folder whose record-to-oai_dc.yaml and the like replace those that are built in
    #[arg(long, value_name = "FOLDER", env = "WINDROW_CROSSWALKS")]
    crosswalks: Option<PathBuf>,
}

impl Arguments {
    /// The site of its file, and over it what the command line and the environment say.
    fn site(&self) -> Result<Site, Failure> {
        let default = Path::new(CONFIGURATION);
        let path = self.config.as_deref().or_else(|| default.exists().then_some(default));
        let mut site = match path {
            None => Site::plain(self.crosswalks.as_deref()).map_err(configuration)?,
            Some(path) => {
                let name = path.display().to_string();
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read configuration {name}"))
                    .map_err(configuration)?;
                let source = Arc::new(SourceText { name, text });
                let folder = path.parent().unwrap_or(Path::new(""));
                Site::read(&source, folder, self.crosswalks.as_deref()).map_err(configuration)?
            }
        };
        let config = &mut site.config;
        if let Some(name) = &self.repository_name {
            config.repository_name.clone_from(name);
        }
        if let Some(identifier) = &self.repository_id {
            config.repository_identifier.clone_from(identifier);
        }
        if !self.admin_emails.is_empty() {
            config.admin_emails.clone_from(&self.admin_emails);
        }
        config.page_size = self.page_size.unwrap_or(config.page_size);
        site.store = self.store.clone().or(site.store);
        site.listen = self.listen.or(site.listen);
        site.base_url = self.base_url.clone().or(site.base_url);
        Ok(site)
    }
}

pub fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let log = Log::start(stderr()).context("cannot start the log")?;
    // Who serves wants to see who asks.
    log_to(log.clone(), "warn,access=info,windrow::server=info");
    let ended = answer(arguments, log.lost());
    log.finish();
    ended
}

// `lost_lines` are those of the log that nobody will see.
fn answer(arguments: &Arguments, lost_lines: Arc<AtomicU64>) -> Result<Outcome, Failure> {
    let clock = clock()?;
    let site = arguments.site()?;
    let mut config = site.config;
    let listen = site.listen.unwrap_or(([127, 0, 0, 1], 8080).into());
    let is_local = site.base_url.is_none();
    config.base_url = site.base_url.unwrap_or_else(|| format!("http://{listen}/oai"));
    config.check().map_err(configuration)?;
    runtime()?.block_on(async {
        let store = StoreArguments::of(site.store).open_existing().await?;
        let mut token_keys = site.token_keys;
        if token_keys.is_empty() {
            token_keys.push(store.token_key().await?);
        }
        let listener = tokio::net::TcpListener::bind(listen).await.map_err(|error| {
            let message = anyhow!("cannot listen on {listen}: {error}");
            match error.kind() {
                std::io::ErrorKind::AddrInUse => Failure::TryLater(message),
                _ => Failure::Configuration(message),
            }
        })?;
        let address = listener.local_addr().context("no address to listen on")?;
        if is_local {
            config.base_url = format!("http://{address}/oai");
        }
        let mut signals = Signals::listen()?;
        let serializers = Arc::new(site.serializers);
        let state = ServerState { store, serializers, config, clock, token_keys, lost_lines };
        talk(format_args!("OAI-PMH at http://{address}/oai, health at http://{address}/health"));
        serve(listener, state, async move { signals.next().await }).await?;
        Ok(Outcome::Clean)
    })
}
