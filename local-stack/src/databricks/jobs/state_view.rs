//! How far a run or a task is, in both models: the legacy `state` and the new `status`, which the service sends side by
//! side.

use serde_json::{Value, json};

use super::end::End;
use super::run::{Phase, Queued};

/// The legacy model.
pub(super) fn state(phase: &Phase, whole_run: bool) -> Value {
    let mut shown = json!({"life_cycle_state": life_cycle(phase, whole_run)});
    match phase {
        Phase::Queued(queued) => shown["queue_reason"] = words(*queued).into(),
        Phase::Ended(end) => shown["result_state"] = end.result().into(),
        _ => {}
    }
    shown["state_message"] = if let Phase::Ended(end) = phase { end.message() } else { String::new() }.into();
    shown["user_cancelled_or_timedout"] = matches!(phase, Phase::Ended(end) if stopped(end)).into();
    shown
}

fn stopped(end: &End) -> bool {
    matches!(end, End::Canceled | End::TimedOut)
}

fn life_cycle(phase: &Phase, whole_run: bool) -> &'static str {
    match phase {
        Phase::Queued(_) => "QUEUED",
        Phase::Blocked => "BLOCKED",
        Phase::Pending => "PENDING",
        Phase::Waiting => "WAITING_FOR_RETRY",
        Phase::Running => "RUNNING",
        Phase::Terminating => "TERMINATING",
        Phase::Ended(end) => end.life_cycle(whole_run),
    }
}

/// The new model.
pub(super) fn status(phase: &Phase) -> Value {
    let name = match phase {
        Phase::Waiting => "WAITING",
        Phase::Ended(_) => "TERMINATED",
        other => life_cycle(other, true),
    };
    let mut shown = json!({"state": name});
    match phase {
        Phase::Queued(queued) => {
            let code = match queued {
                Queued::ActiveRuns(_) => "ACTIVE_RUNS_LIMIT_REACHED",
                Queued::RunsOfJob(_) => "MAX_CONCURRENT_RUNS_REACHED",
            };
            shown["queue_details"] = json!({"code": code, "message": words(*queued)});
        }
        Phase::Ended(end) => {
            let mut details = json!({"code": end.code(), "type": end.kind()});
            if !end.message().is_empty() {
                details["message"] = end.message().into();
            }
            shown["termination_details"] = details;
        }
        _ => {}
    }
    shown
}

/// The service's words were not found in public material.
fn words(queued: Queued) -> String {
    match queued {
        Queued::ActiveRuns(limit) => format!("Queued due to reaching the workspace limit of {limit} active runs."),
        Queued::RunsOfJob(limit) => format!("Queued due to reaching maximum concurrent runs of {limit}."),
    }
}
