//! What happens around every request: who asks, whether they may, how long it took, one line in the log.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::{Limits, MAX_FORM_BYTES, ServerConfig, ServerError, Shared};

/// So many clients are told apart before those that have been quiet are forgotten.
const MOST_CLIENTS: usize = 100_000;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub SocketAddr);

/// What became of a request, for log and metrics; a handler leaves it with its response.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    /// Of the protocol; empty when there was none.
    pub verb: &'static str,
    /// `ok`, or the code of the first error.
    pub code: &'static str,
    /// Headers or records in the first piece of the answer.
    pub records: u64,
}

/// How often each client may ask; `None` when it is not limited.
pub(super) struct Rate(Option<RateLimiter<IpAddr, HashMapStateStore<IpAddr>, DefaultClock>>);

impl Rate {
    pub fn new(limits: &Limits) -> Rate {
        Rate(limits.requests_per_minute.map(|most| RateLimiter::hashmap(Quota::per_minute(most))))
    }

    /// How long the client has to wait, if it has.
    fn wait(&self, client: IpAddr) -> Option<Duration> {
        let limiter = self.0.as_ref()?;
        if limiter.len() >= MOST_CLIENTS {
            limiter.retain_recent();
        }
        // A flood of addresses shares one share: it must not cost memory without end.
        let is_flooded = limiter.len() >= MOST_CLIENTS;
        let key = if is_flooded { Ipv6Addr::UNSPECIFIED.into() } else { network(client) };
        let refused = limiter.check_key(&key).err()?;
        Some(refused.wait_time_from(DefaultClock::default().now()))
    }
}

/// A household of IPv6 has 2⁶⁴ addresses: they count as one client.
fn network(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V6(address) if address.to_ipv4_mapped().is_none() => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        other => other.to_canonical(),
    }
}

/// Lets a request in or refuses it, and writes down what became of it.
pub(super) async fn watch(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let begin = Instant::now();
    let number = shared.requests.fetch_add(1, Ordering::Relaxed);
    let id = format!("{:08x}-{number:x}", shared.instance);
    let client = client(&shared.state.config, &request);
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let is_probe = path == "/health" || path == "/metrics";
    let mut response = match admit(&shared, client, &request) {
        Err(error) if !is_probe => error.into_response(),
        _ => match tokio::time::timeout(shared.state.config.limits.answer, next.run(request)).await
        {
            Ok(response) => response,
            Err(_) => ServerError::TooSlow.into_response(),
        },
    };
    let status = response.status();
    let none = Outcome { verb: "", code: "", records: 0 };
    let outcome = response.extensions().get::<Outcome>().copied().unwrap_or(none);
    let taken = begin.elapsed();
    if !is_probe {
        shared.metrics.request(outcome, status.as_u16(), taken);
        tracing::info!(
            target: "access",
            id,
            client = client.map(tracing::field::display),
            %method,
            path,
            status = status.as_u16(),
            verb = outcome.verb,
            outcome = outcome.code,
            records = outcome.records,
            ms = u64::try_from(taken.as_millis()).unwrap_or(u64::MAX),
            "request"
        );
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

fn admit(shared: &Shared, client: Option<IpAddr>, request: &Request) -> Result<(), ServerError> {
    let hosts = &shared.state.config.hosts;
    if !hosts.is_empty() {
        let host = host(request);
        if !hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host)) {
            return Err(ServerError::ForeignHost(host.chars().take(80).collect()));
        }
    }
    // What is announced need not be waited for.
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|n| n.to_str().ok());
    if announced.is_some_and(|n| n.parse().is_ok_and(|n: u64| n > MAX_FORM_BYTES as u64)) {
        return Err(ServerError::FormTooLarge);
    }
    match client.and_then(|client| shared.rate.wait(client)) {
        Some(wait) => Err(ServerError::TooManyRequests { seconds: wait.as_secs() + 1 }),
        None => Ok(()),
    }
}

/// The host that the request is for, without port.
fn host(request: &Request) -> &str {
    let of_header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = request.uri().authority().map(Authority::as_str).or(of_header);
    let host = host.unwrap_or_default();
    // [::1]:8080 has colons of its own.
    let end = host.rfind(']').map_or(0, |end| end + 1);
    let port = host.get(end..).and_then(|rest| rest.find(':'));
    port.and_then(|port| host.get(..end + port)).unwrap_or(host)
}

/// Who asks: the peer, or the address that the outermost trusted proxy has seen.
fn client(config: &ServerConfig, request: &Request) -> Option<IpAddr> {
    let peer = request.extensions().get::<Peer>().map(|Peer(address)| address.ip());
    forwarded(request.headers(), config.trusted_proxies).or(peer)
}

/// The address that stands so many places from the end of `X-Forwarded-For`: what stands before
/// it, the client may have made up.
fn forwarded(headers: &HeaderMap, trusted_proxies: usize) -> Option<IpAddr> {
    let place = trusted_proxies.checked_sub(1)?;
    let values = headers.get_all(FORWARDED_FOR).into_iter().filter_map(|value| value.to_str().ok());
    let addresses: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
    addresses.iter().rev().nth(place)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_what_trusted_proxies_have_added_tells_who_asks() {
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED_FOR, HeaderValue::from_static("192.0.2.1, 198.51.100.7"));
        headers.append(FORWARDED_FOR, HeaderValue::from_static("203.0.113.9"));
        assert_eq!(forwarded(&headers, 0), None);
        assert_eq!(forwarded(&headers, 1), Some(address("203.0.113.9")));
        assert_eq!(forwarded(&headers, 2), Some(address("198.51.100.7")));
        assert_eq!(forwarded(&headers, 4), None);
        assert_eq!(forwarded(&HeaderMap::new(), 1), None);
    }

    #[test]
    fn a_host_is_named_with_or_without_port() {
        let host_of = |text: &'static str| {
            let request = Request::builder().uri("/oai").header(header::HOST, text);
            host(&request.body(axum::body::Body::empty()).unwrap()).to_owned()
        };
        assert_eq!(host_of("example.org"), "example.org");
        assert_eq!(host_of("example.org:8080"), "example.org");
        assert_eq!(host_of("[::1]:8080"), "[::1]");
        assert_eq!(host_of("[::1]"), "[::1]");
    }

    #[test]
    fn a_client_that_asks_too_often_is_told_how_long_to_wait() {
        let limits = Limits { requests_per_minute: NonZeroU32::new(3), ..Limits::default() };
        let rate = Rate::new(&limits);
        let waits = |text| rate.wait(address(text)).map(|wait| wait.as_secs());
        assert_eq!([waits("192.0.2.1"), waits("192.0.2.1"), waits("::ffff:192.0.2.1")], [None; 3]);
        assert!(waits("192.0.2.1").is_some_and(|seconds| (18..=20).contains(&seconds)));
        assert_eq!(waits("192.0.2.2"), None);
        let of_one_household = ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4"];
        assert_eq!(of_one_household.map(|text| waits(text).is_some()), [false, false, false, true]);
    }
}
