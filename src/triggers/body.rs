//! Bodies of requests: decompressed, counted, and given up when they come too slowly. The only file that reads them.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::dev::Decompress;
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_ENCODING, ContentEncoding, HeaderMap};
use actix_web::web::Payload;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use tokio::sync::mpsc;

use super::Limits;
use crate::failure::{Code, Failure};
use crate::http::Deadline;

/// So much of a compressed body is unpacked at a time. DEFLATE makes at most some 1,030 bytes of one, so that what a bomb
/// unpacks before its size is looked at stays near 2 MiB.
const SIP: usize = 2048;

/// How long a body is read that nobody wants.
const TO_DISCARD: Duration = Duration::from_secs(5);

/// A body as it comes, decompressed: its pieces, or why it was cut.
struct Pieces<'a> {
    chunks: Decompress<Sips>,
    most: usize,
    read: usize,
    limits: &'a Limits,
    deadline: Deadline,
}

impl<'a> Pieces<'a> {
    fn of(
        request: &HttpRequest,
        payload: Payload,
        most: usize,
        limits: &'a Limits,
        deadline: Deadline,
    ) -> Result<Self, Failure> {
        let encoding = encoding(request.headers())?;
        let sip = if encoding == ContentEncoding::Identity { usize::MAX } else { SIP };
        let sips = Sips { payload, held: Bytes::new(), sip };
        Ok(Self { chunks: Decompress::new(sips, encoding), most, read: 0, limits, deadline })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let soonest = self.deadline.within(self.limits.body_pause).instant();
        let chunk = match tokio::time::timeout_at(soonest, self.chunks.next()).await {
            Err(_) if self.deadline.has_passed() => {
                let detail = "The body was still arriving when its time was up. Send less in one call.";
                return Err(Failure::new(Code::BodyTimeout, detail));
            }
            Err(_) => return Err(Failure::new(Code::BodyTimeout, "The body stopped arriving.")),
            Ok(None) => return Ok(None),
            Ok(Some(chunk)) => chunk.map_err(|error| cut(&error))?,
        };
        self.read += chunk.len();
        if self.read > self.most {
            let detail = format!("The body is larger than {} MiB.", self.most >> 20);
            return Err(Failure::new(Code::BodyTooLarge, detail));
        }
        Ok(Some(chunk))
    }
}

/// What comes over the connection, in pieces of at most so many bytes.
struct Sips {
    payload: Payload,
    held: Bytes,
    sip: usize,
}

impl Stream for Sips {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.held.is_empty() {
            match ready!(Pin::new(&mut this.payload).poll_next(context)) {
                Some(Ok(piece)) => this.held = piece,
                other => return Poll::Ready(other),
            }
        }
        let piece = this.held.split_to(this.sip.min(this.held.len()));
        Poll::Ready(Some(Ok(piece)))
    }
}

/// How the body is packed. Whatever we cannot unpack would be taken for a body that is not JSON, which says nothing.
fn encoding(headers: &HeaderMap) -> Result<ContentEncoding, Failure> {
    let mut said = headers.get_all(CONTENT_ENCODING);
    let Some(first) = said.next() else { return Ok(ContentEncoding::Identity) };
    let name = first.to_str().unwrap_or("?").trim().to_ascii_lowercase();
    let known = match name.as_str() {
        "" | "identity" => Some(ContentEncoding::Identity),
        "gzip" | "x-gzip" => Some(ContentEncoding::Gzip),
        "deflate" => Some(ContentEncoding::Deflate),
        _ => None,
    };
    known.filter(|_| said.next().is_none()).ok_or_else(|| {
        let detail = "Content-Encoding is gzip or deflate, once, or is left out.";
        Failure::new(Code::EncodingNotSupported, detail).at("headers.Content-Encoding")
    })
}

/// Hands the body to `to`, piece by piece, no faster than it is taken. When nobody takes it any more the rest is read
/// and thrown away: the answer that is then on its way would be lost with a connection that is cut in mid-request.
pub(super) async fn pump_body(
    request: &HttpRequest,
    payload: Payload,
    to: mpsc::Sender<Result<Option<Bytes>, Failure>>,
    limits: &Limits,
    deadline: Deadline,
) {
    let mut pieces = match Pieces::of(request, payload, limits.streamed_body, limits, deadline) {
        Ok(pieces) => pieces,
        Err(failure) => {
            _ = to.send(Err(failure)).await;
            return;
        }
    };
    loop {
        match pieces.next().await {
            Ok(Some(piece)) => _ = to.send(Ok(Some(piece))).await,
            last => {
                _ = to.send(last).await;
                return;
            }
        }
    }
}

/// Reads what is still coming of a body that nobody wants, as it comes and not for long.
pub(super) async fn discard_body(mut payload: Payload, most: usize, deadline: Deadline) {
    let until = deadline.within(TO_DISCARD).instant();
    let mut read = 0;
    while let Ok(Some(Ok(piece))) = tokio::time::timeout_at(until, payload.next()).await {
        read += piece.len();
        if read > most {
            return;
        }
    }
}

/// The whole body, decompressed, at most `most` bytes of it.
pub(super) async fn read_body(
    request: &HttpRequest,
    payload: Payload,
    most: usize,
    limits: &Limits,
    deadline: Deadline,
) -> Result<Bytes, Failure> {
    let mut pieces = Pieces::of(request, payload, most, limits, deadline)?;
    let mut first = Bytes::new();
    let mut body = BytesMut::new();
    while let Some(chunk) = pieces.next().await? {
        // Most bodies come in one piece, which is then handed on as it is.
        if first.is_empty() && body.is_empty() {
            first = chunk;
        } else {
            body.extend_from_slice(&std::mem::take(&mut first));
            body.extend_from_slice(&chunk);
        }
    }
    Ok(if body.is_empty() { first } else { body.freeze() })
}

fn cut(error: &PayloadError) -> Failure {
    let detail = match error {
        PayloadError::Incomplete(_) => "The body ended too soon.",
        _ => "The body could not be read.",
    };
    Failure::new(Code::BodyMalformed, detail).caused_by(error.to_string())
}
