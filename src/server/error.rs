//! What went wrong with a request beside the protocol, and the HTTP status it gets.
//!
//! Errors of OAI-PMH itself are no HTTP errors: they are answers with status 200.

use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use thiserror::Error;

use super::MAX_FORM_BYTES;
use super::access::Outcome;
use crate::store::StoreError;

/// Seconds after which a harvester may come again when the store failed.
const RETRY_AFTER_SECONDS: &str = "60";

/// Why a request got no answer of the protocol.
#[derive(Debug, Error)]
pub enum ServerError {
    /// The store failed; it may work again later.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// So many records on end could not be written that no page can be filled.
    #[error("{left_out} records on end cannot be written as {prefix}")]
    SerializerBroken {
        /// The metadataPrefix.
        prefix: String,
        /// How many records were tried.
        left_out: u64,
    },
    /// The work on an answer ended without one.
    #[error("answer was not finished: {0}")]
    Unfinished(String),
    /// The answer did not begin in time.
    #[error("answer did not begin in time")]
    TooSlow,
    /// The client has asked too often.
    #[error("too many requests, come again in {seconds} seconds")]
    TooManyRequests {
        /// When there is room again.
        seconds: u64,
    },
    /// The request is for another host.
    #[error("host is {0:?}, which is not served here")]
    ForeignHost(String),
    /// The form was not sent as one.
    #[error("content type is {0:?}, expected application/x-www-form-urlencoded")]
    MediaType(String),
    /// The form is too large.
    #[error("form is larger than {MAX_FORM_BYTES} bytes")]
    FormTooLarge,
    /// The form broke off.
    #[error("form cannot be read: {0}")]
    FormUnreadable(String),
}

impl ServerError {
    /// A stable code, for logs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            ServerError::TooSlow => "server.too_slow",
            ServerError::TooManyRequests { .. } => "server.too_many_requests",
            ServerError::ForeignHost(_) => "server.foreign_host",
            ServerError::Store(_) => "server.store",
            ServerError::SerializerBroken { .. } => "server.serializer",
            ServerError::Unfinished(_) => "server.unfinished",
            ServerError::MediaType(_) => "server.media_type",
            ServerError::FormTooLarge => "server.form_too_large",
            ServerError::FormUnreadable(_) => "server.form_unreadable",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            // These do not pass by themselves: nobody is asked to come again in a minute.
            ServerError::Store(StoreError::Pattern { .. } | StoreError::Damaged(_)) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            ServerError::Store(_) | ServerError::TooSlow | ServerError::TooManyRequests { .. } => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            ServerError::ForeignHost(_) => StatusCode::MISDIRECTED_REQUEST,
            ServerError::SerializerBroken { .. } | ServerError::Unfinished(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            ServerError::MediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ServerError::FormTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ServerError::FormUnreadable(_) => StatusCode::BAD_REQUEST,
        }
    }
}

impl From<BytesRejection> for ServerError {
    fn from(rejection: BytesRejection) -> ServerError {
        match rejection {
            BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
                ServerError::FormTooLarge
            }
            other => ServerError::FormUnreadable(other.body_text()),
        }
    }
}

/// Plain text. The reason of the server's own failures is logged, not shown.
impl IntoResponse for ServerError {
    fn into_response(self) -> Response {
        let status = self.status();
        let outcome = Outcome { verb: "", code: self.code(), records: 0 };
        let mut response = match &self {
            // The protocol has no 429: harvesters know 503 with Retry-After (§3.1.2.2).
            ServerError::TooManyRequests { seconds } => {
                (status, [(RETRY_AFTER, seconds.to_string())], format!("{self}\n")).into_response()
            }
            _ if !status.is_server_error() => (status, format!("{self}\n")).into_response(),
            _ => {
                tracing::error!(code = self.code(), error = %self, "request failed");
                if status == StatusCode::SERVICE_UNAVAILABLE {
                    let retry_after = [(RETRY_AFTER, RETRY_AFTER_SECONDS)];
                    let text = "the store is not available, try later\n";
                    (status, retry_after, text).into_response()
                } else {
                    (status, "the server failed\n").into_response()
                }
            }
        };
        response.extensions_mut().insert(outcome);
        response
    }
}
