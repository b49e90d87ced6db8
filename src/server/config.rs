//! What the server is told about itself and its limits, and what the protocol demands of that.

use std::num::NonZeroU32;
use std::time::Duration;

use thiserror::Error;

use crate::oai::{DeletedRecord, is_domain_name};

/// What the endpoint says about itself, and how it treats those who ask.
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
    /// Whether records that were deleted are told of.
    pub deleted_record: DeletedRecord,
    /// Whether lists say how long they are.
    pub counts_lists: bool,
    /// What `Identify` has beside the description of identifiers: XML elements.
    pub descriptions: Vec<String>,
    /// What every record has about it: XML elements.
    pub about: Vec<String>,
    /// The hosts that requests may name, without port; all when there is none.
    pub hosts: Vec<String>,
    /// How many proxies stand in front, each of which adds an address to `X-Forwarded-For`.
    pub trusted_proxies: usize,
    /// The encodings that answers may be compressed with.
    pub compressions: Vec<Compression>,
    /// How much and how long.
    pub limits: Limits,
}

/// An encoding of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Brotli.
    Brotli,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Compression {
    /// The words of HTTP.
    pub const NAMES: &'static [(&'static str, Compression)] =
        &[("br", Compression::Brotli), ("gzip", Compression::Gzip), ("zstd", Compression::Zstd)];

    /// The word of HTTP.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let found = Compression::NAMES.iter().find(|(_, compression)| *compression == self);
        found.map_or("", |(name, _)| name)
    }
}

/// How much one client and all of them may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Requests of one client in a minute on the whole; without, as many as it likes.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Connections at once.
    pub connections: usize,
    /// How long a client may take to send a request's head, and stay idle between requests.
    pub idle: Duration,
    /// How long the server may take until it begins to answer.
    pub answer: Duration,
    /// How long requests that have begun are waited for when the server ends.
    pub shutdown: Duration,
    /// Bytes of pages that are kept to be given again as long as the store is unchanged.
    pub cache_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            requests_per_minute: None,
            connections: 4096,
            idle: Duration::from_secs(30),
            answer: Duration::from_secs(120),
            shutdown: Duration::from_secs(20),
            cache_bytes: 64 * 1024 * 1024,
        }
    }
}

impl Default for ServerConfig {
    fn default() -> ServerConfig {
        ServerConfig {
            repository_name: "windrow".to_owned(),
            base_url: "http://localhost:8080/oai".to_owned(),
            repository_identifier: "localhost.localdomain".to_owned(),
            admin_emails: vec!["admin@localhost.localdomain".to_owned()],
            page_size: 100,
            deleted_record: DeletedRecord::Persistent,
            counts_lists: true,
            descriptions: Vec::new(),
            about: Vec::new(),
            hosts: Vec::new(),
            trusted_proxies: 0,
            compressions: Compression::NAMES.iter().map(|(_, compression)| *compression).collect(),
            limits: Limits::default(),
        }
    }
}

/// A setting with which the endpoint's answers would break the protocol.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// Harvesters cannot reach it.
    #[error("base_url is {0:?}, expected http:// or https:// and no white space, ? or #")]
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
    /// Checks what the protocol demands of the settings; to be called before
    /// [`serve`](super::serve).
    ///
    /// # Errors
    /// [`ConfigError`] names the first setting that does not fit.
    pub fn check(&self) -> Result<(), ConfigError> {
        let has_scheme = ["http://", "https://"].iter().any(|s| self.base_url.starts_with(s));
        let is_odd = |c: char| c.is_whitespace() || c == '?' || c == '#';
        if !has_scheme || self.base_url.contains(is_odd) {
            return Err(ConfigError::BaseUrl(self.base_url.clone()));
        }
        if !is_domain_name(&self.repository_identifier) {
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
            ServerConfig { base_url: "https://example.org/oai?x".to_owned(), ..fits.clone() },
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
