//! One request and its answer: time limits, size limits, redirects, compression.

use std::io::Read;
use std::sync::{Arc, Once};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, FROM, HeaderMap,
    LOCATION, RETRY_AFTER,
};
use reqwest::{StatusCode, Url};
use tokio::time::{Instant, timeout, timeout_at};

use super::HarvestError;
use super::endpoint::{Credentials, Endpoint};
use super::gate::{Manners, Seat};
use crate::record::Warning;

/// So many redirects are followed.
const MAX_REDIRECTS: u32 = 8;

/// Room is made for so many bytes when an answer announces them, and for more as they come.
const MAX_ANNOUNCED: usize = 1024 * 1024;

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Type`
    pub content_type: Option<String>,
    /// `Date`
    pub date: Option<String>,
    /// `Retry-After`, as time from now.
    pub retry_after: Option<Duration>,
    /// The body, unpacked.
    pub body: Vec<u8>,
    /// When it had come in.
    pub received: Timestamp,
    /// What was odd about it.
    pub warnings: Vec<Warning>,
    /// Set when the body is known to be not all of it: why.
    pub incomplete: Option<String>,
}

/// Why there is no answer.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It may go better another time.
    Passing(String),
    /// It took too long.
    Slow(String),
    /// The body is over the limit.
    TooLarge(String),
    /// It will not go better.
    Lasting(String),
    /// The host asked to be left alone for so much longer than we wait.
    Closed(Duration),
}

impl Fault {
    /// What happened.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Fault::Passing(reason)
            | Fault::Slow(reason)
            | Fault::TooLarge(reason)
            | Fault::Lasting(reason) => reason,
            Fault::Closed(_) => "the host asked to be left alone for longer than we wait",
        }
    }
}

/// Asks one endpoint, when the gate of its host lets it.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    endpoint: Arc<Endpoint>,
    url: Url,
    seat: Arc<Seat>,
}

impl Client {
    /// A client for `endpoint`.
    ///
    /// # Errors
    /// [`HarvestError::Configuration`] for a URL, header, proxy or certificate that is none.
    pub fn new(endpoint: Arc<Endpoint>) -> Result<Client, HarvestError> {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // An error says that there is one already, which will do.
            drop(rustls::crypto::ring::default_provider().install_default());
        });
        let wrong = |what: &str, reason: &dyn std::fmt::Display| {
            HarvestError::Configuration(format!("{what}: {reason}"))
        };
        let url = Url::parse(&endpoint.url).map_err(|error| wrong(&endpoint.url, &error))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong(&endpoint.url, &"expected a URL of http or https"));
        }
        let agent = concat!("windrow/", env!("CARGO_PKG_VERSION"));
        let mut builder = reqwest::Client::builder()
            .user_agent(endpoint.user_agent.as_deref().unwrap_or(agent))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(endpoint.limits.connect);
        if let Some(proxy) = &endpoint.proxy {
            let proxy = reqwest::Proxy::all(proxy).map_err(|error| wrong("proxy", &error))?;
            builder = builder.proxy(proxy);
        }
        let read = |path: &std::path::Path| {
            std::fs::read(path).map_err(|error| wrong(&path.display().to_string(), &error))
        };
        if let Some(path) = &endpoint.ca_file {
            let certificates = reqwest::Certificate::from_pem_bundle(&read(path)?)
                .map_err(|error| wrong(&path.display().to_string(), &error))?;
            builder = builder.tls_certs_merge(certificates);
        }
        if let Some(path) = &endpoint.client_certificate {
            let identity = reqwest::Identity::from_pem(&read(path)?)
                .map_err(|error| wrong(&path.display().to_string(), &error))?;
            builder = builder.identity(identity);
        }
        let http = builder.build().map_err(|error| wrong("HTTP client", &error))?;
        let host = format!(
            "{}:{}",
            url.host_str().unwrap_or_default(),
            url.port_or_known_default().unwrap_or_default()
        );
        let manners = Manners { at_once: endpoint.windows, pause: endpoint.pause };
        Ok(Client { http, endpoint, url, seat: Arc::new(Seat::take(&host, manners)) })
    }

    /// The endpoint that is asked.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// No request to this host begins before `wait` is over, whoever makes it.
    pub fn rest(&self, wait: Duration) {
        self.seat.close(wait);
    }

    /// Sends the arguments and reads the answer, when the gate of the host lets it.
    ///
    /// # Errors
    /// [`Fault`] when there is no answer of HTTP; an answer of any status is one.
    pub async fn ask(&self, arguments: &[(&str, &str)]) -> Result<Reply, Fault> {
        let longest_wait = self.endpoint.patience.longest_wait;
        let _ticket = self.seat.enter(longest_wait).await.map_err(Fault::Closed)?;
        let end = Instant::now() + self.endpoint.limits.whole;
        let mut url = self.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send(&url, arguments, end).await?;
            if !is_redirect(response.status()) {
                let reply = self.read(response, end).await?;
                // While this request still counts, so that no other slips in.
                if let (429 | 503, Some(wait)) = (reply.status, reply.retry_after) {
                    self.rest(wait);
                }
                return Ok(reply);
            }
            url = redirected(&url, response.headers())?;
        }
        Err(Fault::Lasting(format!("more than {MAX_REDIRECTS} redirects")))
    }

    async fn send(
        &self,
        url: &Url,
        arguments: &[(&str, &str)],
        end: Instant,
    ) -> Result<reqwest::Response, Fault> {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(arguments).finish();
        let mut request = if self.endpoint.post {
            let kind = "application/x-www-form-urlencoded";
            self.http.post(url.clone()).header(CONTENT_TYPE, kind).body(form)
        } else {
            let mut url = url.clone();
            let query = match url.query() {
                // A redirect may have brought the arguments along.
                Some(query) if query.contains("verb=") => query.to_owned(),
                Some(query) if !query.is_empty() => format!("{query}&{form}"),
                _ => form,
            };
            url.set_query(Some(&query));
            self.http.get(url)
        };
        request = request.header(ACCEPT_ENCODING, "gzip, zstd, deflate");
        if let Some(contact) = &self.endpoint.contact {
            request = request.header(FROM, contact);
        }
        // Credentials are for the host that was named, not for where it sends us.
        if url.host_str() == self.url.host_str() {
            request = match &self.endpoint.credentials {
                Credentials::None => request,
                Credentials::Basic(name, password) => {
                    request.basic_auth(name, Some(password.reveal()))
                }
                Credentials::Bearer(token) => request.bearer_auth(token.reveal()),
            };
            for (name, value) in &self.endpoint.headers {
                request = request.header(name, value.reveal());
            }
        }
        let limit = (Instant::now() + self.endpoint.limits.first_byte).min(end);
        match timeout_at(limit, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) if error.is_builder() => Err(Fault::Lasting(chain(&error))),
            Ok(Err(error)) if error.is_connect() && error.is_timeout() => {
                let seconds = self.endpoint.limits.connect.as_secs_f64();
                Err(Fault::Passing(format!("no connection within {seconds} seconds")))
            }
            // Nobody is there: less would not help.
            Ok(Err(error)) if error.is_connect() => Err(Fault::Passing(chain(&error))),
            Ok(Err(error)) if error.is_timeout() => Err(Fault::Slow(chain(&error))),
            Ok(Err(error)) => Err(Fault::Passing(chain(&error))),
            Err(_) => Err(Fault::Slow(format!(
                "no answer within {} seconds",
                self.endpoint.limits.first_byte.as_secs()
            ))),
        }
    }

    async fn read(&self, mut response: reqwest::Response, end: Instant) -> Result<Reply, Fault> {
        let limits = &self.endpoint.limits;
        let announced = response.content_length().and_then(|bytes| usize::try_from(bytes).ok());
        let mut packed = Vec::with_capacity(announced.unwrap_or(0).min(MAX_ANNOUNCED));
        let mut incomplete = None;
        loop {
            let piece = async { timeout(limits.idle, response.chunk()).await };
            match timeout_at(end, piece).await {
                Ok(Ok(Ok(Some(piece)))) => packed.extend_from_slice(&piece),
                Ok(Ok(Ok(None))) => break,
                Ok(Ok(Err(error))) => {
                    incomplete = Some(format!("the connection broke off: {}", chain(&error)));
                    break;
                }
                Ok(Err(_)) => {
                    let seconds = limits.idle.as_secs();
                    return Err(Fault::Slow(format!("no byte for {seconds} seconds")));
                }
                Err(_) => {
                    let seconds = limits.whole.as_secs();
                    return Err(Fault::Slow(format!("not complete within {seconds} seconds")));
                }
            }
            if packed.len() > limits.body_bytes {
                return Err(too_large(limits.body_bytes));
            }
        }
        let headers = response.headers();
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let mut reply = Reply {
            status: response.status().as_u16(),
            content_type: header(CONTENT_TYPE).map(str::to_owned),
            date: header(DATE).map(str::to_owned),
            retry_after: header(RETRY_AFTER).and_then(wait_of),
            body: Vec::new(),
            received: Timestamp::now(),
            warnings: Vec::new(),
            incomplete,
        };
        if let (Some(said), Some(reason)) = (header(CONTENT_LENGTH), &reply.incomplete) {
            let message = format!("{} bytes came, {said} were announced: {reason}", packed.len());
            reply.warnings.push(Warning::new("http.length", message));
        }
        let encoding = header(CONTENT_ENCODING).unwrap_or_default().to_ascii_lowercase();
        reply.body = unpack(packed, &encoding, limits.body_bytes, &mut reply)?;
        Ok(reply)
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn redirected(from: &Url, headers: &HeaderMap) -> Result<Url, Fault> {
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let to = from.join(location);
    let to = to.map_err(|error| Fault::Lasting(format!("redirected to {location:?}: {error}")))?;
    if !matches!(to.scheme(), "http" | "https")
        || (from.scheme() == "https" && to.scheme() == "http")
    {
        return Err(Fault::Lasting(format!("redirected to {to}, which is not followed")));
    }
    Ok(to)
}

// Seconds, or a date (RFC 9110 §10.2.3).
fn wait_of(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let moment = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp();
    let seconds = moment.as_second() - Timestamp::now().as_second();
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

// What is packed is told by its first bytes, whatever the header says.
fn unpack(
    packed: Vec<u8>,
    encoding: &str,
    limit: usize,
    reply: &mut Reply,
) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    let bound = limit as u64 + 1;
    let read = if packed.starts_with(&[0x1F, 0x8B]) {
        flate2::read::MultiGzDecoder::new(&*packed).take(bound).read_to_end(&mut body)
    } else if packed.starts_with(&[0x28, 0xB5, 0x2F, 0xFD]) {
        zstd::Decoder::new(&*packed).and_then(|decoder| decoder.take(bound).read_to_end(&mut body))
    } else if encoding == "deflate" && packed.first() == Some(&0x78) {
        flate2::read::ZlibDecoder::new(&*packed).take(bound).read_to_end(&mut body)
    } else if encoding == "br" {
        return Err(Fault::Lasting(
            "the answer is packed by brotli, which was not asked for".into(),
        ));
    } else {
        return Ok(packed);
    };
    if body.len() > limit {
        return Err(too_large(limit));
    }
    if let Err(error) = read {
        reply.incomplete.get_or_insert(format!("the packed answer breaks off: {error}"));
    }
    if !matches!(encoding, "gzip" | "x-gzip" | "zstd" | "deflate") {
        let message = "the answer is packed, and does not say so".to_owned();
        reply.warnings.push(Warning::new("http.encoding", message));
    }
    Ok(body)
}

fn too_large(limit: usize) -> Fault {
    Fault::TooLarge(format!("the answer has more than {limit} bytes"))
}

// Without the URL, which may hold a password.
fn chain(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&error.to_string());
        source = error.source();
    }
    if text.is_empty() {
        text = if error.is_connect() { "cannot connect".into() } else { "request failed".into() };
    }
    text
}
