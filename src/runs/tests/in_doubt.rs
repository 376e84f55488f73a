//! Steps that may have happened, or may still: looked for before they are sent again, and not begun anew while nobody knows.

use rstest::rstest;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::Bench;
use super::cancelling::{runs_are, takes};
use super::overdue::{CANCEL, ONCE, job, minutes};
use crate::failure::Code;
use crate::runs::record::{RunState, StepState, Transition};

const JOB: &str =
    "summary: s\nsteps: [{id: go, timeout: 1m, retry: {attempts: 3, on: [step-timeout]}, job: {job: 7}}]\n";
const WRITE: &str = "summary: s\nsteps: [{id: go, timeout: 1m, sql: {statement: UPDATE t SET a = 1}}]\n";
const AGAIN: &str =
    "summary: s\nsteps: [{id: go, timeout: 1m, sql: {statement: UPDATE t SET a = 1, idempotent: true}}]\n";

fn write(idempotent: bool) -> Value {
    json!({"statement": "UPDATE t SET a = 1", "parameters": [], "warehouseId": "0123456789abcdef", "read": false,
        "idempotent": idempotent, "expectOneRow": false})
}

/// What Databricks says of the statement.
async fn statement_is(server: &MockServer, status: u16, body: Value) {
    takes(server, "/api/2.0/sql/statements/1/cancel", json!({})).await;
    let answer = ResponseTemplate::new(status).set_body_json(body);
    Mock::given(method("GET")).and(path("/api/2.0/sql/statements/1")).respond_with(answer).mount(server).await;
}

#[rstest]
#[case::by_a_person(ONCE)]
#[case::by_its_policy(JOB)]
#[tokio::test]
async fn what_nobody_says_has_stopped_is_not_begun_anew(#[case] yaml: &str) {
    let server = MockServer::start().await;
    let bench = Bench::beside(&[("job", yaml)], &server.uri());
    takes(&server, CANCEL, json!({})).await;
    takes(&server, "/api/2.2/jobs/run-now", json!({"run_id": 2})).await;
    runs_are(&server, json!({"state": "TERMINATING"})).await;
    bench.submitted("job", job(), minutes(62)).await;
    let ended = bench.wake("a").await;
    let error = ended.error.clone().unwrap();
    assert_eq!((ended.steps[0].state, error.code), (StepState::Unknown, Code::OutcomeUnknown), "{ended:?}");
    assert!(error.detail.contains("did not end within"), "{}", error.detail);
    assert_eq!(ended.steps[0].attempt, 1);
    assert_eq!(bench.may_be_retried().await, Err(Code::StepUnresolved));
}

#[tokio::test]
async fn a_write_that_cannot_be_found_any_more_when_it_should_stop_is_in_doubt() {
    let server = MockServer::start().await;
    let bench = Bench::beside(&[("write", WRITE)], &server.uri());
    statement_is(&server, 200, json!({"statement_id": "1", "status": {"state": "RUNNING"}})).await;
    bench.submitted("write", write(false), minutes(2)).await;
    bench.wake("a").await;
    server.reset().await;
    statement_is(&server, 404, json!({"error_code": "NOT_FOUND", "message": "gone"})).await;
    let ended = bench.wake("a").await;
    assert_eq!(ended.steps[0].state, StepState::Unknown, "{ended:?}");
}

#[tokio::test]
async fn what_was_sent_and_is_not_known_any_more_is_in_doubt_unless_it_may_be_done_twice() {
    let server = MockServer::start().await;
    let bench = Bench::beside(&[("write", WRITE), ("again", AGAIN), ("job", ONCE)], &server.uri());
    statement_is(&server, 404, json!({"error_code": "NOT_FOUND", "message": "gone"})).await;
    bench.submitted("write", write(false), minutes(0)).await;
    let ended = bench.wake("a").await;
    let error = ended.error.clone().unwrap();
    assert_eq!((ended.steps[0].state, error.code), (StepState::Unknown, Code::OutcomeUnknown), "{ended:?}");
    assert_eq!(bench.may_be_retried().await, Err(Code::StepUnresolved));

    let bench = Bench::beside(&[("again", AGAIN)], &server.uri());
    bench.submitted("again", write(true), minutes(0)).await;
    let begun_again = bench.wake("a").await;
    assert_eq!((begun_again.state, begun_again.steps[0].attempt), (RunState::Waiting, 2), "{begun_again:?}");
}

#[tokio::test]
async fn what_may_be_done_twice_is_a_failure_that_may_be_retried() {
    let server = MockServer::start().await;
    let bench = Bench::beside(&[("again", AGAIN)], &server.uri());
    statement_is(&server, 200, json!({"statement_id": "1", "status": {"state": "RUNNING"}})).await;
    bench.submitted("again", write(true), minutes(62)).await;
    let ended = bench.wake("a").await;
    assert_eq!(ended.error.as_ref().map(|error| error.code), Some(Code::StepTimeout), "{ended:?}");
    assert_eq!(bench.may_be_retried().await, Ok(()));
}

#[tokio::test]
async fn an_idempotent_write_that_was_perhaps_sent_is_looked_for_and_sent_again_only_when_it_is_not_found() {
    for found in [true, false] {
        let server = MockServer::start().await;
        let bench = Bench::beside(&[("again", AGAIN)], &server.uri());
        let mut dead = bench.create("again", "a").await;
        dead = dead.next(Transition::Started, dead.at);
        dead.steps[0].state = StepState::Started;
        dead.steps[0].effect = true;
        dead.steps[0].rendered_inputs = Some(write(true));
        dead.send_before = Some(dead.at - minutes(5));
        bench.append(dead).await;
        let key = crate::runs::identity::hash(&["a", "go", "1"]);
        let ours = json!([{"query_id": "1", "query_text": format!("/* causeway-key: {key} */ UPDATE t SET a = 1")}]);
        let shown = json!({"res": if found { ours } else { json!([]) }, "has_next_page": false});
        let shown = ResponseTemplate::new(200).set_body_json(shown);
        Mock::given(method("GET")).and(path("/api/2.0/sql/history/queries")).respond_with(shown).mount(&server).await;
        takes(&server, "/api/2.0/sql/statements", json!({"statement_id": "1", "status": {"state": "RUNNING"}})).await;
        statement_is(&server, 200, json!({"statement_id": "1", "status": {"state": "RUNNING"}})).await;
        let mut newest = bench.wake("a").await;
        while newest.steps[0].state == StepState::Started {
            newest = bench.wake("a").await;
        }
        assert_eq!((newest.steps[0].state, newest.steps[0].upstream_id.as_deref()), (StepState::Submitted, Some("1")));
        let sent = server.received_requests().await.unwrap();
        let sent = sent.iter().filter(|request| request.method.as_str() == "POST").count();
        assert_eq!(sent, usize::from(!found), "found: {found}");
    }
}
