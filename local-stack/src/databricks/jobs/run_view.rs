//! How runs and task runs look in Jobs API 2.2. The shape of a task run by itself was recorded by a user of the API. How
//! far they are is put in words in `state_view.rs`.

use axum::extract::{Query, State};
use http::{HeaderMap, header};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::definition::JobDefinition;
use super::no_run;
use super::paging::{self, array_offset, is, next_part, part, required};
use super::run::{Phase, Progress, Round, Run, TaskRun};
use super::state_view::{state, status};
use super::view::{CREATOR, task};
use crate::databricks::links::WORKSPACE_ID;
use crate::databricks::reply::{Reply, ok};
use crate::databricks::workspace::Shared;

/// Whose pages a reply links to: the workspace as the caller reached it.
#[derive(Clone, Debug)]
pub(super) struct Base(String);

impl Base {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
        Self(format!("http://{host}"))
    }

    fn page(&self, job: &JobDefinition, run_id: u64) -> String {
        format!("{}/?o={WORKSPACE_ID}#job/{}/run/{run_id}", self.0, job.id)
    }
}

/// `runs/get`, of a run or of one of its tasks.
pub(super) async fn get(
    State(workspace): State<Shared>,
    headers: HeaderMap,
    Query(query): Query<paging::Query>,
) -> Reply {
    let run_id = required(&query, "run_id")?;
    let offset = array_offset(&query)?;
    let run = workspace.jobs.run(run_id).ok_or_else(|| no_run(run_id))?;
    let (base, progress) = (Base::of(&headers), run.progress().clone());
    if run.id != run_id {
        let attempt = progress.tasks.iter().find(|task| task.id == run_id).ok_or_else(|| no_run(run_id))?;
        return Ok(ok(&alone(&run, &progress, attempt, &base)));
    }
    let (mut shown, mut more) = whole(&run, &progress, &base, true, offset);
    if is(&query, "include_history") {
        let rounds = part(&progress.rounds, offset, &mut more);
        shown["repair_history"] = rounds.iter().map(|round| history(&progress, round)).collect();
    }
    if more {
        shown["next_page_token"] = next_part(offset).into();
    }
    Ok(ok(&shown))
}

/// A run, with the part of its arrays from an offset; true when more follows.
pub(super) fn whole(run: &Run, progress: &Progress, base: &Base, with_tasks: bool, offset: usize) -> (Value, bool) {
    let mut more = false;
    let last = progress.rounds.last();
    let ended = last.and_then(|round| round.ended.as_ref()).map_or(0, |(at, _)| at.as_millisecond());
    let mut shown = json!({
        "job_id": run.job.id,
        "run_id": run.id,
        "number_in_job": run.id,
        "original_attempt_run_id": run.id,
        "creator_user_name": CREATOR,
        "run_name": run.job.name,
        "run_page_url": base.page(&run.job, run.id),
        "run_type": "JOB_RUN",
        "trigger": run.trigger,
        "format": "MULTI_TASK",
        "job_run_id": run.id,
        "start_time": run.created.as_millisecond(),
        "end_time": ended,
        "setup_duration": 0,
        // 0 for multitask job runs (SDK, Run).
        "execution_duration": match progress.tasks.as_slice() {
            [only] => lasted(only),
            _ => 0,
        },
        "cleanup_duration": 0,
        "state": state(&progress.phase, true),
        "status": status(&progress.phase),
        "effective_performance_target": target(progress.given.performance_target.as_deref()),
    });
    if ended > 0 {
        // The run and all of its repairs (SDK, Run).
        let rounds = progress.rounds.iter().filter_map(|round| {
            round.ended.as_ref().map(|(at, _)| at.as_millisecond() - round.started.as_millisecond())
        });
        shown["run_duration"] = rounds.sum::<i64>().into();
    }
    if let Some(admitted) = progress.admitted {
        shown["queue_duration"] = (admitted.as_millisecond() - run.created.as_millisecond()).into();
    }
    if let Some(legacy) = progress.given.legacy.shown() {
        shown["overriding_parameters"] = legacy;
    }
    let parameters: Vec<(&String, &String)> = progress.given.parameters.iter().collect();
    let parameters = part(&parameters, offset, &mut more);
    if !parameters.is_empty() {
        shown["job_parameters"] = parameters.iter().map(|(name, value)| parameter(&run.job, name, value)).collect();
    }
    if with_tasks {
        let tasks = part(&progress.tasks, offset, &mut more);
        shown["tasks"] = tasks.iter().map(|task| attempt(run, task, base)).collect();
    }
    (shown, more)
}

