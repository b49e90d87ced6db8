//! The way out: OAI-PMH at `/oai` (GET and POST), the server's state of health at `/health`.

mod error;
mod health;
mod list;
mod oai_pmh;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::get;
use thiserror::Error;
use tokio::net::TcpListener;

use crate::record::Clock;
use crate::serializers::Serializer;
use crate::store::Store;

pub use error::ServerError;

/// The largest form that is read, in bytes.
pub const MAX_FORM_BYTES: usize = 64 * 1024;

/// What the endpoint says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// Its name for people.
    pub repository_name: String,
    /// The URL that harvesters use, `https://example.org/oai`.
    pub base_url: String,
    /// The namespace of `oai:NAMESPACE:LOCAL` identifiers: a domain name of the repository.
    pub repository_identifier: String,
    /// At least one address of those who run it.
    pub admin_emails: Vec<String>,
    /// Items on a page of a list, from 1.
    pub page_size: u32,
}

impl Default for ServerConfig {
    fn default() -> ServerConfig {
        ServerConfig {
            repository_name: "windrow".to_owned(),
            base_url: "http://localhost:8080/oai".to_owned(),
            repository_identifier: "localhost.localdomain".to_owned(),
            admin_emails: vec!["admin@localhost.localdomain".to_owned()],
            page_size: 100,
        }
    }
}

/// A setting with which the endpoint's answers would break the protocol.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// Harvesters cannot reach it.
    #[error("base_url is {0:?}, expected http:// or https:// and no white space")]
    BaseUrl(String),
    /// Identifiers would be no URIs.
    #[error("repository_identifier is {0:?}, expected a domain name such as example.org")]
    RepositoryIdentifier(String),
    /// There is none, or one is malformed.
    #[error("admin_emails is {0:?}, expected at least one address name@example.org")]
    AdminEmails(Vec<String>),
    /// A page must hold something.
    #[error("page_size is {0}, expected 1 to 10000")]
    PageSize(u32),
}

impl ServerConfig {
    /// Checks what the protocol demands of the settings; to be called before [`serve`].
    ///
    /// # Errors
    /// [`ConfigError`] names the first setting that does not fit.
    pub fn check(&self) -> Result<(), ConfigError> {
        let has_scheme = ["http://", "https://"].iter().any(|s| self.base_url.starts_with(s));
        if !has_scheme || self.base_url.contains(char::is_whitespace) {
            return Err(ConfigError::BaseUrl(self.base_url.clone()));
        }
        if !crate::oai::is_domain_name(&self.repository_identifier) {
            return Err(ConfigError::RepositoryIdentifier(self.repository_identifier.clone()));
        }
        if self.admin_emails.is_empty() || !self.admin_emails.iter().all(|e| is_email(e)) {
            return Err(ConfigError::AdminEmails(self.admin_emails.clone()));
        }
        if !(1..=10_000).contains(&self.page_size) {
            return Err(ConfigError::PageSize(self.page_size));
        }
        Ok(())
    }
}

/// What the server works with.
#[derive(Clone)]
pub struct ServerState {
    /// Where the records are.
    pub store: Arc<dyn Store>,
    /// The metadata formats it offers; `oai_dc` must be among them (OAI-PMH 2.0 §3.4).
    pub serializers: Arc<Vec<Serializer>>,
    /// What it says about itself.
    pub config: ServerConfig,
    /// Where responseDate comes from.
    pub clock: Clock,
    /// Signs resumption tokens: [`Store::token_key`].
    pub token_key: [u8; 32],
}

/// The state, and what the server counts while it runs.
struct Shared {
    state: ServerState,
    /// How often a record was left out of a list because it could not be written.
    left_out: AtomicU64,
}

/// The routes of the server.
pub fn router(state: ServerState) -> Router {
    let shared = Arc::new(Shared { state, left_out: AtomicU64::new(0) });
    Router::new()
        .route("/oai", get(oai_pmh::get).post(oai_pmh::post))
        .route("/health", get(health::get))
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .with_state(shared)
}

/// Serves until `shutdown` is done; requests that have begun are answered first.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    state: ServerState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(listener, router(state)).with_graceful_shutdown(shutdown).await
}

/// `\S+@(\S+\.)+\S+`, the pattern of the protocol's schema.
fn is_email(text: &str) -> bool {
    let domain_fits = |domain: &str| {
        domain.rsplit_once('.').is_some_and(|(host, top)| !host.is_empty() && !top.is_empty())
    };
    !text.contains(char::is_whitespace)
        && text
            .split_once('@')
            .is_some_and(|(name, domain)| !name.is_empty() && domain_fits(domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_would_break_the_protocol_are_refused() {
        let fits = ServerConfig::default();
        assert_eq!(fits.check(), Ok(()));
        let wrong = [
            ServerConfig { base_url: "example.org/oai".to_owned(), ..fits.clone() },
            ServerConfig { repository_identifier: "a b".to_owned(), ..fits.clone() },
            ServerConfig { admin_emails: Vec::new(), ..fits.clone() },
            ServerConfig { admin_emails: vec!["a@b".to_owned()], ..fits.clone() },
            ServerConfig { page_size: 0, ..fits },
        ];
        for config in wrong {
            assert!(config.check().is_err(), "{config:?}");
        }
    }
}
