//! Request and response bodies between client, host and handler. No decisions here.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

pub(super) type Error = Box<dyn std::error::Error + Send + Sync>;
pub(super) type AnyBody = BoxBody<Bytes, Error>;

pub(super) fn empty() -> AnyBody {
    Empty::new().map_err(|never| match never {}).boxed()
}

pub(super) fn full(bytes: impl Into<Bytes>) -> AnyBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

/// A body of unknown length: `Transfer-Encoding: chunked`, no `Content-Length`.
pub(super) fn chunked(bytes: impl Into<Bytes>) -> AnyBody {
    BodyExt::boxed(StreamBody::new(stream::iter([Ok::<_, Error>(Frame::data(bytes.into()))])))
}

/// A client's body that can be lent to several attempts, and knows whether any has read from it.
#[derive(Clone, Debug)]
pub(super) struct Lent(Arc<Mutex<(Incoming, bool)>>);

impl Lent {
    pub(super) fn new(body: Incoming) -> Self {
        Self(Arc::new(Mutex::new((body, false))))
    }

    pub(super) fn is_touched(&self) -> bool {
        self.lock().1
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Incoming, bool)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Body for Lent {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut body = self.lock();
        body.1 = true;
        Pin::new(&mut body.0).poll_frame(context).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.lock().0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.lock().0.size_hint()
    }
}

/// A body that keeps something alive until it has been sent or dropped, and tells it whether all went out. It breaks
/// off when nothing comes for too long.
#[derive(Debug)]
pub(super) struct Attended<T: AtEnd> {
    body: Incoming,
    attendant: T,
    patience: Duration,
    silence: Pin<Box<Sleep>>,
}

/// Told when the last byte has gone.
pub(super) trait AtEnd: Send + Sync + Unpin + 'static {
    fn ended(&mut self, complete: bool);
}

impl<T: AtEnd> Attended<T> {
    pub(super) fn new(body: Incoming, mut attendant: T, patience: Duration) -> Self {
        if body.is_end_stream() {
            attendant.ended(true);
        }
        Self { body, attendant, patience, silence: Box::pin(tokio::time::sleep(patience)) }
    }
}

impl<T: AtEnd> Body for Attended<T> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            std::task::ready!(self.silence.as_mut().poll(context));
            self.attendant.ended(false);
            return Poll::Ready(Some(Err("nothing came for too long".into())));
        };
        let patience = self.patience;
        self.silence.as_mut().reset(Instant::now() + patience);
        match &frame {
            None => self.attendant.ended(true),
            Some(Err(_)) => self.attendant.ended(false),
            // With a Content-Length nobody asks for the frame after the last.
            Some(Ok(_)) if self.body.is_end_stream() => self.attendant.ended(true),
            Some(Ok(_)) => {}
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
