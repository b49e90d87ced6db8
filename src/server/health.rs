//! `/health`: whether the store answers, and whether every record could be written.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::{ServerError, Shared};

/// `{"status":"ok"}`, or `{"status":"degraded","left_out":N}` when lists had to leave out records
/// N times since the server began; a store that does not answer is an error.
pub(super) async fn get(State(shared): State<Arc<Shared>>) -> Result<Response, ServerError> {
    shared.state.store.ping().await?;
    let body = match shared.left_out.load(Ordering::Relaxed) {
        0 => r#"{"status":"ok"}"#.to_owned(),
        left_out => format!(r#"{{"status":"degraded","left_out":{left_out}}}"#),
    };
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}
