//! `/health`: whether the store answers, whether every record could be written, whether what is
//! listed is up to date.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::{ServerError, Shared};

/// `{"status":"ok"}`. It is `degraded` with `left_out`, how often lists had to leave out a record
/// since the server began, and with `out_of_date` when the store cannot take in what others write;
/// `taken_in` is the part, in percent, while it does so. A store that does not answer is an error.
pub(super) async fn get(State(shared): State<Arc<Shared>>) -> Result<Response, ServerError> {
    shared.state.store.ping().await?;
    let left_out = shared.left_out.load(Ordering::Relaxed);
    let is_behind = shared.is_behind.load(Ordering::Relaxed);
    let taken_in = shared.followed.load(Ordering::Relaxed);
    let status = if left_out > 0 || is_behind { "degraded" } else { "ok" };
    let mut body = format!(r#"{{"status":"{status}""#);
    if left_out > 0 {
        body.push_str(&format!(r#","left_out":{left_out}"#));
    }
    if is_behind {
        body.push_str(r#","out_of_date":true"#);
    }
    if taken_in < 100 {
        body.push_str(&format!(r#","taken_in":{taken_in}"#));
    }
    body.push('}');
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}
