//! The calls of Jobs API 2.2 that are served: list, get, run-now, runs/get, runs/list, runs/get-output, runs/cancel.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use http::{HeaderMap, Response, header};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{FIRST_RUN, Output, Progress, Run, Stage, TaskRun, drive, view};
use crate::databricks::reply::{Reply, error, invalid, ok, parsed};
use crate::databricks::workspace::{Shared, lock};

type Given = Query<HashMap<String, String>>;

#[derive(Deserialize)]
pub(super) struct RunNow {
    /// The service takes the number also as text.
    job_id: Value,
    #[serde(default)]
    job_parameters: BTreeMap<String, String>,
    #[serde(default)]
    notebook_params: BTreeMap<String, String>,
    idempotency_token: Option<String>,
    #[serde(default)]
    only: Vec<String>,
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn asked(query: &HashMap<String, String>, name: &str) -> Result<u64, Response<Body>> {
    let value = query.get(name).ok_or_else(|| invalid(&format!("Missing required field: {name}")))?;
    value.parse().map_err(|_| invalid(&format!("Could not parse {name} {value} as a number.")))
}

fn no_job(job_id: u64) -> Response<Body> {
    error(404, "RESOURCE_DOES_NOT_EXIST", &format!("Job {job_id} does not exist."))
}

/// SDKs map this message of a 400 to not-found (SDK, errors/overrides.py).
fn no_run(run_id: u64) -> Response<Body> {
    invalid(&format!("Run {run_id} does not exist."))
}

fn base(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
    format!("http://{host}")
}

/// A page of `all` from the offset that the token names, with the token of the next page.
fn page<T>(all: Vec<T>, query: &HashMap<String, String>, default: usize, most: usize) -> (Vec<T>, Option<String>) {
    let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(default);
    let limit = if limit == 0 { most } else { limit.min(most) };
    let offset: usize = query.get("page_token").and_then(|token| token.parse().ok()).unwrap_or(0);
    let next = (offset + limit < all.len()).then(|| (offset + limit).to_string());
    (all.into_iter().skip(offset).take(limit).collect(), next)
}

/// The key of the items is absent when there are none (SDK, ListJobsResponse).
fn listed(key: &str, items: Vec<Value>, next: Option<String>) -> Response<Body> {
    let mut shown = json!({"has_more": next.is_some()});
    if !items.is_empty() {
        shown[key] = items.into();
    }
    if let Some(next) = next {
        shown["next_page_token"] = next.into();
    }
    ok(&shown)
}

pub(super) async fn list(State(workspace): State<Shared>, Query(query): Given) -> Response<Body> {
    let tasks = query.get("expand_tasks").is_some_and(|value| value == "true");
    let named = |job: &&super::Job| query.get("name").is_none_or(|name| name.eq_ignore_ascii_case(&job.name));
    let all: Vec<Value> = workspace.jobs.definitions.iter().filter(named).map(|job| view::job(job, tasks)).collect();
    let (items, next) = page(all, &query, 20, 100);
    listed("jobs", items, next)
}

pub(super) async fn get(State(workspace): State<Shared>, Query(query): Given) -> Reply {
    let job_id = asked(&query, "job_id")?;
    workspace.jobs.job(job_id).map(|job| ok(&view::job(job, true))).ok_or_else(|| no_job(job_id))
}

pub(super) async fn run_now(State(workspace): State<Shared>, body: Bytes) -> Reply {
    let request: RunNow = parsed(&body)?;
    let job_id = number(&request.job_id).ok_or_else(|| invalid("job_id must be a number."))?;
    let job = workspace.jobs.job(job_id).ok_or_else(|| no_job(job_id))?.clone();
    let token = request.idempotency_token.clone();
    if token.as_ref().is_some_and(|token| token.chars().count() > 64) {
        return Err(invalid("The idempotency token must have at most 64 characters."));
    }
    let mut parameters: BTreeMap<String, String> =
        job.parameters.iter().map(|parameter| (parameter.name.clone(), parameter.default.clone())).collect();
    parameters.extend(request.notebook_params.clone());
    parameters.extend(request.job_parameters.clone());
    let run = {
        let mut runs = lock(&workspace.jobs.runs);
        // The same token is the same run (SDK, run_now).
        if let Some(run_id) = token.as_ref().and_then(|token| runs.by_token.get(token)) {
            return Ok(ok(&json!({"run_id": run_id, "number_in_job": run_id})));
        }
        let mut next = || {
            runs.ids += 1;
            FIRST_RUN + runs.ids
        };
        let run_id = next();
        let wanted = |task: &&super::Task| request.only.is_empty() || request.only.contains(&task.key);
        let tasks = job.tasks.iter().filter(wanted).map(|task| TaskRun {
            run_id: next(),
            task: task.clone(),
            stage: Stage::Pending,
            output: Output::default(),
        });
        let progress = Progress { stage: Stage::Pending, tasks: tasks.collect(), ended: None };
        let run = Arc::new(Run {
            id: run_id,
            job,
            parameters,
            started: Timestamp::now(),
            progress: Mutex::new(progress),
            cancel: watch::Sender::new(false),
        });
        runs.all.push(run.clone());
        if let Some(token) = &token {
            runs.by_token.insert(token.clone(), run_id);
        }
        run
    };
    workspace.history.record(
        "databricks",
        "jobRun",
        json!({"runId": run.id, "jobId": job_id, "parameters": run.parameters, "idempotencyToken": token}),
    );
    tokio::spawn(drive::drive(workspace.clone(), run.clone()));
    Ok(ok(&json!({"run_id": run.id, "number_in_job": run.id})))
}

pub(super) async fn run(State(workspace): State<Shared>, headers: HeaderMap, Query(query): Given) -> Reply {
    let run_id = asked(&query, "run_id")?;
    let run = workspace.jobs.run(run_id).ok_or_else(|| no_run(run_id))?;
    Ok(ok(&view::run(&run, &base(&headers), true)))
}

pub(super) async fn runs(State(workspace): State<Shared>, headers: HeaderMap, Query(query): Given) -> Response<Body> {
    let is = |name: &str| query.get(name).is_some_and(|value| value == "true");
    let bound = |name: &str| query.get(name).and_then(|value| value.parse::<i64>().ok());
    let wanted = |run: &&Arc<Run>| {
        let ended = lock(&run.progress).stage.ended();
        let at = run.started.as_millisecond();
        query.get("job_id").is_none_or(|id| *id == run.job.id.to_string())
            && (!is("active_only") || !ended)
            && (!is("completed_only") || ended)
            && bound("start_time_from").is_none_or(|from| at >= from)
            && bound("start_time_to").is_none_or(|to| at <= to)
    };
    let base = base(&headers);
    let runs: Vec<Arc<Run>> = lock(&workspace.jobs.runs).all.iter().rev().filter(wanted).cloned().collect();
    let shown = runs.iter().map(|run| view::run(run, &base, is("expand_tasks"))).collect();
    let (items, next) = page(shown, &query, 20, 24);
    listed("runs", items, next)
}

pub(super) async fn output(State(workspace): State<Shared>, headers: HeaderMap, Query(query): Given) -> Reply {
    let run_id = asked(&query, "run_id")?;
    let run = workspace.jobs.run(run_id).ok_or_else(|| no_run(run_id))?;
    let tasks = lock(&run.progress).tasks.clone();
    if run.id == run_id && tasks.len() > 1 {
        return Err(error(
            400,
            "INVALID_PARAMETER_VALUE",
            "Retrieving the output of runs with multiple tasks is not supported. Please retrieve the output of each \
             individual task run instead.",
        ));
    }
    let task = tasks.iter().find(|task| task.run_id == run_id || run.id == run_id).ok_or_else(|| no_run(run_id))?;
    Ok(ok(&view::output(&run, task, &base(&headers))))
}

pub(super) async fn cancel(State(workspace): State<Shared>, body: Bytes) -> Reply {
    let request: Value = parsed(&body)?;
    let run_id = number(&request["run_id"]).ok_or_else(|| invalid("run_id must be a number."))?;
    workspace.jobs.run(run_id).ok_or_else(|| no_run(run_id))?.cancel.send_replace(true);
    Ok(ok(&json!({})))
}
