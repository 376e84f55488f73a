//! HTTP calls, as the host proxies them: one file an area, ten lines a handler. Decoding and encoding are `call.rs`
//! and `answer.rs`; the path through them is here.

mod answer;
mod call;
mod head;
mod streamed;

pub(super) mod catalog;
pub(super) mod connector;
pub(super) mod datasets;
pub(super) mod exports;
pub(super) mod health;
pub(super) mod jobs;
pub(super) mod operations;
pub(super) mod power_bi;
pub(super) mod raw;
pub(super) mod runs;
pub(super) mod sql;
pub(super) mod status;
pub(super) mod upkeep;

pub(super) use call::known as known_query;

use std::sync::Arc;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::future::join;
use tokio::sync::mpsc;

use super::Hit;
use super::body::{pump_body, read_body};
use super::function::{Answering, Handle};
use super::layers::{Invocation, invoke, log_abandoned};
use super::route::{Found, find};
use super::shell::Shell;
use crate::failure::Failure;
use crate::requests::{Answer, BodyStream, Presence};

/// Pieces of a body that wait for their handler; each is a read of the connection.
const PIECES_AHEAD: usize = 2;

/// Answers one call below `/api`.
pub(super) async fn answer<W: Send + Sync + 'static>(
    shell: &Arc<Shell<W>>,
    request: &HttpRequest,
    payload: Payload,
    mut invocation: Invocation,
) -> HttpResponse {
    if let Err(failure) = head::check(request, &shell.limits) {
        return answer::failed(&invocation, request, &failure, None);
    }
    let found = match find(shell.functions, request.method().as_str(), request.path()) {
        Ok(found) => found,
        Err(missed) => {
            let failure = missed.failure();
            return answer::failed(&invocation, request, &failure, missed.allowed());
        }
    };
    invocation.function = found.function;
    invocation.route = found.route.path;
    invocation.may_have_effect = found.route.verb.may_have_effect();
    let unanswered = Unanswered(Some(&invocation));
    let reply = reply(shell, request, payload, &invocation, found).await;
    unanswered.answered();
    match reply {
        Ok(done) => answer::done(&invocation, done),
        Err(failure) => answer::failed(&invocation, request, &failure, None),
    }
}

/// Writes the line of an invocation whose caller went away before its answer. What it began goes on or is let go by
/// its own rules.
struct Unanswered<'a>(Option<&'a Invocation>);

impl Unanswered<'_> {
    fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(invocation) = self.0 {
            log_abandoned(invocation);
        }
    }
}

async fn reply<W: Send + Sync + 'static>(
    shell: &Arc<Shell<W>>,
    request: &HttpRequest,
    payload: Payload,
    invocation: &Invocation,
    found: Found<W>,
) -> Result<Answer, Failure> {
    let handle = match found.route.handle {
        Handle::Alone(handle) => return Ok(handle()),
        Handle::Streamed(handle) => return stream(shell, request, payload, invocation, found, handle).await,
        Handle::Work(handle) => handle,
    };
    // Dropped with this future when the connection ends before the answer.
    let (presence, _present) = Presence::new();
    let call = call::decode(request, found.route.verb, invocation, &shell.limits, presence)?;
    let body = read_body(request, payload, shell.limits.http_body, &shell.limits, invocation.deadline).await?;
    // An empty body goes through: the proxy may send a call again without it, and only the claim knows what it was.
    let shell_kept = Arc::clone(shell);
    let deadline = invocation.deadline;
    let parts = found.parts;
    invoke(invocation, &shell.limits, &shell.runtime, async move {
        let work = shell_kept.warm_up.wait(deadline).await?;
        handle(Hit { work, call, parts, body }).await
    })
    .await
}

/// Hands over a body that is still on its way. It stays with its connection; the handler runs on the main runtime.
async fn stream<W: Send + Sync + 'static>(
    shell: &Arc<Shell<W>>,
    request: &HttpRequest,
    payload: Payload,
    invocation: &Invocation,
    found: Found<W>,
    handle: fn(Hit<W>, BodyStream) -> Answering<Answer>,
) -> Result<Answer, Failure> {
    let (presence, _present) = Presence::new();
    let call = call::decode(request, found.route.verb, invocation, &shell.limits, presence)?;
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let (to, pieces) = mpsc::channel(PIECES_AHEAD);
    let body = BodyStream { content_type: content_type.map(str::to_owned), pieces };
    let shell_kept = Arc::clone(shell);
    let deadline = invocation.deadline;
    let parts = found.parts;
    let handled = invoke(invocation, &shell.limits, &shell.runtime, async move {
        let work = shell_kept.warm_up.wait(deadline).await?;
        handle(Hit { work, call, parts, body: Bytes::new() }, body).await
    });
    let pumped = pump_body(request, payload, to, &shell.limits, deadline);
    join(handled, pumped).await.0
}
