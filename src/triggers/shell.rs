//! The door: every request of the host comes in here and is told apart by its path. Bodies are read in `body.rs`.

use std::time::Instant;

use actix_web::http::Method;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use tokio::runtime::Handle;
use uuid::Uuid;

use super::function::{Function, Trigger};
use super::layers::Invocation;
use super::{Guarded, Limits, WarmUp, envelope, http};
use crate::http::Deadline;
use crate::telemetry::{Trace, Trail};

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
