//! `runs/get-output`: each kind of task, and where it is cut.

use local_stack::databricks::{CannedReply, Clock, DatabricksOptions, JobDefinition, TaskDefinition as Task};
use serde_json::json;
use std::time::Duration;

use crate::caller::{with, without_engine};
use crate::jobs::{output, quick, started, task, until};

const JOB: u64 = 7;

#[tokio::test]
async fn each_kind_of_task_has_its_own_output() {
    let caller = quick(vec![
        JobDefinition::new(JOB, "kinds")
            .parameter("month", "2026-10")
            .task(Task::notebook_exit("notebook", "{\"n\": 1}"))
            .task(Task::python_logs("python", "said\n"))
            .task(Task::sql("sql", "SELECT 1 AS one"))
            .task(Task::dbt("dbt", &["dbt run"]))
            .task(Task::run_job("child", 8)),
        JobDefinition::new(8, "child").task(Task::notebook_exit("main", "child")),
    ])
    .await;
    let reply = CannedReply {
        statement: "SELECT 1 AS one".into(),
        columns: vec![("one".into(), "INT".into(), "INT".into())],
        rows: vec![vec![Some("1".into())]],
    };
    caller.stand_in.canned(&reply).expect("canned");
    let run_id = started(&caller, json!({"job_id": JOB})).await;
    let run = until(&caller, run_id, "TERMINATED").await;
    assert_eq!(run["state"]["result_state"], "SUCCESS", "{run}");
    let of = async |key: &str| output(&caller, &task(&run, key)["run_id"]).await;
    assert_eq!(of("notebook").await["notebook_output"], json!({"result": "{\"n\": 1}", "truncated": false}));
    let python = of("python").await;
    assert_eq!((&python["logs"], &python["logs_truncated"]), (&json!("said\n"), &json!(false)));
    let sql = of("sql").await["sql_output"]["query_output"].clone();
    assert!(sql["warehouse_id"].is_string() && sql["sql_statements"][0]["lookup_key"].is_string(), "{sql}");
    let child = of("child").await["run_job_output"]["run_id"].as_u64().expect("a run id");
    assert_eq!(until(&caller, child, "TERMINATED").await["job_id"], 8);
    let dbt = of("dbt").await;
    assert!(dbt["logs"].as_str().expect("logs").contains("dbt run"));
    let link = dbt["dbt_output"]["artifacts_link"].as_str().expect("a link");
    let (status, _, artifacts) = caller.fetch(link, &[]).await;
    assert_eq!((status, &artifacts[..2]), (200, &[0x1f, 0x8b][..]), "a gzip");
    let (refused, _, _) = caller.fetch(&link.replace("/dbt/", "/dbt/1"), &[]).await;
    assert_eq!(refused, 403);
}

#[tokio::test]
async fn what_is_longer_than_the_limit_is_cut_and_told() {
    let options = DatabricksOptions { job_output_limit: 10, clock: Clock::Auto(Duration::ZERO), ..without_engine() };
    let caller = with(options).await;
    let job = JobDefinition::new(JOB, "long")
        .task(Task::notebook_exit("notebook", "0123456789abc"))
        .task(Task::python_logs("python", "0123456789abc"));
    caller.stand_in.define_job(job).expect("a job");
    let run_id = started(&caller, json!({"job_id": JOB})).await;
    let run = until(&caller, run_id, "TERMINATED").await;
    let notebook = output(&caller, &task(&run, "notebook")["run_id"]).await;
    // The first bytes of a value, the last ones of logs.
    assert_eq!(notebook["notebook_output"], json!({"result": "0123456789", "truncated": true}));
    let python = output(&caller, &task(&run, "python")["run_id"]).await;
    assert_eq!((&python["logs"], &python["logs_truncated"]), (&json!("3456789abc"), &json!(true)));
}

#[tokio::test]
async fn a_run_of_several_tasks_has_no_output_and_one_of_one_task_has_its_task_s() {
    let caller = quick(vec![
        JobDefinition::new(JOB, "two").task(Task::python_logs("a", "")).task(Task::python_logs("b", "")),
        JobDefinition::new(8, "one").task(Task::notebook_exit("only", "x")),
    ])
    .await;
    let two = started(&caller, json!({"job_id": JOB})).await;
    let reply = caller.get(&format!("/api/2.2/jobs/runs/get-output?run_id={two}")).await;
    let message = "Retrieving the output of runs with multiple tasks is not supported. Please retrieve the output of each \
                   individual task run instead.";
    assert_eq!((reply.status, &reply.body["message"]), (400, &json!(message)));
    let one = started(&caller, json!({"job_id": 8})).await;
    until(&caller, one, "TERMINATED").await;
    assert_eq!(output(&caller, &json!(one)).await["notebook_output"]["result"], "x");
    assert_eq!(caller.get("/api/2.2/jobs/runs/get-output?run_id=1").await.status, 400);
}

#[tokio::test]
async fn sql_of_a_job_is_a_statement_that_can_be_held_and_fails_as_any_other() {
    let caller = quick(vec![JobDefinition::new(JOB, "sql").task(Task::sql("sql", "SELECT 'held' AS h"))]).await;
    caller.stand_in.fail("SELECT 'held'", "[TABLE_OR_VIEW_NOT_FOUND] no", Some("42P01"), 1);
    let run_id = started(&caller, json!({"job_id": JOB})).await;
    let run = until(&caller, run_id, "TERMINATED").await;
    assert_eq!(run["state"]["result_state"], "FAILED");
    let failed = output(&caller, &json!(run_id)).await;
    assert_eq!(failed["error"], "[TABLE_OR_VIEW_NOT_FOUND] no");
    caller.stand_in.hold("SELECT 'held'", None);
    let run_id = started(&caller, json!({"job_id": JOB})).await;
    until(&caller, run_id, "RUNNING").await;
    caller.post("/api/2.2/jobs/runs/cancel", &json!({"run_id": run_id})).await;
    assert_eq!(until(&caller, run_id, "TERMINATED").await["state"]["result_state"], "CANCELED");
}
