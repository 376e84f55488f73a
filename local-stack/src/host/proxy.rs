//! One proxied HTTP invocation: the request as the host's reverse proxy sends it, again and again when the connection
//! drops, and the answer streamed back (DefaultHttpProxyService, RetryProxyHandler, YARP's default transforms).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, request};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::bodies::{self, AnyBody, AtEnd, Attended, Lent};
use super::group::{Command, Group, Status};
use super::logs::Source;
use super::{Context, HOST_VERSION, Resend, State, invocation};

const ATTEMPTS: usize = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// Headers that belong to one connection.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// An invocation from its first byte to its last; what is known when it is dropped goes into the record.
#[derive(Debug)]
struct Running {
    context: Arc<Context>,
    function: String,
    group: String,
    id: Uuid,
    started: Timestamp,
    attempts: usize,
    status: Option<u16>,
    outcome: &'static str,
    timer: JoinHandle<()>,
}

impl AtEnd for Running {
    fn ended(&mut self, complete: bool) {
        self.outcome = if complete { "succeeded" } else { "failed" };
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.timer.abort();
        if self.outcome == "failed" {
            let text = format!("Executed 'Functions.{}' (Failed, Id={})", self.function, self.id);
            self.context.logs.push(&self.group, Source::Host, text);
        }
        let detail = json!({
            "trigger": "http", "function": self.function, "invocationId": self.id.to_string(),
            "startedAt": self.started.to_string(),
            "outcome": self.outcome, "attempts": self.attempts, "status": self.status,
        });
        self.context.history.record("host", "invocation", detail);
    }
}

/// What the handler's copy of the request is made from.
struct Original {
    parts: request::Parts,
    forwarded: HeaderMap,
    body: RequestBody,
}

enum RequestBody {
    Streamed(Lent),
    Kept(Bytes),
}

/// Runs the invocation; the answer for the client.
pub(super) async fn run(
    context: &Arc<Context>,
    group: &Arc<Group>,
    function: &str,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Response<AnyBody> {
    let id = Uuid::new_v4();
    let (timed_out, mut on_timeout) = watch::channel(false);
    let mut running = Running {
        context: context.clone(),
        function: function.to_owned(),
        group: group.name.clone(),
        id,
        started: Timestamp::now(),
        attempts: 0,
        status: None,
        // Dropped before its end: the client went away.
        outcome: "cancelled",
        timer: tokio::spawn(time_out(context.clone(), group.clone(), function.to_owned(), timed_out)),
    };
    let response = {
        let work = exchange(context, group, &mut running.attempts, id, request, peer);
        tokio::select! {
            response = work => response,
            _ = on_timeout.wait_for(|timed_out| *timed_out) => Err(StatusCode::INTERNAL_SERVER_ERROR),
            () = tokio::time::sleep(context.options.front_end_timeout) => Err(StatusCode::GATEWAY_TIMEOUT),
        }
    };
    match response {
        Ok(response) => {
            let (mut parts, body) = response.into_parts();
            without_hop_by_hop(&mut parts.headers);
            running.status = Some(parts.status.as_u16());
            // The outcome is decided when the body has gone; until then the client may still go away.
            Response::from_parts(parts, Attended::new(body, running, context.options.idle_timeout).boxed())
        }
        Err(status) => {
            running.status = Some(status.as_u16());
            running.outcome = "failed";
            answer(status)
        }
    }
}

pub(super) fn answer(status: StatusCode) -> Response<AnyBody> {
    let mut response = Response::new(bodies::empty());
    *response.status_mut() = status;
    response
}

async fn time_out(context: Arc<Context>, group: Arc<Group>, function: String, timed_out: watch::Sender<bool>) {
    tokio::time::sleep(context.function_timeout()).await;
    context.logs.push(&group.name, Source::Host, invocation::timeout_message(&context, &function));
    timed_out.send_replace(true);
    // In a task of its own: the end of the invocation aborts this one.
    tokio::spawn(async move { group.command(Command::TimedOut).await });
    std::future::pending::<()>().await;
}

async fn exchange(
    context: &Context,
    group: &Group,
    attempts: &mut usize,
    id: Uuid,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Result<Response<Incoming>, StatusCode> {
    let status = group.initialized(context).await.ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    let original = original(context, request, &status, id, peer).await?;
    let host_ended = group.wait_for(|now| now.state == State::Stopped || now.hosts != status.hosts);
    tokio::pin!(host_ended);
    let mut pause = FIRST_PAUSE;
    loop {
        *attempts += 1;
        let request = original.attempt(status.port).map_err(|_| StatusCode::BAD_REQUEST)?;
        let problem = tokio::select! {
            response = context.client.request(request) => match response {
                Ok(response) => return Ok(response),
                Err(problem) => problem,
            },
            _ = &mut host_ended => return Err(StatusCode::SERVICE_UNAVAILABLE),
        };
        if *attempts >= ATTEMPTS {
            let text = format!("ForwarderError for invocation {id}: {problem}");
            context.logs.push(&group.name, Source::Host, text);
            return Err(StatusCode::INTERNAL_SERVER_ERROR);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn original(
    context: &Context,
    request: Request<Incoming>,
    status: &Status,
    id: Uuid,
    peer: SocketAddr,
) -> Result<Original, StatusCode> {
    let (parts, body) = request.into_parts();
    let mut forwarded = parts.headers.clone();
    without_hop_by_hop(&mut forwarded);
    let host = forwarded.remove(HOST);
    // The proxy sets these; what a client sent under their names is gone.
    for name in ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-prefix"] {
        forwarded.remove(name);
    }
    let id = id.to_string();
    for (name, value) in [
        ("host", format!("127.0.0.1:{}", status.port)),
        ("x-forwarded-for", peer.ip().to_string()),
        ("x-forwarded-proto", "http".to_owned()),
        ("x-azure-functions-hostversion", HOST_VERSION.to_owned()),
        ("x-azure-functions-invocationid", id.clone()),
        ("x-ms-invocation-id", id),
    ] {
        let value = HeaderValue::from_str(&value).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        forwarded.insert(HeaderName::from_static(name), value);
    }
    if let Some(host) = host {
        forwarded.insert("x-forwarded-host", host);
    }
    let body = match context.options.resend {
        Resend::WithoutBody => RequestBody::Streamed(Lent::new(body)),
        Resend::WithBody => RequestBody::Kept(body.collect().await.map_err(|_| StatusCode::BAD_REQUEST)?.to_bytes()),
    };
    Ok(Original { parts, forwarded, body })
}

impl Original {
    /// The next request to send. A body that has been read from cannot be sent again.
    fn attempt(&self, port: u16) -> http::Result<Request<AnyBody>> {
        let target = self.parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let mut request =
            Request::builder().method(self.parts.method.clone()).uri(format!("http://127.0.0.1:{port}{target}"));
        let mut headers = self.forwarded.clone();
        let body = match &self.body {
            RequestBody::Kept(bytes) => bodies::full(bytes.clone()),
            RequestBody::Streamed(lent) if lent.is_touched() => {
                headers.remove(CONTENT_LENGTH);
                bodies::empty()
            }
            RequestBody::Streamed(lent) if lent.is_end_stream() => bodies::empty(),
            RequestBody::Streamed(lent) => lent.clone().boxed(),
        };
        if let Some(all) = request.headers_mut() {
            *all = headers;
        }
        request.body(body)
    }
}

fn without_hop_by_hop(headers: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}
