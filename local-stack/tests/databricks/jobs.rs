//! Jobs 2.2: runs that really run, on a clock that tests step. And what the other tests of jobs begin with.

use std::time::Duration;

use local_stack::databricks::{Clock, DatabricksOptions, JobDefinition};
use serde_json::{Value, json};

use crate::caller::{Caller, with, without_engine};

const REBUILD: u64 = 618_204_117_305_501;
const REPORT: u64 = 618_204_117_305_502;
const FAILS: u64 = 618_204_117_305_503;
const SLOW: u64 = 618_204_117_305_504;
const NIGHTLY: u64 = 618_204_117_305_505;
const MONTH_END: u64 = 618_204_117_305_506;

/// A workspace without an engine whose clock moves by itself, with these jobs.
pub(crate) async fn quick(jobs: Vec<JobDefinition>) -> Caller {
    let caller = still(jobs).await;
    caller.stand_in.set_clock(Clock::Auto(Duration::from_millis(1)));
    caller
}

/// A workspace without an engine whose clock is stepped, with these jobs.
pub(crate) async fn still(jobs: Vec<JobDefinition>) -> Caller {
    let caller = with(without_engine()).await;
    for job in jobs {
        caller.stand_in.define_job(job).expect("a job");
    }
    caller
}

/// (life cycle, result, termination code, termination type) of a run or task.
pub(crate) fn ending(run: &Value) -> (&str, &str, &str, &str) {
    let details = &run["status"]["termination_details"];
    (
        run["state"]["life_cycle_state"].as_str().unwrap_or_default(),
        run["state"]["result_state"].as_str().unwrap_or_default(),
        details["code"].as_str().unwrap_or_default(),
        details["type"].as_str().unwrap_or_default(),
    )
}

/// The latest attempt of a task.
pub(crate) fn task<'a>(run: &'a Value, key: &str) -> &'a Value {
    let tasks = run["tasks"].as_array().expect("tasks");
    tasks.iter().rfind(|task| task["task_key"] == key).unwrap_or(&Value::Null)
}

async fn stepped() -> Caller {
    with(DatabricksOptions { clock: Clock::Stepped, ..DatabricksOptions::default() }).await
}

pub(crate) async fn started(caller: &Caller, body: Value) -> u64 {
    let reply = caller.post("/api/2.2/jobs/run-now", &body).await;
    assert_eq!(reply.body["run_id"], reply.body["number_in_job"], "{}", reply.body);
    reply.body["run_id"].as_u64().expect("a run id")
}

pub(crate) async fn until(caller: &Caller, run_id: u64, state: &str) -> Value {
    let path = format!("/api/2.2/jobs/runs/get?run_id={run_id}");
    caller.until(&path, |body| body["status"]["state"] == state).await
}

/// Two steps: to RUNNING, and to the end.
async fn ended(caller: &Caller, run_id: u64) -> Value {
    caller.stand_in.step();
    until(caller, run_id, "RUNNING").await;
    caller.stand_in.step();
    until(caller, run_id, "TERMINATED").await
}

pub(crate) async fn output(caller: &Caller, run_id: &Value) -> Value {
    caller.get(&format!("/api/2.2/jobs/runs/get-output?run_id={run_id}")).await.body
}

#[tokio::test]
async fn a_run_goes_through_its_states_and_its_work_is_done() {
    let caller = stepped().await;
    let body = json!({"job_id": REBUILD, "job_parameters": {"day": "2026-11-05"}});
    let run_id = started(&caller, body).await;
    let pending = until(&caller, run_id, "PENDING").await;
    assert_eq!((&pending["state"]["life_cycle_state"], &pending["end_time"]), (&json!("PENDING"), &json!(0)));
    let run = ended(&caller, run_id).await;
    assert_eq!(run["state"]["life_cycle_state"], "TERMINATED");
    assert_eq!(run["state"]["result_state"], "SUCCESS");
    assert_eq!(run["status"]["termination_details"]["code"], "SUCCESS");
    let parameter = json!({"name": "day", "default": "2026-11-01", "value": "2026-11-05"});
    assert_eq!(run["job_parameters"][0], parameter);
    assert_eq!(run["tasks"][0]["task_key"], "main");
    let said = output(&caller, &json!(run_id)).await["notebook_output"]["result"].clone();
    let said: Value = serde_json::from_str(said.as_str().expect("a result")).expect("JSON");
    let count = caller.rows("SELECT count(*) FROM gold.daily_sales WHERE day = '2026-11-05'").await;
    assert_eq!(said["rows"].to_string(), count[0][0].as_str().expect("a count"));
    assert_ne!(said["rows"], 0);
}

