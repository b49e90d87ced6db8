//! The endpoint, as the command line names and treats it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};

use super::super::{Failure, configuration, usage};
use super::failure;
use crate::formats::Policy;
use crate::source::oai_pmh::{Client, Credentials, Endpoint, Limits, Patience, Secret};

#[derive(Debug, clap::Args)]
pub struct EndpointArguments {
    /// The endpoint's base URL
    url: String,
    /// What becomes of records that break their standard: strict, tolerant or repair
    #[arg(long, value_name = "POLICY", default_value = "repair")]
    policy: String,
    /// Ask by POST
    #[arg(long)]
    post: bool,
    /// Who asks, instead of windrow/VERSION
    #[arg(long, value_name = "TEXT")]
    user_agent: Option<String>,
    /// An address at which the endpoint's people reach you, sent as From
    #[arg(long, value_name = "ADDRESS", env = "WINDROW_CONTACT")]
    contact: Option<String>,
    /// User name; the password is in WINDROW_PASSWORD
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The password of --user
    #[arg(long, env = "WINDROW_PASSWORD", hide = true, hide_env_values = true)]
    password: Option<String>,
    /// A file with a bearer token
    #[arg(long, value_name = "FILE", conflicts_with = "user")]
    bearer_file: Option<PathBuf>,
    /// A further header, `Name: value`, or `Name: @FILE` to read its value; may be repeated
    #[arg(long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// A proxy's URL, instead of that of the environment
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// Certificate authorities to trust beside the system's, in PEM
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// A client certificate with its key, in PEM
    #[arg(long, value_name = "FILE")]
    client_certificate: Option<PathBuf>,
    /// Repetitions of a failed request
    #[arg(long, value_name = "N", default_value_t = Patience::default().retries)]
    retries: u32,
    /// Seconds before the first repetition; each one after waits twice as long
    #[arg(long, value_name = "SECONDS", default_value_t = Patience::default().first_wait.as_secs_f64())]
    first_wait: f64,
    /// Seconds that an endpoint may ask to be left alone
    #[arg(long, value_name = "SECONDS", default_value_t = Patience::default().longest_wait.as_secs_f64())]
    longest_wait: f64,
    /// Seconds between the starts of two requests, at least
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
    pause: f64,
    /// Windows of a list that are asked for side by side, each with a request of its own
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=64))]
    windows: usize,
    /// Seconds to wait for a connection, that of TLS included
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().connect.as_secs_f64())]
    connect_timeout: f64,
    /// Seconds to wait for an answer to begin
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().first_byte.as_secs_f64())]
    timeout: f64,
    /// Seconds to wait for the next bytes of an answer
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().idle.as_secs_f64())]
    idle_timeout: f64,
    /// Seconds for the whole of an answer
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().whole.as_secs_f64())]
    whole_timeout: f64,
    /// Bytes of an answer, unpacked, at most
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().body_bytes)]
    max_bytes: usize,
}

impl EndpointArguments {
    /// The file or folder that is named in place of a URL, where that is possible.
    pub fn place(&self) -> Option<&Path> {
        let is_url = ["http://", "https://"].iter().any(|scheme| self.url.starts_with(scheme));
        Some(Path::new(&self.url)).filter(|path| !is_url && path.exists())
    }

    /// A client that asks as these arguments say.
    pub fn client(self) -> Result<Client, Failure> {
        let credentials = self.credentials()?;
        let headers = self.headers.iter().map(|text| header(text)).collect::<Result<_, _>>()?;
        let policy = match self.policy.as_str() {
            "strict" => Policy::Strict,
            "tolerant" => Policy::Tolerant,
            "repair" => Policy::Repair,
            other => {
                let expected = "expected strict, tolerant or repair";
                return Err(usage(anyhow!("--policy is {other:?}, {expected}")));
            }
        };
        let limits = Limits {
            connect: seconds("--connect-timeout", self.connect_timeout)?,
            first_byte: seconds("--timeout", self.timeout)?,
            idle: seconds("--idle-timeout", self.idle_timeout)?,
            whole: seconds("--whole-timeout", self.whole_timeout)?,
            body_bytes: self.max_bytes,
        };
        let patience = Patience {
            retries: self.retries,
            first_wait: seconds("--first-wait", self.first_wait)?,
            longest_wait: seconds("--longest-wait", self.longest_wait)?,
        };
        let pause = seconds("--pause", self.pause)?;
        let endpoint = Endpoint {
            url: self.url,
            post: self.post,
            user_agent: self.user_agent,
            contact: self.contact,
            credentials,
            headers,
            proxy: self.proxy,
            ca_file: self.ca_file,
            client_certificate: self.client_certificate,
            limits,
            patience,
            pause,
            windows: self.windows,
            policy,
        };
        Client::new(Arc::new(endpoint)).map_err(failure)
    }

    fn credentials(&self) -> Result<Credentials, Failure> {
        if let Some(file) = &self.bearer_file {
            return Ok(Credentials::Bearer(secret(file)?));
        }
        match (&self.user, &self.password) {
            (None, _) => Ok(Credentials::None),
            (Some(user), Some(password)) => {
                Ok(Credentials::Basic(user.clone(), Secret::new(password.clone())))
            }
            (Some(user), None) => {
                let message = anyhow!("--user {user} needs a password in WINDROW_PASSWORD");
                Err(configuration(message))
            }
        }
    }
}

fn header(text: &str) -> Result<(String, Secret), Failure> {
    let (name, value) = text
        .split_once(':')
        .ok_or_else(|| usage(anyhow!("--header has no colon, expected Name: value")))?;
    let value = match value.trim().strip_prefix('@') {
        Some(file) => secret(file.as_ref())?,
        None => Secret::new(value.trim().to_owned()),
    };
    Ok((name.trim().to_owned(), value))
}

fn secret(file: &Path) -> Result<Secret, Failure> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read {}", file.display()))
        .map_err(configuration)?;
    Ok(Secret::new(text.trim().to_owned()))
}

fn seconds(name: &str, seconds: f64) -> Result<Duration, Failure> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| usage(anyhow!("{name} is {seconds}, expected seconds")))
}
