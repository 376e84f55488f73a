//! How runs end: the two models of state, the latest attempts, the reasons of each failed task.

use serde_json::{Value, json};
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::calls::{client, soon};
use crate::databricks::JobRun;
use crate::databricks::job_runs_wire::RunBody;

pub(super) fn run(body: Value) -> JobRun {
    serde_json::from_value::<RunBody>(body).expect("a run").into_run().expect("it has an id")
}

fn ended(status: &Value, state: &Value) -> JobRun {
    run(json!({"run_id": 1, "job_id": 2, "status": status, "state": state}))
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
#[case::took_too_long(json!({"state": "TERMINATED", "termination_details": {"code": "CANCELED", "type": "CLIENT_ERROR"}}), json!({"life_cycle_state": "TERMINATED", "result_state": "TIMEDOUT"}), "job-failed")]
#[case::left_out(json!({"state": "TERMINATED", "termination_details": {"code": "SKIPPED", "type": "SUCCESS"}}), json!(null), "job-failed")]
#[case::canceled_is_no_success(json!({"state": "TERMINATED", "termination_details": {"code": "USER_CANCELED", "type": "SUCCESS"}}), json!(null), "job-canceled")]
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
    assert_eq!(run.durations.total, Some(9_500));
    assert_eq!(run.tasks.len(), 4);
    assert_eq!(run.tasks[0].run_id, "11");
    let failure = run.outcome().expect_err("it failed");
    assert_eq!(failure.detail, "Job run 5 failed: task bad FAILED (Workload failed); task after UPSTREAM_FAILED.");
    let tasks = failure.failed_tasks.expect("each of them");
    let told: Vec<_> = tasks.first.iter().map(|task| (task.task_key.as_str(), task.state.as_str())).collect();
    assert_eq!((tasks.count, told), (2, vec![("bad", "FAILED"), ("after", "UPSTREAM_FAILED")]));
}

#[tokio::test]
async fn the_error_and_the_trace_of_each_failed_task_are_asked_for_once() {
    let server = MockServer::start().await;
    let at = "/api/2.2/jobs/runs/get-output";
    let long = format!("\u{1b}[0;31mValueError\u{1b}[0m{}the end", "x".repeat(5_000));
    let output = json!({"error": "ValueError: bad day", "error_trace": long, "metadata": {}});
    let mock = Mock::given(method("GET")).and(path(at)).and(query_param("run_id", "12"));
    mock.respond_with(ResponseTemplate::new(200).set_body_json(output)).expect(1).mount(&server).await;
    let mock = Mock::given(method("GET")).and(path(at)).and(query_param("run_id", "15"));
    mock.respond_with(ResponseTemplate::new(403)).mount(&server).await;
    let failed = json!({"state": "TERMINATED", "termination_details": {"code": "RUN_EXECUTION_ERROR", "type": "CLIENT_ERROR", "message": "Workload failed."}});
    let run = run(json!({
        "run_id": 5, "job_id": 2, "status": failed,
        "tasks": [
            {"run_id": 12, "task_key": "bad", "status": failed, "state": {"life_cycle_state": "INTERNAL_ERROR", "result_state": "FAILED"}},
            {"run_id": 13, "task_key": "after", "state": {"life_cycle_state": "SKIPPED", "result_state": "UPSTREAM_FAILED"}},
            {"run_id": 15, "task_key": "hidden", "status": failed},
        ],
    }));
    let failure = client(&server).job_outcome(&run, soon()).await.expect_err("it failed");
    assert!(failure.detail.contains("task bad FAILED (ValueError: bad day)"), "{}", failure.detail);
    let tasks = failure.failed_tasks.expect("tasks").first;
    let bad = serde_json::to_value(&tasks[0]).expect("JSON");
    assert_eq!(
        (&bad["terminationCode"], &bad["terminationType"]),
        (&json!("RUN_EXECUTION_ERROR"), &json!("CLIENT_ERROR"))
    );
    assert_eq!((&bad["errorTraceCut"], bad.get("errorCut")), (&json!(true), None));
    let trace = bad["errorTrace"].as_str().expect("a trace");
    assert!(trace.starts_with("ValueErrorxxx") && trace.ends_with("the end") && trace.contains("characters cut"));
    // One that cannot be had is no reason to say less of the others.
    assert_eq!(tasks[2].error.as_deref(), Some("Workload failed."));
}
