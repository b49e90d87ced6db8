//! What went wrong with a request beside the protocol, and the HTTP status it gets.
//!
//! Errors of OAI-PMH itself are no HTTP errors: they are answers with status 200.

use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use thiserror::Error;

use super::MAX_FORM_BYTES;
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
        left_out: usize,
    },
    /// The work on an answer ended without one.
    #[error("answer was not finished: {0}")]
    Unfinished(String),
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
            ServerError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
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
        if !status.is_server_error() {
            return (status, format!("{self}\n")).into_response();
        }
        tracing::error!(code = self.code(), error = %self, "request failed");
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let retry_after = [(RETRY_AFTER, RETRY_AFTER_SECONDS)];
            return (status, retry_after, "the store is not available, try later\n")
                .into_response();
        }
        (status, "the server failed\n").into_response()
    }
}
