//! Repairs: what runs again, what is refused, and the history of it.

use local_stack::databricks::{JobDefinition, TaskDefinition as Task, TaskFailure};
use serde_json::{Value, json};

use crate::caller::{Caller, Reply};
use crate::jobs::{quick, started, still, task, until};

const JOB: u64 = 7;

/// first -> second -> third, of which the second fails so many times.
fn line(failures: usize) -> JobDefinition {
    let second = (0..failures).fold(Task::python_logs("second", "").after(&["first"]), |task, number| {
        task.fails_once(TaskFailure::workload(&format!("failure {number}")))
    });
    JobDefinition::new(JOB, "line")
        .parameter("day", "today")
        .task(Task::python_logs("first", ""))
        .task(second)
        .task(Task::python_logs("third", "").after(&["second"]))
}

async fn failed(caller: &Caller) -> u64 {
    let run_id = started(caller, json!({"job_id": JOB})).await;
    assert_eq!(until(caller, run_id, "TERMINATED").await["state"]["result_state"], "FAILED");
    run_id
}

async fn repair(caller: &Caller, body: Value) -> Reply {
    caller.post("/api/2.2/jobs/runs/repair", &body).await
}

fn attempts(run: &Value, key: &str) -> Vec<Value> {
    let tasks = run["tasks"].as_array().expect("tasks").iter();
    tasks.filter(|task| task["task_key"] == key).map(|task| task["attempt_number"].clone()).collect()
}

#[tokio::test]
async fn a_repair_runs_what_failed_and_what_was_skipped_again_in_the_same_run() {
    let caller = quick(vec![line(1)]).await;
    let run_id = failed(&caller).await;
    let body = json!({"run_id": run_id, "rerun_all_failed_tasks": true, "job_parameters": {"day": "tomorrow"}});
    let reply = repair(&caller, body).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let run = until(&caller, run_id, "TERMINATED").await;
    assert_eq!(run["state"]["result_state"], "SUCCESS");
    assert_eq!(attempts(&run, "first"), [0]);
    assert_eq!(
        (attempts(&run, "second"), attempts(&run, "third")),
        (vec![json!(0), json!(1)], vec![json!(0), json!(1)])
    );
    assert_eq!(run["job_parameters"][0], json!({"name": "day", "default": "today", "value": "tomorrow"}));
    assert!(run.get("repair_history").is_none(), "it is asked for");
    let path = format!("/api/2.2/jobs/runs/get?run_id={run_id}&include_history=true");
    let history = caller.get(&path).await.body["repair_history"].clone();
    assert_eq!((&history[0]["type"], history[0].get("id")), (&json!("ORIGINAL"), None));
    assert_eq!(history[0]["state"]["result_state"], "FAILED");
    assert_eq!((&history[1]["type"], &history[1]["id"]), (&json!("REPAIR"), &reply.body["repair_id"]));
    assert_eq!(history[1]["status"]["termination_details"]["code"], "SUCCESS");
    let again = [&task(&run, "second")["run_id"], &task(&run, "third")["run_id"]];
    assert_eq!(history[1]["task_run_ids"], json!(again));
    assert_eq!(history[0]["task_run_ids"].as_array().map(Vec::len), Some(3));
    let effects = caller.history.of("databricks", "jobRepair");
    assert_eq!((effects.len(), &effects[0].detail["tasks"]), (1, &json!(["second", "third"])));
}

#[tokio::test]
async fn named_tasks_run_again_alone_or_with_what_depends_on_them() {
    let caller = quick(vec![line(1)]).await;
    let run_id = failed(&caller).await;
    let body = json!({"run_id": run_id, "rerun_tasks": ["first"]});
    let first = repair(&caller, body).await.body["repair_id"].clone();
    let run = until(&caller, run_id, "TERMINATED").await;
    assert_eq!((attempts(&run, "first").len(), attempts(&run, "second").len()), (2, 1));
    assert_eq!(run["state"]["result_state"], "FAILED", "the second is as it was");
    let body =
        json!({"run_id": run_id, "rerun_tasks": ["first"], "rerun_dependent_tasks": true, "latest_repair_id": first});
    assert_eq!(repair(&caller, body).await.status, 200);
    let run = until(&caller, run_id, "TERMINATED").await;
    assert_eq!((attempts(&run, "first").len(), attempts(&run, "third").len()), (3, 2));
    assert_eq!(run["state"]["result_state"], "SUCCESS");
}

