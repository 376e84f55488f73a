//! The door: every request of the host comes in here and is told apart by its path. The only file that reads bodies.

use std::time::{Duration, Instant};

use actix_web::dev::Decompress;
use actix_web::error::PayloadError;
use actix_web::http::Method;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::function::{Function, Trigger};
use super::layers::Invocation;
use super::{Guarded, Limits, WarmUp, envelope, http};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::telemetry::{Trace, Trail};

/// How long a body is read that nobody wants.
const TO_DISCARD: Duration = Duration::from_secs(5);

/// What every request is answered with.
#[derive(Debug)]
pub(crate) struct Shell<W: 'static> {
    pub(crate) functions: &'static [Function<W>],
    pub(crate) limits: Limits,
    /// Where handlers run: the main runtime, not that of a connection.
    pub(crate) runtime: Handle,
    /// When the process began to answer.
    pub(crate) started: Instant,
    pub(crate) warm_up: WarmUp<W>,
}

/// Answers one request. `/` is the host's question whether we are there, asked every 25 ms at the start; `/api/...`
/// is proxied HTTP; `/{FunctionName}` is the envelope.
pub(crate) async fn enter<W: Guarded>(request: HttpRequest, payload: Payload, shell: Data<Shell<W>>) -> HttpResponse {
    let path = request.path();
    if path == "/" {
        return HttpResponse::Ok().content_type("text/plain").body("causeway");
    }
    let shell = shell.into_inner();
    let function = path.strip_prefix('/').filter(|_| request.method() == Method::POST).and_then(|name| {
        let woken = |function: &&Function<W>| !matches!(function.trigger, Trigger::Http { .. });
        shell.functions.iter().filter(woken).find(|function| function.name == name)
    });
    let allowance = match function {
        Some(_) => shell.limits.message_deadline,
        None => shell.limits.http_deadline_at(shell.started.elapsed()),
    };
    let invocation = Invocation {
        id: invocation_id(&request),
        function: function.map_or("-", |function| function.name),
        method: request.method().as_str().to_owned(),
        route: "-",
        deadline: Deadline::after(allowance),
        arrived: Instant::now(),
        // A message is told apart by its run and comes again by design; for HTTP the route decides.
        may_have_effect: false,
        caller: None,
        trace: trace_of(&request),
        trail: Trail::default(),
    };
    match function {
        Some(function) => envelope::answer(&shell, &request, payload, function, &invocation).await,
        None => http::answer(&shell, &request, payload, invocation).await,
    }
}

/// Ours within the caller's trace, as the host hands it on.
fn trace_of(request: &HttpRequest) -> Trace {
    let said = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let theirs = said("traceparent").and_then(|parent| Trace::read(parent, said("tracestate")));
    theirs.map_or_else(Trace::begin, |theirs| theirs.child())
}

/// The host's id of the invocation, the same when its proxy sends the request again.
fn invocation_id(request: &HttpRequest) -> String {
    let sent = request.headers().get("x-azure-functions-invocationid").and_then(|value| value.to_str().ok());
    match sent {
        Some(id) if (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()) => id.to_owned(),
        _ => Uuid::new_v4().to_string(),
    }
}

/// A body as it comes, decompressed: its pieces, or why it was cut.
struct Pieces<'a> {
    chunks: Decompress<Payload>,
    most: usize,
    read: usize,
    limits: &'a Limits,
    deadline: Deadline,
}

impl<'a> Pieces<'a> {
    fn of(request: &HttpRequest, payload: Payload, most: usize, limits: &'a Limits, deadline: Deadline) -> Self {
        Self { chunks: Decompress::from_headers(payload, request.headers()), most, read: 0, limits, deadline }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let soonest = self.deadline.within(self.limits.body_pause).instant();
        let chunk = match tokio::time::timeout_at(soonest, self.chunks.next()).await {
            Err(_) if self.deadline.has_passed() => {
                let detail = "The body was still arriving when its time was up. Send less in one call.";
                return Err(Failure::new(Code::DeadlineExceeded, detail));
            }
            Err(_) => return Err(Failure::new(Code::BodyMalformed, "The body stopped arriving.")),
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

/// Hands the body to `to`, piece by piece, no faster than it is taken. When nobody takes it any more the rest is read
/// and thrown away: the answer that is then on its way would be lost with a connection that is cut in mid-request.
pub(super) async fn pump_body(
    request: &HttpRequest,
    payload: Payload,
    to: mpsc::Sender<Result<Option<Bytes>, Failure>>,
    limits: &Limits,
    deadline: Deadline,
) {
    let mut pieces = Pieces::of(request, payload, limits.streamed_body, limits, deadline);
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
    let mut pieces = Pieces::of(request, payload, most, limits, deadline);
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