fn parameter(job: &JobDefinition, name: &str, value: &str) -> Value {
    let mut shown = json!({"name": name});
    if let Some(defined) = job.parameters.iter().find(|parameter| parameter.name == name) {
        shown["default"] = defined.default.clone().into();
    }
    shown["value"] = value.into();
    shown
}

/// A task run among others.
fn attempt(run: &Run, attempt: &TaskRun, base: &Base) -> Value {
    let mut shown = Value::Object(task(&attempt.task));
    shown["run_id"] = attempt.id.into();
    shown["run_page_url"] = base.page(&run.job, attempt.id).into();
    shown["start_time"] = attempt.started.as_millisecond().into();
    shown["end_time"] = attempt.ended.map_or(0, Timestamp::as_millisecond).into();
    shown["setup_duration"] = 0.into();
    shown["execution_duration"] = lasted(attempt).into();
    shown["cleanup_duration"] = 0.into();
    shown["attempt_number"] = attempt.attempt.into();
    shown["state"] = state(&attempt.phase, false);
    shown["status"] = status(&attempt.phase);
    if let (Some(run_id), Some(what)) = (attempt.output.run_id, shown.get_mut("run_job_task")) {
        what["run_id"] = run_id.into();
    }
    shown
}

/// A task run by itself: a run that has it as its only task.
pub(super) fn alone(run: &Run, progress: &Progress, one: &TaskRun, base: &Base) -> Value {
    let mut shown = whole(run, progress, base, false, 0).0;
    for name in ["run_duration", "queue_duration", "job_parameters"] {
        if let Some(members) = shown.as_object_mut() {
            members.shift_remove(name);
        }
    }
    for name in ["run_id", "number_in_job", "original_attempt_run_id"] {
        shown[name] = one.id.into();
    }
    let task = attempt(run, one, base);
    for name in ["run_page_url", "start_time", "end_time", "execution_duration", "state", "status", "task_key"] {
        shown[name] = task[name].clone();
    }
    shown["parent_run_id"] = run.id.into();
    shown["tasks"] = json!([task]);
    shown
}

fn lasted(task: &TaskRun) -> i64 {
    task.ended.map_or(0, |ended| ended.as_millisecond() - task.started.as_millisecond())
}

/// Serverless compute is quick unless it is told otherwise (recorded).
fn target(asked: Option<&str>) -> &str {
    asked.unwrap_or("PERFORMANCE_OPTIMIZED")
}

/// An entry of `repair_history`; only repairs have an id (SDK, RepairHistoryItem).
fn history(progress: &Progress, round: &Round) -> Value {
    let phase = round.ended.as_ref().map_or_else(|| progress.phase.clone(), |(_, end)| Phase::Ended(end.clone()));
    let mut shown = json!({
        "type": if round.repair.is_some() { "REPAIR" } else { "ORIGINAL" },
        "start_time": round.started.as_millisecond(),
        "end_time": round.ended.as_ref().map_or(0, |(at, _)| at.as_millisecond()),
        "state": state(&phase, true),
        "status": status(&phase),
        "task_run_ids": round.tasks,
        "effective_performance_target": target(round.performance_target.as_deref()),
    });
    if let Some(id) = round.repair {
        shown["id"] = id.into();
    }
    shown
}
