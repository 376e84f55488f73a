//! A streamed body: what actix takes piece by piece, counted, and logged when it has ended. A cut never looks complete.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use tokio::time::Sleep;

use super::super::layers::{Invocation, log_stream};
use crate::failure::{Code, Failure};
use crate::requests::{AnswerStream, Part};

/// The status has gone out long before the end.
const STATUS: u16 = 200;

/// Rows on their way through the server.
pub(super) struct Streamed {
    stream: AnswerStream,
    invocation: Invocation,
    bytes: u64,
    ended: Option<Result<(), Failure>>,
    /// Runs between a cut and telling actix, which throws away what it has not sent by then. Were that the head, the host
    /// would see a dropped connection and send the call again.
    sending: Option<Pin<Box<Sleep>>>,
}

/// Long enough for the connection to be polled and to send what it holds.
const SENDING: Duration = Duration::from_millis(20);

/// Makes actix close the connection without the last chunk. Says nothing: the reason is in our own line.
pub(super) struct Cut;

impl Streamed {
    pub(super) fn new(stream: AnswerStream, invocation: Invocation) -> Self {
        Self { stream, invocation, bytes: 0, ended: None, sending: None }
    }
}

impl MessageBody for Streamed {
    type Error = Cut;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        let this = self.get_mut();
        if let Some(sending) = &mut this.sending {
            ready!(sending.as_mut().poll(context));
            return Poll::Ready(Some(Err(Cut)));
        }
        if this.ended.is_some() {
            return Poll::Ready(None);
        }
        let ended = match ready!(this.stream.parts.poll_recv(context)) {
            Some(Ok(Part::Piece(piece))) => {
                this.bytes += piece.len() as u64;
                return Poll::Ready(Some(Ok(piece)));
            }
            Some(Ok(Part::End)) => Ok(()),
            Some(Err(failure)) => Err(failure),
            // The work behind it is gone without a word: it panicked, or gave up on a caller who took nothing.
            None => Err(Failure::new(Code::ResultIncomplete, "The stream stopped before its end.")),
        };
        let cut = ended.is_err();
        this.ended = Some(ended);
        if !cut {
            return Poll::Ready(None);
        }
        this.sending = Some(Box::pin(tokio::time::sleep(SENDING)));
        Pin::new(this).poll_next(context)
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        let rows = self.stream.rows.load(Ordering::Relaxed);
        // Dropped before its end: the caller went away.
        let outcome = match &self.ended {
            Some(Ok(())) => "complete",
            Some(Err(_)) => "cut",
            None => "abandoned",
        };
        log_stream(&self.invocation, STATUS, rows, self.bytes, outcome);
    }
}

impl fmt::Debug for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stream was cut")
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for Cut {}
