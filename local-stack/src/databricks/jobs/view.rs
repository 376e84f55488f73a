//! How jobs look in Jobs API 2.2: their settings, parameters and tasks.

use axum::body::Body;
use axum::extract::{Query, State};
use http::Response;
use serde_json::{Map, Value, json};

use super::definition::JobDefinition;
use super::no_job;
use super::paging::{self, array_offset, next_part, part, required};
use super::task_definition::{TaskDefinition, TaskKind};
use crate::databricks::options::WAREHOUSE;
use crate::databricks::reply::{Reply, ok};
use crate::databricks::workspace::Shared;

/// Who made everything here.
pub(super) const CREATOR: &str = "maker@example.com";

/// `jobs/get`: arrays of more than 100 come in parts, later parts have the arrays alone (SDK, JobsAPI.get).
pub(super) async fn get(State(workspace): State<Shared>, Query(query): Query<paging::Query>) -> Reply {
    let job_id = required(&query, "job_id")?;
    let offset = array_offset(&query)?;
    let job = workspace.jobs.job(job_id).ok_or_else(|| no_job(job_id))?;
    Ok(whole(&job, offset))
}

fn whole(job: &JobDefinition, offset: usize) -> Response<Body> {
    let (mut shown, more) = self::job(job, true, offset);
    shown["run_as_user_name"] = CREATOR.into();
    if more {
        shown["has_more"] = true.into();
        shown["next_page_token"] = next_part(offset).into();
    }
    ok(&shown)
}

/// A job, with the part of its tasks from an offset when those are wanted; true when more of its arrays follow.
pub(super) fn job(job: &JobDefinition, with_tasks: bool, offset: usize) -> (Value, bool) {
    let mut more = false;
    // What is empty is there nevertheless (databricks/cli, libs/testserver/jobs.go, jobFixUps).
    let mut settings = json!({
        "name": job.name,
        "email_notifications": {},
        "webhook_notifications": {},
        "timeout_seconds": job.timeout_seconds,
        "max_concurrent_runs": job.max_concurrent_runs,
        "format": "MULTI_TASK",
        "queue": {"enabled": job.queue},
    });
    if let Some(description) = &job.description {
        settings["description"] = description.clone().into();
    }
    let parameters = part(&job.parameters, offset, &mut more);
    if !parameters.is_empty() {
        settings["parameters"] = parameters.iter().map(|p| json!({"name": p.name, "default": p.default})).collect();
    }
    if with_tasks {
        settings["tasks"] = part(&job.tasks, offset, &mut more).iter().map(|t| Value::Object(task(t))).collect();
    }
    let shown = json!({
        "job_id": job.id,
        "creator_user_name": CREATOR,
        "created_time": 1_767_225_600_000_u64,
        "settings": settings,
    });
    (shown, more)
}

/// A task as a job has it.
pub(super) fn task(task: &TaskDefinition) -> Map<String, Value> {
    let mut shown = Map::new();
    let mut set = |name: &str, value: Value| drop(shown.insert(name.into(), value));
    set("task_key", task.key.clone().into());
    if !task.depends_on.is_empty() {
        // In the order of their keys, however they were given (databricks/cli, jobFixUps).
        let mut keys = task.depends_on.clone();
        keys.sort();
        set("depends_on", keys.iter().map(|key| json!({"task_key": key})).collect());
    }
    set("run_if", task.run_if.name().into());
    let (name, what) = kind(task);
    set(name, what);
    set("timeout_seconds", task.timeout_seconds.into());
    set("email_notifications", json!({}));
    if task.max_retries > 0 {
        set("max_retries", task.max_retries.into());
        set("min_retry_interval_millis", (task.retry_steps * 1000).into());
        set("retry_on_timeout", false.into());
    }
    if task.disabled {
        set("disabled", true.into());
    }
    shown
}

fn kind(task: &TaskDefinition) -> (&'static str, Value) {
    let path = |ending: &str| match &task.file {
        Some(file) => format!("/Workspace/jobs/{file}"),
        None => format!("/Workspace/jobs/{}{ending}", task.key),
    };
    let (name, parameters, mut what) = match task.kind {
        TaskKind::Sql => {
            let file = json!({"path": path(".sql"), "source": "WORKSPACE"});
            ("sql_task", "parameters", json!({"file": file, "warehouse_id": WAREHOUSE}))
        }
        TaskKind::Notebook => {
            ("notebook_task", "base_parameters", json!({"notebook_path": path(""), "source": "WORKSPACE"}))
        }
        TaskKind::Python => ("spark_python_task", "", json!({"python_file": path(".py"), "source": "WORKSPACE"})),
        TaskKind::Dbt => {
            let project = json!({"project_directory": path(""), "commands": task.commands, "warehouse_id": WAREHOUSE});
            ("dbt_task", "", project)
        }
        TaskKind::RunJob => ("run_job_task", "job_parameters", json!({"job_id": task.job_id})),
    };
    if !parameters.is_empty() && !task.parameters.is_empty() {
        what[parameters] = json!(task.parameters);
    }
    (name, what)
}
