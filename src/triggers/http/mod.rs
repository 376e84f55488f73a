//! HTTP calls, as the host proxies them: one file an area, ten lines a handler. Decoding and encoding are `call.rs`
//! and `answer.rs`; the path through them is here.

mod answer;
mod audited;
mod call;
mod door;
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

use self::audited::audited;
use self::door::Admitted;
use super::body::{discard_body, pump_body, read_body};
use super::function::{Answering, Handle, Verb};
use super::layers::{Invocation, invoke, log_abandoned};
use super::route::{Found, find};
use super::shell::Shell;
use super::{Guarded, Hit};
use crate::failure::Failure;
use crate::requests::{Answer, BodyStream, Call, Presence};
use crate::telemetry::Trail;

/// Pieces of a body that wait for their handler; each is a read of the connection.
const PIECES_AHEAD: usize = 2;

/// Answers one call below `/api`.
pub(super) async fn answer<W: Guarded>(
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
    let reply = match found.route.handle {
        Handle::Alone(handle) => Ok(handle()),
        Handle::Work(handle) => reply(shell, request, payload, &mut invocation, found, handle).await,
        Handle::Streamed(handle) => stream(shell, request, payload, &mut invocation, found, handle).await,
    };
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

/// Waits, and tells when the caller has gone meanwhile.
async fn answered<T>(invocation: &Invocation, work: impl Future<Output = T>) -> T {
    let unanswered = Unanswered(Some(invocation));
    let done = work.await;
    unanswered.answered();
    done
}

/// Lets the caller in. Who stays outside is answered once the body is out of the way: with a connection that is cut in
/// mid-request the answer would be lost.
async fn let_in<W: Guarded>(
    shell: &Arc<Shell<W>>,
    request: &HttpRequest,
    payload: Payload,
    invocation: &mut Invocation,
    found: &Found<W>,
) -> Result<(Admitted<W>, Payload), Failure> {
    match answered(invocation, door::admit(shell, request, invocation, found)).await {
        Ok(admitted) => {
            invocation.caller = admitted.caller.user.as_ref().map(|user| user.object_id.clone());
            Ok((admitted, payload))
        }
        Err(failure) => {
            discard_body(payload, shell.limits.http_body, invocation.deadline).await;
            Err(failure)
        }
    }
}

async fn reply<W: Guarded>(
    shell: &Arc<Shell<W>>,
    request: &HttpRequest,
    payload: Payload,
    invocation: &mut Invocation,
    found: Found<W>,
    handle: fn(Hit<W>) -> Answering<Answer>,
) -> Result<Answer, Failure> {
    let (Admitted { work, caller }, payload) = let_in(shell, request, payload, invocation, &found).await?;
    let invocation: &Invocation = invocation;
    let verb = found.route.verb;
    answered(invocation, async {
        // Dropped with this future when the connection ends before the answer.
        let (presence, _present) = Presence::new();
        let call = call::decode(request, verb, invocation, &shell.limits, presence, &caller)?;
        let body = read_body(request, payload, shell.limits.http_body, &shell.limits, invocation.deadline).await?;
        // An empty body goes through: the proxy may send a call again without it, and only the claim knows what it was.
        let parts = found.parts;
        let told = told(invocation, &call, &parts, verb);
        let handled = audited(told, handle(Hit { work, call, parts, body }));
        invoke(invocation, &shell.limits, &shell.runtime, handled).await
    })
    .await
}

/// From here on the audit knows who calls what, and whether that acts.
fn told(invocation: &Invocation, call: &Call, parts: &[String], verb: Verb) -> (Trail, bool) {
    invocation.trail.begin(&call.caller, format!("{} {}", invocation.method, invocation.route), parts);
    (invocation.trail.clone(), verb != Verb::Get)
}

/// Hands over a body that is still on its way. It stays with its connection; the handler runs on the main runtime.
async fn stream<W: Guarded>(
    shell: &Arc<Shell<W>>,
    request: &HttpRequest,
    payload: Payload,
    invocation: &mut Invocation,
    found: Found<W>,
    handle: fn(Hit<W>, BodyStream) -> Answering<Answer>,
) -> Result<Answer, Failure> {
    let (Admitted { work, caller }, payload) = let_in(shell, request, payload, invocation, &found).await?;
    let invocation: &Invocation = invocation;
    let verb = found.route.verb;
    answered(invocation, async {
        let (presence, _present) = Presence::new();
        let call = call::decode(request, verb, invocation, &shell.limits, presence, &caller)?;
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let (to, pieces) = mpsc::channel(PIECES_AHEAD);
        let body = BodyStream { content_type: content_type.map(str::to_owned), pieces };
        let told = told(invocation, &call, &found.parts, verb);
        let hit = Hit { work, call, parts: found.parts, body: Bytes::new() };
        let handled = invoke(invocation, &shell.limits, &shell.runtime, audited(told, handle(hit, body)));
        let pumped = pump_body(request, payload, to, &shell.limits, invocation.deadline);
        join(handled, pumped).await.0
    })
    .await
}