#[tokio::test]
async fn the_same_token_is_the_same_run() {
    let caller = stepped().await;
    let body = json!({"job_id": REBUILD, "idempotency_token": "token-1"});
    let first = started(&caller, body.clone()).await;
    assert_eq!(started(&caller, body).await, first);
    assert_ne!(started(&caller, json!({"job_id": REBUILD, "idempotency_token": "token-2"})).await, first);
    assert_eq!(caller.history.of("databricks", "jobRun").len(), 2);
    let long = json!({"job_id": REBUILD, "idempotency_token": "x".repeat(65)});
    assert_eq!(caller.post("/api/2.2/jobs/run-now", &long).await.status, 400);
}

#[tokio::test]
async fn a_failed_task_is_internal_error_and_failed_with_its_trace_in_the_output() {
    let caller = stepped().await;
    let run_id = started(&caller, json!({"job_id": FAILS})).await;
    let run = ended(&caller, run_id).await;
    assert_eq!(run["state"]["life_cycle_state"], "INTERNAL_ERROR");
    assert_eq!(run["state"]["result_state"], "FAILED");
    let message = "Task main failed with message: Workload failed, see run output for details.";
    assert_eq!(run["state"]["state_message"], message);
    // The task itself is TERMINATED.
    let task = &run["tasks"][0];
    assert_eq!(ending(task), ("TERMINATED", "FAILED", "RUN_EXECUTION_ERROR", "CLIENT_ERROR"));
    assert_eq!(task["state"]["state_message"], "Workload failed, see run output for details");
    assert_eq!(run["status"]["termination_details"]["type"], "CLIENT_ERROR");
    let output = output(&caller, &json!(run_id)).await;
    assert_eq!(output["error"], "ValueError: the sample job that always fails has failed");
    assert!(output["error_trace"].as_str().expect("a trace").contains("always_fails.py"));
    assert_eq!((&output["logs"], &output["logs_truncated"]), (&json!("about to fail\n"), &json!(false)));
    // As it was recorded: the task's run by itself, with the run that it belongs to.
    assert_eq!(output["metadata"]["run_id"], task["run_id"]);
    assert_eq!((&output["metadata"]["job_run_id"], &output["metadata"]["task_key"]), (&json!(run_id), &json!("main")));
}

#[tokio::test]
async fn the_output_of_a_run_with_several_tasks_is_asked_task_by_task() {
    let caller = stepped().await;
    let run_id = started(&caller, json!({"job_id": REPORT})).await;
    let run = ended(&caller, run_id).await;
    assert_eq!(run["state"]["result_state"], "SUCCESS", "{run}");
    let whole = caller.get(&format!("/api/2.2/jobs/runs/get-output?run_id={run_id}")).await;
    assert_eq!(whole.status, 400);
    assert!(whole.body["message"].as_str().expect("a message").contains("multiple tasks is not supported"));
    assert!(output(&caller, &run["tasks"][0]["run_id"]).await.get("sql_output").is_some());
    let report = output(&caller, &run["tasks"][1]["run_id"]).await;
    assert!(report["notebook_output"]["result"].as_str().expect("a result").contains("\"best\""));
}

#[tokio::test]
async fn a_slow_run_needs_more_steps_and_can_be_canceled() {
    let caller = stepped().await;
    let run_id = started(&caller, json!({"job_id": SLOW})).await;
    for _ in 0..5 {
        caller.stand_in.step();
    }
    until(&caller, run_id, "RUNNING").await;
    let cancel = caller.post("/api/2.2/jobs/runs/cancel", &json!({"run_id": run_id})).await;
    assert_eq!((cancel.status, cancel.body), (200, json!({})));
    let run = until(&caller, run_id, "TERMINATED").await;
    assert_eq!(run["state"]["result_state"], "CANCELED");
    assert_eq!(run["status"]["termination_details"]["code"], "USER_CANCELED");
}

#[tokio::test]
async fn what_does_not_exist_is_said_to_not_exist() {
    let caller = stepped().await;
    let job = caller.post("/api/2.2/jobs/run-now", &json!({"job_id": 1})).await;
    assert_eq!((job.status, &job.body["message"]), (404, &json!("Job 1 does not exist.")));
    let run = caller.get("/api/2.2/jobs/runs/get?run_id=1").await;
    assert_eq!((run.status, &run.body["message"]), (400, &json!("Run 1 does not exist.")));
    assert!(caller.history.of("databricks", "jobRun").is_empty());
}

