//! Jobs 2.2: runs that really run, on a clock that tests step; tokens, outputs, cancel.

use local_stack::databricks::{Clock, DatabricksOptions};
use serde_json::{Value, json};

use crate::caller::{Caller, with};

const REBUILD: u64 = 618_204_117_305_501;
const REPORT: u64 = 618_204_117_305_502;
const FAILS: u64 = 618_204_117_305_503;
const SLOW: u64 = 618_204_117_305_504;

async fn stepped() -> Caller {
    with(DatabricksOptions { clock: Clock::Stepped, ..DatabricksOptions::default() }).await
}

async fn started(caller: &Caller, body: Value) -> u64 {
    let reply = caller.post("/api/2.2/jobs/run-now", &body).await;
    assert_eq!(reply.body["run_id"], reply.body["number_in_job"], "{}", reply.body);
    reply.body["run_id"].as_u64().expect("a run id")
}

async fn until(caller: &Caller, run_id: u64, state: &str) -> Value {
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

async fn output(caller: &Caller, run_id: &Value) -> Value {
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
    assert_eq!(run["status"]["termination_details"]["type"], "CLIENT_ERROR");
    let output = output(&caller, &json!(run_id)).await;
    assert_eq!(output["error"], "ValueError: the sample job that always fails has failed");
    assert!(output["error_trace"].as_str().expect("a trace").contains("always_fails.py"));
    assert_eq!(output["logs"], "about to fail\n");
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
async fn jobs_and_runs_are_listed_in_pages() {
    let caller = stepped().await;
    let page = caller.get("/api/2.2/jobs/list?limit=3").await.body;
    assert_eq!((page["jobs"].as_array().map(Vec::len), &page["has_more"]), (Some(3), &json!(true)));
    let token = page["next_page_token"].as_str().expect("a token");
    let rest = caller.get(&format!("/api/2.2/jobs/list?limit=3&page_token={token}")).await.body;
    assert_eq!((rest["jobs"].as_array().map(Vec::len), &rest["has_more"]), (Some(1), &json!(false)));
    let named = caller.get("/api/2.2/jobs/list?name=SLOW").await.body;
    assert_eq!(named["jobs"][0]["job_id"], SLOW);
    assert!(named["jobs"][0]["settings"].get("tasks").is_none());
    assert_eq!(caller.get("/api/2.2/jobs/list?name=none").await.body, json!({"has_more": false}));
    let job = caller.get(&format!("/api/2.2/jobs/get?job_id={REPORT}")).await.body;
    assert_eq!(job["settings"]["tasks"][1]["depends_on"], json!([{"task_key": "totals"}]));
    let older = started(&caller, json!({"job_id": SLOW})).await;
    let newer = started(&caller, json!({"job_id": SLOW})).await;
    let runs = caller.get(&format!("/api/2.2/jobs/runs/list?job_id={SLOW}&active_only=true")).await.body;
    assert_eq!((&runs["runs"][0]["run_id"], &runs["runs"][1]["run_id"]), (&json!(newer), &json!(older)));
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
