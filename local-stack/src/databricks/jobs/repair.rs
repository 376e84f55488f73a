//! Running tasks of an ended run again, as part of it (SDK, repair_run).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use http::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::drive::drive;
use super::end::End;
use super::parameters::{Legacy, check_target};
use super::run::{Phase, Progress, Run};
use super::selection::{downstream, in_order};
use super::{no_run, number_of};
use crate::databricks::reply::{Reply, error, invalid, ok, parsed};
use crate::databricks::workspace::Shared;

#[derive(Deserialize)]
struct Repair {
    #[serde(default)]
    run_id: Value,
    #[serde(default)]
    rerun_all_failed_tasks: bool,
    #[serde(default)]
    rerun_tasks: Vec<String>,
    #[serde(default)]
    rerun_dependent_tasks: bool,
    #[serde(default)]
    latest_repair_id: Value,
    job_parameters: Option<BTreeMap<String, String>>,
    performance_target: Option<String>,
    duration_target: Option<String>,
    #[serde(flatten)]
    legacy: Legacy,
}

pub(super) async fn repair(State(workspace): State<Shared>, body: Bytes) -> Reply {
    let request: Repair = parsed(&body)?;
    let run_id = number_of(&request.run_id, "run_id")?;
    let run = workspace.jobs.run(run_id).filter(|run| run.id == run_id).ok_or_else(|| no_run(run_id))?;
    request.legacy.check()?;
    check_target(request.performance_target.as_deref(), request.duration_target.as_deref())?;
    let (id, keys) = begin(&workspace, &run, &request)?;
    let detail = json!({
        "runId": run.id,
        "repairId": id,
        "tasks": keys,
        "parameters": run.progress().given.parameters,
    });
    workspace.history.record("databricks", "jobRepair", detail);
    tokio::spawn(drive(workspace.clone(), run, workspace.jobs.clock.now()));
    Ok(ok(&json!({"repair_id": id})))
}

/// Begins the repair when the run may be repaired so; its id, and the tasks that it runs.
fn begin(workspace: &Shared, run: &Arc<Run>, request: &Repair) -> Result<(u64, Vec<String>), Response<Body>> {
    let jobs = &workspace.jobs;
    let (id, keys, ids) = {
        let mut progress = run.progress();
        let keys = in_order(&run.job, &wanted(run, &progress, request)?);
        run.forget_cancels();
        // "They use the current job and task settings." (SDK, repair_run)
        let job = jobs.job(run.job.id);
        let settings = |key: &String| {
            let current = job.as_ref().and_then(|job| job.tasks.iter().find(|task| task.key == *key));
            current.or_else(|| run.job.tasks.iter().find(|task| task.key == *key)).cloned()
        };
        let tasks: Vec<_> = keys.iter().filter_map(settings).map(|task| (jobs.new_id(), task)).collect();
        let ids: Vec<u64> = tasks.iter().map(|(id, _)| *id).collect();
        let id = jobs.new_id();
        progress.given.parameters.extend(request.job_parameters.clone().unwrap_or_default());
        if request.legacy.shown().is_some() {
            progress.given.legacy = request.legacy.clone();
        }
        if request.performance_target.is_some() {
            progress.given.performance_target.clone_from(&request.performance_target);
        }
        progress.begin(Some(id), tasks);
        progress.phase = Phase::Pending;
        (id, keys, ids)
    };
    run.go_to(Phase::Pending);
    for id in ids {
        jobs.knows(id, run);
    }
    Ok((id, keys))
}

/// The keys of the tasks that are to run again. Only the words about the latest repair were found in public material.
fn wanted(run: &Run, progress: &Progress, request: &Repair) -> Result<BTreeSet<String>, Response<Body>> {
    if !progress.ended() {
        return Err(error(400, "INVALID_STATE", &format!("Run {} is in progress and cannot be repaired.", run.id)));
    }
    let latest = progress.rounds.last().and_then(|round| round.repair);
    match (latest, &request.latest_repair_id) {
        (None, Value::Null) => {}
        // (databricks-sdk-py issue 157)
        (Some(_), Value::Null) => {
            return Err(invalid("The latest repair ID needs to be provided in order to create a new repair"));
        }
        (_, given) => {
            let given = number_of(given, "latest_repair_id")?;
            if latest != Some(given) {
                return Err(invalid(&format!("{given} is not the latest repair of run {}.", run.id)));
            }
        }
    }
    let mut keys: BTreeSet<String> = match (request.rerun_all_failed_tasks, request.rerun_tasks.is_empty()) {
        (true, false) => {
            return Err(invalid("Only one of rerun_tasks and rerun_all_failed_tasks can be used."));
        }
        (false, true) => return Err(invalid("One of rerun_tasks and rerun_all_failed_tasks is needed.")),
        (true, true) => {
            progress.latest().iter().filter(|task| again(&task.phase)).map(|t| t.task.key.clone()).collect()
        }
        (false, false) => request.rerun_tasks.iter().cloned().collect(),
    };
    let ran = |key: &String| progress.tasks.iter().any(|task| task.task.key == *key);
    if let Some(unknown) = keys.iter().find(|key| !ran(key)) {
        return Err(invalid(&format!("Task {unknown} is not a task of run {}.", run.id)));
    }
    if request.rerun_dependent_tasks {
        let after: Vec<String> = keys.iter().flat_map(|key| downstream(&run.job, key)).filter(ran).collect();
        keys.extend(after);
    }
    if keys.is_empty() {
        return Err(invalid(&format!("Run {} has no failed task.", run.id)));
    }
    Ok(keys)
}

/// A task that did not succeed, or never ran because another did not.
fn again(phase: &Phase) -> bool {
    matches!(phase, Phase::Ended(end) if end.failed() || end.canceled() || *end == End::Excluded)
}
