//! Bodies of answers: what is there already, then what is still being made, one piece at a time.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::sync::mpsc::Receiver;

use super::ServerError;

/// Pieces that are there, then those that come. An error breaks the connection off: whoever reads
/// sees that the answer is not whole.
pub(super) struct Pieces {
    ready: VecDeque<Bytes>,
    coming: Option<Receiver<Result<Bytes, ServerError>>>,
}

impl Pieces {
    /// Nothing comes behind these.
    pub fn whole(pieces: impl IntoIterator<Item = Bytes>) -> Body {
        Body::new(Pieces { ready: pieces.into_iter().collect(), coming: None })
    }

    /// More comes behind these.
    pub fn streamed(
        pieces: impl IntoIterator<Item = Bytes>,
        coming: Receiver<Result<Bytes, ServerError>>,
    ) -> Body {
        Body::new(Pieces { ready: pieces.into_iter().collect(), coming: Some(coming) })
    }
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = ServerError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ServerError>>> {
        if let Some(piece) = self.ready.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        match &mut self.coming {
            Some(coming) => coming.poll_recv(context).map(|piece| Some(piece?.map(Frame::data))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ready.is_empty() && self.coming.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let ready = self.ready.iter().map(|piece| piece.len() as u64).sum();
        let mut hint = SizeHint::with_exact(ready);
        if self.coming.is_some() {
            hint = SizeHint::new();
            hint.set_lower(ready);
        }
        hint
    }
}
