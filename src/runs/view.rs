//! A run as callers see it.

use serde_json::{Value, json};

use super::end::error_json;
use super::record::{Record, RunState, StepRecord, StepState};

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
            super::record::Trigger::Http => "http",
            super::record::Trigger::Queue { .. } => "queue",
            super::record::Trigger::Schedule { .. } => "schedule",
            super::record::Trigger::Parent(_) => "parent",
        }),
        "parent": pinned.and_then(|pinned| match &pinned.trigger {
            super::record::Trigger::Parent(parent) => Some(json!({
                "runId": parent.run, "step": parent.step, "item": parent.of.is_some().then_some(parent.item),
            })),
            _ => None,
        }),
        "nudges": newest.nudges,
        "steps": newest.steps.iter().filter(|step| seen(step, newest)).map(step).collect::<Vec<_>>(),
        "output": newest.output,
        "error": newest.error.as_ref().map(error_json),
    })
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
