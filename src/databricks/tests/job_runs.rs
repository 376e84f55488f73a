//! Job runs: all pages of their tasks, lists with filters, ids.

use serde_json::{Value, json};
use wiremock::matchers::{method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::calls::{client, soon};
use crate::databricks::RunFilter;
use crate::failure::{Code, Failure};

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

#[tokio::test]
async fn runs_of_a_job_are_listed_with_their_filters_and_no_page_is_too_large() {
    let server = MockServer::start().await;
    let page = |ids: std::ops::Range<u64>, next: Option<&str>| {
        let runs: Vec<Value> = ids.map(|id| json!({"run_id": id, "job_id": 7})).collect();
        ResponseTemplate::new(200).set_body_json(json!({"runs": runs, "next_page_token": next}))
    };
    let at = "/api/2.2/jobs/runs/list";
    let first = Mock::given(method("GET")).and(path(at)).and(query_param("limit", "24"));
    let first = first.and(query_param("completed_only", "true")).and(query_param("start_time_from", "5"));
    first.and(query_param_is_missing("page_token")).respond_with(page(0..24, Some("n"))).mount(&server).await;
    let second = Mock::given(method("GET")).and(path(at)).and(query_param("limit", "6"));
    second.and(query_param("page_token", "n")).respond_with(page(24..30, Some("m"))).mount(&server).await;
    let filter = RunFilter { active: Some(false), started_from: Some(5), started_to: None };
    let listed = client(&server).job_runs("7", filter, 30, None, soon()).await.expect("runs");
    assert_eq!((listed.items.len(), listed.next.as_deref()), (30, Some("m")));
}
