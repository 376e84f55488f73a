//! Starting: the body as the API wants it, and a refusal that says what to do.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::calls::{answers, client, soon};
use crate::databricks::{LegacyParameters, RunNow};
use crate::failure::{Code, Effect, Failure};

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
        ..RunNow::default()
    };
    assert_eq!(client(&server).run_now(&start, soon()).await.expect("it starts"), "987654321012345");
    let sent = &server.received_requests().await.expect("recorded")[0];
    assert_eq!(
        serde_json::from_slice::<Value>(&sent.body).expect("JSON"),
        json!({"job_id": 123, "job_parameters": {"day": "2026-01-01"}, "only": ["load+"],
               "idempotency_token": "f".repeat(64)})
    );
}

#[tokio::test]
async fn everything_that_a_start_may_say_is_sent_in_databricks_words() {
    let server = MockServer::start().await;
    answers(&server, "POST", "/api/2.2/jobs/run-now", 200, json!({"run_id": 1})).await;
    let text = |name: &str| BTreeMap::from([(name.to_owned(), "1".to_owned())]);
    let start = RunNow {
        job_id: "123".to_owned(),
        legacy: LegacyParameters {
            notebook_params: text("n"),
            python_params: vec!["p".to_owned()],
            python_named_params: text("q"),
            sql_params: text("s"),
            ..LegacyParameters::default()
        },
        performance_target: Some("STANDARD".to_owned()),
        queue: Some(false),
        idempotency_token: "t".to_owned(),
        ..RunNow::default()
    };
    client(&server).run_now(&start, soon()).await.expect("it starts");
    let sent = &server.received_requests().await.expect("recorded")[0];
    assert_eq!(
        serde_json::from_slice::<Value>(&sent.body).expect("JSON"),
        json!({"job_id": 123, "notebook_params": {"n": "1"}, "python_params": ["p"], "python_named_params": {"q": "1"},
               "sql_params": {"s": "1"}, "performance_target": "STANDARD", "queue": {"enabled": false},
               "idempotency_token": "t"})
    );
}

#[rstest::rstest]
#[case::without_a_queue(None, true)]
#[case::with_a_queue(Some(true), false)]
#[tokio::test]
async fn a_run_that_finds_no_place_says_how_it_could_wait(#[case] queue: Option<bool>, #[case] advised: bool) {
    let server = MockServer::start().await;
    let refusal = json!({"error_code": "RESOURCE_EXHAUSTED", "message": "Too many active runs."});
    let busy = ResponseTemplate::new(429).insert_header("retry-after", "0").set_body_json(refusal);
    Mock::given(method("POST")).and(path("/api/2.2/jobs/run-now")).respond_with(busy).mount(&server).await;
    let start = RunNow { job_id: "123".to_owned(), queue, idempotency_token: "t".to_owned(), ..RunNow::default() };
    let failure = Failure::from(client(&server).run_now(&start, soon()).await.expect_err("no place"));
    assert_eq!((failure.code, failure.effect), (Code::UpstreamThrottled, Effect::None));
    assert_eq!(failure.detail.contains("\"queue\": true"), advised, "{}", failure.detail);
    assert!(
        failure.detail.contains("Too many active runs") && failure.detail.contains("job 123"),
        "{}",
        failure.detail
    );
}
