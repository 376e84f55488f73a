//! Messages and timers: the path of a `POST /{FunctionName}` through decoding, waiting, handling and encoding.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};

use super::body::read_body;
use super::function::{Function, Trigger};
use super::invocation::{Envelope, event_of, success};
use super::layers::{Invocation, invoke, log_end};
use super::shell::Shell;
use crate::failure::{Code, Failure};

/// Time kept back of a message's deadline to answer before the cut.
const RESERVE: Duration = Duration::from_millis(250);

/// Answers one invocation: always 200 with a body, or 500.
pub(super) async fn answer<W: Send + Sync + 'static>(
    shell: &Arc<Shell<W>>,
    request: &HttpRequest,
    payload: Payload,
    function: &'static Function<W>,
    invocation: &Invocation,
) -> HttpResponse {
    match handle(shell, request, payload, function, invocation).await {
        Ok(()) => {
            log_end(invocation, 200, None);
            let line = format!("{} done in {} ms", invocation.function, invocation.arrived.elapsed().as_millis());
            respond(StatusCode::OK, success(&[line]), invocation)
        }
        Err(failure) => {
            // The host throws the body of a failure away; the reason is in our log line.
            log_end(invocation, 500, Some(&failure));
            let reason = serde_json::json!({ "code": failure.code, "detail": failure.detail });
            respond(StatusCode::INTERNAL_SERVER_ERROR, reason.to_string().into_bytes(), invocation)
        }
    }
}

fn respond(status: StatusCode, body: Vec<u8>, invocation: &Invocation) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header(("x-request-id", invocation.id.as_str()))
        .content_type("application/json")
        .body(body)
}

async fn handle<W: Send + Sync + 'static>(
    shell: &Arc<Shell<W>>,
    request: &HttpRequest,
    payload: Payload,
    function: &'static Function<W>,
    invocation: &Invocation,
) -> Result<(), Failure> {
    let deadline = invocation.deadline;
    let body = read_body(request, payload, shell.limits.envelope, &shell.limits, deadline).await?;
    let shell_kept = Arc::clone(shell);
    match function.trigger {
        Trigger::Message { handle, .. } | Trigger::Subscription { handle, .. } => {
            let envelope = Envelope::parse(&body)?;
            // Large bodies are in memory once from here on.
            drop(body);
            let message = envelope.message()?;
            invoke(invocation, &shell.limits, &shell.runtime, async move {
                match shell_kept.warm_up.wait(deadline.less(RESERVE)).await {
                    Ok(work) => handle(work, message, deadline).await,
                    Err(failure) => {
                        // Abandoning has no delay: ten deliveries would be gone in a second, and the message with
                        // them into the dead letters. So it is held as in an outage.
                        tokio::time::sleep_until(deadline.less(RESERVE).instant()).await;
                        Err(failure)
                    }
                }
            })
            .await
        }
        Trigger::Event { handle } => {
            let event = event_of(&body)?;
            drop(body);
            // Event Grid waits before it delivers again, so a failure is told at once.
            invoke(invocation, &shell.limits, &shell.runtime, async move {
                handle(shell_kept.warm_up.wait(deadline).await?, event, deadline).await
            })
            .await
        }
        Trigger::Timer { handle, .. } => {
            let envelope = Envelope::parse(&body)?;
            let fired = envelope.timer();
            if fired.is_past_due {
                let last = fired.last.map(|last| last.to_string());
                invocation.span().in_scope(|| tracing::info!(last, "the timer is past due"));
            }
            invoke(invocation, &shell.limits, &shell.runtime, async move {
                handle(shell_kept.warm_up.wait(deadline).await?, deadline).await
            })
            .await
        }
        Trigger::Http { .. } => Err(Failure::new(
            Code::RouteNotFound,
            "An HTTP call came in the envelope. Set enableProxyingHttpRequest and enableForwardingHttpRequest in host.json.",
        )),
    }
}
