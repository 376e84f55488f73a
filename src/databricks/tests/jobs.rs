//! Jobs: starting, the two models of state, pages, attempts, outputs, names.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wiremock::matchers::{method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::calls::{answers, client, soon};
use crate::databricks::jobs_wire::{OutputBody, RunBody};
use crate::databricks::outputs::output;
use crate::databricks::{JobRun, RunNow, TaskRun};
use crate::failure::{Code, Failure};

fn run(body: Value) -> JobRun {
    serde_json::from_value::<RunBody>(body).expect("a run").into_run().expect("it has an id")
}

fn ended(status: &Value, state: &Value) -> JobRun {
    run(json!({"run_id": 1, "job_id": 2, "status": status, "state": state}))
}

#[tokio::test]
async fn a_run_is_started_with_its_token_and_its_id_comes_back_as_text() {
    let server = MockServer::start().await;
    let id = 987_654_321_012_345_u64;
    answers(&server, "POST", "/api/2.2/jobs/run-now", 200, json!({"run_id": id, "number_in_job": id})).await;
    let start = RunNow {
        job_id: "123".to_owned(),
        parameters: BTreeMap::from([("day".to_owned(), "2026-01-01".to_owned())]),
        only: vec!["load+".to_owned()],
        idempotency_token: "f".repeat(64),
    };
    assert_eq!(client(&server).run_now(&start, soon()).await.expect("it starts"), "987654321012345");
    let sent = &server.received_requests().await.expect("recorded")[0];
    assert_eq!(
        serde_json::from_slice::<Value>(&sent.body).expect("JSON"),
        json!({"job_id": 123, "job_parameters": {"day": "2026-01-01"}, "only": ["load+"],
               "idempotency_token": "f".repeat(64)})
    );
}

#[rstest::rstest]
#[case::new_model(json!({"state": "TERMINATED", "termination_details": {"code": "SUCCESS", "type": "SUCCESS"}}), json!(null), "ok")]
#[case::with_failures(json!({"state": "TERMINATED", "termination_details": {"code": "SUCCESS_WITH_FAILURES"}}), json!(null), "ok")]
#[case::legacy(json!(null), json!({"life_cycle_state": "TERMINATED", "result_state": "SUCCESS"}), "ok")]
#[case::raised(json!(null), json!({"life_cycle_state": "INTERNAL_ERROR", "result_state": "FAILED", "state_message": "Task main failed"}), "job-failed")]
#[case::skipped(json!(null), json!({"life_cycle_state": "SKIPPED", "state_message": "Maximum concurrent runs"}), "job-failed")]
#[case::timed_out(json!(null), json!({"life_cycle_state": "TERMINATED", "result_state": "TIMEDOUT"}), "job-failed")]
#[case::canceled(json!({"state": "TERMINATED", "termination_details": {"code": "USER_CANCELED", "type": "CLIENT_ERROR"}}), json!(null), "job-canceled")]
#[case::legacy_canceled(json!(null), json!({"life_cycle_state": "TERMINATED", "result_state": "CANCELED"}), "job-canceled")]
#[case::unknown_end(json!({"state": "TERMINATED", "termination_details": {"code": "NEW_CODE", "type": "NEW_TYPE"}}), json!(null), "job-failed")]
#[case::running(json!({"state": "RUNNING"}), json!({"life_cycle_state": "RUNNING"}), "going on")]
#[case::unknown_state(json!({"state": "PONDERING"}), json!(null), "going on")]
#[case::nothing(json!(null), json!(null), "going on")]
fn a_run_ends_as(#[case] status: Value, #[case] state: Value, #[case] expected: &str) {
    let outcome = match ended(&status, &state).outcome() {
        Ok(Some(())) => "ok",
        Ok(None) => "going on",
        Err(failure) => failure.code.as_str(),
    };
    assert_eq!(outcome, expected);
}

#[test]
fn a_failure_names_each_failed_task_by_its_latest_attempt() {
    let run = run(json!({
        "run_id": 5, "job_id": 2, "start_time": 1_700_000_000_000_i64, "end_time": 1_700_000_009_500_i64,
        "run_page_url": "https://x/run", "state": {"life_cycle_state": "INTERNAL_ERROR", "result_state": "FAILED"},
        "tasks": [
            {"run_id": 10, "task_key": "good", "attempt_number": 0, "state": {"life_cycle_state": "TERMINATED", "result_state": "FAILED"}},
            {"run_id": 11, "task_key": "good", "attempt_number": 1, "state": {"life_cycle_state": "TERMINATED", "result_state": "SUCCESS"}},
            {"run_id": 12, "task_key": "bad", "state": {"life_cycle_state": "INTERNAL_ERROR", "result_state": "FAILED", "state_message": "Workload failed."}},
            {"run_id": 13, "task_key": "after", "state": {"life_cycle_state": "SKIPPED", "result_state": "UPSTREAM_FAILED"}},
            {"run_id": 14, "task_key": "off", "state": {"life_cycle_state": "SKIPPED", "result_state": "EXCLUDED"}},
        ],
    }));
    assert_eq!(run.duration_ms, Some(9_500));
    assert_eq!(run.tasks.len(), 4);
    assert_eq!(run.tasks[0].run_id, "11");
    let failure = run.outcome().expect_err("it failed");
    assert_eq!(failure.detail, "Job run 5 failed: task bad FAILED (Workload failed); task after UPSTREAM_FAILED.");
}

