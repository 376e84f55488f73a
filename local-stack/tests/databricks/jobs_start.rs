//! run-now: what it takes and refuses, the queue, and the limits.

use local_stack::databricks::{DatabricksOptions, JobDefinition, TaskDefinition as Task};
use serde_json::{Value, json};

use crate::caller::{Caller, Reply, with, without_engine};
use crate::jobs::{ending, quick, started, still, until};

const JOB: u64 = 7;

fn job() -> JobDefinition {
    JobDefinition::new(JOB, "job")
        .parameter("day", "today")
        .task(Task::python_logs("a", ""))
        .task(Task::python_logs("b", "").after(&["a"]))
        .task(Task::python_logs("c", "").after(&["b"]))
}

async fn run_now(caller: &Caller, more: Value) -> Reply {
    let mut body = json!({"job_id": JOB});
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    caller.post("/api/2.2/jobs/run-now", &body).await
}

#[tokio::test]
async fn everything_that_a_run_was_given_is_told() {
    let caller = quick(vec![job()]).await;
    let run_id = started(
        &caller,
        json!({
            "job_id": JOB.to_string(),
            "job_parameters": {"day": "tomorrow", "unknown": "x"},
            "notebook_params": {"legacy": "y"},
            "python_params": ["z"],
            "performance_target": "STANDARD",
            "queue": {"enabled": true},
            "only": ["b+"],
        }),
    )
    .await;
    let run = until(&caller, run_id, "TERMINATED").await;
    let expected = json!([{"name": "day", "default": "today", "value": "tomorrow"}, {"name": "unknown", "value": "x"}]);
    assert_eq!(run["job_parameters"], expected);
    assert_eq!(run["overriding_parameters"], json!({"notebook_params": {"legacy": "y"}, "python_params": ["z"]}));
    assert_eq!(run["effective_performance_target"], "STANDARD");
    let keys: Vec<&Value> = run["tasks"].as_array().expect("tasks").iter().map(|task| &task["task_key"]).collect();
    assert_eq!(keys, ["b", "c"]);
    let detail = &caller.history.of("databricks", "jobRun")[0].detail;
    assert_eq!((&detail["parameters"]["day"], &detail["queue"]), (&json!("tomorrow"), &json!(true)));
}

#[tokio::test]
async fn what_a_run_cannot_be_given_is_refused() {
    let caller = quick(vec![job()]).await;
    let long = "x".repeat(10_000);
    for more in [
        json!({"only": ["d"]}),
        json!({"only": ["++"]}),
        json!({"notebook_params": {"a": "b"}, "jar_params": ["c"]}),
        json!({"notebook_params": {"a": long}}),
        json!({"python_params": ["ë"]}),
        json!({"spark_submit_params": ["ë"]}),
        json!({"dbt_commands": ["rm -r"]}),
        json!({"performance_target": "FAST"}),
        json!({"performance_target": "COST_OPTIMIZED"}),
        json!({"idempotency_token": "x".repeat(65)}),
    ] {
        let reply = run_now(&caller, more.clone()).await;
        assert_eq!((reply.status, &reply.body["error_code"]), (400, &json!("INVALID_PARAMETER_VALUE")), "{more}");
    }
    for more in [json!({"job_parameters": {"day": 7}}), json!({"only": "a"}), json!({"queue": {}})] {
        let reply = run_now(&caller, more.clone()).await;
        assert_eq!((reply.status, &reply.body["error_code"]), (400, &json!("MALFORMED_REQUEST")), "{more}");
    }
    assert!(caller.history.of("databricks", "jobRun").is_empty());
    // The longest that goes: the name and its punctuation count.
    let fits = "x".repeat(10_000 - json!({"notebook_params": {"a": ""}}).to_string().len());
    assert_eq!(run_now(&caller, json!({"notebook_params": {"a": fits}})).await.status, 200);
}

