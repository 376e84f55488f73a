//! A run as callers see it.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::end::error_json;
use super::identity::hash;
use super::record::{Pinned, Record, RunState, StepRecord, StepState, Trigger};
use crate::http::HIDDEN;
use crate::operations::RunAs;

/// `GET /api/runs/{id}`: state, times, steps with their tries and upstream ids.
pub(super) fn view(pinned: &Pinned, newest: &Record) -> Value {
    let ended = newest.ended_at;
    json!({
        "runId": newest.run,
        "operation": newest.operation,
        "state": newest.state,
        "startTime": pinned.created_at,
        "endTime": ended,
        "durationMs": ended.map(|end| lasted(pinned.created_at, end)),
        "wakeAt": (newest.state == RunState::Waiting).then_some(newest.wake_at).flatten(),
        "traceId": pinned.trace.as_ref().map(crate::telemetry::Trace::trace_id),
        "cancelRequestedAt": newest.cancel.as_ref().map(|cancel| cancel.at),
        "retries": newest.retries,
        "definitionHash": pinned.content_hash,
        "trigger": match pinned.trigger {
            Trigger::Http | Trigger::Webhook(_) => "http",
            Trigger::Queue { .. } => "queue",
            Trigger::Event { .. } => "event",
            Trigger::Schedule { .. } => "schedule",
            Trigger::Parent(_) => "parent",
        },
        "parent": match &pinned.trigger {
            Trigger::Parent(parent) => Some(json!({
                "runId": parent.run, "step": parent.step, "item": parent.of.is_some().then_some(parent.item),
            })),
            _ => None,
        },
        "runAs": pinned.run_as,
        "caller": (pinned.run_as == RunAs::Caller).then_some(&pinned.caller),
        "parameters": parameters(pinned),
        "nudges": newest.nudges,
        "steps": newest.steps.iter().filter(|step| seen(step, newest)).map(|one| step(newest, one)).collect::<Vec<_>>(),
        "output": newest.output,
        "error": newest.error.as_ref().map(error_json),
    })
}

/// What it began with; of what is sensitive only that it was given.
fn parameters(pinned: &Pinned) -> Map<String, Value> {
    let shown =
        |name: &String, value: &Value| if pinned.sensitive.contains(name) { json!(HIDDEN) } else { value.clone() };
    pinned.parameters.iter().map(|(name, value)| (name.clone(), shown(name, value))).collect()
}

fn lasted(start: Timestamp, end: Timestamp) -> i128 {
    start.duration_until(end).as_millis()
}

/// Steps of `on_failure` show only when they had a reason to run.
fn seen(step: &StepRecord, newest: &Record) -> bool {
    step.state != StepState::Pending || !newest.state.at_rest()
}

fn step(run: &Record, step: &StepRecord) -> Value {
    let begun = step.state != StepState::Pending || step.started_at.is_some();
    json!({
        "id": step.id,
        "state": step.state,
        "means": means(step.state),
        "attempt": step.attempt,
        "startTime": step.started_at,
        "endTime": step.ended_at,
        "durationMs": step.started_at.zip(step.ended_at).map(|(start, end)| lasted(start, end)),
        "key": begun.then(|| hash(&[&run.run, &step.id, &step.attempt.to_string()])),
        "polls": step.polls,
        "upstreamId": step.upstream_id,
        "upstreamUrl": step.upstream_url,
        "stopRequestedAt": step.stop_asked_at,
        "resolved": step.resolved,
        "progress": step.progress,
        "error": step.error.as_ref().map(error_json),
    })
}

/// A step's state in words.
fn means(state: StepState) -> &'static str {
    match state {
        StepState::Pending => "It has not begun, or is to be sent again.",
        StepState::Started => "It was perhaps sent.",
        StepState::Ready => "What is to be sent next is on record, and nothing of it is under way.",
        StepState::Submitted => "Its neighbour has it.",
        StepState::Succeeded => "It is done.",
        StepState::Failed => "It failed.",
        StepState::Skipped => "It was left out: its condition was false.",
        StepState::Unknown => "It perhaps happened: look, and say so.",
    }
}
