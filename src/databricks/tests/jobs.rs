//! Job definitions: names, lists in pages, parameters and tasks of every page.

use serde_json::{Value, json};
use wiremock::matchers::{method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::calls::{answers, client, soon};
use crate::databricks::{Dependency, JobTrigger};
use crate::failure::{Code, Failure};

#[rstest::rstest]
#[case(json!({"jobs": [{"job_id": 7, "settings": {"name": "Load"}}]}), Ok("7"))]
#[case(json!({"jobs": [{"job_id": 7, "settings": {"name": "load"}}]}), Ok("7"))]
#[case(json!({"jobs": [{"job_id": 7, "settings": {"name": "load"}}, {"job_id": 8, "settings": {"name": "Load"}}]}), Ok("8"))]
#[case(json!({"has_more": false}), Err(Code::JobNotFound))]
#[case(json!({"jobs": [{"job_id": 7, "settings": {"name": "Load"}}, {"job_id": 8, "settings": {"name": "Load"}}]}), Err(Code::JobAmbiguous))]
#[tokio::test]
async fn a_name_stands_for_the_one_job_that_has_it(#[case] body: Value, #[case] expected: Result<&str, Code>) {
    let server = MockServer::start().await;
    answers(&server, "GET", "/api/2.2/jobs/list", 200, body).await;
    let found = client(&server).resolve_job("Load", soon()).await.map_err(|error| Failure::from(error).code);
    assert_eq!(found, expected.map(str::to_owned));
    assert_eq!(client(&server).resolve_job("42", soon()).await.expect("digits"), "42");
}

#[tokio::test]
async fn a_job_is_told_with_the_parameters_and_tasks_of_all_its_pages() {
    let server = MockServer::start().await;
    let at = "/api/2.2/jobs/get";
    let body = json!({
        "job_id": 987_654_321_012_345_u64, "creator_user_name": "m", "created_time": 1_767_225_600_000_i64,
        "has_more": true, "next_page_token": "n",
        "settings": {
            "name": "Load", "max_concurrent_runs": 3, "queue": {"enabled": true}, "timeout_seconds": 0,
            "parameters": [{"name": "day", "default": "2026-01-01"}],
            "tasks": [{"task_key": "a", "sql_task": {"file": {"path": "x"}}, "email_notifications": {}}],
            "schedule": {"quartz_cron_expression": "0 0 6 * * ?", "timezone_id": "UTC", "pause_status": "PAUSED"},
            "trigger": {"pause_status": "UNPAUSED", "sql_condition": {}, "table_update": {"table_names": ["t"]}},
        },
    });
    let first = Mock::given(method("GET")).and(path(at)).and(query_param_is_missing("page_token"));
    first.respond_with(ResponseTemplate::new(200).set_body_json(body)).mount(&server).await;
    let second = json!({"job_id": 987_654_321_012_345_u64, "settings": {
        "parameters": [{"name": "region", "default": ""}],
        "tasks": [{"task_key": "b", "run_job_task": {"job_id": 1}, "depends_on": [{"task_key": "a", "outcome": "true"}]}],
    }});
    let mock = Mock::given(method("GET")).and(path(at)).and(query_param("page_token", "n"));
    mock.respond_with(ResponseTemplate::new(200).set_body_json(second)).mount(&server).await;
    let job = client(&server).job("987654321012345", soon()).await.expect("a job");
    let names: Vec<_> = job.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    assert_eq!((job.job_id.as_str(), names), ("987654321012345", vec!["day", "region"]));
    let kinds: Vec<_> = job.tasks.iter().map(|task| task.kind.as_deref()).collect();
    assert_eq!(kinds, [Some("sql"), Some("run_job")]);
    assert_eq!(job.tasks[1].depends_on, [Dependency { task_key: "a".into(), outcome: Some("true".into()) }]);
    assert_eq!((job.queue, job.max_concurrent_runs, job.timeout_seconds), (Some(true), Some(3), None));
    assert!(job.schedule.is_some_and(|schedule| schedule.paused && schedule.cron == "0 0 6 * * ?"));
    assert_eq!(job.trigger, Some(JobTrigger { kind: "table_update".into(), paused: false }));
}

#[tokio::test]
async fn a_list_that_leads_to_itself_is_an_error() {
    let server = MockServer::start().await;
    answers(&server, "GET", "/api/2.2/jobs/list", 200, json!({"next_page_token": "n"})).await;
    let error = client(&server).jobs(None, 10, Some("n"), soon()).await.expect_err("it goes round");
    assert_eq!(Failure::from(error).code, Code::UpstreamReplyInvalid);
    answers(&server, "GET", "/api/2.2/jobs/get", 200, json!({"job_id": 1, "next_page_token": "n"})).await;
    let error = client(&server).job("1", soon()).await.expect_err("it goes round");
    assert_eq!(Failure::from(error).code, Code::UpstreamReplyInvalid);
}