#[tokio::test]
async fn runs_beyond_the_limit_of_a_job_wait_in_their_order() {
    let caller = still(vec![JobDefinition::new(JOB, "job").task(Task::python_logs("a", ""))]).await;
    let mut runs = Vec::new();
    for _ in 0..6 {
        runs.push(started(&caller, json!({"job_id": JOB})).await);
    }
    until(&caller, runs[0], "PENDING").await;
    let queued = until(&caller, runs[1], "QUEUED").await;
    assert_eq!(queued["state"]["life_cycle_state"], "QUEUED");
    assert_eq!(queued["status"]["queue_details"]["code"], "MAX_CONCURRENT_RUNS_REACHED");
    assert!(queued["state"]["queue_reason"].is_string());
    for pair in runs[..5].windows(2) {
        caller.stand_in.step();
        caller.stand_in.step();
        until(&caller, pair[0], "TERMINATED").await;
        let next = until(&caller, pair[1], "PENDING").await;
        assert!(next["queue_duration"].is_u64());
    }
    // A run that is canceled in the queue never runs, and makes no place.
    until(&caller, runs[5], "QUEUED").await;
    caller.post("/api/2.2/jobs/runs/cancel-all", &json!({"all_queued_runs": true})).await;
    assert_eq!(ending(&until(&caller, runs[5], "TERMINATED").await).1, "CANCELED");
    until(&caller, runs[4], "PENDING").await;
}

#[tokio::test]
async fn without_a_queue_such_a_run_is_skipped() {
    let caller = still(vec![job().without_queue()]).await;
    let first = started(&caller, json!({"job_id": JOB})).await;
    let skipped = started(&caller, json!({"job_id": JOB})).await;
    let run = until(&caller, skipped, "TERMINATED").await;
    let result = "MAXIMUM_CONCURRENT_RUNS_REACHED";
    assert_eq!(ending(&run), ("SKIPPED", result, "MAX_CONCURRENT_RUNS_EXCEEDED", "CLIENT_ERROR"));
    let message = "Skipping this run because the limit of 1 maximum concurrent runs has been reached.";
    assert_eq!(run["state"]["state_message"], message);
    // The call decides over the job.
    let queued = started(&caller, json!({"job_id": JOB, "queue": {"enabled": true}})).await;
    until(&caller, queued, "QUEUED").await;
    caller.post("/api/2.2/jobs/runs/cancel-all", &json!({"job_id": JOB})).await;
    for run in [first, queued] {
        assert_eq!(ending(&until(&caller, run, "TERMINATED").await).1, "CANCELED");
    }
}

#[tokio::test]
async fn a_workspace_that_is_full_answers_429_or_queues() {
    let caller = with(DatabricksOptions { active_runs_limit: 1, ..without_engine() }).await;
    caller.stand_in.define_job(job().max_concurrent_runs(5).without_queue()).expect("a job");
    let first = started(&caller, json!({"job_id": JOB})).await;
    let full = run_now(&caller, json!({"idempotency_token": "t"})).await;
    assert_eq!((full.status, &full.body["error_code"]), (429, &json!("REQUEST_LIMIT_EXCEEDED")));
    assert_eq!(full.body["message"], "There are already 1 active runs (limit: 1).");
    let queued = started(&caller, json!({"job_id": JOB, "queue": {"enabled": true}})).await;
    let run = until(&caller, queued, "QUEUED").await;
    assert_eq!(run["status"]["queue_details"]["code"], "ACTIVE_RUNS_LIMIT_REACHED");
    caller.post("/api/2.2/jobs/runs/cancel", &json!({"run_id": first})).await;
    until(&caller, queued, "PENDING").await;
    assert_eq!(caller.history.of("databricks", "jobRun").len(), 2, "what was refused has no effect");
}

#[tokio::test]
async fn a_deleted_run_is_gone_and_its_token_is_spent() {
    let caller = still(vec![job()]).await;
    let body = json!({"job_id": JOB, "idempotency_token": "t"});
    let run_id = started(&caller, body.clone()).await;
    let delete = json!({"run_id": run_id});
    assert_eq!(caller.post("/api/2.2/jobs/runs/delete", &delete).await.status, 400, "it is active");
    caller.post("/api/2.2/jobs/runs/cancel", &delete).await;
    until(&caller, run_id, "TERMINATED").await;
    assert_eq!(caller.post("/api/2.2/jobs/runs/delete", &delete).await.status, 200);
    assert_eq!(caller.get(&format!("/api/2.2/jobs/runs/get?run_id={run_id}")).await.status, 400);
    assert_eq!(caller.post("/api/2.2/jobs/run-now", &body).await.status, 400);
}
