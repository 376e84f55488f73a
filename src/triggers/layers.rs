//! What stands around every invocation. No handler can leave a layer out.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures_util::FutureExt as _;
use tokio::runtime::Handle;
use tracing::Instrument as _;

use super::Limits;
use super::problem;
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::telemetry::{Outcome, Trace, Trail};

/// One invocation: what it is called in the log, and by when it must end.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    /// The host's id of it, else one of our own.
    pub(crate) id: String,
    /// The function's name; `-` when no function was found.
    pub(crate) function: &'static str,
    pub(crate) method: String,
    /// The template of the route and never the path or query: those may carry keys and tokens.
    pub(crate) route: &'static str,
    pub(crate) deadline: Deadline,
    pub(crate) arrived: Instant,
    /// Whether, once begun, its effect can no longer be excluded.
    pub(crate) may_have_effect: bool,
    /// The object id of whoever calls, when Entra has told it.
    pub(crate) caller: Option<String>,
    /// Its span of whoever called, or of a trace of its own.
    pub(crate) trace: Trace,
    /// What the audit will tell of it.
    pub(crate) trail: Trail,
}

impl Invocation {
    /// Every line logged within carries the invocation's id. At level error, so that no filter drops the span.
    pub(crate) fn span(&self) -> tracing::Span {
        tracing::error_span!(
            "invocation",
            invocationId = self.id,
            function = self.function,
            traceId = self.trace.trace_id(),
            spanId = self.trace.span_id()
        )
    }
}

/// Runs a handler within its layers.
pub(super) async fn invoke<T: Send + 'static>(
    invocation: &Invocation,
    limits: &Limits,
    runtime: &Handle,
    handler: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    let may_have_effect = invocation.may_have_effect;

    // A handler that forgot its deadline is cut off before the host kills the process for it, and with it every
    // other invocation. A little later than the deadline itself: a handler that remembers it answers better.
    let cut_off = invocation.deadline.instant() + limits.overrun;
    let handler = tokio::time::timeout_at(cut_off, handler)
        .map(move |ended| ended.unwrap_or_else(|_| Err(unfinished(Code::DeadlineExceeded, TOO_LONG, may_have_effect))));

    // A panic ends this invocation and harms no other. The hook of `telemetry` has written where it happened.
    let handler = AssertUnwindSafe(handler)
        .catch_unwind()
        .map(move |ended| ended.unwrap_or_else(|_| Err(unfinished(Code::Internal, PANICKED, may_have_effect))));

    // The work runs on the main runtime and not inside its connection: a caller that hangs up must not stop it
    // between an effect and its record, and one that computes must not hold up the other connections of its worker.
    runtime
        .spawn(invocation.trace.clone().carry(handler).instrument(invocation.span()))
        .await
        .unwrap_or_else(|error| Err(Failure::new(Code::Internal, "Causeway is shutting down.").caused_by(error)))
}

const TOO_LONG: &str = "This took longer than a caller waits.";
const PANICKED: &str = "Something went wrong inside Causeway. Its operator finds it in the log under the request id.";

/// A handler that was stopped half-way. Nobody knows how far it came, so where an effect was possible it counts as
/// possible, and no status will invite the caller to send it again.
fn unfinished(code: Code, detail: &str, may_have_effect: bool) -> Failure {
    let failure = Failure::new(code, detail);
    if may_have_effect { failure.effect_possible() } else { failure }
}

/// The one line about an invocation whose answer was streamed: `complete`, `cut` (the reason has a line of its own) or
/// `abandoned` by its caller.
pub(super) fn log_stream(invocation: &Invocation, status: u16, rows: u64, bytes: u64, outcome: &str) {
    let _within = invocation.span().entered();
    let duration_ms = u64::try_from(invocation.arrived.elapsed().as_millis()).unwrap_or(u64::MAX);
    let Invocation { method, route, trail, .. } = invocation;
    trail.rows(rows);
    // Whoever goes away has had what came until then.
    trail.end(if outcome == "cut" { Outcome::Failed } else { Outcome::Done }, None);
    let caller = invocation.caller.as_deref();
    if outcome == "cut" {
        tracing::warn!(method, route, caller, status, duration_ms, rows, bytes, outcome, "answered");
    } else {
        tracing::info!(method, route, caller, status, duration_ms, rows, bytes, outcome, "answered");
    }
}

/// The one line about an invocation whose caller went away before it was answered.
pub(super) fn log_abandoned(invocation: &Invocation) {
    let _within = invocation.span().entered();
    let duration_ms = u64::try_from(invocation.arrived.elapsed().as_millis()).unwrap_or(u64::MAX);
    let Invocation { method, route, .. } = invocation;
    let caller = invocation.caller.as_deref();
    tracing::info!(method, route, caller, duration_ms, "abandoned by its caller");
}

/// The one line about how an invocation ended; a failure is logged here and nowhere else.
pub(super) fn log_end(invocation: &Invocation, status: u16, failure: Option<&Failure>) {
    let _within = invocation.span().entered();
    let duration_ms = u64::try_from(invocation.arrived.elapsed().as_millis()).unwrap_or(u64::MAX);
    let Invocation { method, route, .. } = invocation;
    let caller = invocation.caller.as_deref();
    let Some(failure) = failure else {
        tracing::info!(method, route, caller, status, duration_ms, "answered");
        return;
    };
    let code = problem::effective(failure).as_str();
    let (error, run_id, step) = (failure.chain(), failure.run_id.as_deref(), failure.step.as_deref());
    let upstream = failure.upstream.as_ref();
    let upstream_service = upstream.map(|upstream| upstream.service.as_str());
    let upstream_status = upstream.and_then(|upstream| upstream.status);
    let upstream_code = upstream.and_then(|upstream| upstream.code.as_deref());
    let upstream_request_id = upstream.and_then(|upstream| upstream.request_id.as_deref());
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                method,
                route,
                caller,
                status,
                duration_ms,
                code,
                error,
                run_id,
                step,
                upstream_service,
                upstream_status,
                upstream_code,
                upstream_request_id,
                "failed"
            )
        };
    }
    // 4xx is the caller's to repair, 5xx the operator's.
    if status >= 500 { line!(error) } else { line!(warn) }
}
