//! What tasks give back: every kind, in order, and those that never ran.

use serde_json::{Value, json};
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::calls::{client, soon};
use crate::databricks::outputs::output;
use crate::databricks::outputs_wire::OutputBody;
use crate::databricks::{JobRun, TaskRun};

fn task(key: &str, run_id: &str, result: &str) -> TaskRun {
    TaskRun {
        task_key: key.to_owned(),
        run_id: run_id.to_owned(),
        state: "TERMINATED".to_owned(),
        result_state: Some(result.to_owned()),
        message: Some("said".to_owned()),
        ended: true,
        ..TaskRun::default()
    }
}

#[rstest::rstest]
#[case(json!({"notebook_output": {"result": "{\"a\":1}", "truncated": true}, "metadata": {}}), "notebook", Some("{\"a\":1}"), Some(json!({"a": 1})), true)]
#[case(json!({"notebook_output": {}}), "notebook", None, None, false)]
#[case(json!({"logs": "line", "logs_truncated": true}), "logs", Some("line"), None, true)]
#[case(json!({"sql_output": {"query_output": {"warehouse_id": "w"}}}), "sql", None, Some(json!({"query_output": {"warehouse_id": "w"}})), false)]
#[case(json!({"dbt_output": {"artifacts_link": "https://secret", "artifacts_headers": {"k": "v"}}}), "dbt", None, None, false)]
#[case(json!({"run_job_output": {"run_id": 99}}), "run_job", Some("99"), None, false)]
#[case(json!({"dbt_output": {}, "logs": "12 of 12 OK", "logs_truncated": true}), "dbt", Some("12 of 12 OK"), None, true)]
#[case(json!({"clean_rooms_notebook_output": {"notebook_output": {"result": "1"}}}), "clean_rooms_notebook", Some("1"), Some(json!(1)), false)]
#[case(json!({"alert_output": {"alert_state": "OK"}}), "alert", None, Some(json!({"alert_state": "OK"})), false)]
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
    let mut run = JobRun {
        tasks: vec![task("a", "1", "SUCCESS"), task("b", "2", "UPSTREAM_FAILED"), task("c", "3", "FAILED")],
        ..JobRun::default()
    };
    let outputs = client(&server).job_outputs(&run, soon()).await.expect("outputs");
    let seen: Vec<_> = outputs.iter().map(|output| (output.text.as_deref(), output.error.as_deref())).collect();
    assert_eq!(seen, [(Some("one"), None), (None, Some("said")), (Some("three"), Some("it raised"))]);
    run.tasks = vec![task("b", "2", "SUCCESS")];
    client(&server).job_outputs(&run, soon()).await.expect_err("a task that ran has an output");
}

#[tokio::test]
async fn a_task_that_has_not_ended_is_not_asked() {
    let server = MockServer::start().await;
    let going = TaskRun { state: "RUNNING".to_owned(), task_key: "a".to_owned(), ..TaskRun::default() };
    let run = JobRun { tasks: vec![going], ..JobRun::default() };
    let outputs = client(&server).job_outputs(&run, soon()).await.expect("outputs");
    assert_eq!((outputs[0].kind.as_str(), outputs[0].state.as_str()), ("none", "RUNNING"));
    assert!(server.received_requests().await.expect("recorded").is_empty());
}
