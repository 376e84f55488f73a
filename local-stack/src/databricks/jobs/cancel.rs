//! Ending runs before their time, and forgetting those that have ended: cancel, cancel-all, delete.

use axum::body::Bytes;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::run::{Phase, Run};
use super::{no_run, number_of};
use crate::databricks::reply::{Reply, error, invalid, ok, parsed};
use crate::databricks::workspace::{Shared, lock};

#[derive(Deserialize)]
struct Which {
    #[serde(default)]
    run_id: Value,
}

#[derive(Deserialize)]
struct All {
    #[serde(default)]
    job_id: Value,
    #[serde(default)]
    all_queued_runs: bool,
}

/// A run or one of its tasks; it ends a little later (SDK, cancel_run). One that has ended stays as it is.
pub(super) async fn one(State(workspace): State<Shared>, body: Bytes) -> Reply {
    let which: Which = parsed(&body)?;
    let run_id = number_of(&which.run_id, "run_id")?;
    let run = workspace.jobs.run(run_id).ok_or_else(|| no_run(run_id))?;
    workspace.history.record("databricks", "jobCancel", json!({"runId": run_id, "jobRunId": run.id}));
    if !run.progress().ended() {
        run.cancel(run_id);
    }
    Ok(ok(&json!({})))
}

/// The active runs of a job, or those that are queued, of a job or of all (SDK, cancel_all_runs).
pub(super) async fn all(State(workspace): State<Shared>, body: Bytes) -> Reply {
    let all: All = parsed(&body)?;
    let job_id = if all.job_id.is_null() { None } else { Some(number_of(&all.job_id, "job_id")?) };
    if job_id.is_none() && !all.all_queued_runs {
        return Err(invalid("Missing required field: job_id"));
    }
    let wanted = |run: &Run| {
        let progress = run.progress();
        let queued = matches!(progress.phase, Phase::Queued(_));
        job_id.is_none_or(|id| id == run.job.id) && !progress.ended() && (queued || !all.all_queued_runs)
    };
    for run in lock(&workspace.jobs.runs).all.iter().filter(|run| wanted(run)) {
        workspace.history.record("databricks", "jobCancel", json!({"runId": run.id, "jobRunId": run.id}));
        run.cancel(run.id);
    }
    Ok(ok(&json!({})))
}

/// Forgets a run; an error while it is active (SDK, delete_run).
pub(super) async fn delete(State(workspace): State<Shared>, body: Bytes) -> Reply {
    let which: Which = parsed(&body)?;
    let run_id = number_of(&which.run_id, "run_id")?;
    let run = workspace.jobs.run(run_id).filter(|run| run.id == run_id).ok_or_else(|| no_run(run_id))?;
    if !run.progress().ended() {
        // The exact words were not found in public material.
        return Err(error(400, "INVALID_STATE", &format!("Run {run_id} is active and cannot be deleted.")));
    }
    let mut runs = lock(&workspace.jobs.runs);
    runs.all.retain(|other| other.id != run.id);
    runs.by_id.retain(|_, other| other.id != run.id);
    Ok(ok(&json!({})))
}
