//! A job run as callers and expressions see it. Pure.

use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use crate::databricks::{Dependency, Durations, JobRun, TaskOutput, TaskRun};
use crate::failure::Failure;

/// A run with what its tasks gave back.
pub fn job_run_json(run: &JobRun, outputs: &[TaskOutput]) -> Value {
    let mut view = job_run_head(run);
    view["outputs"] = json!(outputs);
    view
}

/// A run with its tasks, and why it failed if it has.
pub fn job_run_with_tasks(run: &JobRun) -> Value {
    let mut view = job_run_head(run);
    view["tasks"] = run.tasks.iter().map(task_json).collect();
    if let Err(failure) = run.outcome() {
        view["error"] = error_json(&failure);
    }
    view
}

/// The run itself.
pub fn job_run_head(run: &JobRun) -> Value {
    let standing = &run.standing;
    let mut view = json!({
        "runId": run.run_id,
        "jobId": run.job_id,
        "name": run.name,
        "state": standing.state,
        // How it ended, such as SUCCESS or RUN_EXECUTION_ERROR: `state` is TERMINATED either way.
        "terminationCode": standing.termination_code,
        "terminationType": standing.termination_type,
        "message": standing.message,
        "trigger": run.trigger,
        "startTime": run.start_time,
        "endTime": run.end_time,
        "runPageUrl": run.run_page_url,
        "parameters": run.parameters,
    });
    if let Value::Object(view) = &mut view {
        put_durations(view, run.durations);
    }
    view
}

fn error_json(failure: &Failure) -> Value {
    json!({"code": failure.code, "message": failure.detail})
}

fn task_json(task: &TaskRun) -> Value {
    let mut view = json!({
        "taskKey": task.task_key,
        "runId": task.run_id,
        "kind": task.kind,
        "dependsOn": dependencies_json(&task.depends_on),
        "state": task.state,
        "resultState": task.result_state,
        "terminationCode": task.termination_code,
        "terminationType": task.termination_type,
        "message": task.message,
        "attempt": task.attempt,
        "startTime": task.start_time,
        "endTime": task.end_time,
        "runPageUrl": task.run_page_url,
    });
    if let Value::Object(view) = &mut view {
        put_durations(view, task.durations);
    }
    view
}

/// What a task waits for.
pub fn dependencies_json(dependencies: &[Dependency]) -> Value {
    dependencies
        .iter()
        .map(|dependency| match &dependency.outcome {
            Some(outcome) => json!({"taskKey": dependency.task_key, "outcome": outcome}),
            None => json!({"taskKey": dependency.task_key}),
        })
        .collect()
}

/// In milliseconds, and as ISO 8601 says it. The whole is always there, its parts where Databricks tells them.
fn put_durations(view: &mut Map<String, Value>, durations: Durations) {
    let parts = [
        ("queueDuration", durations.queue),
        ("setupDuration", durations.setup),
        ("executionDuration", durations.execution),
        ("cleanupDuration", durations.cleanup),
    ];
    let told = parts.into_iter().filter(|(_, millis)| millis.is_some());
    for (name, millis) in [("duration", durations.total)].into_iter().chain(told) {
        view.insert(format!("{name}Ms"), json!(millis));
        view.insert(name.to_owned(), json!(millis.map(iso)));
    }
}

fn iso(millis: u64) -> String {
    SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_milliseconds_and_as_iso_8601() {
        let durations = Durations { total: Some(3_723_604), queue: Some(250), ..Durations::default() };
        let mut view = Map::new();
        put_durations(&mut view, durations);
        assert_eq!(
            Value::Object(view),
            json!({
                "durationMs": 3_723_604, "duration": "PT1H2M3.604S",
                "queueDurationMs": 250, "queueDuration": "PT0.25S",
            })
        );
        let mut view = Map::new();
        put_durations(&mut view, Durations::default());
        assert_eq!(Value::Object(view), json!({"durationMs": null, "duration": null}));
    }
}