#[tokio::test]
async fn the_second_repair_names_the_one_before_it() {
    let caller = quick(vec![line(3)]).await;
    let run_id = failed(&caller).await;
    let all = |latest: Value| json!({"run_id": run_id, "rerun_all_failed_tasks": true, "latest_repair_id": latest});
    let first = repair(&caller, all(Value::Null)).await.body["repair_id"].clone();
    until(&caller, run_id, "TERMINATED").await;
    let refused = repair(&caller, all(Value::Null)).await;
    let message = "The latest repair ID needs to be provided in order to create a new repair";
    assert_eq!((refused.status, &refused.body["message"]), (400, &json!(message)));
    assert_eq!(repair(&caller, all(json!(1))).await.status, 400);
    let second = repair(&caller, all(first.clone())).await;
    assert_eq!(second.status, 200);
    until(&caller, run_id, "TERMINATED").await;
    assert_eq!(repair(&caller, all(first)).await.status, 400, "it is not the latest any more");
    assert_eq!(repair(&caller, all(second.body["repair_id"].clone())).await.status, 200);
    assert_eq!(until(&caller, run_id, "TERMINATED").await["state"]["result_state"], "SUCCESS");
}

#[tokio::test]
async fn a_repair_that_cannot_be_is_refused_and_changes_nothing() {
    let caller = still(vec![line(0)]).await;
    let run_id = started(&caller, json!({"job_id": JOB})).await;
    let active = repair(&caller, json!({"run_id": run_id, "rerun_tasks": ["first"]})).await;
    assert_eq!((active.status, &active.body["error_code"]), (400, &json!("INVALID_STATE")));
    caller.stand_in.step();
    caller.stand_in.step();
    until(&caller, run_id, "TERMINATED").await;
    for body in [
        json!({"run_id": run_id}),
        json!({"run_id": run_id, "rerun_tasks": ["first"], "rerun_all_failed_tasks": true}),
        json!({"run_id": run_id, "rerun_tasks": ["none"]}),
        json!({"run_id": run_id, "rerun_all_failed_tasks": true}),
        json!({"run_id": run_id, "rerun_tasks": ["first"], "latest_repair_id": 5}),
        json!({"run_id": 5, "rerun_tasks": ["first"]}),
        json!({"rerun_tasks": ["first"]}),
    ] {
        let reply = repair(&caller, body.clone()).await;
        assert_eq!((reply.status, &reply.body["error_code"]), (400, &json!("INVALID_PARAMETER_VALUE")), "{body}");
    }
    let run = until(&caller, run_id, "TERMINATED").await;
    assert_eq!(run["tasks"].as_array().map(Vec::len), Some(3));
    assert!(caller.history.of("databricks", "jobRepair").is_empty());
}

#[tokio::test]
async fn a_canceled_run_can_be_repaired_and_is_active_while_it_is() {
    let caller = still(vec![line(0).more_steps(3)]).await;
    let run_id = started(&caller, json!({"job_id": JOB})).await;
    caller.post("/api/2.2/jobs/runs/cancel", &json!({"run_id": run_id})).await;
    until(&caller, run_id, "TERMINATED").await;
    assert_eq!(repair(&caller, json!({"run_id": run_id, "rerun_all_failed_tasks": true})).await.status, 200);
    let pending = until(&caller, run_id, "PENDING").await;
    assert_eq!(pending["end_time"], 0);
    let active = caller.get("/api/2.2/jobs/runs/list?active_only=true").await.body;
    assert_eq!(active["runs"][0]["run_id"], run_id);
    for _ in 0..5 {
        caller.stand_in.step();
    }
    assert_eq!(until(&caller, run_id, "TERMINATED").await["state"]["result_state"], "SUCCESS");
}
