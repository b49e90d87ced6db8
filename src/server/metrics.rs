//! `/metrics`: what the server counts, as Prometheus reads it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::access::Outcome;
use super::{ServerError, Shared};

/// Upper bounds of the histogram of latencies.
const SECONDS: [f64; 13] =
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

type Labels = [(&'static str, String); 3];

/// Counters of one server.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    latency: Family<[(&'static str, &'static str); 1], Histogram>,
    records_out: Counter,
    left_out: Counter,
    store_errors: Counter,
    lost_lines: Counter,
    /// Open connections.
    pub connections: Gauge<i64, std::sync::atomic::AtomicI64>,
}

impl Metrics {
    pub fn new() -> Metrics {
        let mut metrics = Metrics {
            registry: Registry::with_prefix("windrow"),
            requests: Family::default(),
            latency: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            records_out: Counter::<u64, AtomicU64>::default(),
            left_out: Counter::default(),
            store_errors: Counter::default(),
            lost_lines: Counter::default(),
            connections: Gauge::default(),
        };
        let registry = &mut metrics.registry;
        let requests = "Requests by verb, HTTP status and code of the protocol";
        registry.register("requests", requests, metrics.requests.clone());
        let latency = "Seconds until an answer begins, by verb";
        registry.register("request_seconds", latency, metrics.latency.clone());
        let records_out = "Headers and records given in lists and alone";
        registry.register("records_out", records_out, metrics.records_out.clone());
        let left_out = "Records left out because they could not be written";
        registry.register("records_left_out", left_out, metrics.left_out.clone());
        let store_errors = "Requests that the store failed";
        registry.register("store_errors", store_errors, metrics.store_errors.clone());
        let lost_lines = "Lines of the log that were lost because it was not read";
        registry.register("log_lines_lost", lost_lines, metrics.lost_lines.clone());
        registry.register("connections", "Open connections", metrics.connections.clone());
        metrics
    }

    /// A request was answered, or began to be.
    pub fn request(&self, outcome: Outcome, status: u16, taken: Duration) {
        let labels = [
            ("verb", outcome.verb.to_owned()),
            ("status", status.to_string()),
            ("outcome", outcome.code.to_owned()),
        ];
        self.requests.get_or_create(&labels).inc();
        let latency = self.latency.get_or_create(&[("verb", outcome.verb)]);
        latency.observe(taken.as_secs_f64());
        self.records_out(outcome.records);
        if outcome.code == "server.store" {
            self.store_errors.inc();
        }
    }

    /// Records were given.
    pub fn records_out(&self, records: u64) {
        self.records_out.inc_by(records);
    }

    /// A record could not be written.
    pub fn left_out(&self) {
        self.left_out.inc();
    }
}

/// All that is counted, in the text format of OpenMetrics.
pub(super) async fn get(State(shared): State<Arc<Shared>>) -> Result<Response, ServerError> {
    let lost_lines = shared.state.lost_lines.load(Ordering::Relaxed);
    shared.metrics.lost_lines.inc_by(lost_lines.saturating_sub(shared.metrics.lost_lines.get()));
    let mut text = String::new();
    encode(&mut text, &shared.metrics.registry)
        .map_err(|error| ServerError::Unfinished(error.to_string()))?;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(CONTENT_TYPE, content_type)], text).into_response())
}
