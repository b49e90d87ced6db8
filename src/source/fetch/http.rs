//! Files behind URLs: redirects bounded, sizes bounded, and no address that is nobody's business.

use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Once;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT_ENCODING, LOCATION};
use reqwest::{Method, Response, Url};
use tokio::runtime::Handle;

use super::{FetchError, Opened};

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlRules {
    /// Whether URLs are asked at all.
    pub allowed: bool,
    /// Whether hosts of private networks and this one are.
    pub allow_private: bool,
    /// Redirects that are followed.
    pub max_redirects: u32,
    /// Larger files are not taken.
    pub max_bytes: u64,
    /// How long a host may be silent.
    pub timeout: Duration,
}

impl Default for UrlRules {
    fn default() -> UrlRules {
        UrlRules {
            allowed: true,
            allow_private: false,
            max_redirects: 5,
            max_bytes: 100 * 1024 * 1024 * 1024,
            timeout: Duration::from_secs(60),
        }
    }
}

/// Asks URLs.
pub struct HttpFetcher {
    rules: UrlRules,
    http: Option<reqwest::Client>,
    runtime: Handle,
}

impl HttpFetcher {
    /// Whoever asks by these rules.
    ///
    /// # Errors
    /// A sentence, when no client can be made.
    pub fn new(rules: UrlRules, runtime: Handle) -> Result<HttpFetcher, String> {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // An error says that there is one already, which will do.
            drop(rustls::crypto::ring::default_provider().install_default());
        });
        if !rules.allowed {
            return Ok(HttpFetcher { rules, http: None, runtime });
        }
        let http = reqwest::Client::builder()
            .user_agent(concat!("windrow/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            // A proxy would resolve names behind our back.
            .no_proxy()
            .connect_timeout(rules.timeout.min(Duration::from_secs(20)))
            .read_timeout(rules.timeout)
            .dns_resolver(Resolver { allow_private: rules.allow_private })
            .build()
            .map_err(|error| error.to_string())?;
        Ok(HttpFetcher { rules, http: Some(http), runtime })
    }

    pub(super) fn open(&self, url: &str) -> Result<Opened, FetchError> {
        let response = self.runtime.block_on(self.ask(&Method::GET, url))?;
        let size = response.content_length();
        self.is_within(url, size)?;
        let body = Body { response, runtime: self.runtime.clone(), rest: bytes::Bytes::new() };
        Ok(Opened { bytes: Box::new(body), size, path: None })
    }

    pub(super) fn look(&self, url: &str) -> Result<Option<u64>, FetchError> {
        let response = self.runtime.block_on(self.ask(&Method::HEAD, url))?;
        // Of a HEAD the client knows no body; the header says what there would be.
        let header = response.headers().get(reqwest::header::CONTENT_LENGTH);
        let size = header.and_then(|value| value.to_str().ok()?.parse().ok());
        self.is_within(url, size)?;
        Ok(size)
    }

    fn is_within(&self, url: &str, size: Option<u64>) -> Result<(), FetchError> {
        match size.filter(|size| *size > self.rules.max_bytes) {
            None => Ok(()),
            Some(size) => {
                let message = format!("it has {size} bytes, at most {}", self.rules.max_bytes);
                Err(FetchError::Refused { url: url.to_owned(), message })
            }
        }
    }

    async fn ask(&self, method: &Method, url: &str) -> Result<Response, FetchError> {
        let refused = |message: String| FetchError::Refused { url: url.to_owned(), message };
        let Some(http) = &self.http else {
            return Err(refused("the pipeline says `urls: {allowed: false}`".to_owned()));
        };
        let mut next = Url::parse(url).map_err(|error| refused(error.to_string()))?;
        for _ in 0..=self.rules.max_redirects {
            self.is_allowed(&next).map_err(refused)?;
            let request = http.request(method.clone(), next.clone());
            // The bytes as they are: checksums are of these.
            let response = request.header(ACCEPT_ENCODING, "identity").send().await;
            let response = response.map_err(|error| failed(url, &error))?;
            let status = response.status();
            if status.is_redirection()
                && let Some(to) = response.headers().get(LOCATION)
            {
                let to = to.to_str().ok().and_then(|to| next.join(to).ok());
                next = to.ok_or_else(|| refused("it redirects to what is no URL".to_owned()))?;
                continue;
            }
            return match status.as_u16() {
                200 => Ok(response),
                404 | 410 => Err(FetchError::Missing(url.to_owned())),
                code => Err(FetchError::Read {
                    what: url.to_owned(),
                    message: format!("the host answers {code}"),
                    passing: code == 429 || code >= 500,
                }),
            };
        }
        Err(refused(format!("more than {} redirects", self.rules.max_redirects)))
    }

    fn is_allowed(&self, url: &Url) -> Result<(), String> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("{} is neither http nor https", url.scheme()));
        }
        // A host that is an address is not resolved.
        let host = url.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        match host.parse::<IpAddr>() {
            Ok(address) if !self.rules.allow_private && is_private(address) => {
                Err(private(address))
            }
            _ => Ok(()),
        }
    }
}

