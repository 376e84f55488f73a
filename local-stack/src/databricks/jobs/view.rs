//! How jobs and runs look in Jobs API 2.2: the new `status` and the legacy `state` side by side, as the service
//! sends them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Job, Run, Stage, Task, TaskKind, TaskRun};
use crate::databricks::workspace::lock;

/// What a failed workload is called (databricks/cli, acceptance/bundle/resources/job_runs/failed_run).
const WORKLOAD: &str = "Workload failed, see run output for details.";

pub(super) fn job(job: &Job, whole: bool) -> Value {
    let mut settings = json!({
        "name": job.name,
        "max_concurrent_runs": 10,
        "format": "MULTI_TASK",
        "queue": {"enabled": true},
    });
    if !job.parameters.is_empty() {
        let shown = |p: &super::JobParameter| json!({"name": p.name, "default": p.default});
        settings["parameters"] = job.parameters.iter().map(shown).collect();
    }
    if whole {
        settings["tasks"] = job.tasks.iter().map(task).collect();
    }
    json!({
        "job_id": job.id,
        "creator_user_name": "maker@example.com",
        "created_time": 1_767_225_600_000_u64,
        "settings": settings,
    })
}

fn task(task: &Task) -> Value {
    let mut shown = json!({"task_key": task.key, "run_if": "ALL_SUCCESS"});
    let path = format!("/Workspace/jobs/{}", task.file);
    match task.kind {
        TaskKind::Sql => {
            shown["sql_task"] =
                json!({"file": {"path": path, "source": "WORKSPACE"}, "warehouse_id": super::super::WAREHOUSE});
        }
        TaskKind::Notebook => shown["notebook_task"] = json!({"notebook_path": path, "source": "WORKSPACE"}),
        TaskKind::Python => shown["spark_python_task"] = json!({"python_file": path}),
    }
    if !task.depends_on.is_empty() {
        shown["depends_on"] = task.depends_on.iter().map(|key| json!({"task_key": key})).collect();
    }
    shown
}

pub(super) fn run(run: &Run, base: &str, with_tasks: bool) -> Value {
    let progress = lock(&run.progress).clone();
    let (started, ended) = (run.started.as_millisecond(), progress.ended.map_or(0, Timestamp::as_millisecond));
    let page = format!("{base}/?o=1#job/{}/run/{}", run.job.id, run.id);
    let failed = progress.tasks.iter().find(|task| task.stage == Stage::Failed);
    let message = match progress.stage {
        Stage::Failed => failed.map(|task| format!("Task {} failed with message: {WORKLOAD}", task.task.key)),
        Stage::Canceled => Some("Run cancelled.".into()),
        _ => None,
    };
    let single = progress.tasks.len() == 1;
    let mut shown = json!({
        "job_id": run.job.id,
        "run_id": run.id,
        "number_in_job": run.id,
        "original_attempt_run_id": run.id,
        "creator_user_name": "maker@example.com",
        "run_name": run.job.name,
        "run_page_url": page,
        "run_type": "JOB_RUN",
        "trigger": "ONE_TIME",
        "format": "MULTI_TASK",
        "start_time": started,
        "end_time": ended,
        "setup_duration": 0,
        "execution_duration": if single && ended > 0 { ended - started } else { 0 },
        "cleanup_duration": 0,
        "state": state(progress.stage, message.as_deref()),
        "status": status(progress.stage, message.as_deref()),
    });
    if ended > 0 {
        shown["run_duration"] = json!(ended - started);
    }
    if !run.job.parameters.is_empty() {
        let parameter = |p: &super::JobParameter| {
            let value = run.parameters.get(&p.name).unwrap_or(&p.default);
            json!({"name": p.name, "default": p.default, "value": value})
        };
        shown["job_parameters"] = run.job.parameters.iter().map(parameter).collect();
    }
    if with_tasks {
        shown["tasks"] = progress.tasks.iter().map(|task| task_run(task, &page, started, ended)).collect();
    }
    shown
}

fn task_run(run: &TaskRun, page: &str, started: i64, ended: i64) -> Value {
    let message = match run.stage {
        Stage::Failed => Some(WORKLOAD),
        Stage::UpstreamFailed => Some("An upstream task failed."),
        Stage::Canceled => Some("Run cancelled."),
        _ => None,
    };
    let mut shown = task(&run.task);
    shown["run_id"] = run.run_id.into();
    shown["attempt_number"] = 0.into();
    shown["run_page_url"] = format!("{page}/task/{}", run.run_id).into();
    shown["start_time"] = if run.stage == Stage::Pending { 0 } else { started }.into();
    shown["end_time"] = if run.stage.ended() { ended } else { 0 }.into();
    shown["state"] = state(run.stage, message);
    shown["status"] = status(run.stage, message);
    shown
}

/// The metadata of a task's run, for get-output.
pub(super) fn output(run: &Run, task: &TaskRun, base: &str) -> Value {
    let mut metadata = self::run(run, base, false);
    metadata["run_id"] = task.run_id.into();
    metadata["task_key"] = task.task.key.clone().into();
    metadata["state"] = state(task.stage, task.output.error.as_ref().map(|_| WORKLOAD));
    let mut shown = json!({"metadata": metadata});
    match task.task.kind {
        TaskKind::Notebook => {
            let mut notebook = json!({"truncated": false});
            if let Some(result) = &task.output.result {
                notebook["result"] = result.clone().into();
            }
            shown["notebook_output"] = notebook;
        }
        TaskKind::Python => {
            shown["logs"] = task.output.logs.clone().unwrap_or_default().into();
            shown["logs_truncated"] = false.into();
        }
        TaskKind::Sql => {
            shown["sql_output"] = json!({"query_output": {"warehouse_id": super::super::WAREHOUSE}});
        }
    }
    if let Some(error) = &task.output.error {
        shown["error"] = error.clone().into();
    }
    if let Some(trace) = &task.output.trace {
        shown["error_trace"] = trace.clone().into();
    }
    shown
}

/// The legacy model. A failed workload is INTERNAL_ERROR and FAILED, as the real service says it.
fn state(stage: Stage, message: Option<&str>) -> Value {
    let (life_cycle, result) = match stage {
        Stage::Pending => ("PENDING", None),
        Stage::Running => ("RUNNING", None),
        Stage::Succeeded => ("TERMINATED", Some("SUCCESS")),
        Stage::Failed => ("INTERNAL_ERROR", Some("FAILED")),
        Stage::UpstreamFailed => ("INTERNAL_ERROR", Some("UPSTREAM_FAILED")),
        Stage::Canceled => ("TERMINATED", Some("CANCELED")),
    };
    let mut state = json!({
        "life_cycle_state": life_cycle,
        "state_message": message.unwrap_or_default(),
        "user_cancelled_or_timedout": stage == Stage::Canceled,
    });
    if let Some(result) = result {
        state["result_state"] = result.into();
    }
    state
}

fn status(stage: Stage, message: Option<&str>) -> Value {
    let (state, code, kind) = match stage {
        Stage::Pending => return json!({"state": "PENDING"}),
        Stage::Running => return json!({"state": "RUNNING"}),
        Stage::Succeeded => ("TERMINATED", "SUCCESS", "SUCCESS"),
        Stage::Failed | Stage::UpstreamFailed => ("TERMINATED", "RUN_EXECUTION_ERROR", "CLIENT_ERROR"),
        Stage::Canceled => ("TERMINATED", "USER_CANCELED", "SUCCESS"),
    };
    let mut details = json!({"code": code, "type": kind});
    if let Some(message) = message {
        details["message"] = message.into();
    }
    json!({"state": state, "termination_details": details})
}
