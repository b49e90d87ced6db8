//! The way out: OAI-PMH at `/oai` (GET and POST), `/health` and `/metrics`.

mod access;
mod body;
mod cache;
mod config;
mod connections;
mod error;
mod following;
mod gzip;
mod health;
mod list;
mod metrics;
mod oai_pmh;
mod record;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use tokio::net::TcpListener;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;

use crate::record::Clock;
use crate::serializers::Serializer;
use crate::store::Store;

pub use config::{Compression, ConfigError, Limits, ServerConfig};
pub use error::ServerError;

/// The largest form that is read, in bytes.
pub const MAX_FORM_BYTES: usize = 64 * 1024;

/// Answers from so many bytes on are compressed for whoever takes that.
const COMPRESSED_FROM: usize = 1024;

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
    /// The first signs resumption tokens, all are good: [`Store::token_key`], or keys of the site.
    pub token_keys: Vec<[u8; 32]>,
    /// Lines of the log that were lost because it was not read, for the metrics.
    pub lost_lines: Arc<AtomicU64>,
}

/// The state, and what the server counts and keeps while it runs.
struct Shared {
    state: ServerState,
    /// How often a record was left out of a list because it could not be written.
    left_out: AtomicU64,
    /// How much of what others have written is taken in, in percent.
    followed: AtomicU64,
    /// The store could not take it in.
    is_behind: AtomicBool,
    /// How many requests have come; with `instance` it makes their ids.
    requests: AtomicU64,
    /// Another number for each start.
    instance: u32,
    rate: access::Rate,
    cache: cache::PageCache,
    metrics: metrics::Metrics,
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
    let (instance, ..) = uuid::Uuid::new_v4().as_fields();
    let shared = Arc::new(Shared {
        rate: access::Rate::new(&state.config.limits),
        cache: cache::PageCache::new(state.config.limits.cache_bytes),
        metrics: metrics::Metrics::new(),
        left_out: AtomicU64::new(0),
        followed: AtomicU64::new(100),
        is_behind: AtomicBool::new(false),
        requests: AtomicU64::new(0),
        instance,
        state,
    });
    let following = following::begin(&shared).await;
    let served = connections::serve(listener, router(&shared), shared, shutdown).await;
    following.abort();
    served
}

fn router(shared: &Arc<Shared>) -> Router {
    let has = |compression| shared.state.config.compressions.contains(&compression);
    // Pages are made on request: the level that is fast halves them already.
    let compression = CompressionLayer::new()
        .br(has(Compression::Brotli))
        .gzip(has(Compression::Gzip))
        .zstd(has(Compression::Zstd))
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(COMPRESSED_FROM as u64));
    Router::new()
        .route("/oai", get(oai_pmh::get).post(oai_pmh::post))
        .route("/health", get(health::get))
        .route("/metrics", get(metrics::get))
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .layer(compression)
        .layer(from_fn_with_state(Arc::clone(shared), access::watch))
        .with_state(Arc::clone(shared))
}
