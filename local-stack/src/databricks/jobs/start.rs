//! Starting a run: run-now with all that it takes, what it refuses, and who has to queue.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use http::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::definition::JobDefinition;
use super::drive::drive;
use super::end::End;
use super::parameters::{Legacy, check_target, effective};
use super::run::{Given, Phase, Queued, Run};
use super::{no_job, number_of, selection};
use crate::databricks::reply::{Reply, error, invalid, ok, parsed};
use crate::databricks::workspace::{Shared, lock};

/// Characters of an idempotency token (SDK, run_now).
const TOKEN: usize = 64;

/// The body of run-now (SDK, run_now).
#[derive(Deserialize)]
struct RunNow {
    /// The service takes the number also as text.
    #[serde(default)]
    job_id: Value,
    #[serde(default)]
    job_parameters: BTreeMap<String, String>,
    idempotency_token: Option<String>,
    #[serde(default)]
    only: Vec<String>,
    queue: Option<Queue>,
    performance_target: Option<String>,
    duration_target: Option<String>,
    #[serde(flatten)]
    legacy: Legacy,
}

#[derive(Deserialize)]
struct Queue {
    enabled: bool,
}

/// A run that is to begin.
pub(super) struct Start {
    pub(super) keys: Vec<String>,
    pub(super) given: Given,
    /// As the job has it when None.
    pub(super) queue: Option<bool>,
    pub(super) token: Option<String>,
    pub(super) trigger: &'static str,
}

/// The workspace has as many active runs as it may have.
#[derive(Debug)]
pub(super) struct Full {
    active: usize,
    limit: usize,
}

impl Full {
    /// (dbdemos issue 244: the whole body of a 429 of run-now.)
    pub(super) fn message(&self) -> String {
        format!("There are already {} active runs (limit: {}).", self.active, self.limit)
    }
}

pub(super) async fn run_now(State(workspace): State<Shared>, body: Bytes) -> Reply {
    let request: RunNow = parsed(&body)?;
    let job_id = number_of(&request.job_id, "job_id")?;
    let job = workspace.jobs.job(job_id).ok_or_else(|| no_job(job_id))?;
    let token = request.idempotency_token.filter(|token| !token.is_empty());
    if token.as_ref().is_some_and(|token| token.chars().count() > TOKEN) {
        return Err(invalid(&format!("The idempotency token must have at most {TOKEN} characters.")));
    }
    request.legacy.check()?;
    check_target(request.performance_target.as_deref(), request.duration_target.as_deref())?;
    // The service's words were not found in public material.
    let keys = selection::only(&job, &request.only)
        .map_err(|key| invalid(&format!("Task {key} does not exist in job {job_id}.")))?;
    let given = Given {
        parameters: effective(&job, request.job_parameters),
        legacy: request.legacy,
        performance_target: request.performance_target,
    };
    let queue = request.queue.map(|queue| queue.enabled);
    let start = Start { keys, given, queue, token: token.clone(), trigger: "ONE_TIME" };
    if let Some(earlier) = token.as_ref().and_then(|token| workspace.jobs.started_by(token)) {
        return again(&workspace, earlier);
    }
    let run = begin(&workspace, &job, start).map_err(|full| error(429, "REQUEST_LIMIT_EXCEEDED", &full.message()))?;
    Ok(started(run.id))
}

fn started(run_id: u64) -> Response<Body> {
    ok(&json!({"run_id": run_id, "number_in_job": run_id}))
}

/// The same token is the same run, and an error once that is deleted (SDK, run_now).
fn again(workspace: &Shared, run_id: u64) -> Reply {
    match workspace.jobs.run(run_id) {
        Some(_) => Ok(started(run_id)),
        None => Err(invalid("The run with the given idempotency token was deleted.")),
    }
}

/// Makes the run and lets it go. Where its token has started one, that one.
pub(super) fn begin(workspace: &Shared, job: &JobDefinition, start: Start) -> Result<Arc<Run>, Full> {
    let jobs = &workspace.jobs;
    let Start { keys, given, queue, token, trigger } = start;
    let run = {
        // Held throughout: two requests with one token are one run, and places are counted once.
        let mut runs = lock(&jobs.runs);
        if let Some(run) = token.as_ref().and_then(|token| runs.by_token.get(token)).and_then(|id| runs.by_id.get(id)) {
            return Ok(run.clone());
        }
        let queue = queue.unwrap_or(job.queue);
        let (all, of_job) = runs.active(job.id);
        let limit = workspace.options.active_runs_limit;
        let phase = if all >= limit {
            if !queue {
                return Err(Full { active: all, limit });
            }
            Phase::Queued(Queued::ActiveRuns(limit))
        } else if of_job >= job.max_concurrent_runs {
            let limit = job.max_concurrent_runs;
            if queue { Phase::Queued(Queued::RunsOfJob(limit)) } else { Phase::Ended(End::Skipped { limit }) }
        } else {
            Phase::Pending
        };
        let skipped = matches!(phase, Phase::Ended(_));
        let run = Arc::new(Run::new(jobs.new_id(), job.clone(), trigger, given.clone(), phase.clone()));
        let tasks = job.tasks.iter().filter(|task| keys.contains(&task.key) && !skipped);
        let tasks: Vec<_> = tasks.map(|task| (jobs.new_id(), task.clone())).collect();
        runs.add(&run, tasks.iter().map(|(id, _)| *id), token.as_deref());
        run.progress().begin(None, tasks);
        if skipped {
            run.go_to(phase);
        }
        run
    };
    let mut detail = json!({
        "runId": run.id,
        "jobId": job.id,
        "parameters": given.parameters,
        "idempotencyToken": token,
        "tasks": keys,
        "queue": queue,
        "performanceTarget": given.performance_target,
    });
    if let Some(legacy) = given.legacy.shown() {
        detail["legacyParameters"] = legacy;
    }
    workspace.history.record("databricks", "jobRun", detail);
    if !run.progress().ended() {
        tokio::spawn(drive(workspace.clone(), run.clone(), jobs.clock.now()));
    }
    Ok(run)
}
