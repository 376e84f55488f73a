//! One invocation in the Data/Metadata protocol, from the wait for the handler to the outcome. What triggers it and
//! what follows from its outcome is `listener`'s and `timer`'s.

use http::Request;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use uuid::Uuid;

use super::definition::Function;
use super::envelope::{self, Answer};
use super::group::{Command, Group};
use super::logs::Source;
use super::{Context, HOST_VERSION, Outcome, bodies};

/// Runs the function once and records how it ended. `detail` goes into the record.
pub(super) async fn run(
    context: &Context,
    group: &Group,
    function: &Function,
    envelope: &Value,
    mut detail: Value,
) -> Outcome {
    let id = Uuid::new_v4();
    detail["function"] = function.name.as_str().into();
    detail["invocationId"] = id.to_string().into();
    detail["host"] = context.address.to_string().into();
    // As the host logs it ("Executing 'Functions.x'"). What is in flight when the host stops itself has no end.
    context.history.record("host", "executing", detail.clone());
    let attempt = attempt(context, group, function, id, envelope);
    let outcome = if let Ok(outcome) = tokio::time::timeout(context.function_timeout(), attempt).await {
        outcome
    } else {
        group.command(Command::TimedOut).await;
        Outcome::Failed(timeout_message(context, &function.name))
    };
    if let Outcome::Failed(reason) = &outcome {
        let name = &function.name;
        context.logs.push(
            &group.name,
            Source::Host,
            format!("Executed 'Functions.{name}' (Failed, Id={id}): {reason}"),
        );
        detail["reason"] = reason.as_str().into();
    }
    detail["outcome"] = if outcome == Outcome::Succeeded { "succeeded" } else { "failed" }.into();
    context.history.record("host", "invocation", detail);
    outcome
}

pub(super) fn timeout_message(context: &Context, function: &str) -> String {
    format!("Timeout value of {:?} was exceeded by function: Functions.{function}", context.function_timeout())
}

async fn attempt(context: &Context, group: &Group, function: &Function, id: Uuid, envelope: &Value) -> Outcome {
    let Some(status) = group.initialized(context).await else {
        return Outcome::Failed("The handler was not initialized in time".into());
    };
    let trace: u128 = Uuid::new_v4().as_u128();
    let span = Uuid::new_v4().as_u64_pair().0;
    let request = Request::post(format!("http://127.0.0.1:{}/{}", status.port, function.name))
        .header("X-Azure-Functions-HostVersion", HOST_VERSION)
        .header("X-Azure-Functions-InvocationId", id.to_string())
        .header(USER_AGENT, format!("Azure-Functions-Host/{HOST_VERSION}"))
        .header("traceparent", format!("00-{trace:032x}-{span:016x}-00"))
        .header(CONTENT_TYPE, "application/json; charset=utf-8")
        .body(bodies::chunked(envelope.to_string()));
    let request = match request {
        Ok(request) => request,
        Err(problem) => return Outcome::Failed(problem.to_string()),
    };
    let response = match context.client.request(request).await {
        Ok(response) => response,
        Err(problem) => return Outcome::Failed(format!("HttpRequestException: {problem}")),
    };
    let (parts, body) = response.into_parts();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(problem) => return Outcome::Failed(format!("HttpRequestException: {problem}")),
    };
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match envelope::read(parts.status, content_type, &body) {
        Answer::Success(lines) => {
            for line in lines {
                context.logs.push(&group.name, Source::Invocation, line);
            }
            Outcome::Succeeded
        }
        Answer::Failure(reason) => Outcome::Failed(reason),
        // The host never completes the result; only functionTimeout ends this.
        Answer::Never => std::future::pending().await,
    }
}

/// A record's detail before the outcome is known.
pub(super) fn detail(trigger: &str) -> Value {
    json!({"trigger": trigger})
}