#[tokio::test]
async fn a_canceled_run_does_not_go_on_in_the_dark() {
    let caller = stepped().await;
    let run_id = started(&caller, json!({"job_id": REBUILD, "job_parameters": {"day": "2026-11-09"}})).await;
    caller.post("/api/2.2/jobs/runs/cancel", &json!({"run_id": run_id})).await;
    until(&caller, run_id, "TERMINATED").await;
    caller.stand_in.step();
    let count = "SELECT count(*) FROM gold.daily_sales WHERE day = '2026-11-09'";
    assert_eq!(caller.rows(count).await, json!([["0"]]));
}

#[tokio::test]
async fn the_sample_of_a_nightly_refresh_runs_its_tasks_in_order() {
    let caller =
        with(DatabricksOptions { clock: Clock::Auto(Duration::from_millis(1)), ..DatabricksOptions::default() });
    let caller = caller.await;
    let run_id = started(&caller, json!({"job_id": NIGHTLY, "job_parameters": {"day": "2026-10-20"}})).await;
    let run = until(&caller, run_id, "TERMINATED").await;
    assert_eq!(ending(&run), ("TERMINATED", "SUCCESS", "SUCCESS", "SUCCESS"), "{run}");
    assert_eq!(ending(task(&run, "tell_operators")), ("SKIPPED", "EXCLUDED", "SKIPPED", "SUCCESS"));
    let report = output(&caller, &task(&run, "report")["run_id"]).await;
    let said = report["notebook_output"]["result"].as_str().expect("a result");
    let amount = caller.rows("SELECT sum(amount) FROM gold.daily_sales WHERE day = '2026-10-20'").await;
    assert!(said.contains(amount[0][0].as_str().expect("an amount")), "{said} {amount}");
}

#[tokio::test]
async fn a_parameter_makes_the_nightly_refresh_fail_and_a_better_one_repairs_it() {
    let caller =
        with(DatabricksOptions { clock: Clock::Auto(Duration::from_millis(1)), ..DatabricksOptions::default() });
    let caller = caller.await;
    let body = json!({"job_id": NIGHTLY, "job_parameters": {"day": "2026-10-20", "least": "100000"}});
    let run_id = started(&caller, body).await;
    let run = until(&caller, run_id, "TERMINATED").await;
    assert_eq!(run["state"]["result_state"], "FAILED");
    assert_eq!(run["status"]["termination_details"]["message"], run["state"]["state_message"]);
    let message = run["state"]["state_message"].as_str().expect("a message");
    assert!(message.starts_with("Task check_orders failed with message: Workload failed"), "{message}");
    assert!(message.ends_with("This caused all downstream tasks to get skipped."), "{message}");
    assert_eq!(task(&run, "report")["state"]["result_state"], "UPSTREAM_FAILED");
    let told = output(&caller, &task(&run, "tell_operators")["run_id"]).await;
    assert_eq!(told["logs"], "would page the operators about 2026-10-20\n");
    let body = json!({"run_id": run_id, "rerun_all_failed_tasks": true, "job_parameters": {"least": "1"}});
    assert_eq!(caller.post("/api/2.2/jobs/runs/repair", &body).await.status, 200);
    let run = until(&caller, run_id, "TERMINATED").await;
    assert_eq!(run["state"]["result_state"], "SUCCESS", "{run}");
}

#[tokio::test]
async fn the_sample_of_a_month_end_runs_other_jobs() {
    let caller =
        with(DatabricksOptions { clock: Clock::Auto(Duration::from_millis(1)), ..DatabricksOptions::default() });
    let caller = caller.await;
    let run_id = started(&caller, json!({"job_id": MONTH_END, "job_parameters": {"day": "2026-10-19"}})).await;
    let run = until(&caller, run_id, "TERMINATED").await;
    assert_eq!(run["state"]["result_state"], "SUCCESS", "{run}");
    let child = output(&caller, &task(&run, "last_day")["run_id"]).await["run_job_output"]["run_id"].clone();
    let child = until(&caller, child.as_u64().expect("a run id"), "TERMINATED").await;
    assert_eq!((&child["trigger"], &child["job_id"]), (&json!("RUN_JOB_TASK"), &json!(NIGHTLY)));
    let day = child["job_parameters"].as_array().expect("parameters").iter().find(|p| p["name"] == "day");
    assert_eq!(day.expect("the day")["value"], "2026-10-19");
}
