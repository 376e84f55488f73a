//! A streamed body: what actix takes piece by piece, counted, and logged when it has ended. A cut never looks complete.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;

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
}

/// Makes actix close the connection without the last chunk. Says nothing: the reason is in our own line.
pub(super) struct Cut;

impl Streamed {
    pub(super) fn new(stream: AnswerStream, invocation: Invocation) -> Self {
        Self { stream, invocation, bytes: 0, ended: None }
    }
}

impl MessageBody for Streamed {
    type Error = Cut;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        let this = self.get_mut();
        if let Some(ended) = &this.ended {
            return Poll::Ready(ended.is_err().then_some(Err(Cut)));
        }
        let ended = match std::task::ready!(this.stream.parts.poll_recv(context)) {
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
        Poll::Ready(cut.then_some(Err(Cut)))
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