#[tokio::test]
async fn tasks_of_every_page_are_read() {
    let server = MockServer::start().await;
    let page = |key: &str, next: Option<&str>| {
        json!({"run_id": 5, "job_id": 2, "status": {"state": "RUNNING"}, "next_page_token": next,
               "tasks": [{"run_id": 1, "task_key": key, "status": {"state": "RUNNING"}}]})
    };
    let at = "/api/2.2/jobs/runs/get";
    let first = Mock::given(method("GET")).and(path(at)).and(query_param_is_missing("page_token"));
    first.respond_with(ResponseTemplate::new(200).set_body_json(page("a", Some("n")))).mount(&server).await;
    let second = Mock::given(method("GET")).and(path(at)).and(query_param("page_token", "n"));
    second.respond_with(ResponseTemplate::new(200).set_body_json(page("b", None))).mount(&server).await;
    let run = client(&server).job_run("5", soon()).await.expect("a run");
    let keys: Vec<_> = run.tasks.iter().map(|task| task.task_key.as_str()).collect();
    assert_eq!(keys, ["a", "b"]);
}

#[tokio::test]
async fn an_id_that_is_no_number_is_not_found() {
    let server = MockServer::start().await;
    let error = client(&server).job_run("x", soon()).await.expect_err("no number");
    assert_eq!(Failure::from(error).code, Code::JobRunNotFound);
}

#[rstest::rstest]
#[case(json!({"jobs": [{"job_id": 7, "settings": {"name": "Load"}}]}), Ok("7"))]
#[case(json!({"jobs": [{"job_id": 7, "settings": {"name": "load"}}]}), Ok("7"))]
#[case(json!({"jobs": [{"job_id": 7, "settings": {"name": "load"}}, {"job_id": 8, "settings": {"name": "Load"}}]}), Ok("8"))]
#[case(json!({"has_more": false}), Err(Code::JobNotFound))]
#[case(json!({"jobs": [{"job_id": 7, "settings": {"name": "Load"}}, {"job_id": 8, "settings": {"name": "Load"}}]}), Err(Code::BodyInvalid))]
#[tokio::test]
async fn a_name_stands_for_the_one_job_that_has_it(#[case] body: Value, #[case] expected: Result<&str, Code>) {
    let server = MockServer::start().await;
    answers(&server, "GET", "/api/2.2/jobs/list", 200, body).await;
    let found = client(&server).resolve_job("Load", soon()).await.map_err(|error| Failure::from(error).code);
    assert_eq!(found, expected.map(str::to_owned));
    assert_eq!(client(&server).resolve_job("42", soon()).await.expect("digits"), "42");
}

fn task(key: &str, run_id: &str, result: &str) -> TaskRun {
    TaskRun {
        task_key: key.to_owned(),
        run_id: run_id.to_owned(),
        state: "TERMINATED".to_owned(),
        result_state: Some(result.to_owned()),
        message: Some("said".to_owned()),
        attempt: 0,
    }
}

#[rstest::rstest]
#[case(json!({"notebook_output": {"result": "{\"a\":1}", "truncated": true}, "metadata": {}}), "notebook", Some("{\"a\":1}"), Some(json!({"a": 1})), true)]
#[case(json!({"notebook_output": {}}), "notebook", None, None, false)]
#[case(json!({"logs": "line", "logs_truncated": true}), "logs", Some("line"), None, true)]
#[case(json!({"sql_output": {"query_output": {"warehouse_id": "w"}}}), "sql", None, Some(json!({"query_output": {"warehouse_id": "w"}})), false)]
#[case(json!({"dbt_output": {"artifacts_link": "https://secret", "artifacts_headers": {"k": "v"}}}), "dbt", None, None, false)]
#[case(json!({"run_job_output": {"run_id": 99}}), "run_job", Some("99"), None, false)]
#[case(json!({}), "none", None, None, false)]
fn each_kind_of_output_is_read(
    #[case] body: Value,
    #[case] kind: &str,
    #[case] text: Option<&str>,
    #[case] json: Option<Value>,
    #[case] truncated: bool,
) {
    let body: OutputBody = serde_json::from_value(body).expect("an output");
    let output = output(&task("t", "1", "SUCCESS"), body);
    assert_eq!(
        (output.kind.as_str(), output.text.as_deref(), output.json, output.truncated),
        (kind, text, json, truncated)
    );
}

#[tokio::test]
async fn outputs_stand_in_the_order_of_tasks_and_a_task_that_never_ran_has_none() {
    let server = MockServer::start().await;
    let at = "/api/2.2/jobs/runs/get-output";
    for (id, status, body) in [
        ("1", 200, json!({"notebook_output": {"result": "one"}})),
        ("2", 400, json!({"error_code": "INVALID_PARAMETER_VALUE", "message": "Run 2 does not exist."})),
        ("3", 200, json!({"logs": "three", "error": "it raised"})),
    ] {
        let mock = Mock::given(method("GET")).and(path(at)).and(query_param("run_id", id));
        mock.respond_with(ResponseTemplate::new(status).set_body_json(body)).mount(&server).await;
    }
    let mut run = ended(&json!({"state": "TERMINATED"}), &json!(null));
    run.tasks = vec![task("a", "1", "SUCCESS"), task("b", "2", "UPSTREAM_FAILED"), task("c", "3", "FAILED")];
    let outputs = client(&server).job_outputs(&run, soon()).await.expect("outputs");
    let seen: Vec<_> = outputs.iter().map(|output| (output.text.as_deref(), output.error.as_deref())).collect();
    assert_eq!(seen, [(Some("one"), None), (None, Some("said")), (Some("three"), Some("it raised"))]);
    run.tasks = vec![task("b", "2", "SUCCESS")];
    client(&server).job_outputs(&run, soon()).await.expect_err("a task that ran has an output");
}
