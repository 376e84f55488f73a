//! A run as callers see it.

use serde_json::{Map, Value, json};

use super::end::error_json;
use super::record::{Pinned, Record, RunState, StepRecord, StepState, Trigger};
use crate::http::HIDDEN;

/// `GET /api/runs/{id}`: state, times, steps with their tries and upstream ids.
pub(super) fn view(first: &Record, newest: &Record) -> Value {
    let pinned = first.pinned.as_deref();
    let started = pinned.map(|pinned| pinned.created_at);
    let ended = newest.ended_at;
    json!({
        "runId": newest.run,
        "operation": newest.operation,
        "state": newest.state,
        "startTime": started,
        "endTime": ended,
        "durationMs": ended.zip(started).map(|(end, start)| start.duration_until(end).as_millis()),
        "wakeAt": (newest.state == RunState::Waiting).then_some(newest.wake_at).flatten(),
        "definitionHash": pinned.map(|pinned| pinned.content_hash.as_str()),
        "trigger": pinned.map(|pinned| match pinned.trigger {
            Trigger::Http | Trigger::Webhook(_) => "http",
            Trigger::Queue { .. } => "queue",
            Trigger::Schedule { .. } => "schedule",
        }),
        "parameters": pinned.map(parameters),
        "nudges": newest.nudges,
        "steps": newest.steps.iter().filter(|step| seen(step, newest)).map(step).collect::<Vec<_>>(),
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

/// Steps of `on_failure` show only when they had a reason to run.
fn seen(step: &StepRecord, newest: &Record) -> bool {
    step.state != StepState::Pending || !newest.state.at_rest()
}

fn step(step: &StepRecord) -> Value {
    let ended = step.ended_at.zip(step.started_at);
    json!({
        "id": step.id,
        "state": step.state,
        "attempt": step.attempt,
        "startTime": step.started_at,
        "endTime": step.ended_at,
        "durationMs": ended.map(|(end, start)| start.duration_until(end).as_millis()),
        "upstreamId": step.upstream_id,
        "progress": step.progress,
        "error": step.error.as_ref().map(error_json),
    })
}
