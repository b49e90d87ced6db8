//! Connections: taken up to a number, dropped when they are idle too long, ended in peace.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Shared;
use super::access::Peer;

/// The largest head of a request, its line and all headers, in bytes.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// How long nobody is let in after the system had no room for a connection.
const BREATH: Duration = Duration::from_millis(50);

/// Serves until `shutdown` is done; then requests that have begun are answered, for a time.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    shared: Arc<Shared>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let limits = shared.state.config.limits;
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.idle).max_buf_size(MAX_HEAD_BYTES);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let (stream, place) = tokio::select! {
            () = &mut shutdown => break,
            taken = take(&listener, &places) => taken?,
        };
        let Ok(peer) = stream.peer_addr() else { continue };
        // Answers are written whole: nothing is gained by waiting for more to send.
        let _set = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let service = service_fn(move |mut request: Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            service.call(request)
        });
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            shared.metrics.connections.inc();
            if let Err(error) = connection.await {
                tracing::debug!(%peer, %error, "connection ended");
            }
            shared.metrics.connections.dec();
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.shutdown, graceful.shutdown()).await.is_err() {
        tracing::warn!("some answers were not finished in time");
    }
    Ok(())
}

/// The next connection, as soon as there is a place for it.
async fn take(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Ok((stream, place)),
            // One client's fault, or too many open files: what is open goes on, and ends.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}