fn private(address: IpAddr) -> String {
    format!(
        "{address} is an address of a private network; `urls: {{allow_private: true}}` allows it"
    )
}

/// The text of an error with its reasons.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(reason) = source {
        text = format!("{text}: {reason}");
        source = reason.source();
    }
    text
}

fn failed(url: &str, error: &reqwest::Error) -> FetchError {
    let message = chain(error);
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(reason) = source {
        if let Some(Private(address)) = reason.downcast_ref() {
            return FetchError::Refused { url: url.to_owned(), message: private(*address) };
        }
        source = reason.source();
    }
    FetchError::Read { what: url.to_owned(), message, passing: true }
}

/// Resolves names, and gives no address that is not to be asked.
struct Resolver {
    allow_private: bool,
}

/// A name leads to an address that is not to be asked.
#[derive(Debug, thiserror::Error)]
#[error("{0} is an address of a private network")]
struct Private(IpAddr);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.collect();
            // One that is private is reason enough: the next answer may be that one.
            let hidden = found.iter().find(|found| is_private(found.ip()));
            match hidden.filter(|_| !allow_private) {
                Some(hidden) => Err(Private(hidden.ip()).into()),
                None => Ok(Box::new(found.into_iter()) as Addrs),
            }
        })
    }
}

/// Whether an address is not one of the public network.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        // Networks of carriers, of protocols, of measurements.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19))
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_private_v4(inner);
    }
    let [first, second, ..] = address.segments();
    // Addresses of IPv4 in those of IPv6: NAT64 and 6to4.
    let [.., c, d] = address.segments();
    let inner = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_private_v4(Ipv4Addr::new(a, b, c, d))
    };
    let [_, _, third, ..] = address.segments();
    address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || first & 0xfe00 == 0xfc00
        || first & 0xffc0 == 0xfe80
        || first & 0xffc0 == 0xfec0
        || (first == 0x2001 && second == 0xdb8)
        || (first == 0x64 && second == 0xff9b && inner(c, d))
        || (first == 0x2002 && inner(second, third))
        // What only looks like an address of IPv4.
        || (address.segments().iter().take(6).all(|segment| *segment == 0))
}

/// The body of an answer as it comes.
struct Body {
    response: Response,
    runtime: Handle,
    rest: bytes::Bytes,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.runtime.block_on(self.response.chunk()) {
                Ok(None) => return Ok(0),
                Ok(Some(bytes)) => self.rest = bytes,
                Err(error) => {
                    let kind = io::ErrorKind::ConnectionAborted;
                    return Err(io::Error::new(kind, chain(&error)));
                }
            }
        }
        let length = self.rest.len().min(buffer.len());
        let bytes = self.rest.split_to(length);
        if let Some(room) = buffer.get_mut(..length) {
            room.copy_from_slice(&bytes);
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_known_in_every_form() {
        for text in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001:db8::1",
            "::127.0.0.1",
        ] {
            assert!(is_private(text.parse().unwrap()), "{text}");
        }
        for text in ["8.8.8.8", "193.0.6.139", "2001:67c:2e8::1", "::ffff:8.8.8.8"] {
            assert!(!is_private(text.parse().unwrap()), "{text}");
        }
    }
}
