//! An endpoint and how it is to be treated: address, credentials, patience, limits.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::formats::Policy;

/// An OAI-PMH endpoint.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its base URL, `http` or `https`, without arguments of OAI-PMH.
    pub url: String,
    /// Ask by POST: for endpoints behind something that limits the length of URLs.
    pub post: bool,
    /// Who asks; `None` is `windrow/VERSION`.
    pub user_agent: Option<String>,
    /// An address at which the endpoint's people reach somebody; sent as `From`.
    pub contact: Option<String>,
    /// What the endpoint lets us in by.
    pub credentials: Credentials,
    /// Further headers of every request.
    pub headers: Vec<(String, Secret)>,
    /// A proxy's URL; without one, that of the environment.
    pub proxy: Option<String>,
    /// A PEM file of certificate authorities to be trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// A PEM file of a client certificate and its key.
    pub client_certificate: Option<PathBuf>,
    /// How much is read, and how long.
    pub limits: Limits,
    /// How often and when a failed request is repeated.
    pub patience: Patience,
    /// The least time between the starts of two requests.
    pub pause: Duration,
    /// Windows of a list that are asked for side by side, from 1: as many requests at once.
    pub windows: usize,
    /// What becomes of records that break their standard. [`Policy::Repair`] unless told
    /// otherwise: who harvests cannot mend the endpoint.
    pub policy: Policy,
}

/// What an endpoint lets us in by.
#[derive(Debug, Clone, Default)]
pub enum Credentials {
    /// Nothing.
    #[default]
    None,
    /// Name and password (RFC 7617).
    Basic(String, Secret),
    /// A token (RFC 6750).
    Bearer(Secret),
}

/// A text that no message shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from being shown.
    #[must_use]
    pub fn new(text: String) -> Secret {
        Secret(text)
    }

    /// The text, for the wire.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// How much of an answer is read, and how long.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Time to connect, TLS included.
    pub connect: Duration,
    /// Time from the request to the first byte of the answer's body.
    pub first_byte: Duration,
    /// Time between two pieces of the body.
    pub idle: Duration,
    /// Time for the whole answer.
    pub whole: Duration,
    /// Bytes of the body, unpacked.
    pub body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connect: Duration::from_secs(30),
            first_byte: Duration::from_secs(300),
            idle: Duration::from_secs(60),
            whole: Duration::from_secs(1800),
            body_bytes: 512 * 1024 * 1024,
        }
    }
}

/// How often and when a failed request is repeated.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// So many times at most.
    pub retries: u32,
    /// The wait before the first of them; each one after waits twice as long.
    pub first_wait: Duration,
    /// No wait is longer; an endpoint that asks for a longer one is left alone for now.
    pub longest_wait: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            retries: 6,
            first_wait: Duration::from_secs(2),
            longest_wait: Duration::from_secs(1800),
        }
    }
}

impl Patience {
    /// The wait before the repetition `number` (from 0).
    #[must_use]
    pub fn wait(&self, number: u32) -> Duration {
        self.first_wait.saturating_mul(1 << number.min(16)).min(self.longest_wait)
    }
}

impl Endpoint {
    /// The endpoint at `url`, treated as most should be.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Endpoint {
        Endpoint {
            url: url.into(),
            post: false,
            user_agent: None,
            contact: None,
            credentials: Credentials::None,
            headers: Vec::new(),
            proxy: None,
            ca_file: None,
            client_certificate: None,
            limits: Limits::default(),
            patience: Patience::default(),
            pause: Duration::ZERO,
            windows: 1,
            policy: Policy::Repair,
        }
    }
}
